#include "daemon/reachability_internal.h"

typedef void counter_fn(void *arg, const char *name, uint64_t value);

static void count_relay(const struct pu_reachability *r, counter_fn *fn, void *arg)
{
	struct pu_hop_stats s;

	pu_relay_service_stats(r->service, &s);
	fn(arg, "relay_reservations", s.reservations);
	fn(arg, "relay_circuits", s.circuits);
	fn(arg, "relay_bytes", s.bytes);
	fn(arg, "relay_refused", s.refused_reservation + s.refused_limit + s.refused_permission +
				 s.refused_no_reservation);
}

static void count_dcutr(const struct pu_reachability *r, counter_fn *fn, void *arg)
{
	static const char *const names[PU_DCUTR_N_OUTCOMES] = {
		[PU_DCUTR_DIRECT] = "holepunch_direct",
		[PU_DCUTR_NO_ADDRESSES] = "holepunch_no_addresses",
		[PU_DCUTR_UNSUPPORTED] = "holepunch_unsupported",
		[PU_DCUTR_TIMEOUT] = "holepunch_timeout",
		[PU_DCUTR_STREAM_FAILED] = "holepunch_stream_failed",
		[PU_DCUTR_NONSENSE] = "holepunch_nonsense",
	};
	struct pu_dcutr_stats s;

	pu_dcutr_stats(r->dcutr, &s);
	for (int i = 0; i < PU_DCUTR_N_OUTCOMES; i++)
		fn(arg, names[i], s.outcomes[i]);
	fn(arg, "holepunch_refused", s.refused);
}

static void count_autonat(const struct pu_reachability *r, counter_fn *fn, void *arg)
{
	struct pu_autonat_stats s;

	pu_autonat_stats(r->autonat, &s);
	fn(arg, "autonat_asked", s.asked);
	fn(arg, "autonat_answered_yes", s.answered_yes);
	fn(arg, "autonat_answered_no", s.answered_no);
	fn(arg, "autonat_requests", s.requests);
	fn(arg, "autonat_refused", s.refused + s.rejected);
	fn(arg, "autonat_malformed", s.malformed);
}

static void count_kad(const struct pu_reachability *r, counter_fn *fn, void *arg)
{
	struct pu_kad_stats s = { 0 };

	if (r->kad)
		pu_kad_stats(r->kad, &s);
	fn(arg, "dht_peers", s.peers);
	fn(arg, "dht_requests_in", s.requests_in);
	fn(arg, "dht_requests_out", s.requests_out);
	fn(arg, "dht_malformed", s.malformed);
	fn(arg, "dht_refused", s.refused);
}

static void count_mdns(const struct pu_reachability *r, counter_fn *fn, void *arg)
{
	struct pu_mdns_stats s = { 0 };

	if (r->mdns)
		pu_mdns_stats(r->mdns, &s);
	fn(arg, "mdns_queries_out", s.queries_out);
	fn(arg, "mdns_answers_in", s.answers_in);
	fn(arg, "mdns_malformed", s.malformed);
}

static void count_circuits(const struct pu_reachability *r, counter_fn *fn, void *arg)
{
	struct pu_circuit_stats s;

	pu_circuit_stats(r->circuits, &s);
	fn(arg, "circuit_open", s.open);
	fn(arg, "circuit_dials", s.dials);
	fn(arg, "circuit_dials_failed", s.dials_failed);
	fn(arg, "circuit_accepted", s.accepted);
	fn(arg, "circuit_refused", s.refused);
	fn(arg, "circuit_malformed", s.malformed);
}

void pu_reachability_each_counter(const struct pu_reachability *r, counter_fn *fn, void *arg)
{
	count_relay(r, fn, arg);
	count_circuits(r, fn, arg);
	count_dcutr(r, fn, arg);
	count_autonat(r, fn, arg);
	count_kad(r, fn, arg);
	count_mdns(r, fn, arg);
}
