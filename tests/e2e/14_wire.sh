#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Requests in every shape on the wire: split, pipelined, half-closed, cut, on reused ports and connections.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 2
lab_pod_bridge web-1
t=$LAB_ROOT/trace
put_head='PUT /latest/api/token HTTP/1.1\r\nHost: x\r\nx-aws-EC2-metadata-TOKEN-ttl-seconds: 60\r\n\r\n'
get_head() { printf 'GET /latest/meta-data/%s HTTP/1.1\\r\\nHost: x\\r\\n%s\\r\\n' "$1" "${2:-}"; }

# wire NAME FILTER STEPS...: plays the steps and states what the requests of this play are
wire() {
	local name=$1 filter=$2
	shift 2
	trace_start "$t"
	raw web-1 "$@" >"$LAB_ROOT/answer" || echo "not ok $name: the script could be played"
	trace_stop
	expect_trace "$t" "$name" "of(\"web-1\") | $filter"
}

wire "head one byte a segment" 'length == 1 and (.[0] | .kind == "token" and .outcome == "ok" and .status == 200 and
	.method == "PUT" and .path == "/latest/api/token" and .imds_version == "v2")' "drip:$put_head" expect:== close
wire "two requests in one segment" 'length == 2 and all_are(.outcome == "ok" and .status == 200) and
	(map(.path) == ["/latest/meta-data/ami-id", "/latest/meta-data/instance-id"])' \
	"send:$(get_head ami-id)$(get_head instance-id)" expect:ami-0123456789abcdef0 expect:i-0123456789abcdef0 close
wire "three requests one after the other on a connection" 'length == 3 and all_are(.outcome == "ok") and
	map(.kind) == ["token", "data", "data"] and map(.imds_version) == ["v2", "v1", "v1"]' \
	"send:$put_head" expect:== "send:$(get_head ami-id)" expect:abcdef0 "send:$(get_head hostname)" expect:internal close
wire "half-closed after the request" 'length == 1 and .[0].outcome == "ok" and .[0].status == 200' \
	"send:$(get_head ami-id)" shutdown expect:abcdef0
wire "cut by RST in the middle of the head" 'length == 1 and (.[0] | .outcome == "aborted" and .status == null)' \
	'send:PUT /latest/api/to' sleep:20 rst
wire "same port again" 'length == 2 and all_are(.outcome == "ok" and .status == 200) and (map(.local) | unique | length == 1)' \
	port:41000 connect "send:$(get_head ami-id)" expect:abcdef0 rst connect "send:$(get_head ami-id)" expect:abcdef0 rst
wire "same port again, and the service still has the connection before: its reset is not this one's end" 'length == 2 and
	all_are(.outcome == "ok" and .comm == "raw_client") and (map(.local) | unique | length == 1)' \
	port:41001 connect "send:$(get_head ami-id)" expect:abcdef0 gone connect "send:$(get_head ami-id)" expect:abcdef0 rst
wire "a token header in any case makes it v2" 'length == 1 and .[0].imds_version == "v2" and .[0].status == 401' \
	"send:$(get_head ami-id 'X-AWS-ec2-METADATA-token: INVALID\r\n')" expect:401 close
wire "HEAD and POST" 'map(.method) == ["HEAD", "POST"] and map(.status) == [200, 405]' \
	'send:HEAD /latest/meta-data/ami-id HTTP/1.1\r\nHost: x\r\n\r\n' expect:200 sleep:50 \
	'send:POST /latest/meta-data/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc' expect:405 close
wire "query is cut off" 'length == 1 and .[0].path == "/latest/user-data" and .[0].kind == "user-data"' \
	'send:GET /latest/user-data?secret=1 HTTP/1.1\r\nHost: x\r\n\r\n' expect:200 close
long=$(printf 'x%.0s' $(seq 600))
wire "long path is kept to 127 bytes" 'length == 1 and (.[0].path | length == 127) and .[0].status == 404' \
	"send:$(get_head "$long")" expect:404 close
wire "not HTTP at all" 'length == 1 and .[0].outcome != "hop-limit" and .[0].kind == "other"' \
	'send:\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello' recv:300 close
lab_server_set chunked 1
wire "chunked answer" 'length == 1 and .[0].outcome == "ok" and .[0].status == 200' \
	"send:$(get_head ami-id)" expect:abcdef0 close
lab_server_set chunked 0
lab_server_set no-length 1
wire "answer ended by the service's close" 'length == 1 and .[0].outcome == "ok" and .[0].status == 200' \
	"send:$(get_head ami-id)" expect: close
lab_server_set no-length 0
lab_server_set hop-limit 1
wire "limit 1 on a connection that worked" 'length == 2 and .[0].outcome == "ok" and (.[1] | .outcome == "hop-limit" and
	.confidence == "proven" and .kind == "token")' "send:$(get_head ami-id)" expect:abcdef0 "send:$put_head" recv:600 close
wire "limit 1, head one byte a segment, half-closed" 'length == 1 and (.[0] | .outcome == "hop-limit" and
	.confidence == "proven")' "drip:$put_head" shutdown recv:600 close
