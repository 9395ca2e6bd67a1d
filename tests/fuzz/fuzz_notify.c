/* Introductions: what is accepted is within the limits, names nobody twice, and what we write of
 * it reads the same. */
#include <stdlib.h>

#include "overlay/pair/notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check(const struct pu_notify *m)
{
	must(pu_group_id_ok(pu_bytes_str(m->group)));
	must(m->size <= 255 && m->n_peers <= PU_NOTIFY_PEERS_MAX);
	for (size_t i = 0; i < m->n_peers; i++) {
		must(!pu_peerid_empty(&m->peer[i].id));
		must(strlen(m->peer[i].name) <= PU_GROUP_NAME_MAX);
		for (size_t k = 0; k < i; k++)
			must(!pu_peerid_eq(&m->peer[i].id, &m->peer[k].id));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pu_notify m, again;
	struct pu_buf out;

	if (pu_notify_parse(pu_bytes(data, size), &m) < 0)
		return 0;
	check(&m);
	pu_buf_init(&out, PU_NOTIFY_TEXT_MAX);
	must(pu_notify_write(&m, &out) == 0);
	must(pu_notify_parse(pu_buf_bytes(&out), &again) == 0);
	must(again.size == m.size && again.n_peers == m.n_peers);
	must(strcmp(again.group, m.group) == 0);
	for (size_t i = 0; i < m.n_peers; i++)
		must(pu_peerid_eq(&again.peer[i].id, &m.peer[i].id) &&
		     strcmp(again.peer[i].name, m.peer[i].name) == 0 &&
		     memcmp(again.peer[i].proof, m.peer[i].proof, PU_GROUP_PROOF_LEN) == 0);
	pu_buf_deinit(&out);
	return 0;
}
