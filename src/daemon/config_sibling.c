#include "daemon/config_sibling.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "daemon/paths.h"

int pu_config_sibling(const char *config, const char *what, bool bare, char *out, size_t cap)
{
	const char *slash = strrchr(config, '/'), *name = slash ? slash + 1 : config;
	const char *dot = strrchr(name, '.');
	int n;

	if (!dot || dot == name)
		dot = name + strlen(name);
	n = snprintf(out, cap, "%.*s.%.*s.%s%s", (int)(name - config), config, (int)(dot - name),
		     name, what, bare ? "" : dot);
	return n < 0 || (size_t)n >= cap ? PU_ELIMIT : 0;
}

int pu_config_sibling_remove(const char *path)
{
	char dir[PU_PATHS_LEN];
	const char *slash = strrchr(path, '/');
	int fd;

	if (unlink(path) < 0)
		return pu_err_from_errno(errno);
	snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path + 1) : 1,
		 slash ? path : ".");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	return 0;
}
