/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One table, keyed by finding, cause, provider and what runs the containers; no row, no words. Rules: a role of the pod's own
 * comes before a wider hop limit, because hop limit 1 is AWS's recommended block; a hop limit is named only when it was
 * measured, and only for clouds that document one (EC2, IBM, Alibaba); a change of a running instance is lost with the node,
 * so both places are named.
 */
#include "advice.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/small.h"
#include "finding_parts.h"
#include "findings.h"

#define HOP_LIMIT_MAX 64 /* EC2 API: HttpPutResponseHopLimit is 1..64 */

void lines_add(struct lines *lines, const char *format, ...)
{
	char **v = lines->failed ? NULL : realloc(lines->v, (lines->len + 2) * sizeof(*v));
	va_list args;

	if (!v) {
		lines->failed = true;
		return;
	}
	lines->v = v;
	v[lines->len + 1] = NULL;
	va_start(args, format);
	if (vasprintf(&v[lines->len], format, args) < 0) {
		v[lines->len] = NULL;
		lines->failed = true;
	} else {
		lines->len++;
	}
	va_end(args);
}

void lines_append(struct lines *lines, const char *format, ...)
{
	char more[256], *line;
	va_list args;

	if (lines->failed || !lines->len)
		return;
	va_start(args, format);
	vsnprintf(more, sizeof(more), format, args);
	va_end(args);
	line = realloc(lines->v[lines->len - 1], strlen(lines->v[lines->len - 1]) + strlen(more) + 1);
	lines->failed = !line;
	if (!line)
		return;
	lines->v[lines->len - 1] = line;
	strcat(line, more);
}

void lines_free(char **v)
{
	for (char **line = v; line && *line; line++)
		free(*line);
	free(v);
}

enum {
	EC2 = 1u << PROVIDER_EC2,
	GCE = 1u << PROVIDER_GCE,
	AZURE = 1u << PROVIDER_AZURE,
	OPENSTACK = 1u << PROVIDER_OPENSTACK,
	IBM = 1u << PROVIDER_IBM,
	ALIBABA = 1u << PROVIDER_ALIBABA,
	ORACLE = 1u << PROVIDER_ORACLE,
	ECS = 1u << PROVIDER_ECS,
	PODID = 1u << PROVIDER_EKS_POD_IDENTITY,
	UNKNOWN = 1u << PROVIDER_OTHER,
	ALL = (1u << PROVIDER_COUNT) - 1,
	ELSE = 1u << PROVIDER_COUNT, /* another cloud's answers to what it does not know: no row of ALL either */
	LOCAL = ECS | PODID,
	/* runtimes */
	K8S = 1u << RUNTIME_KUBERNETES,
	DOCKER = 1u << RUNTIME_DOCKER,
	PODMAN = 1u << RUNTIME_PODMAN,
	TASK = 1u << RUNTIME_ECS,
	ANY = (1u << RUNTIME_COUNT) - 1,
};

/* A condition of a row besides its keys. */
enum when {
#define WHEN(name, holds) name,
#include "advice_when.def"
#undef WHEN
};

/* The condition, and the status of an error that was answered. */
#define WITH(status, when) ((when) | (status) << 8)

