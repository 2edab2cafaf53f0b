#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# alone: it bootstraps a Debian and packs twice, which fills the processors.
# The packages as a stranger meets them: the .deb in a bare Debian 12 (installed, used on the lab, upgraded, removed), the .rpm
# in a root of its own, lintian, the SBOM against what is linked, completions in three shells, make install and uninstall.
# The binary in them is the one under test, so that nothing is built twice; `make dist` builds for both machines: ALL=1 does that,
# too, twice (ten minutes and more).
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need dpkg-buildpackage dh lintian jq debootstrap
[ -s "$LAB_TREE/build/imdsnoop.map" ] || e2e_skip_all "the program was not built here"
work=$(mktemp -d)
e2e_later rm -rf --one-file-system "$work"
arch=$(dpkg --print-architecture)
version=$(make -s -C "$LAB_TREE" version)
export DIST=$work/dist
mkdir -p "$DIST"
strip -o "$DIST/imdsnoop-$arch" "$IMDSNOOP" || e2e_skip_all "the program under test is not the binary itself"
cp "$LAB_TREE/build/imdsnoop.map" "$DIST/.map-$arch"

# --- make install, completions -----------------------------------------------------------------------------------------

make -s -C "$LAB_TREE" install BINARY="$IMDSNOOP" O="$work/o" DESTDIR="$work/a root" PREFIX=/opt/snoop
check "install: the unit starts what was installed" grep -q '^ExecStart=/opt/snoop/bin/imdsnoop serve' \
	"$work/a root/opt/snoop/lib/systemd/system/imdsnoop.service"
check "install: binary, man page, completions, unit" equal "$(cd "$work/a root/opt/snoop" && find . -type f | wc -l)" 6
make -s -C "$LAB_TREE" uninstall O="$work/o" DESTDIR="$work/a root" PREFIX=/opt/snoop
check "uninstall: leaves no file" equal "$(find "$work/a root" -type f)" ""

bin=$work/bin
mkdir "$bin"
ln -s "$IMDSNOOP" "$bin/imdsnoop"
completion=$LAB_TREE/user/completion
# shellcheck disable=SC2016
check "bash completes options of a command" env PATH="$bin:$PATH" bash -c '. "$0"
	COMP_WORDS=(imdsnoop report --what) COMP_CWORD=2; _imdsnoop; [ "${COMPREPLY[*]}" = --what-if ]' "$completion/imdsnoop.bash"
# shellcheck disable=SC2016
check "bash completes commands" env PATH="$bin:$PATH" bash -c '. "$0"
	COMP_WORDS=(imdsnoop pro) COMP_CWORD=1; _imdsnoop; [ "${COMPREPLY[*]}" = probe ]' "$completion/imdsnoop.bash"
if command -v fish >/dev/null; then
	check "fish completes options of a command" env PATH="$bin:$PATH" HOME="$work" fish -c \
		"source $completion/imdsnoop.fish; __imdsnoop_options report | string match -q -- '--what-if*'"
else
	echo "skip no fish here"
fi
if command -v zsh >/dev/null; then
	# shellcheck disable=SC2016
	check "zsh completes all options of report" equal "$(PATH=$bin:$PATH zsh -c '_describe() { print -rl -- ${found%%:*}; }
		f() { words=(imdsnoop report --) CURRENT=3; . $1; }; f $1' . "$completion/imdsnoop.zsh" | sort)" \
		"$("$IMDSNOOP" report --help | sed -nE 's/^ {2,6}(-[a-z], )?(--[a-z-]+).*/\2/p' | sort)"
else
	echo "skip no zsh here"
fi

# --- .deb --------------------------------------------------------------------------------------------------------------

check "dist makes SBOM and .deb" "$LAB_TREE/scripts/dist" sbom deb
deb=$DIST/imdsnoop_${version}_$arch.deb
check "lintian has nothing to say" equal "$(lintian "$deb" 2>/dev/null)" ""
check "the SBOM names what is linked" eval 'jq -e "[.packages[].name] | index(\"libbpf-dev\") and index(\"libc6-dev\")" \
	"$DIST/imdsnoop.spdx.json"'
