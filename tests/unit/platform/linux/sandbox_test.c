#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop_uv.h"
#include "platform/linux/file.h"
#include "platform/platform.h"
#include "support/netns.h"

/* What a process has given up it has given up for good, so each test has its own. The
 * child returns a line number where something was wrong. */
#define CHECK(cond)                                                    \
	do {                                                           \
		if (!(cond))                                           \
			return __LINE__;                               \
	} while (0)

enum { UID = 54321, GID = 54322 };

static void in_child(int (*fn)(void))
{
	int fds[2], line = -1, status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		pu_log_set_level(PU_LOG_OFF);
		line = fn();
		if (write(fds[1], &line, sizeof line) < 0)
			_exit(2);
		_exit(0);
	}
	close(fds[1]);
	assert_true(read(fds[0], &line, sizeof line) == sizeof line || line == -1);
	close(fds[0]);
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || line != 0)
		fail_msg("line %d, status %#x", line, (unsigned)status);
}

static unsigned long long status_field(const char *name)
{
	unsigned long long v = ~0ull;
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, name, strlen(name)) == 0)
			sscanf(line + strlen(name), ":\t%llx", &v);
	if (f)
		fclose(f);
	return v;
}

static const unsigned long long kept = 1ull << 12 | 1ull << 10; /* NET_ADMIN, NET_BIND_SERVICE */

/* --- dropping --- */

static int drop_as_root(void)
{
	CHECK(pu_platform_drop(0, 0) == 0);
	CHECK(getuid() == 0);
	CHECK(status_field("CapEff") == kept);
	CHECK(status_field("CapPrm") == kept);
	CHECK((status_field("CapBnd") & ~kept) == 0);
	CHECK(status_field("NoNewPrivs") == 1);
	return 0;
}

static void root_keeps_two_capabilities(void **state)
{
	in_child(drop_as_root);
}

static int drop_to_user(void)
{
	char dir[] = "/tmp/peerup-drop-XXXXXX", path[64];
	struct stat st;
	int fd;

	CHECK(mkdtemp(dir) && chown(dir, UID, GID) == 0);
	CHECK(pu_platform_drop(UID, GID) == 0);
	CHECK(getuid() == UID && geteuid() == UID && getgid() == GID && getegid() == GID);
	CHECK(getgroups(0, NULL) == 0 || getgroups(0, NULL) == 1);
	CHECK(status_field("CapEff") == kept);
	CHECK(setuid(0) < 0);
	CHECK(open("/etc/shadow", O_RDONLY) < 0);
	/* New files are the user's. */
	snprintf(path, sizeof path, "%s/f", dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == UID && st.st_gid == GID);
	close(fd);
	unlink(path);
	rmdir(dir);
	return 0;
}

static void with_sudo_files_belong_to_the_user(void **state)
{
	in_child(drop_to_user);
}

static int drop_to_known_user(void)
{
	enum { NOBODY = 65534 };

	CHECK(pu_platform_drop(NOBODY, NOBODY) == 0);
	CHECK(getuid() == NOBODY && getgid() == NOBODY);
	CHECK(status_field("CapEff") == kept);
	return 0;
}

static void a_user_that_the_system_knows_has_his_groups(void **state)
{
	in_child(drop_to_known_user);
}

static int use_what_is_kept(void)
{
	struct pu_prefix more = { AF_INET, 16, { 10, 70 } };
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(53) };
	struct pu_platform_events ev = { 0 };
	struct pu_platform *p;
	struct pu_loop_uv *uv;
	int tun, fd;

	if (!netns_enter() || (tun = netns_tun("pu0")) < 0)
		return 0;
	CHECK(pu_platform_no_rings() == 0);
	CHECK(pu_loop_uv_new(&uv) == 0);
	CHECK(pu_platform_new(pu_loop_uv_loop(uv), &ev, NULL, &p) == 0);
	CHECK(pu_platform_link_up(p, "pu0", 1400, 0) == 0);
	pu_platform_seal(p);
	CHECK(pu_platform_drop(UID, GID) == 0);
	CHECK(pu_platform_seccomp() == 0);
	CHECK(pu_platform_set_mtu(p, "pu0", 1300) == 0);
	CHECK(pu_platform_route_add(p, "pu0", &more) == 0);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(bind(fd, (struct sockaddr *)&sin, sizeof sin) == 0);
	close(fd);
	pu_platform_free(p);
	pu_loop_uv_free(uv);
	close(tun);
	return 0;
}

static void the_device_and_port_53_stay_in_reach(void **state)
{
	in_child(use_what_is_kept);
}

static void *sleep_on(void *arg)
{
	pause();
	return NULL;
}

static int drop_with_threads(void)
{
	pthread_t t;

	CHECK(pthread_create(&t, NULL, sleep_on, NULL) == 0);
	CHECK(pu_platform_drop(0, 0) == PU_EINVAL);
	return 0;
}

static void a_thread_that_would_keep_everything_is_an_error(void **state)
{
	in_child(drop_with_threads);
}

/* --- system calls --- */

