/* SPDX-License-Identifier: GPL-2.0-only */
#include "options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "../base/address.h"
#include "../base/small.h"

#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull
#define MAX_HOURS 1000	 /* keeps every sum of two durations far from overflow */
#define HOP_LIMIT_MAX 64 /* ec2 modify-instance-metadata-options takes 1 to 64 */

/* Digits only, at least one, up to max: strtoull() would take blanks, signs and wrap silently. */
static int parse_number(const char *text, size_t len, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;

	if (!len)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		if (n > (max - (text[i] - '0')) / 10)
			return -ERANGE;
		n = n * 10 + (text[i] - '0');
	}
	*ret = n;
	return 0;
}

/* Digits with up to nine more behind a point, times unit_ns; *text is moved behind them. */
static int parse_amount(const char **text, uint64_t unit_ns, uint64_t max, uint64_t *ret)
{
	size_t digits = strspn(*text, "0123456789"), more = 0;
	uint64_t n = 0, fraction = 0, scale = 1;
	int err = parse_number(*text, digits, max / unit_ns, &n);

	if (err)
		return err;
	*text += digits;
	if (**text == '.') {
		more = strspn(++*text, "0123456789");
		if (!more || more > 9 || parse_number(*text, more, UINT64_MAX, &fraction))
			return -EINVAL;
		*text += more;
	}
	for (size_t i = 0; i < more; i++)
		scale *= 10;
	*ret = n * unit_ns + (uint64_t)((long double)fraction / scale * unit_ns + 0.5L);
	return 0;
}

int options_parse_duration(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *unit;
		uint64_t ns;
	} units[] = {
		{ "d", 24 * 3600 * NS_PER_S }, { "h", 3600 * NS_PER_S }, { "m", 60 * NS_PER_S }, { "s", NS_PER_S },
		{ "ms", NS_PER_MS },
	};
	const uint64_t max = MAX_HOURS * 3600 * NS_PER_S;
	uint64_t sum = 0, n;
	size_t unit = 0;
	int err, worst = 0;

	if (!*text)
		return -EINVAL;
	while (*text) { /* each unit at most once, larger ones first */
		const char *name = text + strspn(text, "0123456789.");
		size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz");

		while (unit < LEN(units) && (strlen(units[unit].unit) != len || memcmp(units[unit].unit, name, len)))
			unit++;
		if (unit == LEN(units))
			return -EINVAL;
		err = parse_amount(&text, units[unit++].ns, max, &n);
		if (err == -EINVAL || (!err && text != name))
			return -EINVAL;
		text = name + len;
		worst = err ? err : worst;
		sum += err ? 0 : n; /* five of at most 1000 hours and a unit each: no overflow */
	}
	if (worst || sum < NS_PER_MS || sum > max)
		return -ERANGE;
	*ret_ns = sum;
	return 0;
}

static int parse_addr(const char *text, struct imds_addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, ret->b + 12) == 1) {
		ret->b[10] = ret->b[11] = 0xff;
		return 0;
	}
	return inet_pton(AF_INET6, text, ret->b) == 1 ? 0 : -EINVAL;
}

static bool addr_is_unicast(const struct imds_addr *a)
{
	static const struct imds_addr any;

	if (address_is_v4(a))
		return a->b[12] != 0 && a->b[12] < 224; /* no 0.0.0.0/8, multicast, reserved, broadcast */
	return memcmp(a, &any, sizeof(any)) && a->b[0] != 0xff;
}

/*
 * Splits "ADDR:PORT", "[ADDR6]:PORT", "ADDR" or "ADDR6" into host and port, -1 when none is written.
 */
static int split_host_port(const char *text, char *host, size_t host_len, int *ret_port)
{
	const char *colon = strrchr(text, ':');
	const char *end, *port = NULL;
	uint64_t n;

	if (*text == '[') {
		end = strchr(++text, ']');
		if (!end)
			return -EINVAL;
		if (end[1] == ':')
			port = end + 2;
		else if (end[1])
			return -EINVAL;
	} else if (colon && strchr(text, ':') == colon) {
		end = colon;
		port = colon + 1;
	} else {
		end = text + strlen(text);
	}
	if ((size_t)(end - text) >= host_len)
		return -EINVAL;
	memcpy(host, text, end - text);
	host[end - text] = '\0';
	*ret_port = -1;
	if (!port)
		return 0;
	if (parse_number(port, strlen(port), UINT16_MAX, &n))
		return -EINVAL;
	*ret_port = n;
	return 0;
}

