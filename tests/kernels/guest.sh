# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What scripts inside a guest share: the lab, and documents on standard output between "@@ begin NAME" and "@@ end", which
# tests/kernels/facts judges outside, where time is cheap. To be sourced by bash.

# shellcheck source=tests/lib/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/lab.sh"
work=$(mktemp -d)
trap 'lab_down; rm -rf "$work"' EXIT
head='Host: 169.254.169.254\r\nConnection: close\r\n'
put="send:PUT /latest/api/token HTTP/1.1\r\n${head}X-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n"
get="send:GET /latest/meta-data/instance-id HTTP/1.1\r\n$head\r\n"

emit() {			# emit NAME <document
	printf '@@ begin %s\n' "$1"
	sed '$a\'			# ends the last line when it is not
	echo "@@ end"
}

run() {				# run NAME COMMAND...: its output and exit code as documents
	local name=$1
	shift
	("$@") >"$work/out" 2>"$work/err"
	echo $? | emit "$name.code"
	emit "$name" <"$work/out"
	tail -n 80 "$work/err" | emit "$name.err"
}

ask() {				# ask STEPS POD...: all at once; a client without an answer gives up after 3 s
	local steps=$1 pod to pids=()
	shift
	for pod; do
		to=$LAB_IMDS4
		[ "$pod" != six ] || to=$LAB_IMDS6
		lab_exec "$pod" "$LAB_BIN/raw_client" "$to" 80 "$steps" expect: close >"$work/answer.$pod" 2>&1 &
		pids+=($!)
	done
	wait "${pids[@]}"
}

http() {			# http PORT PATH DOCUMENT: status and body, as documents DOCUMENT.code and DOCUMENT
	local port=$1 path=$2 name=$3 code line fd
	exec {fd}<>"/dev/tcp/127.0.0.1/$port" || return
	printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$path" >&$fd
	read -r -t 20 _ code _ <&$fd
	while read -r -t 20 line <&$fd && [ "$line" != $'\r' ]; do :; done
	echo "${code:-0}" | emit "$name.code"
	timeout 20 cat <&$fd | sed '/^#/d; /_bucket{/d' | emit "$name"		# a serial line is slow
	exec {fd}>&-
}
