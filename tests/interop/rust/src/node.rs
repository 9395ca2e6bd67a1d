//! The swarm: what it is made of, the commands to it, and what it reports.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use futures::StreamExt;
use libp2p::{
    autonat::v2 as autonat,
    core::{transport::ListenerId, ConnectedPoint, PeerRecord},
    dcutr, identify,
    identity::Keypair,
    kad, mdns,
    multiaddr::Protocol,
    noise, ping, relay,
    swarm::{
        behaviour::toggle::Toggle, dial_opts::DialOpts, ConnectionId, NetworkBehaviour, SwarmEvent,
    },
    tcp, tls, yamux, Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder,
};
use serde_json::{json, Value};
use tokio::sync::oneshot;

use crate::{
    dht::{self, Queries},
    events::{emit, fail},
    handover, streams, Error,
};

const IDLE: Duration = Duration::from_secs(3600);
const STOP: Duration = Duration::from_secs(2);
const STREAMS_MAX: usize = 4096;

pub struct Options {
    pub seed: String,
    pub key_type: String,
    pub listen: Vec<String>,
    pub security: Vec<String>,
    pub agent: String,
    /// TTL, seconds, bytes.
    pub relay: Option<[u64; 3]>,
    pub kad: Option<String>,
    pub punch: bool,
    /// Seconds between the pings of the ping behaviour, which are reported then.
    pub ping: Option<u64>,
    pub autonat: bool,
    pub mdns: bool,
    pub record: bool,
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    relay_client: relay::client::Behaviour,
    relay: Toggle<relay::Behaviour>,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    dcutr: Toggle<dcutr::Behaviour>,
    autonat: Toggle<autonat::server::Behaviour>,
    kad: Toggle<dht::Kad>,
    mdns: Toggle<mdns::tokio::Behaviour>,
    streams: handover::Behaviour,
}

fn relay_server(own: PeerId, [ttl, duration, bytes]: [u64; 3]) -> relay::Behaviour {
    let seconds = if duration > 0 { duration } else { u32::MAX.into() };
    let config = relay::Config {
        reservation_duration: Duration::from_secs(ttl),
        max_circuit_duration: Duration::from_secs(seconds),
        max_circuit_bytes: bytes,
        reservation_rate_limiters: Vec::new(),
        circuit_src_rate_limiters: Vec::new(),
        ..Default::default()
    };
    relay::Behaviour::new(own, config)
}

/// The behaviour speaks IPv4 or IPv6, not both.
fn mdns(o: &Options) -> mdns::Config {
    let enable_ipv6 = o.listen.iter().all(|a| a.starts_with("/ip6"));
    mdns::Config { enable_ipv6, ..Default::default() }
}

impl Behaviour {
    fn new(key: &Keypair, o: &Options, relay_client: relay::client::Behaviour) -> Result<Self, Error> {
        let own = key.public().to_peer_id();
        let version = "interop/1.0.0".to_string();
        let identify = if o.record {
            identify::Config::new_with_signed_peer_record(version, key)
        } else {
            identify::Config::new(version, key.public())
        };
        let ping = Duration::from_secs(o.ping.unwrap_or(15));
        Ok(Behaviour {
            relay_client,
            relay: o.relay.map(|limits| relay_server(own, limits)).into(),
            identify: identify::Behaviour::new(
                identify.with_agent_version(o.agent.clone()).with_push_listen_addr_updates(true),
            ),
            ping: ping::Behaviour::new(ping::Config::new().with_interval(ping)),
            dcutr: o.punch.then(|| dcutr::Behaviour::new(own)).into(),
            autonat: o.autonat.then(autonat::server::Behaviour::default).into(),
            kad: o.kad.as_ref().map(|mode| dht::behaviour(own, mode)).transpose()?.into(),
            mdns: o.mdns.then(|| mdns::Behaviour::new(mdns(o), own)).transpose()?.into(),
            streams: handover::Behaviour::default(),
        })
    }
}

/// The builder's types depend on the security upgrades.
macro_rules! swarm {
    ($key:expr, $o:expr, $security:expr) => {
        SwarmBuilder::with_existing_identity($key)
            .with_tokio()
            .with_tcp(tcp::Config::default(), $security, yamux::Config::default)?
            .with_quic()
            .with_dns()?
            .with_websocket($security, yamux::Config::default)
            .await?
            .with_relay_client($security, yamux::Config::default)?
            .with_behaviour(|key, client| Behaviour::new(key, $o, client))?
            .with_swarm_config(|c| {
                c.with_idle_connection_timeout(IDLE)
                    .with_max_negotiating_inbound_streams(STREAMS_MAX)
            })
            .build()
    };
}

