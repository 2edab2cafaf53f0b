/* SPDX-License-Identifier: GPL-2.0-only */
/* Owner of every map and setting. bpftool needs this object first on the link line. */
#include "maps.bpf.h"

struct imds_flows_map imds_flows SEC(".maps");
struct imds_tuples_map imds_tuples SEC(".maps");
struct imds_packet_counters_map imds_packets SEC(".maps");
struct imds_request_counters_map imds_requests SEC(".maps");
struct imds_drop_counters_map imds_drops SEC(".maps");
struct imds_locks_map imds_locks SEC(".maps");
struct imds_unowned_map imds_unowned SEC(".maps");
struct imds_ring_map imds_ring SEC(".maps");
struct imds_rare_map imds_rare SEC(".maps");
struct imds_copies_map imds_copies SEC(".maps");
struct imds_share_of_map imds_share_of SEC(".maps");

const volatile __u32 imds_abi_version = IMDS_ABI_VERSION;
const volatile __u32 imds_endpoints_len = 0;
const volatile struct imds_endpoint imds_endpoints[IMDS_MAX_ENDPOINTS] = {};
const volatile __u32 imds_v4_mask = 0, imds_v4_value = 0, imds_v4_any = 0;
const volatile __u64 imds_v6_mask[2] = {}, imds_v6_value[2] = {};
const volatile __u32 imds_v6_any = 0;
const volatile __u64 imds_own_netns = 0;
const volatile __u32 imds_netns_inodes[2] = {};
const volatile __u32 imds_reason_ttl = 0, imds_reason_tc_ingress = 0;
const volatile __u64 imds_forward_functions[IMDS_FORWARD_FUNCTIONS][2] = {};
const volatile __u32 imds_with_ancestors = 0;
const volatile __u32 imds_with_comm = 1;
const volatile __u32 imds_max_flows = 0;
const volatile __u32 imds_max_counters[IMDS_COUNTERS_COUNT] = {};
const volatile __u32 imds_share_level = 2;
const volatile struct imds_http_table imds_http = {};
const volatile struct imds_flow imds_zero_flow = {};

__u64 imds_losses[IMDS_LOSS_COUNT] = {};
__u64 imds_flows_created = 0, imds_flows_deleted = 0;
__u64 imds_waiting[IMDS_WAITING] = {};
__u64 imds_syns[IMDS_SYNS] = {};
__u64 imds_syns_out = 0;
__u32 imds_unowned_held[IMDS_UNOWNED_PLACES] = {};
__u64 imds_netns[IMDS_NETNS] = {};
struct imds_refused imds_refused[IMDS_REFUSED] = {};
struct imds_resent imds_resent[IMDS_RESENT] = {};
struct imds_untracked imds_untracked[IMDS_UNTRACKED] = {};
struct imds_share imds_shares[IMDS_SHARES] = {};
struct imds_unsent imds_unsent[IMDS_UNSENT] = {};

/* The verifier admits probe_read and kfree_skb's helpers only to programs under a GPL-compatible licence. */
char LICENSE[] SEC("license") = "GPL";
