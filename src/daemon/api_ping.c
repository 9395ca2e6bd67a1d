/* POST /v1/ping: a series of pings, answered when the last one is in. */
#include <microhttpd.h>
#include <stdlib.h>

#include "base/err.h"
#include "daemon/api_internal.h"
#include "daemon/json_text.h"

enum { COUNT_DEFAULT = 4, INTERVAL_DEFAULT_MS = 1000, GRACE_MS = 30000 };

struct ping {
	struct pu_list node;
	struct pu_api *api;
	struct pu_http_request *rq;
	struct pu_peerid peer;
	char *target; /* as typed */
	bool text, busy;
	uint64_t id; /* of the ping on its way, when busy */
	unsigned count, interval_ms, sent, received;
	double min, max, sum;
	json_t *results;
	struct pu_timer next, deadline;
};

static void free_ping(struct ping *p)
{
	if (p->busy)
		p->api->ops->ping_cancel(p->api->ops_arg, p->id);
	pu_timer_stop(&p->next);
	pu_timer_stop(&p->deadline);
	pu_list_remove(&p->node);
	json_decref(p->results);
	free(p->target);
	free(p);
}

static double loss_pct(const struct ping *p)
{
	return p->sent ? (double)(p->sent - p->received) / p->sent * 100 : 0.0;
}

static double average(const struct ping *p)
{
	return p->received ? p->sum / p->received : 0.0;
}

static json_t *stats_json(const struct ping *p)
{
	return json_pack("{s:i, s:i, s:i, s:f, s:f, s:f, s:f}", "sent", (int)p->sent, "received",
			 (int)p->received, "lost", (int)(p->sent - p->received), "loss_pct",
			 loss_pct(p), "min_ms", p->min, "avg_ms",
			 average(p), "max_ms", p->max);
}

static void print_result(FILE *f, const json_t *r)
{
	const char *error = json_string_value(json_object_get(r, "error"));
	long long seq = json_integer_value(json_object_get(r, "seq"));

	if (error && *error)
		fprintf(f, "seq=%lld error=%s\n", seq, error);
	else
		fprintf(f, "seq=%lld rtt=%.1fms path=[%s]\n", seq,
			json_real_value(json_object_get(r, "rtt_ms")),
			json_string_value(json_object_get(r, "path")));
}

static void print_ping(FILE *f, const struct ping *p)
{
	char id[PU_PEERID_SHORT_MAX];

	fprintf(f, "PING %s (%s):\n", p->target, pu_peerid_short(&p->peer, id));
	for (size_t i = 0; i < json_array_size(p->results); i++)
		print_result(f, json_array_get(p->results, i));
	fprintf(f, "--- %s ping statistics ---\n", p->target);
	fprintf(f, "%u sent, %u received, %.0f%% loss, rtt min/avg/max = %.1f/%.1f/%.1f ms\n",
		p->sent, p->received, loss_pct(p), p->min, average(p), p->max);
}

static void finish(struct ping *p)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f;

	if (!p->text) {
		pu_api_reply(p->rq, MHD_HTTP_OK,
			     json_pack("{s:O, s:o}", "results", p->results, "stats",
				       stats_json(p)));
	} else {
		f = open_memstream(&text, &len);
		if (f) {
			print_ping(f, p);
			fclose(f);
		}
		pu_api_reply_text(p->rq, text, len);
	}
	free_ping(p);
}

static void add_result(struct ping *p, const struct pu_api_ping_result *r)
{
	char error[PU_API_ERROR_MAX + 1] = "", id[PU_PEERID_TEXT_MAX];
	double ms = r->err ? 0.0 : pu_api_ms(r->rtt);
	const char *path = r->err ? "" : r->relayed ? "RELAYED" : "DIRECT";

	if (r->err)
		snprintf(error, sizeof error, "%.*s", (int)strcspn(r->error, "\n"), r->error);
	if (!r->err) {
		p->min = p->received == 0 || ms < p->min ? ms : p->min;
		p->max = ms > p->max ? ms : p->max;
		p->sum += ms;
		p->received++;
	}
	json_array_append_new(p->results,
			      json_pack("{s:i, s:s, s:f, s:s, s:o}", "seq", (int)p->sent,
					"peer_id", pu_peerid_text(&p->peer, id), "rtt_ms", ms,
					"path", path, "error",
					pu_json_text(error)));
}

