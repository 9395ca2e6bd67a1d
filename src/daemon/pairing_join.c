#include "daemon/pairing_join.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"

enum { LAST_WORDS_MS = 300 };

static void join_free(struct join *j)
{
	pu_timer_stop(&j->timer);
	pu_timer_stop(&j->last);
	pu_join_meet_stop(j);
	if (j->opening)
		pu_host_cancel(j->owner->node->host, j->opening);
	if (j->redeem)
		pu_pair_cancel(j->redeem);
	pu_talk_close(&j->talk, true);
	pu_code_wipe(&j->code);
	if (j->owner->join == j)
		j->owner->join = NULL;
	free(j->peer);
	free(j);
}

static void finish(struct join *j, int err, const struct pu_failure *why)
{
	const struct pu_join_result result = {
		.version = j->code.version,
		.n_peers = j->n_peers,
		.peer = j->peer,
		.group = j->group,
	};
	pu_join_fn *on_done = j->on_done;

	/* From inside the callback another code may be tried. */
	j->owner->join = NULL;
	on_done(j->arg, err, err < 0 ? NULL : &result, why);
	join_free(j);
}

void pu_join_fail_as(struct join *j, int err, const struct pu_failure *why)
{
	pu_log(PU_LOG_WARN, "pairing", "joining failed", PU_KV_STR("what", why->what),
	       PU_KV_STR("why", why->why));
	finish(j, err, why);
}

void pu_join_fail(struct join *j, int err, const char *hint, const char *why_fmt, ...)
{
	struct pu_failure why = { .what = "" };
	char text[sizeof why.why];
	va_list ap;

	va_start(ap, why_fmt);
	vsnprintf(text, sizeof text, why_fmt, ap);
	va_end(ap);
	pu_failure_set(&why, err, "join", hint, "%s", text);
	pu_join_fail_as(j, err, &why);
}

static void on_last(void *arg)
{
	struct join *j = arg;
	struct pu_failure none = { .what = "" };

	finish(j, 0, &none);
}

/* Whoever goes away right after it should not take the last message along. */
void pu_join_succeed(struct join *j)
{
	struct pu_loop *loop = j->owner->loop;

	pu_timer_stop(&j->timer);
	pu_join_meet_stop(j);
	pu_talk_close(&j->talk, true);
	for (size_t i = 0; i < j->n_peers; i++)
		pu_host_forget_failures(j->owner->node->host, &j->peer[i].id);
	pu_timer_set(&j->last, pu_loop_now(loop) + PU_MS(LAST_WORDS_MS));
}

static void on_timeout(void *arg)
{
	struct join *j = arg;

	pu_join_fail(j, PU_ETIMEDOUT, "peerup-vpn status",
		     j->talking ? "the inviting machine stopped answering" :
				  "nobody answered within %d s", PU_PAIRING_JOIN_TIMEOUT_S);
}

int pu_join_check_network(const struct join *j, const char *network, struct pu_enrolment *e,
			  struct pu_failure *why)
{
	const struct pu_config *cfg = j->owner->node->cfg;
	bool unused = !cfg->network[0] && cfg->relays.n == 0 && cfg->n_names == 0;

	if (strcmp(cfg->network, network) == 0)
		return 0;
	if (unused) {
		snprintf(e->network, sizeof e->network, "%s", network);
		return 0;
	}
	return pu_failure_set(why, PU_EDENIED, "join", "peerup-vpn init --dir <another folder>",
			      "the code is for the network \"%s\", this machine is in \"%s\"; one "
			      "config is in one network",
			      network[0] ? network : "global", cfg->network[0] ? cfg->network :
									   "global");
}

static int check(const struct pu_pairing *p, const struct pu_join_options *opt, struct join *j,
		 struct pu_failure *why)
{
	char text[160] = "";
	int r = pu_pairing_own_name(opt->name, j->name);

	if (r < 0)
		return pu_failure_set(why, r, "name", NULL,
				      "letters, digits, '.', '_' and '-', 63 at most");
	r = pu_code_parse(opt->code, &j->code, text);
	if (r < 0)
		return pu_failure_set(why, r, "code", NULL, "%s", text[0] ? text : pu_err_text(r));
	if (j->code.version == PU_CODE_INVITE_V1 &&
	    pu_peerid_eq(&j->code.inviter, &p->node->key.peer))
		return pu_failure_set(why, PU_EINVAL, "code", NULL,
				      "it was made on this machine; type it on the other one");
	return 0;
}

static int start(struct join *j, struct pu_failure *why)
{
	switch (j->code.version) {
	case PU_CODE_PAIR_V2:
		return pu_join_redeem_start(j, why);
	case PU_CODE_INVITE_V1:
	case PU_CODE_INVITE_V3:
		break;
	}
	return pu_join_meet_start(j, why);
}

int pu_pairing_join(struct pu_pairing *p, const struct pu_join_options *opt, pu_join_fn *on_done,
		    void *arg, struct pu_failure *why)
{
	struct join *j;
	int r;

	if (p->join)
		return pu_failure_set(why, PU_EAGAIN, "join", NULL,
				      "another code is being redeemed at this moment");
	j = calloc(1, sizeof *j);
	if (!j)
		return pu_failure_set(why, PU_ENOMEM, "join", NULL, "out of memory");
	j->owner = p;
	j->access = opt->access;
	j->on_done = on_done;
	j->arg = arg;
	pu_timer_init(&j->timer, p->loop, on_timeout, j);
	pu_timer_init(&j->last, p->loop, on_last, j);
	r = check(p, opt, j, why);
	if (r == 0)
		r = start(j, why);
	if (r < 0) {
		join_free(j);
		return r;
	}
	pu_timer_set(&j->timer, pu_loop_now(p->loop) + PU_SEC(PU_PAIRING_JOIN_TIMEOUT_S));
	p->join = j;
	return 0;
}

void pu_pairing_join_cancel(struct pu_pairing *p)
{
	if (p->join)
		join_free(p->join);
}
