#include "platform/linux/portmap_job.h"

#include "base/err.h"

static int run_method(struct pu_linux_portmap_job *j, enum pu_linux_portmap_method m)
{
	switch (m) {
	case PU_LINUX_PORTMAP_NONE:
		break;
	case PU_LINUX_PORTMAP_PCP:
		return pu_linux_pcp_run(j);
	case PU_LINUX_PORTMAP_NATPMP:
		return pu_linux_natpmp_run(j);
	case PU_LINUX_PORTMAP_UPNP:
		return pu_linux_upnp_run(j);
	}
	return PU_ENOTSUP;
}

static void forget(struct pu_linux_portmap_job *j)
{
	j->method = PU_LINUX_PORTMAP_NONE;
	j->upnp_url[0] = '\0';
	for (size_t i = 0; i < j->n; i++)
		j->entry[i].lifetime_s = 0;
}

static int find_gateway(struct pu_linux_portmap_job *j)
{
	struct in_addr gateway, local;
	int r = pu_linux_gateway_find(&gateway, &local);

	if (r == 0 && gateway.s_addr == j->gateway.s_addr && local.s_addr == j->local.s_addr)
		return 0;
	forget(j);
	j->gateway.s_addr = j->local.s_addr = INADDR_ANY;
	if (r < 0)
		return r;
	j->gateway = gateway;
	j->local = local;
	return 0;
}

static bool spoken(int r)
{
	return r == 0 || r == PU_EDENIED;
}

/* A router that refuses by one protocol may grant by another: some have several that
 * are switched on apart. */
static int try_all(struct pu_linux_portmap_job *j, enum pu_linux_portmap_method except)
{
	static const enum pu_linux_portmap_method order[] = {
		PU_LINUX_PORTMAP_PCP, PU_LINUX_PORTMAP_NATPMP, PU_LINUX_PORTMAP_UPNP
	};
	int err = PU_ETIMEDOUT, r;

	for (size_t i = 0; i < PU_ARRAY_LEN(order) && !*j->stop; i++) {
		if (order[i] == except)
			continue;
		r = run_method(j, order[i]);
		if (r == 0) {
			j->method = order[i];
			return 0;
		}
		if (spoken(r))
			err = r;
	}
	return err;
}

void pu_linux_portmap_job_run(struct pu_linux_portmap_job *j)
{
	enum pu_linux_portmap_method known;

	j->err = find_gateway(j);
	known = j->method;
	if (j->err == 0 && !pu_linux_gateway_is_private(j->local))
		j->err = PU_ENOTSUP;
	if (j->err < 0)
		return;
	if (known != PU_LINUX_PORTMAP_NONE)
		j->err = run_method(j, known);
	if (j->remove || (known != PU_LINUX_PORTMAP_NONE && j->err == 0))
		return;
	forget(j);
	j->err = try_all(j, known);
}
