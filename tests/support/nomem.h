/* Allocations that fail. For programs linked with --wrap for the allocating functions, see
 * tests/unit/p2p/CMakeLists.txt. */
#ifndef PU_TESTS_SUPPORT_NOMEM_H
#define PU_TESTS_SUPPORT_NOMEM_H

#include "base/loop.h"

extern unsigned nomem_countdown; /* the n-th allocation from now fails; 0: none */
extern bool nomem_happened;      /* it did */

/* The heap of timers is allowed to end the program: it gets its memory before. */
void nomem_warm_up(struct pu_loop *loop);

#endif
