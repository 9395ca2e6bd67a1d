/* TCP flows from this machine to named services, terminated by lwIP (reflection:
 * see tun/flow/segment.h). The SYN is held until the other side has answered.
 *
 * One lwIP state exists per process; every pu_flow_table shares it, so all of them
 * live in one thread. */
#ifndef PU_TUN_FLOW_FLOW_H
#define PU_TUN_FLOW_FLOW_H

#include "base/loop.h"
#include "tun/device.h"
#include "tun/packet.h"

struct pu_flow_table;
struct pu_flow;

/* Never called from inside a pu_flow_…() function: always at the end of the turn. */
struct pu_flow_events {
	/* A SYN to a service: (peer's route handle, port). The callee starts opening the
	 * remote service and calls pu_flow_accept() or pu_flow_refuse() later (or at
	 * once), after pu_flow_set_arg(). */
	void (*on_syn)(void *table_arg, struct pu_flow *f, uint32_t handle, uint16_t port);
	/* Bytes from the local program; returns how many were taken; the rest is offered
	 * again after pu_flow_resume(). */
	size_t (*on_recv)(void *flow_arg, struct pu_flow *f, const uint8_t *p, size_t len);
	/* The local program sent FIN; everything was taken. */
	void (*on_eof)(void *flow_arg, struct pu_flow *f);
	/* After a short pu_flow_write(). */
	void (*on_writable)(void *flow_arg, struct pu_flow *f);
	/* Gone (reset, aborted, timed out, or given up before it was accepted); the flow
	 * must not be touched afterwards. Not called after pu_flow_close()/_reset(), nor
	 * when both directions have ended in peace: that flow waits for its close. */
	void (*on_closed)(void *flow_arg, struct pu_flow *f, int err);
};

struct pu_flow_limits {
	unsigned max_flows; /* 0: default 4096 */
	unsigned max_held;  /* SYNs waiting for an answer; 0: default 256 */
};

/* The table writes packets to dev. */
int pu_flow_table_new(struct pu_loop *loop, struct pu_tun_device *dev,
		      const struct pu_flow_events *ev, void *arg,
		      const struct pu_flow_limits *limits, struct pu_flow_table **pt);
/* Resets every flow (no callbacks). Not from inside a callback. */
void pu_flow_table_free(struct pu_flow_table *t);

/* True when the packet belongs to a flow of this table (same addresses and ports). */
bool pu_flow_table_has(const struct pu_flow_table *t, const struct pu_packet *info);
/* A TCP frame from the device (virtio header in front, whole super-packet) that is
 * a SYN to a service of handle, or belongs to a flow. The frame is copied. A first
 * packet that is not a SYN is answered with RST. */
void pu_flow_table_input(struct pu_flow_table *t, uint8_t *frame, size_t len,
			 const struct pu_packet *info, uint32_t handle);
/* All flows to that peer are reset (it went away or lost its right), and their
 * owner is told PU_ERESET. */
void pu_flow_table_reset_handle(struct pu_flow_table *t, uint32_t handle);

void pu_flow_set_arg(struct pu_flow *f, void *flow_arg);
/* The remote service is there: the SYN is let through. */
void pu_flow_accept(struct pu_flow *f);
/* err PU_EUNREACH, PU_ETIMEDOUT: ICMP host unreachable; PU_EDENIED: ICMP
 * administratively prohibited; PU_EAGAIN: no answer, the program's next SYN is a new
 * one; any other: RST. The flow is gone. */
void pu_flow_refuse(struct pu_flow *f, int err);
/* How many bytes were taken (copied); 0 before the program's handshake is through.
 * They leave at the end of the turn. */
size_t pu_flow_write(struct pu_flow *f, const void *p, size_t len);
size_t pu_flow_room(const struct pu_flow *f);
/* FIN behind what was written. */
void pu_flow_shutdown(struct pu_flow *f);
void pu_flow_resume(struct pu_flow *f);
/* Delivers what was written, then FIN; what arrives is discarded, and answered with
 * RST once everything was delivered. The flow must not be touched afterwards. */
void pu_flow_close(struct pu_flow *f);
/* RST. The flow must not be touched afterwards. */
void pu_flow_reset(struct pu_flow *f);

struct pu_flow_stats {
	uint64_t opened, accepted, refused, refused_limit;
	unsigned n_flows, n_held;
	bool checksum_bypass; /* the start-up probe found the replaced functions in use */
};
void pu_flow_table_stats(const struct pu_flow_table *t, struct pu_flow_stats *out);

#endif
