#include "overlay/invite/nameplate_message.h"

#include "base/err.h"
#include "overlay/invite/nameplate.pb-c.h"
#include "p2p/proto/message.h"

int pu_nameplate_message_append(const struct pu_nameplate_message *m, struct pu_buf *out)
{
	PuPb__Nameplate pb = PU_PB__NAMEPLATE__INIT;
	struct pu_bytes peer = pu_peerid_bytes(&m->peer);

	pb.has_type = 1;
	pb.type = m->type;
	pb.has_status = m->status != 0;
	pb.status = m->status;
	pb.has_number = m->number != 0;
	pb.number = m->number;
	pb.has_seconds = m->seconds != 0;
	pb.seconds = m->seconds;
	pb.has_peer = !pu_peerid_empty(&m->peer);
	if (pb.has_peer)
		pb.peer = (ProtobufCBinaryData){ peer.len, (uint8_t *)peer.p };
	if (m->name[0])
		pb.name = (char *)m->name;
	return pu_message_append(&pb.base, PU_NAMEPLATE_MESSAGE_MAX, out);
}

static bool known(uint32_t type)
{
	return type >= PU_NAMEPLATE_ALLOCATE && type <= PU_NAMEPLATE_VOUCHED;
}

/* A name is shown on terminals and written to files: no control characters, and no half of
 * a character at the end. */
static void take_name(const char *from, char out[PU_NAMEPLATE_NAME_MAX + 1])
{
	size_t n = 0, i;

	for (i = 0; from[i] && n < PU_NAMEPLATE_NAME_MAX; i++)
		if ((uint8_t)from[i] >= 0x20 && from[i] != 0x7f)
			out[n++] = from[i];
	if (from[i] && ((uint8_t)from[i] & 0xc0) == 0x80)
		while (n > 0 && ((uint8_t)out[--n] & 0xc0) == 0x80)
			;
	out[n] = '\0';
}

static int take(const PuPb__Nameplate *pb, struct pu_nameplate_message *m)
{
	if (!pb->has_type || !known(pb->type))
		return PU_EPROTO;
	memset(m, 0, sizeof *m);
	m->type = (enum pu_nameplate_type)pb->type;
	m->status = pb->status;
	m->number = pb->number;
	m->seconds = pb->seconds;
	if (pb->name)
		take_name(pb->name, m->name);
	if (!pb->has_peer)
		return 0;
	return pu_peerid_from_bytes(&m->peer, pu_bytes(pb->peer.data, pb->peer.len)) < 0
		? PU_EPROTO : 0;
}

int pu_nameplate_message_split(struct pu_bytes in, struct pu_nameplate_message *m, size_t *pused)
{
	PuPb__Nameplate *pb;
	struct pu_bytes body;
	size_t used;
	int r = pu_message_split(in, PU_NAMEPLATE_MESSAGE_MAX, &body, &used);

	if (r < 0)
		return r == PU_EAGAIN ? r : PU_EPROTO;
	pb = pu_pb__nameplate__unpack(NULL, body.len, body.p);
	if (!pb)
		return PU_EPROTO;
	r = take(pb, m);
	pu_pb__nameplate__free_unpacked(pb, NULL);
	if (r == 0)
		*pused = used;
	return r;
}

int pu_nameplate_message_feed(struct pu_buf *in, const uint8_t *p, size_t len,
			      struct pu_nameplate_message *m, size_t *ptaken)
{
	size_t before = in->len, n = pu_min(len, pu_buf_room(in)), used;
	int r = pu_buf_append(in, p, n);

	*ptaken = n;
	if (r == 0)
		r = pu_nameplate_message_split(pu_buf_bytes(in), m, &used);
	if (r == 0) {
		*ptaken = used - before;
		pu_buf_clear(in, 0);
	}
	return r;
}

int pu_nameplate_message_err(uint32_t status)
{
	switch (status) {
	case PU_NAMEPLATE_OK:
		return 0;
	case PU_NAMEPLATE_DENIED:
		return PU_EDENIED;
	case PU_NAMEPLATE_LIMIT:
		return PU_ELIMIT;
	case PU_NAMEPLATE_UNKNOWN:
		return PU_ENOENT;
	case PU_NAMEPLATE_FAILED:
		return PU_ESYS;
	}
	return PU_EPROTO;
}

enum pu_nameplate_status pu_nameplate_message_status(int err)
{
	switch (err) {
	case 0:
	case PU_EEXIST: /* that is as it should be */
		return PU_NAMEPLATE_OK;
	case PU_EDENIED:
		return PU_NAMEPLATE_DENIED;
	case PU_ELIMIT:
		return PU_NAMEPLATE_LIMIT;
	case PU_ENOENT:
		return PU_NAMEPLATE_UNKNOWN;
	}
	return PU_NAMEPLATE_FAILED;
}
