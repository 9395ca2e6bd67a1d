#include "cli/relay_setup.h"

#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/err.h"
#include "base/loop_uv.h"
#include "cli/out.h"
#include "cli/relay_addr.h"
#include "cli/relay_local.h"
#include "cli/relay_snapshot.h"
#include "crypto/keystore.h"
#include "daemon/config_value.h"
#include "daemon/json_text.h"

static const char config_format[] =
	"# Configuration of a peerup-vpn relay. All keys: peerup-vpn(8).\n"
	"version: 1\n"
	"\n"
	"identity:\n"
	"  key_file: \"relay_node.key\"\n"
	"\n"
	"network:\n"
	"  listen_addresses:\n"
	"    - \"/ip4/0.0.0.0/tcp/%u\"\n"
	"    - \"/ip4/0.0.0.0/udp/%u/quic-v1\"\n"
	"    - \"/ip6/::/tcp/%u\"\n"
	"    - \"/ip6/::/udp/%u/quic-v1\"\n"
	"\n"
	"discovery:\n"
	"  network: \"%s\"\n"
	"\n"
	"security:\n"
	"  # Who may use it: peerup-vpn relay authorize <peer id>\n"
	"  authorized_keys_file: \"relay_authorized_keys\"\n"
	"  enable_connection_gating: true\n"
	"\n"
	"# What strangers' traffic may cost. For the machines of one household:\n"
	"# session_duration: unlimited, session_data_limit: unlimited.\n"
	"resources:\n"
	"  max_reservations: 128\n"
	"  max_circuits: 16\n"
	"  reservation_ttl: \"1h\"\n"
	"  session_duration: \"10m\"\n"
	"  session_data_limit: \"64MB\"\n"
	"\n"
	"health:\n"
	"  enabled: false\n"
	"  listen_address: \"127.0.0.1:9090\"\n";

static const char keys_text[] =
	"# Peers that may use this relay: <peer id> [expires=…] [# comment]\n"
	"# peerup-vpn relay authorize <peer id> <comment>\n";

struct relay_files {
	char config[PU_PATHS_LEN];
	struct pu_file_owner owner;
	unsigned port;
	const char *network;
	char snapshot[PU_RELAY_SNAPSHOT_NAME_MAX]; /* of what was there; "": nothing */
};

static int begin_anew(struct pu_cli *c, struct relay_files *f)
{
	int r = pu_relay_snapshot_take(f->config, &f->owner, pu_clock_wall_ns() / 1000000000,
				       f->snapshot);

	if (r == PU_ENOENT)
		return 0; /* nothing to keep */
	if (r == 0)
		r = pu_relay_snapshot_clear(f->config);
	return r < 0 ? pu_cli_fail(c, f->config, NULL, "the files of before cannot be kept: %s",
				   pu_err_text(r))
		     : 0;
}

static int choose(struct pu_cli *c, struct relay_files *f)
{
	const char *dir = pu_cli_flag(c, "dir", 0), *port = pu_cli_flag(c, "port", 0);
	uint64_t v = PU_RELAY_PORT;

	f->network = pu_cli_flag(c, "network", 0);
	if (f->network && !pu_config_is_label(f->network))
		return pu_cli_misuse(c, "--network", "a-z, 0-9 and '-' are allowed, at most 63");
	if (port && (pu_config_uint(port, &v) < 0 || v == 0 || v > 65535))
		return pu_cli_misuse(c, "--port", "%s is not a port, allowed is 1 to 65535", port);
	f->port = (unsigned)v;
	if (c->config && dir)
		return pu_cli_misuse(c, "--dir", "cannot be combined with --config");
	if (pu_paths_join(f->config, dir ? dir : ".",
			  c->config ? c->config : PU_RELAY_CONFIG_NAME) < 0)
		return pu_cli_fail(c, dir, NULL, "the path is too long");
	f->owner = pu_relay_local_owner_of(f->config);
	if (pu_cli_has(c, "fresh"))
		return begin_anew(c, f);
	if (access(f->config, F_OK) == 0)
		return pu_cli_fail(c, f->config, "peerup-vpn relay info",
				   "there is a config already, it was not touched");
	return 0;
}

