#include <stdio.h>

#include "base/err.h"
#include "p2p/circuit/message.h"
#include "p2p/circuit/transport.h"
#include "peer.h"

static void emit_reserved(const struct peer *p, const struct pu_relay_info *info)
{
	char id[PU_PEERID_TEXT_MAX], text[PU_MULTIADDR_TEXT_MAX];
	struct pu_multiaddr ma[64];
	size_t n = pu_host_addrs(p->host, ma, PU_ARRAY_LEN(ma));
	json_t *addrs = json_array();

	for (size_t i = 0; i < n; i++)
		if (pu_multiaddr_kind(&ma[i]) == PU_MA_KIND_CIRCUIT)
			json_array_append_new(addrs, json_string(pu_multiaddr_text(&ma[i], text)));
	emit("reserved", json_pack("{s:s,s:I,s:b,s:I,s:I,s:o}", "relay",
				   pu_peerid_text(&info->relay, id), "expires",
				   (json_int_t)info->expires, "voucher", info->voucher, "duration",
				   (json_int_t)(info->limit.duration / PU_SEC(1)), "data",
				   (json_int_t)info->limit.data, "addrs", addrs));
}

static void on_change(void *arg, const struct pu_relay_info *info)
{
	char text[128];

	if (info->state == PU_RELAY_RESERVED && info->err == 0) {
		emit_reserved(arg, info);
		return;
	}
	snprintf(text, sizeof text, "%s (%s)", pu_err_text(info->err),
		 pu_circuit_message_status_name(info->status));
	emit_error("reserve", &info->relay, text);
}

void circuit_reserve(struct peer *p, const char *addr)
{
	struct pu_multiaddr ma;
	int r = addr ? pu_multiaddr_from_text(&ma, addr) : PU_EINVAL;

	if (r == 0)
		r = pu_relays_set(p->relays, &ma, 1);
	if (r < 0)
		emit_error("reserve", NULL, pu_err_text(r));
}

static int be_relay(struct peer *p, const char *limits)
{
	struct pu_hop_options opt = { .limits = pu_hop_limits_default, .private_addrs = true };
	unsigned ttl, duration, data;

	if (sscanf(limits, "%u,%u,%u", &ttl, &duration, &data) != 3)
		return PU_EINVAL;
	opt.limits.reservation_ttl = PU_SEC(ttl);
	opt.limits.duration = PU_SEC(duration);
	opt.limits.data = data;
	return pu_hop_new(p->host, &opt, &p->hop);
}

int circuit_start(struct peer *p, const struct options *opt)
{
	static const struct pu_relays_events events = { .on_change = on_change };
	struct pu_transport *t;
	int r = pu_circuit_transport_new(p->host, NULL, &t);

	if (r == 0)
		r = pu_relays_new(p->host, 0, &events, p, &p->relays);
	if (r == 0 && opt->relay)
		r = be_relay(p, opt->relay);
	return r;
}

void circuit_stop(struct peer *p)
{
	pu_relays_free(p->relays);
	pu_hop_free(p->hop);
}
