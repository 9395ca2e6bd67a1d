/* Built without libminiupnpc. */
#include "base/err.h"
#include "platform/linux/portmap_job.h"

const bool pu_linux_upnp_built_in = false;

int pu_linux_upnp_run(struct pu_linux_portmap_job *j)
{
	(void)j;
	return PU_ENOTSUP;
}
