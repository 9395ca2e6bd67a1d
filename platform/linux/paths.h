/* The files of the host that we touch; tests have others. */
#ifndef PU_PLATFORM_LINUX_PATHS_H
#define PU_PLATFORM_LINUX_PATHS_H

struct pu_linux_paths {
	const char *resolv_conf;        /* /etc/resolv.conf */
	const char *nsswitch;           /* /etc/nsswitch.conf */
	const char *resolvconf_tools[3];
	const char *interface_order;    /* there with Debian's resolvconf only */
	const char *nm_dnsmasq_dir;     /* drop-ins of NetworkManager's dnsmasq */
	const char *rt_protos_dir;      /* drop-ins of iproute2's protocol names */
};

extern const struct pu_linux_paths pu_linux_paths_default;

#endif
