/* Messages of the DHT (libp2p specs kad-dht/README.md): what a stranger sent, cut down to
 * what we use, and what we send. */
#ifndef PU_P2P_KAD_MESSAGE_H
#define PU_P2P_KAD_MESSAGE_H

#include "base/buf.h"
#include "p2p/addr/multiaddr.h"

enum {
	PU_KAD_MESSAGE_IN_MAX = 65536,
	PU_KAD_REQUEST_MAX = 16384,     /* of a stranger */
	PU_KAD_MESSAGE_OUT_MAX = 16384, /* rust takes no more, length prefix included */
	PU_KAD_KEY_MAX = 80,            /* go's limit for provider keys */
	PU_KAD_VALUE_MAX = 8192,
	PU_KAD_PEERS_MAX = 24,          /* looked at per list: k, the target, some slack */
	PU_KAD_ADDRS_MAX = 16,          /* looked at per peer */
};

enum pu_kad_type {
	PU_KAD_PUT_VALUE = 0,
	PU_KAD_GET_VALUE = 1,
	PU_KAD_ADD_PROVIDER = 2,
	PU_KAD_GET_PROVIDERS = 3,
	PU_KAD_FIND_NODE = 4,
	PU_KAD_PING = 5,
};

enum pu_kad_link {
	PU_KAD_LINK_NONE = 0,
	PU_KAD_LINK_CONNECTED = 1,
	PU_KAD_LINK_CAN = 2,
	PU_KAD_LINK_CANNOT = 3,
};

/* A peer and where it is. The addresses are binary multiaddrs, checked, without the
 * peer's own /p2p; they are borrowed. */
struct pu_kad_peer {
	struct pu_peerid id;
	enum pu_kad_link link;
	size_t n_addrs;
	struct pu_bytes addrs[PU_KAD_ADDRS_MAX];
};

struct pu_kad_message {
	enum pu_kad_type type;
	struct pu_bytes key;
	bool has_record;
	struct pu_bytes record_key, record_value;
	char received[40]; /* RFC 3339, "" when there is none; sent only, never believed */
	size_t n_closer, n_providers;
	struct pu_kad_peer closer[PU_KAD_PEERS_MAX], providers[PU_KAD_PEERS_MAX];
	unsigned n_junk; /* peers of the message that are none */
	void *unpacked;  /* owns what the rest borrows; NULL when built by hand */
};

/* Decodes one message without its length prefix. PU_EPROTO: malformed, an unknown type,
 * or beyond the limits; PU_ENOMEM. Peers with unusable IDs and addresses that we do not
 * know are left out. To be given back by pu_kad_message_deinit(). */
int pu_kad_message_decode(struct pu_bytes in, struct pu_kad_message *out);
void pu_kad_message_deinit(struct pu_kad_message *m);

/* Appends length prefix and message. Never more than PU_KAD_MESSAGE_OUT_MAX bytes: peers
 * lose addresses first, then the last ones are left out. PU_E2BIG: does not fit even so;
 * PU_ELIMIT, PU_ENOMEM of the buffer. */
int pu_kad_message_encode(const struct pu_kad_message *m, struct pu_buf *out);

#endif
