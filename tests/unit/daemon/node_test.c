/* Whole nodes over a simulated network in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/host/paths.h"
#include "support/node_lab.h"

static struct pu_lab lab;
static struct pu_lab_node *const a = &lab.node[0], *const b = &lab.node[1], *const c = &lab.node[2];

static void two_friends(const char *attrs)
{
	pu_lab_init(&lab, 2);
	pu_lab_befriend(a, b, "");
	pu_lab_befriend(b, a, attrs);
}

static void expose(struct pu_lab_node *n, const char *name, unsigned port, const char *more)
{
	size_t len = strlen(n->services);

	snprintf(n->services + len, sizeof n->services - len,
		 "  %s:\n    enabled: true\n    local_address: \"127.0.0.1:%u\"\n%s", name, port,
		 more);
}

/* --- opening services ----------------------------------------------------------- */

struct client {
	bool done, eof;
	int err;
	struct pu_stream *st;
	size_t sent, received, total;
	bool wrong_byte;
};

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 + (i >> 9));
}

static void client_send(struct client *cl)
{
	uint8_t chunk[5000];
	size_t n, took;

	while (cl->sent < cl->total) {
		n = pu_min(sizeof chunk, cl->total - cl->sent);
		for (size_t i = 0; i < n; i++)
			chunk[i] = pattern(cl->sent + i);
		took = pu_stream_write(cl->st, chunk, n);
		cl->sent += took;
		if (took < n)
			return;
	}
	pu_stream_shutdown(cl->st);
}

static size_t client_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct client *cl = arg;

	for (size_t i = 0; i < len; i++)
		cl->wrong_byte |= p[i] != pattern(cl->received + i);
	cl->received += len;
	return len;
}

static void client_eof(void *arg, struct pu_stream *st)
{
	struct client *cl = arg;

	cl->eof = cl->done = true;
	cl->st = NULL;
	pu_stream_close(st);
}

static void client_writable(void *arg, struct pu_stream *st)
{
	client_send(arg);
}

static void client_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct client *cl = arg;

	cl->done = true;
	cl->err = err;
	cl->st = NULL;
}

static const struct pu_stream_events client_events = {
	.on_recv = client_recv,
	.on_eof = client_eof,
	.on_writable = client_writable,
	.on_closed = client_closed,
};

static void on_opened(void *arg, int err, struct pu_stream *st)
{
	struct client *cl = arg;

	cl->err = err;
	if (err < 0) {
		cl->done = true;
		return;
	}
	cl->st = st;
	pu_stream_set_events(st, &client_events, cl);
	client_send(cl);
}

static bool client_done(void *arg)
{
	return ((struct client *)arg)->done;
}

static struct client open_service(struct pu_lab_node *from, struct pu_lab_node *to,
				  const char *name, size_t total)
{
	struct client cl = { .total = total };
	struct pu_opening *o;

	assert_int_equal(pu_opening_start(from->node->host, &to->id, name, on_opened, &cl, &o), 0);
	assert_true(pu_sim_run_until(lab.sim, client_done, &cl, PU_SEC(60)));
	assert_false(cl.wrong_byte);
	return cl;
}

static void service_of_a_friend_is_a_byte_pipe(void **state)
{
	struct client cl;

	two_friends("");
	expose(b, "echo", 7, "");
	pu_lab_echo_service(b, 7);
	pu_lab_up(a);
	pu_lab_up(b);
	pu_lab_await_offer(a, b);
	assert_int_equal(pu_lab_peer(a, b)->n_services, 1);
	assert_string_equal(pu_lab_peer(a, b)->services[0].name, "echo");
	assert_int_equal(pu_lab_peer(a, b)->services[0].port, 7);
	cl = open_service(a, b, "echo", 3000000);
	assert_int_equal(cl.err, 0);
	assert_true(cl.eof);
	assert_int_equal(cl.received, 3000000);
	pu_lab_deinit(&lab);
}

