#include "p2p/discovery/mdns.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/discovery/mdns_addrs.h"
#include "p2p/discovery/mdns_message.h"
#include "p2p/discovery/mdns_seen.h"

enum {
	SOCKETS_MAX = 16,
	LABEL_LEN = 40,
	/* RFC 6762 §6: answers that others give, too, come a little scattered, and the same
	 * one not twice a second. */
	JITTER_MIN_MS = 20,
	JITTER_MAX_MS = 120,
	GAP_MS = 1000,
	/* At the beginning twice, then now and then; a record lives a bit longer. */
	PERIOD_S = 300,
	PERIOD_SPREAD_S = 30,
	UNICAST_PER_S = 10,
};

struct mdns_socket {
	struct pu_mdns *m;
	struct pu_udp *udp;
	union pu_sockaddr addr, group;
	unsigned ifindex;
	pu_time answer_at; /* PU_TIME_NEVER: nobody waits */
	pu_time answered_at; /* by multicast; 0: not yet */
	pu_time second;    /* that the unicast answers are counted for */
	unsigned n_unicast;
};

struct pu_mdns {
	struct pu_host *h;
	struct pu_loop *loop;
	struct pu_net *net;
	struct pu_mdns_options opt;
	struct pu_host_observer observer;
	struct pu_timer timer;
	char label[LABEL_LEN + 1];
	struct mdns_socket socket[SOCKETS_MAX];
	size_t n_sockets;
	struct pu_mdns_addrs addrs;
	uint64_t digest;    /* of what we tell */
	bool announced;     /* somebody may have cached us */
	pu_time query_at, queried_at;
	unsigned round;     /* queries since the interfaces changed */
	struct pu_mdns_seen seen;
	struct pu_mdns_stats stats;
};

/* A name that says nothing; a new one whenever what we tell is new, since others may not
 * look at a known one again before it expires. */
static void choose_label(struct pu_mdns *m)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz012345";
	uint8_t b[LABEL_LEN];

	pu_loop_random(m->loop, b, sizeof b);
	for (size_t i = 0; i < LABEL_LEN; i++)
		m->label[i] = alphabet[b[i] & 31];
	m->label[LABEL_LEN] = '\0';
}

/* Time. */

static pu_time jitter(const struct pu_mdns *m)
{
	uint32_t r;

	pu_loop_random(m->loop, &r, sizeof r);
	return PU_MS(JITTER_MIN_MS + r % (JITTER_MAX_MS - JITTER_MIN_MS));
}

static void plan(struct pu_mdns *m)
{
	pu_time next = m->n_sockets > 0 ? m->query_at : PU_TIME_NEVER;

	for (size_t i = 0; i < m->n_sockets; i++)
		if (m->socket[i].answer_at < next)
			next = m->socket[i].answer_at;
	pu_timer_set(&m->timer, next);
}

/* Asks again from the beginning, but never twice within a second. */
static void ask_soon(struct pu_mdns *m)
{
	pu_time at = pu_loop_now(m->loop) + jitter(m);

	if (m->queried_at && at < m->queried_at + PU_MS(GAP_MS))
		at = m->queried_at + PU_MS(GAP_MS);
	if (m->round > 0 || at < m->query_at) /* however often the interfaces change */
		m->query_at = at;
	m->round = 0;
	plan(m);
}

/* Sending. */

static void send_to(struct mdns_socket *s, const union pu_sockaddr *to, const uint8_t *p, int len)
{
	struct pu_dgrams d = { .remote = *to, .p = p, .len = (size_t)len, .segment = (size_t)len };
	int r = len < 0 ? len : s->m->net->ops->udp_send(s->udp, &d);

	if (r < 0) {
		s->m->stats.dropped++;
		pu_log(PU_LOG_DEBUG, "mdns", "cannot send", PU_KV_ERR(r));
	}
}

/* False when there is nothing to tell. */
static bool make_answer(const struct mdns_socket *s, struct pu_mdns_tell *tell, uint32_t ttl,
			struct pu_mdns_answer *a)
{
	const struct pu_mdns *m = s->m;

	pu_mdns_addrs_tell(&m->addrs, m->h, s->ifindex, tell);
	*a = (struct pu_mdns_answer){ .label = m->label, .ttl = ttl, .host = s->addr,
				      .texts = tell->span, .n_texts = tell->n };
	/* The port is at the same place in both families. */
	a->host.v4.sin_port = htons(tell->port);
	return tell->n > 0;
}

