#include "cli/relay_addr.h"

#include <arpa/inet.h>

#include "daemon/config_value.h"

int pu_relay_addr_check(struct pu_cli *c, const char *text)
{
	struct pu_multiaddr ma, rest;
	struct pu_peerid peer;

	if (strlen(text) >= PU_MULTIADDR_TEXT_MAX || pu_multiaddr_from_text(&ma, text) < 0)
		return pu_cli_fail(c, text, NULL, "not a multiaddr such as "
						  "/ip4/203.0.113.5/tcp/7777/p2p/<peer id>");
	if (pu_multiaddr_split_peer(&ma, &rest, &peer) < 0)
		return pu_cli_fail(c, text, NULL, "it must end in /p2p/<peer id>");
	return 0;
}

static int from_multiaddr(struct pu_cli *c, const char *text, const char *peer, char *out)
{
	const char *part = strstr(text, "/p2p/") || !peer ? "" : "/p2p/";
	int n = snprintf(out, PU_MULTIADDR_TEXT_MAX, "%s%s%s", text, part, part[0] ? peer : "");

	if (n >= PU_MULTIADDR_TEXT_MAX)
		return pu_cli_fail(c, "relay", NULL, "the address is too long");
	return pu_relay_addr_check(c, out);
}

int pu_relay_addr_parse(struct pu_cli *c, const char *text, const char *peer, char *out)
{
	struct pu_hostport hp = { .port = PU_RELAY_PORT };
	struct pu_peerid id;
	struct in6_addr a;
	bool v6;
	int n;

	if (text[0] == '/')
		return from_multiaddr(c, text, peer, out);
	/* Bare addresses first: an IPv6 one looks like host:port, too. */
	n = (int)strlen(text);
	if (text[0] == '[' && text[n - 1] == ']')
		snprintf(hp.host, sizeof hp.host, "%.*s", n - 2, text + 1);
	else if (inet_pton(AF_INET, text, &a) == 1 || inet_pton(AF_INET6, text, &a) == 1)
		snprintf(hp.host, sizeof hp.host, "%s", text);
	else if (pu_config_hostport(text, &hp) < 0 || hp.port == 0)
		return pu_cli_fail(c, text, NULL, "neither a multiaddr nor IP[:PORT]");
	v6 = inet_pton(AF_INET6, hp.host, &a) == 1;
	if (!v6 && inet_pton(AF_INET, hp.host, &a) != 1)
		return pu_cli_fail(c, text, NULL, "a relay is given by its IP address");
	if (!peer)
		return pu_cli_misuse(c, text, "such a short address needs --peer-id");
	if (pu_peerid_from_text(&id, peer) < 0)
		return pu_cli_fail(c, peer, NULL, "not a peer ID");
	snprintf(out, PU_MULTIADDR_TEXT_MAX, "/%s/%s/tcp/%u/p2p/%s", v6 ? "ip6" : "ip4", hp.host,
		 hp.port, peer);
	return pu_relay_addr_check(c, out);
}
