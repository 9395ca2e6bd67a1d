#include "platform/linux/undo.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "platform/linux/resolver.h"
#include "platform/linux/rt_proto.h"

enum request_type { UNDO_DNS, UNDO_RT_PROTO, UNDO_SEAL };

/* One datagram on the pipe. */
struct request {
	enum request_type type;
	struct pu_linux_marker marker;
	char state_dir[PATH_MAX];
};

/* --- the process --- */

struct plan {
	bool dns, rt_proto, sealed;
	struct pu_linux_marker marker;
	char state_dir[PATH_MAX];
};

static void take(struct plan *plan, const struct request *rq)
{
	if (plan->sealed)
		return;
	switch (rq->type) {
	case UNDO_DNS:
		plan->dns = true;
		plan->marker = rq->marker;
		memcpy(plan->state_dir, rq->state_dir, sizeof plan->state_dir);
		break;
	case UNDO_RT_PROTO:
		plan->rt_proto = true;
		break;
	case UNDO_SEAL:
		plan->sealed = true;
		break;
	}
}

/* Nothing of the daemon's may live on here: not the device, not its sockets, and not
 * its reaction to signals, which is to write into a pipe of its loop. */
static int leave_the_daemon(int fd)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2 };
	sigset_t none;
	int null;

	for (size_t i = 0; i < PU_ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	prctl(PR_SET_NAME, "peerup-undo");
	null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(null, 1);
	if (dup2(fd, 3) < 0)
		return -1;
	/* The number of descriptors can be large where there is no close_range(). */
	if (syscall(SYS_close_range, 4, ~0u, 0) < 0)
		for (int i = 4; i < 65536; i++)
			close(i);
	fcntl(3, F_SETFD, FD_CLOEXEC);
	if (chdir("/") < 0)
		return -1;
	return 3;
}

static void undo_all(const struct pu_linux_paths *paths, const struct plan *plan)
{
	if (plan->dns)
		pu_linux_resolver_undo(paths, &plan->marker, plan->state_dir);
	if (plan->rt_proto)
		pu_linux_rt_proto_remove(paths);
}

static void run(const struct pu_linux_paths *paths, int fd)
{
	static struct plan plan; /* of this process only */
	static struct request rq;

	fd = leave_the_daemon(fd);
	for (;;) {
		ssize_t n = recv(fd, &rq, sizeof rq, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (n == (ssize_t)sizeof rq)
			take(&plan, &rq);
	}
	undo_all(paths, &plan);
	_exit(0);
}

/* --- the daemon's side --- */

void pu_linux_undo_init(struct pu_linux_undo *u, const struct pu_linux_paths *paths)
{
	u->paths = paths;
	u->pid = 0;
	u->fd = -1;
}

static int start(struct pu_linux_undo *u)
{
	sigset_t all, before;
	int fds[2], r = 0;
	pid_t pid;

	if (u->pid)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return pu_err_from_errno(errno);
	/* The child must not run the daemon's signal handlers, not even once. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		run(u->paths, fds[1]);
	}
	if (pid < 0)
		r = pu_err_from_errno(errno);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(fds[1]);
	if (r < 0) {
		close(fds[0]);
		return r;
	}
	u->pid = pid;
	u->fd = fds[0];
	return 0;
}

static void request(struct pu_linux_undo *u, const struct request *rq)
{
	int r = start(u);

	if (r == 0 && send(u->fd, rq, sizeof *rq, MSG_NOSIGNAL) != (ssize_t)sizeof *rq)
		r = pu_err_from_errno(errno);
	if (r < 0)
		pu_log(PU_LOG_WARN, "platform", "nobody will clean up should we be killed",
		       PU_KV_ERR(r));
}

void pu_linux_undo_dns(struct pu_linux_undo *u, const struct pu_linux_marker *m,
		       const char *state_dir)
{
	struct request rq = { .type = UNDO_DNS, .marker = *m };
	char *full = realpath(state_dir, NULL);

	snprintf(rq.state_dir, sizeof rq.state_dir, "%s", full ? full : state_dir);
	free(full);
	request(u, &rq);
}

void pu_linux_undo_rt_proto(struct pu_linux_undo *u)
{
	struct request rq = { .type = UNDO_RT_PROTO };

	request(u, &rq);
}

void pu_linux_undo_seal(struct pu_linux_undo *u)
{
	struct request rq = { .type = UNDO_SEAL };

	if (u->pid)
		request(u, &rq);
}

void pu_linux_undo_finish(struct pu_linux_undo *u)
{
	struct pollfd p = { .events = POLLIN };

	if (!u->pid)
		return;
	/* The half-closed socket tells it to go; its end tells us that it has gone. */
	shutdown(u->fd, SHUT_WR);
	p.fd = u->fd;
	if (poll(&p, 1, PU_LINUX_UNDO_WAIT_MS) <= 0)
		pu_log_msg(PU_LOG_WARN, "platform", "cleaning up takes long, not waiting for it");
	else
		while (waitpid(u->pid, NULL, 0) < 0 && errno == EINTR)
			;
	close(u->fd);
	u->pid = 0;
	u->fd = -1;
}