/* The addresses that the clouds document; anything else that the user names is "other". */
static enum imds_endpoint_class class_of(const struct imds_addr *addr)
{
	static const struct {
		const char *text;
		enum imds_endpoint_class class;
	} known[] = {
		{ "169.254.169.254", IMDS_EP_IMDS }, { "fd00:ec2::254", IMDS_EP_EC2 },
		{ "169.254.170.2", IMDS_EP_ECS },    { "169.254.170.23", IMDS_EP_EKS },
		{ "fd00:ec2::23", IMDS_EP_EKS },     { "100.100.100.200", IMDS_EP_ALIBABA },
	};
	struct imds_addr a;

	for (size_t i = 0; i < LEN(known); i++)
		if (!parse_addr(known[i].text, &a) && !memcmp(&a, addr, sizeof(a)))
			return known[i].class;
	return IMDS_EP_OTHER;
}

int options_parse_endpoint(const char *text, struct imds_endpoint *ret)
{
	char host[INET6_ADDRSTRLEN];
	int port;

	memset(ret, 0, sizeof(*ret));
	if (split_host_port(text, host, sizeof(host), &port) || parse_addr(host, &ret->addr) ||
	    !addr_is_unicast(&ret->addr) || !port) /* "ADDR:0" hardly means "any" */
		return -EINVAL;
	ret->port = port < 0 ? 0 : port;
	ret->class = class_of(&ret->addr);
	return 0;
}

const char *options_endpoint_text(const struct imds_endpoint *e, char *buf, size_t len)
{
	bool v4 = address_is_v4(&e->addr);
	char host[INET6_ADDRSTRLEN];

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? e->addr.b + 12 : e->addr.b, host, sizeof(host));
	if (!e->port)
		snprintf(buf, len, "%s", host);
	else
		snprintf(buf, len, v4 ? "%s:%u" : "[%s]:%u", host, e->port);
	return buf;
}

int options_parse_what_if(struct options *o, const char *text)
{
	static const char hop_limit[] = "hop-limit=", tokens[] = "tokens=";
	uint32_t limit = 0;
	bool required = false, optional = false, off = false, delivery = false;

	for (;;) {
		size_t len = strcspn(text, ",");
		uint64_t n;

		if (!strncmp(text, hop_limit, sizeof(hop_limit) - 1) && !limit) {
			size_t skip = sizeof(hop_limit) - 1;

			if (parse_number(text + skip, len - skip, HOP_LIMIT_MAX, &n) || !n)
				return -EINVAL;
			limit = n;
		} else if (!strncmp(text, tokens, sizeof(tokens) - 1) && !required && !optional) {
			size_t skip = sizeof(tokens) - 1;

			required = len - skip == 8 && !strncmp(text + skip, "required", 8);
			optional = len - skip == 8 && !strncmp(text + skip, "optional", 8);
			if (!required && !optional)
				return -EINVAL;
		} else if (len == 12 && !strncmp(text, "endpoint=off", len)) {
			off = true;
		} else if (len == 17 && !strncmp(text, "role-delivery=2.0", len)) {
			delivery = true;
		} else {
			return -EINVAL;
		}
		if (!text[len])
			break;
		text += len + 1;
	}
	o->what_if = true;
	o->what_if_hop_limit = limit;
	o->what_if_tokens_required = required;
	o->what_if_endpoint_off = off;
	o->what_if_role_delivery = delivery;
	return 0;
}

int options_parse_listen(struct options *o, const char *text)
{
	static const char unix_prefix[] = "unix:";
	struct imds_addr addr;
	int port;

	o->listen_path = NULL;
	if (!strncmp(text, unix_prefix, strlen(unix_prefix))) {
		if (text[strlen(unix_prefix)] != '/')
			return -EINVAL;
		o->listen = text;
		o->listen_path = text + strlen(unix_prefix);
		return 0;
	}
	if (split_host_port(text, o->listen_host, sizeof(o->listen_host), &port) || parse_addr(o->listen_host, &addr) ||
	    port < 0)
		return -EINVAL;
	o->listen = text;
	o->listen_port = port;
	return 0;
}
