#include "daemon/json_line.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static void put_value(FILE *f, const json_t *v);

/* U+2028 and U+2029 end a line in JavaScript, though not in JSON. */
static bool ends_script_line(const char *s, size_t left)
{
	return left >= 3 && s[0] == '\xe2' && s[1] == '\x80' && (s[2] == '\xa8' || s[2] == '\xa9');
}

static void put_escape(FILE *f, char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *p = c ? strchr(from, c) : NULL;

	if (p)
		fprintf(f, "\\%c", to[p - from]);
	else
		fprintf(f, "\\u%04x", (unsigned char)c);
}

static void put_string(FILE *f, const char *s, size_t len)
{
	fputc('"', f);
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)s[i] < ' ' || strchr("\"\\<>&", s[i])) {
			put_escape(f, s[i]);
		} else if (ends_script_line(s + i, len - i)) {
			fprintf(f, "\\u202%d", s[i + 2] == '\xa8' ? 8 : 9);
			i += 2;
		} else {
			fputc(s[i], f);
		}
	}
	fputc('"', f);
}

/* The fewest digits that read back as the same number; no exponent where people count. */
static void put_real(FILE *f, double v)
{
	char text[40];
	int digits = 0, exponent;

	if (v == 0) {
		fputs(signbit(v) ? "-0" : "0", f);
		return;
	}
	do {
		snprintf(text, sizeof text, "%.*e", digits, v);
	} while (strtod(text, NULL) != v && ++digits < 17);
	exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
	if (exponent < -6 || exponent >= 21)
		fprintf(f, "%.*se%+d", (int)strcspn(text, "e"), text, exponent);
	else
		fprintf(f, "%.*f", digits > exponent ? digits - exponent : 0, v);
}

static void put_array(FILE *f, const json_t *a)
{
	fputc('[', f);
	for (size_t i = 0; i < json_array_size(a); i++) {
		if (i)
			fputc(',', f);
		put_value(f, json_array_get(a, i));
	}
	fputc(']', f);
}

static void put_object(FILE *f, const json_t *o)
{
	json_t *object = (json_t *)o, *v;
	const char *key, *comma = "";

	fputc('{', f);
	json_object_foreach (object, key, v) {
		fputs(comma, f);
		put_string(f, key, strlen(key));
		fputc(':', f);
		put_value(f, v);
		comma = ",";
	}
	fputc('}', f);
}

static void put_value(FILE *f, const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		put_object(f, v);
		break;
	case JSON_ARRAY:
		put_array(f, v);
		break;
	case JSON_STRING:
		put_string(f, json_string_value(v), json_string_length(v));
		break;
	case JSON_INTEGER:
		fprintf(f, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		break;
	case JSON_REAL:
		put_real(f, json_real_value(v));
		break;
	case JSON_TRUE:
		fputs("true", f);
		break;
	case JSON_FALSE:
		fputs("false", f);
		break;
	case JSON_NULL:
		fputs("null", f);
		break;
	}
}

char *pu_json_line(const json_t *v, bool lf, size_t *plen)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = v ? open_memstream(&text, &len) : NULL;
	bool failed;

	if (!f)
		return NULL;
	put_value(f, v);
	if (lf)
		fputc('\n', f);
	failed = ferror(f);
	if (fclose(f) != 0 || failed) {
		free(text);
		return NULL;
	}
	if (plen)
		*plen = len;
	return text;
}
