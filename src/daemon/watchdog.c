#include "daemon/watchdog.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop_uv.h"
#include "platform/platform.h"

enum {
	STATUS_S = 10,
	COOKIE_MAX = 128,
	LINE_MAX_LEN = 200,
	/* Signs of life per interval of the manager: one may be late. */
	PER_INTERVAL = 3,
};

static const char answer_ok[] = "HTTP/1.1 200";

/* One question to our own control socket. Owns itself once it is closing. */
struct probe {
	uv_pipe_t pipe;
	uv_connect_t connect;
	uv_write_t write;
	struct pu_watchdog *w; /* NULL: nobody wants to know any more */
	char request[256 + COOKIE_MAX];
	char answer[sizeof answer_ok - 1];
	size_t n;
	char buf[4096];
};

struct pu_watchdog {
	struct pu_watchdog_options opt;
	char *socket_path, *cookie_path;
	pu_time interval; /* of signs of life; 0: none wanted */
	pu_time next_status;
	struct pu_timer timer;
	struct probe *probe; /* under way */
	const char *failing; /* told already */
	char line[LINE_MAX_LEN];
};

static bool is_us(const char *pid)
{
	char *end;
	long v = strtol(pid, &end, 10);

	return !*end && (v == getpid() || v == getppid());
}

/* The manager means its own child, which is the process around us or we ourselves. */
static pu_time wanted_interval(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	unsigned long long v;
	char *end;

	if (!usec || !getenv("NOTIFY_SOCKET"))
		return 0;
	v = strtoull(usec, &end, 10);
	if (*end || v == 0 || v > UINT64_MAX / 2000)
		return 0;
	if (pid && !is_us(pid))
		return 0;
	return PU_US(v) / PER_INTERVAL;
}

/* --- the verdict -------------------------------------------------------------------- */

static void judge(struct pu_watchdog *w, const char *failing)
{
	if (failing && (!w->failing || strcmp(w->failing, failing) != 0))
		pu_log(PU_LOG_WARN, "watchdog", "a check fails, no sign of life is sent",
		       PU_KV_STR("check", failing));
	if (!failing && w->failing)
		pu_log(PU_LOG_INFO, "watchdog", "all is well again",
		       PU_KV_STR("check", w->failing));
	w->failing = failing;
	if (!failing)
		pu_platform_notify("WATCHDOG=1");
}

/* --- the control socket ------------------------------------------------------------- */

static void on_closed(uv_handle_t *h)
{
	struct probe *p = h->data;

	explicit_bzero(p->request, sizeof p->request);
	free(p);
}

static void end_probe(struct probe *p)
{
	if (p->w)
		p->w->probe = NULL;
	p->w = NULL;
	if (!uv_is_closing((uv_handle_t *)&p->pipe))
		uv_close((uv_handle_t *)&p->pipe, on_closed);
}

static void conclude(struct probe *p, bool answered)
{
	struct pu_watchdog *w = p->w;

	end_probe(p);
	if (w)
		judge(w, !answered ? "control socket" : w->opt.check(w->opt.arg));
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct probe *p = h->data;

	*buf = uv_buf_init(p->buf, sizeof p->buf);
}

static void on_read(uv_stream_t *st, ssize_t n, const uv_buf_t *buf)
{
	struct probe *p = st->data;
	struct pu_loop *loop = p->w ? p->w->opt.loop : NULL;
	size_t take;

	if (!loop || n == 0)
		return;
	pu_loop_uv_enter(loop);
	if (n > 0) {
		take = pu_min((size_t)n, sizeof p->answer - p->n);
		memcpy(p->answer + p->n, buf->base, take);
		p->n += take;
	}
	if (n < 0 || p->n == sizeof p->answer)
		conclude(p, p->n == sizeof p->answer &&
				    memcmp(p->answer, answer_ok, sizeof p->answer) == 0);
	pu_loop_uv_leave(loop);
}

static void on_connected(uv_connect_t *rq, int status)
{
	struct probe *p = rq->data;
	uv_buf_t text = uv_buf_init(p->request, (unsigned)strlen(p->request));
	struct pu_loop *loop;

	if (!p->w)
		return;
	loop = p->w->opt.loop;
	pu_loop_uv_enter(loop);
	if (status < 0 || uv_write(&p->write, (uv_stream_t *)&p->pipe, &text, 1, NULL) < 0 ||
	    uv_read_start((uv_stream_t *)&p->pipe, on_alloc, on_read) < 0)
		conclude(p, false);
	pu_loop_uv_leave(loop);
}

