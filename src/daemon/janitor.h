/* A small process that keeps the rights which the daemon gives up, and does one
 * thing: when the daemon ends, however it ends, it undoes what was done to the
 * host's resolver. */
#ifndef PU_DAEMON_JANITOR_H
#define PU_DAEMON_JANITOR_H

struct pu_janitor {
	int pid; /* 0: none */
	int fd;	 /* closing it is the signal, so the kernel sends it for us */
};

/* Forks; call before threads and before rights are dropped. PU_ESYS. */
int pu_janitor_start(struct pu_janitor *j, const char *state_dir);
/* Lets it clean up and waits until it has. */
void pu_janitor_finish(struct pu_janitor *j);
/* Does it here and now, for a daemon that ended together with its janitor. Leaves alone what
 * a living daemon has done. */
void pu_janitor_recover(const char *state_dir);

#endif
