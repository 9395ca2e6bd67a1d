/* Invitations that this node has made and codes that it redeems. Over a node, with or without
 * device and control API: the daemon has one, and so has a command that runs alone. */
#ifndef PU_DAEMON_PAIRING_H
#define PU_DAEMON_PAIRING_H

#include "daemon/enrolment.h"
#include "daemon/node.h"
#include "overlay/invite/handshake.h"

enum {
	PU_PAIRING_INVITES_MAX = 8,        /* open at once, as many as a relay has numbers for us */
	PU_PAIRING_GUESSES_MAX = 5,        /* wrong ones until an invitation is void */
	PU_PAIRING_TTL_S = 600,            /* default */
	PU_PAIRING_TTL_MIN_S = 10,
	PU_PAIRING_TTL_MAX_S = 24 * 3600,
	PU_PAIRING_UNCONFIRMED_S = 600,    /* a joiner that never said that it has stored us */
	PU_PAIRING_JOIN_TIMEOUT_S = 60,
	PU_PAIRING_PREPARE_S = 20,        /* until a code is there or none can be made */
	PU_PAIRING_KEEP_S = 3600,         /* an invitation that has ended */
};

enum pu_invite_state {
	PU_INVITE_PREPARING, /* no code yet: a relay is asked for a number */
	PU_INVITE_OPEN,
	PU_INVITE_USED,      /* peer has joined */
	PU_INVITE_EXPIRED,
	PU_INVITE_VOID,      /* too many wrong guesses */
	PU_INVITE_FAILED,    /* no code could be made */
	PU_INVITE_CANCELED,
};
const char *pu_invite_state_text(enum pu_invite_state s);

/* One invitation; ended ones are kept for an hour, without their code. */
struct pu_invite {
	uint64_t id;              /* from 1 */
	enum pu_invite_state state;
	enum pu_code_version version;
	char code[PU_CODE_TEXT_MAX + 1]; /* "" unless open */
	enum pu_access access;
	int64_t expires;          /* Unix seconds */
	unsigned wrong_guesses;
	struct pu_peerid peer;    /* when used */
	char peer_name[65];       /* as we call it now */
	bool confirmed;           /* when used: the peer has said that it has stored us */
	struct pu_failure why;    /* when failed */
};

struct pu_invite_options {
	const char *name;      /* ours, told to the joiner; NULL: the host name */
	bool compat;           /* a version 1 code, for peer-up */
	enum pu_access access; /* for the joiner */
	unsigned ttl_s;
};

struct pu_join_options {
	const char *code;
	const char *name;      /* ours, told to the other side */
	enum pu_access access; /* that we grant to the inviter */
};

struct pu_join_result {
	enum pu_code_version version;
	size_t n_peers;        /* 1 for an invitation, any number for a relay's code */
	const struct pu_enrolment_peer *peer; /* names as they are now */
	const char *group;     /* of a relay's code, else "" */
};

struct pu_pairing;

struct pu_pairing_options {
	struct pu_node *node;
	/* The node's files have changed: load them again. */
	int (*reload)(void *arg, struct pu_failure *why);
	void *arg;
};
int pu_pairing_new(const struct pu_pairing_options *opt, struct pu_pairing **pp);
void pu_pairing_free(struct pu_pairing *p);

/* *pinvite lives until an hour after its end; look at it with pu_pairing_find(). Changes of
 * state are told on the node's events (PU_EVENT_INVITE). */
int pu_pairing_invite(struct pu_pairing *p, const struct pu_invite_options *opt,
		      const struct pu_invite **pinvite, struct pu_failure *why);
const struct pu_invite *pu_pairing_find(const struct pu_pairing *p, uint64_t id);
void pu_pairing_each(const struct pu_pairing *p, void (*fn)(void *arg, const struct pu_invite *i),
		     void *arg);
/* PU_ENOENT. */
int pu_pairing_cancel(struct pu_pairing *p, uint64_t id);

/* Redeems a code of any version; one at a time (PU_EAGAIN: another one is under way). on_done
 * comes later, once, unless canceled. r is NULL on failure, why then says what to do. */
typedef void pu_join_fn(void *arg, int err, const struct pu_join_result *r,
			const struct pu_failure *why);
int pu_pairing_join(struct pu_pairing *p, const struct pu_join_options *opt, pu_join_fn *on_done,
		    void *arg, struct pu_failure *why);
void pu_pairing_join_cancel(struct pu_pairing *p);

#endif
