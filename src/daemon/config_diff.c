#include "daemon/config_diff.h"

#include <stdio.h>

const char *const pu_config_diff_live_node[] = {
	"version",
	"network.stun_servers",
	"network.force_private_reachability",
	"relay.addresses",
	"discovery.*",
	"relay_service.*",
	"security.*",
	"vpn.routes",
	NULL,
};

const char *const pu_config_diff_live_relay[] = {
	"version",
	"security.enable_connection_gating",
	"resources.*",
	NULL,
};

struct list { /* what PU_CONFIG_LIST makes, of any type */
	const uint8_t *v;
	size_t n;
	size_t given;
};

static bool same_value(enum pu_config_type type, const uint8_t *a, const uint8_t *b)
{
	const char *const *sa = (const void *)a, *const *sb = (const void *)b;

	switch (type) {
	case PU_CONFIG_STRING:
	case PU_CONFIG_LABEL:
	case PU_CONFIG_PATH:
	case PU_CONFIG_IFNAME:
	case PU_CONFIG_IP4:
		return *sa == *sb || (*sa && *sb && strcmp(*sa, *sb) == 0);
	case PU_CONFIG_HOSTPORT: {
		const struct pu_hostport *ha = (const void *)a, *hb = (const void *)b;

		return ha->port == hb->port && strcmp(ha->host, hb->host) == 0;
	}
	case PU_CONFIG_MULTIADDR: {
		const struct pu_multiaddr *ma = (const void *)a, *mb = (const void *)b;

		return ma->len == mb->len && memcmp(ma->b, mb->b, ma->len) == 0;
	}
	case PU_CONFIG_BOOL:
	case PU_CONFIG_UINT:
	case PU_CONFIG_PORT:
	case PU_CONFIG_DURATION:
	case PU_CONFIG_SIZE:
	case PU_CONFIG_ENUM:
	case PU_CONFIG_PREFIX4:
	case PU_CONFIG_PREFIX6:
	case PU_CONFIG_PREFIX:
	case PU_CONFIG_PEER:
	case PU_CONFIG_MAC:
		break;
	}
	return memcmp(a, b, pu_config_type_size(type)) == 0;
}

static bool same_option(const struct pu_config_option *o, const void *a, const void *b)
{
	const uint8_t *pa = (const uint8_t *)a + o->offset, *pb = (const uint8_t *)b + o->offset;
	const struct list *la = (const void *)pa, *lb = (const void *)pb;
	size_t size = pu_config_type_size(o->type);

	if (!(o->flags & PU_CONFIG_IS_LIST))
		return same_value(o->type, pa, pb);
	if (la->n != lb->n)
		return false;
	for (size_t i = 0; i < la->n; i++)
		if (!same_value(o->type, la->v + i * size, lb->v + i * size))
			return false;
	return true;
}

static bool is_live(const char *const *live, const char *path)
{
	for (; *live; live++) {
		size_t n = strlen(*live);

		if ((*live)[n - 1] == '*' ? strncmp(*live, path, n - 1) == 0 :
					    strcmp(*live, path) == 0)
			return true;
	}
	return false;
}

void pu_config_diff(const struct pu_config_schema *s, const char *const *live, const void *a,
		    const void *b, struct pu_config_diff *out)
{
	out->n = 0;
	for (size_t i = 0; i < s->n_options && out->n < PU_CONFIG_DIFF_MAX; i++) {
		const struct pu_config_option *o = &s->options[i];

		if (!strchr(o->path, '*') && !is_live(live, o->path) && !same_option(o, a, b))
			out->path[out->n++] = o->path;
	}
}

const char *pu_config_diff_text(const struct pu_config_diff *d, char *out, size_t cap)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < d->n && at < cap; i++)
		at += (size_t)snprintf(out + at, cap - at, "%s%s", i ? ", " : "", d->path[i]);
	return out;
}