async fn new_swarm(key: Keypair, o: &Options) -> Result<Swarm<Behaviour>, Error> {
    let order: Vec<&str> = o.security.iter().map(String::as_str).collect();
    Ok(match order[..] {
        ["noise"] => swarm!(key, o, noise::Config::new),
        ["tls"] => swarm!(key, o, tls::Config::new),
        ["noise", "tls"] => swarm!(key, o, (noise::Config::new, tls::Config::new)),
        ["tls", "noise"] => swarm!(key, o, (tls::Config::new, noise::Config::new)),
        _ => return Err(format!("--security {}: unknown", o.security.join(",")).into()),
    })
}

fn identity(o: &Options) -> Result<Keypair, Error> {
    if o.key_type != "ed25519" {
        return Err(format!("--key-type {}: not here", o.key_type).into());
    }
    Ok(Keypair::ed25519_from_bytes(hex::decode(&o.seed)?)?)
}

pub struct Node {
    swarm: Swarm<Behaviour>,
    security: String,
    conns: HashMap<ConnectionId, Value>,
    dialed: HashSet<ConnectionId>,
    listeners: HashSet<ListenerId>,
    replies: HashMap<String, String>,
    /// Limits (seconds, bytes) of reservations that were accepted and not told about yet.
    reserved: HashMap<PeerId, (u64, u64)>,
    queries: Queries,
    pings: Option<u64>,
    is_relay: bool,
}

impl Node {
    pub async fn start(o: Options) -> Result<Self, Error> {
        let mut node = Node {
            swarm: new_swarm(identity(&o)?, &o).await?,
            security: match &o.security[..] {
                [one] => if one == "tls" { "/tls/1.0.0" } else { "/noise" }.to_string(),
                _ => String::new(), // rust-libp2p does not tell which
            },
            conns: HashMap::new(),
            dialed: HashSet::new(),
            listeners: HashSet::new(),
            replies: HashMap::new(),
            reserved: HashMap::new(),
            queries: Queries::default(),
            pings: o.ping.map(|_| 0),
            is_relay: o.relay.is_some(),
        };
        for p in [streams::ECHO, streams::SINK, streams::SOURCE, streams::RESET, streams::PINGPONG] {
            node.serve(p.to_string(), String::new())?;
        }
        for addr in &o.listen {
            let id = node.swarm.listen_on(addr.parse()?)?;
            node.listeners.insert(id);
        }
        while !node.listeners.is_empty() {
            node.step().await;
        }
        let own = *node.swarm.local_peer_id();
        let addrs: Vec<String> =
            node.swarm.listeners().map(|a| format!("{a}/p2p/{own}")).collect();
        emit("ready", json!({ "peer": own.to_string(), "addrs": addrs, "agent": o.agent }));
        Ok(node)
    }

    // ---- commands

    pub fn dial(&mut self, addr: Multiaddr) -> Result<(), Error> {
        let Some(Protocol::P2p(peer)) = addr.iter().last() else {
            return Err("the address names no peer".into());
        };
        if self.swarm.is_connected(&peer) {
            return Ok(());
        }
        let opts = DialOpts::peer_id(peer).addresses(vec![addr]).build();
        self.dialed.insert(opts.connection_id());
        Ok(self.swarm.dial(opts)?)
    }

    fn ask(&mut self, peer: PeerId, proto: String) -> Result<oneshot::Receiver<Result<libp2p::Stream, String>>, Error> {
        let (answer, opened) = oneshot::channel();
        let proto = StreamProtocol::try_from_owned(proto)?;
        self.swarm.behaviour_mut().streams.open(peer, proto, answer);
        Ok(opened)
    }

    pub fn ping(&mut self, peer: PeerId, n: u64) -> Result<(), Error> {
        let stream = self.ask(peer, streams::PING.to_string())?;
        tokio::spawn(async move {
            let tell = |seq, ms| tell_ping(peer, seq, ms);
            let end = match stream.await {
                Ok(Ok(s)) => streams::ping(s, n, tell).await.map_err(|e| e.to_string()),
                Ok(Err(text)) => Err(text),
                Err(e) => Err(e.to_string()),
            };
            if let Err(text) = end {
                fail("ping", Some(peer), &text);
            }
        });
        Ok(())
    }

