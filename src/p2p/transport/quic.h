/* QUIC v1 as a transport (libp2p /quic-v1) on ngtcp2 and GnuTLS.
 *
 * An outbound connection is reported when the server has confirmed the handshake:
 * one round trip after our side is complete, but then the peer has judged our
 * certificate and its gate has let us in, so a refusal is an error of the dial and
 * not a connection that dies at birth. An inbound one is reported as soon as the
 * client's Finished was verified, before any packet goes out.
 *
 * Freeing the transport ends its connections without on_closed: close them first. */
#ifndef PU_P2P_TRANSPORT_QUIC_H
#define PU_P2P_TRANSPORT_QUIC_H

#include "p2p/transport/transport.h"

struct pu_quic;

struct pu_quic_stats {
	uint64_t rx_packets, tx_packets; /* UDP datagrams */
	uint64_t rx_bytes, tx_bytes;
	uint64_t tx_batches;     /* sends; tx_packets / tx_batches = GSO gain */
	uint64_t tx_dropped;     /* the kernel refused them */
	uint64_t stray;          /* packets for no connection */
	uint64_t retries, resets, negotiations;
	uint64_t refused;        /* Initials beyond the limit of handshakes */
	uint64_t datagrams_blocked; /* sends answered with PU_EAGAIN */
	uint64_t black_holes;
};

void pu_quic_transport_stats(const struct pu_transport *t, struct pu_quic_stats *out);

#endif
