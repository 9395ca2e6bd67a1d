#include "daemon/config_archive.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "daemon/config.h"

enum { PATH_LEN = 4096 };

int pu_config_archive_path(const char *config, char *out, size_t cap)
{
	const char *slash = strrchr(config, '/'), *name = slash ? slash + 1 : config;
	const char *dot = strrchr(name, '.');
	int n;

	if (!dot || dot == name)
		dot = name + strlen(name);
	n = snprintf(out, cap, "%.*s.%.*s.last-good%s", (int)(name - config), config,
		     (int)(dot - name), name, dot);
	return n < 0 || (size_t)n >= cap ? PU_ELIMIT : 0;
}

static int copy(const char *from, const char *to)
{
	struct pu_file_owner owner = { .set = true };
	struct pu_file_info info;
	char *text;
	size_t len;
	int r = pu_file_read(from, PU_CONFIG_FILE_MAX, &text, &len, &info);

	if (r < 0)
		return r;
	owner.uid = info.uid;
	owner.gid = info.gid;
	r = pu_file_replace(to, pu_bytes(text, len), 0600, &owner);
	free(text);
	return r;
}

int pu_config_archive_save(const char *config)
{
	char path[PATH_LEN];
	int r = pu_config_archive_path(config, path, sizeof path);

	return r < 0 ? r : copy(config, path);
}

int pu_config_archive_restore(const char *config)
{
	char path[PATH_LEN];
	int r = pu_config_archive_path(config, path, sizeof path);

	return r < 0 ? r : copy(path, config);
}
