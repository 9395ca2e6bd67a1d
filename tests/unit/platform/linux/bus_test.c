#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop_uv.h"
#include "platform/linux/nm_dnsmasq.h"
#include "platform/linux/resolved.h"
#include "platform/linux/resolver.h"

/* A bus of the test's own with services that write down what they are told. */
struct env {
	char dir[64], socket[96], log[96];
	pid_t bus, service;
	struct pu_linux_paths paths;
	char nsswitch[96], resolv_conf[96];
};

static const struct pu_prefix stub[] = {
	{ AF_INET, 32, { 10, 64, 0, 53 } },
	{ AF_INET6, 128, { 0xfd, 0x50, [15] = 0x53 } },
};

/* --- the services, in a child --- */

struct service {
	FILE *log;
	bool refuse, silent;
};

static void log_value(FILE *f, sd_bus_message *m)
{
	char type;
	const char *contents;

	while (sd_bus_message_peek_type(m, &type, &contents) > 0) {
		const char *s;
		int32_t i;
		uint8_t y;
		int b;

		switch (type) {
		case 'i':
		case 'u':
			sd_bus_message_read_basic(m, type, &i);
			fprintf(f, " %d", i);
			break;
		case 'y':
			sd_bus_message_read_basic(m, type, &y);
			fprintf(f, " %02x", y);
			break;
		case 'b':
			sd_bus_message_read_basic(m, type, &b);
			fprintf(f, " %s", b ? "true" : "false");
			break;
		case 's':
			sd_bus_message_read_basic(m, type, &s);
			fprintf(f, " %s", s);
			break;
		default:
			sd_bus_message_enter_container(m, type, contents);
			fputs(type == 'a' ? " [" : " (", f);
			log_value(f, m);
			fputs(type == 'a' ? " ]" : " )", f);
			sd_bus_message_exit_container(m);
			break;
		}
	}
}

static int on_call(sd_bus_message *m, void *arg, sd_bus_error *e)
{
	struct service *s = arg;

	fputs(sd_bus_message_get_member(m), s->log);
	log_value(s->log, m);
	fputc('\n', s->log);
	fflush(s->log);
	if (s->silent)
		return 1;
	if (s->refuse)
		return sd_bus_error_set_const(e, SD_BUS_ERROR_ACCESS_DENIED, "no");
	return sd_bus_reply_method_return(m, "");
}

static int get_mode(sd_bus *bus, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *arg, sd_bus_error *e)
{
	return sd_bus_message_append(reply, "s", "dnsmasq");
}

