/* proxy: a local TCP port that leads to a peer's service for as long as the command runs. */
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/client.h"
#include "cli/local.h"
#include "cli/out.h"
#include "cli/summary.h"
#include "daemon/config_value.h"
#include "daemon/json_text.h"

struct held {
	const char *peer, *service;
	uint64_t port;
	int signals; /* readable: ^C or SIGTERM */
};

/* From here on both wait in h->signals: whenever they come, the proxy is taken down again. */
static int hold_signals(struct pu_cli *c, struct held *h)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
		h->signals = signalfd(-1, &set, SFD_CLOEXEC);
	return h->signals < 0 ? pu_cli_fail(c, "signals", NULL, "%s", pu_err_text(PU_ESYS)) : 0;
}

static int show_proxy(const struct pu_cli *c, const struct held *h, const char *addr)
{
	if (c->json)
		return pu_out_json(json_pack("{s:o, s:o, s:o}", "peer", pu_json_text(h->peer),
					     "service", pu_json_text(h->service),
					     "listen_address", pu_json_text(addr)));
	printf("Proxy: %s -> %s:%s\nStop with ^C.\n", addr, h->peer, h->service);
	return fflush(stdout) == 0 ? 0 : PU_CLI_FAILED;
}

/* True: a signal asked us to end; false: the daemon has ended. */
static bool hold(const struct held *h, int daemon_pid)
{
	int pidfd = daemon_pid > 0 ? (int)syscall(SYS_pidfd_open, daemon_pid, 0) : -1;
	struct pollfd p[] = { { .fd = h->signals, .events = POLLIN },
			      { .fd = pidfd, .events = POLLIN } };

	while (poll(p, PU_ARRAY_LEN(p), -1) < 0)
		;
	if (pidfd >= 0)
		close(pidfd);
	return p[0].revents != 0;
}

static int take_down(struct pu_cli *c, struct pu_client *cl, const char *id)
{
	char path[PU_ASK_PATH_MAX] = "/v1/connect/";
	size_t n = strlen(path);
	json_t *data = NULL;
	int r = pu_ask_escape(id, path + n, sizeof path - n);

	if (r == 0)
		r = pu_client_call(cl, "DELETE", path, NULL, &data, &c->why);
	json_decref(data);
	return r < 0 ? pu_cli_fail(c, id, NULL, "%s", pu_err_text(r)) : PU_CLI_OK;
}

static int by_daemon(struct pu_cli *c, struct pu_local *l, const struct held *h)
{
	struct pu_client cl = { .paths = &l->paths };
	char listen[32], id[PU_SUMMARY_TEXT_MAX], addr[PU_SUMMARY_TEXT_MAX];
	json_t *data;
	int pid = 0, r;

	snprintf(listen, sizeof listen, "localhost:%u", (unsigned)h->port);
	pu_client_is_up(&l->paths, &pid);
	if (pu_client_call(&cl, "POST", "/v1/connect",
			   json_pack("{s:s, s:s, s:s}", "peer", h->peer, "service", h->service,
				     "listen", listen),
			   &data, &c->why) < 0)
		return PU_CLI_FAILED;
	pu_summary_text(data, "id", id);
	r = show_proxy(c, h, pu_summary_text(data, "listen_address", addr));
	json_decref(data);
	if (r == 0 && !hold(h, pid))
		return pu_cli_fail(c, "daemon", "the same command again", "it has ended");
	return take_down(c, &cl, id) ? PU_CLI_FAILED : r;
}

static int proxy(struct pu_cli *c, struct pu_local *l)
{
	struct held h = { .peer = c->arg[0], .service = c->arg[1], .signals = -1 };
	struct pu_peerid peer;
	int r;

	if (pu_config_uint(c->arg[2], &h.port) < 0 || h.port > UINT16_MAX)
		return pu_cli_misuse(c, c->arg[2], "not a port number");
	r = pu_local_resolve(c, l, h.peer, &peer);
	if (r == 0)
		r = hold_signals(c, &h);
	if (r == 0)
		r = by_daemon(c, l, &h);
	if (h.signals >= 0)
		close(h.signals);
	return r;
}

int pu_cmd_proxy(struct pu_cli *c)
{
	return pu_local_run(c, false, proxy);
}
