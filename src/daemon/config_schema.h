/* The one table of configuration keys: type, default, range, unit, meaning. Parsing,
 * defaults, validation messages and documentation all come from it. */
#ifndef PU_DAEMON_CONFIG_SCHEMA_H
#define PU_DAEMON_CONFIG_SCHEMA_H

#include "daemon/config.h"

enum pu_config_type {
	PU_CONFIG_BOOL,      /* bool */
	PU_CONFIG_UINT,      /* unsigned, min … max */
	PU_CONFIG_PORT,      /* uint16_t, min … max */
	PU_CONFIG_STRING,    /* char *, min … max bytes */
	PU_CONFIG_LABEL,     /* char *, DNS label, "" when min is 0 */
	PU_CONFIG_PATH,      /* char *, made absolute */
	PU_CONFIG_IFNAME,    /* char *, name of a network interface */
	PU_CONFIG_DURATION,  /* pu_time, min … max in the unit "s" */
	PU_CONFIG_SIZE,      /* uint64_t bytes, min … max */
	PU_CONFIG_ENUM,      /* unsigned, index into choices */
	PU_CONFIG_HOSTPORT,  /* struct pu_hostport */
	PU_CONFIG_PREFIX4,   /* struct pu_prefix, min … max bits */
	PU_CONFIG_PREFIX6,   /* struct pu_prefix, min … max bits */
	PU_CONFIG_PREFIX,    /* struct pu_prefix of either family */
	PU_CONFIG_PEER,      /* struct pu_peerid */
	PU_CONFIG_MULTIADDR, /* struct pu_multiaddr */
	PU_CONFIG_MAC,       /* struct pu_mac */
	PU_CONFIG_IP4,       /* char *, an IPv4 address, "" when min is 0 */
};
enum { PU_CONFIG_N_TYPES = PU_CONFIG_IP4 + 1 };

enum pu_config_flag {
	PU_CONFIG_IS_LIST = 1,    /* min … max items of the type */
	PU_CONFIG_REQUIRED = 2,   /* no default: the key must be there */
	PU_CONFIG_SKIP_BAD = 4,   /* bad items of the list are only warned about */
	PU_CONFIG_NEEDS_PEER = 8, /* multiaddr must end in /p2p/<peer id> */
	PU_CONFIG_UNLIMITED = 16, /* duration, size: the word "unlimited" stands for 0 */
};

struct pu_config_option {
	const char *path; /* "vpn.mtu"; "*" stands for any key of a map */
	enum pu_config_type type;
	unsigned flags;
	size_t offset;    /* in struct pu_config, or in the entry of the map */
	const char *def;  /* as written in the file; list items separated by blanks;
			   * NULL: zero, empty or required */
	int64_t min, max;
	const char *unit;
	const char *choices; /* "auto|none", values count from 0 */
	const char *doc;
};

/* A map with keys of the user's choice. */
struct pu_config_map {
	const char *path;       /* "services.*" */
	size_t array, count;    /* offsets in the struct around it */
	size_t entry_size;      /* entries begin with struct pu_config_entry */
	size_t max;
	bool (*key_ok)(const char *key);
	const char *key_what;   /* "1 to 63 of a-z, 0-9 and -" */
	const char *doc;
};

struct pu_config_schema {
	const struct pu_config_option *options;
	size_t n_options;
	const struct pu_config_map *maps;
	size_t n_maps;
};

/* Of a node ("peerup.yaml"). */
const struct pu_config_schema *pu_config_schema_node(void);

/* Option or map at a pattern path, NULL when there is none. */
const struct pu_config_option *pu_config_schema_option(const struct pu_config_schema *s,
						       const char *path);
const struct pu_config_map *pu_config_schema_map(const struct pu_config_schema *s,
						 const char *path);
/* True when some option or map lies below the path: it is a section. */
bool pu_config_schema_is_section(const struct pu_config_schema *s, const char *path);
/* The known key below the section path ("" for the top) that a misspelt key most
 * probably means; out has cap bytes. False when none is near. */
bool pu_config_schema_suggest(const struct pu_config_schema *s, const char *section,
			      const char *key, char *out, size_t cap);

/* "a whole number, 1280 to 9000 bytes": what the option accepts, for messages and
 * documentation. Returns out. */
const char *pu_config_option_allowed(const struct pu_config_option *o, char *out, size_t cap);

/* Parses one scalar into the option's storage *v (zeroed; one item for lists). 0, or
 * PU_ECONFIG with the reason in why. dir: for paths. */
int pu_config_option_parse(const struct pu_config_option *o, const char *text, const char *dir,
			   void *v, char *why, size_t cap);
/* Size of one value, and release of what it owns. */
size_t pu_config_type_size(enum pu_config_type type);
void pu_config_type_deinit(enum pu_config_type type, void *v);

#endif
