//! A rust-libp2p peer driven over stdin and stdout by ../run.py. The protocol is described in
//! ../README.md.

mod events;
mod node;
mod streams;

use std::collections::HashMap;

use libp2p::{multiaddr::Protocol, Multiaddr, PeerId};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use events::{emit, fail};
use node::{Node, Options};

type Error = Box<dyn std::error::Error + Send + Sync>;

fn options() -> Result<Options, Error> {
    let mut given: HashMap<String, String> = HashMap::new();
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args.next().ok_or(format!("{name}: wants a value"))?;
        given.insert(name.trim_start_matches('-').to_string(), value);
    }
    let take = |name: &str, default: &str| given.get(name).cloned().unwrap_or(default.to_string());
    let list = |text: String| {
        text.split(',').filter(|s| !s.is_empty()).map(str::to_string).collect::<Vec<_>>()
    };
    Ok(Options {
        seed: take("seed", ""),
        key_type: take("key-type", "ed25519"),
        listen: list(take("listen", "")),
        security: list(take("security", "tls,noise")),
        roles: list(take("role", "")),
        agent: take("name", "rust-interop"),
    })
}

fn peer_of(command: &Value) -> Result<PeerId, Error> {
    Ok(command["peer"].as_str().ok_or("which peer?")?.parse()?)
}

fn text_of(command: &Value, key: &str) -> String {
    command[key].as_str().unwrap_or("").to_string()
}

async fn run(node: &mut Node, c: &Value) -> Result<(), (&'static str, Error)> {
    let wrong = |e: Error| ("command", e);
    match c["do"].as_str().unwrap_or("") {
        "dial" => {
            let addr: Multiaddr = text_of(c, "addr").parse().map_err(|e| ("dial", Box::new(e) as Error))?;
            node.dial(addr).map_err(|e| ("dial", e))?;
        }
        "ping" => node.ping(peer_of(c).map_err(wrong)?, c["n"].as_u64().unwrap_or(1)),
        "open" => {
            let peer = peer_of(c).map_err(wrong)?;
            for _ in 0..c["count"].as_u64().unwrap_or(1) {
                node.open(peer, text_of(c, "proto"), c["bytes"].as_u64().unwrap_or(0), text_of(c, "data"));
            }
        }
        "serve" => {
            let name = text_of(c, "name");
            node.serve(format!("/peerup/{name}/1.0.0"), text_of(c, "reply")).map_err(wrong)?;
            emit("serving", serde_json::json!({ "name": name }));
        }
        "addproto" => {
            let name = text_of(c, "name");
            node.serve_echo(name.clone()).map_err(wrong)?;
            emit("added", serde_json::json!({ "name": name }));
        }
        "reserve" => {
            let relay: Multiaddr = text_of(c, "relay").parse().map_err(|e| ("reserve", Box::new(e) as Error))?;
            node.listen(relay.with(Protocol::P2pCircuit)).map_err(|e| ("reserve", e))?;
        }
        "conns" => node.conns(),
        "disconnect" => node.disconnect(peer_of(c).map_err(wrong)?),
        "provide" => node.provide(&text_of(c, "ns")).map_err(|e| ("provide", e))?,
        "find" => node.find(&text_of(c, "ns")).map_err(|e| ("find", e))?,
        "findpeer" => node.find_peer(peer_of(c).map_err(wrong)?).map_err(|e| ("findpeer", e))?,
        other => return Err(("command", format!("unknown command {other}").into())),
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut node = match options() {
        Ok(o) => Node::start(o).await.map_err(|e| {
            fail("listen", None, &e.to_string());
            e
        })?,
        Err(e) => return Err(e),
    };
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            line = lines.next_line() => {
                let Some(line) = line? else { break };
                let command: Value = match serde_json::from_str(&line) {
                    Ok(v) => v,
                    Err(e) => { fail("command", None, &e.to_string()); continue; }
                };
                if command["do"] == "quit" {
                    break;
                }
                if let Err((stage, e)) = run(&mut node, &command).await {
                    fail(stage, None, &e.to_string());
                }
            }
            () = node.step() => {}
        }
    }
    node.stop().await;
    emit("bye", serde_json::json!({}));
    Ok(())
}
