#include "daemon/ports.h"

#include <stddef.h>
#include <string.h>

uint16_t pu_ports_of_service(const char *name)
{
	static const struct {
		const char *name;
		uint16_t port;
	} table[] = {
		{ "ssh", 22 },	       { "smtp", 25 },	      { "http", 80 },
		{ "web", 80 },	       { "imap", 143 },	      { "ldap", 389 },
		{ "https", 443 },      { "smb", 445 },	      { "rtsp", 554 },
		{ "ipp", 631 },	       { "rsync", 873 },      { "nfs", 2049 },
		{ "mysql", 3306 },     { "rdp", 3389 },	      { "xrdp", 3389 },
		{ "postgres", 5432 },  { "vnc", 5900 },	      { "redis", 6379 },
		{ "http-alt", 8080 },  { "homeassistant", 8123 }, { "plex", 32400 },
		{ "jellyfin", 8096 },  { "ollama", 11434 },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].port;
	return 0;
}
