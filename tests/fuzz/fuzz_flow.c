/* The life of flows: what a local kernel may send, well-formed or not, mixed with
 * what an owner may do, in virtual time. Each step is an operation byte and a few
 * bytes of parameters. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/wire.h"
#include "tun/flow/flow.h"
#include "tun/frame.h"
#include "tun/headers.h"
#include "tun/vnet.h"

enum { PORTS = 4, FRAME_MAX = 4096, STEPS_MAX = 200 };

struct port {
	struct pu_flow *flow; /* NULL when the owner has none */
	uint32_t seq, ack;    /* of the program */
	size_t take;
};

struct world {
	struct pu_loop loop;
	struct pu_tun_device dev;
	int kernel;
	struct pu_flow_table *table;
	struct port port[PORTS];
	bool v6;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_syn(void *arg, struct pu_flow *f, uint32_t handle, uint16_t port)
{
	struct world *w = arg;
	struct port *p = &w->port[port % PORTS];

	p->flow = f;
	p->take = SIZE_MAX;
	pu_flow_set_arg(f, p);
}

static size_t on_recv(void *arg, struct pu_flow *f, const uint8_t *p, size_t len)
{
	struct port *port = arg;
	size_t n = pu_min(len, port->take);

	if (port->take == 7) {
		port->flow = NULL;
		pu_flow_close(f);
	} else if (port->take == 8) {
		port->flow = NULL;
		pu_flow_reset(f);
	}
	/* The bytes must still be there. */
	for (size_t i = 0; i < len; i++)
		*(volatile const uint8_t *)(p + i);
	return n;
}

static void on_eof(void *arg, struct pu_flow *f)
{
}

static void on_writable(void *arg, struct pu_flow *f)
{
	if (pu_flow_room(f) == 0)
		abort();
}

static void on_closed(void *arg, struct pu_flow *f, int err)
{
	((struct port *)arg)->flow = NULL;
}

static const struct pu_flow_events events = { on_syn, on_recv, on_eof, on_writable, on_closed };

static void no_random(void *arg, void *p, size_t n)
{
	memset(p, 5, n);
}

/* What lwIP said last tells the program how to go on. */
static void listen_to_flows(struct world *w)
{
	static uint8_t frame[PU_TUN_FRAME_MAX];
	struct pu_tun_frame f;
	ssize_t n;

	while ((n = recv(w->kernel, frame, sizeof frame, 0)) > 0) {
		if (pu_tun_frame_parse(&f, frame, (size_t)n) < 0)
			abort(); /* we wrote it */
		if (f.info.proto == PROTO_TCP) {
			const uint8_t *t = pu_tun_frame_ip(&f) + f.info.ip_len;
			bool counts = f.info.tcp_flags & (TCP_FLAG_SYN | TCP_FLAG_FIN);

			w->port[f.info.sport % PORTS].ack =
				pu_get_be32(t + TCP_SEQ) + counts +
				(uint32_t)(f.info.total_len - f.info.ip_len - f.info.transport_len);
		}
	}
}

static size_t put_ip(uint8_t *ip, bool v6, size_t tcp_len)
{
	if (v6) {
		memset(ip, 0, IPV6_MIN);
		ip[0] = 0x60;
		pu_put_be16(ip + IPV6_LEN, (uint16_t)tcp_len);
		ip[IPV6_NEXT] = PROTO_TCP;
		ip[IPV6_HOPS] = 64;
		ip[IPV6_SRC] = ip[IPV6_DST] = 0xfd;
		ip[IPV6_DST + 15] = 1;
		return IPV6_MIN;
	}
	memset(ip, 0, IPV4_MIN);
	ip[0] = 0x45;
	pu_put_be16(ip + IPV4_LEN, (uint16_t)(IPV4_MIN + tcp_len));
	ip[IPV4_TTL] = 64;
	ip[IPV4_PROTO] = PROTO_TCP;
	ip[IPV4_SRC] = ip[IPV4_DST] = 10;
	ip[IPV4_DST + 3] = 1;
	pu_put_be16(ip + IPV4_CSUM, (uint16_t)~pu_csum_fold(pu_csum_add(0, ip, IPV4_MIN)));
	return IPV4_MIN;
}

/* flags, sequence and acknowledgement off by what the input says, options from it. */
static void send_segment(struct world *w, struct pu_rd *r, unsigned i)
{
	uint8_t frame[FRAME_MAX] = { 0 }, *ip = frame + PU_TUN_VNET_LEN, *t;
	uint8_t flags = pu_rd_u8(r);
	int8_t seq_off = (int8_t)pu_rd_u8(r), ack_off = (int8_t)pu_rd_u8(r);
	size_t options = pu_rd_u8(r) % 11 * 4, payload = pu_rd_be16(r) % 2000, ip_len;
	struct pu_bytes opt = pu_rd_bytes(r, options);
	struct pu_tun_frame f;

	if (r->err)
		return;
	ip_len = put_ip(ip, w->v6, TCP_MIN + options + payload);
	t = ip + ip_len;
	pu_put_be16(t, 40000);
	pu_put_be16(t + 2, (uint16_t)(PORTS * 100 + i));
	pu_put_be32(t + TCP_SEQ, w->port[i].seq + (uint32_t)(seq_off * 8));
	pu_put_be32(t + TCP_ACK, w->port[i].ack + (uint32_t)(ack_off * 8));
	t[TCP_OFFSET] = (uint8_t)((TCP_MIN + options) / 4 << 4);
	t[TCP_FLAGS] = flags;
	pu_put_be16(t + TCP_WINDOW, pu_rd_be16(r));
	if (options > 0)
		memcpy(t + TCP_MIN, opt.p, options);
	if (pu_tun_frame_parse(&f, frame, PU_TUN_VNET_LEN + ip_len + TCP_MIN + options + payload))
		return;
	pu_flow_table_input(w->table, frame, f.len, &f.info, 1);
	w->port[i].seq += (uint32_t)payload + !!(flags & (TCP_FLAG_SYN | TCP_FLAG_FIN));
}

static void owner_does(struct world *w, struct pu_rd *r, unsigned op, struct port *p)
{
	static const uint8_t bytes[65536];
	struct pu_flow *f = p->flow;

	if (!f)
		return;
	switch (op) {
	case 0:
		pu_flow_accept(f);
		break;
	case 1:
		p->flow = NULL;
		pu_flow_refuse(f, -(int)(pu_rd_u8(r) % 26));
		break;
	case 2:
		pu_flow_write(f, bytes, pu_rd_be16(r));
		break;
	case 3:
		pu_flow_shutdown(f);
		break;
	case 4:
		p->take = pu_rd_u8(r);
		pu_flow_resume(f);
		break;
	case 5:
		p->flow = NULL;
		pu_flow_close(f);
		break;
	case 6:
		p->flow = NULL;
		pu_flow_reset(f);
		break;
	case 7:
		pu_flow_table_reset_handle(w->table, 1);
		break;
	}
}

static void step(struct world *w, struct pu_rd *r)
{
	uint8_t op = pu_rd_u8(r);
	unsigned i = op >> 4 & (PORTS - 1);

	if ((op & 15) < 6)
		send_segment(w, r, i);
	else if ((op & 15) < 14)
		owner_does(w, r, (op & 15) - 6, &w->port[i]);
	else if ((op & 15) == 14)
		pu_loop_enter(&w->loop, pu_loop_now(&w->loop) + PU_MS(pu_rd_be16(r)));
	else
		w->v6 = !w->v6;
	if (op & 0x80)
		pu_loop_leave(&w->loop);
	listen_to_flows(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct pu_flow_limits limits = { .max_flows = 6, .max_held = 3 };
	struct pu_rd r = pu_rd_init(data, size);
	struct world w = { 0 };
	struct pu_flow_stats st;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds) < 0)
		abort();
	w.dev.fd = fds[0];
	w.kernel = fds[1];
	pu_loop_init(&w.loop, PU_SEC(1), 0, no_random, NULL);
	if (pu_flow_table_new(&w.loop, &w.dev, &events, &w, &limits, &w.table) < 0)
		abort();
	for (int i = 0; i < STEPS_MAX && r.left > 0 && !r.err; i++)
		step(&w, &r);
	pu_flow_table_stats(w.table, &st);
	if (st.n_flows > limits.max_flows || st.n_held > limits.max_held)
		abort();
	pu_flow_table_free(w.table);
	pu_loop_leave(&w.loop);
	pu_loop_deinit(&w.loop);
	close(fds[0]);
	close(fds[1]);
	return 0;
}
