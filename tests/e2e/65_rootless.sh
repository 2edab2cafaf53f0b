#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Rootless podman at hop limit 1: its container's connection ends in slirp4netns (or pasta) on the node, which asks anew from
# the node itself, so 1 is enough; the container has the name that its user gave, told by that user's store alone.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/lib/container.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/container.sh"
e2e_need podman runc slirp4netns setpriv
[ -c /dev/net/tun ] || e2e_skip_all "no /dev/net/tun"
e2e_lab --hop-limit 1
ctr_up			# skips where no container can run
pasta=$LAB_TREE/build/runtimes/usr/bin/pasta
uid=61234 home=$LAB_ROOT/host/home/dana
mkdir -p "$LAB_ROOT/host/etc" "$home" "$LAB_ROOT/image" "$LAB_ROOT/run"
echo "dana:x:$uid:$uid::/home/dana:/bin/sh" >"$LAB_ROOT/host/etc/passwd"
{ cat /etc/passwd; echo "dana:x:$uid:$uid::$home:/bin/sh"; } >"$LAB_ROOT/passwd"
sed 's,tmp_dir = .*,tmp_dir = "'"$LAB_ROOT/run/libpod"'",; /^\[network\]/,$d' "$CTR_ROOT/containers.conf" >"$LAB_ROOT/containers.conf"
mknod -m 666 "$LAB_ROOT/tun" c 10 200	# a machine may keep its own for root
cp "$LAB_BIN/raw_client" "$LAB_ROOT/image/raw_client"
chmod 755 "$LAB_ROOT" "$LAB_ROOT/host" "$LAB_ROOT/host/home"
chown -R $uid:$uid "$home" "$LAB_ROOT/run"
session=$LAB_CG/node/user.slice/user-$uid.slice/user@$uid.service/app.slice
mkdir -p "$session" && chown -R $uid:$uid "$LAB_CG/node/user.slice/user-$uid.slice/user@$uid.service"

# as a login of hers: her cgroup, her home, her user namespace; on a hybrid machine the v2 tree is where podman looks for it
dana() {
	# shellcheck disable=SC2016
	nsenter --net="/run/netns/$LAB_ID-node" unshare --mount -- sh -c 'echo $$ >"$1/cgroup.procs" && mount --bind "$2" /etc/passwd &&
		mount --bind "$5" /dev/net/tun && { [ "$3" = /sys/fs/cgroup ] || mount --bind "$3" /sys/fs/cgroup; } && uid=$4 && shift 5 &&
		exec setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"' \
		sh "$session" "$LAB_ROOT/passwd" "$LAB_CGROUP2" $uid "$LAB_ROOT/tun" \
		env -i PATH="$PATH" HOME="$home" USER=dana XDG_RUNTIME_DIR="$LAB_ROOT/run" CONTAINERS_CONF="$LAB_ROOT/containers.conf" \
		"$@"
}
podman=(podman --storage-driver vfs --storage-opt vfs.ignore_chown_errors=true --log-level error)	# she has one uid: no /etc/subuid
gone() {			# podman's process that keeps the user namespace
	local pid
	[ -s "$LAB_ROOT/run/libpod/tmp/pause.pid" ] && read -r pid <"$LAB_ROOT/run/libpod/tmp/pause.pid" && kill "$pid"
}
e2e_later gone
image() { tar -C "$LAB_ROOT/image" -c . | dana "${podman[@]}" import --change 'ENTRYPOINT ["/raw_client"]' - client:1 2>/dev/null; }
check "image: the client's" image || exit
uplink=$(lab_ip node -o route get "$LAB_IMDS4" | sed -n 's/.* dev \([^ ]*\).*/\1/p')	# the lab's node has no default route
r=$LAB_ROOT/report t=$LAB_ROOT/trace
report_start "$r" --runtime-dirs "$LAB_ROOT/host"
trace_start "$t" --runtime-dirs "$LAB_ROOT/host"
check "slirp4netns: the container gets its token" dana "${podman[@]}" run --rm --name cart --network slirp4netns client:1 "${CTR_PUT[@]}"
if [ -x "$pasta" ]; then
	check "pasta: the process gets its token" dana "$pasta" --quiet --ipv4-only --config-net \
		--interface "$uplink" --address 10.0.2.100 --netmask 24 --gateway 10.0.2.2 -- "$LAB_ROOT/image/raw_client" "${CTR_PUT[@]}"
else
	echo "skip pasta: not below build/runtimes, run scripts/deps"
fi
trace_stop
report_stop
check "report ends well" equal $? 0
expect_trace "$t" "container: its user's name, ok, needs 1" 'requests | map(select(.comm == "raw_client" and .container_id != "")) |
	length == 1 and all_are(.runtime == "podman" and .container == "cart" and .workload == "cart" and .outcome == "ok" and
	.hops == 0 and .required_hop_limit == 1 and (.host_network | not))'
expect_trace "$t" "slirp4netns asks from the node, for the user" 'requests | map(select(.comm == "slirp4netns")) | length == 1 and
	all_are(.outcome == "ok" and .required_hop_limit == 1 and .container == "" and .workload == "user@'$uid'")'
[ ! -x "$pasta" ] || expect_trace "$t" "pasta does too" 'requests | map(select(.comm | startswith("pas"))) | length == 1 and
	all_are(.outcome == "ok" and .required_hop_limit == 1)'
expect_report "$r" "nobody is blamed" '.headline.level != "problem" and ([.pods[].hop_limit] | all(. == "ok")) and
	([.findings[].code] | index("hop-limit-exhausted") == null)'
expect_report "$r" "the container needs no more than the limit that it has" '.pods[] | select(.container == "cart") |
	.required_hop_limit == 1 and .confidences == {}'
expect_nothing_lost "$r" "nothing lost"
