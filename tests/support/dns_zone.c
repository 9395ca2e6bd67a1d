#include "support/dns_zone.h"

#include <stdio.h>

static const struct {
	const char *label;
	struct pu_dns_host host;
} hosts[] = {
	{ "home",
	  { { 4, { 10, 64, 1, 2 } }, { 6, { 0xfd, 0x50, 0x65, 0x65, 0x72, 0, [15] = 0x12 } } } },
	{ "nas", { { 4, { 10, 64, 1, 3 } }, { 0 } } },
	{ "six", { { 0 }, { 6, { 0xfd, 0x50, 0x65, 0x65, 0x72, 0, [15] = 0x06 } } } },
};

static bool find(void *arg, const char *label, struct pu_dns_host *out)
{
	(void)arg;
	for (size_t i = 0; i < PU_ARRAY_LEN(hosts); i++) {
		if (strcmp(label, hosts[i].label) != 0)
			continue;
		*out = hosts[i].host;
		return true;
	}
	return false;
}

static bool reverse(void *arg, const struct pu_ip *addr, char *label, size_t cap)
{
	(void)arg;
	for (size_t i = 0; i < PU_ARRAY_LEN(hosts); i++) {
		if (!pu_ip_eq(addr, &hosts[i].host.v4) && !pu_ip_eq(addr, &hosts[i].host.v6))
			continue;
		snprintf(label, cap, "%s", hosts[i].label);
		return true;
	}
	return false;
}

static size_t services(void *arg, const char *label, struct pu_dns_service *out, size_t cap)
{
	static const struct pu_dns_service list[] = {
		{ "ssh", 22, "tcp" },
		{ "media", 0, "tcp" },
		{ "dns", 53, "udp" },
	};
	size_t n = strcmp(label, "home") == 0 ? pu_min(cap, PU_ARRAY_LEN(list)) : 0;

	(void)arg;
	memcpy(out, list, n * sizeof *out);
	return n;
}

/* nas has a text that does not fit one UDP answer. */
static bool text(void *arg, const char *label, char *out, size_t cap)
{
	(void)arg;
	if (strcmp(label, "nas") == 0) {
		memset(out, 'x', cap - 1);
		out[cap - 1] = '\0';
		return true;
	}
	snprintf(out, cap, "peer=12D3KooW");
	return strcmp(label, "home") == 0;
}

struct pu_dns_config dns_zone_config(void)
{
	static const struct pu_dns_source src = { find, reverse, services, text };

	return (struct pu_dns_config){
		.suffix = "p2p",
		.v4_prefix = { 4, { 10, 64 } },
		.v4_bits = 16,
		.v6_prefix = { 6, { 0xfd, 0x50, 0x65, 0x65, 0x72, 0 } },
		.v6_bits = 48,
		.src = &src,
	};
}
