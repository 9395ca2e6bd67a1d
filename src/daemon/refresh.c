#include "daemon/refresh.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "daemon/filewatch.h"

enum { CONFIG_MAX = 4 * 1024 * 1024 };

struct pu_refresh {
	struct pu_node *node;
	int (*reload)(void *arg, struct pu_failure *why);
	void *arg;
	struct pu_filewatch *config, *members;
	struct pu_event_listener listener;
	uint8_t digest[PU_SHA256_LEN]; /* of the config as last seen, taken over or not */
};

/* False when it cannot be read: then whoever loads it says why. */
static bool read_digest(const char *path, uint8_t out[PU_SHA256_LEN])
{
	char *text;
	size_t len;

	if (pu_file_read(path, CONFIG_MAX, &text, &len, NULL) < 0)
		return false;
	pu_sha256(pu_bytes(text, len), out);
	explicit_bzero(text, len);
	free(text);
	return true;
}

/* Commands that edit the file ask for a reload themselves; the watch comes later and finds
 * nothing new. */
static void on_config(void *arg)
{
	struct pu_refresh *r = arg;
	struct pu_failure why = { .what = "" };
	uint8_t digest[PU_SHA256_LEN] = { 0 };

	if (read_digest(r->node->paths.config, digest) &&
	    memcmp(digest, r->digest, sizeof digest) == 0)
		return;
	memcpy(r->digest, digest, sizeof r->digest);
	if (r->reload(r->arg, &why) < 0)
		pu_log(PU_LOG_ERROR, "files", "changed config refused, the former one stays in use",
		       PU_KV_STR("what", why.what), PU_KV_STR("why", why.why));
}

static void on_members(void *arg)
{
	struct pu_refresh *r = arg;
	struct pu_failure why = { .what = "" };

	if (pu_node_reload_members(r->node, &why) < 0)
		pu_log(PU_LOG_ERROR, "files", "cannot read the authorized keys, nothing changed",
		       PU_KV_STR("what", why.what), PU_KV_STR("why", why.why));
}

/* A new config may name another members file. */
static void follow(struct pu_refresh *r)
{
	const char *path = r->node->cfg->authorized_keys_file;

	if (r->members && strcmp(pu_filewatch_path(r->members), path) == 0)
		return;
	pu_filewatch_stop(r->members);
	r->members = NULL;
	if (pu_filewatch_start(r->node->loop, path, on_members, r, &r->members) < 0)
		pu_log_msg(PU_LOG_WARN, "files", "changes of the authorized keys are not noticed");
}

static void on_event(void *arg, const struct pu_event *ev)
{
	struct pu_refresh *r = arg;

	if (ev->kind != PU_EVENT_CONFIG)
		return;
	read_digest(r->node->paths.config, r->digest);
	follow(r);
}

int pu_refresh_start(struct pu_node *n, int (*reload)(void *arg, struct pu_failure *why),
		     void *arg, struct pu_refresh **pr)
{
	struct pu_refresh *r = calloc(1, sizeof *r);
	int err;

	if (!r)
		return PU_ENOMEM;
	*r = (struct pu_refresh){ .node = n, .reload = reload, .arg = arg };
	err = pu_filewatch_start(n->loop, n->paths.config, on_config, r, &r->config);
	if (err < 0) {
		free(r);
		return err;
	}
	read_digest(n->paths.config, r->digest);
	follow(r);
	/* They may have changed while the node was starting. */
	if (r->members)
		pu_filewatch_poke(r->members);
	r->listener = (struct pu_event_listener){ .on_event = on_event, .arg = r };
	pu_events_add(&n->events, &r->listener);
	*pr = r;
	return 0;
}

void pu_refresh_stop(struct pu_refresh *r)
{
	if (!r)
		return;
	pu_events_remove(&r->node->events, &r->listener);
	pu_filewatch_stop(r->config);
	pu_filewatch_stop(r->members);
	free(r);
}
