#include <stdlib.h>

#include "base/err.h"
#include "cli/local.h"
#include "cli/out.h"
#include "daemon/config_value.h"
#include "daemon/json_text.h"

/* "22", ":22" and "host:22" all name a local TCP service. */
static int local_address(struct pu_cli *c, const char *text, char *out, size_t cap)
{
	struct pu_hostport hp;
	uint64_t port;

	if (pu_config_uint(text, &port) == 0)
		snprintf(out, cap, "localhost:%s", text);
	else
		snprintf(out, cap, "%s%s", text[0] == ':' ? "localhost" : "", text);
	if (pu_config_hostport(out, &hp) < 0 || hp.port == 0 || strlen(text) + 12 > cap)
		return pu_cli_fail(c, text, NULL,
				   "not host:port; for example localhost:22 or just 22");
	return 0;
}

static int set(struct pu_config_edit *e, const char *name, const char *key, const char *value,
	       bool quoted)
{
	const char *const path[] = { "services", name, key, NULL };

	return value ? pu_config_edit_set(e, path, value, quoted) : 0;
}

static int allow(struct pu_cli *c, struct pu_local *l, struct pu_config_edit *e, const char *name)
{
	const char *const path[] = { "services", name, "allowed_peers", NULL };
	char id[PU_PEERID_TEXT_MAX];
	struct pu_peerid peer;
	const char *text;
	int r = 0;

	for (int i = 0; r == 0 && (text = pu_cli_flag(c, "allow", i)); i++) {
		if (pu_local_resolve(c, l, text, &peer))
			return PU_ENOENT; /* told already */
		r = pu_config_edit_list_add(e, path, pu_peerid_text(&peer, id));
		if (r == PU_EEXIST)
			r = 0;
	}
	return r;
}

static int write_service(struct pu_cli *c, struct pu_local *l, const char *name, const char *addr)
{
	struct pu_config_edit *e;
	int r = pu_local_edit(c, l, &e);

	if (r)
		return r;
	r = set(e, name, "enabled", "true", false);
	if (r == 0)
		r = set(e, name, "local_address", addr, true);
	if (r == 0)
		r = set(e, name, "port", pu_cli_flag(c, "port", 0), false);
	if (r == 0)
		r = set(e, name, "protocol", pu_cli_flag(c, "protocol", 0), true);
	if (r == 0)
		r = allow(c, l, e, name);
	return pu_local_save(c, l, e, r, "services");
}

static int check_new(struct pu_cli *c, struct pu_local *l, const char *name)
{
	const char *port = pu_cli_flag(c, "port", 0);
	char hint[128];
	uint64_t n;

	if (!pu_config_is_label(name))
		return pu_cli_fail(c, name, NULL, "not a service name; a-z, 0-9 and '-' are "
						  "allowed, at most 63, no '-' at the ends");
	if (port && (pu_config_uint(port, &n) < 0 || n < 1 || n > 65535))
		return pu_cli_misuse(c, "--port", "%s is not a port, allowed is 1 to 65535", port);
	if (!pu_config_find_service(l->cfg, name))
		return 0;
	snprintf(hint, sizeof hint, "peerup-vpn service remove %s", name);
	return pu_cli_fail(c, name, hint, "a service of this name exists");
}

static int add(struct pu_cli *c, struct pu_local *l)
{
	const char *name = c->arg[0], *port = pu_cli_flag(c, "port", 0);
	struct pu_hostport hp;
	char addr[300];
	uint64_t seen;
	bool applied;
	int r = check_new(c, l, name);

	if (r == 0)
		r = local_address(c, c->arg[1], addr, sizeof addr);
	if (r == 0)
		r = write_service(c, l, name, addr);
	if (r)
		return r;
	applied = pu_local_reload(l);
	if (!port || pu_config_uint(port, &seen) < 0)
		seen = pu_config_hostport(addr, &hp) < 0 ? 0 : hp.port;
	if (c->json)
		return pu_out_json(json_pack("{s:s, s:s, s:i, s:o, s:b}", "name", name,
					     "local_address", addr, "port", (int)seen, "config",
					     pu_json_text(l->paths.config), "applied", applied));
	printf("Added service: %s -> %s, peers see port %u\nConfig: %s\n%s\n", name, addr,
	       (unsigned)seen, l->paths.config, pu_local_applied_text(applied));
	return PU_CLI_OK;
}

