#include "daemon/otlp.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop_uv.h"
#include "daemon/curl.h"

struct pu_otlp {
	struct pu_otlp_options opt;
	struct pu_curl curl;
	char *endpoint, *service, *version, *instance;
	struct curl_slist *headers;
	struct pu_timer timer;
	int64_t start_ns;
	bool failing; /* told already */
	pu_job_fn *on_stopped;
	void *stopped_arg;
	/* The request under way: the thread's until after_work(). */
	uv_work_t work;
	bool busy;
	atomic_bool abort;
	char *body;
	int err; /* CURLcode */
	long status;
	char text[CURL_ERROR_SIZE];
};

static size_t ignore_answer(char *p, size_t size, size_t n, void *arg)
{
	(void)p;
	(void)arg;
	return size * n;
}

static int may_go_on(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct pu_otlp *o = arg;

	(void)a, (void)b, (void)c, (void)d;
	return atomic_load(&o->abort);
}

/* The answer is of no interest but for its status; redirects are not followed: a token in a
 * header is for the endpoint that the user named. */
static void in_worker(uv_work_t *w)
{
	struct pu_otlp *o = w->data;
	const struct pu_curl *k = &o->curl;
	CURL *c = k->easy_init();

	o->err = CURLE_FAILED_INIT;
	o->status = 0;
	o->text[0] = '\0';
	if (!c)
		return;
	k->easy_setopt(c, CURLOPT_URL, o->endpoint);
	k->easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	k->easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	k->easy_setopt(c, CURLOPT_TIMEOUT, (long)PU_OTLP_TIMEOUT_S);
	k->easy_setopt(c, CURLOPT_HTTPHEADER, o->headers);
	k->easy_setopt(c, CURLOPT_POSTFIELDS, o->body);
	k->easy_setopt(c, CURLOPT_WRITEFUNCTION, ignore_answer);
	k->easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	k->easy_setopt(c, CURLOPT_XFERINFOFUNCTION, may_go_on);
	k->easy_setopt(c, CURLOPT_XFERINFODATA, o);
	k->easy_setopt(c, CURLOPT_ERRORBUFFER, o->text);
	o->err = k->easy_perform(c);
	k->easy_getinfo(c, CURLINFO_RESPONSE_CODE, &o->status);
	k->easy_cleanup(c);
}

static void otlp_free(struct pu_otlp *o)
{
	if (o->headers)
		o->curl.slist_free_all(o->headers);
	pu_curl_unload(&o->curl);
	free(o->endpoint);
	free(o->service);
	free(o->version);
	free(o->instance);
	free(o->body);
	free(o);
}

/* The first failure of a row is news, and the first success after it. */
static void report(struct pu_otlp *o)
{
	bool failed = o->err != CURLE_OK || o->status < 200 || o->status > 299;

	if (failed && !o->failing)
		pu_log(PU_LOG_WARN, "otlp", "the collector does not take our metrics",
		       PU_KV_STR("endpoint", o->endpoint), PU_KV_U64("status", (uint64_t)o->status),
		       PU_KV_STR("error", o->text[0] ? o->text : o->curl.easy_strerror(o->err)));
	else if (!failed && o->failing)
		pu_log(PU_LOG_INFO, "otlp", "the collector takes our metrics again",
		       PU_KV_STR("endpoint", o->endpoint));
	o->failing = failed;
}

static void stopped(struct pu_otlp *o)
{
	pu_job_fn *fn = o->on_stopped;
	void *arg = o->stopped_arg;

	otlp_free(o);
	fn(arg);
}

static void after_work(uv_work_t *w, int status)
{
	struct pu_otlp *o = w->data;
	struct pu_loop *loop = o->opt.loop;

	(void)status;
	pu_loop_uv_enter(loop);
	o->busy = false;
	free(o->body);
	o->body = NULL;
	if (o->on_stopped)
		stopped(o);
	else
		report(o);
	pu_loop_uv_leave(loop);
}

