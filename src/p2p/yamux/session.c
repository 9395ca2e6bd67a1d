#include "p2p/yamux/session.h"

#include <stdlib.h>

#include "base/err.h"
#include "p2p/yamux/session_internal.h"

static void work(void *arg);
static void on_linger(void *arg);

static void session_init(struct pu_yamux *ym, const struct pu_yamux_config *cfg)
{
	uint8_t key[16];

	ym->loop = cfg->loop;
	ym->conn = cfg->conn;
	ym->ev = cfg->ev;
	ym->arg = cfg->arg;
	ym->client = cfg->client;
	ym->no_ping = cfg->no_ping;
	ym->max_inbound = cfg->max_inbound_streams ? cfg->max_inbound_streams :
						     PU_YAMUX_INBOUND_MAX;
	ym->max_window = cfg->max_window ? cfg->max_window : PU_YAMUX_WINDOW_MAX;
	if (ym->max_window < PU_YAMUX_WINDOW_INITIAL)
		ym->max_window = PU_YAMUX_WINDOW_INITIAL;
	ym->max_memory = cfg->max_memory ? cfg->max_memory : PU_YAMUX_MEMORY_MAX;
	ym->max_send = cfg->max_send ? cfg->max_send : PU_YAMUX_SEND_MAX;
	ym->next_id = cfg->client ? 1 : 2;
	pu_loop_random(cfg->loop, key, sizeof key);
	pu_htab_init(&ym->by_id, key);
	pu_list_init(&ym->streams);
	pu_list_init(&ym->graveyard);
	pu_list_init(&ym->todo);
	pu_list_init(&ym->ctl_streams);
	pu_list_init(&ym->data_streams);
	pu_list_init(&ym->lingering);
	pu_timer_init(&ym->linger_timer, cfg->loop, on_linger, ym);
	pu_job_init(&ym->job, cfg->loop, work, ym);
	/* GoAway always finds room. */
	pu_buf_init(&ym->ctl, PU_YAMUX_CTL_MAX + PU_YAMUX_HEADER_LEN);
	pu_yamux_ping_start(&ym->ping, ym);
}

int pu_yamux_new(const struct pu_yamux_config *cfg, struct pu_yamux **pym)
{
	struct pu_yamux *ym = calloc(1, sizeof *ym);

	if (!ym)
		return PU_ENOMEM;
	session_init(ym, cfg);
	*pym = ym;
	return 0;
}

static void free_all(struct pu_list *head)
{
	struct pu_list *n;

	while ((n = pu_list_first(head))) {
		pu_list_remove(n);
		pu_yamux_stream_free(PU_CONTAINER_OF(n, struct pu_yamux_stream, node));
	}
}

void pu_yamux_free(struct pu_yamux *ym)
{
	pu_yamux_ping_stop(&ym->ping);
	pu_timer_stop(&ym->linger_timer);
	pu_job_cancel(&ym->job);
	if (ym->conn)
		ym->conn->n_streams -= ym->n_streams;
	free_all(&ym->streams);
	free_all(&ym->graveyard);
	pu_htab_deinit(&ym->by_id);
	pu_buf_deinit(&ym->ctl);
	free(ym);
}

void pu_yamux_wake(struct pu_yamux *ym)
{
	pu_job_defer(&ym->job);
}

void pu_yamux_wake_output(struct pu_yamux *ym)
{
	ym->output_news = true;
	pu_job_defer(&ym->job);
}

static void run_todo(struct pu_yamux *ym)
{
	struct pu_list now, *n;

	/* Only what is asked for by now: a consumer may ask again from its callback. */
	pu_list_init(&now);
	while ((n = pu_list_first(&ym->todo))) {
		pu_list_remove(n);
		pu_list_append(&now, n);
	}
	while ((n = pu_list_first(&now))) {
		pu_list_remove(n);
		pu_yamux_stream_work(PU_CONTAINER_OF(n, struct pu_yamux_stream, todo_node));
	}
}

/* Everything that must not happen inside of somebody's call. */
static void work(void *arg)
{
	struct pu_yamux *ym = arg;
	int failure;

	run_todo(ym);
	free_all(&ym->graveyard);
	failure = ym->failure;
	ym->failure = 0;
	if (ym->state != PU_YAMUX_DEAD && ym->output_news && pu_yamux_has_output(ym)) {
		ym->output_news = false;
		ym->ev->on_output(ym->arg);
	}
	if (ym->state != PU_YAMUX_DEAD && failure < 0)
		ym->ev->on_dead(ym->arg, failure);
}

