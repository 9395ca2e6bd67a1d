/* PCP over a socket of this thread's own. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "platform/linux/portmap_job.h"

/* A router is near: what it does not answer within that time it does not know. */
enum { TRIES = 3, FIRST_WAIT_MS = 250 };

static int open_socket(const struct pu_linux_portmap_job *j)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = j->gateway,
				  .sin_port = htons(PU_PCP_PORT) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* PU_EAGAIN: nothing that answers came in time. */
static int await(int fd, int wait_ms, const struct pu_pcp_map *asked, struct pu_pcp_map *given)
{
	int64_t end = now_ms() + wait_ms;
	uint8_t in[PU_PCP_MESSAGE_MAX];

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = end - now_ms();
		ssize_t n;
		int r;

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return PU_EAGAIN;
		n = recv(fd, in, sizeof in, MSG_DONTWAIT);
		if (n < 0 && errno == ECONNREFUSED)
			return PU_ENOTSUP; /* nobody listens there */
		if (n < 0)
			continue;
		r = pu_pcp_response(pu_bytes(in, (size_t)n), asked, given);
		if (r != PU_EAGAIN && r != PU_EPROTO)
			return r;
	}
}

static int exchange(int fd, const struct pu_linux_portmap_job *j, const struct pu_pcp_map *asked,
		    struct pu_pcp_map *given)
{
	uint8_t out[PU_PCP_MAP_LEN];

	pu_pcp_request(asked, (const uint8_t *)&j->local, out);
	for (int i = 0; i < TRIES && !(i > 0 && *j->stop); i++) {
		int r;

		(void)send(fd, out, sizeof out, 0);
		r = await(fd, FIRST_WAIT_MS << i, asked, given);
		if (r != PU_EAGAIN)
			return r;
	}
	return PU_ETIMEDOUT;
}

static int map_entry(int fd, const struct pu_linux_portmap_job *j, struct pu_linux_portmap_entry *e)
{
	struct pu_pcp_map asked = {
		.tcp = e->tcp,
		.port = e->port,
		.external = j->remove ? 0 : e->external ? e->external : e->port,
		.lifetime_s = j->remove ? 0 : PU_PORTMAP_LIFETIME_S,
	};
	struct pu_pcp_map given;
	int r;

	memcpy(asked.nonce, e->nonce, sizeof asked.nonce);
	if (!j->remove)
		memcpy(asked.external_ip, &e->external_ip, 4);
	r = exchange(fd, j, &asked, &given);
	e->lifetime_s = r == 0 ? given.lifetime_s : 0;
	if (r < 0 || given.lifetime_s == 0)
		return r;
	e->external = given.external;
	memcpy(&e->external_ip, given.external_ip, 4);
	return 0;
}

int pu_linux_pcp_run(struct pu_linux_portmap_job *j)
{
	int fd = open_socket(j), err = PU_EDENIED;

	if (fd < 0)
		return PU_ENOTSUP;
	for (size_t i = 0; i < j->n; i++) {
		int r;

		if (j->remove ? j->entry[i].lifetime_s == 0 : *j->stop)
			continue;
		r = map_entry(fd, j, &j->entry[i]);
		if (r == 0) {
			err = 0;
		} else if (r != PU_EDENIED) {
			/* Who is silent once is not asked about the rest. */
			err = err == 0 ? 0 : r;
			break;
		}
	}
	close(fd);
	return err;
}
