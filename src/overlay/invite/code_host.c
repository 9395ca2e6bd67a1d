/* Where a code of version 3 says to ask: host, host:port, [v6] or [v6]:port. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/wire.h"
#include "overlay/invite/code_internal.h"

enum { LABEL_MAX = 63 };

static int wrong_host(char *why)
{
	return pu_code_wrong(why, "in front of the slash is no host name and no address");
}

static bool is_name(const char *s)
{
	size_t label = 0;

	for (const char *p = s; *p; p++) {
		if (*p == '.' && label == 0)
			return false;
		if (*p != '.' && *p != '-' && !isalnum((unsigned char)*p))
			return false;
		label = *p == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return false;
	}
	return label > 0;
}

static bool is_v4(const char *s)
{
	struct in_addr a;

	return inet_pton(AF_INET, s, &a) == 1;
}

static bool is_v6(const char *s)
{
	struct in6_addr a;

	return inet_pton(AF_INET6, s, &a) == 1;
}

/* Only digits and dots: meant as an IPv4 address, though it may be none. */
static bool is_numeric(const char *s)
{
	return s[strspn(s, "0123456789.")] == '\0';
}

/* text begins with the colon, or is empty. */
static int take_port(const char *text, struct pu_code *code, char *why)
{
	size_t len = strlen(text);
	unsigned long port = len > 1 && len < 7 ? strtoul(text + 1, NULL, 10) : 0;

	if (len == 0)
		return 0;
	if (text[0] != ':' || strspn(text + 1, "0123456789") != len - 1 || port < 1 ||
	    port > UINT16_MAX)
		return pu_code_wrong(why, "behind the host comes a port of 1 to 65535, or nothing");
	code->port = (uint16_t)port;
	return 0;
}

static int take_v6(const char *text, struct pu_code *code, char *why)
{
	size_t len = strcspn(text + 1, "]");

	if (text[1 + len] != ']' || len > PU_CODE_HOST_MAX)
		return wrong_host(why);
	memcpy(code->host, text + 1, len);
	code->host[len] = '\0';
	if (!is_v6(code->host))
		return pu_code_wrong(why, "between the brackets is no IPv6 address");
	return take_port(text + 1 + len + 1, code, why);
}

int pu_code_parse_host(const char *text, struct pu_code *code, char *why)
{
	size_t len = strcspn(text, ":");

	if (text[0] == '[') {
		int r = take_v6(text, code, why);

		for (char *p = code->host; *p; p++)
			*p = (char)tolower((unsigned char)*p);
		return r;
	}
	if (is_v6(text))
		return pu_code_wrong(why,
				     "write an IPv6 address in brackets, as in \"[2001:db8::1]\"");
	if (len > PU_CODE_HOST_MAX)
		return wrong_host(why);
	for (size_t i = 0; i < len; i++)
		code->host[i] = (char)tolower((unsigned char)text[i]);
	code->host[len] = '\0';
	if (is_numeric(code->host) ? !is_v4(code->host) : !is_name(code->host))
		return wrong_host(why);
	return take_port(text + len, code, why);
}

static int append_host(struct pu_multiaddr *ma, const char *host)
{
	uint8_t addr[16];

	if (inet_pton(AF_INET, host, addr) == 1)
		return pu_multiaddr_append(ma, PU_MA_IP4, pu_bytes(addr, 4));
	if (inet_pton(AF_INET6, host, addr) == 1)
		return pu_multiaddr_append(ma, PU_MA_IP6, pu_bytes(addr, 16));
	return pu_multiaddr_append(ma, PU_MA_DNS, pu_bytes_str(host));
}

size_t pu_code_addrs(const struct pu_code *code, struct pu_multiaddr out[2])
{
	struct pu_multiaddr quic = { 0 }, tcp;
	uint8_t port[2];

	pu_put_be16(port, code->port);
	if (code->host[0] == '\0' || append_host(&quic, code->host) < 0)
		return 0;
	tcp = quic;
	if (pu_multiaddr_append(&quic, PU_MA_UDP, pu_bytes(port, 2)) < 0 ||
	    pu_multiaddr_append(&quic, PU_MA_QUIC_V1, pu_bytes(NULL, 0)) < 0 ||
	    pu_multiaddr_append(&tcp, PU_MA_TCP, pu_bytes(port, 2)) < 0)
		return 0;
	out[0] = quic;
	out[1] = tcp;
	return 2;
}
