/* A TLS client over a pipe in memory, and servers of all manners. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "p2p/tls/client_pipe.h"
#include "support/pipes.h"
#include "support/test_ca.h"

struct consumer {
	struct pu_buf got;
	size_t take_max;
	struct pu_pipe *pipe;
	unsigned eof, writable;
	int err;
};

/* End 0 of the cable is the server's, end 1 carries the client. */
struct env {
	struct test_ca ca;
	struct pu_tls_trust *trust;
	struct pipes cable;
	struct pu_pipe *client;
	struct consumer c;
	gnutls_session_t server;
	gnutls_datum_t ticket_key;
	bool shaken;
	struct pu_buf got; /* by the server */
};

static size_t on_recv(void *arg, const uint8_t *p, size_t len)
{
	struct consumer *c = arg;
	size_t n = c->take_max ? pu_min(len, c->take_max) : len;

	assert_int_equal(pu_buf_append(&c->got, p, n), 0);
	if (n < len)
		c->pipe->ops->resume(c->pipe);
	return n;
}

static void on_eof(void *arg)
{
	((struct consumer *)arg)->eof++;
}

static void on_writable(void *arg)
{
	((struct consumer *)arg)->writable++;
}

static void on_error(void *arg, int err)
{
	struct consumer *c = arg;

	assert_int_equal(c->err, 0);
	c->err = err;
}

static const struct pu_pipe_events events = { on_recv, on_eof, on_writable, on_error };

static ssize_t pull(gnutls_transport_ptr_t ptr, void *p, size_t len)
{
	struct env *e = ptr;
	struct pu_buf *in = &e->cable.end[0].in;
	size_t n = pu_min(len, in->len);

	if (n == 0) {
		gnutls_transport_set_errno(e->server, EAGAIN);
		return -1;
	}
	memcpy(p, pu_buf_bytes(in).p, n);
	pu_buf_consume(in, n);
	return (ssize_t)n;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const void *p, size_t len)
{
	struct env *e = ptr;

	pipes_say(&e->cable, 0, p, len);
	return (ssize_t)len;
}

static void env_init(struct env *e, size_t cut, size_t room, const char *name)
{
	const struct test_ca_options co = { .dns = "a.example", .ip = "2001:db8::7" };
	struct pu_tls_client_config cfg = { .name = name, .alpn = "http/1.1" };
	char path[64];

	memset(e, 0, sizeof *e);
	test_ca_init(&e->ca, &co);
	test_ca_write(&e->ca, path);
	assert_int_equal(pu_tls_trust_new(path, &e->trust), 0);
	unlink(path);
	pipes_init(&e->cable, cut, room);
	cfg.loop = &e->cable.loop;
	cfg.trust = e->trust;
	assert_int_equal(pu_tls_client_pipe_new(&cfg, &e->cable.end[1].pipe, &e->client), 0);
	e->client->ev = &events;
	e->client->arg = &e->c;
	e->c.pipe = e->client;
	pu_buf_init(&e->c.got, 64 << 20);
	pu_buf_init(&e->got, 64 << 20);
	test_ca_must(gnutls_init(&e->server, GNUTLS_SERVER | GNUTLS_NONBLOCK));
	test_ca_must(gnutls_set_default_priority(e->server));
	test_ca_must(gnutls_credentials_set(e->server, GNUTLS_CRD_CERTIFICATE, e->ca.cred));
	/* As web servers do: in TLS 1.3 tickets come right before the first answer. */
	test_ca_must(gnutls_session_ticket_key_generate(&e->ticket_key));
	test_ca_must(gnutls_session_ticket_enable_server(e->server, &e->ticket_key));
	gnutls_transport_set_ptr(e->server, e);
	gnutls_transport_set_pull_function(e->server, pull);
	gnutls_transport_set_push_function(e->server, push);
}

static void env_deinit(struct env *e)
{
	if (e->client)
		e->client->ops->close(e->client, true);
	pu_tls_trust_free(e->trust);
	gnutls_deinit(e->server);
	gnutls_free(e->ticket_key.data);
	test_ca_deinit(&e->ca);
	pipes_deinit(&e->cable);
	pu_buf_deinit(&e->c.got);
	pu_buf_deinit(&e->got);
}

