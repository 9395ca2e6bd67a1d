#include "platform/linux/bus.h"

#include <errno.h>
#include <stdint.h>

#include "base/err.h"

int pu_linux_bus_open(unsigned call_ms, sd_bus **pbus)
{
	sd_bus *bus = NULL;
	int r = sd_bus_open_system(&bus);

	if (r < 0)
		return r == -ENOENT || r == -ECONNREFUSED ? PU_ENOENT : pu_err_from_errno(-r);
	r = sd_bus_set_method_call_timeout(bus, (uint64_t)call_ms * 1000);
	if (r < 0) {
		sd_bus_unref(bus);
		return pu_err_from_errno(-r);
	}
	*pbus = bus;
	return 0;
}

static int error_code(const sd_bus_error *e, int r)
{
	if (sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
	    sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
	    sd_bus_error_has_name(e, SD_BUS_ERROR_UNKNOWN_OBJECT) ||
	    sd_bus_error_has_name(e, SD_BUS_ERROR_UNKNOWN_METHOD))
		return PU_ENOENT;
	if (sd_bus_error_has_name(e, SD_BUS_ERROR_ACCESS_DENIED) ||
	    sd_bus_error_has_name(e, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED))
		return PU_EPERM;
	return pu_err_from_errno(-r);
}

int pu_linux_bus_call(sd_bus *bus, sd_bus_message *m, unsigned call_ms, sd_bus_message **reply)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	int r = sd_bus_message_set_auto_start(m, 0);

	if (r >= 0)
		r = sd_bus_call(bus, m, (uint64_t)call_ms * 1000, &e, reply);
	if (r < 0)
		r = error_code(&e, r);
	sd_bus_error_free(&e);
	sd_bus_message_unref(m);
	return r < 0 ? r : 0;
}
