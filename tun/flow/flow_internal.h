/* What the files of this folder share. Nothing of it is seen outside. */
#ifndef PU_TUN_FLOW_FLOW_INTERNAL_H
#define PU_TUN_FLOW_FLOW_INTERNAL_H

#include "base/htab.h"
#include "tun/flow/flow.h"
#include "tun/flow/segment.h"

struct pbuf;
struct tcp_pcb;

enum flow_state {
	FLOW_HELD,    /* the SYN is kept, the owner is asked */
	FLOW_OPENING, /* the SYN was let through, the handshake goes on */
	FLOW_OPEN,
	FLOW_DONE,    /* both directions have ended, or it broke; lwIP has forgotten it */
};

struct pu_flow {
	struct pu_flow_table *table;
	struct pu_hnode node; /* of table->by_tuple, until FLOW_DONE */
	struct pu_list in_table;
	struct pu_job job;
	struct pu_timer timer; /* held or lingering for too long */
	void *arg;
	struct tcp_pcb *pcb; /* FLOW_OPENING and FLOW_OPEN */
	struct pbuf *rx;     /* received and not yet taken; lwIP's window bounds it */
	size_t taken;        /* and not yet told to lwIP */
	uint8_t *syn;        /* FLOW_HELD: the packet */
	struct pu_packet syn_info;
	struct pu_flow_tuple tuple;
	enum flow_state state;
	uint32_t handle;
	uint32_t number; /* its address inside lwIP */
	uint16_t mss;    /* of the local program's side */
	int err;         /* FLOW_DONE: why, 0 when it ended in peace */
	bool owned;      /* the owner may still be told things */
	bool asked;      /* on_syn was called */
	bool in_job, released;
	bool fresh;      /* opened by the packet at hand */
	bool paused;     /* on_recv took less than it was offered */
	bool rx_fin, eof_told;
	bool fin_wanted, fin_sent;
	bool want_write; /* pu_flow_write() took less than it was offered */
	bool active;     /* something arrived since the last sweep */
};

struct pu_flow_table {
	struct pu_loop *loop;
	struct pu_tun_device *dev;
	const struct pu_flow_events *ev;
	void *arg;
	struct pu_flow_limits limits;
	struct pu_htab by_tuple;
	struct pu_list flows;
	struct pu_list in_stack;
	struct pu_timer tick;  /* of lwIP; only one table's runs */
	struct pu_timer sweep; /* of flows whose end may have been lost */
	struct pu_flow_stats stats;
};

/* stack.c: lwIP itself */

/* Starts lwIP with the first table. PU_ENOMEM, PU_ESYS. */
int pu_flow_stack_join(struct pu_flow_table *t);
void pu_flow_stack_leave(struct pu_flow_table *t);
bool pu_flow_stack_bypass(void);
/* Gives f a number. PU_ENOMEM, PU_ELIMIT. */
int pu_flow_stack_add(struct pu_flow *f);
void pu_flow_stack_remove(struct pu_flow *f);
/* A packet of f, copied. */
void pu_flow_stack_input(struct pu_flow *f, const uint8_t *ip, const struct pu_packet *info);
/* lwIP has got something to do: its timer must run. */
void pu_flow_stack_wake(void);

/* tcp.c: one connection inside lwIP */

/* Lets the SYN through. PU_ENOMEM. */
int pu_flow_tcp_open(struct pu_flow *f);
/* The handshake is over. For the accept callback of lwIP's one listener. */
int pu_flow_tcp_accept(struct pu_flow *f);
/* A packet for an opening or open flow. */
void pu_flow_tcp_input(struct pu_flow *f, const uint8_t *ip, const struct pu_packet *info);
size_t pu_flow_tcp_room(const struct pu_flow *f);
/* Half of all that may be in flight. */
bool pu_flow_tcp_has_much_room(const struct pu_flow *f);
size_t pu_flow_tcp_write(struct pu_flow *f, const uint8_t *p, size_t len);
/* Sends what was written, the acknowledgement that is due, and a larger window. */
void pu_flow_tcp_flush(struct pu_flow *f);
/* FIN behind what was written, if that is on its way; else an acknowledgement
 * touches the flow again. */
void pu_flow_tcp_fin(struct pu_flow *f);
/* len bytes of f->rx were taken. */
void pu_flow_tcp_taken(struct pu_flow *f, size_t len);
/* First bytes of f->rx; empty when there are none. */
struct pu_bytes pu_flow_tcp_front(const struct pu_flow *f);
void pu_flow_tcp_drop_rx(struct pu_flow *f);
/* Forgets the connection, with a RST or without a word. */
void pu_flow_tcp_abort(struct pu_flow *f, bool tell);
/* Asks a silent local program whether it is still there. */
void pu_flow_tcp_probe(struct pu_flow *f);

/* flow.c: what the owner sees */

void pu_flow_init(struct pu_flow *f, struct pu_flow_table *t);
/* lwIP has forgotten the connection; err 0: both directions had ended. */
void pu_flow_ended(struct pu_flow *f, int err);
/* Something happened that the owner may have to hear of. */
void pu_flow_touch(struct pu_flow *f);
/* Nobody needs it any more: frees it, now or when its job has returned. */
void pu_flow_release(struct pu_flow *f);

/* table.c */

/* The tuple is free for another flow. */
void pu_flow_table_forget(struct pu_flow *f);
void pu_flow_table_unlink(struct pu_flow *f);

/* answer.c */

/* RST for a segment of nobody's. */
void pu_flow_answer_reset(struct pu_tun_device *dev, const uint8_t *ip,
			  const struct pu_packet *info);
/* What pu_flow_refuse() promises, to the SYN. */
void pu_flow_answer_refuse(struct pu_tun_device *dev, const uint8_t *syn,
			   const struct pu_packet *info, int err);

#endif
