/* ^C and SIGTERM as something that can be waited for. */
#ifndef PU_CLI_STOP_SIGNALS_H
#define PU_CLI_STOP_SIGNALS_H

#include "cli/cli.h"

/* From here on both wait in *pfd, which is readable then: whenever they come, the command ends
 * in order. 0 or an exit code; the caller closes *pfd. */
int pu_stop_signals_hold(struct pu_cli *c, int *pfd);

#endif
