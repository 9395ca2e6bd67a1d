/* Peers that want AutoNAT to harm others, or us. */
#include "p2p/autonat/autonat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/autonat/ask.h"
#include "p2p/autonat/message.h"
#include "p2p/autonat/server.h"
#include "p2p/proto/message.h"
#include "support/hosts.h"

enum { STREAMS_MAX = 80 };

static const char *const listen_both[] = { "/ip4/0.0.0.0/udp/4001/quic-v1",
					   "/ip4/0.0.0.0/tcp/4001", NULL };
static const char *const only_tcp[] = { "/ip4/0.0.0.0/tcp/4001", NULL };
static const char *const request[] = { PU_AUTONAT_REQUEST_PROTOCOL, NULL };

/* Ours, theirs, and somebody who has nothing to do with it. */
struct world {
	struct pu_sim *sim;
	struct test_host us, them, victim;
	struct pu_autonat *a;
	struct pu_autonat_options opt;
};

static void init(struct world *w)
{
	memset(w, 0, sizeof *w);
	w->sim = pu_sim_new(pu_sim_seed());
	test_host_init(&w->us, w->sim, 1, "11.0.0.1", NULL);
	test_host_init(&w->them, w->sim, 2, "11.0.0.2", NULL);
	test_host_init(&w->victim, w->sim, 3, "11.0.0.3", NULL);
}

static void start(struct world *w, const char *const *listen)
{
	struct test_dial d = { 0 };

	test_host_start(&w->us, listen);
	test_host_start(&w->them, listen);
	test_host_start(&w->victim, listen_both);
	assert_int_equal(pu_autonat_new(w->us.h, &w->opt, &w->a), 0);
	test_host_introduce(&w->them, &w->us);
	test_connect(&w->them, &w->us, &d, PU_SEC(5));
	assert_int_equal(d.err, 0);
	pu_sim_run(w->sim, PU_MS(500));
}

static void stop(struct world *w)
{
	pu_autonat_free(w->a);
	test_host_stop(&w->us);
	test_host_stop(&w->them);
	test_host_stop(&w->victim);
	pu_sim_free(w->sim);
}

static struct pu_autonat_stats stats(const struct world *w)
{
	struct pu_autonat_stats st;

	pu_autonat_stats(w->a, &st);
	return st;
}

/* Hostile clients: they write requests by hand. */

static void serve(struct world *w, bool private_addrs)
{
	init(w);
	w->opt.serve = true;
	w->opt.private_addrs = private_addrs;
	start(w, listen_both);
}

static void open_to_server(struct world *w, struct test_dial *d, struct test_sink *sink)
{
	memset(sink, 0, sizeof *sink);
	*d = (struct test_dial){ .ev = &test_sink_events, .arg = sink };
	test_open(&w->them, &w->us, request, d, PU_SEC(5));
	assert_int_equal(d->err, 0);
}

static void write_request(struct pu_stream *st, const char *const *addrs)
{
	struct pu_autonat_message m = { .type = PU_AUTONAT_REQUEST, .nonce = 77 };

	for (; *addrs; addrs++)
		assert_int_equal(pu_multiaddr_from_text(&m.addrs[m.n_addrs++], *addrs), 0);
	assert_int_equal(pu_autonat_message_write(st, &m), 0);
}

static struct pu_autonat_message heard(const struct test_sink *sink)
{
	struct pu_autonat_message m;
	struct pu_bytes body;
	size_t used;

	assert_int_equal(pu_message_split(pu_bytes(sink->data, sink->len),
						  PU_AUTONAT_MESSAGE_MAX, &body, &used), 0);
	assert_int_equal(pu_autonat_message_decode(body, &m), 0);
	return m;
}

/* Asks and waits; the stream is closed. */
static struct pu_autonat_message answer_to(struct world *w, const char *const *addrs)
{
	struct pu_autonat_message m;
	struct test_sink sink;
	struct test_dial d;

