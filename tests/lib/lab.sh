# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# A cloud node in network namespaces, to be sourced by bash as root. Nothing in it can reach the world outside.
#
#	<id>-imds   169.254.169.254 and fd00:ec2::254, served by imds_server
#	   | 172.31.<k>.0/24, fd00:31:<k>::/64
#	<id>-<node> uplink eth0, forwards, NAT for the pods; the usual one is called "node" (k = 0)
#	   | docker0-like bridge, routed veth, a router in between, or IPv6
#	<id>-p-<pod>
#
# Cgroups are <v2 mount>/<id>/<node>/kubepods.slice/... as the kubelet makes them, the server's is
# <v2 mount>/<id>/system.slice/imds.service. Files are under $LAB_ROOT; the state of a lab is in files only, so that
# tests/lib/lab can play with it by hand. lab_down removes all of it and may be called at any time.
#
# Settings: LAB_ID (prefix), LAB_ROOT (temporary root), LAB_BIN (built test programs), IMDSNOOP (program under test).

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB_TREE=$(cd "$LAB_DIR/../.." && pwd)
LAB_BIN=${LAB_BIN:-$LAB_TREE/build/tests}
IMDSNOOP=${IMDSNOOP:-$LAB_TREE/imdsnoop}
LAB_IMDS4=169.254.169.254
LAB_IMDS6=fd00:ec2::254
LAB_NODE=${LAB_NODE:-node}			# where lab_pod_* puts the next pod

lab_say() { echo "lab: $*" >&2; }
lab_fail() { lab_say "$@"; return 1; }

# lab_wait_for SECONDS COMMAND...: polls every 10 ms.
lab_wait_for() {
	local tries=$(($1 * 100))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $((tries--)) -gt 0 ] || return 1
		sleep 0.01
	done
}

lab_in() {			# lab_in NETNS-SUFFIX COMMAND...: in a namespace of this lab, cgroup unchanged
	local ns=$LAB_ID-$1
	shift
	nsenter --net="/run/netns/$ns" -- "$@"
}

