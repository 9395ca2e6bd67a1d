#include "p2p/nat/stun.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/nat/stun_message.h"

enum { HOST_MAX = 253 };

/* One request and its repetitions. */
struct query {
	struct pu_stun *s;
	struct server *server;
	enum pu_stun_change change;
	uint8_t id[PU_STUN_ID_LEN];
	struct pu_timer timer;
	pu_time next, give_up; /* next: how long until the request is repeated */
	bool waiting;
};

enum filter_sign { FILTER_UNKNOWN, FILTER_PASSED, FILTER_BLOCKED };

struct server {
	char host[HOST_MAX + 1];
	uint16_t port;
	struct pu_resolve *resolve;
	union pu_sockaddr addr; /* family 0: not known */
	struct query binding;
	bool answered;
	union pu_sockaddr mapped, local, other;
};

struct pu_stun {
	struct pu_loop *loop;
	struct pu_net *net;
	struct pu_udp *udp;
	struct server servers[PU_STUN_SERVERS_MAX];
	size_t n;
	unsigned pending; /* resolutions and queries */
	struct query both, port; /* answers from another address, from another port */
	enum filter_sign both_sign, port_sign;
	bool filtering;
	bool found; /* any name was resolved */
	struct pu_job job;
	pu_stun_fn *on_done;
	void *arg;
};

const char *pu_nat_type_text(enum pu_nat_type t)
{
	switch (t) {
	case PU_NAT_UNKNOWN:
		break;
	case PU_NAT_NONE:
		return "none";
	case PU_NAT_FULL_CONE:
		return "full-cone";
	case PU_NAT_ADDRESS_RESTRICTED:
		return "address-restricted";
	case PU_NAT_PORT_RESTRICTED:
		return "port-restricted";
	case PU_NAT_SYMMETRIC:
		return "symmetric";
	}
	return "unknown";
}

void pu_stun_cancel(struct pu_stun *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->servers[i].resolve)
			s->net->ops->resolve_cancel(s->servers[i].resolve);
		pu_timer_stop(&s->servers[i].binding.timer);
	}
	pu_timer_stop(&s->both.timer);
	pu_timer_stop(&s->port.timer);
	pu_job_cancel(&s->job);
	if (s->udp)
		s->net->ops->udp_close(s->udp);
	free(s);
}

static void one_less(struct pu_stun *s)
{
	if (--s->pending == 0)
		pu_job_defer(&s->job);
}

/* Queries. */

static void query_send(struct query *q)
{
	uint8_t out[PU_STUN_REQUEST_MAX];
	struct pu_dgrams d = { .remote = q->server->addr, .p = out };

	d.len = d.segment = pu_stun_message_request(q->id, q->change, out);
	/* What does not get out now will with the next try. */
	(void)q->s->net->ops->udp_send(q->s->udp, &d);
}

static void query_end(struct query *q)
{
	pu_timer_stop(&q->timer);
	q->waiting = false;
	one_less(q->s);
}

static void query_plan(struct query *q)
{
	pu_time now = pu_loop_now(q->s->loop), at = now + q->next;

	q->next *= 2;
	pu_timer_set(&q->timer, at < q->give_up ? at : q->give_up);
}

static void query_timer(void *arg)
{
	struct query *q = arg;

	if (pu_loop_now(q->s->loop) >= q->give_up) {
		if (q == &q->s->both)
			q->s->both_sign = FILTER_BLOCKED;
		else if (q == &q->s->port)
			q->s->port_sign = FILTER_BLOCKED;
		query_end(q);
		return;
	}
	query_send(q);
	query_plan(q);
}

static void query_start(struct query *q, struct pu_stun *s, struct server *sv,
			enum pu_stun_change change, pu_time timeout)
{
	q->s = s;
	q->server = sv;
	q->change = change;
	q->next = PU_MS(PU_STUN_RETRY_MS);
	q->give_up = pu_loop_now(s->loop) + timeout;
	q->waiting = true;
	s->pending++;
	pu_loop_random(s->loop, q->id, sizeof q->id);
	query_send(q);
	query_plan(q);
}

