#include "support/node_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "crypto/key.h"

static const struct pu_sim_link lan = { .delay = PU_MS(1) };

static void write_file(const struct pu_lab_node *a, const char *name, const void *p, size_t len)
{
	char path[PU_PATHS_LEN];
	FILE *f;

	assert_int_equal(pu_paths_join(path, a->dir, name), 0);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	fclose(f);
	chmod(path, 0600);
}

static void remove_dir(const struct pu_lab_node *a)
{
	static const char *const files[] = { "config.yaml", "identity.key", "authorized_keys",
					     "addresses" };
	char path[PU_PATHS_LEN];

	for (size_t i = 0; i < PU_ARRAY_LEN(files); i++) {
		assert_int_equal(pu_paths_join(path, a->dir, files[i]), 0);
		unlink(path);
	}
	rmdir(a->dir);
}

static void make_node(struct pu_lab *lab, unsigned i)
{
	struct pu_lab_node *a = &lab->node[i];
	uint8_t seed[32] = { (uint8_t)(i + 1) }, file[68];
	struct pu_key key;

	a->lab = lab;
	a->name[0] = (char)('a' + i);
	snprintf(a->ip, sizeof a->ip, "10.0.0.%u", i + 1);
	snprintf(a->dir, sizeof a->dir, "/tmp/peerup-lab-%c-XXXXXX", 'a' + (int)i);
	assert_non_null(mkdtemp(a->dir));
	a->sim = pu_sim_node_new(lab->sim, a->name);
	pu_sim_node_add_ip(a->sim, a->ip);
	assert_int_equal(pu_key_from_seed(&key, seed), 0);
	a->id = key.peer;
	pu_peerid_text(&a->id, a->id_text);
	pu_key_encode(&key, file);
	write_file(a, "identity.key", file, sizeof file);
	pu_key_deinit(&key);
	memcpy(a->paths.state_dir, a->dir, sizeof a->dir);
	assert_int_equal(pu_paths_join(a->paths.config, a->dir, "config.yaml"), 0);
}

void pu_lab_init(struct pu_lab *lab, unsigned n)
{
	memset(lab, 0, sizeof *lab);
	lab->n = n;
	lab->sim = pu_sim_new(pu_sim_seed());
	pu_sim_default_link(lab->sim, &lan);
	for (unsigned i = 0; i < n; i++)
		make_node(lab, i);
}

void pu_lab_deinit(struct pu_lab *lab)
{
	for (unsigned i = 0; i < lab->n; i++) {
		if (lab->node[i].node)
			pu_lab_down(&lab->node[i]);
		if (lab->node[i].echo)
			pu_sim_net(lab->node[i].sim)->ops->tcp_listener_close(lab->node[i].echo);
		remove_dir(&lab->node[i]);
	}
	pu_sim_run(lab->sim, PU_SEC(1)); /* services notice that their clients are gone */
	pu_sim_free(lab->sim);
}

static void append(char *to, size_t cap, const char *text)
{
	size_t len = strlen(to);

	assert_true(len + strlen(text) < cap);
	memcpy(to + len, text, strlen(text) + 1);
}

void pu_lab_befriend(struct pu_lab_node *a, const struct pu_lab_node *b, const char *attrs)
{
	char line[512];

	snprintf(line, sizeof line, "%s%s  # %s\n", b->id_text, attrs, b->name);
	append(a->members, sizeof a->members, line);
	snprintf(line, sizeof line, "  %s: \"%s\"\n", b->name, b->id_text);
	append(a->names, sizeof a->names, line);
	snprintf(line, sizeof line, "  \"%s\":\n    addresses:\n      - \"/ip4/%s/tcp/4001\"\n%s%s%s",
		 b->id_text, b->ip, b->tcp_only ? "" : "      - \"/ip4/",
		 b->tcp_only ? "" : b->ip, b->tcp_only ? "" : "/udp/4001/quic-v1\"\n");
	append(a->peers, sizeof a->peers, line);
}

static void write_config(struct pu_lab_node *a)
{
	char quic[64], text[4096];
	int n;

	snprintf(quic, sizeof quic, "    - \"/ip4/%s/udp/4001/quic-v1\"\n", a->ip);
	n = snprintf(text, sizeof text,
		     "version: 1\n"
		     "identity:\n  key_file: identity.key\n"
		     "network:\n  listen_addresses:\n    - \"/ip4/%s/tcp/4001\"\n%s"
		     "relay:\n  addresses: []\n  reservation_interval: 2m\n"
		     "discovery:\n  rendezvous: lab\n  bootstrap_peers: []\n"
		     "security:\n  authorized_keys_file: authorized_keys\n"
		     "  enable_connection_gating: true\n"
		     "protocols:\n  ping_pong:\n    enabled: true\n    id: /pingpong/1.0.0\n"
		     "services:%s%s"
		     "names:%s%s"
		     "peers:%s%s",
		     a->ip, a->tcp_only ? "" : quic, a->services[0] ? "\n" : " {}\n", a->services,
		     a->names[0] ? "\n" : " {}\n", a->names, a->peers[0] ? "\n" : " {}\n", a->peers);
	assert_true(n > 0 && (size_t)n < sizeof text);
	write_file(a, "config.yaml", text, (size_t)n);
	write_file(a, "authorized_keys", a->members, strlen(a->members));
}