# Not `ip -n`: it remounts / as a slave, which fails in a chroot.
lab_ip() {			# lab_ip NETNS-SUFFIX [IP ARGUMENTS]: without arguments reads lines of them
	local ns=$1
	shift
	[ $# -gt 0 ] || set -- -batch -
	lab_in "$ns" ip "$@"
}

lab_sysctl() {			# lab_sysctl NETNS-SUFFIX net/ipv4/ip_forward=1 ...
	local ns=$1
	shift
	# shellcheck disable=SC2016
	lab_in "$ns" sh -c 'for s; do f=/proc/sys/${s%%=*}; [ ! -e "$f" ] || echo "${s#*=}" >"$f"; done' sh "$@"
}

lab_netns() {			# lab_netns SUFFIX: a new namespace with lo up, ready to be addressed without delays
	ip netns add "$LAB_ID-$1" || return
	lab_ip "$1" link set lo up || return
	lab_sysctl "$1" net/ipv4/conf/all/rp_filter=0 net/ipv4/conf/default/rp_filter=0 \
		net/ipv6/conf/all/accept_dad=0 net/ipv6/conf/default/accept_dad=0
}

lab_next() {			# lab_next NAME: sets lab_n to 1, 2, 3 ...
	local file=$LAB_ROOT/next.$1
	lab_n=0
	[ ! -s "$file" ] || read -r lab_n <"$file"
	lab_n=$((lab_n + 1))
	echo "$lab_n" >"$file"
}

# --- life of a lab ---------------------------------------------------------------------------------------------------

# cgroup v2 is at /sys/fs/cgroup, or at /sys/fs/cgroup/unified beside v1; mounted when missing (chroots, small guests).
lab_find_cgroup2() {
	LAB_CGROUP2=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	[ -z "$LAB_CGROUP2" ] || return 0
	LAB_CGROUP2=/sys/fs/cgroup
	[ -d "$LAB_CGROUP2" ] && [ -z "$(ls -A "$LAB_CGROUP2")" ] || LAB_CGROUP2=$LAB_ROOT/cgroup2
	mkdir -p "$LAB_CGROUP2" && mount -t cgroup2 none "$LAB_CGROUP2" || return
	echo "$LAB_CGROUP2" >>"$LAB_ROOT/mounted"
}

lab_mount_missing() {
	local type dir
	while read -r type dir; do
		grep -q " $type " /proc/mounts && continue
		[ -d "$dir" ] && mount -t "$type" none "$dir" 2>/dev/null && echo "$dir" >>"$LAB_ROOT/mounted"
	done <<-END
		tracefs /sys/kernel/tracing
		bpf /sys/fs/bpf
	END
	return 0
}

lab_up() {			# lab_up [SERVER OPTIONS...]
	[ "$(id -u)" = 0 ] || { lab_fail "must run as root"; return; }
	[ -x "$LAB_BIN/imds_server" ] || { lab_fail "no '$LAB_BIN/imds_server': run make first"; return; }
	LAB_ID=${LAB_ID:-lab$BASHPID}
	[ -n "${LAB_ROOT:-}" ] || LAB_ROOT=$(mktemp -d "${TMPDIR:-/tmp}/imdsnoop-lab.XXXXXX") || return
	mkdir -p "$LAB_ROOT/pods" "$LAB_ROOT/nodes" || return
	lab_find_cgroup2 || { lab_fail "no cgroup v2 here and it cannot be mounted"; return; }
	lab_mount_missing
	LAB_CG=$LAB_CGROUP2/$LAB_ID
	printf '%s\n' "LAB_ID=$LAB_ID" "LAB_CG=$LAB_CG" "LAB_CGROUP2=$LAB_CGROUP2" >"$LAB_ROOT/lab"
	mkdir -p "$LAB_CG/system.slice/imds.service" || return
	lab_netns imds || return
	lab_ip imds <<-END || return
		addr add $LAB_IMDS4/32 dev lo
		addr add 169.254.170.2/32 dev lo
		addr add $LAB_IMDS6/128 dev lo nodad
	END
	lab_node node || return
	lab_server_start "$@"
}

lab_load() {			# the lab of $LAB_ROOT, made by another process
	[ -s "$LAB_ROOT/lab" ] || { lab_fail "no lab in '$LAB_ROOT'"; return; }
	# shellcheck disable=SC1091
	. "$LAB_ROOT/lab"
}

lab_cgroup_remove() {		# kills what is inside, then removes the folder and all below it
	local dir=$1 pid
	[ -d "$dir" ] || return 0
	if [ -e "$dir/cgroup.kill" ]; then	# Linux 5.14
		echo 1 >"$dir/cgroup.kill"
	else
		find "$dir" -name cgroup.procs -exec cat {} + 2>/dev/null | while read -r pid; do
			kill -KILL "$pid" 2>/dev/null
		done
	fi
	lab_wait_for 3 lab_cgroup_rmdir "$dir"
}

lab_cgroup_rmdir() { find "$1" -depth -type d -exec rmdir {} + 2>/dev/null; [ ! -d "$1" ]; }

lab_down() {
	local ns dir err=0
	[ -z "${LAB_TRACE_PID:-}" ] || kill -KILL "$LAB_TRACE_PID" 2>/dev/null
	[ -n "${LAB_ID:-}" ] && [ -n "${LAB_ROOT:-}" ] || return 0
	[ -z "${LAB_CG:-}" ] || lab_cgroup_remove "$LAB_CG" || err=1
	for ns in /run/netns/"$LAB_ID"-*; do
		[ ! -e "$ns" ] || ip netns del "${ns##*/}" || err=1
	done
	if [ -s "$LAB_ROOT/mounted" ]; then
		while read -r dir; do umount "$dir" 2>/dev/null || umount -l "$dir"; done <"$LAB_ROOT/mounted"
	fi
	[ ! -s "$LAB_ROOT/lab" ] || rm -rf "$LAB_ROOT"
	LAB_ID='' LAB_ROOT='' LAB_CG='' LAB_TRACE_PID='' LAB_NODE=node
	return $err
}

# --- the metadata service --------------------------------------------------------------------------------------------

lab_server_start() {		# lab_server_start [OPTIONS...], see imds_server.c
	local dir=$LAB_ROOT/server
	mkdir -p "$dir" && rm -f "$dir/pid" "$dir/control.done"
	(
		exec nsenter --net="/run/netns/$LAB_ID-imds" -- sh -c 'echo $$ >"$0" && exec "$@"' \
			"$LAB_CG/system.slice/imds.service/cgroup.procs" "$LAB_BIN/imds_server" --listen "$LAB_IMDS4:80" \
			--listen "[$LAB_IMDS6]:80" --listen 169.254.170.2:80 --listen 172.31.0.1:80 --dns "$LAB_IMDS4:53" \
			--log "$dir/log" --pidfile "$dir/pid" --control "$dir/control" "$@" </dev/null >"$dir/out" 2>&1
	) &
	disown $! 2>/dev/null
	lab_wait_for 5 test -s "$dir/pid" || { cat "$dir/out" >&2; lab_fail "the metadata server did not start"; }
}

lab_server_stop() {		# connections are cut, later ones refused
	local pid
	read -r pid <"$LAB_ROOT/server/pid" || return
	kill "$pid" && lab_wait_for 5 lab_is_gone "$pid"
}

lab_server_set() {		# lab_server_set hop-limit 2: holds for every answer that begins after this returns
	local dir=$LAB_ROOT/server before=0
	[ ! -s "$dir/control.done" ] || read -r before <"$dir/control.done"
	echo "$*" >"$dir/control"
	# shellcheck disable=SC2016
	lab_wait_for 2 sh -c '[ -s "$0" ] && read -r n <"$0" && [ "$n" -gt "$1" ]' "$dir/control.done" "$before" ||
		lab_fail "the server did not obey '$*'"
}

lab_server_log() { echo "$LAB_ROOT/server/log"; }

# --- nodes -----------------------------------------------------------------------------------------------------------

lab_iptables() {		# lab_iptables NODE [-6] ARGS...
	local node=$1 tool=iptables
	shift
	[ "$1" != -6 ] || { tool=ip6tables; shift; }
	lab_in "$node" "$tool" -w "$@"
}

lab_node() {			# lab_node NAME: a further node on the same metadata service
	local name=$1 k
	lab_next node
	k=$((lab_n - 1))
	echo "$k" >"$LAB_ROOT/nodes/$name"
	mkdir -p "$LAB_ROOT/$name/log/pods" "$LAB_ROOT/$name/log/containers" "$LAB_CG/$name/kubepods.slice" \
		"$LAB_CG/$name/system.slice" || return
	lab_netns "$name" || return
	lab_ip "$name" link add eth0 type veth peer name "node$k" netns "$LAB_ID-imds" || return
	lab_ip imds <<-END || return
		addr add 172.31.$k.1/24 dev node$k
		addr add fd00:31:$k::1/64 dev node$k nodad
		link set node$k up
		route add fd00:244:$k::/48 via fd00:31:$k::10 dev node$k
	END
	lab_ip "$name" <<-END || return
		addr add 172.31.$k.10/24 dev eth0
		addr add fd00:31:$k::10/64 dev eth0 nodad
		link set eth0 up
		route add $LAB_IMDS4/32 via 172.31.$k.1 dev eth0
		route add 169.254.170.2/32 via 172.31.$k.1 dev eth0
		route add $LAB_IMDS6/128 via fd00:31:$k::1 dev eth0
	END
	lab_sysctl "$name" net/ipv4/ip_forward=1 net/ipv6/conf/all/forwarding=1 || return
	# Docker's and kubenet's way for the bridge, VPC CNI's for routed pods: --random-fully hides the pod's port.
	lab_iptables "$name" -t nat -A POSTROUTING -s 10.244.0.0/16 -o eth0 -j MASQUERADE || return
	lab_iptables "$name" -t nat -A POSTROUTING -s 10.246.0.0/16 -o eth0 -j MASQUERADE || return
	lab_iptables "$name" -t nat -A POSTROUTING -s 10.245.0.0/16 -o eth0 -j SNAT --to-source "172.31.$k.10" \
		--random-fully
}

lab_tc_drop() {			# lab_tc_drop on|off [NODE]: an eBPF data path drops expired answers before netfilter
	local node=${2:-$LAB_NODE}
	if [ "$1" = off ]; then
		lab_in "$node" tc qdisc del dev eth0 clsact
		return
	fi
	lab_in "$node" tc qdisc add dev eth0 clsact &&
		lab_in "$node" tc filter add dev eth0 ingress bpf da obj "$LAB_BIN/tc_ttl_drop.bpf.o" sec tc
}

# --- pods ------------------------------------------------------------------------------------------------------------

lab_hex() {			# lab_hex DIGITS: sets lab_hex to random hex digits
	lab_hex=
	while [ ${#lab_hex} -lt "$1" ]; do
		printf -v lab_hex '%s%03x' "$lab_hex" $((RANDOM & 0xfff))
	done
	lab_hex=${lab_hex:0:$1}
}

# Reads the common options and makes cgroup and log folders. Sets pod_*; writes nothing to the pod's state file yet.
#	--namespace NS  --container C  --uid UID  --driver systemd|cgroupfs  --runtime containerd|crio|docker
#	--qos guaranteed|burstable|besteffort  --no-logs
lab_pod_prepare() {
	local pod_logs=1 pod_driver=systemd pod_runtime=containerd pod_qos=burstable dir file h
	pod_name=$1 pod_namespace=default pod_container=app pod_uid='' pod_node=$LAB_NODE pod_ip='' pod_router=''
	shift
	while [ $# -gt 0 ]; do
		case $1 in
		--namespace|--container|--uid|--driver|--runtime|--qos) printf -v "pod_${1#--}" '%s' "$2"; shift 2 ;;
		--no-logs) pod_logs=0; shift ;;
		*) lab_fail "unknown pod option '$1'"; return ;;
		esac
	done
	[ ! -e "$LAB_ROOT/pods/$pod_name" ] || { lab_fail "pod '$pod_name' is there already"; return; }
	if [ -z "$pod_uid" ]; then
		lab_hex 32
		h=$lab_hex
		pod_uid=${h:0:8}-${h:8:4}-4${h:13:3}-a${h:17:3}-${h:20:12}
	fi
	lab_hex 64
	pod_id=$lab_hex
	lab_pod_cgroup_path "$pod_driver" "$pod_runtime" "$pod_qos"
	mkdir -p "$pod_cgroup" || return
	[ "$pod_logs" = 1 ] || return 0
	dir=$LAB_ROOT/$pod_node/log/pods/${pod_namespace}_${pod_name%%+*}_$pod_uid/$pod_container
	file=$LAB_ROOT/$pod_node/log/containers/${pod_name%%+*}_${pod_namespace}_$pod_container-$pod_id.log
	mkdir -p "$dir" && : >"$dir/0.log" && ln -s "$dir/0.log" "$file"
}

lab_pod_cgroup_path() {		# DRIVER RUNTIME QOS: sets pod_cgroup as the kubelet and the runtime name it
	local base=$LAB_CG/$pod_node
	if [ "$1" = cgroupfs ]; then
		[ "$3" = guaranteed ] || base=$base/kubepods/$3
		[ "$3" != guaranteed ] || base=$base/kubepods
		pod_cgroup=$base/pod$pod_uid/$pod_id
		return
	fi
	case $3 in
	guaranteed) base=$base/kubepods.slice/kubepods-pod${pod_uid//-/_}.slice ;;
	*) base=$base/kubepods.slice/kubepods-$3.slice/kubepods-$3-pod${pod_uid//-/_}.slice ;;
	esac
	case $2 in
	crio) pod_cgroup=$base/crio-$pod_id.scope ;;
	docker) pod_cgroup=$base/docker-$pod_id.scope ;;
	*) pod_cgroup=$base/cri-containerd-$pod_id.scope ;;
	esac
}

