#!/usr/bin/env bash
# The manual page knows every command, flag and configuration key, with its default. The build
# completes its commands from their table (src/cli/man_page.c): man.sh BUILD-DIR.
. "$(dirname "$0")/sources.sh"
status=0
source=docs/man/peerup-vpn.8
page=${1:-build/release}/help/peerup-vpn.8
if [ ! -e "$page" ]; then
	echo "$page is missing: build first"
	exit 1
fi

python3 - "$page" src/cli/cli.c src/daemon/config_schema.c src/daemon/relay_config.c <<'END' || status=1
import re, sys
page, cli, schema, relay = (open(path, encoding="utf-8").read() for path in sys.argv[1:])
complaints = []

# Items of a section: the line of .It, then what belongs to it.
def items_of(section):
    text = page[page.index(f"\n.Sh {section}\n") + 1:].split("\n.Sh ")[0]
    return re.findall(r"^\.It (.*)\n((?:(?!\.It |\.El).*\n)*)", text + "\n", re.M)

heads = [head for head, _ in items_of("DESCRIPTION") + items_of("COMMANDS")]

table = cli[cli.index("pu_cli_commands[] = {"):]
commands = re.findall(r'^\t\{ "(\w+)", (?:NULL|"([\w-]+)"),', table, re.M)
for noun, verb in commands:
    words = f"Cm {noun} {verb}".strip()
    if not any(re.match(re.escape(words) + r"( |$)", head) for head in heads):
        complaints.append(f"command: {words[3:]}")
# What people wrote about commands that are gone, or about one command twice.
known = {f"{noun} {verb}".strip() for noun, verb in commands}
items = [re.sub(r" (Oo|Ar|Op|Fl|\||Cm) .*| Ar.*", "", head[3:]) for head, _ in items_of("COMMANDS")
         if head.startswith("Cm ")]
complaints += [f"no such command: {words}" for words in items if words not in known]
complaints += [f"twice: {words}" for words in set(items) if items.count(words) > 1]
flags = re.findall(r'^\t\{ "([\w-]+)", (?:0|\'\w\'), (?:NULL|"\w+"), "', cli, re.M)
for flag in flags:
    if not any(re.search(rf"Fl -{flag}( |$)", head) for head in heads):
        complaints.append(f"flag: --{flag}")

# What the table has in that section. Strings may be in pieces.
def check_keys(section, table):
    table = re.sub(r'"\s*\n\s*"', "", table)
    keys = dict(items_of(section))
    options = re.findall(r'\{\s*"([\w.*]+)",\s*PU_CONFIG_\w+,\s*[\w |]+,\s*'
                         r'(?:ROOT|SERVICE|PEER|RELAY|AT|offsetof)\([^)]*\),\s*(?:"([^"]*)"|NULL),', table)
    for key, default in options:
        text = keys.get(f"Cm {key}")
        if text is None:
            complaints.append(f"key: {key}")
            continue
        for value in default.split():
            if value not in re.split(r"[\s,;]+|\.(?=\s|$)", text):
                complaints.append(f"default of {key}: {value}")
    for key in keys.keys() - {f"Cm {key}" for key, _ in options}:
        complaints.append(f"key that does not exist: {key}")
    return options

options = check_keys("CONFIGURATION", schema)
options += check_keys("RELAY CONFIGURATION", relay)
if len(commands) < 20 or len(flags) < 10 or len(options) < 25:
    complaints.append("the tables look different: teach tests/lint/man.sh to read them")
for complaint in complaints:
    print(f"{sys.argv[1]}: {complaint}")
print(f"{len(commands)} commands, {len(flags)} flags, {len(options)} keys")
sys.exit(bool(complaints))
END

# Style remarks about pages that this machine lacks say nothing about ours.
if command -v mandoc > /dev/null; then
	for file in "$source" "$page"; do
		if mandoc -Tlint -W warning "$file"; then :; else status=1; fi
	done
fi
exit $status
