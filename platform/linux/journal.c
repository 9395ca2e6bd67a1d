#define SD_JOURNAL_SUPPRESS_LOCATION
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "platform/platform.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

enum {
	PAIRS_MAX = 24,
	FIELD_MAX = 1200, /* key and value */
	FIXED = 4,
};

bool pu_platform_has_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == (dev_t)dev &&
	       st.st_ino == (ino_t)ino;
}

static int priority(enum pu_log_level level)
{
	switch (level) {
	case PU_LOG_DEBUG:
		return 7;
	case PU_LOG_INFO:
		return 6;
	case PU_LOG_WARN:
		return 4;
	case PU_LOG_ERROR:
	case PU_LOG_OFF:
		break;
	}
	return 3;
}

/* Names of fields are capital letters, digits and underscores. */
static void upper(char *s)
{
	for (; *s && *s != '='; s++) {
		if (*s >= 'a' && *s <= 'z')
			*s = (char)(*s - 'a' + 'A');
		else if (!(*s >= 'A' && *s <= 'Z') && !(*s >= '0' && *s <= '9'))
			*s = '_';
	}
}

static size_t print_pair(const struct pu_kv *kv, char out[FIELD_MAX])
{
	int n = 0;

	switch (kv->type) {
	case PU_KV_TYPE_END:
		return 0;
	case PU_KV_TYPE_STR:
		n = snprintf(out, FIELD_MAX, "PEERUP_%s=%s", kv->key, kv->v.str ? kv->v.str : "");
		break;
	case PU_KV_TYPE_U64:
		n = snprintf(out, FIELD_MAX, "PEERUP_%s=%" PRIu64, kv->key, kv->v.u64);
		break;
	case PU_KV_TYPE_I64:
		n = snprintf(out, FIELD_MAX, "PEERUP_%s=%" PRId64, kv->key, kv->v.i64);
		break;
	}
	if (n < 0)
		return 0;
	upper(out);
	return pu_min((size_t)n, (size_t)FIELD_MAX - 1);
}

void pu_platform_journal(enum pu_log_level level, const char *module, const char *text,
			 const struct pu_kv *kv, size_t n)
{
	static const char identifier[] = "SYSLOG_IDENTIFIER=peerup-vpn";
	char pair[PAIRS_MAX][FIELD_MAX], message[2100], head[2][64];
	struct iovec iov[FIXED + PAIRS_MAX];
	int k = 0;

	snprintf(message, sizeof message, "MESSAGE=%s: %s", module, text);
	snprintf(head[0], sizeof head[0], "PRIORITY=%d", priority(level));
	snprintf(head[1], sizeof head[1], "PEERUP_MODULE=%s", module);
	iov[k++] = (struct iovec){ message, strlen(message) };
	iov[k++] = (struct iovec){ head[0], strlen(head[0]) };
	iov[k++] = (struct iovec){ head[1], strlen(head[1]) };
	iov[k++] = (struct iovec){ (char *)identifier, sizeof identifier - 1 };
	for (size_t i = 0; i < n && i < PAIRS_MAX; i++) {
		size_t len = print_pair(&kv[i], pair[i]);

		if (len > 0)
			iov[k++] = (struct iovec){ pair[i], len };
	}
	/* Without a journal the library says that all is well. */
	if (access(JOURNAL_SOCKET, W_OK) < 0 || sd_journal_sendv(iov, k) < 0)
		fprintf(stderr, "<%d>%s: %s\n", priority(level), module, text);
}
