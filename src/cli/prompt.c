#include "cli/prompt.h"

#include <stdio.h>
#include <strings.h>

bool pu_prompt(const char *question, char *line, size_t cap)
{
	size_t n;

	fputs(question, stdout);
	fflush(stdout);
	if (!fgets(line, (int)cap, stdin))
		return false;
	n = strlen(line);
	while (n > 0 && strchr(" \t\r\n", line[n - 1]))
		line[--n] = '\0';
	memmove(line, line + strspn(line, " \t"), n + 1 - strspn(line, " \t"));
	return true;
}

bool pu_prompt_yes(const char *question)
{
	char line[16];

	return pu_prompt(question, line, sizeof line) &&
	       (strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0);
}
