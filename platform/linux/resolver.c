#include "platform/linux/resolver.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "platform/linux/netlink.h"
#include "platform/linux/nm_dnsmasq.h"
#include "platform/linux/resolv_conf.h"
#include "platform/linux/resolved.h"
#include "platform/linux/tool.h"

struct attempt {
	struct pu_linux_resolver *rs;
	const struct pu_privreq *rq;
	bool automatic;
};

/* --- resolvconf and openresolv --- */

/* NULL when there is none of its own: resolvectl under that name is resolved. */
static const char *resolvconf_tool(const struct pu_linux_paths *paths)
{
	for (size_t i = 0; i < PU_ARRAY_LEN(paths->resolvconf_tools); i++) {
		const char *tool = paths->resolvconf_tools[i];
		char *real;
		bool foreign;

		if (!tool || access(tool, X_OK) < 0)
			continue;
		real = realpath(tool, NULL);
		foreign = real && strstr(real, "resolvectl");
		free(real);
		if (!foreign)
			return tool;
	}
	return NULL;
}

/* Debian's resolvconf sorts by name and puts tun* first; openresolv goes by -m, which
 * Debian's ignores. Not -x: then the host would resolve nothing without us. */
static void resolvconf_record(const struct pu_linux_paths *paths, const char *ifname,
			      char out[PU_LINUX_MARKER_RECORD])
{
	bool debian = access(paths->interface_order, F_OK) == 0;

	snprintf(out, PU_LINUX_MARKER_RECORD, "%s%s", debian ? "tun." : "", ifname);
}

static int set_resolvconf(struct attempt *a)
{
	const char *tool = resolvconf_tool(a->rs->paths);
	const char *argv[] = { tool, "-a", a->rs->marker.record, "-m", "0", NULL };
	char input[256];
	size_t len = 0;

	if (!tool)
		return PU_ENOENT;
	for (size_t i = 0; i < a->rs->n_ours; i++) {
		char ip[INET6_ADDRSTRLEN] = "";

		inet_ntop(a->rs->ours[i].family, a->rs->ours[i].addr, ip, sizeof ip);
		len += (size_t)snprintf(input + len, sizeof input - len, "nameserver %s\n", ip);
	}
	return pu_linux_tool_run(argv, input);
}

static void undo_resolvconf(const struct pu_linux_paths *paths, const struct pu_linux_marker *m)
{
	const char *tool = resolvconf_tool(paths);
	const char *const argv[] = { tool, "-d", m->record, NULL };

	if (tool)
		(void)pu_linux_tool_run(argv, NULL);
}

/* --- the other ways --- */

static int set_resolved(struct attempt *a)
{
	return pu_linux_resolved_set(a->rs->ifindex, a->rq->suffix, a->rs->ours, a->rs->n_ours);
}

static int set_networkmanager(struct attempt *a)
{
	if (!pu_linux_nm_dnsmasq_is_used())
		return PU_ENOENT;
	return pu_linux_nm_dnsmasq_set(a->rs->paths, a->rq->suffix, a->rs->ours, a->rs->n_ours);
}

static void undo_networkmanager(const struct pu_linux_paths *paths,
				const struct pu_linux_marker *m)
{
	pu_linux_nm_dnsmasq_undo(paths);
}

static int set_resolv_conf(struct attempt *a)
{
	return pu_linux_resolv_conf_manage(a->rs->paths->resolv_conf, a->rs->ours, a->rs->n_ours);
}

static void undo_resolv_conf(const struct pu_linux_paths *paths, const struct pu_linux_marker *m)
{
	pu_linux_resolv_conf_restore(paths->resolv_conf);
}

/* In the order in which "auto" tries them. */
struct method {
	enum pu_linux_dns_method id;
	bool in_auto;
	int (*set)(struct attempt *a);
	/* NULL: it ends with the device. Must not mind that nothing was done yet. */
	void (*undo)(const struct pu_linux_paths *paths, const struct pu_linux_marker *m);
};

static const struct method methods[] = {
	{ PU_LINUX_DNS_RESOLVED, true, set_resolved, NULL },
	{ PU_LINUX_DNS_RESOLVCONF, true, set_resolvconf, undo_resolvconf },
	{ PU_LINUX_DNS_NETWORKMANAGER, true, set_networkmanager, undo_networkmanager },
	{ PU_LINUX_DNS_RESOLV_CONF, false, set_resolv_conf, undo_resolv_conf },
};

/* --- undoing --- */

static void undo_method(const struct pu_linux_paths *paths, const struct pu_linux_marker *m)
{
	for (size_t i = 0; i < PU_ARRAY_LEN(methods); i++)
		if (methods[i].id == m->method && methods[i].undo)
			methods[i].undo(paths, m);
}

void pu_linux_resolver_undo(const struct pu_linux_paths *paths, const struct pu_linux_marker *m,
			    const char *state_dir)
{
	int lock = pu_linux_marker_lock(state_dir);
	struct pu_linux_marker now;

	/* Whoever came after us has undone it already, and may have done it anew. */
	if (pu_linux_marker_read(state_dir, &now) == 0 && strcmp(now.token, m->token) == 0) {
		undo_method(paths, m);
		pu_linux_marker_remove(state_dir);
	}
	if (lock >= 0)
		close(lock);
}

