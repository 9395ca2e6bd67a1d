#include "support/relay_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"

static const char *const hop_protocol[] = { PU_HOP_PROTOCOL, NULL };

/* The byte at that place of every stream. */
static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

static void pump(struct lab_stream *s)
{
	uint8_t b[4096];

	while (s->st && s->sent < s->to_send) {
		size_t want = pu_min(sizeof b, s->to_send - s->sent), n;

		for (size_t i = 0; i < want; i++)
			b[i] = byte_at(s->sent + i);
		n = pu_stream_write(s->st, b, want);
		s->sent += n;
		if (n < want)
			break;
	}
}

static size_t take_data(struct lab_stream *s, const uint8_t *p, size_t len)
{
	if (s->hold)
		return 0;
	for (size_t i = 0; i < len; i++)
		s->wrong |= p[i] != byte_at(s->got + i);
	s->got += len;
	return len;
}

static void write_message(struct lab_stream *s, const struct pu_circuit_message *m)
{
	struct pu_buf out;

	pu_buf_init(&out, 8192);
	assert_int_equal(pu_circuit_message_encode(s->protocol, m, &out), 0);
	assert_int_equal(pu_stream_write(s->st, pu_buf_bytes(&out).p, out.len), out.len);
	pu_buf_deinit(&out);
}

static void answer_call(struct lab_stream *s)
{
	struct pu_circuit_message *m = calloc(1, sizeof *m);

	assert_non_null(m);
	m->type = PU_CIRCUIT_STATUS;
	switch (s->answer) {
	case LAB_ACCEPT:
		m->status = PU_CIRCUIT_OK;
		write_message(s, m);
		break;
	case LAB_REFUSE:
		m->status = PU_CIRCUIT_PERMISSION_DENIED;
		write_message(s, m);
		break;
	case LAB_SILENT:
		break;
	case LAB_HANG_UP:
		lab_reset(s, 0);
		break;
	case LAB_NONSENSE:
		pu_stream_write(s->st, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10);
		break;
	}
	free(m);
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct lab_stream *s = arg;
	struct pu_bytes body;
	size_t taken;

	if (s->answered)
		return take_data(s, p, len);
	if (pu_circuit_reader_feed(&s->reader, p, len, &taken, &body) == PU_EAGAIN)
		return taken;
	assert_int_equal(pu_circuit_message_decode(s->protocol, body, &s->m), 0);
	s->answered = true;
	if (s->protocol == PU_CIRCUIT_STOP)
		answer_call(s);
	if (taken < len && s->st)
		taken += take_data(s, p + taken, len - taken);
	return taken;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	((struct lab_stream *)arg)->eof = true;
}

static void on_writable(void *arg, struct pu_stream *st)
{
	pump(arg);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct lab_stream *s = arg;

	s->st = NULL;
	s->closed = true;
	s->err = err;
	s->code = code;
}

static const struct pu_stream_events events = { on_recv, on_eof, on_writable, on_closed };

static void begin(struct lab_stream *s, enum pu_circuit_protocol protocol)
{
	bool hold = s->hold;

	pu_circuit_reader_deinit(&s->reader);
	memset(s, 0, sizeof *s);
	s->hold = hold;
	s->protocol = protocol;
	pu_circuit_reader_init(&s->reader);
}

static void on_call(void *arg, struct pu_stream *st)
{
	struct lab_peer *p = arg;
	struct lab_stream *s = &p->called;

	if (s->st)
		pu_stream_reset(s->st, 0);
	begin(s, PU_CIRCUIT_STOP);
	s->answer = p->answer;
	s->st = st;
	p->n_called++;
	pu_stream_set_events(st, &events, s);
}

/* The lab. */

struct relay_lab *relay_lab_new(bool quic)
{
	struct relay_lab *lab = calloc(1, sizeof *lab);

	assert_non_null(lab);
	lab->sim = pu_sim_new(pu_sim_seed());
	lab->quic = quic;
	lab->opt.limits = pu_hop_limits_default;
	pu_sim_default_link(lab->sim, &(struct pu_sim_link){ .delay = PU_MS(5) });
	test_host_init(&lab->relay, lab->sim, 100, "11.0.0.1", "fd01::1");
	lab->relay.cfg.no_quic = !quic;
	return lab;
}

