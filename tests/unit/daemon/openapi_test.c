/* docs/api/openapi.json and the routes of the server: each is in the other. What answers look
 * like is compared by tests/api/conformance.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <ctype.h>
#include <string.h>

#include "daemon/api_internal.h"

static json_t *load_paths(void)
{
	json_error_t err;
	json_t *doc = json_load_file(PU_TEST_OPENAPI, JSON_REJECT_DUPLICATES, &err);
	json_t *paths;

	if (!doc)
		fail_msg("%s:%d: %s", PU_TEST_OPENAPI, err.line, err.text);
	assert_string_equal(json_string_value(json_object_get(doc, "openapi")), "3.1.0");
	paths = json_incref(json_object_get(doc, "paths"));
	json_decref(doc);
	return paths;
}

static const char *lower(const char *method, char out[16])
{
	size_t n = strlen(method);

	assert_true(n < 16);
	for (size_t i = 0; i <= n; i++)
		out[i] = (char)tolower((unsigned char)method[i]);
	return out;
}

static bool is_route(const char *method, const char *pattern)
{
	char name[16];

	for (size_t i = 0; i < pu_api_n_routes; i++)
		if (strcmp(pu_api_routes[i].pattern, pattern) == 0 &&
		    strcmp(lower(pu_api_routes[i].method, name), method) == 0)
			return true;
	return false;
}

static bool has_member(const json_t *o, const char *name)
{
	return json_object_get(o, name) != NULL;
}

static void every_route_is_described(void **state)
{
	json_t *paths = load_paths();
	char method[16];

	for (size_t i = 0; i < pu_api_n_routes; i++) {
		const struct pu_api_route *r = &pu_api_routes[i];
		const json_t *op = json_object_get(json_object_get(paths, r->pattern),
						   lower(r->method, method));
		const json_t *answers = json_object_get(op, "responses");
		const json_t *ok = json_object_get(json_object_get(answers, "200"), "content");

		if (!op)
			fail_msg("%s %s is not in the description", r->method, r->pattern);
		if (has_member(op, "requestBody") != r->body)
			fail_msg("%s %s: body or none?", r->method, r->pattern);
		if (has_member(ok, "text/plain") != r->text)
			fail_msg("%s %s: text or none?", r->method, r->pattern);
		assert_true(has_member(answers, "401"));
		if (r->body)
			assert_true(has_member(answers, "400"));
	}
	json_decref(paths);
}

static void every_description_is_of_a_route(void **state)
{
	json_t *paths = load_paths(), *path, *op;
	const char *pattern, *method;

	json_object_foreach (paths, pattern, path)
		json_object_foreach (path, method, op)
			if (!is_route(method, pattern))
				fail_msg("%s %s is not in the server", method, pattern);
	json_decref(paths);
}

static void no_two_routes_are_one(void **state)
{
	for (size_t i = 0; i < pu_api_n_routes; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(pu_api_routes[i].pattern, pu_api_routes[j].pattern) == 0)
				assert_string_not_equal(pu_api_routes[i].method,
							pu_api_routes[j].method);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_route_is_described),
		cmocka_unit_test(every_description_is_of_a_route),
		cmocka_unit_test(no_two_routes_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
