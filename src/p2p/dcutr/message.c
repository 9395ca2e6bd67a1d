#include "p2p/dcutr/message.h"

#include "base/err.h"
#include "base/wire.h"
#include "p2p/dcutr/dcutr.pb-c.h"
#include "p2p/proto/message.h"

int pu_dcutr_message_encode(const struct pu_dcutr_message *m, struct pu_buf *out)
{
	ProtobufCBinaryData addrs[PU_DCUTR_ADDRS_MAX];
	PuPb__HolePunch pb = PU_PB__HOLE_PUNCH__INIT;

	pb.has_type = 1;
	pb.type = m->type;
	pb.obs_addrs = addrs;
	for (size_t i = 0; i < m->n_addrs; i++)
		addrs[i] = (ProtobufCBinaryData){ m->addrs[i].len, (uint8_t *)m->addrs[i].b };
	pb.n_obs_addrs = m->n_addrs;
	while (pu_pb__hole_punch__get_packed_size(&pb) > PU_DCUTR_MESSAGE_MAX)
		pb.n_obs_addrs--;
	return pu_message_append(&pb.base, PU_DCUTR_MESSAGE_MAX, out);
}

static int fill(const PuPb__HolePunch *pb, struct pu_dcutr_message *m)
{
	if (!pb->has_type || (pb->type != PU_DCUTR_CONNECT && pb->type != PU_DCUTR_SYNC))
		return PU_EPROTO;
	m->type = (enum pu_dcutr_type)pb->type;
	m->n_addrs = 0;
	for (size_t i = 0; i < pb->n_obs_addrs && m->n_addrs < PU_DCUTR_ADDRS_MAX; i++) {
		struct pu_bytes b = pu_bytes(pb->obs_addrs[i].data, pb->obs_addrs[i].len);

		if (pu_multiaddr_from_bytes(&m->addrs[m->n_addrs], b) == 0)
			m->n_addrs++;
	}
	return 0;
}

int pu_dcutr_message_decode(struct pu_bytes in, size_t *pused, struct pu_dcutr_message *m)
{
	PuPb__HolePunch *pb;
	struct pu_bytes body;
	size_t used;
	int r = pu_message_split(in, PU_DCUTR_MESSAGE_MAX, &body, &used);

	if (r < 0)
		return r == PU_EAGAIN ? r : PU_EPROTO;
	pb = pu_pb__hole_punch__unpack(NULL, body.len, body.p);
	if (!pb)
		return PU_EPROTO;
	r = fill(pb, m);
	pu_pb__hole_punch__free_unpacked(pb, NULL);
	if (r == 0)
		*pused = used;
	return r;
}
