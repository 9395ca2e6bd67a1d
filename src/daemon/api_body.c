/* Bodies of requests: JSON objects whose members are what the Go program takes them for. */
#include <microhttpd.h>

#include "base/err.h"
#include "daemon/api_internal.h"

enum { BODY_DEPTH = 8 };

/* Members of any request's body. One of another type makes the body invalid; null is as good
 * as absent. */
static const struct field {
	const char *name;
	json_type type;
} fields[] = {
	{ "peer", JSON_STRING },	  { "name", JSON_STRING },    { "service", JSON_STRING },
	{ "listen", JSON_STRING },	  { "peer_id", JSON_STRING }, { "comment", JSON_STRING },
	{ "local_address", JSON_STRING }, { "access", JSON_STRING },  { "expires_at", JSON_STRING },
	{ "hello", JSON_STRING },	  { "reply", JSON_STRING },   { "peers", JSON_ARRAY },
	{ "count", JSON_INTEGER },	  { "interval_ms", JSON_INTEGER },
};

static bool types_fit(const json_t *o)
{
	for (size_t i = 0; i < PU_ARRAY_LEN(fields); i++) {
		const json_t *v = json_object_get(o, fields[i].name);

		if (v && !json_is_null(v) && json_typeof(v) != fields[i].type)
			return false;
	}
	return true;
}

/* jansson's own depth limit is 2048 frames deep: ours are flat objects. */
static bool is_flat(struct pu_bytes b)
{
	unsigned depth = 0, max = 0;

	for (size_t i = 0; i < b.len; i++) {
		if (b.p[i] == '{' || b.p[i] == '[')
			max = ++depth > max ? depth : max;
		else if ((b.p[i] == '}' || b.p[i] == ']') && depth > 0)
			depth--;
	}
	return max <= BODY_DEPTH;
}

json_t *pu_api_body_parse(struct pu_bytes b)
{
	json_t *v = is_flat(b) ? json_loadb((const char *)b.p, b.len,
					    JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL)
			       : NULL;

	if (json_is_null(v))
		v = json_object();
	if (v && (!json_is_object(v) || !types_fit(v))) {
		json_decref(v);
		v = NULL;
	}
	return v;
}

const char *pu_api_body_string(const struct pu_api_call *c, const char *key)
{
	return json_string_value(json_object_get(c->body, key));
}

const char *pu_api_body_need(const struct pu_api_call *c, const char *key)
{
	const char *text = pu_api_body_string(c, key);

	return text && *text ? text : NULL;
}

bool pu_api_body_peer(const struct pu_api_call *c, const char *key, struct pu_peerid *peer,
		      const char **ptext)
{
	const char *text = pu_api_body_need(c, key);
	char quoted[PU_API_QUOTE_MAX];
	bool from_id;

	if (!text) {
		pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST, "%s is required", key);
		return false;
	}
	if (c->api->ops->resolve(c->api->ops_arg, text, peer, &from_id) < 0) {
		pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST,
				   "cannot resolve peer %s: name not found: %.*s",
				   pu_api_quote(text, quoted), PU_API_QUOTED, text);
		return false;
	}
	*ptext = text;
	return true;
}

const char *pu_api_quote(const char *s, char out[PU_API_QUOTE_MAX])
{
	static const char from[] = "\"\\\a\b\f\n\r\t\v", to[] = "\"\\abfnrtv";
	char *p = out;

	*p++ = '"';
	for (size_t i = 0; s[i] && i < PU_API_QUOTED; i++) {
		const char *e = strchr(from, s[i]);

		if (e) {
			*p++ = '\\';
			*p++ = to[e - from];
		} else if ((unsigned char)s[i] < ' ' || s[i] == 0x7f) {
			p += snprintf(p, 5, "\\x%02x", (unsigned char)s[i]);
		} else {
			*p++ = s[i];
		}
	}
	*p++ = '"';
	*p = '\0';
	return out;
}
