/* One allocation fails: the n-th from now on. For programs linked with --wrap for the
 * allocating functions (pu_nomem_test in tests/unit/p2p/CMakeLists.txt); the simulation
 * is a shared library there and keeps its own memory. */
#ifndef PU_TESTS_SUPPORT_NOMEM_H
#define PU_TESTS_SUPPORT_NOMEM_H

#include "base/loop.h"

/* 0: none will fail. */
void nomem_arm(unsigned n);
/* Disarms; true when it came to that. */
bool nomem_happened(void);
/* The heap of timers is allowed to end the program: it gets its memory before. */
void nomem_spare_timers(struct pu_loop *loop);

#endif
