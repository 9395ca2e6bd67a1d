#include "p2p/circuit/relays.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/circuit/addr.h"
#include "p2p/circuit/ask.h"
#include "p2p/circuit/transport_internal.h"
#include "p2p/circuit/voucher.h"

enum {
	ASK_TIMEOUT_S = 15,
	PROBE_TIMEOUT_S = 5,       /* the network changed: is the connection still good? */
	RENEW_MARGIN_S = 300,
	RENEW_MIN_S = 2,
	TTL_MAX_S = 7 * 24 * 3600, /* what is told beyond is not believed */
	BACKOFF_MAX_S = 60,
	BACKOFF_SHIFT_MAX = 6,
};

struct relay {
	struct pu_list node;
	struct pu_relays *owner;
	struct pu_relay_info info;
	struct pu_multiaddr addrs[PU_RELAYS_ADDRS_MAX]; /* as configured, without /p2p */
	size_t n_addrs;
	struct pu_multiaddr told[PU_RELAYS_ADDRS_MAX]; /* circuit addresses it gave us */
	size_t n_told;
	struct pu_host_request *req;
	struct pu_circuit_ask *ask;
	struct pu_conn *asked; /* the connection of the ask */
	struct pu_conn *conn;  /* that the reservation was made on; NULL: there is none */
	pu_time expires_at;
	bool probing;
	unsigned failures; /* in a row */
	struct pu_timer timer; /* next attempt */
};

struct pu_relays {
	struct pu_host *h;
	pu_time interval;
	const struct pu_relays_events *ev;
	void *arg;
	struct pu_host_observer observer;
	struct pu_list relays; /* in the order of the configuration */
};

static struct pu_loop *loop_of(const struct pu_relays *r)
{
	return pu_host_loop(r->h);
}

static pu_time now_of(const struct relay *rl)
{
	return pu_loop_now(loop_of(rl->owner));
}

static struct relay *find(const struct pu_relays *r, const struct pu_peerid *id)
{
	PU_LIST_FOREACH(it, tmp, &r->relays) {
		struct relay *rl = PU_CONTAINER_OF(it, struct relay, node);

		if (pu_peerid_eq(&rl->info.relay, id))
			return rl;
	}
	return NULL;
}

static void tell(const struct relay *rl, enum pu_log_level level, const char *what)
{
	const struct pu_relays *r = rl->owner;
	char id[PU_PEERID_SHORT_MAX];

	pu_log(level, "relays", what, PU_KV_STR("relay", pu_peerid_short(&rl->info.relay, id)),
	       PU_KV_U64("status", rl->info.status), PU_KV_ERR(rl->info.err));
	if (r->ev && r->ev->on_change)
		r->ev->on_change(r->arg, &rl->info);
}

/* Advertising: the first address of every relay, then the second, … */

static void add_addr(struct pu_multiaddr *out, size_t *pn, const struct pu_multiaddr *ma)
{
	for (size_t i = 0; i < *pn; i++)
		if (pu_multiaddr_eq(&out[i], ma))
			return;
	if (*pn < PU_RELAYS_ADVERTISED_MAX)
		out[(*pn)++] = *ma;
}

static void advertise(struct pu_relays *r)
{
	struct pu_multiaddr out[PU_RELAYS_ADVERTISED_MAX];
	size_t n = 0;
	int err;

	for (size_t i = 0; i < PU_RELAYS_ADDRS_MAX; i++) {
		PU_LIST_FOREACH(it, tmp, &r->relays) {
			const struct relay *rl = PU_CONTAINER_OF(it, struct relay, node);

			if (rl->conn && i < rl->n_told)
				add_addr(out, &n, &rl->told[i]);
		}
	}
	err = pu_host_advertise(r->h, r, out, n);
	if (err < 0)
		pu_log(PU_LOG_WARN, "relays", "cannot advertise", PU_KV_ERR(err));
}

/* A relay on the internet has no business in our private network, nor in anybody's. */
static bool believable(const struct pu_multiaddr *base, const struct pu_conn *c)
{
	bool ip = pu_multiaddr_has(base, PU_MA_IP4) || pu_multiaddr_has(base, PU_MA_IP6);

	if (pu_multiaddr_kind(base) == PU_MA_KIND_OTHER || pu_multiaddr_is_unspecified(base))
		return false;
	if (pu_multiaddr_is_loopback(base))
		return pu_multiaddr_is_loopback(&c->remote);
	return !ip || pu_multiaddr_is_public(base) || !pu_multiaddr_is_public(&c->remote);
}

