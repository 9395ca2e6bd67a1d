#include "daemon/bridge.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/echo.h"
#include "daemon/flowpipe.h"
#include "daemon/node_offer.h"
#include "tun/icmp_limit.h"
#include "tun/offload.h"
#include "tun/reader.h"
#include "tun/track.h"
#include "tun/vmap.h"

enum {
	FRAMES_PER_RUN = 8, /* up to half a megabyte */
	RUNS_PER_TURN = 8,
	BACKLOG_FULL = 1 << 20, /* bytes that may wait before reading pauses */
	TCP_SYN = 0x02,
	TCP_ACK = 0x10,
};

struct pu_bridge {
	struct pu_node *node;
	struct pu_tun_device *dev;
	struct pu_vmap *vmap;
	struct pu_tun_reader *reader;
	struct pu_tun_join *join;
	struct pu_track *track;
	struct pu_flowpipes *flows;
	struct pu_echo *echo;
	struct pu_icmp_limit errors, too_big;
	bool congested; /* the last run filled a peer's queue */
	struct pu_bridge_stats stats;
	uint8_t scratch[PU_PKT_MAX]; /* packets whose addresses change */
};

static pu_time now_of(const struct pu_bridge *b)
{
	return pu_loop_now(b->node->loop);
}

static struct pu_ip vip_ip(const struct pu_vip *v, uint8_t version)
{
	return version == 4 ? pu_ip4(v->v4) : pu_ip6(v->v6);
}

static bool same_address(const struct pu_roster_peer *p, uint8_t version)
{
	return version == 4 ? p->same_v4 : p->same_v6;
}

