/* NAT-PMP by libnatpmp. */
#include <natpmp.h>
#include <poll.h>
#include <sys/time.h>
#include <time.h>

#include "base/err.h"
#include "platform/linux/portmap_job.h"

enum { WAIT_MS = 1500 };

const bool pu_linux_natpmp_built_in = true;

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int translate(int r)
{
	switch (r) {
	case NATPMP_ERR_NOTAUTHORIZED:
	case NATPMP_ERR_NETWORKFAILURE:
	case NATPMP_ERR_OUTOFRESOURCES:
	case NATPMP_ERR_UNDEFINEDERROR:
		return PU_EDENIED;
	case NATPMP_ERR_UNSUPPORTEDVERSION:
	case NATPMP_ERR_UNSUPPORTEDOPCODE:
		return PU_ENOTSUP;
	default: /* the library's own troubles, and silence */
		return PU_ETIMEDOUT;
	}
}

/* The library repeats the request for two minutes; we do not wait that long. */
static int await(natpmp_t *n, uint16_t type, natpmpresp_t *rs)
{
	int64_t end = now_ms() + WAIT_MS;

	for (;;) {
		struct pollfd p = { .fd = n->s, .events = POLLIN };
		struct timeval tv = { 0 };
		int64_t left = end - now_ms(), wait;
		int r;

		if (left <= 0)
			return PU_ETIMEDOUT;
		getnatpmprequesttimeout(n, &tv);
		wait = tv.tv_sec < 0 ? 0 : (int64_t)tv.tv_sec * 1000 + tv.tv_usec / 1000;
		poll(&p, 1, (int)(wait < left ? wait : left));
		r = readnatpmpresponseorretry(n, rs);
		if (r == 0 && rs->type == type)
			return 0;
		if (r < 0 && r != NATPMP_TRYAGAIN)
			return translate(r);
	}
}

static int external_ip(natpmp_t *n, struct in_addr *ip)
{
	natpmpresp_t rs;
	int r;

	if (sendpublicaddressrequest(n) < 0)
		return PU_ETIMEDOUT;
	r = await(n, NATPMP_RESPTYPE_PUBLICADDRESS, &rs);
	if (r == 0)
		*ip = rs.pnu.publicaddress.addr;
	return r;
}

static int map_entry(natpmp_t *n, const struct pu_linux_portmap_job *j,
		     struct pu_linux_portmap_entry *e)
{
	uint16_t wanted = j->remove ? 0 : e->external ? e->external : e->port;
	natpmpresp_t rs;
	int r;

	e->lifetime_s = 0;
	if (sendnewportmappingrequest(n, e->tcp ? NATPMP_PROTOCOL_TCP : NATPMP_PROTOCOL_UDP,
				      e->port, wanted, j->remove ? 0 : PU_PORTMAP_LIFETIME_S) < 0)
		return PU_ETIMEDOUT;
	r = await(n, e->tcp ? NATPMP_RESPTYPE_TCPPORTMAPPING : NATPMP_RESPTYPE_UDPPORTMAPPING,
		  &rs);
	if (r < 0 || j->remove)
		return r;
	if (rs.pnu.newportmapping.privateport != e->port)
		return PU_EDENIED;
	e->external = rs.pnu.newportmapping.mappedpublicport;
	e->lifetime_s = rs.pnu.newportmapping.lifetime;
	return 0;
}

int pu_linux_natpmp_run(struct pu_linux_portmap_job *j)
{
	struct in_addr ip = { INADDR_ANY };
	int err = PU_EDENIED, r;
	natpmp_t n;

	if (initnatpmp(&n, 1, j->gateway.s_addr) < 0)
		return PU_ENOTSUP;
	r = j->remove ? 0 : external_ip(&n, &ip);
	for (size_t i = 0; r == 0 && i < j->n; i++) {
		struct pu_linux_portmap_entry *e = &j->entry[i];

		if (j->remove ? e->lifetime_s == 0 : *j->stop)
			continue;
		r = map_entry(&n, j, e);
		e->external_ip = ip;
		if (r == 0)
			err = 0;
		else if (r == PU_EDENIED)
			r = 0; /* the next one may be granted */
	}
	closenatpmp(&n);
	return r < 0 && err < 0 ? r : err;
}
