/* What the parts of pairing share: invitations (pairing_invite.c makes their codes,
 * pairing_guest.c hears who comes with one), the joiner (pairing_join.c, pairing_redeem.c),
 * newcomers who have not confirmed yet (pairing_newcomer.c). */
#ifndef PU_DAEMON_PAIRING_INTERNAL_H
#define PU_DAEMON_PAIRING_INTERNAL_H

#include "daemon/pairing.h"
#include "daemon/pairing_talk.h"
#include "overlay/invite/nameplate.h"

struct invite;
struct join;

/* A number asked for at one relay. */
struct plate {
	struct invite *owner;
	struct pu_nameplate *plate; /* NULL: not any more */
	struct pu_peerid relay;
	struct pu_multiaddr addr;   /* of the relay, as configured, without /p2p */
	unsigned number;            /* 0: none yet */
	unsigned wanted;            /* the one it had before */
	struct pu_timer retry;
	int err;
};

struct invite {
	struct pu_list node;
	struct pu_pairing *owner;
	struct pu_invite pub;
	struct pu_code code;
	char name[PU_HANDSHAKE_NAME_MAX + 1]; /* ours */
	pu_time until;       /* of the code */
	pu_time give_up;     /* of preparing it */
	struct pu_timer timer;
	size_t n_plates;
	struct plate plate[PU_ENROLMENT_RELAYS_MAX];
	struct plate *chosen; /* the relay that the code names */
	unsigned own_number;  /* at our own keeper, 0: none */
	bool taken;           /* somebody has proven that it holds the code */
};

struct pu_pairing {
	struct pu_pairing_options opt;
	struct pu_node *node;
	struct pu_loop *loop;
	struct pu_list invites; /* of struct invite, by id */
	struct pu_list guests;  /* of struct guest */
	struct pu_list newcomers;
	struct pu_timer newcomer_timer;
	struct pu_gap_watch gaps;
	struct pu_nameplates *plates; /* our own keeper, NULL: not needed yet */
	bool serving_v1, serving_v3;
	struct pu_job serving_job; /* what is served follows at the end of the turn */
	uint64_t next_id;
	struct join *join; /* under way */
};

/* pairing.c */
/* What we tell about ourselves. */
void pu_pairing_introduce(const struct pu_pairing *p, const char *name, enum pu_access access,
			  struct pu_introduction *out);
/* The name that the user wants to be known by, or that of this machine. PU_EINVAL. */
int pu_pairing_own_name(const char *wanted, char out[PU_ENROLMENT_NAME_MAX + 1]);
struct invite *pu_pairing_invite_find(const struct pu_pairing *p, uint64_t id);
int pu_pairing_reload(struct pu_pairing *p, struct pu_failure *why);

/* pairing_invite.c */
/* Ends the invitation: its code is void from here on. */
void pu_invite_end(struct invite *i, enum pu_invite_state state);
void pu_invite_tell(const struct invite *i);
void pu_invite_free(struct invite *i);
/* Its code is complete: whoever has it may come. */
void pu_invite_open(struct invite *i);
void pu_invite_fail(struct invite *i, int err, const char *hint, const char *why);
static inline bool pu_invite_is_open(const struct invite *i)
{
	return i->pub.state == PU_INVITE_OPEN;
}
/* Handlers and rules for strangers as the open invitations need them: at the end of the
 * turn, or now (a job). Who is being promoted is not sent away with the rest. */
void pu_invite_update_serving(struct pu_pairing *p);
void pu_invite_serve_now(void *pairing);
/* Time has passed that the loop did not count. */
void pu_invite_gap(struct invite *i, pu_time gap);

/* pairing_code.c */
/* Begins to make the code; when it is there, or cannot be, pu_invite_open() or _fail() follows,
 * perhaps at once. */
int pu_invite_prepare(struct invite *i, struct pu_failure *why);
/* The timer of one that is being prepared. */
void pu_invite_look(struct invite *i);
/* Gives the numbers back. */
void pu_invite_drop_number(struct invite *i);

/* pairing_guest.c */
void pu_guest_accept(void *arg, struct pu_stream *st); /* a handler, of the pairing */
void pu_guests_drop(struct pu_pairing *p, uint64_t invite); /* 0: all */
bool pu_guests_any(const struct pu_pairing *p, uint64_t invite);

/* pairing_newcomer.c */
/* The peer is provisional until then (Unix seconds); invite: its id, 0 when it was not ours. */
int pu_newcomer_add(struct pu_pairing *p, const struct pu_peerid *peer, int64_t expires,
		    uint64_t invite);
/* The peer is known to have stored us. */
int pu_newcomer_confirm(struct pu_pairing *p, const struct pu_peerid *peer);
/* It says itself that it has not. */
void pu_newcomer_refused(struct pu_pairing *p, const struct pu_peerid *peer, const char *text);
/* Those of an earlier run. */
void pu_newcomers_load(struct pu_pairing *p);
void pu_newcomers_gap(struct pu_pairing *p, pu_time gap);
void pu_newcomers_free(struct pu_pairing *p);

#endif
