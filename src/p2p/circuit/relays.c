#include "p2p/circuit/relays.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/circuit/relays_internal.h"
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
	BRIEF_S = 10, /* a relay that grants and hangs up sooner is not to be trusted */
};

static struct pu_loop *loop_of(const struct pu_relays *r)
{
	return pu_host_loop(r->h);
}

static pu_time now_of(const struct pu_relay *rl)
{
	return pu_loop_now(loop_of(rl->owner));
}

struct pu_relay *pu_relays_find(const struct pu_relays *r, const struct pu_peerid *id)
{
	PU_LIST_FOREACH(it, tmp, &r->relays) {
		struct pu_relay *rl = PU_CONTAINER_OF(it, struct pu_relay, node);

		if (pu_peerid_eq(&rl->info.relay, id))
			return rl;
	}
	return NULL;
}

static void tell(struct pu_relay *rl, enum pu_log_level level, const char *what)
{
	const struct pu_relays *r = rl->owner;
	char id[PU_PEERID_SHORT_MAX];

	pu_log(level, "relays", what, PU_KV_STR("relay", pu_peerid_short(&rl->info.relay, id)),
	       PU_KV_U64("status", rl->info.status), PU_KV_ERR(rl->info.err));
	rl->info.news = !rl->announced || rl->announced_state != rl->info.state;
	rl->announced = true;
	rl->announced_state = rl->info.state;
	if (r->ev && r->ev->on_change)
		r->ev->on_change(r->arg, &rl->info);
}

/* Planning. */

void pu_relays_plan(struct pu_relay *rl, pu_time at)
{
	rl->info.next_at = at;
	pu_timer_set(&rl->timer, at);
}

/* One second, two, four, … and a quarter more or less. */
static pu_time backoff(struct pu_relay *rl)
{
	uint64_t ms = pu_min(1u << pu_min(rl->failures, BACKOFF_SHIFT_MAX), BACKOFF_MAX_S) * 1000;
	uint32_t random;

	rl->failures++;
	pu_loop_random(loop_of(rl->owner), &random, sizeof random);
	return PU_MS(ms * 3 / 4 + random % (ms / 2 + 1));
}

/* Early enough for a few more tries. */
static pu_time renew_after(const struct pu_relay *rl, pu_time ttl)
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

static void lose(struct pu_relay *rl)
{
	rl->conn = NULL;
	rl->n_told = 0;
	rl->info.expires = 0;
	rl->info.voucher = false;
	pu_relays_advertise(rl->owner);
}

static void wait_until(struct pu_relay *rl, pu_time at)
{
	rl->info.state = PU_RELAY_WAITING;
	pu_relays_plan(rl, at);
}

/* The relay does not want us, or cannot be believed. */
static bool is_final(int err)
{
	return err == PU_EDENIED || err == PU_ECRYPTO || err == PU_EPEERID || err == PU_EPROTO ||
	       err == PU_ENOPROTO;
}

/* A renewal that fails is tried again while the reservation lasts. */
static void attempt_failed(struct pu_relay *rl, int err, uint32_t status)
{
	pu_time now = now_of(rl), next = now + backoff(rl);
	struct pu_conn *dead = rl->probing && err == PU_ETIMEDOUT ? rl->conn : NULL;

	rl->probing = false;
	rl->info.err = err;
	rl->info.status = status;
	if (rl->conn && now < rl->expires_at && !is_final(err)) {
		pu_relays_plan(rl, next < rl->expires_at ? next : rl->expires_at);
	} else {
		if (rl->conn)
			lose(rl);
		wait_until(rl, next);
	}
	/* Once is enough for a relay that stays away. */
	tell(rl, rl->failures == 1 ? PU_LOG_WARN : PU_LOG_DEBUG,
	     status ? "reservation refused" : "reservation failed");
	if (dead && !dead->closing)
		pu_conn_close(dead, PU_CONN_CODE_NORMAL); /* on_disconnected goes on */
}

