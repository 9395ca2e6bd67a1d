/* States of a connection that lwIP (2.1 and 2.2) gets into by legal segments and does
 * not get out of, or asserts to be impossible. All of them concern segments larger
 * than the window, which only senders of large segments like us see often. */
#ifndef PU_TUN_FLOW_MEND_H
#define PU_TUN_FLOW_MEND_H

struct tcp_pcb;

/* After every packet of a connection, and before every tick. */
void pu_flow_mend(struct tcp_pcb *pcb);

#endif
