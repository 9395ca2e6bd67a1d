#include "tun/flow/checksum.h"

#include <string.h>

#include "tun/flow/lwip_shim.h"

/* Hidden visibility or link-time optimisation would keep them from the library. */
#define REPLACES_LWIP __attribute__((used, visibility("default")))

/* 0 is "valid" on the way in and a blank field on the way out, which the netif
 * output fills. */
REPLACES_LWIP u16_t ip_chksum_pseudo(struct pbuf *p, u8_t proto, u16_t proto_len,
				     const ip_addr_t *src, const ip_addr_t *dest)
{
	return 0;
}

REPLACES_LWIP u16_t ip_chksum_pseudo_partial(struct pbuf *p, u8_t proto, u16_t proto_len,
					     u16_t chksum_len, const ip_addr_t *src,
					     const ip_addr_t *dest)
{
	return 0;
}

REPLACES_LWIP u16_t lwip_chksum_copy(void *dst, const void *src, u16_t len)
{
	memcpy(dst, src, len);
	return 0;
}

void pu_flow_checksum_link(void)
{
}
