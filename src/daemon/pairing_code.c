/* How an invitation gets its code: a number at a relay, or here, and where to ask for it. */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/err.h"
#include "daemon/pairing_internal.h"

enum {
	LOOK_MS = 100,    /* at what is still missing for a code */
	PREFER_MS = 1500, /* the first relay is waited for that long when others are faster */
	RETRY_S = 2,      /* until a lost number is asked for again */
};

static void drop_plates(struct invite *i, const struct plate *except)
{
	for (size_t j = 0; j < i->n_plates; j++) {
		struct plate *pl = &i->plate[j];

		if (pl == except)
			continue;
		pu_timer_stop(&pl->retry);
		pu_nameplate_free(pl->plate);
		pl->plate = NULL;
	}
}

void pu_invite_drop_number(struct invite *i)
{
	drop_plates(i, NULL);
	if (i->own_number)
		pu_nameplates_release(i->owner->plates, i->own_number);
	i->own_number = 0;
}

/* --- where to ask ------------------------------------------------------------------ */

/* Host and port of an address as a code names them; false for other addresses. */
static bool place_of(const struct pu_multiaddr *ma, char host[PU_CODE_HOST_MAX + 1], uint16_t *port)
{
	enum pu_ma_kind kind = pu_multiaddr_kind(ma);
	struct pu_ma_part name, number;
	char ip[INET6_ADDRSTRLEN];
	union pu_sockaddr sa;
	size_t off = 0;

	if ((kind != PU_MA_KIND_TCP && kind != PU_MA_KIND_QUIC) ||
	    !pu_multiaddr_next(ma, &off, &name) || !pu_multiaddr_next(ma, &off, &number))
		return false;
	if (pu_multiaddr_to_sockaddr(ma, &sa) == 0) {
		bool v6 = sa.sa.sa_family == AF_INET6;

		if (!inet_ntop(sa.sa.sa_family,
			       v6 ? (const void *)&sa.v6.sin6_addr : &sa.v4.sin_addr, ip,
			       sizeof ip))
			return false;
		snprintf(host, PU_CODE_HOST_MAX + 1, "%s", ip);
		*port = ntohs(v6 ? sa.v6.sin6_port : sa.v4.sin_port);
		return true;
	}
	if (name.value.len > PU_CODE_HOST_MAX || number.value.len != 2)
		return false;
	memcpy(host, name.value.p, name.value.len);
	host[name.value.len] = '\0';
	*port = (uint16_t)(number.value.p[0] << 8 | number.value.p[1]);
	return true;
}

static void make_v3_code(struct invite *i, const struct pu_multiaddr *at, unsigned number)
{
	uint8_t random[PU_CODE_WORDS];

	pu_loop_random(i->owner->loop, random, sizeof random);
	pu_code_password(random, i->code.password);
	explicit_bzero(random, sizeof random);
	i->code.number = number;
	if (place_of(at, i->code.host, &i->code.port))
		pu_invite_open(i);
	else
		pu_invite_fail(i, PU_EINVAL, NULL, "the address for the code has no form that fits into one");
}

/* 3: anybody may dial it; 1: only neighbours; 0: not fit for a code. */
static int worth(const struct pu_multiaddr *ma)
{
	enum pu_ma_kind kind = pu_multiaddr_kind(ma);
	union pu_sockaddr sa;

	if ((kind != PU_MA_KIND_TCP && kind != PU_MA_KIND_QUIC) ||
	    pu_multiaddr_has(ma, PU_MA_IP6ZONE) || pu_multiaddr_to_sockaddr(ma, &sa) < 0 ||
	    pu_multiaddr_is_loopback(ma) || pu_multiaddr_is_unspecified(ma) ||
	    (sa.sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&sa.v6.sin6_addr)))
		return 0;
	/* IPv4 is shorter to say, and more people have it. */
	return (pu_multiaddr_is_public(ma) ? 2 : 0) + (sa.sa.sa_family == AF_INET ? 2 : 1);
}