static bool is_tcp_syn(const struct pu_packet *info)
{
	return info->proto == IPPROTO_TCP && !info->fragment &&
	       (info->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

static bool is_icmp_error(const struct pu_packet *info)
{
	if (info->proto == IPPROTO_ICMP)
		return info->icmp_type == 3 || info->icmp_type == 11 || info->icmp_type == 12;
	return info->proto == IPPROTO_ICMPV6 && info->icmp_type >= 1 && info->icmp_type <= 4;
}

/* --- from the device to peers ------------------------------------------------ */

/* Errors to this machine come from the address that was asked for: the kernel drops
 * what claims to come from one of its own. */
static uint32_t answer(struct pu_bridge *b, const struct pu_tun_frame *f, enum pu_icmp_error what)
{
	/* Rate limits and the standards' exceptions are no failure of ours. */
	pu_tun_answer_error(b->dev, &b->errors, now_of(b), f, what, 0, &f->info.dst);
	return 0;
}

/* True when a flow took the frame. A SYN is held also while it is not known what the
 * peer offers. */
static bool give_to_flow(struct pu_bridge *b, struct pu_tun_frame *f, struct pu_roster_peer *p)
{
	struct pu_flow_table *t = pu_flowpipes_table(b->flows);
	char service[PU_SERVICE_NAME_MAX + 1];

	if (f->info.proto != IPPROTO_TCP || f->info.fragment)
		return false;
	if (!pu_flow_table_has(t, &f->info) &&
	    !pu_node_service_at(b->node, p, f->info.dport, service) &&
	    (!is_tcp_syn(&f->info) || pu_node_offer_settled(b->node, p)))
		return false;
	pu_flow_table_input(t, f->base, f->len, &f->info, p->handle);
	return true;
}

/* Identify came and lists no packet protocol: a peer of another make. */
static bool is_foreign(const struct pu_bridge *b, const struct pu_roster_peer *p)
{
	return pu_host_peer_identified(b->node->host, &p->id) &&
	       !pu_host_peer_supports(b->node->host, &p->id, PU_SESSION_PROTOCOL);
}

/* What the peer is known to refuse is not even sent, so that programs learn it at
 * once. Answers and errors pass: the peer knows what it asked for. */
static bool peer_grants(const struct pu_roster_peer *p, const struct pu_packet *info)
{
	return !p->offer_known || p->granted == PU_ACCESS_NETWORK || !is_tcp_syn(info);
}

static void tell_too_big(struct pu_bridge *b, const struct pu_tun_frame *f,
			 const struct pu_roster_peer *p)
{
	size_t limit = pu_sessions_limit(b->node->sessions, &p->id);

	if (f->packet_max <= limit)
		return;
	b->stats.tx_too_big++;
	pu_tun_answer_error(b->dev, &b->too_big, now_of(b), f, PU_ICMP_TOO_BIG, (uint32_t)limit,
			    &f->info.dst);
}

/* From this machine's view of addresses to the wire's. */
static void to_wire(struct pu_bridge *b, struct pu_tun_frame *f, const struct pu_roster_peer *p)
{
	const struct pu_roster_peer *self = b->node->self;
	uint8_t version = f->info.src.version;
	struct pu_ip src = f->info.src, dst = f->info.dst, own = vip_ip(&self->local, version);
	struct pu_ip theirs = vip_ip(&p->local, version);

	if (same_address(self, version) && same_address(p, version))
		return;
	if (pu_ip_eq(&src, &own))
		src = vip_ip(&self->canonical, version);
	if (pu_ip_eq(&dst, &theirs))
		dst = vip_ip(&p->canonical, version);
	pu_packet_rewrite(pu_tun_frame_ip(f), &f->info, f->flags, &src, &dst);
}

static bool is_multicast(const struct pu_ip *a)
{
	return a->version == 4 ? (a->b[0] & 0xf0) == 0xe0 || a->b[0] == 0xff : a->b[0] == 0xff;
}

static uint32_t classify(void *arg, struct pu_tun_frame *f)
{
	struct pu_bridge *b = arg;
	struct pu_roster_peer *p =
		pu_roster_at(b->node->roster, pu_vmap_find(b->vmap, &f->info.dst));

	if (!p || p == b->node->self) {
		if (is_multicast(&f->info.dst))
			return 0; /* the kernel's own chatter on every link */
		b->stats.tx_no_route++;
		return answer(b, f, PU_ICMP_NO_ROUTE);
	}
	if (give_to_flow(b, f, p))
		return 0;
	if (is_foreign(b, p)) {
		if (pu_echo_request(b->echo, p, f))
			return 0;
		b->stats.tx_not_allowed++;
		return answer(b, f, PU_ICMP_NOT_ALLOWED);
	}
	if (!peer_grants(p, &f->info)) {
		b->stats.tx_not_allowed++;
		return answer(b, f, PU_ICMP_NOT_ALLOWED);
	}
	if (p->access != PU_ACCESS_NETWORK)
		pu_track_out(b->track, p->handle, &f->info, now_of(b));
	tell_too_big(b, f, p);
	to_wire(b, f, p);
	return p->handle;
}

static void send_packets(void *arg, uint32_t handle, struct pu_pkt *pkts, size_t n)
{
	struct pu_bridge *b = arg;
	struct pu_roster_peer *p = pu_roster_at(b->node->roster, handle);

	pu_sessions_send(b->node->sessions, &p->id, pkts, n);
	if (pu_sessions_backlog(b->node->sessions, &p->id) > BACKLOG_FULL)
		b->congested = true;
}

static const struct pu_tun_reader_events reader_events = {
	.classify = classify,
	.send = send_packets,
};

int pu_bridge_readable(struct pu_bridge *b)
{
	for (int i = 0; i < RUNS_PER_TURN; i++) {
		int r;

		b->congested = false;
		r = pu_tun_reader_run(b->reader, FRAMES_PER_RUN);
		if (r < 0)
			return r;
		if (b->congested)
			return PU_EAGAIN;
		if (r < FRAMES_PER_RUN)
			return 0;
	}
	return 0;
}

/* --- from peers to the device ------------------------------------------------- */

/* An ICMP error back to the peer, as if a router at our address had sent it. */
static void answer_peer(struct pu_bridge *b, const struct pu_roster_peer *p, const uint8_t *ip,
			size_t len, const struct pu_packet *info, enum pu_icmp_error what)
{
	struct pu_ip from = vip_ip(&b->node->self->canonical, info->src.version);
	uint8_t out[PU_ICMP_ERROR_MAX];
	struct pu_pkt pkt = { .flags = 0 };
	int n = pu_packet_icmp_error(out, ip, len, info, what, 0, &from);

	if (n < 0 || !pu_icmp_limit_take(&b->errors, now_of(b)))
		return;
	pkt.head = pu_bytes(out, (size_t)n);
	pu_sessions_send(b->node->sessions, &p->id, &pkt, 1);
}

/* Cryptokey routing: a peer speaks for its own address and for what the kernel routes
 * to it. */
static bool source_is_honest(const struct pu_bridge *b, const struct pu_roster_peer *p,
			     const struct pu_packet *info)
{
	struct pu_ip own = vip_ip(&p->canonical, info->src.version);
	struct pu_roster_peer *owner;

	if (pu_ip_eq(&info->src, &own))
		return true;
	owner = pu_roster_at(b->node->roster, pu_vmap_find(b->vmap, &info->src));
	/* Overlay addresses belong to their peers only, whatever is routed. */
	if (owner != p)
		return false;
	own = vip_ip(&p->local, info->src.version);
	return !pu_ip_eq(&info->src, &own);
}

static bool in_prefix(const struct pu_prefix *pre, const struct pu_ip *a)
{
	unsigned bytes = pre->bits / 8, rest = pre->bits % 8;

	if ((pre->family == AF_INET) != (a->version == 4))
		return false;
	if (memcmp(pre->addr, a->b, bytes) != 0)
		return false;
	return rest == 0 || ((pre->addr[bytes] ^ a->b[bytes]) >> (8 - rest)) == 0;
}

static bool in_allowed_routes(const struct pu_bridge *b, const struct pu_ip *dst)
{
	const struct pu_config *cfg = b->node->cfg;

	for (size_t i = 0; i < cfg->vpn.routes.n; i++)
		if (in_prefix(&cfg->vpn.routes.v[i], dst))
			return true;
	return false;
}

enum verdict { PASS, DROP, REFUSE };

/* info: with addresses as this machine sees them. to_self: for this machine. */
static enum verdict judge(struct pu_bridge *b, const struct pu_roster_peer *p,
			  const struct pu_packet *info, bool to_self)
{
	if (!pu_roster_allowed(p, pu_loop_unix(b->node->loop)))
		return DROP;
	if (p->access == PU_ACCESS_NETWORK)
		return to_self || in_allowed_routes(b, &info->dst) ? PASS : REFUSE;
	if (pu_track_answers(b->track, p->handle, info, now_of(b)))
		return PASS;
	if (to_self && (pu_packet_is_echo_request(info) || is_icmp_error(info)))
		return PASS;
	return REFUSE;
}

/* The packet with local addresses: ip itself, or a copy in scratch. */
static const uint8_t *to_local(struct pu_bridge *b, const struct pu_roster_peer *p,
			       const uint8_t *ip, size_t len, unsigned flags,
			       struct pu_packet *info, bool to_self)
{
	const struct pu_roster_peer *self = b->node->self;
	uint8_t version = info->src.version;
	struct pu_ip canonical = vip_ip(&p->canonical, version), src = info->src, dst = info->dst;

	if (same_address(self, version) && same_address(p, version))
		return ip;
	if (pu_ip_eq(&src, &canonical))
		src = vip_ip(&p->local, version);
	if (to_self)
		dst = vip_ip(&self->local, version);
	memcpy(b->scratch, ip, len);
	pu_packet_rewrite(b->scratch, info, flags, &src, &dst);
	info->src = src;
	info->dst = dst;
	return b->scratch;
}

static void on_packet(void *arg, struct pu_roster_peer *p, const uint8_t *ip, size_t len,
		      unsigned flags)
{
	struct pu_bridge *b = arg;
	struct pu_packet info, wire;
	struct pu_ip own;
	const uint8_t *local;
	bool to_self;

	if (len > PU_PKT_MAX || pu_packet_parse(&info, ip, len, len) < 0) {
		b->stats.rx_malformed++;
		return;
	}
	if (!source_is_honest(b, p, &info)) {
		b->stats.rx_spoofed++;
		return;
	}
	own = vip_ip(&b->node->self->canonical, info.dst.version);
	to_self = pu_ip_eq(&info.dst, &own);
	wire = info;
	local = to_local(b, p, ip, len, flags, &info, to_self);
	switch (judge(b, p, &info, to_self)) {
	case PASS:
		pu_tun_join_add_parsed(b->join, local, flags, &info);
		return;
	case REFUSE:
		b->stats.rx_not_allowed++;
		answer_peer(b, p, ip, len, &wire, PU_ICMP_NOT_ALLOWED);
		return;
	case DROP:
		b->stats.rx_not_allowed++;
		return;
	}
}

static void on_batch_end(void *arg)
{
	struct pu_bridge *b = arg;

	pu_tun_join_flush(b->join);
}

/* The reverse of to_wire(), for a packet that never left. */
static const uint8_t *from_wire(struct pu_bridge *b, const struct pu_roster_peer *p,
				const uint8_t *ip, size_t len, struct pu_packet *info)
{
	const struct pu_roster_peer *self = b->node->self;
	uint8_t version = info->src.version;
	struct pu_ip own = vip_ip(&self->canonical, version);
	struct pu_ip theirs = vip_ip(&p->canonical, version);
	struct pu_ip src = info->src, dst = info->dst;

	if (same_address(self, version) && same_address(p, version))
		return ip;
	if (pu_ip_eq(&src, &own))
		src = vip_ip(&self->local, version);
	if (pu_ip_eq(&dst, &theirs))
		dst = vip_ip(&p->local, version);
	memcpy(b->scratch, ip, len);
	pu_packet_rewrite(b->scratch, info, 0, &src, &dst);
	info->src = src;
	info->dst = dst;
	return b->scratch;
}

static void on_undeliverable(void *arg, struct pu_roster_peer *p, const uint8_t *ip, size_t len,
			     int err)
{
	struct pu_bridge *b = arg;
	struct pu_packet info;
	uint8_t out[PU_ICMP_ERROR_MAX];
	int n;

	b->stats.tx_unreachable++;
	if (len > PU_PKT_MAX || pu_packet_parse(&info, ip, len, len) < 0)
		return;
	ip = from_wire(b, p, ip, len, &info);
	n = pu_packet_icmp_error(out, ip, len, &info, PU_ICMP_HOST_UNREACHABLE, 0, &info.dst);
	if (n > 0 && pu_icmp_limit_take(&b->errors, now_of(b)))
		pu_tun_write_packet(b->dev, out, (size_t)n);
}

/* --- peers and routes ------------------------------------------------------------ */

static void map_peer(struct pu_bridge *b, const struct pu_roster_peer *p)
{
	struct pu_ip v4 = pu_ip4(p->local.v4), v6 = pu_ip6(p->local.v6);

	if (pu_vmap_set(b->vmap, &v4, 32, p->handle) < 0 ||
	    pu_vmap_set(b->vmap, &v6, 128, p->handle) < 0)
		pu_log_msg(PU_LOG_ERROR, "bridge", "too many peers for the address map");
}

static void on_peer(void *arg, struct pu_roster_peer *p)
{
	struct pu_bridge *b = arg;

	if (p == b->node->self)
		return;
	map_peer(b, p);
	pu_flowpipes_peer_changed(b->flows, p);
}

static const struct pu_node_events node_events = {
	.on_packet = on_packet,
	.on_batch_end = on_batch_end,
	.on_undeliverable = on_undeliverable,
	.on_peer = on_peer,
};

static struct pu_ip prefix_ip(const struct pu_prefix *p)
{
	return p->family == AF_INET ? pu_ip4(p->addr) : pu_ip6(p->addr);
}

void pu_bridge_route(struct pu_bridge *b, const struct pu_route_event *ev)
{
	struct pu_ip dst = prefix_ip(&ev->dst), gw;
	uint32_t handle;

	if (ev->gateway.family == 0)
		return; /* our own on-link route, or one without a peer */
	gw = prefix_ip(&ev->gateway);
	handle = pu_vmap_find(b->vmap, &gw);
	if (!ev->added) {
		pu_vmap_remove(b->vmap, &dst, ev->dst.bits);
		return;
	}
	if (handle == 0 || pu_vmap_set(b->vmap, &dst, ev->dst.bits, handle) < 0)
		pu_log(PU_LOG_WARN, "bridge", "route ignored: its gateway is no peer's address",
		       PU_KV_U64("prefix_bits", ev->dst.bits));
}

/* --- life ----------------------------------------------------------------------- */

int pu_bridge_new(struct pu_node *n, struct pu_tun_device *dev, struct pu_bridge **pb)
{
	struct pu_bridge *b = calloc(1, sizeof *b);
	int r;

	if (!b)
		return PU_ENOMEM;
	b->node = n;
	b->dev = dev;
	r = pu_vmap_new(&b->vmap);
	if (r == 0)
		r = pu_tun_reader_new(dev, &reader_events, b, &b->reader);
	if (r == 0)
		r = pu_tun_join_new(dev, &b->join);
	if (r == 0)
		r = pu_track_new(n->hash_key, &b->track);
	if (r == 0)
		r = pu_flowpipes_new(n, dev, &b->flows);
	if (r == 0)
		r = pu_echo_new(n, dev, &b->echo);
	if (r < 0) {
		pu_bridge_free(b);
		return r;
	}
	for (uint32_t h = 1; h <= pu_roster_count(n->roster); h++)
		if (pu_roster_at(n->roster, h) != n->self)
			map_peer(b, pu_roster_at(n->roster, h));
	pu_node_set_events(n, &node_events, b);
	*pb = b;
	return 0;
}

void pu_bridge_free(struct pu_bridge *b)
{
	if (!b)
		return;
	pu_node_set_events(b->node, NULL, NULL);
	pu_echo_free(b->echo);
	pu_flowpipes_free(b->flows);
	pu_track_free(b->track);
	pu_tun_join_free(b->join);
	pu_tun_reader_free(b->reader);
	pu_vmap_free(b->vmap);
	free(b);
}

void pu_bridge_stats(const struct pu_bridge *b, struct pu_bridge_stats *out)
{
	*out = b->stats;
	out->echo_answered = pu_echo_answered(b->echo);
	out->icmp_limited = b->errors.refused + b->too_big.refused;
}

void pu_bridge_each_counter(const struct pu_bridge *b,
			    void (*fn)(void *arg, const char *name, uint64_t value), void *arg)
{
	struct pu_tun_reader_stats reader;
	struct pu_tun_join_stats join;
	struct pu_bridge_stats s;
	struct pu_flow_stats flow;

	pu_bridge_stats(b, &s);
	pu_tun_reader_stats(b->reader, &reader);
	pu_tun_join_stats(b->join, &join);
	pu_flow_table_stats(pu_flowpipes_table(b->flows), &flow);
	fn(arg, "tun_read_frames", reader.frames);
	fn(arg, "tun_read_packets", reader.packets);
	fn(arg, "tun_read_malformed", reader.malformed);
	fn(arg, "tun_written_packets", join.packets);
	fn(arg, "tun_written_frames", join.frames);
	fn(arg, "tun_write_dropped", join.dropped);
	fn(arg, "rx_spoofed", s.rx_spoofed);
	fn(arg, "rx_not_allowed", s.rx_not_allowed);
	fn(arg, "rx_malformed", s.rx_malformed);
	fn(arg, "tx_no_route", s.tx_no_route);
	fn(arg, "tx_not_allowed", s.tx_not_allowed);
	fn(arg, "tx_too_big", s.tx_too_big);
	fn(arg, "tx_unreachable", s.tx_unreachable);
	fn(arg, "echo_answered", s.echo_answered);
	fn(arg, "icmp_limited", s.icmp_limited);
	fn(arg, "flows_active", flow.n_flows);
	fn(arg, "flows_opened", flow.opened);
	fn(arg, "flows_accepted", flow.accepted);
	fn(arg, "flows_refused", flow.refused + flow.refused_limit);
	fn(arg, "flows_checksum_bypass", flow.checksum_bypass);
}