	open_to_server(w, &d, &sink);
	write_request(d.st, addrs);
	pu_sim_run(w->sim, PU_SEC(16));
	m = heard(&sink);
	if (!sink.closed)
		pu_stream_close(d.st);
	pu_sim_run(w->sim, PU_SEC(60));
	return m;
}

static uint64_t sent_to_victim(const struct world *w)
{
	struct pu_sim_counters c = pu_sim_counters(w->us.node, w->victim.node);

	return c.udp_sent + c.tcp_connects;
}

static void addresses_that_are_never_dialled(void **state)
{
	static const char *const bad[] = {
		"/ip4/10.0.0.1/tcp/4001",
		"/ip4/127.0.0.1/tcp/4001",
		"/ip4/169.254.1.1/tcp/80",
		"/ip4/100.64.1.1/udp/4001/quic-v1",
		"/ip4/0.0.0.0/tcp/4001",
		"/ip4/255.255.255.255/udp/4001/quic-v1",
		"/ip4/224.0.0.251/udp/5353/quic-v1",
		"/ip4/11.0.0.2/tcp/0",
		"/ip4/11.0.0.1/tcp/4001", /* the server itself */
		"/ip4/11.0.0.1/tcp/22",
		"/ip6/2a00::1/tcp/4001", /* no way there */
		"/ip6/::1/tcp/4001",
		"/ip6/::ffff:11.0.0.2/tcp/4001",
		"/ip6/fe80::1/tcp/4001",
		"/dns4/victim.example/tcp/4001",
		"/dnsaddr/victim.example",
		"/ip4/11.0.0.2/tcp/4001/ws",
		"/ip4/11.0.0.2/udp/4001",
		("/ip4/11.0.0.3/tcp/4001/p2p/12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
		 "/p2p-circuit"),
		"/ip4/11.0.0.2/tcp/4001/p2p/12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq",
	};
	struct world w;

	serve(&w, false);
	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++) {
		const char *const addrs[] = { bad[i], NULL };
		struct pu_autonat_message m = answer_to(&w, addrs);

		if (m.type != PU_AUTONAT_RESPONSE || m.status != PU_AUTONAT_REFUSED)
			fail_msg("%s was not refused", bad[i]);
	}
	assert_int_equal(stats(&w).refused, PU_ARRAY_LEN(bad));
	assert_int_equal(stats(&w).dialed, 0);
	stop(&w);
}

static void even_in_a_lab_loopback_is_for_those_on_it(void **state)
{
	static const char *const addrs[] = { "/ip4/127.0.0.1/tcp/22", NULL };
	static const char *const own[] = { "/ip4/11.0.0.1/tcp/22", NULL };
	struct world w;

	serve(&w, true);
	assert_int_equal(answer_to(&w, addrs).status, PU_AUTONAT_REFUSED);
	assert_int_equal(answer_to(&w, own).status, PU_AUTONAT_REFUSED);
	stop(&w);
}

static void the_first_dialable_address_is_dialled_and_named(void **state)
{
	static const char *const addrs[] = { "/dns4/a.example/tcp/1", "/ip4/10.0.0.1/tcp/4001",
					     "/ip4/11.0.0.2/tcp/4001", "/ip4/11.0.0.3/tcp/4001",
					     NULL };
	struct pu_autonat_message m;
	struct world w;

	serve(&w, false);
	m = answer_to(&w, addrs);
	assert_int_equal(m.type, PU_AUTONAT_RESPONSE);
	assert_int_equal(m.status, PU_AUTONAT_OK);
	assert_int_equal(m.idx, 2);
	/* It is reached, but knows nothing of dial-backs. */
	assert_int_equal(m.dial, PU_AUTONAT_DIAL_BACK_ERROR);
	assert_int_equal(sent_to_victim(&w), 0);
	stop(&w);
}

