#!/bin/sh
# Gives what `cmake --install` left in node/, library/ and dev/ of this folder the places,
# names and documents that Debian wants. Run by arrange.cmake, which sets the variables.
set -eu
: "$SOURCE" "$MULTIARCH" "$VERSION" "$MAINTAINER" "$LIBRARY" "$SOURCE_DATE_EPOCH"
packaging=$SOURCE/deploy/packaging
export LC_ALL=C TZ=UTC
umask 022

# move FROM TO: a file or folder, if it is there; folders that get empty go.
move() {
	[ -e "$1" ] || return 0
	mkdir -p "$(dirname "$2")"
	mv "$1" "$2"
	rmdir -p --ignore-fail-on-non-empty "$(dirname "$1")"
}

# document COMPONENT PACKAGE: what every package has to say about itself.
document() {
	doc=$1/usr/share/doc/$2
	mkdir -p "$doc"
	{
		printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n'
		printf 'Upstream-Name: peerup-vpn\n\nFiles: *\nCopyright: '
		sed -n 's/^Copyright (c) //p' "$SOURCE/LICENSE"
		printf 'License: Expat\n'
		sed -e '1,/^Copyright/d' "$SOURCE/LICENSE" | sed -e 1d -e 's/^$/./' -e 's/^/ /'
	} > "$doc/copyright"
	gzip -9n > "$doc/changelog.Debian.gz" << END
peerup-vpn ($VERSION) unstable; urgency=medium

  * Packaged from the source, whose changes are in changelog.gz of peerup-vpn.

 -- $MAINTAINER  $(date -d "@$SOURCE_DATE_EPOCH" -R)
END
}

strip_program() {
	strip --remove-section=.comment --remove-section=.note "$@"
}

node() {
	doc=node/usr/share/doc/peerup-vpn
	document node peerup-vpn
	move node/usr/etc node/etc
	# A build for another place names that one; the source names this.
	move node/usr/lib/systemd/system node/units
	for unit in node/units/*.service; do
		cp "$SOURCE/deploy/systemd/${unit##*/}" "$unit"
	done
	move node/units node/usr/lib/systemd/system
	move node/usr/share/zsh/site-functions node/usr/share/zsh/vendor-completions
	gzip -9n node/usr/share/man/man*/*
	strip_program node/usr/bin/*

	move "$doc/examples/client.c" dev/usr/share/doc/libpeerup-dev/examples/client.c
	move "$doc/configs" "$doc/examples"
	cp "$SOURCE/deploy/grafana/peerup-vpn.json" "$doc/examples/grafana.json"
	cp "$packaging/README.Debian" "$doc/"
	sed -i 's|(configs/)|(examples/)|g' "$doc/README.md"
	gzip -9n < "$SOURCE/docs/CHANGES.md" > "$doc/changelog.gz"
	for page in "$SOURCE"/docs/*.md; do
		case ${page##*/} in
		CHANGES.md | style.md) ;;
		*) mkdir -p "$doc/docs" && cp "$page" "$doc/docs/" ;;
		esac
	done
	cp -R "$SOURCE/docs/protocols" "$SOURCE/docs/api" "$doc/docs/"
}

libraries() {
	for component in library dev; do
		lib=$component/usr/lib
		if [ ! -d "$lib/$MULTIARCH" ]; then
			mv "$lib" "$component/lib"
			mkdir "$lib"
			mv "$component/lib" "$lib/$MULTIARCH"
		fi
	done
	sed -i -e 's|^prefix=.*|prefix=/usr|' -e "s|^libdir=.*|libdir=\${prefix}/lib/$MULTIARCH|" \
		dev/usr/lib/"$MULTIARCH"/pkgconfig/*.pc
	document library "$LIBRARY"
	document dev libpeerup-dev
	strip_program --strip-unneeded library/usr/lib/"$MULTIARCH"/*.so.*.*
	strip --strip-debug --enable-deterministic-archives dev/usr/lib/"$MULTIARCH"/*.a
}

node
libraries
chmod -R u=rwX,go=rX .
chmod 644 library/usr/lib/"$MULTIARCH"/*.so.*
find . -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
