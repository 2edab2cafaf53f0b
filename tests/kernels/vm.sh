# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # packages.sh sets pk_*
#
# A virtual machine whose whole root is in the initramfs: Debian's userland of that architecture, the kernel's network
# modules, the program under test and the tests. Nothing of the host is visible inside. To be sourced after packages.sh.

PATH=$PATH:/usr/sbin:/sbin		# depmod
VM_PACKAGES=(bash coreutils findutils grep sed mawk util-linux mount procps kmod iproute2 iptables libcap2-bin)
VM_SYSTEMD=(systemd systemd-sysv)
VM_CONTAINERD=(usr/bin/{containerd,containerd-shim-runc-v2,ctr} usr/sbin/runc usr/lib/systemd/system/containerd.service)
VM_MODULES=(kernel/net kernel/lib kernel/crypto kernel/drivers/net/veth.ko*)

vm_cpio() { (cd "$1" && find . -path ./.packages -prune -o -print0 | cpio --quiet -0 -o -H newc -R 0:0); }

vm_have() {			# vm_have ARCH
	local tool
	for tool in "$(vm_qemu "$1")" cpio depmod dpkg-deb; do
		command -v "$tool" >/dev/null || { pk_fail "no $tool here"; return; }
	done
}
vm_qemu() { case $1 in amd64) echo qemu-system-x86_64 ;; arm64) echo qemu-system-aarch64 ;; esac; }

# vm_root ARCH [systemd]: the userland, made once, with systemd or without; sets vm_root to the archive
vm_root() {
	local dir=$PK_CACHE/guest-$1${2:+-$2} packages=("${VM_PACKAGES[@]}")
	[ $# = 1 ] || packages+=("${VM_SYSTEMD[@]}")
	vm_root=$dir.cpio
	pk_unpack "$dir" "$1" closure "${packages[@]}" || return
	[ "$dir/.packages" -nt "$vm_root" ] || return 0
	# perl comes with packages that only its scripts need; the rest is read by nobody in a guest
	rm -rf "$dir"/usr/share/{doc,man,locale,perl*,info,bash-completion,zoneinfo,lintian} "$dir"/usr/lib/*/{perl*,gconv} \
		"$dir"/usr/lib/*/libperl* "$dir"/usr/bin/*perl* "${dir:?}/var"
	mkdir -p "$dir"/{proc,sys,dev,run,tmp,root,var/log,var/tmp,etc}
	chmod 1777 "$dir/tmp" "$dir/var/tmp"
	printf '%s\n' root:x:0:0::/root:/bin/bash nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin >"$dir/etc/passwd"
	printf '%s\n' root:x:0: tty:x:5: utmp:x:43: nogroup:x:65534: >"$dir/etc/group"
	ln -sf mawk "$dir/usr/bin/awk"
	ln -sf bash "$dir/usr/bin/sh"
	ln -sf xtables-nft-multi "$dir/usr/sbin/iptables"
	ln -sf xtables-nft-multi "$dir/usr/sbin/ip6tables"
	vm_cpio "$dir" >"$vm_root.new" && mv "$vm_root.new" "$vm_root" || pk_fail "cannot pack $vm_root"
}

# vm_initrd FILE ARCH TREE CASE...: TREE has imdsnoop and build/tests of that architecture; after pk_kernel
vm_initrd() {
	local file=$1 arch=$2 tree=$3 dir=$1.d modules=usr/lib/modules/$pk_release m
	shift 3
	if [ "$*" = systemd ]; then vm_root "$arch" systemd; else vm_root "$arch"; fi || return
	rm -rf "$dir"
	mkdir -p "$dir/$modules" "$dir/t/build/tests" "$dir/t/tests" || return
	# shellcheck disable=SC2048 # patterns
	(cd "$pk_dir/$modules" && for m in modules.* ${VM_MODULES[*]}; do
		[ ! -e "$m" ] || cp --parents -r "$m" "$dir/$modules"
	done)
	cp -r "$VM_TREE"/tests/{lib,kernels} "$dir/t/tests/"
	if [ "$*" = systemd ]; then
		cp -r "$VM_TREE/scripts" "$dir/t/"
		pk_unpack "$PK_CACHE/containerd-$arch" "$arch" alone containerd runc || return
		(cd "$PK_CACHE/containerd-$arch" && cp --parents "${VM_CONTAINERD[@]}" "$dir") || return
	fi
	cp "$VM_TREE/tests/kernels/init" "$dir/init"
	cp "$tree/imdsnoop" "$dir/t/"
	find "$tree/build/tests" -maxdepth 1 \( -name '*.bpf.o' -o -name imds_server -o -name '*_client' -o -name bpf_tables \) \
		-exec cp {} "$dir/t/build/tests/" \;
	echo "$*" >"$dir/case"
	{ cat "$vm_root"; vm_cpio "$dir"; } >"$file" || return
	rm -rf "$dir"
}

# vm_run SECONDS ARCH INITRD KERNEL-ARGUMENT...: becomes a machine that prints what the guest says; in a subshell, after
# pk_kernel. No KVM: it is nowhere needed.
vm_run() {
	local seconds=$1 arch=$2 initrd=$3 qemu console
	shift 3
	case $arch in
	amd64) qemu=(-machine q35 -cpu max) console=ttyS0 ;;
	arm64) qemu=(-machine virt -cpu cortex-a72) console=ttyAMA0 ;;
	esac
	exec timeout --kill-after=5 "$seconds" "$(vm_qemu "$arch")" "${qemu[@]}" -accel tcg,thread=multi -smp 2 -m 1280 -nodefaults -display none \
		-no-reboot -nic none -serial stdio -kernel "$pk_image" -initrd "$initrd" \
		-append "console=$console quiet loglevel=3 panic=-1 mitigations=off rdinit=/init $*" </dev/null
}
