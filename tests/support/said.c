#include "support/said.h"

#include <stdlib.h>

void said_must(bool ok)
{
	if (!ok)
		abort();
}

void said_node_start(struct said *s, struct said_node *n, unsigned number, const char *ip,
		     bool (*gate)(void *arg, const struct pu_peerid *peer,
				  const struct pu_multiaddr *remote))
{
	static const struct pu_tcp_transport_options noise = { .order = { PU_SECURITY_NOISE } };
	struct pu_sim_node *sn = pu_sim_node_new(s->sim, ip);
	uint8_t seed[32] = { (uint8_t)number };
	struct pu_host_config cfg = { .loop = pu_sim_loop(sn), .net = pu_sim_net(sn),
				      .key = &n->key, .agent = "fuzz", .tcp = noise,
				      .no_quic = true, .gate = gate };
	struct pu_multiaddr ma;

	pu_sim_node_add_ip(sn, ip);
	said_must(pu_key_from_seed(&n->key, seed) == 0 && pu_host_new(&cfg, &n->h) == 0);
	said_must(pu_multiaddr_from_text(&ma, "/ip4/0.0.0.0/tcp/1") == 0);
	said_must(pu_host_listen(n->h, &ma) == 0);
}

static size_t ignore_bytes(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	return len;
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	((struct said *)arg)->st = NULL;
}

static const struct pu_stream_events events = { .on_recv = ignore_bytes, .on_closed = on_closed };

void said_on_stream(void *arg, struct pu_stream *st)
{
	struct said *s = arg;

	if (s->st) {
		pu_stream_reset(st, 0);
		return;
	}
	s->st = st;
	pu_stream_set_events(st, &events, s);
}

void said_on_open(void *arg, int err, struct pu_stream *st)
{
	said_must(err == 0);
	said_on_stream(arg, st);
}

static bool is_there(void *arg)
{
	return ((struct said *)arg)->st != NULL;
}

void said_feed(struct said *s, const uint8_t *p, size_t len, uint8_t step)
{
	said_must(pu_sim_run_until(s->sim, is_there, s, PU_SEC(5)));
	for (size_t i = 0; i < len && s->st; i += (size_t)step + 1) {
		pu_stream_write(s->st, p + i, pu_min((size_t)step + 1, len - i));
		pu_sim_run(s->sim, PU_MS(1));
	}
	if (s->st && step & 1)
		pu_stream_shutdown(s->st);
	pu_sim_run(s->sim, PU_MS(20));
}

void said_drop(struct said *s)
{
	if (s->st)
		pu_stream_reset(s->st, 0);
	s->st = NULL;
	pu_sim_run(s->sim, PU_MS(20));
}
