#include "tun/offload.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/wire.h"
#include "tun/headers.h"
#include "tun/packet.h"
#include "tun/vnet.h"

enum {
	FLOWS_MAX = 8,
	DATAGRAMS_MAX = 64, /* what every kernel with USO takes in one frame */
	/* Room of one frame, so that each starts on pages of its own and the pages of
	 * flows that never were open stay untouched. */
	FRAME_ROOM = 68 * 1024,
};

/* A frame being collected: packets of one flow with nothing but payload between
 * them. */
struct open_frame {
	uint8_t *base;      /* FRAME_ROOM bytes, virtio header first */
	size_t len;         /* of the IP packet so far; 0: not open */
	unsigned n;         /* packets in it */
	uint64_t touched;   /* for replacement: smallest is oldest */
	uint32_t next_seq;  /* TCP */
	uint16_t next_id;   /* IPv4 without DF */
	uint16_t payload;   /* of every packet but the last */
	uint16_t ip_len, head_len;
	uint8_t version, proto;
	bool partial;       /* the first packet's checksum was not complete */
};

struct pu_tun_join {
	struct pu_tun_device *dev;
	uint8_t *room;
	struct open_frame open[FLOWS_MAX];
	unsigned n_open;
	uint64_t tick;
	struct pu_tun_join_stats stats;
};

/* A packet on offer. */
struct offer {
	const uint8_t *ip;
	const struct pu_packet *info;
	bool partial;
	size_t head_len, payload;
};

static uint8_t *ip_of(const struct open_frame *o)
{
	return o->base + PU_TUN_VNET_LEN;
}

