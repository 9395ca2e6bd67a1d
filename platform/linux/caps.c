#include "platform/linux/caps.h"

#include <cap-ng.h>
#include <dirent.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"

static const unsigned kept[] = { CAP_NET_ADMIN, CAP_NET_BIND_SERVICE };

/* Capabilities belong to threads, and only the calling one is changed: any other would
 * go on with everything. */
static bool single_threaded(void)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	int n = 0;

	if (!d)
		return true; /* no /proc, no way to tell */
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n <= 1;
}

/* In libcap-ng's mind: nothing but those of kept that we have. Whoever started us with
 * less (ambient capabilities of a service) has less to drop. */
static void select_kept(void)
{
	bool have[PU_ARRAY_LEN(kept)];

	for (size_t i = 0; i < PU_ARRAY_LEN(kept); i++)
		have[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]);
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < PU_ARRAY_LEN(kept); i++)
		if (have[i])
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, kept[i]);
}

static int apply(unsigned uid, unsigned gid, bool can_bound)
{
	capng_select_t what = can_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS;
	capng_flags_t bound = can_bound ? CAPNG_CLEAR_BOUNDING : CAPNG_NO_FLAG;
	capng_flags_t groups;

	if (uid == 0 || uid == getuid())
		return capng_apply(what) == 0 ? 0 : PU_EPERM;
	/* With the groups of the user when the system knows him: asked beforehand, since
	 * after a failure the library's selection is not ours any more. */
	groups = getpwuid(uid) ? CAPNG_INIT_SUPP_GRP : CAPNG_DROP_SUPP_GRP;
	return capng_change_id((int)uid, (int)gid, groups | bound) == 0 ? 0 : PU_EPERM;
}

/* What the kernel says now, whatever the calls above returned. */
static int verify(unsigned uid)
{
	if (capng_get_caps_process() < 0)
		return PU_ESYS;
	for (unsigned c = 0; c <= CAP_LAST_CAP; c++) {
		bool keep = false;

		for (size_t i = 0; i < PU_ARRAY_LEN(kept); i++)
			keep |= c == kept[i];
		if (!keep && capng_have_capability(CAPNG_PERMITTED, c))
			return PU_EPERM;
	}
	return uid != 0 && (getuid() != uid || geteuid() != uid) ? PU_EPERM : 0;
}

bool pu_linux_caps_any(void)
{
	return capng_get_caps_process() == 0 &&
	       capng_have_capabilities(CAPNG_SELECT_CAPS) > CAPNG_NONE;
}

int pu_linux_caps_drop(unsigned uid, unsigned gid)
{
	bool can_bound;
	int r = 0;

	if (!single_threaded()) {
		pu_log_msg(PU_LOG_ERROR, "platform",
			   "privileges must be dropped before the first thread starts");
		return PU_EINVAL;
	}
	if (capng_get_caps_process() < 0)
		return PU_ESYS;
	can_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	/* A service manager that gave us no more than we keep may also forbid capset(). */
	if (can_bound || verify(uid) < 0) {
		select_kept();
		r = apply(uid, gid, can_bound);
	}
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = PU_ESYS;
	return r < 0 ? r : verify(uid);
}
