/* Hosts on nodes of the simulated network. */
#ifndef PU_TESTS_SUPPORT_HOSTS_H
#define PU_TESTS_SUPPORT_HOSTS_H

#include "p2p/host/host.h"
#include "support/simnet.h"

/* One node with one host, and what it saw. */
struct test_host {
	struct pu_sim *sim;
	struct pu_sim_node *node;
	struct pu_key key;
	struct pu_host_config cfg; /* change it between init and start */
	bool ws;                   /* with the WebSocket transport; likewise */
	const char *trust_file;    /* of that; NULL: the system's */
	struct pu_host *h;
	struct pu_host_observer observer;
	unsigned connected, disconnected, identified, paths, addrs;
	unsigned bests, suspected, recovered;
	int closed_err;
	uint64_t closed_code;
	bool last;
	bool stopped;
};

/* Deterministic identity n; IP addresses may be NULL. */
void test_host_init(struct test_host *t, struct pu_sim *sim, unsigned n, const char *ip4,
		    const char *ip6);
/* Makes the host; it listens on the text addresses (NULL ends the list), with the
 * node's IP addresses as interface addresses. */
void test_host_start(struct test_host *t, const char *const *listen);
/* Stops the host and runs the simulation until it has stopped; frees it. Every socket
 * of the node must be closed then. */
void test_host_stop(struct test_host *t);
/* a knows all addresses of b as permanent ones. */
void test_host_introduce(struct test_host *a, const struct test_host *b);

struct test_dial {
	bool done;
	int err;
	struct pu_conn *c;
	struct pu_stream *st;
	pu_time took;
	pu_time since;
	struct pu_sim *sim;
	struct pu_host_request *req;
	const struct pu_stream_events *ev; /* for the opened stream */
	void *arg;
};

/* Begins and waits up to limit; the outcome is in d. */
void test_connect(struct test_host *a, const struct test_host *b, struct test_dial *d, pu_time limit);
/* protocols ends with NULL. Events of d are set on the stream. */
void test_open(struct test_host *a, const struct test_host *b, const char *const *protocols,
	       struct test_dial *d, pu_time limit);

/* A consumer that collects what it hears. */
struct test_sink {
	uint8_t data[65536]; /* the beginning */
	size_t len;          /* of everything */
	bool eof, closed;
	int err;
	uint32_t code;
	unsigned writable;
	struct pu_stream *st;
	bool echo;      /* writes back what it gets, closes after eof */
	bool hold;      /* takes nothing */
};

extern const struct pu_stream_events test_sink_events;
/* A handler: arg is a struct test_sink. */
void test_sink_accept(void *arg, struct pu_stream *st);

#endif
