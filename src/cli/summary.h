/* How a running node shows itself: after `up`, and in `status`. */
#ifndef PU_CLI_SUMMARY_H
#define PU_CLI_SUMMARY_H

#include "cli/cli.h"

/* The data of GET /v1/status, borrowed. */
void pu_summary_node(const struct pu_cli *c, const json_t *status);
/* The data of GET /v1/vpn. */
void pu_summary_vpn(const struct pu_cli *c, const json_t *vpn);
/* The data of GET /v1/status with those of GET /v1/peers as "peers". suffix: of names
 * ("p2p"). */
void pu_summary_peers(const struct pu_cli *c, const json_t *status, const char *suffix);
/* Member of an object as text, "" when it is not there or no string; what could steer
 * a terminal is replaced. The buffer is the caller's and returned. */
enum { PU_SUMMARY_TEXT_MAX = 512 };
const char *pu_summary_text(const json_t *o, const char *key, char out[PU_SUMMARY_TEXT_MAX]);
/* "2h 5m". Returns out. */
const char *pu_summary_duration(long long seconds, char out[PU_SUMMARY_TEXT_MAX]);
/* "3.2 MiB". */
void pu_summary_bytes(long long n, char *out, size_t cap);

#endif
