#include "cli/background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/supervise.h"

enum { LOG_MAX = 4 * 1024 * 1024 };

/* What the child tells through the pipe: one of these, then for FAILED the failure. */
enum { READY = 'R', FAILED = 'F' };

/* The log of before is kept once when it has become large. */
static int open_log(const char *path, const struct pu_file_owner *owner)
{
	char old[PU_PATHS_LEN + 8];
	struct stat st;
	int fd;

	if (stat(path, &st) == 0 && st.st_size > LOG_MAX) {
		snprintf(old, sizeof old, "%s.old", path);
		rename(path, old);
	}
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		  0600);
	if (fd < 0)
		return -1;
	/* In a user's directory root must not be led to another file by a second name. */
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1 ||
	    (owner->set && fchown(fd, owner->uid, owner->gid) < 0)) {
		close(fd);
		errno = EPERM;
		return -1;
	}
	return fd;
}

static void write_all(int fd, const void *p, size_t n)
{
	const char *b = p;

	while (n > 0) {
		ssize_t w = write(fd, b, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return; /* the parent is gone: nobody to tell */
		b += w;
		n -= (size_t)w;
	}
}

static void on_ready(void *arg)
{
	int *fd = arg;
	char c = READY;

	write_all(*fd, &c, 1);
	close(*fd);
	*fd = -1;
}

static void detach(int log_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
	}
	dup2(log_fd, STDERR_FILENO);
	if (chdir("/") < 0)
		return; /* only a courtesy to whoever unmounts */
}

static int child(const struct pu_daemon_options *opt, int fd, int log_fd)
{
	struct pu_failure why = { .what = "" };
	struct pu_daemon_options o = *opt;
	char c = FAILED;
	int r;

	detach(log_fd);
	o.on_ready = on_ready;
	o.ready_arg = &fd;
	o.why = &why;
	r = pu_supervise_node(&o);
	if (r < 0 && fd >= 0) {
		pu_failure_set(&why, r, "daemon", NULL, "%s", pu_err_text(r));
		write_all(fd, &c, 1);
		write_all(fd, &why, sizeof why);
	}
	return r < 0 ? 1 : 0;
}

static size_t read_all(int fd, void *p, size_t n)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = read(fd, (char *)p + got, n - got);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			break;
		got += (size_t)r;
	}
	return got;
}

static int await(int fd, pid_t pid, const char *log_path, struct pu_failure *why)
{
	struct pu_failure told;
	int status = 0;
	char c;

	if (read_all(fd, &c, 1) == 1 && c == READY)
		return 0;
	if (read_all(fd, &told, sizeof told) == sizeof told) {
		*why = told;
		waitpid(pid, NULL, 0);
		return PU_ESYS;
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		return pu_failure_set(why, PU_ESYS, "daemon", NULL,
				      "ended by signal %d before it was ready, see %s",
				      WTERMSIG(status), log_path);
	return pu_failure_set(why, PU_ESYS, "daemon", NULL,
			      "ended before it was ready, see %s", log_path);
}

int pu_background_start(const struct pu_daemon_options *opt, const char *log_path,
			struct pu_failure *why)
{
	int fds[2], log_fd, r;
	pid_t pid;

	log_fd = open_log(log_path, &opt->paths.owner);
	if (log_fd < 0)
		return pu_failure_set(why, pu_err_from_errno(errno), log_path, NULL, "%s",
				      pu_err_text(pu_err_from_errno(errno)));
	if (pipe2(fds, O_CLOEXEC) < 0) {
		close(log_fd);
		return pu_failure_set(why, PU_ESYS, "pipe", NULL, "%s", pu_err_text(PU_ESYS));
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		/* _exit: the buffers and handlers of the parent are not ours. */
		_exit(child(opt, fds[1], log_fd));
	}
	close(fds[1]);
	close(log_fd);
	if (pid < 0)
		r = pu_failure_set(why, PU_ESYS, "fork", NULL, "%s", pu_err_text(PU_ESYS));
	else
		r = await(fds[0], pid, log_path, why);
	close(fds[0]);
	return r;
}
