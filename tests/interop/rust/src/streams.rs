//! What the test protocols do on a stream (../README.md, "Protocols of every peer").

use std::time::Instant;

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::{PeerId, Stream};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::events::emit;

pub const ECHO: &str = "/interop/echo/1.0.0";
pub const SINK: &str = "/interop/sink/1.0.0";
pub const SOURCE: &str = "/interop/source/1.0.0";
pub const RESET: &str = "/interop/reset/1.0.0";
pub const PINGPONG: &str = "/pingpong/1.0.0";
pub const PING: &str = "/ipfs/ping/1.0.0";

const PIECE: usize = 64 << 10;
const TEXT_MAX: usize = 4096;
const SOURCE_MAX: u64 = 1 << 40;

#[derive(Default)]
pub struct Outcome {
    pub read: u64,
    pub written: u64,
    pub ok: bool,
    pub reset: Option<String>,
    pub text: Option<String>,
}

fn pattern_byte(i: u64) -> u8 {
    (i ^ i >> 8 ^ i >> 16) as u8
}

fn pattern(from: u64, len: usize) -> Vec<u8> {
    (from..from + len as u64).map(pattern_byte).collect()
}

fn is_pattern(from: u64, bytes: &[u8]) -> bool {
    bytes.iter().zip(from..).all(|(b, i)| *b == pattern_byte(i))
}

pub fn report(peer: PeerId, proto: &str, direction: &str, begun: Instant, o: Outcome) {
    let mut e = json!({
        "peer": peer.to_string(), "proto": proto, "direction": direction, "in": o.read,
        "out": o.written, "end": if o.reset.is_some() { "reset" } else { "eof" }, "code": 0,
        "ok": o.ok, "ms": begun.elapsed().as_secs_f64() * 1000.0,
    });
    if let Some(why) = o.reset {
        e["why"] = json!(why);
    }
    if let Some(text) = o.text {
        e["text"] = json!(text);
    }
    emit("stream", e);
}

type Result = std::io::Result<()>;

async fn write_pattern(s: &mut (impl AsyncWriteExt + Unpin), bytes: u64, o: &mut u64) -> Result {
    while *o < bytes {
        let piece = pattern(*o, PIECE.min((bytes - *o) as usize));
        s.write_all(&piece).await?;
        *o += piece.len() as u64;
    }
    s.flush().await
}

/// Reads to the end; true when it was the pattern.
async fn read_pattern(s: &mut (impl AsyncReadExt + Unpin), n: &mut u64) -> std::io::Result<bool> {
    let mut buf = vec![0; PIECE];
    let mut right = true;
    loop {
        match s.read(&mut buf).await? {
            0 => return Ok(right),
            len => {
                right &= is_pattern(*n, &buf[..len]);
                *n += len as u64;
            }
        }
    }
}

async fn read_u64(s: &mut Stream, o: &mut Outcome) -> std::io::Result<u64> {
    let mut n = [0; 8];
    s.read_exact(&mut n).await?;
    o.read += 8;
    Ok(u64::from_be_bytes(n))
}

// ---- openers

async fn open_echo(s: Stream, bytes: u64, o: &mut Outcome) -> Result {
    let (mut reader, mut writer) = s.split();
    let (read, written) = (&mut o.read, &mut o.written);
    let send = async {
        write_pattern(&mut writer, bytes, written).await?;
        writer.close().await
    };
    let (right, sent) = futures::join!(read_pattern(&mut reader, read), send);
    sent?;
    o.ok = right? && o.read == bytes;
    Ok(())
}

async fn open_sink(mut s: Stream, bytes: u64, o: &mut Outcome) -> Result {
    let mut hash = Sha256::new();
    while o.written < bytes {
        let piece = pattern(o.written, PIECE.min((bytes - o.written) as usize));
        hash.update(&piece);
        s.write_all(&piece).await?;
        o.written += piece.len() as u64;
    }
    s.close().await?;
    let mut answer = Vec::new();
    s.read_to_end(&mut answer).await?;
    o.read = answer.len() as u64;
    let mut wanted = bytes.to_be_bytes().to_vec();
    wanted.extend_from_slice(&hash.finalize());
    o.ok = answer == wanted;
    Ok(())
}

async fn open_source(mut s: Stream, bytes: u64, o: &mut Outcome) -> Result {
    s.write_all(&bytes.to_be_bytes()).await?;
    s.close().await?;
    o.written = 8;
    let right = read_pattern(&mut s, &mut o.read).await?;
    o.ok = right && o.read == bytes;
    Ok(())
}

async fn open_reset(mut s: Stream, bytes: u64, o: &mut Outcome) -> Result {
    s.write_all(&bytes.to_be_bytes()).await?;
    s.flush().await?;
    o.written = 8;
    let mut end = read_pattern(&mut s, &mut o.read).await.map(|_| ());
    if end.is_ok() {
        // A reset of a yamux stream reads like its end, but then it cannot be written to.
        end = async { s.write_all(b"?").await?; s.flush().await }.await;
    }
    o.ok = end.is_err() && o.read <= bytes;
    end
}