static void service_that_refuses_looks_refused(void **state)
{
	struct client cl;

	two_friends("");
	expose(b, "dead", 9, "");
	pu_lab_up(a);
	pu_lab_up(b);
	pu_lab_await_offer(a, b);
	cl = open_service(a, b, "dead", 0);
	assert_int_equal(cl.err, PU_EREFUSED);
	cl = open_service(a, b, "nosuch", 0);
	assert_int_equal(cl.err, PU_ENOPROTO);
	pu_lab_deinit(&lab);
}

static void service_for_others_is_denied_and_not_offered(void **state)
{
	char acl[200];
	struct client cl;

	pu_lab_init(&lab, 3);
	pu_lab_befriend(a, b, "");
	pu_lab_befriend(b, a, "");
	snprintf(acl, sizeof acl, "    allowed_peers:\n      - \"%s\"\n", c->id_text);
	expose(b, "secret", 7, acl);
	pu_lab_echo_service(b, 7);
	pu_lab_up(a);
	pu_lab_up(b);
	pu_lab_await_offer(a, b);
	assert_int_equal(pu_lab_peer(a, b)->n_services, 0);
	cl = open_service(a, b, "secret", 10);
	assert_int_equal(cl.err, PU_EDENIED);
	pu_lab_deinit(&lab);
}

static void service_that_comes_later_is_offered_at_once(void **state)
{
	two_friends("");
	pu_lab_up(a);
	pu_lab_up(b);
	pu_lab_await_offer(a, b);
	assert_int_equal(pu_lab_peer(a, b)->n_services, 0);
	expose(b, "echo", 7, "    port: 77\n");
	pu_lab_echo_service(b, 7);
	pu_lab_reload(b);
	pu_lab_run(&lab, PU_SEC(1));
	assert_int_equal(pu_lab_peer(a, b)->n_services, 1);
	assert_int_equal(pu_lab_peer(a, b)->services[0].port, 77);
	assert_int_equal(open_service(a, b, "echo", 100).received, 100);
	pu_lab_deinit(&lab);
}

/* --- who may come ----------------------------------------------------------------- */

static void stranger_is_refused_and_counted(void **state)
{
	pu_lab_init(&lab, 2);
	pu_lab_befriend(a, b, ""); /* b does not know a */
	pu_lab_up(a);
	pu_lab_up(b);
	pu_lab_run(&lab, PU_SEC(5));
	assert_false(pu_lab_connected(b, a));
	assert_true(b->node->gated > 0);
	assert_null(pu_lab_peer(b, a));
	pu_lab_deinit(&lab);
}

static void removed_member_is_cut_off(void **state)
{
	two_friends("");
	expose(b, "echo", 7, "");
	pu_lab_echo_service(b, 7);
	pu_lab_up(a);
	pu_lab_up(b);
	pu_lab_await_offer(a, b);
	b->members[0] = '\0';
	b->peers[0] = '\0';
	pu_lab_reload(b);
	pu_lab_run(&lab, PU_SEC(5));
	assert_false(pu_lab_connected(b, a));
	assert_true(b->node->gated > 0); /* a came back and was refused */
	pu_lab_deinit(&lab);
}

static void expired_member_is_cut_off(void **state)
{
	char attr[64];
	time_t soon;

	pu_lab_init(&lab, 2);
	soon = (time_t)pu_loop_unix(pu_sim_loop(b->sim)) + 60;
	strftime(attr, sizeof attr, "  expires=%Y-%m-%dT%H:%M:%SZ", gmtime(&soon));
	pu_lab_befriend(a, b, "");
	pu_lab_befriend(b, a, attr);
	b->peers[0] = '\0'; /* what b dials itself is b's own will */
	pu_lab_up(a);
	pu_lab_up(b);
	pu_lab_run(&lab, PU_SEC(30));
	assert_true(pu_lab_connected(b, a));
	pu_lab_run(&lab, PU_SEC(60));
	assert_false(pu_lab_connected(b, a));
	pu_lab_deinit(&lab);
}

/* --- packets ------------------------------------------------------------------------ */

