#include "platform/linux/nm_dnsmasq.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "platform/linux/bus.h"
#include "platform/linux/file.h"

enum {
	CALL_MS = 1000,
	TEXT_MAX = 8192,
	RELOAD_DNS_FULL = 0x4, /* NM_MANAGER_RELOAD_FLAG_DNS_FULL: restarts dnsmasq */
};

static const char service[] = "org.freedesktop.NetworkManager";

bool pu_linux_nm_dnsmasq_is_used(void)
{
	sd_bus_message *m = NULL, *reply = NULL;
	const char *mode = NULL;
	sd_bus *bus = NULL;
	bool used = false;

	if (pu_linux_bus_open(CALL_MS, &bus) < 0)
		return false;
	if (sd_bus_message_new_method_call(bus, &m, service,
					   "/org/freedesktop/NetworkManager/DnsManager",
					   "org.freedesktop.DBus.Properties", "Get") < 0)
		goto out;
	if (sd_bus_message_append(m, "ss", "org.freedesktop.NetworkManager.DnsManager",
				  "Mode") < 0) {
		sd_bus_message_unref(m);
		goto out;
	}
	if (pu_linux_bus_call(bus, m, CALL_MS, &reply) == 0 &&
	    sd_bus_message_read(reply, "v", "s", &mode) >= 0)
		used = strcmp(mode, "dnsmasq") == 0;
out:
	sd_bus_message_unref(reply);
	sd_bus_flush_close_unref(bus);
	return used;
}

static int reload(void)
{
	sd_bus_message *m = NULL;
	sd_bus *bus = NULL;
	int r = pu_linux_bus_open(CALL_MS, &bus);

	if (r < 0)
		return r;
	r = sd_bus_message_new_method_call(bus, &m, service, "/org/freedesktop/NetworkManager",
					   service, "Reload");
	if (r >= 0)
		r = sd_bus_message_append(m, "u", (uint32_t)RELOAD_DNS_FULL);
	if (r < 0) {
		sd_bus_message_unref(m);
		r = pu_err_from_errno(-r);
	} else {
		r = pu_linux_bus_call(bus, m, CALL_MS, NULL);
	}
	sd_bus_flush_close_unref(bus);
	return r;
}

/* A machine may be in several networks, with one device each. */
static bool drop_in_path(const struct pu_linux_paths *paths, const char *record,
			 char out[PATH_MAX])
{
	int n = snprintf(out, PATH_MAX, "%s/peerup-vpn-%s.conf", paths->nm_dnsmasq_dir, record);

	return n > 0 && n < PATH_MAX;
}

static int drop_in_text(const char *domains, const struct pu_prefix *servers, size_t n_servers,
			char *out)
{
	int len = snprintf(out, TEXT_MAX, "# Written by peerup-vpn while it runs.\n");

	for (const char *p = domains; *p && len < TEXT_MAX;) {
		int n = (int)strcspn(p, " ");

		for (size_t i = 0; n > 0 && i < n_servers && len < TEXT_MAX; i++) {
			char ip[INET6_ADDRSTRLEN] = "";

			inet_ntop(servers[i].family, servers[i].addr, ip, sizeof ip);
			len += snprintf(out + len, (size_t)(TEXT_MAX - len), "server=/%.*s/%s\n", n,
					p, ip);
		}
		p += n + (p[n] == ' ');
	}
	return len < TEXT_MAX ? 0 : PU_E2BIG;
}

int pu_linux_nm_dnsmasq_set(const struct pu_linux_paths *paths, const char *record,
			    const char *domains, const struct pu_prefix *servers,
			    size_t n_servers)
{
	char path[PATH_MAX], text[TEXT_MAX];
	int r = drop_in_path(paths, record, path) ? 0 : PU_EINVAL;

	if (r == 0)
		r = drop_in_text(domains, servers, n_servers, text);
	if (r == 0)
		r = pu_linux_file_replace(path, text, 0644);
	return r < 0 ? r : reload();
}

int pu_linux_nm_dnsmasq_undo(const struct pu_linux_paths *paths, const char *record)
{
	char path[PATH_MAX];

	if (!drop_in_path(paths, record, path))
		return PU_EINVAL;
	if (unlink(path) < 0)
		return errno == ENOENT ? 0 : pu_err_from_errno(errno);
	(void)reload(); /* one that does not run reads the folder when it starts */
	return 0;
}
