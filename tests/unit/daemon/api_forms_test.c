/* What the control API says, to the byte: JSON and text of every list, every answer of a
 * change, every error of the reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <unistd.h>

#include "base/err.h"
#include "overlay/greeting.h"
#include "overlay/service.h"
#include "support/api_client.h"

#define ID1 API_ID1
#define SHORT1 "12D3KooWK99VoVxN..."

static struct {
	struct api_lab lab;
	bool gating;
	int result;               /* of the op that is called */
	struct pu_failure failure; /* and its text */
	struct pu_api_new_member added;
	int n_exposed_to; /* -1: everybody */
	char hello[PU_GREETING_WORD_MAX + 1];
	char comment[64], name[80], local[80], listen[80], service[80], target[80];
	unsigned n_calls, n_canceled;
	uint64_t disconnected;
	/* The connect that waits. */
	pu_api_connected_fn *on_done;
	void *done_arg;
} t;

static int resolve(void *arg, const char *text, struct pu_peerid *peer, bool *pfrom_id)
{
	*peer = t.lab.self;
	*pfrom_id = strcmp(text, ID1) == 0;
	return *pfrom_id || strcmp(text, "home") == 0 ? 0 : PU_ENOENT;
}

static int fails(struct pu_failure *why)
{
	t.n_calls++;
	if (t.result < 0)
		*why = t.failure;
	return t.result;
}

static bool gating(void *arg)
{
	return t.gating;
}

static int each_member(void *arg, pu_api_member_fn *fn, void *fn_arg, struct pu_failure *why)
{
	struct pu_member m = { .peer = t.lab.self, .expires = PU_MEMBER_NO_EXPIRY, .comment = "",
			       .verified = "", .group = "" };

	if (fails(why) < 0)
		return t.result;
	fn(fn_arg, &m);
	m.comment = "home <a & b>";
	m.verified = "sha256:a1b2c3d4";
	m.group = "g1";
	m.access = PU_ACCESS_NETWORK;
	m.expires = 1700000000;
	fn(fn_arg, &m);
	return 0;
}

static int member_add(void *arg, const struct pu_api_new_member *m, struct pu_failure *why)
{
	t.added = *m;
	snprintf(t.comment, sizeof t.comment, "%s", m->comment ? m->comment : "none");
	return fails(why);
}

static int member_remove(void *arg, const struct pu_peerid *peer, struct pu_failure *why)
{
	assert_true(pu_peerid_eq(peer, &t.lab.self));
	return fails(why);
}

static void each_offered(void *arg, pu_api_offered_fn *fn, void *fn_arg)
{
	fn(fn_arg, &(struct pu_api_offered){ "ssh", "/peerup/ssh/1.0.0", "localhost:22", true, false,
					     22, 1, 7, 2 });
	fn(fn_arg, &(struct pu_api_offered){ "web", "/peerup/web/1.0.0", "[::1]:80", false, true });
}

static int expose(void *arg, const struct pu_api_expose *e, struct pu_failure *why)
{
	snprintf(t.name, sizeof t.name, "%s", e->name);
	snprintf(t.local, sizeof t.local, "%s", e->local_address);
	t.n_exposed_to = e->peers ? (int)e->n_peers : -1;
	snprintf(t.hello, sizeof t.hello, "%s", e->greeting ? e->greeting->hello : "");
	return fails(why);
}

static int unexpose(void *arg, const char *name)
{
	return strcmp(name, "ssh") == 0 ? 0 : PU_ENOENT;
}

static int each_peer_service(void *arg, const struct pu_peerid *peer, pu_api_service_fn *fn,
			     void *fn_arg)
{
	if (t.result < 0)
		return t.result;
	fn(fn_arg, &(struct pu_api_service){ "ssh", 22 });
	fn(fn_arg, &(struct pu_api_service){ "files", 0 });
	return 0;
}

static int start_connect(void *arg, const struct pu_api_connect *c, pu_api_connected_fn *on_done,
			 void *done_arg, uint64_t *pid)
{
	t.n_calls++;
	snprintf(t.target, sizeof t.target, "%s", c->target);
	snprintf(t.service, sizeof t.service, "%s", c->service);
	snprintf(t.listen, sizeof t.listen, "%s", c->listen);
	t.on_done = on_done;
	t.done_arg = done_arg;
	*pid = 9;
	return t.result;
}

