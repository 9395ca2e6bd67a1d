#include "tun/reader.h"

#include <stdlib.h>

#include "base/err.h"
#include "tun/cut.h"

/* Small frames are read behind one another, so that packets of several frames leave
 * in one send(); with large ones the same memory, warm in the cache, serves each. */
enum { READ_ROOM = PU_TUN_FRAME_MAX + 64 * 1024 };

struct pu_tun_reader {
	struct pu_tun_device *dev;
	struct pu_tun_reader_events ev;
	void *arg;
	size_t used;     /* of room, by frames whose packets wait */
	uint32_t handle; /* for whom they wait */
	size_t n;        /* how many */
	struct pu_tun_reader_stats stats;
	struct pu_pkt pkt[PU_PKT_BATCH_MAX];
	uint8_t head[PU_PKT_BATCH_MAX][PU_TUN_HEAD_MAX];
	_Alignas(8) uint8_t room[READ_ROOM];
};

int pu_tun_reader_new(struct pu_tun_device *dev, const struct pu_tun_reader_events *ev, void *arg,
		      struct pu_tun_reader **pr)
{
	struct pu_tun_reader *r = calloc(1, sizeof *r);

	if (!r)
		return PU_ENOMEM;
	r->dev = dev;
	r->ev = *ev;
	r->arg = arg;
	*pr = r;
	return 0;
}

void pu_tun_reader_free(struct pu_tun_reader *r)
{
	free(r);
}

void pu_tun_reader_stats(const struct pu_tun_reader *r, struct pu_tun_reader_stats *out)
{
	*out = r->stats;
}

static void send_waiting(struct pu_tun_reader *r)
{
	size_t n = r->n;

	if (n == 0)
		return;
	r->n = 0;
	r->stats.packets += n;
	r->stats.calls++;
	r->ev.send(r->arg, r->handle, r->pkt, n);
}

static void cut(struct pu_tun_reader *r, const struct pu_tun_frame *f)
{
	struct pu_tun_cutter c;
	size_t n;

	pu_tun_cutter_init(&c, f);
	for (;;) {
		n = pu_tun_cutter_next(&c, r->pkt + r->n, r->head + r->n,
				       PU_PKT_BATCH_MAX - r->n);
		r->n += n;
		if (r->n < PU_PKT_BATCH_MAX)
			return;
		send_waiting(r);
	}
}

static void take_frame(struct pu_tun_reader *r, size_t len)
{
	struct pu_tun_frame f;
	uint32_t handle;

	r->stats.frames++;
	r->stats.bytes += len > PU_TUN_VNET_LEN ? len - PU_TUN_VNET_LEN : 0;
	if (pu_tun_frame_parse(&f, r->room + r->used, len) < 0) {
		r->stats.malformed++;
		return;
	}
	handle = r->ev.classify(r->arg, &f);
	if (handle == 0)
		return;
	if (handle != r->handle)
		send_waiting(r);
	r->handle = handle;
	cut(r, &f);
	r->used += (len + 7) & ~(size_t)7;
	if (r->used > READ_ROOM - PU_TUN_FRAME_MAX)
		send_waiting(r);
	if (r->n == 0)
		r->used = 0;
}

int pu_tun_reader_run(struct pu_tun_reader *r, unsigned max_frames)
{
	unsigned n_frames = 0;
	int n = 0;

	while (n_frames < max_frames) {
		n = pu_tun_device_read(r->dev, r->room + r->used, PU_TUN_FRAME_MAX);
		if (n < 0)
			break;
		take_frame(r, (size_t)n);
		n_frames++;
	}
	send_waiting(r);
	r->used = 0;
	return n < 0 && n != PU_EAGAIN ? n : (int)n_frames;
}