void relay_lab_start(struct relay_lab *lab)
{
	static const char *const tcp[] = { "/ip4/0.0.0.0/tcp/7777", "/ip6/::/tcp/7777", NULL };
	static const char *const quic[] = { "/ip4/0.0.0.0/udp/7777/quic-v1",
					    "/ip6/::/udp/7777/quic-v1", NULL };

	test_host_start(&lab->relay, lab->quic ? quic : tcp);
	assert_int_equal(pu_hop_new(lab->relay.h, &lab->opt, &lab->hop), 0);
}

struct lab_peer *relay_lab_add(struct relay_lab *lab, const char *ip4, const char *ip6)
{
	struct lab_peer *p = &lab->peer[lab->n];
	char ip[16];

	assert_true(lab->n < LAB_PEERS);
	lab->n++;
	snprintf(ip, sizeof ip, "11.0.1.%u", lab->n);
	test_host_init(&p->t, lab->sim, lab->n, ip4 || ip6 ? ip4 : ip, ip6);
	p->t.cfg.no_quic = !lab->quic;
	test_host_start(&p->t, NULL);
	test_host_introduce(&p->t, &lab->relay);
	assert_int_equal(pu_host_handle(p->t.h, PU_STOP_PROTOCOL, on_call, p), 0);
	return p;
}

void relay_lab_free(struct relay_lab *lab)
{
	for (unsigned i = 0; i < lab->n; i++) {
		struct lab_peer *p = &lab->peer[i];

		lab_reset(&p->called, 0);
		pu_circuit_reader_deinit(&p->called.reader);
		if (p->t.h)
			test_host_stop(&p->t);
	}
	pu_hop_free(lab->hop);
	test_host_stop(&lab->relay);
	pu_sim_free(lab->sim);
	free(lab);
}

/* What a client does. */

bool lab_open(struct relay_lab *lab, struct lab_peer *p, struct lab_stream *s)
{
	struct test_dial d = { .ev = &events, .arg = s };

	begin(s, PU_CIRCUIT_HOP);
	test_open(&p->t, &lab->relay, hop_protocol, &d, PU_SEC(10));
	s->st = d.err == 0 ? d.st : NULL;
	return s->st;
}

void lab_say(struct lab_stream *s, enum pu_circuit_type type, const struct lab_peer *about)
{
	struct pu_circuit_message *m = calloc(1, sizeof *m);

	assert_non_null(m);
	m->type = type;
	if (about)
		m->peer = about->t.key.peer;
	write_message(s, m);
	free(m);
}

static bool is_answered(void *arg)
{
	const struct lab_stream *s = arg;

	return s->answered || s->eof || s->closed;
}

unsigned lab_wait(struct relay_lab *lab, struct lab_stream *s, pu_time limit)
{
	pu_sim_run_until(lab->sim, is_answered, s, limit);
	return s->answered ? s->m.status : 0;
}

unsigned lab_reserve(struct relay_lab *lab, struct lab_peer *p, struct lab_stream *s)
{
	unsigned status;

	if (!lab_open(lab, p, s))
		return 0;
	lab_say(s, PU_CIRCUIT_RESERVE, NULL);
	status = lab_wait(lab, s, PU_SEC(10));
	lab_close(s);
	return status;
}

unsigned lab_connect(struct relay_lab *lab, struct lab_peer *p, const struct lab_peer *to,
		     struct lab_stream *s)
{
	if (!lab_open(lab, p, s))
		return 0;
	lab_say(s, PU_CIRCUIT_CONNECT, to);
	return lab_wait(lab, s, PU_SEC(120));
}

void lab_send(struct lab_stream *s, size_t n)
{
	s->to_send += n;
	pump(s);
}

void lab_unhold(struct lab_stream *s)
{
	s->hold = false;
	pu_stream_resume(s->st);
}

void lab_close(struct lab_stream *s)
{
	if (s->st)
		pu_stream_close(s->st);
	s->st = NULL;
	pu_circuit_reader_deinit(&s->reader);
}

void lab_reset(struct lab_stream *s, uint32_t code)
{
	if (s->st)
		pu_stream_reset(s->st, code);
	s->st = NULL;
	pu_circuit_reader_deinit(&s->reader);
}

struct pu_hop_stats lab_stats(const struct relay_lab *lab)
{
	struct pu_hop_stats st;

	pu_hop_stats(lab->hop, &st);
	return st;
}
