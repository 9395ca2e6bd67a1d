#include "cli/invite_place.h"

#include <signal.h>
#include <time.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/invite_json.h"

enum { LOOK_MS = 300 };

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = 1;
}

void pu_invite_place_catch(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

bool pu_invite_place_interrupted(void)
{
	return interrupted;
}

int pu_invite_place_open(struct pu_cli *c, const struct pu_local *l, bool inviting,
			 struct pu_invite_place *at)
{
	int r;

	*at = (struct pu_invite_place){ .client = { .paths = &l->paths } };
	if (pu_client_is_up(&l->paths, NULL))
		return 0;
	pu_log_set_level(PU_LOG_ERROR);
	r = inviting ? pu_oneshot_new_host(&l->paths, &at->alone, &c->why) :
		       pu_oneshot_new(&l->paths, &at->alone, &c->why);
	return r < 0 ? PU_CLI_FAILED : 0;
}

void pu_invite_place_close(struct pu_invite_place *at)
{
	pu_oneshot_free(at->alone);
	at->alone = NULL;
}

/* --- waiting ---------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct wait {
	const struct pu_invite *invite; /* NULL: only time */
	enum pu_invite_state was;
	int64_t until_ms;
};

static bool is_over(void *arg)
{
	const struct wait *w = arg;

	return interrupted || now_ms() >= w->until_ms ||
	       (w->invite && w->invite->state != w->was);
}

static void pause_ms(int ms)
{
	struct timespec ts = { .tv_nsec = (long)ms * 1000000 };

	nanosleep(&ts, NULL); /* cut short by ^C */
}

/* --- invitations ------------------------------------------------------------------ */

static int invite_alone(struct pu_cli *c, struct pu_invite_place *at,
			const struct pu_invite_options *opt, json_t **pinvite)
{
	struct pu_pairing *p = pu_oneshot_pairing(at->alone);
	struct wait w = { .was = PU_INVITE_PREPARING,
			  .until_ms = now_ms() + 1000 * (PU_PAIRING_PREPARE_S + 2) };
	const struct pu_invite *i;
	int r;

	pu_oneshot_enter(at->alone);
	r = pu_pairing_invite(p, opt, &i, &c->why);
	pu_oneshot_leave(at->alone);
	if (r < 0)
		return PU_CLI_FAILED;
	at->id = (json_int_t)i->id;
	w.invite = i;
	if (i->state == PU_INVITE_PREPARING)
		pu_oneshot_run(at->alone, is_over, &w);
	if (i->state != PU_INVITE_OPEN) {
		c->why = i->why;
		return pu_cli_fail(c, "invitation", NULL, "no code could be made");
	}
	*pinvite = pu_invite_json(i);
	return 0;
}

int pu_invite_place_invite(struct pu_cli *c, struct pu_invite_place *at,
			   const struct pu_invite_options *opt, json_t **pinvite)
{
	json_t *body;

	if (at->alone)
		return invite_alone(c, at, opt, pinvite);
	body = json_pack("{s:s*, s:i, s:s, s:b}", "name", opt->name, "ttl_seconds",
			 (int)opt->ttl_s, "access", pu_access_text(opt->access), "compat",
			 opt->compat);
	if (pu_client_call(&at->client, "POST", "/v1/invites", body, pinvite, &c->why) < 0)
		return PU_CLI_FAILED;
	at->id = json_integer_value(json_object_get(*pinvite, "id"));
	return 0;
}

static void path_of(const struct pu_invite_place *at, char out[64])
{
	snprintf(out, 64, "/v1/invites/%lld", (long long)at->id);
}

int pu_invite_place_look(struct pu_cli *c, struct pu_invite_place *at, json_t **pinvite)
{
	const struct pu_invite *i;
	char path[64];

	if (at->alone) {
		struct wait w = { .until_ms = now_ms() + LOOK_MS };

		pu_oneshot_run(at->alone, is_over, &w);
		i = pu_pairing_find(pu_oneshot_pairing(at->alone), (uint64_t)at->id);
		*pinvite = i ? pu_invite_json(i) : NULL;
		return *pinvite ? 0 : pu_cli_fail(c, "invitation", NULL, "it is gone");
	}
	pause_ms(LOOK_MS);
	path_of(at, path);
	return pu_client_call(&at->client, "GET", path, NULL, pinvite, &c->why) < 0 ?
		       PU_CLI_FAILED :
		       0;
}

void pu_invite_place_cancel(struct pu_invite_place *at)
{
	struct pu_failure why = { .what = "" };
	json_t *data = NULL;
	char path[64];

	if (at->alone) {
		pu_oneshot_enter(at->alone);
		pu_pairing_cancel(pu_oneshot_pairing(at->alone), (uint64_t)at->id);
		pu_oneshot_leave(at->alone);
		return;
	}
	path_of(at, path);
	pu_client_call(&at->client, "DELETE", path, NULL, &data, &why);
	json_decref(data);
}

/* --- codes ------------------------------------------------------------------------ */

struct outcome {
	struct pu_cli *c;
	json_t *result;
	bool done;
};

static void on_joined(void *arg, int err, const struct pu_join_result *r,
		      const struct pu_failure *why)
{
	struct outcome *o = arg;

	o->done = true;
	if (err < 0)
		o->c->why = *why;
	else
		o->result = pu_join_json(r);
}

static bool is_done(void *arg)
{
	const struct outcome *o = arg;

	return o->done || interrupted;
}

static int join_alone(struct pu_cli *c, struct pu_invite_place *at,
		      const struct pu_join_options *opt, json_t **presult)
{
	struct pu_pairing *p = pu_oneshot_pairing(at->alone);
	struct outcome o = { .c = c };
	int r;

	pu_oneshot_enter(at->alone);
	r = pu_pairing_join(p, opt, on_joined, &o, &c->why);
	pu_oneshot_leave(at->alone);
	if (r < 0)
		return PU_CLI_FAILED;
	pu_oneshot_run(at->alone, is_done, &o);
	if (!o.done) {
		pu_oneshot_enter(at->alone);
		pu_pairing_join_cancel(p);
		pu_oneshot_leave(at->alone);
		return pu_cli_fail(c, "join", NULL, "interrupted");
	}
	*presult = o.result;
	return o.result ? 0 : pu_cli_fail(c, "join", NULL, "%s", pu_err_text(PU_ENOMEM));
}

int pu_invite_place_join(struct pu_cli *c, struct pu_invite_place *at,
			 const struct pu_join_options *opt, json_t **presult)
{
	json_t *body;

	if (at->alone)
		return join_alone(c, at, opt, presult);
	body = json_pack("{s:s, s:s*, s:s}", "code", opt->code, "name", opt->name, "access",
			 pu_access_text(opt->access));
	return pu_client_call(&at->client, "POST", "/v1/join", body, presult, &c->why) < 0 ?
		       PU_CLI_FAILED :
		       0;
}
