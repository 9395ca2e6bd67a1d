#include "p2p/dcutr/salvo.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"

struct shot {
	struct pu_dcutr_salvo *salvo;
	struct pu_host_request *req;
};

struct pu_dcutr_salvo {
	struct pu_host *h;
	struct shot shots[PU_DCUTR_TARGETS_MAX];
	size_t n, under_way;
	pu_dcutr_salvo_fn *fn;
	void *arg;
};

void pu_dcutr_salvo_cancel(struct pu_dcutr_salvo *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->shots[i].req)
			pu_host_cancel(s->h, s->shots[i].req);
	free(s);
}

static void on_done(void *arg, int err, struct pu_conn *c)
{
	struct shot *shot = arg;
	struct pu_dcutr_salvo *s = shot->salvo;
	pu_dcutr_salvo_fn *fn = s->fn;
	void *fn_arg = s->arg;

	(void)c;
	shot->req = NULL;
	if (--s->under_way > 0 && err < 0)
		return;
	pu_dcutr_salvo_cancel(s);
	fn(fn_arg, err);
}

int pu_dcutr_salvo_start(struct pu_host *h, const struct pu_peerid *peer,
			 const struct pu_multiaddr *targets, size_t n, bool initiator,
			 pu_time window, pu_dcutr_salvo_fn *fn, void *arg,
			 struct pu_dcutr_salvo **ps)
{
	struct pu_dcutr_salvo *s = calloc(1, sizeof *s);
	int r = PU_EUNREACH;

	assert(n <= PU_DCUTR_TARGETS_MAX);
	if (!s)
		return PU_ENOMEM;
	s->h = h;
	s->fn = fn;
	s->arg = arg;
	for (size_t i = 0; i < n; i++) {
		struct shot *shot = &s->shots[s->n];

		shot->salvo = s;
		r = pu_host_punch(h, peer, &targets[i], initiator, window, on_done, shot,
				  &shot->req);
		if (r == 0)
			s->n++;
	}
	s->under_way = s->n;
	if (s->n == 0) {
		free(s);
		return r;
	}
	*ps = s;
	return 0;
}
