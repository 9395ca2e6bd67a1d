/* Peers become known, all of it or nothing, whenever the machine stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "crypto/key.h"
#include "daemon/enrolment.h"
#include "daemon/enrolment_journal.h"
#include "overlay/member_edit.h"

enum { NOW = 1800000000 };

static const char config_text[] = "# mine\n"
				  "version: 1\n"
				  "identity:\n  key_file: identity.key\n"
				  "network:\n  listen_addresses: [\"/ip4/0.0.0.0/tcp/0\"]\n"
				  "relay:\n  addresses: []\n"
				  "discovery:\n  rendezvous: lab\n"
				  "security:\n  authorized_keys_file: authorized_keys\n"
				  "  enable_connection_gating: true\n"
				  "names: {} # people\n";

static char dir[64], config[128], keys[128], journal[128];
static struct pu_config *cfg;

static void put(const char *path, const char *text)
{
	assert_int_equal(pu_file_replace(path, pu_bytes_str(text), 0600, NULL), 0);
}

static void get(const char *path, char out[8192])
{
	char *text;
	size_t len;

	out[0] = '\0';
	if (pu_file_read(path, 8191, &text, &len, NULL) < 0)
		return;
	memcpy(out, text, len + 1);
	free(text);
}

static void load(void)
{
	struct pu_config_diags *d = calloc(1, sizeof *d);

	pu_config_free(cfg);
	cfg = NULL;
	assert_int_equal(pu_config_load(config, &cfg, d), 0);
	free(d);
}

static struct pu_peerid peer_id(uint8_t seed)
{
	uint8_t bytes[32] = { seed };
	struct pu_key key;
	struct pu_peerid id;

	assert_int_equal(pu_key_from_seed(&key, bytes), 0);
	id = key.peer;
	pu_key_deinit(&key);
	return id;
}

static const char *id_text(uint8_t seed)
{
	static char text[4][PU_PEERID_TEXT_MAX];
	static unsigned i;
	struct pu_peerid id = peer_id(seed);

	return pu_peerid_text(&id, text[i++ % 4]);
}

static int set_up(void **state)
{
	snprintf(dir, sizeof dir, "/tmp/peerup-enrol-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(config, sizeof config, "%s/config.yaml", dir);
	snprintf(keys, sizeof keys, "%s/authorized_keys", dir);
	snprintf(journal, sizeof journal, "%s/" PU_ENROLMENT_JOURNAL, dir);
	put(config, config_text);
	load();
	return 0;
}

static int tear_down(void **state)
{
	char cmd[160];

	pu_config_free(cfg);
	cfg = NULL;
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	return system(cmd);
}

static struct pu_enrolment_peer plain(uint8_t seed, const char *name)
{
	struct pu_enrolment_peer p = { .id = peer_id(seed), .expires = PU_MEMBER_NO_EXPIRY };

	snprintf(p.name, sizeof p.name, "%s", name);
	snprintf(p.comment, sizeof p.comment, "%s", name);
	return p;
}

static struct pu_enrolment one(struct pu_enrolment_peer *p)
{
	return (struct pu_enrolment){ .now = NOW, .n_peers = 1, .peer = p };
}

static int apply(struct pu_enrolment *e, struct pu_failure *why)
{
	*why = (struct pu_failure){ .what = "" };
	return pu_enrolment_apply(cfg, NULL, e, why);
}

static void enrol(uint8_t seed, const char *name, bool provisional)
{
	struct pu_enrolment_peer p = plain(seed, name);
	struct pu_enrolment e = one(&p);
	struct pu_failure why;

	p.provisional = provisional;
	if (provisional)
		p.expires = NOW + 600;
	assert_int_equal(apply(&e, &why), 0);
	load();
}

/* A peer by its name in the file; "" when nobody has it. */
static const char *named(const char *name)
{
	static char text[PU_PEERID_TEXT_MAX];

	load();
	for (size_t i = 0; i < cfg->n_names; i++)
		if (strcmp(cfg->names[i].key.name, name) == 0)
			return pu_peerid_text(&cfg->names[i].peer, text);
	return "";
}

static bool in_keys(const char *text)
{
	char all[8192];

	get(keys, all);
	return strstr(all, text) != NULL;
}

