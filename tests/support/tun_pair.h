/* Two TUN devices in two network namespaces of this process, and a bridge between
 * them: side 0 is 10.64.1.1 and fd00::1, side 1 is 10.64.1.2 and fd00::2. */
#ifndef PU_TESTS_SUPPORT_TUN_PAIR_H
#define PU_TESTS_SUPPORT_TUN_PAIR_H

#include "tun/offload.h"
#include "tun/reader.h"

enum tun_pair_mode {
	TUN_PAIR_WHOLE,    /* super-packets pass as they are */
	TUN_PAIR_CUT_JOIN, /* cut into packets, each copied, then joined */
	TUN_PAIR_COMPLETE, /* the same, checksums completed and verified on the way */
	TUN_PAIR_SINGLE,   /* cut, and each packet written on its own */
};

struct tun_pair;

struct tun_side {
	struct tun_pair *pair;
	unsigned index;
	int ns;
	struct pu_tun_device dev;
	struct pu_tun_reader *reader;
	struct pu_tun_join *join; /* towards this device */
};

struct tun_pair {
	struct tun_side side[2];
	enum tun_pair_mode mode;
	uint64_t packets[2];        /* that left the device of a side */
	uint8_t packet[PU_PKT_MAX]; /* put together */
	uint8_t frame[PU_TUN_FRAME_MAX];
};

/* The process moves into a new namespace. 0, or -1 and the reason why it may not. */
int tun_pair_open(struct tun_pair *p, unsigned mtu, const char **why);
void tun_pair_close(struct tun_pair *p);
/* A socket in the namespace of a side, or -1. */
int tun_pair_socket(struct tun_pair *p, unsigned side, int family, int type);
/* Moves what waits at the device of a side to the other. Returns the number of
 * frames, or a PU_E… code. */
int tun_pair_move(struct tun_pair *p, unsigned from);

#endif
