#include "platform/linux/rt_proto.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/linux/file.h"
#include "platform/platform.h"

enum { TEXT_MAX = 512 };

static const char note[] = "# Written by peerup-vpn while it runs.\n";

static bool file_path(const struct pu_linux_paths *paths, char out[PATH_MAX])
{
	int n = snprintf(out, PATH_MAX, "%s/peerup.conf", paths->rt_protos_dir);

	return n > 0 && n < PATH_MAX;
}

/* There from an earlier run that was killed, or by another instance. */
static bool is_of_run_time(const char *path)
{
	char text[TEXT_MAX];

	return pu_linux_file_read(path, text, sizeof text) == 0 && strstr(text, note);
}

bool pu_linux_rt_proto_add(const struct pu_linux_paths *paths)
{
	char path[PATH_MAX], text[TEXT_MAX];

	if (!file_path(paths, path))
		return false;
	if (access(path, F_OK) == 0)
		return is_of_run_time(path);
	snprintf(text, sizeof text, "%s%d\tpeerup\n", note, PU_ROUTE_PROTO);
	return pu_linux_file_replace(path, text, 0644) == 0;
}

void pu_linux_rt_proto_remove(const struct pu_linux_paths *paths)
{
	char path[PATH_MAX];

	if (file_path(paths, path) && is_of_run_time(path))
		(void)unlink(path);
}
