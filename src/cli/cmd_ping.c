#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/err.h"
#include "cli/client.h"
#include "cli/local.h"
#include "cli/out.h"
#include "cli/show_trust.h"
#include "daemon/config_value.h"
#include "daemon/json_text.h"
#include "daemon/oneshot.h"

enum { COUNT_DEFAULT = 4, STATUS_UNREACHABLE = 502 };

/* Set by the first ^C, which ends a series with its statistics. */
static volatile sig_atomic_t interrupted;

struct series {
	const char *target;
	char id[PU_PEERID_TEXT_MAX];
	uint64_t count; /* 0: until ^C */
	pu_time interval;
	uint64_t sent, received;
	double min, max, sum;
	const char *trust; /* whether codes were compared; NULL: not told */
};

static void on_signal(int sig)
{
	interrupted = 1;
}

static void catch_interrupt(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

static void wait_for(pu_time t)
{
	struct timespec ts = { .tv_sec = (time_t)(t / 1000000000u),
			       .tv_nsec = (long)(t % 1000000000u) };

	while (!interrupted && nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

static int parse_flags(struct pu_cli *c, struct series *s)
{
	const char *count = pu_cli_flag(c, "count", 0), *interval = pu_cli_flag(c, "interval", 0);

	if (!count)
		count = pu_cli_flag(c, "n", 0);
	s->count = COUNT_DEFAULT;
	s->interval = PU_SEC(1);
	if (count && (pu_config_uint(count, &s->count) < 0 || s->count > UINT32_MAX))
		return pu_cli_misuse(c, "-c", "%s is not a number of pings", count);
	if (interval && (pu_config_duration(interval, &s->interval) < 0 ||
			 s->interval > PU_SEC(3600)))
		return pu_cli_misuse(c, "--interval", "%s is not a duration such as 500ms or 2s",
				     interval);
	return 0;
}

static json_t *stats_json(const struct series *s)
{
	double avg = s->received ? s->sum / (double)s->received : 0.0;

	return json_pack("{s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:s*}", "sent", (json_int_t)s->sent,
			 "received", (json_int_t)s->received, "lost",
			 (json_int_t)(s->sent - s->received), "loss_pct",
			 s->sent ? 100.0 * (double)(s->sent - s->received) / (double)s->sent : 0.0,
			 "min_ms", s->min, "avg_ms", round(avg * 1000) / 1000, "max_ms", s->max,
			 "verification", s->trust);
}

/* result is borrowed; its number is that of this series. */
static void show_result(const struct pu_cli *c, struct series *s, json_t *result)
{
	const char *error = json_string_value(json_object_get(result, "error"));
	const char *path = json_string_value(json_object_get(result, "path"));
	double ms = json_number_value(json_object_get(result, "rtt_ms"));
	char clean[256];
	bool ok = error && !*error;

	if (ok) {
		s->min = s->received == 0 || ms < s->min ? ms : s->min;
		s->max = ms > s->max ? ms : s->max;
		s->sum += ms;
		s->received++;
	}
	json_object_set_new(result, "seq", json_integer((json_int_t)s->sent));
	if (c->json)
		pu_out_json(json_incref(result));
	else if (ok)
		printf("seq=%llu rtt=%.1fms path=[%s]\n", (unsigned long long)s->sent, ms,
		       pu_out_clean(path, clean, sizeof clean));
	else
		printf("seq=%llu error=%s\n", (unsigned long long)s->sent,
		       pu_out_clean(error, clean, sizeof clean));
	fflush(stdout);
}

/* Asking for one ping at a time shows each answer when it comes. A peer that cannot
 * be reached now may be there for the next one: a lost ping, not an end. */
static int ping_once(struct pu_cli *c, struct pu_client *cl, struct series *s)
{
	json_t *data = NULL, *lost;
	struct pu_failure why = { .what = "" };
	int r;

	s->sent++;
	r = pu_client_call(cl, "POST", "/v1/ping",
			   json_pack("{s:s, s:i}", "peer", s->target, "count", 1), &data, &why);
	if (r == 0) {
		show_result(c, s, json_array_get(json_object_get(data, "results"), 0));
		json_decref(data);
		return 0;
	}
	if (r != PU_EDENIED || cl->status != STATUS_UNREACHABLE) {
		c->why = why;
		return PU_CLI_FAILED;
	}
	lost = json_pack("{s:i, s:s, s:f, s:s, s:o}", "seq", 0, "peer_id", s->id, "rtt_ms", 0.0,
			 "path", "", "error", pu_json_text(why.why));
	show_result(c, s, lost);
	json_decref(lost);
	return 0;
}

static void show_stats(const struct pu_cli *c, const struct series *s)
{
	double avg = s->received ? s->sum / (double)s->received : 0.0;

	if (c->json) {
		pu_out_json(stats_json(s));
		return;
	}
	printf("--- %s ping statistics ---\n", s->target);
	printf("%llu sent, %llu received, %.0f%% loss, rtt min/avg/max = %.1f/%.1f/%.1f ms\n",
	       (unsigned long long)s->sent, (unsigned long long)s->received,
	       s->sent ? 100.0 * (double)(s->sent - s->received) / (double)s->sent : 0.0, s->min,
	       avg, s->max);
}

/* Without a daemon this process is the node for as long as it asks. */
static int ping_directly(struct pu_cli *c, struct pu_oneshot *o, const struct pu_peerid *peer,
			 struct series *s)
{
	struct pu_oneshot_pong pong;
	json_t *result;

	s->sent++;
	pu_oneshot_ping(o, peer, &pong);
	result = json_pack("{s:i, s:s, s:f, s:s, s:o}", "seq", 0, "peer_id", s->id, "rtt_ms",
			   (double)(pong.rtt / 1000) / 1000.0, "path",
			   pong.err ? "" : pong.relayed ? "RELAYED" : "DIRECT", "error",
			   pu_json_text(pong.error));
	show_result(c, s, result);
	json_decref(result);
	return 0;
}

/* Pings until the series is over. o is NULL when a daemon does it. */
static int run_series(struct pu_cli *c, struct pu_local *l, struct pu_oneshot *o,
		      const struct pu_peerid *peer, struct series *s)
{
	struct pu_client cl = { .paths = &l->paths };
	int r = 0;

	while (!interrupted && r == 0 && (s->count == 0 || s->sent < s->count)) {
		if (s->sent > 0)
			wait_for(s->interval);
		if (interrupted)
			break;
		r = o ? ping_directly(c, o, peer, s) : ping_once(c, &cl, s);
	}
	return r;
}

static int ping(struct pu_cli *c, struct pu_local *l)
{
	struct pu_oneshot *o = NULL;
	struct series s = { .target = c->arg[0] };
	char id[PU_PEERID_SHORT_MAX];
	struct pu_peerid peer;
	int r = parse_flags(c, &s);

	if (r == 0)
		r = pu_local_resolve(c, l, s.target, &peer);
	if (r)
		return r;
	pu_peerid_text(&peer, s.id);
	if (!pu_client_is_up(&l->paths, NULL)) {
		r = pu_local_oneshot(c, l, "asking", &o);
		if (r)
			return r;
	}
	catch_interrupt();
	if (!o)
		s.trust = pu_show_trust(c, l, s.target, &peer);
	if (!c->json)
		printf("PING %s (%s):\n", s.target, pu_peerid_short(&peer, id));
	r = run_series(c, l, o, &peer, &s);
	pu_oneshot_free(o);
	if (r)
		return r;
	show_stats(c, &s);
	return s.received ? PU_CLI_OK : PU_CLI_FAILED;
}

int pu_cmd_ping(struct pu_cli *c)
{
	return pu_local_run(c, false, ping);
}

static int resolve(struct pu_cli *c, struct pu_local *l)
{
	const char *name = c->arg[0];
	enum pu_name_source source;
	char id[PU_PEERID_TEXT_MAX];
	struct pu_peerid peer;

	if (pu_name_resolve(l->names, l->cfg->vpn.dns_suffix, name, &peer, &source) < 0)
		return pu_cli_fail(c, name, "peerup-vpn name list", "name not found");
	pu_peerid_text(&peer, id);
	if (c->json)
		return pu_out_json(json_pack("{s:s, s:s, s:s}", "name", name, "peer_id", id,
					     "source", pu_name_source_text(source)));
	printf("%s \u2192 %s\n", name, id);
	return PU_CLI_OK;
}

int pu_cmd_resolve(struct pu_cli *c)
{
	return pu_local_run(c, false, resolve);
}