    pub fn open(&mut self, peer: PeerId, proto: String, bytes: u64, data: String) -> Result<(), Error> {
        let stream = self.ask(peer, proto.clone())?;
        tokio::spawn(async move {
            let begun = Instant::now();
            match stream.await {
                Ok(Ok(s)) => {
                    let outcome = streams::opened(s, &proto, bytes, &data).await;
                    streams::report(peer, &proto, "outbound", begun, outcome);
                }
                Ok(Err(text)) => fail("open", Some(peer), &text),
                Err(_) => fail("open", Some(peer), "the connection is gone"),
            }
        });
        Ok(())
    }

    pub fn serve(&mut self, proto: String, reply: String) -> Result<(), Error> {
        let name = StreamProtocol::try_from_owned(proto.clone())?;
        self.replies.insert(proto, reply);
        self.swarm.behaviour_mut().streams.accept(name);
        Ok(())
    }

    pub fn reserve(&mut self, relay: Multiaddr) -> Result<(), Error> {
        self.swarm.listen_on(relay.with(Protocol::P2pCircuit))?;
        Ok(())
    }

    pub fn conns(&self) {
        let conns: Vec<Value> = self.conns.values().cloned().collect();
        emit("conns", json!({ "conns": conns }));
    }

    pub fn disconnect(&mut self, peer: PeerId) {
        if self.swarm.disconnect_peer_id(peer).is_err() {
            fail("disconnect", Some(peer), "not connected");
        }
    }

    /// provide, find, findpeer, closest, table, refresh.
    pub fn dht(&mut self, what: &str, ns: &str, peer: Option<PeerId>) -> Result<(), Error> {
        let kad = self.swarm.behaviour_mut().kad.as_mut().ok_or("needs --kad")?;
        match (what, peer) {
            ("provide", _) => return self.queries.provide(kad, ns),
            ("find", _) => self.queries.find(kad, ns),
            ("findpeer", Some(peer)) => self.queries.find_peer(kad, peer),
            ("closest", Some(peer)) => self.queries.closest(kad, peer),
            ("table", _) => Queries::table(kad),
            ("refresh", _) => return self.queries.refresh(kad),
            _ => return Err("which peer?".into()),
        }
        Ok(())
    }

