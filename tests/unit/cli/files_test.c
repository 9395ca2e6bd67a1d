/* Both ends of a transfer over a socket pair, and real folders: whole, cut, resumed, with ends
 * that lie, folders that change, and disks that are full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/files_receive.h"
#include "cli/files_send.h"

static struct {
	char dir[64]; /* with from/ and to/ */
	struct pu_files_source src;
	struct pu_files_result sent, got;
	int send_err, recv_err;
	bool overwrite;
	uint64_t max_bytes;
	enum pu_files_status decision;
	/* what happens meanwhile */
	uint64_t cut_after; /* bytes; 0: never */
	uint64_t moved;
	int cut_fd;
	void (*on_begin)(void);
	void (*on_sent_bytes)(void);
	unsigned n_skipped;
	char as[PU_FILES_NAME_MAX + 1];
	enum pu_files_status last;
} t;

/* --- files ---------------------------------------------------------------------------- */

static const char *at(const char *path)
{
	static char out[4][512];
	static unsigned n;
	char *o = out[n++ % 4];

	snprintf(o, 512, "%s/%s", t.dir, path);
	return o;
}

static void put(const char *path, const void *p, size_t len)
{
	FILE *f = fopen(at(path), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void put_text(const char *path, const char *text)
{
	put(path, text, strlen(text));
}

static void put_random(const char *path, size_t len)
{
	uint8_t *p = malloc(len);
	uint32_t x = 12345;

	assert_non_null(p);
	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (uint8_t)(x >> 24);
	}
	put(path, p, len);
	free(p);
}

static size_t get(const char *path, char **pp)
{
	FILE *f = fopen(at(path), "r");
	struct stat st;
	size_t n;

	if (!f)
		fail_msg("%s is not there", path);
	assert_int_equal(fstat(fileno(f), &st), 0);
	*pp = calloc(1, (size_t)st.st_size + 1);
	n = fread(*pp, 1, (size_t)st.st_size, f);
	fclose(f);
	return n;
}

static void assert_text(const char *path, const char *text)
{
	char *p;

	get(path, &p);
	assert_string_equal(p, text);
	free(p);
}

static void assert_same(const char *a, const char *b)
{
	char *p, *q;
	size_t n = get(a, &p), m = get(b, &q);

	assert_int_equal(n, m);
	assert_memory_equal(p, q, n);
	free(p);
	free(q);
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(at(path), &st) == 0;
}

/* Number of names in a folder that begin so. */
static unsigned count(const char *folder, const char *prefix)
{
	char cmd[700], text[32] = "";
	FILE *f;

	snprintf(cmd, sizeof cmd, "find %s -mindepth 1 -name '%s*' | wc -l", at(folder), prefix);
	f = popen(cmd, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof text, f));
	pclose(f);
	return (unsigned)strtoul(text, NULL, 10);
}

/* --- the two ends --------------------------------------------------------------------- */

static void ignore_begin(void *arg, const struct pu_files_manifest *m)
{
}

static void ignore_file(void *arg, const struct pu_files_entry *e, uint64_t offset)
{
}

static void sent_bytes(void *arg, uint64_t n)
{
	if (t.on_sent_bytes)
		t.on_sent_bytes();
}

static void ignore_done(void *arg, const struct pu_files_entry *e, enum pu_files_status status,
			const char *as, bool same)
{
}

static const struct pu_files_events sender_events = {
	.on_begin = ignore_begin, .on_file = ignore_file, .on_bytes = sent_bytes,
	.on_file_done = ignore_done,
};

static void begin(void *arg, const struct pu_files_manifest *m)
{
	if (t.on_begin)
		t.on_begin();
}

static void bytes(void *arg, uint64_t n)
{
	t.moved += n;
	if (t.cut_after && t.moved >= t.cut_after)
		shutdown(t.cut_fd, SHUT_RDWR);
}

static void done(void *arg, const struct pu_files_entry *e, enum pu_files_status status,
		 const char *as, bool same)
{
	t.last = status;
	snprintf(t.as, sizeof t.as, "%s", as ? as : "");
}

static const struct pu_files_events receiver_events = {
	.on_begin = begin, .on_file = ignore_file, .on_bytes = bytes, .on_file_done = done,
};

static enum pu_files_status decide(void *arg, const struct pu_files_manifest *m)
{
	return t.decision;
}