static int write_config(struct pu_cli *c, const struct relay_files *f)
{
	char dir[PU_PATHS_LEN], *text;
	int r, n = asprintf(&text, config_format, f->port, f->port, f->port, f->port,
			    f->network ? f->network : "");

	if (n < 0)
		return pu_cli_fail(c, f->config, NULL, "%s", pu_err_text(PU_ENOMEM));
	snprintf(dir, sizeof dir, "%s", f->config);
	*strrchr(dir, '/') = '\0';
	r = dir[0] ? pu_file_make_dirs(dir, 0700, &f->owner) : 0;
	if (r == 0)
		r = pu_file_replace(f->config, pu_bytes(text, (size_t)n), 0600, &f->owner);
	free(text);
	return r < 0 ? pu_cli_fail(c, f->config, NULL, "%s", pu_err_text(r)) : 0;
}

static int make_key(struct pu_cli *c, const struct relay_files *f, const char *file,
		    struct pu_key *key)
{
	bool is_new = access(file, F_OK) < 0;
	uint8_t seed[32];
	int r;

	if (getrandom(seed, sizeof seed, 0) != sizeof seed || pu_crypto_init() < 0)
		return pu_cli_fail(c, "random numbers", NULL, "not available");
	r = pu_keystore_load_or_create(file, seed, key);
	explicit_bzero(seed, sizeof seed);
	if (r == 0 && is_new && f->owner.set && lchown(file, f->owner.uid, f->owner.gid) < 0)
		r = PU_EPERM;
	return r < 0 ? pu_cli_fail(c, file, NULL, "%s", pu_err_text(r)) : 0;
}

static int make_keys_file(struct pu_cli *c, const struct relay_files *f, const char *file)
{
	int r = 0;

	if (access(file, F_OK) < 0)
		r = pu_file_replace(file, pu_bytes_str(keys_text), 0600, &f->owner);
	return r < 0 ? pu_cli_fail(c, file, NULL, "%s", pu_err_text(r)) : 0;
}

static int tell(struct pu_cli *c, const struct relay_files *f, const struct pu_key *key)
{
	char id[PU_PEERID_TEXT_MAX];

	pu_peerid_text(&key->peer, id);
	if (c->json)
		return pu_out_json(json_pack("{s:o, s:s, s:s*}", "config",
					     pu_json_text(f->config), "peer_id", id, "snapshot",
					     f->snapshot[0] ? f->snapshot : NULL));
	if (f->snapshot[0])
		printf("Before:        backups/%s, back with "
		       "`peerup-vpn relay config restore %s`\n", f->snapshot, f->snapshot);
	printf("Config:        %s\nRelay Peer ID: %s\n\n"
	       "Next:\n"
	       "  peerup-vpn relay serve --config %s\n"
	       "or, with the files in " PU_PATHS_RELAY_DIR ", as a service:\n"
	       "  systemctl enable --now peerup-relay\n"
	       "and, while it runs, codes with which machines join (`peerup-vpn join`):\n"
	       "  peerup-vpn relay pair --count 2 --config %s\n"
	       "or, without codes, each node's peer ID here:\n"
	       "  peerup-vpn relay authorize <peer id of a node> --config %s\n"
	       "and on the node, with this machine's address:\n"
	       "  peerup-vpn relay add /ip4/<address>/udp/%u/quic-v1/p2p/%s\n"
	       "  peerup-vpn relay add /ip4/<address>/tcp/%u/p2p/%s\n",
	       f->config, id, f->config, f->config, f->config, f->port, id, f->port, id);
	return PU_CLI_OK;
}

int pu_relay_setup(struct pu_cli *c)
{
	struct relay_files f = { .snapshot = "" };
	struct pu_relay_config *cfg = NULL;
	struct pu_key key;
	int r = choose(c, &f);

	if (r == 0)
		r = write_config(c, &f);
	if (r == 0)
		r = pu_relay_local_load(c, f.config, true, &cfg);
	if (r == 0)
		r = make_keys_file(c, &f, cfg->authorized_keys_file);
	if (r == 0)
		r = make_key(c, &f, cfg->key_file, &key);
	if (r == 0) {
		r = tell(c, &f, &key);
		pu_key_deinit(&key);
	}
	pu_relay_config_free(cfg);
	return r;
}
