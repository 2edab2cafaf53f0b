#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Servers that others wrote, as metadata services: nginx, lighttpd, Apache, haproxy, Python's. Each request of each server's
# own log is one that imdsnoop saw, with that method, path and status, and none more: keep-alive, pipelines, chunked bodies
# both ways, 100-continue, gzip, ranges, 304, heads split anywhere, HTTP/1.0.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 64
lab_pod_bridge web-1
bin=$LAB_TREE/build/runtimes
d=$(mktemp -d "${TMPDIR:-/tmp}/imdsnoop-servers.XXXXXX")	# where a server's own user gets, too
PATH=$PATH:$bin/usr/sbin
mkdir -p "$d/www/latest/meta-data" "$d/tmp" "$d/www/put"
chmod -R a+rwX "$d"
echo i-0123 >"$d/www/latest/meta-data/instance-id"
seq 8000 >"$d/www/latest/user-data"
server_pids=()
servers_stop() {
	kill "${server_pids[@]}" 2>/dev/null
	wait "${server_pids[@]}" 2>/dev/null
	server_pids=()
}
e2e_later servers_stop
e2e_later rm -rf "$d"

serve_as() {			# serve_as NAME PORT COMMAND...: in the service's namespace
	local name=$1 port=$2
	shift 2
	command -v "$1" >/dev/null || { echo "skip $name: not here"; return 1; }
	LD_LIBRARY_PATH=$(echo "$bin"/usr/lib/*-linux-gnu) nsenter --net="/run/netns/$LAB_ID-imds" -- "$@" \
		>"$d/$name.out" 2>"$d/$name.err" </dev/null &
	server_pids+=($!)
	lab_wait_for 5 lab_exec web-1 curl -s -o /dev/null -m 1 "http://169.254.169.254:$port/ready" ||
		{ echo "skip $name: does not start here ($(tail -1 "$d/$name.err" | cut -c1-100))"; return 1; }
}
cat >"$d/nginx.conf" <<END
worker_processes 1; daemon off; pid $d/nginx.pid; error_log $d/nginx.error; user root;
events { }
http {
	client_body_temp_path $d/tmp; proxy_temp_path $d/tmp; fastcgi_temp_path $d/tmp; uwsgi_temp_path $d/tmp; scgi_temp_path $d/tmp;
	log_format plain '\$request_method \$uri \$status'; access_log $d/nginx.log plain;
	gzip on; gzip_types *; gzip_min_length 1; default_type text/plain;
	server { listen 169.254.169.254:8081; root $d/www; location /put { dav_methods PUT DELETE; create_full_put_path on; } }
}
END
cat >"$d/lighttpd.conf" <<END
server.document-root = "$d/www"
server.bind = "169.254.169.254"
server.port = 8082
server.modules = ( "mod_accesslog" )
accesslog.filename = "$d/lighttpd.log"
accesslog.format = "%m %U %s"
END
cat >"$d/apache.conf" <<END
ServerRoot $d
PidFile $d/apache.pid
Listen 169.254.169.254:8083
ServerName a
User nobody
Group nogroup
$(for m in mpm_event authz_core dav dav_fs deflate filter mime dir; do echo "LoadModule ${m}_module $bin/usr/lib/apache2/modules/mod_$m.so"; done)
TypesConfig /dev/null
DocumentRoot $d/www
DAVLockDB $d/tmp/dav
ErrorLog $d/apache.error
LogFormat "%m %U %>s" plain
CustomLog $d/apache.log plain
SetOutputFilter DEFLATE
<Directory $d/www/put>
	Dav on
</Directory>
END
cat >"$d/haproxy.cfg" <<END
global
	log stdout format raw local0
defaults
	mode http
	timeout client 10s
	timeout server 10s
	timeout connect 1s
	log global
	log-format "LOG %HM %HPO %ST"
frontend f
	bind 169.254.169.254:8084
	http-request return status 200 content-type text/plain string "i-0123" if { path /latest/meta-data/instance-id }
	http-request deny deny_status 429 if { path /throttled }
	default_backend b
backend b
	http-reuse always
	server s 169.254.169.254:8085
END
cat >"$d/server.py" <<END
import http.server, functools
h = functools.partial(http.server.SimpleHTTPRequestHandler, directory="$d/www")
http.server.SimpleHTTPRequestHandler.protocol_version = "HTTP/1.1"
http.server.ThreadingHTTPServer(("169.254.169.254", 8085), h).serve_forever()
END
declare -A port=([nginx]=8081 [lighttpd]=8082 [apache]=8083 [haproxy]=8084 [python]=8085)
there=()
serve_as python 8085 python3 -u "$d/server.py" && there+=(python)
serve_as nginx 8081 nginx -c "$d/nginx.conf" -p "$d" -e "$d/nginx.error" && there+=(nginx)
serve_as lighttpd 8082 lighttpd -D -f "$d/lighttpd.conf" -m "$bin/usr/lib/lighttpd" && there+=(lighttpd)
serve_as apache 8083 apache2 -X -f "$d/apache.conf" && there+=(apache)
serve_as haproxy 8084 haproxy -f "$d/haproxy.cfg" && there+=(haproxy)

log_of() {			# log_of NAME: METHOD PATH STATUS a line
	case $1 in
	python)	grep '^172[.]31[.]0[.]10 ' "$d/python.err" | sed -n 's/.*"\([A-Z-]*\) \([^ ?]*\)[^"]*" \([0-9]*\) .*/\1 \2 \3/p' ;;
	haproxy) sed -n 's/^.*LOG //p' "$d/haproxy.out" ;;
	*)	cat "$d/$1.log" ;;
	esac | sed -E 's/^(OPTIONS|DELETE|PROPFIND) /other /'
}
seen_at() {			# the same, of the trace
	jq -r --arg at "169.254.169.254:${port[$1]}" 'select(.type == "request" and .endpoint == $at and .pod == "web-1" and .method != "") |
		"\(.method) \(.path) \(.status // 0)"' "$LAB_ROOT/trace"
}
ask() {				# ask PORT: what clients do
	local u=http://169.254.169.254:$1 after='GET /latest/meta-data/instance-id HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
	[ "$1" != "${port[lighttpd]}" ] || after=	# it closes behind a body that it does not want
	pod() { lab_exec web-1 curl -s -m 4 "$@" >/dev/null; }
	pod "$u/latest/meta-data/instance-id" "$u/latest/user-data" "$u/missing" "$u/latest/meta-data/instance-id"	# one connection
	pod -I "$u/latest/user-data"
	pod --compressed "$u/latest/user-data" "$u/latest/meta-data/instance-id"
	pod -r 5-99 "$u/latest/user-data"
	pod -z 'tomorrow' "$u/latest/user-data"
	pod -0 "$u/latest/meta-data/instance-id"
	pod "$u/latest/meta-data"
	pod -X OPTIONS "$u/latest/"
	pod -H 'Expect: 100-continue' --expect100-timeout 3 -T "$d/www/latest/user-data" "$u/put/a-$1"
	seq 3000 | pod -H 'Transfer-Encoding: chunked' -T - "$u/put/b-$1"
	pod -d x=1 "$u/latest/meta-data/instance-id"
	pod "$u/throttled"
	# a head in pieces, two requests in one segment, and a chunked body cut where it hurts
	lab_exec web-1 "$LAB_BIN/raw_client" 169.254.169.254 "$1" 'send:GE' sleep:20 'send:T /latest/meta-data/inst' sleep:20 \
		'send:ance-id HTTP/1.1\r\nHost: a\r' sleep:20 'send:\n\r' sleep:20 'send:\n' sleep:100 \
		'send:GET /latest/user-data HTTP/1.1\r\nHost: a\r\n\r\nGET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' expect: close >/dev/null 2>&1
	lab_exec web-1 "$LAB_BIN/raw_client" 169.254.169.254 "$1" "send:PUT /put/c-$1 HTTP/1.1\\r\\nHost: a\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n1" sleep:20 \
		'send:0;x=y\r\n0123456789abcd' sleep:20 'send:ef\r' sleep:20 'send:\n0\r\nX-Trailer: v\r\n\r' sleep:20 "send:\\n$after" \
		expect: close >/dev/null 2>&1
}

trace_start "$LAB_ROOT/trace" --max-pods 64
asking=()
for s in "${there[@]}"; do
	ask "${port[$s]}" &
	asking+=($!)
done
wait "${asking[@]}"
sleep 0.6
trace_stop
servers_stop			# which writes their logs to the end
agree() {			# agree NAME: the same lines, the same number of times
	log_of "$1" | grep -v ' /ready ' | sort >"$d/$1.told"
	seen_at "$1" | sort >"$d/$1.seen"
	diff "$d/$1.told" "$d/$1.seen"
}
for s in "${there[@]}"; do
	check "$s: each request of its log, none more" agree "$s"
	check "$s: as many as were asked" test "$(wc -l <"$d/$s.seen")" -ge 18
done
[ ${#there[@]} -gt 0 ] || e2e_skip_all "no server here"

