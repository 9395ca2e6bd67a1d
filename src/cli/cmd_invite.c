/* invite, invite list, invite cancel. */
#include <unistd.h>

#include "base/err.h"
#include "base/rfc3339.h"
#include "cli/invite_place.h"
#include "cli/newcomer.h"
#include "cli/out.h"
#include "cli/qr.h"
#include "daemon/config_value.h"

enum { CONFIRM_LOOKS = 100 /* at a peer that has not said yet that it is done */ };

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static int parse(struct pu_cli *c, struct pu_invite_options *opt)
{
	const char *ttl = pu_cli_flag(c, "ttl", 0);
	pu_time t = PU_SEC(PU_PAIRING_TTL_S);

	if (ttl && (pu_config_duration(ttl, &t) < 0 || t < PU_SEC(PU_PAIRING_TTL_MIN_S) ||
		    t > PU_SEC(PU_PAIRING_TTL_MAX_S)))
		return pu_cli_misuse(c, "--ttl", "%s is not a duration from 10s to 24h", ttl);
	opt->ttl_s = (unsigned)(t / PU_SEC(1));
	opt->name = pu_cli_flag(c, "name", 0);
	opt->compat = pu_cli_has(c, "compat");
	return pu_newcomer_access(c, &opt->access);
}

/* --- what the user sees ----------------------------------------------------------- */

static void print_qr(const struct pu_cli *c, const char *code)
{
	switch (pu_qr_print(stdout, code, pu_qr_columns(), c->color)) {
	case PU_QR_SHOWN:
		putchar('\n');
		break;
	case PU_QR_TOO_NARROW:
		puts("(The terminal is too narrow for a QR code.)\n");
		break;
	case PU_QR_IMPOSSIBLE:
		break;
	}
}

static void print_span(unsigned s)
{
	if (s % 3600 == 0)
		printf("%u h", s / 3600);
	else if (s % 60 == 0)
		printf("%u minutes", s / 60);
	else
		printf("%u s", s);
}

static void show_code(struct pu_cli *c, const struct pu_invite_options *opt, const json_t *invite)
{
	const char *code = text_of(invite, "code");
	const char *b = pu_out_on(c, PU_OUT_BOLD), *o = pu_out_off(c);

	if (pu_cli_has(c, "non-interactive")) {
		printf("%s\n", code);
		fflush(stdout);
		return;
	}
	printf("\n  %s%s%s\n\n", b, code, o);
	if (isatty(STDOUT_FILENO))
		print_qr(c, code);
	printf("On the other machine:\n\n  %ssudo peerup-vpn join %s%s\n\nThe code is good for ", b,
	       code, o);
	print_span(opt->ttl_s);
	printf(", once. Who joins may use %s.\n",
	       pu_newcomer_access_text(pu_access_text(opt->access)));
	fflush(stdout);
}

static int show_end(struct pu_cli *c, const json_t *invite)
{
	const char *state = text_of(invite, "state"), *name = text_of(invite, "peer_name");
	FILE *f = pu_cli_has(c, "non-interactive") ? stderr : stdout;
	char clean[160];

	if (strcmp(state, "used") == 0) {
		fprintf(f, "\n%s has joined%s.\nCompare the pictures on both machines: peerup-vpn "
			   "verify %s\n",
			pu_out_clean(name, clean, sizeof clean),
			json_is_true(json_object_get(invite, "confirmed")) ?
				"" :
				", but has not confirmed it yet",
			clean);
		return PU_CLI_OK;
	}
	if (strcmp(state, "expired") == 0)
		return pu_cli_fail(c, "invitation", "peerup-vpn invite",
				   "nobody has come in time; the code is void");
	if (strcmp(state, "void") == 0)
		return pu_cli_fail(c, "invitation", "peerup-vpn invite",
				   "wrong codes were tried too often; the code is void");
	if (strcmp(state, "canceled") == 0)
		return pu_cli_fail(c, "invitation", NULL, "canceled; the code is void");
	return pu_cli_fail(c, "invitation", text_of(invite, "hint"), "%s",
			   text_of(invite, "error"));
}

/* --- waiting ---------------------------------------------------------------------- */

static bool is_settled(const json_t *invite)
{
	const char *state = text_of(invite, "state");

	if (strcmp(state, "open") == 0)
		return false;
	return strcmp(state, "used") != 0 || json_is_true(json_object_get(invite, "confirmed"));
}

