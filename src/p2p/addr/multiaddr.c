#include "p2p/addr/multiaddr.h"

#include "base/err.h"
#include "base/wire.h"
#include "p2p/addr/maproto.h"

static const struct pu_maproto *read_part(struct pu_rd *r, struct pu_ma_part *part)
{
	uint64_t code = pu_rd_uvarint(r);
	const struct pu_maproto *proto = r->err ? NULL : pu_maproto_find(code);

	if (!proto)
		return NULL;
	part->code = proto->code;
	if (pu_maproto_is_var(proto))
		part->value = pu_rd_lp(r, PU_MULTIADDR_MAX);
	else
		part->value = pu_rd_bytes(r, pu_maproto_fixed_len(proto));
	return r->err || !pu_maproto_valid(proto, part->value) ? NULL : proto;
}

int pu_multiaddr_from_bytes(struct pu_multiaddr *ma, struct pu_bytes b)
{
	struct pu_rd r = pu_rd_init(b.p, b.len);
	struct pu_ma_part part;
	size_t text = 0;

	if (b.len == 0 || b.len > PU_MULTIADDR_MAX)
		return PU_EINVAL;
	while (r.left > 0) {
		const struct pu_maproto *proto = read_part(&r, &part);

		if (!proto)
			return PU_EINVAL;
		/* A path takes the rest of the text, so nothing can follow it. */
		if (proto->value == PU_MAPROTO_PATH && r.left > 0)
			return PU_EINVAL;
		text += pu_maproto_text_bound(proto, part.value.len);
	}
	if (text >= PU_MULTIADDR_TEXT_MAX)
		return PU_EINVAL;
	memmove(ma->b, b.p, b.len);
	ma->len = (uint8_t)b.len;
	return 0;
}

bool pu_multiaddr_next(const struct pu_multiaddr *ma, size_t *poff, struct pu_ma_part *part)
{
	struct pu_rd r;

	if (*poff >= ma->len)
		return false;
	r = pu_rd_init(ma->b + *poff, ma->len - *poff);
	if (!read_part(&r, part))
		return false;
	*poff = ma->len - r.left;
	return true;
}

static int write_part(struct pu_wr *w, const struct pu_maproto *proto, struct pu_bytes value)
{
	if (!pu_maproto_valid(proto, value))
		return PU_EINVAL;
	pu_wr_uvarint(w, proto->code);
	if (pu_maproto_is_var(proto))
		pu_wr_lp(w, value);
	else
		pu_wr_bytes(w, value);
	return pu_wr_end(w) < 0 ? PU_EINVAL : 0;
}

int pu_multiaddr_append(struct pu_multiaddr *ma, enum pu_ma_code code, struct pu_bytes value)
{
	const struct pu_maproto *proto = pu_maproto_find(code);
	struct pu_multiaddr longer = *ma;
	struct pu_wr w = pu_wr_init(longer.b, sizeof longer.b);

	w.len = ma->len;
	if (!proto || write_part(&w, proto, value) < 0)
		return PU_EINVAL;
	return pu_multiaddr_from_bytes(ma, pu_bytes(longer.b, w.len));
}

/* The component that starts at text (behind its '/'); the position behind it. */
static const char *parse_part(struct pu_wr *w, const char *text)
{
	size_t len = strcspn(text, "/");
	const struct pu_maproto *proto = pu_maproto_by_name(text, len);
	uint8_t value[PU_MULTIADDR_MAX];
	int n = 0;

	if (!proto)
		return NULL;
	text += len;
	if (proto->value == PU_MAPROTO_PATH) {
		len = strlen(text);
	} else if (proto->value != PU_MAPROTO_NONE) {
		if (*text++ != '/')
			return NULL;
		len = strcspn(text, "/");
	} else {
		len = 0;
	}
	if (proto->value != PU_MAPROTO_NONE)
		n = pu_maproto_parse(proto, text, len, value, sizeof value);
	if (n < 0 || write_part(w, proto, pu_bytes(value, (size_t)n)) < 0)
		return NULL;
	return text + len;
}

int pu_multiaddr_from_text(struct pu_multiaddr *ma, const char *text)
{
	uint8_t b[PU_MULTIADDR_MAX];
	struct pu_wr w = pu_wr_init(b, sizeof b);

	do {
		if (*text++ != '/')
			return PU_EINVAL;
		text = parse_part(&w, text);
		if (!text)
			return PU_EINVAL;
	} while (*text && strcmp(text, "/") != 0);
	return pu_multiaddr_from_bytes(ma, pu_bytes(b, w.len));
}