static void on_timer(void *arg)
{
	struct pu_otlp *o = arg;

	pu_timer_set(&o->timer, pu_loop_now(o->opt.loop) + o->opt.interval);
	if (o->busy)
		return;
	o->body = pu_otlp_body(&o->opt, o->start_ns, pu_clock_wall_ns());
	if (!o->body)
		return;
	o->work.data = o;
	o->busy = uv_queue_work(pu_loop_uv_of(o->opt.loop), &o->work, in_worker, after_work) == 0;
	if (o->busy)
		return;
	free(o->body);
	o->body = NULL;
}

/* Headers. */

static int add_header(struct pu_otlp *o, const char *line)
{
	struct curl_slist *l = o->curl.slist_append(o->headers, line);

	if (!l)
		return PU_ENOMEM;
	o->headers = l;
	return 0;
}

/* "Name: value", printable. */
static bool is_header(const char *line)
{
	const char *colon = strchr(line, ':');

	for (const char *p = line; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return colon && colon > line;
}

static int read_headers(struct pu_otlp *o, const char *path, struct pu_failure *why)
{
	char *text, *save = NULL;
	unsigned n = 0;
	size_t len;
	int r = pu_file_read(path, PU_OTLP_HEADERS_MAX, &text, &len, NULL);

	if (r < 0)
		return pu_failure_set(why, r, path, NULL, "%s", pu_err_text(r));
	for (char *l = strtok_r(text, "\r\n", &save); l && r == 0;
	     l = strtok_r(NULL, "\r\n", &save))
		r = ++n <= PU_OTLP_HEADERS_N_MAX && is_header(l) ? add_header(o, l) : PU_EINVAL;
	explicit_bzero(text, len);
	free(text);
	if (r < 0)
		pu_failure_set(why, r, path, NULL,
			       "line %u: every line is \"Name: value\", at most %d of them", n,
			       PU_OTLP_HEADERS_N_MAX);
	return r;
}

static int check_endpoint(const char *url, struct pu_failure *why)
{
	if (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0)
		return 0;
	return pu_failure_set(why, PU_EINVAL, "telemetry.otlp.endpoint", NULL,
			      "%s is no URL such as http://127.0.0.1:4318/v1/metrics", url);
}

static int copy_options(struct pu_otlp *o, const struct pu_otlp_options *opt)
{
	o->opt = *opt;
	o->opt.endpoint = o->endpoint = strdup(opt->endpoint);
	o->opt.service = o->service = strdup(opt->service);
	o->opt.version = o->version = strdup(opt->version);
	o->opt.instance = o->instance = strdup(opt->instance);
	return o->endpoint && o->service && o->version && o->instance ? 0 : PU_ENOMEM;
}

int pu_otlp_start(const struct pu_otlp_options *opt, struct pu_otlp **po, struct pu_failure *why)
{
	struct pu_otlp *o;
	int r = check_endpoint(opt->endpoint, why);

	if (r < 0)
		return r;
	o = calloc(1, sizeof *o);
	r = o ? copy_options(o, opt) : PU_ENOMEM;
	if (r == 0)
		r = pu_curl_load(&o->curl, why);
	if (r == 0)
		r = add_header(o, "Content-Type: application/json");
	if (r == 0 && opt->headers_file)
		r = read_headers(o, opt->headers_file, why);
	if (r < 0) {
		if (o)
			otlp_free(o);
		return pu_failure_set(why, r, "telemetry.otlp", NULL, "%s", pu_err_text(r));
	}
	o->start_ns = pu_clock_wall_ns();
	atomic_init(&o->abort, false);
	pu_timer_init(&o->timer, opt->loop, on_timer, o);
	pu_timer_set(&o->timer, pu_loop_now(opt->loop) + opt->interval);
	*po = o;
	return 0;
}

void pu_otlp_stop(struct pu_otlp *o, pu_job_fn *on_stopped, void *arg)
{
	pu_timer_stop(&o->timer);
	o->on_stopped = on_stopped;
	o->stopped_arg = arg;
	atomic_store(&o->abort, true);
	if (!o->busy)
		stopped(o);
}