static void connect_cancel(void *arg, uint64_t id)
{
	assert_int_equal(id, 9);
	t.n_canceled++;
}

static int disconnect(void *arg, uint64_t id)
{
	t.disconnected = id;
	return id == 7 ? 0 : PU_ENOENT;
}

static void each_proxy(void *arg, pu_api_proxy_fn *fn, void *fn_arg)
{
	fn(fn_arg, &(struct pu_api_proxy){ 7, t.lab.self, "home", "ssh", "127.0.0.1:2222", 1, 5, 2,
					   "timed out" });
}

static void vpn_status(void *arg, struct pu_api_status *out)
{
	out->peer = &t.lab.self;
	out->vpn = (struct pu_api_vpn){ true, "peerup0", "10.64.1.2", "fd70::1", "10.64.0.0/16",
					"fd70::/48", 1400, "resolved", "10.64.0.53", "p2p" };
}

static void each_vpn_route(void *arg, pu_api_vpn_route_fn *fn, void *fn_arg)
{
	fn(fn_arg, &(struct pu_api_vpn_route){ "192.168.1.0/24", t.lab.self, "home", true, true });
	fn(fn_arg, &(struct pu_api_vpn_route){ "10.9.0.0/16", t.lab.self, NULL, false, true });
}

static int set_up(void **state)
{
	struct pu_api_ops *ops = &t.lab.ops;

	memset(&t, 0, sizeof t);
	t.gating = true;
	api_lab_start(&t.lab);
	ops->resolve = resolve;
	ops->gating = gating;
	ops->each_member = each_member;
	ops->member_add = member_add;
	ops->member_remove = member_remove;
	ops->each_offered = each_offered;
	ops->expose = expose;
	ops->unexpose = unexpose;
	ops->each_peer_service = each_peer_service;
	ops->connect = start_connect;
	ops->connect_cancel = connect_cancel;
	ops->disconnect = disconnect;
	ops->each_proxy = each_proxy;
	ops->each_vpn_route = each_vpn_route;
	return 0;
}

static int tear_down(void **state)
{
	api_lab_stop(&t.lab);
	return 0;
}

static const char *get(const char *path)
{
	return api_ask(&t.lab, "GET", path, "");
}

static const char *post(const char *path, const char *body)
{
	return api_ask(&t.lab, "POST", path, body);
}

static const char *del(const char *path)
{
	return api_ask(&t.lab, "DELETE", path, "");
}

static void fail_with(int err, const char *what, const char *why)
{
	t.result = err;
	t.failure = (struct pu_failure){ .what = "" };
	pu_failure_set(&t.failure, err, what, NULL, "%s", why);
}

/* --- members ------------------------------------------------------------------------- */

static void members_are_listed(void **state)
{
	api_assert_body(get("/v1/auth"), "200",
			"{\"data\":[{\"peer_id\":\"" ID1 "\",\"access\":\"services\","
			"\"expired\":false},{\"peer_id\":\"" ID1 "\",\"comment\":\"home \\u003ca "
			"\\u0026 b\\u003e\",\"verified\":\"sha256:a1b2c3d4\",\"expires_at\":"
			"\"2023-11-14T22:13:20Z\",\"group\":\"g1\",\"access\":\"network\","
			"\"expired\":true}]}\n");
	api_assert_body(get("/v1/auth?format=text"), "200",
			ID1 "\n" ID1 "\t# home <a & b>\n");
	fail_with(PU_EIO, "/x/authorized_keys", "input/output error");
	api_assert_body(get("/v1/auth"), "500",
			"{\"error\":\"/x/authorized_keys: input/output error\"}\n");
	/* An error is JSON even when text was wanted. */
	api_assert_body(get("/v1/auth?format=text"), "500",
			"{\"error\":\"/x/authorized_keys: input/output error\"}\n");
}

