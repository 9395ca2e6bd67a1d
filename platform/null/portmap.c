/* No router to ask. */
#include "platform/portmap.h"

#include "base/err.h"

int pu_portmap_start(struct pu_loop *loop, const struct pu_portmap_port *ports, size_t n,
		     const struct pu_portmap_events *ev, void *arg, struct pu_portmap **pm)
{
	return PU_ENOTSUP;
}

void pu_portmap_network_changed(struct pu_portmap *m)
{
}

void pu_portmap_stop(struct pu_portmap *m, pu_job_fn *on_stopped, void *arg)
{
}

void pu_portmap_free(struct pu_portmap *m)
{
}

void pu_portmap_status(const struct pu_portmap *m, struct pu_portmap_status *out)
{
	*out = (struct pu_portmap_status){ .method = "none", .err = PU_ENOTSUP };
}

const char *pu_portmap_built_in(void)
{
	return "";
}
