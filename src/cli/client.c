#include "cli/client.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/cli.h"
#include "daemon/sock.h"

int pu_client_find_paths(struct pu_cli *c, struct pu_paths *paths)
{
	struct pu_paths_env env;

	pu_paths_env_get(&env);
	return pu_paths_find(paths, &env, c->config, &c->why) < 0 ? PU_CLI_FAILED : 0;
}

struct pu_ask_target pu_client_target(const struct pu_paths *paths)
{
	return (struct pu_ask_target){ .socket_path = paths->socket,
				       .cookie_path = paths->cookie };
}

bool pu_client_is_up(const struct pu_paths *paths, int *ppid)
{
	struct ucred cred;
	socklen_t len = sizeof cred;
	int fd;

	if (pu_sock_connect(paths->socket, &fd) < 0)
		return false;
	if (ppid)
		*ppid = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 ? cred.pid : 0;
	close(fd);
	return true;
}

typedef int ask_fn(const struct pu_ask_target *to, const char *method, const char *path,
		   const char *body, char **ptext, int *pstatus, struct pu_failure *why);

static int ask(struct pu_client *cl, ask_fn *fn, const char *method, const char *path,
	       json_t *body, char **ptext, struct pu_failure *why)
{
	struct pu_ask_target to = pu_client_target(cl->paths);
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	int r = PU_ENOMEM;

	to.timeout_ms = cl->timeout_ms;
	if (body && !text)
		pu_failure_set(why, r, "request", NULL, "%s", pu_err_text(r));
	else
		r = fn(&to, method, path, text, ptext, &cl->status, why);
	json_decref(body);
	free(text);
	return r;
}

int pu_client_call(struct pu_client *cl, const char *method, const char *path, json_t *body,
		   json_t **pdata, struct pu_failure *why)
{
	json_t *data;
	char *text;
	int r = ask(cl, pu_ask_data, method, path, body, &text, why);

	if (r < 0)
		return r;
	data = json_loads(text, JSON_DECODE_ANY, NULL);
	free(text);
	if (!data)
		return pu_failure_set(why, PU_ENOMEM, "answer", NULL, "%s",
				      pu_err_text(PU_ENOMEM));
	*pdata = data;
	return 0;
}

int pu_client_text(struct pu_client *cl, const char *method, const char *path, json_t *body,
		   char **ptext, struct pu_failure *why)
{
	return ask(cl, pu_ask_text, method, path, body, ptext, why);
}
