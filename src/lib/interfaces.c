/* Addresses of this machine's interfaces, for hosts that listen on all of them. */
#include "base/err.h"
#include "base/log.h"
#include "lib/lib_internal.h"

void pu_lib_interfaces_tell(struct peerup_host *h)
{
	struct pu_prefix addrs[PU_PLATFORM_ADDRS_MAX];
	struct pu_multiaddr ma[PU_PLATFORM_ADDRS_MAX];
	size_t n, n_ma = 0;

	if (!h->platform)
		return;
	n = pu_platform_addrs(h->platform, NULL, addrs, PU_ARRAY_LEN(addrs));
	for (size_t i = 0; i < n; i++) {
		bool v4 = addrs[i].family == AF_INET;

		ma[n_ma].len = 0;
		if (pu_multiaddr_append(&ma[n_ma], v4 ? PU_MA_IP4 : PU_MA_IP6,
					pu_bytes(addrs[i].addr, v4 ? 4 : 16)) == 0)
			n_ma++;
	}
	pu_host_set_interface_addrs(h->h, ma, n_ma);
}

static void on_network_change(void *arg)
{
	struct peerup_host *h = arg;

	if (!h->closing)
		pu_lib_interfaces_tell(h);
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
		pu_lib_interfaces_tell(h);
}