static json_t *service_json(const struct pu_config_service *s, const char *addr)
{
	char id[PU_PEERID_TEXT_MAX];
	json_t *allowed = json_array();

	for (size_t i = 0; i < s->allowed.n; i++)
		json_array_append_new(allowed, json_string(pu_peerid_text(&s->allowed.v[i], id)));
	return json_pack("{s:s, s:s, s:i, s:b, s:s, s:o}", "name", s->key.name, "local_address",
			 addr, "port", (int)s->port, "enabled", s->enabled, "protocol",
			 s->protocol ? s->protocol : "", "allowed_peers", allowed);
}

static int list(struct pu_cli *c, struct pu_local *l)
{
	json_t *a = json_array();
	char addr[300];

	for (size_t i = 0; i < l->cfg->n_services; i++) {
		const struct pu_config_service *s = &l->cfg->services[i];
		bool v6 = strchr(s->local.host, ':') != NULL;

		snprintf(addr, sizeof addr, "%s%s%s:%u", v6 ? "[" : "", s->local.host,
			 v6 ? "]" : "", s->local.port);
		if (c->json) {
			json_array_append_new(a, service_json(s, addr));
			continue;
		}
		printf("  %-12s -> %-20s port %-5u %s%s%s", s->key.name, addr, s->port,
		       pu_out_on(c, s->enabled ? PU_OUT_GREEN : PU_OUT_YELLOW),
		       s->enabled ? "enabled" : "disabled", pu_out_off(c));
		if (s->allowed.given)
			printf("  for %zu peer%s", s->allowed.n, s->allowed.n == 1 ? "" : "s");
		putchar('\n');
	}
	if (c->json)
		return pu_out_json(a);
	json_decref(a);
	if (l->cfg->n_services == 0)
		puts("No services yet. Offer one: peerup-vpn service add ssh localhost:22");
	return PU_CLI_OK;
}

/* enabled: "true", "false", or NULL to remove the service. */
static int change(struct pu_cli *c, struct pu_local *l, const char *enabled, const char *done)
{
	const char *name = c->arg[0];
	const char *const path[] = { "services", name, NULL };
	struct pu_config_edit *e;
	bool applied;
	int r;

	if (!pu_config_find_service(l->cfg, name))
		return pu_cli_fail(c, name, "peerup-vpn service list", "no such service");
	r = pu_local_edit(c, l, &e);
	if (r)
		return r;
	r = enabled ? set(e, name, "enabled", enabled, false) : pu_config_edit_remove(e, path);
	r = pu_local_save(c, l, e, r, "services");
	if (r)
		return r;
	applied = pu_local_reload(l);
	if (c->json)
		return pu_out_json(json_pack("{s:s, s:s, s:b}", "name", name, "status", done,
					     "applied", applied));
	printf("Service %s: %s\n%s\n", name, done, pu_local_applied_text(applied));
	return PU_CLI_OK;
}

static int remove_service(struct pu_cli *c, struct pu_local *l)
{
	return change(c, l, NULL, "removed");
}

static int enable(struct pu_cli *c, struct pu_local *l)
{
	return change(c, l, "true", "enabled");
}

static int disable(struct pu_cli *c, struct pu_local *l)
{
	return change(c, l, "false", "disabled");
}

int pu_cmd_service_add(struct pu_cli *c)
{
	return pu_local_run(c, true, add);
}

int pu_cmd_service_list(struct pu_cli *c)
{
	return pu_local_run(c, false, list);
}

int pu_cmd_service_remove(struct pu_cli *c)
{
	return pu_local_run(c, true, remove_service);
}

int pu_cmd_service_enable(struct pu_cli *c)
{
	return pu_local_run(c, true, enable);
}

int pu_cmd_service_disable(struct pu_cli *c)
{
	return pu_local_run(c, true, disable);
}