static void a_third_party_is_not_dialled_without_dial_data(void **state)
{
	static const char *const addrs[] = { "/ip4/11.0.0.3/udp/4001/quic-v1", NULL };
	struct pu_autonat_message m, data = { .type = PU_AUTONAT_DATA };
	struct test_sink sink;
	struct test_dial d;
	struct world w;

	serve(&w, false);
	open_to_server(&w, &d, &sink);
	write_request(d.st, addrs);
	pu_sim_run(w.sim, PU_SEC(1));
	m = heard(&sink);
	assert_int_equal(m.type, PU_AUTONAT_DATA_REQUEST);
	assert_int_equal(m.idx, 0);
	assert_in_range(m.n_bytes, PU_AUTONAT_DATA_MIN, PU_AUTONAT_DATA_MAX);
	/* All but one byte. */
	for (uint64_t left = m.n_bytes - 1; left > 0; left -= data.n_bytes) {
		data.n_bytes = left < 4000 ? left : 4000;
		assert_int_equal(pu_autonat_message_write(d.st, &data), 0);
	}
	pu_sim_run(w.sim, PU_SEC(10));
	assert_int_equal(stats(&w).dialed, 0);
	assert_int_equal(sent_to_victim(&w), 0);
	/* In the end the stream is not worth waiting for. */
	pu_sim_run(w.sim, PU_SEC(10));
	assert_true(sink.closed);
	assert_int_equal(stats(&w).malformed, 1);
	stop(&w);
}

static void what_was_paid_is_more_than_what_it_costs(void **state)
{
	static const char *const addrs[] = { "/ip4/11.0.0.3/udp/9/quic-v1", NULL };
	struct pu_autonat_message m, data = { .type = PU_AUTONAT_DATA, .n_bytes = 4096 };
	struct pu_sim_counters c;
	struct test_sink sink;
	struct test_dial d;
	struct world w;

	serve(&w, false);
	open_to_server(&w, &d, &sink);
	write_request(d.st, addrs);
	pu_sim_run(w.sim, PU_SEC(1));
	m = heard(&sink);
	for (uint64_t paid = 0; paid < m.n_bytes; paid += data.n_bytes)
		assert_int_equal(pu_autonat_message_write(d.st, &data), 0);
	sink.len = 0;
	pu_sim_run(w.sim, PU_SEC(16));
	m = heard(&sink);
	assert_int_equal(m.status, PU_AUTONAT_OK);
	assert_int_equal(m.dial, PU_AUTONAT_DIAL_ERROR);
	c = pu_sim_counters(w.us.node, w.victim.node);
	assert_true(c.udp_sent > 0);
	assert_true(c.udp_sent * 1500 < PU_AUTONAT_DATA_MIN);
	pu_stream_close(d.st);
	stop(&w);
}

static void dial_data_in_crumbs_is_refused(void **state)
{
	static const char *const addrs[] = { "/ip4/11.0.0.3/tcp/4001", NULL };
	struct pu_autonat_message crumb = { .type = PU_AUTONAT_DATA, .n_bytes = 99 };
	struct test_sink sink;
	struct test_dial d;
	struct world w;

	serve(&w, false);
	open_to_server(&w, &d, &sink);
	write_request(d.st, addrs);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_int_equal(pu_autonat_message_write(d.st, &crumb), 0);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_true(sink.closed);
	assert_int_equal(stats(&w).malformed, 1);
	stop(&w);
}

static void a_flood_is_limited(void **state)
{
	static const char *const addrs[] = { "/ip4/11.0.0.2/tcp/4001", NULL };
	unsigned rejected = 0;
	struct world w;

	serve(&w, false);
	for (int i = 0; i < 40; i++) {
		struct test_sink sink;
		struct test_dial d;

		open_to_server(&w, &d, &sink);
		write_request(d.st, addrs);
		pu_sim_run(w.sim, PU_MS(200));
		rejected += heard(&sink).status == PU_AUTONAT_REJECTED;
		pu_stream_close(d.st);
	}
	assert_int_equal(stats(&w).requests, 40);
	assert_int_equal(stats(&w).dialed, PU_AUTONAT_PER_MINUTE_PEER);
	assert_int_equal(rejected, 40 - PU_AUTONAT_PER_MINUTE_PEER);
	assert_int_equal(stats(&w).rejected, rejected);
	/* A minute later it may ask again. */
	pu_sim_run(w.sim, PU_SEC(60));
	assert_int_equal(answer_to(&w, addrs).status, PU_AUTONAT_OK);
	stop(&w);
}

