#include "cli/files_alone.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/oneshot_proxy.h"
#include "overlay/service.h"

enum { REPORT_MS = 500 };

/* What the node says to us. */
struct report {
	int err; /* < 0: it failed, or the connection did */
	bool listening;
	uint16_t port;
	struct pu_failure why;
};

struct child {
	const struct pu_paths *paths;
	const struct pu_peerid *peer;        /* to reach it, or */
	const struct pu_api_expose *expose; /* to offer that */
	int leash, reports;
};

static void tell(const struct child *ch, const struct report *r)
{
	if (write(ch->reports, r, sizeof *r) != sizeof *r)
		_exit(1);
}

static void on_listening(void *arg, const union pu_sockaddr *local)
{
	struct report r = { .listening = true, .port = ntohs(local->v4.sin_port) };

	tell(arg, &r);
}

static void on_ready(void *arg)
{
	tell(arg, &(struct report){ .listening = true });
}

static void on_conn(void *arg, int err, unsigned attempts)
{
	if (err < 0)
		tell(arg, &(struct report){ .err = err });
}

static int reach(struct child *ch, struct pu_oneshot *o, struct pu_failure *why)
{
	struct pu_oneshot_proxy opt = { .peer = ch->peer, .service = PU_SERVICE_FILES,
					.stop_fd = ch->leash, .on_listening = on_listening,
					.on_conn = on_conn, .arg = ch };
	struct pu_oneshot_pong pong;
	int r;

	pu_oneshot_ping(o, ch->peer, &pong);
	if (pong.err < 0 && pong.err != PU_ENOPROTO)
		return pu_failure_set(why, pong.err, NULL, NULL, "cannot reach peer: %s",
				      pong.error);
	opt.listen.v4.sin_family = AF_INET;
	opt.listen.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	r = pu_oneshot_proxy(o, &opt);
	return r < 0 ? pu_failure_set(why, r, "local port", NULL, "%s", pu_err_text(r)) : 0;
}

static void be_node(struct child *ch)
{
	struct report end = { .why = { .what = "" } };
	struct pu_oneshot *o = NULL;

	pu_log_set_level(PU_LOG_ERROR);
	end.err = ch->peer ? pu_oneshot_new(ch->paths, &o, &end.why) :
			     pu_oneshot_new_host(ch->paths, &o, &end.why);
	if (end.err == 0 && ch->peer)
		end.err = reach(ch, o, &end.why);
	else if (end.err == 0)
		end.err = pu_oneshot_expose(o, ch->expose, ch->leash, on_ready, ch, &end.why);
	if (end.err < 0)
		tell(ch, &end);
	pu_oneshot_free(o);
	_exit(0);
}

/* ^C on the terminal is for the command, which then lets go of the leash. */
static void prepare(pid_t parent)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
}

/* The next report; PU_ECLOSED: there is no node any more. */
static int read_report(const struct pu_files_alone *a, struct report *out)
{
	size_t len = 0;

	while (len < sizeof *out) {
		ssize_t n = read(a->reports, (char *)out + len, sizeof *out - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return PU_ECLOSED;
		len += (size_t)n;
	}
	return 0;
}

static int start(struct child *ch, struct pu_files_alone *a, struct report *first,
		 struct pu_failure *why)
{
	int leash[2] = { -1, -1 }, reports[2] = { -1, -1 }, r = PU_ESYS;
	pid_t parent = getpid(), pid = -1;

	if (pipe2(leash, O_CLOEXEC) == 0 && pipe2(reports, O_CLOEXEC) == 0)
		pid = fork();
	if (pid == 0) {
		prepare(parent);
		close(leash[1]);
		close(reports[0]);
		ch->leash = leash[0];
		ch->reports = reports[1];
		be_node(ch);
	}
	close(leash[0]);
	close(reports[1]);
	*a = (struct pu_files_alone){ .pid = pid > 0 ? pid : 0, .leash = leash[1],
				      .reports = reports[0] };
	if (pid > 0)
		r = read_report(a, first);
	if (r == 0 && first->err == 0) {
		a->ready = true;
		return 0;
	}
	if (r == 0) {
		*why = first->why;
		r = first->err;
	}
	pu_files_alone_end(a);
	return pu_failure_set(why, r, "peerup-vpn", NULL, "%s", pu_err_text(r));
}

int pu_files_alone_reach(const struct pu_paths *paths, const struct pu_peerid *peer,
			 struct pu_files_alone *a, uint16_t *pport, struct pu_failure *why)
{
	struct child ch = { .paths = paths, .peer = peer };
	struct report first;
	int r = start(&ch, a, &first, why);

	if (r == 0)
		*pport = first.port;
	return r;
}

int pu_files_alone_expose(const struct pu_paths *paths, const struct pu_api_expose *e,
			  struct pu_files_alone *a, struct pu_failure *why)
{
	struct child ch = { .paths = paths, .expose = e };
	struct report first;

	return start(&ch, a, &first, why);
}

int pu_files_alone_last_error(struct pu_files_alone *a)
{
	struct pollfd p = { .fd = a->reports, .events = POLLIN };
	struct report r;

	/* The socket may be reset a moment before the node says why. */
	return a->pid && poll(&p, 1, REPORT_MS) > 0 && read_report(a, &r) == 0 ? r.err : 0;
}

void pu_files_alone_end(struct pu_files_alone *a)
{
	if (a->pid == 0)
		return;
	close(a->leash);
	close(a->reports);
	if (!a->ready)
		kill(a->pid, SIGKILL);
	while (waitpid(a->pid, NULL, 0) < 0 && errno == EINTR)
		;
	a->pid = 0;
}
