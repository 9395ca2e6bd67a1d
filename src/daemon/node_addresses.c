#include "daemon/node_addresses.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"

enum { ADDRESSES_FILE_MAX = PU_VIP_PEERS_MAX * 80 };

static const char addresses_file[] = "addresses";

int pu_node_load_addresses(struct pu_node *n)
{
	struct pu_vip_range range = { .v4_bits = n->cfg->vpn.subnet.bits,
				      .v6_bits = n->cfg->vpn.ipv6_prefix.bits };
	char path[PU_PATHS_LEN], *text = NULL;
	unsigned line = 0;
	size_t len;
	int r;

	memcpy(range.v4, n->cfg->vpn.subnet.addr, sizeof range.v4);
	memcpy(range.v6, n->cfg->vpn.ipv6_prefix.addr, sizeof range.v6);
	r = pu_vip_table_new(&range, n->hash_key, &n->vips);
	if (r < 0)
		return r;
	/* Ourselves first: our own address never gives way to a peer's. */
	r = pu_roster_new(n->vips, n->hash_key, &n->roster);
	if (r == 0)
		r = pu_roster_add(n->roster, &n->key.peer, &n->self);
	if (r < 0)
		return r;
	if (pu_paths_join(path, n->paths.state_dir, addresses_file) < 0 ||
	    pu_file_read(path, ADDRESSES_FILE_MAX, &text, &len, NULL) < 0)
		return 0; /* the first start */
	r = pu_vip_table_load(n->vips, pu_bytes(text, len), &line);
	if (r < 0)
		pu_log(PU_LOG_WARN, "node", "damaged line in the table of addresses",
		       PU_KV_STR("file", path), PU_KV_U64("line", line));
	free(text);
	return 0;
}

void pu_node_save_addresses(struct pu_node *n)
{
	char path[PU_PATHS_LEN];
	struct pu_buf out;
	int r;

	if (!pu_roster_take_dirty(n->roster))
		return;
	pu_buf_init(&out, ADDRESSES_FILE_MAX);
	r = pu_paths_join(path, n->paths.state_dir, addresses_file);
	if (r == 0)
		r = pu_vip_table_save(n->vips, &out);
	if (r == 0)
		r = pu_file_replace(path, pu_buf_bytes(&out), 0600, &n->paths.owner);
	if (r < 0)
		pu_log(PU_LOG_WARN, "node", "cannot save the table of addresses",
		       PU_KV_STR("file", path), PU_KV_ERR(r));
	pu_buf_deinit(&out);
}
