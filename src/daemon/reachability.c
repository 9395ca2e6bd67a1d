#include "daemon/reachability.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/config.h"
#include "daemon/relay_service.h"

enum {
	CIRCUITS_PER_PEER = PU_RELAYS_MAX,
};

struct pu_reachability {
	struct pu_reachability_options opt;
	struct pu_transport *circuits; /* the host's */
	struct pu_relays *relays;
	struct pu_relay_service *service;
	bool force_private;
	struct pu_multiaddr ips[PU_PLATFORM_ADDRS_MAX];
	size_t n_ips;
};

/* --- what the parts tell --------------------------------------------------------- */

static void log_relay(const struct pu_relay_info *i)
{
	char id[PU_PEERID_SHORT_MAX];

	if (i->state == PU_RELAY_RESERVED)
		pu_log(PU_LOG_INFO, "relay", "reserved",
		       PU_KV_STR("relay", pu_peerid_short(&i->relay, id)));
	else if (i->state == PU_RELAY_WAITING)
		pu_log(PU_LOG_WARN, "relay", "no reservation",
		       PU_KV_STR("relay", pu_peerid_short(&i->relay, id)),
		       PU_KV_U64("status", i->status), PU_KV_ERR(i->err));
}

static void on_relay(void *arg, const struct pu_relay_info *info)
{
	log_relay(info);
}

static const struct pu_relays_events relays_events = { .on_change = on_relay };

static bool has_public_ip(const struct pu_reachability *r)
{
	for (size_t i = 0; i < r->n_ips; i++)
		if (pu_multiaddr_is_public(&r->ips[i]))
			return true;
	return false;
}

/* A node that others reach serves them: as a relay, and in the hash table. Until it is
 * known that they cannot, the table takes us for granted, as peer-up does. */
static void update_roles(struct pu_reachability *r)
{
	pu_relay_service_set_public(r->service, !r->force_private && has_public_ip(r));
}

/* --- circuits: every peer may be behind any of our relays --------------------------- */

static void each_circuit(struct pu_reachability *r, const struct pu_peerid *peer, bool add)
{
	struct pu_multiaddr via[CIRCUITS_PER_PEER];
	size_t n = pu_relays_circuits_to(r->relays, peer, via, PU_ARRAY_LEN(via));

	for (size_t i = 0; i < n; i++) {
		if (add)
			pu_host_add_addr(r->opt.host, peer, &via[i], true);
		else
			pu_host_remove_addr(r->opt.host, peer, &via[i]);
	}
}

static void set_circuits(struct pu_reachability *r, bool add)
{
	for (uint32_t h = 1; h <= pu_roster_count(r->opt.roster); h++) {
		const struct pu_roster_peer *p = pu_roster_at(r->opt.roster, h);

		if (!pu_peerid_eq(&p->id, pu_host_id(r->opt.host)))
			each_circuit(r, &p->id, add);
	}
}

static void apply_relays(struct pu_reachability *r, const struct pu_config *cfg)
{
	int err;

	set_circuits(r, false);
	err = pu_relays_set(r->relays, cfg->relays.v, cfg->relays.n);
	if (err < 0)
		pu_log(PU_LOG_WARN, "relay", "relay.addresses cannot be used as they are",
		       PU_KV_ERR(err));
	set_circuits(r, true);
}

/* --- life -------------------------------------------------------------------------- */

static int make_parts(struct pu_reachability *r, const struct pu_config *cfg)
{
	const struct pu_circuit_options circuit = { 0 };
	const struct pu_relay_service_options service = { .host = r->opt.host,
							  .authorized = r->opt.authorized,
							  .arg = r->opt.arg };
	struct pu_host *h = r->opt.host;
	int err = pu_circuit_transport_new(h, &circuit, &r->circuits);

	if (err == 0)
		err = pu_relays_new(h, cfg->reservation_interval, &relays_events, r, &r->relays);
	if (err == 0)
		err = pu_relay_service_new(&service, &r->service);
	return err;
}

int pu_reachability_new(const struct pu_reachability_options *opt, const struct pu_config *cfg,
			struct pu_reachability **pr)
{
	struct pu_reachability *r = calloc(1, sizeof *r);
	int err;

	if (!r)
		return PU_ENOMEM;
	r->opt = *opt;
	err = make_parts(r, cfg);
	if (err < 0) {
		pu_reachability_free(r);
		return err;
	}
	*pr = r;
	return 0;
}

void pu_reachability_free(struct pu_reachability *r)
{
	if (!r)
		return;
	pu_relay_service_free(r->service);
	pu_relays_free(r->relays);
	free(r);
}

void pu_reachability_apply(struct pu_reachability *r, const struct pu_config *cfg)
{
	r->force_private = cfg->force_private;
	apply_relays(r, cfg);
	pu_relay_service_apply(r->service, &cfg->relay_service);
	update_roles(r);
}

void pu_reachability_network_changed(struct pu_reachability *r, const struct pu_multiaddr *ips,
				     size_t n)
{
	r->n_ips = pu_min(n, PU_ARRAY_LEN(r->ips));
	memcpy(r->ips, ips, r->n_ips * sizeof *ips);
	pu_relays_network_changed(r->relays);
	update_roles(r);
}

/* --- showing ------------------------------------------------------------------------ */

struct pu_transport *pu_reachability_circuits(struct pu_reachability *r)
{
	return r->circuits;
}

size_t pu_reachability_relays(const struct pu_reachability *r, struct pu_relay_info *out,
			      size_t cap)
{
	return pu_relays_list(r->relays, out, cap);
}

void pu_reachability_info(const struct pu_reachability *r, struct pu_reachability_info *out)
{
	memset(out, 0, sizeof *out);
	out->relaying = pu_relay_service_running(r->service);
}

void pu_reachability_each_counter(const struct pu_reachability *r,
				  void (*fn)(void *arg, const char *name, uint64_t value),
				  void *arg)
{
	struct pu_hop_stats hop;

	pu_relay_service_stats(r->service, &hop);
	fn(arg, "relay_reservations", hop.reservations);
	fn(arg, "relay_circuits", hop.circuits);
	fn(arg, "relay_bytes", hop.bytes);
	fn(arg, "relay_refused", hop.refused_reservation + hop.refused_limit +
					 hop.refused_permission + hop.refused_no_reservation);
}
