# Sourced by the others: our C files, relative to the top.
set -u
cd "$(dirname "$0")/../.." || exit 1

sources() { # sources EXTENSION...
	local extension
	for extension; do
		find include src tun platform -name "*.$extension" -not -name '*.pb-c.*'
	done | sort
}