static void slow_streams_are_few_and_end(void **state)
{
	struct test_sink sink[4];
	struct test_dial d[4];
	unsigned alive = 0, refused = 0;
	struct world w;

	serve(&w, false);
	for (int i = 0; i < 4; i++) {
		open_to_server(&w, &d[i], &sink[i]);
		pu_stream_write(d[i].st, "\x30", 1); /* and nothing else of it */
	}
	pu_sim_run(w.sim, PU_SEC(1));
	for (int i = 0; i < 4; i++) {
		refused += sink[i].len > 0;
		alive += sink[i].len == 0 && !sink[i].closed;
	}
	assert_int_equal(alive, PU_AUTONAT_SERVED_PEER_MAX);
	assert_int_equal(refused, 2);
	pu_sim_run(w.sim, PU_SEC(PU_AUTONAT_REQUEST_TIMEOUT_S));
	for (int i = 0; i < 4; i++) {
		assert_true(sink[i].closed || sink[i].len > 0);
		if (!sink[i].closed)
			pu_stream_close(d[i].st);
	}
	assert_int_equal(stats(&w).malformed, 2);
	stop(&w);
}

static void through_a_relay_nothing_is_dialled(void **state)
{
	static const char *const addrs[] = { "/ip4/11.0.0.2/tcp/4001", NULL };
	struct pu_conn *c;
	struct world w;

	serve(&w, false);
	c = pu_host_conn(w.us.h, &w.them.key.peer);
	c->limited = true;
	assert_int_equal(answer_to(&w, addrs).status, PU_AUTONAT_REJECTED);
	assert_int_equal(stats(&w).dialed, 0);
	stop(&w);
}

static void whoever_talks_on_is_cut_off(void **state)
{
	static const char *const addrs[] = { "/ip4/11.0.0.2/tcp/9", NULL };
	struct pu_sim_link hole = { .delay = PU_MS(5), .no_tcp = true };
	uint8_t junk[3 * PU_AUTONAT_CHUNK_MAX] = { 0 };
	struct test_sink sink;
	struct test_dial d;
	struct world w;

	serve(&w, false);
	pu_sim_link_one_way(w.us.node, w.them.node, &hole);
	open_to_server(&w, &d, &sink);
	write_request(d.st, addrs);
	pu_sim_run(w.sim, PU_SEC(1));
	pu_stream_write(d.st, junk, sizeof junk);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_true(sink.closed);
	assert_int_equal(stats(&w).malformed, 1);
	stop(&w);
}

/* The client goes away while it is being dialled. */
static void nothing_is_left_of_a_request_whose_client_is_gone(void **state)
{
	static const char *const addrs[] = { "/ip4/11.0.0.2/tcp/9", NULL };
	struct pu_sim_link hole = { .delay = PU_MS(5), .no_tcp = true };
	struct test_sink sink;
	struct test_dial d;
	struct world w;

	serve(&w, false);
	pu_sim_link_one_way(w.us.node, w.them.node, &hole);
	open_to_server(&w, &d, &sink);
	write_request(d.st, addrs);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_int_equal(stats(&w).dialed, 1);
	pu_stream_reset(d.st, 0);
	pu_sim_run(w.sim, PU_SEC(1));
	/* Two listeners and one connection. */
	assert_true(pu_sim_node_sockets(w.us.node) <= 3);
	stop(&w);
}

/* Hostile servers: they answer by hand. */

