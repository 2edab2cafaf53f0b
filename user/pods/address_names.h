/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address -> container id, from what the network plugins of containers (CNI) leave on disk, tap device -> virtual machine: for packets that no socket
 * of this kernel belongs to.
 */
#ifndef IMDSNOOP_ADDRESS_NAMES_H
#define IMDSNOOP_ADDRESS_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#define ADDRESS_ID_LEN 128
#define ADDRESS_IDS_MAX 8

/*
 * root_fd: the node's "/"; address: as text, an IPv6 one in its canonical form (RFC 5952). Reads some hundred small files
 * at most. Gives the ids of the containers that have it, each once, and their number: those of ended containers may still
 * be there, and networks may have a subnet in common.
 */
size_t address_names_find(int root_fd, const char *address, char ret_ids[ADDRESS_IDS_MAX][ADDRESS_ID_LEN]);

/* The virtual machine (libvirt's) that has the tap device, of at most len bytes with its NUL; false: none is known. */
bool address_names_machine(int root_fd, const char *device, char *ret_name, size_t len);

#endif
