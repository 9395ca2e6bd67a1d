/* Text of a scalar in the config file → value. Strict: the whole text must match. */
#ifndef PU_DAEMON_CONFIG_VALUE_H
#define PU_DAEMON_CONFIG_VALUE_H

#include "daemon/config.h"

/* All return PU_EINVAL for text that is not of the kind, PU_ELIMIT for values that
 * do not fit the type. */

/* true/false, yes/no, on/off in the three usual cases. */
int pu_config_bool(const char *s, bool *pv);
/* Decimal digits only. */
int pu_config_uint(const char *s, uint64_t *pv);
/* Go syntax: "90s", "2m", "1h30m", "1.5s", "0"; not negative. */
int pu_config_duration(const char *s, pu_time *pv);
/* Integer with optional B, KB, MB, GB (1024-based), any case. */
int pu_config_size(const char *s, uint64_t *pv);
/* host:port, [v6]:port, :port (host ""). Port 0 to 65535. */
int pu_config_hostport(const char *s, struct pu_hostport *pv);
/* a.b.c.d/n or v6/n; PU_EINVAL also when bits behind the prefix are set. */
int pu_config_prefix(const char *s, struct pu_prefix *pv);
/* 1 to 63 of a-z, 0-9, '-', no '-' at the ends: service and network names. */
bool pu_config_is_label(const char *s);

/* Writes a prefix as text; out has PU_PREFIX_TEXT_MAX bytes. Returns out. */
enum { PU_PREFIX_TEXT_MAX = 64 };
const char *pu_config_prefix_text(const struct pu_prefix *p, char *out);

#endif