static void keep_addr(struct relay *rl, const struct pu_multiaddr *ma)
{
	struct pu_multiaddr circuit;

	if (rl->n_told == PU_RELAYS_ADDRS_MAX ||
	    pu_circuit_addr_make(ma, &rl->info.relay, &circuit) < 0)
		return;
	for (size_t i = 0; i < rl->n_told; i++)
		if (pu_multiaddr_eq(&rl->told[i], &circuit))
			return;
	rl->told[rl->n_told++] = circuit;
}

/* What the relay says about itself, then what the user said. */
static void keep_addrs(struct relay *rl, const struct pu_circuit_reservation *res,
		       const struct pu_conn *c)
{
	rl->n_told = 0;
	for (size_t i = 0; i < res->n_addrs; i++) {
		struct pu_multiaddr circuit, base;
		struct pu_peerid id;

		if (pu_circuit_addr_make(&res->addrs[i], &rl->info.relay, &circuit) == 0 &&
		    pu_circuit_addr_split(&circuit, &base, &id) == 0 && believable(&base, c))
			keep_addr(rl, &circuit);
	}
	for (size_t i = 0; i < rl->n_addrs; i++)
		keep_addr(rl, &rl->addrs[i]);
}

/* Planning. */

static void plan(struct relay *rl, pu_time at)
{
	rl->info.next_at = at;
	pu_timer_set(&rl->timer, at);
}

/* One second, two, four, … and a quarter more or less. */
static pu_time backoff(struct relay *rl)
{
	uint64_t ms = pu_min(1u << pu_min(rl->failures, BACKOFF_SHIFT_MAX), BACKOFF_MAX_S) * 1000;
	uint32_t random;

	rl->failures++;
	pu_loop_random(loop_of(rl->owner), &random, sizeof random);
	return PU_MS(ms * 3 / 4 + random % (ms / 2 + 1));
}

/* Early enough for a few more tries. */
static pu_time renew_after(const struct relay *rl, pu_time ttl)
{
	pu_time margin = PU_SEC(RENEW_MARGIN_S), after = ttl / 4 * 3;

	if (ttl > margin && ttl - margin < after)
		after = ttl - margin;
	if (after < ttl / 2)
		after = ttl / 2;
	if (rl->owner->interval && after > rl->owner->interval)
		after = rl->owner->interval;
	return after > PU_SEC(RENEW_MIN_S) ? after : PU_SEC(RENEW_MIN_S);
}

static void lose(struct relay *rl)
{
	rl->conn = NULL;
	rl->n_told = 0;
	rl->info.expires = 0;
	rl->info.voucher = false;
	advertise(rl->owner);
}

static void wait_until(struct relay *rl, pu_time at)
{
	rl->info.state = PU_RELAY_WAITING;
	plan(rl, at);
}

/* The relay does not want us, or cannot be believed. */
static bool is_final(int err)
{
	return err == PU_EDENIED || err == PU_ECRYPTO || err == PU_EPEERID || err == PU_EPROTO ||
	       err == PU_ENOPROTO;
}

/* A renewal that fails is tried again while the reservation lasts. */
static void attempt_failed(struct relay *rl, int err, uint32_t status)
{
	pu_time now = now_of(rl), next = now + backoff(rl);
	struct pu_conn *dead = rl->probing && err == PU_ETIMEDOUT ? rl->conn : NULL;

	rl->probing = false;
	rl->info.err = err;
	rl->info.status = status;
	if (rl->conn && now < rl->expires_at && !is_final(err)) {
		plan(rl, next < rl->expires_at ? next : rl->expires_at);
	} else {
		if (rl->conn)
			lose(rl);
		wait_until(rl, next);
	}
	tell(rl, PU_LOG_WARN, status ? "reservation refused" : "reservation failed");
	if (dead && !dead->closing)
		pu_conn_close(dead, PU_CONN_CODE_NORMAL); /* on_disconnected goes on */
}

