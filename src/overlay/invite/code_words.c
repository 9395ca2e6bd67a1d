/* Codes of version 3: [host[:port]/]number-word-word-word. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "overlay/invite/code_internal.h"
#include "overlay/invite/word.h"

enum {
	SHOWN_MAX = 24, /* characters of a wrong word that we repeat */
	GROUP_MAX = PU_CODE_TEXT_MAX,
};

static bool between_groups(char c)
{
	return c == '-' || isspace((unsigned char)c);
}

/* Copies the next group in lower case; false when there is none. */
static bool next_group(const char **ptext, char group[GROUP_MAX + 1])
{
	const char *p = *ptext;
	size_t n = 0;

	while (*p && between_groups(*p))
		p++;
	while (*p && !between_groups(*p))
		group[n++] = (char)tolower((unsigned char)*p++);
	group[n] = '\0';
	*ptext = p;
	return n > 0;
}

static int wrong_word(const char *word, char *why)
{
	const char *nearest = pu_word_nearest(word);
	char shown[SHOWN_MAX + 1];
	size_t n = 0;

	for (; word[n] && n < SHOWN_MAX; n++)
		shown[n] = isprint((unsigned char)word[n]) ? word[n] : '?';
	shown[n] = '\0';
	if (nearest)
		return pu_code_wrong(why, "\"%s\" is not one of the words; did you mean \"%s\"?",
				     shown, nearest);
	return pu_code_wrong(why, "\"%s\" is not one of the words that codes are made of", shown);
}

static int take_number(const char *group, struct pu_code *code, char *why)
{
	size_t len = strlen(group);

	if (len == 0 || len > 4 || group[0] == '0' || strspn(group, "0123456789") != len)
		return pu_code_wrong(why, "the words come after a number of 1 to %d, as in "
					  "\"7-otter-canyon-maple\"",
				     PU_CODE_NUMBER_MAX);
	code->number = (unsigned)strtoul(group, NULL, 10);
	return 0;
}

static int take_words(const char *text, char group[GROUP_MAX + 1], struct pu_code *code, char *why)
{
	size_t len = 0, n = 0;

	for (; next_group(&text, group); n++) {
		size_t add = strlen(group);

		if (!pu_word_known(group))
			return wrong_word(group, why);
		if (len + 1 + add > PU_CODE_PASSWORD_MAX)
			return pu_code_wrong(why, "there are too many words");
		if (n > 0)
			code->password[len++] = '-';
		memcpy(code->password + len, group, add + 1);
		len += add;
	}
	if (n < PU_CODE_WORDS)
		return pu_code_wrong(why, "behind the number come %d words, here are %zu",
				     PU_CODE_WORDS, n);
	return 0;
}

int pu_code_parse_words(const char *text, struct pu_code *code, char *why)
{
	char part[PU_CODE_TEXT_MAX + 1];
	const char *slash = strrchr(text, '/');
	int r;

	code->version = PU_CODE_INVITE_V3;
	code->port = PU_CODE_PORT;
	if (slash) {
		memcpy(part, text, (size_t)(slash - text));
		part[slash - text] = '\0';
		r = pu_code_parse_host(part, code, why);
		if (r < 0)
			return r;
		text = slash + 1;
	}
	next_group(&text, part);
	r = take_number(part, code, why);
	if (r == 0)
		r = take_words(text, part, code, why);
	explicit_bzero(part, sizeof part);
	return r;
}

int pu_code_format_words(const struct pu_code *code, char *out)
{
	bool v6 = strchr(code->host, ':') != NULL;
	char port[8] = "";
	int n;

	if (code->number < 1 || code->number > PU_CODE_NUMBER_MAX || code->password[0] == '\0' ||
	    code->port == 0)
		return PU_EINVAL;
	if (code->port != PU_CODE_PORT)
		snprintf(port, sizeof port, ":%u", code->port);
	if (code->host[0])
		n = snprintf(out, PU_CODE_TEXT_MAX + 1, "%s%s%s%s/%u-%s", v6 ? "[" : "", code->host,
			     v6 ? "]" : "", port, code->number, code->password);
	else
		n = snprintf(out, PU_CODE_TEXT_MAX + 1, "%u-%s", code->number, code->password);
	return n > PU_CODE_TEXT_MAX ? PU_ELIMIT : 0;
}