static int fill_request(struct pu_watchdog *w, struct probe *p)
{
	char *cookie;
	size_t len;
	int n, r = pu_file_read(w->cookie_path, COOKIE_MAX, &cookie, &len, NULL);

	if (r < 0)
		return r;
	n = snprintf(p->request, sizeof p->request,
		     "GET /v1/status HTTP/1.1\r\nHost: daemon\r\nUser-Agent: watchdog\r\n"
		     "Authorization: Bearer %s\r\nConnection: close\r\n\r\n",
		     cookie);
	explicit_bzero(cookie, len);
	free(cookie);
	return n < 0 || (size_t)n >= sizeof p->request ? PU_ELIMIT : 0;
}

static void ask_socket(struct pu_watchdog *w)
{
	struct probe *p = calloc(1, sizeof *p);

	if (!p || fill_request(w, p) < 0 ||
	    uv_pipe_init(pu_loop_uv_of(w->opt.loop), &p->pipe, 0) < 0) {
		free(p);
		judge(w, "control socket");
		return;
	}
	p->pipe.data = p->connect.data = p;
	p->w = w;
	w->probe = p;
	/* Tells of its failure on a later turn. */
	uv_pipe_connect(&p->connect, &p->pipe, w->socket_path, on_connected);
}

/* --- time --------------------------------------------------------------------------- */

static void tell_status(struct pu_watchdog *w)
{
	char line[LINE_MAX_LEN], state[LINE_MAX_LEN + 16];

	if (pu_loop_now(w->opt.loop) < w->next_status)
		return;
	w->next_status = pu_loop_now(w->opt.loop) + PU_SEC(STATUS_S);
	w->opt.describe(w->opt.arg, line, sizeof line);
	if (strcmp(line, w->line) == 0)
		return;
	memcpy(w->line, line, sizeof line);
	snprintf(state, sizeof state, "STATUS=%s", line);
	pu_platform_notify(state);
}

static void tick(void *arg)
{
	struct pu_watchdog *w = arg;
	pu_time wait = PU_SEC(STATUS_S);

	if (w->interval > 0)
		wait = pu_min(wait, w->interval);
	pu_timer_set(&w->timer, pu_loop_now(w->opt.loop) + wait);
	tell_status(w);
	if (w->interval == 0)
		return;
	if (w->probe) {
		end_probe(w->probe);
		judge(w, "control socket");
	}
	if (w->socket_path)
		ask_socket(w);
	else
		judge(w, w->opt.check(w->opt.arg));
}

/* --- life --------------------------------------------------------------------------- */

int pu_watchdog_start(const struct pu_watchdog_options *opt, struct pu_watchdog **pw)
{
	struct pu_watchdog *w;

	if (!getenv("NOTIFY_SOCKET"))
		return 0;
	w = calloc(1, sizeof *w);
	if (!w)
		return PU_ENOMEM;
	w->opt = *opt;
	w->interval = wanted_interval();
	w->socket_path = opt->socket_path ? strdup(opt->socket_path) : NULL;
	w->cookie_path = opt->cookie_path ? strdup(opt->cookie_path) : NULL;
	pu_timer_init(&w->timer, opt->loop, tick, w);
	pu_timer_set(&w->timer, pu_loop_now(opt->loop));
	if ((opt->socket_path && !w->socket_path) || (opt->cookie_path && !w->cookie_path)) {
		pu_watchdog_stop(w);
		return PU_ENOMEM;
	}
	*pw = w;
	return 0;
}

void pu_watchdog_stop(struct pu_watchdog *w)
{
	if (!w)
		return;
	pu_timer_stop(&w->timer);
	if (w->probe)
		end_probe(w->probe);
	free(w->socket_path);
	free(w->cookie_path);
	free(w);
}

void pu_watchdog_reloading(void)
{
	char state[64];

	snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%llu",
		 (unsigned long long)(pu_clock_monotonic() / PU_US(1)));
	pu_platform_notify(state);
}

void pu_watchdog_stopping(bool again)
{
	if (again) {
		pu_log_msg(PU_LOG_INFO, "process", "starting again with another configuration");
		pu_watchdog_reloading();
	} else {
		pu_log_msg(PU_LOG_INFO, "process", "stopping");
		pu_platform_notify("STOPPING=1");
	}
}
