#include "daemon/control_invite.h"

int pu_control_invite(void *arg, const struct pu_invite_options *opt,
		      const struct pu_invite **pinvite, struct pu_failure *why)
{
	return pu_pairing_invite(pu_control_pairing(arg), opt, pinvite, why);
}

const struct pu_invite *pu_control_invite_find(void *arg, uint64_t id)
{
	return pu_pairing_find(pu_control_pairing(arg), id);
}

void pu_control_each_invite(void *arg, pu_api_invite_fn *fn, void *fn_arg)
{
	pu_pairing_each(pu_control_pairing(arg), fn, fn_arg);
}

int pu_control_invite_cancel(void *arg, uint64_t id)
{
	return pu_pairing_cancel(pu_control_pairing(arg), id);
}

int pu_control_join(void *arg, const struct pu_join_options *opt, pu_api_join_fn *on_done,
		    void *done_arg, struct pu_failure *why)
{
	return pu_pairing_join(pu_control_pairing(arg), opt, on_done, done_arg, why);
}

void pu_control_join_cancel(void *arg)
{
	pu_pairing_join_cancel(pu_control_pairing(arg));
}