/* What the relay says. */

static int check(const struct relay *rl, const struct pu_circuit_message *m, bool *pvoucher)
{
	const struct pu_circuit_reservation *res = &m->reservation;
	int64_t now = pu_loop_unix(loop_of(rl->owner));
	int r = pu_circuit_ask_err(m->status);

	if (r < 0)
		return r;
	if (!m->has_reservation || res->expires <= now)
		return PU_EPROTO;
	*pvoucher = res->voucher_len > 0;
	if (!*pvoucher)
		return 0;
	r = pu_circuit_voucher_check(pu_bytes(res->voucher, res->voucher_len), &rl->info.relay,
				     pu_host_id(rl->owner->h), now, NULL);
	return r == PU_ETIMEDOUT ? PU_EPROTO : r; /* it did answer in time */
}

static void accepted(struct relay *rl, const struct pu_circuit_message *m, struct pu_conn *c)
{
	struct pu_loop *loop = loop_of(rl->owner);
	int64_t ttl = m->reservation.expires - pu_loop_unix(loop);
	pu_time now = pu_loop_now(loop), lasts = PU_SEC(ttl < TTL_MAX_S ? ttl : TTL_MAX_S);
	bool renewed = rl->conn != NULL;

	rl->conn = c;
	rl->probing = false;
	rl->failures = 0;
	rl->expires_at = now + lasts;
	rl->info.state = PU_RELAY_RESERVED;
	rl->info.err = 0;
	rl->info.status = m->status;
	rl->info.expires = m->reservation.expires;
	rl->info.reserved_at = now;
	rl->info.limit = pu_circuit_limit_from(rl->owner->h, &c->peer, m);
	keep_addrs(rl, &m->reservation, c);
	plan(rl, now + renew_after(rl, lasts));
	advertise(rl->owner);
	tell(rl, PU_LOG_DEBUG, renewed ? "reservation renewed" : "reserved");
}

static void on_answer(void *arg, int err, const struct pu_circuit_message *m, struct pu_stream *st)
{
	struct relay *rl = arg;
	struct pu_conn *c = rl->asked;
	bool voucher = false;

	rl->ask = NULL;
	rl->asked = NULL;
	if (err == 0) {
		err = check(rl, m, &voucher);
		pu_stream_close(st);
		if (err == 0) {
			rl->info.voucher = voucher;
			accepted(rl, m, c);
			return;
		}
	}
	attempt_failed(rl, err, m ? m->status : 0);
}

/* Attempts. */

static void reserve(struct relay *rl, struct pu_conn *c)
{
	pu_time timeout = PU_SEC(rl->probing ? PROBE_TIMEOUT_S : ASK_TIMEOUT_S);
	int r = pu_circuit_ask(rl->owner->h, c, PU_CIRCUIT_RESERVE, NULL, timeout, on_answer, rl,
			       &rl->ask);

	if (r < 0) {
		attempt_failed(rl, r, 0);
		return;
	}
	rl->asked = c;
	if (!rl->conn)
		rl->info.state = PU_RELAY_RESERVING;
}

static void on_connect(void *arg, int err, struct pu_conn *c)
{
	struct relay *rl = arg;

	rl->req = NULL;
	if (err < 0)
		attempt_failed(rl, err, 0);
	else
		reserve(rl, c);
}

/* A reservation is renewed where it was made. */
static void attempt(void *arg)
{
	struct relay *rl = arg;
	int r;

	if (rl->req || rl->ask)
		return;
	pu_timer_stop(&rl->timer);
	rl->info.next_at = 0;
	if (rl->conn && now_of(rl) >= rl->expires_at)
		lose(rl);
	if (rl->conn && !rl->conn->closing) {
		reserve(rl, rl->conn);
		return;
	}
	rl->info.state = PU_RELAY_CONNECTING;
	pu_host_forget_failures(rl->owner->h, &rl->info.relay);
	r = pu_host_connect_direct(rl->owner->h, &rl->info.relay, on_connect, rl, &rl->req);
	if (r < 0)
		attempt_failed(rl, r, 0);
}

/* Connections come and go. */

static void on_connected(void *arg, struct pu_conn *c)
{
	struct relay *rl = c->limited ? NULL : find(arg, &c->peer);

	if (rl && rl->info.state == PU_RELAY_WAITING && rl->info.status == 0)
		plan(rl, now_of(rl));
}

