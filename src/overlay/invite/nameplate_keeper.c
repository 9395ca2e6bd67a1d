/* Who keeps the numbers: a relay for its members, a node for itself. */
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "overlay/invite/nameplate_message.h"
#include "overlay/invite/nameplate_numbers.h"

enum {
	VISITORS_MAX = 2 * PU_NAMEPLATE_MAX,
	VISITORS_PER_CONN = PU_NAMEPLATE_PER_PEER + PU_NAMEPLATE_LOOKUPS_PER_CONN,
	ASKERS_MAX = 64,    /* connections whose questions are counted */
	LOOKUPS_RENEWED_S = 60, /* strangers do not stay for as long */
	FIRST_WORD_S = 10,
	MESSAGES_MAX = 32,  /* on one stream */
	TTL_MIN_S = 10,
};

/* Somebody's stream: a number hangs on it, or it is about to ask for something. */
struct visitor {
	struct pu_list node;
	struct pu_nameplates *owner;
	struct pu_stream *st;
	struct pu_buf in;
	unsigned number; /* 0: none */
	unsigned n_messages;
	struct pu_timer patience;
};

/* Questions on one connection. Members' connections live long: they may go on after a while. */
struct asker {
	struct pu_peerid peer;
	pu_time conn_opened_at;
	pu_time since;
	unsigned n;
};

struct pu_nameplates {
	struct pu_host *h;
	struct pu_nameplates_options opt;
	struct pu_nameplate_numbers numbers;
	struct pu_list visitors;
	unsigned n_visitors;
	struct asker askers[ASKERS_MAX];
	struct pu_timer ends; /* of the number whose time is up first */
};

static pu_time now_of(const struct pu_nameplates *n)
{
	return pu_loop_now(pu_host_loop(n->h));
}

/* Numbers. */

static void set_timer(struct pu_nameplates *n)
{
	const struct pu_nameplate_number *first = pu_nameplate_numbers_first(&n->numbers);

	pu_timer_set(&n->ends, first ? first->until : PU_TIME_NEVER);
}

static void told_open(struct pu_nameplates *n, bool open)
{
	if (n->opt.on_open)
		n->opt.on_open(n->opt.arg, open);
}

static int take(struct pu_nameplates *n, const struct pu_peerid *owner, unsigned wanted,
		pu_time until, struct pu_nameplate_number **pp)
{
	int r = pu_nameplate_numbers_take(&n->numbers, owner, wanted, until, pp);

	if (r < 0)
		return r;
	set_timer(n);
	if (n->numbers.n == 1)
		told_open(n, true);
	return 0;
}

static void release(struct pu_nameplates *n, struct pu_nameplate_number *p)
{
	pu_nameplate_numbers_release(&n->numbers, p);
	set_timer(n);
	if (n->numbers.n == 0)
		told_open(n, false);
}

/* Visitors. */

static void visitor_free(struct visitor *v)
{
	struct pu_nameplates *n = v->owner;
	struct pu_nameplate_number *p = pu_nameplate_numbers_find(&n->numbers, v->number);

	pu_timer_stop(&v->patience);
	pu_buf_deinit(&v->in);
	pu_list_remove(&v->node);
	n->n_visitors--;
	free(v);
	if (p)
		release(n, p);
}

static void send_away(struct visitor *v, uint32_t code)
{
	pu_stream_reset(v->st, code);
	visitor_free(v);
}

static void say_goodbye(struct visitor *v)
{
	pu_stream_close(v->st);
	visitor_free(v);
}

static void on_ends(void *arg)
{
	struct pu_nameplates *n = arg;
	struct pu_nameplate_number *p;

	while ((p = pu_nameplate_numbers_first(&n->numbers)) && p->until <= now_of(n)) {
		if (p->holder)
			say_goodbye(p->holder);
		else
			release(n, p);
	}
	set_timer(n);
}

/* False: the visitor is gone. */
static bool answer(struct visitor *v, const struct pu_nameplate_message *m)
{
	struct pu_buf out;
	bool ok;

	pu_buf_init(&out, PU_NAMEPLATE_FRAME_MAX);
	ok = pu_nameplate_message_append(m, &out) == 0 &&
	     pu_stream_write(v->st, pu_buf_bytes(&out).p, out.len) == out.len;
	pu_buf_deinit(&out);
	if (!ok)
		send_away(v, PU_STREAM_CODE_LIMIT);
	return ok;
}

/* An owner that comes back before the old stream is known to be dead takes over from
 * itself. */
static void let_go(struct pu_nameplates *n, const struct pu_peerid *owner, unsigned number)
{
	struct pu_nameplate_number *p = pu_nameplate_numbers_find(&n->numbers, number);

	if (p && p->holder && pu_peerid_eq(&p->owner, owner))
		send_away(p->holder, PU_STREAM_CODE_SUPPLANTED);
}

