/* A stream of file messages. What is accepted is within the limits and reads the same again; its
 * entries make a manifest whose names stay below their folder. */
#include <stdlib.h>

#include "base/err.h"
#include "overlay/files/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void rewrite(const struct pu_files_message *m)
{
	struct pu_files_message again;
	struct pu_buf b;
	size_t used;

	pu_buf_init(&b, PU_FILES_MESSAGE_MAX + 16);
	must(pu_files_message_write(m, &b) == 0);
	must(pu_files_message_read(pu_buf_bytes(&b), &again, &used) == 0 && used == b.len);
	must(again.type == m->type && again.index == m->index && again.count == m->count &&
	     again.size == m->size && again.status == m->status &&
	     again.entry.size == m->entry.size && again.entry.kind == m->entry.kind &&
	     again.entry.mtime == m->entry.mtime);
	must(pu_bytes_eq(again.path, m->path) && pu_bytes_eq(again.data, m->data));
	pu_buf_deinit(&b);
}

static void look_at_names(const struct pu_files_manifest *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct pu_bytes rest = pu_bytes_str(list->v[i].path), name;
		unsigned depth = 0;

		while (pu_files_path_next(&rest, &name)) {
			must(pu_files_name_ok(name));
			must(!memchr(name.p, '/', name.len) && !memchr(name.p, 0, name.len));
			depth++;
		}
		must(depth >= 1 && depth <= PU_FILES_DEPTH_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pu_bytes in = { data, size };
	struct pu_files_manifest list;
	struct pu_files_message m;
	size_t used;

	pu_files_manifest_init(&list);
	while (pu_files_message_read(in, &m, &used) == 0) {
		must(used > 0 && used <= in.len);
		must(m.size <= PU_FILES_SIZE_MAX && m.index < PU_FILES_ENTRIES_MAX);
		rewrite(&m);
		if (m.type == PU_FILES_ENTRY)
			pu_files_manifest_add(&list, &m.entry, m.path);
		in = pu_bytes(in.p + used, in.len - used);
	}
	look_at_names(&list);
	must(list.bytes <= PU_FILES_SIZE_MAX);
	pu_files_manifest_check(&list);
	pu_files_manifest_deinit(&list);
	return 0;
}
