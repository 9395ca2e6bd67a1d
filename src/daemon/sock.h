/* The control socket's place in the file system: exclusive, private, cleaned up. */
#ifndef PU_DAEMON_SOCK_H
#define PU_DAEMON_SOCK_H

#include "base/file.h"
#include "daemon/failure.h"

/* Listens on a Unix socket at path, mode 0600, owned by owner; the directory is made
 * when missing. A socket that nobody answers on is replaced. PU_EEXIST: somebody
 * answers; PU_ELIMIT: the path is longer than a socket's may be; others as the system
 * says. why is filled. */
int pu_sock_listen(const char *path, const struct pu_file_owner *owner, int *pfd,
		   struct pu_failure *why);
/* Connects; PU_ENOENT, PU_EREFUSED (stale), PU_EPERM, PU_ELIMIT … */
int pu_sock_connect(const char *path, int *pfd);

#endif
