#include "p2p/proto/identify_message.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "base/wire.h"
#include "crypto/envelope.h"
#include "p2p/proto/identify.h"
#include "p2p/proto/identify.pb-c.h"
#include "p2p/proto/message.h"

enum {
	PROTOCOL_MAX = 256, /* accepted name */
	ADDRS_MAX = 500,    /* looked at */
	FIELD_OVERHEAD = 3, /* tag and length of a protocol name */
};

/* What we say. */

struct said {
	PuPb__Identify m;
	struct pu_multiaddr addrs[PU_IDENTIFY_ADDRS_MAX];
	ProtobufCBinaryData addr_data[PU_IDENTIFY_ADDRS_MAX];
	struct pu_buf record;
};

static ProtobufCBinaryData data(const void *p, size_t len)
{
	return (ProtobufCBinaryData){ len, (uint8_t *)p };
}

/* A remote peer has no use for our loopback addresses. */
static size_t choose_addrs(const struct host_conn *hc, struct pu_multiaddr *out, size_t cap)
{
	struct pu_multiaddr all[PU_LISTENER_ADDRS_MAX];
	size_t n_all = pu_listener_addrs(&hc->h->listener, all, PU_ARRAY_LEN(all)), n = 0;
	bool near = pu_multiaddr_is_loopback(&hc->c->remote);

	for (size_t i = 0; i < n_all && n < cap; i++)
		if (near || !pu_multiaddr_is_loopback(&all[i]))
			out[n++] = all[i];
	return n;
}

static int seal_record(struct said *s, const struct pu_host *h, uint64_t seq)
{
	struct pu_bytes addrs[PU_IDENTIFY_ADDRS_MAX];
	struct pu_buf payload;
	int r;

	for (size_t i = 0; i < s->m.n_listen_addrs; i++)
		addrs[i] = pu_multiaddr_bytes(&s->addrs[i]);
	pu_buf_init(&payload, PU_ENVELOPE_MAX);
	r = pu_peer_record_encode(&h->cfg.key->peer, seq, addrs, s->m.n_listen_addrs, &payload);
	if (r == 0)
		r = pu_envelope_seal(h->cfg.key, PU_ENVELOPE_DOMAIN_PEER_RECORD,
				     PU_ENVELOPE_PEER_RECORD, pu_buf_bytes(&payload), &s->record);
	pu_buf_deinit(&payload);
	return r;
}

static int fill(struct said *s, const struct host_conn *hc, uint64_t seq)
{
	const struct pu_host *h = hc->h;
	PuPb__Identify *m = &s->m;

	pu_pb__identify__init(m);
	m->has_public_key = 1;
	m->public_key = data(h->cfg.key->encoded, sizeof h->cfg.key->encoded);
	m->agent_version = h->agent;
	m->protocol_version = h->protocol_version;
	m->n_listen_addrs = choose_addrs(hc, s->addrs, PU_ARRAY_LEN(s->addrs));
	m->listen_addrs = s->addr_data;
	for (size_t i = 0; i < m->n_listen_addrs; i++)
		s->addr_data[i] = data(s->addrs[i].b, s->addrs[i].len);
	/* Through a relay we see the relay, which would only mislead. */
	if (!hc->c->limited && hc->c->remote.len &&
	    pu_multiaddr_kind(&hc->c->remote) != PU_MA_KIND_CIRCUIT) {
		m->has_observed_addr = 1;
		m->observed_addr = data(hc->c->remote.b, hc->c->remote.len);
	}
	pu_buf_init(&s->record, PU_ENVELOPE_MAX);
	return seal_record(s, h, seq);
}

/* How many of the names fit into a message that holds size bytes already. */
static size_t fitting(char *const *names, size_t n, size_t size)
{
	size_t i;

	for (i = 0; i < n; i++) {
		size += strlen(names[i]) + FIELD_OVERHEAD;
		if (size > PU_IDENTIFY_FIRST_MAX)
			break;
	}
	return i;
}

