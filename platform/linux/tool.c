#include "platform/linux/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"

static int spawn(const char *const argv[], int in, pid_t *ppid)
{
	static char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL };
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t none, defaults;
	int r;

	sigemptyset(&none);
	sigfillset(&defaults);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, in, 0);
	posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
	r = posix_spawn(ppid, argv[0], &fa, &attr, (char *const *)argv, env);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&attr);
	return r ? pu_err_from_errno(r) : 0;
}

/* Whoever waits for all children may have taken the status; the end is all we need. */
static int wait_for(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int status = 0, r = 0;

	if (fd >= 0 && poll(&p, 1, PU_LINUX_TOOL_MS) == 0) {
		kill(pid, SIGKILL);
		r = PU_ETIMEDOUT;
	}
	if (fd >= 0)
		close(fd);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return r ? r : PU_ESYS;
	if (r == 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
		r = PU_ESYS;
	return r;
}

int pu_linux_tool_run(const char *const argv[], const char *input)
{
	size_t len = input ? strlen(input) : 0;
	int fds[2], r;
	pid_t pid;

	if (len > PU_LINUX_TOOL_INPUT_MAX)
		return PU_E2BIG;
	if (access(argv[0], X_OK) < 0)
		return pu_err_from_errno(errno);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return pu_err_from_errno(errno);
	/* So little fits the pipe, whether or not it is ever read. */
	if (len > 0 && write(fds[1], input, len) != (ssize_t)len)
		r = PU_EIO;
	else
		r = spawn(argv, fds[0], &pid);
	close(fds[0]);
	close(fds[1]);
	return r < 0 ? r : wait_for(pid);
}
