/* Structured logging: one line per event on stderr, as text or as JSON.
 *
 *   pu_log(PU_LOG_INFO, "conn", "connected",
 *          PU_KV_STR("peer", short_id), PU_KV_U64("rtt_us", rtt));
 *
 * Never pass secrets. Strings from peers are escaped. The level and format are
 * the only mutable process-wide state of the project. */
#ifndef PU_BASE_LOG_H
#define PU_BASE_LOG_H

#include "base/bytes.h"

enum pu_log_level { PU_LOG_DEBUG, PU_LOG_INFO, PU_LOG_WARN, PU_LOG_ERROR, PU_LOG_OFF };

struct pu_kv {
	const char *key;
	enum { PU_KV_TYPE_END, PU_KV_TYPE_STR, PU_KV_TYPE_U64, PU_KV_TYPE_I64 } type;
	union {
		const char *str;
		uint64_t u64;
		int64_t i64;
	} v;
};

#define PU_KV_STR(k, s) ((struct pu_kv){ .key = (k), .type = PU_KV_TYPE_STR, .v.str = (s) })
#define PU_KV_U64(k, n) ((struct pu_kv){ .key = (k), .type = PU_KV_TYPE_U64, .v.u64 = (n) })
#define PU_KV_I64(k, n) ((struct pu_kv){ .key = (k), .type = PU_KV_TYPE_I64, .v.i64 = (n) })
/* The text of a PU_E… code under the key "error". */
#define PU_KV_ERR(e) PU_KV_STR("error", pu_log_err_text(e))

void pu_log_set_level(enum pu_log_level level);
/* "debug", "info", "warn", "error", "off"; PU_EINVAL otherwise. */
int pu_log_level_parse(const char *s, enum pu_log_level *plevel);
void pu_log_set_json(bool json);
/* Where lines go instead of stderr; NULL restores it. For tests. */
typedef void pu_log_sink_fn(void *arg, const char *line, size_t len);
void pu_log_set_sink(pu_log_sink_fn *fn, void *arg);

/* Events go there as they are instead of becoming lines; NULL ends that. text: event and
 * pairs in one escaped line without time, level and line feed. */
typedef void pu_log_fields_fn(enum pu_log_level level, const char *module, const char *text,
			      const struct pu_kv *kv, size_t n);
void pu_log_set_fields(pu_log_fields_fn *fn);

bool pu_log_enabled(enum pu_log_level level);
void pu_log_write(enum pu_log_level level, const char *module, const char *event,
		  const struct pu_kv *kv, size_t n);
const char *pu_log_err_text(int err);

/* At least one key-value pair. */
#define pu_log(level, module, event, ...)                                       \
	do {                                                                    \
		if (pu_log_enabled(level)) {                                    \
			const struct pu_kv kv_[] = { __VA_ARGS__ };             \
			pu_log_write(level, module, event, kv_,                 \
				     PU_ARRAY_LEN(kv_));                        \
		}                                                               \
	} while (0)
/* Without pairs. */
#define pu_log_msg(level, module, event)                                        \
	do {                                                                    \
		if (pu_log_enabled(level))                                      \
			pu_log_write(level, module, event, NULL, 0);            \
	} while (0)

#endif
