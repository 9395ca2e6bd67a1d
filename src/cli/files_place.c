#include "cli/files_place.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/err.h"
#include "cli/summary.h"
#include "crypto/hash.h"
#include "daemon/hostport.h"
#include "overlay/service.h"

enum { GREETING_MS = 2000, WORD_BYTES = 32 };

void pu_files_place_init(struct pu_files_place *at, const struct pu_local *l)
{
	*at = (struct pu_files_place){ .client = { .paths = &l->paths }, .listener = -1,
				       .daemon = -1 };
}

static void forget(struct pu_files_place *at, const char *route, const char *what)
{
	struct pu_failure why = { .what = "" };
	char path[128];
	json_t *data = NULL;

	snprintf(path, sizeof path, "/v1/%s/%s", route, what);
	pu_client_call(&at->client, "DELETE", path, NULL, &data, &why);
	json_decref(data);
}

void pu_files_place_close(struct pu_files_place *at)
{
	if (at->proxy[0])
		forget(at, "connect", at->proxy);
	if (at->exposed)
		forget(at, "expose", PU_SERVICE_FILES);
	if (at->listener >= 0)
		close(at->listener);
	if (at->daemon >= 0)
		close(at->daemon);
	pu_files_alone_end(&at->alone);
	explicit_bzero(&at->words, sizeof at->words);
}

/* --- sending ------------------------------------------------------------------------ */

