#!/usr/bin/env bash
# Who may include whom:
#
#   cli ──> daemon ──> overlay ──> p2p ──> crypto ──> base
#             ├──────> tun ───────────────────────────> base
#             └──────> platform ──────────────────────> base
#
# tun and overlay never see each other; p2p never sees platform. lib, the public interface,
# stands on p2p, platform and what the daemon has for those who ask it. Third-party headers stay in
# one place each. Includes are rooted, and a .c file includes its own header first.
. "$(dirname "$0")/sources.sh"
status=0

complain() {
	printf '%s\n' "$*"
	status=1
}

layer_of() {
	case $1 in
	src/*) local rest=${1#src/}; echo "${rest%%/*}" ;;
	include/*) echo include ;;
	*) echo "${1%%/*}" ;;
	esac
}

allowed() {
	case $1 in
	include) echo 'peerup' ;;
	base) echo 'base peerup' ;;
	crypto) echo 'base crypto peerup' ;;
	p2p) echo 'base crypto p2p peerup' ;;
	overlay) echo 'base crypto p2p overlay peerup' ;;
	tun) echo 'base tun peerup' ;;
	platform) echo 'base platform peerup' ;;
	daemon) echo 'base crypto p2p overlay tun platform daemon peerup' ;;
	lib) echo 'base crypto p2p platform daemon lib peerup' ;;
	cli) echo 'base crypto p2p overlay daemon cli peerup' ;;
	*) echo '' ;;
	esac
}

# header, then where it may be included (regular expressions)
third_party='^sodium(\.h|/)                         ^src/(crypto/|p2p/noise/)
^gnutls/                                ^src/(crypto/|p2p/tls/|p2p/transport/quic)
^ngtcp2/                                ^src/p2p/transport/quic
^lwip/                                  ^tun/flow/
^(netlink/|linux/rtnetlink|linux/netlink)  ^platform/linux/
^(cap-ng|seccomp)\.h                    ^platform/linux/
^systemd/                               ^platform/linux/
^(miniupnpc/|natpmp\.h)                 ^platform/linux/
^yaml\.h                                ^src/daemon/config
^microhttpd\.h                          ^src/daemon/
^jansson\.h                             ^src/(daemon|cli)/
^secp256k1                              ^src/crypto/
^wslay/                                 ^src/p2p/transport/ws_frames\.c
^cmocka\.h                              ^tests/'

check_include() { # file layer quoted|angled header
	local file=$1 layer=$2 kind=$3 header=$4 target rule where
	if [ "$kind" = quoted ]; then
		case $header in
		*.pb-c.h) return ;;
		*/*) ;;
		*) complain "$file: \"$header\" is not rooted"; return ;;
		esac
		target=${header%%/*}
		case " $(allowed "$layer") " in
		*" $target "*) ;;
		*) complain "$file: $layer may not include \"$header\"" ;;
		esac
		case $header in
		*_internal.h)
			[ "${header%/*}" = "$(dirname "${file#src/}")" ] ||
				complain "$file: \"$header\" belongs to its own folder"
			;;
		esac
		return
	fi
	while read -r rule where; do
		if [[ $header =~ $rule ]] && ! [[ $file =~ $where ]]; then
			complain "$file: <$header> stays in $where"
		fi
	done <<< "$third_party"
}

for file in $(sources c h); do
	layer=$(layer_of "$file")
	first=
	while read -r kind header; do
		[ -n "$first" ] || first=$header
		check_include "$file" "$layer" "$kind" "$header"
	done < <(sed -nE 's/^#[ \t]*include[ \t]*"([^"]+)".*/quoted \1/p
		s/^#[ \t]*include[ \t]*<([^>]+)>.*/angled \1/p' "$file")
	own=${file#src/}
	own=${own%.c}.h
	case $file in
	*.c)
		if { [ -e "src/$own" ] || [ -e "$own" ]; } && [ "$first" != "$own" ] &&
			[ "$first" != "${own%.h}_internal.h" ]; then
			complain "$file: includes \"$first\" before its own \"$own\""
		fi
		;;
	esac
done
exit $status
