/* A frame as from the device: what is cut from it is whole and nothing is lost. */
#include <stdlib.h>

#include "tun/cut.h"
#include "tun/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_packet(const struct pu_tun_frame *f, const struct pu_pkt *pkt)
{
	struct pu_packet k;

	check(pu_packet_parse(&k, pkt->head.p, pkt->head.len, pu_pkt_len(pkt)) == 0);
	check(k.proto == f->info.proto && k.sport == f->info.sport);
	check(pu_pkt_len(pkt) <= f->packet_max);
	if (pkt->flags & PU_PKT_CSUM_PARTIAL)
		check(k.transport_len > 0 && !k.fragment);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pu_tun_cut all;
	uint8_t head[3][PU_TUN_HEAD_MAX];
	struct pu_tun_cutter c;
	struct pu_tun_frame f;
	struct pu_pkt pkt[3];
	uint8_t *frame = malloc(size ? size : 1);
	size_t n, n_packets = 0, payload = 0;
	int r;

	check(frame != NULL);
	memcpy(frame, data, size);
	r = pu_tun_frame_parse(&f, frame, size);
	if (r == 0) {
		pu_tun_cutter_init(&c, &f);
		while ((n = pu_tun_cutter_next(&c, pkt, head, 3)) > 0) {
			for (size_t i = 0; i < n; i++) {
				check_packet(&f, &pkt[i]);
				payload += pu_pkt_len(&pkt[i]) - f.head_len;
			}
			n_packets += n;
		}
		check(n_packets == f.n_packets);
		check(payload == (size_t)f.info.total_len - f.head_len);
		r = pu_tun_cut_frame(&all, frame, size);
		check(n_packets > PU_TUN_SEGMENTS_MAX ? r < 0 : r == (int)n_packets);
	} else {
		check(pu_tun_cut_frame(&all, frame, size) == r);
	}
	free(frame);
	return 0;
}