static int connect_local(const union pu_sockaddr *sa, int *pfd)
{
	int fd = socket(sa->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sa->sa.sa_family == AF_INET6 ? sizeof sa->v6 : sizeof sa->v4;

	if (fd < 0)
		return PU_ESYS;
	if (connect(fd, &sa->sa, len) < 0) {
		int e = errno;

		close(fd);
		return pu_err_from_errno(e);
	}
	*pfd = fd;
	return 0;
}

static int proxy_of_daemon(struct pu_cli *c, struct pu_files_place *at, const char *target,
			   union pu_sockaddr *sa)
{
	char text[PU_SUMMARY_TEXT_MAX];
	json_t *data;
	int r;

	if (pu_client_call(&at->client, "POST", "/v1/connect",
			   json_pack("{s:s, s:s, s:s}", "peer", target, "service",
				     PU_SERVICE_FILES, "listen", "localhost:0"),
			   &data, &c->why) < 0)
		return PU_CLI_FAILED;
	snprintf(at->proxy, sizeof at->proxy, "%.63s", pu_summary_text(data, "id", text));
	r = pu_hostport_parse(pu_summary_text(data, "listen_address", text), sa);
	json_decref(data);
	return r < 0 ? pu_cli_fail(c, "daemon", NULL, "%s", pu_err_text(PU_EPROTO)) : 0;
}

int pu_files_place_reach(struct pu_cli *c, const struct pu_local *l, const char *target,
			 const struct pu_peerid *peer, struct pu_files_place *at, int *pfd)
{
	union pu_sockaddr sa = { .v4 = { .sin_family = AF_INET } };
	uint16_t port = 0;
	int r;

	if (pu_client_is_up(&l->paths, NULL)) {
		r = proxy_of_daemon(c, at, target, &sa);
		if (r)
			return r;
	} else {
		if (pu_files_alone_reach(&l->paths, peer, &at->alone, &port, &c->why) < 0)
			return PU_CLI_FAILED;
		sa.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		sa.v4.sin_port = htons(port);
	}
	r = connect_local(&sa, pfd);
	return r < 0 ? pu_cli_fail(c, "local port", NULL, "%s", pu_err_text(r)) : 0;
}

/* The daemon tells it as text. */
static int code_of(const char *text)
{
#define X(name, value, what) \
	if (strcmp(text, what) == 0) \
		return value;
	PEERUP_ERROR_MAP(X)
#undef X
	return 0;
}

static int last_error(struct pu_files_place *at)
{
	struct pu_failure why = { .what = "" };
	char text[PU_SUMMARY_TEXT_MAX];
	json_t *list, *o;
	size_t i;
	int err = 0;

	if (at->alone.pid)
		return pu_files_alone_last_error(&at->alone);
	if (pu_client_call(&at->client, "GET", "/v1/connect", NULL, &list, &why) < 0)
		return 0;
	json_array_foreach(list, i, o)
		if (strcmp(pu_summary_text(o, "id", text), at->proxy) == 0)
			err = code_of(pu_summary_text(o, "last_error", text));
	json_decref(list);
	return err;
}

int pu_files_place_explain(struct pu_cli *c, struct pu_files_place *at, const char *target,
			   int err)
{
	int r = last_error(at);

	if (r == PU_ENOPROTO || r == PU_EREFUSED)
		return pu_cli_fail(c, target, "peerup-vpn receive, on that machine",
				   "it does not receive files now");
	if (r == PU_EDENIED)
		return pu_cli_fail(c, target, NULL, "it receives no files from this machine");
	if (r == PU_EUNREACH)
		return pu_cli_fail(c, target, "the same command a little later",
				   "it does not answer: perhaps it receives something else");
	if (r < 0)
		return pu_cli_fail(c, target, NULL, "%s", pu_err_text(r));
	return pu_cli_fail(c, target, "the same command again: it goes on where this one ended",
			   "the connection was lost: %s", pu_err_text(err));
}

/* --- receiving ---------------------------------------------------------------------- */

static int make_words(struct pu_greeting_words *w)
{
	uint8_t random[2 * WORD_BYTES];
	char hello[2 * WORD_BYTES + 1], reply[sizeof hello];

	if (getrandom(random, sizeof random, 0) != sizeof random)
		return PU_ESYS;
	pu_hex_encode(pu_bytes(random, WORD_BYTES), hello, sizeof hello);
	pu_hex_encode(pu_bytes(random + WORD_BYTES, WORD_BYTES), reply, sizeof reply);
	explicit_bzero(random, sizeof random);
	return pu_greeting_words_set(w, hello, reply);
}

static int listen_local(struct pu_files_place *at, char text[PU_HOSTPORT_TEXT_MAX])
{
	union pu_sockaddr sa = { .v4 = { .sin_family = AF_INET } };
	socklen_t len = sizeof sa.v4;

	sa.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (at->listener < 0 || bind(at->listener, &sa.sa, len) < 0 ||
	    listen(at->listener, SOMAXCONN) < 0 || getsockname(at->listener, &sa.sa, &len) < 0)
		return pu_err_from_errno(errno);
	pu_hostport_text(&sa, text);
	return 0;
}

/* What a `receive` that was killed left in the daemon is taken back; one that lives is not. */
static int make_way(struct pu_cli *c, struct pu_files_place *at)
{
	char text[PU_SUMMARY_TEXT_MAX];
	union pu_sockaddr sa;
	json_t *list, *o;
	int fd, r = 0;
	size_t i;

	if (pu_client_call(&at->client, "GET", "/v1/services", NULL, &list, &c->why) < 0)
		return PU_CLI_FAILED;
	json_array_foreach(list, i, o) {
		if (strcmp(pu_summary_text(o, "name", text), PU_SERVICE_FILES) != 0)
			continue;
		r = pu_hostport_parse(pu_summary_text(o, "local_address", text), &sa);
		if (r == 0)
			r = connect_local(&sa, &fd);
		if (r == 0)
			close(fd);
		if (r < 0)
			forget(at, "expose", PU_SERVICE_FILES);
		r = r < 0 ? 0 : pu_cli_fail(c, "receive", NULL,
					    "it runs already, for this daemon");
	}
	json_decref(list);
	return r;
}

static int expose_by_daemon(struct pu_cli *c, struct pu_files_place *at,
			    const struct pu_api_expose *e)
{
	json_t *peers = e->peers ? json_array() : NULL, *data = NULL;
	char id[PU_PEERID_TEXT_MAX];
	int r = make_way(c, at);

	for (size_t i = 0; i < e->n_peers; i++)
		json_array_append_new(peers, json_string(pu_peerid_text(&e->peers[i], id)));
	if (r) {
		json_decref(peers);
		return r;
	}
	r = pu_client_call(&at->client, "POST", "/v1/expose",
			   json_pack("{s:s, s:s, s:s, s:s, s:o*}", "name", e->name,
				     "local_address", e->local_address, "hello",
				     e->greeting->hello, "reply", e->greeting->reply, "peers",
				     peers),
			   &data, &c->why);
	json_decref(data);
	if (r < 0)
		return PU_CLI_FAILED;
	at->exposed = true;
	return 0;
}

int pu_files_place_open(struct pu_cli *c, const struct pu_local *l,
			const struct pu_peerid *peers, size_t n, struct pu_files_place *at)
{
	char local[PU_HOSTPORT_TEXT_MAX];
	const struct pu_api_expose e = { .name = PU_SERVICE_FILES, .local_address = local,
					 .peers = n ? peers : NULL, .n_peers = n,
					 .greeting = &at->words };
	int pid, r = listen_local(at, local);

	if (r == 0)
		r = make_words(&at->words);
	if (r < 0)
		return pu_cli_fail(c, "local port", NULL, "%s", pu_err_text(r));
	if (!pu_client_is_up(&l->paths, &pid))
		return pu_files_alone_expose(&l->paths, &e, &at->alone, &c->why) < 0 ?
			       PU_CLI_FAILED :
			       0;
	at->daemon = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	return expose_by_daemon(c, at, &e);
}

/* A line without its LF, soon. */
static int read_line(int fd, char *line, size_t cap)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;

	while (n < cap) {
		if (poll(&p, 1, GREETING_MS) <= 0 || read(fd, line + n, 1) != 1)
			return PU_ECLOSED;
		if (line[n] == '\n') {
			line[n] = '\0';
			return 0;
		}
		n++;
	}
	return PU_EPROTO;
}

