/* Our peer in the interoperability tests: see ../README.md for the protocol. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "flow.h"
#include "p2p/transport/net_uv.h"
#include "peer.h"

enum { LINE_MAX_LEN = 1 << 20 };

struct input {
	struct peer *p;
	uv_pipe_t pipe;
	struct pu_buf lines;
	char chunk[65536];
};

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
	struct input *in = h->data;

	(void)suggested;
	*buf = uv_buf_init(in->chunk, sizeof in->chunk);
}

static void take_lines(struct input *in)
{
	const uint8_t *end;

	while (!in->p->quitting && in->lines.len > 0 &&
	       (end = memchr(pu_buf_bytes(&in->lines).p, '\n', in->lines.len)) != NULL) {
		const uint8_t *begin = pu_buf_bytes(&in->lines).p;
		size_t len = (size_t)(end - begin);

		peer_command(in->p, (const char *)begin, len);
		pu_buf_consume(&in->lines, len + 1);
	}
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct input *in = s->data;

	pu_loop_uv_enter(in->p->loop);
	if (n < 0 || pu_buf_append(&in->lines, buf->base, (size_t)n) < 0)
		peer_quit(in->p);
	else
		take_lines(in);
	pu_loop_uv_leave(in->p->loop);
}

static int read_options(int argc, char **argv, struct options *opt)
{
	static const struct option names[] = {
		{ "seed", required_argument, NULL, 's' },     { "listen", required_argument, NULL, 'l' },
		{ "security", required_argument, NULL, 'e' }, { "name", required_argument, NULL, 'n' },
		{ "agent", required_argument, NULL, 'n' },    { "muxer", required_argument, NULL, 'm' },
		{ "key-type", required_argument, NULL, 'm' }, { "log", required_argument, NULL, 'L' },
		{ "circuit", no_argument, NULL, 'm' },        { "relay", required_argument, NULL, 'r' },
		{ "kad", required_argument, NULL, 'k' },      { "punch", no_argument, NULL, 'p' },
		{ "announce", required_argument, NULL, 'm' }, { "mdns", no_argument, NULL, 'd' },
		{ "autonat", no_argument, NULL, 'a' },	      { "gate", no_argument, NULL, 'g' },
		{ NULL, 0, NULL, 0 },
	};
	enum pu_log_level level;
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 's':
			opt->seed = optarg;
			break;
		case 'l':
			opt->listen = optarg;
			break;
		case 'e':
			opt->security = optarg;
			break;
		case 'n':
			opt->agent = optarg;
			break;
		case 'm': /* only one, or always on, or not needed */
			break;
		case 'r':
			opt->relay = optarg;
			break;
		case 'k':
			opt->kad = optarg;
			break;
		case 'p':
			opt->punch = true;
			break;
		case 'a':
			opt->autonat = true;
			break;
		case 'g':
			opt->gate = true;
			break;
		case 'd':
			opt->mdns = true;
			break;
		case 'L':
			if (pu_log_level_parse(optarg, &level) == 0)
				pu_log_set_level(level);
			break;
		default:
			return -1;
		}
	}
	return opt->seed ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct options opt = { .listen = "", .security = "tls,noise", .agent = "peerup/interop" };
	static struct peer p;
	static struct input in = { .p = &p };

	if (read_options(argc, argv, &opt) < 0) {
		fprintf(stderr, "usage: interop-peer --seed HEX [--listen A,B] [--security tls,noise]"
				" [--name AGENT] [--relay TTL,DURATION,BYTES]"
				" [--kad client|server] [--punch] [--autonat] [--gate]\n");
		return 2;
	}
	if (peer_start(&p, &opt) < 0)
		return 1;
	pu_buf_init(&in.lines, LINE_MAX_LEN);
	uv_pipe_init(pu_loop_uv_of(p.loop), &in.pipe, 0);
	in.pipe.data = &in;
	if (uv_pipe_open(&in.pipe, 0) < 0 ||
	    uv_read_start((uv_stream_t *)&in.pipe, on_alloc, on_read) < 0)
		return 1;
	pu_loop_uv_run(p.driver);
	emit("bye", NULL);
	uv_close((uv_handle_t *)&in.pipe, NULL);
	pu_host_free(p.host);
	flow_free_all();
	pu_net_uv_free(p.net);
	pu_loop_uv_free(p.driver);
	pu_buf_deinit(&in.lines);
	pu_key_deinit(&p.key);
	return 0;
}
