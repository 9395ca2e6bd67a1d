#include "daemon/config_value.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

int pu_config_bool(const char *s, bool *pv)
{
	static const char *const words[2][9] = {
		{ "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF" },
		{ "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON" },
	};

	for (int v = 0; v < 2; v++) {
		for (size_t i = 0; i < PU_ARRAY_LEN(words[v]); i++) {
			if (strcmp(s, words[v][i]) == 0) {
				*pv = v == 1;
				return 0;
			}
		}
	}
	return PU_EINVAL;
}

/* Digits at *ps, moved behind them. */
static int take_digits(const char **ps, uint64_t *pv)
{
	const char *s = *ps;
	uint64_t v = 0;

	if (*s < '0' || *s > '9')
		return PU_EINVAL;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return PU_ELIMIT;
	}
	*ps = s;
	*pv = v;
	return 0;
}

int pu_config_uint(const char *s, uint64_t *pv)
{
	uint64_t v;
	int r = take_digits(&s, &v);

	if (r < 0)
		return r;
	if (*s)
		return PU_EINVAL;
	*pv = v;
	return 0;
}

static int take_unit(const char **ps, uint64_t *pns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { /* longer names before their own beginnings */
		{ "ns", 1 }, { "us", 1000 }, { "\u00b5s", 1000 }, { "\u03bcs", 1000 },
		{ "ms", 1000000 }, { "s", PU_SEC(1) }, { "m", PU_SEC(60) }, { "h", PU_SEC(3600) },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(units); i++) {
		size_t n = strlen(units[i].name);

		if (strncmp(*ps, units[i].name, n) == 0) {
			*ps += n;
			*pns = units[i].ns;
			return 0;
		}
	}
	return PU_EINVAL;
}

/* The part behind the decimal point, in units of scale ns. */
static uint64_t take_fraction(const char **ps, uint64_t *pdigits)
{
	uint64_t v = 0, scale = 1;

	for (; **ps >= '0' && **ps <= '9'; (*ps)++) {
		if (scale < 1000000000000000ull) { /* further digits are below 1 ns */
			v = v * 10 + (uint64_t)(**ps - '0');
			scale *= 10;
		}
	}
	*pdigits = v;
	return scale;
}

int pu_config_duration(const char *s, pu_time *pv)
{
	uint64_t total = 0, whole, frac, scale, unit, part;
	int r;

	if (strcmp(s, "0") == 0) {
		*pv = 0;
		return 0;
	}
	if (!*s)
		return PU_EINVAL;
	while (*s) {
		whole = frac = 0;
		scale = 1;
		r = *s == '.' && s[1] >= '0' && s[1] <= '9' ? 0 : take_digits(&s, &whole);
		if (r < 0)
			return r;
		if (*s == '.') {
			s++;
			scale = take_fraction(&s, &frac);
		}
		if (take_unit(&s, &unit) < 0)
			return PU_EINVAL;
		part = (uint64_t)((double)frac / (double)scale * (double)unit);
		if (__builtin_mul_overflow(whole, unit, &whole) ||
		    __builtin_add_overflow(total, whole, &total) ||
		    __builtin_add_overflow(total, part, &total) || total > INT64_MAX)
			return PU_ELIMIT;
	}
	*pv = total;
	return 0;
}

int pu_config_size(const char *s, uint64_t *pv)
{
	static const struct {
		const char *name;
		unsigned shift;
	} units[] = { { "", 0 }, { "B", 0 }, { "KB", 10 }, { "MB", 20 }, { "GB", 30 } };
	uint64_t v;
	int r;

	while (*s == ' ')
		s++;
	r = take_digits(&s, &v);
	if (r < 0)
		return r;
	while (*s == ' ')
		s++;
	for (size_t i = 0; i < PU_ARRAY_LEN(units); i++) {
		if (strcasecmp(s, units[i].name) != 0)
			continue;
		if (v > (uint64_t)INT64_MAX >> units[i].shift)
			return PU_ELIMIT;
		*pv = v << units[i].shift;
		return 0;
	}
	return PU_EINVAL;
}

static bool host_ok(const char *s, size_t len, bool brackets)
{
	char addr[INET6_ADDRSTRLEN];
	struct in6_addr a;

	if (brackets) {
		if (len == 0 || len >= sizeof addr)
			return false;
		memcpy(addr, s, len);
		addr[len] = '\0';
		return inet_pton(AF_INET6, addr, &a) == 1;
	}
	for (size_t i = 0; i < len; i++) {
		char c = s[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '.' || c == '-' || c == '_'))
			return false;
	}
	return true;
}

int pu_config_hostport(const char *s, struct pu_hostport *pv)
{
	const char *colon = strrchr(s, ':'), *host = s;
	bool brackets = *s == '[';
	uint64_t port;
	size_t len;

	if (!colon || pu_config_uint(colon + 1, &port) < 0)
		return PU_EINVAL;
	len = (size_t)(colon - s);
	if (brackets) {
		if (len < 2 || s[len - 1] != ']')
			return PU_EINVAL;
		host++;
		len -= 2;
	}
	if (len >= sizeof pv->host || !host_ok(host, len, brackets))
		return PU_EINVAL;
	if (port > 65535)
		return PU_ELIMIT;
	memcpy(pv->host, host, len);
	pv->host[len] = '\0';
	pv->port = (uint16_t)port;
	return 0;
}

static bool host_bits_clear(const struct pu_prefix *p, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++) {
		unsigned first = (unsigned)i * 8, keep;

		keep = p->bits <= first ? 0 : (unsigned)pu_min(p->bits - first, 8);
		if (p->addr[i] & (0xffu >> keep))
			return false;
	}
	return true;
}

int pu_config_prefix(const char *s, struct pu_prefix *pv)
{
	const char *slash = strchr(s, '/');
	struct pu_prefix p = { 0 };
	char addr[INET6_ADDRSTRLEN];
	uint64_t bits;
	size_t n = 4;

	if (!slash || (size_t)(slash - s) >= sizeof addr || pu_config_uint(slash + 1, &bits) < 0)
		return PU_EINVAL;
	memcpy(addr, s, (size_t)(slash - s));
	addr[slash - s] = '\0';
	if (inet_pton(AF_INET, addr, p.addr) == 1) {
		p.family = AF_INET;
	} else if (inet_pton(AF_INET6, addr, p.addr) == 1) {
		p.family = AF_INET6;
		n = 16;
	} else {
		return PU_EINVAL;
	}
	if (bits > n * 8)
		return PU_ELIMIT;
	p.bits = (uint8_t)bits;
	if (!host_bits_clear(&p, n))
		return PU_EINVAL;
	*pv = p;
	return 0;
}

const char *pu_config_prefix_text(const struct pu_prefix *p, char *out)
{
	char addr[INET6_ADDRSTRLEN];

	if (!inet_ntop(p->family, p->addr, addr, sizeof addr))
		addr[0] = '\0';
	snprintf(out, PU_PREFIX_TEXT_MAX, "%s/%u", addr, p->bits);
	return out;
}

bool pu_config_is_label(const char *s)
{
	size_t len = strlen(s);

	if (len < 1 || len > 63 || s[0] == '-' || s[len - 1] == '-')
		return false;
	return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}