struct liar {
	struct world *w;
	struct pu_stream *st[STREAMS_MAX];
	unsigned n;
	void (*on_request)(struct liar *l, struct pu_stream *st,
			   const struct pu_autonat_message *m);
	uint64_t data; /* dial data received */
};

static size_t liar_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct liar *l = arg;
	struct pu_autonat_message m;
	struct pu_bytes body;
	size_t used;

	if (pu_message_split(pu_bytes(p, len), PU_AUTONAT_MESSAGE_MAX, &body, &used) < 0)
		return 0;
	assert_int_equal(pu_autonat_message_decode(body, &m), 0);
	if (used < len)
		pu_stream_resume(st);
	if (m.type == PU_AUTONAT_DATA)
		l->data += m.n_bytes;
	l->on_request(l, st, &m);
	return used;
}

static void liar_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct liar *l = arg;

	for (unsigned i = 0; i < l->n; i++)
		if (l->st[i] == st)
			l->st[i] = NULL;
}

static const struct pu_stream_events liar_events = { .on_recv = liar_recv,
						     .on_closed = liar_closed };

static void liar_stream(void *arg, struct pu_stream *st)
{
	struct liar *l = arg;

	assert_true(l->n < STREAMS_MAX);
	l->st[l->n++] = st;
	pu_stream_set_events(st, &liar_events, l);
}

static void say(struct pu_stream *st, uint32_t status, uint32_t idx, uint32_t dial)
{
	struct pu_autonat_message m = { .type = PU_AUTONAT_RESPONSE, .status = status,
					.idx = idx, .dial = dial };

	assert_int_equal(pu_autonat_message_write(st, &m), 0);
}

static void run_liar(struct world *w, struct liar *l,
		     void (*on_request)(struct liar *l, struct pu_stream *st,
					const struct pu_autonat_message *m),
		     pu_time how_long)
{
	init(w);
	memset(l, 0, sizeof *l);
	l->w = w;
	l->on_request = on_request;
	start(w, only_tcp);
	assert_int_equal(pu_host_handle(w->them.h, PU_AUTONAT_REQUEST_PROTOCOL, liar_stream, l), 0);
	pu_sim_run(w->sim, how_long);
}

static void end_liar(struct world *w, struct liar *l)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->st[i])
			pu_stream_reset(l->st[i], 0);
	stop(w);
}

static void nothing_is_believed(void (*on_request)(struct liar *l, struct pu_stream *st,
						   const struct pu_autonat_message *m))
{
	struct liar l;
	struct world w;

	run_liar(&w, &l, on_request, PU_SEC(3600));
	assert_int_equal(pu_autonat_overall(w.a), PU_REACHABLE_UNKNOWN);
	assert_true(stats(&w).asked >= 1);
	/* A liar is left alone for an hour. */
	assert_true(stats(&w).asked <= 2);
	assert_int_equal(stats(&w).failed, stats(&w).asked);
	end_liar(&w, &l);
}

static void claims_success(struct liar *l, struct pu_stream *st,
			   const struct pu_autonat_message *m)
{
	say(st, PU_AUTONAT_OK, 0, PU_AUTONAT_DIAL_OK);
}

static void success_needs_the_nonce(void **state)
{
	nothing_is_believed(claims_success);
}

static void other_index(struct liar *l, struct pu_stream *st, const struct pu_autonat_message *m)
{
	say(st, PU_AUTONAT_OK, 1, PU_AUTONAT_DIAL_ERROR);
}

static void an_index_that_was_not_asked_about_is_a_lie(void **state)
{
	nothing_is_believed(other_index);
}

static void garbage(struct liar *l, struct pu_stream *st, const struct pu_autonat_message *m)
{
	pu_stream_write(st, "\x05hello", 6);
}

static void garbage_is_no_answer(void **state)
{
	nothing_is_believed(garbage);
}

static void a_huge_length(struct liar *l, struct pu_stream *st, const struct pu_autonat_message *m)
{
	pu_stream_write(st, "\xff\xff\xff\x7f", 4);
}

