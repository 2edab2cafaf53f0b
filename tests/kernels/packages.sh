# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Debian packages of any release and architecture, fetched and unpacked beside the system and never installed in it, to be
# sourced by bash. apt does it with settings, lists and an empty package database of its own; the archive's signatures are
# checked with the system's keyring. All of it is kept in $IMDSNOOP_CACHE (default ~/.cache/imdsnoop).

PK_CACHE=${IMDSNOOP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/imdsnoop}
PK_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
PK_MIRROR=${IMDSNOOP_MIRROR:-http://deb.debian.org}
PK_LISTS_DAYS=7			# lists older than this are asked for again

pk_why=				# why the last pk_ function failed, one line

pk_fail() { pk_why=$*; return 1; }

pk_apt() {			# pk_apt ARCH apt-get|apt-cache ARGS...
	local arch=$1
	shift
	APT_CONFIG=$PK_CACHE/apt/conf LC_ALL=C "$1" -o "APT::Architecture=$arch" -o "Dir::Cache=$PK_CACHE/apt/$arch" "${@:2}"
}

pk_configure() {
	local dir=$PK_CACHE/apt
	mkdir -p "$dir"/{sources,state/lists/partial,{amd64,arm64}/archives/partial,empty} || return
	: >"$dir/status"
	cat >"$dir/sources/debian.sources" <<-END
		Types: deb
		URIs: $PK_MIRROR/debian
		Suites: bullseye bookworm bookworm-backports trixie trixie-backports sid
		Components: main
		Architectures: amd64 arm64
		Signed-By: $PK_KEYRING

		Types: deb
		URIs: $PK_MIRROR/debian-security
		Suites: bullseye-security bookworm-security trixie-security
		Components: main
		Architectures: amd64 arm64
		Signed-By: $PK_KEYRING
	END
	cat >"$dir/conf" <<-END
		Dir::Etc::main "/dev/null";
		Dir::Etc::parts "$dir/empty";
		Dir::Etc::sourcelist "/dev/null";
		Dir::Etc::sourceparts "$dir/sources";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "$dir/empty";
		Dir::State "$dir/state";
		Dir::State::status "$dir/status";
		APT::Architectures { "amd64"; "arm64"; };
		APT::Default-Release "bookworm";
		APT::Install-Recommends "false";
		APT::Sandbox::User "$(id -un)";
		Acquire::Languages "none";
		Acquire::Retries "3";
		Acquire::Check-Date "false";
		Debug::NoLocking "1";
	END
}

pk_lists_fresh() {
	[ -n "$(find "$PK_CACHE/apt/updated" -mtime "-$PK_LISTS_DAYS" 2>/dev/null)" ]
}

# pk_open: asks the mirror for its lists when ours are old. A mirror out of reach is fine while old lists are here.
pk_open() {
	local log=$PK_CACHE/apt/update.log
	command -v apt-get >/dev/null || { pk_fail "no apt-get here"; return; }
	[ -e "$PK_KEYRING" ] || { pk_fail "no $PK_KEYRING (package debian-archive-keyring)"; return; }
	pk_configure || { pk_fail "cannot write to $PK_CACHE"; return; }
	pk_lists_fresh && return
	# apt-get calls it success when all failed, and failure of one release need not stop the others: look at what came
	pk_apt amd64 apt-get -q update >"$log" 2>&1
	if ! compgen -G "$PK_CACHE/apt/state/lists/*_dists_bookworm_InRelease" >/dev/null; then
		pk_fail "the mirror gives no package lists: $(grep -m1 -E '^(E|W|Err):?' "$log")"
		return
	fi
	grep -qE '^(E|W|Err):' "$log" || touch "$PK_CACHE/apt/updated"
}

pk_newest() {			# pk_newest ARCH PREFIX REGEX: the newest package whose name is PREFIX, then REGEX
	local name
	name=$(pk_apt "$1" apt-cache pkgnames "$2" 2>/dev/null | grep -E "^${2//./\\.}$3\$" | sort -V | tail -1)
	[ -n "$name" ] || { pk_fail "the mirror has no package $2..."; return; }
	echo "$name"
}

# pk_unpack DIR ARCH closure|alone PACKAGE...: unpacks them into DIR, with all that they depend on or alone. A DIR made
# earlier with the same arguments stays as it is.
pk_unpack() {
	local dir=$1 arch=$2 mode=$3 debs new=$1.new deb
	local stamp=$dir/.packages want="${*:2}"
	shift 3
	[ "$(cat "$stamp" 2>/dev/null)" != "$want" ] || return 0
	debs=$PK_CACHE/debs/$(basename "$dir")
	rm -rf "$new"
	mkdir -p "$debs/partial" "$new"/usr/{bin,sbin,lib,lib64} || { pk_fail "cannot write to $PK_CACHE"; return; }
	for deb in bin sbin lib lib64; do ln -s "usr/$deb" "$new/$deb"; done	# as Debian 12 and later are laid out
	if [ "$mode" = closure ]; then
		pk_apt "$arch" apt-get -qq -y -d -o "Dir::Cache::archives=$debs" install "$@" >"$debs/log" 2>&1
	else
		(cd "$debs" && pk_apt "$arch" apt-get -qq download "${@/%/:$arch}" >log 2>&1)
	fi || { pk_fail "apt-get: $(grep -m1 '^E:' "$debs/log")"; return; }
	for deb in "$debs"/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$new" --no-same-owner --keep-directory-symlink ||
			{ pk_fail "cannot unpack $deb"; return; }
	done
	rm -rf "$debs" "$dir"
	echo "$want" >"$new/.packages"
	mv "$new" "$dir"
}

# pk_kernel ARCH VERSION-PREFIX: newest cloud kernel of that version; sets pk_release (uname -r), pk_dir, pk_image.
pk_kernel() {
	local arch=$1 image extra=()
	image=$(pk_newest "$arch" "linux-image-$2" "[0-9.+a-z~-]*-cloud-$arch") ||
		{ pk_fail "the mirror has no linux-image-$2*-cloud-$arch"; return; }
	pk_release=${image#linux-image-}
	pk_dir=$PK_CACHE/kernel/$pk_release
	# in 7.x the image package is empty and these hold the kernel
	[ -z "$(pk_apt "$arch" apt-cache pkgnames "linux-binary-$pk_release")" ] ||
		extra=("linux-binary-$pk_release" "linux-modules-$pk_release" "linux-base-$pk_release")
	mkdir -p "$PK_CACHE/kernel"
	pk_unpack "$pk_dir" "$arch" alone "$image" "${extra[@]}" || return
	for pk_image in "$pk_dir/boot/vmlinuz-$pk_release" "$pk_dir/usr/lib/modules/$pk_release/vmlinuz"; do
		[ ! -e "$pk_image" ] || break
	done
	[ -e "$pk_image" ] || { pk_fail "no vmlinuz in $image"; return; }
	[ -e "$pk_dir/usr/lib/modules/$pk_release/modules.dep" ] || depmod -b "$pk_dir" "$pk_release"
}
