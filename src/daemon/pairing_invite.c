/* The life of an invitation: made, open, used or not, and whom it lets in meanwhile. How it
 * gets its code is pairing_code.c. */
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/pairing_internal.h"

void pu_invite_tell(const struct invite *i)
{
	const struct pu_event ev = {
		.kind = PU_EVENT_INVITE,
		.peer = pu_peerid_empty(&i->pub.peer) ? NULL : &i->pub.peer,
		.what = pu_invite_state_text(i->pub.state),
		.n = i->pub.id,
	};

	pu_events_tell(&i->owner->node->events, &ev);
}

static void set_state(struct invite *i, enum pu_invite_state state)
{
	i->pub.state = state;
	pu_log(PU_LOG_INFO, "pairing", "invitation", PU_KV_U64("id", i->pub.id),
	       PU_KV_STR("state", pu_invite_state_text(state)));
	pu_invite_tell(i);
}

void pu_invite_end(struct invite *i, enum pu_invite_state state)
{
	struct pu_pairing *p = i->owner;

	pu_code_wipe(&i->code);
	explicit_bzero(i->pub.code, sizeof i->pub.code);
	/* Whoever has proven already may finish. */
	if (!i->taken)
		pu_guests_drop(p, i->pub.id);
	/* The way by which the joiner came stays open until it is through. */
	if (state != PU_INVITE_USED)
		pu_invite_drop_number(i);
	pu_timer_set(&i->timer, pu_loop_now(p->loop) + PU_SEC(state == PU_INVITE_USED ?
								      PU_HOST_PROBATION_S :
								      PU_PAIRING_KEEP_S));
	set_state(i, state);
	pu_invite_update_serving(p);
}

void pu_invite_free(struct invite *i)
{
	pu_timer_stop(&i->timer);
	pu_invite_drop_number(i);
	pu_code_wipe(&i->code);
	explicit_bzero(i->pub.code, sizeof i->pub.code);
	pu_list_remove(&i->node);
	free(i);
}

void pu_invite_fail(struct invite *i, int err, const char *hint, const char *why)
{
	pu_failure_set(&i->pub.why, err, "invitation", hint, "%s", why);
	pu_invite_end(i, PU_INVITE_FAILED);
}

void pu_invite_open(struct invite *i)
{
	int r = pu_code_format(&i->code, i->pub.code);

	if (r < 0) {
		pu_invite_fail(i, r, NULL, "the code cannot be written down");
		return;
	}
	pu_timer_set(&i->timer, i->until);
	set_state(i, PU_INVITE_OPEN);
	pu_invite_update_serving(i->owner);
}

/* --- letting people in ------------------------------------------------------------ */

static pu_time last_end(const struct pu_pairing *p, enum pu_code_version version)
{
	pu_time until = 0, enough = pu_loop_now(p->loop) + PU_SEC(PU_HOST_PROBATION_S);

	PU_LIST_FOREACH (it, tmp, &p->invites) {
		const struct invite *i = PU_CONTAINER_OF(it, struct invite, node);

		if (i->pub.version != version)
			continue;
		if (pu_invite_is_open(i) && i->until > until)
			until = i->until;
		if (i->taken && pu_guests_any(p, i->pub.id) && enough > until)
			until = enough;
	}
	return until;
}

/* Members may come with a code as well as strangers, hence handler and rule. */
static void serve(struct pu_pairing *p, const char *protocol, pu_time until, bool *pserving)
{
	struct pu_host *h = p->node->host;
	int r = 0;

	if (until && !*pserving)
		r = pu_host_handle(h, protocol, pu_guest_accept, p);
	if (r < 0) {
		pu_log(PU_LOG_ERROR, "pairing", "nobody can come with a code", PU_KV_ERR(r));
		return;
	}
	if (until || *pserving)
		pu_host_probation(h, protocol, true, until);
	if (!until && *pserving)
		pu_host_unhandle(h, protocol);
	*pserving = until != 0;
}

void pu_invite_update_serving(struct pu_pairing *p)
{
	pu_job_defer(&p->serving_job);
}

void pu_invite_serve_now(void *pairing)
{
	struct pu_pairing *p = pairing;

	serve(p, PU_INVITE_PROTOCOL_V1, last_end(p, PU_CODE_INVITE_V1), &p->serving_v1);
	serve(p, PU_INVITE_PROTOCOL_V3, last_end(p, PU_CODE_INVITE_V3), &p->serving_v3);
}

/* --- life ------------------------------------------------------------------------- */

