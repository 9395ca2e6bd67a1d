#include "cli/setup.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/local.h"
#include "cli/out.h"
#include "crypto/hash.h"

/* Layout that the text edits of the Go program expect too. */
static const char head[] =
	"# Configuration of this peerup-vpn node. Commands edit it in place and keep\n"
	"# comments; a running daemon takes most edits over by itself.\n"
	"version: 1\n"
	"\n"
	"identity:\n"
	"  key_file: \"identity.key\"\n"
	"\n"
	"network:\n"
	"  # Port 0 is any free one at each start; peers that shall find this node by address\n"
	"  # need a fixed one.\n"
	"  listen_addresses:\n";

static const char listen_format[] =
	"    - \"/ip4/0.0.0.0/tcp/%u\"\n"
	"    - \"/ip4/0.0.0.0/udp/%u/quic-v1\"\n"
	"    - \"/ip6/::/tcp/%u\"\n"
	"    - \"/ip6/::/udp/%u/quic-v1\"\n";

static const char relay_head[] =
	"  force_private_reachability: false\n"
	"\n"
	"# Relays let peers behind NAT find each other; none is needed on one LAN or when\n"
	"# one side has a public address.\n"
	"relay:\n";

static const char middle[] =
	"  reservation_interval: \"2m\"\n"
	"\n"
	"discovery:\n"
	"  rendezvous: \"peerup-default-network\"\n";

static const char tail[] =
	"  # Dialled at start and kept connected: /ip4/192.0.2.7/udp/4001/quic-v1/p2p/<peer id>\n"
	"  bootstrap_peers: []\n"
	"\n"
	"security:\n"
	"  authorized_keys_file: \"authorized_keys\"\n"
	"  enable_connection_gating: true\n"
	"\n"
	"protocols:\n"
	"  ping_pong:\n"
	"    enabled: true\n"
	"    id: \"/pingpong/1.0.0\"\n"
	"\n"
	"# The network device. `peerup-vpn up` makes it whatever `enabled` says.\n"
	"vpn:\n"
	"  enabled: false\n";

static const char vpn_default[] =
	"  interface: \"peerup0\"\n"
	"  subnet: \"10.64.0.0/16\"\n"
	"  ipv6_prefix: \"fd70:6565:7275::/48\"\n";

/* What must differ between two networks of one machine. */
static const char vpn_instance_format[] =
	"  interface: \"pu-%s\"\n"
	"  subnet: \"10.%u.0.0/16\"\n"
	"  ipv6_prefix: \"fd%02x:%02x%02x:%02x%02x::/48\"\n"
	"  dns_suffix: \"p2p-%s\"\n";

static const char end[] =
	"  mtu: 0\n"
	"  dns: auto\n"
	"\n"
	"# TCP services of this machine: peerup-vpn service add ssh localhost:22\n"
	"services: {}\n"
	"\n"
	"# Names of peers: peerup-vpn name add home <peer id>\n"
	"names: {}\n"
	"\n"
	"# Fixed addresses of peers: peerup-vpn peer add <multiaddr>\n"
	"peers: {}\n";

static const char keys_text[] =
	"# Peers that may connect, one per line: <peer id> [access=network] [# comment]\n"
	"# peerup-vpn auth add <peer id> --comment \"who this is\"\n";

/* From the name alone, so that all machines choose alike; nobody relies on it. */
static void print_vpn(FILE *f, const char *instance)
{
	uint8_t h[PU_SHA256_LEN];

	if (!instance) {
		fputs(vpn_default, f);
		return;
	}
	pu_sha256(pu_bytes_str(instance), h);
	fprintf(f, vpn_instance_format, instance, 65 + h[0] % 63u, h[1], h[2], h[3], h[4], h[5],
		instance);
}

static void print_config(FILE *f, const struct pu_setup *s, const char *instance)
{
	fputs(head, f);
	fprintf(f, listen_format, s->port, s->port, s->port, s->port);
	fputs(relay_head, f);
	if (s->n_relays == 0)
		fputs("  addresses: []\n", f);
	else
		fputs("  addresses:\n", f);
	for (size_t i = 0; i < s->n_relays; i++)
		fprintf(f, "    - \"%s\"\n", s->relays[i]);
	fputs(middle, f);
	if (s->network)
		fprintf(f, "  network: \"%s\"\n", s->network);
	fputs(tail, f);
	print_vpn(f, instance);
	fputs(end, f);
}