/* What the relay says. */

static int check(const struct pu_relay *rl, const struct pu_circuit_message *m, bool *pvoucher)
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

static void accepted(struct pu_relay *rl, const struct pu_circuit_message *m, struct pu_conn *c)
{
	struct pu_loop *loop = loop_of(rl->owner);
	int64_t ttl = m->reservation.expires - pu_loop_unix(loop);
	pu_time now = pu_loop_now(loop), lasts = PU_SEC(ttl < TTL_MAX_S ? ttl : TTL_MAX_S);
	bool renewed = rl->conn != NULL;

	if (!renewed)
		rl->held_since = now;
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
	pu_relays_keep_addrs(rl, &m->reservation, c);
	pu_relays_plan(rl, now + renew_after(rl, lasts));
	pu_relays_advertise(rl->owner);
	tell(rl, PU_LOG_DEBUG, renewed ? "reservation renewed" : "reserved");
}

static void on_answer(void *arg, int err, const struct pu_circuit_message *m, struct pu_stream *st)
{
	struct pu_relay *rl = arg;
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

static void reserve(struct pu_relay *rl, struct pu_conn *c)
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
	struct pu_relay *rl = arg;

	rl->req = NULL;
	if (err < 0)
		attempt_failed(rl, err, 0);
	else
		reserve(rl, c);
}

/* A reservation is renewed where it was made. */
void pu_relays_attempt(void *arg)
{
	struct pu_relay *rl = arg;
	struct pu_host *h = rl->owner->h;
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
	for (size_t i = 0; i < rl->n_addrs; i++)
		pu_host_add_addr(h, &rl->info.relay, &rl->addrs[i], true);
	pu_host_forget_failures(h, &rl->info.relay);
	r = pu_host_connect_direct(h, &rl->info.relay, on_connect, rl, &rl->req);
	if (r < 0)
		attempt_failed(rl, r, 0);
}

/* Connections come and go. */

static void forget_ask(struct pu_relay *rl)
{
	if (rl->ask)
		pu_circuit_ask_cancel(rl->ask);
	rl->ask = NULL;
	rl->asked = NULL;
}

static void on_connected(void *arg, struct pu_conn *c)
{
	struct pu_relay *rl = c->limited ? NULL : pu_relays_find(arg, &c->peer);

	if (rl && rl->info.state == PU_RELAY_WAITING && rl->info.status == 0)
		pu_relays_plan(rl, now_of(rl));
}

static void on_disconnected(void *arg, struct pu_conn *c, int err, uint64_t code, bool last)
{
	struct pu_relay *rl = pu_relays_find(arg, &c->peer);

	(void)code;
	(void)last;
	if (!rl || rl->conn != c)
		return;
	forget_ask(rl);
	lose(rl);
	rl->probing = false;
	rl->n_brief = now_of(rl) - rl->held_since < PU_SEC(BRIEF_S) ? rl->n_brief + 1 : 0;
	rl->failures = rl->n_brief ? rl->n_brief - 1 : 0;
	rl->info.err = err;
	wait_until(rl, now_of(rl) + (rl->n_brief ? backoff(rl) : 0));
	tell(rl, PU_LOG_INFO, "relay connection lost");
}

void pu_relays_network_changed(struct pu_relays *r)
{
	PU_LIST_FOREACH(it, tmp, &r->relays) {
		struct pu_relay *rl = PU_CONTAINER_OF(it, struct pu_relay, node);

		rl->failures = rl->n_brief = 0;
		pu_host_forget_failures(r->h, &rl->info.relay);
		if (rl->req)
			continue;
		forget_ask(rl);
		rl->probing = rl->conn != NULL;
		pu_relays_plan(rl, now_of(rl));
	}
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
		pu_relays_give_up(PU_CONTAINER_OF(it, struct pu_relay, node));
	pu_host_advertise(r->h, r, NULL, 0);
	free(r);
}