static void a_huge_message_is_not_awaited(void **state)
{
	nothing_is_believed(a_huge_length);
}

static void wants_data(struct liar *l, struct pu_stream *st, const struct pu_autonat_message *m)
{
	struct pu_autonat_message more = { .type = PU_AUTONAT_DATA_REQUEST, .n_bytes = 30000 };

	/* Every time it has got all, once more. */
	if (m->type == PU_AUTONAT_REQUEST || l->data % 30000 == 0)
		assert_int_equal(pu_autonat_message_write(st, &more), 0);
}

static void dial_data_is_paid_once(void **state)
{
	struct liar l;
	struct world w;

	run_liar(&w, &l, wants_data, PU_SEC(300));
	assert_int_equal(l.data, 30000);
	assert_int_equal(stats(&w).failed, 1);
	end_liar(&w, &l);
}

static void wants_too_much(struct liar *l, struct pu_stream *st,
			   const struct pu_autonat_message *m)
{
	struct pu_autonat_message more = { .type = PU_AUTONAT_DATA_REQUEST,
					   .n_bytes = PU_AUTONAT_DATA_MAX + 1 };

	assert_int_equal(pu_autonat_message_write(st, &more), 0);
}

static void too_much_dial_data_is_not_paid(void **state)
{
	struct liar l;
	struct world w;

	run_liar(&w, &l, wants_too_much, PU_SEC(300));
	assert_int_equal(l.data, 0);
	assert_int_equal(stats(&w).failed, 1);
	end_liar(&w, &l);
}

static void silence(struct liar *l, struct pu_stream *st, const struct pu_autonat_message *m)
{
}

static void silence_is_asked_again_but_not_soon(void **state)
{
	struct liar l;
	struct world w;

	run_liar(&w, &l, silence, PU_SEC(3600));
	assert_int_equal(pu_autonat_overall(w.a), PU_REACHABLE_UNKNOWN);
	assert_in_range(stats(&w).asked, 9, 13);
	end_liar(&w, &l);
}

static void busy(struct liar *l, struct pu_stream *st, const struct pu_autonat_message *m)
{
	say(st, PU_AUTONAT_REJECTED, 0, 0);
}

static void a_busy_server_is_given_time(void **state)
{
	struct liar l;
	struct world w;

	run_liar(&w, &l, busy, PU_SEC(600));
	assert_in_range(stats(&w).asked, 2, 3);
	end_liar(&w, &l);
}

static void wont(struct liar *l, struct pu_stream *st, const struct pu_autonat_message *m)
{
	say(st, PU_AUTONAT_REFUSED, 0, 0);
}

static void a_server_that_refuses_is_not_asked_again(void **state)
{
	struct liar l;
	struct world w;

	run_liar(&w, &l, wont, PU_SEC(3600));
	assert_int_equal(stats(&w).asked, 1);
	end_liar(&w, &l);
}

/* Says a nonce over the connection that there is, or over a new one. */
static void say_nonce(struct liar *l, struct test_host *from, uint64_t nonce)
{
	static const char *const back[] = { PU_AUTONAT_BACK_PROTOCOL, NULL };
	static struct test_sink sink;
	struct test_dial d = { .ev = &test_sink_events, .arg = &sink };
	struct pu_buf out;

	memset(&sink, 0, sizeof sink);
	pu_buf_init(&out, 100);
	assert_int_equal(pu_autonat_back_encode(nonce, &out), 0);
	test_open(from, &l->w->us, back, &d, PU_SEC(2));
	if (d.err == 0) {
		pu_stream_write(d.st, pu_buf_bytes(&out).p, out.len);
		pu_sim_run(l->w->sim, PU_SEC(1));
		if (!sink.closed)
			pu_stream_close(d.st);
	}
	pu_buf_deinit(&out);
}

static uint64_t nonce_seen;

static void remember(struct liar *l, struct pu_stream *st, const struct pu_autonat_message *m)
{
	nonce_seen = m->nonce;
}

