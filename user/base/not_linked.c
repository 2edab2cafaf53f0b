/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What libevent and SQLite could call and never do here, in the place of glibc's: its own would bring the name service into a
 * static program, which then needs the shared libraries of the very glibc that it was linked with. Sockets are bound to
 * numeric addresses and handed to libevent; SQLite loads no extension. The Makefile gives the linker the same names.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stddef.h>

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_found);
void __wrap_freeaddrinfo(struct addrinfo *found);
struct servent *__wrap_getservbyname(const char *name, const char *protocol);
struct protoent *__wrap_getprotobynumber(int number);
void *__wrap_dlopen(const char *path, int flags);

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_found)
{
	return EAI_FAIL;
}

void __wrap_freeaddrinfo(struct addrinfo *found)
{
}

struct servent *__wrap_getservbyname(const char *name, const char *protocol)
{
	return NULL;
}

struct protoent *__wrap_getprotobynumber(int number)
{
	return NULL;
}

void *__wrap_dlopen(const char *path, int flags)
{
	return NULL;
}