static void peer_relay_and_name_are_stored(void **state)
{
	struct pu_enrolment_peer p = plain(1, "home");
	struct pu_enrolment e = one(&p);
	char relay[200], text[8192], line[256];
	struct pu_failure why;

	p.access = PU_ACCESS_NETWORK;
	snprintf(p.group, sizeof p.group, "ab12cd34");
	snprintf(p.hmac_proof, sizeof p.hmac_proof, "00ff");
	snprintf(relay, sizeof relay, "/ip4/203.0.113.5/tcp/7777/p2p/%s", id_text(9));
	assert_int_equal(pu_multiaddr_from_text(&e.relay[0], relay), 0);
	e.n_relays = 1;
	assert_int_equal(apply(&e, &why), 0);
	assert_false(p.was_member);
	assert_string_equal(named("home"), id_text(1));
	assert_int_equal(cfg->relays.n, 1);
	get(config, text);
	assert_non_null(strstr(text, "# mine"));
	assert_non_null(strstr(text, "# people"));
	snprintf(line, sizeof line, "%s  access=network  group=ab12cd34  hmac_proof=00ff  # home\n",
		 id_text(1));
	get(keys, text);
	assert_string_equal(text, line);
	assert_int_not_equal(access(journal, F_OK), 0);
	/* once more: nothing changes */
	assert_int_equal(apply(&e, &why), 0);
	assert_true(p.was_member);
	get(keys, text);
	assert_string_equal(text, line);
	load();
	assert_int_equal(cfg->relays.n, 1);
	assert_int_equal(cfg->n_names, 1);
}

static void taken_names_get_numbers(void **state)
{
	struct pu_enrolment_peer p = plain(200, "HOME");
	struct pu_enrolment e = one(&p);
	struct pu_failure why;

	for (uint8_t i = 1; i <= 100; i++)
		enrol(i, "home", false);
	assert_string_equal(named("home"), id_text(1));
	assert_string_equal(named("home-2"), id_text(2));
	assert_string_equal(named("home-100"), id_text(100));
	assert_int_equal(apply(&e, &why), PU_ELIMIT);
	assert_false(in_keys(id_text(200)));
	assert_int_not_equal(access(journal, F_OK), 0);
}

static void peer_that_has_a_name_keeps_it(void **state)
{
	struct pu_enrolment_peer p = plain(1, "other");
	struct pu_enrolment e = one(&p);
	struct pu_failure why;

	enrol(1, "home", false);
	assert_int_equal(apply(&e, &why), 0);
	assert_string_equal(p.name, "home");
	assert_string_equal(named("other"), "");
}

static void two_of_one_enrolment_do_not_share_a_name(void **state)
{
	struct pu_enrolment_peer p[2] = { plain(1, "pi"), plain(2, "Pi") };
	struct pu_enrolment e = { .now = NOW, .n_peers = 2, .peer = p };
	struct pu_failure why;

	assert_int_equal(apply(&e, &why), 0);
	assert_string_equal(named("pi"), id_text(1));
	assert_string_equal(named("Pi-2"), id_text(2));
	assert_true(in_keys("# pi\n"));
	assert_true(in_keys("# Pi-2\n"));
	assert_false(in_keys("# Pi\n"));
}

static void hostile_names_become_harmless(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{ "Laptop_1.x", "Laptop_1.x" },
		{ "\x1b[31mred\x07", "31mred" },
		{ "a b\nc: \"d\"", "abcd" },
		{ "--force", "force" },
		{ "../../etc", "etc" },
		{ "..", "" },
		{ "\xff\xfe", "" },
		{ "", "" },
		{ "end.", "end" },
	};
	char out[PU_ENROLMENT_NAME_MAX + 1], longer[400];

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		assert_int_equal(pu_enrolment_clean_name(cases[i].from, out), cases[i].to[0] != 0);
		assert_string_equal(out, cases[i].to);
	}
	/* It would be looked up before the peer itself. */
	assert_false(pu_enrolment_clean_name(id_text(7), out));
	memset(longer, 'a', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	assert_true(pu_enrolment_clean_name(longer, out));
	assert_int_equal(strlen(out), 63);
}