static void without_gating_there_are_no_members(void **state)
{
	t.gating = false;
	api_assert_body(get("/v1/auth"), "200", "{\"data\":[]}\n");
	api_assert_body(get("/v1/auth?format=text"), "200", "");
	api_assert_body(post("/v1/auth", "{\"peer_id\":\"" ID1 "\"}"), "400",
			"{\"error\":\"connection gating is not enabled\"}\n");
	api_assert_body(del("/v1/auth/" ID1), "400",
			"{\"error\":\"connection gating is not enabled\"}\n");
	assert_int_equal(t.n_calls, 0);
}

static void a_member_is_added_as_asked(void **state)
{
	api_assert_body(post("/v1/auth", "{\"peer_id\":\"" ID1 "\"}"), "200",
			"{\"data\":{\"status\":\"added\"}}\n");
	assert_true(pu_peerid_eq(&t.added.peer, &t.lab.self));
	assert_int_equal(t.added.access, PU_ACCESS_SERVICES);
	assert_true(t.added.expires == PU_MEMBER_NO_EXPIRY);
	assert_string_equal(t.comment, "none");
	api_assert_body(post("/v1/auth", "{\"peer_id\":\"" ID1 "\",\"comment\":\"a friend\","
					 "\"access\":\"network\",\"expires_at\":"
					 "\"2100-01-01T00:00:00Z\"}"),
			"200", "{\"data\":{\"status\":\"added\"}}\n");
	assert_int_equal(t.added.access, PU_ACCESS_NETWORK);
	assert_true(t.added.expires == 4102444800);
	assert_string_equal(t.comment, "a friend");
}

static void a_member_that_cannot_be_added_is_refused(void **state)
{
	static const struct {
		const char *body, *status, *answer;
	} cases[] = {
		{ "{}", "400", "{\"error\":\"peer_id is required\"}\n" },
		{ "null", "400", "{\"error\":\"peer_id is required\"}\n" },
		{ "{\"peer_id\":null}", "400", "{\"error\":\"peer_id is required\"}\n" },
		{ "{\"peer_id\":7}", "400", "{\"error\":\"invalid request body\"}\n" },
		{ "{\"peer_id\":\"" ID1 "\",\"comment\":[]}", "400",
		  "{\"error\":\"invalid request body\"}\n" },
		{ "{\"peer_id\":\"home\"}", "500", "{\"error\":\"invalid peer ID: home\"}\n" },
		{ "{\"peer_id\":\"" ID1 "\",\"access\":\"all\"}", "400",
		  "{\"error\":\"access must be services or network\"}\n" },
		{ "{\"peer_id\":\"" ID1 "\",\"expires_at\":\"tomorrow\"}", "400",
		  "{\"error\":\"expires_at must be a time like 2030-01-31T12:00:00Z\"}\n" },
		{ "{\"peer_id\":\"" ID1 "\",\"expires_at\":\"2001-01-01T00:00:00Z\"}", "400",
		  "{\"error\":\"expires_at is in the past\"}\n" },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++)
		api_assert_body(post("/v1/auth", cases[i].body), cases[i].status, cases[i].answer);
	assert_int_equal(t.n_calls, 0);
	fail_with(PU_EEXIST, "f", "exists");
	api_assert_body(post("/v1/auth", "{\"peer_id\":\"" ID1 "\"}"), "500",
			"{\"error\":\"peer already authorized: " SHORT1 "\"}\n");
	fail_with(PU_EIO, "/x/authorized_keys", "no space left on device");
	api_assert_body(post("/v1/auth", "{\"peer_id\":\"" ID1 "\"}"), "500",
			"{\"error\":\"/x/authorized_keys: no space left on device\"}\n");
}

static void a_member_is_removed(void **state)
{
	api_assert_body(del("/v1/auth/" ID1), "200", "{\"data\":{\"status\":\"removed\"}}\n");
	fail_with(PU_ENOENT, "f", "none");
	api_assert_body(del("/v1/auth/" ID1), "500",
			"{\"error\":\"peer not found: " SHORT1 "\"}\n");
	api_assert_body(del("/v1/auth/home"), "500", "{\"error\":\"invalid peer ID: home\"}\n");
}

/* --- services ------------------------------------------------------------------------ */

