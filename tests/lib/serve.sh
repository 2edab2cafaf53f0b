# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# For end-to-end tests of the agent: starts it in the lab and asks it. Sourced after e2e.sh.

serve_start() {			# serve_start [ARGS...]: sets SERVE_PID and SERVE_URL; returns when it is ready
	local LAB_ARGS
	lab_args
	SERVE_ERR=$LAB_ROOT/serve.err
	: >"$SERVE_ERR"			# here: what the child empties may be read before, and tell of the last agent's port
	"$IMDSNOOP" serve "${LAB_ARGS[@]}" --listen 127.0.0.1:0 "$@" </dev/null >"$LAB_ROOT/serve.out" 2>"$SERVE_ERR" &
	SERVE_PID=$!
	e2e_later serve_kill $SERVE_PID
	lab_wait_for 10 grep -q 'running as' "$SERVE_ERR" || { cat "$SERVE_ERR"; e2e_die "imdsnoop serve starts"; }
	SERVE_URL=$(sed -n 's,.*listening on \(http://.*\)/$,\1,p' "$SERVE_ERR")
	lab_wait_for 15 curl -sf -m 2 -o /dev/null "$SERVE_URL/readyz" || {
		echo "$SERVE_URL: $(curl -sS -m 2 "$SERVE_URL/readyz" 2>&1); waits in $(cat "/proc/$SERVE_PID/wchan"); load $(cat /proc/loadavg)"
		cat "$SERVE_ERR"
		e2e_die "imdsnoop serve gets ready"
	}
}

serve_kill() { lab_is_gone "$1" || kill -KILL "$1"; }

serve_stop() {			# serve_stop [SIGNAL]: returns its exit code, sets SERVE_TOOK_MS
	local begin
	begin=$(date +%s%N)
	kill "-${1:-TERM}" "$SERVE_PID"
	lab_wait_for 10 lab_is_gone "$SERVE_PID" || kill -KILL "$SERVE_PID"
	SERVE_TOOK_MS=$((($(date +%s%N) - begin) / 1000000))
	wait "$SERVE_PID"
}

ask() {				# ask PATH [CURL OPTIONS...]
	local path=$1
	shift
	curl -s -m 10 "$@" "$SERVE_URL$path"
}

metric() {			# metric 'NAME{LABELS}': its value, from a fresh scrape; labels in the order of the exposition
	ask /metrics | awk -v want="$1" 'index($0, want " ") == 1 { print $NF }'
}
