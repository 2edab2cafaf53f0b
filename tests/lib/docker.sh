# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# A real dockerd for tests that have sourced e2e.sh, from Debian's packages unpacked below build/runtimes (scripts/deps):
# nothing of it is installed or started on the machine. Its data, sockets, networks and cgroups are the lab's.

DK_BIN=$LAB_TREE/build/runtimes
PATH=$PATH:$DK_BIN/usr/sbin:$DK_BIN/usr/bin

dk_need() {
	e2e_need runc dockerd containerd docker
	[ -x "$DK_BIN/bin/busybox" ] || e2e_skip_all "no busybox-static below build/runtimes: run scripts/deps"
	awk '$5 == "/" { found = 1 } END { exit !found }' /proc/self/mountinfo ||
		e2e_skip_all "the root here is no mount point (a chroot): containers cannot run; bind it onto itself to have them"
}

dk() { docker --host "unix://$LAB_ROOT/$LAB_NODE/docker/sock" "$@"; }	# dk ARGS...: of the daemon on $LAB_NODE

# A daemon on $LAB_NODE, in its network and cgroup; --runtime-dirs "$LAB_ROOT/$LAB_NODE/root" has its state. The test says
# `e2e_later dk_down NODE` itself: a check is a subshell.
dk_up() {
	local dir=$LAB_ROOT/$LAB_NODE/docker
	mkdir -p "$dir" "$LAB_CG/$LAB_NODE/system.slice/docker.service" || return
	echo '{}' >"$dir/daemon.json"
	# shellcheck disable=SC2016
	nsenter --net="/run/netns/$LAB_ID-$LAB_NODE" unshare --mount -- sh -c 'echo $$ >"$0" && exec "$@"' \
		"$LAB_CG/$LAB_NODE/system.slice/docker.service/cgroup.procs" dockerd --config-file "$dir/daemon.json" \
		--data-root "$LAB_ROOT/$LAB_NODE/root/var/lib/docker" --exec-root "$dir/exec" --pidfile "$dir/pid" \
		--host "unix://$dir/sock" --storage-driver vfs --exec-opt native.cgroupdriver=cgroupfs \
		--cgroup-parent "/$LAB_ID/$LAB_NODE/docker" --bip 10.201.0.1/24 --userland-proxy=false \
		</dev/null >"$dir/log" 2>&1 &
	lab_wait_for 30 dk version || { tail -5 "$dir/log"; return 1; }
	mkdir -p "$dir/image/bin" && cp "$LAB_BIN/raw_client" "$dir/image/bin" &&
		{ [ ! -x "$DK_BIN/bin/busybox" ] || cp "$DK_BIN/bin/busybox" "$dir/image/bin"; } && ln -s busybox "$dir/image/bin/sleep" && tar -C "$dir/image" -c . | dk import - client:1 >/dev/null
}

dk_down() {			# dk_down NODE
	local LAB_NODE=$1 pid='' dir
	[ ! -s "$LAB_ROOT/$LAB_NODE/docker/pid" ] || read -r pid <"$LAB_ROOT/$LAB_NODE/docker/pid"
	dk ps -q 2>/dev/null | while read -r dir; do dk kill "$dir"; done >/dev/null 2>&1
	[ -z "$pid" ] || kill "$pid" 2>/dev/null
	[ -z "$pid" ] || lab_wait_for 10 lab_is_gone "$pid" || kill -KILL "$pid"
	# runc made the same folders in each v1 hierarchy
	for dir in /sys/fs/cgroup/*/"$LAB_ID"; do
		[ ! -d "$dir" ] || [ "$dir" = "$LAB_CG" ] || lab_cgroup_remove "$dir"
	done
	awk -v root="$LAB_ROOT/$LAB_NODE/" 'index($2, root) == 1 { print $2 }' /proc/mounts | sort -r |
		while read -r dir; do umount "$dir"; done
}

# Steps of raw_client that ask for a token, as an SDK does with a short patience, or for data as IMDSv1 does.
# shellcheck disable=SC2034
DK_PUT=(/bin/raw_client "$LAB_IMDS4" 80
	'send:PUT /latest/api/token HTTP/1.1\r\nHost: imds\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n' recv:600 close)
# shellcheck disable=SC2034
DK_GET=(/bin/raw_client "$LAB_IMDS4" 80 'send:GET /latest/meta-data/instance-id HTTP/1.0\r\nHost: imds\r\n\r\n' recv:2000 close)
