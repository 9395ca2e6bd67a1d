/* A small overlay for tests of the DNS stub: "home" (both families, three services),
 * "nas" (IPv4 only, nothing offered), "six" (IPv6 only). */
#ifndef PU_TESTS_SUPPORT_DNS_ZONE_H
#define PU_TESTS_SUPPORT_DNS_ZONE_H

#include "tun/dns/stub.h"

/* 10.64.0.0/16 and fd50:6565:7200::/48 under "p2p". */
struct pu_dns_config dns_zone_config(void);

#endif