static void services_are_listed(void **state)
{
	api_assert_body(get("/v1/services"), "200",
			"{\"data\":[{\"name\":\"ssh\",\"protocol\":\"/peerup/ssh/1.0.0\","
			"\"local_address\":\"localhost:22\",\"enabled\":true,\"port\":22,"
			"\"temporary\":false,\"active_connections\":1,\"connections\":7,"
			"\"refused\":2},{\"name\":\"web\",\"protocol\":\"/peerup/web/1.0.0\","
			"\"local_address\":\"[::1]:80\",\"enabled\":false,\"temporary\":true,"
			"\"active_connections\":0,\"connections\":0,\"refused\":0}]}\n");
	api_assert_body(get("/v1/services?format=text"), "200",
			"ssh\tlocalhost:22\t/peerup/ssh/1.0.0\tenabled\n"
			"web\t[::1]:80\t/peerup/web/1.0.0\tdisabled\n");
}

static void services_of_a_peer_are_listed(void **state)
{
	api_assert_body(get("/v1/peers/home/services"), "200",
			"{\"data\":[{\"name\":\"ssh\",\"protocol\":\"/peerup/ssh/1.0.0\",\"port\":22},"
			"{\"name\":\"files\",\"protocol\":\"/peerup/files/1.0.0\"}]}\n");
	api_assert_body(get("/v1/peers/" ID1 "/services?format=text"), "200",
			"ssh\t22\t/peerup/ssh/1.0.0\nfiles\t-\t/peerup/files/1.0.0\n");
	api_assert_body(get("/v1/peers/x/services"), "404", "{\"error\":\"name not found: x\"}\n");
	t.result = PU_ENOENT;
	api_assert_body(get("/v1/peers/home/services?format=text"), "404",
			"{\"error\":\"nothing is known about home\"}\n");
}

static void a_service_may_be_for_some_and_with_greeting(void **state)
{
	api_assert_body(post("/v1/expose", "{\"name\":\"files\",\"local_address\":\"localhost:22\","
					   "\"peers\":[\"home\",\"" ID1 "\"],"
					   "\"hello\":\"0123456789abcdef\","
					   "\"reply\":\"fedcba9876543210\"}"),
			"200", "{\"data\":{\"status\":\"exposed\"}}\n");
	assert_int_equal(t.n_exposed_to, 2);
	assert_string_equal(t.hello, "0123456789abcdef");
	/* Nobody at all is not everybody. */
	api_assert_body(post("/v1/expose", "{\"name\":\"x\",\"local_address\":\"localhost:22\","
					   "\"peers\":[]}"),
			"200", "{\"data\":{\"status\":\"exposed\"}}\n");
	assert_int_equal(t.n_exposed_to, 0);
	assert_string_equal(t.hello, "");
	t.n_calls = 0;
	api_assert_body(post("/v1/expose", "{\"name\":\"x\",\"local_address\":\"localhost:22\","
					   "\"peers\":[\"nobody\"]}"),
			"400", "{\"error\":\"cannot resolve peer \\\"nobody\\\"\"}\n");
	api_assert_body(post("/v1/expose", "{\"name\":\"x\",\"local_address\":\"localhost:22\","
					   "\"peers\":[7]}"),
			"400", "{\"error\":\"cannot resolve peer \\\"\\\"\"}\n");
	api_assert_body(post("/v1/expose", "{\"name\":\"x\",\"local_address\":\"localhost:22\","
					   "\"hello\":\"0123456789abcdef\"}"),
			"400", "{\"error\":\"hello and reply go together, 16 to 128 letters and "
			       "digits each\"}\n");
	api_assert_body(post("/v1/expose", "{\"name\":\"x\",\"local_address\":\"localhost:22\","
					   "\"hello\":\"0123456789abcde\\n\","
					   "\"reply\":\"fedcba9876543210\"}"),
			"400", "{\"error\":\"hello and reply go together, 16 to 128 letters and "
			       "digits each\"}\n");
	assert_int_equal(t.n_calls, 0);
}

