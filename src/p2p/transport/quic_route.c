/* From a UDP datagram to its connection: the table of connection IDs, and the
 * answers to packets that belong to none. */
#include "p2p/transport/quic_internal.h"

#include <stdlib.h>

#include "base/log.h"

enum {
	/* Answers to strangers (version negotiation, Retry, reset, refusal) in one
	 * second: none is longer than what it answers, but each costs a send. */
	STRAY_PER_SECOND = 512,
	/* A stateless reset is one byte shorter than its cause, so two nodes never play
	 * ping-pong; 38 bytes are enough to look like a packet. A keep-alive of some 30
	 * bytes must get one too, or peers of a restarted node wait for their idle
	 * timeout. */
	RESET_RANDOM_MAX = 22,
	RESET_MIN = NGTCP2_MIN_STATELESS_RESET_RANDLEN + NGTCP2_STATELESS_RESET_TOKENLEN,
	ANSWER_MAX = 1200,
};

void pu_quic_cid_random(struct pu_quic *q, ngtcp2_cid *cid)
{
	cid->datalen = QUIC_CID_LEN;
	pu_loop_random(q->cfg.loop, cid->data, QUIC_CID_LEN);
}

int pu_quic_cid_add(struct quic_conn *c, const ngtcp2_cid *cid, struct quic_cid **pcid)
{
	struct pu_htab *t = &c->q->cids;
	struct quic_cid *k = calloc(1, sizeof *k);
	int r;

	if (!k)
		return PU_ENOMEM;
	k->conn = c;
	k->cid = *cid;
	r = pu_htab_add(t, &k->hnode, pu_htab_hash(t, cid->data, cid->datalen));
	if (r < 0) {
		free(k);
		return r;
	}
	pu_list_append(&c->cids, &k->node);
	if (pcid)
		*pcid = k;
	return 0;
}

static void cid_free(struct quic_cid *k)
{
	if (k->conn->odcid == k)
		k->conn->odcid = NULL;
	if (k->conn->q->last == k)
		k->conn->q->last = NULL;
	pu_htab_remove(&k->conn->q->cids, &k->hnode);
	pu_list_remove(&k->node);
	free(k);
}

void pu_quic_cid_remove(struct quic_conn *c, const ngtcp2_cid *cid)
{
	PU_LIST_FOREACH(it, tmp, &c->cids) {
		struct quic_cid *k = PU_CONTAINER_OF(it, struct quic_cid, node);

		if (ngtcp2_cid_eq(&k->cid, cid)) {
			cid_free(k);
			return;
		}
	}
}

void pu_quic_cid_remove_all(struct quic_conn *c)
{
	struct pu_list *it;

	while ((it = pu_list_first(&c->cids)))
		cid_free(PU_CONTAINER_OF(it, struct quic_cid, node));
}

static bool is_cid(const struct quic_cid *k, const uint8_t *cid, size_t len)
{
	return k->cid.datalen == len && memcmp(k->cid.data, cid, len) == 0;
}

static struct quic_conn *find(struct pu_quic *q, const uint8_t *cid, size_t len)
{
	struct pu_hnode *n;

	/* Packets come in trains. */
	if (q->last && is_cid(q->last, cid, len))
		return q->last->conn;
	n = pu_htab_first(&q->cids, pu_htab_hash(&q->cids, cid, len));
	for (; n; n = pu_htab_next(n)) {
		struct quic_cid *k = PU_CONTAINER_OF(n, struct quic_cid, hnode);

		if (is_cid(k, cid, len)) {
			q->last = k;
			return k->conn;
		}
	}
	return NULL;
}

static bool may_answer(struct pu_quic *q)
{
	pu_time now = pu_loop_now(q->cfg.loop);

	if (q->stray_credit == 0 && now - q->stray_since < PU_SEC(1))
		return false;
	if (now - q->stray_since >= PU_SEC(1)) {
		q->stray_since = now;
		q->stray_credit = STRAY_PER_SECOND;
	}
	q->stray_credit--;
	return true;
}

static void answer(struct quic_endpoint *ep, const struct pu_dgrams *d, const uint8_t *p,
		   ngtcp2_ssize len)
{
	struct pu_dgrams out = { .remote = d->remote, .local = d->local, .p = p };

	if (len <= 0 || ep->blocked)
		return;
	out.len = out.segment = (size_t)len;
	pu_quic_endpoint_send(ep, &out);
}

