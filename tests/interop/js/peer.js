// A js-libp2p peer driven over stdin and stdout by ../run.py.
// The protocol is described in ../README.md.
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'

import { quic } from '@chainsafe/libp2p-quic'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair, generateKeyPairFromSeed, privateKeyFromRaw } from '@libp2p/crypto/keys'
import { dcutr } from '@libp2p/dcutr'
import { identify, identifyPush } from '@libp2p/identify'
import { mdns } from '@libp2p/mdns'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

import { autoNATv2, watchAutonat } from './autonat.js'
import { emit, fail } from './events.js'
import { ask, newDHT } from './kad.js'
import { handleEcho, handlers, openStream, reported, serviceHandler } from './streams.js'

const COMMAND_TIMEOUT_MS = 60000
const STREAM_LIMIT = 512

async function identity (type, seedHex) {
  const seed = Buffer.from(seedHex, 'hex')
  if (seed.length !== 32) {
    throw new Error('--seed: want 64 hex digits')
  }
  switch (type) {
    case 'ed25519': return generateKeyPairFromSeed('Ed25519', seed)
    case 'secp256k1': return privateKeyFromRaw(seed)
    case 'rsa': return generateKeyPair('RSA', 2048)
    case 'ecdsa': return generateKeyPair('ECDSA', 'P-256')
  }
  throw new Error(`--key-type ${type}: unknown`)
}

// "--relay TTL,DURATION,BYTES": seconds and bytes; a duration or number of 0 is no limit.
function relayServer (text) {
  const [ttl, duration, bytes] = text.split(',').map(Number)
  return circuitRelayServer({
    reservations: {
      reservationTtl: ttl * 1000,
      applyDefaultLimit: duration > 0 || bytes > 0,
      defaultDurationLimit: duration * 1000,
      defaultDataLimit: BigInt(bytes)
    }
  })
}

function addresses (options, listen) {
  if (options.announce !== '') {
    return { listen, appendAnnounce: options.announce.split(',') }
  }
  return { listen, announce: options.autonat ? [] : listen }
}

async function newHost (options) {
  const encrypters = { noise, tls }
  const listen = options.listen === '' ? [] : options.listen.split(',')
  const services = { identify: identify(), identifyPush: identifyPush(), ping: ping() }
  const transports = [quic(), tcp(), webSockets()]
  if (options.circuit) {
    transports.push(circuitRelayTransport())
  }
  if (options.relay !== '') {
    services.relay = relayServer(options.relay)
  }
  if (options.kad !== '') {
    services.dht = newDHT(options.kad)
  }
  if (options.punch) {
    services.dcutr = dcutr()
  }
  if (options.autonat) {
    services.autonat = autoNATv2()
  }
  return createLibp2p({
    start: false,
    privateKey: await identity(options['key-type'], options.seed),
    nodeInfo: { userAgent: options.name },
    // Announced, because js tells nobody of a public address that nobody has confirmed. With
    // AutoNAT it is to be confirmed.
    addresses: addresses(options, listen),
    transports,
    connectionEncrypters: options.security.split(',').map(name => encrypters[name]()),
    streamMuxers: [yamux()],
    connectionManager: { inboundConnectionThreshold: 1000, maxIncomingPendingConnections: 1000 },
    peerDiscovery: options.mdns ? [mdns()] : [],
    connectionGater: { denyDialMultiaddr: async () => false },
    services
  })
}

// QUIC brings its own security and multiplexing, whatever the fields say.
function describe (c) {
  const full = c.remoteAddr.toString()
  const circuit = full.includes('/p2p-circuit')
  const addr = circuit ? full.split('/p2p-circuit')[0] + '/p2p-circuit' : full.split('/p2p/')[0]
  const isQuic = addr.includes('/quic') && !circuit
  return {
    peer: c.remotePeer.toString(),
    addr,
    direction: c.direction,
    security: isQuic ? 'quic' : c.encryption === '/tls' ? '/tls/1.0.0' : c.encryption,
    muxer: isQuic ? 'quic' : c.multiplexer,
    limited: c.limits != null
  }
}