static const struct pu_multiaddr *best_of(const struct pu_multiaddr *v, size_t n)
{
	const struct pu_multiaddr *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (worth(&v[i]) > (best ? worth(best) : 0))
			best = &v[i];
	return best;
}

static void on_keeper_open(void *arg, bool open)
{
	struct pu_pairing *p = arg;
	pu_time until = open ? pu_loop_now(p->loop) + PU_SEC(PU_PAIRING_TTL_MAX_S) : 0;

	pu_host_probation(p->node->host, PU_NAMEPLATE_PROTOCOL, false, until);
}

/* Without relays the code names this machine itself. */
static int ask_ourselves(struct invite *i, struct pu_failure *why)
{
	struct pu_pairing *p = i->owner;
	const struct pu_nameplates_options opt = { .on_open = on_keeper_open, .arg = p };
	struct pu_multiaddr v[2 * PU_HOST_ADDRS_PER_PEER];
	size_t n = pu_host_addrs(p->node->host, v, PU_HOST_ADDRS_PER_PEER);
	const struct pu_multiaddr *best;
	int r = p->plates ? 0 : pu_nameplates_new(p->node->host, &opt, &p->plates);

	if (r == 0)
		r = pu_nameplates_claim(p->plates, i->until, &i->own_number);
	if (r < 0)
		return pu_failure_set(why, r, "invitation", NULL, "%s", pu_err_text(r));
	n += pu_host_observed_addrs(p->node->host, 1, v + n, PU_ARRAY_LEN(v) - n);
	best = best_of(v, n);
	if (!best)
		return pu_failure_set(why, PU_EUNREACH, "invitation",
				      "peerup-vpn relay add <address of a relay>",
				      "this machine has no address that others could reach, and "
				      "no relay is configured");
	make_v3_code(i, best, i->own_number);
	return 0;
}

/* --- relays ----------------------------------------------------------------------- */

static bool is_reserved(const struct pu_pairing *p, const struct pu_peerid *relay)
{
	struct pu_relay_info info[PU_RELAYS_MAX];
	size_t n = pu_reachability_relays(p->node->reachability, info, PU_RELAYS_MAX);

	for (size_t j = 0; j < n; j++)
		if (pu_peerid_eq(&info[j].relay, relay) && info[j].state == PU_RELAY_RESERVED)
			return true;
	return false;
}

static const char *relay_trouble(const struct invite *i, char out[256])
{
	char id[PU_PEERID_SHORT_MAX];
	const struct plate *pl = &i->plate[0];

	if (pl->err == PU_ENOPROTO)
		snprintf(out, 256, "the relay %s does not know short codes",
			 pu_peerid_short(&pl->relay, id));
	else if (pl->err == PU_EDENIED)
		snprintf(out, 256, "the relay %s does not let us in; its operator has to "
				   "authorize this machine",
			 pu_peerid_short(&pl->relay, id));
	else if (pl->err < 0)
		snprintf(out, 256, "the relay %s: %s", pu_peerid_short(&pl->relay, id),
			 pu_err_text(pl->err));
	else
		snprintf(out, 256, "the relay %s did not answer in time",
			 pu_peerid_short(&pl->relay, id));
	return out;
}

static void give_up(struct invite *i)
{
	bool old = i->plate[0].err == PU_ENOPROTO && i->pub.version == PU_CODE_INVITE_V3;
	char text[256];

	pu_invite_fail(i, PU_EUNREACH, old ? "peerup-vpn invite --compat" : "peerup-vpn status",
	     relay_trouble(i, text));
}

/* The first relay with a number and a place for us; none: NULL. *ppending: one that is
 * preferred could still come. */
static struct plate *best_plate(struct invite *i, bool *ppending)
{
	*ppending = false;
	for (size_t j = 0; j < i->n_plates; j++) {
		struct plate *pl = &i->plate[j];

		if (pl->number && is_reserved(i->owner, &pl->relay))
			return pl;
		*ppending |= pl->err == 0;
	}
	return NULL;
}

