/* Numbers by which two machines find each other, /peerup/nameplate/1.0.0
 * (docs/protocols/nameplate.md): a member asks a relay for a number, tells it to
 * a person; the other machine, a stranger to the relay, asks the relay who has that number.
 * A number is no secret and proves nothing; what is behind it is a handshake with a password.
 *
 * A number lives as long as the stream on which it was asked for, but not longer than its
 * time. While any lives, strangers are let in to ask for numbers and to be connected to
 * their owners, and to nobody else. The owner may also vouch for who came: that peer becomes
 * a member of the relay.
 *
 * A node without relays keeps numbers for itself in the same way and answers for them. */
#ifndef PU_OVERLAY_INVITE_NAMEPLATE_H
#define PU_OVERLAY_INVITE_NAMEPLATE_H

#include "p2p/host/host.h"

#define PU_NAMEPLATE_PROTOCOL "/peerup/nameplate/1.0.0"

enum {
	PU_NAMEPLATE_MAX = 256,          /* living numbers of one relay */
	PU_NAMEPLATE_PER_PEER = 8,
	PU_NAMEPLATE_TTL_MAX_S = 24 * 3600,
	PU_NAMEPLATE_LOOKUPS_PER_CONN = 4, /* within a minute */
	PU_NAMEPLATE_ANSWER_S = 15,      /* for each answer of a keeper */
	PU_NAMEPLATE_VOUCHED_MAX = 4,    /* peers to be brought in through one number */
};

/* The keeper: a relay, or the inviter itself. */
struct pu_nameplates;

struct pu_nameplates_options {
	/* May that peer have a number? NULL: nobody but ourselves (_claim). */
	bool (*may_allocate)(void *arg, const struct pu_peerid *peer);
	/* The owner of a living number vouches for peer; name as sent, clean it. 0, PU_EEXIST (a
	 * member already) or why not. NULL: nobody may. */
	int (*on_vouched)(void *arg, const struct pu_peerid *owner, const struct pu_peerid *peer,
			  const char *name);
	/* The first number came to life (true), the last one ended (false): strangers have
	 * business here, or not. Must not free the keeper. May be NULL. */
	void (*on_open)(void *arg, bool open);
	void *arg;
};

int pu_nameplates_new(struct pu_host *h, const struct pu_nameplates_options *opt,
		      struct pu_nameplates **pn);
void pu_nameplates_free(struct pu_nameplates *n);
/* Does a living number belong to that peer? For the relay's may_connect. */
bool pu_nameplates_owns(const struct pu_nameplates *n, const struct pu_peerid *peer);
size_t pu_nameplates_count(const struct pu_nameplates *n);
/* A number for this node itself, until then. PU_ELIMIT. */
int pu_nameplates_claim(struct pu_nameplates *n, pu_time until, unsigned *pnumber);
void pu_nameplates_release(struct pu_nameplates *n, unsigned number);

/* A member's number at a relay. */
struct pu_nameplate;
struct pu_nameplate_events {
	/* Another one than the wanted one when that is not free any more. */
	void (*on_number)(void *arg, unsigned number);
	/* There is none, or it is gone. PU_ETIMEDOUT: its time is up, or there was no answer;
	 * PU_ENOPROTO: the relay does not know numbers; PU_EDENIED: not for us; PU_ELIMIT: it has
	 * no more; else the way to the relay. Once, last; n may be freed from inside. */
	void (*on_lost)(void *arg, int err);
};
/* Connects when needed. wanted: the number it had before, or 0. Callbacks come later. Free it
 * also when it is lost. */
int pu_nameplate_allocate(struct pu_host *h, const struct pu_peerid *relay, unsigned wanted,
			  unsigned ttl_s, const struct pu_nameplate_events *ev, void *arg,
			  struct pu_nameplate **pn);
/* on_done: 0 (also when it is a member already), or why the relay does not take the peer in.
 * Once, unless n is freed. PU_EAGAIN: n has no number yet, or too many answers are awaited. */
int pu_nameplate_vouch(struct pu_nameplate *n, const struct pu_peerid *peer, const char *name,
		       void (*on_done)(void *arg, int err), void *arg);
/* Gives the number up. From inside a callback, too. NULL is fine. */
void pu_nameplate_free(struct pu_nameplate *n);

/* A stranger's question on an open connection; may be a member's, too. err: PU_ENOENT (no such
 * number), PU_ENOPROTO, PU_EDENIED, PU_ELIMIT (asked too often), PU_ETIMEDOUT, PU_EPROTO, or
 * what became of the connection. */
struct pu_nameplate_lookup;
typedef void pu_nameplate_lookup_fn(void *arg, int err, const struct pu_peerid *owner);
int pu_nameplate_ask(struct pu_host *h, struct pu_conn *c, unsigned number,
		     pu_nameplate_lookup_fn *on_done, void *arg,
		     struct pu_nameplate_lookup **pl);
/* on_done will not fire. */
void pu_nameplate_cancel(struct pu_nameplate_lookup *l);

#endif
