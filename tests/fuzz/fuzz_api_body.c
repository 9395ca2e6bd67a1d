/* Raw bytes on the control socket, behind a right token: the input is cut into the
 * request line, and the body of a POST to one of the routes. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/loop_uv.h"
#include "daemon/api.h"
#include "daemon/sock.h"
#include "support/fake_ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUTS_PER_API = 16 }; /* unanswered requests fill up the places */

static unsigned n_inputs;
static struct pu_loop_uv *driver;
static struct pu_api *api;
static struct pu_peerid self;
static char sock_path[64], cookie_path[64], cookie[65];

static void give_status(void *arg, struct pu_api_status *out)
{
	out->peer = &self;
}

static int resolve(void *arg, const char *text, struct pu_peerid *peer, bool *pfrom_id)
{
	*peer = self;
	*pfrom_id = false;
	return text[0] == 'h' ? 0 : PU_ENOENT;
}

static bool yes(void *arg)
{
	return true;
}

static struct pu_api_ops ops = FAKE_OPS;

static void stop(void)
{
	pu_api_stop(api);
	pu_loop_uv_free(driver);
}

static void start_api(void)
{
	struct pu_api_options opt = { .version = "1", .socket_path = sock_path,
				      .cookie_path = cookie_path, .ops = &ops };
	char *text;
	size_t len;

	snprintf(sock_path, sizeof sock_path, "/tmp/pu_fuzz_api_%d", (int)getpid());
	snprintf(cookie_path, sizeof cookie_path, "%s.c", sock_path);
	opt.loop = pu_loop_uv_loop(driver);
	ops.status = give_status;
	ops.resolve = resolve;
	ops.gating = yes;
	if (pu_api_start(&opt, &api, NULL) < 0 ||
	    pu_file_read(cookie_path, 64, &text, &len, NULL) < 0)
		abort();
	snprintf(cookie, sizeof cookie, "%s", text);
	free(text);
}

static void start(void)
{
	if (pu_peerid_from_text(&self, "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5") < 0 ||
	    pu_loop_uv_new(&driver) < 0)
		abort();
	start_api();
	atexit(stop);
}

static void turn(void)
{
	uv_run(pu_loop_uv_of(pu_loop_uv_loop(driver)), UV_RUN_NOWAIT);
}

/* Bit 2 says something else. */
static unsigned route_of(uint8_t byte)
{
	unsigned n = (byte & 3) | (byte & 0x18) >> 1;

	return n < 12 ? n : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = { "ping", "resolve", "ping?format=text", "traceroute",
					     "auth", "connect",	"expose",	    "wake",
					     "invites", "join",	"reload",	    "shutdown" };
	char head[256], in[4096];
	int fd, n;

	if (size == 0 || size > 60000)
		return 0;
	if (!driver)
		start();
	if (++n_inputs % INPUTS_PER_API == 0) {
		pu_api_stop(api);
		start_api();
	}
	if (pu_sock_connect(sock_path, &fd) < 0)
		abort();
	fcntl(fd, F_SETFL, O_NONBLOCK);
	n = snprintf(head, sizeof head,
		     "POST /v1/%s HTTP/1.0\r\nAuthorization: Bearer %s\r\n"
		     "Content-Length: %zu\r\n\r\n",
		     paths[route_of(data[0])], cookie, size - 1);
	if (data[0] & 4) /* everything is the client's: no route, no token */
		n = 0;
	if (send(fd, head, (size_t)n, MSG_NOSIGNAL) == n)
		turn();
	if (send(fd, data + 1, size - 1, MSG_NOSIGNAL) >= 0)
		turn();
	shutdown(fd, SHUT_WR);
	for (int i = 0; i < 8; i++) {
		turn();
		if (recv(fd, in, sizeof in, 0) == 0)
			break;
	}
	close(fd);
	turn();
	return 0;
}
