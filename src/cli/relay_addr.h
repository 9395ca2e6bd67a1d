/* Addresses of relays as people type them. */
#ifndef PU_CLI_RELAY_ADDR_H
#define PU_CLI_RELAY_ADDR_H

#include "cli/cli.h"
#include "p2p/addr/multiaddr.h"

enum { PU_RELAY_PORT = 7777 };

/* A multiaddr with the relay's peer ID at its end: 0 or an exit code. */
int pu_relay_addr_check(struct pu_cli *c, const char *text);
/* A multiaddr as it is (peer NULL, or appended when it has none), or "1.2.3.4",
 * "1.2.3.4:7777", "[v6]:7777", "v6" together with the peer ID → multiaddr in out
 * (PU_MULTIADDR_TEXT_MAX), checked. 0 or an exit code. */
int pu_relay_addr_parse(struct pu_cli *c, const char *text, const char *peer, char *out);

#endif
