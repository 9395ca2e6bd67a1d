/* The process around a daemon: results, new workers, signals, and its own death. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "daemon/keeper.h"

/* Shared with the workers. */
static struct shared {
	int runs, crashes, lifeline_ended;
	volatile int ready;
} *seen;

static struct pu_failure why;

static int set_up(void **state)
{
	seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(seen != MAP_FAILED);
	why = (struct pu_failure){ .what = "" };
	return 0;
}

static int tear_down(void **state)
{
	return munmap(seen, sizeof *seen);
}

static int run(int (*fn)(void *arg, int lifeline, struct pu_failure *why),
	       bool (*on_crash)(void *arg))
{
	const struct pu_keeper k = { .run = fn, .on_crash = on_crash };

	return pu_keeper_run(&k, &why);
}

static int fails(void *arg, int lifeline, struct pu_failure *w)
{
	return pu_failure_set(w, PU_EEXIST, "port 53", "ss -l", "taken");
}

static void a_failure_arrives_with_its_words(void **state)
{
	assert_int_equal(run(fails, NULL), PU_EEXIST);
	assert_string_equal(why.what, "port 53");
	assert_string_equal(why.why, "taken");
	assert_string_equal(why.hint, "ss -l");
}

static int twice_again(void *arg, int lifeline, struct pu_failure *w)
{
	return ++seen->runs < 3 ? PU_KEEPER_AGAIN : 0;
}

static void a_worker_that_wants_a_successor_gets_one(void **state)
{
	assert_int_equal(run(twice_again, NULL), 0);
	assert_int_equal(seen->runs, 3);
}

static int crashes_first(void *arg, int lifeline, struct pu_failure *w)
{
	if (seen->runs++ == 0) {
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
	}
	return 0;
}

static bool again(void *arg)
{
	seen->crashes++;
	return true;
}

static void after_a_crash_somebody_decides(void **state)
{
	assert_int_equal(run(crashes_first, again), 0);
	assert_int_equal(seen->crashes, 1);
	assert_int_equal(seen->runs, 2);
	seen->runs = 0;
	assert_int_equal(run(crashes_first, NULL), PU_ESYS);
	assert_string_equal(why.why, "ended by signal 11");
}

static int is_killed(void *arg, int lifeline, struct pu_failure *w)
{
	seen->runs++;
	return raise(SIGKILL);
}

static void kill_9_means_the_whole(void **state)
{
	assert_int_equal(run(is_killed, again), PU_ESYS);
	assert_int_equal(seen->crashes, 0);
	assert_int_equal(seen->runs, 1);
}

static int waits_for_term(void *arg, int lifeline, struct pu_failure *w)
{
	sigset_t term;
	int sig;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	seen->ready = 1;
	sigwait(&term, &sig);
	return PU_ECANCELED;
}

static int waits_for_eof(void *arg, int lifeline, struct pu_failure *w)
{
	char c;

	seen->ready = 1;
	if (read(lifeline, &c, 1) == 0)
		seen->lifeline_ended = 1;
	return 0;
}

static pid_t keeper_of(int (*fn)(void *arg, int lifeline, struct pu_failure *why))
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(run(fn, NULL) == PU_ECANCELED ? 7 : 8);
	for (int i = 0; i < 500 && !seen->ready; i++)
		usleep(10000);
	assert_true(seen->ready);
	return pid;
}

static void signals_pass_through(void **state)
{
	pid_t pid = keeper_of(waits_for_term);
	int status;

	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void the_worker_learns_when_its_keeper_is_gone(void **state)
{
	pid_t pid = keeper_of(waits_for_eof);

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	for (int i = 0; i < 500 && !seen->lifeline_ended; i++)
		usleep(10000);
	assert_true(seen->lifeline_ended);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_failure_arrives_with_its_words),
		TEST(a_worker_that_wants_a_successor_gets_one),
		TEST(after_a_crash_somebody_decides),
		TEST(kill_9_means_the_whole),
		TEST(signals_pass_through),
		TEST(the_worker_learns_when_its_keeper_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
