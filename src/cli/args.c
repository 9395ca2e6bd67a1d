#include "cli/args.h"

#include <stdlib.h>

const struct pu_cli_flag pu_args_global_flags[] = {
	{ "config", 0, "PATH", "use this config file" },
	{ "instance", 0, "NAME", "the network of that name instead of the ordinary one" },
	{ "json", 0, NULL, "print one line of JSON" },
	{ "help", 'h', NULL, "show help" },
	{ NULL },
};

static bool flag_is(const struct pu_cli_flag *f, const char *name, size_t len)
{
	return (strlen(f->name) == len && strncmp(f->name, name, len) == 0) ||
	       (len == 1 && f->letter == name[0]);
}

static const struct pu_cli_flag *find_in(const struct pu_cli_flag *f, const char *name, size_t len)
{
	for (; f && f->name; f++)
		if (flag_is(f, name, len))
			return f;
	return NULL;
}

/* Before the command is known (`peerup-vpn --json status`) only global flags are. */
static const struct pu_cli_flag *find_flag(const struct pu_cli *c, const char *name, size_t len)
{
	const struct pu_cli_flag *f = find_in(pu_args_global_flags, name, len);

	return f || !c->command ? f : find_in(c->command->flags, name, len);
}

const struct pu_cli_command *pu_args_find_command(const char *noun, const char *verb, int *pused)
{
	const struct pu_cli_command *alone = NULL;

	for (const struct pu_cli_command *k = pu_cli_commands; k->noun; k++) {
		if (strcmp(k->noun, noun) != 0)
			continue;
		if (!k->verb)
			alone = k;
		else if (verb && strcmp(k->verb, verb) == 0) {
			*pused = 2;
			return k;
		}
	}
	*pused = 1;
	return alone;
}

static bool noun_exists(const char *noun)
{
	for (const struct pu_cli_command *k = pu_cli_commands; k->noun; k++)
		if (strcmp(k->noun, noun) == 0)
			return true;
	return false;
}


static int take_flag(struct pu_cli *c, char **argv, int argc, int *pi)
{
	const char *name = argv[*pi] + (argv[*pi][1] == '-' ? 2 : 1), *value = "";
	size_t len = strcspn(name, "=");
	const struct pu_cli_flag *f = find_flag(c, name, len);

	if (!f)
		return pu_cli_misuse(c, argv[*pi], "unknown flag");
	if (f->value && name[len] == '=') {
		value = name + len + 1;
	} else if (f->value) {
		if (*pi + 1 >= argc)
			return pu_cli_misuse(c, argv[*pi], "needs a value: %s", f->value);
		value = argv[++*pi];
	} else if (name[len] == '=') {
		if (strcmp(name + len + 1, "false") == 0)
			return 0;
		if (strcmp(name + len + 1, "true") != 0)
			return pu_cli_misuse(c, argv[*pi], "takes no value");
	}
	if (c->n_values == PU_CLI_VALUES_MAX)
		return pu_cli_misuse(c, argv[*pi], "too many flags");
	c->value[c->n_values++] = (struct pu_cli_value){ f, value };
	return 0;
}

static bool is_flag(const char *arg)
{
	return arg[0] == '-' && arg[1] != '\0';
}

static bool takes_value(const char *arg)
{
	const char *name = arg + (arg[1] == '-' ? 2 : 1);
	const struct pu_cli_flag *f;

	if (strchr(name, '='))
		return false;
	f = find_in(pu_args_global_flags, name, strlen(name));
	return f && f->value;
}

/* The first one or two words that are no flags name the command. */
static int choose_command(struct pu_cli *c, char **argv, int argc, int skip[2])
{
	const char *word[2] = { NULL };
	int n = 0, used = 0;

	for (int i = 1; i < argc && n < 2; i++) {
		if (is_flag(argv[i])) {
			i += takes_value(argv[i]);
			continue;
		}
		skip[n] = i;
		word[n++] = argv[i];
	}
	if (n == 0)
		return pu_cli_misuse(c, "command", "none given");
	c->command = pu_args_find_command(word[0], word[1], &used);
	if (used < 2)
		skip[1] = 0;
	if (c->command)
		return 0;
	if (!noun_exists(word[0]))
		return pu_cli_misuse(c, word[0], "unknown command");
	if (!word[1])
		return pu_cli_misuse(c, word[0], "needs a second word");
	return pu_cli_misuse(c, word[0], "unknown second word %s", word[1]);
}

static int check_args(struct pu_cli *c)
{
	const struct pu_cli_command *k = c->command;

	if (c->n_args < k->min_args)
		return pu_cli_misuse(c, k->noun, "an argument is missing: %s", k->args);
	if (c->n_args > k->max_args)
		return pu_cli_misuse(c, c->arg[k->max_args], "one argument too many");
	return 0;
}

static bool wants_help(char **argv, int argc)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0 ||
		    strcmp(argv[i], "-help") == 0)
			return true;
	return false;
}

static int choose_instance(struct pu_cli *c)
{
	const char *name = pu_cli_flag(c, "instance", 0);
	struct pu_paths_env env;

	if (!name)
		return 0;
	if (c->config || pu_cli_has(c, "dir"))
		return pu_cli_misuse(c, "--instance", "cannot be combined with another place");
	if (!pu_paths_instance_ok(name))
		return pu_cli_misuse(c, "--instance",
				     "a-z, 0-9 and '-' are allowed, at most %d characters",
				     PU_PATHS_INSTANCE_MAX);
	pu_paths_env_get(&env);
	if (pu_paths_instance(c->instance_config, &env, name, &c->why) < 0)
		return PU_CLI_FAILED;
	c->config = c->instance_config;
	return 0;
}

int pu_args_parse(struct pu_cli *c, int argc, char **argv, bool *phelp)
{
	int skip[2] = { 0 }, r;
	bool only_words = false;

	*phelp = wants_help(argv, argc);
	r = choose_command(c, argv, argc, skip);
	if (r || *phelp)
		return *phelp ? 0 : r;
	for (int i = 1; i < argc; i++) {
		if (i == skip[0] || i == skip[1])
			continue;
		if (!only_words && strcmp(argv[i], "--") == 0) {
			only_words = true;
			continue;
		}
		if (!only_words && is_flag(argv[i])) {
			r = take_flag(c, argv, argc, &i);
			if (r)
				return r;
			continue;
		}
		if (c->n_args == PU_CLI_ARGS_MAX)
			return pu_cli_misuse(c, argv[i], "one argument too many");
		c->arg[c->n_args++] = argv[i];
	}
	c->config = pu_cli_flag(c, "config", 0);
	c->json = pu_cli_has(c, "json");
	r = choose_instance(c);
	return r ? r : check_args(c);
}