static void a_service_is_exposed_and_taken_back(void **state)
{
	api_assert_body(post("/v1/expose", "{\"name\":\"ssh\",\"local_address\":\"localhost:22\"}"),
			"200", "{\"data\":{\"status\":\"exposed\"}}\n");
	assert_string_equal(t.name, "ssh");
	assert_string_equal(t.local, "localhost:22");
	api_assert_body(post("/v1/expose", "{\"name\":\"ssh\"}"), "400",
			"{\"error\":\"name and local_address are required\"}\n");
	fail_with(PU_EEXIST, NULL, "service already registered: ssh");
	api_assert_body(post("/v1/expose", "{\"name\":\"ssh\",\"local_address\":\":22\"}"), "500",
			"{\"error\":\"service already registered: ssh\"}\n");
	api_assert_body(del("/v1/expose/ssh"), "200", "{\"data\":{\"status\":\"unexposed\"}}\n");
	api_assert_body(del("/v1/expose/web"), "404", "{\"error\":\"service not found: web\"}\n");
	api_assert_body(del("/v1/expose/Web"), "404",
			"{\"error\":\"invalid service name: \\\"Web\\\" " PU_SERVICE_NAME_RULE
			"\"}\n");
}

/* --- proxies ------------------------------------------------------------------------- */

#define HOME_SSH "{\"peer\":\"home\",\"service\":\"ssh\",\"listen\":\"localhost:0\"}"

static void finish(const struct pu_api_connected *r)
{
	assert_non_null(t.on_done);
	pu_loop_uv_enter(api_lab_loop(&t.lab));
	t.on_done(t.done_arg, r);
	t.on_done = NULL;
	pu_loop_uv_leave(api_lab_loop(&t.lab));
}

static const char *connect_and(const struct pu_api_connected *r)
{
	static char request[1024];
	const char *answer;
	int fd = api_connect(&t.lab);

	api_request(&t.lab, request, sizeof request, "POST", "/v1/connect", "", HOME_SSH);
	api_send(&t.lab, fd, request, strlen(request), 1000);
	assert_string_equal(api_receive(&t.lab, fd), "");
	finish(r);
	answer = api_receive(&t.lab, fd);
	close(fd);
	return answer;
}

static void a_proxy_is_answered_when_its_peer_is_there(void **state)
{
	api_assert_body(connect_and(&(struct pu_api_connected){ .id = 7,
								 .listen = "127.0.0.1:2222" }),
			"200",
			"{\"data\":{\"id\":\"proxy-7\",\"listen_address\":\"127.0.0.1:2222\"}}\n");
	assert_string_equal(t.target, "home");
	assert_string_equal(t.service, "ssh");
	assert_string_equal(t.listen, "localhost:0");
	api_assert_body(connect_and(&(struct pu_api_connected){ .err = PU_EUNREACH,
								 .unreachable = true,
								 .why = "no address is known" }),
			"502", "{\"error\":\"cannot reach peer \\\"home\\\": no address is known\"}\n");
	api_assert_body(connect_and(&(struct pu_api_connected){ .err = PU_EADDRINUSE,
								 .why = "127.0.0.1:22: in use" }),
			"500", "{\"error\":\"failed to create listener: 127.0.0.1:22: in use\"}\n");
	assert_int_equal(t.n_canceled, 0);
}

static void a_proxy_that_makes_no_sense_is_refused(void **state)
{
	api_assert_body(post("/v1/connect", "{\"peer\":\"home\",\"service\":\"ssh\"}"), "400",
			"{\"error\":\"peer, service, and listen are required\"}\n");
	api_assert_body(post("/v1/connect", "{\"peer\":\"a\\\"b\",\"service\":\"ssh\","
					    "\"listen\":\":0\"}"),
			"400",
			"{\"error\":\"cannot resolve peer \\\"a\\\\\\\"b\\\": name not found: "
			"a\\\"b\"}\n");
	api_assert_body(post("/v1/connect", "{\"peer\":\"home\",\"service\":\"a/b\","
					    "\"listen\":\":0\"}"),
			"400",
			"{\"error\":\"invalid service name: \\\"a/b\\\" " PU_SERVICE_NAME_RULE
			"\"}\n");
	assert_int_equal(t.n_calls, 0);
	t.result = PU_EINVAL;
	api_assert_body(post("/v1/connect", HOME_SSH), "500",
			"{\"error\":\"failed to create listener: \\\"localhost:0\\\" is not "
			"host:port\"}\n");
}

