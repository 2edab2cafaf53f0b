# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Real containers in the lab, for tests that have sourced e2e.sh: podman with runc, images by buildah, all of it under
# $LAB_ROOT and in the network namespace of the lab's node, so that bridge, rules and storage are gone with the lab.
# The machine's own podman, its images, networks and locks are not touched.

# crun refuses the hybrid cgroup mount; runc joins the v2 tree there and on a unified mount. Limits: a sandbox may not
# let podman raise its default ones. lock_type: shared memory locks would be the machine's.
ctr_up() {
	# the runtimes remount "/" in a namespace of their own, which needs it to be a mount point: in a plain chroot it is not
	awk '$5 == "/" { found = 1 } END { exit !found }' /proc/self/mountinfo ||
		e2e_skip_all "the root here is no mount point (a chroot): containers cannot run; bind it onto itself to have them"
	CTR_ROOT=$LAB_ROOT/podman
	mkdir -p "$CTR_ROOT/net" "$CTR_ROOT/tmp" || return
	cat >"$CTR_ROOT/containers.conf" <<-END
		[containers]
		default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		lock_type = "file"
		runtime = "runc"
		tmp_dir = "$CTR_ROOT/libpod"
		[network]
		network_config_dir = "$CTR_ROOT/net"
	END
	e2e_later ctr_down
}

ctr_env() {			# ctr_env COMMAND...: without the user's settings for containers, temporary files in the lab
	env -u CONTAINER_HOST -u DOCKER_HOST -u XDG_RUNTIME_DIR CONTAINERS_CONF="$CTR_ROOT/containers.conf" \
		TMPDIR="$CTR_ROOT/tmp" "$@"
}

ctr_podman() {			# ctr_podman ARGS...
	ctr_env nsenter --net="/run/netns/$LAB_ID-$LAB_NODE" -- podman --root "$CTR_ROOT/root" --runroot "$CTR_ROOT/run" \
		--storage-driver vfs --log-level error "$@"
}

ctr_build() {			# ctr_build IMAGE CONTAINERFILE CONTEXT: needs no registry, the base is scratch
	ctr_env buildah --root "$CTR_ROOT/root" --runroot "$CTR_ROOT/run" --storage-driver vfs bud --isolation chroot \
		--quiet --tag "$1" --file "$2" "$3"
}

ctr_build_client() {		# the image localhost/client: raw_client and nothing else
	mkdir -p "$CTR_ROOT/client" && cp "$LAB_BIN/raw_client" "$CTR_ROOT/client/raw_client" || return
	printf '%s\n' 'FROM scratch' 'COPY raw_client /raw_client' 'ENTRYPOINT ["/raw_client"]' >"$CTR_ROOT/client/Containerfile"
	ctr_build localhost/client "$CTR_ROOT/client/Containerfile" "$CTR_ROOT/client"
}

# A container in the foreground, or one to be started later; its cgroup is made in $CTR_PARENT, default the lab's node.
ctr_run() { ctr_podman run --pull never --cgroup-parent "${CTR_PARENT:-/$LAB_ID/$LAB_NODE}" "$@"; }
ctr_create() { ctr_podman create --pull never --cgroup-parent "${CTR_PARENT:-/$LAB_ID/$LAB_NODE}" "$@"; }

# Steps of raw_client that ask for a token, as an SDK does with a short patience, or for data as IMDSv1 does.
# shellcheck disable=SC2034
CTR_PUT=("$LAB_IMDS4" 80 'send:PUT /latest/api/token HTTP/1.1\r\nHost: imds\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n'
	recv:600 close)
# shellcheck disable=SC2034
CTR_GET=("$LAB_IMDS4" 80 'send:GET /latest/meta-data/instance-id HTTP/1.0\r\nHost: imds\r\n\r\n' recv:2000 close)

ctr_down() {
	local dir
	ctr_podman rm --all --force --time 0 >/dev/null 2>&1
	# runc made the same folders in each v1 hierarchy
	for dir in /sys/fs/cgroup/*/"$LAB_ID"; do
		[ ! -d "$dir" ] || [ "$dir" = "$LAB_CG" ] || lab_cgroup_remove "$dir"
	done
	awk -v root="$CTR_ROOT/" 'index($2, root) == 1 { print $2 }' /proc/mounts | sort -r |
		while read -r dir; do umount "$dir"; done
}