lab_pod_save() {
	local v
	for v in name namespace container uid id node netns ip router cgroup; do
		printf 'pod_%s=%q\n' "$v" "$(eval "echo \"\$pod_$v\"")"
	done >"$LAB_ROOT/pods/$pod_name"
}

lab_pod_load() {		# sets pod_*
	[ -s "$LAB_ROOT/pods/$1" ] || { lab_fail "no pod '$1'"; return; }
	# shellcheck disable=SC1090
	. "$LAB_ROOT/pods/$1"
}

# A veth of the pod's namespace: eth0 inside, $2 with a known address at the other end in namespace $1.
lab_pod_veth() {
	pod_netns=p-$pod_name
	lab_netns "$pod_netns" || return
	lab_ip "$1" link add "$2" address "${3:-02:00:00:00:00:01}" type veth peer name eth0 netns "$LAB_ID-$pod_netns"
}

lab_node_k() { read -r lab_k <"$LAB_ROOT/nodes/$pod_node"; }

lab_pod_bridge() {		# lab_pod_bridge NAME [options]: behind docker0, one forward, MASQUERADE
	local gw veth
	lab_pod_prepare "$@" || return
	lab_node_k
	lab_next "bridge.$pod_node"
	gw=10.244.$((lab_k * 16)).1
	if [ "$lab_n" = 1 ]; then
		lab_ip "$pod_node" <<-END || return
			link add docker0 address 02:42:00:00:00:01 type bridge
			addr add $gw/20 dev docker0
			link set docker0 up
		END
	fi
	pod_ip=10.244.$((lab_k * 16 + (lab_n + 1) / 256)).$(((lab_n + 1) % 256))
	veth=veth$lab_n
	lab_pod_veth "$pod_node" "$veth" || return
	lab_ip "$pod_node" link set "$veth" master docker0 up || return
	lab_ip "$pod_netns" <<-END || return
		addr add $pod_ip/20 dev eth0
		link set eth0 up
		route add default via $gw
	END
	lab_pod_save
}

