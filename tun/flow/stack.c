/* lwIP as this process has it: one netif, one listener, a number per flow. */
#include "tun/flow/flow_internal.h"

#include <stdlib.h>
#include <sys/uio.h>

#include "base/err.h"
#include "tun/flow/checksum.h"
#include "tun/flow/lwip_shim.h"
#include "tun/flow/mend.h"

enum {
	/* A flow's number: 10, generation, index. Generation 0 belongs to the probe. */
	NUMBER_NET = 10u << 24,
	INDEX_BITS = 16,
	INDEX_MAX = 1u << INDEX_BITS,
	GENERATIONS = 255, /* 10.255/16 is lwIP's own address */
	PROBE_NUMBER = NUMBER_NET | 1,
	OUTPUT_PIECES = 8,
};

struct slot {
	struct pu_flow *flow;
	uint8_t generation;
};

/* lwIP keeps its own state in globals and cannot be stopped once it was started, so
 * this is one per process too. All tables are used from one thread. */
static struct {
	bool started;
	int start_err;
	bool bypass;
	bool probe_answered;
	struct netif netif;
	struct pu_list tables;
	struct slot *slot;
	size_t n_slots, next_slot;
} stack;

static struct pu_flow *find(uint32_t number)
{
	size_t i = number & (INDEX_MAX - 1);

	if (i >= stack.n_slots || stack.slot[i].generation != (uint8_t)(number >> INDEX_BITS))
		return NULL;
	return stack.slot[i].flow;
}

static int grow(void)
{
	size_t n = stack.n_slots ? stack.n_slots * 2 : 64;
	struct slot *p;

	if (stack.n_slots == INDEX_MAX)
		return PU_ELIMIT;
	p = realloc(stack.slot, n * sizeof *p);
	if (!p)
		return PU_ENOMEM;
	memset(p + stack.n_slots, 0, (n - stack.n_slots) * sizeof *p);
	stack.next_slot = stack.n_slots;
	stack.slot = p;
	stack.n_slots = n;
	return 0;
}

/* Round and round, so that a number is not used again soon. */
static int find_free(size_t *pi)
{
	for (size_t n = 0; n < stack.n_slots; n++) {
		size_t i = (stack.next_slot + n) % stack.n_slots;

		if (!stack.slot[i].flow) {
			stack.next_slot = i + 1;
			*pi = i;
			return 0;
		}
	}
	return PU_ENOENT;
}

int pu_flow_stack_add(struct pu_flow *f)
{
	size_t i = 0;
	int r;

	if (find_free(&i) < 0) {
		r = grow();
		if (r < 0)
			return r;
		i = stack.next_slot++;
	}
	stack.slot[i].generation = (uint8_t)(stack.slot[i].generation % (GENERATIONS - 1) + 1);
	stack.slot[i].flow = f;
	f->number = NUMBER_NET | (uint32_t)stack.slot[i].generation << INDEX_BITS | (uint32_t)i;
	return 0;
}

void pu_flow_stack_remove(struct pu_flow *f)
{
	if (f->number && find(f->number) == f)
		stack.slot[f->number & (INDEX_MAX - 1)].flow = NULL;
	f->number = 0;
}

static err_t write_frame(struct pu_flow *f, struct pbuf *p)
{
	uint8_t head[PU_FLOW_FRAME_HEAD_MAX];
	struct iovec iov[OUTPUT_PIECES];
	size_t skip, n = 1;

	iov[0].iov_base = head;
	iov[0].iov_len =
		pu_flow_segment_to_device(head, p->payload, p->len, &f->tuple, f->mss, &skip);
	if (iov[0].iov_len == 0)
		return ERR_VAL;
	if (p->len > skip)
		iov[n++] = (struct iovec){ (uint8_t *)p->payload + skip, p->len - skip };
	for (p = p->next; p; p = p->next) {
		if (n == OUTPUT_PIECES)
			return ERR_VAL;
		iov[n++] = (struct iovec){ p->payload, p->len };
	}
	/* Told of the failure, lwIP keeps the segment and tries again. */
	return pu_tun_device_write(f->table->dev, iov, (int)n) < 0 ? ERR_BUF : ERR_OK;
}

static err_t on_output(struct netif *netif, struct pbuf *p, const ip4_addr_t *dest)
{
	uint32_t number = lwip_ntohl(ip4_addr_get_u32(dest));
	struct pu_flow *f = find(number);

	if (number == PROBE_NUMBER)
		stack.probe_answered = true;
	/* Headers always lie in the first piece: the library was built so. */
	return f ? write_frame(f, p) : ERR_OK;
}

static err_t init_netif(struct netif *n)
{
	n->name[0] = 'p';
	n->name[1] = 'u';
	n->output = on_output;
	n->mtu = 65535; /* or lwIP would cut large segments into IP fragments */
	return ERR_OK;
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
	/* pu_flow_tcp_open() has made the connection its flow's before it can get here. */
	return arg && pcb && err == ERR_OK ? pu_flow_tcp_accept(arg) : ERR_VAL;
}

