#include "daemon/enrolment_journal.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "daemon/json_text.h"

enum { VERSION = 1, MODE = 0600 };

int pu_enrolment_journal_path(const char *config, char *out)
{
	const char *slash = strrchr(config, '/');
	int dir = slash ? (int)(slash - config) + 1 : 0;
	int n = snprintf(out, PATH_MAX, "%.*s%s", dir, config, PU_ENROLMENT_JOURNAL);

	return n < PATH_MAX ? 0 : PU_ELIMIT;
}

static json_t *write_addrs(const struct pu_multiaddr *v, size_t n)
{
	char text[PU_MULTIADDR_TEXT_MAX];
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, json_string(pu_multiaddr_text(&v[i], text)));
	return a;
}

static json_t *write_peer(const struct pu_enrolment_peer *p)
{
	char id[PU_PEERID_TEXT_MAX];

	return json_pack("{s:s, s:s, s:o, s:s, s:I, s:s, s:s, s:b, s:b, s:b, s:b, s:o}", "id",
			 pu_peerid_text(&p->id, id), "name", p->name, "comment",
			 pu_json_text(p->comment), "access", pu_access_text(p->access), "expires",
			 (json_int_t)p->expires, "group", p->group, "hmac_proof", p->hmac_proof,
			 "unnamed", p->unnamed, "provisional", p->provisional, "was_member",
			 p->was_member, "named", p->named, "addresses",
			 write_addrs(p->addr, p->n_addrs));
}

int pu_enrolment_journal_write(const char *path, const struct pu_enrolment *e,
			       const struct pu_file_owner *owner)
{
	json_t *o = json_pack("{s:i, s:s, s:o, s:[]}", "enrolment", VERSION, "network", e->network,
			      "relays", write_addrs(e->relay, e->n_relays), "peers");
	json_t *peers = json_object_get(o, "peers");
	char *text;
	int r = o ? 0 : PU_ENOMEM;

	for (size_t i = 0; i < e->n_peers && r == 0; i++)
		r = json_array_append_new(peers, write_peer(&e->peer[i]));
	text = r == 0 ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	if (!text)
		return PU_ENOMEM;
	r = pu_file_replace(path, pu_bytes_str(text), MODE, owner);
	free(text);
	return r;
}

static bool copy(char *to, size_t cap, const char *from)
{
	size_t len = strlen(from);

	if (len >= cap)
		return false;
	memcpy(to, from, len + 1);
	return true;
}

static bool name_ok(const char *name)
{
	char clean[PU_ENROLMENT_NAME_MAX + 1];

	return !*name || (pu_enrolment_clean_name(name, clean) && strcmp(name, clean) == 0);
}

/* with_peer: /p2p/ID has to be there, else it must not. */
static int read_addrs(json_t *list, bool with_peer, struct pu_multiaddr *v, size_t cap, size_t *pn)
{
	struct pu_multiaddr rest;
	struct pu_peerid id;
	json_t *item;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > cap)
		return PU_EINVAL;
	json_array_foreach (list, i, item) {
		const char *text = json_string_value(item);

		if (!text || pu_multiaddr_from_text(&v[i], text) < 0 ||
		    (pu_multiaddr_split_peer(&v[i], &rest, &id) == 0) != with_peer)
			return PU_EINVAL;
	}
	*pn = json_array_size(list);
	return 0;
}

static int read_peer(json_t *o, struct pu_enrolment_peer *p)
{
	const char *id, *name, *comment, *access, *group, *proof;
	int unnamed, provisional, was_member, named;
	json_int_t expires;

	if (json_unpack(o, "{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:b, s:b, s:b, s:b}", "id", &id,
			"name", &name, "comment", &comment, "access", &access, "expires", &expires,
			"group", &group, "hmac_proof", &proof, "unnamed", &unnamed, "provisional",
			&provisional, "was_member", &was_member, "named", &named) < 0)
		return PU_EINVAL;
	if (pu_peerid_from_text(&p->id, id) < 0 || pu_access_parse(access, &p->access) < 0 ||
	    !name_ok(name) || !copy(p->name, sizeof p->name, name) ||
	    !copy(p->comment, sizeof p->comment, comment) ||
	    !copy(p->group, sizeof p->group, group) ||
	    !copy(p->hmac_proof, sizeof p->hmac_proof, proof))
		return PU_EINVAL;
	p->expires = expires;
	p->unnamed = unnamed;
	p->provisional = provisional;
	p->was_member = was_member;
	p->named = named;
	return read_addrs(json_object_get(o, "addresses"), false, p->addr, PU_ENROLMENT_ADDRS_MAX,
			  &p->n_addrs);
}

static int read_all(json_t *o, struct pu_enrolment *e)
{
	json_t *peers = json_object_get(o, "peers"), *item;
	const char *network = json_string_value(json_object_get(o, "network"));
	int r;
	size_t i;

	if (json_integer_value(json_object_get(o, "enrolment")) != VERSION || !network ||
	    !copy(e->network, sizeof e->network, network) || !json_is_array(peers) ||
	    json_array_size(peers) > PU_ENROLMENT_PEERS_MAX)
		return PU_EINVAL;
	r = read_addrs(json_object_get(o, "relays"), true, e->relay, PU_ENROLMENT_RELAYS_MAX,
		       &e->n_relays);
	if (r < 0)
		return r;
	e->peer = calloc(json_array_size(peers) + 1, sizeof *e->peer);
	if (!e->peer)
		return PU_ENOMEM;
	json_array_foreach (peers, i, item) {
		r = read_peer(item, &e->peer[i]);
		if (r < 0)
			return r;
	}
	e->n_peers = json_array_size(peers);
	return 0;
}

int pu_enrolment_journal_read(const char *path, struct pu_enrolment *e)
{
	struct pu_enrolment out = { .n_peers = 0 };
	char *text;
	size_t len;
	json_t *o;
	int r = pu_file_read(path, PU_ENROLMENT_JOURNAL_MAX, &text, &len, NULL);

	if (r < 0)
		return r == PU_E2BIG ? PU_EINVAL : r;
	o = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	r = read_all(o, &out);
	json_decref(o);
	if (r < 0)
		free(out.peer);
	else
		*e = out;
	return r;
}