/* A number at the relay lets the joiner in; peer-up's relay has none and lets in
 * whom it knows. */
static void look_v1(struct invite *i)
{
	struct plate *pl = &i->plate[0];

	if (!is_reserved(i->owner, &pl->relay) || (pl->err == 0 && pl->number == 0))
		return;
	i->chosen = pl;
	pu_invite_open(i);
}

static void look_v3(struct invite *i)
{
	pu_time asked_at = i->give_up - PU_SEC(PU_PAIRING_PREPARE_S);
	struct plate *pl;
	bool pending;

	pl = best_plate(i, &pending);
	if (!pl && !pending) {
		give_up(i);
		return;
	}
	if (!pl || (pending && pu_loop_now(i->owner->loop) < asked_at + PU_MS(PREFER_MS)))
		return;
	i->chosen = pl;
	drop_plates(i, pl);
	make_v3_code(i, &pl->addr, pl->number);
}

void pu_invite_look(struct invite *i)
{
	pu_time now = pu_loop_now(i->owner->loop);

	if (i->pub.version == PU_CODE_INVITE_V1)
		look_v1(i);
	else
		look_v3(i);
	if (i->pub.state != PU_INVITE_PREPARING)
		return;
	if (now >= i->give_up)
		give_up(i);
	else
		pu_timer_set(&i->timer, now + PU_MS(LOOK_MS));
}

static void on_number(void *arg, unsigned number)
{
	struct plate *pl = arg;
	struct invite *i = pl->owner;

	pl->number = number;
	pl->err = 0;
	if (pu_invite_is_open(i) && i->pub.version == PU_CODE_INVITE_V3 && pl->wanted &&
	    number != pl->wanted)
		pu_invite_fail(i, PU_EEXIST, "peerup-vpn invite",
		     "the relay has forgotten the number and given it to somebody else; a new "
		     "code is needed");
}

/* Of an open invitation: the relay, or the way to it, may be back soon. */
static void on_lost(void *arg, int err)
{
	struct plate *pl = arg;
	struct invite *i = pl->owner;
	bool needed = pu_invite_is_open(i) && i->chosen == pl;

	pu_nameplate_free(pl->plate);
	pl->plate = NULL;
	if (pl->number)
		pl->wanted = pl->number;
	pl->number = 0;
	pl->err = err;
	if (needed && err != PU_ENOPROTO)
		pu_timer_set(&pl->retry, pu_loop_now(i->owner->loop) + PU_SEC(RETRY_S));
}

static const struct pu_nameplate_events plate_events = {
	.on_number = on_number,
	.on_lost = on_lost,
};

static void ask(struct plate *pl)
{
	struct invite *i = pl->owner;
	pu_time now = pu_loop_now(i->owner->loop);
	unsigned ttl = i->until > now ? (unsigned)((i->until - now) / PU_SEC(1)) : 0;
	int r = pu_nameplate_allocate(i->owner->node->host, &pl->relay, pl->wanted,
				      ttl < PU_PAIRING_TTL_MIN_S ? PU_PAIRING_TTL_MIN_S : ttl,
				      &plate_events, pl, &pl->plate);

	if (r < 0)
		on_lost(pl, r);
}

static void on_retry(void *arg)
{
	ask(arg);
}

static void add_plate(struct invite *i, const struct pu_peerid *relay,
		      const struct pu_multiaddr *addr)
{
	struct plate *pl = &i->plate[i->n_plates++];

	*pl = (struct plate){ .owner = i, .relay = *relay, .addr = *addr };
	pu_timer_init(&pl->retry, i->owner->loop, on_retry, pl);
}

static struct plate *plate_of(struct invite *i, const struct pu_peerid *relay)
{
	for (size_t j = 0; j < i->n_plates; j++)
		if (pu_peerid_eq(&i->plate[j].relay, relay))
			return &i->plate[j];
	return NULL;
}

