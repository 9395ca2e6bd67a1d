//! The commands of the DHT: queries under way, and what they have found.

use std::collections::HashMap;

use libp2p::{
    kad::{self, store::MemoryStore, QueryId, QueryResult, RecordKey},
    swarm::StreamProtocol,
    Multiaddr, PeerId,
};
use serde_json::{json, Value};
use sha2::{Digest, Sha256};

use crate::{
    events::{emit, fail},
    Error,
};

pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/peerup/kad/1.0.0");

pub type Kad = kad::Behaviour<MemoryStore>;

pub fn behaviour(own: PeerId, mode: &str) -> Result<Kad, Error> {
    let mut config = kad::Config::new(PROTOCOL);
    config.set_periodic_bootstrap_interval(None);
    let mut kad = Kad::with_config(own, MemoryStore::new(own), config);
    kad.set_mode(Some(match mode {
        "client" => kad::Mode::Client,
        "server" => kad::Mode::Server,
        _ => return Err(format!("--kad {mode}: client or server").into()),
    }));
    Ok(kad)
}

/// Where a name is in the key space: the multihash of its SHA-256, as go's discovery does it.
fn key_of(name: &str) -> RecordKey {
    let mut key = vec![0x12, 0x20];
    key.extend_from_slice(&Sha256::digest(name));
    RecordKey::new(&key)
}

struct Query {
    what: &'static str,
    peer: Option<PeerId>,
    found: Vec<(PeerId, Vec<Multiaddr>)>,
    /// How many of the found ones have been asked for their addresses.
    located: usize,
}

#[derive(Default)]
pub struct Queries(HashMap<QueryId, Query>);

impl Queries {
    fn add(&mut self, id: QueryId, what: &'static str, peer: Option<PeerId>) {
        self.0.insert(id, Query { what, peer, found: Vec::new(), located: 0 });
    }

    pub fn provide(&mut self, kad: &mut Kad, name: &str) -> Result<(), Error> {
        let id = kad.start_providing(key_of(name))?;
        self.add(id, "provide", None);
        Ok(())
    }

    pub fn find(&mut self, kad: &mut Kad, name: &str) {
        self.add(kad.get_providers(key_of(name)), "find", None);
    }

    pub fn find_peer(&mut self, kad: &mut Kad, peer: PeerId) {
        self.add(kad.get_closest_peers(peer), "findpeer", Some(peer));
    }

    pub fn closest(&mut self, kad: &mut Kad, peer: PeerId) {
        self.add(kad.get_closest_peers(peer), "closest", None);
    }

    pub fn refresh(&mut self, kad: &mut Kad) -> Result<(), Error> {
        self.add(kad.bootstrap()?, "refresh", None);
        Ok(())
    }

    pub fn table(kad: &mut Kad) {
        let mut found = Vec::new();
        for bucket in kad.kbuckets() {
            found.extend(bucket.iter().map(|e| (*e.node.key.preimage(), Vec::new())));
        }
        tell("table", &found);
    }

    pub fn progress(&mut self, kad: &mut Kad, id: QueryId, result: QueryResult, last: bool) {
        let Some(mut query) = self.0.remove(&id) else { return };
        if let Err(text) = query.take(result) {
            fail(query.what, query.peer, &text);
        } else if !last {
            self.0.insert(id, query);
        } else if query.what == "find" && query.located < query.found.len() {
            // Providers come without addresses: each is looked for.
            let next = kad.get_closest_peers(query.found[query.located].0);
            self.0.insert(next, query);
        } else {
            query.end();
        }
    }
}

impl Query {
    fn take(&mut self, result: QueryResult) -> Result<(), String> {
        match result {
            QueryResult::GetProviders(r) => {
                if let kad::GetProvidersOk::FoundProviders { providers, .. } =
                    r.map_err(|e| e.to_string())?
                {
                    for peer in providers {
                        if !self.found.iter().any(|(p, _)| *p == peer) {
                            self.found.push((peer, Vec::new()));
                        }
                    }
                }
            }
            QueryResult::GetClosestPeers(r) => {
                let peers = r.map_err(|e| e.to_string())?.peers;
                if self.what == "find" {
                    let (provider, addrs) = &mut self.found[self.located];
                    addrs.extend(
                        peers.into_iter().filter(|p| p.peer_id == *provider).flat_map(|p| p.addrs),
                    );
                    self.located += 1;
                } else {
                    self.found.extend(peers.into_iter().map(|p| (p.peer_id, p.addrs)));
                }
            }
            QueryResult::StartProviding(r) => _ = r.map_err(|e| e.to_string())?,
            QueryResult::Bootstrap(r) => _ = r.map_err(|e| e.to_string())?,
            _ => {}
        }
        Ok(())
    }

    fn end(mut self) {
        if self.what == "findpeer" {
            self.found.retain(|(p, _)| Some(*p) == self.peer);
            if self.found.is_empty() {
                return fail("findpeer", self.peer, "not found");
            }
        }
        tell(self.what, &self.found);
    }
}

fn tell(what: &str, found: &[(PeerId, Vec<Multiaddr>)]) {
    let peers: Vec<Value> = found
        .iter()
        .map(|(peer, addrs)| json!({ "peer": peer.to_string(), "addrs": addrs }))
        .collect();
    emit("dht", json!({ "query": what, "peers": peers }));
}
