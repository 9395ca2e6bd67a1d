/* Two QUIC transports on a simulated link, what their owners heard, and streams that
 * keep what they got: the stage for the tests of p2p/transport/quic*.c. */
#ifndef PU_TESTS_SUPPORT_QUIC_PAIR_H
#define PU_TESTS_SUPPORT_QUIC_PAIR_H

#include "crypto/key.h"
#include "p2p/stack/conn.h"
#include "p2p/transport/quic.h"
#include "support/simnet.h"

enum { QP_STREAMS_MAX = 160 };

struct qp_side;

/* A stream as its consumer. */
struct qp_stream {
	struct qp_side *side;
	struct pu_stream *st; /* NULL after the end */
	uint64_t got;         /* bytes */
	uint64_t hash;        /* FNV-1a of them */
	size_t take_max;      /* per callback; SIZE_MAX: everything */
	size_t to_write;      /* pattern bytes still to write */
	uint64_t written, wrote_hash;
	bool fin_when_done;   /* shutdown after to_write */
	bool echo;            /* write back what comes */
	bool close_on_eof;
	bool eof, closed;
	int err;
	uint32_t code;
};

struct qp_side {
	struct qp_pair *p;
	struct pu_sim_node *node;
	struct pu_key key;
	struct pu_transport *t;
	struct pu_conn *c;     /* latest */
	struct pu_dial *dial;
	unsigned n_conns, n_inbound_failed, n_closed;
	int dial_err;          /* 1 until on_done */
	unsigned n_refused;    /* dials that failed with PU_EREFUSED */
	int failed_err, closed_err;
	uint64_t closed_code;
	bool refuse;           /* gate says no */
	unsigned gate_asked;
	unsigned n_streams;    /* used entries of streams */
	struct qp_stream streams[QP_STREAMS_MAX];
	bool echo;             /* inbound streams echo */
	bool hold;             /* inbound streams take nothing at first */
	uint64_t dgrams, dgram_bytes, dgram_ends, dgram_room, paths;
	void (*on_datagram)(struct qp_side *s, const uint8_t *p, size_t len);
	void (*on_room)(struct qp_side *s);
};

struct qp_pair {
	struct pu_sim *sim;
	struct qp_side a, b; /* a dials 10.0.0.1 -> 10.0.0.2 b */
	struct pu_multiaddr b_addr;
	unsigned max_pending, max_streams;
};

/* Both transports, b listening on udp/4001; link applies to both directions. */
void qp_init(struct qp_pair *p, const struct pu_sim_link *link);
void qp_deinit(struct qp_pair *p);
void qp_transport_new(struct qp_side *s);
int qp_listen(struct qp_side *s, const char *addr);
/* expected NULL: b's identity. */
int qp_dial(struct qp_pair *p, const struct pu_peerid *expected, pu_time timeout);
/* Dials and runs until both sides have a connection; asserts it. */
void qp_connect(struct qp_pair *p);
bool qp_run_until(struct qp_pair *p, bool (*cond)(void *), void *arg, pu_time limit);
/* A stream opened by s with to_write pattern bytes. */
struct qp_stream *qp_open(struct qp_side *s, size_t to_write, bool fin);
/* Makes c the latest connection of s. */
void qp_take(struct qp_side *s, struct pu_conn *c);
void qp_pump(struct qp_stream *q);
uint64_t qp_hash(uint64_t h, const uint8_t *p, size_t len);

#endif
