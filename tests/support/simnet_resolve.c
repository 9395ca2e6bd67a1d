/* Names of the simulated network. */
#include <stdlib.h>

#include "base/err.h"
#include "support/simnet_internal.h"

enum { ANSWER_MS = 20 };

struct pu_resolve {
	struct sim_event e;
	struct pu_list list;
	char *name;
	enum pu_resolve_kind kind;
	pu_resolve_fn *fn; /* NULL: canceled */
	void *arg;
};

void pu_sim_add_name(struct pu_sim *s, const char *name, const char *ip, const char *txt)
{
	struct sim_name *nm = sim_alloc(sizeof *nm);

	nm->name = strdup(name);
	if (ip)
		nm->sa = pu_sim_sockaddr(ip, 0);
	else
		nm->txt = strdup(txt);
	pu_list_append(&s->names, &nm->node);
}

static void resolve_drop(struct sim_event *e)
{
	struct pu_resolve *r = PU_CONTAINER_OF(e, struct pu_resolve, e);

	pu_list_remove(&r->list);
	free(r->name);
	free(r);
}

static bool wanted(const struct pu_resolve *r, const struct sim_name *nm)
{
	if (strcmp(nm->name, r->name) != 0)
		return false;
	switch (r->kind) {
	case PU_RESOLVE_IP:
		return !nm->txt;
	case PU_RESOLVE_IP4:
		return !nm->txt && nm->sa.sa.sa_family == AF_INET;
	case PU_RESOLVE_IP6:
		return !nm->txt && nm->sa.sa.sa_family == AF_INET6;
	case PU_RESOLVE_TXT:
		return nm->txt != NULL;
	}
	return false;
}

static void resolve_run(struct sim_event *e)
{
	struct pu_resolve *r = PU_CONTAINER_OF(e, struct pu_resolve, e);
	struct pu_sim *s = e->node->sim;
	union pu_sockaddr addrs[PU_RESOLVE_ADDRS_MAX];
	const char *txt[PU_RESOLVE_TXT_MAX];
	struct pu_resolved res = { .addrs = addrs, .txt = txt };
	pu_resolve_fn *fn = r->fn;
	void *arg = r->arg;

	PU_LIST_FOREACH(it, tmp, &s->names) {
		struct sim_name *nm = PU_CONTAINER_OF(it, struct sim_name, node);

		if (!wanted(r, nm))
			continue;
		if (nm->txt && res.n_txt < PU_RESOLVE_TXT_MAX)
			txt[res.n_txt++] = nm->txt;
		else if (!nm->txt && res.n_addrs < PU_RESOLVE_ADDRS_MAX)
			addrs[res.n_addrs++] = nm->sa;
	}
	resolve_drop(e);
	if (!fn)
		return;
	if (res.n_addrs + res.n_txt == 0)
		fn(arg, PU_ENOENT, NULL);
	else
		fn(arg, 0, &res);
}

int sim_resolve(struct pu_net *net, const char *name, enum pu_resolve_kind kind, pu_resolve_fn *fn,
		void *arg, struct pu_resolve **pr)
{
	struct pu_sim_node *n = PU_CONTAINER_OF(net, struct pu_sim_node, net);
	struct pu_resolve *r = sim_alloc(sizeof *r);

	r->name = strdup(name);
	r->kind = kind;
	r->fn = fn;
	r->arg = arg;
	r->e.run = resolve_run;
	r->e.drop = resolve_drop;
	pu_list_append(&n->resolves, &r->list);
	sim_post(n, &r->e, n->sim->now + PU_MS(ANSWER_MS));
	*pr = r;
	return 0;
}

void sim_resolve_cancel(struct pu_resolve *r)
{
	r->fn = NULL;
}
