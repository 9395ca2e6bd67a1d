#include "p2p/circuit/message.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/wire.h"
#include "p2p/circuit/circuit.pb-c.h"
#include "p2p/proto/message.h"

/* Numbers of the types on the wire, by protocol. */
enum { HOP_RESERVE = 0, HOP_CONNECT = 1, HOP_STATUS = 2 };
enum { STOP_CONNECT = 0, STOP_STATUS = 1 };

static ProtobufCBinaryData data(const void *p, size_t len)
{
	return (ProtobufCBinaryData){ len, (uint8_t *)p };
}

/* The parts that both messages have, ready to be packed. */
struct parts {
	PuPb__CircuitPeer peer;
	PuPb__CircuitLimit limit;
	PuPb__CircuitReservation reservation;
	ProtobufCBinaryData addrs[PU_CIRCUIT_ADDRS_MAX];
};

static void fill_reservation(struct parts *w, const struct pu_circuit_reservation *rv)
{
	PuPb__CircuitReservation *m = &w->reservation;

	m->has_expire = 1;
	m->expire = (uint64_t)rv->expires;
	m->n_addrs = pu_min(rv->n_addrs, PU_CIRCUIT_ADDRS_MAX);
	m->addrs = w->addrs;
	for (size_t i = 0; i < m->n_addrs; i++)
		w->addrs[i] = data(rv->addrs[i].b, rv->addrs[i].len);
	m->has_voucher = rv->voucher_len > 0;
	m->voucher = data(rv->voucher, rv->voucher_len);
}

/* Zero fields are explicit: proto2 readers take absent ones for errors. */
static void fill(struct parts *w, const struct pu_circuit_message *m)
{
	pu_pb__circuit_peer__init(&w->peer);
	w->peer.has_id = 1;
	w->peer.id = data(m->peer.b, m->peer.len);
	pu_pb__circuit_limit__init(&w->limit);
	w->limit.has_duration = w->limit.has_data = 1;
	w->limit.duration = m->limit.duration;
	w->limit.data = m->limit.data;
	pu_pb__circuit_reservation__init(&w->reservation);
	if (m->has_reservation)
		fill_reservation(w, &m->reservation);
}

static int encode_hop(const struct pu_circuit_message *m, struct parts *w, struct pu_buf *out)
{
	PuPb__HopMessage hop = PU_PB__HOP_MESSAGE__INIT;

	hop.has_type = 1;
	hop.type = m->type == PU_CIRCUIT_RESERVE   ? HOP_RESERVE
		   : m->type == PU_CIRCUIT_CONNECT ? HOP_CONNECT
						   : HOP_STATUS;
	hop.peer = pu_peerid_empty(&m->peer) ? NULL : &w->peer;
	hop.reservation = m->has_reservation ? &w->reservation : NULL;
	hop.limit = m->has_limit ? &w->limit : NULL;
	hop.has_status = m->status != PU_CIRCUIT_UNUSED;
	hop.status = m->status;
	return pu_message_append(&hop.base, PU_CIRCUIT_MESSAGE_MAX, out);
}

static int encode_stop(const struct pu_circuit_message *m, struct parts *w, struct pu_buf *out)
{
	PuPb__StopMessage stop = PU_PB__STOP_MESSAGE__INIT;

	if (m->type == PU_CIRCUIT_RESERVE)
		return PU_EINVAL;
	stop.has_type = 1;
	stop.type = m->type == PU_CIRCUIT_CONNECT ? STOP_CONNECT : STOP_STATUS;
	stop.peer = pu_peerid_empty(&m->peer) ? NULL : &w->peer;
	stop.limit = m->has_limit ? &w->limit : NULL;
	stop.has_status = m->status != PU_CIRCUIT_UNUSED;
	stop.status = m->status;
	return pu_message_append(&stop.base, PU_CIRCUIT_MESSAGE_MAX, out);
}

int pu_circuit_message_encode(enum pu_circuit_protocol protocol,
			      const struct pu_circuit_message *m, struct pu_buf *out)
{
	struct parts w;

	if (m->type == PU_CIRCUIT_UNKNOWN)
		return PU_EINVAL;
	fill(&w, m);
	return protocol == PU_CIRCUIT_HOP ? encode_hop(m, &w, out) : encode_stop(m, &w, out);
}

static int take_peer(const PuPb__CircuitPeer *peer, struct pu_circuit_message *m)
{
	if (!peer)
		return 0;
	return pu_peerid_from_bytes(&m->peer, pu_bytes(peer->id.data, peer->id.len)) < 0
		       ? PU_EPROTO
		       : 0;
}

