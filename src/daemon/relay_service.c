#include "daemon/relay_service.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/config.h"

struct pu_relay_service {
	struct pu_relay_service_options opt;
	struct pu_hop_limits limits;
	bool enabled, require_auth, is_public;
	struct pu_hop *hop; /* NULL while off */
};

static bool may_use(void *arg, const struct pu_peerid *peer)
{
	const struct pu_relay_service *s = arg;

	return !s->require_auth || s->opt.authorized(s->opt.arg, peer);
}

static bool may_connect(void *arg, const struct pu_peerid *from, const struct pu_peerid *to)
{
	return may_use(arg, from) && may_use(arg, to);
}

static void start(struct pu_relay_service *s)
{
	const struct pu_hop_options opt = {
		.limits = s->limits,
		.may_reserve = may_use,
		.may_connect = may_connect,
		.arg = s,
	};
	int r = pu_hop_new(s->opt.host, &opt, &s->hop);

	if (r < 0)
		pu_log(PU_LOG_WARN, "relay", "cannot relay for others", PU_KV_ERR(r));
	else
		pu_log_msg(PU_LOG_INFO, "relay", "relaying for others");
}

static void stop(struct pu_relay_service *s)
{
	pu_hop_free(s->hop);
	s->hop = NULL;
	pu_log_msg(PU_LOG_INFO, "relay", "no longer relaying for others");
}

static void update(struct pu_relay_service *s)
{
	bool on = s->enabled && s->is_public;

	if (on && !s->hop)
		start(s);
	else if (!on && s->hop)
		stop(s);
	else if (s->hop)
		pu_hop_set_limits(s->hop, &s->limits);
}

int pu_relay_service_new(const struct pu_relay_service_options *opt, struct pu_relay_service **ps)
{
	struct pu_relay_service *s = calloc(1, sizeof *s);

	if (!s)
		return PU_ENOMEM;
	s->opt = *opt;
	*ps = s;
	return 0;
}

void pu_relay_service_free(struct pu_relay_service *s)
{
	if (!s)
		return;
	if (s->hop)
		pu_hop_free(s->hop);
	free(s);
}

void pu_relay_service_apply(struct pu_relay_service *s, const struct pu_config_relay_service *cfg)
{
	s->enabled = cfg->enabled;
	s->require_auth = cfg->require_auth;
	s->limits = pu_hop_limits_default;
	s->limits.max_reservations = cfg->max_reservations;
	s->limits.max_reservations_per_ip = cfg->max_reservations_per_ip;
	s->limits.max_reservations_per_asn = cfg->max_reservations_per_asn;
	s->limits.max_circuits_per_peer = cfg->max_circuits;
	s->limits.reservation_ttl = cfg->reservation_ttl;
	s->limits.duration = cfg->duration;
	s->limits.data = cfg->data_limit;
	update(s);
}

void pu_relay_service_set_public(struct pu_relay_service *s, bool is_public)
{
	s->is_public = is_public;
	update(s);
}

void pu_relay_service_expel(struct pu_relay_service *s, const struct pu_peerid *peer)
{
	if (s->hop)
		pu_hop_expel(s->hop, peer);
}

size_t pu_relay_service_addrs_of(const struct pu_relay_service *s, const struct pu_peerid *peer,
				 struct pu_multiaddr *out, size_t cap)
{
	return s->hop ? pu_hop_addrs_of(s->hop, peer, out, cap) : 0;
}

bool pu_relay_service_running(const struct pu_relay_service *s)
{
	return s->hop != NULL;
}

void pu_relay_service_stats(const struct pu_relay_service *s, struct pu_hop_stats *out)
{
	memset(out, 0, sizeof *out);
	if (s->hop)
		pu_hop_stats(s->hop, out);
}