async fn open_pingpong(mut s: Stream, o: &mut Outcome) -> Result {
    s.write_all(b"ping\n").await?;
    s.flush().await?;
    o.written = 5;
    let mut answer = Vec::new();
    s.read_to_end(&mut answer).await?;
    o.read = answer.len() as u64;
    o.ok = answer == b"pong\n";
    Ok(())
}

async fn open_service(mut s: Stream, data: &str, o: &mut Outcome) -> Result {
    s.write_all(data.as_bytes()).await?;
    s.close().await?;
    o.written = data.len() as u64;
    let mut answer = Vec::new();
    s.read_to_end(&mut answer).await?;
    o.read = answer.len() as u64;
    answer.truncate(TEXT_MAX);
    o.text = Some(String::from_utf8_lossy(&answer).into_owned());
    o.ok = true;
    Ok(())
}

pub async fn opened(s: Stream, proto: &str, bytes: u64, data: &str) -> Outcome {
    let mut o = Outcome::default();
    let end = match proto {
        SINK => open_sink(s, bytes, &mut o).await,
        SOURCE => open_source(s, bytes, &mut o).await,
        RESET => open_reset(s, bytes, &mut o).await,
        PINGPONG => open_pingpong(s, &mut o).await,
        p if p.starts_with("/peerup/") => open_service(s, data, &mut o).await,
        _ => open_echo(s, bytes, &mut o).await,
    };
    o.reset = end.err().map(|e| e.to_string());
    o
}

// ---- handlers

async fn handle_echo(mut s: Stream, o: &mut Outcome) -> Result {
    let mut buf = vec![0; PIECE];
    loop {
        let len = s.read(&mut buf).await?;
        if len == 0 {
            break;
        }
        o.read += len as u64;
        s.write_all(&buf[..len]).await?;
        s.flush().await?;
        o.written += len as u64;
    }
    s.close().await
}

async fn handle_sink(mut s: Stream, o: &mut Outcome) -> Result {
    let mut hash = Sha256::new();
    let mut buf = vec![0; PIECE];
    loop {
        let len = s.read(&mut buf).await?;
        if len == 0 {
            break;
        }
        hash.update(&buf[..len]);
        o.read += len as u64;
    }
    s.write_all(&o.read.to_be_bytes()).await?;
    s.write_all(&hash.finalize()).await?;
    o.written = 40;
    s.close().await
}

async fn handle_source(mut s: Stream, o: &mut Outcome) -> Result {
    let bytes = read_u64(&mut s, o).await?;
    let mut rest = Vec::new();
    s.read_to_end(&mut rest).await?;
    if bytes > SOURCE_MAX {
        return Err(std::io::Error::other("too much wanted"));
    }
    write_pattern(&mut s, bytes, &mut o.written).await?;
    s.close().await
}

async fn handle_reset(mut s: Stream, o: &mut Outcome) -> Result {
    let bytes = read_u64(&mut s, o).await?;
    write_pattern(&mut s, bytes.min(SOURCE_MAX), &mut o.written).await
    // Dropping a stream that is not closed resets it.
}

async fn handle_pingpong(mut s: Stream, o: &mut Outcome) -> Result {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < 64 && s.read(&mut byte).await? == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    o.read = line.len() as u64 + 1;
    let answer: &[u8] = if line == b"ping" { b"pong\n" } else { b"unknown\n" };
    s.write_all(answer).await?;
    o.written = answer.len() as u64;
    s.close().await
}

async fn handle_service(mut s: Stream, reply: &str, o: &mut Outcome) -> Result {
    s.write_all(reply.as_bytes()).await?;
    s.flush().await?;
    o.written = reply.len() as u64;
    handle_echo(s, o).await
}

pub async fn handled(s: Stream, proto: &str, reply: &str) -> Outcome {
    let mut o = Outcome::default();
    let end = match proto {
        SINK => handle_sink(s, &mut o).await,
        SOURCE => handle_source(s, &mut o).await,
        RESET => handle_reset(s, &mut o).await,
        PINGPONG => handle_pingpong(s, &mut o).await,
        p if p.starts_with("/peerup/") => handle_service(s, reply, &mut o).await,
        _ => handle_echo(s, &mut o).await,
    };
    o.ok = end.is_ok();
    o.reset = end.err().map(|e| e.to_string());
    o
}

/// Rounds of /ipfs/ping/1.0.0 on one stream; calls back with milliseconds.
pub async fn ping(mut s: Stream, n: u64, mut each: impl FnMut(u64, f64)) -> Result {
    for seq in 1..=n {
        let sent: Vec<u8> = (0..32).map(|i| (seq as u8).wrapping_mul(31).wrapping_add(i)).collect();
        let mut got = [0; 32];
        let begun = Instant::now();
        s.write_all(&sent).await?;
        s.flush().await?;
        s.read_exact(&mut got).await?;
        if sent != got {
            return Err(std::io::Error::other("another payload came back"));
        }
        each(seq, begun.elapsed().as_secs_f64() * 1000.0);
    }
    s.close().await
}
