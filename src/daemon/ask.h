/* Questions to a running daemon over its control socket: the asking half of http.h, which
 * blocks. For the commands and for libpeerup. */
#ifndef PU_DAEMON_ASK_H
#define PU_DAEMON_ASK_H

#include "daemon/failure.h"

enum {
	PU_ASK_ANSWER_MAX = 16 * 1024 * 1024, /* bytes of an answer, unless told otherwise */
	PU_ASK_TIMEOUT_S = 120,
	PU_ASK_COOKIE_LEN = 64,
	PU_ASK_HEAD_MAX = 16 * 1024, /* status line and headers */
	PU_ASK_PATH_MAX = 2048,
};

/* Where the daemon is and how patient we are. Strings are borrowed. */
struct pu_ask_target {
	const char *socket_path, *cookie_path;
	int timeout_ms;    /* for a whole question; 0: PU_ASK_TIMEOUT_S */
	size_t answer_max; /* 0: PU_ASK_ANSWER_MAX */
};

struct pu_ask_answer {
	int status;  /* of HTTP */
	char *body;  /* malloc()ed, a zero behind its len bytes */
	size_t len;
};

/* Asks. body: JSON or NULL; path: with query, escaped. The cookie is read for every
 * question; after a 401 once more, because a daemon that just started may have been about to
 * write it. 0 whatever the status of the answer is. PU_EREFUSED: no daemon runs; PU_EPERM: it
 * is another user's; PU_EINVAL: not a method or a path; PU_ETIMEDOUT; PU_E2BIG; PU_EPROTO: no
 * HTTP; … why is filled. */
int pu_ask(const struct pu_ask_target *to, const char *method, const char *path, const char *body,
	   struct pu_ask_answer *out, struct pu_failure *why);

/* As above, for routes that answer with JSON. *pdata: the "data" of the answer, compact JSON
 * that the caller frees. *pstatus (may be NULL) is set when there was an answer.
 * PU_EDENIED: the daemon said no, why has its text; PU_ENOTSUP: it does not know the route. */
int pu_ask_data(const struct pu_ask_target *to, const char *method, const char *path,
		const char *body, char **pdata, int *pstatus, struct pu_failure *why);
/* The same for their text forms. */
int pu_ask_text(const struct pu_ask_target *to, const char *method, const char *path,
		const char *body, char **ptext, int *pstatus, struct pu_failure *why);

/* For callers without a JSON library: a text as JSON string, malloc()ed, NULL without memory;
 * and the string member of a JSON object. PU_EPROTO: no such member; PU_ELIMIT: beyond cap. */
char *pu_ask_quote(const char *text);
int pu_ask_member(const char *json, const char *key, char *out, size_t cap);

/* One segment of a path or a value of a query, escaped. PU_ELIMIT: more than cap. */
int pu_ask_escape(const char *text, char *out, size_t cap);

#endif
