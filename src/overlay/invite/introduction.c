#include "overlay/invite/introduction.h"

#include "base/err.h"
#include "overlay/invite/invite.pb-c.h"
#include "overlay/name.h"
#include "p2p/proto/message.h"

enum { WIRE_SERVICES = 1, WIRE_NETWORK = 2 };

static ProtobufCBinaryData data_of(struct pu_bytes b)
{
	return (ProtobufCBinaryData){ .data = (uint8_t *)b.p, .len = b.len };
}

static struct pu_bytes bytes_of(const ProtobufCBinaryData *d)
{
	return pu_bytes(d->data, d->len);
}

static int pack_first(const struct pu_introduction *intro, size_t n_relays, size_t n_addrs,
		      struct pu_buf *out)
{
	ProtobufCBinaryData relay[PU_HANDSHAKE_RELAYS_MAX], addr[PU_HANDSHAKE_ADDRS_MAX];
	PuPb__Invite__Introduction i = PU_PB__INVITE__INTRODUCTION__INIT;
	PuPb__Invite m = PU_PB__INVITE__INIT;

	for (size_t n = 0; n < n_relays; n++)
		relay[n] = data_of(pu_multiaddr_bytes(&intro->relay[n]));
	for (size_t n = 0; n < n_addrs; n++)
		addr[n] = data_of(pu_multiaddr_bytes(&intro->addr[n]));
	i.has_name = i.has_access = i.has_network = 1;
	i.name = data_of(pu_bytes_str(intro->name));
	i.access = intro->access == PU_ACCESS_NETWORK ? WIRE_NETWORK : WIRE_SERVICES;
	i.network = data_of(pu_bytes_str(intro->network));
	i.n_relay = n_relays;
	i.relay = relay;
	i.n_address = n_addrs;
	i.address = addr;
	m.introduction = &i;
	return pu_message_pack(&m.base, pu_buf_room(out), out);
}

int pu_introduction_pack(const struct pu_introduction *intro, struct pu_buf *out)
{
	size_t n_relays = pu_min(intro->n_relays, PU_HANDSHAKE_RELAYS_MAX);
	size_t n_addrs = pu_min(intro->n_addrs, PU_HANDSHAKE_ADDRS_MAX);
	int r;

	while ((r = pack_first(intro, n_relays, n_addrs, out)) == PU_ELIMIT) {
		if (n_addrs > 0)
			n_addrs--;
		else if (n_relays > 0)
			n_relays--;
		else
			break;
	}
	return r;
}

int pu_introduction_pack_refusal(const char *text, struct pu_buf *out)
{
	PuPb__Invite m = PU_PB__INVITE__INIT;

	m.has_refusal = 1;
	m.refusal = data_of(pu_bytes(text, strnlen(text, PU_HANDSHAKE_REFUSAL_MAX)));
	return pu_message_pack(&m.base, pu_buf_room(out), out);
}

int pu_introduction_pack_stored(struct pu_buf *out)
{
	PuPb__Invite m = PU_PB__INVITE__INIT;

	m.has_stored = m.stored = 1;
	return pu_message_pack(&m.base, pu_buf_room(out), out);
}

int pu_introduction_name(struct pu_bytes in, char out[PU_HANDSHAKE_NAME_MAX + 1])
{
	if (in.len > PU_HANDSHAKE_NAME_MAX || (in.len && memchr(in.p, '\0', in.len)))
		return PU_EPROTO;
	if (in.len)
		memcpy(out, in.p, in.len);
	out[in.len] = '\0';
	return 0;
}

void pu_introduction_text(struct pu_bytes in, char out[PU_HANDSHAKE_REFUSAL_MAX + 1])
{
	size_t n = pu_min(in.len, PU_HANDSHAKE_REFUSAL_MAX);

	for (size_t i = 0; i < n; i++)
		out[i] = in.p[i] < ' ' || in.p[i] >= 0x7f ? '?' : (char)in.p[i];
	out[n] = '\0';
}

static int take_network(struct pu_bytes in, char out[PU_CODE_NETWORK_MAX + 1])
{
	if (in.len > PU_CODE_NETWORK_MAX)
		return PU_EPROTO;
	if (in.len)
		memcpy(out, in.p, in.len);
	out[in.len] = '\0';
	if (strlen(out) != in.len || (in.len && !pu_name_is_label(out)))
		return PU_EPROTO;
	return 0;
}

static void take_relay(const ProtobufCBinaryData *d, struct pu_introduction *out)
{
	struct pu_multiaddr ma, rest;
	struct pu_peerid id;

	if (pu_multiaddr_from_bytes(&ma, bytes_of(d)) == 0 &&
	    pu_multiaddr_split_peer(&ma, &rest, &id) == 0)
		pu_multiaddr_add(out->relay, PU_HANDSHAKE_RELAYS_MAX, &out->n_relays, &ma);
}

static void take_addr(const ProtobufCBinaryData *d, struct pu_introduction *out)
{
	struct pu_multiaddr ma;

	if (pu_multiaddr_from_bytes(&ma, bytes_of(d)) == 0)
		pu_multiaddr_add(out->addr, PU_HANDSHAKE_ADDRS_MAX, &out->n_addrs, &ma);
}

static int take_introduction(const PuPb__Invite__Introduction *m, struct pu_introduction *out)
{
	int r;

	memset(out, 0, sizeof *out);
	r = pu_introduction_name(bytes_of(&m->name), out->name);
	if (r == 0)
		r = take_network(bytes_of(&m->network), out->network);
	if (r < 0)
		return r;
	/* A class that we do not know grants no more than services. */
	out->access = m->access == WIRE_NETWORK ? PU_ACCESS_NETWORK : PU_ACCESS_SERVICES;
	for (size_t i = 0; i < m->n_relay; i++)
		take_relay(&m->relay[i], out);
	for (size_t i = 0; i < m->n_address; i++)
		take_addr(&m->address[i], out);
	return 0;
}

static int take_message(const PuPb__Invite *m, enum pu_sealed_kind *pkind,
			struct pu_introduction *intro, char *text)
{
	if ((m->introduction != NULL) + !!m->has_refusal + !!m->has_stored != 1)
		return PU_EPROTO;
	if (m->introduction) {
		*pkind = PU_SEALED_INTRODUCTION;
		return take_introduction(m->introduction, intro);
	}
	if (m->has_refusal) {
		*pkind = PU_SEALED_REFUSAL;
		pu_introduction_text(bytes_of(&m->refusal), text);
		return 0;
	}
	*pkind = PU_SEALED_STORED;
	return m->stored ? 0 : PU_EPROTO;
}

int pu_introduction_unpack(struct pu_bytes in, enum pu_sealed_kind *pkind,
			   struct pu_introduction *intro, char text[PU_HANDSHAKE_REFUSAL_MAX + 1])
{
	PuPb__Invite *m;
	int r;

	if (in.len > PU_HANDSHAKE_MESSAGE_MAX)
		return PU_EPROTO;
	m = pu_pb__invite__unpack(NULL, in.len, in.p);
	if (!m)
		return PU_EPROTO;
	r = take_message(m, pkind, intro, text);
	pu_pb__invite__free_unpacked(m, NULL);
	return r;
}
