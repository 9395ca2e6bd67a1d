/* Asks a real daemon through the installed library: every call of peerup/client.h once, and
 * what it says when the daemon is gone. The daemon knows nobody but itself, as "me", and ends
 * here. */
#include <peerup/peerup.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(cond)                                                                \
	do {                                                                       \
		if (!(cond)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			exit(1);                                                   \
		}                                                                  \
	} while (0)
#define ANSWERS(want, call)                                                            \
	do {                                                                           \
		int r_ = (call);                                                       \
		if (r_ != (want)) {                                                    \
			fprintf(stderr, "%s:%d: %s: %s: %s\n", __FILE__, __LINE__, #call, \
				peerup_strerror(r_), peerup_client_error(c));          \
			exit(1);                                                       \
		}                                                                      \
	} while (0)

#define STRANGER "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"

static struct peerup_client *c;

static void questions(const char *me)
{
	char id[PEERUP_PEER_TEXT_MAX] = "untouched";
	const char *json = NULL;

	ANSWERS(0, peerup_client_status(c, &json));
	CHECK(json[0] == '{' && strstr(json, me) && peerup_client_http_status(c) == 200);
	ANSWERS(0, peerup_client_peers(c, &json));
	CHECK(json[0] == '[');
	ANSWERS(0, peerup_client_call(c, "GET", "/v1/paths", NULL, &json));
	CHECK(strcmp(json, "[]") == 0);
	ANSWERS(0, peerup_client_call(c, "POST", "/v1/resolve", "{\"name\":\"me\"}", NULL));
	ANSWERS(PEERUP_ENOENT, peerup_client_resolve(c, "no\"body\\", id));
	CHECK(strcmp(id, "untouched") == 0 && peerup_client_http_status(c) == 404);
	CHECK(strstr(peerup_client_error(c), "name not found: no\"body\\"));
	ANSWERS(0, peerup_client_resolve(c, "me", id));
	CHECK(strcmp(id, me) == 0 && peerup_client_error(c)[0] == '\0');
	ANSWERS(PEERUP_EUNREACH, peerup_client_ping(c, STRANGER, 1, 0, &json));
	ANSWERS(PEERUP_EINVAL, peerup_client_ping(c, "nobody", 0, 0, &json));
	ANSWERS(PEERUP_ENOTSUP, peerup_client_call(c, "GET", "/v1/nothing", NULL, &json));
	ANSWERS(PEERUP_EINVAL, peerup_client_call(c, "GET", "/v1/status HTTP/1.0\r\n", NULL, NULL));
	ANSWERS(PEERUP_EINVAL, peerup_client_call(c, "POST", "/v1/resolve", "{", NULL));
}

static void ports(void)
{
	char id[PEERUP_CLIENT_TEXT_MAX], addr[PEERUP_CLIENT_TEXT_MAX];

	ANSWERS(PEERUP_EINVAL, peerup_client_connect(c, "nobody", "ssh", "127.0.0.1:0", id, addr));
	ANSWERS(PEERUP_EUNREACH, peerup_client_connect(c, STRANGER, "ssh", "127.0.0.1:0", id, addr));
	ANSWERS(PEERUP_ENOENT, peerup_client_disconnect(c, "proxy 1?"));
	ANSWERS(PEERUP_EINVAL, peerup_client_disconnect(c, ""));
}

static int stop_at_auth(void *arg, const struct peerup_event *ev)
{
	CHECK(arg == &c && ev->json[0] == '{');
	return strcmp(ev->kind, "auth_change") == 0 ? 7 : 0;
}

/* Another client makes something happen while this one listens. */
static void events(void)
{
	struct peerup_client *other, *mine = c;
	struct peerup_event ev;
	struct pollfd p = { .events = POLLIN };

	ANSWERS(PEERUP_EINVAL, peerup_client_watch(c, "nonsense"));
	ANSWERS(0, peerup_client_watch(c, NULL));
	ANSWERS(PEERUP_EEXIST, peerup_client_watch(c, NULL));
	p.fd = peerup_client_watch_fd(c);
	CHECK(p.fd >= 0);
	ANSWERS(0, peerup_client_open(NULL, &other));
	c = other;
	ANSWERS(0, peerup_client_call(c, "POST", "/v1/auth", "{\"peer_id\":\"" STRANGER "\"}", NULL));
	c = mine;
	do {
		int r = peerup_client_watch_next(c, 0, &ev);

		CHECK(r == 0 || (r == PEERUP_EAGAIN && poll(&p, 1, 20000) == 1));
		if (r < 0)
			ev.kind = "";
	} while (strcmp(ev.kind, "auth_change") != 0);
	CHECK(strstr(ev.json, STRANGER));
	peerup_client_watch_end(c);
	CHECK(peerup_client_watch_fd(c) == -1);
	CHECK(peerup_client_watch_next(c, -1, &ev) == PEERUP_ECLOSED);

	ANSWERS(0, peerup_client_watch(other, "stopping,auth_change"));
	ANSWERS(0, peerup_client_call(c, "DELETE", "/v1/auth/" STRANGER, NULL, NULL));
	while (peerup_client_watch_next(other, 20000, &ev) == 0 && stop_at_auth(&c, &ev) == 0)
		;
	CHECK(strcmp(ev.kind, "auth_change") == 0);
	/* A watch hears the end, too. */
	ANSWERS(0, peerup_client_shutdown(c));
	do
		CHECK(strcmp(ev.kind, "stopping") == 0 || peerup_client_watch_fd(other) >= 0);
	while (peerup_client_watch_next(other, 20000, &ev) == 0);
	CHECK(strcmp(ev.kind, "stopping") == 0 && peerup_client_watch_fd(other) == -1);
	peerup_client_close(other);
}

static void openings(const char *socket_path)
{
	struct peerup_client_options opt = PEERUP_CLIENT_OPTIONS_INIT;
	struct peerup_client *none = NULL;

	opt.socket_path = socket_path;
	CHECK(peerup_client_open(&opt, &none) == PEERUP_EINVAL);
	opt.cookie_path = "/nonexistent/cookie";
	opt.timeout_ms = 5000;
	CHECK(peerup_client_open(&opt, &none) == 0);
	CHECK(peerup_client_status(none, NULL) == PEERUP_ENOENT);
	peerup_client_close(none);
	opt.socket_path = opt.cookie_path = NULL;
	opt.config = "/nonexistent/config.yaml";
	CHECK(peerup_client_open(&opt, &none) == PEERUP_ENOENT);
	opt.config = NULL;
	opt.instance = "not/a/name";
	CHECK(peerup_client_open(&opt, &none) == PEERUP_EINVAL);
	opt.instance = "work";
	CHECK(peerup_client_open(&opt, &none) == PEERUP_ENOENT);
	opt.size--;
	CHECK(peerup_client_open(&opt, &none) == PEERUP_EINVAL);
	peerup_client_close(NULL);
}

int main(int argc, char **argv)
{
	CHECK(argc == 3);
	openings(argv[2]);
	CHECK(peerup_client_open(NULL, &c) == 0);
	questions(argv[1]);
	ports();
	events();
	for (int i = 0; peerup_client_status(c, NULL) != PEERUP_EREFUSED; i++) {
		CHECK(i < 200);
		poll(NULL, 0, 100);
	}
	CHECK(strstr(peerup_client_error(c), "not running"));
	ANSWERS(PEERUP_EREFUSED, peerup_client_events(c, NULL, stop_at_auth, &c));
	peerup_client_close(c);
	puts("the daemon answered");
	return 0;
}
