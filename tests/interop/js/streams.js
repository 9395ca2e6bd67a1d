// The protocols of ../README.md, both roles.
import { createHash } from 'node:crypto'

import { emit } from './events.js'

const RESET_CODE_TEXT = 'asked to reset'
const TEXT_MAX = 4096
const PIECE = 64 * 1024
const CYCLE = 1 << 24

const ECHO = '/interop/echo/1.0.0'
const SINK = '/interop/sink/1.0.0'
const SOURCE = '/interop/source/1.0.0'
const RESET = '/interop/reset/1.0.0'
const PINGPONG = '/pingpong/1.0.0'

// The pattern repeats after 16 MiB (bits above 24 never reach the low byte).
function patternByte (i) {
  i %= CYCLE
  return (i ^ (i >> 8) ^ (i >> 16)) & 0xff
}

function * pattern (length) {
  for (let off = 0; off < length; off += PIECE) {
    const piece = new Uint8Array(Math.min(PIECE, length - off))
    for (let i = 0; i < piece.length; i++) {
      piece[i] = patternByte(off + i)
    }
    yield piece
  }
}

class Matcher {
  n = 0
  wrong = false

  add (bytes) {
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] !== patternByte(this.n + i)) {
        this.wrong = true
      }
    }
    this.n += bytes.length
  }

  is (length) {
    return this.n === length && !this.wrong
  }
}

async function write (stream, bytes) {
  if (!stream.send(bytes)) {
    await stream.onDrain()
  }
}

// The stream's own iterator never ends when the peer half-closed before the
// iteration began; and when its last bytes came together with the negotiation,
// "end" is over before they are delivered. So this one looks for itself.
async function * reading (stream) {
  const pieces = []
  const finished = () => stream.remoteWriteStatus === 'closed' && stream.readBufferLength === 0
  let ended = finished()
  let error
  let wake = () => {}
  const listeners = {
    message: ({ data }) => { pieces.push(data.subarray()); ended ||= finished(); wake() },
    end: () => { ended = true; wake() },
    close: evt => { error = evt.error; ended = true; wake() }
  }
  for (const [event, listener] of Object.entries(listeners)) {
    stream.addEventListener(event, listener)
  }
  try {
    for (;;) {
      if (pieces.length > 0) {
        yield pieces.shift()
      } else if (error != null) {
        throw error
      } else if (ended) {
        return
      } else {
        await new Promise(resolve => { wake = resolve })
      }
    }
  } finally {
    for (const [event, listener] of Object.entries(listeners)) {
      stream.removeEventListener(event, listener)
    }
  }
}

async function readAll (stream, limit = Infinity) {
  const pieces = []
  let n = 0
  for await (const piece of reading(stream)) {
    if (n < limit) {
      pieces.push(piece)
    }
    n += piece.length
  }
  return { n, bytes: Buffer.concat(pieces).subarray(0, limit) }
}

function u64 (n) {
  const b = Buffer.alloc(8)
  b.writeBigUInt64BE(BigInt(n))
  return b
}

// ---- reports

function report (stream, peer, direction, start, r) {
  const reset = r.err != null
  emit('stream', {
    peer: peer.toString(),
    proto: stream.protocol,
    direction,
    in: r.in ?? 0,
    out: r.out ?? 0,
    end: reset ? 'reset' : 'eof',
    code: 0,
    ok: r.ok ?? !reset,
    ms: Date.now() - start,
    ...(reset ? { why: `${r.err.name}: ${r.err.message}` } : {}),
    ...(r.text != null ? { text: r.text } : {})
  })
}

// Runs fn(stream, r); r collects what happened, even when fn throws.
async function attempt (fn, stream, ...args) {
  const r = {}
  try {
    await fn(stream, r, ...args)
  } catch (err) {
    r.err = err
    r.ok = r.ok ?? false
    stream.abort(err)
  }
  return r
}

export function reported (fn) {
  return async (stream, connection) => {
    const start = Date.now()
    const r = await attempt(fn, stream)
    if (r.err == null && !r.aborted) {
      await stream.close().catch(() => {})
    }
    report(stream, connection.remotePeer, 'inbound', start, r)
  }
}

// ---- handlers

export async function handleEcho (stream, r) {
  r.in = r.out = 0
  for await (const piece of reading(stream)) {
    r.in += piece.length
    await write(stream, piece)
    r.out += piece.length
  }
}

async function handleSink (stream, r) {
  const hash = createHash('sha256')
  r.in = 0
  for await (const piece of reading(stream)) {
    r.in += piece.length
    hash.update(piece)
  }
  await write(stream, Buffer.concat([u64(r.in), hash.digest()]))
  r.out = 40
}