static void negotiate_version(struct quic_endpoint *ep, const struct pu_dgrams *d,
			      const ngtcp2_version_cid *vc)
{
	const uint32_t versions[] = { NGTCP2_PROTO_VER_V1 };
	uint8_t out[ANSWER_MAX], random;

	/* Connection IDs of an unknown version may be longer than ours ever are. */
	if (vc->dcidlen > NGTCP2_MAX_CIDLEN || vc->scidlen > NGTCP2_MAX_CIDLEN ||
	    !may_answer(ep->q))
		return;
	pu_loop_random(ep->q->cfg.loop, &random, 1);
	ep->q->stats.negotiations++;
	answer(ep, d, out,
	       ngtcp2_pkt_write_version_negotiation(out, sizeof out, random, vc->scid,
						    vc->scidlen, vc->dcid, vc->dcidlen,
						    versions, PU_ARRAY_LEN(versions)));
}

static void reset_stateless(struct quic_endpoint *ep, const struct pu_dgrams *d,
			    const ngtcp2_version_cid *vc, size_t len)
{
	uint8_t out[RESET_RANDOM_MAX + NGTCP2_STATELESS_RESET_TOKENLEN];
	uint8_t token[NGTCP2_STATELESS_RESET_TOKENLEN], random[RESET_RANDOM_MAX];
	ngtcp2_cid cid;
	size_t n_random;

	if (len <= RESET_MIN || !may_answer(ep->q))
		return;
	n_random = pu_min(RESET_RANDOM_MAX, len - 1 - NGTCP2_STATELESS_RESET_TOKENLEN);
	ngtcp2_cid_init(&cid, vc->dcid, vc->dcidlen);
	if (ngtcp2_crypto_generate_stateless_reset_token(token, ep->q->reset_secret,
							 QUIC_SECRET_LEN, &cid) != 0)
		return;
	pu_loop_random(ep->q->cfg.loop, random, n_random);
	ep->q->stats.resets++;
	answer(ep, d, out,
	       ngtcp2_pkt_write_stateless_reset(out, sizeof out, token, random, n_random));
}

/* A stateless reset looks like a packet with an unknown connection ID; only the
 * connections to its sender can tell. True when one of them was meant. */
static bool was_reset(struct quic_endpoint *ep, const struct pu_dgrams *d, const uint8_t *p,
		      size_t len)
{
	if (len < RESET_MIN)
		return false;
	PU_LIST_FOREACH(it, tmp, &ep->q->conns) {
		struct quic_conn *c = PU_CONTAINER_OF(it, struct quic_conn, node);

		if (!c->ng || c->end.set || !pu_sockaddr_eq(&c->remote_sa, &d->remote))
			continue;
		pu_quic_conn_read(c, ep, d, p, len);
		if (c->reset_seen)
			return true;
	}
	return false;
}

static uint64_t token_time(const struct pu_quic *q)
{
	return (uint64_t)((int64_t)q->cfg.loop->now + q->cfg.loop->wall_offset);
}

static void send_retry(struct quic_endpoint *ep, const struct pu_dgrams *d,
		       const ngtcp2_pkt_hd *hd)
{
	uint8_t token[NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN], out[ANSWER_MAX];
	struct pu_quic *q = ep->q;
	ngtcp2_ssize n;
	ngtcp2_cid scid;

	if (!may_answer(q))
		return;
	pu_quic_cid_random(q, &scid);
	n = ngtcp2_crypto_generate_retry_token(token, q->token_secret, QUIC_SECRET_LEN,
					       hd->version, &d->remote.sa,
					       pu_sockaddr_len(&d->remote), &scid, &hd->dcid,
					       token_time(q));
	if (n < 0)
		return;
	q->stats.retries++;
	answer(ep, d, out,
	       ngtcp2_crypto_write_retry(out, sizeof out, hd->version, &hd->scid, &scid,
					 &hd->dcid, token, (size_t)n));
}

static void refuse(struct quic_endpoint *ep, const struct pu_dgrams *d,
		   const ngtcp2_pkt_hd *hd, uint64_t code)
{
	uint8_t out[ANSWER_MAX];

	ep->q->stats.refused++;
	if (!may_answer(ep->q))
		return;
	answer(ep, d, out,
	       ngtcp2_crypto_write_connection_close(out, sizeof out, hd->version, &hd->scid,
						    &hd->dcid, code, NULL, 0));
}

/* True when the Initial brought the token of a Retry of ours; *odcid is then what
 * the client sent it to at first. */