static const sd_bus_vtable resolve1[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("SetLinkDNS", "ia(iay)", "", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("SetLinkDomains", "ia(sb)", "", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("SetLinkDefaultRoute", "ib", "", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("SetLinkDNSSEC", "is", "", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("SetLinkDNSOverTLS", "is", "", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("SetLinkLLMNR", "is", "", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("SetLinkMulticastDNS", "is", "", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("RevertLink", "i", "", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable manager[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Reload", "u", "", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable dns_manager[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Mode", "s", get_mode, 0, 0),
	SD_BUS_VTABLE_END,
};

static void serve(const char *log, const char *mode, int ready)
{
	struct service s = { .log = fopen(log, "a"),
			     .refuse = strcmp(mode, "refuse") == 0,
			     .silent = strcmp(mode, "silent") == 0 };
	sd_bus *bus = NULL;

	if (sd_bus_open_system(&bus) < 0)
		_exit(1);
	if (strcmp(mode, "nm") == 0) {
		sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/NetworkManager",
					 "org.freedesktop.NetworkManager", manager, &s);
		sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/NetworkManager/DnsManager",
					 "org.freedesktop.NetworkManager.DnsManager", dns_manager,
					 &s);
		sd_bus_request_name(bus, "org.freedesktop.NetworkManager", 0);
	} else {
		sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/resolve1",
					 "org.freedesktop.resolve1.Manager", resolve1, &s);
		sd_bus_request_name(bus, "org.freedesktop.resolve1", 0);
	}
	if (write(ready, "r", 1) != 1)
		_exit(1);
	for (;;) {
		int r = sd_bus_process(bus, NULL);

		if (r < 0)
			_exit(0);
		if (r == 0)
			sd_bus_wait(bus, UINT64_MAX);
	}
}

static void start_service(struct env *e, const char *mode)
{
	int ready[2];
	char c;

	assert_int_equal(pipe(ready), 0);
	e->service = fork();
	if (e->service == 0)
		serve(e->log, mode, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
}

/* --- the bus --- */

static bool start_bus(struct env *e)
{
	char address[128];
	int out[2];
	char c;

	snprintf(address, sizeof address, "--address=unix:path=%s", e->socket);
	assert_int_equal(pipe(out), 0);
	e->bus = fork();
	if (e->bus == 0) {
		dup2(out[1], 1);
		execlp("dbus-daemon", "dbus-daemon", "--session", "--nofork", "--print-address",
		       address, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	/* It prints its address when it listens. */
	if (read(out[0], &c, 1) != 1)
		c = 0;
	close(out[0]);
	return c != 0;
}

static int setup(void **state)
{
	struct env *e = calloc(1, sizeof *e);
	char address[128];

	pu_log_set_level(PU_LOG_OFF);
	strcpy(e->dir, "/tmp/peerup-bus-XXXXXX");
	assert_non_null(mkdtemp(e->dir));
	snprintf(e->socket, sizeof e->socket, "%s/bus", e->dir);
	snprintf(e->log, sizeof e->log, "%s/log", e->dir);
	snprintf(e->nsswitch, sizeof e->nsswitch, "%s/nsswitch.conf", e->dir);
	snprintf(e->resolv_conf, sizeof e->resolv_conf, "%s/resolv.conf", e->dir);
	e->paths = (struct pu_linux_paths){ .resolv_conf = e->resolv_conf,
					    .nsswitch = e->nsswitch,
					    .interface_order = e->nsswitch,
					    .nm_dnsmasq_dir = e->dir,
					    .rt_protos_dir = e->dir };
	snprintf(address, sizeof address, "unix:path=%s", e->socket);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
	if (!start_bus(e)) {
		waitpid(e->bus, NULL, 0);
		e->bus = 0;
	}
	*state = e;
	return 0;
}

static void end(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int teardown(void **state)
{
	struct env *e = *state;
	char cmd[96];

	end(e->service);
	end(e->bus);
	snprintf(cmd, sizeof cmd, "rm -rf %s", e->dir);
	assert_int_equal(system(cmd), 0);
	free(e);
	return 0;
}

static struct env *need(void **state)
{
	struct env *e = *state;

	if (!e->bus)
		skip();
	return e;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void assert_log(struct env *e, const char *wanted)
{
	char buf[4096];
	FILE *f = fopen(e->log, "r");
	size_t n = f ? fread(buf, 1, sizeof buf - 1, f) : 0;

	if (f)
		fclose(f);
	buf[n] = '\0';
	assert_string_equal(buf, wanted);
}

/* --- tests --- */

static void resolved_gets_servers_and_routing_domains(void **state)
{
	struct env *e = need(state);

	start_service(e, "resolved");
	assert_int_equal(pu_linux_resolved_set(7, "p2p 64.10.in-addr.arpa", stub, 2), 0);
	pu_linux_resolved_revert(7);
	assert_log(e, "SetLinkDNS 7 [ ( 2 [ 0a 40 00 35 ] ) ( 10 [ fd 50 00 00 00 00 00 00 00 00 00 "
		      "00 00 00 00 53 ] ) ]\n"
		      "SetLinkDomains 7 [ ( p2p true ) ( 64.10.in-addr.arpa true ) ]\n"
		      "SetLinkDefaultRoute 7 false\n"
		      "SetLinkDNSSEC 7 no\n"
		      "SetLinkDNSOverTLS 7 no\n"
		      "SetLinkLLMNR 7 no\n"
		      "SetLinkMulticastDNS 7 no\n"
		      "RevertLink 7\n");
}

static void without_resolved_there_is_none(void **state)
{
	struct env *e = need(state);

	assert_int_equal(pu_linux_resolved_set(7, "p2p", stub, 2), PU_ENOENT);
	end(e->bus);
	e->bus = 0;
	assert_int_equal(pu_linux_resolved_set(7, "p2p", stub, 2), PU_ENOENT);
	unlink(e->socket);
	assert_int_equal(pu_linux_resolved_set(7, "p2p", stub, 2), PU_ENOENT);
}

static void a_refusal_is_a_refusal(void **state)
{
	struct env *e = need(state);

	start_service(e, "refuse");
	assert_int_equal(pu_linux_resolved_set(7, "p2p", stub, 2), PU_EPERM);
}

static void a_silent_resolved_does_not_hold_us_up(void **state)
{
	struct env *e = need(state);
	pu_time began = pu_clock_monotonic(), took;

	start_service(e, "silent");
	assert_int_equal(pu_linux_resolved_set(7, "p2p", stub, 2), PU_ETIMEDOUT);
	took = pu_clock_monotonic() - began;
	assert_true(took >= PU_MS(PU_LINUX_RESOLVED_CALL_MS));
	assert_true(took < 3 * PU_MS(PU_LINUX_RESOLVED_CALL_MS));
}

static int set_auto(struct env *e, struct pu_linux_resolver *rs, const char **pmethod)
{
	struct pu_privreq rq = { .ifname = "lo",
				 .mode = "auto",
				 .suffix = "p2p",
				 .servers = stub,
				 .n_servers = 1,
				 .state_dir = e->dir,
				 .pmethod = pmethod };

	pu_linux_resolver_init(rs, &e->paths);
	return pu_linux_resolver_set(rs, &rq);
}

static void resolved_is_chosen_only_when_the_host_asks_it(void **state)
{
	struct env *e = need(state);
	struct pu_linux_resolver rs;
	const char *method;

	start_service(e, "resolved");
	write_file(e->resolv_conf, "nameserver 192.0.2.1\n");
	write_file(e->nsswitch, "hosts: files dns\n");
	assert_int_equal(set_auto(e, &rs, &method), 0);
	assert_string_equal(method, "resolv-conf");
	pu_linux_resolver_stop(&rs);
	assert_log(e, "");
	write_file(e->resolv_conf, "nameserver 127.0.0.53\n");
	assert_int_equal(set_auto(e, &rs, &method), 0);
	assert_string_equal(method, "resolved");
	pu_linux_resolver_stop(&rs);
	write_file(e->resolv_conf, "nameserver 192.0.2.1\n");
	write_file(e->nsswitch, "passwd: files\nhosts: files resolve [!UNAVAIL=return] dns\n");
	assert_int_equal(set_auto(e, &rs, &method), 0);
	assert_string_equal(method, "resolved");
	pu_linux_resolver_stop(&rs);
}

static void networkmanagers_dnsmasq_gets_a_drop_in(void **state)
{
	static const char text[] = "# Written by peerup-vpn while it runs.\n"
				   "server=/p2p/10.64.0.53\n";
	struct env *e = need(state);
	struct pu_linux_resolver rs;
	const char *method;
	char path[128], buf[256];
	FILE *f;

	start_service(e, "nm");
	assert_int_equal(set_auto(e, &rs, &method), 0);
	assert_string_equal(method, "networkmanager");
	snprintf(path, sizeof path, "%s/peerup-vpn-lo.conf", e->dir);
	f = fopen(path, "r");
	assert_non_null(f);
	buf[fread(buf, 1, sizeof buf - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(buf, text);
	pu_linux_resolver_stop(&rs);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_log(e, "Reload 4\nReload 4\n");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(resolved_gets_servers_and_routing_domains),
		T(without_resolved_there_is_none),
		T(a_refusal_is_a_refusal),
		T(a_silent_resolved_does_not_hold_us_up),
		T(resolved_is_chosen_only_when_the_host_asks_it),
		T(networkmanagers_dnsmasq_gets_a_drop_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