static void on_done(void *arg, const struct pu_api_ping_result *r)
{
	char quoted[PU_API_QUOTE_MAX];
	struct ping *p = arg;

	p->busy = false;
	if (r->err && r->unreachable && p->sent == 1) {
		pu_api_reply_error(p->rq, MHD_HTTP_BAD_GATEWAY, "cannot reach peer %s: %.*s",
				   pu_api_quote(p->target, quoted), PU_API_ERROR_MAX, r->error);
		free_ping(p);
		return;
	}
	add_result(p, r);
	if (p->sent == p->count)
		finish(p);
	else
		pu_timer_set(&p->next, pu_loop_now(p->api->loop) + PU_MS(p->interval_ms));
}

static void send_one(void *arg)
{
	struct ping *p = arg;
	struct pu_api_ping_result failed = { 0 };
	int r;

	p->sent++;
	p->busy = true;
	r = p->api->ops->ping(p->api->ops_arg, &p->peer, on_done, p, &p->id);
	if (r < 0) {
		failed.err = r;
		failed.error = pu_err_text(r);
		on_done(p, &failed);
	}
}

/* The last one took too long: it counts as lost. */
static void on_deadline(void *arg)
{
	struct ping *p = arg;
	static const struct pu_api_ping_result late = { .err = PU_ETIMEDOUT,
							.error = "read: timed out" };

	if (p->busy) {
		p->api->ops->ping_cancel(p->api->ops_arg, p->id);
		p->busy = false;
		add_result(p, &late);
	}
	finish(p);
}

static void on_gone(void *arg)
{
	free_ping(arg);
}

/* A whole number of the body in 1 … max; def when absent or not positive. */
static unsigned body_number(const struct pu_api_call *c, const char *key, unsigned def,
			    unsigned max)
{
	json_int_t v = json_integer_value(json_object_get(c->body, key));

	if (v <= 0)
		return def;
	return v > max ? max : (unsigned)v;
}

void pu_api_post_ping(struct pu_api_call *c)
{
	struct pu_loop *loop = c->api->loop;
	struct pu_peerid peer;
	const char *target;
	struct ping *p;

	if (!pu_api_body_peer(c, "peer", &peer, &target))
		return;
	p = calloc(1, sizeof *p);
	if (p) {
		p->target = strdup(target);
		p->results = json_array();
	}
	if (!p || !p->target || !p->results) {
		if (p) {
			json_decref(p->results);
			free(p->target);
		}
		free(p);
		pu_api_reply_text(c->rq, NULL, 0);
		return;
	}
	p->api = c->api;
	p->rq = c->rq;
	p->peer = peer;
	p->text = c->text;
	p->count = body_number(c, "count", COUNT_DEFAULT, PU_API_PING_COUNT_MAX);
	p->interval_ms = body_number(c, "interval_ms", INTERVAL_DEFAULT_MS,
				     PU_API_PING_INTERVAL_MAX_MS);
	pu_timer_init(&p->next, loop, send_one, p);
	pu_timer_init(&p->deadline, loop, on_deadline, p);
	pu_list_append(&c->api->pings, &p->node);
	pu_http_on_gone(c->rq, on_gone, p);
	pu_timer_set(&p->deadline, pu_loop_now(loop) +
					   PU_MS((uint64_t)p->count * p->interval_ms + GRACE_MS));
	pu_timer_set(&p->next, pu_loop_now(loop));
}

void pu_api_pings_drop(struct pu_api *api)
{
	PU_LIST_FOREACH (it, tmp, &api->pings)
		free_ping(PU_CONTAINER_OF(it, struct ping, node));
}
