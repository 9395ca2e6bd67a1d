#include "overlay/renewal.h"

enum {
	LOOK_MIN_MS = 250,
	LOOK_MAX_MS = 10000,
};

void pu_renewal_begin(struct pu_renewal *r, const struct pu_conn *c,
		      const struct pu_circuit_limit *limit, pu_time now)
{
	*r = (struct pu_renewal){ .looked_at = now };
	if (!c || !limit || (limit->duration == 0 && limit->data == 0))
		return;
	r->c = c;
	r->limit = *limit;
	r->not_before = c->opened_at + PU_MS(PU_RENEWAL_MIN_MS);
}

static uint64_t bytes_of(const struct pu_conn *c)
{
	return pu_max(c->rx_bytes, c->tx_bytes);
}

/* Who was called waits a little longer: usually the caller calls again. */
static uint64_t share(const struct pu_conn *c, uint64_t whole, unsigned percent)
{
	if (c->inbound)
		percent += (100 - percent) / 2;
	return whole / 100 * percent;
}

static pu_time end_of_time(const struct pu_renewal *r)
{
	if (r->limit.duration == 0)
		return PU_TIME_NEVER;
	return r->c->opened_at + share(r->c, r->limit.duration, PU_RENEWAL_PERCENT);
}

bool pu_renewal_is_due(const struct pu_renewal *r, pu_time now)
{
	if (!r->c || now < r->not_before)
		return false;
	return now >= end_of_time(r) ||
	       (r->limit.data &&
		bytes_of(r->c) >= share(r->c, r->limit.data, PU_RENEWAL_DATA_PERCENT));
}

/* Half the time in which the bytes that are left would be spent, at the rate of late. */
static pu_time time_of_bytes(struct pu_renewal *r, pu_time now)
{
	uint64_t bytes = bytes_of(r->c), end = share(r->c, r->limit.data, PU_RENEWAL_DATA_PERCENT);
	double left = end > bytes ? (double)(end - bytes) : 0;
	double spent = (double)(bytes - r->bytes), passed = (double)(now - r->looked_at);
	double wait = spent > 0 && passed > 0 ? left / spent * passed / 2 : PU_MS(LOOK_MAX_MS);

	r->bytes = bytes;
	r->looked_at = now;
	if (wait > PU_MS(LOOK_MAX_MS))
		return PU_MS(LOOK_MAX_MS);
	return pu_max((pu_time)wait, PU_MS(LOOK_MIN_MS));
}

pu_time pu_renewal_next_look(struct pu_renewal *r, pu_time now)
{
	pu_time at;

	if (!r->c)
		return PU_TIME_NEVER;
	at = end_of_time(r);
	if (r->limit.data)
		at = pu_min(at, now + time_of_bytes(r, now));
	return pu_max(at, r->not_before);
}

void pu_renewal_later(struct pu_renewal *r, pu_time at)
{
	r->not_before = pu_max(r->not_before, at);
}
