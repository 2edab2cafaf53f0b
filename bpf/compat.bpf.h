/* SPDX-License-Identifier: GPL-2.0-only */
/* Includes of every BPF file, and what differs between compilers and kernels. */
#ifndef IMDSNOOP_COMPAT_BPF_H
#define IMDSNOOP_COMPAT_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_endian.h>

#include "imdsnoop.h"

#ifndef barrier_var
#define barrier_var(var) asm volatile("" : "+r"(var))
#endif

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd

#define IPPROTO_HOPOPTS 0
#define IPPROTO_ICMP 1
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_ROUTING 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_ICMPV6 58
#define IPPROTO_DSTOPTS 60

#define TCP_HEAD 20 /* bytes, options follow */
#define TCP_OPTION_NOP 1
#define TCP_OPTION_MPTCP 30
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* include/net/tcp_states.h */
#define TCP_STATE_SYN_SENT 2
#define TCP_STATE_FIN_WAIT1 4
#define TCP_STATE_CLOSE 7
#define TCP_STATE_LAST_ACK 9
#define TCP_STATE_CLOSING 11

/* Every cgroup_skb and cgroup/connect program returns this: we never decide about traffic. */
#define IMDS_PASS 1

#endif
