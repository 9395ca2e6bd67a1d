#include "tun/dns/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

void pu_dns_endpoint_to_sockaddr(const struct pu_dns_endpoint *ep, struct sockaddr_storage *ss)
{
	struct sockaddr_in *s4 = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *s6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof *ss);
	if (ep->ip.version == 4) {
		s4->sin_family = AF_INET;
		s4->sin_port = htons(ep->port);
		memcpy(&s4->sin_addr, ep->ip.b, 4);
	} else {
		s6->sin6_family = AF_INET6;
		s6->sin6_port = htons(ep->port);
		memcpy(&s6->sin6_addr, ep->ip.b, 16);
	}
}

struct pu_dns_endpoint pu_dns_endpoint_from_sockaddr(const struct sockaddr *sa)
{
	const struct sockaddr_in *s4 = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *s6 = (const struct sockaddr_in6 *)sa;
	struct pu_dns_endpoint ep = { 0 };

	if (sa->sa_family == AF_INET) {
		ep.ip = pu_ip4(&s4->sin_addr);
		ep.port = ntohs(s4->sin_port);
	} else if (sa->sa_family == AF_INET6) {
		ep.ip = pu_ip6(&s6->sin6_addr);
		ep.port = ntohs(s6->sin6_port);
	}
	return ep;
}

const char *pu_dns_endpoint_text(const struct pu_dns_endpoint *ep, char buf[PU_DNS_ENDPOINT_TEXT])
{
	char ip[INET6_ADDRSTRLEN] = "?";

	inet_ntop(ep->ip.version == 4 ? AF_INET : AF_INET6, ep->ip.b, ip, sizeof ip);
	snprintf(buf, PU_DNS_ENDPOINT_TEXT, ep->ip.version == 4 ? "%s:%u" : "[%s]:%u", ip, ep->port);
	return buf;
}

bool pu_dns_endpoint_is_local(const struct pu_ip *ip)
{
	struct pu_dns_endpoint ep = { .ip = *ip };
	struct sockaddr_storage ss;
	bool local;
	int fd;

	/* The kernel binds to its own addresses only, and knows them without a list of
	 * ours that could be out of date. */
	pu_dns_endpoint_to_sockaddr(&ep, &ss);
	fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	local = bind(fd, (struct sockaddr *)&ss, sizeof ss) == 0;
	close(fd);
	return local;
}