// Reads the 8 bytes that start source and reset; the rest stays in the iterator.
async function readWanted (pieces) {
  let head = Buffer.alloc(0)
  while (head.length < 8) {
    const { done, value } = await pieces.next()
    if (done) {
      throw new Error('ended before the number')
    }
    head = Buffer.concat([head, value])
  }
  return Number(head.readBigUInt64BE(0))
}

async function sendPattern (stream, r, length) {
  r.out = 0
  for (const piece of pattern(length)) {
    await write(stream, piece)
    r.out += piece.length
  }
}

async function handleSource (stream, r) {
  const pieces = reading(stream)
  const wanted = await readWanted(pieces)
  r.in = 8
  while (!(await pieces.next()).done) { /* until the peer has half-closed */ }
  await sendPattern(stream, r, wanted)
}

async function handleReset (stream, r) {
  const wanted = await readWanted(reading(stream))
  r.in = 8
  await sendPattern(stream, r, wanted)
  r.aborted = true
  stream.abort(new Error(RESET_CODE_TEXT))
}

async function handlePingpong (stream, r) {
  let line = ''
  for await (const piece of reading(stream)) {
    line += Buffer.from(piece).toString()
    if (line.includes('\n') || line.length > TEXT_MAX) {
      break
    }
  }
  r.ok = line.trim() === 'ping'
  const answer = r.ok ? 'pong\n' : 'unknown\n'
  await write(stream, Buffer.from(answer))
  r.in = line.length
  r.out = answer.length
}

// Speaks first, as many services do, then echoes.
export function serviceHandler (reply) {
  return async (stream, r) => {
    if (reply.length > 0) {
      await write(stream, Buffer.from(reply))
    }
    await handleEcho(stream, r)
    r.out += reply.length
  }
}

export const handlers = {
  [ECHO]: handleEcho,
  [SINK]: handleSink,
  [SOURCE]: handleSource,
  [RESET]: handleReset,
  [PINGPONG]: handlePingpong
}

// ---- openers

async function openEcho (stream, r, c) {
  const m = new Matcher()
  const sending = sendPattern(stream, r, c.bytes ?? 0).then(() => stream.close())
  for await (const piece of reading(stream)) {
    m.add(piece)
  }
  await sending
  r.in = m.n
  r.ok = m.is(c.bytes ?? 0)
}

async function openSink (stream, r, c) {
  await sendPattern(stream, r, c.bytes)
  await stream.close()
  const hash = createHash('sha256')
  for (const piece of pattern(c.bytes)) {
    hash.update(piece)
  }
  const answer = await readAll(stream, 64)
  r.in = answer.n
  r.ok = answer.bytes.equals(Buffer.concat([u64(c.bytes), hash.digest()]))
}

async function readPattern (stream, r, m) {
  try {
    for await (const piece of reading(stream)) {
      m.add(piece)
    }
  } finally {
    r.in = m.n
  }
}

async function openSource (stream, r, c) {
  const m = new Matcher()
  await write(stream, u64(c.bytes))
  r.out = 8
  await stream.close()
  await readPattern(stream, r, m)
  r.ok = m.is(c.bytes)
}

async function openReset (stream, r, c) {
  const m = new Matcher()
  await write(stream, u64(c.bytes))
  r.out = 8
  try {
    await readPattern(stream, r, m)
    r.ok = false
  } catch (err) {
    r.ok = m.n <= c.bytes
    throw err
  }
}

async function openPingpong (stream, r) {
  await write(stream, Buffer.from('ping\n'))
  r.out = 5
  let line = ''
  for await (const piece of reading(stream)) {
    line += Buffer.from(piece).toString()
    if (line.includes('\n')) {
      break
    }
  }
  r.in = line.length
  r.ok = line.trim() === 'pong'
}

async function openService (stream, r, c) {
  const data = Buffer.from(c.data ?? '')
  if (data.length > 0) {
    await write(stream, data)
  }
  r.out = data.length
  await stream.close()
  const answer = await readAll(stream, TEXT_MAX)
  r.in = answer.n
  r.text = answer.bytes.toString()
  r.ok = true
}

const openers = {
  [ECHO]: openEcho,
  [SINK]: openSink,
  [SOURCE]: openSource,
  [RESET]: openReset,
  [PINGPONG]: openPingpong
}

export async function openStream (host, peer, c, timeoutMs) {
  const start = Date.now()
  const stream = await host.dialProtocol(peer, c.proto, {
    runOnLimitedConnection: true,
    signal: AbortSignal.timeout(timeoutMs),
    maxOutboundStreams: 512
  })
  const opener = openers[c.proto] ?? (c.proto.startsWith('/peerup/') ? openService : openEcho)
  const r = await attempt(opener, stream, c)
  if (r.err == null) {
    await stream.close().catch(() => {})
  }
  report(stream, peer, 'outbound', start, r)
}
