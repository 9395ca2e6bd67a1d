/* A stranger finds the owner of a number and becomes a member, and one allocation fails: the
 * first, the second, and so on. Nothing may crash, hang or leak. Linked with --wrap for the
 * allocating functions (tests/support/nomem.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/log.h"
#include "overlay/invite/nameplate.h"
#include "support/hosts.h"
#include "support/nomem.h"

struct world {
	struct pu_sim *sim;
	struct test_host relay, member, guest;
	struct pu_nameplates *keeper;
	struct pu_nameplate *n;
	struct pu_nameplate_lookup *lookup;
	struct pu_host_request *req;
	unsigned number;
	bool connected, vouched, found, promoted;
};

static bool is_member(void *arg, const struct pu_peerid *peer)
{
	const struct world *w = arg;

	return pu_peerid_eq(peer, &w->member.key.peer) ||
	       (w->promoted && pu_peerid_eq(peer, &w->guest.key.peer));
}

static bool gate(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *remote)
{
	return is_member(arg, peer);
}

static int on_vouched(void *arg, const struct pu_peerid *owner, const struct pu_peerid *peer,
		      const char *name)
{
	struct world *w = arg;

	w->promoted = true;
	pu_host_promote(w->relay.h, peer);
	return 0;
}

static void on_open(void *arg, bool open)
{
	struct world *w = arg;

	pu_host_probation(w->relay.h, PU_NAMEPLATE_PROTOCOL, false, open ? PU_TIME_NEVER : 0);
}

static void on_vouch_done(void *arg, int err)
{
	((struct world *)arg)->vouched = err == 0;
}

static void on_owner(void *arg, int err, const struct pu_peerid *owner)
{
	struct world *w = arg;

	w->lookup = NULL;
	w->found = err == 0;
	if (w->found && w->n)
		pu_nameplate_vouch(w->n, &w->guest.key.peer, "guest", on_vouch_done, w);
}

static void on_connected(void *arg, int err, struct pu_conn *c)
{
	struct world *w = arg;

	w->req = NULL;
	w->connected = err == 0;
	if (w->connected &&
	    pu_nameplate_ask(w->guest.h, c, w->number, on_owner, w, &w->lookup) < 0)
		w->lookup = NULL;
}

static void on_number(void *arg, unsigned number)
{
	struct world *w = arg;
	struct pu_multiaddr ma;

	w->number = number;
	assert_int_equal(pu_multiaddr_from_text(&ma, "/dns4/relay.example/udp/4001/quic-v1"), 0);
	if (pu_host_connect_addr(w->guest.h, &ma, on_connected, w, &w->req) < 0)
		w->req = NULL;
}

static void on_lost(void *arg, int err)
{
	struct world *w = arg;

	pu_nameplate_free(w->n);
	w->n = NULL;
}

static void run(struct world *w)
{
	static const struct pu_nameplate_events ev = { on_number, on_lost };
	const struct pu_nameplates_options opt = { is_member, on_vouched, on_open, w };

	if (pu_nameplates_new(w->relay.h, &opt, &w->keeper) < 0)
		w->keeper = NULL;
	if (pu_nameplate_allocate(w->member.h, &w->relay.key.peer, 0, 600, &ev, w, &w->n) < 0)
		w->n = NULL;
	pu_sim_run(w->sim, PU_SEC(20));
}

static bool scenario(unsigned n)
{
	static const char *const listen[] = { "/ip4/0.0.0.0/udp/4001/quic-v1", NULL };
	struct world w = { .sim = pu_sim_new(1) };
	struct test_host *host[] = { &w.relay, &w.member, &w.guest };
	static const char *const ip[] = { "11.0.0.1", "11.0.0.2", "11.0.0.3" };

	for (unsigned i = 0; i < PU_ARRAY_LEN(host); i++) {
		test_host_init(host[i], w.sim, i + 1, ip[i], NULL);
		host[i]->cfg.no_tcp = true;
		host[i]->cfg.gate = i == 0 ? gate : NULL;
		host[i]->cfg.gate_arg = &w;
		test_host_start(host[i], listen);
		nomem_warm_up(host[i]->cfg.loop);
	}
	pu_sim_add_name(w.sim, "relay.example", "11.0.0.1", NULL);
	test_host_introduce(&w.member, &w.relay);
	nomem_happened = false;
	nomem_countdown = n;
	run(&w);
	nomem_countdown = 0;
	if (!nomem_happened)
		assert_true(w.connected && w.found && w.vouched &&
			    pu_host_conn(w.relay.h, &w.guest.key.peer));
	pu_nameplate_free(w.n);
	if (w.lookup)
		pu_nameplate_cancel(w.lookup);
	if (w.req)
		pu_host_cancel(w.guest.h, w.req);
	pu_nameplates_free(w.keeper);
	for (unsigned i = 0; i < PU_ARRAY_LEN(host); i++)
		test_host_stop(host[i]);
	pu_sim_free(w.sim);
	return nomem_happened;
}

static void meeting_survives(void **state)
{
	unsigned n = 1;

	while (scenario(n))
		n++;
	print_message("%u allocations\n", n - 1);
	assert_true(n > 50); /* else nothing was tried */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(meeting_survives),
	};

	pu_log_set_level(getenv("PU_TEST_LOG") ? PU_LOG_DEBUG : PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
