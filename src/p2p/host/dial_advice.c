#include "p2p/host/dial_advice.h"

#include "base/err.h"
#include "p2p/host/state.h"

/* What is private says nothing about the way out, nor does a circuit. */
static bool is_telling(const struct pu_multiaddr *ma)
{
	return pu_multiaddr_is_public(ma) && pu_multiaddr_kind(ma) != PU_MA_KIND_CIRCUIT;
}

void pu_dial_advice_note(struct pu_host *h, const struct pu_multiaddr *ma, int err)
{
	bool ok = err == 0 || err == PU_EREFUSED || pu_dialer_got_answer(err);

	if (!is_telling(ma))
		return;
	if (pu_multiaddr_has(ma, PU_MA_UDP))
		pu_black_hole_note(&h->no_udp, ok);
	if (pu_multiaddr_has(ma, PU_MA_IP6))
		pu_black_hole_note(&h->no_ip6, ok);
}

size_t pu_dial_advice_filter(struct pu_host *h, struct pu_dial_plan *plan, size_t n, bool luxury)
{
	bool udp = pu_black_hole_allows(&h->no_udp), ip6 = pu_black_hole_allows(&h->no_ip6);
	size_t kept = 0;

	if (udp && ip6)
		return n;
	for (size_t i = 0; i < n; i++) {
		const struct pu_multiaddr *ma = &plan[i].ma;
		bool lost = is_telling(ma) &&
			    ((!udp && pu_multiaddr_has(ma, PU_MA_UDP)) ||
			     (!ip6 && pu_multiaddr_has(ma, PU_MA_IP6)));
		struct pu_dial_plan keep = plan[i];

		if (lost)
			continue;
		plan[i] = plan[kept];
		plan[kept++] = keep;
	}
	return kept > 0 || luxury ? kept : n;
}

void pu_dial_advice_order(struct pu_host *h, struct pu_dial_plan *plan, size_t n)
{
	struct pu_peerid relay;
	bool any = false, own[PU_DIALER_ATTEMPTS_MAX];

	for (size_t i = 0; i < n; i++) {
		bool circuit = pu_host_relay_of(&plan[i].ma, &relay);
		const struct pu_peer *p = circuit ? pu_peerstore_find(&h->peers, &relay) : NULL;

		own[i] = !circuit || (p && p->own_relay);
		any |= circuit && own[i];
	}
	for (size_t i = 0; any && i < n; i++)
		if (!own[i])
			plan[i].delay += PU_MS(PU_DIALER_STEP_PUBLIC_MS);
}
