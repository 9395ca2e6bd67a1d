#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "p2p/kad/state.h"
#include "peer.h"

/* One question, until it is answered. */
struct asking {
	struct peer *p;
	const char *query;
	struct pu_peerid peer;
	json_t *peers;
};

int kad_start(struct peer *p, const struct options *opt)
{
	struct pu_kad_options o = { .mode = PU_KAD_CLIENT };

	if (!opt->kad)
		return 0;
	if (strcmp(opt->kad, "server") == 0)
		o.mode = PU_KAD_SERVER;
	else if (strcmp(opt->kad, "client") != 0)
		return PU_EINVAL;
	return pu_kad_new(p->host, &o, &p->kad);
}

void kad_stop(struct peer *p)
{
	pu_kad_free(p->kad);
	p->kad = NULL;
}

static void emit_peers(const char *query, json_t *peers)
{
	emit("dht", json_pack("{s:s,s:o}", "query", query, "peers", peers));
}

static void add_peer(json_t *peers, const struct pu_peerid *id, const struct pu_multiaddr *ma,
		     size_t n)
{
	char text[PU_MULTIADDR_TEXT_MAX], name[PU_PEERID_TEXT_MAX];
	json_t *addrs = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(addrs, json_string(pu_multiaddr_text(&ma[i], text)));
	json_array_append_new(peers, json_pack("{s:s,s:o}", "peer", pu_peerid_text(id, name),
					       "addrs", addrs));
}

static struct asking *asking_new(struct peer *p, const char *query)
{
	struct asking *a = calloc(1, sizeof *a);

	if (!a)
		abort();
	a->p = p;
	a->query = query;
	a->peers = json_array();
	return a;
}

static void finish(struct asking *a, int err)
{
	if (err < 0)
		emit_error(a->query, &a->peer, pu_err_text(err));
	else
		emit_peers(a->query, json_incref(a->peers));
	json_decref(a->peers);
	free(a);
}

static void on_done(void *arg, int err)
{
	finish(arg, err);
}

static void on_provider(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *addrs,
			size_t n)
{
	add_peer(((struct asking *)arg)->peers, peer, addrs, n);
}

static void on_found(void *arg, int err, const struct pu_multiaddr *addrs, size_t n)
{
	struct asking *a = arg;

	if (err == 0)
		add_peer(a->peers, &a->peer, addrs, n);
	finish(a, err);
}

static void on_walked(void *arg, const struct pu_kad_candidate *const *closest, size_t n)
{
	struct asking *a = arg;

	for (size_t i = 0; i < n; i++)
		add_peer(a->peers, &closest[i]->id, NULL, 0);
	finish(a, 0);
}

static void find(struct peer *p, const char *ns)
{
	static const struct pu_kad_providers_events events = { on_provider, on_done };
	struct asking *a = asking_new(p, "find");
	int r = pu_kad_find_providers(p->kad, ns, 0, &events, a, NULL);

	if (r < 0)
		finish(a, r);
}

static void find_peer(struct peer *p, const struct pu_peerid *id)
{
	struct asking *a = asking_new(p, "findpeer");
	int r;

	a->peer = *id;
	r = pu_kad_find_peer(p->kad, id, on_found, a, NULL);
	if (r < 0)
		finish(a, r);
}

static void closest(struct peer *p, const struct pu_peerid *id)
{
	struct asking *a = asking_new(p, "closest");
	struct pu_kad_query *q;
	int r = pu_kad_query_walk(p->kad, pu_peerid_bytes(id), PU_KAD_K, on_walked, a, &q);

	if (r < 0)
		finish(a, r);
}

static void table(struct peer *p)
{
	const struct pu_kad_entry *e[256];
	size_t n = pu_kad_table_closest(&p->kad->table, &p->kad->table.self, e, PU_ARRAY_LEN(e));
	json_t *peers = json_array();

	for (size_t i = 0; i < n; i++)
		add_peer(peers, &e[i]->id, NULL, 0);
	emit_peers("table", peers);
}

bool kad_command(struct peer *p, const char *what, json_t *cmd)
{
	const char *ns = json_string_value(json_object_get(cmd, "ns"));
	const char *text = json_string_value(json_object_get(cmd, "peer"));
	struct pu_peerid id;
	bool named = text && pu_peerid_from_text(&id, text) == 0;

	if (!p->kad)
		return false;
	if (strcmp(what, "provide") == 0 && ns) {
		pu_kad_advertise(p->kad, ns);
		emit_peers("provide", json_array());
	} else if (strcmp(what, "find") == 0 && ns) {
		find(p, ns);
	} else if (strcmp(what, "findpeer") == 0 && named) {
		find_peer(p, &id);
	} else if (strcmp(what, "closest") == 0 && named) {
		closest(p, &id);
	} else if (strcmp(what, "table") == 0) {
		table(p);
	} else if (strcmp(what, "refresh") == 0) {
		pu_kad_network_changed(p->kad);
		emit_peers("refresh", json_array());
	} else {
		return false;
	}
	return true;
}
