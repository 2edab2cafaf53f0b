// SPDX-License-Identifier: GPL-2.0-only
/*
 * Metadata service of the lab: libevent's HTTP server, one process, with a token answer whose IP TTL (hop limit on
 * IPv6) can be lowered as EC2's HttpPutResponseHopLimit does. Each setting is an option and, while running, a line
 * "name value" written into the --control FIFO; PATH.done then holds the number of lines obeyed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "hash.h"
#include "imds_content.h"

#define BACKLOG 4096
#define IDLE_TIMEOUT_S 120
#define LISTEN_MAX 16
#define DNS_MAX 512 /* bytes of a plain DNS query, RFC 1035 */

enum action { ACTION_ANSWER, ACTION_RESET, ACTION_CLOSE, ACTION_SILENT };
static const char *const action_words[] = { "answer", "reset", "close", "silent" };

struct settings {
	int hop_limit; /* 0: leave the kernel's */
	int tokens_required;
	int slow_ms, slow_token_ms;
	int status, token_status; /* 0: as it should be */
	int action, token_action; /* enum action; the stronger one acts on a token request */
	int no_length, chunked;
};

struct server {
	struct event_base *base;
	struct evhttp *http;
	struct settings set;
	FILE *log;
	const char *control; /* path of the FIFO */
	struct event *control_event;
	char line[128]; /* control line read so far */
	size_t line_len;
	unsigned long obeyed;
};

struct pending { /* a request whose answer waits */
	struct server *server;
	struct evhttp_request *req;
	struct content_answer answer;
	enum action action;
	const char *version;
	long long received_us;
};

static const struct setting {
	const char *name;
	size_t offset;
	int min, max;
	int flag; /* as an option it takes no value and means this one; 0: takes a value */
} settings[] = {
#define SET(name, field, ...)                                       \
	{                                                           \
		name, offsetof(struct settings, field), __VA_ARGS__ \
	}
	SET("hop-limit", hop_limit, 0, 255, 0),
	SET("slow-ms", slow_ms, 0, 600000, 0),
	SET("slow-token-ms", slow_token_ms, 0, 600000, 0),
	SET("status", status, 0, 599, 0),
	SET("token-status", token_status, 0, 599, 0),
	SET("reset", action, 0, ACTION_RESET, ACTION_RESET),
	SET("close", action, 0, ACTION_CLOSE, ACTION_CLOSE),
	SET("silent", action, 0, ACTION_SILENT, ACTION_SILENT),
	SET("reset-token", token_action, 0, ACTION_RESET, ACTION_RESET),
	SET("close-token", token_action, 0, ACTION_CLOSE, ACTION_CLOSE),
	SET("silent-token", token_action, 0, ACTION_SILENT, ACTION_SILENT),
	SET("no-length", no_length, 0, 1, 1),
	SET("chunked", chunked, 0, 1, 1),
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static void die(const char *what, const char *subject)
{
	fprintf(stderr, "imds_server: %s '%s': %s\n", what, subject, strerror(errno));
	exit(1);
}

static long long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

/* 0, or -EINVAL for an unknown name or a value out of range. A flag's value is 0 (off) or anything else (on). */
static int settings_put(struct settings *set, const char *name, const char *value)
{
	char *end;
	long n;

	if (!strcmp(name, "tokens")) {
		set->tokens_required = !strcmp(value, "required");
		return set->tokens_required || !strcmp(value, "optional") ? 0 : -EINVAL;
	}
	for (size_t i = 0; i < SETTINGS; i++) {
		const struct setting *s = &settings[i];

		if (strcmp(s->name, name))
			continue;
		n = strtol(value, &end, 10);
		if (end == value || *end)
			return -EINVAL;
		if (s->flag)
			n = n ? s->flag : 0;
		if (n < s->min || n > s->max)
			return -EINVAL;
		*(int *)((char *)set + s->offset) = (int)n;
		return 0;
	}
	return -EINVAL;
}

/*
 * The answer leaves with this TTL, and so does everything that the kernel sends for this connection (retransmits, ACKs,
 * FIN) until the next request on it. -1 gives the socket back the namespace's default (Linux: ip(7), ipv6(7)).
 */
static void connection_set_ttl(evutil_socket_t fd, int ttl)
{
	int v4, v6;

	if (!ttl)
		ttl = -1;
	v4 = setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	v6 = setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &ttl, sizeof(ttl));
	if (v4 && v6) /* one fails because the socket is of the other family */
		fprintf(stderr, "imds_server: cannot set TTL %d: %s\n", ttl, strerror(errno));
}