    pub async fn stop(&mut self) {
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            _ = self.swarm.disconnect_peer_id(peer);
        }
        let quiet = async {
            while !self.conns.is_empty() {
                self.step().await;
            }
        };
        _ = tokio::time::timeout(STOP, quiet).await;
    }

    // ---- events

    /// The next thing that happens. Nothing is lost when this is dropped.
    pub async fn step(&mut self) {
        match self.swarm.select_next_some().await {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                let view = self.describe(peer_id, &endpoint);
                self.dialed.remove(&connection_id);
                self.conns.insert(connection_id, view.clone());
                emit("connected", view);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                self.conns.remove(&connection_id);
                let why = cause.map_or(String::new(), |e| e.to_string());
                emit("disconnected", json!({ "peer": peer_id.to_string(), "why": why }));
            }
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error } => {
                if self.dialed.remove(&connection_id) {
                    fail("dial", peer_id, &error.to_string());
                }
            }
            SwarmEvent::IncomingConnectionError { error, .. } => eprintln!("incoming: {error:?}"),
            SwarmEvent::NewListenAddr { listener_id, address } => {
                self.listeners.remove(&listener_id);
                if address.iter().any(|p| p == Protocol::P2pCircuit) {
                    self.tell_reservations();
                } else if self.is_relay {
                    self.swarm.add_external_address(address);
                }
            }
            SwarmEvent::ListenerClosed { addresses, reason: Err(e), .. } => {
                let circuit = addresses.iter().flatten().any(|p| p == Protocol::P2pCircuit);
                let stage = if circuit || addresses.is_empty() { "reserve" } else { "listen" };
                fail(stage, None, &e.to_string());
            }
            _ => {}
        }
    }

    fn describe(&self, peer: PeerId, endpoint: &ConnectedPoint) -> Value {
        let limited = endpoint.is_relayed();
        let (direction, addr) = match endpoint {
            ConnectedPoint::Dialer { address, .. } => ("outbound", address),
            ConnectedPoint::Listener { local_addr, .. } if limited => ("inbound", local_addr),
            ConnectedPoint::Listener { send_back_addr, .. } => ("inbound", send_back_addr),
        };
        let mut addr = addr.clone();
        if let Some(Protocol::P2p(_)) = addr.iter().last() {
            addr.pop();
        }
        let quic = !limited && addr.iter().any(|p| p == Protocol::QuicV1);
        json!({
            "peer": peer.to_string(), "addr": addr, "direction": direction, "limited": limited,
            "security": if quic { "quic" } else { &self.security },
            "muxer": if quic { "quic" } else { "/yamux/1.0.0" },
        })
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Streams(i) => self.on_stream(i),
            BehaviourEvent::Identify(e) => self.on_identify(e),
            BehaviourEvent::Ping(ping::Event { peer, result: Ok(rtt), .. }) => {
                if let Some(seq) = &mut self.pings {
                    *seq += 1;
                    tell_ping(peer, *seq, rtt.as_secs_f64() * 1000.0);
                }
            }
            BehaviourEvent::Ping(ping::Event { peer, result: Err(e), .. }) => {
                fail("ping", Some(peer), &e.to_string());
            }
            BehaviourEvent::RelayClient(relay::client::Event::ReservationReqAccepted {
                relay_peer_id,
                limit,
                ..
            }) => {
                let seconds = limit.and_then(|l| l.duration()).map_or(0, |d| d.as_secs());
                let bytes = limit.and_then(|l| l.data_in_bytes()).unwrap_or(0);
                self.reserved.insert(relay_peer_id, (seconds, bytes));
                self.tell_reservations();
            }
            BehaviourEvent::Kad(kad::Event::OutboundQueryProgressed { id, result, step, .. }) => {
                if let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() {
                    self.queries.progress(kad, id, result, step.last);
                }
            }
            BehaviourEvent::Mdns(mdns::Event::Discovered(list)) => {
                let mut found: HashMap<PeerId, Vec<Multiaddr>> = HashMap::new();
                for (peer, addr) in list {
                    found.entry(peer).or_default().push(addr);
                }
                for (peer, addrs) in found {
                    emit("found", json!({ "peer": peer.to_string(), "addrs": addrs }));
                }
            }
            BehaviourEvent::Dcutr(e) => eprintln!("dcutr: {e:?}"),
            BehaviourEvent::Autonat(e) => eprintln!("autonat: {e:?}"),
            BehaviourEvent::Relay(e) => eprintln!("relay: {e:?}"),
            BehaviourEvent::RelayClient(e) => eprintln!("relay client: {e:?}"),
            BehaviourEvent::Kad(_) | BehaviourEvent::Mdns(_) => {}
        }
    }

    fn on_stream(&mut self, i: handover::Incoming) {
        let proto = i.protocol.to_string();
        let reply = self.replies.get(&proto).cloned().unwrap_or_default();
        tokio::spawn(async move {
            let begun = Instant::now();
            let outcome = streams::handled(i.stream, &proto, &reply).await;
            streams::report(i.peer, &proto, "inbound", begun, outcome);
        });
    }

    fn on_identify(&mut self, event: identify::Event) {
        let (peer, info) = match event {
            identify::Event::Received { peer_id, info, .. } => (peer_id, info),
            identify::Event::Error { peer_id, error, .. } => {
                return fail("identify", Some(peer_id), &error.to_string());
            }
            _ => return,
        };
        let record = match info.signed_peer_record.map(PeerRecord::from_signed_envelope_interop) {
            None => "none",
            Some(Ok(r)) if r.peer_id() == peer => "valid",
            Some(_) => "invalid",
        };
        let protocols: Vec<String> = info.protocols.iter().map(|p| p.to_string()).collect();
        emit("identified", json!({
            "peer": peer.to_string(), "agent": info.agent_version,
            "protocolVersion": info.protocol_version, "protocols": protocols,
            "addrs": info.listen_addrs, "observed": info.observed_addr, "signedRecord": record,
        }));
        if let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() {
            if info.protocols.contains(&dht::PROTOCOL) {
                for addr in info.listen_addrs {
                    kad.add_address(&peer, addr);
                }
            }
        }
    }

    /// The relay's answer and the address come one by one, in no order.
    fn tell_reservations(&mut self) {
        let addrs: Vec<Multiaddr> = self.swarm.listeners().cloned().collect();
        self.reserved.retain(|relay, (seconds, bytes)| {
            let through = |a: &&Multiaddr| {
                let parts: Vec<Protocol> = a.iter().collect();
                parts.windows(2).any(|w| w == [Protocol::P2p(*relay), Protocol::P2pCircuit])
            };
            let own: Vec<&Multiaddr> = addrs.iter().filter(through).collect();
            if own.is_empty() {
                return true;
            }
            emit("reserved", json!({
                "relay": relay.to_string(), "addrs": own, "duration": seconds, "data": bytes,
            }));
            false
        });
    }
}

fn tell_ping(peer: PeerId, seq: u64, ms: f64) {
    emit("ping", json!({ "peer": peer.to_string(), "seq": seq, "ms": ms }));
}
