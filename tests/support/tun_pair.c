#include "support/tun_pair.h"

#include <errno.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"

enum { FRAMES_PER_TURN = 64, ADDRESS_PATIENCE_MS = 5000 };

/* <linux/ipv6.h> has it, and does not go together with <netinet/in.h>. */
struct in6_request {
	struct in6_addr addr;
	uint32_t prefix_len;
	int ifindex;
};

static uint32_t classify(void *arg, struct pu_tun_frame *f)
{
	return 1;
}

static void put_together(struct tun_side *s, const struct pu_pkt *pkt)
{
	uint8_t *p = s->pair->packet;
	size_t len = pu_pkt_len(pkt);
	unsigned flags = pkt->flags;
	struct pu_packet k;

	memcpy(p, pkt->head.p, pkt->head.len);
	if (pkt->body.len)
		memcpy(p + pkt->head.len, pkt->body.p, pkt->body.len);
	if (s->pair->mode != TUN_PAIR_CUT_JOIN && (flags & PU_PKT_CSUM_PARTIAL) &&
	    pu_packet_parse(&k, p, len, len) == 0) {
		pu_packet_complete_checksum(p, len, pu_bytes(NULL, 0), &k);
		flags = 0;
	}
	s = &s->pair->side[!s->index];
	if (s->pair->mode == TUN_PAIR_SINGLE)
		pu_tun_write_packet(&s->dev, p, len);
	else
		pu_tun_join_add(s->join, p, len, flags);
}

static void take(void *arg, uint32_t handle, struct pu_pkt *pkts, size_t n)
{
	struct tun_side *s = arg;

	s->pair->packets[s->index] += n;
	for (size_t i = 0; i < n; i++)
		put_together(s, &pkts[i]);
}

static int move_whole(struct tun_side *from, struct tun_side *to)
{
	uint8_t *frame = from->pair->frame;
	int n, n_frames;

	for (n_frames = 0; n_frames < FRAMES_PER_TURN; n_frames++) {
		struct iovec iov = { frame, 0 };

		n = pu_tun_device_read(&from->dev, frame, PU_TUN_FRAME_MAX);
		if (n < 0)
			return n == PU_EAGAIN ? n_frames : n;
		iov.iov_len = (size_t)n;
		pu_tun_device_write(&to->dev, &iov, 1);
	}
	return n_frames;
}

int tun_pair_move(struct tun_pair *p, unsigned from)
{
	int n;

	if (p->mode == TUN_PAIR_WHOLE)
		return move_whole(&p->side[from], &p->side[!from]);
	n = pu_tun_reader_run(p->side[from].reader, FRAMES_PER_TURN);
	pu_tun_join_flush(p->side[!from].join);
	return n;
}

static int configure4(const char *name, unsigned index, unsigned mtu)
{
	struct ifreq ifr = { 0 };
	struct sockaddr_in *sin = (struct sockaddr_in *)&ifr.ifr_addr;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = -1;

	snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(0x0a400101 + index);
	if (fd < 0 || ioctl(fd, SIOCSIFADDR, &ifr) < 0)
		goto out;
	sin->sin_addr.s_addr = htonl(0xffffff00);
	if (ioctl(fd, SIOCSIFNETMASK, &ifr) < 0)
		goto out;
	ifr.ifr_mtu = (int)mtu;
	if (ioctl(fd, SIOCSIFMTU, &ifr) < 0)
		goto out;
	ifr.ifr_qlen = 5000;
	if (ioctl(fd, SIOCSIFTXQLEN, &ifr) < 0 || ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		goto out;
	ifr.ifr_flags |= IFF_UP;
	r = ioctl(fd, SIOCSIFFLAGS, &ifr);
out:
	close(fd);
	return r;
}

/* A new IPv6 address is of use only when the kernel's worker has looked at it. */
static int wait_for(int fd, const struct in6_addr *addr)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_addr = *addr };

	for (int ms = 0; ms < ADDRESS_PATIENCE_MS; ms++) {
		if (bind(fd, (struct sockaddr *)&sin6, sizeof sin6) == 0)
			return 0;
		poll(NULL, 0, 1);
	}
	return -1;
}

static int configure6(const char *name, unsigned index)
{
	struct in6_request req = { .prefix_len = 64, .ifindex = (int)if_nametoindex(name) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = -1;

	req.addr.s6_addr[0] = 0xfd;
	req.addr.s6_addr[15] = (uint8_t)(1 + index);
	if (fd >= 0 && ioctl(fd, SIOCSIFADDR, &req) == 0)
		r = wait_for(fd, &req.addr);
	close(fd);
	return r;
}

static int open_side(struct tun_pair *p, unsigned index, unsigned mtu, const char **why)
{
	static const struct pu_tun_reader_events ev = { classify, take };
	struct tun_side *s = &p->side[index];
	int r;

	*why = "no new network namespace";
	if (unshare(CLONE_NEWNET) < 0 &&
	    (errno != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0))
		return -1;
	s->pair = p;
	s->index = index;
	s->ns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	r = pu_tun_device_open(&s->dev, index ? "side1" : "side0");
	*why = pu_err_text(r);
	if (r < 0)
		return -1;
	*why = "the device cannot be configured";
	if (configure4(s->dev.name, index, mtu) < 0 || configure6(s->dev.name, index) < 0)
		return -1;
	*why = "out of memory";
	r = pu_tun_reader_new(&s->dev, &ev, s, &s->reader);
	return r < 0 ? -1 : pu_tun_join_new(&s->dev, &s->join);
}

int tun_pair_open(struct tun_pair *p, unsigned mtu, const char **why)
{
	memset(p, 0, sizeof *p);
	for (unsigned i = 0; i < 2; i++)
		p->side[i].ns = p->side[i].dev.fd = -1;
	for (unsigned i = 0; i < 2; i++) {
		if (open_side(p, i, mtu, why) < 0) {
			tun_pair_close(p);
			return -1;
		}
	}
	return 0;
}

void tun_pair_close(struct tun_pair *p)
{
	for (unsigned i = 0; i < 2; i++) {
		struct tun_side *s = &p->side[i];

		pu_tun_reader_free(s->reader);
		pu_tun_join_free(s->join);
		pu_tun_device_close(&s->dev);
		if (s->ns >= 0)
			close(s->ns);
	}
}

int tun_pair_socket(struct tun_pair *p, unsigned side, int family, int type)
{
	if (setns(p->side[side].ns, CLONE_NEWNET) < 0)
		return -1;
	return socket(family, type | SOCK_CLOEXEC, 0);
}