/* Is it the daemon? Then it says who comes, and hears that we are the right ones. */
static int greet(const struct pu_files_place *at, int fd, struct pu_peerid *sender)
{
	char line[PU_GREETING_WORD_MAX + PU_PEERID_TEXT_MAX + 2];
	char reply[PU_GREETING_WORD_MAX + 2];
	size_t len = strlen(at->words.hello), n;
	int r = read_line(fd, line, sizeof line);

	if (r < 0)
		return r;
	if (strlen(line) <= len || line[len] != ' ' || !pu_equal(line, at->words.hello, len))
		return PU_EDENIED;
	r = pu_peerid_from_text(sender, line + len + 1);
	if (r < 0)
		return r;
	n = (size_t)snprintf(reply, sizeof reply, "%s\n", at->words.reply);
	r = send(fd, reply, n, MSG_NOSIGNAL) == (ssize_t)n ? 0 : PU_ERESET;
	explicit_bzero(reply, sizeof reply);
	return r;
}

int pu_files_place_accept(struct pu_files_place *at, int stop_fd, struct pu_peerid *sender,
			  int *pfd)
{
	struct pollfd p[] = { { .fd = at->listener, .events = POLLIN },
			      { .fd = stop_fd, .events = POLLIN },
			      { .fd = at->daemon, .events = POLLIN },
			      { .fd = at->alone.pid ? at->alone.reports : -1, .events = POLLIN } };
	int fd;

	for (;;) {
		if (poll(p, PU_ARRAY_LEN(p), -1) < 0)
			continue;
		if (p[1].revents)
			return PU_ECANCELED;
		if (p[2].revents || p[3].revents)
			return PU_ECLOSED;
		fd = accept4(at->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		if (greet(at, fd, sender) == 0) {
			*pfd = fd;
			return 0;
		}
		close(fd);
	}
}