static void comment_cannot_become_a_line(void **state)
{
	struct pu_enrolment_peer p = plain(1, "x");
	struct pu_enrolment e = one(&p);
	struct pu_failure why;
	char text[8192];

	snprintf(p.comment, sizeof p.comment, "x\n%s access=network", id_text(2));
	assert_int_equal(apply(&e, &why), 0);
	get(keys, text);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void provisional_peer_can_be_made_one_for_good(void **state)
{
	struct pu_peerid id = peer_id(1);

	enrol(1, "home", true);
	assert_true(in_keys("expires=2027-01-15T08:10:00Z"));
	assert_int_equal(pu_enrolment_settle(cfg, &id, true), 0);
	assert_false(in_keys("expires="));
	assert_false(in_keys("pending="));
	assert_string_equal(named("home"), id_text(1));
	/* nothing to take back any more */
	assert_int_equal(pu_enrolment_settle(cfg, &id, false), 0);
	assert_true(in_keys(id_text(1)));
}

static void provisional_peer_can_be_taken_back_with_its_name(void **state)
{
	struct pu_peerid id = peer_id(1);

	enrol(2, "friend", false);
	enrol(1, "home", true);
	assert_int_equal(pu_enrolment_settle(cfg, &id, false), 0);
	assert_false(in_keys(id_text(1)));
	assert_true(in_keys(id_text(2)));
	assert_string_equal(named("home"), "");
	assert_string_equal(named("friend"), id_text(2));
	assert_int_equal(pu_enrolment_settle(cfg, &id, false), PU_ENOENT);
}

static void name_that_was_there_before_survives_being_taken_back(void **state)
{
	struct pu_peerid id = peer_id(1);

	enrol(1, "home", false);
	assert_int_equal(pu_member_edit_remove(keys, &id), 0);
	enrol(1, "other", true);
	assert_int_equal(pu_enrolment_settle(cfg, &id, false), 0);
	assert_string_equal(named("home"), id_text(1));
}

/* Access of long ago does not come back with a new code for less. */
static void who_is_no_member_any_more_gets_what_is_granted_now(void **state)
{
	struct pu_peerid id = peer_id(1);

	enrol(1, "home", false);
	assert_int_equal(pu_member_edit_set_attr(keys, &id, "access", "network"), 0);
	enrol(1, "home", false); /* a member keeps it */
	assert_true(in_keys("access=network"));
	assert_int_equal(pu_member_edit_set_attr(keys, &id, "expires", "2020-01-01T00:00:00Z"), 0);
	enrol(1, "home", true);
	assert_true(in_keys(id_text(1)));
	assert_false(in_keys("access=network"));
	/* neither does that of an invitation that was never confirmed */
	assert_int_equal(pu_member_edit_set_attr(keys, &id, "access", "network"), 0);
	enrol(1, "home", true);
	assert_false(in_keys("access=network"));
}

static void member_keeps_its_own_expiry(void **state)
{
	struct pu_peerid id = peer_id(1);

	enrol(1, "home", false);
	assert_int_equal(pu_member_edit_set_attr(keys, &id, "expires", "2030-01-01T00:00:00Z"), 0);
	enrol(1, "home", true);
	assert_true(in_keys("expires=2030-01-01T00:00:00Z"));
	assert_int_equal(pu_enrolment_settle(cfg, &id, true), 0);
	assert_true(in_keys("expires=2030-01-01T00:00:00Z"));
	/* one whose time is over is no member */
	assert_int_equal(pu_member_edit_set_attr(keys, &id, "expires", "2020-01-01T00:00:00Z"), 0);
	enrol(1, "home", false);
	assert_false(in_keys("expires="));
}

static void count(void *arg, const struct pu_peerid *peer, int64_t expires)
{
	assert_int_equal(expires, NOW + 600);
	++*(unsigned *)arg;
}

static void provisional_peers_are_found_again(void **state)
{
	unsigned n = 0;

	enrol(1, "a", true);
	enrol(2, "b", false);
	enrol(3, "c", true);
	assert_int_equal(pu_enrolment_each_provisional(cfg, count, &n), 0);
	assert_int_equal(n, 2);
}

/* --- the machine stops ------------------------------------------------------------ */

/* The journal of an enrolment that was interrupted before its first step. */
static void interrupted(struct pu_enrolment_peer *p, struct pu_enrolment *e)
{
	*p = plain(1, "home");
	p->named = true;
	*e = one(p);
	assert_int_equal(pu_enrolment_journal_write(journal, e, NULL), 0);
}

static void expect_complete(void)
{
	struct pu_failure why = { .what = "" };

	assert_int_equal(pu_enrolment_recover(config, NULL, &why), 0);
	assert_string_equal(named("home"), id_text(1));
	assert_true(in_keys(id_text(1)));
	assert_int_not_equal(access(journal, F_OK), 0);
}

static void stopped_before_the_first_step(void **state)
{
	struct pu_enrolment_peer p;
	struct pu_enrolment e;

	interrupted(&p, &e);
	expect_complete();
}

static void stopped_between_the_steps(void **state)
{
	struct pu_enrolment_peer p;
	struct pu_enrolment e;
	char text[8192];

	/* the config as the first step leaves it, the members as they were */
	enrol(1, "home", false);
	get(config, text);
	assert_int_equal(unlink(keys), 0);
	interrupted(&p, &e);
	put(config, text);
	expect_complete();
}

static void stopped_before_the_journal_was_removed(void **state)
{
	struct pu_enrolment_peer p;
	struct pu_enrolment e;
	char before[8192], after[8192];

	enrol(1, "home", false);
	get(keys, before);
	interrupted(&p, &e);
	expect_complete();
	get(keys, after);
	assert_string_equal(before, after);
}

static void next_enrolment_finishes_the_last_one(void **state)
{
	struct pu_enrolment_peer p;
	struct pu_enrolment e;

	interrupted(&p, &e);
	enrol(2, "home", false);
	assert_string_equal(named("home"), id_text(1));
	assert_string_equal(named("home-2"), id_text(2));
}

static void damaged_journal_is_refused_by_name(void **state)
{
	static const char *const bad[] = {
		"", "garbage", "{}", "{\"enrolment\":1}", "{\"enrolment\":1,\"network\":\"\",\"relays\":[],\"peers\":[{}]}",
		"{\"enrolment\":2,\"network\":\"\",\"relays\":[],\"peers\":[]}",
		"{\"enrolment\":1,\"network\":\"\",\"relays\":[\"/ip4/1.2.3.4/tcp/1\"],\"peers\":[]}",
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++) {
		struct pu_failure why = { .what = "" };
		char text[8192];

		put(journal, bad[i]);
		assert_int_equal(pu_enrolment_recover(config, NULL, &why), PU_EINVAL);
		assert_string_equal(why.what, journal);
		assert_non_null(strstr(why.hint, journal));
		get(config, text);
		assert_string_equal(text, config_text);
		assert_int_not_equal(access(keys, F_OK), 0);
	}
}

static void journal_cut_at_any_byte_is_refused(void **state)
{
	struct pu_enrolment_peer p;
	struct pu_enrolment e;
	char whole[8192], part[8192];

	interrupted(&p, &e);
	get(journal, whole);
	for (size_t i = 0; i < strlen(whole); i++) {
		struct pu_failure why = { .what = "" };

		memcpy(part, whole, i);
		part[i] = '\0';
		put(journal, part);
		assert_int_equal(pu_enrolment_recover(config, NULL, &why), PU_EINVAL);
	}
	assert_int_not_equal(access(keys, F_OK), 0);
}

/* --- the disk refuses ------------------------------------------------------------- */

static void members_file_that_cannot_be_written_leaves_all_as_it_was(void **state)
{
	struct pu_enrolment_peer p = plain(1, "home");
	struct pu_enrolment e = one(&p);
	struct pu_failure why;
	char text[8192];

	/* in a folder that is not there */
	snprintf(text, sizeof text, "%s", config_text);
	memcpy(strstr(text, "authorized_keys\n"), "nodir/keys_file\n", 16);
	put(config, text);
	load();
	assert_true(apply(&e, &why) < 0);
	assert_non_null(strstr(why.what, "nodir/keys_file"));
	assert_string_equal(named("home"), "");
	assert_int_not_equal(access(journal, F_OK), 0);
}

static void config_that_cannot_be_edited_leaves_all_as_it_was(void **state)
{
	struct pu_enrolment_peer p = plain(1, "home");
	struct pu_enrolment e = one(&p);
	char text[8192], before[8192];
	struct pu_failure why;

	snprintf(text, sizeof text, "%s", config_text);
	strcpy(strstr(text, "names:"), "names: &n\n  x: \"");
	strcat(text, id_text(5));
	strcat(text, "\"\n");
	put(config, text);
	get(config, before);
	load();
	assert_int_equal(apply(&e, &why), PU_ENOTSUP);
	assert_string_equal(why.what, config);
	get(config, text);
	assert_string_equal(text, before);
	assert_int_not_equal(access(keys, F_OK), 0);
	assert_int_not_equal(access(journal, F_OK), 0);
}

/* In a mount namespace of its own: the folder becomes a tiny or a read-only file system. */
static int in_namespace(const char *options, bool fill, unsigned long flags)
{
	struct pu_enrolment_peer p = plain(1, "home");
	struct pu_enrolment e = one(&p);
	struct pu_failure why = { .what = "" };
	char path[160], text[8192];
	FILE *f;
	int r;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", dir, "tmpfs", 0, options) < 0)
		return 77;
	put(config, config_text);
	load();
	snprintf(path, sizeof path, "%s/filler", dir);
	if (fill && (f = fopen(path, "w"))) {
		while (fwrite(text, 1, 512, f) == 512 && fflush(f) == 0)
			;
		fclose(f);
	}
	if (flags && mount(NULL, dir, NULL, MS_REMOUNT | flags, NULL) < 0)
		return 77;
	r = pu_enrolment_apply(cfg, NULL, &e, &why);
	get(config, text);
	if (r == 0 || !why.what[0] || !why.why[0] || strcmp(text, config_text) != 0 ||
	    access(journal, F_OK) == 0 || access(keys, F_OK) == 0)
		return 1;
	return 0;
}

static void run_in_namespace(const char *options, bool fill, unsigned long flags)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(in_namespace(options, fill, flags));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void full_disk_leaves_all_as_it_was(void **state)
{
	run_in_namespace("size=64k", true, 0);
}

static void read_only_folder_leaves_all_as_it_was(void **state)
{
	run_in_namespace("size=64k", false, MS_RDONLY);
}

static void too_many_are_refused(void **state)
{
	struct pu_enrolment e = { .n_peers = PU_ENROLMENT_PEERS_MAX + 1 };
	struct pu_failure why;

	assert_int_equal(apply(&e, &why), PU_ELIMIT);
}

static int crypto(void **state)
{
	return pu_crypto_init();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(peer_relay_and_name_are_stored),
		TEST(taken_names_get_numbers),
		TEST(peer_that_has_a_name_keeps_it),
		TEST(two_of_one_enrolment_do_not_share_a_name),
		TEST(hostile_names_become_harmless),
		TEST(comment_cannot_become_a_line),
		TEST(provisional_peer_can_be_made_one_for_good),
		TEST(provisional_peer_can_be_taken_back_with_its_name),
		TEST(name_that_was_there_before_survives_being_taken_back),
		TEST(who_is_no_member_any_more_gets_what_is_granted_now),
		TEST(member_keeps_its_own_expiry),
		TEST(provisional_peers_are_found_again),
		TEST(stopped_before_the_first_step),
		TEST(stopped_between_the_steps),
		TEST(stopped_before_the_journal_was_removed),
		TEST(next_enrolment_finishes_the_last_one),
		TEST(damaged_journal_is_refused_by_name),
		TEST(journal_cut_at_any_byte_is_refused),
		TEST(members_file_that_cannot_be_written_leaves_all_as_it_was),
		TEST(config_that_cannot_be_edited_leaves_all_as_it_was),
		TEST(full_disk_leaves_all_as_it_was),
		TEST(read_only_folder_leaves_all_as_it_was),
		TEST(too_many_are_refused),
	};

	return cmocka_run_group_tests(tests, crypto, NULL);
}