check "each library's licence text is there" eval '[ -s "$DIST/licences/libbpf-dev.copyright" ] &&
	equal "$(jq "[.packages[] | select(.name != \"imdsnoop\")] | length" "$DIST/imdsnoop.spdx.json")" \
		"$(find "$DIST/licences" -name "*.copyright" | wc -l)"'
check "checksums agree" eval '(cd "$DIST" && sha256sum -c --quiet SHA256SUMS)'
cp "$deb" "$work/first.deb"
rm "$deb"
"$LAB_TREE/scripts/dist" deb >/dev/null 2>&1
check "two .debs, same bytes" cmp "$work/first.deb" "$deb"
DIST=$work/none "$LAB_TREE/scripts/dist" deb 2>"$work/err"
check "a part without what it is made of fails, and says which part makes that" equal "$? $(cat "$work/err")" \
	"1 dist: deb needs what the part 'binaries' makes"
if [ -n "${ALL:-}" ]; then
	echo old >"$work/old" && mkdir "$work/whole" && cp "$work/old" "$work/whole/imdsnoop_0.0.1_$arch.deb" &&
		(cd "$work/whole" && sha256sum ./*.deb | sed 's,\./,,' >SHA256SUMS)
	check "the whole release" env DIST="$work/whole" "$LAB_TREE/scripts/dist"
	check "nothing of the release before is in it" test ! -e "$work/whole/imdsnoop_0.0.1_$arch.deb"
	cp "$work/whole/SHA256SUMS" "$work/sums"
	check "each part alone after the whole, in any order" env DIST="$work/whole" "$LAB_TREE/scripts/dist" manifest oci rpm deb sbom
	check "gives the same bytes again" cmp "$work/sums" "$work/whole/SHA256SUMS"
	check "the whole release, again" env DIST="$work/whole" "$LAB_TREE/scripts/dist"
	check "is the same in every byte" cmp "$work/sums" "$work/whole/SHA256SUMS"
fi

root=$work/debian
if debootstrap --variant=minbase bookworm "$root" >"$work/debootstrap" 2>&1; then
	# its mounts live in a mount namespace of each command, and so can neither stay nor be removed with the folder
	# shellcheck disable=SC2016
	inside=(unshare -m --propagation private sh -c 'root=$0; for d in /proc /sys "$LAB_ROOT"; do
		mkdir -p "$root$d" && mount --rbind "$d" "$root$d" || exit; done
		exec chroot "$root" env LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"' "$root")
	e2e_lab --hop-limit 1
	export LAB_ROOT
	cp "$deb" "$root/imdsnoop.deb"
	# a systemd that writes down what is asked of it, and says yes
	mkdir -p "$root/run/systemd/system"
	printf '#!/bin/sh\necho "$@" >>/asked\n' >"$root/usr/bin/systemctl" && chmod 755 "$root/usr/bin/systemctl"
	asked() { sed 's/--[a-z-]* //g' "$root/asked" | grep -c "^$1 imdsnoop.service$"; }
	check "installs in a bare Debian 12" "${inside[@]}" dpkg -i /imdsnoop.deb
	check "its unit starts what was installed" grep -q '^ExecStart=/usr/bin/imdsnoop serve' "$root/lib/systemd/system/imdsnoop.service"
	check "its service is neither enabled nor started" eval '! find "$root/etc/systemd" -name "imdsnoop*" | grep -q .'
	check "is in PATH, tells its version" equal "$("${inside[@]}" imdsnoop --version)" "imdsnoop $version"
	check "check finds no feature missing" eval '"${inside[@]}" imdsnoop check --json | jq -e "[.features[] | select(.state == \"missing\" and
		(.name | test(\"log|names|runtime\") | not))] == []"'
	lab_pod_bridge web-1 --namespace shop
	lab_args
	"${inside[@]}" imdsnoop report "${LAB_ARGS[@]}" --json --output "$LAB_ROOT/report" --duration 60s </dev/null >"$work/out" 2>&1 &
	E2E_REPORT_PID=$!
	lab_attached $E2E_REPORT_PID || e2e_die "the installed program attaches"
	put web-1 >/dev/null
	report_stop
	expect_report "$LAB_ROOT/report" "installed, it names the pod and the hop limit" \
		'[.findings[] | select(.code == "hop-limit-exhausted") | .pod] == ["web-1"] and pod("web-1").required_hop_limit == 2'
	# a newer version of the same bytes
	dpkg-deb -R "$deb" "$work/newer" && sed -i "s/^Version: .*/Version: $version+1/" "$work/newer/DEBIAN/control" &&
		dpkg-deb -b "$work/newer" "$root/newer.deb" >/dev/null
	# as systemctl enable --now leaves them
	mkdir -p "$root/etc/systemd/system/multi-user.target.wants" "$root/var/lib/private/imdsnoop"
	ln -s /lib/systemd/system/imdsnoop.service "$root/etc/systemd/system/multi-user.target.wants/"
	ln -s private/imdsnoop "$root/var/lib/imdsnoop"
	echo kept >"$root/var/lib/private/imdsnoop/ledger.db"
	check "is upgraded" eval '"${inside[@]}" dpkg -i /newer.deb && "${inside[@]}" imdsnoop --version'
	check "upgrade: the agent is restarted, where it runs" equal "$(asked try-restart)" 1
	check "is removed" "${inside[@]}" dpkg --remove imdsnoop
	check "removed: the agent is stopped, its ledger kept" equal "$(asked stop) $(cat "$root/var/lib/imdsnoop/ledger.db")" "1 kept"
	check "is purged" "${inside[@]}" dpkg --purge imdsnoop
	check "leaves nothing" equal "$(find "$root/usr" "$root/etc" "$root/var/lib/systemd" "$root/var/lib/private" "$root/var/lib/imdsnoop" \
		-name '*imdsnoop*' 2>/dev/null)" ""
else
	echo "skip no Debian 12 could be bootstrapped: $(tail -1 "$work/debootstrap" | cut -c1-150)"
fi

# --- .rpm --------------------------------------------------------------------------------------------------------------

if command -v rpmbuild >/dev/null; then
	check "dist makes the .rpm" "$LAB_TREE/scripts/dist" rpm
	rpm=$(find "$DIST" -name '*.rpm')
	rpmroot=$work/rpmroot
	# what scriptlets need: a shell, and a systemd that writes down what is asked of it, and says no
	mkdir -p "$rpmroot/usr/bin" "$rpmroot/var/lib/private/imdsnoop"
	{ readlink -e /bin/sh; ldd /bin/sh | grep -o '/[^ ]*'; } | xargs cp -L --parents -t "$rpmroot"
	mkdir -p "$rpmroot/bin" && cp -L /bin/sh "$rpmroot/bin/sh"
	printf '#!/bin/sh\necho "$@" >>/asked\nexit 1\n' >"$rpmroot/usr/bin/systemctl" && chmod 755 "$rpmroot/usr/bin/systemctl"
	echo kept >"$rpmroot/var/lib/private/imdsnoop/ledger.db"
	find "$rpmroot" -type f | sort >"$work/before"
	in_root() { : >"$rpmroot/asked"; rpm --root "$rpmroot" --dbpath /var/lib/rpm "$@"; }
	asked() { paste -sd ';' "$rpmroot/asked"; }
	check "rpm: has the version" equal "$(rpm -qp --qf '%{VERSION}' "$rpm" 2>/dev/null)" "$version"
	check "rpm: installs, its service is neither enabled nor started" eval 'in_root -i --nodeps "$rpm" && equal "$(asked)" ""'
	check "rpm: the program runs" equal "$("$rpmroot/usr/bin/imdsnoop" --version)" "imdsnoop $version"
	check "rpm: what was installed is as it was packed" in_root -V --nodeps imdsnoop
	check "rpm: upgrade restarts the agent, where it runs" eval 'in_root -U --force --nodeps "$rpm" &&
		equal "$(asked)" "daemon-reload;try-restart imdsnoop.service"'
	check "rpm: is removed, the agent stopped" eval 'in_root -e imdsnoop &&
		equal "$(asked)" "--no-reload disable --now imdsnoop.service;daemon-reload"'
	rm -rf "$rpmroot/asked" "$rpmroot/var/lib/rpm"
	check "rpm: leaves no file but the ledger" equal "$(find "$rpmroot" -type f | sort)" "$(cat "$work/before")"
else
	echo "skip no rpmbuild here"
fi
