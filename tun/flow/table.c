#include "tun/flow/flow_internal.h"

#include <stdlib.h>

#include "base/err.h"
#include "tun/headers.h"

enum {
	FLOWS_DEFAULT = 4096,
	HELD_DEFAULT = 256,
	SYN_LEN_MAX = 256, /* a SYN is headers only; what is longer is not kept */
	/* Only a lost reset leaves a flow behind, so this may be rare. */
	SWEEP_S = 600,
};

struct key {
	uint8_t local[16], remote[16];
	uint16_t local_port, remote_port;
	uint8_t version, zero[3];
};

static uint64_t hash(const struct pu_flow_table *t, const struct pu_flow_tuple *u)
{
	struct key k = { .local_port = u->local_port,
			 .remote_port = u->remote_port,
			 .version = u->local.version };

	memcpy(k.local, u->local.b, sizeof k.local);
	memcpy(k.remote, u->remote.b, sizeof k.remote);
	return pu_htab_hash(&t->by_tuple, &k, sizeof k);
}

static struct pu_flow_tuple tuple_of(const struct pu_packet *info)
{
	return (struct pu_flow_tuple){ .local = info->src, .remote = info->dst,
				       .local_port = info->sport, .remote_port = info->dport };
}

static struct pu_flow *find(const struct pu_flow_table *t, const struct pu_flow_tuple *u)
{
	struct pu_hnode *n = pu_htab_first(&t->by_tuple, hash(t, u));

	for (; n; n = pu_htab_next(n)) {
		struct pu_flow *f = PU_CONTAINER_OF(n, struct pu_flow, node);

		if (f->tuple.local_port == u->local_port &&
		    f->tuple.remote_port == u->remote_port &&
		    pu_ip_eq(&f->tuple.local, &u->local) && pu_ip_eq(&f->tuple.remote, &u->remote))
			return f;
	}
	return NULL;
}

static void on_sweep(void *arg)
{
	struct pu_flow_table *t = arg;

	PU_LIST_FOREACH (it, tmp, &t->flows) {
		struct pu_flow *f = PU_CONTAINER_OF(it, struct pu_flow, in_table);

		if (!f->active)
			pu_flow_tcp_probe(f);
		f->active = false;
	}
	if (!pu_list_empty(&t->flows))
		pu_timer_set(&t->sweep, pu_loop_now(t->loop) + PU_SEC(SWEEP_S));
}

int pu_flow_table_new(struct pu_loop *loop, struct pu_tun_device *dev,
		      const struct pu_flow_events *ev, void *arg,
		      const struct pu_flow_limits *limits, struct pu_flow_table **pt)
{
	struct pu_flow_table *t = calloc(1, sizeof *t);
	uint8_t key[16];
	int r;

	if (!t)
		return PU_ENOMEM;
	t->loop = loop;
	t->dev = dev;
	t->ev = ev;
	t->arg = arg;
	t->limits.max_flows = limits && limits->max_flows ? limits->max_flows : FLOWS_DEFAULT;
	t->limits.max_held = limits && limits->max_held ? limits->max_held : HELD_DEFAULT;
	r = pu_flow_stack_join(t);
	if (r < 0) {
		free(t);
		return r;
	}
	pu_loop_random(loop, key, sizeof key);
	pu_htab_init(&t->by_tuple, key);
	pu_list_init(&t->flows);
	pu_timer_init(&t->sweep, loop, on_sweep, t);
	*pt = t;
	return 0;
}

void pu_flow_table_free(struct pu_flow_table *t)
{
	struct pu_list *n;

	if (!t)
		return;
	while ((n = pu_list_first(&t->flows)))
		pu_flow_reset(PU_CONTAINER_OF(n, struct pu_flow, in_table));
	pu_timer_stop(&t->sweep);
	pu_flow_stack_leave(t);
	pu_htab_deinit(&t->by_tuple);
	free(t);
}

void pu_flow_table_forget(struct pu_flow *f)
{
	pu_htab_remove(&f->table->by_tuple, &f->node);
}

void pu_flow_table_unlink(struct pu_flow *f)
{
	pu_list_remove(&f->in_table);
	f->table->stats.n_flows--;
}

bool pu_flow_table_has(const struct pu_flow_table *t, const struct pu_packet *info)
{
	struct pu_flow_tuple u = tuple_of(info);

	return info->proto == PROTO_TCP && !info->fragment && find(t, &u) != NULL;
}

