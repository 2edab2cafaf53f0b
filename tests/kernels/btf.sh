# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # packages.sh sets pk_*
# BTF out of a packed kernel image, without booting it; to be sourced by bash.

btf_offsets() { LC_ALL=C grep -obUaP "$1" "$2" | cut -d: -f1; }

# btf_find FILE: prints the first BTF in a file that holds it uncompressed: an ELF, an arm64 Image
btf_find() {
	local at hdr type_len str_off str_len
	# magic 0xeb9f, version 1, flags 0, header of 24 bytes or a little more (little endian)
	for at in $(btf_offsets '\x9f\xeb\x01\x00[\x18-\x40]\x00\x00\x00' "$1"); do
		read -r hdr _ type_len str_off str_len < <(od -An -tu4 -w20 -j $((at + 4)) -N 20 "$1")
		[ "$type_len" -gt 100000 ] && [ "$str_off" -ge "$type_len" ] || continue
		tail -c +$((at + 1)) "$1" | head -c $((hdr + str_off + str_len))
		return 0
	done
	return 1
}

# btf_extract VMLINUZ: prints the kernel's BTF; a bzImage holds a compressed ELF, arm64 has the plain Image
btf_extract() {
	local image=$1 tmp magic tool at
	! btf_find "$image" || return 0
	tmp=$(mktemp)
	while read -r magic tool; do
		for at in $(btf_offsets "$magic" "$image"); do
			tail -c +$((at + 1)) "$image" | $tool >"$tmp" 2>/dev/null
			if btf_find "$tmp"; then rm -f "$tmp"; return 0; fi
		done
	done <<-'END'
		\xfd7zXZ\x00 xz -dc --single-stream
		\x28\xb5\x2f\xfd zstd -dcq
		\x1f\x8b\x08[\x00\x08] gzip -dc
		\x02\x21\x4c\x18 lz4 -dc
	END
	rm -f "$tmp"
	return 1
}

pk_btf() {			# after pk_kernel: sets pk_btf to the kernel's BTF, kept beside it
	pk_btf=$pk_dir/btf
	[ ! -s "$pk_btf" ] || return 0
	btf_extract "$pk_image" >"$pk_btf.new" && mv "$pk_btf.new" "$pk_btf" || pk_fail "no BTF in $pk_image"
}

btf_enum() {			# btf_enum BTF-FILE NAME: the enumerator's value, nothing where it is not
	[ ! -s "$1" ] || "$BPFTOOL" btf dump file "$1" 2>/dev/null | sed -n "s/^[[:space:]]*'$2' val=//p" | head -1
}

BPFTOOL=${BPFTOOL:-$(PATH=$PATH:/usr/sbin command -v bpftool)}