static const char *method_word(enum evhttp_cmd_type type)
{
	static const struct {
		enum evhttp_cmd_type type;
		const char *word;
	} words[] = {
		{ EVHTTP_REQ_GET, "GET" },   { EVHTTP_REQ_HEAD, "HEAD" },     { EVHTTP_REQ_PUT, "PUT" },
		{ EVHTTP_REQ_POST, "POST" }, { EVHTTP_REQ_DELETE, "DELETE" }, { EVHTTP_REQ_OPTIONS, "OPTIONS" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].type == type)
			return words[i].word;
	return "OTHER";
}

/* Hostile bytes are left out, so that a line is always JSON. */
static void log_text(FILE *log, const char *text)
{
	for (; text && *text; text++)
		if (*text >= ' ' && *text != '"' && *text != '\\')
			fputc(*text, log);
}

/* Of the head as it was sent: libevent keeps order and letters of the fields, and our clients put no more into a line. */
static uint32_t hash_head(struct evhttp_request *req, const char *method)
{
	struct evkeyvalq *headers = evhttp_request_get_input_headers(req);
	const char *uri = evhttp_request_get_uri(req);
	const char *const line[] = { method, " ", uri, " HTTP/1.1\r\n" };
	uint32_t h = HASH_START;

	for (size_t i = 0; i < sizeof(line) / sizeof(line[0]); i++)
		h = hash_bytes(h, line[i], strlen(line[i]));
	for (const struct evkeyval *f = headers->tqh_first; f; f = f->next.tqe_next) {
		h = hash_bytes(hash_bytes(h, f->key, strlen(f->key)), ": ", 2);
		h = hash_bytes(hash_bytes(h, f->value, strlen(f->value)), "\r\n", 2);
	}
	return hash_bytes(h, "\r\n", 2);
}

static void log_request(struct pending *p, const char *end)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(p->req);
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(p->req);
	char *peer = "";
	ev_uint16_t port = 0;

	if (!p->server->log)
		return;
	if (conn)
		evhttp_connection_get_peer(conn, &peer, &port);
	fprintf(p->server->log, "{\"time_us\":%lld,\"took_us\":%lld,\"peer\":\"%s\",\"port\":%u,", p->received_us,
		now_us() - p->received_us, peer, port);
	fprintf(p->server->log, "\"method\":\"%s\",\"path\":\"", method_word(evhttp_request_get_command(p->req)));
	log_text(p->server->log, evhttp_uri_get_path(uri));
	fprintf(p->server->log, "\",\"query\":\"");
	log_text(p->server->log, evhttp_uri_get_query(uri));
	fprintf(
	    p->server->log, "\",\"head_hash\":%u,\"body_hash\":%u,\"status\":%d,\"version\":\"%s\",\"token\":%s,\"ttl\":%d,\"end\":\"%s\"}\n",
	    hash_head(p->req, method_word(evhttp_request_get_command(p->req))),
	    hash_bytes(HASH_START, p->answer.body, strlen(p->answer.body)),
	    p->action == ACTION_ANSWER ? p->answer.status : 0, p->version, p->answer.is_token ? "true" : "false",
	    p->answer.is_token ? p->server->set.hop_limit : 0, end);
	fflush(p->server->log);
}

/* Not an answer: RST, FIN or nothing at all. The connection is gone afterwards, but for `silent`. */
static void pending_abort(struct pending *p, struct evhttp_connection *conn, evutil_socket_t fd)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	log_request(p, action_words[p->action]);
	if (p->action == ACTION_SILENT)
		return; /* never answered, freed with the process: a lab ends soon */
	if (p->action == ACTION_RESET)
		(void)connect(fd, &none, sizeof(none)); /* Linux: cuts with a RST; libevent itself would send a FIN */
	evhttp_connection_free(conn);
	free(p);
}

static void pending_answer(evutil_socket_t ignored, short what, void *arg)
{
	struct pending *p = arg;
	struct evhttp_connection *conn = evhttp_request_get_connection(p->req);
	struct evkeyvalq *headers = evhttp_request_get_output_headers(p->req);
	const struct settings *set = &p->server->set;
	struct evbuffer *body;
	evutil_socket_t fd;

	(void)ignored, (void)what;
	if (!conn) { /* the client left meanwhile: this frees the request */
		log_request(p, "gone");
		evhttp_send_reply(p->req, 500, NULL, NULL);
		free(p);
		return;
	}
	fd = bufferevent_getfd(evhttp_connection_get_bufferevent(conn));
	if (p->action != ACTION_ANSWER)
		return pending_abort(p, conn, fd);

	body = evbuffer_new();
	if (!body)
		die("out of memory", "answer");
	connection_set_ttl(fd, p->answer.is_token ? set->hop_limit : 0);
	evbuffer_add(body, p->answer.body, strlen(p->answer.body));
	evhttp_add_header(headers, "Content-Type", p->answer.type);
	evhttp_add_header(headers, "Server", "EC2ws");
	if (p->answer.token_ttl[0])
		evhttp_add_header(headers, "X-Aws-Ec2-Metadata-Token-Ttl-Seconds", p->answer.token_ttl);
	if (p->answer.flavor)
		evhttp_add_header(headers, "Metadata-Flavor", "Google");
	if (set->no_length) { /* "identity" keeps libevent from adding a length; the end is the close */
		evhttp_add_header(headers, "Transfer-Encoding", "identity");
		evhttp_add_header(headers, "Connection", "close");
	}
	log_request(p, "answer");
	if (set->chunked) {
		evhttp_send_reply_start(p->req, p->answer.status, NULL);
		evhttp_send_reply_chunk(p->req, body);
		evhttp_send_reply_end(p->req);
	} else {
		evhttp_send_reply(p->req, p->answer.status, NULL, body);
	}
	evbuffer_free(body);
	free(p);
}

