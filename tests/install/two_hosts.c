/* Two hosts in one process: one opens a stream to the other over loopback and gets its
 * words back. Built against the installed library only; what it does is what the headers
 * promise. First over QUIC under peerup_loop_run(), then over TCP under a loop of its
 * own, with a gate and a refusal. */
#include <peerup/peerup.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ECHO "/two-hosts/echo/1.0.0"
#define SILENT "/two-hosts/silent/1.0.0"

enum { MESSAGE_LEN = 200000, TIMEOUT_S = 30 };

#define CHECK(cond)                                                                  \
	do {                                                                         \
		if (!(cond)) {                                                       \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);   \
			exit(1);                                                     \
		}                                                                    \
	} while (0)
#define OK(call)                                                                     \
	do {                                                                         \
		int r_ = (call);                                                     \
		if (r_ != 0) {                                                       \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, \
				peerup_strerror(r_));                                \
			exit(1);                                                     \
		}                                                                    \
	} while (0)

struct run {
	struct peerup_loop *loop;
	bool own_loop, done, closed;
	struct peerup_host *server, *client;
	const char *client_peer;
	uint8_t message[MESSAGE_LEN];
	size_t sent, received;
	unsigned connected, identified, disconnected, gated;
	bool eof, forgotten_reset, refused, canceled;
};

/* The server writes back what fits and takes only that much. */
static size_t echo_recv(void *arg, struct peerup_stream *st, const uint8_t *p, size_t len)
{
	(void)arg;
	return peerup_stream_write(st, p, len);
}

static void echo_writable(void *arg, struct peerup_stream *st)
{
	(void)arg;
	peerup_stream_resume(st);
}

static void echo_eof(void *arg, struct peerup_stream *st)
{
	(void)arg;
	peerup_stream_close(st);
}

static const struct peerup_stream_events echo_events = {
	.on_recv = echo_recv,
	.on_eof = echo_eof,
	.on_writable = echo_writable,
};

static void on_echo(void *arg, struct peerup_stream *st)
{
	struct run *r = arg;

	CHECK(strcmp(peerup_stream_peer(st), r->client_peer) == 0);
	CHECK(strcmp(peerup_stream_protocol(st), ECHO) == 0);
	CHECK(peerup_stream_is_inbound(st));
	peerup_stream_set_events(st, &echo_events, r);
}

/* Forgets its stream, which the library resets then. */
static void on_silent(void *arg, struct peerup_stream *st)
{
	(void)arg;
	(void)st;
}

static void finish_if_complete(struct run *r)
{
	if (!r->eof || !r->forgotten_reset || !r->refused)
		return;
	r->done = true;
	if (!r->own_loop)
		peerup_loop_stop(r->loop);
}

/* The client. */

static void send_more(struct run *r, struct peerup_stream *st)
{
	r->sent += peerup_stream_write(st, r->message + r->sent, MESSAGE_LEN - r->sent);
	if (r->sent == MESSAGE_LEN)
		peerup_stream_shutdown(st);
}

static size_t client_recv(void *arg, struct peerup_stream *st, const uint8_t *p, size_t len)
{
	struct run *r = arg;

	(void)st;
	CHECK(r->received + len <= MESSAGE_LEN);
	CHECK(memcmp(r->message + r->received, p, len) == 0);
	r->received += len;
	return len;
}

static void client_eof(void *arg, struct peerup_stream *st)
{
	struct run *r = arg;

	CHECK(r->received == MESSAGE_LEN);
	r->eof = true;
	peerup_stream_close(st);
	finish_if_complete(r);
}

static void client_writable(void *arg, struct peerup_stream *st)
{
	struct run *r = arg;

	if (r->sent < MESSAGE_LEN)
		send_more(r, st);
}

static void client_closed(void *arg, struct peerup_stream *st, int err, uint32_t code)
{
	(void)arg;
	(void)st;
	fprintf(stderr, "echo stream: %s (%x)\n", peerup_strerror(err), code);
	exit(1);
}

