/* The .p2p name server: answers from a table that the daemon supplies. Messages
 * in, messages out; sockets are tun/dns/server.c's business. */
#ifndef PU_TUN_DNS_STUB_H
#define PU_TUN_DNS_STUB_H

#include "tun/packet.h"

enum {
	PU_DNS_UDP_DEFAULT = 512,
	PU_DNS_UDP_MAX = 1232, /* largest EDNS answer over UDP that we send */
	PU_DNS_TCP_MAX = 65535,
	PU_DNS_TTL = 5, /* seconds: names follow the config at once */
};

struct pu_dns_host {
	struct pu_ip v4, v6; /* version 0: none */
};

struct pu_dns_service {
	char name[64]; /* "ssh" */
	uint16_t port; /* 0: no port known, no SRV */
	const char *proto; /* "tcp" or "udp" */
};

struct pu_dns_source {
	/* label: lower case, without the suffix ("home"). False: no such host. */
	bool (*host)(void *arg, const char *label, struct pu_dns_host *out);
	/* Name for an address of the overlay, without suffix. */
	bool (*reverse)(void *arg, const struct pu_ip *addr, char *label, size_t cap);
	/* Services of a host, up to cap. */
	size_t (*services)(void *arg, const char *label, struct pu_dns_service *out, size_t cap);
	/* TXT of a host itself, one string ("peer=12D3…"). False: none. */
	bool (*text)(void *arg, const char *label, char *out, size_t cap);
};

struct pu_dns_config {
	const char *suffix;      /* "p2p" */
	struct pu_ip v4_prefix;  /* overlay ranges: PTR inside them is ours */
	unsigned v4_bits;
	struct pu_ip v6_prefix;
	unsigned v6_bits;
	const struct pu_dns_source *src;
	void *arg;
};

/* Answers one message: length of the answer in out; 0: no answer at all (not a
 * query, too short to answer); PU_ENOENT: a well-formed query for a name that is
 * not ours, which the caller forwards or refuses with pu_dns_fail(). tcp: no
 * truncation below cap. */
int pu_dns_answer(const struct pu_dns_config *cfg, struct pu_bytes query, bool tcp, uint8_t *out,
		  size_t cap);
/* REFUSED (or another rcode) for a query. Length, or 0. */
int pu_dns_fail(struct pu_bytes query, unsigned rcode, uint8_t *out, size_t cap);
/* The domains that the stub answers for, separated by spaces, for the host's resolver:
 * "p2p 64.10.in-addr.arpa 5.7.2.7.5.6.5.6.0.7.d.f.ip6.arpa". PU_ELIMIT: cap is too
 * small for all of them. */
int pu_dns_domains(const struct pu_dns_config *cfg, char *out, size_t cap);

#endif
