#include "daemon/reachability_internal.h"

enum { OBSERVED_MAX = 16 };

const char *pu_relay_state_text(enum pu_relay_state s)
{
	switch (s) {
	case PU_RELAY_CONNECTING:
		return "connecting";
	case PU_RELAY_RESERVING:
		return "reserving";
	case PU_RELAY_RESERVED:
		return "reserved";
	case PU_RELAY_WAITING:
		break;
	}
	return "waiting";
}

struct pu_dcutr *pu_reachability_dcutr(struct pu_reachability *r)
{
	return r->dcutr;
}

struct pu_transport *pu_reachability_circuits(struct pu_reachability *r)
{
	return r->circuits;
}

size_t pu_reachability_relays(const struct pu_reachability *r, struct pu_relay_info *out,
			      size_t cap)
{
	return pu_relays_list(r->relays, out, cap);
}

static void fill_grade(const struct pu_reachability *r, struct pu_grade *out)
{
	struct pu_multiaddr observed[OBSERVED_MAX];
	struct pu_autonat_verdict verdicts[OBSERVED_MAX];
	struct pu_grade_facts facts = {
		.ips = r->ips,
		.n_ips = r->n_ips,
		.stun = r->stun_report.asked ? &r->stun_report : NULL,
		.mapped = r->mapped,
		.n_mapped = r->n_mapped,
		.observed = observed,
		.verdicts = verdicts,
	};

	facts.n_observed = pu_host_observed_addrs(r->opt.host, 1, observed, OBSERVED_MAX);
	facts.n_verdicts = pu_autonat_verdicts(r->autonat, verdicts, OBSERVED_MAX);
	pu_grade(&facts, out);
}

void pu_reachability_info(const struct pu_reachability *r, struct pu_reachability_info *out)
{
	fill_grade(r, &out->grade);
	out->reachable = pu_autonat_overall(r->autonat);
	out->stun = r->stun_report;
	out->relaying = pu_relay_service_running(r->service);
}