static void multicast_answer(struct mdns_socket *s, uint32_t ttl)
{
	struct pu_mdns_tell tell;
	struct pu_mdns_answer a;
	uint8_t b[PU_MDNS_SEND_MAX];

	s->answer_at = PU_TIME_NEVER;
	if (!make_answer(s, &tell, ttl, &a) && ttl > 0)
		return;
	s->answered_at = pu_loop_now(s->m->loop);
	s->m->announced = true;
	s->m->stats.answers_out++;
	send_to(s, &s->group, b, pu_mdns_write_answer(&a, b, sizeof b));
}

/* To one asker; so many a second that nobody can have us flood a third. */
static void unicast_answer(struct mdns_socket *s, const union pu_sockaddr *to,
			   const struct pu_mdns_message *q, bool legacy)
{
	pu_time second = pu_loop_now(s->m->loop) / PU_SEC(1);
	struct pu_mdns_tell tell;
	struct pu_mdns_answer a;
	uint8_t b[PU_MDNS_SEND_MAX];

	if (second != s->second)
		s->n_unicast = 0;
	s->second = second;
	if (s->n_unicast++ >= UNICAST_PER_S) {
		s->m->stats.dropped++;
		return;
	}
	if (!make_answer(s, &tell, PU_MDNS_TTL_S, &a))
		return;
	a.legacy = legacy;
	a.id = q->id;
	a.question = q->question;
	s->m->stats.answers_out++;
	send_to(s, to, b, pu_mdns_write_answer(&a, b, sizeof b));
}

static void say_goodbye(struct pu_mdns *m)
{
	for (size_t i = 0; m->announced && i < m->n_sockets; i++)
		if (m->socket[i].answered_at)
			multicast_answer(&m->socket[i], 0);
	m->announced = false;
}

/* Asks everywhere. In the first rounds we tell of ourselves, too: some ask rarely. */
static void query(struct pu_mdns *m)
{
	uint8_t b[PU_MDNS_SEND_MAX];
	int len = pu_mdns_write_query(m->label, b, sizeof b);
	bool first = m->round < 2;
	uint32_t spread;

	pu_loop_random(m->loop, &spread, sizeof spread);
	m->queried_at = pu_loop_now(m->loop);
	m->query_at = m->queried_at +
		      (m->round == 0 ? PU_MS(GAP_MS) : PU_SEC(PERIOD_S - spread % PERIOD_SPREAD_S));
	m->round++;
	for (size_t i = 0; i < m->n_sockets; i++) {
		m->stats.queries_out++;
		send_to(&m->socket[i], &m->socket[i].group, b, len);
		if (first)
			multicast_answer(&m->socket[i], PU_MDNS_TTL_S);
	}
}

static void on_timer(void *arg)
{
	struct pu_mdns *m = arg;
	pu_time now = pu_loop_now(m->loop);

	if (m->query_at <= now)
		query(m);
	for (size_t i = 0; i < m->n_sockets; i++)
		if (m->socket[i].answer_at <= now)
			multicast_answer(&m->socket[i], PU_MDNS_TTL_S);
	plan(m);
}

/* Receiving. */

static uint16_t port_of(const union pu_sockaddr *sa)
{
	return ntohs(sa->sa.sa_family == AF_INET ? sa->v4.sin_port : sa->v6.sin6_port);
}

static void handle_query(struct mdns_socket *s, const union pu_sockaddr *from,
			 const struct pu_mdns_message *q)
{
	pu_time now = pu_loop_now(s->m->loop), earliest = now + jitter(s->m);
	bool legacy = port_of(from) != PU_MDNS_PORT;
	bool cached = s->answered_at && now - s->answered_at < PU_SEC(PU_MDNS_TTL_S / 4);
	bool alone = !legacy && q->asks_unicast && cached;

	if (!q->asks || q->knows_us)
		return;
	s->m->stats.queries_in++;
	if (legacy || alone)
		unicast_answer(s, from, q, legacy);
	/* rust-libp2p asks from a port that it does not read, and hears the group only. */
	if (alone || s->answer_at != PU_TIME_NEVER)
		return;
	if (s->answered_at && earliest < s->answered_at + PU_MS(GAP_MS))
		earliest = s->answered_at + PU_MS(GAP_MS);
	s->answer_at = earliest;
	plan(s->m);
}

