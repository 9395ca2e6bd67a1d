/* The only place that includes lwIP: Debian's shared library, versions 2.1 and 2.2,
 * used through its raw API and a few fields of struct tcp_pcb. */
#ifndef PU_TUN_FLOW_LWIP_SHIM_H
#define PU_TUN_FLOW_LWIP_SHIM_H

/* Its byte order macros would take the names of the C library's functions. */
#ifndef LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS
#define LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS
#endif

#include <lwip/inet_chksum.h>
#include <lwip/init.h>
#include <lwip/ip4.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/tcp.h>
#include <lwip/priv/tcp_priv.h>

#if LWIP_VERSION_MAJOR != 2 || LWIP_VERSION_MINOR < 1
#error "lwIP 2.1 or 2.2 is needed"
#endif

/* What the flows rely on and the library was built with. */
#if !LWIP_CALLBACK_API || !LWIP_WND_SCALE || !LWIP_NETIF_TX_SINGLE_PBUF || TCP_LISTEN_BACKLOG
#error "lwIP was built with options that tun/flow was not written for"
#endif

/* tcp_tmr() is the one timer of lwIP that is ever called here: ARP, IGMP, MLD, ND6
 * and reassembly, which sys_check_timeouts() would serve too, are not in use. */
enum { PU_LWIP_TICK_MS = TCP_TMR_INTERVAL };

#endif
