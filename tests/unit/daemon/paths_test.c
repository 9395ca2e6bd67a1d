/* Whose files, which config, which socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "daemon/paths.h"

static char top[64];
static struct pu_paths p;
static struct pu_failure why;

static int set_up(void **state)
{
	strcpy(top, "/tmp/pu_paths_XXXXXX");
	assert_non_null(mkdtemp(top));
	memset(&p, 0, sizeof p);
	memset(&why, 0, sizeof why);
	return chdir(top);
}

static int tear_down(void **state)
{
	char cmd[100];

	snprintf(cmd, sizeof cmd, "rm -rf %s", top);
	return chdir("/") | system(cmd);
}

static void touch(const char *path)
{
	char dir[PU_PATHS_LEN];

	snprintf(dir, sizeof dir, "%s", path);
	*strrchr(dir, '/') = '\0';
	assert_int_equal(pu_file_make_dirs(dir, 0700, NULL), 0);
	assert_int_equal(pu_file_replace(path, pu_bytes_str("\n"), 0600, NULL), 0);
}

static const char *below(const char *name)
{
	static char path[4][PU_PATHS_LEN];
	static int i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof path[i], "%s/%s", top, name);
	return path[i];
}

static struct pu_paths_env env_of_user(void)
{
	return (struct pu_paths_env){ .home = top, .euid = 1000, .egid = 1000 };
}

static void the_search_goes_from_here_to_home(void **state)
{
	struct pu_paths_env env = env_of_user();

	touch(below(".config/peerup/config.yaml"));
	assert_int_equal(pu_paths_find(&p, &env, NULL, &why), 0);
	assert_string_equal(p.config, below(".config/peerup/config.yaml"));
	assert_string_equal(p.state_dir, below(".config/peerup"));
	touch(below("peerup.yaml"));
	assert_int_equal(pu_paths_find(&p, &env, NULL, &why), 0);
	assert_string_equal(p.config, below("peerup.yaml"));
	assert_string_equal(p.state_dir, top);
	/* The socket does not move with the config: every command finds the daemon. */
	assert_string_equal(p.socket, below(".config/peerup/peerup.sock"));
	assert_string_equal(p.cookie, below(".config/peerup/.daemon-cookie"));
}

static void a_given_config_must_exist(void **state)
{
	struct pu_paths_env env = env_of_user();

	assert_int_equal(pu_paths_find(&p, &env, "x.yaml", &why), PU_ENOENT);
	assert_string_equal(why.what, "x.yaml");
	touch(below("x.yaml"));
	assert_int_equal(pu_paths_find(&p, &env, "x.yaml", NULL), 0);
	assert_string_equal(p.config, below("x.yaml"));
	assert_false(p.owner.set);
}

static void a_system_config_has_system_places(void **state)
{
	struct pu_paths_env env = env_of_user();

	assert_int_equal(pu_paths_for_config(&p, &env, "/etc/peerup/config.yaml", &why), 0);
	assert_string_equal(p.socket, "/run/peerup/peerup.sock");
	assert_string_equal(p.state_dir, "/var/lib/peerup");
	env.state_dir = "/var/lib/a:/var/lib/b";
	env.runtime_dir = "/run/x";
	assert_int_equal(pu_paths_for_config(&p, &env, "/etc/peerup/config.yaml", &why), 0);
	assert_string_equal(p.socket, "/run/x/peerup.sock");
	assert_string_equal(p.state_dir, "/var/lib/a");
	assert_int_equal(pu_paths_for_config(&p, &env, "/etc/peerupx/config.yaml", &why), 0);
}

static void sudo_works_for_the_user_whose_home_it_is(void **state)
{
	struct pu_paths_env env = { .home = top, .euid = 0, .sudo_uid = "4321", .sudo_gid = "4322" };

	if (geteuid() != 0)
		skip();
	/* A home that is not his (root made it for a test): files stay root's. */
	assert_int_equal(pu_paths_for_config(&p, &env, "c.yaml", &why), 0);
	assert_false(p.owner.set);
	assert_int_equal(chown(top, 4321, 4322), 0);
	assert_int_equal(pu_paths_for_config(&p, &env, "c.yaml", &why), 0);
	assert_true(p.owner.set);
	assert_int_equal(p.owner.uid, 4321);
	assert_int_equal(p.owner.gid, 4322);
	env.euid = 4321;
	assert_int_equal(pu_paths_for_config(&p, &env, "c.yaml", &why), 0);
	assert_false(p.owner.set);
	env.euid = 0;
	env.sudo_uid = "0x7";
	assert_int_equal(pu_paths_for_config(&p, &env, "c.yaml", &why), 0);
	assert_false(p.owner.set);
}

static void sudo_looks_into_the_users_home(void **state)
{
	/* uid 1 (daemon) has a home of its own in every passwd file. */
	struct pu_paths_env env = { .home = "/root", .euid = 0, .sudo_uid = "1", .sudo_gid = "1" };

	assert_int_equal(pu_paths_for_config(&p, &env, "c.yaml", &why), 0);
	assert_string_not_equal(p.home, "/root");
}

static void too_long_paths_are_refused(void **state)
{
	char name[PU_PATHS_LEN + 10], out[PU_PATHS_LEN];
	struct pu_paths_env env = env_of_user();

	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	assert_int_equal(pu_paths_find(&p, &env, name, &why), PU_ELIMIT);
	assert_int_equal(pu_paths_join(out, "/x", name), PU_ELIMIT);
	assert_int_equal(pu_paths_join(out, "/x", "/y"), 0);
	assert_string_equal(out, "/y");
	assert_int_equal(pu_paths_join(out, "/", "y"), 0);
	assert_string_equal(out, "/y");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_search_goes_from_here_to_home),
		TEST(a_given_config_must_exist),
		TEST(a_system_config_has_system_places),
		TEST(sudo_works_for_the_user_whose_home_it_is),
		TEST(sudo_looks_into_the_users_home),
		TEST(too_long_paths_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