static bool has_nonce(void *arg)
{
	return nonce_seen != 0;
}

static void run_until_asked(struct world *w, struct liar *l)
{
	nonce_seen = 0;
	run_liar(w, l, remember, 0);
	assert_true(pu_sim_run_until(w->sim, has_nonce, NULL, PU_SEC(10)));
	test_host_introduce(&w->victim, &w->us);
}

/* It is known which nonce is wanted, but what comes proves nothing. */
static void an_old_connection_proves_nothing(void **state)
{
	struct liar l;
	struct world w;

	run_until_asked(&w, &l);
	say_nonce(&l, &w.them, nonce_seen);
	say(l.st[0], PU_AUTONAT_OK, 0, PU_AUTONAT_DIAL_OK);
	pu_sim_run(w.sim, PU_SEC(20));
	assert_int_equal(stats(&w).answered_yes, 0);
	assert_int_equal(stats(&w).failed, 1);
	end_liar(&w, &l);
}

static void a_wrong_nonce_proves_nothing(void **state)
{
	struct liar l;
	struct world w;

	run_until_asked(&w, &l);
	say_nonce(&l, &w.victim, nonce_seen ^ 1);
	say(l.st[0], PU_AUTONAT_OK, 0, PU_AUTONAT_DIAL_OK);
	pu_sim_run(w.sim, PU_SEC(20));
	assert_int_equal(stats(&w).answered_yes, 0);
	end_liar(&w, &l);
}

/* Whatever the server says then. */
static void the_right_nonce_on_a_new_connection_is_proof(void **state)
{
	static const uint32_t says[] = { PU_AUTONAT_DIAL_OK, PU_AUTONAT_DIAL_BACK_ERROR,
					 PU_AUTONAT_DIAL_ERROR };

	for (size_t i = 0; i < PU_ARRAY_LEN(says); i++) {
		struct liar l;
		struct world w;

		run_until_asked(&w, &l);
		say_nonce(&l, &w.victim, nonce_seen);
		say(l.st[0], PU_AUTONAT_OK, 0, says[i]);
		pu_sim_run(w.sim, PU_SEC(5));
		assert_int_equal(stats(&w).answered_yes, 1);
		assert_int_equal(pu_autonat_overall(w.a), PU_REACHABLE_YES);
		end_liar(&w, &l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_that_are_never_dialled),
		cmocka_unit_test(even_in_a_lab_loopback_is_for_those_on_it),
		cmocka_unit_test(the_first_dialable_address_is_dialled_and_named),
		cmocka_unit_test(a_third_party_is_not_dialled_without_dial_data),
		cmocka_unit_test(what_was_paid_is_more_than_what_it_costs),
		cmocka_unit_test(dial_data_in_crumbs_is_refused),
		cmocka_unit_test(a_flood_is_limited),
		cmocka_unit_test(slow_streams_are_few_and_end),
		cmocka_unit_test(through_a_relay_nothing_is_dialled),
		cmocka_unit_test(whoever_talks_on_is_cut_off),
		cmocka_unit_test(nothing_is_left_of_a_request_whose_client_is_gone),
		cmocka_unit_test(success_needs_the_nonce),
		cmocka_unit_test(an_index_that_was_not_asked_about_is_a_lie),
		cmocka_unit_test(garbage_is_no_answer),
		cmocka_unit_test(a_huge_message_is_not_awaited),
		cmocka_unit_test(dial_data_is_paid_once),
		cmocka_unit_test(too_much_dial_data_is_not_paid),
		cmocka_unit_test(silence_is_asked_again_but_not_soon),
		cmocka_unit_test(a_busy_server_is_given_time),
		cmocka_unit_test(a_server_that_refuses_is_not_asked_again),
		cmocka_unit_test(an_old_connection_proves_nothing),
		cmocka_unit_test(a_wrong_nonce_proves_nothing),
		cmocka_unit_test(the_right_nonce_on_a_new_connection_is_proof),
	};

	pu_log_set_level(PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
