/* Answers without an end: the reader that libmicrohttpd asks for more, and what happens when
 * there is nothing. */
#include <microhttpd.h>

#include "base/err.h"
#include "daemon/http_internal.h"

enum { BLOCK = 4096 };

static ssize_t read_more(void *arg, uint64_t pos, char *out, size_t max)
{
	struct pu_http_request *rq = arg;
	size_t n;

	if (rq->state == PU_HTTP_GONE)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	n = rq->more(rq->more_arg, out, max);
	if (n == PU_HTTP_STREAM_END)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n > 0)
		return (ssize_t)n;
	rq->state = PU_HTTP_IDLE;
	MHD_suspend_connection(rq->conn);
	pu_http_watch_hangups(rq->http);
	return 0;
}

int pu_http_respond_stream(struct pu_http_request *rq, const char *content_type,
			   pu_http_more_fn *more, void *arg)
{
	struct MHD_Response *response =
		MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_more, rq, NULL);

	if (!response)
		return PU_ENOMEM;
	rq->more = more;
	rq->more_arg = arg;
	pu_http_set_response(rq, MHD_HTTP_OK, content_type, response);
	return 0;
}

void pu_http_wake(struct pu_http_request *rq)
{
	if (rq->state != PU_HTTP_IDLE)
		return;
	rq->state = PU_HTTP_ANSWERED;
	pu_http_resume(rq);
}
