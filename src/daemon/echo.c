#include "daemon/echo.h"

#include <stdlib.h>

#include "base/err.h"
#include "tun/reader.h"

struct request {
	struct pu_list node;
	struct pu_echo *owner; /* NULL once the owner is gone */
	struct pu_packet info;
	size_t len;
	uint8_t ip[PU_ECHO_PACKET_MAX];
};

struct pu_echo {
	struct pu_node *node;
	struct pu_tun_device *dev;
	struct pu_list requests;
	unsigned n;
	uint64_t answered;
};

int pu_echo_new(struct pu_node *n, struct pu_tun_device *dev, struct pu_echo **pe)
{
	struct pu_echo *e = calloc(1, sizeof *e);

	if (!e)
		return PU_ENOMEM;
	e->node = n;
	e->dev = dev;
	pu_list_init(&e->requests);
	*pe = e;
	return 0;
}

/* Pings in flight find out when they end that nobody waits for them. */
void pu_echo_free(struct pu_echo *e)
{
	if (!e)
		return;
	PU_LIST_FOREACH (it, tmp, &e->requests) {
		PU_CONTAINER_OF(it, struct request, node)->owner = NULL;
		pu_list_remove(it);
	}
	free(e);
}

static void on_pong(void *arg, int err, const char *text, pu_time rtt, struct pu_conn *conn)
{
	struct request *r = arg;
	struct pu_echo *e = r->owner;

	if (e) {
		pu_list_remove(&r->node);
		e->n--;
	}
	if (e && err == 0) {
		pu_packet_make_echo_reply(r->ip, r->len, &r->info);
		if (pu_tun_write_packet(e->dev, r->ip, r->len) >= 0)
			e->answered++;
	}
	free(r);
}

bool pu_echo_request(struct pu_echo *e, const struct pu_roster_peer *p,
		     const struct pu_tun_frame *f)
{
	struct request *r;

	if (!pu_packet_is_echo_request(&f->info))
		return false;
	if (e->n >= PU_ECHO_MAX || f->info.total_len > PU_ECHO_PACKET_MAX)
		return true;
	r = calloc(1, sizeof *r);
	if (!r)
		return true;
	r->owner = e;
	r->info = f->info;
	r->len = f->info.total_len;
	memcpy(r->ip, pu_tun_frame_ip(f), r->len);
	pu_list_append(&e->requests, &r->node);
	e->n++;
	if (pu_pingpong_send(e->node->pingpong, &p->id, on_pong, r) < 0) {
		pu_list_remove(&r->node);
		e->n--;
		free(r);
	}
	return true;
}

uint64_t pu_echo_answered(const struct pu_echo *e)
{
	return e->answered;
}
