#include "cli/stop_signals.h"

#include <signal.h>
#include <sys/signalfd.h>

#include "base/err.h"

/* What a shell starts in the background ignores ^C, and would drop it here. */
int pu_stop_signals_hold(struct pu_cli *c, int *pfd)
{
	sigset_t set;
	int fd = -1;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	signal(SIGINT, SIG_DFL);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
		fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		return pu_cli_fail(c, "signals", NULL, "%s", pu_err_text(PU_ESYS));
	*pfd = fd;
	return 0;
}