/* One plate per relay that a code could name. */
static void list_relays(struct invite *i)
{
	const struct pu_config *cfg = i->owner->node->cfg;
	char host[PU_CODE_HOST_MAX + 1];
	struct pu_multiaddr addr;
	struct pu_peerid id;
	uint16_t port;

	for (size_t j = 0; j < cfg->relays.n && i->n_plates < PU_ARRAY_LEN(i->plate); j++)
		if (pu_multiaddr_split_peer(&cfg->relays.v[j], &addr, &id) == 0 &&
		    !plate_of(i, &id) && place_of(&addr, host, &port))
			add_plate(i, &id, &addr);
}

static int ask_relays(struct invite *i, struct pu_failure *why)
{
	if (i->n_plates == 0)
		return pu_failure_set(why, PU_EINVAL, "relay.addresses", "peerup-vpn relay list",
				      "no relay has an address that a code could name: it takes "
				      "an IP address or a name, with TCP or QUIC");
	for (size_t j = 0; j < i->n_plates; j++)
		ask(&i->plate[j]);
	pu_timer_set(&i->timer, pu_loop_now(i->owner->loop) + PU_MS(LOOK_MS));
	return 0;
}

/* --- version 1 -------------------------------------------------------------------- */

/* /ip4/…/tcp/…/p2p/ID, as its code can carry it. */
static bool fits_v1(const struct pu_multiaddr *ma, struct pu_multiaddr *addr, struct pu_peerid *id)
{
	struct pu_ma_part ip;
	size_t off = 0;

	return pu_multiaddr_split_peer(ma, addr, id) == 0 &&
	       pu_multiaddr_kind(addr) == PU_MA_KIND_TCP && pu_multiaddr_next(addr, &off, &ip) &&
	       ip.code == PU_MA_IP4;
}

static bool other_v1(const struct pu_pairing *p)
{
	PU_LIST_FOREACH (it, tmp, &p->invites) {
		const struct invite *i = PU_CONTAINER_OF(it, struct invite, node);

		if (i->pub.version == PU_CODE_INVITE_V1 &&
		    (pu_invite_is_open(i) || i->pub.state == PU_INVITE_PREPARING))
			return true;
	}
	return false;
}

static int prepare_v1(struct invite *i, struct pu_failure *why)
{
	const struct pu_config *cfg = i->owner->node->cfg;
	struct pu_multiaddr addr;
	struct pu_peerid id;
	size_t j = 0;

	/* Its messages do not say which invitation they mean. */
	if (other_v1(i->owner))
		return pu_failure_set(why, PU_EEXIST, "invitation", "peerup-vpn invite list",
				      "one with --compat is open already, and there can be only "
				      "one");
	while (j < cfg->relays.n && !fits_v1(&cfg->relays.v[j], &addr, &id))
		j++;
	if (j == cfg->relays.n)
		return pu_failure_set(why, PU_EINVAL, "relay.addresses",
				      "peerup-vpn relay add /ip4/<address>/tcp/7777/p2p/<peer id>",
				      "--compat needs a relay with an IPv4 address and TCP");
	add_plate(i, &id, &addr);
	i->code.relay = cfg->relays.v[j];
	i->code.relay_id = id;
	i->code.inviter = i->owner->node->key.peer;
	snprintf(i->code.network, sizeof i->code.network, "%s", cfg->network);
	pu_loop_random(i->owner->loop, i->code.token, 8);
	return ask_relays(i, why);
}

static int prepare_v3(struct invite *i, struct pu_failure *why)
{
	if (i->owner->node->cfg->relays.n == 0)
		return ask_ourselves(i, why);
	list_relays(i);
	return ask_relays(i, why);
}

int pu_invite_prepare(struct invite *i, struct pu_failure *why)
{
	return i->pub.version == PU_CODE_INVITE_V1 ? prepare_v1(i, why) : prepare_v3(i, why);
}