int pu_tun_join_new(struct pu_tun_device *d, struct pu_tun_join **pj)
{
	struct pu_tun_join *j = calloc(1, sizeof *j);

	if (!j)
		return PU_ENOMEM;
	j->room = mmap(NULL, (size_t)FLOWS_MAX * FRAME_ROOM, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (j->room == MAP_FAILED) {
		free(j);
		return PU_ENOMEM;
	}
	j->dev = d;
	for (size_t i = 0; i < FLOWS_MAX; i++)
		j->open[i].base = j->room + i * FRAME_ROOM;
	*pj = j;
	return 0;
}

void pu_tun_join_free(struct pu_tun_join *j)
{
	if (!j)
		return;
	munmap(j->room, (size_t)FLOWS_MAX * FRAME_ROOM);
	free(j);
}

void pu_tun_join_stats(const struct pu_tun_join *j, struct pu_tun_join_stats *out)
{
	*out = j->stats;
}

static int write_frame(struct pu_tun_join *j, const struct iovec *iov, int n_iov, unsigned n)
{
	int r = pu_tun_device_write(j->dev, iov, n_iov);

	if (r < 0) {
		j->stats.dropped += n;
		return PU_EAGAIN;
	}
	j->stats.frames++;
	return 0;
}

/* Asks the kernel for the checksum: the field becomes the pseudo-header's sum. */
static void put_partial(uint8_t *ip, size_t ip_len, size_t len, uint8_t proto,
			struct virtio_net_hdr *v)
{
	unsigned off = csum_offset(proto);

	pu_put_be16(ip + ip_len + off, pu_csum_fold(pu_csum_pseudo(ip, proto, len - ip_len)));
	v->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	v->csum_start = (uint16_t)ip_len;
	v->csum_offset = (uint16_t)off;
}

static void put_lengths(struct open_frame *o)
{
	uint8_t *ip = ip_of(o);

	if (o->proto == PROTO_UDP)
		pu_put_be16(ip + o->ip_len + UDP_LEN, (uint16_t)(o->len - o->ip_len));
	if (o->version == 6) {
		pu_put_be16(ip + IPV6_LEN, (uint16_t)(o->len - IPV6_MIN));
		return;
	}
	pu_put_be16(ip + IPV4_LEN, (uint16_t)o->len);
	pu_put_be16(ip + IPV4_CSUM, 0);
	pu_put_be16(ip + IPV4_CSUM, (uint16_t)~pu_csum_fold(pu_csum_add(0, ip, o->ip_len)));
}

static uint8_t gso_type(const struct open_frame *o)
{
	if (o->proto == PROTO_UDP)
		return VIRTIO_NET_HDR_GSO_UDP_L4;
	return o->version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
}

static int close_frame(struct pu_tun_join *j, struct open_frame *o)
{
	struct iovec iov = { o->base, PU_TUN_VNET_LEN + o->len };
	struct virtio_net_hdr v = { 0 };

	if (o->n > 1) {
		put_lengths(o);
		v.gso_type = gso_type(o);
		v.gso_size = o->payload;
		v.hdr_len = o->head_len;
	}
	if (o->n > 1 || o->partial)
		put_partial(ip_of(o), o->ip_len, o->len, o->proto, &v);
	memcpy(o->base, &v, sizeof v);
	o->len = 0;
	j->n_open--;
	return write_frame(j, &iov, 1, o->n);
}

/* Oldest open frame, NULL when none is. */
static struct open_frame *oldest(struct pu_tun_join *j)
{
	struct open_frame *best = NULL;

	for (size_t i = 0; i < FLOWS_MAX; i++) {
		struct open_frame *o = &j->open[i];

		if (o->len && (!best || o->touched < best->touched))
			best = o;
	}
	return best;
}

void pu_tun_join_flush(struct pu_tun_join *j)
{
	while (j->n_open)
		close_frame(j, oldest(j));
}

static bool same_addresses(const struct open_frame *o, const struct offer *p)
{
	const uint8_t *ip = ip_of(o);

	if (o->version != p->info->src.version)
		return false;
	return o->version == 4 ? memcmp(ip + IPV4_SRC, p->ip + IPV4_SRC, 8) == 0 :
				 memcmp(ip + IPV6_SRC, p->ip + IPV6_SRC, 32) == 0;
}

static bool same_flow(const struct open_frame *o, const struct offer *p)
{
	return o->len && o->proto == p->info->proto &&
	       memcmp(ip_of(o) + o->ip_len, p->ip + p->info->ip_len, 4) == 0 &&
	       same_addresses(o, p);
}

/* The frames that must be out before this packet may go: its flow's; without ports
 * (fragments) every flow's between these addresses. */
static int close_before(struct pu_tun_join *j, const struct offer *p)
{
	bool ports = p->info->transport_len && !p->info->fragment &&
		     csum_offset(p->info->proto);
	int r = 0;

	for (size_t i = 0; i < FLOWS_MAX && j->n_open; i++) {
		struct open_frame *o = &j->open[i];

		if (!o->len || !(ports ? same_flow(o, p) : same_addresses(o, p)))
			continue;
		if (close_frame(j, o) < 0)
			r = PU_EAGAIN;
	}
	return r;
}

/* Without a copy, but for the headers when the checksum field must change. */
static int write_alone(struct pu_tun_join *j, const struct offer *p)
{
	const struct pu_packet *k = p->info;
	struct virtio_net_hdr v = { 0 };
	uint8_t head[PU_TUN_HEAD_MAX];
	struct iovec iov[3] = { { &v, sizeof v }, { head, 0 } };
	int r = close_before(j, p);

	if (p->partial) {
		iov[1].iov_len = k->ip_len + (k->proto == PROTO_TCP ? TCP_MIN : UDP_HEAD);
		memcpy(head, p->ip, iov[1].iov_len);
		put_partial(head, k->ip_len, k->total_len, k->proto, &v);
	}
	iov[2].iov_base = (uint8_t *)p->ip + iov[1].iov_len;
	iov[2].iov_len = k->total_len - iov[1].iov_len;
	return write_frame(j, iov, 3, 1) < 0 ? PU_EAGAIN : r;
}

/* What a partial checksum may be asked of: an unfragmented TCP or UDP packet whose
 * transport part ends with the packet and whose headers fit our scratch. */
static bool may_be_partial(const struct offer *p)
{
	const struct pu_packet *k = p->info;

	if (csum_offset(k->proto) == 0 || k->fragment || k->transport_len == 0)
		return false;
	if (k->ip_len + TCP_MIN > PU_TUN_HEAD_MAX)
		return false;
	return k->proto != PROTO_UDP ||
	       pu_get_be16(p->ip + k->ip_len + UDP_LEN) == k->total_len - k->ip_len;
}

static bool checksum_good(const struct offer *p)
{
	const struct pu_packet *k = p->info;
	size_t len = k->total_len - k->ip_len;
	uint64_t sum = pu_csum_pseudo(p->ip, k->proto, len);

	return pu_csum_fold(pu_csum_add(sum, p->ip + k->ip_len, len)) == 0xffff;
}

/* A packet that may start or continue a frame. Plain IP headers only: what is rare
 * is not worth the comparison. */
static bool joinable(const struct pu_tun_join *j, const struct offer *p)
{
	const struct pu_packet *k = p->info;
	const uint8_t *t = p->ip + k->ip_len;

	if (k->ip_len != (k->src.version == 4 ? IPV4_MIN : IPV6_MIN) || p->payload == 0 ||
	    !may_be_partial(p))
		return false;
	if (k->proto == PROTO_TCP) {
		if ((t[TCP_FLAGS] & ~TCP_FLAG_PSH) != TCP_FLAG_ACK || t[TCP_OFFSET] & 0xf)
			return false;
	} else if (!j->dev->uso || (!p->partial && pu_get_be16(t + UDP_CSUM) == 0)) {
		return false;
	}
	return p->partial || checksum_good(p);
}

/* Everything in the IP header but length, identification and checksum. */
static bool same_ip_head(const struct open_frame *o, const uint8_t *b)
{
	const uint8_t *a = ip_of(o);

	if (o->version == 6)
		return memcmp(a, b, IPV6_LEN) == 0 &&
		       memcmp(a + IPV6_NEXT, b + IPV6_NEXT, IPV6_MIN - IPV6_NEXT) == 0;
	return memcmp(a, b, IPV4_LEN) == 0 &&
	       memcmp(a + IPV4_FRAG, b + IPV4_FRAG, IPV4_CSUM - IPV4_FRAG) == 0 &&
	       memcmp(a + IPV4_SRC, b + IPV4_SRC, IPV4_MIN - IPV4_SRC) == 0;
}

/* Acknowledgement, header length, window and options; flags were checked, PSH may
 * differ. */
static bool same_tcp_head(const uint8_t *a, const uint8_t *b, size_t len)
{
	return memcmp(a + TCP_ACK, b + TCP_ACK, TCP_FLAGS - TCP_ACK) == 0 &&
	       memcmp(a + TCP_WINDOW, b + TCP_WINDOW, 2) == 0 &&
	       memcmp(a + TCP_URGENT, b + TCP_URGENT, len - TCP_URGENT) == 0;
}

static bool continues(const struct open_frame *o, const struct offer *p)
{
	const uint8_t *t = p->ip + p->info->ip_len;

	if (p->head_len != o->head_len || p->payload > o->payload ||
	    o->len + p->payload > PU_PKT_MAX || !same_ip_head(o, p->ip))
		return false;
	/* With DF the identification means nothing (RFC 6864); otherwise cutting again
	 * must give back the same numbers. */
	if (o->version == 4 && !p->info->dont_fragment &&
	    pu_get_be16(p->ip + IPV4_ID) != o->next_id)
		return false;
	if (o->proto == PROTO_UDP)
		return true;
	return pu_get_be32(t + TCP_SEQ) == o->next_seq &&
	       same_tcp_head(ip_of(o) + o->ip_len, t, o->head_len - o->ip_len);
}

static void append(struct pu_tun_join *j, struct open_frame *o, const struct offer *p)
{
	uint8_t *ip = ip_of(o);

	memcpy(ip + o->len, p->ip + p->head_len, p->payload);
	o->len += p->payload;
	o->n++;
	o->next_id++;
	o->next_seq += (uint32_t)p->payload;
	o->touched = ++j->tick;
	if (o->proto == PROTO_TCP)
		ip[o->ip_len + TCP_FLAGS] |= p->info->tcp_flags & TCP_FLAG_PSH;
}

static void start(struct pu_tun_join *j, struct open_frame *o, const struct offer *p)
{
	const struct pu_packet *k = p->info;

	memcpy(ip_of(o), p->ip, k->total_len);
	o->len = k->total_len;
	o->n = 1;
	o->touched = ++j->tick;
	o->version = k->src.version;
	o->proto = k->proto;
	o->ip_len = k->ip_len;
	o->head_len = (uint16_t)p->head_len;
	o->payload = (uint16_t)p->payload;
	o->partial = p->partial;
	if (k->proto == PROTO_TCP)
		o->next_seq = pu_get_be32(p->ip + k->ip_len + TCP_SEQ) + (uint32_t)p->payload;
	if (k->src.version == 4)
		o->next_id = (uint16_t)(pu_get_be16(p->ip + IPV4_ID) + 1);
	j->n_open++;
}

/* The end of a burst: the sender pushed, sent less than before, or the frame is full. */
static bool ends_frame(const struct open_frame *o, const struct offer *p)
{
	if (p->payload < o->payload)
		return true;
	return o->proto == PROTO_TCP ? p->info->tcp_flags & TCP_FLAG_PSH : o->n == DATAGRAMS_MAX;
}

/* Nothing can follow: a push, or no room for as much again. */
static bool stands_alone(const struct offer *p)
{
	return p->info->total_len + p->payload > PU_PKT_MAX ||
	       (p->info->proto == PROTO_TCP && p->info->tcp_flags & TCP_FLAG_PSH);
}

static int join(struct pu_tun_join *j, const struct offer *p)
{
	struct open_frame *o = NULL, *vacant = NULL;
	int r = 0;

	for (size_t i = 0; i < FLOWS_MAX && !o; i++) {
		if (same_flow(&j->open[i], p))
			o = &j->open[i];
		else if (!j->open[i].len)
			vacant = &j->open[i];
	}
	if (o && continues(o, p)) {
		append(j, o, p);
		return ends_frame(o, p) ? close_frame(j, o) : 0;
	}
	if (stands_alone(p))
		return write_alone(j, p);
	if (!o)
		o = vacant ? vacant : oldest(j);
	if (o->len)
		r = close_frame(j, o);
	start(j, o, p);
	return r;
}

int pu_tun_join_add_parsed(struct pu_tun_join *j, const uint8_t *ip, unsigned flags,
			   const struct pu_packet *info)
{
	struct offer p = { .ip = ip, .info = info, .partial = flags & PU_PKT_CSUM_PARTIAL };

	j->stats.packets++;
	p.head_len = (size_t)info->ip_len + info->transport_len;
	p.payload = info->total_len - p.head_len;
	if (p.partial && !may_be_partial(&p)) {
		j->stats.dropped++;
		return PU_EPROTO;
	}
	return joinable(j, &p) ? join(j, &p) : write_alone(j, &p);
}

int pu_tun_join_add(struct pu_tun_join *j, const uint8_t *ip, size_t len, unsigned flags)
{
	struct pu_packet info;
	int r = pu_packet_parse(&info, ip, len, len);

	if (r < 0) {
		j->stats.packets++;
		j->stats.dropped++;
		return r;
	}
	return pu_tun_join_add_parsed(j, ip, flags, &info);
}
