/* A node whose authorized_keys file changes, and whose clock is set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <unistd.h>

#include "base/err.h"
#include "base/rfc3339.h"
#include "daemon/control.h"
#include "support/node_lab.h"

static struct pu_lab lab;
static struct pu_lab_node *const a = &lab.node[0], *const b = &lab.node[1];

struct heard {
	struct pu_event_listener listener;
	char what[8][16];
	struct pu_peerid peer;
	size_t n;
};

static void on_event(void *arg, const struct pu_event *ev)
{
	struct heard *h = arg;

	if (ev->kind != PU_EVENT_AUTH_CHANGE || h->n == PU_ARRAY_LEN(h->what))
		return;
	h->peer = *ev->peer;
	snprintf(h->what[h->n++], sizeof h->what[0], "%s", ev->what);
}

static void listen_to(struct heard *h, struct pu_lab_node *n)
{
	*h = (struct heard){ .listener = { .on_event = on_event, .arg = h } };
	pu_events_add(&n->node->events, &h->listener);
}

static void rewrite(struct pu_lab_node *n, const char *text)
{
	struct pu_failure why = { .what = "" };

	assert_int_equal(pu_file_replace(n->node->cfg->authorized_keys_file, pu_bytes_str(text),
					 0600, NULL), 0);
	assert_int_equal(pu_node_reload_members(n->node, &why), 0);
}

static void rewrite_line(struct pu_lab_node *n, const struct pu_lab_node *who, const char *attrs)
{
	char line[256];

	snprintf(line, sizeof line, "%s%s\n", who->id_text, attrs);
	rewrite(n, line);
}

static void start(void)
{
	pu_lab_init(&lab, 2);
	pu_lab_befriend(a, b, "");
	pu_lab_befriend(b, a, "");
	b->peers[0] = '\0'; /* what b dials itself is b's own will */
	pu_lab_up(a);
	pu_lab_up(b);
	pu_lab_await_offer(a, b);
}

static void a_changed_file_is_applied_and_each_change_told_once(void **state)
{
	struct heard h;
	struct pu_sas sas;
	char attrs[64];

	start();
	listen_to(&h, b);
	rewrite_line(b, a, "");
	assert_int_equal(h.n, 0);
	rewrite_line(b, a, "  access=network");
	assert_int_equal(h.n, 1);
	assert_string_equal(h.what[0], "changed");
	assert_true(pu_peerid_eq(&h.peer, &a->id));
	pu_lab_run(&lab, PU_SEC(1));
	assert_int_equal(pu_lab_peer(a, b)->granted, PU_ACCESS_NETWORK);

	pu_sas_of(&a->id, &b->id, &sas);
	snprintf(attrs, sizeof attrs, "  access=network verified=%s", sas.stored);
	rewrite_line(b, a, attrs);
	assert_int_equal(h.n, 2);
	assert_string_equal(h.what[1], "verified");
	assert_int_equal(pu_lab_peer(b, a)->trust, PU_SAS_VERIFIED);
	rewrite_line(b, a, "  access=network verified=sha256:00000000");
	assert_string_equal(h.what[2], "changed");
	assert_int_equal(pu_lab_peer(b, a)->trust, PU_SAS_STALE);

	assert_true(pu_lab_connected(b, a));
	rewrite(b, "# nobody\n");
	assert_int_equal(h.n, 4);
	assert_string_equal(h.what[3], "removed");
	pu_lab_run(&lab, PU_SEC(5));
	assert_false(pu_lab_connected(b, a));
	rewrite_line(b, a, "");
	assert_string_equal(h.what[4], "added");
	pu_lab_run(&lab, PU_SEC(900)); /* a has no reason to hurry */
	assert_true(pu_lab_connected(b, a));
	pu_events_remove(&b->node->events, &h.listener);
	pu_lab_deinit(&lab);
}

static void a_file_that_cannot_be_read_changes_nothing(void **state)
{
	struct pu_failure why = { .what = "" };
	struct heard h;
	char *file;

	start();
	listen_to(&h, b);
	file = b->node->cfg->authorized_keys_file;
	assert_int_equal(remove(file), 0);
	assert_int_equal(symlink("/proc/self", file), 0); /* no regular file */
	assert_true(pu_node_reload_members(b->node, &why) < 0);
	assert_string_equal(why.what, file);
	assert_int_equal(h.n, 0);
	pu_lab_run(&lab, PU_SEC(5));
	assert_true(pu_lab_connected(b, a));
	pu_events_remove(&b->node->events, &h.listener);
	assert_int_equal(remove(file), 0);
	pu_lab_deinit(&lab);
}

static void expiry_follows_the_clock_both_ways(void **state)
{
	char when[PU_RFC3339_MAX], attrs[64];
	struct pu_loop *loop;
	struct heard h;

	start();
	loop = pu_sim_loop(b->sim);
	snprintf(attrs, sizeof attrs, "  expires=%s",
		 pu_rfc3339_text(pu_loop_unix(loop) + 7200, when));
	rewrite_line(b, a, attrs);
	listen_to(&h, b);
	pu_lab_run(&lab, PU_SEC(60));
	assert_true(pu_lab_connected(b, a));
	loop->wall_offset += (int64_t)PU_SEC(3 * 3600);
	pu_lab_run(&lab, PU_SEC(60));
	assert_false(pu_lab_connected(b, a));
	assert_int_equal(h.n, 1); /* told once, however often it is looked at */
	assert_string_equal(h.what[0], "expired");
	rewrite_line(b, a, attrs);
	pu_lab_run(&lab, PU_SEC(20));
	assert_int_equal(h.n, 1);
	loop->wall_offset -= (int64_t)PU_SEC(3 * 3600);
	pu_lab_run(&lab, PU_SEC(900));
	assert_int_equal(h.n, 2);
	assert_string_equal(h.what[1], "changed");
	assert_true(pu_lab_connected(b, a));
	pu_events_remove(&b->node->events, &h.listener);
	pu_lab_deinit(&lab);
}

/* Outbound stays the user's will, and he is told what that is worth. */
static void a_removed_peer_in_the_config_is_called_and_said_to_be_unauthorised(void **state)
{
	struct pu_control *c;
	static struct pu_api_why why;

	start();
	rewrite(a, "");
	pu_lab_run(&lab, PU_SEC(30));
	assert_true(pu_lab_connected(a, b));
	assert_int_equal(pu_control_new(&(struct pu_control_options){ .node = a->node }, &c), 0);
	assert_int_equal(pu_control_ops.why(c, &b->id, &why), 0);
	assert_non_null(strstr(why.reason, "not authorized here"));
	pu_control_free(c);
	pu_lab_deinit(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_changed_file_is_applied_and_each_change_told_once),
		cmocka_unit_test(a_file_that_cannot_be_read_changes_nothing),
		cmocka_unit_test(expiry_follows_the_clock_both_ways),
		cmocka_unit_test(
			a_removed_peer_in_the_config_is_called_and_said_to_be_unauthorised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