/* Both sides as far as they get. */
static void turn(struct env *e)
{
	uint8_t plain[16384];
	ssize_t n;

	size_t before;

	do {
		pipes_run(&e->cable);
		before = e->cable.end[0].in.len;
		if (!e->shaken)
			e->shaken = gnutls_handshake(e->server) == 0;
		while (e->shaken && (n = gnutls_record_recv(e->server, plain, sizeof plain)) > 0)
			assert_int_equal(pu_buf_append(&e->got, plain, (size_t)n), 0);
	} while (pipes_run(&e->cable) || e->cable.end[0].in.len < before);
}

static uint8_t *pattern(size_t len)
{
	uint8_t *b = malloc(len);

	assert_non_null(b);
	for (size_t i = 0; i < len; i++)
		b[i] = (uint8_t)(i ^ i >> 8);
	return b;
}

static void to_server(struct env *e, size_t total)
{
	uint8_t *b = pattern(total);

	for (size_t sent = 0; e->got.len < total;) {
		unsigned told = e->c.writable;
		int n = e->client->ops->write(e->client, b + sent, total - sent);

		assert_true(n >= 0);
		sent += (size_t)n;
		turn(e);
		if (sent < total)
			assert_true(e->c.writable > told);
	}
	assert_int_equal(e->got.len, total);
	assert_memory_equal(pu_buf_bytes(&e->got).p, b, total);
	pu_buf_clear(&e->got, 0);
	free(b);
}

static void to_client(struct env *e, size_t total)
{
	uint8_t *b = pattern(total);

	for (size_t off = 0; off < total;) {
		ssize_t n = gnutls_record_send(e->server, b + off, total - off);

		assert_true(n > 0);
		off += (size_t)n;
		turn(e);
	}
	assert_int_equal(e->c.got.len, total);
	assert_memory_equal(pu_buf_bytes(&e->c.got).p, b, total);
	pu_buf_clear(&e->c.got, 0);
	free(b);
}

static void bytes_pass_however_they_are_cut(void **state)
{
	static const struct {
		size_t cut, room, take;
	} how[] = { { SIZE_MAX, SIZE_MAX, 0 }, { 1000, 5000, 0 }, { 1, 100, 0 }, { 700, 5000, 33 } };

	for (size_t i = 0; i < PU_ARRAY_LEN(how); i++) {
		struct env e;

		env_init(&e, how[i].cut, how[i].room, "a.example");
		e.c.take_max = how[i].take;
		assert_int_equal(e.client->ops->write(e.client, (const uint8_t *)"early", 5), 0);
		turn(&e);
		assert_true(e.shaken);
		assert_int_equal(e.c.writable, 1);
		to_server(&e, 100000);
		to_client(&e, 100000);
		assert_int_equal(e.c.err, 0);
		env_deinit(&e);
	}
}

/* Everything the server has to say arrives in one piece. */
static void tickets_do_not_hide_what_follows(void **state)
{
	struct env e;

	env_init(&e, SIZE_MAX, SIZE_MAX, "a.example");
	pipes_run(&e.cable);
	while (!e.shaken) {
		e.shaken = gnutls_handshake(e.server) == 0;
		if (!e.shaken)
			pipes_run(&e.cable);
	}
	assert_int_equal(gnutls_record_send(e.server, "first", 5), 5);
	test_ca_must(gnutls_session_ticket_send(e.server, 1, 0));
	assert_int_equal(gnutls_record_send(e.server, "second", 6), 6);
	test_ca_must(gnutls_session_ticket_send(e.server, 1, 0));
	test_ca_must(gnutls_session_key_update(e.server, 0));
	assert_int_equal(gnutls_record_send(e.server, "third", 5), 5);
	pipes_run(&e.cable);
	assert_int_equal(e.c.got.len, 16);
	assert_int_equal(e.cable.end[1].in.len, 0);
	env_deinit(&e);
}