static const struct peerup_stream_events client_events = {
	.on_recv = client_recv,
	.on_eof = client_eof,
	.on_writable = client_writable,
	.on_closed = client_closed,
};

static void silent_closed(void *arg, struct peerup_stream *st, int err, uint32_t code)
{
	struct run *r = arg;

	(void)code;
	CHECK(err == PEERUP_ERESET);
	r->forgotten_reset = true;
	peerup_stream_close(st); /* too much of a good thing must not hurt */
	finish_if_complete(r);
}

static const struct peerup_stream_events silent_events = { .on_closed = silent_closed };

static void on_silent_opened(void *arg, int err, struct peerup_stream *st)
{
	OK(err);
	peerup_stream_set_events(st, &silent_events, arg);
}

static void on_nothing_opened(void *arg, int err, struct peerup_stream *st)
{
	struct run *r = arg;

	CHECK(err == PEERUP_ENOPROTO && !st);
	r->refused = true;
	finish_if_complete(r);
}

static void on_never(void *arg, int err, struct peerup_stream *st)
{
	(void)arg;
	(void)st;
	fprintf(stderr, "a canceled request answered: %s\n", peerup_strerror(err));
	exit(1);
}

static void on_opened(void *arg, int err, struct peerup_stream *st)
{
	static const char *const silent[] = { SILENT, NULL }, *const none[] = { "/none/1", NULL };
	struct run *r = arg;
	struct peerup_request *rq;
	const char *server = peerup_host_peer(r->server);

	OK(err);
	CHECK(strcmp(peerup_stream_protocol(st), ECHO) == 0);
	CHECK(strcmp(peerup_stream_peer(st), server) == 0);
	CHECK(!peerup_stream_is_inbound(st));
	CHECK(peerup_host_is_connected(r->client, server));
	peerup_stream_set_events(st, &client_events, r);
	send_more(r, st);
	OK(peerup_host_open(r->client, server, silent, on_silent_opened, r, NULL));
	OK(peerup_host_open(r->client, server, none, on_nothing_opened, r, NULL));
	OK(peerup_host_open(r->client, server, silent, on_never, r, &rq));
	peerup_request_cancel(rq);
	CHECK(peerup_loop_run(r->loop) == PEERUP_EINVAL);
}

static void on_connected(void *arg, const struct peerup_conn_info *c)
{
	struct run *r = arg;

	CHECK(strncmp(c->remote, "/ip4/127.0.0.1/", 15) == 0);
	r->connected++;
}

static void on_disconnected(void *arg, const struct peerup_conn_info *c, int err, bool last)
{
	struct run *r = arg;

	(void)c;
	(void)err;
	r->disconnected += last;
}

static void on_identified(void *arg, const char *peer, const char *agent)
{
	struct run *r = arg;

	CHECK(strcmp(peer, r->client_peer) == 0 && strcmp(agent, "two-hosts/1") == 0);
	r->identified++;
}

static bool gate(void *arg, const char *peer, const char *remote)
{
	struct run *r = arg;

	(void)remote;
	r->gated++;
	return strcmp(peer, r->client_peer) == 0;
}

static void on_host_closed(void *arg)
{
	((struct run *)arg)->closed = true;
}