/* An address of the peer that is named at its end. */
static bool read_text(const struct pu_mdns *m, struct pu_bytes t, struct pu_multiaddr *ma,
		      struct pu_peerid *id)
{
	char text[PU_MDNS_TEXT_MAX + 1];

	if (t.len > PU_MDNS_TEXT_MAX || memchr(t.p, 0, t.len))
		return false;
	memcpy(text, t.p, t.len);
	text[t.len] = '\0';
	return pu_multiaddr_from_text(ma, text) == 0 && pu_multiaddr_split_peer(ma, ma, id) == 0 &&
	       !pu_peerid_eq(id, pu_host_id(m->h)) && pu_mdns_addrs_believe(&m->addrs, ma);
}

static void add_addr(struct pu_multiaddr *list, size_t *pn, const struct pu_multiaddr *ma)
{
	for (size_t i = 0; i < *pn; i++)
		if (pu_multiaddr_eq(&list[i], ma))
			return;
	if (*pn < PU_MDNS_ADDRS_PER_PEER)
		list[(*pn)++] = *ma;
}

static void tell(struct pu_mdns *m, const struct pu_peerid *id, const struct pu_multiaddr *addrs,
		 size_t n)
{
	char peer[PU_PEERID_SHORT_MAX];
	bool busy;

	if (!pu_mdns_seen_news(&m->seen, id, addrs, n, pu_loop_now(m->loop), &busy)) {
		m->stats.dropped += busy;
		return;
	}
	pu_log(PU_LOG_DEBUG, "mdns", "peer on the link",
	       PU_KV_STR("peer", pu_peerid_short(id, peer)), PU_KV_U64("addrs", n));
	m->opt.on_peer(m->opt.arg, id, addrs, n);
}

struct claim {
	struct pu_multiaddr ma;
	struct pu_peerid id;
};

/* Each text is read once, however many there are. Returns how many are worth something. */
static size_t read_claims(const struct pu_mdns *m, const struct pu_mdns_message *msg,
			  struct claim *out)
{
	size_t n = 0;

	for (size_t i = 0; i < msg->n_texts; i++)
		n += read_text(m, msg->texts[i], &out[n].ma, &out[n].id);
	return n;
}

/* All addresses of one peer together. */
static void handle_peer(struct pu_mdns *m, struct claim *first, const struct claim *end)
{
	struct pu_multiaddr addrs[PU_MDNS_ADDRS_PER_PEER];
	struct pu_peerid id = first->id;
	size_t n = 0;

	for (struct claim *c = first; c < end; c++) {
		if (!pu_peerid_eq(&c->id, &id))
			continue;
		add_addr(addrs, &n, &c->ma);
		c->id = (struct pu_peerid){ 0 }; /* done with */
	}
	tell(m, &id, addrs, n);
}

/* From whatever port: RFC 6762 §6 believes the one of mDNS alone, but rust-libp2p answers
 * from any, and who wants to lie can have that one as well. */
static void handle_response(struct mdns_socket *s, const struct pu_mdns_message *msg)
{
	struct claim claims[PU_MDNS_TEXTS_MAX];
	struct pu_mdns *m = s->m;
	size_t n;

	if (msg->dull)
		return;
	m->stats.answers_in++;
	n = read_claims(m, msg, claims);
	for (size_t i = 0; i < n; i++)
		if (!pu_peerid_empty(&claims[i].id))
			handle_peer(m, &claims[i], claims + n);
}

static void handle(struct mdns_socket *s, const union pu_sockaddr *from, struct pu_bytes b)
{
	struct pu_mdns_message msg;

	if (pu_mdns_parse(b, s->m->label, &msg) < 0)
		s->m->stats.malformed++;
	else if (msg.response)
		handle_response(s, &msg);
	else
		handle_query(s, from, &msg);
}

static void on_recv(void *arg, const struct pu_dgrams *d, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t off = 0; off < d[i].len; off += d[i].segment)
			handle(arg, &d[i].remote,
			       pu_bytes(d[i].p + off, pu_min(d[i].segment, d[i].len - off)));
}