static void take_limit(const PuPb__CircuitLimit *limit, struct pu_circuit_message *m)
{
	if (!limit)
		return;
	m->has_limit = true;
	m->limit.duration = limit->duration;
	m->limit.data = limit->data;
}

static int take_reservation(const PuPb__CircuitReservation *rv, struct pu_circuit_message *m)
{
	struct pu_circuit_reservation *to = &m->reservation;

	if (!rv)
		return 0;
	if (rv->expire > INT64_MAX || rv->voucher.len > PU_CIRCUIT_VOUCHER_MAX)
		return PU_EPROTO;
	m->has_reservation = true;
	to->expires = (int64_t)rv->expire;
	for (size_t i = 0; i < rv->n_addrs && to->n_addrs < PU_CIRCUIT_ADDRS_MAX; i++) {
		struct pu_bytes b = pu_bytes(rv->addrs[i].data, rv->addrs[i].len);

		if (pu_multiaddr_from_bytes(&to->addrs[to->n_addrs], b) == 0)
			to->n_addrs++;
	}
	to->voucher_len = rv->voucher.len;
	if (rv->voucher.len)
		memcpy(to->voucher, rv->voucher.data, rv->voucher.len);
	return 0;
}

static enum pu_circuit_type hop_type(uint32_t type)
{
	return type == HOP_RESERVE   ? PU_CIRCUIT_RESERVE
	       : type == HOP_CONNECT ? PU_CIRCUIT_CONNECT
	       : type == HOP_STATUS  ? PU_CIRCUIT_STATUS
				     : PU_CIRCUIT_UNKNOWN;
}

static enum pu_circuit_type stop_type(uint32_t type)
{
	return type == STOP_CONNECT  ? PU_CIRCUIT_CONNECT
	       : type == STOP_STATUS ? PU_CIRCUIT_STATUS
				     : PU_CIRCUIT_UNKNOWN;
}

static int decode_hop(struct pu_bytes in, struct pu_circuit_message *m)
{
	PuPb__HopMessage *hop = pu_pb__hop_message__unpack(NULL, in.len, in.p);
	int r;

	if (!hop)
		return PU_EPROTO;
	m->type = hop_type(hop->type);
	m->status = hop->status;
	take_limit(hop->limit, m);
	r = take_peer(hop->peer, m);
	if (r == 0)
		r = take_reservation(hop->reservation, m);
	pu_pb__hop_message__free_unpacked(hop, NULL);
	return r;
}

static int decode_stop(struct pu_bytes in, struct pu_circuit_message *m)
{
	PuPb__StopMessage *stop = pu_pb__stop_message__unpack(NULL, in.len, in.p);
	int r;

	if (!stop)
		return PU_EPROTO;
	m->type = stop_type(stop->type);
	m->status = stop->status;
	take_limit(stop->limit, m);
	r = take_peer(stop->peer, m);
	pu_pb__stop_message__free_unpacked(stop, NULL);
	return r;
}

int pu_circuit_message_decode(enum pu_circuit_protocol protocol, struct pu_bytes in,
			      struct pu_circuit_message *m)
{
	if (in.len > PU_CIRCUIT_MESSAGE_MAX)
		return PU_EPROTO;
	memset(m, 0, sizeof *m);
	return protocol == PU_CIRCUIT_HOP ? decode_hop(in, m) : decode_stop(in, m);
}

const char *pu_circuit_message_status_name(uint32_t status)
{
	switch (status) {
	case PU_CIRCUIT_UNUSED:
		return "no status";
	case PU_CIRCUIT_OK:
		return "OK";
	case PU_CIRCUIT_RESERVATION_REFUSED:
		return "RESERVATION_REFUSED";
	case PU_CIRCUIT_RESOURCE_LIMIT_EXCEEDED:
		return "RESOURCE_LIMIT_EXCEEDED";
	case PU_CIRCUIT_PERMISSION_DENIED:
		return "PERMISSION_DENIED";
	case PU_CIRCUIT_CONNECTION_FAILED:
		return "CONNECTION_FAILED";
	case PU_CIRCUIT_NO_RESERVATION:
		return "NO_RESERVATION";
	case PU_CIRCUIT_MALFORMED_MESSAGE:
		return "MALFORMED_MESSAGE";
	case PU_CIRCUIT_UNEXPECTED_MESSAGE:
		return "UNEXPECTED_MESSAGE";
	}
	return "unknown status";
}
