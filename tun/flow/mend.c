#include "tun/flow/mend.h"

#include "base/bytes.h"
#include "tun/flow/lwip_shim.h"

/* A segment that fast retransmission put back and no window let out lands behind
 * later ones when their time runs out too. Then the head of the queue waits for a
 * window that only the segment behind it could open. */
static void sort_unsent(struct tcp_pcb *pcb)
{
	struct tcp_seg *rest = pcb->unsent, **at, *seg;

	if (!(pcb->flags & (TF_RTO | TF_INFR)))
		return;
	pcb->unsent = NULL;
	while ((seg = rest)) {
		rest = seg->next;
		at = &pcb->unsent;
		while (*at && TCP_SEQ_LEQ(lwip_ntohl((*at)->tcphdr->seqno),
					  lwip_ntohl(seg->tcphdr->seqno)))
			at = &(*at)->next;
		seg->next = *at;
		*at = seg;
	}
}

static void drop_head(struct tcp_pcb *pcb)
{
	struct tcp_seg *seg = pcb->unsent;

	pcb->unsent = seg->next;
	pcb->snd_queuelen = (u16_t)(pcb->snd_queuelen - pbuf_clen(seg->p));
	pcb->snd_buf += seg->len;
	tcp_seg_free(seg);
	if (!pcb->unsent)
		pcb->unsent_oversize = 0;
}

/* A segment that went back to the queue although its first bytes have arrived. When
 * it is then split for a small window, its first half may lie wholly behind the
 * acknowledgement: lwIP finds it outside of any window and never sends again. */
static void trim_acked(struct tcp_pcb *pcb)
{
	struct tcp_seg *seg;

	while ((seg = pcb->unsent) && !pcb->unacked) {
		s32_t acked = (s32_t)(pcb->lastack - lwip_ntohl(seg->tcphdr->seqno));

		if (acked <= 0 || (TCPH_FLAGS(seg->tcphdr) & (TCP_SYN | TCP_FIN)))
			return;
		if (acked < seg->len && tcp_split_unsent_seg(pcb, (u16_t)acked) != ERR_OK)
			return;
		drop_head(pcb);
	}
}

/* The persist timer outlives its reason: an acknowledgement took the bytes away, or
 * others are on their way. lwIP asserts that neither happens. */
static void stop_persist_timer(struct tcp_pcb *pcb)
{
	if (!pcb->unsent || pcb->unacked)
		pcb->persist_backoff = 0;
}

/* lwIP waits seconds before it sends less than the whole of a segment that is larger
 * than the window; a sender with small segments would have filled the window. Windows
 * too small for a packet are left to the persist timer. */
static void fill_window(struct tcp_pcb *pcb)
{
	struct tcp_seg *seg = pcb->unsent;
	u32_t worth = LWIP_MIN(TCP_MSS, pcb->snd_wnd_max / 2);

	if (!seg || pcb->unacked || pcb->state < ESTABLISHED)
		return;
	if (seg->len > pcb->snd_wnd &&
	    (pcb->snd_wnd == 0 || pcb->snd_wnd < worth ||
	     tcp_split_unsent_seg(pcb, (u16_t)pcb->snd_wnd) != ERR_OK))
		return;
	tcp_output(pcb);
}

void pu_flow_mend(struct tcp_pcb *pcb)
{
	sort_unsent(pcb);
	stop_persist_timer(pcb);
	trim_acked(pcb);
	fill_window(pcb);
}
