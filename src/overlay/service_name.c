#include <stdio.h>

#include "base/err.h"
#include "overlay/service.h"

static bool label_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

int pu_service_name_check(const char *name)
{
	static const char *const reserved[] = { "invite",    "relay-pair", "peer-notify",
						"rtt-probe", "packets",	   "offers",
						"wake",	     "nameplate",  PU_SERVICE_FILES };
	size_t len = strlen(name);

	if (len == 0 || len > PU_SERVICE_NAME_MAX || name[0] == '-' || name[len - 1] == '-')
		return PU_EINVAL;
	for (size_t i = 0; i < len; i++)
		if (!label_char(name[i]))
			return PU_EINVAL;
	for (size_t i = 0; i < PU_ARRAY_LEN(reserved); i++)
		if (strcmp(name, reserved[i]) == 0)
			return PU_EDENIED;
	return 0;
}

int pu_service_name_check_open(const char *name)
{
	return strcmp(name, PU_SERVICE_FILES) == 0 ? 0 : pu_service_name_check(name);
}

void pu_service_protocol(const char *name, unsigned minor, char *out)
{
	snprintf(out, PU_HOST_PROTOCOL_MAX + 1, "/peerup/%s/1.%u.0", name, minor);
}

bool pu_service_of_protocol(const char *protocol, char *name)
{
	static const char prefix[] = "/peerup/", suffix[] = "/1.0.0";
	size_t len = strlen(protocol), fixed = sizeof prefix - 1 + sizeof suffix - 1;

	if (len <= fixed || len - fixed > PU_SERVICE_NAME_MAX ||
	    strncmp(protocol, prefix, sizeof prefix - 1) != 0 ||
	    strcmp(protocol + len - (sizeof suffix - 1), suffix) != 0)
		return false;
	memcpy(name, protocol + sizeof prefix - 1, len - fixed);
	name[len - fixed] = '\0';
	return pu_service_name_check(name) == 0;
}