function watch (host) {
  host.addEventListener('connection:open', ({ detail }) => emit('connected', describe(detail)))
  host.addEventListener('connection:close', ({ detail }) => {
    emit('disconnected', { peer: detail.remotePeer.toString() })
  })
  host.addEventListener('peer:discovery', ({ detail }) => {
    emit('found', { peer: detail.id.toString(), addrs: detail.multiaddrs.map(String) })
  })
  host.addEventListener('peer:identify', ({ detail }) => {
    emit('identified', {
      peer: detail.peerId.toString(),
      agent: detail.agentVersion,
      protocolVersion: detail.protocolVersion,
      protocols: detail.protocols,
      addrs: detail.listenAddrs.map(String),
      observed: detail.observedAddr?.toString() ?? '',
      signedRecord: detail.signedPeerRecord != null ? 'valid' : 'none'
    })
  })
}

async function pingPeer (host, peer, n) {
  for (let seq = 1; seq <= n; seq++) {
    const ms = await host.services.ping.ping(peer)
    emit('ping', { peer: peer.toString(), seq, ms })
  }
}

async function openAll (host, peer, c) {
  await Promise.all(Array.from({ length: c.count ?? 1 }, async () => {
    try {
      await openStream(host, peer, c, COMMAND_TIMEOUT_MS)
    } catch (err) {
      fail('open', err, c.peer)
    }
  }))
}

// Listening on a relay's circuit is how js makes a reservation.
async function reserve (host, addr) {
  const isOurs = text => text.includes('/p2p-circuit')
  await host.components.transportManager.listen([multiaddr(`${addr}/p2p-circuit`)])
  emit('reserved', {
    relay: addr.split('/p2p/')[1],
    addrs: host.getMultiaddrs().map(String).filter(isOurs)
  })
}

const streamOptions = {
  maxInboundStreams: STREAM_LIMIT,
  maxOutboundStreams: STREAM_LIMIT,
  runOnLimitedConnection: true
}

async function run (host, c) {
  const peer = c.peer != null ? peerIdFromString(c.peer) : undefined
  switch (c.do) {
    case 'dial':
      await host.dial(multiaddr(c.addr), { signal: AbortSignal.timeout(COMMAND_TIMEOUT_MS) })
      return
    case 'reserve': return reserve(host, c.addr)
    case 'ping': return pingPeer(host, peer, c.n ?? 1)
    case 'open': return openAll(host, peer, c)
    case 'serve':
      await host.handle(`/peerup/${c.name}/1.0.0`, reported(serviceHandler(c.reply ?? '')), streamOptions)
      return emit('serving', { name: c.name })
    case 'addproto':
      await host.handle(c.name, reported(handleEcho), streamOptions)
      return emit('added', { name: c.name })
    case 'conns':
      return emit('conns', { conns: host.getConnections().map(x => ({ ...describe(x), streams: x.streams.length })) })
    case 'disconnect': return host.hangUp(peer)
  }
  if (host.services.dht != null && await ask(host.services.dht, peer, c)) {
    return
  }
  emit('error', { stage: 'command', text: `unknown command ${c.do}` })
}

async function main () {
  const { values: options } = parseArgs({
    options: {
      seed: { type: 'string', default: '' },
      'key-type': { type: 'string', default: 'ed25519' },
      listen: { type: 'string', default: '' },
      security: { type: 'string', default: 'tls,noise' },
      muxer: { type: 'string', default: 'yamux' },
      circuit: { type: 'boolean', default: false },
      relay: { type: 'string', default: '' },
      kad: { type: 'string', default: '' },
      punch: { type: 'boolean', default: false },
      mdns: { type: 'boolean', default: false },
      announce: { type: 'string', default: '' },
      autonat: { type: 'boolean', default: false },
      gate: { type: 'boolean', default: false },
      name: { type: 'string', default: 'js-libp2p/interop' }
    }
  })
  const host = await newHost(options)
  watch(host)
  if (options.autonat) {
    watchAutonat(host.services.autonat.client)
  }
  for (const [protocol, handler] of Object.entries(handlers)) {
    await host.handle(protocol, reported(handler), streamOptions)
  }
  await host.start()
  emit('ready', {
    peer: host.peerId.toString(),
    addrs: host.getMultiaddrs().map(String),
    agent: options.name
  })

  for await (const line of createInterface({ input: process.stdin })) {
    let c
    try {
      c = JSON.parse(line)
    } catch (err) {
      fail('command', err)
      continue
    }
    if (c.do === 'quit') {
      break
    }
    run(host, c).catch(err => fail(c.do, err, c.peer))
  }
  await host.stop()
  emit('bye')
}

main().then(() => process.exit(0), err => {
  fail('listen', err)
  process.exit(1)
})