static const struct row {
	enum finding_code code;
	enum cause cause; /* NONE: any */
	unsigned int providers, runtimes;
	unsigned int when; /* enum when, or WITH() */
	const char *line;  /* "%d" is the hop limit needed, "%a" the address asked, "%r" where a redirect sent it */
} rows[] = {
#define HOP FINDING_HOP_LIMIT_EXHAUSTED, CAUSE_NONE
	{ HOP, EC2 | LOCAL, ANY, MEANT,
	  "Probably blocked on purpose: this container gets its credentials from EKS Pod Identity or ECS. Nothing "
	  "needs to be opened." },
	{ HOP, EC2 | LOCAL, ANY, MEANT, "To save the wait, tell its SDK not to ask:" },
	{ HOP, EC2 | LOCAL, ANY, MEANT, "  AWS_EC2_METADATA_DISABLED=true" },
	{ HOP, EC2, K8S, ROLELESS,
	  "Best: give the pod a role of its own, by EKS Pod Identity or IRSA. Then it needs neither IMDS nor a wider "
	  "hop limit, and no longer acts as the node." },
	{ HOP, EC2, TASK, ROLELESS,
	  "Best: give the task a role (taskRoleArn). Then it needs neither IMDS nor a wider hop limit, and no longer "
	  "acts as the instance." },
	{ HOP, EC2, DOCKER, NOT_MEANT,
	  "For one container, `docker run --network host` needs no wider hop limit: nothing forwards in between." },
	{ HOP, EC2, PODMAN, NOT_MEANT,
	  "For one container, `podman run --network host` needs no wider hop limit: nothing forwards in between." },
	{ HOP, EC2, K8S, NOT_MEANT,
	  "If it only wants region, zone or instance id: pass them in (AWS_REGION, a flag such as --aws-vpc-id), or "
	  "let it read them from the Kubernetes node object." },
	{ HOP, EC2, ANY & ~K8S, NOT_MEANT, "If it only wants region, zone or instance id: pass them in (AWS_REGION)." },
	{ HOP, EC2, ANY, NEEDS_UNKNOWN,
	  "If it truly needs IMDS: the hop limit must be one more than the forwards between network card and pod. That "
	  "number was not seen here; `imdsnoop probe` measures it." },
	{ HOP, EC2, ANY, NEEDS_KNOWN, "If it truly needs IMDS: set hop limit %d, on the running node" },
	{ HOP, EC2, ANY, NEEDS_KNOWN,
	  "  aws ec2 modify-instance-metadata-options --instance-id INSTANCE_ID --http-put-response-hop-limit %d "
	  "--http-endpoint enabled" },
	{ HOP, EC2, ANY, NEEDS_KNOWN, "and where the node comes from, or the change is lost when the node is replaced:" },
	{ HOP, EC2, ANY, NEEDS_KNOWN, "  launch template, CloudFormation:  MetadataOptions.HttpPutResponseHopLimit: %d" },
	{ HOP, EC2, ANY, NEEDS_KNOWN,
	  "  Terraform:                        metadata_options { http_put_response_hop_limit = %d }" },
	{ HOP, EC2, K8S, NEEDS_KNOWN,
	  "  Karpenter EC2NodeClass:           spec.metadataOptions.httpPutResponseHopLimit: %d" },
	{ HOP, EC2, K8S, NEEDS_KNOWN,
	  "  kOps instance group:              spec.instanceMetadata.httpPutResponseHopLimit: %d" },
	{ HOP, EC2, ANY, NEEDS_KNOWN,
	  "This lets every pod that is as near take the node's role: require tokens (--http-tokens required) when you "
	  "do." },
	{ HOP, EC2, K8S, NOT_MEANT,
	  "A system agent (CSI driver, log or metric agent) may use hostNetwork: true instead; there hop limit 1 is "
	  "enough." },
	{ HOP, EC2, K8S, NOT_MEANT,
	  "If pods are kept from IMDS on purpose (Karpenter, kOps, EKS Auto Mode and recent terraform-aws-eks set hop "
	  "limit 1): leave it, and set AWS_EC2_METADATA_DISABLED=true in the pod to save the wait." },
	{ HOP, IBM, ANY, NEEDS_KNOWN, "Set the instance's response hop limit to %d:" },
	{ HOP, IBM, ANY, NEEDS_KNOWN, "  ibmcloud is instance-update INSTANCE --metadata-service-response-hop-limit %d" },
	{ HOP, IBM, ANY, NEEDS_KNOWN, "  Terraform: metadata_service { response_hop_limit = %d }" },
	{ HOP, IBM, ANY, NEEDS_UNKNOWN,
	  "The instance's response hop limit (metadata_service.response_hop_limit, 1 to 64) must be one more than the "
	  "forwards between network card and pod; `imdsnoop probe` measures them." },
	{ HOP, ALIBABA, ANY, NEEDS_KNOWN, "Set the instance's HttpPutResponseHopLimit to %d:" },
	{ HOP, ALIBABA, ANY, NEEDS_KNOWN,
	  "  aliyun ecs ModifyInstanceMetadataOptions --InstanceId INSTANCE_ID --HttpPutResponseHopLimit %d" },
	{ HOP, ALL & ~(EC2 | IBM | ALIBABA | LOCAL), K8S, ALWAYS,
	  "The provider sets the TTL of this answer; ask it for a higher one, or run the pod with hostNetwork: true." },
	{ HOP, ALL & ~(EC2 | IBM | ALIBABA | LOCAL), ANY & ~K8S, ALWAYS,
	  "The provider sets the TTL of this answer; ask it for a higher one, or use the host's network." },
#define FELL FINDING_IMDSV1_FALLBACK, CAUSE_NONE
	{ FELL, EC2, ANY, HELD_ROLELESS,
	  "It works with the node's role and without tokens, after the wait: cure what stops its token requests." },
	{ FELL, EC2, ANY, ALWAYS,
	  "It asks for tokens already: an SDK without IMDSv2 is not the trouble. Let its tokens arrive before tokens "
	  "are required (--http-tokens required), or it is left with nothing." },
	{ FELL, EC2, K8S, HELD_ROLELESS,
	  "Or give the pod a role of its own by EKS Pod Identity or IRSA: then it needs no instance metadata." },
#define V1 FINDING_IMDSV1_IN_USE, CAUSE_NONE
	{ V1, EC2, K8S, DIRECT,
	  "These calls end the day tokens are required (--http-tokens required): move the pod to an SDK that uses "
	  "IMDSv2, or to a role of its own by EKS Pod Identity or IRSA." },
	{ V1, EC2, ANY & ~K8S, DIRECT,
	  "These calls end the day tokens are required (--http-tokens required): move it to an SDK that uses IMDSv2." },
#define BLOCK FINDING_BLOCKED_BY_POLICY, CAUSE_NONE
	{ BLOCK, EC2 | LOCAL, ANY, MEANT,
	  "Probably blocked on purpose: this container gets its credentials from EKS Pod Identity or ECS. Nothing "
	  "needs to be opened." },
	{ BLOCK, EC2 | LOCAL, ANY, MEANT, "To save the wait, tell its SDK not to ask:" },
	{ BLOCK, EC2 | LOCAL, ANY, MEANT, "  AWS_EC2_METADATA_DISABLED=true" },
	{ BLOCK, ALL, ANY, BY_RULE_HOME,
	  "Someone's rule in the pod's own network drops these packets: one that an init container sets up "
	  "(JupyterHub's cloudMetadata.blockWithIptables), or a sidecar. It is often meant; ask before opening it." },
	{ BLOCK, ALL, K8S, BACK,
	  "It was answered since. Where a pod's policy is set up after the pod has started, its first packets are "
	  "dropped (NETWORK_POLICY_ENFORCING_MODE=strict of the VPC CNI, Calico): let clients ask again." },
	{ BLOCK, ALL & ~LOCAL, ANY, BLOCKED_ANSWERS,
	  "It is the answers that are dropped: a policy for what comes in to the pod must let pass what it asked for "
	  "itself (ct state established), the metadata service's answers too." },
	{ BLOCK, ALL & ~LOCAL, ANY, BY_RULE_NODE,
	  "Someone's rule drops these packets: a network policy, an iptables or nftables rule, or the CNI. A block of "
	  "the metadata address is often meant; ask before opening it." },
	{ BLOCK, ALL & ~LOCAL, ANY, BY_TC,
	  "Someone's policy drops these packets: a network policy that the CNI keeps in BPF. A block of the metadata "
	  "address is often meant; ask before opening it." },
#define LIST_AGENT                                                                                                  \
	"It is the agent on this node at %a that gives these credentials: a policy that lists what pods may reach " \
	"must list that address, too."
	{ BLOCK, LOCAL, ANY, BY_RULE_NODE, LIST_AGENT },
	{ BLOCK, LOCAL, ANY, BY_TC, LIST_AGENT },
	{ BLOCK, ALL, ANY, BY_CONNTRACK,
	  "Its table is full, or was: every new connection of this node is dropped, not those to the metadata service "
	  "alone. Raise the limit, and see who keeps so many connections:" },
	{ BLOCK, ALL, ANY, BY_CONNTRACK, "  sysctl -w net.netfilter.nf_conntrack_max=N; conntrack -S" },
	{ BLOCK, ALL, ANY, BY_XDP,
	  "An XDP program on an interface drops these packets, before any netfilter rule: a load balancer's, a CNI's, "
	  "a security agent's. To see which:" },
	{ BLOCK, ALL, ANY, BY_XDP, "  bpftool net; ip link show | grep xdp" },
	{ BLOCK, ALL, ANY, BY_IPSEC,
	  "The kernel's IPsec policies drop these packets, no netfilter rule does. To see which:" },
	{ BLOCK, ALL, ANY, BY_IPSEC, "  ip xfrm policy; ip xfrm state" },
	{ BLOCK, ALL, ANY, BY_PROGRAM,
	  "A BPF program or filter of someone else's stops these packets at the pod's own cgroup or socket: "
	  "IPAddressDeny of a systemd unit, a security agent. No packet filter and no network policy is in it. To see "
	  "which:" },
	{ BLOCK, ALL, ANY, BY_PROGRAM, "  bpftool cgroup tree; systemctl show -p IPAddressDeny UNIT" },
	{ BLOCK, ALL, ANY, BEHIND,
	  "The filter sees the packets as they are behind the redirect: a rule that allows %a does not help, %r is "
	  "what the pods must reach." },
	{ BLOCK, EC2, K8S, ROLELESS,
	  "On AWS the pod needs no IMDS once it has a role by EKS Pod Identity or IRSA; AWS_EC2_METADATA_DISABLED=true "
	  "then saves the wait." },
	{ BLOCK, EC2, TASK, NOT_MEANT,
	  "A task with a role of its own (taskRoleArn) needs no IMDS; AWS_EC2_METADATA_DISABLED=true then saves the "
	  "wait." },
	{ BLOCK, ALL, ANY, BY_RULE,
	  "If it must get through, look for the rule, or a chain that drops what no rule allows:" },
	{ BLOCK, ALL, K8S, BY_RULE_POD, "  kubectl get networkpolicy -A" },
	{ BLOCK, ALL, ANY, DROPPED_AT_HOME,
	  "  nsenter -t PID -n nft list ruleset   (the rule is in the pod's own network)" },
	{ BLOCK, ALL, ANY, ABROAD_RULE,
	  "  lsns -t net   (the rule is in a network that is neither the node's nor the pod's)" },
	{ BLOCK, ALL, ANY, BY_RULE_NODE, "  nft list ruleset | grep -nE '%a|policy drop'" },
	{ BLOCK, ALL, ANY, BY_TC, "If it must get through, look for the policy:" },
	{ BLOCK, ALL, K8S, BY_TC, "  kubectl get networkpolicy -A" },
	{ BLOCK, ALL, ANY, BY_TC, "  bpftool net; tc filter show dev POD_INTERFACE ingress" },
	{ FINDING_BLOCKED_BY_POLICY, CAUSE_NO_ROUTE, ALL, ANY, NOT_MEANT,
	  "Someone's route keeps the address from the pods, often on purpose; ask before removing it. To see which:" },
	{ FINDING_BLOCKED_BY_POLICY, CAUSE_NO_ROUTE, ALL, ANY, ABROAD,
	  "  lsns -t net   (the route is in a network that is neither the node's nor the pod's)" },
	{ FINDING_BLOCKED_BY_POLICY, CAUSE_NO_ROUTE, ALL, ANY, NOT_MEANT,
	  "  ip route get %a from POD_ADDRESS iif POD_INTERFACE; ip rule; ip route show table all" },
#define DROP FINDING_DROPPED_ON_NODE
	{ DROP, CAUSE_REVERSE_PATH, ALL, ANY, ALWAYS,
	  "Loosen the reverse path filter on the interface that these packets come in by; the higher of `all` and the "
	  "interface counts:" },
	{ DROP, CAUSE_REVERSE_PATH, ALL, ANY, ALWAYS, "  sysctl -w net.ipv4.conf.INTERFACE.rp_filter=2" },
	{ DROP, CAUSE_REVERSE_PATH, ALL, ANY, OF_POD,
	  "or give the pod's second interface (Multus) a routing table of its own, so that each address leaves by its "
	  "own." },
	{ DROP, CAUSE_DROPPED, ALL, ANY, IN_QUEUE,
	  "See which queue drops, and whose limit it is (the bandwidth plugin's annotations, tc, a full device):" },
	{ DROP, CAUSE_DROPPED, ALL, ANY, IN_QUEUE, "  tc -s qdisc show" },
	{ DROP, CAUSE_DROPPED, ALL, ANY, AT_DOWN_LINK, "See which interface is down:" },
	{ DROP, CAUSE_DROPPED, ALL, ANY, AT_DOWN_LINK, "  ip -br link" },
	{ DROP, CAUSE_DROPPED, ALL, ANY, WITHOUT_SOCKET, "See what brings them to this node itself:" },
	{ DROP, CAUSE_DROPPED, ALL, ANY, WITHOUT_SOCKET,
	  "  iptables-save -t mangle | grep TPROXY; ip rule; ip route show table all type local" },
	{ DROP, CAUSE_DROPPED, ALL, ANY, BY_OWN_TTL,
	  "The hop limit of the service is not in it. The client sets its TTL itself (IP_TTL), or its network does:" },
	{ DROP, CAUSE_DROPPED, ALL, ANY, BY_OWN_TTL,
	  "  nsenter -t PID -n sysctl net.ipv4.ip_default_ttl; nsenter -t PID -n iptables-save -t mangle | grep -i "
	  "ttl" },
	{ DROP, CAUSE_HOP_LIMIT, ALL, ANY, ALWAYS,
	  "What died was no answer to a token request, or only the rest of one: see which rule lowers TTLs here, and "
	  "what "
	  "the service sends:" },
	{ DROP, CAUSE_HOP_LIMIT, ALL, ANY, ALWAYS,
	  "  iptables-save -t mangle | grep -i ttl; nft list ruleset | grep -i ttl" },
	{ DROP, CAUSE_NO_ROUTE, ALL & ~LOCAL, ANY, ALWAYS,
	  "See which route is missing, on this node, for the pod's packets:" },
	{ DROP, CAUSE_NO_ROUTE, ALL & ~LOCAL, ANY, ALWAYS,
	  "  ip route get %a from POD_ADDRESS iif POD_INTERFACE; ip rule" },
	{ DROP, CAUSE_NO_ROUTE, LOCAL, ANY, ALWAYS,
	  "An agent on this node should have the address %a, or a redirect of it: does it run?" },
	{ DROP, CAUSE_FORWARDING_OFF, ALL, ANY, NOT_ABROAD,
	  "Let the node forward; hardened images switch it off at boot:" },
	{ DROP, CAUSE_FORWARDING_OFF, ALL, ANY, ABROAD,
	  "Let that network forward: it is of the container around this one (Docker in Docker, kind), PID one of its "
	  "processes:" },
	{ DROP, CAUSE_FORWARDING_OFF, ALL, ANY, ABROAD, "  nsenter -t PID -n sysctl -w net.ipv4.ip_forward=1" },
	{ DROP, CAUSE_FORWARDING_OFF, ALL, ANY, OVER_IPV4, "  sysctl -w net.ipv4.ip_forward=1" },
	{ DROP, CAUSE_FORWARDING_OFF, ALL, ANY, OVER_IPV4,
	  "If this node redirects the address to 127.0.0.1 instead, it is route_localnet that is off:" },
	{ DROP, CAUSE_FORWARDING_OFF, ALL, ANY, OVER_IPV4, "  sysctl -w net.ipv4.conf.all.route_localnet=1" },
	{ DROP, CAUSE_FORWARDING_OFF, ALL, ANY, OVER_IPV6, "  sysctl -w net.ipv6.conf.all.forwarding=1" },
	{ DROP, CAUSE_MARTIAN, ALL, ANY, ALWAYS, "Let the node route to its loopback addresses:" },
	{ DROP, CAUSE_MARTIAN, ALL, ANY, ALWAYS, "  sysctl -w net.ipv4.conf.all.route_localnet=1" },
	{ DROP, CAUSE_MARTIAN, ECS, ANY, ALWAYS,
	  "The ECS agent's own set-up does so (ecs-init); see whether something undid it." },
	{ DROP, CAUSE_NO_NEIGHBOUR, ALL, ANY, BEHIND,
	  "Whoever should answer at %r is gone, or moved: look at the agent that set up the redirect." },
	{ DROP, CAUSE_NO_NEIGHBOUR, ALL, ANY, BEHIND, "  iptables-save -t nat | grep %a; nft list ruleset | grep %a" },
	{ DROP, CAUSE_NO_NEIGHBOUR, ALL & ~LOCAL, ANY, FROM_POD_ALONE,
	  "Others on this node were answered, so the service is there: these packets go another way. A route of the "
	  "pod or of the node, such as 169.254.0.0/16 of zeroconf or of a second interface, sends them where nobody "
	  "has the address, or the gateway on the way does not answer:" },
	{ DROP, CAUSE_NO_NEIGHBOUR, ALL & ~LOCAL, ANY, FROM_POD_ALONE,
	  "  nsenter -t PID -n ip route get %a; ip route get %a; ip neigh" },
	{ DROP, CAUSE_NO_NEIGHBOUR, ALL & ~LOCAL, ANY, FROM_POD,
	  "If this is no cloud's machine (a laptop, a kind cluster), no host on its network has the address: tell the "
	  "client not to ask, and give it credentials otherwise." },
	{ DROP, CAUSE_NO_NEIGHBOUR, EC2, ANY, FROM_POD, "  AWS_EC2_METADATA_DISABLED=true" },
	{ DROP, CAUSE_NO_NEIGHBOUR, ALL & ~LOCAL, ANY, FROM_POD,
	  "If it is one, the gateway on the way does not answer, or a route such as 169.254.0.0/16 of zeroconf sends "
	  "it to the wrong interface:" },
	{ DROP, CAUSE_NO_NEIGHBOUR, ALL & ~LOCAL, ANY, FROM_POD, "  ip route get %a; ip neigh" },
	{ DROP, CAUSE_NO_NEIGHBOUR, ALL, K8S, FROM_HOME,
	  "It was lost before it left the pod: where the pod's gateway is 169.254.1.1 (Calico), the node's end of its "
	  "link answers for that, by proxy_arp:" },
	{ DROP, CAUSE_NO_NEIGHBOUR, ALL, K8S, FROM_HOME,
	  "  nsenter -t PID -n ip route; sysctl net.ipv4.conf.POD_INTERFACE.proxy_arp   (must be 1)" },
	{ DROP, CAUSE_NO_NEIGHBOUR, LOCAL, ANY, FROM_POD,
	  "An agent on this node should have this address, or a redirect to it: does it run?" },
	{ DROP, CAUSE_NO_NEIGHBOUR, ALL, ANY, TO_POD,
	  "The node cannot reach the pod: look at its interface and at the CNI." },
	{ DROP, CAUSE_TOO_BIG, ALL, ANY, ALWAYS,
	  "Give both ends of the pod's link one MTU, let ICMP \"fragmentation needed\" pass, or clamp the segment "
	  "size:" },
	{ DROP, CAUSE_TOO_BIG, ALL, ANY, ALWAYS,
	  "  iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu" },
	{ DROP, CAUSE_BAD_CHECKSUM, ALL, ANY, ALWAYS, "Switch off the offload that leaves them unfinished:" },
	{ DROP, CAUSE_BAD_CHECKSUM, ALL, ANY, ALWAYS, "  ethtool -K INTERFACE tx off rx off" },
	{ DROP, CAUSE_REFUSED_AT_SOCKET, ALL, ANY, ALWAYS, "Look for the program at the pod's cgroup or socket:" },
	{ DROP, CAUSE_REFUSED_AT_SOCKET, ALL, ANY, ALWAYS, "  bpftool cgroup tree" },
	{ FINDING_NOT_SENT, CAUSE_NONE, ALL, ANY, SPARE,
	  "It is served over IPv4: nothing is lost but an attempt. A client that asks IPv6 alone needs a route to "
	  "%a." },
#define UNSENT FINDING_NOT_SENT, CAUSE_NONE
	{ UNSENT, ALL, ANY, MEANT,
	  "Probably blocked on purpose: this container gets its credentials from EKS Pod Identity or ECS. Nothing "
	  "needs to be opened." },
	{ UNSENT, ALL, ANY, MEANT, "To save the wait, tell its SDK not to ask:" },
	{ UNSENT, ALL, ANY, MEANT, "  AWS_EC2_METADATA_DISABLED=true" },
	{ UNSENT, PODID, ANY, OVER_IPV6,
	  "The EKS Pod Identity agent has %a for clusters of IPv6. In one of IPv4, switch its IPv6 off (the add-on's "
	  "configuration), then restart the pods: AWS_CONTAINER_CREDENTIALS_FULL_URI holds the address." },
	{ UNSENT, ALL, ANY, NOT_SPARE,
	  "Look at the routes inside the pod's network: a missing default route, or a blackhole or prohibit route that "
	  "keeps it from the metadata service on purpose." },
	{ UNSENT, ALL, ANY, NOT_SPARE, "  nsenter -t PID -n ip route get %a" },
	{ UNSENT, ALL, ANY, NOT_SPARE, "If there is a route, a BPF program denies connect():" },
	{ UNSENT, ALL, ANY, NOT_SPARE, "  bpftool cgroup tree" },
	{ UNSENT, ALL & ~PODID, ANY, ON_ECS,
	  "On ECS, ECS_AWSVPC_BLOCK_IMDS=true puts such a blackhole route into each task." },
#define REFUSED FINDING_ENDPOINT_REFUSED, CAUSE_NONE
	{ REFUSED, ALL, ANY, PAST,
	  "Who answers was not ready yet. What asks in the first seconds must ask again, or start after it: an init "
	  "container that waits for an answer." },
	{ REFUSED, GCE, K8S, PAST, "On GKE, gke-metadata-server needs some seconds until it answers a new pod." },
	{ REFUSED, ALL, ANY, BACK,
	  "It was answered since: who answers was not ready yet, or restarts. See whether it does so again (its log, "
	  "its restarts), and let clients ask again." },
	{ REFUSED, GCE, K8S, BACK, "  kubectl -n kube-system get pods -l k8s-app=gke-metadata-server -o wide" },
	{ REFUSED, PODID, ANY, BACK,
	  "  kubectl -n kube-system get pods -l app.kubernetes.io/name=eks-pod-identity-agent -o wide" },
	{ REFUSED, ECS, ANY, DOWN, "The ECS agent gives these credentials: does it run on this node?" },
	{ REFUSED, ECS, ANY, DOWN, "  systemctl status ecs; docker ps --filter name=ecs-agent" },
	{ REFUSED, PODID, ANY, DOWN, "The EKS Pod Identity agent gives these credentials: does it run on this node?" },
	{ REFUSED, PODID, ANY, DOWN,
	  "  kubectl -n kube-system get pods -l app.kubernetes.io/name=eks-pod-identity-agent -o wide" },
	{ REFUSED, GCE, K8S, AGENT_DOWN,
	  "On GKE, gke-metadata-server takes the service's place: does it run on this node?" },
	{ REFUSED, GCE, K8S, AGENT_DOWN, "  kubectl -n kube-system get pods -l k8s-app=gke-metadata-server -o wide" },
	{ REFUSED, AZURE, K8S, AGENT_DOWN,
	  "If aad-pod-identity's NMI takes the service's place: does it run on this node?" },
	{ REFUSED, EC2, K8S, AGENT_DOWN,
	  "If kiam or kube2iam takes the service's place: does its agent run on this node?" },
	{ REFUSED, ALL & ~LOCAL, ANY, AT_HOME,
	  "The sidecar that should listen there is not up, or not yet: start it before the application (a native "
	  "sidecar, holdApplicationUntilProxyStarts), or leave %a out of its redirect." },
	{ REFUSED, ALL & ~LOCAL, ANY, AT_HOME, "  nsenter -t PID -n iptables-save -t nat" },
#define LISTENER(agents)                                                                                            \
	"Who should listen there does not run, or not yet: " agents " whose redirect is still there. Start it, or " \
	"remove the redirect:"
	{ REFUSED, EC2, ANY, LISTENERLESS, LISTENER("an agent (kube2iam, kiam)") },
	{ REFUSED, AZURE, ANY, LISTENERLESS, LISTENER("an agent (aad-pod-identity's NMI)") },
	{ REFUSED, GCE, ANY, LISTENERLESS, LISTENER("an agent (gke-metadata-server)") },
	{ REFUSED, ALL & ~(LOCAL | EC2 | AZURE | GCE), ANY, LISTENERLESS, LISTENER("an agent") },
	{ REFUSED, ALL & ~LOCAL, ANY, LISTENERLESS, "  ss -ltnp; iptables-save -t nat | grep %a" },
	{ REFUSED, ALL & ~LOCAL, ANY, NO_REDIRECT,
	  "Nothing listens where the connection goes, a rule rejects it, or the metadata service is off. See whether "
	  "this node redirects it to an agent of its own:" },
	{ REFUSED, ALL & ~LOCAL, ANY, NO_REDIRECT, "  iptables-save -t nat | grep %a; nft list ruleset | grep %a" },
	{ REFUSED, ALL & ~LOCAL, ANY, BY_ICMP,
	  "No RST came but an ICMP error: a router on the way has no route to %a, or a REJECT rule answers. The next "
	  "router is the one that this names:" },
	{ REFUSED, ALL & ~LOCAL, ANY, BY_ICMP, "  ip route get %a" },
	{ FINDING_ENDPOINT_REFUSED, CAUSE_NO_ROUTE, ALL, ANY, ALWAYS,
	  "Look at this node's routes for the pod: a routing table of its own (ip rule) may lack a default route, or "
	  "the interface is down." },
	{ FINDING_ENDPOINT_REFUSED, CAUSE_NO_ROUTE, ALL, ANY, ALWAYS,
	  "  ip route get %a from POD_ADDRESS iif POD_INTERFACE; ip rule" },
	{ FINDING_TOKEN_REQUIRED, CAUSE_NONE, EC2, K8S, ROLELESS,
	  "Tokens are required on this node: use an SDK that asks for one, or give the pod a role of its own by EKS "
	  "Pod Identity or IRSA." },
	{ FINDING_TOKEN_REQUIRED, CAUSE_NONE, EC2, ANY & ~K8S, ROLELESS,
	  "Tokens are required on this node: use an SDK that asks for one." },
	{ FINDING_TOKEN_REQUIRED, CAUSE_NONE, EC2 | LOCAL, ANY, HAS_ROLE,
	  "Its credentials come from EKS Pod Identity or ECS. What else it asks of the instance needs a token here: "
	  "pass region or zone in (AWS_REGION), or use an SDK that asks for tokens." },
	{ FINDING_ENDPOINT_DISABLED, CAUSE_NONE, EC2, ANY, ALWAYS,
	  "403 means that the metadata endpoint is off (HttpEndpoint=disabled), or that the request is not allowed, "
	  "such as a token asked for by a dated path." },
	{ FINDING_ENDPOINT_DISABLED, CAUSE_NONE, EC2, ANY, ALWAYS,
	  "  aws ec2 describe-instances --instance-ids INSTANCE_ID --query "
	  "'Reservations[].Instances[].MetadataOptions'" },
	{ FINDING_FORWARDED_HEADER, CAUSE_NONE, ALL, ANY, ALWAYS,
	  "A proxy adds this header. Have it not do so, or let the metadata address past it (NO_PROXY=%a): the service "
	  "refuses whatever was forwarded, by design." },
	{ FINDING_NO_ROLE, CAUSE_NONE, EC2, ANY, DIRECT, "Attach an instance profile to the instance:" },
	{ FINDING_NO_ROLE, CAUSE_NONE, EC2, ANY, DIRECT,
	  "  aws ec2 associate-iam-instance-profile --instance-id INSTANCE_ID --iam-instance-profile Name=PROFILE" },
	{ FINDING_NO_ROLE, CAUSE_NONE, EC2, K8S, DIRECT,
	  "or give the pod a role of its own, by EKS Pod Identity or IRSA." },
	{ FINDING_NO_ROLE, CAUSE_NONE, EC2, TASK, DIRECT, "or give the task a role (taskRoleArn)." },
#define ERRORS FINDING_CREDENTIALS_REFUSED, CAUSE_NONE
#define ECS_URI                                                                                                      \
	"The ECS agent knows no credentials by this path: it is the task's own, changes with the task, and is read " \
	"from AWS_CONTAINER_CREDENTIALS_RELATIVE_URI; a copy of it (a script's, a parent process's) is stale."
	{ ERRORS, AZURE, ANY, WITH(400, BARE), "Each request needs the header Metadata: true; SDKs send it." },
	{ ERRORS, AZURE, ANY, WITH(400, UNREAD),
	  "Azure answers 400 where the header Metadata: true is missing, and as follows." },
	{ ERRORS, AZURE, ANY, WITH(400, NOT_BARE),
	  "Azure answers 400 where the machine has no managed identity, or not the one asked for (client_id):" },
	{ ERRORS, AZURE, ANY, WITH(400, NOT_BARE), "  az vm identity show --resource-group GROUP --name MACHINE" },
	{ ERRORS, AZURE, ANY, WITH(410, DIRECT),
	  "410 is Azure's word for a service that is being updated: ask again, for 70 s at least." },
	{ ERRORS, AZURE, ANY, WITH(500, DIRECT), "5xx is a fault of Azure's service: ask again with growing pauses." },
	{ ERRORS, GCE, ANY, WITH(403, BARE), "Each request needs the header Metadata-Flavor: Google; SDKs send it." },
	{ ERRORS, GCE, ANY, WITH(403, UNREAD),
	  "403 is the answer to a request without the header Metadata-Flavor: Google, and on GKE to a service account "
	  "that may not act as the Google one it names (roles/iam.workloadIdentityUser)." },
	{ ERRORS, GCE, K8S, WITH(403, HEADED),
	  "On GKE, 403 is the answer to a service account that may not act as the Google one it names "
	  "(roles/iam.workloadIdentityUser)." },
	{ ERRORS, GCE, K8S, WITH(404, IN_NODE),
	  "On GKE, gke-metadata-server answers 404 where the pod's service account stands for no Google one: see its "
	  "annotation iam.gke.io/gcp-service-account, and that the node pool has Workload Identity." },
#define GCE_OLD_PATHS \
	"Paths below /0.1/ and /computeMetadata/v1beta1/ are no longer supported: ask below /computeMetadata/v1/."
	{ ERRORS, GCE, ANY, OLD_PATH, GCE_OLD_PATHS },
	{ ERRORS, GCE, ANY, WITH(404, DIRECT),
	  "404 to a token request, or below service-accounts/: the machine has no service account, or not the one "
	  "named:" },
	{ ERRORS, GCE, ANY, WITH(404, DIRECT),
	  "  gcloud compute instances describe MACHINE --format='value(serviceAccounts)'" },
	{ ERRORS, EC2, ANY, WITH(403, TO_TOKEN),
	  "EC2 gives tokens at /latest/api/token alone: a dated path, or a slash at its end, is answered 403 by "
	  "design." },
	{ ERRORS, EC2 | OPENSTACK | UNKNOWN, ANY, WITH(400, NOT_TO_TOKEN),
	  "EC2 documents 400 for token requests alone. OpenStack's service answers so where the proxy before it "
	  "does not say which instance asks (X-Instance-ID): see Neutron's metadata agent, and its log." },
	{ ERRORS, EC2, ANY, WITH(400, TO_TOKEN),
	  "400 to a token request: the header X-aws-ec2-metadata-token-ttl-seconds is missing, or is not from 1 to "
	  "21600." },
	{ ERRORS, EC2, ANY, WITH(401, DIRECT),
	  "401 to a request with a token: the token is expired (at most 6 hours), or of another instance. Ask for a "
	  "new one when the answer is 401." },
	{ ERRORS, EC2 | OPENSTACK | UNKNOWN, ANY, WITH(404, TO_INSTANCE_ID),
	  "A proxy that reaches no metadata service behind it answers so: see its log. On OpenStack, Nova's must "
	  "be told to take requests of Neutron's proxy (service_metadata_proxy), with the same shared secret." },
	{ ERRORS, EC2, ANY, WITH(404, TO_ROLE),
	  "404 to a role's name: it is not the role of this instance. Ask the list above it for the name." },
	{ ERRORS, OPENSTACK, ANY, WITH(500, DIRECT),
	  "500 comes from Neutron's metadata agent: see that it reaches Nova, and that both have the same shared "
	  "secret." },
	{ ERRORS, IBM, ANY, WITH(401, DIRECT),
	  "401: the request needs the instance identity token, in the header Authorization: Bearer TOKEN." },
	{ ERRORS, IBM, ANY, DIRECT,
	  "The metadata service of the instance may be off, or the header Metadata-Flavor: ibm is missing:" },
	{ ERRORS, IBM, ANY, DIRECT, "  ibmcloud is instance INSTANCE --output json | grep -A3 metadata_service" },
	{ ERRORS, ORACLE, ANY, WITH(404, DIRECT),
	  "404 below /opc/v1/ means that the legacy endpoints are switched off: ask below /opc/v2/, with the header "
	  "Authorization: Bearer Oracle." },
#define ORACLE_HEADER "Below /opc/v2/ the header Authorization: Bearer Oracle is required."
	{ ERRORS, ORACLE, ANY, WITH(401, DIRECT), ORACLE_HEADER },
	{ ERRORS, ORACLE, ANY, WITH(403, DIRECT), ORACLE_HEADER },
	{ ERRORS, ALIBABA, ANY, WITH(404, DIRECT),
	  "404 below ram/security-credentials/: no RAM role is attached to the instance, or not the one named:" },
	{ ERRORS, ALIBABA, ANY, WITH(404, DIRECT),
	  "  aliyun ecs AttachInstanceRamRole --InstanceIds '[\"INSTANCE_ID\"]' --RamRoleName ROLE" },
	{ ERRORS, ALIBABA, ANY, WITH(403, DIRECT),
	  "403 without a token: the instance requires them (HttpTokens=required). Ask PUT /latest/api/token first." },
	{ ERRORS, ELSE, ANY, FOREIGN_CLIENT,
	  "It takes this machine for another cloud's: name its own cloud in its configuration, or give it credentials "
	  "otherwise (a key file, workload identity federation)." },
	{ ERRORS, ALL, ANY, IN_SIDECAR,
	  "Its sidecar takes these requests: leave %a out of its redirect (Istio: "
	  "traffic.sidecar.istio.io/excludeOutboundIPRanges), or let it pass them on as they are." },
	{ ERRORS, EC2, K8S, WITH(404, IN_NODE),
	  "404 of kiam or kube2iam: it knows no role for this pod, or not this one. See the pod's annotation "
	  "(iam.amazonaws.com/role), what its namespace permits, and whether the agent knows so new a pod yet." },
	{ ERRORS, ECS, ANY, WITH(400, NO_SIDECAR), ECS_URI },
	{ ERRORS, ECS, ANY, WITH(404, NO_SIDECAR), ECS_URI },
	{ ERRORS, ECS, ANY, NO_SIDECAR, "The ECS agent answers here: look at its log, and whether the task has a role." },
	{ ERRORS, PODID, ANY, WITH(400, ALWAYS),
	  "The EKS Pod Identity agent answers 400 to a service account token that is expired or empty: the client must "
	  "read AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE again for each request, as SDKs do since they know EKS Pod "
	  "Identity." },
	{ ERRORS, PODID, ANY, WITH(404, BY_POD_AGENT),
	  "The agent itself answers, with what EKS answers it: 404 means that EKS knows no association of the pod's "
	  "service account with a role. See the agent's log, and:" },
	{ ERRORS, PODID, ANY, WITH(404, BY_POD_AGENT),
	  "  aws eks list-pod-identity-associations --cluster-name CLUSTER --namespace NAMESPACE" },
	{ ERRORS, PODID, ANY, BY_POD_AGENT,
	  "What the agent answers is what EKS answers it, or its own check of the service account token: its log says "
	  "which." },
	{ ERRORS, PODID, ANY, NOT_POD_AGENT,
	  "The EKS Pod Identity agent should answer here: see that it runs, that nothing else takes its address (a "
	  "hostPort 80), and that the service account has an association." },
#define BUSY FINDING_THROTTLED, CAUSE_NONE
	{ BUSY, GCE, ANY, UNAVAILABLE,
	  "503 is the metadata server's word for a moment in which it cannot answer, such as a machine's first ones: "
	  "ask again, with growing pauses." },
	{ BUSY, ALL & ~(LOCAL | GCE), ANY, UNAVAILABLE,
	  "503 comes from the proxy before the service, which reaches nobody behind it. On OpenStack that is haproxy "
	  "before Neutron's metadata agent: see that the agent and Nova's API run, and their logs." },
	{ BUSY, ECS, ANY, ALWAYS,
	  "The ECS agent limits requests itself: keep one client and its credentials; or raise its limit:" },
	{ BUSY, ECS, ANY, ALWAYS, "  ECS_TASK_METADATA_RPS_LIMIT=RATE,BURST in /etc/ecs/ecs.config" },
	{ BUSY, PODID, ANY, ALWAYS, "The EKS Pod Identity agent limits requests: keep credentials until they expire." },
	{ BUSY, ALL & ~LOCAL, ANY, THROTTLES,
	  "The service limits queries for each instance, by errors or by delay: keep tokens and credentials until they "
	  "expire, and let many short processes share them." },
	{ BUSY, EC2, ANY, THROTTLES, "  ethtool -S INTERFACE | grep linklocal_allowance_exceeded" },
#define SLOW FINDING_SLOW, CAUSE_NONE
	{ SLOW, EC2, ANY, BEGAN_LATE,
	  "The service limits queries for each instance, by errors or by delay: keep tokens and credentials until they "
	  "expire, and let many short processes share them." },
	{ SLOW, EC2, ANY, BEGAN_LATE, "  ethtool -S INTERFACE | grep linklocal_allowance_exceeded" },
	{ SLOW, ALL, ANY, LATE, "Give the client a timeout longer than the answer takes, and let it ask again." },
	{ SLOW, EC2, ANY, LATE, "  AWS_METADATA_SERVICE_TIMEOUT=5 AWS_METADATA_SERVICE_NUM_ATTEMPTS=3" },
	{ SLOW, GCE, ANY, LATE, "  GCE_METADATA_TIMEOUT=10   (google-auth for Python)" },
#define SILENT FINDING_NO_RESPONSE, CAUSE_NONE
	{ SILENT, ALL & ~LOCAL, ANY, WAS_CUT,
	  "Whoever listens there ends the connections: the service when it has too many of them, or a proxy or "
	  "security appliance on the way." },
#define LOOK_AT_IT                                                                                              \
	"What answers in the service's place is that process: look at its log and at what it asks itself. The " \
	"metadata service's own limits and switches are not what this pod met."
	{ SLOW, ALL & ~LOCAL, ANY, IN_PLACE, LOOK_AT_IT },
	{ BUSY, ALL & ~LOCAL, ANY, IN_PLACE, LOOK_AT_IT },
	{ SILENT, ALL & ~LOCAL, ANY, IN_PLACE, LOOK_AT_IT },
	{ FINDING_NO_ROLE, CAUSE_NONE, ALL & ~LOCAL, ANY, IN_PLACE, LOOK_AT_IT },
	{ ERRORS, ALL & ~LOCAL, ANY, IN_NODE, LOOK_AT_IT },
	{ SILENT, ALL & ~LOCAL, ANY, ANOTHER_HOST,
	  "Its packets came to this node and were thrown away as another host's (OTHERHOST): a neighbour entry holds a "
	  "wrong MAC address, of the pod here or of this node at the gateway. See:" },
	{ SILENT, ALL & ~LOCAL, ANY, ANOTHER_HOST, "  ip neigh; ip -d link show" },
	{ SILENT, LOCAL, ANY, IN_PLACE,
	  "That process took the connections and gave no answer: look at its log, and at what it asks itself." },
	{ SILENT, ECS, ANY, UNMET,
	  "The ECS agent on this node gives these credentials, by a redirect of %a to it: does it run, and is the "
	  "redirect there?" },
	{ SILENT, ECS, ANY, UNMET, "  iptables-save -t nat | grep %a" },
	{ SILENT, PODID, ANY, UNMET,
	  "The EKS Pod Identity agent on this node gives these credentials and has the address %a: does it run?" },
	{ SILENT, PODID, ANY, UNMET,
	  "  ip addr show pod-id-link0; kubectl -n kube-system get pods -l "
	  "app.kubernetes.io/name=eks-pod-identity-agent -o wide" },
	{ SILENT, LOCAL, ANY, MET,
	  "Whoever has the address %a took the connections and gave no answer: look at the agent's log." },
	{ SILENT, ALL, ANY, CAME_LATE, "Give the client a timeout longer than the answer takes, and let it ask again." },
	{ SILENT, ALL & ~LOCAL, ANY, MET,
	  "The connections stood: routes, SNAT and the service's address are right. It is overloaded, or packets are "
	  "lost outside this node." },
	{ SILENT, ALL, ANY, BIG_LOST,
	  "Where small packets pass and full ones are lost, a link on the way has a smaller MTU, and ICMP "
	  "\"fragmentation needed\" does not come back. Compare the MTUs (pod, bridge, tunnel, network card), or clamp "
	  "the segment size:" },
	{ SILENT, ALL, ANY, BIG_LOST, "  ip -br link; ip route get %a; tracepath -n %a" },
	{ SILENT, ALL & ~LOCAL, ANY, HOST_ANSWERED,
	  "The node itself was answered. See whether the pod's packets leave with the node's address (SNAT, "
	  "masquerade): many services answer no other source address." },
	{ SILENT, ALL & ~LOCAL, ANY, HOST_ANSWERED, "  tcpdump -ni INTERFACE host %a" },
	{ SILENT, ALL & ~LOCAL, ANY, HOST_ANSWERED, "or whether a VPN or a second interface of the pod takes them:" },
	{ SILENT, ALL & ~LOCAL, ANY, HOST_ANSWERED, "  nsenter -t PID -n ip route get %a" },
	{ SILENT, ALL & ~LOCAL, ANY, HOST_SILENT,
	  "It is the node itself that is not answered. See where its packets go: a VPN or a link-local route may take "
	  "them; else the service is off or overloaded." },
	{ SILENT, ALL & ~LOCAL, ANY, HOST_SILENT, "  ip route get %a" },
	{ SILENT, ALL & ~LOCAL, ANY, HOST_NOT_ANSWERED,
	  "Ask from the node itself. If that works, look for a policy outside this node's kernel (security appliance, "
	  "another host) or for packets that leave with the pod's own address (no SNAT, masquerade); if not, the "
	  "service is off or overloaded." },
	{ SILENT, EC2, ANY, WAS_SILENT,
	  "On EC2, packets above 1024 a second to link-local services are dropped below the guest, unseen here. See "
	  "whether this counter rises:" },
	{ SILENT, EC2, ANY, WAS_SILENT, "  ethtool -S INTERFACE | grep linklocal_allowance_exceeded" },
	{ SILENT, ALL & ~LOCAL, ANY, NO_CLOUD,
	  "If this machine is in no cloud at all (a laptop, a CI runner, kind), nobody answers at %a: tell the client "
	  "not to ask, and give it credentials otherwise." },
	{ SILENT, EC2, ANY, NO_CLOUD, "  AWS_EC2_METADATA_DISABLED=true" },
	{ FINDING_TTL_REWRITTEN, CAUSE_NONE, EC2 | IBM | ALIBABA, ANY, ALWAYS,
	  "A rule that raises the TTL lets pods past the hop limit that was set to keep them out. If it is not meant, "
	  "find it:" },
	{ FINDING_TTL_REWRITTEN, CAUSE_NONE, EC2 | IBM | ALIBABA, ANY, ALWAYS,
	  "  iptables-save -t mangle | grep -i ttl; nft list ruleset | grep -i ttl" },
	{ FINDING_TWO_SERVERS, CAUSE_NONE, ALL, ANY, ALWAYS,
	  "End the older connections (restart the container), so that all of them take the redirect." },
	{ FINDING_UNKNOWN_OWNER, CAUSE_NONE, ALL, ANY, ALWAYS,
	  "These addresses are of sandboxes or virtual machines (gVisor, Kata, KubeVirt), of packets sent without a "
	  "socket, or of connections older than this watch: the hop limit is too low for them too, or was "
	  "when they asked." },
#define ELSEWHERE FINDING_NOT_THIS_CLOUD, CAUSE_NONE
#define NO_SUCH_ROLE                                                                                        \
	"Its AWS SDK looks for an instance role that does not exist here. Tell it not to ask, and give it " \
	"credentials otherwise (environment, a web identity):"
	{ ELSEWHERE, ALL, ANY, DIRECT, NO_SUCH_ROLE },
	{ ELSEWHERE, ALL, ANY, DIRECT, "  AWS_EC2_METADATA_DISABLED=true" },
	{ FINDING_NO_ROLE, CAUSE_NONE, ELSE, ANY, ALWAYS, NO_SUCH_ROLE },
	{ FINDING_NO_ROLE, CAUSE_NONE, ELSE, ANY, ALWAYS, "  AWS_EC2_METADATA_DISABLED=true" },
	{ ELSEWHERE, ALL, ANY, IN_PLACE,
	  "What stands in the service's place does not pass token requests on: let it (newer versions of kiam and "
	  "kube2iam do; a sidecar must leave %a out), or SDKs go on without a token." },
};

