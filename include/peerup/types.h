/* Plain types of the public API. */
#ifndef PEERUP_TYPES_H
#define PEERUP_TYPES_H

#include <stddef.h>
#include <stdint.h>

/* Monotonic nanoseconds. */
typedef uint64_t peerup_time;

/* A borrowed span of bytes. */
struct peerup_bytes {
	const uint8_t *p;
	size_t len;
};

#endif
