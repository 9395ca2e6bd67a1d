#include "p2p/dcutr/addrs.h"

#include "p2p/dcutr/message.h"

enum {
	OBSERVED_MAX = 32,
	OWN_MAX = 64,
	PER_KIND_MAX = PU_DCUTR_TARGETS_MAX / 2,
};

/* A punch goes to an IP address and a port. */
static bool usable(const struct pu_multiaddr *ma, enum pu_ma_kind kind, bool private_addrs)
{
	union pu_sockaddr sa;

	if (pu_multiaddr_kind(ma) != kind || pu_multiaddr_to_sockaddr(ma, &sa) < 0 ||
	    sa.v4.sin_port == 0)
		return false;
	if (pu_multiaddr_is_public(ma))
		return true;
	return private_addrs && !pu_multiaddr_is_loopback(ma) && !pu_multiaddr_is_unspecified(ma);
}

static void add_kind(const struct pu_multiaddr *from, size_t n, enum pu_ma_kind kind,
		     bool private_addrs, struct pu_multiaddr *out, size_t cap, size_t *pn)
{
	for (size_t i = 0; i < n; i++)
		if (usable(&from[i], kind, private_addrs))
			pu_multiaddr_add(out, cap, pn, &from[i]);
}

/* Nobody has seen our port of that kind: many NATs keep ports, so it may well be the inner
 * one, at the address that somebody saw us have otherwise. */
static void add_guesses(const struct pu_multiaddr *seen, size_t n_seen,
			const struct pu_multiaddr *ours, size_t n_ours, enum pu_ma_kind kind,
			struct pu_multiaddr *out, size_t cap, size_t *pn)
{
	for (size_t i = 0; i < *pn; i++)
		if (pu_multiaddr_kind(&out[i]) == kind)
			return;
	for (size_t i = 0; i < n_seen; i++)
		for (size_t j = 0; j < n_ours; j++) {
			struct pu_multiaddr guess;
			union pu_sockaddr a, b;

			if (!usable(&ours[j], kind, true) ||
			    pu_multiaddr_to_sockaddr(&seen[i], &a) < 0 ||
			    pu_multiaddr_to_sockaddr(&ours[j], &b) < 0 ||
			    a.sa.sa_family != b.sa.sa_family)
				continue;
			a.v4.sin_port = b.v4.sin_port; /* at the same place in both families */
			if (pu_multiaddr_from_sockaddr(&guess, &a, kind) == 0)
				pu_multiaddr_add(out, cap, pn, &guess);
		}
}

size_t pu_dcutr_own_addrs(const struct pu_host *h, bool private_addrs, struct pu_multiaddr *out,
			  size_t cap)
{
	struct pu_multiaddr ours[OWN_MAX];
	size_t n_seen = pu_host_observed_addrs(h, 1, ours, OBSERVED_MAX), n = 0;
	size_t n_ours = n_seen + pu_host_addrs(h, ours + n_seen, OWN_MAX - n_seen);

	add_kind(ours, n_ours, PU_MA_KIND_QUIC, private_addrs, out, cap, &n);
	add_kind(ours, n_ours, PU_MA_KIND_TCP, private_addrs, out, cap, &n);
	add_guesses(ours, n_seen, ours, n_ours, PU_MA_KIND_QUIC, out, cap, &n);
	add_guesses(ours, n_seen, ours, n_ours, PU_MA_KIND_TCP, out, cap, &n);
	return n;
}

size_t pu_dcutr_targets(const struct pu_peerid *peer, const struct pu_multiaddr *theirs, size_t n,
			bool private_addrs, struct pu_multiaddr *out)
{
	struct pu_multiaddr bare[PU_DCUTR_ADDRS_MAX];
	size_t n_bare = 0, n_out = 0;

	for (size_t i = 0; i < n && n_bare < PU_ARRAY_LEN(bare); i++) {
		struct pu_peerid id;

		if (pu_multiaddr_split_peer(&theirs[i], &bare[n_bare], &id) == 0 &&
		    !pu_peerid_eq(&id, peer))
			continue;
		n_bare++;
	}
	add_kind(bare, n_bare, PU_MA_KIND_QUIC, private_addrs, out, PER_KIND_MAX, &n_out);
	add_kind(bare, n_bare, PU_MA_KIND_TCP, private_addrs, out, n_out + PER_KIND_MAX, &n_out);
	return n_out;
}
