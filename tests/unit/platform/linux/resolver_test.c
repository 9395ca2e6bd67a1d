#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "platform/linux/resolv_conf.h"
#include "platform/linux/resolver.h"

static const char original[] = "# of the user\nnameserver 192.0.2.1\nnameserver 2001:db8::1\n"
			       "search lan\noptions edns0\n";

static const struct pu_prefix stub[] = {
	{ AF_INET, 32, { 10, 64, 0, 53 } },
	{ AF_INET6, 128, { 0xfd, 0x50, [15] = 0x53 } },
};

/* A host's files in a directory of the test's own. */
struct env {
	char dir[64];
	char etc[96], state[96];
	char resolv_conf[128], backup[160], nsswitch[128], tool[128], order[128], log[128];
	struct pu_linux_paths paths;
	struct pu_linux_resolver rs;
};

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static char *read_file(const char *path, char *buf, size_t cap)
{
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(buf, 1, cap - 1, f) : 0;

	if (f)
		fclose(f);
	buf[n] = '\0';
	return buf;
}

static void assert_file(const char *path, const char *wanted)
{
	char buf[8192];

	assert_string_equal(read_file(path, buf, sizeof buf), wanted);
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static size_t entries(const char *dir)
{
	char cmd[160], n[32] = "";
	FILE *f;

	snprintf(cmd, sizeof cmd, "ls -A %s | wc -l", dir);
	f = popen(cmd, "r");
	assert_non_null(fgets(n, sizeof n, f));
	pclose(f);
	return strtoul(n, NULL, 10);
}

static int setup(void **state)
{
	struct env *e = calloc(1, sizeof *e);

	pu_log_set_level(PU_LOG_OFF);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
	strcpy(e->dir, "/tmp/peerup-dns-XXXXXX");
	assert_non_null(mkdtemp(e->dir));
	snprintf(e->etc, sizeof e->etc, "%s/etc", e->dir);
	snprintf(e->state, sizeof e->state, "%s/state", e->dir);
	mkdir(e->etc, 0755);
	mkdir(e->state, 0755);
	snprintf(e->resolv_conf, sizeof e->resolv_conf, "%s/resolv.conf", e->etc);
	snprintf(e->backup, sizeof e->backup, "%s.before-peerup", e->resolv_conf);
	snprintf(e->nsswitch, sizeof e->nsswitch, "%s/nsswitch.conf", e->dir);
	snprintf(e->tool, sizeof e->tool, "%s/resolvconf", e->dir);
	snprintf(e->order, sizeof e->order, "%s/interface-order", e->dir);
	snprintf(e->log, sizeof e->log, "%s/log", e->dir);
	write_file(e->resolv_conf, original);
	e->paths = (struct pu_linux_paths){ .resolv_conf = e->resolv_conf,
					    .nsswitch = e->nsswitch,
					    .resolvconf_tools = { e->tool },
					    .interface_order = e->order,
					    .nm_dnsmasq_dir = e->dir,
					    .rt_protos_dir = e->dir };
	pu_linux_resolver_init(&e->rs, &e->paths);
	*state = e;
	return 0;
}

static int teardown(void **state)
{
	struct env *e = *state;
	char cmd[96];

	snprintf(cmd, sizeof cmd, "rm -rf %s", e->dir);
	assert_int_equal(system(cmd), 0);
	free(e);
	return 0;
}

/* The tool of the host, which writes down how it is called and what it is told. */
static void install_tool(struct env *e, const char *more)
{
	char text[512];

	snprintf(text, sizeof text,
		 "#!/bin/sh\necho \"$@\" >> %s\nif [ \"$1\" = -a ]; then cat >> %s; fi\n%s\n", e->log, e->log,
		 more);
	write_file(e->tool, text);
	chmod(e->tool, 0755);
}

static int set(struct env *e, const char *mode, const char **pmethod)
{
	struct pu_privreq rq = { .ifname = "lo",
				 .mode = mode,
				 .suffix = "p2p 64.10.in-addr.arpa",
				 .servers = stub,
				 .n_servers = PU_ARRAY_LEN(stub),
				 .state_dir = e->state,
				 .pmethod = pmethod };

	return pu_linux_resolver_set(&e->rs, &rq);
}

/* Does it in a process that then dies without a word. */
static void set_and_die(struct env *e, const char *mode)
{
	const char *method;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (set(e, mode, &method) == 0)
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
}

static bool stub_is_first(struct env *e)
{
	struct pu_prefix out[4];
	size_t n = pu_linux_resolv_conf_servers(e->resolv_conf, NULL, 0, out, 4);

	return n > 0 && memcmp(&out[0], &stub[0], sizeof out[0]) == 0;
}

/* --- managed resolv.conf --- */

static void the_managed_file_has_the_stub_first_and_the_others_behind(void **state)
{
	struct env *e = *state;
	struct pu_prefix out[8];
	const char *method = NULL;
	char text[4096];

	assert_int_equal(set(e, "resolv-conf", &method), 0);
	assert_string_equal(method, "resolv-conf");
	assert_int_equal(pu_linux_resolv_conf_servers(e->resolv_conf, NULL, 0, out, 8), 3);
	assert_memory_equal(&out[0], &stub[0], sizeof out[0]);
	assert_int_equal(out[1].addr[0], 192);
	assert_int_equal(out[2].family, AF_INET6);
	/* The user's other lines stay, and come last so that they win. */
	read_file(e->resolv_conf, text, sizeof text);
	assert_non_null(strstr(text, "search lan\noptions edns0\n"));
	assert_true(strstr(text, "timeout:2") < strstr(text, "options edns0"));
	/* Upstreams are the others. */
	assert_int_equal(pu_linux_resolver_upstreams(&e->rs, out, 8), 2);
	assert_int_equal(out[0].addr[0], 192);
	pu_linux_resolver_stop(&e->rs);
}

static void stopping_puts_the_file_back(void **state)
{
	struct env *e = *state;
	const char *method;
	struct stat before, after;

	stat(e->resolv_conf, &before);
	assert_int_equal(set(e, "resolv-conf", &method), 0);
	assert_true(stub_is_first(e));
	pu_linux_resolver_stop(&e->rs);
	assert_file(e->resolv_conf, original);
	stat(e->resolv_conf, &after);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(entries(e->etc), 1);
	assert_int_equal(entries(e->state), 0);
}

static void a_link_is_put_back_as_a_link(void **state)
{
	struct env *e = *state;
	const char *method;
	char real[128], target[160];
	ssize_t n;

	snprintf(real, sizeof real, "%s/run-resolv.conf", e->dir);
	assert_int_equal(rename(e->resolv_conf, real), 0);
	assert_int_equal(symlink("../run-resolv.conf", e->resolv_conf), 0);
	assert_int_equal(set(e, "resolv-conf", &method), 0);
	assert_true(stub_is_first(e));
	/* The file that the link named belongs to somebody else. */
	assert_file(real, original);
	pu_linux_resolver_stop(&e->rs);
	n = readlink(e->resolv_conf, target, sizeof target);
	assert_true(n > 0);
	assert_memory_equal(target, "../run-resolv.conf", (size_t)n);
	assert_int_equal(entries(e->etc), 1);
}

static void no_file_before_is_no_file_afterwards(void **state)
{
	struct env *e = *state;
	const char *method;

	unlink(e->resolv_conf);
	assert_int_equal(set(e, "resolv-conf", &method), 0);
	assert_true(stub_is_first(e));
	pu_linux_resolver_stop(&e->rs);
	assert_int_equal(entries(e->etc), 0);
}

static void after_kill_9_the_host_resolves_and_the_next_start_cleans_up(void **state)
{
	struct env *e = *state;
	struct pu_prefix out[8];

	set_and_die(e, "resolv-conf");
	assert_true(stub_is_first(e));
	/* Nobody has cleaned up yet: the servers of before are still asked. */
	assert_int_equal(pu_linux_resolv_conf_servers(e->resolv_conf, stub, 2, out, 8), 2);
	assert_int_equal(entries(e->state), 1);
	pu_linux_resolver_recover(&e->paths, e->state);
	assert_file(e->resolv_conf, original);
	assert_int_equal(entries(e->etc), 1);
	assert_int_equal(entries(e->state), 0);
	/* Again does no harm. */
	pu_linux_resolver_recover(&e->paths, e->state);
	assert_file(e->resolv_conf, original);
}

static void setting_after_a_crash_keeps_the_true_original(void **state)
{
	struct env *e = *state;
	const char *method;

	set_and_die(e, "resolv-conf");
	assert_int_equal(set(e, "resolv-conf", &method), 0);
	assert_true(stub_is_first(e));
	pu_linux_resolver_stop(&e->rs);
	assert_file(e->resolv_conf, original);
	assert_int_equal(entries(e->etc), 1);
}

static void dying_at_any_step_loses_nothing(void **state)
{
	struct env *e = *state;

	/* Marker written, nothing else done. */
	set_and_die(e, "resolv-conf");
	assert_int_equal(rename(e->backup, e->resolv_conf), 0);
	pu_linux_resolver_recover(&e->paths, e->state);
	assert_file(e->resolv_conf, original);
	/* The copy made, the file not replaced yet. */
	set_and_die(e, "resolv-conf");
	assert_int_equal(rename(e->backup, e->resolv_conf), 0);
	assert_int_equal(link(e->resolv_conf, e->backup), 0);
	pu_linux_resolver_recover(&e->paths, e->state);
	assert_file(e->resolv_conf, original);
	assert_false(exists(e->backup));
}

static void a_lost_copy_is_made_good_from_the_managed_file(void **state)
{
	struct env *e = *state;

	set_and_die(e, "resolv-conf");
	unlink(e->backup);
	pu_linux_resolver_recover(&e->paths, e->state);
	assert_file(e->resolv_conf, original);
	assert_int_equal(entries(e->state), 0);
}

static void what_somebody_else_wrote_meanwhile_stays(void **state)
{
	struct env *e = *state;
	const char *method;

	assert_int_equal(set(e, "resolv-conf", &method), 0);
	unlink(e->resolv_conf);
	write_file(e->resolv_conf, "nameserver 198.51.100.1\n");
	pu_linux_resolver_stop(&e->rs);
	assert_file(e->resolv_conf, "nameserver 198.51.100.1\n");
	assert_false(exists(e->backup));
	assert_int_equal(entries(e->state), 0);
}

/* As in a container: the file is a mount and cannot be replaced. */
static void a_mounted_file_is_written_into(void **state)
{
	struct env *e = *state;
	const char *method;
	char real[128];

	snprintf(real, sizeof real, "%s/mounted", e->dir);
	write_file(real, original);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(real, e->resolv_conf, NULL, MS_BIND, NULL) < 0)
		skip();
	assert_int_equal(set(e, "resolv-conf", &method), 0);
	assert_true(stub_is_first(e));
	pu_linux_resolver_stop(&e->rs);
	assert_file(e->resolv_conf, original);
	assert_int_equal(entries(e->etc), 1);
	umount(e->resolv_conf);
	assert_file(real, original);
}

