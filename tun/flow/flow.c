/* A flow as its owner sees it. The owner is called from the flow's job only. */
#include "tun/flow/flow_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"

/* Kernels give up a connect() after about two minutes; whoever dials for us does
 * earlier. After close() a minute without progress ends the patience, as in kernels. */
enum { HELD_S = 75, LINGER_S = 60 };

static bool is_broken(const struct pu_flow *f)
{
	return f->state == FLOW_DONE && f->err != 0;
}

static void deliver(struct pu_flow *f)
{
	const struct pu_flow_events *ev = f->table->ev;
	struct pu_bytes b;
	size_t n;

	while (f->owned && !f->paused && !is_broken(f) &&
	       (b = pu_flow_tcp_front(f)).len > 0) {
		/* Before the call, in which the owner may resume already. */
		f->paused = true;
		n = ev->on_recv(f->arg, f, b.p, b.len);
		assert(n <= b.len);
		if (!f->owned)
			return; /* closed by its owner, who wants no more of it */
		pu_flow_tcp_taken(f, n);
		if (n == b.len)
			f->paused = false;
	}
	if (f->owned && !is_broken(f) && f->rx_fin && !f->eof_told &&
	    pu_flow_tcp_front(f).len == 0) {
		f->eof_told = true;
		ev->on_eof(f->arg, f);
	}
}

/* Waits for half of what may be in flight, so that writes stay large. */
static void offer_room(struct pu_flow *f)
{
	if (!f->owned || !f->want_write || f->state != FLOW_OPEN || f->fin_wanted)
		return;
	if (!pu_flow_tcp_has_much_room(f))
		return;
	f->want_write = false;
	f->table->ev->on_writable(f->arg, f);
}

static void tell_end(struct pu_flow *f)
{
	if (!is_broken(f) || !f->owned)
		return;
	f->owned = false;
	if (f->asked)
		f->table->ev->on_closed(f->arg, f, f->err);
}

static void on_job(void *arg)
{
	struct pu_flow *f = arg;

	f->in_job = true;
	if (!f->asked && f->owned && f->state == FLOW_HELD) {
		f->asked = true;
		f->table->ev->on_syn(f->table->arg, f, f->handle, f->tuple.remote_port);
	}
	deliver(f);
	if (!f->owned || is_broken(f))
		pu_flow_tcp_drop_rx(f);
	offer_room(f);
	pu_flow_tcp_flush(f);
	if (f->fin_wanted)
		pu_flow_tcp_fin(f);
	tell_end(f);
	f->in_job = false;
	if (f->released || (f->state == FLOW_DONE && !f->owned))
		pu_flow_release(f);
}

static void on_timeout(void *arg)
{
	struct pu_flow *f = arg;

	if (f->state == FLOW_HELD)
		pu_flow_answer_refuse(f->table->dev, f->syn, &f->syn_info, PU_ETIMEDOUT);
	pu_flow_tcp_abort(f, true);
	pu_flow_ended(f, PU_ETIMEDOUT);
}

void pu_flow_init(struct pu_flow *f, struct pu_flow_table *t)
{
	f->table = t;
	f->owned = true;
	pu_list_init(&f->in_table);
	pu_job_init(&f->job, t->loop, on_job, f);
	pu_timer_init(&f->timer, t->loop, on_timeout, f);
	pu_timer_set(&f->timer, pu_loop_now(t->loop) + PU_SEC(HELD_S));
}

void pu_flow_touch(struct pu_flow *f)
{
	if (!f->owned && f->state == FLOW_OPEN)
		pu_timer_set(&f->timer, pu_loop_now(f->table->loop) + PU_SEC(LINGER_S));
	pu_job_defer(&f->job);
}

static void drop_syn(struct pu_flow *f)
{
	if (!f->syn)
		return;
	free(f->syn);
	f->syn = NULL;
	f->table->stats.n_held--;
}

void pu_flow_ended(struct pu_flow *f, int err)
{
	drop_syn(f);
	pu_flow_table_forget(f);
	pu_flow_stack_remove(f);
	pu_timer_stop(&f->timer);
	f->state = FLOW_DONE;
	f->err = err;
	pu_flow_touch(f);
}

void pu_flow_release(struct pu_flow *f)
{
	f->owned = false;
	f->released = true;
	if (f->in_job)
		return;
	pu_flow_tcp_abort(f, true);
	pu_flow_tcp_drop_rx(f);
	drop_syn(f);
	pu_flow_table_forget(f);
	pu_flow_stack_remove(f);
	pu_timer_stop(&f->timer);
	pu_job_cancel(&f->job);
	pu_flow_table_unlink(f);
	free(f);
}

void pu_flow_set_arg(struct pu_flow *f, void *flow_arg)
{
	f->arg = flow_arg;
}

void pu_flow_accept(struct pu_flow *f)
{
	if (f->state != FLOW_HELD)
		return;
	pu_timer_stop(&f->timer);
	if (pu_flow_tcp_open(f) < 0) {
		pu_flow_answer_refuse(f->table->dev, f->syn, &f->syn_info, PU_EREFUSED);
		pu_flow_ended(f, PU_ENOMEM);
		return;
	}
	drop_syn(f);
}

void pu_flow_refuse(struct pu_flow *f, int err)
{
	if (f->state == FLOW_HELD) {
		f->table->stats.refused++;
		pu_flow_answer_refuse(f->table->dev, f->syn, &f->syn_info, err);
	}
	pu_flow_release(f);
}

size_t pu_flow_write(struct pu_flow *f, const void *p, size_t len)
{
	size_t n = pu_flow_tcp_write(f, p, len);

	if (n < len)
		f->want_write = true;
	if (n > 0)
		pu_flow_touch(f);
	return n;
}

size_t pu_flow_room(const struct pu_flow *f)
{
	return pu_flow_tcp_room(f);
}

void pu_flow_shutdown(struct pu_flow *f)
{
	f->fin_wanted = true;
	pu_flow_touch(f);
}

void pu_flow_resume(struct pu_flow *f)
{
	f->paused = false;
	pu_flow_touch(f);
}

void pu_flow_close(struct pu_flow *f)
{
	if (f->state == FLOW_HELD || f->state == FLOW_DONE) {
		pu_flow_reset(f);
		return;
	}
	f->owned = false;
	f->fin_wanted = true;
	/* What was received is dropped by the job: the owner may be reading it. */
	pu_flow_touch(f);
}

void pu_flow_reset(struct pu_flow *f)
{
	if (f->state == FLOW_HELD)
		pu_flow_answer_reset(f->table->dev, f->syn, &f->syn_info);
	pu_flow_release(f);
}
