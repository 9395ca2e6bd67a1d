/* One connection inside lwIP. The callbacks below run inside ip4_input() and
 * tcp_tmr(): they only take notes, and pu_flow_touch() has the owner told later. */
#include "tun/flow/flow_internal.h"

#include "base/err.h"
#include "tun/flow/lwip_shim.h"
#include "tun/flow/mend.h"

enum {
	TX_FLOW_MAX = 1u << 20,   /* unacknowledged bytes of a flow … */
	TX_FLOW_MIN = 16u << 10,  /* … and when there are many */
	TX_TABLE_MAX = 64u << 20, /* of a table */
	RX_PIECES_MAX = 32,       /* then small ones are joined */
	/* Congestion does not happen between us and the kernel. */
	CWND = 4u << 20,
};

static void forget(struct pu_flow *f)
{
	tcp_arg(f->pcb, NULL);
	tcp_recv(f->pcb, NULL);
	tcp_sent(f->pcb, NULL);
	tcp_err(f->pcb, NULL);
	f->pcb = NULL;
}

static void on_err(void *arg, err_t err)
{
	struct pu_flow *f = arg;

	f->pcb = NULL;
	pu_flow_ended(f, err == ERR_CLSD ? 0 : err == ERR_RST ? PU_ERESET : PU_ETIMEDOUT);
}

/* Small pieces cost more than they hold. */
static void queue(struct pu_flow *f, struct pbuf *p)
{
	if (!f->rx) {
		f->rx = p;
		return;
	}
	pbuf_cat(f->rx, p);
	if (pbuf_clen(f->rx) > RX_PIECES_MAX)
		f->rx = pbuf_coalesce(f->rx, PBUF_RAW);
}

/* The owner has gone. What arrives before the other side has everything is of no
 * use; what arrives later gets the answer that a closed socket gives. */
static err_t discard(struct pu_flow *f, struct tcp_pcb *pcb, struct pbuf *p)
{
	u16_t len = p->tot_len;

	pbuf_free(p);
	if (pcb->state == FIN_WAIT_2) {
		forget(f);
		tcp_abort(pcb);
		pu_flow_ended(f, PU_ERESET);
		return ERR_ABRT;
	}
	tcp_recved(pcb, len);
	return ERR_OK;
}

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct pu_flow *f = arg;

	if (p && !f->owned)
		return discard(f, pcb, p);
	if (p)
		queue(f, p);
	else
		f->rx_fin = true;
	pu_flow_touch(f);
	return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
	struct pu_flow *f = arg;

	if (f->want_write || f->fin_wanted)
		pu_flow_touch(f);
	return ERR_OK;
}

/* The listener's pcb of the SYN that was just let in is the newest one. */
static struct tcp_pcb *newest(uint32_t number)
{
	struct tcp_pcb *pcb = tcp_active_pcbs;

	if (!pcb || pcb->state != SYN_RCVD ||
	    ip4_addr_get_u32(ip_2_ip4(&pcb->remote_ip)) != lwip_htonl(number))
		return NULL;
	return pcb;
}

int pu_flow_tcp_open(struct pu_flow *f)
{
	f->state = FLOW_OPENING;
	pu_flow_stack_input(f, f->syn, &f->syn_info);
	f->pcb = newest(f->number);
	if (!f->pcb)
		return PU_ENOMEM;
	tcp_arg(f->pcb, f);
	tcp_err(f->pcb, on_err);
	return 0;
}

int pu_flow_tcp_accept(struct pu_flow *f)
{
	struct tcp_pcb *pcb = f->pcb;

	/* Public fields that nothing in lwIP derives again. One segment of this size
	 * becomes one super-packet. */
	pcb->mss = PU_FLOW_SEGMENT_MAX;
	pcb->snd_buf = TX_FLOW_MAX;
	tcp_nagle_disable(pcb);
	tcp_recv(pcb, on_recv);
	tcp_sent(pcb, on_sent);
	f->state = FLOW_OPEN;
	f->fresh = true;
	f->table->stats.accepted++;
	pu_flow_touch(f);
	return ERR_OK;
}

void pu_flow_tcp_input(struct pu_flow *f, const uint8_t *ip, const struct pu_packet *info)
{
	struct tcp_pcb *pcb;

	f->active = true;
	pu_flow_stack_input(f, ip, info);
	pcb = f->pcb;
	if (!pcb)
		return;
	if (pcb->state == TIME_WAIT) {
		/* Nothing of this connection is on its way any more. */
		forget(f);
		tcp_abort(pcb);
		pu_flow_ended(f, 0);
		return;
	}
	if (f->fresh) {
		f->fresh = false;
		pcb->cwnd = pcb->ssthresh = CWND;
	}
	pu_flow_mend(pcb);
	if (f->want_write)
		pu_flow_touch(f);
}