static void an_unwritable_directory_is_an_error_and_changes_nothing(void **state)
{
	struct env *e = *state;
	const char *method;

	e->paths.resolv_conf = "/proc/sys/resolv.conf";
	assert_true(set(e, "resolv-conf", &method) < 0);
	assert_string_equal(method, "none");
	assert_int_equal(entries(e->state), 0);
}

static void name_servers_are_read_as_libc_does(void **state)
{
	struct env *e = *state;
	struct pu_prefix out[8];

	write_file(e->resolv_conf, "nameserver\t192.0.2.9 \n#nameserver 192.0.2.8\n nameserver "
				   "192.0.2.7\nnameserver fe80::1%eth0\nnameserver bad\n"
				   "nameserver 192.0.2.9\nnameserver ::1\nnameserver 10.64.0.53");
	assert_int_equal(pu_linux_resolv_conf_servers(e->resolv_conf, stub, 2, out, 8), 2);
	assert_int_equal(out[0].addr[3], 9);
	assert_int_equal(out[1].family, AF_INET6);
	write_file(e->resolv_conf, "search lan\n");
	assert_int_equal(pu_linux_resolv_conf_servers(e->resolv_conf, stub, 2, out, 8), 1);
	assert_int_equal(out[0].addr[0], 127);
	unlink(e->resolv_conf);
	assert_int_equal(pu_linux_resolv_conf_servers(e->resolv_conf, stub, 2, out, 8), 0);
}