bool advice_is_meant(const struct pod_stats *p)
{
	return p->uses_pod_identity && !p->fallbacks && !p->needs_credentials;
}

/*
 * Whose words fit: the service that the row asked on the node itself, or the cloud; where that is not known, the one provider
 * whose protocol it spoke.
 */
static unsigned int providers_of(const struct draft *d, enum finding_code code)
{
	unsigned int asked = d->p ? finding_providers(d->p) & ~UNKNOWN : 0;

	if (d->p && (code == FINDING_CREDENTIALS_REFUSED || code == FINDING_NO_ROLE) && d->p->errors_len &&
	    finding_is_foreign_client(d, d->p->errors[0].provider))
		return ELSE;
	if (asked && !(asked & ~(unsigned int)LOCAL))
		return asked;
	if (d->platform.cloud != PROVIDER_OTHER)
		return 1u << d->platform.cloud;
	asked &= ~(unsigned int)LOCAL;
	return asked && !(asked & (asked - 1)) ? asked : UNKNOWN;
}

static unsigned int runtimes_of(const struct draft *d)
{
	enum runtime runtime = d->p ? platform_runtime(&d->p->who) : d->platform.runtime;

	return 1u << (runtime == RUNTIME_NONE ? d->platform.runtime : runtime);
}

/* Neither a route's nor meant, and by that kind. */
static bool is_by(const struct draft *d, const struct drop_note *note, enum drop_kind kind)
{
	return (!d->p || !advice_is_meant(d->p)) && !(note && note->cause == CAUSE_NO_ROUTE) &&
	       !(note && note->cause == CAUSE_REFUSED_AT_SOCKET) && finding_drop_kind(d, note) == kind;
}

