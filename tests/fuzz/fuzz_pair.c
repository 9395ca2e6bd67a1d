/* The two messages of pairing. Byte 0: 0 a request, else a response. What is accepted is
 * within the limits, does not depend on how it was cut, and what we write of it reads the same. */
#include <stdlib.h>

#include "base/err.h"
#include "overlay/pair/pair_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void request(struct pu_bytes in)
{
	uint8_t out[PU_PAIR_REQUEST_MAX];
	struct pu_pair_ask ask, again;
	int n = pu_pair_message_parse_request(in, &ask);
	size_t len;

	if (n < 0)
		return;
	must((size_t)n <= in.len && (size_t)n <= sizeof out);
	must(pu_pair_message_parse_request(pu_bytes(in.p, (size_t)n - 1), &again) == PU_EAGAIN);
	len = pu_pair_message_write_request(&ask, out);
	must(pu_pair_message_parse_request(pu_bytes(out, len), &again) == (int)len);
	must(memcmp(again.token, ask.token, sizeof ask.token) == 0);
	must(strcmp(again.name, ask.name) == 0);
}

/* The group as the relay must have it to say that. */
static void rewrite(const struct pu_pair_result *r, const struct pu_peerid *self,
		    struct pu_pair_result *again)
{
	struct pu_group *g = calloc(1, sizeof *g + r->size * sizeof g->slot[0]);
	struct pu_buf out;

	must(g != NULL);
	memcpy(g->id, r->group, sizeof r->group);
	g->n = r->size;
	for (size_t i = 0; i < r->n_peers; i++) {
		g->slot[i].used = true;
		g->slot[i].peer = r->peer[i].id;
		memcpy(g->slot[i].name, r->peer[i].name, sizeof g->slot[i].name);
	}
	pu_buf_init(&out, PU_PAIR_RESPONSE_MAX);
	must(pu_pair_message_write_paired(g, self, NULL, NULL, &out) == 0);
	must(pu_pair_message_parse_response(pu_buf_bytes(&out), self, again) == 0);
	pu_buf_deinit(&out);
	free(g);
}

static void response(struct pu_bytes in)
{
	static struct pu_pair_result r, again;
	const struct pu_peerid self = { .len = 0 };
	int err = pu_pair_message_parse_response(in, &self, &r);

	must(err == 0 || err == PU_EAGAIN || err == PU_EDENIED || err == PU_EPROTO);
	if (err != 0)
		return;
	must(pu_group_id_ok(pu_bytes_str(r.group)));
	must(r.n_peers < r.size && r.n_peers <= PU_GROUP_CODES_MAX);
	for (size_t i = 0; i < in.len && i < 4; i++)
		must(pu_pair_message_parse_response(pu_bytes(in.p, i), &self, &again) != PU_EPROTO);
	rewrite(&r, &self, &again);
	must(again.n_peers == r.n_peers && again.size == r.size);
	for (size_t i = 0; i < r.n_peers; i++)
		must(pu_peerid_eq(&again.peer[i].id, &r.peer[i].id) &&
		     strcmp(again.peer[i].name, r.peer[i].name) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] == 0)
		request(pu_bytes(data + 1, size - 1));
	else
		response(pu_bytes(data + 1, size - 1));
	return 0;
}