static int forbidden(void)
{
	char *const argv[] = { (char *)"true", NULL };

	CHECK(pu_platform_drop(0, 0) == 0);
	CHECK(pu_platform_seccomp() == 0);
	errno = 0;
	CHECK(execv("/bin/true", argv) < 0 && errno == EPERM);
	CHECK(fork() < 0);
	CHECK(socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == EPERM);
	CHECK(ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 && errno == EPERM);
	CHECK(mount("none", "/mnt", "tmpfs", 0, NULL) < 0 && errno == EPERM);
	CHECK(prctl(PR_SET_DUMPABLE, 1) < 0 && errno == EPERM);
	CHECK(syscall(SYS_bpf, 0, NULL, 0) < 0 && errno == EPERM);
	CHECK(ioctl(0, 0x5412 /* TIOCSTI */, "x") < 0 && errno == EPERM);
	/* What libc tries and does without must look missing, not forbidden. */
	CHECK(syscall(435 /* clone3 */, NULL, 0) < 0 && errno == ENOSYS);
	CHECK(syscall(500, 0) < 0 && errno == ENOSYS);
	return 0;
}

static void what_a_daemon_never_needs_is_refused(void **state)
{
	in_child(forbidden);
}

static void on_work(uv_work_t *w)
{
	*(int *)w->data += 1;
}

static int thread_pool_and_resolver(void)
{
	struct pu_loop_uv *uv;
	uv_work_t work[8];
	uv_getaddrinfo_t gai;
	uv_loop_t *loop;
	int n = 0;

	CHECK(pu_platform_no_rings() == 0);
	CHECK(pu_loop_uv_new(&uv) == 0);
	loop = pu_loop_uv_of(pu_loop_uv_loop(uv));
	CHECK(pu_platform_drop(UID, GID) == 0);
	CHECK(pu_platform_seccomp() == 0);
	for (int i = 0; i < 8; i++) {
		work[i].data = &n;
		CHECK(uv_queue_work(loop, &work[i], on_work, NULL) == 0);
	}
	/* Synchronously, here and with NSS modules loaded now. */
	CHECK(uv_getaddrinfo(loop, &gai, NULL, "localhost", "80", NULL) == 0);
	CHECK(gai.addrinfo);
	uv_freeaddrinfo(gai.addrinfo);
	for (int i = 0; i < 200 && n < 8; i++) {
		uv_run(loop, UV_RUN_NOWAIT);
		usleep(5000);
	}
	CHECK(n == 8);
	return 0;
}

static void libuv_and_the_resolver_work(void **state)
{
	in_child(thread_pool_and_resolver);
}

static int ring(void)
{
	/* Room for the kernel's parameters. */
	char params[256] = { 0 };
	int fds[2];

	CHECK(pu_platform_no_rings() == 0);
	CHECK(syscall(425 /* io_uring_setup */, 8, params) == -1 && errno == ENOSYS);
	CHECK(pipe(fds) == 0 && ioctl(fds[0], FIONREAD, params) == 0);
	CHECK(pu_platform_drop(0, 0) == 0);
	CHECK(pu_platform_seccomp() == 0);
	return 0;
}

static void nobody_gets_a_ring(void **state)
{
	in_child(ring);
}

static int crypto(void)
{
	gnutls_x509_privkey_t key;
	gnutls_certificate_credentials_t cred;
	gnutls_session_t s;
	unsigned char r[32];

	CHECK(pu_platform_drop(0, 0) == 0);
	CHECK(pu_platform_seccomp() == 0);
	CHECK(gnutls_global_init() == 0);
	CHECK(gnutls_rnd(GNUTLS_RND_KEY, r, sizeof r) == 0);
	CHECK(gnutls_x509_privkey_init(&key) == 0);
	CHECK(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
					   GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) == 0);
	CHECK(gnutls_certificate_allocate_credentials(&cred) == 0);
	CHECK(gnutls_init(&s, GNUTLS_CLIENT) == 0);
	CHECK(gnutls_set_default_priority(s) == 0);
	gnutls_deinit(s);
	gnutls_certificate_free_credentials(cred);
	gnutls_x509_privkey_deinit(key);
	return 0;
}

static void gnutls_works(void **state)
{
	in_child(crypto);
}

static int files_and_sockets(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char dir[] = "/tmp/peerup-box-XXXXXX", path[64], back[16];
	int types[] = { SOCK_DGRAM, SOCK_STREAM };

	CHECK(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/f", dir);
	CHECK(pu_platform_drop(0, 0) == 0);
	CHECK(pu_platform_seccomp() == 0);
	CHECK(pu_linux_file_replace(path, "text", 0600) == 0);
	CHECK(pu_linux_file_read(path, back, sizeof back) == 0 && strcmp(back, "text") == 0);
	CHECK(unlink(path) == 0 && rmdir(dir) == 0);
	for (int i = 0; i < 2; i++) {
		int fd = socket(AF_INET, types[i] | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&sin, sizeof sin) == 0);
		CHECK(types[i] == SOCK_DGRAM || listen(fd, 4) == 0);
		close(fd);
	}
	CHECK(abs(pu_err_from_errno(ENOENT)) > 0);
	return 0;
}

static void files_and_sockets_work(void **state)
{
	in_child(files_and_sockets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_keeps_two_capabilities),
		cmocka_unit_test(with_sudo_files_belong_to_the_user),
		cmocka_unit_test(a_user_that_the_system_knows_has_his_groups),
		cmocka_unit_test(the_device_and_port_53_stay_in_reach),
		cmocka_unit_test(a_thread_that_would_keep_everything_is_an_error),
		cmocka_unit_test(what_a_daemon_never_needs_is_refused),
		cmocka_unit_test(libuv_and_the_resolver_work),
		cmocka_unit_test(nobody_gets_a_ring),
		cmocka_unit_test(gnutls_works),
		cmocka_unit_test(files_and_sockets_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
