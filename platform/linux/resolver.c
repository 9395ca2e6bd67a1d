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
static bool is_debians(const struct pu_linux_paths *paths)
{
	return access(paths->interface_order, F_OK) == 0;
}

static void resolvconf_record(const struct pu_linux_paths *paths, const char *ifname,
			      char out[PU_LINUX_MARKER_RECORD])
{
	snprintf(out, PU_LINUX_MARKER_RECORD, "%s%s", is_debians(paths) ? "tun." : "", ifname);
}

static int set_resolvconf(struct attempt *a)
{
	const char *tool = resolvconf_tool(a->rs->paths);
	const char *argv[] = { tool, "-a", a->rs->marker.record, "-m", "0", NULL };
	char ip[INET6_ADDRSTRLEN] = "", input[80];

	if (!tool)
		return PU_ENOENT;
	/* One address of ours: libc asks no more than three servers in all. */
	inet_ntop(a->rs->ours[0].family, a->rs->ours[0].addr, ip, sizeof ip);
	snprintf(input, sizeof input, "nameserver %s\n", ip);
	return pu_linux_tool_run(argv, input);
}

static int undo_resolvconf(const struct pu_linux_paths *paths, const struct pu_linux_marker *m)
{
	const char *tool = resolvconf_tool(paths);
	/* openresolv minds an entry that is not there unless told otherwise; Debian's
	 * does not, and does not know the option. */
	const char *const forced[] = { tool, "-f", "-d", m->record, NULL };
	const char *const debian[] = { tool, "-d", m->record, NULL };

	return tool ? pu_linux_tool_run(is_debians(paths) ? debian : forced, NULL) : 0;
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
	return pu_linux_nm_dnsmasq_set(a->rs->paths, a->rs->marker.record, a->rq->suffix,
				       a->rs->ours, a->rs->n_ours);
}

static int undo_networkmanager(const struct pu_linux_paths *paths,
			       const struct pu_linux_marker *m)
{
	return pu_linux_nm_dnsmasq_undo(paths, m->record);
}

/* Managed already: by a daemon of another network, whose stub has its address then, or by
 * one that is gone with its state. */
static int set_resolv_conf(struct attempt *a)
{
	const char *path = a->rs->paths->resolv_conf;
	int r = pu_linux_resolv_conf_manage(path, &a->rs->ours[0]);

	if (r != PU_EEXIST)
		return r;
	if (pu_linux_resolv_conf_is_in_use(path))
		return PU_EADDRINUSE;
	r = pu_linux_resolv_conf_restore(path);
	return r < 0 ? r : pu_linux_resolv_conf_manage(path, &a->rs->ours[0]);
}

static int undo_resolv_conf(const struct pu_linux_paths *paths, const struct pu_linux_marker *m)
{
	return pu_linux_resolv_conf_restore(paths->resolv_conf);
}

/* In the order in which "auto" tries them. */
struct method {
	enum pu_linux_dns_method id;
	int (*set)(struct attempt *a);
	/* NULL: it ends with the device. Must not mind that nothing was done yet. */
	int (*undo)(const struct pu_linux_paths *paths, const struct pu_linux_marker *m);
};

static const struct method methods[] = {
	{ PU_LINUX_DNS_RESOLVED, set_resolved, NULL },
	{ PU_LINUX_DNS_RESOLVCONF, set_resolvconf, undo_resolvconf },
	{ PU_LINUX_DNS_NETWORKMANAGER, set_networkmanager, undo_networkmanager },
	{ PU_LINUX_DNS_RESOLV_CONF, set_resolv_conf, undo_resolv_conf },
};

/* --- undoing --- */

/* The marker goes when nothing is left to undo. The caller holds the lock. */
static void undo(const struct pu_linux_paths *paths, const struct pu_linux_marker *m,
		 const char *state_dir)
{
	int r = 0;

	for (size_t i = 0; i < PU_ARRAY_LEN(methods); i++)
		if (methods[i].id == m->method && methods[i].undo)
			r = methods[i].undo(paths, m);
	if (r == 0)
		pu_linux_marker_remove(state_dir);
	else
		pu_log(PU_LOG_DEBUG, "dns", "not undone yet", PU_KV_ERR(r));
}