static void start(struct run *r, const char *listen)
{
	static const char *const echo[] = { "/two-hosts/echo/2.0.0", ECHO, NULL };
	struct peerup_identity *a, *b;
	struct peerup_host_options so = PEERUP_HOST_OPTIONS_INIT, co = PEERUP_HOST_OPTIONS_INIT;
	char addr[PEERUP_ADDR_TEXT_MAX];

	OK(peerup_loop_new(&r->loop));
	OK(peerup_identity_generate(&a));
	OK(peerup_identity_generate(&b));
	so.on_connected = on_connected;
	so.on_disconnected = on_disconnected;
	so.on_identified = on_identified;
	so.gate = gate;
	so.arg = r;
	co.agent = "two-hosts/1";
	OK(peerup_host_new(r->loop, a, &so, &r->server));
	OK(peerup_host_new(r->loop, b, &co, &r->client));
	peerup_identity_free(a);
	peerup_identity_free(b);
	r->client_peer = peerup_host_peer(r->client);
	OK(peerup_host_listen(r->server, listen));
	OK(peerup_host_handle(r->server, ECHO, on_echo, r));
	OK(peerup_host_handle(r->server, SILENT, on_silent, r));
	CHECK(peerup_host_handle(r->server, ECHO, on_echo, r) == PEERUP_EEXIST);
	OK(peerup_host_addr(r->server, 0, addr));
	CHECK(peerup_host_addr(r->server, 1, addr) == PEERUP_ENOENT);
	OK(peerup_host_add_addr(r->client, addr));
	OK(peerup_host_open(r->client, peerup_host_peer(r->server), echo, on_opened, r, NULL));
}

static void run_own_loop(struct run *r)
{
	time_t end = time(NULL) + TIMEOUT_S;

	while (!r->done && time(NULL) < end) {
		struct pollfd p = { peerup_loop_fd(r->loop), POLLIN, 0 };
		int ms = peerup_loop_timeout_ms(r->loop);

		poll(&p, 1, ms < 0 || ms > 1000 ? 1000 : ms);
		OK(peerup_loop_step(r->loop));
	}
}

static void two_hosts(const char *listen, bool own_loop)
{
	static struct run r;

	memset(&r, 0, sizeof r);
	for (size_t i = 0; i < MESSAGE_LEN; i++)
		r.message[i] = (uint8_t)(i * 7 + i / 251);
	r.own_loop = own_loop;
	start(&r, listen);
	if (own_loop)
		run_own_loop(&r);
	else
		OK(peerup_loop_run(r.loop));
	CHECK(r.done);
	CHECK(r.gated == 1 && r.connected == 1 && r.identified >= 1);
	CHECK(r.disconnected == 0);
	peerup_host_close(r.client, on_host_closed, &r);
	CHECK(peerup_host_listen(r.client, listen) == PEERUP_ECLOSED);
	CHECK(!r.closed);
	peerup_loop_free(r.loop);
	CHECK(r.closed && r.disconnected == 1);
}

static void texts(void)
{
	static const char id[] = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
	char out[PEERUP_ADDR_TEXT_MAX], peer[PEERUP_PEER_TEXT_MAX], text[PEERUP_ADDR_TEXT_MAX];
	struct peerup_identity *none = NULL;

	OK(peerup_peer_normalize(id, peer));
	CHECK(strcmp(peer, id) == 0);
	CHECK(peerup_peer_normalize("12D3", peer) == PEERUP_EINVAL);
	snprintf(text, sizeof text, "/ip6/0:0::1/udp/4001/quic-v1/p2p/%s", id);
	OK(peerup_multiaddr_split(text, out, peer));
	CHECK(strcmp(out, "/ip6/::1/udp/4001/quic-v1") == 0 && strcmp(peer, id) == 0);
	CHECK(peerup_multiaddr_split(out, text, peer) == PEERUP_ENOENT);
	CHECK(peerup_multiaddr_normalize("/ip4/1.2.3/tcp/1", out) == PEERUP_EINVAL);
	CHECK(peerup_identity_load("/nonexistent/key", &none) == PEERUP_ENOENT && !none);
	CHECK(peerup_version()[0] != '\0');
	CHECK(peerup_log_level("loud") == PEERUP_EINVAL);
}

int main(void)
{
	OK(peerup_log_level("warn"));
	texts();
	two_hosts("/ip4/127.0.0.1/udp/0/quic-v1", false);
	two_hosts("/ip4/127.0.0.1/tcp/0", true);
	printf("libpeerup %s: both hosts heard each other\n", peerup_version());
	return 0;
}