const char *pu_multiaddr_text(const struct pu_multiaddr *ma, char *out)
{
	char *p = out, *end = out + PU_MULTIADDR_TEXT_MAX;
	struct pu_ma_part part;
	size_t off = 0;

	while (pu_multiaddr_next(ma, &off, &part)) {
		const struct pu_maproto *proto = pu_maproto_find(part.code);
		int n;

		*p++ = '/';
		p = stpcpy(p, proto->name);
		if (proto->value != PU_MAPROTO_NONE && proto->value != PU_MAPROTO_PATH)
			*p++ = '/';
		n = pu_maproto_format(proto, part.value, p, (size_t)(end - p));
		p += n > 0 ? n : 0;
	}
	*p = '\0';
	return out;
}

bool pu_multiaddr_has(const struct pu_multiaddr *ma, enum pu_ma_code code)
{
	struct pu_ma_part part;
	size_t off = 0;

	while (pu_multiaddr_next(ma, &off, &part))
		if (part.code == code)
			return true;
	return false;
}

int pu_multiaddr_split_peer(const struct pu_multiaddr *ma, struct pu_multiaddr *rest,
			    struct pu_peerid *id)
{
	struct pu_ma_part part = { 0 };
	size_t off = 0, next = 0;
	struct pu_multiaddr front = *ma;
	struct pu_peerid peer = { 0 };

	while (pu_multiaddr_next(ma, &next, &part) && next < ma->len)
		off = next;
	if (part.code == PU_MA_P2P && pu_peerid_from_bytes(&peer, part.value) == 0)
		front.len = (uint8_t)off;
	*rest = front;
	*id = peer;
	return pu_peerid_empty(&peer) ? PU_ENOENT : 0;
}

/* Kinds, from the component behind host and port. A name without TLS is for our own
 * dialler, who had it in front before it was resolved. */
static enum pu_ma_kind kind_of_tcp(const struct pu_multiaddr *ma, size_t off, bool resolved)
{
	struct pu_ma_part part;
	bool tls = false;

	if (!pu_multiaddr_next(ma, &off, &part))
		return PU_MA_KIND_TCP;
	if (part.code == PU_MA_WSS)
		return off == ma->len ? PU_MA_KIND_WSS : PU_MA_KIND_OTHER;
	if (part.code == PU_MA_TLS) {
		tls = true;
		pu_multiaddr_next(ma, &off, &part);
	}
	if (part.code == PU_MA_SNI && (tls || resolved))
		pu_multiaddr_next(ma, &off, &part);
	if (off != ma->len)
		return PU_MA_KIND_OTHER;
	if (part.code == PU_MA_WS)
		return tls ? PU_MA_KIND_WSS : PU_MA_KIND_WS;
	return PU_MA_KIND_OTHER;
}

static bool is_host(uint32_t code)
{
	return code == PU_MA_IP4 || code == PU_MA_IP6 || code == PU_MA_DNS || code == PU_MA_DNS4 ||
	       code == PU_MA_DNS6;
}

/* …/p2p/RELAY/p2p-circuit at the end, and no other circuit before it. */
static bool is_circuit(const struct pu_multiaddr *ma)
{
	struct pu_ma_part part;
	uint32_t before = 0;
	size_t off = 0;

	while (pu_multiaddr_next(ma, &off, &part)) {
		if (part.code == PU_MA_P2P_CIRCUIT)
			return before == PU_MA_P2P && off == ma->len;
		before = part.code;
	}
	return false;
}

enum pu_ma_kind pu_multiaddr_kind(const struct pu_multiaddr *ma)
{
	struct pu_ma_part part;
	size_t off = 0;
	bool resolved;

	if (is_circuit(ma))
		return PU_MA_KIND_CIRCUIT;
	if (!pu_multiaddr_next(ma, &off, &part))
		return PU_MA_KIND_OTHER;
	if (part.code == PU_MA_IP6ZONE &&
	    (!pu_multiaddr_next(ma, &off, &part) || part.code != PU_MA_IP6))
		return PU_MA_KIND_OTHER;
	resolved = part.code == PU_MA_IP4 || part.code == PU_MA_IP6;
	if (!is_host(part.code) || !pu_multiaddr_next(ma, &off, &part))
		return PU_MA_KIND_OTHER;
	if (part.code == PU_MA_TCP)
		return kind_of_tcp(ma, off, resolved);
	if (part.code == PU_MA_UDP && pu_multiaddr_next(ma, &off, &part) &&
	    part.code == PU_MA_QUIC_V1 && off == ma->len)
		return PU_MA_KIND_QUIC;
	return PU_MA_KIND_OTHER;
}

void pu_multiaddr_add(struct pu_multiaddr *list, size_t cap, size_t *pn,
		      const struct pu_multiaddr *ma)
{
	for (size_t i = 0; i < *pn; i++)
		if (pu_multiaddr_eq(&list[i], ma))
			return;
	if (*pn < cap)
		list[(*pn)++] = *ma;
}
