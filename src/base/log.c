#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

enum { LINE_MAX_LEN = 2048 };

static struct {
	enum pu_log_level level;
	bool json;
	pu_log_sink_fn *sink;
	void *sink_arg;
} cfg = { .level = PU_LOG_INFO };

static const char *const level_names[] = { "debug", "info", "warn", "error", "off" };

void pu_log_set_level(enum pu_log_level level)
{
	cfg.level = level;
}

void pu_log_set_json(bool json)
{
	cfg.json = json;
}

void pu_log_set_sink(pu_log_sink_fn *fn, void *arg)
{
	cfg.sink = fn;
	cfg.sink_arg = arg;
}

int pu_log_level_parse(const char *s, enum pu_log_level *plevel)
{
	for (size_t i = 0; i < PU_ARRAY_LEN(level_names); i++) {
		if (strcmp(s, level_names[i]) == 0) {
			*plevel = (enum pu_log_level)i;
			return 0;
		}
	}
	return PU_EINVAL;
}

bool pu_log_enabled(enum pu_log_level level)
{
	return level >= cfg.level;
}

const char *pu_log_err_text(int err)
{
	return pu_err_text(err);
}

struct line {
	char s[LINE_MAX_LEN];
	size_t len;
};

static void put(struct line *l, const char *s, size_t n)
{
	/* The last two bytes are kept for a closing brace and the newline. */
	n = pu_min(n, sizeof l->s - 2 - l->len);
	memcpy(l->s + l->len, s, n);
	l->len += n;
}

static void put_str(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

/* Bytes that could forge a line or a terminal sequence become \u00xx. */
static void put_escaped(struct line *l, const char *s)
{
	char esc[8];

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\') {
			put(l, "\\", 1);
			put(l, s, 1);
		} else if (c < 0x20 || c == 0x7f) {
			snprintf(esc, sizeof esc, "\\u%04x", c);
			put_str(l, esc);
		} else {
			put(l, s, 1);
		}
	}
}

static void put_time(struct line *l)
{
	struct timespec ts;
	struct tm tm;
	char s[40];

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	put(l, s, strftime(s, sizeof s, "%Y-%m-%dT%H:%M:%S", &tm));
	snprintf(s, sizeof s, ".%03ldZ", ts.tv_nsec / 1000000);
	put_str(l, s);
}

static void put_value(struct line *l, const struct pu_kv *kv, bool json)
{
	char s[24];
	bool quote;

	switch (kv->type) {
	case PU_KV_TYPE_END:
		return;
	case PU_KV_TYPE_U64:
		snprintf(s, sizeof s, "%" PRIu64, kv->v.u64);
		put_str(l, s);
		return;
	case PU_KV_TYPE_I64:
		snprintf(s, sizeof s, "%" PRId64, kv->v.i64);
		put_str(l, s);
		return;
	case PU_KV_TYPE_STR:
		quote = json || !kv->v.str || !*kv->v.str || strpbrk(kv->v.str, " =\"\\\t\n");
		put(l, "\"", quote);
		put_escaped(l, kv->v.str ? kv->v.str : "");
		put(l, "\"", quote);
		return;
	}
}

static void format_json(struct line *l, enum pu_log_level level, const char *module,
			const char *event, const struct pu_kv *kv, size_t n)
{
	put_str(l, "{\"time\":\"");
	put_time(l);
	put_str(l, "\",\"level\":\"");
	put_str(l, level_names[level]);
	put_str(l, "\",\"module\":\"");
	put_escaped(l, module);
	put_str(l, "\",\"msg\":\"");
	put_escaped(l, event);
	put_str(l, "\"");
	for (size_t i = 0; i < n; i++) {
		put_str(l, ",\"");
		put_escaped(l, kv[i].key);
		put_str(l, "\":");
		put_value(l, &kv[i], true);
	}
	l->s[l->len++] = '}';
}

static void format_text(struct line *l, enum pu_log_level level, const char *module,
			const char *event, const struct pu_kv *kv, size_t n)
{
	put_time(l);
	put_str(l, " ");
	put_str(l, level_names[level]);
	put_str(l, " ");
	put_str(l, module);
	put_str(l, ": ");
	put_escaped(l, event);
	for (size_t i = 0; i < n; i++) {
		put_str(l, " ");
		put_str(l, kv[i].key);
		put_str(l, "=");
		put_value(l, &kv[i], false);
	}
}

void pu_log_write(enum pu_log_level level, const char *module, const char *event,
		  const struct pu_kv *kv, size_t n)
{
	struct line l = { .len = 0 };

	if (!pu_log_enabled(level) || level == PU_LOG_OFF)
		return;
	if (cfg.json)
		format_json(&l, level, module, event, kv, n);
	else
		format_text(&l, level, module, event, kv, n);
	l.s[l.len++] = '\n';
	if (cfg.sink) {
		cfg.sink(cfg.sink_arg, l.s, l.len);
		return;
	}
	if (write(STDERR_FILENO, l.s, l.len) < 0)
		return; /* nowhere left to say so */
}