static int allocate(struct visitor *v, const struct pu_nameplate_message *m, uint32_t ttl,
		    unsigned *pnumber)
{
	struct pu_nameplates *n = v->owner;
	const struct pu_peerid *peer = &v->st->conn->peer;
	struct pu_nameplate_number *p;
	int r;

	if (pu_host_is_guest(v->st->conn) || !n->opt.may_allocate ||
	    !n->opt.may_allocate(n->opt.arg, peer))
		return PU_EDENIED;
	let_go(n, peer, m->number);
	r = take(n, peer, m->number, now_of(n) + PU_SEC(ttl), &p);
	if (r < 0)
		return r;
	p->holder = v;
	v->number = *pnumber = p->number;
	return 0;
}

static void on_allocate(struct visitor *v, const struct pu_nameplate_message *m)
{
	struct pu_nameplate_message a = { .type = PU_NAMEPLATE_NUMBER };
	unsigned number = 0;
	int r;

	a.seconds = pu_max(pu_min(m->seconds, PU_NAMEPLATE_TTL_MAX_S), TTL_MIN_S);
	r = allocate(v, m, a.seconds, &number);
	a.status = pu_nameplate_message_status(r);
	a.number = number;
	if (answer(v, &a) && r < 0)
		say_goodbye(v);
}

static bool is_about(const struct asker *a, const struct pu_conn *c)
{
	return a->n > 0 && a->conn_opened_at == c->opened_at && pu_peerid_eq(&a->peer, &c->peer);
}

/* What is counted for that connection; the oldest entry gives way to a new one. */
static struct asker *asker_for(struct pu_nameplates *n, const struct pu_conn *c)
{
	struct asker *oldest = &n->askers[0];

	for (size_t i = 0; i < ASKERS_MAX; i++) {
		if (is_about(&n->askers[i], c))
			return &n->askers[i];
		if (n->askers[i].since < oldest->since)
			oldest = &n->askers[i];
	}
	*oldest = (struct asker){ c->peer, c->opened_at, now_of(n), 0 };
	return oldest;
}

/* May there be one more question on that connection? */
static bool may_ask(struct pu_nameplates *n, const struct pu_conn *c)
{
	struct asker *a = asker_for(n, c);

	if (now_of(n) - a->since > PU_SEC(LOOKUPS_RENEWED_S))
		*a = (struct asker){ c->peer, c->opened_at, now_of(n), 0 };
	if (a->n == PU_NAMEPLATE_LOOKUPS_PER_CONN)
		return false;
	a->n++;
	return true;
}

static void on_lookup(struct visitor *v, const struct pu_nameplate_message *m)
{
	struct pu_nameplate_message a = { .type = PU_NAMEPLATE_OWNER, .number = m->number };
	struct pu_nameplates *n = v->owner;
	const struct pu_nameplate_number *p;

	if (!may_ask(n, v->st->conn)) {
		a.status = PU_NAMEPLATE_LIMIT;
	} else {
		p = pu_nameplate_numbers_find(&n->numbers, m->number);
		a.status = p ? PU_NAMEPLATE_OK : PU_NAMEPLATE_UNKNOWN;
		if (p)
			a.peer = p->owner;
	}
	if (answer(v, &a))
		say_goodbye(v);
}

static int vouch(struct pu_nameplates *n, struct pu_nameplate_number *p,
		 const struct pu_nameplate_message *m)
{
	if (!n->opt.on_vouched || pu_peerid_eq(&m->peer, pu_host_id(n->h)))
		return PU_EDENIED;
	if (p->n_vouched == PU_NAMEPLATE_VOUCHED_MAX)
		return PU_ELIMIT;
	p->n_vouched++; /* failures are work, too */
	return n->opt.on_vouched(n->opt.arg, &p->owner, &m->peer, m->name);
}

static void on_vouch(struct visitor *v, const struct pu_nameplate_message *m)
{
	struct pu_nameplate_message a = { .type = PU_NAMEPLATE_VOUCHED, .peer = m->peer };
	struct pu_nameplates *n = v->owner;
	struct pu_nameplate_number *p = pu_nameplate_numbers_find(&n->numbers, v->number);

	if (!p || pu_peerid_empty(&m->peer)) {
		send_away(v, PU_STREAM_CODE_PROTOCOL);
		return;
	}
	a.status = pu_nameplate_message_status(vouch(n, p, m));
	answer(v, &a);
}

