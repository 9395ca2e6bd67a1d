#include "p2p/kad/message.h"

#include "base/err.h"
#include "base/wire.h"
#include "p2p/kad/kad.pb-c.h"
#include "p2p/proto/message.h"

static struct pu_bytes span(ProtobufCBinaryData d)
{
	return pu_bytes(d.data, d.len);
}

static ProtobufCBinaryData data(struct pu_bytes b)
{
	return (ProtobufCBinaryData){ b.len, (uint8_t *)b.p };
}

/* What strangers say. */

/* An address of the peer itself; its own /p2p at the end is cut off. */
static bool take_addr(struct pu_kad_peer *p, struct pu_bytes b)
{
	struct pu_multiaddr ma, rest;
	struct pu_peerid id;

	if (pu_multiaddr_from_bytes(&ma, b) < 0 || pu_multiaddr_is_unspecified(&ma))
		return false;
	if (pu_multiaddr_split_peer(&ma, &rest, &id) == 0 && !pu_peerid_eq(&id, &p->id))
		return false;
	if (rest.len == 0)
		return false;
	p->addrs[p->n_addrs++] = pu_bytes(b.p, rest.len);
	return true;
}

static bool take_peer(struct pu_kad_peer *p, const PuPb__KadPeer *in)
{
	if (pu_peerid_from_bytes(&p->id, span(in->id)) < 0)
		return false;
	p->link = in->connection >= PU_KAD_LINK_NONE && in->connection <= PU_KAD_LINK_CANNOT
			  ? (enum pu_kad_link)in->connection
			  : PU_KAD_LINK_NONE;
	p->n_addrs = 0;
	for (size_t i = 0; i < in->n_addrs && p->n_addrs < PU_KAD_ADDRS_MAX; i++)
		take_addr(p, span(in->addrs[i]));
	return true;
}

static size_t take_peers(struct pu_kad_message *m, struct pu_kad_peer *to, PuPb__KadPeer **from,
			 size_t n_from)
{
	size_t n = 0;

	for (size_t i = 0; i < n_from && i < PU_KAD_PEERS_MAX; i++) {
		if (take_peer(&to[n], from[i]))
			n++;
		else
			m->n_junk++;
	}
	return n;
}

static int take(struct pu_kad_message *m, const PuPb__KadMessage *in)
{
	const PuPb__KadRecord *rec = in->record;

	if (in->type < PU_KAD_PUT_VALUE || in->type > PU_KAD_PING || in->key.len > PU_KAD_KEY_MAX)
		return PU_EPROTO;
	m->type = (enum pu_kad_type)in->type;
	m->key = span(in->key);
	if (rec) {
		if (rec->key.len > PU_KAD_KEY_MAX || rec->value.len > PU_KAD_VALUE_MAX)
			return PU_EPROTO;
		m->has_record = true;
		m->record_key = span(rec->key);
		m->record_value = span(rec->value);
	}
	m->n_closer = take_peers(m, m->closer, in->closer_peers, in->n_closer_peers);
	m->n_providers = take_peers(m, m->providers, in->provider_peers, in->n_provider_peers);
	return 0;
}

static void reset(struct pu_kad_message *m)
{
	m->type = PU_KAD_PING;
	m->key = m->record_key = m->record_value = pu_bytes(NULL, 0);
	m->has_record = false;
	m->received[0] = '\0';
	m->n_closer = m->n_providers = 0;
	m->n_junk = 0;
	m->unpacked = NULL;
}

int pu_kad_message_decode(struct pu_bytes in, struct pu_kad_message *out)
{
	PuPb__KadMessage *m;
	int r;

	reset(out);
	if (in.len > PU_KAD_MESSAGE_IN_MAX)
		return PU_EPROTO;
	m = pu_pb__kad_message__unpack(NULL, in.len, in.p);
	if (!m)
		return PU_EPROTO;
	out->unpacked = m;
	r = take(out, m);
	if (r < 0)
		pu_kad_message_deinit(out);
	return r;
}

void pu_kad_message_deinit(struct pu_kad_message *m)
{
	if (m->unpacked)
		pu_pb__kad_message__free_unpacked(m->unpacked, NULL);
	m->unpacked = NULL;
}

/* What we say. */

struct packed_peers {
	PuPb__KadPeer *list[PU_KAD_PEERS_MAX];
	PuPb__KadPeer peer[PU_KAD_PEERS_MAX];
	ProtobufCBinaryData addr[PU_KAD_PEERS_MAX][PU_KAD_ADDRS_MAX];
};

static size_t put_peers(struct packed_peers *to, const struct pu_kad_peer *from, size_t n,
			size_t max_addrs)
{
	for (size_t i = 0; i < n; i++) {
		PuPb__KadPeer *p = &to->peer[i];

		pu_pb__kad_peer__init(p);
		p->has_id = 1;
		p->id = data(pu_peerid_bytes(&from[i].id));
		p->has_connection = 1;
		p->connection = from[i].link;
		p->n_addrs = pu_min(from[i].n_addrs, max_addrs);
		p->addrs = to->addr[i];
		for (size_t j = 0; j < p->n_addrs; j++)
			to->addr[i][j] = data(from[i].addrs[j]);
		to->list[i] = p;
	}
	return n;
}

static size_t wire_len(const PuPb__KadMessage *m)
{
	size_t len = pu_pb__kad_message__get_packed_size(m);

	return len + pu_uvarint_len(len);
}

/* Fewer addresses for everyone, until it fits; then fewer peers. */
static int shrink(PuPb__KadMessage *pb, const struct pu_kad_message *m, struct packed_peers *closer,
		  struct packed_peers *providers)
{
	for (size_t addrs = PU_KAD_ADDRS_MAX; addrs > 0; addrs /= 2) {
		pb->n_closer_peers = put_peers(closer, m->closer, m->n_closer, addrs);
		pb->n_provider_peers = put_peers(providers, m->providers, m->n_providers, addrs);
		if (wire_len(pb) <= PU_KAD_MESSAGE_OUT_MAX)
			return 0;
	}
	while (wire_len(pb) > PU_KAD_MESSAGE_OUT_MAX) {
		if (pb->n_closer_peers > 0)
			pb->n_closer_peers--;
		else if (pb->n_provider_peers > 0)
			pb->n_provider_peers--;
		else
			return PU_E2BIG;
	}
	return 0;
}

int pu_kad_message_encode(const struct pu_kad_message *m, struct pu_buf *out)
{
	PuPb__KadMessage pb = PU_PB__KAD_MESSAGE__INIT;
	PuPb__KadRecord rec = PU_PB__KAD_RECORD__INIT;
	struct packed_peers closer, providers;
	int r;

	pb.has_type = 1;
	pb.type = (int32_t)m->type;
	pb.has_key = m->key.len > 0;
	pb.key = data(m->key);
	if (m->has_record) {
		rec.has_key = rec.has_value = 1;
		rec.key = data(m->record_key);
		rec.value = data(m->record_value);
		rec.time_received = m->received[0] ? (char *)m->received : NULL;
		pb.record = &rec;
	}
	pb.closer_peers = closer.list;
	pb.provider_peers = providers.list;
	r = shrink(&pb, m, &closer, &providers);
	return r < 0 ? r : pu_message_append(&pb.base, PU_KAD_MESSAGE_OUT_MAX, out);
}
