#include "daemon/pairing_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"

const char *pu_invite_state_text(enum pu_invite_state s)
{
	switch (s) {
	case PU_INVITE_PREPARING:
		return "preparing";
	case PU_INVITE_OPEN:
		return "open";
	case PU_INVITE_USED:
		return "used";
	case PU_INVITE_EXPIRED:
		return "expired";
	case PU_INVITE_VOID:
		return "void";
	case PU_INVITE_FAILED:
		return "failed";
	case PU_INVITE_CANCELED:
		break;
	}
	return "canceled";
}

int pu_pairing_own_name(const char *wanted, char out[PU_ENROLMENT_NAME_MAX + 1])
{
	char host[256];

	if (wanted && *wanted)
		return pu_enrolment_clean_name(wanted, out) && strcmp(out, wanted) == 0 ?
			       0 :
			       PU_EINVAL;
	if (gethostname(host, sizeof host) < 0)
		host[0] = '\0';
	host[sizeof host - 1] = '\0';
	host[strcspn(host, ".")] = '\0';
	if (!pu_enrolment_clean_name(host, out))
		memcpy(out, "peer", 5);
	return 0;
}

static bool is_tellable(const struct pu_multiaddr *ma)
{
	enum pu_ma_kind kind = pu_multiaddr_kind(ma);

	return (kind == PU_MA_KIND_TCP || kind == PU_MA_KIND_QUIC) &&
	       !pu_multiaddr_is_loopback(ma) && !pu_multiaddr_is_unspecified(ma);
}

void pu_pairing_introduce(const struct pu_pairing *p, const char *name, enum pu_access access,
			  struct pu_introduction *out)
{
	const struct pu_config *cfg = p->node->cfg;
	struct pu_multiaddr addr[PU_HOST_ADDRS_PER_PEER];
	size_t n = pu_host_addrs(p->node->host, addr, PU_ARRAY_LEN(addr));

	*out = (struct pu_introduction){ .access = access };
	snprintf(out->name, sizeof out->name, "%s", name);
	snprintf(out->network, sizeof out->network, "%s", cfg->network);
	for (size_t i = 0; i < cfg->relays.n && i < PU_HANDSHAKE_RELAYS_MAX; i++)
		out->relay[out->n_relays++] = cfg->relays.v[i];
	for (size_t i = 0; i < n && out->n_addrs < PU_HANDSHAKE_ADDRS_MAX; i++)
		if (is_tellable(&addr[i]))
			out->addr[out->n_addrs++] = addr[i];
}

int pu_pairing_reload(struct pu_pairing *p, struct pu_failure *why)
{
	return p->opt.reload(p->opt.arg, why);
}

static void on_gap(void *arg, pu_time gap)
{
	struct pu_pairing *p = arg;

	PU_LIST_FOREACH (it, tmp, &p->invites)
		pu_invite_gap(PU_CONTAINER_OF(it, struct invite, node), gap);
	pu_newcomers_gap(p, gap);
}

int pu_pairing_new(const struct pu_pairing_options *opt, struct pu_pairing **pp)
{
	struct pu_pairing *p = calloc(1, sizeof *p);

	if (!p)
		return PU_ENOMEM;
	p->opt = *opt;
	p->node = opt->node;
	p->loop = opt->node->loop;
	pu_list_init(&p->invites);
	pu_list_init(&p->guests);
	pu_list_init(&p->newcomers);
	pu_job_init(&p->serving_job, p->loop, pu_invite_serve_now, p);
	pu_loop_watch_gaps(p->loop, &p->gaps, on_gap, p);
	pu_newcomers_load(p);
	*pp = p;
	return 0;
}

void pu_pairing_free(struct pu_pairing *p)
{
	if (!p)
		return;
	pu_pairing_join_cancel(p);
	pu_loop_unwatch_gaps(&p->gaps);
	pu_guests_drop(p, 0);
	PU_LIST_FOREACH (it, tmp, &p->invites)
		pu_invite_free(PU_CONTAINER_OF(it, struct invite, node));
	pu_invite_serve_now(p);
	pu_job_cancel(&p->serving_job);
	pu_nameplates_free(p->plates);
	pu_newcomers_free(p);
	free(p);
}

struct invite *pu_pairing_invite_find(const struct pu_pairing *p, uint64_t id)
{
	PU_LIST_FOREACH (it, tmp, &p->invites) {
		struct invite *i = PU_CONTAINER_OF(it, struct invite, node);

		if (i->pub.id == id)
			return i;
	}
	return NULL;
}

const struct pu_invite *pu_pairing_find(const struct pu_pairing *p, uint64_t id)
{
	const struct invite *i = pu_pairing_invite_find(p, id);

	return i ? &i->pub : NULL;
}

void pu_pairing_each(const struct pu_pairing *p, void (*fn)(void *arg, const struct pu_invite *i),
		     void *arg)
{
	PU_LIST_FOREACH (it, tmp, &p->invites)
		fn(arg, &PU_CONTAINER_OF(it, struct invite, node)->pub);
}

int pu_pairing_cancel(struct pu_pairing *p, uint64_t id)
{
	struct invite *i = pu_pairing_invite_find(p, id);

	if (!i)
		return PU_ENOENT;
	if (i->pub.state == PU_INVITE_PREPARING || i->pub.state == PU_INVITE_OPEN)
		pu_invite_end(i, PU_INVITE_CANCELED);
	return 0;
}
