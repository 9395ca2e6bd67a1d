/* discover: what a peer is and offers. */
#include <time.h>

#include "base/err.h"
#include "cli/client.h"
#include "cli/local.h"
#include "cli/out.h"
#include "cli/summary.h"
#include "daemon/oneshot.h"
#include "daemon/peer_json.h"

enum { TRIES = 20, STEP_MS = 200 };

/* The entry of the list that is about the peer, borrowed; NULL: none. */
static json_t *find_peer(const json_t *list, const char *id)
{
	const char *text;
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v) {
		text = json_string_value(json_object_get(v, "id"));
		if (text && strcmp(text, id) == 0)
			return v;
	}
	return NULL;
}

static int unreachable(struct pu_cli *c, const char *why)
{
	char hint[300], clean[400];

	snprintf(hint, sizeof hint, "peerup-vpn why %.200s", c->arg[0]);
	return pu_cli_fail(c, c->arg[0], hint, "cannot reach peer: %s",
			   pu_out_clean(why, clean, sizeof clean));
}

/* A ping makes the daemon connect; what is offered comes soon after. */
static int ask_daemon(struct pu_cli *c, struct pu_local *l, const char *id, json_t **ppeer)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
	struct pu_client cl = { .paths = &l->paths };
	json_t *data = NULL, *peer;

	if (pu_client_call(&cl, "POST", "/v1/ping", json_pack("{s:s, s:i}", "peer", id, "count", 1),
			   &data, &c->why) < 0)
		return PU_CLI_FAILED;
	json_decref(data);
	for (int i = 0; i < TRIES; i++) {
		if (pu_client_call(&cl, "GET", "/v1/peers?all=true", NULL, &data, &c->why) < 0)
			return PU_CLI_FAILED;
		peer = json_incref(find_peer(data, id));
		json_decref(data);
		if (json_object_get(peer, "granted") || i == TRIES - 1) {
			*ppeer = peer;
			return peer ? 0 : unreachable(c, "it is gone");
		}
		json_decref(peer);
		nanosleep(&step, NULL);
	}
	return 0;
}

static void keep_json(void *arg, const struct pu_api_peer *p)
{
	json_t **pout = arg;

	*pout = pu_peer_json(p);
}

static int ask_directly(struct pu_cli *c, struct pu_local *l, const struct pu_peerid *peer,
			json_t **ppeer)
{
	struct pu_oneshot_pong pong;
	struct pu_oneshot *o;
	int r = pu_local_oneshot(c, l, "asking", &o);

	if (r)
		return r;
	pu_oneshot_ping(o, peer, &pong);
	r = pong.err ? unreachable(c, pong.error) : 0;
	if (r == 0 && pu_oneshot_look(o, peer, keep_json, ppeer) < 0)
		r = unreachable(c, "it is gone");
	pu_oneshot_free(o);
	return r;
}

static void print_list(const json_t *peer, const char *key)
{
	char text[PU_SUMMARY_TEXT_MAX];
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(peer, key), i, v)
		printf("  %-10s %s\n", i ? "" : key,
		       pu_out_clean(json_string_value(v), text, sizeof text));
}

static void print_services(const json_t *peer)
{
	const json_t *list = json_object_get(peer, "services"), *v;
	char name[PU_SUMMARY_TEXT_MAX];
	json_int_t port;
	size_t i;

	if (json_array_size(list) == 0)
		puts("  services   none that this machine may use");
	json_array_foreach(list, i, v) {
		port = json_integer_value(json_object_get(v, "port"));
		printf("  %-10s %s", i ? "" : "services", pu_summary_text(v, "name", name));
		if (port)
			printf("  port %lld", (long long)port);
		putchar('\n');
	}
}

static void print_peer(const struct pu_cli *c, const json_t *peer)
{
	char text[PU_SUMMARY_TEXT_MAX], more[PU_SUMMARY_TEXT_MAX];

	printf("%s%s%s  %s\n", pu_out_on(c, PU_OUT_BOLD), pu_summary_text(peer, "name", text),
	       pu_out_off(c), pu_summary_text(peer, "id", more));
	printf("  agent      %s\n", pu_summary_text(peer, "agent_version", text));
	printf("  path       %s %s\n", pu_summary_text(peer, "path", text),
	       pu_summary_text(peer, "remote_address", more));
	printf("  grants us  %s\n", pu_summary_text(peer, "granted", text)[0] ? text : "not told");
	pu_summary_text(peer, "access", text);
	printf("  we grant   %s\n", text[0] ? text : "nothing: it is not authorized here");
	print_services(peer);
	print_list(peer, "addresses");
}

static int discover(struct pu_cli *c, struct pu_local *l)
{
	char id[PU_PEERID_TEXT_MAX];
	struct pu_peerid peer;
	json_t *data = NULL;
	int r = pu_local_resolve(c, l, c->arg[0], &peer);

	if (r)
		return r;
	pu_peerid_text(&peer, id);
	r = pu_client_is_up(&l->paths, NULL) ? ask_daemon(c, l, id, &data) :
					       ask_directly(c, l, &peer, &data);
	if (r)
		return r;
	if (c->json)
		return pu_out_json(data);
	print_peer(c, data);
	json_decref(data);
	return PU_CLI_OK;
}

int pu_cmd_discover(struct pu_cli *c)
{
	return pu_local_run(c, false, discover);
}