static int keep_syn(struct pu_flow *f, const uint8_t *ip, const struct pu_packet *info)
{
	if (info->total_len > SYN_LEN_MAX)
		return PU_E2BIG;
	f->syn = malloc(info->total_len);
	if (!f->syn)
		return PU_ENOMEM;
	memcpy(f->syn, ip, info->total_len);
	f->syn_info = *info;
	f->mss = pu_flow_segment_mss(ip, info);
	f->table->stats.n_held++;
	return 0;
}

static int add_flow(struct pu_flow_table *t, const uint8_t *ip, const struct pu_packet *info,
		    uint32_t handle)
{
	struct pu_flow *f = calloc(1, sizeof *f);
	int r;

	if (!f)
		return PU_ENOMEM;
	pu_flow_init(f, t);
	f->tuple = tuple_of(info);
	f->handle = handle;
	pu_list_append(&t->flows, &f->in_table);
	t->stats.n_flows++;
	r = keep_syn(f, ip, info);
	if (r == 0)
		r = pu_flow_stack_add(f);
	if (r == 0)
		r = pu_htab_add(&t->by_tuple, &f->node, hash(t, &f->tuple));
	if (r < 0) {
		pu_flow_release(f);
		return r;
	}
	t->stats.opened++;
	pu_flow_touch(f);
	if (!pu_timer_active(&t->sweep))
		pu_timer_set(&t->sweep, pu_loop_now(t->loop) + PU_SEC(SWEEP_S));
	return 0;
}

/* Too many held: the kernel tries again in a second. Too many flows: that would be
 * in vain. */
static void on_first_packet(struct pu_flow_table *t, const uint8_t *ip,
			    const struct pu_packet *info, uint32_t handle)
{
	if ((info->tcp_flags & (TCP_FLAG_SYN | TCP_FLAG_ACK | TCP_FLAG_RST)) != TCP_FLAG_SYN) {
		pu_flow_answer_reset(t->dev, ip, info);
		return;
	}
	if (t->stats.n_held >= t->limits.max_held) {
		t->stats.refused_limit++;
		return;
	}
	if (t->stats.n_flows >= t->limits.max_flows || add_flow(t, ip, info, handle) < 0) {
		t->stats.refused_limit++;
		pu_flow_answer_reset(t->dev, ip, info);
	}
}

/* The local program's port is in use again although we still had something to say:
 * nobody is left who would hear it. */
static bool is_over(const struct pu_flow *f, const struct pu_packet *info)
{
	bool syn = (info->tcp_flags & (TCP_FLAG_SYN | TCP_FLAG_ACK)) == TCP_FLAG_SYN;

	return syn && f->state == FLOW_OPEN && !f->owned;
}

void pu_flow_table_input(struct pu_flow_table *t, uint8_t *frame, size_t len,
			 const struct pu_packet *info, uint32_t handle)
{
	const uint8_t *ip = frame + PU_TUN_VNET_LEN;
	struct pu_flow_tuple u = tuple_of(info);
	struct pu_flow *f;

	if (info->proto != PROTO_TCP || info->fragment || info->transport_len < TCP_MIN ||
	    len < (size_t)PU_TUN_VNET_LEN + info->total_len)
		return;
	f = find(t, &u);
	if (f && is_over(f, info)) {
		pu_flow_tcp_abort(f, false);
		pu_flow_release(f);
		f = NULL;
	}
	if (!f)
		on_first_packet(t, ip, info, handle);
	else if (f->state != FLOW_HELD)
		pu_flow_tcp_input(f, ip, info);
}

void pu_flow_table_reset_handle(struct pu_flow_table *t, uint32_t handle)
{
	PU_LIST_FOREACH (it, tmp, &t->flows) {
		struct pu_flow *f = PU_CONTAINER_OF(it, struct pu_flow, in_table);

		if (f->handle != handle || f->state == FLOW_DONE)
			continue;
		if (f->state == FLOW_HELD)
			pu_flow_answer_reset(t->dev, f->syn, &f->syn_info);
		pu_flow_tcp_abort(f, true);
		pu_flow_ended(f, PU_ERESET);
	}
}

void pu_flow_table_stats(const struct pu_flow_table *t, struct pu_flow_stats *out)
{
	*out = t->stats;
	out->checksum_bypass = pu_flow_stack_bypass();
}
