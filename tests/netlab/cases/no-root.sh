#!/usr/bin/env bash
# up without root: a clear error with the command that helps, nothing half done.
. "$(dirname "$0")/../lib.sh"
need_product
need_real_root "it becomes another user"
need_tools setpriv

host home
node home
chown -R 65534:65534 "$LAB/home/root"
chmod 755 "$LAB" "$LAB/home"
as_nobody() {
	on home setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$@"
}
complains 'root|sudo|permission' as_nobody "$PEERUP" up
complains 'sudo' as_nobody "$PEERUP" up
silent_about peerup0 on home ip link
say "reading commands work without root"
says '12D3Koo' as_nobody "$PEERUP" whoami
