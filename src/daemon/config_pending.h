/* A config on trial: in place, and taken back unless somebody confirms it in time. Beside
 * config.yaml stand then .config.pending, the marker, and .config.pre-confirmed.yaml, the
 * config of before:
 *
 *   {"deadline":"2026-03-01T12:00:00.5Z","backup":".config.pre-confirmed.yaml"}
 *
 * Each step is durable before the next begins. begin: backup, marker, config; confirm: the
 * marker goes, then the backup; revert: config, then marker, then backup. So a crash leaves
 * either the old config, or the new one with a marker that takes it back. */
#ifndef PU_DAEMON_CONFIG_PENDING_H
#define PU_DAEMON_CONFIG_PENDING_H

#include "base/bytes.h"

enum { PU_CONFIG_PENDING_MAX_S = 24 * 3600 }; /* longest trial */

struct pu_config_pending {
	int64_t deadline; /* Unix ns */
	int64_t made;     /* when the marker was written, Unix ns */
	bool broken;      /* the marker is not understood: due at once */
};

/* PU_ENOENT: no config is on trial. A marker that nobody understands is "broken". */
int pu_config_pending_read(const char *config, struct pu_config_pending *out);
/* How long it may still stay, by a clock that says `now` (Unix ns); 0: it is over. A clock
 * that was set back does not make it longer than it was to be. */
pu_time pu_config_pending_left(const struct pu_config_pending *p, int64_t now);

/* Puts text in place of the config, on trial until the deadline (Unix ns). The text has been
 * checked. PU_EEXIST: one is on trial already; PU_ENOENT: there is no config to come back to;
 * PU_EPERM, PU_EIO … On failure everything is as before. */
int pu_config_pending_begin(const char *config, struct pu_bytes text, int64_t deadline);
/* PU_ENOENT: none is on trial. */
int pu_config_pending_confirm(const char *config);
/* Brings the config of before back; the one that was on trial is kept as
 * .config.rejected.yaml. PU_ENOENT: none is on trial. */
int pu_config_pending_revert(const char *config);
/* Before a start: reverts when the time is over. *preverted: it did. */
int pu_config_pending_settle(const char *config, bool *preverted);

#endif
