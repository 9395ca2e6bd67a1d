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

void pu_lab_write(const char *dir, const char *name, const void *p, size_t len)
{
	char path[PU_PATHS_LEN];
	FILE *f;

	assert_int_equal(pu_paths_join(path, dir, name), 0);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	fclose(f);
	chmod(path, 0600);
}

void pu_lab_remove(const char *dir, const char *const *names, size_t n)
{
	char path[PU_PATHS_LEN];

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(pu_paths_join(path, dir, names[i]), 0);
		unlink(path);
	}
	rmdir(dir);
}

void pu_lab_append(char *to, size_t cap, const char *text)
{
	size_t len = strlen(to);

	assert_true(len + strlen(text) < cap);
	memcpy(to + len, text, strlen(text) + 1);
}

void pu_lab_write_key(const char *dir, const char *name, uint8_t seed, struct pu_peerid *id)
{
	uint8_t bytes[32] = { seed }, file[68];
	struct pu_key key;

	assert_int_equal(pu_key_from_seed(&key, bytes), 0);
	*id = key.peer;
	pu_key_encode(&key, file);
	pu_lab_write(dir, name, file, sizeof file);
	pu_key_deinit(&key);
}

static void make_node(struct pu_lab *lab, unsigned i)
{
	struct pu_lab_node *a = &lab->node[i];

	a->lab = lab;
	a->name[0] = (char)('a' + i);
	snprintf(a->ip, sizeof a->ip, "10.0.0.%u", i + 1);
	snprintf(a->dir, sizeof a->dir, "/tmp/peerup-lab-%c-XXXXXX", 'a' + (int)i);
	assert_non_null(mkdtemp(a->dir));
	a->sim = pu_sim_node_new(lab->sim, a->name);
	pu_sim_node_add_ip(a->sim, a->ip);
	pu_lab_write_key(a->dir, "identity.key", (uint8_t)(i + 1), &a->id);
	pu_peerid_text(&a->id, a->id_text);
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
	static const char *const files[] = { "config.yaml", "identity.key", "authorized_keys",
					     "addresses" };

	for (unsigned i = 0; i < lab->n; i++) {
		if (lab->node[i].node)
			pu_lab_down(&lab->node[i]);
		if (lab->node[i].echo)
			pu_sim_net(lab->node[i].sim)->ops->tcp_listener_close(lab->node[i].echo);
		pu_lab_remove(lab->node[i].dir, files, PU_ARRAY_LEN(files));
	}
	pu_lab_relays_deinit(lab);
	pu_sim_run(lab->sim, PU_SEC(1)); /* services notice that their clients are gone */
	pu_sim_free(lab->sim);
}

void pu_lab_authorize(struct pu_lab_node *a, const struct pu_lab_node *b, const char *attrs)
{
	char line[512];

	snprintf(line, sizeof line, "%s%s  # %s\n", b->id_text, attrs, b->name);
	pu_lab_append(a->members, sizeof a->members, line);
}

void pu_lab_befriend(struct pu_lab_node *a, const struct pu_lab_node *b, const char *attrs)
{
	char line[512];

	pu_lab_authorize(a, b, attrs);
	snprintf(line, sizeof line, "  %s: \"%s\"\n", b->name, b->id_text);
	pu_lab_append(a->names, sizeof a->names, line);
	snprintf(line, sizeof line, "  \"%s\":\n    addresses:\n      - \"/ip4/%s/tcp/4001\"\n%s%s%s",
		 b->id_text, b->ip, b->tcp_only ? "" : "      - \"/ip4/",
		 b->tcp_only ? "" : b->ip, b->tcp_only ? "" : "/udp/4001/quic-v1\"\n");
	pu_lab_append(a->peers, sizeof a->peers, line);
}

void pu_lab_place(struct pu_lab_node *a, const char *ip)
{
	pu_sim_node_remove_ip(a->sim, a->ip);
	snprintf(a->ip, sizeof a->ip, "%s", ip);
	pu_sim_node_add_ip(a->sim, a->ip);
	a->any = true;
}