static bool retried(struct pu_quic *q, const struct pu_dgrams *d, const ngtcp2_pkt_hd *hd,
		    ngtcp2_cid *odcid)
{
	struct pu_bytes token = pu_ng_hd_token(hd);

	return token.len > 0 && token.p[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY &&
	       ngtcp2_crypto_verify_retry_token(odcid, token.p, token.len, q->token_secret,
						QUIC_SECRET_LEN, hd->version, &d->remote.sa,
						pu_sockaddr_len(&d->remote), &hd->dcid,
						PU_MS(QUIC_TOKEN_VALID_MS), token_time(q)) == 0;
}

static void accept_initial(struct quic_endpoint *ep, const struct pu_dgrams *d,
			   const uint8_t *p, size_t len)
{
	struct pu_quic *q = ep->q;
	struct pu_bytes token;
	struct quic_conn *c;
	ngtcp2_pkt_hd hd;
	ngtcp2_cid odcid;
	bool after_retry;

	if (!ep->listening || ngtcp2_accept(&hd, p, len) != 0) {
		q->stats.stray++;
		return;
	}
	token = pu_ng_hd_token(&hd);
	after_retry = retried(q, d, &hd, &odcid);
	if (!after_retry && token.len > 0 && token.p[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY) {
		refuse(ep, d, &hd, NGTCP2_INVALID_TOKEN);
		return;
	}
	if (q->n_pending >= q->cfg.max_pending_inbound) {
		refuse(ep, d, &hd, NGTCP2_CONNECTION_REFUSED);
		return;
	}
	/* Half of the places are for whoever comes; the rest only for clients that
	 * have shown that they receive at their address. */
	if (!after_retry && q->n_pending >= q->cfg.max_pending_inbound / 2) {
		send_retry(ep, d, &hd);
		return;
	}
	if (pu_quic_conn_accept(ep, d, &hd, after_retry ? &odcid : NULL, &c) == 0)
		pu_quic_conn_read(c, ep, d, p, len);
}

static void on_packet(struct quic_endpoint *ep, const struct pu_dgrams *d, const uint8_t *p,
		      size_t len)
{
	struct pu_quic *q = ep->q;
	ngtcp2_version_cid vc;
	struct quic_conn *c;
	int r;

	q->stats.rx_packets++;
	q->stats.rx_bytes += len;
	if (len == 0)
		return;
	r = ngtcp2_pkt_decode_version_cid(&vc, p, len, QUIC_CID_LEN);
	if (r == NGTCP2_ERR_VERSION_NEGOTIATION) {
		if (ep->listening)
			negotiate_version(ep, d, &vc);
		return;
	}
	if (r != 0) {
		q->stats.stray++;
		pu_quic_punch_hint(q, ep, &d->remote);
		return;
	}
	c = find(q, vc.dcid, vc.dcidlen);
	if (c) {
		pu_quic_conn_read(c, ep, d, p, len);
	} else if (vc.version != 0) {
		accept_initial(ep, d, p, len);
	} else {
		q->stats.stray++;
		pu_quic_punch_hint(q, ep, &d->remote);
		/* Version negotiation for nobody, or a hole being punched. The missing bit
		 * alone does not tell: half of our connections have it cleared. */
		if (p[0] & 0x80 || (!(p[0] & 0x40) && len == QUIC_PUNCH_LEN))
			return;
		if (!was_reset(ep, d, p, len))
			reset_stateless(ep, d, &vc, len);
	}
}

static void on_recv(void *arg, const struct pu_dgrams *d, size_t n)
{
	struct quic_endpoint *ep = arg;
	struct pu_quic *q = ep->q;
	struct pu_list *it;

	for (size_t i = 0; i < n; i++) {
		size_t segment = d[i].segment ? d[i].segment : d[i].len;

		for (size_t off = 0; off < d[i].len; off += segment) {
			size_t len = pu_min(segment, d[i].len - off);

			on_packet(ep, &d[i], d[i].p + off, len);
		}
	}
	while ((it = pu_list_first(&q->touched))) {
		struct quic_conn *c = PU_CONTAINER_OF(it, struct quic_conn, touched);

		pu_list_remove(it);
		if (c->dgram_got && c->state == QUIC_OPEN && c->c.ev && c->c.ev->on_datagrams_end) {
			c->dgram_got = false;
			c->c.ev->on_datagrams_end(c->c.arg, &c->c);
		}
	}
}

static void on_writable(void *arg)
{
	pu_quic_endpoint_writable(arg);
}

const struct pu_udp_events pu_quic_udp_events = {
	.on_recv = on_recv,
	.on_writable = on_writable,
};
