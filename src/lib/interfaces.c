/* Addresses of this machine's interfaces, for hosts that listen on all of them. */
#include "base/err.h"
#include "base/log.h"
#include "lib/lib_internal.h"

static void tell(struct peerup_host *h)
{
	struct pu_prefix addrs[PU_PLATFORM_ADDRS_MAX];
	struct pu_multiaddr ma[PU_PLATFORM_ADDRS_MAX];
	size_t n;

	if (!h->platform)
		return;
	n = pu_platform_addrs(h->platform, NULL, addrs, PU_ARRAY_LEN(addrs));
	for (size_t i = 0; i < n; i++)
		pu_multiaddr_from_ip(&ma[i], addrs[i].family, addrs[i].addr);
	pu_host_set_interface_addrs(h->h, ma, n);
}

static void on_network_change(void *arg)
{
	struct peerup_host *h = arg;

	if (!h->closing)
		tell(h);
}

void pu_lib_interfaces_watch(struct peerup_host *h)
{
	static const struct pu_platform_events events = {
		.on_network_change = on_network_change,
	};
	int r = pu_platform_new(h->loop->base, &events, h, &h->platform);

	/* A sandbox may forbid it; what listens on one address works all the same. */
	if (r < 0)
		pu_log(PU_LOG_WARN, "host", "cannot watch the interfaces", PU_KV_ERR(r));
	else
		tell(h);
}