void pu_lab_behind(struct pu_lab_node *a, const struct pu_sim_nat_config *cfg, const char *ip)
{
	pu_lab_place(a, "192.168.1.2");
	a->nat = pu_sim_nat_new(a->lab->sim, cfg, ip);
	pu_sim_node_behind(a->sim, a->nat);
}

void pu_lab_tell_addresses(struct pu_lab_node *a)
{
	struct pu_multiaddr ips[4];

	pu_node_network_changed(a->node, ips, pu_sim_node_ips(a->sim, ips, PU_ARRAY_LEN(ips)));
}

static void list_both(char *to, size_t cap, const char *ip, uint16_t port, const char *id)
{
	char line[400];

	snprintf(line, sizeof line,
		 "    - \"/ip4/%s/udp/%u/quic-v1/p2p/%s\"\n    - \"/ip4/%s/tcp/%u/p2p/%s\"\n", ip,
		 port, id, ip, port, id);
	pu_lab_append(to, cap, line);
}

void pu_lab_list_relay(struct pu_lab_node *a, const char *ip, uint16_t port, const char *id)
{
	list_both(a->relays, sizeof a->relays, ip, port, id);
}

void pu_lab_list_bootstrap(struct pu_lab_node *a, const char *ip, uint16_t port, const char *id)
{
	list_both(a->bootstrap, sizeof a->bootstrap, ip, port, id);
}

static void write_config(struct pu_lab_node *a)
{
	const char *ip = a->any ? "0.0.0.0" : a->ip;
	char quic[64], text[8192];
	int n;

	snprintf(quic, sizeof quic, "    - \"/ip4/%s/udp/4001/quic-v1\"\n", ip);
	n = snprintf(text, sizeof text,
		     "version: 1\n"
		     "identity:\n  key_file: identity.key\n"
		     "network:\n  listen_addresses:\n    - \"/ip4/%s/tcp/4001\"\n%s"
		     "relay:\n  reservation_interval: 2m\n  addresses:%s%s"
		     "discovery:\n  rendezvous: lab\n  bootstrap_peers:%s%s"
		     "security:\n  authorized_keys_file: authorized_keys\n"
		     "  enable_connection_gating: true\n"
		     "protocols:\n  ping_pong:\n    enabled: true\n    id: /pingpong/1.0.0\n"
		     "services:%s%s"
		     "names:%s%s"
		     "peers:%s%s",
		     ip, a->tcp_only ? "" : quic, a->relays[0] ? "\n" : " []\n", a->relays,
		     a->bootstrap[0] ? "\n" : " []\n", a->bootstrap,
		     a->services[0] ? "\n" : " {}\n", a->services, a->names[0] ? "\n" : " {}\n",
		     a->names, a->peers[0] ? "\n" : " {}\n", a->peers);
	assert_true(n > 0 && (size_t)n < sizeof text);
	pu_lab_write(a->dir, "config.yaml", text, (size_t)n);
	pu_lab_write(a->dir, "authorized_keys", a->members, strlen(a->members));
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
	if (a->any)
		pu_lab_tell_addresses(a);
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

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 + (i >> 9));
}

size_t pu_lab_send(struct pu_lab_node *from, struct pu_lab_node *to, size_t len, unsigned flags)
{
	static uint8_t bytes[PU_PKT_MAX];
	struct pu_pkt pkt = { .head = pu_bytes(bytes, pu_min(len, 40)),
			      .body = pu_bytes(bytes + 40, len > 40 ? len - 40 : 0),
			      .flags = flags };

	for (size_t i = 0; i < len; i++)
		bytes[i] = pattern(i);
	return pu_sessions_send(from->node->sessions, &to->id, &pkt, 1);
}

void pu_lab_check_packet(const struct pu_lab_node *a, size_t len, unsigned flags)
{
	assert_true(a->n_packets > 0);
	assert_int_equal(a->packet_len[a->n_packets - 1], len);
	assert_int_equal(a->packet_flags[a->n_packets - 1], flags);
	for (size_t i = 0; i < pu_min(len, sizeof a->last_packet); i++)
		assert_int_equal(a->last_packet[i], pattern(i));
}

void pu_lab_run(struct pu_lab *lab, pu_time t)
{
	pu_sim_run(lab->sim, t);
}
