#include "platform/linux/netlink.h"

#include <errno.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/rtnl.h>

#include "base/err.h"

int pu_linux_netlink_open(struct nl_sock **psk)
{
	struct nl_sock *sk = nl_socket_alloc();
	int r;

	if (!sk)
		return PU_ENOMEM;
	r = nl_connect(sk, NETLINK_ROUTE);
	if (r < 0) {
		nl_socket_free(sk);
		return pu_linux_netlink_err(r);
	}
	*psk = sk;
	return 0;
}

int pu_linux_netlink_err(int nlerr)
{
	switch (nlerr < 0 ? -nlerr : 0) {
	case 0:
		return 0;
	case NLE_NOMEM:
		return PU_ENOMEM;
	case NLE_PERM:
	case NLE_NOACCESS:
		return PU_EPERM;
	case NLE_EXIST:
		return PU_EEXIST;
	case NLE_OBJ_NOTFOUND:
	case NLE_NODEV:
		return PU_ENOENT;
	case NLE_INVAL:
	case NLE_RANGE:
		return PU_EINVAL;
	case NLE_OPNOTSUPP:
	case NLE_AF_NOSUPPORT:
	case NLE_PROTO_MISMATCH:
		return PU_ENOTSUP;
	case NLE_BUSY:
	case NLE_AGAIN:
		return PU_EAGAIN;
	}
	return PU_ESYS;
}

struct nl_addr *pu_linux_netlink_addr(const struct pu_prefix *p)
{
	struct nl_addr *a = nl_addr_build(p->family, p->addr, p->family == AF_INET ? 4 : 16);

	if (a)
		nl_addr_set_prefixlen(a, p->bits);
	return a;
}

bool pu_linux_netlink_prefix(struct nl_addr *a, int family, struct pu_prefix *out)
{
	size_t len;

	memset(out, 0, sizeof *out);
	if (family != AF_INET && family != AF_INET6)
		return false;
	out->family = (uint8_t)family;
	len = a ? nl_addr_get_len(a) : 0;
	if (len > sizeof out->addr)
		return false;
	if (len > 0) {
		out->bits = (uint8_t)nl_addr_get_prefixlen(a);
		memcpy(out->addr, nl_addr_get_binary_addr(a), len);
	}
	return true;
}

int pu_linux_netlink_ifindex(const char *ifname)
{
	unsigned i = if_nametoindex(ifname);

	return i ? (int)i : PU_ENOENT;
}

int pu_linux_netlink_dump(struct nl_sock *sk, int type, int family,
			  pu_linux_netlink_msg_fn *on_msg, void *arg)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int r;

	if (!cb)
		return PU_ENOMEM;
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_msg, arg);
	r = nl_rtgen_request(sk, type, family, NLM_F_DUMP);
	if (r >= 0)
		r = nl_recvmsgs(sk, cb);
	nl_cb_put(cb);
	return pu_linux_netlink_err(r < 0 ? r : 0);
}
