#include "overlay/invite/code.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"
#include "overlay/invite/code_internal.h"
#include "overlay/invite/word.h"

int pu_code_wrong(char *why, const char *format, ...)
{
	va_list ap;

	if (why) {
		va_start(ap, format);
		vsnprintf(why, PU_CODE_WHY_MAX, format, ap);
		va_end(ap);
	}
	return PU_EINVAL;
}

static size_t trim(const char **ptext)
{
	const char *text = *ptext;
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	*ptext = text;
	return len;
}

/* Codes in base32 begin with A; only those with words have a slash or begin with a number. */
static bool has_words(const char *text)
{
	return strchr(text, '/') || isdigit((unsigned char)text[0]);
}

int pu_code_parse(const char *text, struct pu_code *code, char why[PU_CODE_WHY_MAX])
{
	char trimmed[PU_CODE_TEXT_MAX + 1];
	size_t len = trim(&text);
	struct pu_code c = { 0 };
	int r;

	if (len == 0)
		return pu_code_wrong(why, "no code was given");
	if (len > PU_CODE_TEXT_MAX)
		return pu_code_wrong(why, "this is too long for a code");
	memcpy(trimmed, text, len);
	trimmed[len] = '\0';
	if (has_words(trimmed))
		r = pu_code_parse_words(trimmed, &c, why);
	else
		r = pu_code_parse_bytes(trimmed, &c, why);
	if (r == 0)
		*code = c;
	pu_code_wipe(&c);
	explicit_bzero(trimmed, sizeof trimmed);
	return r;
}

int pu_code_format(const struct pu_code *code, char *out)
{
	switch (code->version) {
	case PU_CODE_INVITE_V1:
	case PU_CODE_PAIR_V2:
		return pu_code_format_bytes(code, out);
	case PU_CODE_INVITE_V3:
		return pu_code_format_words(code, out);
	}
	return PU_EINVAL;
}

void pu_code_password(const uint8_t random[PU_CODE_WORDS], char out[PU_CODE_PASSWORD_MAX + 1])
{
	_Static_assert(PU_CODE_WORDS * (PU_WORD_MAX + 1) <= PU_CODE_PASSWORD_MAX, "room");
	size_t len = 0;

	for (size_t i = 0; i < PU_CODE_WORDS; i++)
		len += (size_t)snprintf(out + len, PU_CODE_PASSWORD_MAX + 1 - len, "%s%s",
					i ? "-" : "", pu_word(random[i]));
}

void pu_code_wipe(struct pu_code *code)
{
	explicit_bzero(code, sizeof *code);
}
