#include "cli/relay_snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "daemon/config_sibling.h"
#include "daemon/paths.h"

enum { FILE_MAX = 4 * 1024 * 1024, SAME_SECOND_MAX = 99 };

static const char *const beside[] = { NULL /* the config */, "relay_node.key",
				      "relay_authorized_keys" };

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* dir of config, then /format. */
static int place(const char *config, const char *sub, const char *name, char out[PU_PATHS_LEN])
{
	int n = snprintf(out, PU_PATHS_LEN, "%.*s%s%s%s", (int)(base_name(config) - config),
			 config, sub, *sub ? "/" : "", name);

	return n < 0 || n >= PU_PATHS_LEN ? PU_ELIMIT : 0;
}

static const char *file_name(const char *config, size_t i)
{
	return beside[i] ? beside[i] : base_name(config);
}

static int copy(const char *from, const char *to, const struct pu_file_owner *owner)
{
	char *text;
	size_t len;
	int r = pu_file_read(from, FILE_MAX, &text, &len, NULL);

	if (r < 0)
		return r;
	r = pu_file_replace(to, pu_bytes(text, len), 0600, owner);
	explicit_bzero(text, len);
	free(text);
	return r;
}

/* Those that are there; PU_ENOENT: none. from or to is a folder below that of config. */
static int copy_all(const char *config, const char *from, const char *to,
		    const struct pu_file_owner *owner)
{
	char a[PU_PATHS_LEN], b[PU_PATHS_LEN];
	size_t n = 0;

	for (size_t i = 0; i < PU_ARRAY_LEN(beside); i++) {
		int r = place(config, from, file_name(config, i), a);

		if (r == 0)
			r = place(config, to, file_name(config, i), b);
		if (r == 0)
			r = copy(a, b, owner);
		if (r < 0 && r != PU_ENOENT)
			return r;
		n += r == 0;
	}
	return n > 0 ? 0 : PU_ENOENT;
}

static void remove_folder(const char *config, const char *sub)
{
	char path[PU_PATHS_LEN];

	for (size_t i = 0; i < PU_ARRAY_LEN(beside); i++)
		if (place(config, sub, file_name(config, i), path) == 0)
			unlink(path);
	if (place(config, sub, "", path) == 0)
		rmdir(path);
}

/* YYYY-MM-DD_HHMMSS, with _NN from the second of a second on. */
static bool is_name(const char *s)
{
	static const char shape[] = "dddd-dd-dd_dddddd_dd";
	size_t n = strlen(s);

	if (n != 17 && n != sizeof shape - 1)
		return false;
	for (size_t i = 0; i < n; i++)
		if (shape[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != shape[i])
			return false;
	return true;
}

/* rename() refuses a folder that is not empty: each name is taken once. */
static int publish(const char *config, const char *unfinished, const char *stamp, char *name)
{
	char from[PU_PATHS_LEN], to[PU_PATHS_LEN], sub[PU_RELAY_SNAPSHOT_NAME_MAX + 8];
	int r = place(config, unfinished, "", from);

	for (int n = 0; r == 0 && n <= SAME_SECOND_MAX; n++) {
		snprintf(name, PU_RELAY_SNAPSHOT_NAME_MAX, n ? "%s_%02d" : "%s", stamp, n);
		snprintf(sub, sizeof sub, "backups/%s", name);
		r = place(config, sub, "", to);
		if (r < 0 || rename(from, to) == 0)
			return r;
		if (errno != EEXIST && errno != ENOTEMPTY)
			return pu_err_from_errno(errno);
	}
	return r < 0 ? r : PU_EEXIST;
}

int pu_relay_snapshot_take(const char *config, const struct pu_file_owner *owner, int64_t now,
			   char name[PU_RELAY_SNAPSHOT_NAME_MAX])
{
	static const char unfinished[] = "backups/.unfinished";
	char dir[PU_PATHS_LEN], stamp[20], own[PU_RELAY_SNAPSHOT_NAME_MAX];
	time_t t = (time_t)now;
	struct tm tm;
	int r = place(config, unfinished, "", dir);

	if (r < 0)
		return r;
	dir[strlen(dir) - 1] = '\0'; /* the slash */
	gmtime_r(&t, &tm);
	strftime(stamp, sizeof stamp, "%Y-%m-%d_%H%M%S", &tm);
	remove_folder(config, unfinished);
	r = pu_file_make_dirs(dir, 0700, owner);
	if (r == 0)
		r = copy_all(config, "", unfinished, owner);
	if (r == 0)
		r = publish(config, unfinished, stamp, name ? name : own);
	if (r < 0)
		remove_folder(config, unfinished);
	return r;
}

static int newest_first(const void *a, const void *b)
{
	return strcmp(b, a);
}

size_t pu_relay_snapshot_list(const char *config,
			      char (*names)[PU_RELAY_SNAPSHOT_NAME_MAX], size_t cap)
{
	char dir[PU_PATHS_LEN];
	struct dirent *e;
	size_t n = 0;
	DIR *d;

	if (place(config, "backups", "", dir) < 0)
		return 0;
	d = opendir(dir);
	while (d && n < cap && (e = readdir(d)))
		if (is_name(e->d_name))
			memcpy(names[n++], e->d_name, strlen(e->d_name) + 1);
	if (d)
		closedir(d);
	if (n > 0)
		qsort(names, n, sizeof names[0], newest_first);
	return n;
}

int pu_relay_snapshot_restore(const char *config, const char *name,
			      const struct pu_file_owner *owner, int64_t now)
{
	char sub[PU_RELAY_SNAPSHOT_NAME_MAX + 8], dir[PU_PATHS_LEN];
	int r;

	if (!is_name(name))
		return PU_EINVAL;
	snprintf(sub, sizeof sub, "backups/%s", name);
	r = place(config, sub, "", dir);
	if (r == 0 && access(dir, F_OK) < 0)
		r = PU_ENOENT;
	if (r < 0)
		return r;
	r = pu_relay_snapshot_take(config, owner, now, NULL);
	if (r < 0 && r != PU_ENOENT)
		return r;
	return copy_all(config, sub, "", owner);
}

int pu_relay_snapshot_clear(const char *config)
{
	char path[PU_PATHS_LEN];

	for (size_t i = 0; i < PU_ARRAY_LEN(beside); i++) {
		int r = place(config, "", file_name(config, i), path);

		if (r == 0)
			r = pu_config_sibling_remove(path);
		if (r < 0 && r != PU_ENOENT)
			return r;
	}
	return 0;
}