static void on_request(struct evhttp_request *req, void *arg)
{
	struct server *server = arg;
	const struct settings *set = &server->set;
	struct evkeyvalq *in = evhttp_request_get_input_headers(req);
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(req));
	enum evhttp_cmd_type command = evhttp_request_get_command(req);
	struct content_request question = {
		.method = command == EVHTTP_REQ_GET    ? CONTENT_GET
			  : command == EVHTTP_REQ_HEAD ? CONTENT_HEAD
			  : command == EVHTTP_REQ_PUT  ? CONTENT_PUT
						       : CONTENT_OTHER,
		.path = path ? path : "",
		.token = evhttp_find_header(in, "X-aws-ec2-metadata-token"),
		.token_ttl = evhttp_find_header(in, "X-aws-ec2-metadata-token-ttl-seconds"),
		.forwarded_for = evhttp_find_header(in, "X-Forwarded-For"),
		.flavor = evhttp_find_header(in, "Metadata-Flavor"),
		.metadata = evhttp_find_header(in, "Metadata"),
		.authorization = evhttp_find_header(in, "Authorization"),
	};
	struct pending *p = calloc(1, sizeof(*p));
	struct timeval delay;
	int ms, status;

	if (!p)
		die("out of memory", "request");
	p->server = server;
	p->req = req;
	p->received_us = now_us();
	p->version = content_version(&question);
	content_answer(&question, set->tokens_required, p->received_us / 1000, &p->answer);
	p->action = set->action;
	if (p->answer.is_token && set->token_action)
		p->action = set->token_action;
	status = p->answer.is_token && set->token_status ? set->token_status : set->status;
	if (status) {
		p->answer.status = status;
		p->answer.body = "refused by order";
		p->answer.type = "text/html";
		p->answer.token_ttl[0] = '\0';
	}
	ms = set->slow_ms + (p->answer.is_token ? set->slow_token_ms : 0);
	delay = (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	/* Aborts wait for the loop, too: libevent still holds the connection that they free. */
	if (ms || p->action != ACTION_ANSWER)
		event_base_once(server->base, -1, EV_TIMEOUT, pending_answer, p, &delay);
	else
		pending_answer(-1, 0, p);
}

static void control_obey(struct server *server, char *line)
{
	char *value = strchr(line, ' ');
	char path[PATH_MAX], temp[PATH_MAX + 8];
	FILE *done;

	if (value)
		*value++ = '\0';
	if (settings_put(&server->set, line, value ? value : "1"))
		fprintf(stderr, "imds_server: bad control line '%s %s'\n", line, value ? value : "");
	server->obeyed++;
	snprintf(path, sizeof(path), "%s.done", server->control);
	snprintf(temp, sizeof(temp), "%s.new", path);
	done = fopen(temp, "w");
	if (!done)
		return;
	fprintf(done, "%lu\n", server->obeyed);
	if (!fclose(done))
		rename(temp, path); /* a reader sees the old number or the new one, never half */
}

static void on_control(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	char c;

	(void)what;
	while (read(fd, &c, 1) == 1) {
		if (c == '\n') {
			server->line[server->line_len] = '\0';
			server->line_len = 0;
			control_obey(server, server->line);
		} else if (server->line_len < sizeof(server->line) - 1) {
			server->line[server->line_len++] = c;
		}
	}
}

/* Enough of a name server to time: the query comes back as an answer without records. */
static void on_dns(evutil_socket_t fd, short what, void *arg)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	uint8_t query[DNS_MAX];
	ssize_t n = recvfrom(fd, query, sizeof(query), 0, (struct sockaddr *)&peer, &len);

	(void)what, (void)arg;
	if (n < 12) /* shorter than a DNS header */
		return;
	query[2] |= 0x80; /* QR: an answer */
	sendto(fd, query, n, 0, (struct sockaddr *)&peer, len);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	event_base_loopbreak(arg);
}