static bool canceled(void *arg)
{
	return t.n_canceled > 0;
}

static void a_client_that_leaves_wants_no_proxy(void **state)
{
	static char request[1024];
	int fd = api_connect(&t.lab);

	api_request(&t.lab, request, sizeof request, "POST", "/v1/connect", "", HOME_SSH);
	api_send(&t.lab, fd, request, strlen(request), 1000);
	api_receive(&t.lab, fd);
	close(fd);
	assert_true(api_lab_wait(&t.lab, canceled, NULL));
}

static void stopping_ends_requests_for_proxies(void **state)
{
	static char request[1024];
	int fd = api_connect(&t.lab);

	api_request(&t.lab, request, sizeof request, "POST", "/v1/connect", "", HOME_SSH);
	api_send(&t.lab, fd, request, strlen(request), 1000);
	api_receive(&t.lab, fd);
	pu_api_stop(t.lab.api);
	t.lab.api = NULL;
	assert_int_equal(t.n_canceled, 1);
	close(fd);
}

static void proxies_are_listed_and_taken_back(void **state)
{
	static const char *const wrong[] = { "proxy-8", "proxy-07", "proxy-", "proxy-x", "7", "-7",
					     "proxy-7x", "proxy-99999999999999999999999" };
	char path[128], expected[128];

	api_assert_body(get("/v1/connect"), "200",
			"{\"data\":[{\"id\":\"proxy-7\",\"peer\":\"home\",\"peer_id\":\"" ID1
			"\",\"service\":\"ssh\",\"listen_address\":\"127.0.0.1:2222\","
			"\"active_connections\":1,\"connections\":5,\"failed\":2,"
			"\"last_error\":\"timed out\"}]}\n");
	api_assert_body(get("/v1/connect?format=text"), "200",
			"proxy-7\t127.0.0.1:2222\thome\tssh\n");
	api_assert_body(del("/v1/connect/proxy-7"), "200",
			"{\"data\":{\"status\":\"disconnected\"}}\n");
	for (size_t i = 0; i < PU_ARRAY_LEN(wrong); i++) {
		snprintf(path, sizeof path, "/v1/connect/%s", wrong[i]);
		snprintf(expected, sizeof expected, "{\"error\":\"proxy not found: %s\"}\n",
			 wrong[i]);
		api_assert_body(del(path), "404", expected);
	}
}

/* --- the rest ------------------------------------------------------------------------ */

static void the_device_is_shown(void **state)
{
	t.lab.ops.status = vpn_status;
	api_assert_body(get("/v1/vpn"), "200",
			"{\"data\":{\"up\":true,\"interface\":\"peerup0\",\"ipv4\":\"10.64.1.2\","
			"\"ipv6\":\"fd70::1\",\"subnet\":\"10.64.0.0/16\",\"ipv6_prefix\":"
			"\"fd70::/48\",\"mtu\":1400,\"dns\":{\"method\":\"resolved\",\"server\":"
			"\"10.64.0.53\",\"suffix\":\"p2p\"},\"routes\":[{\"prefix\":"
			"\"192.168.1.0/24\",\"peer_id\":\"" ID1 "\",\"name\":\"home\",\"in_use\":true,"
			"\"offered\":true},{\"prefix\":\"10.9.0.0/16\",\"peer_id\":\"" ID1
			"\",\"in_use\":false,\"offered\":true}]}}\n");
	api_assert_body(get("/v1/vpn?format=text"), "200",
			"up: true\ninterface: peerup0\nipv4: 10.64.1.2\nipv6: fd70::1\n"
			"subnet: 10.64.0.0/16\nipv6_prefix: fd70::/48\nmtu: 1400\ndns: resolved\n"
			"dns_server: 10.64.0.53\ndns_suffix: p2p\nroutes:\n"
			"  192.168.1.0/24\thome\tin use, offered\n"
			"  10.9.0.0/16\t" SHORT1 "\toffered\n");
}

