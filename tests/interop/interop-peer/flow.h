/* The test protocols of every peer (../README.md), both sides. */
#ifndef PU_TESTS_INTEROP_FLOW_H
#define PU_TESTS_INTEROP_FLOW_H

#include "peer.h"

/* Registers the handlers that are always there. */
int flow_handle_all(struct peer *p);
/* Another protocol that echoes; with a reply that is written first. PU_E… */
int flow_handle(struct peer *p, const char *protocol, const char *reply);
/* Opens a stream and does what the protocol demands of the opener. */
void flow_open(struct peer *p, const struct pu_peerid *id, const char *protocol, uint64_t bytes,
	       const char *data);
/* Frees what flow_handle() made; the host is stopped. */
void flow_free_all(void);

#endif