/* Bytes that may wait for their acknowledgement. It never falls to what would leave
 * nothing in flight, so an acknowledgement always follows that looks at it again. */
static size_t tx_max(const struct pu_flow *f)
{
	size_t share = TX_TABLE_MAX / pu_max(1, f->table->stats.n_flows);

	return pu_max(TX_FLOW_MIN, pu_min(TX_FLOW_MAX, share));
}

/* The largest window so far bounds the size of segments, unless it is 0: a segment
 * made then would be too large for the bound that the first real window sets, and
 * lwIP asserts that this does not happen. */
static bool has_window(const struct tcp_pcb *pcb)
{
	return pcb->snd_wnd_max / 2 > 0;
}

size_t pu_flow_tcp_room(const struct pu_flow *f)
{
	size_t used, max = tx_max(f);

	if (!f->pcb || f->state != FLOW_OPEN || f->fin_wanted || !has_window(f->pcb) ||
	    tcp_sndqueuelen(f->pcb) >= TCP_SND_QUEUELEN - 2)
		return 0;
	used = TX_FLOW_MAX - pu_min(TX_FLOW_MAX, f->pcb->snd_buf);
	return max > used ? max - used : 0;
}

bool pu_flow_tcp_has_much_room(const struct pu_flow *f)
{
	return pu_flow_tcp_room(f) >= tx_max(f) / 2;
}

size_t pu_flow_tcp_write(struct pu_flow *f, const uint8_t *p, size_t len)
{
	size_t done = 0, n;

	while (done < len) {
		n = pu_min(pu_min(len - done, pu_flow_tcp_room(f)), PU_FLOW_SEGMENT_MAX);
		if (n == 0 || tcp_write(f->pcb, p + done, (u16_t)n, TCP_WRITE_FLAG_COPY) != ERR_OK)
			break;
		done += n;
	}
	return done;
}

void pu_flow_tcp_flush(struct pu_flow *f)
{
	struct tcp_pcb *pcb = f->pcb;

	if (f->state != FLOW_OPEN || !pcb)
		return;
	if (f->taken > 0)
		tcp_recved(pcb, (u16_t)f->taken);
	f->taken = 0;
	/* A program that waits for the acknowledgement of a small write must not wait
	 * for a timer. */
	if (pcb->flags & TF_ACK_DELAY)
		tcp_ack_now(pcb);
	if (!pcb->unsent && !(pcb->flags & TF_ACK_NOW))
		return;
	tcp_output(pcb);
	pu_flow_mend(pcb);
	pu_flow_stack_wake();
}

void pu_flow_tcp_fin(struct pu_flow *f)
{
	struct tcp_pcb *pcb = f->pcb;

	/* Never a FIN in one segment with bytes: when lwIP splits such a segment, both
	 * halves carry it, and the second is lost. */
	if (f->state != FLOW_OPEN || !pcb || f->fin_sent || pcb->unsent)
		return;
	f->fin_sent = true;
	if (tcp_shutdown(pcb, 0, 1) != ERR_OK) {
		pu_flow_tcp_abort(f, true);
		pu_flow_ended(f, PU_ERESET);
	}
	pu_flow_stack_wake();
}

struct pu_bytes pu_flow_tcp_front(const struct pu_flow *f)
{
	return f->rx ? pu_bytes(f->rx->payload, f->rx->len) : pu_bytes(NULL, 0);
}

void pu_flow_tcp_taken(struct pu_flow *f, size_t len)
{
	f->rx = pbuf_free_header(f->rx, (u16_t)len);
	f->taken += len;
}

void pu_flow_tcp_drop_rx(struct pu_flow *f)
{
	if (!f->rx)
		return;
	f->taken += f->rx->tot_len;
	pbuf_free(f->rx);
	f->rx = NULL;
}

void pu_flow_tcp_abort(struct pu_flow *f, bool tell)
{
	struct tcp_pcb *pcb = f->pcb;

	if (!pcb)
		return;
	forget(f);
	tcp_abandon(pcb, tell);
}

void pu_flow_tcp_probe(struct pu_flow *f)
{
	if (f->state == FLOW_OPEN && f->pcb)
		tcp_keepalive(f->pcb);
}