lab_pod_routed() {		# lab_pod_routed NAME [options]: VPC CNI's /32 veth with policy routes, one forward, SNAT
	local veth mac
	lab_pod_prepare "$@" || return
	lab_node_k
	lab_next "routed.$pod_node"
	pod_ip=10.245.$((lab_k * 16 + lab_n / 256)).$((lab_n % 256))
	veth=eni${pod_id:0:11}
	printf -v mac '02:45:00:00:%02x:%02x' $((lab_n / 256)) $((lab_n % 256))
	lab_pod_veth "$pod_node" "$veth" "$mac" || return
	lab_ip "$pod_node" <<-END || return
		link set $veth up
		route add $pod_ip/32 dev $veth scope link
		rule add to $pod_ip lookup main prio 512
	END
	lab_ip "$pod_netns" <<-END || return
		addr add $pod_ip/32 dev eth0
		link set eth0 up
		route add 169.254.1.1/32 dev eth0 scope link
		route add default via 169.254.1.1 dev eth0
		neigh add 169.254.1.1 lladdr $mac dev eth0 nud permanent
	END
	lab_pod_save
}

lab_pod_extra() {		# lab_pod_extra NAME [options]: a router between node and pod, two forwards
	local net
	lab_pod_prepare "$@" || return
	lab_node_k
	lab_next "extra.$pod_node"
	net=10.246.$((lab_k * 16 + lab_n * 8 / 256))
	lab_n=$((lab_n * 8 % 256))
	pod_router=r-$pod_name pod_ip=$net.$((lab_n + 6))
	lab_netns "$pod_router" || return
	lab_sysctl "$pod_router" net/ipv4/ip_forward=1 || return
	lab_ip "$pod_router" link add eth0 type veth peer name "xr$lab_n" netns "$LAB_ID-$pod_node" || return
	lab_pod_veth "$pod_router" eth1 || return
	lab_ip "$pod_node" <<-END || return
		addr add $net.$((lab_n + 1))/30 dev xr$lab_n
		link set xr$lab_n up
		route add $net.$((lab_n + 4))/30 via $net.$((lab_n + 2))
	END
	lab_ip "$pod_router" <<-END || return
		addr add $net.$((lab_n + 2))/30 dev eth0
		addr add $net.$((lab_n + 5))/30 dev eth1
		link set eth0 up
		link set eth1 up
		route add default via $net.$((lab_n + 1))
	END
	lab_ip "$pod_netns" <<-END || return
		addr add $pod_ip/30 dev eth0
		link set eth0 up
		route add default via $net.$((lab_n + 5))
	END
	lab_pod_save
}

