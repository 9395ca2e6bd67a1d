#include "daemon/curl.h"

#include <dlfcn.h>

#include "base/err.h"

static int find(void *library, const char *name, void *pfn)
{
	void *fn = dlsym(library, name);

	if (!fn)
		return PU_ENOTSUP;
	memcpy(pfn, &fn, sizeof fn);
	return 0;
}

static int find_all(struct pu_curl *c)
{
	const struct {
		const char *name;
		void *pfn;
	} table[] = {
		{ "curl_easy_init", &c->easy_init },
		{ "curl_easy_setopt", &c->easy_setopt },
		{ "curl_easy_perform", &c->easy_perform },
		{ "curl_easy_getinfo", &c->easy_getinfo },
		{ "curl_easy_cleanup", &c->easy_cleanup },
		{ "curl_easy_strerror", &c->easy_strerror },
		{ "curl_slist_append", &c->slist_append },
		{ "curl_slist_free_all", &c->slist_free_all },
	};
	int r = 0;

	for (size_t i = 0; i < PU_ARRAY_LEN(table) && r == 0; i++)
		r = find(c->library, table[i].name, table[i].pfn);
	return r;
}

int pu_curl_load(struct pu_curl *c, struct pu_failure *why)
{
	static const char *const names[] = { "libcurl-gnutls.so.4", "libcurl.so.4" };
	int r = PU_ENOTSUP;

	*c = (struct pu_curl){ .library = NULL };
	for (size_t i = 0; i < PU_ARRAY_LEN(names) && !c->library; i++)
		c->library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (c->library)
		r = find_all(c);
	if (r == 0)
		return 0;
	pu_curl_unload(c);
	return pu_failure_set(why, r, "libcurl", "sudo apt install libcurl3-gnutls",
			      "it is not installed, and telemetry.otlp needs it");
}

void pu_curl_unload(struct pu_curl *c)
{
	if (c->library)
		dlclose(c->library);
	c->library = NULL;
}
