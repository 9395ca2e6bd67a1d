/* A client of a running daemon, as its two files see it. */
#ifndef PU_LIB_CLIENT_INTERNAL_H
#define PU_LIB_CLIENT_INTERNAL_H

#include "daemon/ask_stream.h"
#include "peerup/client.h"

struct peerup_client {
	char *socket_path, *cookie_path;
	struct pu_ask_target target;
	char *answer; /* of the last call, borrowed by the caller */
	int http_status;
	char error[1400];
	struct pu_ask_stream *watch;
	struct pu_ask_event event; /* the last one handed out */
};

/* A question begins: what the last one left is forgotten. */
void pu_lib_client_begin(struct peerup_client *c);
/* Its end: keeps the reason and returns the code that the header promises. */
int pu_lib_client_end(struct peerup_client *c, int r, const struct pu_failure *why);

#endif
