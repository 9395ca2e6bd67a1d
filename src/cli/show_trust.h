/* Whether codes were compared with a peer (`verify`), as the commands show it. */
#ifndef PU_CLI_SHOW_TRUST_H
#define PU_CLI_SHOW_TRUST_H

#include "cli/local.h"
#include "overlay/sas.h"

/* "[VERIFIED]", with colour where there is one; a stale one is not verified. */
void pu_show_badge(const struct pu_cli *c, enum pu_sas_state s);
/* This node's peer ID without making a key; false when there is none to read. */
bool pu_show_self(const struct pu_local *l, struct pu_peerid *self);
/* A line above the answers of a daemon about a peer that is in authorized_keys; nothing
 * about others. Returns the state as text, NULL for others; silent with --json. */
const char *pu_show_trust(struct pu_cli *c, const struct pu_local *l, const char *target,
			  const struct pu_peerid *peer);

#endif
