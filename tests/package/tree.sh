#!/bin/sh
# Makes what debian.sh runs on, once per release, and keeps it: tree.sh CACHE PACKAGES
#
#   CACHE/plain       a clean Debian of the release of this machine, as debootstrap makes it
#   CACHE/booted      the same with systemd and D-Bus, as a machine has them
#
# Both have in /var/cache/apt/archives what the packages in the folder PACKAGES depend on, so
# that the test itself needs no network. The release, the mirror and a proxy are this
# machine's. Exit status 77: cannot be made here; the reason is printed.
set -eu
cache=$1
packages=$2
log=$cache/log
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

cannot() {
	printf 'skipped: %s\n' "$*"
	[ ! -s "$log" ] || tail -5 "$log"
	exit 77
}

# The first mirror that apt has for the release, whichever way its sources are written.
mirror() {
	apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Identifier: Packages' \
		2> /dev/null | awk -v c="$1" '$2 == c && $3 == "main" { print $1; exit }'
}

in_tree() {
	tree=$1
	shift
	chroot "$tree" env PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@" >> "$log" 2>&1
}

make_plain() {
	rm -rf "$cache/new"
	debootstrap --variant=minbase "$codename" "$cache/new" "$from" > "$log" 2>&1 ||
		cannot "debootstrap of $codename from $from failed:"
	# No service starts while a tree is made.
	printf '#!/bin/sh\nexit 101\n' > "$cache/new/usr/sbin/policy-rc.d"
	chmod 755 "$cache/new/usr/sbin/policy-rc.d"
	cp -L /etc/resolv.conf "$cache/new/etc/resolv.conf"
	in_tree "$cache/new" apt-get update || cannot "no package lists from $from:"
	mv "$cache/new" "$cache/plain"
}

make_booted() {
	rm -rf "$cache/new"
	cp -a "$cache/plain" "$cache/new"
	in_tree "$cache/new" apt-get install -y --no-install-recommends systemd systemd-sysv dbus ||
		cannot "systemd cannot be had from $from:"
	rm "$cache/new/usr/sbin/policy-rc.d"
	mv "$cache/new" "$cache/booted"
}

# fetch TREE: what our packages want from the mirror. Lists may have become old.
fetch() {
	mkdir -p "$1/packages"
	cp "$packages"/*.deb "$1/packages/"
	for try in first second; do
		if in_tree "$1" sh -c 'apt-get install -y --download-only --no-install-recommends \
			/packages/peerup-vpn_*.deb /packages/libpeerup0_*.deb'; then
			rm -r "$1/packages"
			return 0
		fi
		cp -L /etc/resolv.conf "$1/etc/resolv.conf"
		[ $try = second ] || in_tree "$1" apt-get update ||
			cannot "no package lists from $from:"
	done
	rm -r "$1/packages"
	return 1
}

command -v debootstrap > /dev/null || cannot 'debootstrap is not installed'
codename=$(. /etc/os-release && [ "$ID" = debian ] && echo "$VERSION_CODENAME") ||
	cannot 'this is not Debian'
from=$(mirror "$codename")
from=${from:-http://deb.debian.org/debian}

mkdir -p "$cache"
: > "$log"
[ -d "$cache/plain" ] || make_plain
[ -d "$cache/booted" ] || make_booted
wants=$(for deb in "$packages"/*.deb; do dpkg-deb -f "$deb" Depends; done | sha256sum)
if [ "$wants" != "$(cat "$cache/fetched" 2> /dev/null)" ]; then
	for tree in plain booted; do
		fetch "$cache/$tree" || {
			echo "FAILED: what the packages depend on is not in $codename:"
			tail -15 "$log"
			exit 1
		}
	done
	printf '%s\n' "$wants" > "$cache/fetched"
fi
