#include "daemon/hostport.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

#include "base/err.h"
#include "daemon/config_value.h"

static int resolve(const struct pu_hostport *hp, union pu_sockaddr *sa)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *res;
	bool local = hp->host[0] == '\0' || strcmp(hp->host, "localhost") == 0;
	char port[8];

	snprintf(port, sizeof port, "%u", hp->port);
	if (getaddrinfo(local ? "127.0.0.1" : hp->host, port, &hints, &res) != 0)
		return PU_ENOENT;
	memset(sa, 0, sizeof *sa);
	memcpy(sa, res->ai_addr, pu_min(res->ai_addrlen, sizeof *sa));
	freeaddrinfo(res);
	return 0;
}

int pu_hostport_parse(const char *text, union pu_sockaddr *sa)
{
	struct pu_hostport hp;

	if (pu_config_hostport(text, &hp) < 0)
		return PU_EINVAL;
	return resolve(&hp, sa);
}

const char *pu_hostport_text(const union pu_sockaddr *sa, char out[PU_HOSTPORT_TEXT_MAX])
{
	bool v6 = sa->sa.sa_family == AF_INET6;
	char ip[INET6_ADDRSTRLEN] = "";

	inet_ntop(sa->sa.sa_family,
		  v6 ? (const void *)&sa->v6.sin6_addr : (const void *)&sa->v4.sin_addr, ip,
		  sizeof ip);
	snprintf(out, PU_HOSTPORT_TEXT_MAX, v6 ? "[%s]:%u" : "%s:%u", ip,
		 ntohs(v6 ? sa->v6.sin6_port : sa->v4.sin_port));
	return out;
}