/* Any tenant may give its pod this name, but not in this namespace. */
static bool is_pod_identity_agent(const struct pod_identity *who)
{
	static const char name[] = "eks-pod-identity-agent";

	return !strcmp(who->namespace, "kube-system") && !strncmp(who->pod, name, sizeof(name) - 1);
}

static bool is_ipv6(const struct draft *d)
{
	char address[64];

	return strchr(finding_endpoint(d->s, d->p, address, sizeof(address)), ':');
}

static bool has_old_path(const struct pod_stats *p)
{
	for (size_t i = 0; p && i < p->errors_len; i++)
		if (!strncmp(p->errors[i].path, "/0.1/", 5) ||
		    !strncmp(p->errors[i].path, "/computeMetadata/v1beta1", 24))
			return true;
	return false;
}

static bool is_limit_known(const struct pod_stats *p)
{
	return p && p->required_hop_limit >= 2 && p->required_hop_limit <= HOP_LIMIT_MAX;
}

typedef bool holds_fn(const struct draft *d, const struct pod_stats *p, const struct drop_note *note);

#define IS(name) holds_##name(d, p, note)
#define WHEN(name, holds) static holds_fn holds_##name;
#include "advice_when.def"
#undef WHEN
#define WHEN(name, holds)                                                                                        \
	static bool holds_##name(const struct draft *d, const struct pod_stats *p, const struct drop_note *note) \
	{                                                                                                        \
		return holds;                                                                                    \
	}