static void on_timer(void *arg)
{
	struct invite *i = arg;

	switch (i->pub.state) {
	case PU_INVITE_PREPARING:
		pu_invite_look(i);
		break;
	case PU_INVITE_OPEN:
		pu_invite_end(i, PU_INVITE_EXPIRED);
		break;
	case PU_INVITE_USED:
		if (i->own_number || i->n_plates) {
			pu_invite_drop_number(i);
			i->n_plates = 0;
			i->chosen = NULL;
			pu_timer_set(&i->timer,
				     pu_loop_now(i->owner->loop) + PU_SEC(PU_PAIRING_KEEP_S));
			break;
		}
		pu_invite_free(i);
		break;
	case PU_INVITE_EXPIRED:
	case PU_INVITE_VOID:
	case PU_INVITE_FAILED:
	case PU_INVITE_CANCELED:
		pu_guests_drop(i->owner, i->pub.id);
		pu_invite_free(i);
		break;
	}
}

void pu_invite_gap(struct invite *i, pu_time gap)
{
	i->until -= gap < i->until ? gap : i->until;
	if (pu_invite_is_open(i))
		pu_timer_set(&i->timer, i->until);
}

static unsigned count_active(const struct pu_pairing *p)
{
	unsigned n = 0;

	PU_LIST_FOREACH (it, tmp, &p->invites) {
		const struct invite *i = PU_CONTAINER_OF(it, struct invite, node);

		n += pu_invite_is_open(i) || i->pub.state == PU_INVITE_PREPARING;
	}
	return n;
}

/* Scripts may make many: the oldest that has ended gives way. */
static void forget_oldest(struct pu_pairing *p)
{
	unsigned n = 0;

	PU_LIST_FOREACH (it, tmp, &p->invites)
		n++;
	PU_LIST_FOREACH (jt, jtmp, &p->invites) {
		struct invite *i = PU_CONTAINER_OF(jt, struct invite, node);

		if (n < 4 * PU_PAIRING_INVITES_MAX)
			return;
		if (pu_invite_is_open(i) || i->pub.state == PU_INVITE_PREPARING)
			continue;
		pu_guests_drop(p, i->pub.id);
		pu_invite_free(i);
		n--;
	}
}

static int check(const struct pu_pairing *p, const struct pu_invite_options *opt,
		 char name[PU_ENROLMENT_NAME_MAX + 1], struct pu_failure *why)
{
	if (opt->ttl_s < PU_PAIRING_TTL_MIN_S || opt->ttl_s > PU_PAIRING_TTL_MAX_S)
		return pu_failure_set(why, PU_EINVAL, "ttl", NULL,
				      "%u s is out of range, allowed is %u s to %u s", opt->ttl_s,
				      PU_PAIRING_TTL_MIN_S, PU_PAIRING_TTL_MAX_S);
	if (pu_pairing_own_name(opt->name, name) < 0)
		return pu_failure_set(why, PU_EINVAL, "name", NULL,
				      "letters, digits, '.', '_' and '-', 63 at most");
	if (count_active(p) >= PU_PAIRING_INVITES_MAX)
		return pu_failure_set(why, PU_ELIMIT, "invitation", "peerup-vpn invite list",
				      "%u are open already", PU_PAIRING_INVITES_MAX);
	return 0;
}

int pu_pairing_invite(struct pu_pairing *p, const struct pu_invite_options *opt,
		      const struct pu_invite **pinvite, struct pu_failure *why)
{
	pu_time now = pu_loop_now(p->loop);
	char name[PU_ENROLMENT_NAME_MAX + 1];
	struct invite *i;
	int r = check(p, opt, name, why);

	if (r < 0)
		return r;
	forget_oldest(p);
	i = calloc(1, sizeof *i);
	if (!i)
		return pu_failure_set(why, PU_ENOMEM, "invitation", NULL, "out of memory");
	i->owner = p;
	i->pub.id = ++p->next_id;
	i->pub.version = opt->compat ? PU_CODE_INVITE_V1 : PU_CODE_INVITE_V3;
	i->pub.access = opt->access;
	i->pub.expires = pu_loop_unix(p->loop) + opt->ttl_s;
	i->code.version = i->pub.version;
	i->until = now + PU_SEC(opt->ttl_s);
	i->give_up = now + PU_SEC(PU_PAIRING_PREPARE_S);
	snprintf(i->name, sizeof i->name, "%s", name);
	pu_timer_init(&i->timer, p->loop, on_timer, i);
	pu_list_init(&i->node);
	r = pu_invite_prepare(i, why);
	if (r < 0) {
		pu_invite_free(i);
		return r;
	}
	pu_list_append(&p->invites, &i->node);
	/* Its own number it has at once, but nobody could find it before this. */
	pu_invite_update_serving(p);
	*pinvite = &i->pub;
	return 0;
}
