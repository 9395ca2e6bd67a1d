//! A rust-libp2p peer driven over stdin and stdout by ../run.py. The protocol is described in
//! ../README.md.

mod dht;
mod events;
mod handover;
mod node;
mod streams;

use std::collections::HashMap;

use libp2p::{Multiaddr, PeerId};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use events::{emit, fail};
use node::{Node, Options};

type Error = Box<dyn std::error::Error + Send + Sync>;

const FLAGS: [&str; 5] = ["circuit", "punch", "autonat", "record", "mdns"];

fn limits(text: &str) -> Result<[u64; 3], Error> {
    let numbers: Result<Vec<u64>, _> = text.split(',').map(str::parse).collect();
    numbers?.try_into().map_err(|_| format!("--relay {text}: TTL,DURATION,BYTES").into())
}

fn options() -> Result<Options, Error> {
    let mut given: HashMap<String, String> = HashMap::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let name = arg.trim_start_matches('-').to_string();
        let value = if FLAGS.contains(&name.as_str()) { Some(String::new()) } else { args.next() };
        given.insert(name, value.ok_or(format!("{arg}: wants a value"))?);
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
        agent: take("name", "rust-interop"),
        relay: given.get("relay").map(|text| limits(text)).transpose()?,
        kad: given.get("kad").cloned(),
        punch: given.contains_key("punch"),
        ping: given.get("ping").map(|text| text.parse()).transpose()?,
        autonat: given.contains_key("autonat"),
        mdns: given.contains_key("mdns"),
        record: given.contains_key("record"),
    })
}

fn peer_of(command: &Value) -> Result<PeerId, Error> {
    Ok(command["peer"].as_str().ok_or("which peer?")?.parse()?)
}

fn address_of(command: &Value) -> Result<Multiaddr, Error> {
    Ok(text_of(command, "addr").parse()?)
}

type Failure = (&'static str, Error);

fn query(node: &mut Node, c: &Value, what: &'static str) -> Result<(), Failure> {
    node.dht(what, &text_of(c, "ns"), peer_of(c).ok()).map_err(|e| (what, e))
}

fn text_of(command: &Value, key: &str) -> String {
    command[key].as_str().unwrap_or("").to_string()
}

async fn run(node: &mut Node, c: &Value) -> Result<(), Failure> {
    let wrong = |e: Error| ("command", e);
    match c["do"].as_str().unwrap_or("") {
        "dial" => {
            let addr = address_of(c).map_err(|e| ("dial", e))?;
            node.dial(addr).map_err(|e| ("dial", e))?;
        }
        "ping" => {
            let peer = peer_of(c).map_err(wrong)?;
            node.ping(peer, c["n"].as_u64().unwrap_or(1)).map_err(|e| ("ping", e))?;
        }
        "open" => {
            let peer = peer_of(c).map_err(wrong)?;
            for _ in 0..c["count"].as_u64().unwrap_or(1) {
                let bytes = c["bytes"].as_u64().unwrap_or(0);
                node.open(peer, text_of(c, "proto"), bytes, text_of(c, "data"))
                    .map_err(|e| ("open", e))?;
            }
        }
        "serve" => {
            let name = text_of(c, "name");
            node.serve(format!("/peerup/{name}/1.0.0"), text_of(c, "reply")).map_err(wrong)?;
            emit("serving", serde_json::json!({ "name": name }));
        }
        "addproto" => {
            let name = text_of(c, "name");
            node.serve(name.clone(), String::new()).map_err(wrong)?;
            emit("added", serde_json::json!({ "name": name }));
        }
        "reserve" => {
            let relay = address_of(c).map_err(|e| ("reserve", e))?;
            node.reserve(relay).map_err(|e| ("reserve", e))?;
        }
        "conns" => node.conns(),
        "disconnect" => node.disconnect(peer_of(c).map_err(wrong)?),
        "provide" => query(node, c, "provide")?,
        "find" => query(node, c, "find")?,
        "findpeer" => query(node, c, "findpeer")?,
        "closest" => query(node, c, "closest")?,
        "table" => query(node, c, "table")?,
        "refresh" => query(node, c, "refresh")?,
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
