/* Ops of the control API that know nothing and do nothing, for tests that need one or two of
 * them: struct pu_api_ops ops = FAKE_OPS; then those that matter are set. */
#ifndef PU_TESTS_SUPPORT_FAKE_OPS_H
#define PU_TESTS_SUPPORT_FAKE_OPS_H

#include "base/err.h"
#include "daemon/api.h"

static inline void fake_no_status(void *arg, struct pu_api_status *out)
{
	static const struct pu_peerid nobody;

	out->peer = &nobody;
}

static inline void fake_no_peers(void *arg, pu_api_peer_fn *fn, void *fn_arg)
{
}

static inline void fake_no_counters(void *arg, pu_api_counter_fn *fn, void *fn_arg)
{
}

static inline int fake_no_resolve(void *arg, const char *text, struct pu_peerid *peer,
				  bool *pfrom_id)
{
	return PU_ENOENT;
}

static inline int fake_no_ping(void *arg, const struct pu_peerid *peer, pu_api_ping_fn *on_done,
			       void *done_arg, uint64_t *pid)
{
	return PU_EUNREACH;
}

static inline void fake_no_cancel(void *arg, uint64_t id)
{
}

static inline int fake_no_reload(void *arg, struct pu_failure *why)
{
	return 0;
}

static inline void fake_no_shutdown(void *arg)
{
}

static inline void fake_no_paths(void *arg, pu_api_path_fn *fn, void *fn_arg)
{
}

static inline int fake_no_why(void *arg, const struct pu_peerid *peer, struct pu_api_why *out)
{
	return PU_ENOENT;
}

static inline int fake_no_trace(void *arg, const struct pu_peerid *peer, pu_trace_fn *on_done,
				void *done_arg, uint64_t *pid)
{
	return PU_EUNREACH;
}

static inline void fake_no_offered(void *arg, pu_api_offered_fn *fn, void *fn_arg)
{
}

static inline int fake_no_expose(void *arg, const struct pu_api_expose *e, struct pu_failure *why)
{
	return pu_failure_set(why, PU_EEXIST, NULL, NULL, "service already registered: %s",
			      e->name);
}

static inline int fake_no_unexpose(void *arg, const char *name)
{
	return PU_ENOENT;
}

static inline int fake_no_peer_services(void *arg, const struct pu_peerid *peer,
					pu_api_service_fn *fn, void *fn_arg)
{
	return PU_ENOENT;
}

static inline int fake_no_connect(void *arg, const struct pu_api_connect *c,
				  pu_api_connected_fn *on_done, void *done_arg, uint64_t *pid)
{
	return PU_EINVAL;
}

static inline int fake_no_disconnect(void *arg, uint64_t proxy_id)
{
	return PU_ENOENT;
}

static inline void fake_no_proxies(void *arg, pu_api_proxy_fn *fn, void *fn_arg)
{
}

static inline bool fake_no_gating(void *arg)
{
	return false;
}

static inline int fake_no_members(void *arg, pu_api_member_fn *fn, void *fn_arg,
				  struct pu_failure *why)
{
	return 0;
}

static inline int fake_no_member_add(void *arg, const struct pu_api_new_member *m,
				     struct pu_failure *why)
{
	return PU_EEXIST;
}

static inline int fake_no_member_remove(void *arg, const struct pu_peerid *peer,
					struct pu_failure *why)
{
	return PU_ENOENT;
}

static inline void fake_no_vpn_routes(void *arg, pu_api_vpn_route_fn *fn, void *fn_arg)
{
}

static inline int fake_no_wake(void *arg, const struct pu_peerid *peer,
			       const struct pu_peerid *via, pu_api_wake_fn *on_done,
			       void *done_arg, uint64_t *pid)
{
	return PU_ENOENT;
}

static inline int fake_no_invite(void *arg, const struct pu_invite_options *opt,
				 const struct pu_invite **pinvite, struct pu_failure *why)
{
	return pu_failure_set(why, PU_ELIMIT, "invitation", NULL, "too many");
}

static inline const struct pu_invite *fake_no_invite_find(void *arg, uint64_t id)
{
	return NULL;
}

static inline void fake_no_invites(void *arg, pu_api_invite_fn *fn, void *fn_arg)
{
}

static inline int fake_no_invite_cancel(void *arg, uint64_t id)
{
	return PU_ENOENT;
}

static inline int fake_no_join(void *arg, const struct pu_join_options *opt,
			       pu_api_join_fn *on_done, void *done_arg, struct pu_failure *why)
{
	return pu_failure_set(why, PU_EINVAL, "code", NULL, "it is none");
}

static inline void fake_no_join_cancel(void *arg)
{
}

#define FAKE_OPS                                                                            \
	{                                                                                   \
		.status = fake_no_status, .each_peer = fake_no_peers,                       \
		.each_counter = fake_no_counters, .resolve = fake_no_resolve,               \
		.ping = fake_no_ping, .ping_cancel = fake_no_cancel,                        \
		.reload = fake_no_reload, .shutdown = fake_no_shutdown,                     \
		.each_path = fake_no_paths, .why = fake_no_why, .trace = fake_no_trace,     \
		.trace_cancel = fake_no_cancel, .each_offered = fake_no_offered,            \
		.expose = fake_no_expose, .unexpose = fake_no_unexpose,                     \
		.each_peer_service = fake_no_peer_services, .connect = fake_no_connect,     \
		.connect_cancel = fake_no_cancel, .disconnect = fake_no_disconnect,         \
		.each_proxy = fake_no_proxies, .gating = fake_no_gating,                    \
		.each_member = fake_no_members, .member_add = fake_no_member_add,           \
		.member_remove = fake_no_member_remove,                                     \
		.each_vpn_route = fake_no_vpn_routes, .wake = fake_no_wake,                 \
		.wake_cancel = fake_no_cancel, .invite = fake_no_invite,                    \
		.invite_find = fake_no_invite_find, .each_invite = fake_no_invites,         \
		.invite_cancel = fake_no_invite_cancel, .join = fake_no_join,               \
		.join_cancel = fake_no_join_cancel,                                         \
	}

#endif
