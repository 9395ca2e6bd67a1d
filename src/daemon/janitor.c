#include "daemon/janitor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "platform/platform.h"

static void wait_for_eof(int fd)
{
	char c;
	ssize_t n;

	do
		n = read(fd, &c, 1);
	while (n > 0 || (n < 0 && errno == EINTR));
}

/* Standard output may be the pipe of a program that waits for the daemon to end;
 * standard error stays, for the log. */
static void detach(int keep)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
	}
	if (keep > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, (unsigned)keep - 1, 0);
	close_range((unsigned)keep + 1, ~0u, 0);
	setsid();
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_IGN);
	prctl(PR_SET_NAME, "peerup-janitor");
}

int pu_janitor_start(struct pu_janitor *j, const char *state_dir)
{
	int fd[2];
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return pu_err_from_errno(errno);
	pid = fork();
	if (pid < 0) {
		close(fd[0]);
		close(fd[1]);
		return pu_err_from_errno(errno);
	}
	if (pid == 0) {
		close(fd[1]);
		detach(fd[0]);
		wait_for_eof(fd[0]);
		/* Tools that restore the resolver must be waited for as usual. */
		signal(SIGCHLD, SIG_DFL);
		pu_platform_dns_recover(state_dir);
		_exit(0);
	}
	close(fd[0]);
	j->pid = pid;
	j->fd = fd[1];
	return 0;
}

void pu_janitor_finish(struct pu_janitor *j)
{
	if (j->pid == 0)
		return;
	close(j->fd);
	while (waitpid(j->pid, NULL, 0) < 0 && errno == EINTR)
		;
	j->pid = 0;
}

void pu_janitor_recover(const char *state_dir)
{
	pu_platform_dns_recover(state_dir);
}
