/* wake, peer set-mac: machines that sleep (Wake-on-LAN). */
#include "base/err.h"
#include "cli/client.h"
#include "cli/local.h"
#include "cli/out.h"
#include "daemon/magic_packet.h"
#include "daemon/oneshot.h"

static int no_mac(struct pu_cli *c)
{
	char hint[300];

	snprintf(hint, sizeof hint, "peerup-vpn peer set-mac %.200s aa:bb:cc:dd:ee:ff", c->arg[0]);
	return pu_cli_fail(c, c->arg[0], hint, "its hardware address is not known here");
}

static int show(struct pu_cli *c, const struct pu_config_peer *p, const char *via, unsigned n)
{
	char mac[PU_MAC_TEXT_MAX];

	pu_mac_text(&p->mac, mac);
	if (c->json)
		return pu_out_json(json_pack("{s:s, s:s, s:s*, s:i}", "peer", c->arg[0], "mac", mac,
					     "via", via, "packets", (int)n));
	if (via)
		printf("%s sent the packet that wakes %s (%s).\n", via, c->arg[0], mac);
	else
		printf("Sent the packet that wakes %s (%s) into %u %s.\n", c->arg[0], mac, n,
		       n == 1 ? "network" : "networks");
	return PU_CLI_OK;
}

static int wake_here(struct pu_cli *c, const struct pu_config_peer *p)
{
	bool named = p->broadcast && p->broadcast[0];
	unsigned n;
	int r = pu_magic_packet_send(&p->mac, named ? p->broadcast : NULL, &n);

	if (r < 0)
		return pu_cli_fail(c, c->arg[0],
				   "peerup-vpn wake <peer> --via <a peer in its network>", "%s",
				   pu_err_text(r));
	return show(c, p, NULL, n);
}

static int wake_oneshot(struct pu_cli *c, struct pu_local *l, const struct pu_peerid *peer,
			const struct pu_peerid *via)
{
	struct pu_oneshot *o;
	int r = pu_local_oneshot(c, l, "asking", &o);

	if (r)
		return r;
	r = pu_oneshot_wake(o, peer, via);
	pu_oneshot_free(o);
	if (r == PU_EDENIED)
		return pu_cli_fail(c, "--via", NULL, "it does not wake machines for us: it must "
						     "grant us access=network");
	return r < 0 ? pu_cli_fail(c, "--via", NULL, "%s", pu_err_text(r)) : 0;
}

static int wake_via(struct pu_cli *c, struct pu_local *l, const struct pu_config_peer *p,
		    const char *text)
{
	char target[PU_PEERID_TEXT_MAX], helper[PU_PEERID_TEXT_MAX];
	struct pu_client cl = { .paths = &l->paths };
	struct pu_peerid via;
	json_t *data = NULL;
	int r = pu_local_resolve(c, l, text, &via);

	if (r)
		return r;
	if (!pu_client_is_up(&l->paths, NULL)) {
		r = wake_oneshot(c, l, &p->peer, &via);
		return r ? r : show(c, p, text, 1);
	}
	if (pu_client_call(&cl, "POST", "/v1/wake",
			   json_pack("{s:s, s:s}", "peer", pu_peerid_text(&p->peer, target), "via",
				     pu_peerid_text(&via, helper)),
			   &data, &c->why) < 0)
		return PU_CLI_FAILED;
	json_decref(data);
	return show(c, p, text, 1);
}

static int wake(struct pu_cli *c, struct pu_local *l)
{
	const char *via = pu_cli_flag(c, "via", 0);
	const struct pu_config_peer *p;
	struct pu_peerid peer;
	int r = pu_local_resolve(c, l, c->arg[0], &peer);

	if (r)
		return r;
	p = pu_config_find_peer(l->cfg, &peer);
	if (!p || !p->mac.given)
		return no_mac(c);
	return via ? wake_via(c, l, p, via) : wake_here(c, p);
}

static int set_mac(struct pu_cli *c, struct pu_local *l)
{
	const struct pu_config_peer *p;
	char id[PU_PEERID_TEXT_MAX], text[PU_MAC_TEXT_MAX];
	const char *path[] = { "peers", id, "mac", NULL };
	struct pu_config_edit *e;
	struct pu_peerid peer;
	struct pu_mac mac;
	bool applied;
	int r = pu_local_resolve(c, l, c->arg[0], &peer);

	if (r)
		return r;
	if (pu_mac_parse(c->arg[1], &mac) < 0)
		return pu_cli_misuse(c, c->arg[1],
				     "not a hardware address such as 3c:52:82:aa:bb:cc");
	pu_peerid_text(&peer, id);
	p = pu_config_find_peer(l->cfg, &peer);
	if (p)
		path[1] = p->key.name;
	r = pu_local_edit(c, l, &e);
	if (r)
		return r;
	r = pu_local_save(c, l, e, pu_config_edit_set(e, path, pu_mac_text(&mac, text), true),
			  "peers");
	if (r)
		return r;
	applied = pu_local_reload(l);
	if (c->json)
		return pu_out_json(json_pack("{s:s, s:s, s:b}", "peer_id", id, "mac", text,
					     "applied", applied));
	printf("Hardware address of %s: %s\n%s\n", c->arg[0], text,
	       pu_local_applied_text(applied));
	return PU_CLI_OK;
}

int pu_cmd_wake(struct pu_cli *c)
{
	return pu_local_run(c, false, wake);
}

int pu_cmd_peer_set_mac(struct pu_cli *c)
{
	return pu_local_run(c, true, set_mac);
}