static void recover(const struct pu_linux_paths *paths, const char *state_dir)
{
	struct pu_linux_marker m;
	int r = pu_linux_marker_read(state_dir, &m);

	if (r == 0 && !pu_linux_marker_is_others(&m))
		undo(paths, &m, state_dir);
	else if (r == PU_EINVAL)
		pu_linux_marker_remove(state_dir);
	else if (r < 0 && r != PU_ENOENT)
		pu_log(PU_LOG_DEBUG, "dns", "what was done to the host is not ours to undo",
		       PU_KV_ERR(r));
}

void pu_linux_resolver_recover(const struct pu_linux_paths *paths, const char *state_dir)
{
	int lock = pu_linux_marker_lock(state_dir);

	recover(paths, state_dir);
	if (lock >= 0)
		close(lock);
}

/* --- setting --- */

/* The marker is on disk before the host is touched. */
static int try_method(struct pu_linux_resolver *rs, const struct method *me, struct attempt *a)
{
	int r = 0;

	rs->marker.method = me->id;
	if (me->undo)
		r = pu_linux_marker_write(rs->state_dir, &rs->marker);
	if (r == 0)
		r = me->set(a);
	if (r == 0)
		return 0;
	if (me->undo && r == PU_EADDRINUSE)
		pu_linux_marker_remove(rs->state_dir);
	else if (me->undo)
		undo(rs->paths, &rs->marker, rs->state_dir);
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
		return pu_linux_resolv_conf_is_plain(rs->paths->resolv_conf);
	case PU_LINUX_DNS_NONE:
		break;
	}
	return true;
}

static int set_by_mode(struct pu_linux_resolver *rs, struct attempt *a)
{
	const char *mode = a->rq->mode;
	int r = a->automatic ? PU_ENOTSUP : PU_EINVAL;

	for (size_t i = 0; i < PU_ARRAY_LEN(methods); i++) {
		const struct method *me = &methods[i];
		const char *text = pu_linux_marker_method_text(me->id);

		if (a->automatic ? !available(rs, me) : strcmp(mode, text) != 0)
			continue;
		r = try_method(rs, me, a);
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

static int prepare(struct pu_linux_resolver *rs, const struct pu_privreq *rq)
{
	if (rq->n_servers == 0 || rq->n_servers > PU_ARRAY_LEN(rs->ours) ||
	    strlen(rq->state_dir) >= sizeof rs->state_dir)
		return PU_EINVAL;
	rs->ifindex = pu_linux_netlink_ifindex(rq->ifname);
	if (rs->ifindex < 0)
		return rs->ifindex;
	snprintf(rs->state_dir, sizeof rs->state_dir, "%s", rq->state_dir);
	memcpy(rs->ours, rq->servers, rq->n_servers * sizeof rs->ours[0]);
	rs->n_ours = rq->n_servers;
	pu_linux_marker_own(&rs->marker);
	resolvconf_record(rs->paths, rq->ifname, rs->marker.record);
	rs->n_before = pu_linux_resolv_conf_servers(rs->paths->resolv_conf, rs->ours, rs->n_ours,
						    rs->before, PU_ARRAY_LEN(rs->before));
	return 0;
}

static int set_locked(struct pu_linux_resolver *rs, const struct pu_privreq *rq)
{
	struct attempt a = { rs, rq, strcmp(rq->mode, "auto") == 0 };
	struct pu_linux_marker other;
	int r;

	recover(rs->paths, rq->state_dir);
	if (pu_linux_marker_read(rq->state_dir, &other) == 0 && pu_linux_marker_is_others(&other))
		return PU_EADDRINUSE;
	r = prepare(rs, rq);
	return r < 0 ? r : set_by_mode(rs, &a);
}

int pu_linux_resolver_set(struct pu_linux_resolver *rs, const struct pu_privreq *rq)
{
	int lock, r;

	*rq->pmethod = pu_linux_marker_method_text(PU_LINUX_DNS_NONE);
	if (strcmp(rq->mode, "none") == 0)
		return 0;
	lock = pu_linux_marker_lock(rq->state_dir);
	r = set_locked(rs, rq);
	if (lock >= 0)
		close(lock);
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
	switch (rs->marker.method) {
	case PU_LINUX_DNS_NONE:
		break;
	case PU_LINUX_DNS_RESOLVED:
		pu_linux_resolved_revert(rs->ifindex);
		break;
	case PU_LINUX_DNS_RESOLVCONF:
	case PU_LINUX_DNS_NETWORKMANAGER:
	case PU_LINUX_DNS_RESOLV_CONF:
		pu_linux_resolver_recover(rs->paths, rs->state_dir);
		break;
	}
	rs->marker.method = PU_LINUX_DNS_NONE;
}