static struct pu_config *load_config(struct pu_lab_node *a)
{
	struct pu_config_diags *diags = calloc(1, sizeof *diags);
	struct pu_config *cfg = NULL;
	int r = pu_config_load(a->paths.config, &cfg, diags);

	for (size_t i = 0; i < diags->n; i++)
		print_message("%s: %s\n", a->name, diags->v[i].text);
	free(diags);
	assert_int_equal(r, 0);
	return cfg;
}

static void on_packet(void *arg, struct pu_roster_peer *peer, const uint8_t *p, size_t len,
		      unsigned flags)
{
	struct pu_lab_node *a = arg;

	assert_true(a->n_packets < PU_LAB_PACKETS);
	a->packet_len[a->n_packets] = len;
	a->packet_flags[a->n_packets] = flags;
	memcpy(a->last_packet, p, pu_min(len, sizeof a->last_packet));
	a->n_packets++;
}

static void on_batch_end(void *arg)
{
	struct pu_lab_node *a = arg;

	a->n_batches++;
}

static void on_undeliverable(void *arg, struct pu_roster_peer *peer, const uint8_t *p, size_t len,
			     int err)
{
	struct pu_lab_node *a = arg;

	a->n_undeliverable++;
	a->undeliverable_err = err;
}

static void on_peer(void *arg, struct pu_roster_peer *peer)
{
}

static const struct pu_node_events events = {
	.on_packet = on_packet,
	.on_batch_end = on_batch_end,
	.on_undeliverable = on_undeliverable,
	.on_peer = on_peer,
};

void pu_lab_up(struct pu_lab_node *a)
{
	struct pu_node_options opt = { .loop = pu_sim_loop(a->sim), .net = pu_sim_net(a->sim),
				       .paths = &a->paths, .version = "test" };
	struct pu_failure why = { .what = "" };
	int r;

	write_config(a);
	opt.cfg = load_config(a);
	r = pu_node_new(&opt, &a->node, &why);
	if (r < 0)
		print_message("%s: %s: %s\n", a->name, why.what, why.why);
	assert_int_equal(r, 0);
	pu_node_set_events(a->node, &events, a);
	pu_node_start(a->node);
}

static void on_stopped(void *arg)
{
	*(bool *)arg = true;
}

static bool is_true(void *arg)
{
	return *(bool *)arg;
}

void pu_lab_down(struct pu_lab_node *a)
{
	bool stopped = false;

	pu_node_stop(a->node, on_stopped, &stopped);
	assert_true(pu_sim_run_until(a->lab->sim, is_true, &stopped, PU_SEC(30)));
	pu_node_free(a->node);
	a->node = NULL;
}

void pu_lab_reload(struct pu_lab_node *a)
{
	struct pu_failure why = { .what = "" };

	write_config(a);
	assert_int_equal(pu_node_reload(a->node, load_config(a), &why), 0);
}

/* --- the echo service --------------------------------------------------------- */

struct echo {
	struct pu_net *net;
	struct pu_tcp *tcp;
};

static size_t echo_recv(void *arg, const uint8_t *p, size_t len)
{
	struct echo *e = arg;
	struct iovec iov = { .iov_base = (void *)p, .iov_len = len };
	int n = e->net->ops->tcp_write(e->tcp, &iov, 1);

	return n < 0 ? len : (size_t)n;
}

static void echo_writable(void *arg)
{
	struct echo *e = arg;

	e->net->ops->tcp_resume(e->tcp);
}

static void echo_end(struct echo *e)
{
	e->net->ops->tcp_close(e->tcp, false);
	free(e);
}

static void echo_eof(void *arg)
{
	echo_end(arg);
}

static void echo_error(void *arg, int err)
{
	echo_end(arg);
}

static const struct pu_tcp_events echo_events = {
	.on_recv = echo_recv,
	.on_eof = echo_eof,
	.on_writable = echo_writable,
	.on_error = echo_error,
};

static void echo_accept(void *arg, struct pu_tcp *tcp)
{
	struct echo *e = calloc(1, sizeof *e);

	assert_non_null(e);
	e->net = arg;
	e->tcp = tcp;
	e->net->ops->tcp_set_events(tcp, &echo_events, e);
}

void pu_lab_echo_service(struct pu_lab_node *a, uint16_t port)
{
	struct pu_net *net = pu_sim_net(a->sim);
	union pu_sockaddr sa = pu_sim_sockaddr("127.0.0.1", port);

	assert_int_equal(net->ops->tcp_listen(net, &sa, echo_accept, net, &a->echo), 0);
}

/* --- questions ---------------------------------------------------------------- */

struct pu_roster_peer *pu_lab_peer(struct pu_lab_node *a, const struct pu_lab_node *b)
{
	return pu_roster_find(a->node->roster, &b->id);
}

bool pu_lab_connected(struct pu_lab_node *a, const struct pu_lab_node *b)
{
	return pu_host_conn(a->node->host, &b->id) != NULL;
}

static bool offer_known(void *arg)
{
	struct pu_roster_peer *p = arg;

	return p->offer_known;
}

void pu_lab_await_offer(struct pu_lab_node *a, struct pu_lab_node *b)
{
	struct pu_roster_peer *p = pu_lab_peer(a, b);

	assert_non_null(p);
	assert_true(pu_sim_run_until(a->lab->sim, offer_known, p, PU_SEC(10)));
}

void pu_lab_run(struct pu_lab *lab, pu_time t)
{
	pu_sim_run(lab->sim, t);
}
