/* A control API on a real socket, over ops that a test chooses, and a client of it, both in one
 * loop. One at a time. */
#ifndef PU_TESTS_SUPPORT_API_CLIENT_H
#define PU_TESTS_SUPPORT_API_CLIENT_H

#include "base/loop_uv.h"
#include "daemon/api.h"
#include "daemon/event.h"

#define API_ID1 "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"

struct api_lab {
	struct pu_loop_uv *driver;
	struct pu_api *api;
	struct pu_api_ops ops;    /* FAKE_OPS; change what matters */
	struct pu_events events;
	struct pu_peerid self;    /* of API_ID1 */
	char dir[64], sock[80], cookie_path[80], cookie[80];
	struct pu_failure why;
};

void api_lab_start(struct api_lab *l);
/* Another API in the same place; what pu_api_start() says. */
int api_lab_start_api(struct api_lab *l, struct pu_api **papi);
/* Nothing is left behind. */
void api_lab_stop(struct api_lab *l);

void api_lab_turn(struct api_lab *l);
/* Turns until check says so, or for seconds. */
bool api_lab_wait(struct api_lab *l, bool (*check)(void *arg), void *arg);
struct pu_loop *api_lab_loop(const struct api_lab *l);

int api_connect(struct api_lab *l);
/* Sends piece by piece while the loop runs; stops when the peer closes. */
void api_send(struct api_lab *l, int fd, const char *text, size_t len, size_t piece);
/* Everything until the server closes, or has been silent for a while. In a static buffer. */
const char *api_receive(struct api_lab *l, int fd);
/* With the token, HTTP/1.0; headers: "" or lines with CRLF. */
void api_request(struct api_lab *l, char *out, size_t cap, const char *method, const char *path,
		 const char *headers, const char *body);
/* Connects, sends, and receives. */
const char *api_ask(struct api_lab *l, const char *method, const char *path, const char *body);
const char *api_ask_with(struct api_lab *l, const char *method, const char *path,
			 const char *headers, const char *body);
/* What is behind the headers of an answer. */
const char *api_body(const char *answer);
/* Fails the test with the answer unless it has that status and that part. */
void api_assert_answer(const char *answer, const char *status, const char *part);
/* The whole body, to the byte. */
void api_assert_body(const char *answer, const char *status, const char *body);

#endif
