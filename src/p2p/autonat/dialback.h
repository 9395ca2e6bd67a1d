/* One dial to an address that a peer claims to have, and the peer's nonce said there.
 *
 * It comes from a host of its own that is made for this and thrown away: with a fresh
 * identity, so that nobody can treat us differently from any stranger, and without any
 * connection that could be reused. That host listens nowhere. */
#ifndef PU_P2P_AUTONAT_DIALBACK_H
#define PU_P2P_AUTONAT_DIALBACK_H

#include "p2p/autonat/message.h"
#include "p2p/host/host.h"

enum {
	PU_AUTONAT_DIAL_TIMEOUT_S = 10, /* until there is a connection */
	PU_AUTONAT_BACK_TIMEOUT_S = 5,  /* for the stream and the peer's answer */
};

struct pu_autonat_dialback;

/* err: what went wrong on our side, status is UNUSED then. */
typedef void pu_autonat_dialback_fn(void *arg, int err, enum pu_autonat_dial status);

/* ma: an IP address with TCP or QUIC. on_done comes later, once; the handle is gone then.
 * limit: for the connection, if less than PU_AUTONAT_DIAL_TIMEOUT_S. h lends its loop and
 * sockets, and does not finish stopping before the last goodbye is said.
 * PU_ENOMEM, PU_ESYS. */
int pu_autonat_dialback_start(struct pu_host *h, const struct pu_peerid *peer,
			      const struct pu_multiaddr *ma, uint64_t nonce, pu_time limit,
			      pu_autonat_dialback_fn *on_done, void *arg,
			      struct pu_autonat_dialback **pd);
/* on_done will not fire. */
void pu_autonat_dialback_cancel(struct pu_autonat_dialback *d);

#endif
