/* Plain types of the public API. */
#ifndef PEERUP_TYPES_H
#define PEERUP_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for text forms, terminator included. */
enum {
	PEERUP_PEER_TEXT_MAX = 64,
	PEERUP_ADDR_TEXT_MAX = 600,
	PEERUP_PROTOCOL_TEXT_MAX = 256,
};

/* Monotonic nanoseconds. */
typedef uint64_t peerup_time;

/* A borrowed span of bytes. */
struct peerup_bytes {
	const uint8_t *p;
	size_t len;
};

#endif