static const char *carrier(struct pu_lab_node *from, struct pu_lab_node *to)
{
	struct pu_session_stats s;

	assert_true(pu_sessions_stats(from->node->sessions, &to->id, &s));
	return s.carrier;
}

static void packets_travel_as_datagrams_both_ways(void **state)
{
	two_friends("");
	pu_lab_up(a);
	pu_lab_up(b);
	assert_int_equal(pu_lab_send(a, b, 1000, 0), 1); /* before there is a connection */
	pu_lab_run(&lab, PU_SEC(2));
	pu_lab_check_packet(b, 1000, 0);
	assert_true(b->n_batches > 0);
	assert_string_equal(carrier(a, b), "datagram");
	pu_lab_send(b, a, 60, PU_PKT_CSUM_PARTIAL);
	pu_lab_run(&lab, PU_SEC(1));
	pu_lab_check_packet(a, 60, PU_PKT_CSUM_PARTIAL);
	pu_lab_deinit(&lab);
}

static void packets_travel_by_stream_without_quic(void **state)
{
	pu_lab_init(&lab, 2);
	a->tcp_only = b->tcp_only = true;
	pu_lab_befriend(a, b, "");
	pu_lab_befriend(b, a, "");
	pu_lab_up(a);
	pu_lab_up(b);
	pu_lab_send(a, b, 60000, PU_PKT_CSUM_PARTIAL);
	pu_lab_run(&lab, PU_SEC(3));
	pu_lab_check_packet(b, 60000, PU_PKT_CSUM_PARTIAL);
	assert_string_equal(carrier(a, b), "stream");
	assert_int_equal(pu_sessions_limit(a->node->sessions, &b->id), PU_PKT_MAX);
	for (unsigned i = 0; i < 500; i++)
		pu_lab_send(b, a, 1400, 0);
	pu_lab_run(&lab, PU_SEC(3));
	assert_int_equal(a->n_packets, 500);
	pu_lab_check_packet(a, 1400, 0);
	pu_lab_deinit(&lab);
}

static void packet_larger_than_the_path_arrives_and_the_limit_is_known(void **state)
{
	const struct pu_sim_link narrow = { .delay = PU_MS(2), .mtu = 1280 };
	struct pu_session_stats s;

	two_friends("");
	pu_sim_link(a->sim, b->sim, &narrow);
	pu_lab_up(a);
	pu_lab_up(b);
	pu_lab_await_offer(a, b);
	pu_lab_send(a, b, 1400, 0);
	pu_lab_run(&lab, PU_SEC(10));
	pu_lab_check_packet(b, 1400, 0);
	assert_int_equal(pu_sessions_limit(a->node->sessions, &b->id), PU_IPV6_MIN_MTU);
	pu_lab_send(a, b, PU_IPV6_MIN_MTU, 0);
	pu_lab_run(&lab, PU_SEC(1));
	pu_lab_check_packet(b, PU_IPV6_MIN_MTU, 0);
	assert_true(pu_sessions_stats(a->node->sessions, &b->id, &s));
	assert_true(s.halves > 0);
	pu_lab_deinit(&lab);
}

static void wide_path_carries_full_packets_in_one_piece(void **state)
{
	struct pu_session_stats before, after;

	two_friends("");
	pu_lab_up(a);
	pu_lab_up(b);
	pu_lab_await_offer(a, b);
	pu_lab_send(a, b, 100, 0);
	pu_lab_run(&lab, PU_SEC(10));
	assert_true(pu_sessions_limit(a->node->sessions, &b->id) >= 1400);
	assert_true(pu_sessions_stats(a->node->sessions, &b->id, &before));
	pu_lab_send(a, b, 1400, 0);
	pu_lab_run(&lab, PU_SEC(1));
	pu_lab_check_packet(b, 1400, 0);
	assert_true(pu_sessions_stats(a->node->sessions, &b->id, &after));
	assert_int_equal(after.halves, before.halves);
	pu_lab_deinit(&lab);
}

