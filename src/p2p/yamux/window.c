#include "p2p/yamux/window.h"

#include "base/err.h"
#include "p2p/yamux/session.h"

enum { GROW_WITHIN_RTTS = 4 };

/* The round trip of an idle path says little on a fast one, where the turns of two
 * busy event loops are longer than the wire: there, be generous. */
#define RTT_FLOOR PU_MS(2)

void pu_yamux_window_init(struct pu_yamux_window *w, uint32_t max, pu_time now)
{
	*w = (struct pu_yamux_window){
		.size = PU_YAMUX_WINDOW_INITIAL,
		.max = max,
		.allowed = PU_YAMUX_WINDOW_INITIAL,
		.epoch = now,
	};
}

int pu_yamux_window_recv(struct pu_yamux_window *w, uint32_t n)
{
	if (n > w->allowed)
		return PU_EPROTO;
	w->allowed -= n;
	return 0;
}

static uint32_t growth(const struct pu_yamux_window *w, pu_time now, pu_time rtt, size_t budget)
{
	if (w->size >= w->max)
		return 0;
	if (now - w->epoch > GROW_WITHIN_RTTS * (rtt > RTT_FLOOR ? rtt : RTT_FLOOR))
		return 0;
	return (uint32_t)pu_min(pu_min(w->size, w->max - w->size), budget);
}

uint32_t pu_yamux_window_take(struct pu_yamux_window *w, uint32_t n, pu_time now, pu_time rtt,
			      size_t budget)
{
	uint32_t grown;

	w->credit += n;
	w->taken += n;
	if (w->taken < w->size)
		return 0;
	grown = growth(w, now, rtt, budget);
	w->size += grown;
	w->credit += grown;
	w->taken = 0;
	w->epoch = now;
	return grown;
}

bool pu_yamux_window_due(const struct pu_yamux_window *w)
{
	return w->credit >= w->size / 2;
}

uint32_t pu_yamux_window_announce(struct pu_yamux_window *w)
{
	uint32_t credit = w->credit;

	w->allowed += credit;
	w->credit = 0;
	return credit;
}
