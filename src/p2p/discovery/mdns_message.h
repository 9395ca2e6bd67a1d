/* DNS messages of libp2p's mDNS (RFC 6762; specs discovery/mdns.md), no I/O. We answer with
 * everything at once: the pointer to our instance, and beside it SRV, TXT and an address
 * record, since zeroconf of go-libp2p listens to nothing less. */
#ifndef PU_P2P_DISCOVERY_MDNS_MESSAGE_H
#define PU_P2P_DISCOVERY_MDNS_MESSAGE_H

#include "p2p/addr/multiaddr.h"

#define PU_MDNS_SERVICE "_p2p._udp.local"

enum {
	PU_MDNS_PORT = 5353,
	PU_MDNS_RECV_MAX = 9000,  /* RFC 6762 §17 */
	PU_MDNS_SEND_MAX = 1400,
	PU_MDNS_TEXT_MAX = 255,   /* one string of a TXT record */
	PU_MDNS_RECORDS_MAX = 128, /* of one message; more are not looked at */
	PU_MDNS_TEXTS_MAX = 64,
	PU_MDNS_TTL_S = 360,      /* longer than the time between two queries */
	PU_MDNS_TTL_HOST_S = 120,
	PU_MDNS_TTL_LEGACY_S = 10,
};

/* What one message says that is of use here. */
struct pu_mdns_message {
	bool response;
	uint16_t id;
	bool asks;         /* for the service, or for one of our own records */
	bool asks_unicast; /* by all of these questions */
	bool knows_us;     /* lists our pointer as known, and fresh */
	bool dull;         /* a response without anything of this service */
	/* Multiaddrs of the TXT records, behind "dnsaddr="; borrowed from the message. */
	struct pu_bytes texts[PU_MDNS_TEXTS_MAX];
	size_t n_texts;
	struct pu_bytes question; /* the first one, if its name is not compressed */
};

/* label: of our own instance. PU_EPROTO: malformed. */
int pu_mdns_parse(struct pu_bytes b, const char *label, struct pu_mdns_message *out);

struct pu_mdns_answer {
	const char *label;
	uint32_t ttl;         /* of pointer and text; 0 says goodbye */
	union pu_sockaddr host; /* our address on that interface, with a port we listen on */
	const struct pu_bytes *texts; /* "dnsaddr=…", as many as fit */
	size_t n_texts;
	/* To somebody who is no mDNS program: his ID and question come back, and he is not
	 * to cache. */
	bool legacy;
	uint16_t id;
	struct pu_bytes question;
};

/* Length of the message; PU_ELIMIT when not even one text fits. */
int pu_mdns_write_answer(const struct pu_mdns_answer *a, uint8_t *out, size_t cap);
/* Asks for the service. We know our own answer: nobody of us, and no loop, need tell. */
int pu_mdns_write_query(const char *label, uint8_t *out, size_t cap);

#endif