void pu_linux_resolver_recover(const struct pu_linux_paths *paths, const char *state_dir)
{
	int lock = pu_linux_marker_lock(state_dir);
	struct pu_linux_marker m;
	int r = pu_linux_marker_read(state_dir, &m);

	if (r == 0) {
		pu_log(PU_LOG_INFO, "dns", "undoing what an earlier run left behind",
		       PU_KV_STR("method", pu_linux_marker_method_text(m.method)));
		undo_method(paths, &m);
	} else if (r != PU_ENOENT) {
		pu_log(PU_LOG_WARN, "dns", "ignoring the note of an earlier run", PU_KV_ERR(r));
	}
	if (r == 0 || r == PU_EINVAL)
		pu_linux_marker_remove(state_dir);
	if (lock >= 0)
		close(lock);
}

/* --- setting --- */

static int try_method(struct pu_linux_resolver *rs, struct pu_linux_undo *undo,
		      const struct method *me, struct attempt *a, const char *token)
{
	const char *state_dir = a->rq->state_dir;
	int lock = -1, r = 0;

	memset(&rs->marker, 0, sizeof rs->marker);
	rs->marker.method = me->id;
	snprintf(rs->marker.token, sizeof rs->marker.token, "%s", token);
	resolvconf_record(rs->paths, a->rq->ifname, rs->marker.record);
	if (me->undo) {
		lock = pu_linux_marker_lock(state_dir);
		r = pu_linux_marker_write(state_dir, &rs->marker);
		if (r == 0)
			pu_linux_undo_dns(undo, &rs->marker, state_dir);
	}
	if (r == 0)
		r = me->set(a);
	if (r < 0 && me->undo) {
		undo_method(rs->paths, &rs->marker);
		pu_linux_marker_remove(state_dir);
	}
	if (lock >= 0)
		close(lock);
	if (r < 0)
		rs->marker.method = PU_LINUX_DNS_NONE;
	return r;
}

/* What "auto" may pass over without a word. */
static bool available(const struct pu_linux_resolver *rs, const struct method *me)
{
	switch (me->id) {
	case PU_LINUX_DNS_RESOLVED:
		return pu_linux_resolved_is_used(rs->paths);
	case PU_LINUX_DNS_RESOLVCONF:
		return resolvconf_tool(rs->paths) != NULL;
	case PU_LINUX_DNS_NETWORKMANAGER:
		return pu_linux_nm_dnsmasq_is_used();
	case PU_LINUX_DNS_RESOLV_CONF:
	case PU_LINUX_DNS_NONE:
		break;
	}
	return true;
}

static int set_by_mode(struct pu_linux_resolver *rs, struct pu_linux_undo *undo,
		       struct attempt *a, const char *token)
{
	const char *mode = a->rq->mode;
	int r = a->automatic ? PU_ENOTSUP : PU_EINVAL;

	for (size_t i = 0; i < PU_ARRAY_LEN(methods); i++) {
		const struct method *me = &methods[i];
		const char *text = pu_linux_marker_method_text(me->id);

		if (a->automatic ? !me->in_auto || !available(rs, me) : strcmp(mode, text) != 0)
			continue;
		r = try_method(rs, undo, me, a, token);
		if (r == 0 || !a->automatic)
			return r;
		pu_log(PU_LOG_WARN, "dns", "cannot use this way to the host's resolver",
		       PU_KV_STR("method", text), PU_KV_ERR(r));
		r = PU_ENOTSUP;
	}
	return r;
}

void pu_linux_resolver_init(struct pu_linux_resolver *rs, const struct pu_linux_paths *paths)
{
	memset(rs, 0, sizeof *rs);
	rs->paths = paths;
}

int pu_linux_resolver_set(struct pu_linux_resolver *rs, struct pu_linux_undo *undo,
			  const struct pu_privreq *rq, const char *token)
{
	struct attempt a = { rs, rq, strcmp(rq->mode, "auto") == 0 };
	int r;

	*rq->pmethod = pu_linux_marker_method_text(PU_LINUX_DNS_NONE);
	pu_linux_resolver_recover(rs->paths, rq->state_dir);
	if (strcmp(rq->mode, "none") == 0)
		return 0;
	if (rq->n_servers == 0 || rq->n_servers > PU_ARRAY_LEN(rs->ours))
		return PU_EINVAL;
	rs->ifindex = pu_linux_netlink_ifindex(rq->ifname);
	if (rs->ifindex < 0)
		return rs->ifindex;
	memcpy(rs->ours, rq->servers, rq->n_servers * sizeof rs->ours[0]);
	rs->n_ours = rq->n_servers;
	rs->n_before = pu_linux_resolv_conf_servers(rs->paths->resolv_conf, rs->ours, rs->n_ours,
						    rs->before, PU_ARRAY_LEN(rs->before));
	r = set_by_mode(rs, undo, &a, token);
	if (r == 0)
		*rq->pmethod = pu_linux_marker_method_text(rs->marker.method);
	return r;
}

size_t pu_linux_resolver_upstreams(const struct pu_linux_resolver *rs, struct pu_prefix *out,
				   size_t cap)
{
	size_t n = pu_linux_resolv_conf_servers(rs->paths->resolv_conf, rs->ours, rs->n_ours, out,
						cap);

	/* resolvconf may list nobody but us now. */
	if (n > 0)
		return n;
	n = pu_min(cap, rs->n_before);
	memcpy(out, rs->before, n * sizeof *out);
	return n;
}

void pu_linux_resolver_stop(struct pu_linux_resolver *rs)
{
	if (rs->marker.method == PU_LINUX_DNS_RESOLVED)
		pu_linux_resolved_revert(rs->ifindex);
	rs->marker.method = PU_LINUX_DNS_NONE;
}