/* Answers. */

static void on_binding(struct query *q, const struct pu_stun_response *r,
		       const struct pu_dgrams *d)
{
	struct server *sv = q->server;

	if (!pu_sockaddr_eq(&d->remote, &sv->addr))
		return; /* not from whom we asked */
	if (r->error == 0 && r->mapped.sa.sa_family == AF_INET) {
		sv->answered = true;
		sv->mapped = r->mapped;
		sv->other = r->other;
		sv->local = d->local;
	}
	query_end(q);
}

/* An answer that comes from where it was not asked for has passed the filter; one from the
 * old place, or an error, says that the server cannot do that. */
static void on_filter(struct query *q, const struct pu_stun_response *r,
		      const struct pu_dgrams *d)
{
	const union pu_sockaddr *asked = &q->server->addr;
	bool same_ip = pu_sockaddr_same_ip(&d->remote, asked);
	bool elsewhere = q->change == PU_STUN_CHANGE_BOTH
				 ? !same_ip
				 : same_ip && !pu_sockaddr_eq(&d->remote, asked);
	enum filter_sign sign = r->error == 0 && elsewhere ? FILTER_PASSED : FILTER_UNKNOWN;

	if (q == &q->s->both)
		q->s->both_sign = sign;
	else
		q->s->port_sign = sign;
	query_end(q);
}

static struct query *find_query(struct pu_stun *s, const uint8_t *id)
{
	struct query *filter[] = { &s->both, &s->port };

	for (size_t i = 0; i < s->n; i++) {
		struct query *q = &s->servers[i].binding;

		if (q->waiting && memcmp(q->id, id, PU_STUN_ID_LEN) == 0)
			return q;
	}
	for (size_t i = 0; i < PU_ARRAY_LEN(filter); i++)
		if (filter[i]->waiting && memcmp(filter[i]->id, id, PU_STUN_ID_LEN) == 0)
			return filter[i];
	return NULL;
}

static void on_datagram(struct pu_stun *s, const struct pu_dgrams *d, struct pu_bytes in)
{
	const uint8_t *id = pu_stun_message_id(in);
	struct query *q = id ? find_query(s, id) : NULL;
	struct pu_stun_response r;

	if (!q || pu_stun_message_parse(in, &r) < 0)
		return;
	if (q == &s->both || q == &s->port)
		on_filter(q, &r, d);
	else
		on_binding(q, &r, d);
}

static void on_recv(void *arg, const struct pu_dgrams *d, size_t n)
{
	struct pu_stun *s = arg;

	for (size_t i = 0; i < n; i++)
		for (size_t off = 0; off < d[i].len && d[i].segment > 0; off += d[i].segment)
			on_datagram(s, &d[i], pu_bytes(d[i].p + off,
						       pu_min(d[i].segment, d[i].len - off)));
}

static const struct pu_udp_events udp_events = { .on_recv = on_recv };

/* What it means. */

static bool is_local(const struct pu_stun *s, const struct server *sv)
{
	union pu_sockaddr bound;

	s->net->ops->udp_local(s->udp, &bound);
	return pu_sockaddr_same_ip(&sv->mapped, &sv->local) &&
	       sv->mapped.v4.sin_port == bound.v4.sin_port;
}

/* Several names may lead to one address: that is one witness. */
static bool is_double(const struct pu_stun *s, const struct server *sv)
{
	for (const struct server *o = s->servers; o < sv; o++)
		if (o->answered && pu_sockaddr_eq(&o->addr, &sv->addr))
			return true;
	return false;
}

struct mappings {
	unsigned witnesses;
	bool differ, local;
};

static struct mappings compare(const struct pu_stun *s)
{
	const struct server *first = NULL;
	struct mappings m = { 0 };

	for (size_t i = 0; i < s->n; i++) {
		const struct server *sv = &s->servers[i];

		if (!sv->answered || is_double(s, sv))
			continue;
		m.witnesses++;
		m.local |= is_local(s, sv);
		if (!first)
			first = sv;
		m.differ |= !pu_sockaddr_eq(&first->mapped, &sv->mapped);
	}
	return m;
}

