/* A node believes its relays when they introduce the members of a group that it is in: they
 * are authorised for services and named, like those whom a code brought. What is believed:
 * docs/protocols/pairing.md. */
#ifndef PU_DAEMON_INTRODUCTIONS_H
#define PU_DAEMON_INTRODUCTIONS_H

#include "daemon/node.h"

struct pu_introductions;

/* Before the node connects to anybody, so that relays find the protocol. */
int pu_introductions_new(struct pu_node *n, struct pu_introductions **pi);
/* NULL is fine. */
void pu_introductions_free(struct pu_introductions *i);

#endif
