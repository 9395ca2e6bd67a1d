/* What the types of the option table accept, and how their text becomes a value. */
#include "daemon/config_schema.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "daemon/config_value.h"

struct type_ops {
	size_t size;
	bool owns; /* the value is one allocated string */
	const char *what; /* for messages; %s of ranges is added where min, max apply */
	int (*parse)(const struct pu_config_option *o, const char *text, const char *dir, void *v);
};

static bool in_range(const struct pu_config_option *o, uint64_t v)
{
	return v >= (uint64_t)o->min && v <= (uint64_t)o->max;
}

/* A default outside the range is a word of its own: "0 chooses one". */
static bool is_default(const struct pu_config_option *o, const char *text)
{
	return o->def && strcmp(o->def, text) == 0;
}

static int parse_bool(const struct pu_config_option *o, const char *text, const char *dir, void *v)
{
	return pu_config_bool(text, v);
}

static int parse_uint(const struct pu_config_option *o, const char *text, const char *dir, void *v)
{
	uint64_t n;
	int r = pu_config_uint(text, &n);

	if (r < 0)
		return r;
	if ((!in_range(o, n) && !is_default(o, text)) || n > UINT32_MAX)
		return PU_ELIMIT;
	*(unsigned *)v = (unsigned)n;
	return 0;
}

static int parse_port(const struct pu_config_option *o, const char *text, const char *dir, void *v)
{
	uint64_t n;
	int r = pu_config_uint(text, &n);

	if (r < 0)
		return r;
	if (!in_range(o, n))
		return PU_ELIMIT;
	*(uint16_t *)v = (uint16_t)n;
	return 0;
}

static int set_string(const char *text, void *v)
{
	char *s = strdup(text);

	if (!s)
		return PU_ENOMEM;
	*(char **)v = s;
	return 0;
}

static int parse_string(const struct pu_config_option *o, const char *text, const char *dir,
			void *v)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return PU_EINVAL;
	return in_range(o, strlen(text)) ? set_string(text, v) : PU_ELIMIT;
}

static int parse_label(const struct pu_config_option *o, const char *text, const char *dir,
		       void *v)
{
	if (!pu_config_is_label(text) && !(o->min == 0 && text[0] == '\0'))
		return PU_EINVAL;
	return set_string(text, v);
}

static int parse_path(const struct pu_config_option *o, const char *text, const char *dir,
		      void *v)
{
	char *s;

	if (!in_range(o, strlen(text)))
		return PU_ELIMIT;
	if (text[0] == '/')
		return set_string(text, v);
	if (asprintf(&s, "%s/%s", dir, text) < 0)
		return PU_ENOMEM;
	*(char **)v = s;
	return 0;
}

/* The kernel's rule for device names, without the ones that `%d` would expand. */
static int parse_ifname(const struct pu_config_option *o, const char *text, const char *dir,
			void *v)
{
	if (!in_range(o, strlen(text)))
		return PU_ELIMIT;
	if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0 || strcmp(text, "lo") == 0)
		return PU_EINVAL;
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= ' ' || *p >= 0x7f || strchr("/:%", *p))
			return PU_EINVAL;
	return set_string(text, v);
}

static const char *limit_text(const struct pu_config_option *o, const char *text)
{
	return (o->flags & PU_CONFIG_UNLIMITED) && strcmp(text, "unlimited") == 0 ? "0" : text;
}

static int parse_duration(const struct pu_config_option *o, const char *text, const char *dir,
			  void *v)
{
	pu_time t;
	int r = pu_config_duration(limit_text(o, text), &t);

	if (r < 0)
		return r;
	if ((t < PU_SEC(o->min) || t > PU_SEC(o->max)) && !is_default(o, text))
		return PU_ELIMIT;
	*(pu_time *)v = t;
	return 0;
}

static int parse_size(const struct pu_config_option *o, const char *text, const char *dir, void *v)
{
	uint64_t n;
	int r = pu_config_size(limit_text(o, text), &n);

	if (r < 0)
		return r;
	if (!in_range(o, n) && !is_default(o, text))
		return PU_ELIMIT;
	*(uint64_t *)v = n;
	return 0;
}

