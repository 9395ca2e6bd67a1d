// The private DHT, and questions to it.
import { createHash } from 'node:crypto'

import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { CID } from 'multiformats/cid'
import * as digest from 'multiformats/hashes/digest'

import { emit } from './events.js'

const SHA2_256 = 0x12
const RAW = 0x55

export function newDHT (mode) {
  if (!['client', 'server'].includes(mode)) {
    throw new Error(`--kad ${mode}: client or server`)
  }
  return kadDHT({
    protocol: '/peerup/kad/1.0.0',
    clientMode: mode === 'client',
    // As it is, js would tell nothing that is not public.
    peerInfoMapper: passthroughMapper,
    allowQueryWithZeroPeers: true
  })
}

// What go's rendezvous makes of a name.
function cidOf (name) {
  const hash = createHash('sha256').update(name).digest()
  return CID.createV1(RAW, digest.create(SHA2_256, hash))
}

function emitPeers (query, infos) {
  const byId = new Map()
  for (const { id, multiaddrs } of infos) {
    const known = byId.get(id.toString()) ?? new Set()
    multiaddrs.forEach(a => known.add(a.toString().split(`/p2p/${id}`)[0]))
    byId.set(id.toString(), known)
  }
  emit('dht', { query, peers: [...byId].map(([peer, addrs]) => ({ peer, addrs: [...addrs] })) })
}

async function collect (events, name, take) {
  const infos = []
  for await (const e of events) {
    if (e.name === name) {
      infos.push(...take(e))
    }
  }
  return infos
}

// Runs the DHT commands; false: it is none of them.
export async function ask (dht, peer, c) {
  const final = e => [e.peer]
  switch (c.do) {
    case 'provide':
      await collect(dht.provide(cidOf(c.ns)), 'PEER_RESPONSE', () => [])
      emitPeers(c.do, [])
      return true
    case 'find':
      emitPeers(c.do, await collect(dht.findProviders(cidOf(c.ns)), 'PROVIDER', e => e.providers))
      return true
    case 'findpeer':
      emitPeers(c.do, await collect(dht.findPeer(peer), 'FINAL_PEER', final))
      return true
    case 'closest':
      emitPeers(c.do, await collect(dht.getClosestPeers(peer.toMultihash().bytes), 'FINAL_PEER', final))
      return true
    case 'refresh':
      await dht.refreshRoutingTable()
      emitPeers(c.do, [])
      return true
  }
  return false
}
