/* The circuit addresses that reservations give us. */
#include "base/err.h"
#include "base/log.h"
#include "p2p/circuit/addr.h"
#include "p2p/circuit/relays_internal.h"

bool pu_relays_lists(const struct pu_multiaddr *list, size_t n, const struct pu_multiaddr *ma)
{
	for (size_t i = 0; i < n; i++)
		if (pu_multiaddr_eq(&list[i], ma))
			return true;
	return false;
}

/* Advertising: the first address of every relay, then the second, … */

static void add_addr(struct pu_multiaddr *out, size_t *pn, const struct pu_multiaddr *ma)
{
	if (*pn < PU_RELAYS_ADVERTISED_MAX && !pu_relays_lists(out, *pn, ma))
		out[(*pn)++] = *ma;
}

void pu_relays_advertise(struct pu_relays *r)
{
	struct pu_multiaddr out[PU_RELAYS_ADVERTISED_MAX];
	size_t n = 0;
	int err;

	for (size_t i = 0; i < PU_RELAYS_ADDRS_MAX; i++) {
		PU_LIST_FOREACH(it, tmp, &r->relays) {
			const struct pu_relay *rl = PU_CONTAINER_OF(it, struct pu_relay, node);

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

static void keep_addr(struct pu_relay *rl, const struct pu_multiaddr *ma)
{
	struct pu_multiaddr circuit;

	if (rl->n_told < PU_RELAYS_ADDRS_MAX &&
	    pu_circuit_addr_make(ma, &rl->info.relay, &circuit) == 0 &&
	    !pu_relays_lists(rl->told, rl->n_told, &circuit))
		rl->told[rl->n_told++] = circuit;
}

/* What the relay says about itself, then what the user said. */
void pu_relays_keep_addrs(struct pu_relay *rl, const struct pu_circuit_reservation *res,
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

/* Relays that hold a reservation for us are the ones that work. */
size_t pu_relays_circuits_to(const struct pu_relays *r, const struct pu_peerid *peer,
			     struct pu_multiaddr *out, size_t cap)
{
	size_t n = 0;

	for (int reserved = 1; reserved >= 0; reserved--) {
		PU_LIST_FOREACH(it, tmp, &r->relays) {
			const struct pu_relay *rl = PU_CONTAINER_OF(it, struct pu_relay, node);

			if ((rl->conn != NULL) != reserved || pu_peerid_eq(&rl->info.relay, peer))
				continue;
			for (size_t i = 0; i < rl->n_addrs && n < cap; i++)
				n += pu_circuit_addr_make(&rl->addrs[i], &rl->info.relay,
							  &out[n]) == 0;
		}
	}
	return n;
}
