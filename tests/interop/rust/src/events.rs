//! Events on stdout, one JSON object per line.

use libp2p::PeerId;
use serde_json::{json, Value};

pub fn emit(name: &str, mut event: Value) {
    event["event"] = json!(name);
    println!("{event}");
}

pub fn fail(stage: &str, peer: Option<PeerId>, text: &str) {
    let mut event = json!({ "stage": stage, "text": text });
    if let Some(id) = peer {
        event["peer"] = json!(id.to_string());
    }
    emit("error", event);
}
