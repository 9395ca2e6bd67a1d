/* Edits of authorized_keys: every line that an edit is not about stays byte for byte, and the
 * edited one says what it was told. The first byte chooses the edit. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "overlay/member_edit.h"
#include "overlay/member_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[64];

static void make_path(void)
{
	if (path[0])
		return;
	snprintf(path, sizeof path, "/tmp/pu_fuzz_member_%d", (int)getpid());
}

static void remove_files(void)
{
	char lock[96];

	snprintf(lock, sizeof lock, "/tmp/.%s.lock", path + strlen("/tmp/"));
	unlink(lock);
	unlink(path);
}

static bool is_about(struct pu_bytes line, const struct pu_peerid *peer)
{
	struct pu_member_line l;

	return pu_member_line_parse(line, &l) == 0 && pu_peerid_eq(&l.peer, peer);
}

/* Walks both texts; lines about the peer may differ, the others may not. */
static void compare(struct pu_bytes before, struct pu_bytes after, const struct pu_peerid *peer)
{
	struct pu_bytes a, b;
	bool lf_a, lf_b, more_b = true;

	while (pu_member_next_line(&before, &a, &lf_a)) {
		if (is_about(a, peer))
			continue;
		do
			more_b = pu_member_next_line(&after, &b, &lf_b);
		while (more_b && is_about(b, peer));
		if (!more_b || !pu_bytes_eq(a, b))
			abort();
	}
	while (pu_member_next_line(&after, &b, &lf_b))
		if (!is_about(b, peer))
			abort();
}

static void check_set(struct pu_bytes after, const struct pu_peerid *peer)
{
	struct pu_member_line l;
	struct pu_member_attr a;
	struct pu_bytes line;
	bool lf;

	while (pu_member_next_line(&after, &line, &lf)) {
		unsigned n = 0;
		size_t off = 0;

		if (!is_about(line, peer) || pu_member_line_parse(line, &l) < 0)
			continue;
		while (pu_member_line_next(&l, &off, &a)) {
			if (!pu_bytes_eq_str(a.key, "group"))
				continue;
			n++;
			if (!pu_bytes_eq_str(a.value, "new"))
				abort();
		}
		if (n != 1)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[16] = { 1 };
	struct pu_peerid peer;
	struct pu_members *set;
	char *text;
	size_t len;
	int r;

	make_path();
	if (size < 2 || pu_peerid_from_text(&peer, "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyK"
						   "SUKPH5") < 0 ||
	    pu_file_replace(path, pu_bytes(data + 1, size - 1), 0600, NULL) < 0)
		return 0;
	/* One of the peers of the file, when there is any. */
	if (pu_member_parse(pu_bytes(data + 1, size - 1), key, NULL, NULL, &set) == 0) {
		if (pu_member_count(set) > 0)
			peer = pu_member_at(set, data[0] / 3 % pu_member_count(set))->peer;
		pu_member_free(set);
	}
	if (data[0] % 3 == 0)
		r = pu_member_edit_add(path, &peer, PU_ACCESS_NETWORK, "fuzz", NULL);
	else if (data[0] % 3 == 1)
		r = pu_member_edit_remove(path, &peer);
	else
		r = pu_member_edit_set_attr(path, &peer, "group", "new");
	if (pu_file_read(path, PU_MEMBER_FILE_MAX + 1, &text, &len, NULL) < 0)
		abort();
	compare(pu_bytes(data + 1, size - 1), pu_bytes(text, len), &peer);
	if (r < 0 && r != PU_ENOENT && r != PU_EEXIST && r != PU_ELIMIT && r != PU_E2BIG)
		abort();
	if (r == 0 && data[0] % 3 == 2)
		check_set(pu_bytes(text, len), &peer);
	free(text);
	remove_files();
	return 0;
}