static void the_end_is_heard_both_ways(void **state)
{
	struct env e;

	env_init(&e, SIZE_MAX, SIZE_MAX, "a.example");
	turn(&e);
	assert_int_equal(e.client->ops->write(e.client, (const uint8_t *)"bye", 3), 3);
	e.client->ops->shutdown(e.client);
	turn(&e);
	assert_int_equal(e.got.len, 3);
	assert_true(e.cable.end[1].shut);
	assert_int_equal(gnutls_record_recv(e.server, (uint8_t[1]){ 0 }, 1), 0); /* close_notify */
	test_ca_must(gnutls_bye(e.server, GNUTLS_SHUT_WR));
	turn(&e);
	assert_int_equal(e.c.eof, 1);
	assert_int_equal(e.c.err, 0);
	env_deinit(&e);
}

static void an_address_can_be_the_name(void **state)
{
	struct env e;

	env_init(&e, SIZE_MAX, SIZE_MAX, "2001:db8::7");
	turn(&e);
	assert_true(e.shaken);
	assert_int_equal(e.c.writable, 0);
	to_server(&e, 10);
	env_deinit(&e);
	env_init(&e, SIZE_MAX, SIZE_MAX, "2001:db8::8");
	turn(&e);
	assert_int_equal(e.c.err, PU_ECRYPTO);
	env_deinit(&e);
}

static void other_servers_are_refused(void **state)
{
	static const char *const words[] = { "HTTP/1.1 400 Bad Request\r\n\r\n",
					     "\x15\x03\x03\x00\x02\x02\x28",
					     "\x16\x03\x03\x40\x01" };
	static const size_t len[] = { 28, 7, 5 };

	for (size_t i = 0; i < PU_ARRAY_LEN(words); i++) {
		struct env e;

		env_init(&e, SIZE_MAX, SIZE_MAX, "a.example");
		pipes_say(&e.cable, 0, words[i], len[i]);
		pipes_run(&e.cable);
		if (i == 2) /* a record that is too long, once it is there */
			for (int k = 0; k < 17000 && !e.c.err; k++) {
				pipes_say(&e.cable, 0, "x", 1);
				pipes_run(&e.cable);
			}
		assert_int_equal(e.c.err, PU_EPROTO);
		assert_int_equal(e.client->ops->write(e.client, (const uint8_t *)"x", 1), PU_ECLOSED);
		env_deinit(&e);
	}
}

static void endless_key_updates_end_it(void **state)
{
	struct env e;

	env_init(&e, SIZE_MAX, SIZE_MAX, "a.example");
	turn(&e);
	pipes_set_room(&e.cable, 0, 0); /* it reads none of the answers */
	for (int i = 0; i < 20000 && !e.c.err; i++) {
		test_ca_must(gnutls_session_key_update(e.server, GNUTLS_KU_PEER));
		pipes_run(&e.cable);
	}
	assert_int_not_equal(e.c.err, 0);
	env_deinit(&e);
}

static void trust_needs_certificates(void **state)
{
	struct pu_tls_trust *t = NULL;
	char path[] = "/tmp/peerup-trust-XXXXXX";
	int fd = mkstemp(path);

	assert_int_equal(pu_tls_trust_new("/nonexistent/ca.pem", &t), PU_ENOENT);
	assert_true(fd >= 0);
	assert_int_not_equal(pu_tls_trust_new(path, &t), 0);
	assert_int_equal(write(fd, "no certificate\n", 15), 15);
	assert_int_not_equal(pu_tls_trust_new(path, &t), 0);
	assert_null(t);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_pass_however_they_are_cut),
		cmocka_unit_test(tickets_do_not_hide_what_follows),
		cmocka_unit_test(the_end_is_heard_both_ways),
		cmocka_unit_test(an_address_can_be_the_name),
		cmocka_unit_test(other_servers_are_refused),
		cmocka_unit_test(endless_key_updates_end_it),
		cmocka_unit_test(trust_needs_certificates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