static int parse_enum(const struct pu_config_option *o, const char *text, const char *dir, void *v)
{
	const char *p = o->choices;
	size_t n = strlen(text);

	for (unsigned i = 0;; i++) {
		size_t len = strcspn(p, "|");

		if (len == n && strncmp(p, text, n) == 0) {
			*(unsigned *)v = i;
			return 0;
		}
		if (p[len] == '\0')
			return PU_EINVAL;
		p += len + 1;
	}
}

static int parse_hostport(const struct pu_config_option *o, const char *text, const char *dir,
			  void *v)
{
	struct pu_hostport *hp = v;
	int r = pu_config_hostport(text, hp);

	if (r < 0)
		return r;
	/* The range of a list is about its length. */
	return (o->flags & PU_CONFIG_IS_LIST) || in_range(o, hp->port) ? 0 : PU_ELIMIT;
}

static int parse_prefix(const struct pu_config_option *o, const char *text, const char *dir,
			void *v)
{
	return pu_config_prefix(text, v);
}

static int parse_prefix_of(const struct pu_config_option *o, const char *text, int family,
			   struct pu_prefix *p)
{
	int r = pu_config_prefix(text, p);

	if (r < 0)
		return r;
	if (p->family != family)
		return PU_EINVAL;
	return in_range(o, p->bits) ? 0 : PU_ELIMIT;
}

static int parse_prefix4(const struct pu_config_option *o, const char *text, const char *dir,
			 void *v)
{
	return parse_prefix_of(o, text, AF_INET, v);
}

static int parse_prefix6(const struct pu_config_option *o, const char *text, const char *dir,
			 void *v)
{
	return parse_prefix_of(o, text, AF_INET6, v);
}

static int parse_peer(const struct pu_config_option *o, const char *text, const char *dir, void *v)
{
	return pu_peerid_from_text(v, text);
}

static int parse_multiaddr(const struct pu_config_option *o, const char *text, const char *dir,
			   void *v)
{
	struct pu_multiaddr *ma = v, rest;
	struct pu_peerid id;
	int r;

	if (strnlen(text, PU_MULTIADDR_TEXT_MAX) == PU_MULTIADDR_TEXT_MAX)
		return PU_ELIMIT;
	r = pu_multiaddr_from_text(ma, text);
	if (r == 0 && (o->flags & PU_CONFIG_NEEDS_PEER))
		r = pu_multiaddr_split_peer(ma, &rest, &id);
	return r;
}

static int parse_mac(const struct pu_config_option *o, const char *text, const char *dir, void *v)
{
	return pu_mac_parse(text, v);
}

static int parse_ip4(const struct pu_config_option *o, const char *text, const char *dir, void *v)
{
	struct in_addr ip;

	if (inet_pton(AF_INET, text, &ip) != 1 && !(o->min == 0 && text[0] == '\0'))
		return PU_EINVAL;
	return set_string(text, v);
}

