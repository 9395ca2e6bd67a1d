/* Taking the payload checksums out of lwIP.
 *
 * lwIP sums every payload byte on its way in and out. Here both ends of that way
 * are this kernel and this process, and the device lets us hand on checksums that
 * are not complete. So three functions of the shared library are replaced by
 * definitions in this program, which win when the dynamic linker resolves the
 * library's own calls. Whether they did depends on how the program was linked:
 * tun/flow/stack.c finds out by a probe and otherwise computes what lwIP expects. */
#ifndef PU_TUN_FLOW_CHECKSUM_H
#define PU_TUN_FLOW_CHECKSUM_H

/* Pulls the replacements into the program, whatever the linker thinks of a static
 * library's file that nobody calls. */
void pu_flow_checksum_link(void);

#endif
