// AutoNAT v2. js decides by itself whom to ask and when; what it comes to believe is told.
import { autoNATv2 } from '@libp2p/autonat-v2'

import { emit } from './events.js'

export { autoNATv2 }

// There is no event: the two functions where it makes up its mind are wrapped.
export function watchAutonat (client) {
  for (const [name, reachable] of [['confirmAddress', 'yes'], ['unconfirmAddress', 'no']]) {
    const original = client[name].bind(client)
    client[name] = results => {
      emit('autonat', { addr: results.multiaddr.toString(), reachable })
      original(results)
    }
  }
}