static const struct type_ops types[PU_CONFIG_N_TYPES] = {
	[PU_CONFIG_BOOL] = { sizeof(bool), false, "true or false", parse_bool },
	[PU_CONFIG_UINT] = { sizeof(unsigned), false, "a whole number", parse_uint },
	[PU_CONFIG_PORT] = { sizeof(uint16_t), false, "a port number", parse_port },
	[PU_CONFIG_STRING] = { sizeof(char *), true, "a text without control characters",
			       parse_string },
	[PU_CONFIG_LABEL] = { sizeof(char *), true,
			      "a word of a-z, 0-9 and -, at most 63 characters, no - at the ends",
			      parse_label },
	[PU_CONFIG_PATH] = { sizeof(char *), true, "the name of a file", parse_path },
	[PU_CONFIG_IFNAME] = { sizeof(char *), true, "a device name such as peerup0",
			       parse_ifname },
	[PU_CONFIG_DURATION] = { sizeof(pu_time), false, "a duration such as 90s, 2m or 1h30m",
				 parse_duration },
	[PU_CONFIG_SIZE] = { sizeof(uint64_t), false, "a size such as 128KB or 64MB", parse_size },
	[PU_CONFIG_ENUM] = { sizeof(unsigned), false, "one of", parse_enum },
	[PU_CONFIG_HOSTPORT] = { sizeof(struct pu_hostport), false,
				 "host:port such as localhost:22 or [::1]:22", parse_hostport },
	[PU_CONFIG_PREFIX4] = { sizeof(struct pu_prefix), false,
				"an IPv4 network such as 10.64.0.0/16", parse_prefix4 },
	[PU_CONFIG_PREFIX6] = { sizeof(struct pu_prefix), false,
				"an IPv6 network such as fd70:6565:7275::/48", parse_prefix6 },
	[PU_CONFIG_PREFIX] = { sizeof(struct pu_prefix), false,
			       "a network such as 192.168.1.0/24 or fd00:1::/64", parse_prefix },
	[PU_CONFIG_PEER] = { sizeof(struct pu_peerid), false, "a peer ID such as 12D3KooW…",
			     parse_peer },
	[PU_CONFIG_MULTIADDR] = { sizeof(struct pu_multiaddr), false,
				  "a multiaddr such as /ip4/203.0.113.5/udp/4001/quic-v1",
				  parse_multiaddr },
	[PU_CONFIG_MAC] = { sizeof(struct pu_mac), false,
			    "a hardware address such as 3c:52:82:aa:bb:cc", parse_mac },
	[PU_CONFIG_IP4] = { sizeof(char *), true, "an IPv4 address such as 192.168.1.255",
			    parse_ip4 },
};

size_t pu_config_type_size(enum pu_config_type type)
{
	return types[type].size;
}

void pu_config_type_deinit(enum pu_config_type type, void *v)
{
	if (!types[type].owns)
		return;
	free(*(char **)v);
	*(char **)v = NULL;
}

static void allowed_range(const struct pu_config_option *o, char *out, size_t cap)
{
	const char *bits = o->type == PU_CONFIG_PREFIX4 || o->type == PU_CONFIG_PREFIX6 ? "/" : "";

	if (o->max <= 0 || (o->flags & PU_CONFIG_IS_LIST) || o->type == PU_CONFIG_LABEL ||
	    o->type == PU_CONFIG_IP4 || o->type == PU_CONFIG_PATH ||
	    o->type == PU_CONFIG_HOSTPORT || o->max == INT64_MAX)
		return;
	snprintf(out, cap, ", %s%" PRId64 " to %s%" PRId64 "%s%s", bits, o->min, bits, o->max,
		 o->unit ? " " : "", o->unit ? o->unit : "");
}

const char *pu_config_option_allowed(const struct pu_config_option *o, char *out, size_t cap)
{
	size_t n;

	snprintf(out, cap, "%s", types[o->type].what);
	n = strlen(out);
	if (o->type == PU_CONFIG_ENUM) {
		snprintf(out + n, cap - n, " %s", o->choices);
		for (char *p = out + n; (p = strchr(p, '|'));)
			*p = ' ';
		return out;
	}
	allowed_range(o, out + n, cap - n);
	n = strlen(out);
	if (o->flags & PU_CONFIG_NEEDS_PEER)
		snprintf(out + n, cap - n, " that ends in /p2p/<peer id>");
	if (o->flags & PU_CONFIG_UNLIMITED)
		snprintf(out + n, cap - n, ", or unlimited");
	if (o->type == PU_CONFIG_UINT && o->def && strcmp(o->def, "0") == 0 && o->min > 0)
		snprintf(out + n, cap - n, ", or 0");
	return out;
}

int pu_config_option_parse(const struct pu_config_option *o, const char *text, const char *dir,
			   void *v, char *why, size_t cap)
{
	char allowed[256];
	int r = types[o->type].parse(o, text, dir, v);

	if (r == 0 || r == PU_ENOMEM)
		return r;
	pu_config_option_allowed(o, allowed, sizeof allowed);
	if (r == PU_ENOENT)
		snprintf(why, cap, "\"%.80s\" does not say which peer, allowed is %s", text,
			 allowed);
	else
		snprintf(why, cap, "\"%.80s\" is %s, allowed is %s", text,
			 r == PU_ELIMIT ? "out of range" : "not valid", allowed);
	return PU_ECONFIG;
}
