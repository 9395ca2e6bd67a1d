#include "daemon/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"

/* What a worker tells at its end, through a pipe. */
struct verdict {
	int result;
	struct pu_failure why;
};

struct worker {
	pid_t pid;
	int verdict;  /* to read from */
	int lifeline; /* held open */
};

static void run_worker(const struct pu_keeper *k, int lifeline, int verdict)
{
	struct verdict v = { .why = { .what = "" } };
	ssize_t n;

	v.result = k->run(k->arg, lifeline, &v.why);
	fflush(NULL);
	n = write(verdict, &v, sizeof v);
	/* _exit: handlers of the process before us are not ours. */
	_exit(n == (ssize_t)sizeof v ? 0 : 1);
}

static int start_worker(const struct pu_keeper *k, const sigset_t *mask, struct worker *w)
{
	int life[2], verdict[2];

	if (pipe2(life, O_CLOEXEC) < 0)
		return pu_err_from_errno(errno);
	if (pipe2(verdict, O_CLOEXEC) < 0) {
		close(life[0]);
		close(life[1]);
		return PU_ESYS;
	}
	fflush(NULL);
	w->pid = fork();
	if (w->pid == 0) {
		close(life[1]);
		close(verdict[0]);
		sigprocmask(SIG_SETMASK, mask, NULL);
		run_worker(k, life[0], verdict[1]);
	}
	close(life[0]);
	close(verdict[1]);
	w->lifeline = life[1];
	w->verdict = verdict[0];
	if (w->pid > 0)
		return 0;
	close(w->lifeline);
	close(w->verdict);
	return PU_ESYS;
}

/* Until the worker is gone; its wait status. */
static int attend(const struct worker *w, const sigset_t *mine)
{
	int status;

	for (;;) {
		int sig = sigwaitinfo(mine, NULL);

		if (sig != SIGCHLD) {
			if (sig > 0)
				kill(w->pid, sig);
			continue;
		}
		if (waitpid(w->pid, &status, WNOHANG) == w->pid)
			return status;
	}
}

static int judge(const struct pu_keeper *k, const struct worker *w, int status,
		 struct pu_failure *why)
{
	struct verdict v;

	if (WIFEXITED(status) && read(w->verdict, &v, sizeof v) == (ssize_t)sizeof v) {
		v.why.what[sizeof v.why.what - 1] = '\0';
		v.why.why[sizeof v.why.why - 1] = '\0';
		v.why.hint[sizeof v.why.hint - 1] = '\0';
		if (v.result < 0 && why)
			*why = v.why;
		return v.result;
	}
	/* Whoever sends these means the whole. */
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGTERM &&
	    WTERMSIG(status) != SIGINT && k->on_crash && k->on_crash(k->arg))
		return PU_KEEPER_AGAIN;
	if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGINT))
		return 0; /* before it could hear them */
	if (WIFSIGNALED(status))
		return pu_failure_set(why, PU_ESYS, "daemon", NULL, "ended by signal %d",
				      WTERMSIG(status));
	return pu_failure_set(why, PU_ESYS, "daemon", NULL, "ended with status %d",
			      WEXITSTATUS(status));
}

int pu_keeper_run(const struct pu_keeper *k, struct pu_failure *why)
{
	struct worker w;
	char name[16] = "";
	sigset_t mine, mask;
	int r, status;

	prctl(PR_GET_NAME, name);
	sigemptyset(&mine);
	sigaddset(&mine, SIGTERM);
	sigaddset(&mine, SIGINT);
	sigaddset(&mine, SIGHUP);
	sigaddset(&mine, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mine, &mask);
	signal(SIGCHLD, SIG_DFL);
	do {
		r = start_worker(k, &mask, &w);
		if (r < 0) {
			pu_failure_set(why, r, "fork", NULL, "%s", pu_err_text(r));
			break;
		}
		/* Whoever looks for the daemon by name shall find the worker. */
		prctl(PR_SET_NAME, "peerup-keeper");
		status = attend(&w, &mine);
		close(w.lifeline);
		r = judge(k, &w, status, why);
		close(w.verdict);
		if (r == PU_KEEPER_AGAIN)
			prctl(PR_SET_NAME, name);
	} while (r == PU_KEEPER_AGAIN);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return r;
}
