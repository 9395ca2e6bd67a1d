#include "p2p/yamux/ping.h"

#include "base/err.h"
#include "p2p/yamux/frame.h"
#include "p2p/yamux/session_internal.h"

#define INTERVAL PU_SEC(PU_YAMUX_PING_INTERVAL_S)
#define TIMEOUT PU_SEC(PU_YAMUX_PING_TIMEOUT_S)

static void send_request(struct pu_yamux_ping *pg)
{
	pg->waiting = true;
	pg->value++;
	pg->sent = pu_loop_now(pg->timer.loop);
	pu_timer_set(&pg->timer, pg->sent + TIMEOUT);
	pu_yamux_queue_frame(pg->ym, PU_YAMUX_PING, PU_YAMUX_SYN, 0, pg->value);
}

/* A reply may be late because much data is queued before it, in either direction;
 * then something else has arrived meanwhile. */
static void check_reply(struct pu_yamux_ping *pg)
{
	pu_time alive = pg->last_input > pg->sent ? pg->last_input : pg->sent;

	if (pu_loop_now(pg->timer.loop) - alive >= TIMEOUT)
		pu_yamux_fail(pg->ym, PU_ETIMEDOUT);
	else
		pu_timer_set(&pg->timer, alive + TIMEOUT);
}

static void on_timer(void *arg)
{
	struct pu_yamux_ping *pg = arg;

	if (pg->waiting) {
		check_reply(pg);
	} else {
		send_request(pg);
		pu_yamux_trim(pg->ym);
	}
}

void pu_yamux_ping_start(struct pu_yamux_ping *pg, struct pu_yamux *ym)
{
	*pg = (struct pu_yamux_ping){ .ym = ym };
	pu_timer_init(&pg->timer, ym->loop, on_timer, pg);
	if (!ym->no_ping)
		send_request(pg);
}

void pu_yamux_ping_now(struct pu_yamux_ping *pg)
{
	if (!pg->waiting)
		send_request(pg);
}

void pu_yamux_ping_stop(struct pu_yamux_ping *pg)
{
	pu_timer_stop(&pg->timer);
}

void pu_yamux_ping_on_reply(struct pu_yamux_ping *pg, uint32_t value)
{
	pu_time now = pu_loop_now(pg->timer.loop);
	pu_time sample = now - pg->sent;

	if (!pg->waiting || value != pg->value)
		return;
	pg->waiting = false;
	/* 0 means unknown. Old samples fade fast: there are few of them. */
	sample = sample ? sample : 1;
	pg->rtt = pg->rtt ? (pg->rtt + sample + 1) / 2 : sample;
	pu_timer_set(&pg->timer, pg->sent + INTERVAL);
}
