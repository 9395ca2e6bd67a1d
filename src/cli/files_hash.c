#include "cli/files_hash.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"

enum { PIECE = 1024 * 1024 };

int pu_files_hash_start(int fd, uint64_t len, struct pu_blake2b *h, struct pu_files_conn *c)
{
	uint8_t *buf = malloc(PIECE);
	int r = buf ? 0 : PU_ENOMEM;

	while (r == 0 && len > 0) {
		ssize_t n = read(fd, buf, pu_min(len, PIECE));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			r = PU_EIO;
			break;
		}
		pu_blake2b_add(h, pu_bytes(buf, (size_t)n));
		len -= (uint64_t)n;
		r = pu_files_conn_busy(c);
	}
	free(buf);
	return r;
}
