/* Maps ports as the daemon does and prints what it gets, one line per change:
 *
 *   portmapper [--sealed] udp:4001 tcp:4001
 *   mapped upnp udp 4001 11.0.0.1:4001 tcp 4001 11.0.0.1:4001
 *   none ETIMEDOUT
 *
 * On standard input "change" tells that the network changed; "stop", its end or SIGTERM
 * take the mappings back and end. --can: prints what this build can. --sealed: without rights and under the system call filter. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/loop_uv.h"
#include "platform/portmap.h"

enum { NOBODY = 65534, ATTEMPT_MS = 200 };

struct mapper {
	struct pu_loop_uv *driver;
	struct pu_loop *loop;
	struct pu_portmap *pm;
	struct pu_timer look;
	char line[512];
	uv_poll_t input;
	uv_signal_t term;
	bool stopping;
};

static void print(struct mapper *m, const char *line)
{
	if (strcmp(line, m->line) == 0)
		return;
	snprintf(m->line, sizeof m->line, "%s", line);
	printf("%s\n", line);
	fflush(stdout);
}

static void on_mappings(void *arg, const struct pu_portmap_mapping *list, size_t n)
{
	struct mapper *m = arg;
	struct pu_portmap_status st;
	char line[512];
	size_t len;

	if (n == 0)
		return; /* the look says why */
	pu_portmap_status(m->pm, &st);
	len = (size_t)snprintf(line, sizeof line, "mapped %s", st.method);
	for (size_t i = 0; i < n && len < sizeof line; i++) {
		char ip[INET_ADDRSTRLEN] = "?";

		inet_ntop(AF_INET, list[i].external.addr, ip, sizeof ip);
		len += (size_t)snprintf(line + len, sizeof line - len, " %s %u %s:%u",
					list[i].tcp ? "tcp" : "udp", list[i].port, ip,
					list[i].external_port);
	}
	print(m, line);
}

static const struct pu_portmap_events events = { .on_mappings = on_mappings };

/* Attempts that change nothing are not told. */
static void look(void *arg)
{
	struct mapper *m = arg;
	struct pu_portmap_status st;
	char line[64];

	pu_portmap_status(m->pm, &st);
	if (st.n_mapped == 0 && st.err < 0) {
		snprintf(line, sizeof line, "none %s", pu_err_name(st.err));
		print(m, line);
	}
	pu_timer_set(&m->look, pu_loop_now(m->loop) + PU_MS(ATTEMPT_MS));
}

static void stopped(void *arg)
{
	struct mapper *m = arg;

	pu_portmap_free(m->pm);
	pu_timer_stop(&m->look);
	uv_close((uv_handle_t *)&m->input, NULL);
	uv_close((uv_handle_t *)&m->term, NULL);
	pu_loop_uv_stop(m->driver);
	print(m, "stopped");
}

static void stop(struct mapper *m)
{
	if (!m->stopping)
		pu_portmap_stop(m->pm, stopped, m);
	m->stopping = true;
}

static void on_input(uv_poll_t *h, int status, int ev)
{
	struct mapper *m = h->data;
	char b[256];
	ssize_t n = read(0, b, sizeof b);

	pu_loop_uv_enter(m->loop);
	if (n > 0 && b[0] == 'c') {
		pu_portmap_network_changed(m->pm);
	} else {
		uv_poll_stop(h);
		stop(m);
	}
	pu_loop_uv_leave(m->loop);
}

static void on_term(uv_signal_t *h, int signum)
{
	struct mapper *m = h->data;

	pu_loop_uv_enter(m->loop);
	stop(m);
	pu_loop_uv_leave(m->loop);
}

static size_t parse(char **text, int n, struct pu_portmap_port *out)
{
	size_t count = 0;

	for (int i = 0; i < n && count < PU_PORTMAP_PORTS_MAX; i++)
		if (strlen(text[i]) > 4)
			out[count++] = (struct pu_portmap_port){
				.tcp = strncmp(text[i], "tcp", 3) == 0,
				.port = (uint16_t)atoi(text[i] + 4),
			};
	return count;
}

static int watch(struct mapper *m)
{
	uv_loop_t *uv = pu_loop_uv_of(m->loop);

	m->input.data = m->term.data = m;
	if (uv_poll_init(uv, &m->input, 0) < 0 ||
	    uv_poll_start(&m->input, UV_READABLE, on_input) < 0 || uv_signal_init(uv, &m->term) < 0)
		return PU_ESYS;
	return uv_signal_start(&m->term, on_term, SIGTERM) < 0 ? PU_ESYS : 0;
}

int main(int argc, char **argv)
{
	bool sealed = argc > 1 && strcmp(argv[1], "--sealed") == 0;
	struct pu_portmap_port ports[PU_PORTMAP_PORTS_MAX];
	size_t n = parse(argv + 1 + sealed, argc - 1 - sealed, ports);
	struct mapper m = { 0 };
	int r;

	if (argc == 2 && strcmp(argv[1], "--can") == 0) {
		printf("%s\n", pu_portmap_built_in());
		return 0;
	}
	r = pu_loop_uv_new(&m.driver);
	if (r == 0 && sealed)
		r = pu_platform_drop(NOBODY, NOBODY);
	if (r == 0 && sealed)
		r = pu_platform_seccomp();
	if (r == 0) {
		m.loop = pu_loop_uv_loop(m.driver);
		pu_timer_init(&m.look, m.loop, look, &m);
		r = watch(&m);
	}
	if (r == 0) {
		pu_loop_uv_enter(m.loop);
		r = pu_portmap_start(m.loop, ports, n, &events, &m, &m.pm);
		if (r == 0)
			look(&m);
		pu_loop_uv_leave(m.loop);
	}
	if (r == 0)
		r = pu_loop_uv_run(m.driver);
	if (r < 0) {
		fprintf(stderr, "portmapper: %s\n", pu_err_text(r));
		return 1;
	}
	pu_loop_uv_free(m.driver);
	return 0;
}