static int receive(int fd)
{
	struct pu_files_store store;
	struct pu_files_conn c;
	const struct pu_files_receive_options opt = { .store = &store, .max_bytes = t.max_bytes,
						      .on_offer = decide,
						      .ev = &receiver_events };
	int r;

	t.moved = 0;
	t.cut_fd = fd;
	assert_int_equal(pu_files_store_open(&store, at("to"), "sender", t.overwrite), 0);
	pu_files_conn_init(&c, fd, -1);
	r = pu_files_receive(&c, &opt, &t.got);
	pu_files_conn_deinit(&c);
	pu_files_store_close(&store);
	return r;
}

struct sender {
	int fd, stop_fd;
};

static void *send_thread(void *arg)
{
	struct sender *s = arg;
	struct pu_files_conn c;

	pu_files_conn_init(&c, s->fd, s->stop_fd);
	t.send_err = pu_files_send(&c, &t.src, &sender_events, NULL, &t.sent);
	pu_files_conn_deinit(&c);
	close(s->fd);
	return NULL;
}

static void note_skip(void *arg, const char *path, const char *why)
{
	t.n_skipped++;
}

static void offer(const char *path)
{
	assert_int_equal(pu_files_source_add(&t.src, at(path), note_skip, NULL), 0);
}

/* One transfer of what was offered. */
static void transfer_until(int stop_fd)
{
	struct sender s = { .stop_fd = stop_fd };
	int pair[2];
	pthread_t thread;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	s.fd = pair[0];
	assert_int_equal(pthread_create(&thread, NULL, send_thread, &s), 0);
	t.recv_err = receive(pair[1]);
	close(pair[1]);
	pthread_join(thread, NULL);
}

static void transfer(void)
{
	transfer_until(-1);
}

static void transfer_well(void)
{
	transfer();
	assert_int_equal(t.recv_err, 0);
	assert_int_equal(t.send_err, 0);
}

