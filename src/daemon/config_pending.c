#include "daemon/config_pending.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop_uv.h"
#include "base/rfc3339.h"
#include "daemon/config.h"
#include "daemon/config_archive.h"
#include "daemon/config_sibling.h"
#include "daemon/paths.h"

enum { MARKER_MAX = 4096, SECOND = 1000000000 };

struct places {
	char marker[PU_PATHS_LEN], backup[PU_PATHS_LEN];
};

static int find_places(const char *config, struct places *p)
{
	int r = pu_config_sibling(config, "pending", true, p->marker, sizeof p->marker);

	return r < 0 ? r : pu_config_sibling(config, "pre-confirmed", false, p->backup,
					     sizeof p->backup);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* --- the marker --------------------------------------------------------------------- */

/* Up to nine digits behind the dot; what pu_rfc3339_parse() drops. */
static int64_t fraction_ns(const char *s)
{
	int64_t v = 0, unit = SECOND;

	s = strchr(s, '.');
	for (s = s ? s + 1 : ""; *s >= '0' && *s <= '9' && unit > 1; s++) {
		unit /= 10;
		v += (*s - '0') * unit;
	}
	return v;
}

/* As the Go program writes it: no zeros at the end of the fraction. */
static void deadline_text(int64_t ns, char *out, size_t cap)
{
	char s[PU_RFC3339_MAX], fraction[16];
	size_t n;

	pu_rfc3339_text(ns / SECOND, s);
	s[strcspn(s, "Z")] = '\0';
	snprintf(fraction, sizeof fraction, ".%09u", (unsigned)(ns % SECOND));
	for (n = strlen(fraction); n > 0 && (fraction[n - 1] == '0' || fraction[n - 1] == '.'); n--)
		fraction[n - 1] = '\0';
	snprintf(out, cap, "%s%sZ", s, fraction);
}

static bool parse_marker(const char *text, size_t len, struct pu_config_pending *out)
{
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const char *deadline = json_string_value(json_object_get(root, "deadline"));
	int64_t s;
	bool ok = deadline && pu_rfc3339_parse(deadline, &s) == 0 &&
		  s < INT64_MAX / SECOND - 1 && s > 0;

	if (ok)
		out->deadline = s * SECOND + fraction_ns(deadline);
	json_decref(root);
	return ok;
}

static int read_marker(const char *marker, struct pu_config_pending *out)
{
	struct pu_config_pending p = { .deadline = 0 };
	struct stat st;
	char *text;
	size_t len;
	int r = pu_file_read(marker, MARKER_MAX, &text, &len, NULL);

	if (r == PU_E2BIG || r == PU_EINVAL) {
		p.broken = true;
		*out = p;
		return 0;
	}
	if (r < 0)
		return r;
	p.broken = !parse_marker(text, len, &p);
	if (stat(marker, &st) == 0)
		p.made = (int64_t)st.st_mtim.tv_sec * SECOND + st.st_mtim.tv_nsec;
	free(text);
	*out = p;
	return 0;
}

int pu_config_pending_read(const char *config, struct pu_config_pending *out)
{
	struct places at;
	int r = find_places(config, &at);

	return r < 0 ? r : read_marker(at.marker, out);
}

pu_time pu_config_pending_left(const struct pu_config_pending *p, int64_t now)
{
	const int64_t max = (int64_t)PU_SEC(PU_CONFIG_PENDING_MAX_S);
	int64_t left = p->deadline - now;

	if (p->broken || left <= 0)
		return 0;
	if (p->made > 0 && p->deadline > p->made)
		left = pu_min(left, p->deadline - p->made);
	return (pu_time)pu_min(left, max);
}

/* --- steps -------------------------------------------------------------------------- */

/* One command or daemon at a time; -1 when the directory cannot be locked, and then one
 * goes on without. */
static int lock_beside(const char *config)
{
	char dir[PU_PATHS_LEN];
	int fd;

	snprintf(dir, sizeof dir, "%s", config);
	if (base_name(dir) == dir)
		snprintf(dir, sizeof dir, ".");
	else
		dir[base_name(dir) - dir] = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		(void)flock(fd, LOCK_EX);
	return fd;
}

static void unlock(int fd)
{
	if (fd >= 0)
		close(fd);
}

static int write_backup(const char *config, const struct places *at)
{
	char *text;
	size_t len;
	int r = pu_file_read(config, PU_CONFIG_FILE_MAX, &text, &len, NULL);

	if (r < 0)
		return r;
	r = pu_config_archive_write(config, at->backup, pu_bytes(text, len));
	free(text);
	return r;
}

static int write_marker(const char *config, const struct places *at, int64_t deadline)
{
	char when[PU_RFC3339_MAX + 16], *text;
	json_t *root;
	int r;

	deadline_text(deadline, when, sizeof when);
	root = json_pack("{s:s, s:s}", "deadline", when, "backup", base_name(at->backup));
	text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	json_decref(root);
	if (!text)
		return PU_ENOMEM;
	r = pu_config_archive_write(config, at->marker, pu_bytes_str(text));
	free(text);
	return r;
}

int pu_config_pending_begin(const char *config, struct pu_bytes text, int64_t deadline)
{
	struct pu_config_pending before;
	struct places at;
	int lock, r = find_places(config, &at);

	if (r < 0)
		return r;
	lock = lock_beside(config);
	r = read_marker(at.marker, &before);
	if (r != PU_ENOENT) {
		unlock(lock);
		return r == 0 ? PU_EEXIST : r;
	}
	r = write_backup(config, &at);
	if (r < 0)
		goto out;
	r = write_marker(config, &at, deadline);
	if (r == 0)
		r = pu_config_archive_write(config, config, text);
	if (r < 0) {
		unlink(at.marker);
		unlink(at.backup);
	}
out:
	unlock(lock);
	return r;
}

int pu_config_pending_confirm(const char *config)
{
	struct places at;
	int lock, r = find_places(config, &at);

	if (r < 0)
		return r;
	lock = lock_beside(config);
	r = pu_config_sibling_remove(at.marker);
	if (r == 0)
		(void)pu_config_sibling_remove(at.backup);
	unlock(lock);
	return r;
}

static int restore(const char *config, const struct places *at)
{
	char *text;
	size_t len;
	int r = pu_file_read(at->backup, PU_CONFIG_FILE_MAX, &text, &len, NULL);

	if (r < 0)
		return r;
	/* For whoever wants to see what was wrong with it; no reason to keep it in use. */
	(void)pu_config_archive_reject(config);
	r = pu_config_archive_write(config, config, pu_bytes(text, len));
	free(text);
	return r;
}

int pu_config_pending_revert(const char *config)
{
	struct pu_config_pending p;
	struct places at;
	int lock, r = find_places(config, &at);

	if (r < 0)
		return r;
	lock = lock_beside(config);
	r = read_marker(at.marker, &p);
	if (r == 0) {
		r = restore(config, &at);
		/* Somebody took the backup away: what is there is all there is. */
		if (r == PU_ENOENT) {
			pu_log(PU_LOG_ERROR, "config", "nothing to go back to, it stays",
			       PU_KV_STR("missing", at.backup));
			r = 0;
		}
		if (r == 0)
			r = pu_config_sibling_remove(at.marker);
		if (r == 0)
			(void)pu_config_sibling_remove(at.backup);
	}
	unlock(lock);
	return r;
}

int pu_config_pending_settle(const char *config, bool *preverted)
{
	struct pu_config_pending p;
	int r = pu_config_pending_read(config, &p);

	*preverted = false;
	if (r == PU_ENOENT)
		return 0;
	if (r < 0 || pu_config_pending_left(&p, pu_clock_wall_ns()) > 0)
		return r;
	r = pu_config_pending_revert(config);
	*preverted = r == 0;
	return r == PU_ENOENT ? 0 : r;
}
