#include "platform/linux/resolved.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/err.h"
#include "platform/linux/bus.h"
#include "platform/linux/file.h"

enum { TEXT_MAX = 65536, DOMAIN_MAX = 256 };

/* --- is it in use? --- */

static bool file_has(const char *path, bool (*wanted)(const char *line))
{
	char *text = malloc(TEXT_MAX), *save = NULL;
	bool found = false;

	if (text && pu_linux_file_read(path, text, TEXT_MAX) == 0)
		for (char *l = strtok_r(text, "\n", &save); l && !found;
		     l = strtok_r(NULL, "\n", &save))
			found = wanted(l);
	free(text);
	return found;
}

static bool names_the_stub(const char *line)
{
	return strncmp(line, "nameserver", 10) == 0 &&
	       (strstr(line, "127.0.0.53") || strstr(line, "127.0.0.54"));
}

static bool hosts_by_resolve(const char *line)
{
	return strncmp(line, "hosts:", 6) == 0 && strstr(line, "resolve");
}

bool pu_linux_resolved_is_used(const struct pu_linux_paths *paths)
{
	return file_has(paths->resolv_conf, names_the_stub) ||
	       file_has(paths->nsswitch, hosts_by_resolve);
}

/* --- calls --- */

static int new_call(sd_bus *bus, const char *method, int ifindex, sd_bus_message **pm)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(bus, &m, "org.freedesktop.resolve1",
					       "/org/freedesktop/resolve1",
					       "org.freedesktop.resolve1.Manager", method);

	if (r >= 0)
		r = sd_bus_message_append(m, "i", ifindex);
	if (r < 0) {
		sd_bus_message_unref(m);
		return pu_err_from_errno(-r);
	}
	*pm = m;
	return 0;
}

/* r: of building the message. */
static int send_call(sd_bus *bus, sd_bus_message *m, int r)
{
	if (r < 0) {
		sd_bus_message_unref(m);
		return pu_err_from_errno(-r);
	}
	return pu_linux_bus_call(bus, m, PU_LINUX_RESOLVED_CALL_MS, NULL);
}

static int append_server(sd_bus_message *m, const struct pu_prefix *s)
{
	int r = sd_bus_message_open_container(m, 'r', "iay");

	if (r >= 0)
		r = sd_bus_message_append(m, "i", (int)s->family);
	if (r >= 0)
		r = sd_bus_message_append_array(m, 'y', s->addr, s->family == AF_INET ? 4 : 16);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int set_servers(sd_bus *bus, int ifindex, const struct pu_prefix *servers, size_t n)
{
	sd_bus_message *m = NULL;
	int r = new_call(bus, "SetLinkDNS", ifindex, &m);

	if (r < 0)
		return r;
	r = sd_bus_message_open_container(m, 'a', "(iay)");
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = append_server(m, &servers[i]);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return send_call(bus, m, r);
}

/* true: for routing questions only, not for completing short names. */
static int append_domains(sd_bus_message *m, const char *domains)
{
	char domain[DOMAIN_MAX];
	int r = sd_bus_message_open_container(m, 'a', "(sb)");

	for (const char *p = domains; r >= 0 && *p;) {
		size_t len = strcspn(p, " ");

		if (len >= sizeof domain)
			return -EINVAL;
		memcpy(domain, p, len);
		domain[len] = '\0';
		if (len > 0)
			r = sd_bus_message_append(m, "(sb)", domain, 1);
		p += len + (p[len] == ' ');
	}
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int set_domains(sd_bus *bus, int ifindex, const char *domains)
{
	sd_bus_message *m = NULL;
	int r = new_call(bus, "SetLinkDomains", ifindex, &m);

	return r < 0 ? r : send_call(bus, m, append_domains(m, domains));
}

static int set_default_route(sd_bus *bus, int ifindex)
{
	sd_bus_message *m = NULL;
	int r = new_call(bus, "SetLinkDefaultRoute", ifindex, &m);

	return r < 0 ? r : send_call(bus, m, sd_bus_message_append(m, "b", 0));
}

/* A string-valued setting of the link; what an older resolved does not know is not
 * missed. Our zone is not signed, and the stub speaks no TLS. */
static void set_text(sd_bus *bus, int ifindex, const char *method, const char *value)
{
	sd_bus_message *m = NULL;

	if (new_call(bus, method, ifindex, &m) == 0)
		(void)send_call(bus, m, sd_bus_message_append(m, "s", value));
}

static void revert(sd_bus *bus, int ifindex)
{
	sd_bus_message *m = NULL;

	if (new_call(bus, "RevertLink", ifindex, &m) == 0)
		(void)send_call(bus, m, 0);
}

int pu_linux_resolved_set(int ifindex, const char *domains, const struct pu_prefix *servers,
			  size_t n_servers)
{
	sd_bus *bus = NULL;
	int r = pu_linux_bus_open(PU_LINUX_RESOLVED_CALL_MS, &bus);

	if (r < 0)
		return r;
	r = set_servers(bus, ifindex, servers, n_servers);
	if (r == 0)
		r = set_domains(bus, ifindex, domains);
	/* Older than v240: a link with a routing domain only is no default anyway. */
	if (r == 0) {
		r = set_default_route(bus, ifindex);
		r = r == PU_ENOENT ? 0 : r;
	}
	if (r == 0) {
		set_text(bus, ifindex, "SetLinkDNSSEC", "no");
		set_text(bus, ifindex, "SetLinkDNSOverTLS", "no");
		set_text(bus, ifindex, "SetLinkLLMNR", "no");
		set_text(bus, ifindex, "SetLinkMulticastDNS", "no");
	} else if (r != PU_ENOENT && r != PU_ETIMEDOUT) {
		revert(bus, ifindex); /* not of one that does not answer: that took long enough */
	}
	sd_bus_flush_close_unref(bus);
	return r;
}

void pu_linux_resolved_revert(int ifindex)
{
	sd_bus *bus = NULL;

	if (pu_linux_bus_open(PU_LINUX_RESOLVED_CALL_MS, &bus) < 0)
		return;
	revert(bus, ifindex);
	sd_bus_flush_close_unref(bus);
}
