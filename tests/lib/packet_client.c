// SPDX-License-Identifier: GPL-2.0-only
/*
 * One TCP connection by hand, through a packet socket: what gVisor's network stack looks like to the host's kernel, which
 * sees no socket of TCP and no packet leave one. IPv4 only; answers ARP for its address, as such a stack must.
 *
 *	packet_client DEVICE GATEWAY_MAC SRC DST PORT REQUEST WAIT_MS [WORD...]
 *	packet_client forge DEVICE GATEWAY_MAC SRC SPORT DST DPORT TTL PAYLOAD
 *
 * DEVICE "tap:NAME": the other end of a tap device, as a virtual machine has it. WORDs are for its command line alone.
 * Prints what arrived as payload within WAIT_MS, before which it does not give up a connection either. Exit 0: something arrived, 3: nothing did, 1: no connection. forge sends
 * one segment with addresses that are not its own and numbers that it cannot know.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECT_MS 2000 /* waited for a SYN-ACK at least */
#define SYN_AGAIN_MS 250

struct stack {
	int fd;
	unsigned char mac[6], gateway[6];
	uint32_t src, dst; /* network byte order */
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t ttl;
};

static uint32_t sum(uint32_t sum, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++) /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): inet_pton() wrote it */
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void transmit(struct stack *s, uint8_t flags, const char *data, size_t len)
{
	unsigned char frame[ETH_FRAME_LEN] = { 0 };
	struct ether_header *eth = (void *)frame;
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.ttl = s->ttl,
		.protocol = IPPROTO_TCP,
		.saddr = s->src,
		.daddr = s->dst,
		.tot_len = htons((uint16_t)(sizeof(struct iphdr) + sizeof(struct tcphdr) + len)),
	};
	struct tcphdr tcp = { .source = htons(s->sport),
			      .dest = htons(s->dport),
			      .seq = htonl(s->seq),
			      .ack_seq = htonl(s->ack),
			      .doff = 5,
			      .window = htons(65000) };
	size_t at = sizeof(*eth);

	((unsigned char *)&tcp)[13] = flags;
	ip.check = fold(sum(0, &ip, sizeof(ip)));
	tcp.check =
	    fold(sum(sum(sum(sum(IPPROTO_TCP + sizeof(tcp) + (uint32_t)len, &s->src, 4), &s->dst, 4), &tcp, sizeof(tcp)),
		     data, len));
	memcpy(eth->ether_dhost, s->gateway, 6);
	memcpy(eth->ether_shost, s->mac, 6);
	eth->ether_type = htons(ETHERTYPE_IP);
	memcpy(frame + at, &ip, sizeof(ip));
	memcpy(frame + at + sizeof(ip), &tcp, sizeof(tcp));
	memcpy(frame + at + sizeof(ip) + sizeof(tcp), data, len);
	if (write(s->fd, frame, at + sizeof(ip) + sizeof(tcp) + len) < 0)
		perror("packet_client: write");
}

static void answer_arp(struct stack *s, const unsigned char *frame)
{
	struct ether_arp ask;
	unsigned char reply[ETH_HLEN + sizeof(ask)];

	memcpy(&ask, frame + ETH_HLEN, sizeof(ask));
	if (ntohs(ask.ea_hdr.ar_op) != ARPOP_REQUEST || memcmp(ask.arp_tpa, &s->src, 4))
		return;
	memcpy(ask.arp_tha, ask.arp_sha, 6);
	memcpy(ask.arp_tpa, ask.arp_spa, 4);
	memcpy(ask.arp_sha, s->mac, 6);
	memcpy(ask.arp_spa, &s->src, 4);
	ask.ea_hdr.ar_op = htons(ARPOP_REPLY);
	memcpy(reply, ask.arp_tha, 6);
	memcpy(reply + 6, s->mac, 6);
	reply[12] = ETHERTYPE_ARP >> 8;
	reply[13] = ETHERTYPE_ARP & 0xff;
	memcpy(reply + ETH_HLEN, &ask, sizeof(ask));
	if (write(s->fd, reply, sizeof(reply)) < 0)
		perror("packet_client: write");
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Waits for a segment of the connection; its payload's length, -1: none came. */
static long receive(struct stack *s, long until_ms, struct tcphdr *ret_tcp, char *data, size_t size)
{
	unsigned char frame[65536];

	for (;;) {
		struct pollfd p = { .fd = s->fd, .events = POLLIN };
		long left = until_ms - now_ms();
		struct iphdr ip;
		ssize_t n;
		size_t at, len;

		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			return -1;
		n = read(s->fd, frame, sizeof(frame));
		if (n >= (ssize_t)(ETH_HLEN + sizeof(struct ether_arp)) && frame[12] == 8 && frame[13] == 6)
			answer_arp(s, frame);
		if (n < (ssize_t)(ETH_HLEN + sizeof(ip) + sizeof(*ret_tcp)) || frame[12] != 8 || frame[13])
			continue;
		memcpy(&ip, frame + ETH_HLEN, sizeof(ip));
		if (ip.protocol != IPPROTO_TCP || ip.saddr != s->dst || ip.daddr != s->src)
			continue;
		at = ETH_HLEN + ip.ihl * 4u;
		memcpy(ret_tcp, frame + at, sizeof(*ret_tcp));
		if (ret_tcp->dest != htons(s->sport))
			continue;
		at += ret_tcp->doff * 4u;
		len = ETH_HLEN + ntohs(ip.tot_len);
		len = len > at && len <= (size_t)n ? len - at : 0;
		len = len < size ? len : size;
		memcpy(data, frame + at, len);
		return (long)len;
	}
}

static int open_tap(struct stack *s, const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };

	memcpy(ifr.ifr_name, name, strnlen(name, sizeof(ifr.ifr_name) - 1));
	memcpy(s->mac, "\x02\x00\x00\x00\x00\x07", 6);
	s->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	return s->fd < 0 || ioctl(s->fd, TUNSETIFF, &ifr) ? -errno : 0;
}