static const struct pu_udp_events udp_events = { .on_recv = on_recv };

/* Interfaces. */

static union pu_sockaddr group_of(const union pu_sockaddr *iface)
{
	static const uint8_t group4[] = { 224, 0, 0, 251 };
	static const uint8_t group6[16] = { 0xff, 0x02, [15] = 0xfb };
	union pu_sockaddr g;

	memset(&g, 0, sizeof g);
	g.sa.sa_family = iface->sa.sa_family;
	g.v4.sin_port = htons(PU_MDNS_PORT);
	if (g.sa.sa_family == AF_INET)
		memcpy(&g.v4.sin_addr, group4, sizeof group4);
	else
		memcpy(&g.v6.sin6_addr, group6, sizeof group6);
	return g;
}

static void open_socket(struct pu_mdns *m, size_t i)
{
	struct mdns_socket *s = &m->socket[m->n_sockets];
	char text[PU_MULTIADDR_TEXT_MAX];
	int r;

	*s = (struct mdns_socket){ .m = m, .answer_at = PU_TIME_NEVER,
				   .ifindex = m->addrs.ifindex[i] };
	if (!s->ifindex || !pu_mdns_addrs_sockaddr(&m->addrs, i, &s->addr))
		return;
	s->group = group_of(&s->addr);
	r = m->net->ops->mcast_open(m->net, &s->group, &s->addr, &udp_events, s, &s->udp);
	if (r == 0)
		m->n_sockets++;
	else if (r != PU_EEXIST)
		pu_log(PU_LOG_DEBUG, "mdns", "no multicast here",
		       PU_KV_STR("addr", pu_multiaddr_text(&m->addrs.ip[i], text)), PU_KV_ERR(r));
}

static void close_sockets(struct pu_mdns *m)
{
	for (size_t i = 0; i < m->n_sockets; i++)
		m->net->ops->udp_close(m->socket[i].udp);
	m->n_sockets = 0;
}

/* Goodbye to those who know what we were. */
static bool rename_if_new(struct pu_mdns *m)
{
	uint64_t digest = pu_mdns_addrs_digest(&m->addrs, m->h);

	if (digest == m->digest)
		return false;
	m->digest = digest;
	say_goodbye(m);
	choose_label(m);
	return true;
}

/* The sockets are opened again in any case: an interface may have gone and come back. */
void pu_mdns_set_interfaces(struct pu_mdns *m, const struct pu_multiaddr *ip_only, size_t n)
{
	if (pu_mdns_addrs_set(&m->addrs, m->net, ip_only, n))
		pu_mdns_seen_forget(&m->seen);
	rename_if_new(m);
	close_sockets(m);
	for (size_t i = 0; i < m->addrs.n && m->n_sockets < SOCKETS_MAX; i++)
		open_socket(m, i);
	ask_soon(m);
}

static void on_addrs(void *arg)
{
	struct pu_mdns *m = arg;

	if (rename_if_new(m))
		ask_soon(m);
}

/* Start and end. */

int pu_mdns_new(struct pu_host *h, struct pu_net *net, const struct pu_mdns_options *opt,
		struct pu_mdns **pm)
{
	struct pu_mdns *m;

	if (!net->ops->mcast_open)
		return PU_ENOTSUP;
	m = calloc(1, sizeof *m);
	if (!m)
		return PU_ENOMEM;
	m->h = h;
	m->loop = pu_host_loop(h);
	m->net = net;
	m->opt = *opt;
	m->query_at = PU_TIME_NEVER;
	pu_timer_init(&m->timer, m->loop, on_timer, m);
	pu_mdns_seen_init(&m->seen, pu_loop_now(m->loop));
	choose_label(m);
	m->observer = (struct pu_host_observer){ .on_addrs = on_addrs, .arg = m };
	pu_host_observe(h, &m->observer);
	*pm = m;
	return 0;
}

void pu_mdns_free(struct pu_mdns *m)
{
	if (!m)
		return;
	pu_host_unobserve(m->h, &m->observer);
	say_goodbye(m);
	close_sockets(m);
	pu_timer_stop(&m->timer);
	free(m);
}

void pu_mdns_stats(const struct pu_mdns *m, struct pu_mdns_stats *out)
{
	*out = m->stats;
}
