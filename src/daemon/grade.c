#include "daemon/grade.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/wire.h"

/* Interfaces. Wider than pu_multiaddr_is_public(), which also leaves out what is reserved
 * for examples and tests: here only what cannot be global anywhere. */

static bool is_global4(const uint8_t *ip)
{
	uint32_t v = pu_get_be32(ip);

	return v >> 24 != 0 && v >> 24 != 10 && v >> 24 != 127 && v >> 20 != 0xac1 &&
	       v >> 16 != 0xc0a8 && v >> 16 != 0xa9fe && v >> 22 != 0x191 && v >> 28 < 0xe;
}

static bool is_global6(const uint8_t *ip)
{
	static const uint8_t nowhere[15];

	if (memcmp(ip, nowhere, sizeof nowhere) == 0 && ip[15] <= 1)
		return false;
	return !(ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80) && (ip[0] & 0xfe) != 0xfc &&
	       ip[0] != 0xff;
}

static void look_at_ip(struct pu_grade *g, const struct pu_multiaddr *ma)
{
	struct pu_ma_part ip;
	size_t off = 0;

	if (!pu_multiaddr_next(ma, &off, &ip))
		return;
	if (ip.code == PU_MA_IP4) {
		g->global_ip4 |= is_global4(ip.value.p);
		g->cgnat |= pu_get_be32(ip.value.p) >> 22 == 0x191; /* 100.64/10 */
	} else if (ip.code == PU_MA_IP6) {
		g->global_ip6 |= is_global6(ip.value.p);
	}
}

/* The table. */

struct row {
	char letter;
	const char *label, *text;
};

static struct row row_of_nat(enum pu_nat_type t)
{
	switch (t) {
	case PU_NAT_NONE:
		return (struct row){ 'B', "Good", "STUN reports no NAT" };
	case PU_NAT_FULL_CONE:
		return (struct row){ 'B', "Good", "Hole-punchable NAT (full-cone)" };
	case PU_NAT_ADDRESS_RESTRICTED:
		return (struct row){ 'B', "Good", "Hole-punchable NAT (address-restricted)" };
	case PU_NAT_PORT_RESTRICTED:
		return (struct row){ 'C', "Fair", "Port-restricted NAT" };
	case PU_NAT_SYMMETRIC:
		return (struct row){ 'D', "Poor", "Symmetric NAT (CGNAT likely)" };
	case PU_NAT_UNKNOWN:
		break;
	}
	return (struct row){ 0 };
}

/* A router with another NAT in front of it maps to an address that is none. */
static bool any_public(const struct pu_multiaddr *ma, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pu_multiaddr_is_public(&ma[i]))
			return true;
	return false;
}

static struct row row_of(const struct pu_grade *g, const struct pu_grade_facts *f)
{
	bool outer = any_public(f->mapped, f->n_mapped) ||
		     any_public(f->observed, f->n_observed) ||
		     (f->stun && f->stun->n_external > 0);
	struct row nat = row_of_nat(f->stun ? f->stun->type : PU_NAT_UNKNOWN);

	if (g->global_ip6)
		return (struct row){ 'A', "Excellent", "Public IPv6 detected" };
	if (g->global_ip4)
		return (struct row){ 'B', "Good", "Public IPv4 detected" };
	if (g->cgnat && (f->stun || outer))
		return (struct row){ 'D', "Poor", "CGNAT detected, hole-punch unlikely" };
	if (nat.letter)
		return nat;
	if (outer)
		return (struct row){ 'C', "Fair",
				     "NAT type unknown, external address discovered" };
	if (f->n_ips > 0)
		return (struct row){ 'D', "Poor", "No public address detected" };
	return (struct row){ 'F', "Offline", "No network connectivity detected" };
}

/* Evidence. */

static void say(struct pu_grade *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct pu_grade *g, const char *fmt, ...)
{
	size_t len = strlen(g->evidence);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(g->evidence + len, sizeof g->evidence - len, fmt, ap);
	va_end(ap);
}

static const char *between(const struct pu_grade *g)
{
	return g->evidence[0] ? "; " : "";
}

static void say_addrs(struct pu_grade *g, const char *title, const struct pu_multiaddr *ma,
		      size_t n)
{
	char text[PU_MULTIADDR_TEXT_MAX];

	for (size_t i = 0; i < n && i < 3; i++)
		say(g, "%s%s%s", i ? " " : between(g), i ? "" : title,
		    pu_multiaddr_text(&ma[i], text));
	if (n > 3)
		say(g, " and %zu more", n - 3);
}

static void say_stun(struct pu_grade *g, const struct pu_stun_report *s)
{
	say(g, "%sstun: %s, %u of %u answered", between(g), pu_nat_type_text(s->type), s->answered,
	    s->asked);
	say_addrs(g, "seen as ", s->external, s->n_external);
}

static void say_verdicts(struct pu_grade *g, const struct pu_autonat_verdict *v, size_t n)
{
	char text[PU_MULTIADDR_TEXT_MAX];
	size_t said = 0;

	for (size_t i = 0; i < n; i++) {
		if (v[i].yes + v[i].no == 0)
			continue;
		if (said++ == 3)
			break;
		say(g, "%sautonat: %s reached by %u of %u", between(g),
		    pu_multiaddr_text(&v[i].addr, text), v[i].yes, v[i].yes + v[i].no);
	}
}

void pu_grade(const struct pu_grade_facts *f, struct pu_grade *out)
{
	struct row row;

	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < f->n_ips; i++)
		look_at_ip(out, &f->ips[i]);
	row = row_of(out, f);
	out->letter = row.letter;
	out->label = row.label;
	out->text = row.text;
	say_addrs(out, "interfaces: ", f->ips, f->n_ips);
	if (f->stun)
		say_stun(out, f->stun);
	say_addrs(out, "mapped: ", f->mapped, f->n_mapped);
	say_addrs(out, "observed: ", f->observed, f->n_observed);
	say_verdicts(out, f->verdicts, f->n_verdicts);
}