static enum pu_nat_type filter_type(const struct pu_stun *s, bool *pguessed)
{
	*pguessed = false;
	if (s->both_sign == FILTER_PASSED)
		return PU_NAT_FULL_CONE;
	if (s->both_sign == FILTER_BLOCKED && s->port_sign == FILTER_PASSED)
		return PU_NAT_ADDRESS_RESTRICTED;
	if (s->both_sign == FILTER_BLOCKED && s->port_sign == FILTER_BLOCKED)
		return PU_NAT_PORT_RESTRICTED;
	*pguessed = true;
	return PU_NAT_ADDRESS_RESTRICTED;
}

static void classify(const struct pu_stun *s, struct pu_stun_report *r)
{
	struct mappings m = compare(s);

	if (m.local && !m.differ)
		r->type = PU_NAT_NONE;
	else if (m.witnesses < 2)
		r->type = PU_NAT_UNKNOWN;
	else if (m.differ)
		r->type = PU_NAT_SYMMETRIC;
	else
		r->type = filter_type(s, &r->filter_guessed);
}

static void add_external(struct pu_stun_report *r, const union pu_sockaddr *sa)
{
	struct pu_multiaddr ma;

	pu_multiaddr_from_ip(&ma, AF_INET, (const uint8_t *)&sa->v4.sin_addr);
	if (pu_multiaddr_append(&ma, PU_MA_UDP, pu_bytes(&sa->v4.sin_port, 2)) < 0)
		return;
	for (size_t i = 0; i < r->n_external; i++)
		if (pu_multiaddr_eq(&r->external[i], &ma))
			return;
	r->external[r->n_external++] = ma;
}

static void report(struct pu_stun *s)
{
	struct pu_stun_report r = { .asked = (unsigned)s->n };
	pu_stun_fn *on_done = s->on_done;
	void *arg = s->arg;
	bool found = s->found;

	for (size_t i = 0; i < s->n; i++) {
		if (!s->servers[i].answered)
			continue;
		r.answered++;
		add_external(&r, &s->servers[i].mapped);
	}
	classify(s, &r);
	pu_log(PU_LOG_DEBUG, "stun", "done", PU_KV_STR("nat", pu_nat_type_text(r.type)),
	       PU_KV_U64("asked", r.asked), PU_KV_U64("answered", r.answered));
	pu_stun_cancel(s);
	on_done(arg, r.answered ? 0 : found ? PU_ETIMEDOUT : PU_ENOENT, &r);
}

/* Filtering can be seen only through a second address of a server that we have never sent
 * anything to, or the NAT would be open for it anyway. */
static bool can_change(const struct pu_stun *s, const struct server *sv)
{
	if (!sv->answered || sv->other.sa.sa_family != AF_INET ||
	    pu_sockaddr_same_ip(&sv->other, &sv->addr) ||
	    sv->other.v4.sin_port == sv->addr.v4.sin_port)
		return false;
	for (size_t i = 0; i < s->n; i++) {
		const union pu_sockaddr *o = &s->servers[i].addr;

		if (pu_sockaddr_same_ip(o, &sv->other) ||
		    (pu_sockaddr_same_ip(o, &sv->addr) && !pu_sockaddr_eq(o, &sv->addr)))
			return false;
	}
	return true;
}

static bool start_filtering(struct pu_stun *s)
{
	struct mappings m = compare(s);

	if (m.local || m.differ || m.witnesses < 2)
		return false;
	for (size_t i = 0; i < s->n; i++) {
		struct server *sv = &s->servers[i];

		if (!can_change(s, sv))
			continue;
		query_start(&s->both, s, sv, PU_STUN_CHANGE_BOTH,
			    PU_MS(PU_STUN_FILTER_TIMEOUT_MS));
		query_start(&s->port, s, sv, PU_STUN_CHANGE_PORT,
			    PU_MS(PU_STUN_FILTER_TIMEOUT_MS));
		return true;
	}
	return false;
}

static void on_idle(void *arg)
{
	struct pu_stun *s = arg;

	if (!s->filtering) {
		s->filtering = true;
		if (start_filtering(s))
			return;
	}
	report(s);
}