static void packets_to_an_unreachable_peer_come_back(void **state)
{
	const struct pu_sim_link cut = { .down = true };

	two_friends("");
	pu_sim_link(a->sim, b->sim, &cut);
	pu_lab_up(a);
	pu_lab_send(a, b, 100, 0);
	pu_lab_run(&lab, PU_SEC(60));
	assert_int_equal(a->n_undeliverable, 1);
	assert_true(a->undeliverable_err < 0);
	pu_lab_deinit(&lab);
}

static void packets_flow_again_after_the_peer_restarted(void **state)
{
	two_friends("");
	pu_lab_up(a);
	pu_lab_up(b);
	pu_lab_await_offer(a, b);
	pu_lab_send(a, b, 100, 0);
	pu_lab_run(&lab, PU_SEC(1));
	assert_int_equal(b->n_packets, 1);
	pu_lab_down(b);
	pu_lab_run(&lab, PU_SEC(5));
	pu_lab_up(b);
	pu_lab_run(&lab, PU_SEC(20));
	assert_true(pu_lab_connected(a, b));
	pu_lab_send(a, b, 200, 0);
	pu_lab_send(b, a, 300, 0);
	pu_lab_run(&lab, PU_SEC(1));
	pu_lab_check_packet(b, 200, 0);
	pu_lab_check_packet(a, 300, 0);
	pu_lab_deinit(&lab);
}

static int quiet(void **state)
{
	pu_log_set_level(PU_LOG_ERROR);
	return pu_crypto_init();
}

/* Dialled, it would lead through the device back to us. */
static void addresses_of_the_overlay_are_not_dialled(void **state)
{
	struct pu_host_candidate known[PU_HOST_ADDRS_PER_PEER];
	struct pu_multiaddr inner, inner6;
	unsigned n_usable = 0, n_inner = 0;
	size_t n;

	pu_lab_init(&lab, 2);
	pu_lab_befriend(a, b, "");
	pu_lab_up(a);
	assert_int_equal(pu_multiaddr_from_text(&inner, "/ip4/10.64.3.4/udp/4001/quic-v1"), 0);
	assert_int_equal(pu_multiaddr_from_text(&inner6, "/ip6/fd70:6565:7275:1::1/tcp/4001"), 0);
	pu_host_add_addr(a->node->host, &b->id, &inner, true);
	pu_host_add_addr(a->node->host, &b->id, &inner6, true);
	n = pu_host_candidates(a->node->host, &b->id, known, PU_HOST_ADDRS_PER_PEER);
	for (size_t i = 0; i < n; i++) {
		bool is_inner = pu_multiaddr_eq(&known[i].ma, &inner) ||
				pu_multiaddr_eq(&known[i].ma, &inner6);

		n_inner += is_inner;
		n_usable += known[i].usable;
		assert_false(is_inner && known[i].usable);
	}
	assert_int_equal(n_inner, 2);
	assert_true(n_usable > 0);
	pu_lab_deinit(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(service_of_a_friend_is_a_byte_pipe),
		cmocka_unit_test(service_that_refuses_looks_refused),
		cmocka_unit_test(service_for_others_is_denied_and_not_offered),
		cmocka_unit_test(service_that_comes_later_is_offered_at_once),
		cmocka_unit_test(stranger_is_refused_and_counted),
		cmocka_unit_test(removed_member_is_cut_off),
		cmocka_unit_test(expired_member_is_cut_off),
		cmocka_unit_test(packets_travel_as_datagrams_both_ways),
		cmocka_unit_test(packets_travel_by_stream_without_quic),
		cmocka_unit_test(packet_larger_than_the_path_arrives_and_the_limit_is_known),
		cmocka_unit_test(wide_path_carries_full_packets_in_one_piece),
		cmocka_unit_test(packets_to_an_unreachable_peer_come_back),
		cmocka_unit_test(packets_flow_again_after_the_peer_restarted),
		cmocka_unit_test(addresses_of_the_overlay_are_not_dialled),
	};

	return cmocka_run_group_tests(tests, quiet, NULL);
}