static void on_disconnected(void *arg, struct pu_conn *c, int err, uint64_t code, bool last)
{
	struct relay *rl = find(arg, &c->peer);

	(void)code;
	(void)last;
	if (!rl || rl->conn != c)
		return;
	if (rl->ask && rl->asked == c)
		pu_circuit_ask_cancel(rl->ask);
	if (rl->asked == c) {
		rl->ask = NULL;
		rl->asked = NULL;
	}
	lose(rl);
	rl->probing = false;
	rl->failures = 0;
	rl->info.err = err;
	wait_until(rl, now_of(rl));
	tell(rl, PU_LOG_INFO, "relay connection lost");
}

void pu_relays_network_changed(struct pu_relays *r)
{
	PU_LIST_FOREACH(it, tmp, &r->relays) {
		struct relay *rl = PU_CONTAINER_OF(it, struct relay, node);

		rl->failures = 0;
		pu_host_forget_failures(r->h, &rl->info.relay);
		if (rl->req || rl->ask)
			continue;
		rl->probing = rl->conn != NULL;
		plan(rl, now_of(rl));
	}
}

/* The list of the user. */

static void relay_free(struct relay *rl)
{
	struct pu_relays *r = rl->owner;

	pu_timer_stop(&rl->timer);
	if (rl->req)
		pu_host_cancel(r->h, rl->req);
	if (rl->ask)
		pu_circuit_ask_cancel(rl->ask);
	for (size_t i = 0; i < rl->n_addrs; i++)
		pu_host_remove_addr(r->h, &rl->info.relay, &rl->addrs[i]);
	pu_host_protect(r->h, &rl->info.relay, false);
	pu_list_remove(&rl->node);
	free(rl);
}

static struct relay *relay_new(struct pu_relays *r, const struct pu_peerid *id)
{
	struct relay *rl = calloc(1, sizeof *rl);

	if (!rl)
		return NULL;
	rl->owner = r;
	rl->info.relay = *id;
	rl->info.state = PU_RELAY_WAITING;
	pu_timer_init(&rl->timer, loop_of(r), attempt, rl);
	pu_list_append(&r->relays, &rl->node);
	pu_host_protect(r->h, id, true);
	return rl;
}

/* One relay of the new list, with all of its addresses. */
struct wanted {
	struct pu_peerid relay;
	struct pu_multiaddr addrs[PU_RELAYS_ADDRS_MAX];
	size_t n;
};

static int want(struct wanted *list, size_t *pn, const struct pu_multiaddr *ma,
		const struct pu_peerid *us)
{
	struct pu_multiaddr base;
	struct pu_peerid id;
	struct wanted *w = NULL;

	if (pu_multiaddr_split_peer(ma, &base, &id) < 0 || pu_peerid_eq(&id, us) ||
	    base.len == 0 || pu_multiaddr_has(&base, PU_MA_P2P_CIRCUIT))
		return PU_EINVAL;
	for (size_t i = 0; i < *pn; i++)
		if (pu_peerid_eq(&list[i].relay, &id))
			w = &list[i];
	if (!w && *pn == PU_RELAYS_MAX)
		return PU_ELIMIT;
	if (!w) {
		w = &list[(*pn)++];
		w->relay = id;
	}
	for (size_t i = 0; i < w->n; i++)
		if (pu_multiaddr_eq(&w->addrs[i], &base))
			return 0;
	if (w->n == PU_RELAYS_ADDRS_MAX)
		return PU_ELIMIT;
	w->addrs[w->n++] = base;
	return 0;
}

static bool lists(const struct pu_multiaddr *list, size_t n, const struct pu_multiaddr *ma)
{
	for (size_t i = 0; i < n; i++)
		if (pu_multiaddr_eq(&list[i], ma))
			return true;
	return false;
}

