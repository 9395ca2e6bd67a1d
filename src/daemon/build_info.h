/* What this program was made of. */
#ifndef PU_DAEMON_BUILD_INFO_H
#define PU_DAEMON_BUILD_INFO_H

struct pu_build_info {
	const char *version;
	const char *commit;    /* "unknown" when built without git; "…-dirty" */
	const char *date;      /* of the commit or SOURCE_DATE_EPOCH, RFC 3339; "unknown" */
	const char *compiler;  /* "gcc 12.2.0" */
	const char *machine;   /* "linux/x86_64" */
	const char *libraries; /* "libsodium 1.0.18, gnutls 3.7.9, …", as compiled against */
};

extern const struct pu_build_info pu_build_info;

#endif
