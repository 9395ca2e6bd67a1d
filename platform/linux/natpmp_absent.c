/* Built without libnatpmp. */
#include "base/err.h"
#include "platform/linux/portmap_job.h"

const bool pu_linux_natpmp_built_in = false;

int pu_linux_natpmp_run(struct pu_linux_portmap_job *j)
{
	(void)j;
	return PU_ENOTSUP;
}