static int append_all(struct said *s, char **names, size_t n, struct pu_buf *out)
{
	PuPb__Identify *m = &s->m, last = PU_PB__IDENTIFY__INIT;
	size_t done = fitting(names, n, pu_pb__identify__get_packed_size(m));
	struct pu_bytes record = pu_buf_bytes(&s->record);
	bool joint;
	int r;

	m->protocols = names;
	m->n_protocols = done;
	joint = done == n && pu_pb__identify__get_packed_size(m) + record.len + FIELD_OVERHEAD <=
				     PU_IDENTIFY_JOINT_MAX;
	if (joint) {
		m->has_signed_peer_record = 1;
		m->signed_peer_record = data(record.p, record.len);
	}
	r = pu_message_append(&m->base, PU_IDENTIFY_MESSAGE_MAX, out);
	while (r == 0 && done < n) {
		PuPb__Identify more = PU_PB__IDENTIFY__INIT;

		more.protocols = names + done;
		more.n_protocols = fitting(names + done, n - done, 0);
		done += more.n_protocols;
		r = pu_message_append(&more.base, PU_IDENTIFY_MESSAGE_MAX, out);
	}
	if (r < 0 || joint)
		return r;
	last.has_signed_peer_record = 1;
	last.signed_peer_record = data(record.p, record.len);
	return pu_message_append(&last.base, PU_IDENTIFY_MESSAGE_MAX, out);
}

int pu_identify_message_encode(const struct host_conn *hc, uint64_t seq, struct pu_buf *out)
{
	struct said *s = calloc(1, sizeof *s);
	char **names = NULL;
	size_t n = 0, i = 0;
	int r = PU_ENOMEM;

	PU_LIST_FOREACH(it, tmp, &hc->h->handlers)
		n++;
	names = calloc(n + 1, sizeof *names);
	if (!s || !names)
		goto out;
	PU_LIST_FOREACH(it, tmp, &hc->h->handlers)
		names[i++] = PU_CONTAINER_OF(it, struct host_handler, node)->protocol;
	r = fill(s, hc, seq);
	if (r == 0)
		r = append_all(s, names, n, out);
	pu_buf_deinit(&s->record);
out:
	free(names);
	free(s);
	return r;
}

/* What a peer says. */

int pu_identify_message_split(struct pu_bytes in, struct pu_buf *body, unsigned *pn_messages,
			      size_t *pused)
{
	*pused = 0;
	for (;;) {
		struct pu_bytes rest = { in.p + *pused, in.len - *pused }, one;
		size_t used;
		int r = pu_message_split(rest, PU_IDENTIFY_MESSAGE_MAX, &one, &used);

		if (r == PU_EAGAIN)
			return 0;
		if (r < 0 || ++*pn_messages > PU_IDENTIFY_MESSAGES_MAX)
			return PU_EPROTO;
		r = pu_buf_append(body, one.p, one.len);
		if (r < 0)
			return r;
		*pused += used;
	}
}

static bool key_fits(const struct host_conn *hc, const PuPb__Identify *m)
{
	struct pu_pubkey *k;
	bool fits;

	if (!m->has_public_key)
		return true; /* the handshake has told */
	k = malloc(sizeof *k);
	if (!k)
		return false;
	fits = pu_pubkey_decode(k, pu_bytes(m->public_key.data, m->public_key.len)) == 0 &&
	       pu_peerid_eq(&k->peer, &hc->c->peer);
	free(k);
	return fits;
}

static bool sane_name(const char *s, size_t max)
{
	size_t n = 0;

	for (; s[n]; n++)
		if (n == max || (unsigned char)s[n] < 0x21 || (unsigned char)s[n] > 0x7e)
			return false;
	return n > 0;
}

/* rust-libp2p tells on each connection what it handles on that one. What it told on the
 * others counts as well, until a push says what there is. */
static int apply_protocols(struct host_conn *hc, const PuPb__Identify *m, bool push)
{
	size_t cap = pu_min(m->n_protocols, PU_PEERSTORE_PROTOCOLS_MAX), n = 0;
	const struct pu_peer *p = hc->peer;
	size_t n_old = push || p->n_conns < 2 ? 0 : p->n_protocols;
	struct pu_bytes *names;
	int r;

	if (push && m->n_protocols == 0)
		return 0;
	names = calloc(cap + n_old + 1, sizeof *names);
	if (!names)
		return PU_ENOMEM;
	for (size_t i = 0; i < cap; i++)
		if (sane_name(m->protocols[i], PROTOCOL_MAX))
			names[n++] = pu_bytes_str(m->protocols[i]);
	for (size_t i = 0; i < n_old && n < PU_PEERSTORE_PROTOCOLS_MAX; i++)
		names[n++] = pu_bytes_str(p->protocols[i]);
	r = pu_peerstore_set_protocols(hc->peer, names, n);
	free(names);
	return r;
}

