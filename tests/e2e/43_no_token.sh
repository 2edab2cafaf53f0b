#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# probe and probe --self where what answers gives no token, or not all of one: never "got a token", never the hop limit.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need python3
e2e_lab --hop-limit 2
lab_pod_bridge web-1
lab_server_stop
lab_exec web-1 sleep 1000 & disown
t=$LAB_ROOT/out

cat >"$LAB_ROOT/serve.py" <<'END'
import socket, sys, threading, time
mode, ready = sys.argv[1:]
token = b"AQAAAtokentokentokentokentokentokentokentoken=="
page = b"<html>Welcome, please log in</html>"

def answer(status, body):
    return b"HTTP/1.1 " + status + b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\nConnection: close\r\n\r\n" + body

def serve(c):
    head = c.recv(4096)
    if not head.startswith(b"PUT"):
        c.sendall(answer(b"200 OK", b"i-1"))
    elif mode in ("half", "cut"):
        c.sendall(answer(b"200 OK", token)[:-20])
        time.sleep(4 if mode == "half" else 0)
    elif mode == "drip":
        for b in answer(b"200 OK", token):
            c.sendall(bytes([b]))
            time.sleep(0.04)
    else:
        c.sendall({"token": answer(b"200 OK", token), "line": answer(b"200 OK", token + b"\n"), "empty": answer(b"200 OK", b""),
                   "page": answer(b"200 OK", page), "none": b"HTTP/1.1 204 No Content\r\n\r\n",
                   "moved": answer(b"302 Found", b"")}[mode])
    c.close()

s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", 80))
s.listen(50)
open(ready, "w").write("1")
def quietly(c):
    try:
        serve(c)
    except OSError:
        pass
while True:
    threading.Thread(target=quietly, args=(s.accept()[0],), daemon=True).start()
END
serve() {			# serve MODE
	nsenter --net="/run/netns/$LAB_ID-imds" -- python3 "$LAB_ROOT/serve.py" "$1" "$LAB_ROOT/ready.$1" &
	server=$!
	lab_wait_for 10 test -s "$LAB_ROOT/ready.$1"
}
stop_server() { [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null; server=''; }
server=''
e2e_later stop_server
says() { expect_trace "$t" "$1" "map(select(.type == \"probe\" and (.endpoint | startswith(\"169\")))) | all_are($2)"; }
while read -r mode token self; do
	serve "$mode"
	lab_exec web-1 "$IMDSNOOP" probe --self --json --exit-code >"$t" 2>&1
	check "$mode, --self: exit code" equal $? "$([ "$token" = true ] && echo 0 || echo 10)"
	says "$mode, --self" ".token == $token and .outcome == \"$self\" and .confidence == null and (.token or .spare == null)"
	if [ "$mode" = token ]; then
		lab_exec web-1 env AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/x "$IMDSNOOP" probe --self --json >"$t" 2>&1
		expect_trace "$t" "200 without credentials is none" 'map(select(.type == "credentials")) | all_are(.asked and .status == 200 and .ok == false)'
		lab_exec web-1 env AWS_EC2_METADATA_SERVICE_ENDPOINT=http://10.0.0.9 "$IMDSNOOP" probe --self --json >"$t" 2>&1
		expect_trace "$t" "an SDK that asks elsewhere is not said to work" '.[-1].sdk | test("not tried here")'
		lab_exec web-1 env AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv6 "$IMDSNOOP" probe --self --json --exit-code >"$t" 2>&1
		check "an SDK that asks over IPv6 alone: exit 10 where IPv4 works" equal $? 10
		lab_exec web-1 env http_proxy=http://10.0.0.9 no_proxy=169.254.0.0/16 "$IMDSNOOP" probe --self --json >"$t" 2>&1
		expect_trace "$t" "a network in NO_PROXY: not all clients read it" '.[-1].sdk | test("botocore")'
	fi
	lab_imdsnoop probe --pod web-1 --stall 1s --json >"$t" 2>/dev/null
	says "$mode, from the node" ".token == $token and .outcome != \"hop-limit\""
	stop_server
done <<'END'
token true  ok
line  true  ok
empty false http-error
page  false http-error
none  false http-error
moved false http-error
half  false aborted
drip  false aborted
cut   false reset
END
