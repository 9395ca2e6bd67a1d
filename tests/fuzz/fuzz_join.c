/* A stranger's packets into the join: [flags][length, 2 bytes][packet] again and
 * again. Each frame that comes out is one the device itself could have made, and
 * cutting it gives as many packets as went in. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/wire.h"
#include "tun/frame.h"
#include "tun/offload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static unsigned take_frames(int fd)
{
	static uint8_t frame[PU_TUN_FRAME_MAX + 1];
	struct pu_tun_frame f;
	unsigned n_packets = 0;
	ssize_t n;

	while ((n = read(fd, frame, sizeof frame)) > 0) {
		check(pu_tun_frame_parse(&f, frame, (size_t)n) == 0);
		check(f.n_packets == 1 || (f.flags & PU_PKT_CSUM_PARTIAL));
		n_packets += f.n_packets;
	}
	return n_packets;
}

static void add_packets(struct pu_tun_join *j, int fd, struct pu_rd *r)
{
	unsigned n_in = 0, n_out = 0;

	while (r->left > 0) {
		uint8_t flags = pu_rd_u8(r);
		struct pu_bytes b = pu_rd_bytes(r, pu_rd_be16(r));
		uint8_t *p = malloc(b.len ? b.len : 1);

		check(p != NULL);
		if (b.len)
			memcpy(p, b.p, b.len);
		if (!r->err)
			n_in += pu_tun_join_add(j, p, b.len, flags & 1) == 0;
		free(p);
		n_out += take_frames(fd);
		if (r->err)
			break;
		if (flags & 2)
			pu_tun_join_flush(j);
	}
	pu_tun_join_flush(j);
	n_out += take_frames(fd);
	check(n_in == n_out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pu_rd r = pu_rd_init(data, size);
	struct pu_tun_device dev = { .uso = true };
	struct pu_tun_join *j;
	int fd[2], big = 4 << 20;

	if (size > 60000) /* what eight open frames and the socket hold */
		return 0;
	check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd) == 0);
	setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
	dev.fd = fd[0];
	check(pu_tun_join_new(&dev, &j) == 0);
	add_packets(j, fd[1], &r);
	pu_tun_join_free(j);
	close(fd[0]);
	close(fd[1]);
	return 0;
}
