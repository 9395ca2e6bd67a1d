/* Our services, those of peers, and local ports that lead to them. */
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/control_internal.h"
#include "daemon/hostport.h"

void pu_control_each_offered(void *arg, pu_api_offered_fn *fn, void *fn_arg)
{
	const struct pu_control *c = arg;
	struct pu_service_info info[PU_SERVICES_MAX];
	char protocol[PU_HOST_PROTOCOL_MAX + 1], local[PU_HOSTPORT_TEXT_MAX];
	size_t n = pu_services_list(c->opt.node->services, NULL, info, PU_ARRAY_LEN(info));

	for (size_t i = 0; i < n; i++) {
		const struct pu_service_info *s = &info[i];

		pu_service_protocol(s->name, 0, protocol);
		fn(fn_arg, &(struct pu_api_offered){
				   .name = s->name,
				   .protocol = protocol,
				   .local_address = s->local_text
							    ? s->local_text
							    : pu_hostport_text(&s->local, local),
				   .enabled = true,
				   .temporary = s->temporary,
				   .port = s->port,
				   .active = s->active,
				   .opened = s->opened,
				   .refused = s->refused,
			   });
	}
}

static int explain(int r, const char *name, const char *local, struct pu_failure *why)
{
	if (r == PU_EINVAL)
		return pu_failure_set(why, r, NULL, NULL,
				      "invalid service name: \"%s\" " PU_SERVICE_NAME_RULE, name);
	if (r == PU_EDENIED)
		return pu_failure_set(why, r, NULL, NULL,
				      "invalid service name: \"%s\" is a word of the protocol",
				      name);
	if (r == PU_EEXIST)
		return pu_failure_set(why, r, NULL, NULL, "service already registered: %s", name);
	return pu_failure_set(why, r, local, NULL, "%s", pu_err_text(r));
}

int pu_control_expose(void *arg, const struct pu_api_expose *e, struct pu_failure *why)
{
	const struct pu_control *c = arg;
	struct pu_node *n = c->opt.node;
	struct pu_service_config sc = { .name = e->name, .local_text = e->local_address,
					.temporary = true, .peers = e->peers,
					.n_peers = e->n_peers, .greeting = e->greeting };
	int r = e->greeting ? pu_service_name_check_open(e->name) : pu_service_name_check(e->name);

	if (r < 0)
		return explain(r, e->name, e->local_address, why);
	if (pu_hostport_parse(e->local_address, &sc.local) < 0)
		return pu_failure_set(why, PU_EINVAL, e->local_address, NULL,
				      "not host:port of this machine");
	sc.port = ntohs(sc.local.sa.sa_family == AF_INET6 ? sc.local.v6.sin6_port
							  : sc.local.v4.sin_port);
	if (sc.port == 0)
		return pu_failure_set(why, PU_EINVAL, e->local_address, NULL,
				      "port 0 is no port");
	if (e->greeting)
		sc.port = 0; /* programs on devices cannot speak with it */
	r = pu_services_add(n->services, &sc);
	if (r < 0)
		return explain(r, e->name, e->local_address, why);
	pu_log(PU_LOG_INFO, "service", "exposed", PU_KV_STR("service", e->name),
	       PU_KV_STR("local_address", e->local_address));
	pu_offers_publish(n->offers);
	return 0;
}

int pu_control_unexpose(void *arg, const char *name)
{
	const struct pu_control *c = arg;
	int r = pu_services_remove(c->opt.node->services, name);

	if (r < 0)
		return r;
	pu_log(PU_LOG_INFO, "service", "exposed no more", PU_KV_STR("service", name));
	pu_offers_publish(c->opt.node->offers);
	return 0;
}

struct foreign {
	pu_api_service_fn *fn;
	void *arg;
};

static void show_protocol(void *arg, const char *protocol)
{
	const struct foreign *f = arg;
	char name[PU_SERVICE_NAME_MAX + 1];

	if (pu_service_of_protocol(protocol, name))
		f->fn(f->arg, &(struct pu_api_service){ .name = name });
}

/* A peer without a list of its own names its services among its protocols. */
int pu_control_each_peer_service(void *arg, const struct pu_peerid *peer, pu_api_service_fn *fn,
				 void *fn_arg)
{
	const struct pu_control *c = arg;
	struct pu_node *n = c->opt.node;
	const struct pu_roster_peer *p = pu_roster_find(n->roster, peer);

	if (!p && !pu_host_conn(n->host, peer))
		return PU_ENOENT;
	if (!p || !p->offer_known)
		pu_host_each_protocol(n->host, peer, show_protocol,
				      &(struct foreign){ fn, fn_arg });
	for (size_t i = 0; p && p->offer_known && i < p->n_services; i++)
		fn(fn_arg, &(struct pu_api_service){ p->services[i].name, p->services[i].port });
	return 0;
}

int pu_control_connect(void *arg, const struct pu_api_connect *c, pu_api_connected_fn *on_done,
		       void *done_arg, uint64_t *pid)
{
	return pu_proxies_connect(((struct pu_control *)arg)->proxies, c, on_done, done_arg, pid);
}

void pu_control_connect_cancel(void *arg, uint64_t id)
{
	pu_proxies_cancel(((struct pu_control *)arg)->proxies, id);
}

int pu_control_disconnect(void *arg, uint64_t proxy_id)
{
	return pu_proxies_disconnect(((struct pu_control *)arg)->proxies, proxy_id);
}

void pu_control_each_proxy(void *arg, pu_api_proxy_fn *fn, void *fn_arg)
{
	pu_proxies_each(((struct pu_control *)arg)->proxies, fn, fn_arg);
}