/* Until somebody has joined or nobody can any more. *pinvite is replaced. */
static int await(struct pu_cli *c, struct pu_invite_place *at, json_t **pinvite)
{
	unsigned unconfirmed = 0;
	json_t *now;
	int r;

	while (!is_settled(*pinvite) && unconfirmed < CONFIRM_LOOKS) {
		if (pu_invite_place_interrupted()) {
			pu_invite_place_cancel(at);
			json_object_set_new(*pinvite, "state", json_string("canceled"));
			return 0;
		}
		r = pu_invite_place_look(c, at, &now);
		if (r && pu_invite_place_interrupted())
			continue;
		if (r)
			return r;
		json_decref(*pinvite);
		*pinvite = now;
		unconfirmed += strcmp(text_of(now, "state"), "used") == 0;
	}
	return 0;
}

static int finish(struct pu_cli *c, struct pu_invite_place *at, bool alone, json_t *invite)
{
	bool used = strcmp(text_of(invite, "state"), "used") == 0;
	int r = PU_CLI_OK;

	/* The ports are needed again. */
	pu_invite_place_close(at);
	if (c->json)
		pu_out_json(json_incref(invite));
	if (!c->json || !used)
		r = show_end(c, invite);
	return used && alone && r == 0 ? pu_newcomer_up(c) : r;
}

static int make(struct pu_cli *c, struct pu_invite_place *at, const struct pu_invite_options *opt)
{
	bool alone = at->alone != NULL, wait = !pu_cli_has(c, "no-wait");
	json_t *invite = NULL;
	int r;

	if (alone && !wait)
		return pu_cli_fail(c, "--no-wait", "sudo peerup-vpn up",
				   "without a daemon this command has to stay until the other "
				   "machine has come");
	r = pu_invite_place_invite(c, at, opt, &invite);
	if (r)
		return r;
	if (c->json)
		pu_out_json(json_incref(invite));
	else
		show_code(c, opt, invite);
	fflush(stdout);
	if (wait) {
		if (!c->json && !pu_cli_has(c, "non-interactive"))
			puts("\nWaiting for the other machine; ^C takes the code back.");
		fflush(stdout);
		r = await(c, at, &invite);
		if (r == 0)
			r = finish(c, at, alone, invite);
	}
	json_decref(invite);
	return r;
}

static int invite(struct pu_cli *c, struct pu_local *l)
{
	struct pu_invite_options opt = { .compat = false };
	struct pu_invite_place at = { .id = 0 };
	int r = parse(c, &opt);

	if (r)
		return r;
	pu_invite_place_catch();
	r = pu_invite_place_open(c, l, true, &at);
	if (r == 0)
		r = make(c, &at, &opt);
	pu_invite_place_close(&at);
	return r;
}

int pu_cmd_invite(struct pu_cli *c)
{
	struct pu_invite_options opt = { .compat = false };
	int r = parse(c, &opt); /* before anything is made */

	if (r == 0)
		r = pu_newcomer_ensure_config(c, NULL);
	return r ? r : pu_local_run(c, false, invite);
}

/* --- invitations of the daemon ---------------------------------------------------- */

static void print_invite(const struct pu_cli *c, const json_t *i)
{
	char clean[1100];

	printf("%-4lld %-9s until %s  %s\n",
	       (long long)json_integer_value(json_object_get(i, "id")), text_of(i, "state"),
	       text_of(i, "expires_at"),
	       pu_out_clean(*text_of(i, "code") ? text_of(i, "code") : text_of(i, "peer_name"),
			    clean, sizeof clean));
}

static int list(struct pu_cli *c, struct pu_local *l)
{
	struct pu_client cl = { .paths = &l->paths };
	json_t *data = NULL, *i;
	size_t n;

	if (pu_client_call(&cl, "GET", "/v1/invites", NULL, &data, &c->why) < 0)
		return PU_CLI_FAILED;
	if (c->json)
		return pu_out_json(data);
	if (json_array_size(data) == 0)
		puts("No invitations. Make one: peerup-vpn invite");
	json_array_foreach (data, n, i)
		print_invite(c, i);
	json_decref(data);
	return PU_CLI_OK;
}

int pu_cmd_invite_list(struct pu_cli *c)
{
	return pu_local_run(c, false, list);
}

static int cancel(struct pu_cli *c, struct pu_local *l)
{
	struct pu_client cl = { .paths = &l->paths };
	char path[64];
	json_t *data = NULL;
	uint64_t id;

	if (pu_config_uint(c->arg[0], &id) < 0)
		return pu_cli_misuse(c, c->arg[0],
				     "not a number; peerup-vpn invite list shows them");
	snprintf(path, sizeof path, "/v1/invites/%llu", (unsigned long long)id);
	if (pu_client_call(&cl, "DELETE", path, NULL, &data, &c->why) < 0)
		return PU_CLI_FAILED;
	if (c->json)
		return pu_out_json(data);
	printf("Invitation %s: %s\n", c->arg[0], text_of(data, "status"));
	json_decref(data);
	return PU_CLI_OK;
}

int pu_cmd_invite_cancel(struct pu_cli *c)
{
	return pu_local_run(c, false, cancel);
}