static void on_linger(void *arg)
{
	struct pu_yamux *ym = arg;
	struct pu_list *n;

	while ((n = pu_list_first(&ym->lingering))) {
		struct pu_yamux_stream *st =
			PU_CONTAINER_OF(n, struct pu_yamux_stream, linger_node);

		if (st->linger_until > pu_loop_now(ym->loop))
			break;
		pu_yamux_stream_linger_over(st);
	}
	pu_yamux_linger_arm(ym);
}

void pu_yamux_linger_arm(struct pu_yamux *ym)
{
	struct pu_list *n = pu_list_first(&ym->lingering);

	pu_timer_set(&ym->linger_timer, n ?
		     PU_CONTAINER_OF(n, struct pu_yamux_stream, linger_node)->linger_until :
		     PU_TIME_NEVER);
}

void pu_yamux_trim(struct pu_yamux *ym)
{
	PU_LIST_FOREACH(n, next, &ym->streams)
		pu_yamux_stream_trim(PU_CONTAINER_OF(n, struct pu_yamux_stream, node));
}

static int queue(struct pu_yamux *ym, size_t limit, const struct pu_yamux_frame *f)
{
	uint8_t b[PU_YAMUX_HEADER_LEN];

	if (ym->ctl.len + sizeof b > limit)
		return PU_ELIMIT;
	pu_yamux_frame_encode(f, b);
	return pu_buf_append(&ym->ctl, b, sizeof b);
}

void pu_yamux_queue_frame(struct pu_yamux *ym, enum pu_yamux_type type, uint16_t flags,
			  uint32_t id, uint32_t len)
{
	struct pu_yamux_frame f = { .type = type, .flags = flags, .id = id, .len = len };
	int r;

	if (ym->state != PU_YAMUX_OPEN)
		return;
	ym->spoke |= type != PU_YAMUX_PING || !(flags & PU_YAMUX_ACK);
	r = queue(ym, PU_YAMUX_CTL_MAX, &f);
	if (r < 0)
		pu_yamux_fail(ym, r);
	else
		pu_yamux_wake_output(ym);
}

void pu_yamux_close(struct pu_yamux *ym, uint32_t code)
{
	struct pu_yamux_frame f = { .type = PU_YAMUX_GO_AWAY, .len = code };

	if (ym->state != PU_YAMUX_OPEN)
		return;
	/* Without memory for it the peer sees the pipe end, which says as much. */
	(void)queue(ym, ym->ctl.max, &f);
	ym->state = PU_YAMUX_LEAVING;
	pu_yamux_ping_stop(&ym->ping);
	pu_timer_stop(&ym->linger_timer);
	pu_yamux_wake_output(ym);
}

void pu_yamux_fail(struct pu_yamux *ym, int err)
{
	if (ym->state != PU_YAMUX_OPEN)
		return;
	pu_yamux_close(ym, PU_YAMUX_GOAWAY_INTERNAL);
	ym->err = err;
	ym->failure = err;
}

void pu_yamux_abort(struct pu_yamux *ym, int err)
{
	struct pu_list *n;

	pu_yamux_close(ym, PU_YAMUX_GOAWAY_NORMAL);
	ym->state = PU_YAMUX_DEAD;
	while ((n = pu_list_first(&ym->streams)))
		pu_yamux_stream_end(PU_CONTAINER_OF(n, struct pu_yamux_stream, node), err, 0);
}

int pu_yamux_open(struct pu_yamux *ym, struct pu_stream **pst)
{
	struct pu_yamux_stream *st;
	int r;

	if (ym->state != PU_YAMUX_OPEN || ym->peer_leaving)
		return PU_ECLOSED;
	if (ym->n_unacked >= PU_YAMUX_UNACKED_MAX || ym->n_streams >= PU_YAMUX_STREAMS_MAX ||
	    ym->next_id > UINT32_MAX - 2)
		return PU_ELIMIT;
	r = pu_yamux_stream_new(ym, ym->next_id, false, &st);
	if (r < 0)
		return r;
	ym->next_id += 2;
	ym->stats.streams_out++;
	*pst = &st->base;
	return 0;
}

void pu_yamux_probe(struct pu_yamux *ym)
{
	if (ym->state == PU_YAMUX_OPEN && !ym->no_ping)
		pu_yamux_ping_now(&ym->ping);
}

pu_time pu_yamux_rtt(const struct pu_yamux *ym)
{
	return ym->ping.rtt;
}

unsigned pu_yamux_n_streams(const struct pu_yamux *ym)
{
	return ym->n_streams;
}

void pu_yamux_stats(const struct pu_yamux *ym, struct pu_yamux_stats *out)
{
	*out = ym->stats;
}