static int setup(void **state)
{
	memset(&t, 0, sizeof t);
	snprintf(t.dir, sizeof t.dir, "/tmp/files-test-XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	assert_int_equal(mkdir(at("from"), 0755), 0);
	assert_int_equal(mkdir(at("to"), 0755), 0);
	pu_files_source_init(&t.src);
	t.max_bytes = UINT64_MAX;
	t.recv_err = t.send_err = 1;
	return 0;
}

static int teardown(void **state)
{
	char cmd[128];

	pu_files_source_deinit(&t.src);
	snprintf(cmd, sizeof cmd, "rm -rf %s", t.dir);
	return system(cmd);
}

/* --- what arrives ----------------------------------------------------------------------- */

static void a_tree_arrives_as_it_is(void **state)
{
	const struct timespec times[2] = { { .tv_sec = 1500000000 }, { .tv_sec = 1500000000 } };
	struct stat st;

	mkdir(at("from/tree"), 0755);
	mkdir(at("from/tree/empty"), 0755);
	mkdir(at("from/tree/deep"), 0755);
	put_random("from/tree/deep/big", 1000000);
	put_text("from/tree/run.sh", "#!/bin/sh\n");
	put_text("from/tree/nothing", "");
	chmod(at("from/tree/run.sh"), 0755);
	assert_int_equal(utimensat(AT_FDCWD, at("from/tree/deep/big"), times, 0), 0);
	assert_int_equal(symlink("/etc/passwd", at("from/tree/link")), 0);
	assert_int_equal(mkfifo(at("from/tree/fifo"), 0644), 0);
	put_text("from/tree/bad\nname", "x");
	offer("from/tree");
	assert_int_equal(t.n_skipped, 3);
	transfer_well();
	assert_int_equal(t.got.n_files, 3);
	assert_int_equal(t.sent.n_files, 3);
	assert_int_equal(t.got.bytes, 1000010);
	assert_same("from/tree/deep/big", "to/tree/deep/big");
	assert_text("to/tree/nothing", "");
	assert_true(exists("to/tree/empty"));
	assert_int_equal(count("to", ""), 6);
	assert_int_equal(stat(at("to/tree/run.sh"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0755);
	assert_int_equal(stat(at("to/tree/deep/big"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(st.st_mtime, 1500000000);
}

static void many_files_need_no_answer_each(void **state)
{
	char name[64];

	mkdir(at("from/many"), 0755);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "from/many/%u", i);
		put_text(name, name);
	}
	offer("from/many");
	transfer_well();
	assert_int_equal(t.got.n_files, 1000);
	assert_text("to/many/999", "from/many/999");
	transfer_well();
	assert_int_equal(t.got.n_same, 1000);
	assert_int_equal(t.got.bytes, 0);
}

static void nothing_that_exists_is_replaced(void **state)
{
	put_text("from/note.txt", "new");
	put_text("to/note.txt", "old one");
	offer("from/note.txt");
	transfer_well();
	assert_string_equal(t.as, "note (2).txt");
	assert_text("to/note.txt", "old one");
	assert_text("to/note (2).txt", "new");
	put_text("to/note.txt", "odd"); /* the same size */
	transfer_well();
	assert_text("to/note.txt", "odd");
	assert_text("to/note (3).txt", "new");
}

static void what_is_the_same_is_left_alone(void **state)
{
	put_text("from/note.txt", "same");
	put_text("from/empty", "");
	offer("from/note.txt");
	offer("from/empty");
	transfer_well();
	assert_int_equal(t.got.n_same, 0);
	transfer_well();
	assert_int_equal(t.got.n_files, 2);
	assert_int_equal(t.got.n_same, 2);
	assert_int_equal(t.got.bytes, 0);
	assert_int_equal(count("to", ""), 2);
}

static void overwriting_has_to_be_asked_for(void **state)
{
	put_text("from/note.txt", "new");
	put_text("to/note.txt", "old one");
	put_text("outside", "outside");
	offer("from/note.txt");
	t.overwrite = true;
	transfer_well();
	assert_text("to/note.txt", "new");
	unlink(at("to/note.txt"));
	assert_int_equal(symlink(at("outside"), at("to/note.txt")), 0);
	transfer_well();
	assert_text("to/note.txt", "new");
	assert_text("outside", "outside");
	unlink(at("to/note.txt"));
	mkdir(at("to/note.txt"), 0755);
	transfer_well();
	assert_int_equal(t.last, PU_FILES_IN_THE_WAY);
	assert_int_equal(t.sent.n_failed, 1);
}

static void no_means_no(void **state)
{
	put_text("from/note.txt", "new");
	offer("from/note.txt");
	t.decision = PU_FILES_DECLINED;
	transfer();
	assert_int_equal(t.send_err, PU_EDENIED);
	assert_int_equal(t.sent.status, PU_FILES_DECLINED);
	assert_true(t.sent.by_other);
	t.decision = PU_FILES_OK;
	t.max_bytes = 2;
	transfer();
	assert_int_equal(t.sent.status, PU_FILES_TOO_BIG);
	assert_int_equal(count("to", ""), 0);
}

/* --- cuts --------------------------------------------------------------------------------- */

enum { BIG = 3000000 };

static void a_cut_transfer_goes_on(void **state)
{
	unsigned seed;
	const char *given = getenv("FILES_SEED");
	uint64_t total = 0;
	unsigned cuts = 0;

	assert_int_equal(getrandom(&seed, sizeof seed, 0), sizeof seed);
	seed = given ? (unsigned)strtoul(given, NULL, 10) : seed;
	print_message("FILES_SEED=%u\n", seed);
	put_random("from/big", BIG);
	put_random("from/other", 300000);
	offer("from/big");
	offer("from/other");
	for (; cuts < 100 && t.recv_err != 0; cuts++) {
		t.cut_after = 1 + (uint64_t)rand_r(&seed) % 400000;
		if (cuts % 5 == 4)
			t.cut_after = 0;
		transfer();
		total += t.moved;
		assert_true(t.recv_err == 0 || !exists("to/other"));
	}
	assert_int_equal(t.recv_err, 0);
	assert_same("from/big", "to/big");
	assert_same("from/other", "to/other");
	assert_int_equal(count("to", ""), 2);
	/* Nothing was sent twice but the last byte of each part at most. */
	assert_true(total <= BIG + 300000 + cuts);
	assert_true(cuts >= 2);
}

static void a_part_of_something_else_is_no_beginning(void **state)
{
	char cmd[400];

	put_random("from/big", BIG);
	offer("from/big");
	t.cut_after = 500000;
	transfer();
	assert_int_equal(count("to", ".peerup-"), 1);
	snprintf(cmd, sizeof cmd, "printf x | dd of=$(echo %s/.peerup-*) bs=1 seek=1000 "
		 "conv=notrunc 2>/dev/null", at("to"));
	assert_int_equal(system(cmd), 0);
	t.cut_after = 0;
	transfer_well();
	assert_same("from/big", "to/big");
	assert_int_equal(t.got.bytes, BIG);
	assert_int_equal(count("to", ""), 1);
}

static void a_file_that_changed_starts_anew(void **state)
{
	put_random("from/big", BIG);
	offer("from/big");
	t.cut_after = 500000;
	transfer();
	t.cut_after = 0;
	put_random("from/big", BIG - 1);
	pu_files_source_deinit(&t.src);
	offer("from/big");
	transfer_well();
	assert_int_equal(t.got.bytes, BIG - 1);
	assert_same("from/big", "to/big");
}

static void whoever_stops_says_so(void **state)
{
	int stop[2];

	assert_int_equal(pipe(stop), 0);
	assert_int_equal(write(stop[1], "x", 1), 1);
	put_random("from/big", BIG);
	offer("from/big");
	transfer_until(stop[0]);
	assert_int_equal(t.send_err, PU_ECANCELED);
	assert_int_equal(t.got.status, PU_FILES_STOPPED);
	assert_true(t.got.by_other);
	assert_false(exists("to/big"));
	transfer_well();
	assert_same("from/big", "to/big");
	close(stop[0]);
	close(stop[1]);
}

static void a_receiver_that_was_killed_goes_on(void **state)
{
	struct sender s = { .stop_fd = -1 };
	int pair[2], status;
	pthread_t thread;
	pid_t pid;

	put_random("from/big", BIG);
	offer("from/big");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		receive(pair[1]);
		_exit(0);
	}
	close(pair[1]);
	s.fd = pair[0];
	t.on_sent_bytes = NULL;
	/* The socket holds less than half of it. */
	assert_int_equal(pthread_create(&thread, NULL, send_thread, &s), 0);
	while (count("to", ".peerup-") == 0)
		sched_yield();
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	pthread_join(thread, NULL);
	if (WIFSIGNALED(status))
		assert_false(exists("to/big"));
	transfer_well();
	assert_same("from/big", "to/big");
	assert_int_equal(count("to", ""), 1);
}

/* --- a sender that lies ------------------------------------------------------------------- */

struct script {
	struct pu_buf out;
	uint32_t n;
};

static void say(struct script *s, struct pu_files_message m)
{
	assert_int_equal(pu_files_message_write(&m, &s->out), 0);
}

static void script_begin(struct script *s, uint32_t n, uint64_t size)
{
	pu_buf_init(&s->out, 150000);
	say(s, (struct pu_files_message){ .type = PU_FILES_OFFER, .count = n, .size = size });
}

static void script_entry(struct script *s, const char *path, uint64_t size)
{
	say(s, (struct pu_files_message){
		       .type = PU_FILES_ENTRY, .path = pu_bytes_str(path),
		       .entry = { .kind = PU_FILES_FILE, .size = size, .mtime = 1 } });
}

static void script_file(struct script *s, uint32_t index, const char *content,
			const char *hashed)
{
	struct pu_files_message end = { .type = PU_FILES_END };
	struct pu_blake2b h;

	say(s, (struct pu_files_message){ .type = PU_FILES_START, .index = index });
	say(s, (struct pu_files_message){ .type = PU_FILES_DATA, .data = pu_bytes_str(content) });
	pu_blake2b_init(&h);
	pu_blake2b_add(&h, pu_bytes_str(hashed));
	pu_blake2b_end(&h, end.hash);
	say(s, end);
}

static void script_done(struct script *s)
{
	say(s, (struct pu_files_message){ .type = PU_FILES_DONE });
}

/* Says it all at once; what came back last. */
static struct pu_files_message script_run(struct script *s)
{
	struct pu_bytes b = pu_buf_bytes(&s->out);
	struct pu_files_message m = { 0 };
	struct pu_files_conn c;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(send(pair[0], b.p, b.len, MSG_DONTWAIT), b.len);
	shutdown(pair[0], SHUT_WR);
	t.recv_err = receive(pair[1]);
	close(pair[1]);
	pu_files_conn_init(&c, pair[0], -1);
	while (pu_files_conn_recv(&c, 5, &m) == 0)
		;
	pu_files_conn_deinit(&c);
	close(pair[0]);
	pu_buf_deinit(&s->out);
	return m;
}

static void assert_broken(struct script *s)
{
	struct pu_files_message m = script_run(s);

	assert_int_equal(t.recv_err, PU_EPROTO);
	assert_int_equal(m.type, PU_FILES_FAIL);
	assert_int_equal(m.status, PU_FILES_BROKEN);
}

static void damaged_content_is_not_kept(void **state)
{
	struct script s;

	script_begin(&s, 2, 10);
	script_entry(&s, "a", 5);
	script_entry(&s, "b", 5);
	script_file(&s, 0, "hello", "hallo");
	script_file(&s, 1, "world", "world");
	script_done(&s);
	script_run(&s);
	assert_int_equal(t.recv_err, 0);
	assert_int_equal(t.got.n_failed, 1);
	assert_int_equal(t.got.n_files, 1);
	assert_text("to/b", "world");
	assert_int_equal(count("to", ""), 1);
}

static void content_beyond_the_size_is_cut_off(void **state)
{
	struct script s;

	script_begin(&s, 1, 3);
	script_entry(&s, "a", 3);
	script_file(&s, 0, "hello", "hello");
	assert_broken(&s);
	assert_int_equal(count("to", ""), 0);
}

static void content_that_is_too_short_is_not_kept(void **state)
{
	struct script s;

	script_begin(&s, 1, 9);
	script_entry(&s, "a", 9);
	script_file(&s, 0, "hello", "hello");
	script_done(&s);
	script_run(&s);
	assert_int_equal(t.last, PU_FILES_DAMAGED);
	assert_int_equal(count("to", ""), 0);
}

static void hostile_offers_make_nothing(void **state)
{
	static const char *const bad[][2] = {
		{ "../x", "a" }, { "a", "/tmp/x" }, { "a", "a" }, { "a", "a/b" }, { "x", "a/../../b" },
		{ ".peerup-0123456789abcdef0123456789abcdef.part", "b" }, { "", "b" },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++) {
		struct script s;

		script_begin(&s, 2, 2);
		script_entry(&s, bad[i][0], 1);
		script_entry(&s, bad[i][1], 1);
		assert_broken(&s);
		assert_int_equal(count("to", ""), 0);
	}
}

static void sums_that_lie_are_refused(void **state)
{
	struct script s;

	script_begin(&s, 1, 1);
	script_entry(&s, "a", 1000000);
	assert_broken(&s);
}

static void messages_out_of_order_are_refused(void **state)
{
	static const struct pu_files_message odd[] = {
		{ .type = PU_FILES_DATA, .data = { (const uint8_t *)"x", 1 } },
		{ .type = PU_FILES_END },
		{ .type = PU_FILES_SAME, .index = 0 },  /* there is none */
		{ .type = PU_FILES_START, .index = 1 }, /* passes one over */
		{ .type = PU_FILES_START, .index = 2 },
		{ .type = PU_FILES_START, .index = 0, .size = 1 }, /* nothing is there */
		{ .type = PU_FILES_DONE },
		{ .type = PU_FILES_ACCEPT },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(odd); i++) {
		struct script s;

		script_begin(&s, 2, 2);
		script_entry(&s, "a", 1);
		script_entry(&s, "b", 1);
		say(&s, odd[i]);
		assert_broken(&s);
		assert_int_equal(count("to", ""), 0);
	}
}

/* --- folders that change ------------------------------------------------------------------- */

static void links_are_not_followed(void **state)
{
	put_text("from/note", "content");
	mkdir(at("from/tree"), 0755);
	put_text("from/tree/note", "content");
	mkdir(at("outside"), 0755);
	assert_int_equal(symlink(at("outside"), at("to/tree")), 0);
	assert_int_equal(symlink(at("outside/made"), at("to/note")), 0);
	offer("from/tree");
	offer("from/note");
	transfer();
	assert_int_equal(t.recv_err, 0);
	assert_int_equal(t.got.n_failed, 2); /* the folder and what is in it */
	assert_int_equal(count("outside", ""), 0);
	assert_text("to/note (2)", "content");
}

static void swap_for_link(void)
{
	assert_int_equal(rename(at("to/tree"), at("to/moved")), 0);
	assert_int_equal(symlink(at("outside"), at("to/tree")), 0);
}

static void a_folder_that_becomes_a_link_is_not_followed(void **state)
{
	mkdir(at("from/tree"), 0755);
	put_text("from/tree/note", "content");
	mkdir(at("outside"), 0755);
	offer("from/tree");
	t.on_begin = swap_for_link;
	transfer();
	assert_int_equal(t.recv_err, 0);
	assert_int_equal(t.last, PU_FILES_IN_THE_WAY);
	assert_int_equal(t.sent.n_failed, 1);
	assert_int_equal(count("outside", ""), 0);
}

static void append_once(void)
{
	t.on_sent_bytes = NULL;
	assert_int_equal(truncate(at("from/big"), BIG + 5), 0);
}

static void a_file_that_changes_meanwhile_is_not_kept(void **state)
{
	put_random("from/big", BIG);
	put_text("from/note", "content");
	offer("from/big");
	offer("from/note");
	t.on_sent_bytes = append_once;
	transfer();
	assert_int_equal(t.recv_err, 0);
	assert_int_equal(t.got.n_failed, 1);
	assert_text("to/note", "content");
	assert_int_equal(count("to", ""), 1);
	transfer(); /* now it differs from the start */
	assert_int_equal(t.got.n_failed, 1);
	assert_int_equal(t.got.n_same, 1);
}

static void a_file_that_is_gone_is_told(void **state)
{
	put_text("from/a", "a");
	put_text("from/b", "b");
	offer("from/a");
	offer("from/b");
	unlink(at("from/a"));
	assert_int_equal(symlink("/etc/passwd", at("from/a")), 0);
	transfer();
	assert_int_equal(t.recv_err, 0);
	assert_int_equal(t.sent.n_failed, 1);
	assert_int_equal(t.sent.n_files, 1);
	assert_false(exists("to/a"));
	assert_text("to/b", "b");
}

/* --- disks --------------------------------------------------------------------------------- */

static bool small_disk(const char *options)
{
	if (unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("tmpfs", at("to"), "tmpfs", 0, options) == 0)
		return true;
	print_message("no disk of our own: %s\n", strerror(errno));
	return false;
}

static void fill(void)
{
	int fd = open(at("to/filler"), O_CREAT | O_WRONLY, 0644);
	struct stat st;

	assert_true(fd >= 0);
	/* all but a megabyte */
	assert_int_equal(posix_fallocate(fd, 0, 71 * 1024 * 1024), 0);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
}

static void a_full_disk_is_told_and_the_part_stays(void **state)
{
	if (!small_disk("size=72m"))
		skip();
	put_random("from/big", BIG);
	offer("from/big");
	t.on_begin = fill;
	transfer();
	assert_int_equal(t.recv_err, PU_EDENIED);
	assert_int_equal(t.got.status, PU_FILES_NO_SPACE);
	assert_int_equal(t.send_err, PU_EDENIED);
	assert_int_equal(t.sent.status, PU_FILES_NO_SPACE);
	assert_false(exists("to/big"));
	assert_int_equal(count("to", ".peerup-"), 1);
	unlink(at("to/filler"));
	t.on_begin = NULL;
	transfer_well();
	assert_true(t.got.bytes < BIG);
	assert_same("from/big", "to/big");
	umount(at("to"));
}

static void what_would_not_fit_is_not_begun(void **state)
{
	if (!small_disk("size=65m"))
		skip();
	put_random("from/big", BIG);
	offer("from/big");
	transfer();
	assert_int_equal(t.sent.status, PU_FILES_NO_SPACE);
	assert_int_equal(t.sent.bytes, 0);
	assert_int_equal(count("to", ""), 0);
	umount(at("to"));
}

static void a_read_only_folder_is_told(void **state)
{
	if (!small_disk("ro"))
		skip();
	mkdir(at("from/tree"), 0755);
	put_text("from/note", "content");
	offer("from/tree");
	offer("from/note");
	transfer();
	assert_int_equal(t.send_err, 0);
	assert_int_equal(t.sent.n_failed, 2);
	assert_int_equal(t.last, PU_FILES_NO_ACCESS);
	umount(at("to"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_tree_arrives_as_it_is),
		TEST(many_files_need_no_answer_each),
		TEST(nothing_that_exists_is_replaced),
		TEST(what_is_the_same_is_left_alone),
		TEST(overwriting_has_to_be_asked_for),
		TEST(no_means_no),
		TEST(a_cut_transfer_goes_on),
		TEST(a_part_of_something_else_is_no_beginning),
		TEST(a_file_that_changed_starts_anew),
		TEST(whoever_stops_says_so),
		TEST(a_receiver_that_was_killed_goes_on),
		TEST(damaged_content_is_not_kept),
		TEST(content_beyond_the_size_is_cut_off),
		TEST(content_that_is_too_short_is_not_kept),
		TEST(hostile_offers_make_nothing),
		TEST(sums_that_lie_are_refused),
		TEST(messages_out_of_order_are_refused),
		TEST(links_are_not_followed),
		TEST(a_folder_that_becomes_a_link_is_not_followed),
		TEST(a_file_that_changes_meanwhile_is_not_kept),
		TEST(a_file_that_is_gone_is_told),
		TEST(a_full_disk_is_told_and_the_part_stays),
		TEST(what_would_not_fit_is_not_begun),
		TEST(a_read_only_folder_is_told),
	};

	umask(022);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
