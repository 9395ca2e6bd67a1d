/* Invitations and codes behind the control API; arg is the control. */
#ifndef PU_DAEMON_CONTROL_INVITE_H
#define PU_DAEMON_CONTROL_INVITE_H

#include "daemon/control.h"
#include "daemon/pairing.h"

int pu_control_invite(void *arg, const struct pu_invite_options *opt,
		      const struct pu_invite **pinvite, struct pu_failure *why);
const struct pu_invite *pu_control_invite_find(void *arg, uint64_t id);
void pu_control_each_invite(void *arg, pu_api_invite_fn *fn, void *fn_arg);
int pu_control_invite_cancel(void *arg, uint64_t id);
int pu_control_join(void *arg, const struct pu_join_options *opt, pu_api_join_fn *on_done,
		    void *done_arg, struct pu_failure *why);
void pu_control_join_cancel(void *arg);

#endif