/* Start. */

static void ask(struct server *sv, struct pu_stun *s)
{
	s->found = true;
	query_start(&sv->binding, s, sv, PU_STUN_CHANGE_NONE, PU_MS(PU_STUN_TIMEOUT_MS));
}

static void on_resolved(void *arg, int err, const struct pu_resolved *r)
{
	struct server *sv = arg;
	struct pu_stun *s = sv->binding.s;

	sv->resolve = NULL;
	if (err == 0 && r->n_addrs > 0 && r->addrs[0].sa.sa_family == AF_INET) {
		sv->addr = r->addrs[0];
		sv->addr.v4.sin_port = htons(sv->port);
		ask(sv, s);
	}
	one_less(s);
}

static int parse_port(const char *text, uint16_t *pport)
{
	unsigned v = 0;

	if (!*text || strlen(text) > 5)
		return PU_EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return PU_EINVAL;
		v = 10 * v + (unsigned)(*text - '0');
	}
	if (v == 0 || v > UINT16_MAX)
		return PU_EINVAL;
	*pport = (uint16_t)v;
	return 0;
}

static int parse_server(const char *text, struct server *sv)
{
	const char *end = text[0] == '[' ? strchr(text, ']') : NULL;
	const char *colon = strchr(end ? end : text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	if (len == 0 || len > HOST_MAX || (end && end[1] && end + 1 != colon))
		return PU_EINVAL;
	memcpy(sv->host, text, len);
	sv->host[len] = '\0';
	sv->port = PU_STUN_PORT;
	return colon ? parse_port(colon + 1, &sv->port) : 0;
}

static int start_server(struct pu_stun *s, struct server *sv)
{
	struct in_addr ip;
	int r;

	if (sv->host[0] == '[')
		return 0; /* nobody to be asked about an IPv4 NAT */
	if (inet_pton(AF_INET, sv->host, &ip) == 1) {
		sv->addr.v4.sin_family = AF_INET;
		sv->addr.v4.sin_addr = ip;
		sv->addr.v4.sin_port = htons(sv->port);
		ask(sv, s);
		return 0;
	}
	r = s->net->ops->resolve(s->net, sv->host, PU_RESOLVE_IP4, on_resolved, sv, &sv->resolve);
	if (r == 0)
		s->pending++;
	return r;
}

static int init(struct pu_stun *s, const char *const *servers, size_t n)
{
	union pu_sockaddr any = { .v4.sin_family = AF_INET };

	for (size_t i = 0; i < n; i++) {
		int r = parse_server(servers[i], &s->servers[i]);

		if (r < 0)
			return r;
		s->servers[i].binding.s = s;
	}
	return s->net->ops->udp_open(s->net, &any, &udp_events, s, &s->udp);
}

int pu_stun_start(struct pu_loop *loop, struct pu_net *net, const char *const *servers, size_t n,
		  pu_stun_fn *on_done, void *arg, struct pu_stun **ps)
{
	struct pu_stun *s;
	int r;

	if (n == 0)
		return PU_EINVAL;
	if (n > PU_STUN_SERVERS_MAX)
		return PU_ELIMIT;
	s = calloc(1, sizeof *s);
	if (!s)
		return PU_ENOMEM;
	s->loop = loop;
	s->net = net;
	s->n = n;
	s->on_done = on_done;
	s->arg = arg;
	pu_job_init(&s->job, loop, on_idle, s);
	pu_timer_init(&s->both.timer, loop, query_timer, &s->both);
	pu_timer_init(&s->port.timer, loop, query_timer, &s->port);
	for (size_t i = 0; i < n; i++)
		pu_timer_init(&s->servers[i].binding.timer, loop, query_timer,
			      &s->servers[i].binding);
	r = init(s, servers, n);
	s->pending = 1; /* ours, until all are under way */
	for (size_t i = 0; r == 0 && i < n; i++)
		r = start_server(s, &s->servers[i]);
	if (r < 0) {
		pu_stun_cancel(s);
		return r;
	}
	one_less(s);
	*ps = s;
	return 0;
}
