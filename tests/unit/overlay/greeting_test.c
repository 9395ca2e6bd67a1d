/* Two words between a node and a local program, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <arpa/inet.h>

#include "base/err.h"
#include "overlay/greeting.h"
#include "support/simnet.h"

#define HELLO "0123456789abcdefHELLO"
#define REPLY "fedcba9876543210REPLY"

static struct {
	struct pu_sim *sim;
	struct pu_sim_node *node;
	struct pu_net *net;
	struct pu_tcp_listener *listener;
	struct pu_tcp *out, *program; /* of the node, of the program */
	struct pu_greeting_words words;
	struct pu_peerid peer;
	struct pu_greeting *greeting;
	const char *reply; /* what the program says */
	char heard[512];   /* by the program */
	char after[64];    /* by the node, behind the greeting */
	size_t n_heard, n_after;
	int err;
	unsigned n_done;
} t;

static size_t program_recv(void *arg, const uint8_t *p, size_t len)
{
	struct iovec iov = { .iov_base = (void *)t.reply, .iov_len = strlen(t.reply) };

	assert_true(t.n_heard + len < sizeof t.heard);
	memcpy(t.heard + t.n_heard, p, len);
	t.n_heard += len;
	if (p[len - 1] == '\n')
		t.net->ops->tcp_write(t.program, &iov, 1);
	return len;
}

static void program_ignore(void *arg)
{
}

static void program_error(void *arg, int err)
{
}

static const struct pu_tcp_events program_events = {
	.on_recv = program_recv, .on_eof = program_ignore, .on_writable = program_ignore,
	.on_error = program_error,
};

static void on_accept(void *arg, struct pu_tcp *tcp)
{
	t.program = tcp;
	t.net->ops->tcp_set_events(tcp, &program_events, NULL);
}

static size_t node_recv(void *arg, const uint8_t *p, size_t len)
{
	assert_true(t.n_after + len < sizeof t.after);
	memcpy(t.after + t.n_after, p, len);
	t.n_after += len;
	return len;
}

static const struct pu_tcp_events after_events = {
	.on_recv = node_recv, .on_eof = program_ignore, .on_writable = program_ignore,
	.on_error = program_error,
};

static void on_greeted(void *arg, int err)
{
	t.greeting = NULL;
	t.err = err;
	t.n_done++;
	if (err < 0)
		return;
	t.net->ops->tcp_set_events(t.out, &after_events, NULL);
	t.net->ops->tcp_resume(t.out);
}

static void on_connect(void *arg, int err)
{
	assert_int_equal(err, 0);
	assert_int_equal(pu_greeting_start(pu_sim_loop(t.node), t.net, t.out, &t.words, &t.peer,
					   on_greeted, NULL, &t.greeting),
			 0);
}

static size_t recv_nothing(void *arg, const uint8_t *p, size_t len)
{
	return 0;
}

static const struct pu_tcp_events connect_events = {
	.on_connect = on_connect, .on_recv = recv_nothing, .on_eof = program_ignore,
	.on_error = program_error,
};

static bool is_done(void *arg)
{
	return t.n_done > 0;
}

static void greet_with(const char *reply)
{
	union pu_sockaddr sa = { .v4 = { .sin_family = AF_INET } };

	t.reply = reply;
	sa.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(t.net->ops->tcp_listen(t.net, &sa, on_accept, NULL, &t.listener), 0);
	t.net->ops->tcp_listener_local(t.listener, &sa);
	assert_int_equal(t.net->ops->tcp_connect(t.net, &sa, NULL, &connect_events, NULL, &t.out),
			 0);
	pu_sim_run_until(t.sim, is_done, NULL, PU_SEC(1));
	pu_sim_run(t.sim, PU_MS(100));
}

static int setup(void **state)
{
	memset(&t, 0, sizeof t);
	t.sim = pu_sim_new(pu_sim_seed());
	t.node = pu_sim_node_new(t.sim, "node");
	pu_sim_node_add_ip(t.node, "10.0.0.1");
	t.net = pu_sim_net(t.node);
	assert_int_equal(pu_greeting_words_set(&t.words, HELLO, REPLY), 0);
	return pu_peerid_from_text(&t.peer,
				   "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA");
}

static int teardown(void **state)
{
	pu_greeting_cancel(t.greeting);
	if (t.out)
		t.net->ops->tcp_close(t.out, true);
	if (t.program)
		t.net->ops->tcp_close(t.program, true);
	t.net->ops->tcp_listener_close(t.listener);
	pu_sim_run(t.sim, PU_MS(100));
	pu_sim_free(t.sim);
	return 0;
}

static void the_right_program_hears_who_comes(void **state)
{
	greet_with(REPLY "\n");
	assert_int_equal(t.n_done, 1);
	assert_int_equal(t.err, 0);
	assert_string_equal(t.heard,
			    HELLO " 12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA\n");
	assert_int_equal(t.n_after, 0);
}

static void what_follows_belongs_to_the_stream(void **state)
{
	greet_with(REPLY "\nand more");
	assert_int_equal(t.err, 0);
	assert_string_equal(t.after, "and more");
}

static void another_program_gets_nothing(void **state)
{
	greet_with("fedcba9876543210REPLX\n");
	assert_int_equal(t.n_done, 1);
	assert_int_equal(t.err, PU_EDENIED);
}

static void half_a_reply_is_none(void **state)
{
	greet_with("fedcba9876543210\n");
	assert_int_equal(t.err, PU_EDENIED);
}

static void an_endless_reply_is_none(void **state)
{
	char reply[400];

	memset(reply, 'a', sizeof reply);
	reply[sizeof reply - 1] = '\0';
	greet_with(reply);
	assert_int_equal(t.n_done, 1);
	assert_int_equal(t.err, PU_EDENIED);
}

static void silence_can_be_canceled(void **state)
{
	greet_with("");
	assert_int_equal(t.n_done, 0);
	assert_non_null(t.greeting);
}

static void words_are_long_and_plain(void **state)
{
	struct pu_greeting_words w;
	char word[PU_GREETING_WORD_MAX + 2];

	memset(word, 'a', sizeof word);
	word[sizeof word - 1] = '\0';
	assert_int_equal(pu_greeting_words_set(&w, HELLO, word), PU_EINVAL);
	word[PU_GREETING_WORD_MAX] = '\0';
	assert_int_equal(pu_greeting_words_set(&w, HELLO, word), 0);
	assert_int_equal(pu_greeting_words_set(&w, "0123456789abcde", REPLY), PU_EINVAL);
	assert_int_equal(pu_greeting_words_set(&w, HELLO, "0123456789 abcdef"), PU_EINVAL);
	assert_int_equal(pu_greeting_words_set(&w, HELLO "\n", REPLY), PU_EINVAL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_right_program_hears_who_comes),
		TEST(what_follows_belongs_to_the_stream),
		TEST(another_program_gets_nothing),
		TEST(half_a_reply_is_none),
		TEST(an_endless_reply_is_none),
		TEST(silence_can_be_canceled),
		cmocka_unit_test(words_are_long_and_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
