#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

enum {
	LINE_MAX_LEN = 2048,
	VALUE_MAX_LEN = 1024, /* escaped; what is longer ends in "..." */
	TAIL_LEN = 32,        /* kept for the mark of a cut line and its end */
};

static struct {
	enum pu_log_level level;
	bool json;
	pu_log_sink_fn *sink;
	void *sink_arg;
	pu_log_fields_fn *fields;
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

void pu_log_set_fields(pu_log_fields_fn *fn)
{
	cfg.fields = fn;
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
	bool full; /* something did not fit */
};

/* All or nothing, so that no escape sequence is cut in two. */
static void put(struct line *l, const char *s, size_t n)
{
	if (l->full || n > sizeof l->s - TAIL_LEN - l->len) {
		l->full = true;
		return;
	}
	memcpy(l->s + l->len, s, n);
	l->len += n;
}

static void put_str(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

/* Length of the UTF-8 sequence at s; 0 when it is malformed or a control
 * character of the range U+0080 to U+009F, which terminals obey. */
static size_t utf8_len(const unsigned char *s)
{
	size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;

	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xc2 && s[1] < 0xa0) || (s[0] == 0xe0 && s[1] < 0xa0) ||
	    (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	return n;
}

/* Bytes that could forge a line or a terminal sequence, or make the line invalid
 * as JSON, become \u00xx. */
static void put_escaped(struct line *l, const char *s)
{
	size_t start = l->len, n;
	char esc[8];

	for (; *s; s += n) {
		unsigned char c = (unsigned char)*s;

		if (l->len - start > VALUE_MAX_LEN) {
			put_str(l, "...");
			return;
		}
		n = 1;
		if (c == '"' || c == '\\') {
			put(l, "\\", 1);
			put(l, s, 1);
		} else if (c >= 0x20 && c < 0x7f) {
			put(l, s, 1);
		} else if (c >= 0x80 && utf8_len((const unsigned char *)s)) {
			n = utf8_len((const unsigned char *)s);
			put(l, s, n);
		} else {
			snprintf(esc, sizeof esc, "\\u%04x", c);
			put_str(l, esc);
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

/* Pairs one by one: one that does not fit is left out with those behind it. */
static void put_pairs(struct line *l, const struct pu_kv *kv, size_t n, bool json)
{
	for (size_t i = 0; i < n; i++) {
		size_t mark = l->len;

		put_str(l, json ? ",\"" : " ");
		put_escaped(l, kv[i].key);
		put_str(l, json ? "\":" : "=");
		put_value(l, &kv[i], json);
		if (l->full) {
			l->len = mark;
			break;
		}
	}
}

/* The tail always fits: put() kept TAIL_LEN bytes. */
static void put_tail(struct line *l, const char *s)
{
	memcpy(l->s + l->len, s, strlen(s));
	l->len += strlen(s);
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
	put_pairs(l, kv, n, true);
	if (l->full)
		put_tail(l, ",\"truncated\":true");
	put_tail(l, "}\n");
}

static void put_event(struct line *l, const char *event, const struct pu_kv *kv, size_t n)
{
	put_escaped(l, event);
	put_pairs(l, kv, n, false);
}

static void write_fields(enum pu_log_level level, const char *module, const char *event,
			 const struct pu_kv *kv, size_t n)
{
	struct line l = { .len = 0 };

	put_event(&l, event, kv, n);
	l.s[l.len] = '\0';
	cfg.fields(level, module, l.s, kv, n);
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
	put_event(l, event, kv, n);
	put_tail(l, l->full ? " ...\n" : "\n");
}

void pu_log_write(enum pu_log_level level, const char *module, const char *event,
		  const struct pu_kv *kv, size_t n)
{
	struct line l = { .len = 0 };

	if (!pu_log_enabled(level) || level == PU_LOG_OFF)
		return;
	if (cfg.fields) {
		write_fields(level, module, event, kv, n);
		return;
	}
	if (cfg.json)
		format_json(&l, level, module, event, kv, n);
	else
		format_text(&l, level, module, event, kv, n);
	if (cfg.sink) {
		cfg.sink(cfg.sink_arg, l.s, l.len);
		return;
	}
	if (write(STDERR_FILENO, l.s, l.len) < 0)
		return; /* nowhere left to say so */
}