static void on_message(struct visitor *v, const struct pu_nameplate_message *m)
{
	pu_timer_stop(&v->patience);
	switch (m->type) {
	case PU_NAMEPLATE_ALLOCATE:
		if (v->number)
			break;
		on_allocate(v, m);
		return;
	case PU_NAMEPLATE_LOOKUP:
		if (v->number)
			break;
		on_lookup(v, m);
		return;
	case PU_NAMEPLATE_VOUCH:
		on_vouch(v, m);
		return;
	case PU_NAMEPLATE_NUMBER:
	case PU_NAMEPLATE_OWNER:
	case PU_NAMEPLATE_VOUCHED:
		break;
	}
	send_away(v, PU_STREAM_CODE_PROTOCOL);
}

/* One message per call: what it leads to may end the visitor. The rest is offered again. */
static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct visitor *v = arg;
	struct pu_nameplate_message m;
	size_t taken;
	int r = pu_nameplate_message_feed(&v->in, p, len, &m, &taken);

	if (r == PU_EAGAIN)
		return taken;
	if (r < 0 || ++v->n_messages > MESSAGES_MAX) {
		send_away(v, r < 0 ? PU_STREAM_CODE_PROTOCOL : PU_STREAM_CODE_LIMIT);
		return len;
	}
	if (taken < len)
		pu_stream_resume(st);
	on_message(v, &m);
	return taken;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	say_goodbye(arg);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	visitor_free(arg);
}

static const struct pu_stream_events visitor_events = {
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_closed = on_closed,
};

static void on_silent(void *arg)
{
	send_away(arg, PU_STREAM_CODE_NONE);
}

static unsigned visitors_on(const struct pu_nameplates *n, const struct pu_conn *c)
{
	unsigned k = 0;

	PU_LIST_FOREACH (it, tmp, &n->visitors)
		k += PU_CONTAINER_OF(it, struct visitor, node)->st->conn == c;
	return k;
}

static void on_stream(void *arg, struct pu_stream *st)
{
	struct pu_nameplates *n = arg;
	struct visitor *v = NULL;

	if (n->n_visitors < VISITORS_MAX && visitors_on(n, st->conn) < VISITORS_PER_CONN)
		v = calloc(1, sizeof *v);
	if (!v) {
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return;
	}
	v->owner = n;
	v->st = st;
	pu_buf_init(&v->in, PU_NAMEPLATE_FRAME_MAX);
	pu_timer_init(&v->patience, pu_host_loop(n->h), on_silent, v);
	pu_timer_set(&v->patience, now_of(n) + PU_SEC(FIRST_WORD_S));
	pu_list_append(&n->visitors, &v->node);
	n->n_visitors++;
	pu_stream_set_events(st, &visitor_events, v);
}

/* The interface. */

int pu_nameplates_new(struct pu_host *h, const struct pu_nameplates_options *opt,
		      struct pu_nameplates **pn)
{
	struct pu_nameplates *n = calloc(1, sizeof *n);
	int r;

	if (!n)
		return PU_ENOMEM;
	n->h = h;
	n->opt = *opt;
	pu_nameplate_numbers_init(&n->numbers, pu_host_loop(h));
	pu_list_init(&n->visitors);
	pu_timer_init(&n->ends, pu_host_loop(h), on_ends, n);
	r = pu_host_handle(h, PU_NAMEPLATE_PROTOCOL, on_stream, n);
	if (r < 0)
		free(n);
	else
		*pn = n;
	return r;
}

void pu_nameplates_free(struct pu_nameplates *n)
{
	bool open;

	if (!n)
		return;
	pu_host_unhandle(n->h, PU_NAMEPLATE_PROTOCOL);
	open = n->numbers.n > 0;
	PU_LIST_FOREACH (it, tmp, &n->visitors) {
		struct visitor *v = PU_CONTAINER_OF(it, struct visitor, node);

		v->number = 0;
		send_away(v, PU_STREAM_CODE_SHUTDOWN);
	}
	pu_timer_stop(&n->ends);
	if (open)
		told_open(n, false);
	free(n);
}

bool pu_nameplates_owns(const struct pu_nameplates *n, const struct pu_peerid *peer)
{
	return pu_nameplate_numbers_of(&n->numbers, peer) > 0;
}

size_t pu_nameplates_count(const struct pu_nameplates *n)
{
	return n->numbers.n;
}

int pu_nameplates_claim(struct pu_nameplates *n, pu_time until, unsigned *pnumber)
{
	struct pu_nameplate_number *p;
	int r = take(n, pu_host_id(n->h), 0, until, &p);

	if (r == 0)
		*pnumber = p->number;
	return r;
}

void pu_nameplates_release(struct pu_nameplates *n, unsigned number)
{
	struct pu_nameplate_number *p = pu_nameplate_numbers_find(&n->numbers, number);

	if (p && !p->holder)
		release(n, p);
}
