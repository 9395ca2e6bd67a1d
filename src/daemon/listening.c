#include "daemon/listening.h"

#include "base/err.h"
#include "base/log.h"

int pu_listening_start(struct pu_host *h, const struct pu_multiaddr *v, size_t n,
		       struct pu_failure *why)
{
	char text[PU_MULTIADDR_TEXT_MAX];
	size_t n_ok = 0;
	int r = 0, err = 0;

	for (size_t i = 0; i < n; i++) {
		r = pu_host_listen(h, &v[i]);
		if (r == 0) {
			n_ok++;
			continue;
		}
		err = r;
		pu_multiaddr_text(&v[i], text);
		if (r == PU_EADDRINUSE)
			return pu_failure_set(
				why, r, text, "ss -lnptu",
				"cannot listen: the port is taken by another program");
		pu_log(PU_LOG_WARN, "listen", "cannot listen", PU_KV_STR("addr", text),
		       PU_KV_ERR(r));
	}
	if (n_ok > 0 || n == 0)
		return 0;
	return pu_failure_set(why, err, text, NULL, "cannot listen on any address: %s",
			      pu_err_text(err));
}