static int take_addrs(struct relay *rl, const struct wanted *w)
{
	struct pu_host *h = rl->owner->h;
	int r = 0;

	for (size_t i = 0; i < rl->n_addrs; i++)
		if (!lists(w->addrs, w->n, &rl->addrs[i]))
			pu_host_remove_addr(h, &w->relay, &rl->addrs[i]);
	for (size_t i = 0; i < w->n && r == 0; i++)
		if (!lists(rl->addrs, rl->n_addrs, &w->addrs[i]))
			r = pu_host_add_addr(h, &w->relay, &w->addrs[i], true);
	memcpy(rl->addrs, w->addrs, w->n * sizeof *w->addrs);
	rl->n_addrs = w->n;
	rl->info.addr = w->addrs[0];
	return r;
}

static int apply_one(struct pu_relays *r, const struct wanted *w)
{
	struct relay *rl = find(r, &w->relay);
	int err;

	if (!rl)
		rl = relay_new(r, &w->relay);
	if (!rl)
		return PU_ENOMEM;
	/* Into the order of the list. */
	pu_list_remove(&rl->node);
	pu_list_append(&r->relays, &rl->node);
	err = take_addrs(rl, w);
	if (rl->info.state == PU_RELAY_WAITING)
		plan(rl, now_of(rl));
	return err;
}

static bool is_wanted(const struct wanted *list, size_t n, const struct pu_peerid *relay)
{
	for (size_t i = 0; i < n; i++)
		if (pu_peerid_eq(&list[i].relay, relay))
			return true;
	return false;
}

int pu_relays_set(struct pu_relays *r, const struct pu_multiaddr *addrs, size_t n)
{
	struct wanted *list = calloc(PU_RELAYS_MAX, sizeof *list);
	size_t n_list = 0;
	int err = list ? 0 : PU_ENOMEM;

	for (size_t i = 0; i < n && err == 0; i++)
		err = want(list, &n_list, &addrs[i], pu_host_id(r->h));
	if (err < 0)
		goto out;
	PU_LIST_FOREACH(it, tmp, &r->relays) {
		struct relay *rl = PU_CONTAINER_OF(it, struct relay, node);

		if (!is_wanted(list, n_list, &rl->info.relay))
			relay_free(rl);
	}
	for (size_t i = 0; i < n_list && err == 0; i++)
		err = apply_one(r, &list[i]);
	advertise(r);
out:
	free(list);
	return err;
}

int pu_relays_new(struct pu_host *h, pu_time interval, const struct pu_relays_events *ev, void *arg,
		  struct pu_relays **pr)
{
	struct pu_relays *r = calloc(1, sizeof *r);

	if (!r)
		return PU_ENOMEM;
	r->h = h;
	r->interval = interval;
	r->ev = ev;
	r->arg = arg;
	pu_list_init(&r->relays);
	r->observer.on_connected = on_connected;
	r->observer.on_disconnected = on_disconnected;
	r->observer.arg = r;
	pu_host_observe(h, &r->observer);
	*pr = r;
	return 0;
}

void pu_relays_free(struct pu_relays *r)
{
	if (!r)
		return;
	pu_host_unobserve(r->h, &r->observer);
	PU_LIST_FOREACH(it, tmp, &r->relays)
		relay_free(PU_CONTAINER_OF(it, struct relay, node));
	pu_host_advertise(r->h, r, NULL, 0);
	free(r);
}

/* Questions. */

size_t pu_relays_list(const struct pu_relays *r, struct pu_relay_info *out, size_t cap)
{
	size_t n = 0;

	PU_LIST_FOREACH(it, tmp, &r->relays)
		if (n < cap)
			out[n++] = PU_CONTAINER_OF(it, struct relay, node)->info;
	return n;
}

/* Relays that hold a reservation for us are the ones that work. */
size_t pu_relays_circuits_to(const struct pu_relays *r, const struct pu_peerid *peer,
			     struct pu_multiaddr *out, size_t cap)
{
	size_t n = 0;

	for (int reserved = 1; reserved >= 0; reserved--) {
		PU_LIST_FOREACH(it, tmp, &r->relays) {
			const struct relay *rl = PU_CONTAINER_OF(it, struct relay, node);

			if ((rl->conn != NULL) != reserved || pu_peerid_eq(&rl->info.relay, peer))
				continue;
			for (size_t i = 0; i < rl->n_addrs && n < cap; i++)
				n += pu_circuit_addr_make(&rl->addrs[i], &rl->info.relay, &out[n]) == 0;
		}
	}
	return n;
}
