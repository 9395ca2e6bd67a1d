/* From the device to the peers: reads frames in batches, asks once per frame whose
 * it is, cuts what goes to a peer into packets and hands them over in batches.
 *
 * No loop here: the owner watches dev->fd and calls pu_tun_reader_run() when it is
 * readable. What is not for a peer is answered with the pu_tun_answer_…() calls. */
#ifndef PU_TUN_READER_H
#define PU_TUN_READER_H

#include "tun/frame.h"
#include "tun/icmp_limit.h"

struct pu_tun_reader_events {
	/* Whose frame is this (a whole super-packet, parsed)? The handle of a peer, or 0
	 * when the frame was dropped, answered or given to a flow. Before returning a
	 * handle the callee may change addresses in place:
	 *   pu_packet_rewrite(pu_tun_frame_ip(f), &f->info, f->flags, src, dst);
	 * f is gone after return. What is too big for the peer's path is seen from
	 * f->packet_max. */
	uint32_t (*classify)(void *arg, struct pu_tun_frame *f);
	/* Packets for one peer in the order of the device, n <= PU_PKT_BATCH_MAX. They
	 * are borrowed until return; head bytes may be changed, body bytes may not.
	 * Called from inside pu_tun_reader_run() only, and everything read in a run has
	 * been sent when it returns. */
	void (*send)(void *arg, uint32_t handle, struct pu_pkt *pkts, size_t n);
};

struct pu_tun_reader;

/* dev outlives the reader. PU_ENOMEM. */
int pu_tun_reader_new(struct pu_tun_device *dev, const struct pu_tun_reader_events *ev, void *arg,
		      struct pu_tun_reader **pr);
/* Not from inside a callback. */
void pu_tun_reader_free(struct pu_tun_reader *r);
/* Reads up to max_frames frames. Returns how many were read: fewer than max_frames
 * means that the device is empty; PU_EIO: the device is down or gone (what was read
 * before has been sent). */
int pu_tun_reader_run(struct pu_tun_reader *r, unsigned max_frames);

struct pu_tun_reader_stats {
	uint64_t frames, bytes; /* read, virtio headers not counted */
	uint64_t malformed;     /* frames dropped because of that */
	uint64_t packets;       /* sent to peers */
	uint64_t calls;         /* of send() */
};
void pu_tun_reader_stats(const struct pu_tun_reader *r, struct pu_tun_reader_stats *out);

/* Writes one complete IP packet to the device. As pu_tun_device_write(). */
int pu_tun_write_packet(struct pu_tun_device *dev, const uint8_t *ip, size_t len);
/* Answers a frame with an ICMP error, unless the standards forbid it or the limit
 * is exhausted (both PU_EDENIED). Otherwise as pu_tun_write_packet(); PU_EINVAL: from is
 * of the other family. */
int pu_tun_answer_error(struct pu_tun_device *dev, struct pu_icmp_limit *limit, pu_time now,
			const struct pu_tun_frame *f, enum pu_icmp_error what, uint32_t mtu,
			const struct pu_ip *from);
/* Answers an echo request from the address it was sent to; the frame becomes the
 * reply. PU_EINVAL: not an echo request. */
int pu_tun_answer_echo(struct pu_tun_device *dev, struct pu_tun_frame *f);
/* Answers a TCP SYN with "connection refused". PU_EDENIED: a reset itself. */
int pu_tun_answer_refuse(struct pu_tun_device *dev, const struct pu_tun_frame *f);

#endif
