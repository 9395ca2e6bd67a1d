#include <systemd/sd-daemon.h>

#include "platform/platform.h"

void pu_platform_notify(const char *state)
{
	/* Outside a service there is no socket, and this does nothing. */
	(void)sd_notify(0, state);
}
