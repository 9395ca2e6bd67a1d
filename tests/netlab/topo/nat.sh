# An internet with routers, sourced after lib.sh. Addresses in 11.0.0.0/8 and 2a00::/16 count
# as public everywhere; nothing here has a way to the real ones.
#
#   internet RELAY...       a switch with hosts at 11.0.0.N and 2a00::N
#   behind HOST KIND N      HOST with a router of that kind at 11.0.N.1, LAN 192.168.N.0/24
#
# Kinds of routers, by mapping and filtering (RFC 4787 words in brackets):
#   none                no router: HOST itself is at 11.0.N.1
#   full-cone           [endpoint-independent mapping, endpoint-independent filtering]
#   address-restricted  [endpoint-independent, address-dependent]
#   port-restricted     [endpoint-independent, address and port-dependent]
#   symmetric           [address and port-dependent, both]
#   cgnat               port-restricted behind a carrier's port-restricted, 100.64.N.0/24
# IPv6 is routed without translation; except with "none" a router lets in what was asked for.

# internet HOST...: HOST is number 1, 2, …
internet() {
	local name n=0
	ip link add inet type bridge mcast_snooping 0 && ip link set inet up || fail "no bridge"
	for name; do
		n=$((n + 1))
		on_internet "$name" eth0 "11.0.0.$n" "2a00::$n"
	done
}

# on_internet HOST DEVICE ADDRESS4 ADDRESS6: a port of the big switch; empty: not this family
on_internet() {
	local name=$1 device=$2 port="inet-$1"
	ip link add "$port" type veth peer name "$device" netns "${HOST_PID[$name]}" &&
		ip link set "$port" master inet up || fail "no port for $name"
	attach "$name" "$device" ${3:+"$3/8"} ${4:+"$4/16"}
}

has4() { case ${FAMILY:-4} in 6) return 1 ;; esac; }
has6() { case ${FAMILY:-4} in 4) return 1 ;; esac; }

# behind HOST KIND N
behind() {
	local name=$1 kind=$2 n=$3 outer
	case $kind in
	none)
		on_internet "$name" eth0 "$(has4 && echo "11.0.$n.1")" "$(has6 && echo "2a00:0:0:$n::1")"
		[ "${UDP:-allowed}" = allowed ] || block_udp "$name" input output
		return
		;;
	cgnat)
		host "router-$name" "carrier-$name"
		on_internet "carrier-$name" wan "$(has4 && echo "11.0.$n.1")" "$(has6 && echo "2a00:0:0:$n::1")"
		lan "carrier-$name" "router-$name" wan "100.64.$n" "2a00:0:1:$n"
		lan "router-$name" "$name" eth0 "192.168.$n" "2a00:0:2:$n"
		route6_through "carrier-$name" "2a00:0:2:$n" "2a00:0:1:$n::2"
		translate "carrier-$name" port-restricted "100.64.$n.2"
		translate "router-$name" port-restricted "192.168.$n.2"
		outer=carrier-$name
		;;
	*)
		host "router-$name"
		on_internet "router-$name" wan "$(has4 && echo "11.0.$n.1")" "$(has6 && echo "2a00:0:0:$n::1")"
		lan "router-$name" "$name" eth0 "192.168.$n" "2a00:0:2:$n"
		translate "router-$name" "$kind" "192.168.$n.2"
		outer=router-$name
		;;
	esac
	ROUTER[$name]=router-$name
	[ "${UDP:-allowed}" = allowed ] || block_udp "router-$name" forward
	if has6; then
		# The rest of the internet finds the prefixes behind that router.
		ROUTES6+=("2a00:0:1:$n::/64 $outer" "2a00:0:2:$n::/64 $outer")
		OUTER6[$outer]="2a00:0:0:$n::1"
	fi
}

declare -A ROUTER OUTER6
ROUTES6=()

# lan ROUTER HOST DEVICE PREFIX4 PREFIX6: HOST is .2 behind ROUTER, its gateway. LAN_WIRE holds
# arguments of the link emulator, if that is wanted in between.
lan() {
	local router=$1 name=$2 device=$3
	if [ -n "${LAN_WIRE:-}" ]; then
		# shellcheck disable=SC2086
		wire "$router" lan "$name" "$device" $LAN_WIRE
	else
		cable "$router" lan "$name" "$device"
	fi
	on "$router" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	attach "$router" lan $(has4 && echo "$4.1/24") $(has6 && echo "$5::1/64")
	attach "$name" "$device" $(has4 && echo "$4.2/24") $(has6 && echo "$5::2/64")
	! has4 || ok on "$name" ip route add default via "$4.1"
	! has6 || ok on "$name" ip -6 route add default via "$5::1"
}

route6_through() {
	! has6 || ok on "$1" ip -6 route add "$2::/64" via "$3"
}

# wired: to be called when everybody is there; hosts of the internet learn the IPv6 prefixes
# behind the routers
wired() {
	local entry name
	for entry in ${ROUTES6[@]+"${ROUTES6[@]}"}; do
		for name in "${!HOST_PID[@]}"; do
			[ "$name" != "${entry#* }" ] || continue
			[[ $(on "$name" ip -6 addr) =~ inet6\ 2a00:[^\ ]*/16\  ]] || continue
			ok on "$name" ip -6 route add "${entry% *}" via "${OUTER6[${entry#* }]}"
		done
	done
}

# translate ROUTER KIND HOST: what goes from lan to wan
translate() {
	local router=$1 kind=$2 inside=$3 flags= in=
	case $kind in
	full-cone) in="iifname wan dnat to $inside" ;;
	address-restricted) in="iifname wan ip saddr @asked dnat to $inside" ;;
	port-restricted) ;;
	symmetric) flags='random,fully-random' ;;
	*) fail "no such router: $kind" ;;
	esac
	on "$router" nft -f - << EOF || fail "no rules for $kind"
table inet filter {
	chain forward {
		type filter hook forward priority 0; policy drop;
		ct state established,related accept
		iifname lan accept
		ct status dnat accept
	}
	chain input {
		type filter hook input priority 0; policy accept;
		iifname wan meta l4proto { tcp, udp } ct state new drop
	}
}
table ip nat {
	set asked { type ipv4_addr; flags dynamic,timeout; timeout 2m; }
	chain note {
		type filter hook postrouting priority 0;
		oifname wan update @asked { ip daddr }
	}
	chain out {
		type nat hook postrouting priority srcnat;
		oifname wan masquerade $flags
	}
	chain in {
		type nat hook prerouting priority dstnat;
		$in
	}
}
EOF
}

# block_udp HOST HOOK...: nothing of it passes the devices wan and eth0
block_udp() {
	local name=$1 hook
	shift
	for hook; do
		on "$name" nft -f - << EOF || fail "cannot block UDP on $name"
table inet no_udp_$hook {
	chain drop_them {
		type filter hook $hook priority -10;
		$([ "$hook" = input ] || echo 'meta l4proto udp oifname { wan, eth0 } drop;')
		$([ "$hook" = output ] || echo 'meta l4proto udp iifname { wan, eth0 } drop;')
	}
}
EOF
	done
}

# What theory says: can these two meet without a relay? Mapping by port-preserving routers;
# two sides that filter by port need both mappings to be known in advance.
meets() {
	local a=$1 b=$2
	case ${FAMILY:-4} in 6 | dual) return 0 ;; esac
	[ "$a" != cgnat ] || a=port-restricted
	[ "$b" != cgnat ] || b=port-restricted
	case $a:$b in
	symmetric:symmetric | symmetric:port-restricted | port-restricted:symmetric) return 1 ;;
	esac
}