/* The text, and what it says. */
static int make_config(struct pu_cli *c, const struct pu_paths *p, const struct pu_setup *s,
		       char **ptext, struct pu_config **pcfg)
{
	struct pu_config_diags *d = calloc(1, sizeof *d);
	char instance[PU_PATHS_INSTANCE_MAX + 1];
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int r = d && f ? 0 : PU_ENOMEM;

	if (f) {
		print_config(f, s, pu_paths_instance_of(p, instance));
		if (fclose(f) != 0)
			r = PU_ENOMEM;
	}
	if (r == 0)
		r = pu_config_parse(p->config, pu_bytes(text, len), pcfg, d);
	if (r == 0)
		*ptext = text;
	else
		free(text);
	if (r < 0 && d)
		pu_config_diags_failure(d, p->config, &c->why);
	free(d);
	return r < 0 ? pu_cli_fail(c, p->config, NULL, "%s", pu_err_text(r)) : 0;
}

static int write_config(struct pu_cli *c, const struct pu_paths *p, const char *text)
{
	int r = pu_file_replace(p->config, pu_bytes_str(text), 0600, &p->owner);

	return r < 0 ? pu_cli_fail(c, p->config, NULL, "%s", pu_err_text(r)) : 0;
}

static int make_dir(struct pu_cli *c, const struct pu_paths *p)
{
	char dir[PU_PATHS_LEN];
	int r;

	snprintf(dir, sizeof dir, "%s", p->config);
	*strrchr(dir, '/') = '\0';
	r = dir[0] ? pu_file_make_dirs(dir, 0700, &p->owner) : 0;
	return r < 0 ? pu_cli_fail(c, dir, NULL, "%s", pu_err_text(r)) : 0;
}

static int write_keys(struct pu_cli *c, const struct pu_local *l)
{
	const char *file = l->cfg->authorized_keys_file;
	int r;

	if (access(file, F_OK) == 0)
		return 0;
	r = pu_file_replace(file, pu_bytes_str(keys_text), 0600, &l->paths.owner);
	return r < 0 ? pu_cli_fail(c, file, NULL, "%s", pu_err_text(r)) : 0;
}

int pu_setup_node(struct pu_cli *c, const struct pu_paths *paths, const struct pu_setup *s,
		  struct pu_peerid *peer)
{
	struct pu_local l = { .paths = *paths };
	char *text = NULL;
	struct pu_key key;
	int r;

	if (access(paths->config, F_OK) == 0)
		return pu_cli_fail(c, paths->config, "peerup-vpn status",
				   "there is a config already, it was not touched");
	r = make_dir(c, paths);
	if (r == 0)
		r = make_config(c, paths, s, &text, &l.cfg);
	if (r == 0)
		r = write_keys(c, &l);
	if (r == 0)
		r = pu_local_key(c, &l, &key);
	if (r)
		goto out;
	*peer = key.peer;
	pu_key_deinit(&key);
	/* The last step: without it there is nothing yet, and all of this can be done again. */
	r = write_config(c, paths, text);
out:
	pu_config_free(l.cfg);
	free(text);
	return r;
}

void pu_setup_next_steps(const struct pu_cli *c, const struct pu_peerid *peer)
{
	const char *name = pu_cli_flag(c, "instance", 0);
	char id[PU_PEERID_TEXT_MAX], instance[64] = "";
	const char *b = pu_out_on(c, PU_OUT_BOLD), *o = pu_out_off(c);

	if (name)
		snprintf(instance, sizeof instance, " --instance %s", name);
	pu_peerid_text(peer, id);
	printf("Your peer ID: %s%s%s\n\n", b, id, o);
	printf("Next, say what others may use here:\n"
	       "  peerup-vpn service add ssh localhost:22%s\n"
	       "and let another machine in; it joins with the code that this prints:\n"
	       "  sudo peerup-vpn invite%s\n"
	       "More in `man peerup-vpn`.\n",
	       instance, instance);
}
