/* Endpoints as socket addresses. */
#ifndef PU_TUN_DNS_ENDPOINT_H
#define PU_TUN_DNS_ENDPOINT_H

#include <sys/socket.h>

#include "tun/dns/server.h"

void pu_dns_endpoint_to_sockaddr(const struct pu_dns_endpoint *ep, struct sockaddr_storage *ss);
struct pu_dns_endpoint pu_dns_endpoint_from_sockaddr(const struct sockaddr *sa);
/* "10.64.0.53:53", "[fd00::53]:53" */
enum { PU_DNS_ENDPOINT_TEXT = 64 };
const char *pu_dns_endpoint_text(const struct pu_dns_endpoint *ep, char buf[PU_DNS_ENDPOINT_TEXT]);
/* True for an address of this host. */
bool pu_dns_endpoint_is_local(const struct pu_ip *ip);

#endif
