/* The insides of packet sessions, for the files of overlay/session*.c and carrier*.c
 * alone: a session per peer, with the carriers (streams) that packets may take. */
#ifndef PU_OVERLAY_CARRIER_H
#define PU_OVERLAY_CARRIER_H

#include "base/buf.h"
#include "base/htab.h"
#include "overlay/frame.h"
#include "overlay/pktq.h"
#include "overlay/session.h"

enum pu_carrier_kind { PU_CARRIER_DATAGRAM, PU_CARRIER_STREAM };

/* One control stream (datagrams) or packet stream, opened by either side. */
struct pu_carrier {
	struct pu_list node;
	struct pu_session *session;
	struct pu_stream *st;
	enum pu_carrier_kind kind;
	bool ready;	  /* the application protocol was named */
	struct pu_buf in;  /* stream bytes of an incomplete frame or name */
	struct pu_buf out; /* the end of a frame that the stream did not take */
	uint8_t sid[8];
	size_t sid_len;
	uint64_t seen_bytes; /* of its connection, at the last look */
};

struct pu_session {
	struct pu_hnode hnode;
	struct pu_list node;
	struct pu_sessions *owner;
	struct pu_peerid peer;
	struct pu_list controls;
	struct pu_carrier *tx; /* the carrier in use, NULL when there is none */
	struct pu_host_request *req;
	struct pu_pktq queue;
	struct pu_pktq early; /* datagrams that overtook their control stream */
	struct pu_frame_halves halves;
	uint16_t half_id;
	struct pu_session_stats stats;
};

struct pu_sessions {
	struct pu_host *host;
	const struct pu_session_events *ev;
	void *arg;
	struct pu_host_observer observer;
	struct pu_htab by_peer;
	struct pu_list sessions;
	struct pu_timer tidy; /* gives the memory of idle queues back */
	struct pu_timer retire; /* closes carriers that were left behind */
	struct pu_session *last; /* of the last packet, either direction */
};

static inline pu_time pu_session_now(const struct pu_sessions *o)
{
	return pu_loop_now(pu_host_loop(o->host));
}

/* The session of a peer, made if need be. NULL: no memory. */
struct pu_session *pu_session_find_or_new(struct pu_sessions *o, const struct pu_peerid *peer);

/* --- carrier.c: which streams there are -------------------------------------------- */

/* Makes the best ready carrier the one in use. */
void pu_carrier_choose(struct pu_session *s);
/* Starts opening a carrier on the best connection unless it has one. When the peer
 * cannot be reached the queue is given up. */
void pu_carrier_ensure(struct pu_session *s);
/* Closes those of ours that are not on the best connection and have not been used since
 * the last call. How many are left to be looked at. */
unsigned pu_carrier_retire(struct pu_session *s);
/* The peer named the application protocol: packets may flow. */
void pu_carrier_ready(struct pu_carrier *c);
/* Resets the stream and forgets the carrier. */
void pu_carrier_reset(struct pu_carrier *c, uint32_t code);
/* Memory only; the stream is gone or given away. */
void pu_carrier_free(struct pu_carrier *c);
/* Protocol handlers; arg is the struct pu_sessions. */
void pu_carrier_on_control_stream(void *arg, struct pu_stream *st);
void pu_carrier_on_packet_stream(void *arg, struct pu_stream *st);

/* --- carrier_in.c: from the peer ------------------------------------------------- */

/* The ready datagram carrier with that stream, or NULL. */
struct pu_carrier *pu_carrier_find(struct pu_session *s, const struct pu_conn *conn, uint64_t sid);
/* One frame body. */
void pu_carrier_deliver(struct pu_session *s, struct pu_bytes body);
/* A whole datagram whose control stream is not there yet; and those of conn again. */
void pu_carrier_keep_early(struct pu_session *s, struct pu_bytes dg);
void pu_carrier_deliver_early(struct pu_session *s, const struct pu_conn *conn);
/* Stream bytes: frames of a packet stream; the protocol name of a control stream.
 * Both may reset the carrier. */
void pu_carrier_recv_packets(struct pu_carrier *c, const uint8_t *p, size_t len);
void pu_carrier_recv_name(struct pu_carrier *c, const uint8_t *p, size_t len);

/* --- carrier_out.c: to the peer --------------------------------------------------- */

/* One packet over the carrier in use (s->tx is set). PU_EAGAIN: not now; PU_E2BIG and
 * others: lost. */
int pu_carrier_send(struct pu_session *s, const struct pu_pkt *pkt);
/* Sends from the queue what is not older than max_age, until the carrier is full. */
void pu_carrier_flush(struct pu_session *s, pu_time max_age);

#endif