static void names_are_resolved(void **state)
{
	api_assert_body(post("/v1/resolve", "{\"name\":\"home\"}"), "200",
			"{\"data\":{\"name\":\"home\",\"peer_id\":\"" ID1
			"\",\"source\":\"local_config\"}}\n");
	api_assert_body(post("/v1/resolve?format=text", "{\"name\":\"" ID1 "\"}"), "200",
			ID1 " \u2192 " ID1 " (source: peer_id)\n");
	api_assert_body(post("/v1/resolve", "{\"name\":\"x\\ty\"}"), "404",
			"{\"error\":\"cannot resolve \\\"x\\\\ty\\\": name not found: x\\ty\"}\n");
	api_assert_body(post("/v1/resolve", "{\"name\":\"\"}"), "400",
			"{\"error\":\"name is required\"}\n");
	api_assert_body(post("/v1/resolve", "{\"name\":7}"), "400",
			"{\"error\":\"invalid request body\"}\n");
}

static void text_is_chosen_by_query_or_by_accept(void **state)
{
	static const char text[] = "proxy-7\t127.0.0.1:2222\thome\tssh\n";

	api_assert_body(api_ask_with(&t.lab, "GET", "/v1/connect", "Accept: text/plain\r\n", ""),
			"200", text);
	api_assert_body(api_ask_with(&t.lab, "GET", "/v1/connect",
				     "Accept: text/html, text/plain;q=0.5\r\n", ""),
			"200", text);
	/* Either is enough. */
	api_assert_body(api_ask_with(&t.lab, "GET", "/v1/connect?format=json",
				     "Accept: text/plain\r\n", ""),
			"200", text);
	api_assert_answer(api_ask_with(&t.lab, "GET", "/v1/connect", "Accept: */*\r\n", ""), "200",
			  "Content-Type: application/json\r\n");
	/* Routes without a text form have none. */
	api_assert_answer(api_ask(&t.lab, "DELETE", "/v1/connect/proxy-7?format=text", ""), "200",
			  "{\"data\":");
}

static void strange_requests_are_answered_as_go_does(void **state)
{
	api_assert_answer(get("/v1/nothing"), "404", "Content-Type: text/plain; charset=utf-8\r\n");
	api_assert_answer(get("/v1/nothing"), "404", "X-Content-Type-Options: nosniff\r\n");
	api_assert_body(get("/"), "404", "404 page not found\n");
	api_assert_body(get("/v1/auth/"), "404", "404 page not found\n");
	api_assert_body(get("/v1/status/"), "404", "404 page not found\n");
	api_assert_answer(api_ask(&t.lab, "PUT", "/v1/auth", ""), "405",
			  "Allow: GET, HEAD, POST\r\n");
	api_assert_body(get("/v1/auth/x"), "405", "Method Not Allowed\n");
	api_assert_answer(get("/v1/auth/x"), "405", "Allow: DELETE\r\n");
	api_assert_answer(post("/v1/status", ""), "405", "Allow: GET, HEAD\r\n");
	/* The token comes before the route. */
	api_assert_answer(api_ask_with(&t.lab, "GET", "/v1/nothing", "", ""), "404", "");
	t.lab.cookie[0] = 'x';
	api_assert_body(get("/v1/nothing"), "401",
			"{\"error\":\"unauthorized: invalid or missing auth token\"}\n");
	api_assert_body(api_ask(&t.lab, "PUT", "/v1/auth", ""), "401",
			"{\"error\":\"unauthorized: invalid or missing auth token\"}\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(members_are_listed),
		TEST(without_gating_there_are_no_members),
		TEST(a_member_is_added_as_asked),
		TEST(a_member_that_cannot_be_added_is_refused),
		TEST(a_member_is_removed),
		TEST(services_are_listed),
		TEST(services_of_a_peer_are_listed),
		TEST(a_service_is_exposed_and_taken_back),
		TEST(a_service_may_be_for_some_and_with_greeting),
		TEST(a_proxy_is_answered_when_its_peer_is_there),
		TEST(a_proxy_that_makes_no_sense_is_refused),
		TEST(a_client_that_leaves_wants_no_proxy),
		TEST(stopping_ends_requests_for_proxies),
		TEST(proxies_are_listed_and_taken_back),
		TEST(the_device_is_shown),
		TEST(names_are_resolved),
		TEST(text_is_chosen_by_query_or_by_accept),
		TEST(strange_requests_are_answered_as_go_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
