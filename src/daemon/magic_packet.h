/* The packet that wakes a machine in the same LAN (Wake-on-LAN): its hardware address sixteen
 * times, as a broadcast. */
#ifndef PU_DAEMON_MAGIC_PACKET_H
#define PU_DAEMON_MAGIC_PACKET_H

#include "base/mac.h"

enum { PU_MAGIC_PACKET_LEN = 6 + 16 * PU_MAC_LEN, PU_MAGIC_PACKET_PORT = 9 };

/* Sends it to that IPv4 address, or with NULL into every LAN of this machine; *pn: packets
 * that left. PU_EUNREACH and the like when none could. */
int pu_magic_packet_send(const struct pu_mac *mac, const char *broadcast, unsigned *pn);

#endif
