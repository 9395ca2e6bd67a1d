#include "peerup/peerup.h"

#include "base/err.h"
#include "base/log.h"
#include "lib/version.h"

const char *peerup_version(void)
{
	return PU_LIB_VERSION;
}

int peerup_log_level(const char *level)
{
	enum pu_log_level l;
	int r = level ? pu_log_level_parse(level, &l) : PU_EINVAL;

	if (r == 0)
		pu_log_set_level(l);
	return r;
}

void peerup_log_to(peerup_log_fn *fn, void *arg)
{
	pu_log_set_sink(fn, arg);
}
