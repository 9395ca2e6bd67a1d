/* A relay and its clients on the simulated network. The clients speak the protocol with
 * bare messages, so that they can also speak it badly. */
#ifndef PU_TESTS_SUPPORT_RELAY_LAB_H
#define PU_TESTS_SUPPORT_RELAY_LAB_H

#include "p2p/circuit/hop.h"
#include "p2p/circuit/message.h"
#include "p2p/circuit/reader.h"
#include "support/hosts.h"

enum { LAB_PEERS = 8 };

/* What a client does when it is called. */
enum lab_answer { LAB_ACCEPT, LAB_REFUSE, LAB_SILENT, LAB_HANG_UP, LAB_NONSENSE };

/* One end of a stream to the relay: first a message, then a known sequence of bytes. */
struct lab_stream {
	struct pu_stream *st; /* NULL when it is over */
	enum pu_circuit_protocol protocol;
	enum lab_answer answer; /* stop streams */
	struct pu_circuit_reader reader;
	bool answered;               /* m is valid */
	struct pu_circuit_message m; /* from the relay */
	size_t got, sent, to_send;
	bool hold;   /* reads nothing behind the message */
	bool wrong;  /* a byte was not the one that belongs there */
	bool eof, closed;
	int err;
	uint32_t code;
};

struct lab_peer {
	struct test_host t;
	enum lab_answer answer;
	struct lab_stream called; /* the last one */
	unsigned n_called;
};

struct relay_lab {
	struct pu_sim *sim;
	struct test_host relay;
	struct pu_hop_options opt; /* change between init and start */
	struct pu_hop *hop;
	unsigned n;
	struct lab_peer peer[LAB_PEERS];
	bool quic;
};

/* Relay at 11.0.0.1 and fd01::1, clients not yet there. */
struct relay_lab *relay_lab_new(bool quic);
void relay_lab_start(struct relay_lab *lab);
/* Client number i, at 11.0.1.<i+1> or the given addresses. */
struct lab_peer *relay_lab_add(struct relay_lab *lab, const char *ip4, const char *ip6);
void relay_lab_free(struct relay_lab *lab);

/* Opens a hop stream; nothing is sent. False when that fails. */
bool lab_open(struct relay_lab *lab, struct lab_peer *p, struct lab_stream *s);
/* Sends a message on it. */
void lab_say(struct lab_stream *s, enum pu_circuit_type type, const struct lab_peer *about);
/* Opens, sends and waits for the answer: its status, 0 when the stream ended instead. */
unsigned lab_reserve(struct relay_lab *lab, struct lab_peer *p, struct lab_stream *s);
unsigned lab_connect(struct relay_lab *lab, struct lab_peer *p, const struct lab_peer *to,
		     struct lab_stream *s);
/* Waits for the answer. */
unsigned lab_wait(struct relay_lab *lab, struct lab_stream *s, pu_time limit);
/* Sends so many more bytes as they fit. */
void lab_send(struct lab_stream *s, size_t n);
/* Reads again after hold. */
void lab_unhold(struct lab_stream *s);
void lab_close(struct lab_stream *s);
void lab_reset(struct lab_stream *s, uint32_t code);
struct pu_hop_stats lab_stats(const struct relay_lab *lab);

#endif