/* --- markers --- */

static void a_living_process_keeps_what_it_did(void **state)
{
	struct env *e = *state;
	int up[2], down[2];
	const char *method;
	char c;
	pid_t pid;

	assert_int_equal(pipe(up), 0);
	assert_int_equal(pipe(down), 0);
	pid = fork();
	if (pid == 0) {
		c = set(e, "resolv-conf", &method) == 0 ? 'y' : 'n';
		if (write(up[1], &c, 1) != 1 || read(down[0], &c, 1) != 1)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(read(up[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	pu_linux_resolver_recover(&e->paths, e->state);
	assert_true(stub_is_first(e));
	assert_int_equal(set(e, "resolv-conf", &method), PU_EADDRINUSE);
	assert_true(stub_is_first(e));
	/* Dead is dead, whether or not anybody has waited for it. */
	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	pu_linux_resolver_recover(&e->paths, e->state);
	assert_file(e->resolv_conf, original);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 2; i++) {
		close(up[i]);
		close(down[i]);
	}
}

/* The daemon that may not any more leaves it to the child that still may. */
static void a_child_undoes_for_its_parent(void **state)
{
	struct env *e = *state;
	const char *method;
	int status;
	pid_t pid;

	assert_int_equal(set(e, "resolv-conf", &method), 0);
	pid = fork();
	if (pid == 0) {
		pu_linux_resolver_recover(&e->paths, e->state);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_file(e->resolv_conf, original);
	pu_linux_resolver_stop(&e->rs);
	assert_file(e->resolv_conf, original);
}

static void markers_that_are_not_ours_are_not_obeyed(void **state)
{
	static const char text[] = "peerup-vpn host-dns 1\nmethod resolvconf\nowner 1 1\n"
				   "record lo\nend\n";
	struct env *e = *state;
	char path[160], other[160];

	install_tool(e, "");
	snprintf(path, sizeof path, "%s/host-dns", e->state);
	snprintf(other, sizeof other, "%s/elsewhere", e->dir);
	write_file(other, text);
	assert_int_equal(symlink(other, path), 0);
	pu_linux_resolver_recover(&e->paths, e->state);
	assert_false(exists(e->log));
	unlink(path);
	assert_int_equal(link(other, path), 0);
	pu_linux_resolver_recover(&e->paths, e->state);
	assert_false(exists(e->log));
	unlink(path);
	write_file(path, text);
	chmod(path, 0666);
	pu_linux_resolver_recover(&e->paths, e->state);
	assert_false(exists(e->log));
	if (geteuid() == 0) {
		chmod(path, 0600);
		assert_int_equal(chown(path, 4711, 4711), 0);
		pu_linux_resolver_recover(&e->paths, e->state);
		assert_false(exists(e->log));
		assert_int_equal(chown(path, 0, 0), 0);
	}
	/* The same bytes in a file of ours are. */
	chmod(path, 0600);
	pu_linux_resolver_recover(&e->paths, e->state);
	assert_file(e->log, "-f -d lo\n");
}

static void a_damaged_marker_is_thrown_away(void **state)
{
	static const char *const texts[] = {
		"",
		"peerup-vpn host-dns 1\nmethod resolvconf\nowner 1 1\nrecord lo\n",
		"peerup-vpn host-dns 1\nmethod resolvconf\nowner 1 1\nrecord a/b\nend\n",
		"peerup-vpn host-dns 1\nmethod resolvconf\nowner 1 1\nrecord lo\nend\nmore\n",
		"peerup-vpn host-dns 1\nmethod magic\nowner 1 1\nrecord lo\nend\n",
		"peerup-vpn host-dns 2\nmethod resolvconf\nowner 1 1\nrecord lo\nend\n",
	};
	struct env *e = *state;
	char path[160];

	install_tool(e, "");
	snprintf(path, sizeof path, "%s/host-dns", e->state);
	for (size_t i = 0; i < PU_ARRAY_LEN(texts); i++) {
		write_file(path, texts[i]);
		chmod(path, 0600);
		pu_linux_resolver_recover(&e->paths, e->state);
		assert_false(exists(e->log));
		assert_false(exists(path));
	}
}

/* --- resolvconf --- */

static void resolvconf_is_told_about_the_stub(void **state)
{
	struct env *e = *state;
	const char *method;

	install_tool(e, "");
	assert_int_equal(set(e, "auto", &method), 0);
	assert_string_equal(method, "resolvconf");
	assert_file(e->log, "-a lo -m 0\nnameserver 10.64.0.53\n");
	pu_linux_resolver_stop(&e->rs);
	assert_file(e->log, "-a lo -m 0\nnameserver 10.64.0.53\n-f -d lo\n");
	assert_int_equal(entries(e->state), 0);
	assert_file(e->resolv_conf, original);
}

static void debians_resolvconf_gets_a_name_that_it_sorts_first(void **state)
{
	struct env *e = *state;
	const char *method;
	char log[256];

	install_tool(e, "");
	write_file(e->order, "lo\ntun*\n");
	assert_int_equal(set(e, "resolvconf", &method), 0);
	read_file(e->log, log, sizeof log);
	assert_non_null(strstr(log, "-a tun.lo "));
	pu_linux_resolver_stop(&e->rs);
	read_file(e->log, log, sizeof log);
	assert_non_null(strstr(log, "-d tun.lo\n"));
}

static void resolvconf_is_cleaned_up_after_kill_9(void **state)
{
	struct env *e = *state;
	char log[256];

	install_tool(e, "");
	set_and_die(e, "resolvconf");
	pu_linux_resolver_recover(&e->paths, e->state);
	read_file(e->log, log, sizeof log);
	assert_non_null(strstr(log, "-f -d lo\n"));
	assert_int_equal(entries(e->state), 0);
}

static void a_failing_tool_is_an_error_and_is_undone(void **state)
{
	struct env *e = *state;
	const char *method;
	char log[256];

	install_tool(e, "[ \"$1\" = -f ]");
	assert_int_equal(set(e, "resolvconf", &method), PU_ESYS);
	assert_string_equal(method, "none");
	read_file(e->log, log, sizeof log);
	assert_non_null(strstr(log, "-f -d lo\n"));
	assert_int_equal(entries(e->state), 0);
}

static void what_cannot_be_undone_is_remembered(void **state)
{
	struct env *e = *state;
	const char *method;

	install_tool(e, "");
	assert_int_equal(set(e, "resolvconf", &method), 0);
	install_tool(e, "exit 1");
	pu_linux_resolver_stop(&e->rs);
	assert_int_equal(entries(e->state), 1);
	install_tool(e, "");
	pu_linux_resolver_recover(&e->paths, e->state);
	assert_int_equal(entries(e->state), 0);
}

static void resolvectl_under_the_name_of_resolvconf_is_not_used(void **state)
{
	struct env *e = *state;
	const char *method;
	char real[128];

	snprintf(real, sizeof real, "%s/resolvectl", e->dir);
	install_tool(e, "");
	assert_int_equal(rename(e->tool, real), 0);
	assert_int_equal(symlink(real, e->tool), 0);
	assert_int_equal(set(e, "auto", &method), 0);
	assert_string_equal(method, "resolv-conf");
	assert_false(exists(e->log));
	pu_linux_resolver_stop(&e->rs);
}

/* --- choosing --- */

static void auto_manages_a_plain_resolv_conf_when_nobody_else_does(void **state)
{
	struct env *e = *state;
	const char *method = NULL;

	assert_int_equal(set(e, "auto", &method), 0);
	assert_string_equal(method, "resolv-conf");
	pu_linux_resolver_stop(&e->rs);
	assert_file(e->resolv_conf, original);
	assert_int_equal(entries(e->etc), 1);
	assert_int_equal(entries(e->state), 0);
}

static void auto_never_touches_the_resolv_conf_of_another_program(void **state)
{
	struct env *e = *state;
	const char *method = NULL;
	char real[128];

	snprintf(real, sizeof real, "%s/run-resolv.conf", e->dir);
	assert_int_equal(rename(e->resolv_conf, real), 0);
	assert_int_equal(symlink(real, e->resolv_conf), 0);
	assert_int_equal(set(e, "auto", &method), PU_ENOTSUP);
	assert_string_equal(method, "none");
	assert_file(real, original);
	assert_int_equal(entries(e->etc), 1);
	assert_int_equal(entries(e->state), 0);
	unlink(real);
}

static void modes_that_this_host_has_not_are_errors(void **state)
{
	struct env *e = *state;
	const char *method = NULL;

	assert_int_equal(set(e, "resolved", &method), PU_ENOENT);
	assert_int_equal(set(e, "networkmanager", &method), PU_ENOENT);
	assert_int_equal(set(e, "resolvconf", &method), PU_ENOENT);
	assert_int_equal(set(e, "magic", &method), PU_EINVAL);
	assert_string_equal(method, "none");
	assert_int_equal(set(e, "none", &method), 0);
	assert_int_equal(entries(e->state), 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_managed_file_has_the_stub_first_and_the_others_behind),
		T(stopping_puts_the_file_back),
		T(a_link_is_put_back_as_a_link),
		T(no_file_before_is_no_file_afterwards),
		T(after_kill_9_the_host_resolves_and_the_next_start_cleans_up),
		T(setting_after_a_crash_keeps_the_true_original),
		T(dying_at_any_step_loses_nothing),
		T(a_lost_copy_is_made_good_from_the_managed_file),
		T(what_somebody_else_wrote_meanwhile_stays),
		T(a_mounted_file_is_written_into),
		T(an_unwritable_directory_is_an_error_and_changes_nothing),
		T(name_servers_are_read_as_libc_does),
		T(a_living_process_keeps_what_it_did),
		T(a_child_undoes_for_its_parent),
		T(markers_that_are_not_ours_are_not_obeyed),
		T(a_damaged_marker_is_thrown_away),
		T(resolvconf_is_told_about_the_stub),
		T(debians_resolvconf_gets_a_name_that_it_sorts_first),
		T(resolvconf_is_cleaned_up_after_kill_9),
		T(a_failing_tool_is_an_error_and_is_undone),
		T(what_cannot_be_undone_is_remembered),
		T(resolvectl_under_the_name_of_resolvconf_is_not_used),
		T(auto_manages_a_plain_resolv_conf_when_nobody_else_does),
		T(auto_never_touches_the_resolv_conf_of_another_program),
		T(modes_that_this_host_has_not_are_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