# In a node that is itself a container behind docker0 (kind, Docker in Docker): two forwards, NAT twice. Every such node
# has the same addresses inside. Some pod must have made docker0 before.
lab_pod_inner() {		# lab_pod_inner NAME [options]
	local gw outer router
	lab_pod_prepare "$@" || return
	lab_node_k
	lab_next "bridge.$pod_node"
	router=r-$pod_name gw=10.244.$((lab_k * 16)).1
	outer=10.244.$((lab_k * 16 + (lab_n + 1) / 256)).$(((lab_n + 1) % 256))
	lab_netns "$router" && lab_sysctl "$router" net/ipv4/ip_forward=1 || return
	lab_ip "$pod_node" link add "veth$lab_n" type veth peer name eth0 netns "$LAB_ID-$router" || return
	lab_ip "$pod_node" link set "veth$lab_n" master docker0 up || return
	lab_ip "$router" <<-END || return
		addr add $outer/20 dev eth0
		link set eth0 up
		route add default via $gw
	END
	pod_ip=10.9.0.2 pod_router=$router
	lab_pod_veth "$router" br0 || return
	lab_ip "$router" <<-END || return
		addr add 10.9.0.1/24 dev br0
		link set br0 up
	END
	lab_ip "$pod_netns" <<-END || return
		addr add $pod_ip/24 dev eth0
		link set eth0 up
		route add default via 10.9.0.1
	END
	lab_in "$router" iptables -w -t nat -A POSTROUTING -s 10.9.0.0/24 -o eth0 -j MASQUERADE || return
	lab_pod_save
}

