#include "platform/linux/paths.h"

const struct pu_linux_paths pu_linux_paths_default = {
	.resolv_conf = "/etc/resolv.conf",
	.nsswitch = "/etc/nsswitch.conf",
	.resolvconf_tools = { "/sbin/resolvconf", "/usr/sbin/resolvconf", "/usr/bin/resolvconf" },
	.interface_order = "/etc/resolvconf/interface-order",
	.nm_dnsmasq_dir = "/etc/NetworkManager/dnsmasq.d",
	.rt_protos_dir = "/etc/iproute2/rt_protos.d",
};
