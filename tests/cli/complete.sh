#!/bin/bash
# Completions in the shells themselves, and the manual: every command and flag of the table.
. "$(dirname "$0")/lib.sh"
PAGE=$(dirname "$0")/../../docs/man/peerup-vpn.8
mkdir "$TOP/bin"
ln -s "$PU" "$TOP/bin/peerup-vpn"
PATH=$TOP/bin:$PATH

for format in bash zsh fish; do
	run 0 help --format=$format
	is_quiet
	cp "$TOP/out" "$TOP/peerup-vpn.$format"
done
run 2 help --format=csh
run 0 help --format=man "$PAGE"
cp "$TOP/out" "$TOP/page.8"
run 0 init --non-interactive
run 0 name add home "$ID1"
run 0 name add hut "$ID2"
run 0 service add web localhost:80

# --- bash. bash_says LINE-BEFORE-THE-CURSOR WANTED...
bash_says() {
	line=$1
	shift
	bash --norc -c '
		. "$1"
		read -ra COMP_WORDS <<<"$2"
		[[ $2 != *" " ]] || COMP_WORDS+=("")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		_peerup_vpn
		printf "%s\n" "${COMPREPLY[@]}"' bash "$TOP/peerup-vpn.bash" "$line" >"$TOP/out" 2>"$TOP/err"
	is_quiet
	for word; do
		grep -qxF -- "$word" "$TOP/out" || bad "bash: \"$line\" does not offer $word"
	done
}
bash_only() {
	bash_says "$@"
	[ "$(wc -l <"$TOP/out")" = $(($# - 1)) ] || bad "bash: \"$1\" offers more"
}
bash_says "peerup-vpn " auth status verify relay help
bash_says "peerup-vpn re" relay resolve
bash_only "peerup-vpn auth s" set
bash_only "peerup-vpn verify h" home hut
bash_only "peerup-vpn --json verify ho" home
bash_only "peerup-vpn auth set home --acc" --access
bash_only "peerup-vpn auth set home --access n" network
bash_only "peerup-vpn auth set --access network ho" home
bash_only "peerup-vpn auth set home --access = n" network
bash_only "peerup-vpn service remove w" web
bash_only "peerup-vpn relay config roll" rollback
bash_only "peerup-vpn up --log-level d" debug
bash_only "peerup-vpn help stat" status
touch "$TOP/keys-of-all"
bash_only "peerup-vpn auth validate keys-" keys-of-all
bash_says "peerup-vpn ping -" --count -c --json --config
bash --norc -n "$TOP/peerup-vpn.bash" || bad "bash syntax"
if command -v shellcheck >/dev/null; then
	shellcheck "$TOP/peerup-vpn.bash" >"$TOP/out" || bad "shellcheck"
fi

# --- zsh: its completion system in a pseudo-terminal
if command -v zsh >/dev/null; then
	zsh -n "$TOP/peerup-vpn.zsh" || bad "zsh syntax"
	mkdir "$TOP/fpath"
	cp "$TOP/peerup-vpn.zsh" "$TOP/fpath/_peerup-vpn"
	cat >"$TOP/zsh.py" <<'PY'
import os, pty, select, sys, time
top, line, wanted = sys.argv[1], sys.argv[2], sys.argv[3:]
pid, fd = pty.fork()
if pid == 0:
    os.environ.update(TERM="dumb", PS1="", ZDOTDIR=top)
    os.execvp("zsh", ["zsh", "-f", "-i"])
def read(until, seconds):
    seen, end = b"", time.time() + seconds
    while time.time() < end and not until(seen):
        if select.select([fd], [], [], 0.1)[0]:
            try:
                seen += os.read(fd, 65536)
            except OSError:
                break
    return seen
def send(text):
    os.write(fd, text.encode())
send(f"fpath=({top}/fpath $fpath); autoload -Uz compinit; compinit -u -D; "
     "setopt no_list_beep no_always_last_prompt; LISTMAX=10000; echo re''ady\n")
if b"ready" not in read(lambda s: b"ready\r\n" in s, 10):
    sys.exit("zsh does not start")
send(line + "\t\t")
seen = read(lambda s: all(w.encode() in s[len(line):] for w in wanted), 6)
os.close(fd)
missing = [w for w in wanted if w.encode() not in seen[len(line):]]
sys.exit(f"{line!r} does not offer {missing}: {seen!r}" if missing else 0)
PY
	zsh_says() {
		python3 "$TOP/zsh.py" "$TOP" "$@" >"$TOP/out" 2>"$TOP/err" || bad "zsh: $*"
	}
	zsh_says "peerup-vpn re" relay resolve
	zsh_says "peerup-vpn auth " validate remove
	zsh_says "peerup-vpn verify h" home hut
	zsh_says "peerup-vpn auth set home --access " services network
	zsh_says "peerup-vpn ping --" count interval
fi

# --- fish
if command -v fish >/dev/null; then
	fish -n "$TOP/peerup-vpn.fish" || bad "fish syntax"
	fish_says() {
		line=$1
		shift
		fish --no-config -c 'source $argv[1]; complete -C$argv[2]' "$TOP/peerup-vpn.fish" "$line" \
			>"$TOP/out" 2>"$TOP/err"
		cut -f1 "$TOP/out" >"$TOP/words"
		for word; do
			grep -qxF -- "$word" "$TOP/words" || bad "fish: \"$line\" does not offer $word"
		done
	}
	fish_says "peerup-vpn re" relay resolve
	fish_says "peerup-vpn auth " add set validate
	fish_says "peerup-vpn verify h" home hut
	fish_says "peerup-vpn auth set home --access " services network
	fish_says "peerup-vpn --json service remove " web
	fish_says "peerup-vpn ping --" --count --interval --json
	fish_says "peerup-vpn relay config " validate rollback
fi

# --- everything is everywhere
python3 - "$TOP" "$(dirname "$0")/../../src/cli/cli.c" >"$TOP/out" 2>"$TOP/err" <<'PY' || bad "something is missing"
import re, sys
top, cli = sys.argv[1], open(sys.argv[2], encoding="utf-8").read()
text = {k: open(f"{top}/{n}", encoding="utf-8").read() for k, n in
        (("bash", "peerup-vpn.bash"), ("zsh", "peerup-vpn.zsh"), ("fish", "peerup-vpn.fish"),
         ("man", "page.8"))}
table = cli[cli.index("pu_cli_commands[] = {"):]
commands = re.findall(r'^\t\{ "(\w+)", (?:NULL|"([\w-]+)"),', table, re.M)
flags = set(re.findall(r'^\t\{ "([\w-]+)", (?:0|\'\w\'), (?:NULL|"\w+"), "', cli, re.M))
missing = []
for noun, verb in commands:
    words = f"{noun} {verb}".strip()
    if not re.search(rf"\b{noun}\b", text["bash"]) or verb and not re.search(rf"\b{verb}\b", text["bash"]):
        missing.append(f"bash: {words}")
    if f"'{words}')" not in text["zsh"]:
        missing.append(f"zsh: {words}")
    if f" -a {verb or noun} " not in text["fish"]:
        missing.append(f"fish: {words}")
    if len(re.findall(rf"^\.It Cm {words}(?: (?:Oo|Ar|Cm \w+ \|) ?.*)?$", text["man"].split("\n.Sh COMMANDS\n")[1].split("\n.Sh ")[0], re.M)) != 1:
        missing.append(f"man: {words}")
for flag in flags:
    for where, pattern in (("bash", rf"--{flag}\b"), ("zsh", rf"--{flag}\b"), ("fish", rf"-l {flag}\b"),
                           ("man", rf"Fl -{flag}\b")):
        if not re.search(pattern, text[where]):
            missing.append(f"{where}: --{flag}")
if len(commands) < 30 or len(flags) < 20:
    missing.append("the table looks different: teach this test to read it")
sys.exit("\n".join(missing) if missing else 0)
PY
