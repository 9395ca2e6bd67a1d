/* Time, borrowed byte spans and small compile-time helpers used everywhere. */
#ifndef PU_BASE_BYTES_H
#define PU_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Monotonic nanoseconds. Only differences and comparisons have a meaning. */
typedef uint64_t pu_time;
#define PU_TIME_NEVER UINT64_MAX
#define PU_US(n) ((pu_time)(n) * 1000u)
#define PU_MS(n) ((pu_time)(n) * 1000000u)
#define PU_SEC(n) ((pu_time)(n) * 1000000000u)

/* A borrowed span. Whoever returns one states how long it stays valid. */
struct pu_bytes {
	const uint8_t *p;
	size_t len;
};

#define PU_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define PU_CONTAINER_OF(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))
/* Marks a parameter whose ownership passes to the callee, even on failure. */
#define PU_TAKES

static inline struct pu_bytes pu_bytes(const void *p, size_t len)
{
	return (struct pu_bytes){ p, len };
}

static inline struct pu_bytes pu_bytes_str(const char *s)
{
	return (struct pu_bytes){ (const uint8_t *)s, strlen(s) };
}

static inline bool pu_bytes_eq(struct pu_bytes a, struct pu_bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool pu_bytes_eq_str(struct pu_bytes a, const char *s)
{
	return pu_bytes_eq(a, pu_bytes_str(s));
}

static inline size_t pu_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline size_t pu_max(size_t a, size_t b)
{
	return a > b ? a : b;
}

#endif
