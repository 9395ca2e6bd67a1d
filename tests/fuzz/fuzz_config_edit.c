/* Edits of a config file of any layout. First byte: which edits; the rest: the file.
 * An edit does what it says or leaves the text as it was; adding and removing again is
 * possible whenever adding was. */
#include <stdlib.h>

#include "base/err.h"
#include "daemon/config_edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const places[][4] = {
	{ "names", "home" },
	{ "services", "ssh", "enabled" },
	{ "a" },
	{ "vpn", "x y" },
};

static const char *const lists[][4] = {
	{ "relay", "addresses" },
	{ "peers", "12D3", "addresses" },
	{ "l" },
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void edit_place(struct pu_config_edit *e, const char *const *path, bool quoted)
{
	struct pu_bytes before = pu_config_edit_text(e);
	int r = pu_config_edit_set(e, path, quoted ? "it's \"so\"" : "true", quoted);

	if (r < 0) {
		must(pu_config_edit_text(e).len == before.len);
		return;
	}
	must(pu_config_edit_has(e, path));
	r = pu_config_edit_remove(e, path);
	if (r == 0)
		must(!pu_config_edit_has(e, path));
}

static void edit_list(struct pu_config_edit *e, const char *const *path)
{
	int r = pu_config_edit_list_add(e, path, "/ip4/1");

	if (r < 0)
		return;
	must(pu_config_edit_list_add(e, path, "/ip4/1") == PU_EEXIST);
	r = pu_config_edit_list_remove(e, path, "/ip4/1");
	must(r == 0 || r == PU_ENOTSUP);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pu_config_diags *diags;
	struct pu_config_edit *e;

	if (size == 0)
		return 0;
	diags = calloc(1, sizeof *diags);
	if (diags && pu_config_edit_open_text(pu_bytes(data + 1, size - 1), &e, diags) == 0) {
		edit_place(e, places[data[0] & 3], data[0] & 4);
		edit_list(e, lists[(data[0] >> 3) % 3]);
		edit_place(e, places[(data[0] >> 5) & 3], data[0] & 128);
		pu_config_edit_close(e);
	}
	free(diags);
	return 0;
}
