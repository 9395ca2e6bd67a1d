#include "crypto/keystore.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/vectors.h"

struct fixture {
	char dir[64], path[96];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	strcpy(f->dir, "/tmp/pu-keystore-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->path, sizeof f->path, "%s/identity.key", f->dir);
	*state = f;
	return pu_crypto_init();
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void put_file(const char *path, struct pu_bytes b, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, b.p, b.len), (ssize_t)b.len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int count_files(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void a_new_identity_is_kept(void **state)
{
	struct fixture *f = *state;
	uint8_t seed[32], zero[32] = { 0 };
	struct pu_key made, again;
	struct stat st;

	memset(seed, 7, sizeof seed);
	assert_int_equal(pu_keystore_load_or_create(f->path, seed, &made), 0);
	assert_memory_equal(seed, zero, sizeof seed);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 68);
	assert_int_equal(count_files(f->dir), 1);

	memset(seed, 9, sizeof seed);
	assert_int_equal(pu_keystore_load_or_create(f->path, seed, &again), 0);
	assert_memory_equal(seed, zero, sizeof seed);
	assert_true(pu_peerid_eq(&made.peer, &again.peer));
}

static void a_key_others_can_read_is_refused(void **state)
{
	struct pu_vectors *v = pu_vectors_load("keys.txt");
	struct pu_bytes pb = pu_vectors_hex(v, "ed25519.private");
	struct fixture *f = *state;
	struct pu_key k;

	for (int bit = 0; bit < 6; bit++) {
		put_file(f->path, pb, 0600 | 1u << bit);
		assert_int_equal(pu_keystore_load(f->path, &k), PU_EPERM);
	}
	put_file(f->path, pb, 0400);
	assert_int_equal(pu_keystore_load(f->path, &k), 0);
	pu_vectors_free(v);
}

static void what_is_not_a_key_is_left_alone(void **state)
{
	struct pu_vectors *v = pu_vectors_load("keys.txt");
	struct fixture *f = *state;
	uint8_t seed[32] = { 1 };
	struct pu_key k;
	struct stat st;

	put_file(f->path, pu_bytes_str(""), 0600);
	assert_int_equal(pu_keystore_load_or_create(f->path, seed, &k), PU_EINVAL);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_size, 0);
	put_file(f->path, pu_vectors_hex(v, "rsa.private"), 0600);
	assert_int_equal(pu_keystore_load(f->path, &k), PU_ENOTSUP);
	assert_int_equal(pu_keystore_load(f->dir, &k), PU_EINVAL);
	unlink(f->path);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	assert_int_equal(pu_keystore_load(f->path, &k), PU_EINVAL);
	pu_vectors_free(v);
}

/* Each child makes its own key and says which one it got. */
static void make_in_child(const char *path, uint8_t n, int out)
{
	uint8_t seed[32];
	struct pu_key k;

	if (fork() != 0)
		return;
	memset(seed, n, sizeof seed);
	if (pu_keystore_load_or_create(path, seed, &k) == 0 &&
	    write(out, &k.peer, sizeof k.peer) == sizeof k.peer)
		_exit(0);
	_exit(1);
}

static void programs_that_start_together_agree_on_one_identity(void **state)
{
	struct fixture *f = *state;
	struct pu_peerid first, other;
	int fds[2];

	for (int round = 0; round < 20; round++) {
		assert_int_equal(pipe(fds), 0);
		for (uint8_t n = 1; n <= 4; n++)
			make_in_child(f->path, n, fds[1]);
		close(fds[1]);
		assert_int_equal(read(fds[0], &first, sizeof first), sizeof first);
		for (int n = 1; n < 4; n++) {
			assert_int_equal(read(fds[0], &other, sizeof other), sizeof other);
			assert_true(pu_peerid_eq(&first, &other));
		}
		close(fds[0]);
		while (wait(NULL) > 0)
			;
		assert_int_equal(count_files(f->dir), 1);
		unlink(f->path);
	}
}

static void a_missing_directory_is_an_error(void **state)
{
	uint8_t seed[32] = { 1 };
	struct pu_key k;

	assert_int_equal(pu_keystore_load("/nonexistent/identity.key", &k), PU_ENOENT);
	assert_int_equal(pu_keystore_load_or_create("/nonexistent/identity.key", seed, &k),
			 PU_ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_new_identity_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(a_key_others_can_read_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_a_key_is_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(programs_that_start_together_agree_on_one_identity,
						setup, teardown),
		cmocka_unit_test(a_missing_directory_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