static int listen_once(void)
{
	struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_V4), *listener;
	ip_addr_t any = IPADDR4_INIT(IPADDR_ANY);

	if (!pcb)
		return PU_ENOMEM;
	if (tcp_bind(pcb, &any, PU_FLOW_STACK_PORT) != ERR_OK) {
		tcp_abort(pcb);
		return PU_ESYS;
	}
	listener = tcp_listen(pcb);
	if (!listener) {
		tcp_abort(pcb);
		return PU_ENOMEM;
	}
	tcp_accept(listener, on_accept);
	return 0;
}

static int input(uint32_t number, const uint8_t *ip, const struct pu_packet *info, bool complete)
{
	size_t skip = (size_t)info->ip_len + info->transport_len, head, payload;
	uint8_t b[PU_FLOW_STACK_HEAD_MAX];
	struct pbuf *p;

	head = pu_flow_segment_to_stack(b, ip, info, number);
	payload = info->total_len - skip;
	p = pbuf_alloc(PBUF_RAW, (u16_t)(head + payload), PBUF_RAM);
	if (!p)
		return PU_ENOMEM;
	memcpy(p->payload, b, head);
	memcpy((uint8_t *)p->payload + head, ip + skip, payload);
	if (complete)
		pu_flow_segment_complete(p->payload, head + payload);
	ip4_input(p, &stack.netif);
	return 0;
}

/* A segment of no connection must be answered with a reset, unless its checksum is
 * looked at and found wrong. */
static bool probe(bool complete)
{
	static const uint8_t ack[40] = { [32] = 5 << 4, [33] = TCP_ACK };
	const struct pu_packet info = { .ip_len = 20, .transport_len = 20, .total_len = 40 };

	stack.probe_answered = false;
	return input(PROBE_NUMBER, ack, &info, complete) == 0 && stack.probe_answered;
}

static int start(void)
{
	ip4_addr_t addr, mask, gw = { 0 };

	pu_flow_checksum_link();
	pu_list_init(&stack.tables);
	lwip_init();
	addr.addr = lwip_htonl(PU_FLOW_STACK_ADDR);
	mask.addr = IPADDR_BROADCAST;
	if (!netif_add(&stack.netif, &addr, &mask, &gw, NULL, init_netif, ip4_input))
		return PU_ESYS;
	netif_set_default(&stack.netif);
	netif_set_link_up(&stack.netif);
	netif_set_up(&stack.netif);
	stack.bypass = probe(false);
	if (!stack.bypass && !probe(true))
		return PU_ESYS;
	return listen_once();
}

bool pu_flow_stack_bypass(void)
{
	return stack.bypass;
}

void pu_flow_stack_input(struct pu_flow *f, const uint8_t *ip, const struct pu_packet *info)
{
	input(f->number, ip, info, !stack.bypass);
	pu_flow_stack_wake();
}

/* True while lwIP waits for something that only its timer ends. */
static bool is_waiting(const struct tcp_pcb *pcb)
{
	if (pcb->state != ESTABLISHED && pcb->state != CLOSE_WAIT && pcb->state != FIN_WAIT_2)
		return true;
	return pcb->unsent || pcb->unacked || pcb->ooseq || pcb->refused_data ||
	       (pcb->flags & (TF_ACK_DELAY | TF_ACK_NOW | TF_CLOSEPEND | TF_NAGLEMEMERR));
}

static bool needs_tick(void)
{
	if (tcp_tw_pcbs)
		return true;
	for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
		if (is_waiting(pcb))
			return true;
	return false;
}

static void on_tick(void *arg)
{
	for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
		pu_flow_mend(pcb);
	tcp_tmr();
	if (needs_tick())
		pu_flow_stack_wake();
}

void pu_flow_stack_wake(void)
{
	struct pu_list *first = pu_list_first(&stack.tables);
	struct pu_flow_table *t;

	if (!first)
		return;
	t = PU_CONTAINER_OF(first, struct pu_flow_table, in_stack);
	if (!pu_timer_active(&t->tick))
		pu_timer_set(&t->tick, pu_loop_now(t->loop) + PU_MS(PU_LWIP_TICK_MS));
}

int pu_flow_stack_join(struct pu_flow_table *t)
{
	if (!stack.started) {
		stack.start_err = start();
		stack.started = true;
	}
	if (stack.start_err < 0)
		return stack.start_err;
	pu_timer_init(&t->tick, t->loop, on_tick, t);
	pu_list_append(&stack.tables, &t->in_stack);
	return 0;
}

void pu_flow_stack_leave(struct pu_flow_table *t)
{
	pu_timer_stop(&t->tick);
	pu_list_remove(&t->in_stack);
	/* The next table's timer takes over. */
	pu_flow_stack_wake();
}
