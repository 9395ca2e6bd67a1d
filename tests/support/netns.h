/* A network namespace of a test's own, with TUN interfaces in it. */
#ifndef PU_TESTS_SUPPORT_NETNS_H
#define PU_TESTS_SUPPORT_NETNS_H

#include <stdbool.h>

/* Moves this process into a fresh namespace with "lo" up. False: not allowed. */
bool netns_enter(void);
/* Creates a TUN interface that lives as long as the descriptor returned (>= 0). */
int netns_tun(const char *name);
/* Runs a shell command quietly; its exit status. */
int netns_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* What a shell command prints, up to cap. */
void netns_output(char *out, unsigned cap, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
