#include "daemon/config_archive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "daemon/config.h"
#include "daemon/config_sibling.h"
#include "daemon/paths.h"

int pu_config_archive_path(const char *config, unsigned n, char *out, size_t cap)
{
	char what[32] = "last-good";

	if (n > 0)
		snprintf(what, sizeof what, "last-good.%u", n);
	return pu_config_sibling(config, what, false, out, cap);
}

/* Only root may give files away, and then only when they are another's. */
static struct pu_file_owner owner_of(const char *config)
{
	struct pu_file_owner owner = { .set = false };
	struct stat st;

	if (stat(config, &st) == 0 && (st.st_uid != geteuid() || st.st_gid != getegid()))
		owner = (struct pu_file_owner){ .set = true, .uid = st.st_uid, .gid = st.st_gid };
	return owner;
}

int pu_config_archive_write(const char *config, const char *path, struct pu_bytes text)
{
	const struct pu_file_owner owner = owner_of(config);

	return pu_file_replace(path, text, 0600, &owner);
}

int pu_config_archive_read(const char *config, unsigned n, char **ptext, size_t *plen,
			   int64_t *psaved)
{
	char path[PU_PATHS_LEN];
	struct stat st;
	int r = pu_config_archive_path(config, n, path, sizeof path);

	if (r == 0)
		r = pu_file_read(path, PU_CONFIG_FILE_MAX, ptext, plen, NULL);
	if (r == 0 && psaved)
		*psaved = stat(path, &st) == 0 ? st.st_mtime : 0;
	return r;
}

/* From the oldest on, so that a crash in between loses the oldest at most. */
static int make_room(const char *config)
{
	char from[PU_PATHS_LEN], to[PU_PATHS_LEN];

	for (unsigned n = PU_CONFIG_ARCHIVE_MAX - 1; n > 0; n--) {
		int r = pu_config_archive_path(config, n - 1, from, sizeof from);

		if (r == 0)
			r = pu_config_archive_path(config, n, to, sizeof to);
		if (r < 0)
			return r;
		/* The newest stays where it is until its successor replaces it. */
		if (n == 1) {
			unlink(to);
			if (link(from, to) < 0 && errno != ENOENT)
				return pu_err_from_errno(errno);
		} else if (rename(from, to) < 0 && errno != ENOENT) {
			return pu_err_from_errno(errno);
		}
	}
	return 0;
}

int pu_config_archive_save(const char *config, struct pu_bytes text)
{
	char path[PU_PATHS_LEN], *newest;
	size_t len;
	int r = pu_config_archive_path(config, 0, path, sizeof path);

	if (r < 0)
		return r;
	if (pu_file_read(path, PU_CONFIG_FILE_MAX, &newest, &len, NULL) == 0) {
		bool same = len == text.len && memcmp(newest, text.p, len) == 0;

		free(newest);
		if (same)
			return 0;
		r = make_room(config);
	}
	return r < 0 ? r : pu_config_archive_write(config, path, text);
}

int pu_config_archive_reject(const char *config)
{
	char path[PU_PATHS_LEN], *text;
	size_t len;
	int r = pu_config_sibling(config, "rejected", false, path, sizeof path);

	if (r == 0)
		r = pu_file_read(config, PU_CONFIG_FILE_MAX, &text, &len, NULL);
	if (r < 0)
		return r == PU_ENOENT ? 0 : r;
	r = pu_config_archive_write(config, path, pu_bytes(text, len));
	free(text);
	return r;
}

int pu_config_archive_restore(const char *config, unsigned n)
{
	char *text;
	size_t len;
	int r = pu_config_archive_read(config, n, &text, &len, NULL);

	if (r < 0)
		return r;
	r = pu_config_archive_reject(config);
	/* Too large or no file at all: nothing that anybody would miss. */
	if (r == 0 || r == PU_E2BIG || r == PU_EINVAL)
		r = pu_config_archive_write(config, config, pu_bytes(text, len));
	free(text);
	return r;
}