static void apply_agent(struct host_conn *hc, const PuPb__Identify *m)
{
	char *to = hc->peer->agent;
	size_t n = 0;

	if (!m->agent_version)
		return;
	for (const char *s = m->agent_version; *s && n < sizeof hc->peer->agent - 1; s++)
		to[n++] = (unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e ? '?' : *s;
	to[n] = '\0';
}

static void add_addr(struct host_conn *hc, struct pu_bytes b, bool certified)
{
	struct pu_multiaddr ma;

	/* Addresses of a kind that we do not know are for others. */
	if (pu_multiaddr_from_bytes(&ma, b) < 0 || pu_multiaddr_is_unspecified(&ma))
		return;
	if (pu_multiaddr_is_loopback(&ma) && !pu_multiaddr_is_loopback(&hc->c->remote))
		return;
	pu_peerstore_learn_addr(&hc->h->peers, hc->peer, &ma,
				certified ? PU_ADDR_RECORD : PU_ADDR_IDENTIFY);
}

/* True when the message has a record of the peer, signed by itself and not older than
 * what we have. */
static bool apply_record(struct host_conn *hc, const PuPb__Identify *m)
{
	struct pu_bytes addrs[PU_PEER_RECORD_ADDRS_MAX], payload;
	struct pu_pubkey *signer;
	struct pu_peerid id;
	uint64_t seq;
	size_t n;
	bool ok;

	if (!m->has_signed_peer_record)
		return false;
	signer = malloc(sizeof *signer);
	ok = signer &&
	     pu_envelope_open(pu_bytes(m->signed_peer_record.data, m->signed_peer_record.len),
			      PU_ENVELOPE_DOMAIN_PEER_RECORD, PU_ENVELOPE_PEER_RECORD, signer,
			      &payload) == 0 &&
	     pu_peerid_eq(&signer->peer, &hc->c->peer) &&
	     pu_peer_record_decode(payload, &id, &seq, addrs, PU_ARRAY_LEN(addrs), &n) == 0 &&
	     pu_peerid_eq(&id, &hc->c->peer) && seq >= hc->peer->record_seq;
	free(signer);
	if (!ok)
		return false;
	hc->peer->record_seq = seq;
	pu_peerstore_doubt_addrs(hc->peer, true);
	for (size_t i = 0; i < n; i++)
		add_addr(hc, addrs[i], true);
	pu_peerstore_drop_doubted(hc->peer);
	return true;
}

static void apply_addrs(struct host_conn *hc, const PuPb__Identify *m)
{
	bool certified = apply_record(hc, m);

	hc->peer->record = !m->has_signed_peer_record ? PU_HOST_RECORD_NONE
			   : certified		       ? PU_HOST_RECORD_VALID
						       : PU_HOST_RECORD_INVALID;
	if (certified || m->n_listen_addrs == 0)
		return;
	pu_peerstore_doubt_addrs(hc->peer, false);
	for (size_t i = 0; i < m->n_listen_addrs && i < ADDRS_MAX; i++)
		add_addr(hc, pu_bytes(m->listen_addrs[i].data, m->listen_addrs[i].len), false);
	pu_peerstore_drop_doubted(hc->peer);
}

static void apply_observed(struct host_conn *hc, const PuPb__Identify *m)
{
	struct pu_multiaddr ma;

	if (!m->has_observed_addr || hc->c->limited)
		return;
	if (pu_multiaddr_from_bytes(&ma, pu_bytes(m->observed_addr.data, m->observed_addr.len)) < 0)
		return;
	hc->peer->observed = ma;
	pu_observation_set(hc, &ma);
}

int pu_identify_message_apply(struct host_conn *hc, struct pu_bytes body, bool push)
{
	PuPb__Identify *m = pu_pb__identify__unpack(NULL, body.len, body.p);
	int r;

	if (!m)
		return PU_EPROTO;
	r = key_fits(hc, m) ? apply_protocols(hc, m, push) : PU_ECRYPTO;
	if (r == 0) {
		apply_agent(hc, m);
		apply_addrs(hc, m);
		apply_observed(hc, m);
		hc->peer->identified = true;
	}
	pu_pb__identify__free_unpacked(m, NULL);
	return r;
}