#include "advice_when.def"
#undef WHEN

static holds_fn *const conditions[] = {
#define WHEN(name, holds) [name] = holds_##name,
#include "advice_when.def"
};

/* The line with what stands for its marks. */
static void add_line(struct lines *advice, const char *line, const struct draft *d)
{
	const struct drop_note *note = finding_main_note(d->p);
	char buf[1024], address[64];
	size_t at = 0;

	for (const char *c = line; *c && at < sizeof(buf) - 1; c++) {
		if (*c != '%') {
			buf[at++] = *c;
			continue;
		}
		switch (*++c) {
		case 'd':
			at += (size_t)snprintf(buf + at, sizeof(buf) - at, "%d", d->p ? d->p->required_hop_limit : 0);
			break;
		case 'r':
			at += (size_t)snprintf(buf + at, sizeof(buf) - at, "%s", note ? note->to : "");
			break;
		default:
			at += (size_t)snprintf(buf + at, sizeof(buf) - at, "%s",
					       finding_endpoint(d->s, d->p, address, sizeof(address)));
			break;
		}
	}
	buf[at < sizeof(buf) ? at : sizeof(buf) - 1] = '\0';
	lines_add(advice, "%s", buf);
}

/* Of this status, and as a row wants it besides. */
static bool has_error(const struct pod_stats *p, unsigned int status, enum when when)
{
	for (size_t i = 0; p && i < p->errors_len; i++) {
		const struct error_count *e = &p->errors[i];
		const bool fits[NOT_BARE + 1] = {
			[TO_TOKEN] = e->kind == IMDS_KIND_TOKEN,
			[NOT_TO_TOKEN] = e->kind != IMDS_KIND_TOKEN,
			[TO_ROLE] = e->kind == IMDS_KIND_CREDENTIALS && e->provider == PROVIDER_EC2,
			[TO_INSTANCE_ID] = strstr(e->path, "/instance-id"),
			[UNREAD] = !e->header,
			[HEADED] = e->header > 0,
			[BARE] = e->header < 0,
			[NOT_BARE] = e->header >= 0,
		};

		if (e->status == status && (when < TO_TOKEN || when > NOT_BARE || fits[when]))
			return true;
	}
	return false;
}

void advice_add(struct lines *advice, enum finding_code code, const struct draft *d)
{
	unsigned int providers = providers_of(d, code), runtimes = runtimes_of(d);
	const struct drop_note *note = finding_main_note(d->p);

	for (size_t i = 0; i < LEN(rows); i++) {
		const struct row *r = &rows[i];

		if (r->code != code || !(r->providers & providers) || !(r->runtimes & runtimes) ||
		    !conditions[r->when & 0xff](d, d->p, note))
			continue;
		if (r->cause != CAUSE_NONE && (!note || note->cause != r->cause))
			continue;
		if (r->when >> 8 && !has_error(d->p, r->when >> 8, r->when & 0xff))
			continue;
		add_line(advice, r->line, d);
	}
}
