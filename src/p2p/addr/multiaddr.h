/* Multiaddrs in binary form, text both ways, and the few shapes we can dial. */
#ifndef PU_P2P_ADDR_MULTIADDR_H
#define PU_P2P_ADDR_MULTIADDR_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "crypto/peerid.h"

enum {
	PU_MULTIADDR_MAX = 250,      /* bytes; longer ones are refused */
	PU_MULTIADDR_TEXT_MAX = 600, /* text with terminator */
};

enum pu_ma_code {
	PU_MA_IP4 = 4, PU_MA_TCP = 6, PU_MA_IP6 = 41, PU_MA_IP6ZONE = 42, PU_MA_IPCIDR = 43,
	PU_MA_DNS = 53, PU_MA_DNS4 = 54, PU_MA_DNS6 = 55, PU_MA_DNSADDR = 56,
	PU_MA_UDP = 273, PU_MA_WEBRTC_DIRECT = 280, PU_MA_P2P_CIRCUIT = 290, PU_MA_UNIX = 400,
	PU_MA_P2P = 421, PU_MA_TLS = 448, PU_MA_SNI = 449, PU_MA_NOISE = 454,
	PU_MA_QUIC = 460, PU_MA_QUIC_V1 = 461, PU_MA_WEBTRANSPORT = 465, PU_MA_CERTHASH = 466,
	PU_MA_WS = 477, PU_MA_WSS = 478, PU_MA_HTTP = 480, PU_MA_HTTP_PATH = 481,
	PU_MA_MEMORY = 777,
};

struct pu_multiaddr {
	uint8_t len; /* 0: empty */
	uint8_t b[PU_MULTIADDR_MAX];
};

/* One component; value borrows from the multiaddr. */
struct pu_ma_part {
	uint32_t code;
	struct pu_bytes value;
};

/* PU_EINVAL: malformed, too long or with an unknown protocol code. */
int pu_multiaddr_from_bytes(struct pu_multiaddr *ma, struct pu_bytes b);
int pu_multiaddr_from_text(struct pu_multiaddr *ma, const char *text);
/* out has PU_MULTIADDR_TEXT_MAX bytes. Returns out. */
const char *pu_multiaddr_text(const struct pu_multiaddr *ma, char *out);
static inline struct pu_bytes pu_multiaddr_bytes(const struct pu_multiaddr *ma)
{
	return pu_bytes(ma->b, ma->len);
}
static inline bool pu_multiaddr_eq(const struct pu_multiaddr *a, const struct pu_multiaddr *b)
{
	return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

/* Iterates: *poff starts at 0; false at the end. ma is valid by construction. */
bool pu_multiaddr_next(const struct pu_multiaddr *ma, size_t *poff, struct pu_ma_part *part);
/* Appends one component. PU_EINVAL when it does not fit. */
int pu_multiaddr_append(struct pu_multiaddr *ma, enum pu_ma_code code, struct pu_bytes value);

/* The trailing /p2p/ID, if any (of the target, not of a relay): splits it off.
 * rest may be ma itself. PU_ENOENT when there is none (rest = ma, id empty). */
int pu_multiaddr_split_peer(const struct pu_multiaddr *ma, struct pu_multiaddr *rest,
			    struct pu_peerid *id);
bool pu_multiaddr_has(const struct pu_multiaddr *ma, enum pu_ma_code code);

/* An IP socket address of either family. */
union pu_sockaddr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* What a multiaddr without /p2p tells a dialler. */
enum pu_ma_kind {
	PU_MA_KIND_OTHER,   /* nothing we can dial */
	PU_MA_KIND_TCP,     /* /ip4|ip6|dns*‥/tcp/N */
	PU_MA_KIND_QUIC,    /* /ip4|ip6|dns*‥/udp/N/quic-v1 */
	PU_MA_KIND_WS,      /* …/tcp/N/ws; resolved by host/dial_names.c: /tcp/N/sni/x/ws */
	PU_MA_KIND_WSS,     /* …/tcp/N/wss or /tls/ws or /tls/sni/x/ws */
	PU_MA_KIND_CIRCUIT, /* …/p2p-circuit */
};
enum pu_ma_kind pu_multiaddr_kind(const struct pu_multiaddr *ma);
/* Address and port of the first two components. PU_EINVAL when it starts with a
 * name instead of an IP address. ip6zone sets the scope by interface name. */
int pu_multiaddr_to_sockaddr(const struct pu_multiaddr *ma, union pu_sockaddr *sa);
/* /ip4|ip6/A/tcp/P, with /ws or /tls/ws behind it, or /ip4|ip6/A/udp/P/quic-v1;
 * IPv4-mapped becomes ip4. PU_EINVAL for other kinds. */
int pu_multiaddr_from_sockaddr(struct pu_multiaddr *ma, const union pu_sockaddr *sa,
			       enum pu_ma_kind kind);

/* /ip4/A or /ip6/A from the bytes of an address; family AF_INET or AF_INET6. */
void pu_multiaddr_from_ip(struct pu_multiaddr *ma, int family, const uint8_t *addr);

/* A list without doubles: appends what is not in it, if there is room. */
void pu_multiaddr_add(struct pu_multiaddr *list, size_t cap, size_t *pn,
		      const struct pu_multiaddr *ma);

/* Classes of the IP address in front. */
bool pu_multiaddr_is_loopback(const struct pu_multiaddr *ma);
bool pu_multiaddr_is_public(const struct pu_multiaddr *ma);
bool pu_multiaddr_is_unspecified(const struct pu_multiaddr *ma);

socklen_t pu_sockaddr_len(const union pu_sockaddr *sa);
bool pu_sockaddr_eq(const union pu_sockaddr *a, const union pu_sockaddr *b);
/* The same without ports and scopes. */
bool pu_sockaddr_same_ip(const union pu_sockaddr *a, const union pu_sockaddr *b);

#endif