lab_pod_v6() {			# lab_pod_v6 NAME [options]: IPv6 only, one forward, no NAT
	local net
	lab_pod_prepare "$@" || return
	lab_node_k
	lab_next "v6.$pod_node"
	printf -v net 'fd00:244:%d:%x' "$lab_k" "$lab_n"
	pod_ip=$net::2
	lab_pod_veth "$pod_node" "v6p$lab_n" || return
	lab_ip "$pod_node" <<-END || return
		addr add $net::1/64 dev v6p$lab_n nodad
		link set v6p$lab_n up
	END
	lab_ip "$pod_netns" <<-END || return
		addr add $pod_ip/64 dev eth0 nodad
		link set eth0 up
		route add default via $net::1
	END
	lab_pod_save
}

lab_pod_host() {		# lab_pod_host NAME [options]: a pod with host networking, no forward
	lab_pod_prepare "$@" || return
	pod_netns=$pod_node
	lab_pod_save
}

lab_host_client() {		# lab_host_client NAME: a service of the node itself, no pod
	pod_name=$1 pod_namespace='' pod_container='' pod_uid='' pod_id='' pod_node=$LAB_NODE pod_netns=$LAB_NODE
	pod_ip='' pod_router='' pod_cgroup=$LAB_CG/$LAB_NODE/system.slice/$1.service
	mkdir -p "$pod_cgroup" && lab_pod_save
}

lab_sidecar() {			# lab_sidecar POD CONTAINER: one more container of a pod, known to lab_exec as POD+CONTAINER
	local netns ip
	lab_pod_load "$1" || return
	netns=$pod_netns ip=$pod_ip
	LAB_NODE=$pod_node lab_pod_prepare "$1+$2" --container "$2" --namespace "$pod_namespace" --uid "$pod_uid" || return
	pod_netns=$netns pod_ip=$ip
	lab_pod_save
}

lab_exec() {			# lab_exec POD COMMAND...: with the pod's cgroup and network
	local pod_name pod_namespace pod_container pod_uid pod_id pod_node pod_netns pod_ip pod_router pod_cgroup
	lab_pod_load "$1" || return
	shift
	# the network first: a process of a pod must not be seen, much less ask, in the network of the machine
	nsenter --net="/run/netns/$LAB_ID-$pod_netns" -- \
		sh -c 'echo $$ >"$0" && exec "$@"' "$pod_cgroup/cgroup.procs" "$@"
}