static int open_packet(struct stack *s, const char *device)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct ifreq ifr = { 0 };

	memcpy(ifr.ifr_name, device, strnlen(device, sizeof(ifr.ifr_name) - 1));
	at.sll_ifindex = (int)if_nametoindex(device);
	s->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	if (s->fd < 0 || ioctl(s->fd, SIOCGIFHWADDR, &ifr) || bind(s->fd, (void *)&at, sizeof(at)))
		return -errno;
	memcpy(s->mac, ifr.ifr_hwaddr.sa_data, 6);
	return 0;
}

static int open_device(struct stack *s, const char *device, const char *gateway)
{
	int err;

	if (sscanf(gateway, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &s->gateway[0], &s->gateway[1], &s->gateway[2],
		   &s->gateway[3], &s->gateway[4], &s->gateway[5]) != 6)
		return -EINVAL;
	err = strncmp(device, "tap:", 4) ? open_packet(s, device) : open_tap(s, device + 4);
	if (err)
		fprintf(stderr, "packet_client: %s: %s\n", device, strerror(-err));
	return err;
}

/* Sends the SYN again as a stack does: the port of a bridge may begin to forward only a second after its device is up. */
static bool connects(struct stack *s, long until, struct tcphdr *ret_synack, char *data, size_t size)
{
	do {
		transmit(s, TH_SYN, "", 0);
		if (receive(s, now_ms() + SYN_AGAIN_MS, ret_synack, data, size) >= 0 && ret_synack->syn)
			return true;
	} while (now_ms() < until);
	return false;
}

static int forge(char **arg)
{
	struct stack s = { .seq = 12345, .ack = 67890, .ttl = (uint8_t)atoi(arg[6]) };

	if (inet_pton(AF_INET, arg[2], &s.src) != 1 || inet_pton(AF_INET, arg[4], &s.dst) != 1 ||
	    open_device(&s, arg[0], arg[1]))
		return 1;
	s.sport = (uint16_t)atoi(arg[3]);
	s.dport = (uint16_t)atoi(arg[5]);
	transmit(&s, TH_PUSH | TH_ACK, arg[7], strlen(arg[7]));
	return 0;
}

int main(int argc, char **argv)
{
	struct stack s = { .sport = 40000, .seq = 1000, .ttl = 64 };
	struct tcphdr tcp;
	bool any = false;
	char data[65536];
	long n, until, wait_ms;

	if (argc == 10 && !strcmp(argv[1], "forge"))
		return forge(argv + 2);
	if (argc < 8 || inet_pton(AF_INET, argv[3], &s.src) != 1 || inet_pton(AF_INET, argv[4], &s.dst) != 1) {
		fprintf(stderr, "usage: packet_client DEVICE GATEWAY_MAC SRC DST PORT REQUEST WAIT_MS [WORD...]\n");
		return 2;
	}
	s.dport = (uint16_t)atoi(argv[5]);
	s.sport += (uint16_t)(getpid() % 20000);
	if (open_device(&s, argv[1], argv[2]))
		return 1;
	wait_ms = atoi(argv[7]);
	if (!connects(&s, now_ms() + (wait_ms > CONNECT_MS ? wait_ms : CONNECT_MS), &tcp, data, sizeof(data))) {
		fprintf(stderr, "packet_client: no SYN-ACK\n");
		return 1;
	}
	s.seq++;
	s.ack = ntohl(tcp.seq) + 1;
	transmit(&s, TH_ACK, "", 0);
	transmit(&s, TH_PUSH | TH_ACK, argv[6], strlen(argv[6]));
	s.seq += (uint32_t)strlen(argv[6]);
	until = now_ms() + wait_ms;
	while ((n = receive(&s, until, &tcp, data, sizeof(data))) >= 0) {
		if (!n || ntohl(tcp.seq) != s.ack)
			continue;
		s.ack += (uint32_t)n;
		transmit(&s, TH_ACK, "", 0);
		fwrite(data, 1, (size_t)n, stdout);
		any = true;
	}
	transmit(&s, TH_RST, "", 0);
	return any ? 0 : 3;
}
