/* Where invitations live and codes are redeemed: in the running daemon, or, when there is none,
 * in a node of this process, as long as the command runs. */
#ifndef PU_CLI_INVITE_PLACE_H
#define PU_CLI_INVITE_PLACE_H

#include "cli/client.h"
#include "cli/cli.h"
#include "cli/local.h"
#include "daemon/oneshot.h"
#include "daemon/pairing.h"

struct pu_invite_place {
	struct pu_client client;
	struct pu_oneshot *alone; /* NULL: the daemon */
	json_int_t id;            /* of the invitation */
};

/* inviting: others have to find this process. 0 or an exit code. Close in any case. */
int pu_invite_place_open(struct pu_cli *c, const struct pu_local *l, bool inviting,
			 struct pu_invite_place *at);
void pu_invite_place_close(struct pu_invite_place *at);

/* Makes an invitation; *pinvite as GET /v1/invites/{id} shows it, with its code. 0 or an exit
 * code. */
int pu_invite_place_invite(struct pu_cli *c, struct pu_invite_place *at,
			   const struct pu_invite_options *opt, json_t **pinvite);
/* The invitation after a moment (about 300 ms). */
int pu_invite_place_look(struct pu_cli *c, struct pu_invite_place *at, json_t **pinvite);
void pu_invite_place_cancel(struct pu_invite_place *at);

/* Redeems a code; *presult as POST /v1/join shows it. */
int pu_invite_place_join(struct pu_cli *c, struct pu_invite_place *at,
			 const struct pu_join_options *opt, json_t **presult);

/* The first ^C or SIGTERM does not end the process any more; pu_invite_place_interrupted()
 * tells, and what waits is left. */
void pu_invite_place_catch(void);
bool pu_invite_place_interrupted(void);

#endif
