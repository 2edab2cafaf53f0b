/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address -> container id, from what the network plugins of containers (CNI) leave on disk: for packets that no socket
 * of this kernel belongs to.
 */
#ifndef IMDSNOOP_ADDRESS_NAMES_H
#define IMDSNOOP_ADDRESS_NAMES_H

#include <stddef.h>

#define ADDRESS_ID_LEN 128
#define ADDRESS_IDS_MAX 8

/*
 * root_fd: the node's "/"; address: as text, an IPv6 one in its canonical form (RFC 5952). Reads some hundred small files
 * at most. Gives the ids of the containers that have it, each once, and their number: those of ended containers may still
 * be there, and networks may have a subnet in common.
 */
size_t address_names_find(int root_fd, const char *address, char ret_ids[ADDRESS_IDS_MAX][ADDRESS_ID_LEN]);

#endif
