#include "p2p/transport/resolve_uv.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/loop_uv.h"

enum {
	ANSWER_MAX = 16384,
	TXT_MAX = 1024, /* one record, its strings joined */
};

struct pu_resolve {
	uv_work_t work;
	struct pu_loop *loop;
	enum pu_resolve_kind kind;
	char *name;
	pu_resolve_fn *fn; /* NULL: canceled */
	void *arg;
	/* Written by the worker, read after it has ended. */
	int err;
	union pu_sockaddr addrs[PU_RESOLVE_ADDRS_MAX];
	size_t n_addrs;
	char *txt[PU_RESOLVE_TXT_MAX];
	size_t n_txt;
};

/* In a worker thread. */

static int family_of(enum pu_resolve_kind kind)
{
	switch (kind) {
	case PU_RESOLVE_IP4:
		return AF_INET;
	case PU_RESOLVE_IP6:
		return AF_INET6;
	case PU_RESOLVE_IP:
	case PU_RESOLVE_TXT:
		break;
	}
	return AF_UNSPEC;
}

static int err_from_gai(int e)
{
	switch (e) {
	case 0:
		return 0;
	case EAI_NONAME:
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return PU_ENOENT;
	case EAI_AGAIN:
		return PU_ETIMEDOUT;
	case EAI_MEMORY:
		return PU_ENOMEM;
	}
	return PU_ESYS;
}

static void ask_addrs(struct pu_resolve *r)
{
	struct addrinfo hints = { .ai_family = family_of(r->kind), .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;

	r->err = err_from_gai(getaddrinfo(r->name, NULL, &hints, &list));
	for (struct addrinfo *a = r->err ? NULL : list; a; a = a->ai_next) {
		if (r->n_addrs == PU_RESOLVE_ADDRS_MAX || a->ai_addrlen > sizeof r->addrs[0])
			continue;
		if (a->ai_family != AF_INET && a->ai_family != AF_INET6)
			continue;
		memcpy(&r->addrs[r->n_addrs++], a->ai_addr, a->ai_addrlen);
	}
	if (list)
		freeaddrinfo(list);
}

/* A record is a list of strings, each with its length in one byte. */
static void add_txt(struct pu_resolve *r, const uint8_t *p, size_t len)
{
	char text[TXT_MAX + 1];
	size_t n = 0;

	while (len > 0) {
		size_t part = p[0];

		if (part + 1 > len || n + part > TXT_MAX)
			return;
		memcpy(text + n, p + 1, part);
		n += part;
		p += part + 1;
		len -= part + 1;
	}
	text[n] = '\0';
	if (r->n_txt < PU_RESOLVE_TXT_MAX && (r->txt[r->n_txt] = strdup(text)) != NULL)
		r->n_txt++;
}

static int err_from_res(int e)
{
	if (e == HOST_NOT_FOUND || e == NO_DATA)
		return PU_ENOENT;
	return e == TRY_AGAIN ? PU_ETIMEDOUT : PU_ESYS;
}

static void ask_txt(struct pu_resolve *r)
{
	struct __res_state state = { 0 };
	uint8_t *answer = malloc(ANSWER_MAX);
	ns_msg msg;
	ns_rr rr;
	int len;

	r->err = PU_ENOMEM;
	if (!answer)
		return;
	r->err = PU_ESYS;
	if (res_ninit(&state) < 0)
		goto out;
	len = res_nquery(&state, r->name, ns_c_in, ns_t_txt, answer, ANSWER_MAX);
	r->err = len < 0 ? err_from_res(state.res_h_errno) : 0;
	res_nclose(&state);
	if (len < 0)
		goto out;
	if (ns_initparse(answer, (int)pu_min((size_t)len, ANSWER_MAX), &msg) < 0) {
		r->err = PU_EPROTO;
		goto out;
	}
	for (int i = 0; i < ns_msg_count(msg, ns_s_an); i++)
		if (ns_parserr(&msg, ns_s_an, i, &rr) == 0 && ns_rr_type(rr) == ns_t_txt)
			add_txt(r, ns_rr_rdata(rr), ns_rr_rdlen(rr));
out:
	free(answer);
}

static void in_worker(uv_work_t *w)
{
	struct pu_resolve *r = w->data;

	if (r->kind == PU_RESOLVE_TXT)
		ask_txt(r);
	else
		ask_addrs(r);
}

/* In the loop again. */

static void tell(struct pu_resolve *r)
{
	const struct pu_resolved res = { r->addrs, r->n_addrs, (const char *const *)r->txt,
					 r->n_txt };
	int err = r->err;

	if (!err && r->n_addrs + r->n_txt == 0)
		err = PU_ENOENT;
	r->fn(r->arg, err, err ? NULL : &res);
}

static void after_work(uv_work_t *w, int status)
{
	struct pu_resolve *r = w->data;
	struct pu_loop *loop = r->loop;

	if (r->fn) {
		if (status < 0)
			r->err = PU_ECANCELED;
		pu_loop_uv_enter(loop);
		tell(r);
		pu_loop_uv_leave(loop);
	}
	for (size_t i = 0; i < r->n_txt; i++)
		free(r->txt[i]);
	free(r->name);
	free(r);
}

int pu_resolve_uv(struct pu_loop *loop, const char *name, enum pu_resolve_kind kind,
		  pu_resolve_fn *fn, void *arg, struct pu_resolve **pr)
{
	struct pu_resolve *r = calloc(1, sizeof *r);

	if (!r)
		return PU_ENOMEM;
	r->name = strdup(name);
	r->loop = loop;
	r->kind = kind;
	r->fn = fn;
	r->arg = arg;
	r->work.data = r;
	if (!r->name || uv_queue_work(pu_loop_uv_of(loop), &r->work, in_worker, after_work) < 0) {
		free(r->name);
		free(r);
		return PU_ENOMEM;
	}
	*pr = r;
	return 0;
}

void pu_resolve_uv_cancel(struct pu_resolve *r)
{
	r->fn = NULL;
	uv_cancel((uv_req_t *)&r->work); /* too late for one that runs: it is ignored then */
}
