#include <stdlib.h>

#include "base/err.h"
#include "p2p/host/dialer.h"

/* In order of preference. */
enum carrier { CARRIER_QUIC, CARRIER_TCP, CARRIER_WS, CARRIER_CIRCUIT };

static enum carrier carrier_of(const struct pu_multiaddr *ma)
{
	switch (pu_multiaddr_kind(ma)) {
	case PU_MA_KIND_QUIC:
		return CARRIER_QUIC;
	case PU_MA_KIND_WS:
	case PU_MA_KIND_WSS:
		return CARRIER_WS;
	case PU_MA_KIND_CIRCUIT:
		return CARRIER_CIRCUIT;
	case PU_MA_KIND_TCP:
	case PU_MA_KIND_OTHER:
		break;
	}
	return CARRIER_TCP;
}

static bool is_circuit(const struct pu_multiaddr *ma)
{
	return carrier_of(ma) == CARRIER_CIRCUIT;
}

static bool is_ip6(const struct pu_multiaddr *ma)
{
	return pu_multiaddr_has(ma, PU_MA_IP6);
}

/* Names count as public: they are resolved for a reason. */
static bool is_private(const struct pu_multiaddr *ma)
{
	return (pu_multiaddr_has(ma, PU_MA_IP4) || is_ip6(ma)) && !pu_multiaddr_is_public(ma);
}

/* Gives one kind of addresses of one group their delays: IPv6 at once, IPv4 a step
 * later if there was IPv6, everything else of the kind after another step. Returns
 * when the next kind may start. */
static pu_time rank_kind(struct pu_dial_plan *plan, size_t n, bool private, enum carrier carrier,
			 pu_time at, pu_time step)
{
	bool any6 = false, any4 = false;
	pu_time rest = at;

	for (size_t i = 0; i < n; i++) {
		const struct pu_multiaddr *ma = &plan[i].ma;

		if (is_private(ma) != private || carrier_of(ma) != carrier)
			continue;
		if (is_ip6(ma))
			any6 = true;
		else
			any4 = true;
	}
	if (!any6 && !any4)
		return at;
	rest = at + (any6 && any4 ? 2 * step : step);
	for (size_t i = 0, seen6 = 0, seen4 = 0; i < n; i++) {
		const struct pu_multiaddr *ma = &plan[i].ma;

		if (is_private(ma) != private || carrier_of(ma) != carrier)
			continue;
		if (is_ip6(ma))
			plan[i].delay = seen6++ ? rest : at;
		else
			plan[i].delay = seen4++ ? rest : any6 ? at + step : at;
	}
	return rest;
}

static bool relay_of(const struct pu_multiaddr *ma, struct pu_ma_part *relay)
{
	struct pu_ma_part part;
	size_t off = 0;

	relay->code = 0;
	while (is_circuit(ma) && pu_multiaddr_next(ma, &off, &part))
		if (part.code == PU_MA_P2P)
			*relay = part;
	return relay->code == PU_MA_P2P;
}

/* Addresses before the i-th that lead through the same relay: one at a time does. */
static unsigned same_relay_before(const struct pu_dial_plan *plan, size_t i)
{
	struct pu_ma_part ours, other;
	unsigned n = 0;

	if (!relay_of(&plan[i].ma, &ours))
		return 0;
	for (size_t j = 0; j < i; j++)
		n += relay_of(&plan[j].ma, &other) && pu_bytes_eq(ours.value, other.value);
	return n;
}

static int by_delay(const void *pa, const void *pb)
{
	const struct pu_dial_plan *a = pa, *b = pb;

	return (a->delay > b->delay) - (a->delay < b->delay);
}

void pu_dialer_rank(struct pu_dial_plan *plan, size_t n)
{
	bool direct = false;

	for (int private = 0; private <= 1; private++) {
		pu_time step =
			PU_MS(private ? PU_DIALER_STEP_PRIVATE_MS : PU_DIALER_STEP_PUBLIC_MS);
		pu_time at = 0;

		for (enum carrier c = CARRIER_QUIC; c <= CARRIER_WS; c++)
			at = rank_kind(plan, n, private, c, at, step);
	}
	for (size_t i = 0; i < n; i++)
		direct |= !is_circuit(&plan[i].ma);
	for (size_t i = 0; i < n; i++)
		if (is_circuit(&plan[i].ma))
			plan[i].delay =
				(direct ? PU_MS(PU_DIALER_CIRCUIT_MS) : 0) +
				same_relay_before(plan, i) * PU_MS(PU_DIALER_STEP_PUBLIC_MS);
	if (n > 1)
		qsort(plan, n, sizeof *plan, by_delay);
}

bool pu_dialer_got_answer(int err)
{
	return err == PU_ERESET || err == PU_ECLOSED || err == PU_ENOPROTO || err == PU_EPROTO ||
	       err == PU_ECRYPTO || err == PU_EPEERID || err == PU_EDENIED || err == PU_EEOF;
}
