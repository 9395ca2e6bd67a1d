#include "daemon/trace_json.h"

#include <stdio.h>

#include "base/err.h"
#include "daemon/json_text.h"

const char *pu_trace_name(const struct pu_trace_result *r, size_t i)
{
	return i + 1 < r->n_hops ? r->hop[i].agent : "";
}

static json_t *hop_json(const struct pu_trace_result *r, size_t i)
{
	char id[PU_PEERID_TEXT_MAX], addr[PU_MULTIADDR_TEXT_MAX], error[128];
	const struct pu_trace_hop *h = &r->hop[i];
	json_t *o = json_object();

	json_object_set_new(o, "hop", json_integer((json_int_t)i + 1));
	json_object_set_new(o, "peer_id", json_string(pu_peerid_text(&h->peer, id)));
	if (pu_trace_name(r, i)[0])
		json_object_set_new(o, "name", pu_json_text(pu_trace_name(r, i)));
	if (h->addr.len)
		json_object_set_new(o, "address", json_string(pu_multiaddr_text(&h->addr, addr)));
	json_object_set_new(o, "rtt_ms", json_real((double)(h->rtt / 1000) / 1000.0));
	if (h->err) {
		snprintf(error, sizeof error, "cannot reach peer: %s", pu_err_text(h->err));
		json_object_set_new(o, "error", json_string(error));
	}
	return o;
}

json_t *pu_trace_json(const char *target, const struct pu_peerid *peer,
			  const struct pu_trace_result *r)
{
	char id[PU_PEERID_TEXT_MAX];
	json_t *hops = json_array();

	for (size_t i = 0; i < r->n_hops; i++)
		json_array_append_new(hops, hop_json(r, i));
	return json_pack("{s:o, s:s, s:s, s:o}", "target", pu_json_text(target), "target_id",
			 pu_peerid_text(peer, id), "path", r->relayed ? "RELAYED" : "DIRECT",
			 "hops", hops);
}
