/* Nodes of the lab (node_lab.h) that invite and join. */
#ifndef PU_TESTS_SUPPORT_PAIRING_LAB_H
#define PU_TESTS_SUPPORT_PAIRING_LAB_H

#include "daemon/pairing.h"
#include "support/node_lab.h"

struct pu_lab_join {
	bool done;
	int err;
	struct pu_failure why;
	size_t n_peers;
	char name[65];  /* of the first peer */
	char group[65];
};

/* The node is up. Its files are changed by pairing from here on: pu_lab_reload() would write
 * the old ones. */
struct pu_pairing *pu_lab_pairing_new(struct pu_lab_node *a);
/* Runs until a code is there; NULL and *why if none can be made. */
const struct pu_invite *pu_lab_invite(struct pu_lab_node *a, struct pu_pairing *p,
				      const struct pu_invite_options *opt, struct pu_failure *why);
void pu_lab_join_start(struct pu_pairing *p, const char *code, const char *name,
		       struct pu_lab_join *j);
/* The same, and runs until it is done. */
void pu_lab_join(struct pu_lab_node *a, struct pu_pairing *p, const char *code, const char *name,
		 struct pu_lab_join *j);
/* The node's authorized_keys or config holds that text. */
bool pu_lab_file_has(const struct pu_lab_node *a, const char *file, const char *text);

#endif
