/* proxy: a local TCP port that leads to a peer's service for as long as the command runs. */
#include <arpa/inet.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/client.h"
#include "cli/local.h"
#include "cli/out.h"
#include "cli/stop_signals.h"
#include "cli/summary.h"
#include "daemon/config_value.h"
#include "daemon/json_text.h"
#include "daemon/oneshot_proxy.h"

struct held {
	struct pu_cli *c;
	const char *peer, *service;
	uint64_t port;
	int signals; /* readable: ^C or SIGTERM */
};

static int show_proxy(const struct held *h, const char *addr)
{
	if (h->c->json)
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
	r = show_proxy(h, pu_summary_text(data, "listen_address", addr));
	json_decref(data);
	if (r == 0 && !hold(h, pid))
		return pu_cli_fail(c, "daemon", "the same command again", "it has ended");
	return take_down(c, &cl, id) ? PU_CLI_FAILED : r;
}

static void on_listening(void *arg, const union pu_sockaddr *local)
{
	char ip[INET_ADDRSTRLEN], addr[sizeof ip + 8];

	inet_ntop(AF_INET, &local->v4.sin_addr, ip, sizeof ip);
	snprintf(addr, sizeof addr, "%s:%u", ip, ntohs(local->v4.sin_port));
	show_proxy(arg, addr);
}

static void on_conn(void *arg, int err, unsigned attempts)
{
	if (err < 0)
		fprintf(stderr, "peerup-vpn: a connection was given up after %u attempt%s: %s\n",
			attempts, attempts == 1 ? "" : "s", pu_err_text(err));
}

/* Without a daemon this process is the node. A peer without ping may have the service all
 * the same; one that is not there now is told before somebody waits for it in vain. */
static int alone(struct pu_cli *c, struct pu_local *l, struct held *h,
		 const struct pu_peerid *peer)
{
	struct pu_oneshot_proxy opt = { .peer = peer, .service = h->service,
					.stop_fd = h->signals, .on_listening = on_listening,
					.on_conn = on_conn, .arg = h };
	struct pu_oneshot_pong pong;
	struct pu_oneshot *o;
	int r = pu_local_oneshot(c, l, "connecting", &o);

	if (r)
		return r;
	pu_oneshot_ping(o, peer, &pong);
	if (pong.err < 0 && pong.err != PU_ENOPROTO) {
		r = pu_cli_fail(c, h->peer, NULL, "cannot reach peer: %s", pong.error);
	} else {
		opt.listen.v4.sin_family = AF_INET;
		opt.listen.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		opt.listen.v4.sin_port = htons((uint16_t)h->port);
		r = pu_oneshot_proxy(o, &opt);
		if (r == PU_EDENIED || r == PU_EINVAL)
			r = pu_cli_misuse(c, h->service, "not the name of a service");
		else if (r < 0)
			r = pu_cli_fail(c, c->arg[2], NULL, "cannot listen there: %s",
					pu_err_text(r));
	}
	pu_oneshot_free(o);
	return r;
}

static int proxy(struct pu_cli *c, struct pu_local *l)
{
	struct held h = { .c = c, .peer = c->arg[0], .service = c->arg[1], .signals = -1 };
	struct pu_peerid peer;
	int r;

	if (pu_config_uint(c->arg[2], &h.port) < 0 || h.port > UINT16_MAX)
		return pu_cli_misuse(c, c->arg[2], "not a port number");
	r = pu_local_resolve(c, l, h.peer, &peer);
	if (r == 0)
		r = pu_stop_signals_hold(c, &h.signals);
	if (r == 0 && pu_client_is_up(&l->paths, NULL))
		r = by_daemon(c, l, &h);
	else if (r == 0)
		r = alone(c, l, &h, &peer);
	if (h.signals >= 0)
		close(h.signals);
	return r;
}

int pu_cmd_proxy(struct pu_cli *c)
{
	return pu_local_run(c, false, proxy);
}
