/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Process side of a connection: connect(2) to a metadata address names the process (cold path), the release of the
 * socket tells when the client really gave up; a FIN alone could be a half-close, and a socket that waits for a SYN-ACK
 * is closed without any packet. cgroup/sock_release is there since 5.9.
 */
#include "flow.bpf.h"

/* The process by its thread group's leader: the thread that connects may be named after its work. */
static __always_inline void fill_process(struct imds_peer *peer)
{
	struct task_struct *task = (void *)bpf_get_current_task(), *leader = BPF_CORE_READ(task, group_leader);

	bpf_probe_read_kernel_str(peer->comm, IMDS_COMM_LEN, &leader->comm);
	peer->born = BPF_CORE_READ(leader, start_time) >> 20;
	for (int i = 0; i < IMDS_ANCESTORS; i++) {
		struct task_struct *parent = BPF_CORE_READ(task, real_parent);

		if (!parent || BPF_CORE_READ(parent, tgid) == 0)
			return;
		parent = BPF_CORE_READ(parent, group_leader);
		bpf_probe_read_kernel_str(peer->ancestors[i], IMDS_COMM_LEN, &parent->comm);
		task = parent;
	}
}

static __always_inline int on_connect(struct bpf_sock_addr *ctx, const struct imds_addr *remote, __u8 family, bool lite)
{
	__u16 port = bpf_ntohs((__u16)ctx->user_port);
	struct imds_flow_key key = {};
	__u64 now = bpf_ktime_get_ns();
	__u64 netns, init_netns;
	struct imds_flow *f;
	__u32 found;
	int endpoint;

	if (ctx->protocol != IPPROTO_TCP)
		return IMDS_PASS;
	endpoint = endpoint_find(remote, port);
	if (endpoint < 0)
		return IMDS_PASS;
	key.cookie = bpf_get_socket_cookie(ctx);
	f = bpf_map_lookup_elem(&imds_flows, &key);
	if (f) { /* a socket that failed to connect, or was disconnected, connects again */
		imds_finish(key.cookie, 0, IMDS_END_REUSED | FLOW_DELETE, now);
	}
	found = imds_share_of_task(0);
	f = flow_create(&key, now, SHARE_PLACE(found), task_cgroup(found));
	if (!f)
		return IMDS_PASS;
	f->flags = IMDS_F_CONNECT_SEEN;
	f->connect_call_ns = now;
	f->last_ns = now;
	f->peer.remote = *remote;
	f->peer.remote_port = port;
	f->peer.proto = IPPROTO_TCP;
	f->peer.family = family;
	f->peer.endpoint = endpoint;
	f->peer.pid = bpf_get_current_pid_tgid() >> 32;
	if (imds_with_comm)
		bpf_get_current_comm(f->peer.comm, sizeof(f->peer.comm));
	netns = bpf_get_netns_cookie(ctx);
	init_netns = bpf_get_netns_cookie(0);
	imds_netns[netns & (IMDS_NETNS - 1)] = netns;
	f->netns_cookie = netns;
	f->flags |= IMDS_F_NETNS_KNOWN;
	if (netns == init_netns)
		f->flags |= IMDS_F_HOST_NETNS;
	if (netns == imds_own_netns)
		f->flags |= IMDS_F_OWN_NETNS;
	if (!lite && imds_with_ancestors)
		fill_process(&f->peer);
	return IMDS_PASS;
}

static __always_inline int on_connect4(struct bpf_sock_addr *ctx, bool lite)
{
	__u32 dest = ctx->user_ip4;
	struct imds_addr remote;

	if (!v4_may_match(dest))
		return IMDS_PASS;
	addr_from_v4(&remote, dest);
	return on_connect(ctx, &remote, 4, lite);
}

static __always_inline int on_connect6(struct bpf_sock_addr *ctx, bool lite)
{
	struct imds_addr remote;
	bool v4;

	remote.w[0] = ctx->user_ip6[0];
	remote.w[1] = ctx->user_ip6[1];
	remote.w[2] = ctx->user_ip6[2];
	remote.w[3] = ctx->user_ip6[3];
	/* an IPv6 socket speaks IPv4 through ::ffff:a.b.c.d, which is how we write IPv4 anyway */
	v4 = remote.d[0] == 0 && remote.w[2] == bpf_htonl(0xffff);
	if (v4 ? !v4_may_match(remote.w[3]) : !v6_may_match(&remote))
		return IMDS_PASS;
	return on_connect(ctx, &remote, v4 ? 4 : 6, lite);
}

SEC("cgroup/connect4")
int imds_connect4(struct bpf_sock_addr *ctx)
{
	return on_connect4(ctx, false);
}

SEC("cgroup/connect4")
int imds_connect4_lite(struct bpf_sock_addr *ctx)
{
	return on_connect4(ctx, true);
}

SEC("cgroup/connect6")
int imds_connect6(struct bpf_sock_addr *ctx)
{
	return on_connect6(ctx, false);
}

SEC("cgroup/connect6")
int imds_connect6_lite(struct bpf_sock_addr *ctx)
{
	return on_connect6(ctx, true);
}

/* How the socket stands when its process lets go of it tells what no packet did. */
static __always_inline void note_socket(struct bpf_sock *ctx, struct imds_flow *f)
{
	__u32 state = ctx->state;

	if (f->synack_ns || (f->flags & IMDS_F_MIDSTREAM))
		return;
	if (state == TCP_STATE_CLOSE)
		f->flags |= IMDS_F_SOCKET_DEAD;
	else if (state != TCP_STATE_SYN_SENT && !f->syn_ns)
		f->flags |= IMDS_F_ELSEWHERE;
	else
		return;
	if ((f->flags & IMDS_F_ELSEWHERE) && f->peer.family == 4) {
		addr_from_v4(&f->to, ctx->dst_ip4);
		f->to_port = bpf_ntohs(ctx->dst_port);
	}
}

SEC("cgroup/sock_release")
int imds_release(struct bpf_sock *ctx)
{
	struct imds_flow_key key = { .cookie = bpf_get_socket_cookie(ctx) };
	__u64 now = bpf_ktime_get_ns();
	struct imds_flow *f;
	bool stands, answered, waits, crowded;

	f = bpf_map_lookup_elem(&imds_flows, &key);
	if (!f)
		return IMDS_PASS;
	f->flags |= IMDS_F_RELEASED;
	note_socket(ctx, f);
	f->last_ns = now;
	if (flow_waiting(f) && f->scan_in.body_left == IMDS_BODY_UNTIL_CLOSE) /* read all that it wanted */
		imds_answered(key.cookie, 0, now);
	/*
	 * Nothing more is to come for one whose requests were all answered: the service's FIN meets a TIME_WAIT socket, where
	 * no cgroup program runs. To any other, late drops may come, to a SYN that waits for a neighbour's address 3 s after it
	 * left: user space forgets it some seconds later, unless its pod makes so many that the next would find no room.
	 */
	stands = f->synack_ns || (f->flags & IMDS_F_MIDSTREAM);
	answered = f->requests && !f->in_request && !flow_waiting(f) && f->last_end == IMDS_END_ANSWERED;
	waits = stands ? !answered : f->syn_ns && !(f->flags & IMDS_F_SOCKET_DEAD);
	crowded = share_is_crowded(f->share);
	if (stands && waits && crowded)
		f->flags |= IMDS_F_UNFINDABLE;
	imds_finish(key.cookie, 0, IMDS_END_CLOSED | (waits && !crowded ? 0 : FLOW_DELETE), now);
	return IMDS_PASS;
}