lab_pod_delete() {		# as the kubelet does: processes killed, cgroups, namespace and logs gone
	local dir
	lab_pod_load "$1" || return
	dir=${pod_cgroup%/*}
	[ -n "$pod_uid" ] || dir=$pod_cgroup
	lab_cgroup_remove "$dir" || return
	case $pod_netns in
	p-*) [ ! -e "/run/netns/$LAB_ID-$pod_netns" ] || ip netns del "$LAB_ID-$pod_netns" ;;
	esac
	[ -z "$pod_router" ] || ip netns del "$LAB_ID-$pod_router"
	rm -rf "$LAB_ROOT/$pod_node/log/pods/${pod_namespace}_${pod_name}_$pod_uid" "$LAB_ROOT/pods/$pod_name" \
		"$LAB_ROOT/pods/$pod_name+"*
	rm -f "$LAB_ROOT/$pod_node/log/containers/${pod_name}_${pod_namespace}_"*.log
}

lab_block() {			# lab_block POD TARGET -I|-D: DROP or REJECT of its packets to the service, on the node
	local v6=() to=$LAB_IMDS4
	lab_pod_load "$1" || return
	case $pod_ip in
	*:*) v6=(-6) to=$LAB_IMDS6 ;;
	esac
	lab_iptables "$pod_node" "${v6[@]}" "$3" FORWARD -s "$pod_ip" -d "$to" -j "$2"
}

lab_drop() { lab_block "$1" DROP -I; }
lab_reject() { lab_block "$1" REJECT -I; }
lab_undrop() { lab_block "$1" DROP -D 2>/dev/null || lab_block "$1" REJECT -D; }

# --- the program under test ------------------------------------------------------------------------------------------

lab_cgroup() { echo "$LAB_CG/$LAB_NODE"; }		# for imdsnoop --cgroup

lab_args() {			# sets LAB_ARGS, the options with which imdsnoop sees the node's pods and their names
	LAB_ARGS=(--cgroup "$LAB_CG/$LAB_NODE" --pod-logs "$LAB_ROOT/$LAB_NODE/log/pods"
		--container-logs "$LAB_ROOT/$LAB_NODE/log/containers")
}

lab_imdsnoop() {		# lab_imdsnoop COMMAND [ARGS...]
	local command=$1 LAB_ARGS
	shift
	lab_args
	"$IMDSNOOP" "$command" "${LAB_ARGS[@]}" "$@"
}

lab_trace_start() {		# lab_trace_start FILE [ARGS...]: in the background; returns when it is attached
	local file=$1 LAB_ARGS
	shift
	lab_args
	rm -f "$file"
	"$IMDSNOOP" trace "${LAB_ARGS[@]}" --json --output "$file" "$@" </dev/null >"$file.out" 2>"$file.err" &
	LAB_TRACE_PID=$!
	lab_wait_for 10 grep -qs '"type": *"start"' "$file" && return
	cat "$file.err" >&2
	lab_fail "imdsnoop trace did not start"
}

# A command other than trace says nothing when it has attached: its BPF links are there and no more are coming.
lab_links() { find "/proc/$1/fd" -lname '*bpf*link*' 2>/dev/null | wc -l; }
lab_attached() {
	local pid=$1 before=0 now i
	for ((i = 0; i < 100; i++)); do
		now=$(lab_links "$pid")
		[ "$now" -lt 2 ] || [ "$now" != "$before" ] || return 0
		before=$now
		sleep 0.1
	done
	return 1
}

lab_is_gone() { ! grep -qs '^State:.[^ZX]' "/proc/$1/status"; }

lab_trace_stop() {		# Ctrl-C; returns its exit code
	local pid=$LAB_TRACE_PID
	LAB_TRACE_PID=
	kill -INT "$pid" 2>/dev/null
	lab_wait_for 10 lab_is_gone "$pid" || kill -KILL "$pid"
	wait "$pid"
}