static int bind_socket(const char *text, int type)
{
	struct sockaddr_storage addr;
	int len = sizeof(addr), one = 1, fd;

	errno = EINVAL;
	if (evutil_parse_sockaddr_port(text, (struct sockaddr *)&addr, &len))
		die("not an address", text);
	fd = socket(addr.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("cannot open socket for", text);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (addr.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, len) || (type == SOCK_STREAM && listen(fd, BACKLOG)))
		die("cannot bind", text);
	return fd;
}

static void control_open(struct server *server)
{
	int fd;

	if (!server->control)
		return;
	unlink(server->control);
	if (mkfifo(server->control, 0600))
		die("cannot make FIFO", server->control);
	fd = open(server->control, O_RDWR | O_NONBLOCK | O_CLOEXEC); /* RDWR: no end of file when a writer leaves */
	if (fd < 0)
		die("cannot open FIFO", server->control);
	server->control_event = event_new(server->base, fd, EV_READ | EV_PERSIST, on_control, server);
	event_add(server->control_event, NULL);
}

static void pidfile_write(const char *path)
{
	FILE *f = path ? fopen(path, "w") : NULL;

	if (!path)
		return;
	if (!f || fprintf(f, "%d\n", getpid()) < 0 || fclose(f))
		die("cannot write", path);
}

enum { OPT_LISTEN = 1000, OPT_DNS, OPT_LOG, OPT_PIDFILE, OPT_CONTROL, OPT_TOKENS };

static const struct option plain_options[] = {
	{ "listen", required_argument, NULL, OPT_LISTEN },   { "dns", required_argument, NULL, OPT_DNS },
	{ "log", required_argument, NULL, OPT_LOG },	     { "pidfile", required_argument, NULL, OPT_PIDFILE },
	{ "control", required_argument, NULL, OPT_CONTROL }, { "tokens", required_argument, NULL, OPT_TOKENS },
};
#define PLAIN_OPTIONS (sizeof(plain_options) / sizeof(plain_options[0]))

int main(int argc, char **argv)
{
	struct server server = { 0 };
	struct option options[PLAIN_OPTIONS + SETTINGS + 1] = { 0 };
	const char *listen_on[LISTEN_MAX], *dns = NULL, *pidfile = NULL;
	size_t listeners = 0;
	int c, fd;

	memcpy(options, plain_options, sizeof(plain_options));
	for (size_t i = 0; i < SETTINGS; i++)
		options[PLAIN_OPTIONS + i] =
		    (struct option){ settings[i].name, settings[i].flag ? no_argument : required_argument, NULL, (int)i };
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		errno = EINVAL;
		if (c == OPT_LISTEN && listeners < LISTEN_MAX)
			listen_on[listeners++] = optarg;
		else if (c == OPT_DNS)
			dns = optarg;
		else if (c == OPT_PIDFILE)
			pidfile = optarg;
		else if (c == OPT_CONTROL)
			server.control = optarg;
		else if (c == OPT_LOG && !(server.log = fopen(optarg, "a")))
			die("cannot open", optarg);
		else if (c == OPT_TOKENS && settings_put(&server.set, "tokens", optarg))
			die("optional or required, not", optarg);
		else if (c == '?' || c == OPT_LISTEN)
			return 2;
		else if (c < (int)SETTINGS && settings_put(&server.set, settings[c].name, optarg ? optarg : "1"))
			die("bad value for", settings[c].name);
	}
	if (optind < argc || !listeners) {
		fprintf(stderr, "usage: imds_server --listen ADDR:PORT... [--hop-limit N] [--tokens required] ...\n");
		return 2;
	}

	signal(SIGPIPE, SIG_IGN);
	server.base = event_base_new();
	server.http = server.base ? evhttp_new(server.base) : NULL;
	if (!server.http)
		die("cannot start", "libevent");
	evhttp_set_gencb(server.http, on_request, &server);
	evhttp_set_timeout(server.http, IDLE_TIMEOUT_S);
	evhttp_set_allowed_methods(server.http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_POST |
						    EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS);
	for (size_t i = 0; i < listeners; i++)
		if (evhttp_accept_socket(server.http, bind_socket(listen_on[i], SOCK_STREAM)))
			die("cannot listen on", listen_on[i]);
	if (dns) {
		fd = bind_socket(dns, SOCK_DGRAM);
		event_add(event_new(server.base, fd, EV_READ | EV_PERSIST, on_dns, &server), NULL);
	}
	control_open(&server);
	event_add(evsignal_new(server.base, SIGTERM, on_signal, server.base), NULL);
	event_add(evsignal_new(server.base, SIGINT, on_signal, server.base), NULL);
	pidfile_write(pidfile); /* last: who sees it may connect */
	event_base_dispatch(server.base);
	if (server.log)
		fclose(server.log);
	return 0;
}
