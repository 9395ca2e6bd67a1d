/* How the two ends of a transfer meet: through the daemon, or, when none runs, through a node
 * beside this process. Either way there is a socket on this machine. */
#ifndef PU_CLI_FILES_PLACE_H
#define PU_CLI_FILES_PLACE_H

#include "cli/client.h"
#include "cli/files_alone.h"
#include "cli/local.h"
#include "overlay/greeting.h"

struct pu_files_place {
	struct pu_client client;
	struct pu_files_alone alone; /* pid 0: the daemon */
	char proxy[64];              /* of the daemon; "" none */
	bool exposed;                /* by the daemon */
	int listener;                /* -1: none */
	int daemon;                  /* pidfd, readable when it has ended; -1: none */
	struct pu_greeting_words words;
};

void pu_files_place_init(struct pu_files_place *at, const struct pu_local *l);
void pu_files_place_close(struct pu_files_place *at);

/* A socket to the peer's `receive`. 0 or an exit code. */
int pu_files_place_reach(struct pu_cli *c, const struct pu_local *l, const char *target,
			 const struct pu_peerid *peer, struct pu_files_place *at, int *pfd);
/* After that socket ended without a word: tells why. An exit code. */
int pu_files_place_explain(struct pu_cli *c, struct pu_files_place *at, const char *target,
			   int err);

/* Peers may come; peers NULL: all that are authorised. 0 or an exit code. */
int pu_files_place_open(struct pu_cli *c, const struct pu_local *l,
			const struct pu_peerid *peers, size_t n, struct pu_files_place *at);
/* Waits for the next one. PU_ECANCELED: stop_fd; PU_ECLOSED: the daemon, or node, has ended. */
int pu_files_place_accept(struct pu_files_place *at, int stop_fd, struct pu_peerid *sender,
			  int *pfd);

#endif
