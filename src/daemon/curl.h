/* libcurl, loaded when somebody needs it: it brings a dozen libraries along, which every
 * daemon would carry in its memory for a feature that few switch on. */
#ifndef PU_DAEMON_CURL_H
#define PU_DAEMON_CURL_H

#include <curl/curl.h>

#include "daemon/failure.h"

struct pu_curl {
	void *library;
	CURL *(*easy_init)(void);
	CURLcode (*easy_setopt)(CURL *c, CURLoption option, ...);
	CURLcode (*easy_perform)(CURL *c);
	CURLcode (*easy_getinfo)(CURL *c, CURLINFO info, ...);
	void (*easy_cleanup)(CURL *c);
	const char *(*easy_strerror)(CURLcode code);
	struct curl_slist *(*slist_append)(struct curl_slist *l, const char *s);
	void (*slist_free_all)(struct curl_slist *l);
};

/* PU_ENOTSUP: it is not installed; why tells which package has it. */
int pu_curl_load(struct pu_curl *c, struct pu_failure *why);
/* All handles and lists are gone. */
void pu_curl_unload(struct pu_curl *c);

#endif
