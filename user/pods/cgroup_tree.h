/* SPDX-License-Identifier: GPL-2.0-only */
/* The cgroup v2 tree as a table id -> path. A cgroup folder's inode is its id (bpf_skb_cgroup_id, kernel 4.18). */
#ifndef IMDSNOOP_CGROUP_TREE_H
#define IMDSNOOP_CGROUP_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/hash.h"

/* Longest path kept, the same as in a cgroup_mkdir record; of a longer one the tail is kept. */
#define CGROUP_PATH_MAX 511

struct cgroup_node {
	uint64_t id;
	uint64_t gone_ns;      /* when it was last known to exist; 0 while it does */
	char *note;	       /* the owner's, freed with the node by free(3) */
	uint32_t note_version; /* the owner's, 0 at first */
	uint32_t scan : 28;    /* the newest scan that met it */
	uint32_t cut : 1;      /* only the tail of its path is known: what is around it is not */
	uint32_t forged : 1;   /* the owner's, 0 at first */
	uint32_t counted : 1;  /* the owner's, 0 at first */
	struct cgroup_maker *maker;
	struct cgroup_node *prev, *next; /* of its maker's, by use */
	UT_hash_handle hh;
	char path[]; /* from the mount's root, without a leading '/'; "/" for the root */
};

struct cgroup_tree;

/* Who made a cgroup, as a number; 0: nobody who could make many. */
typedef uint64_t (*cgroup_maker_fn)(const char *path, bool cut);

/*
 * Reads the tree below cgroup_fd, which stays the caller's. Holds at most limit nodes, an eighth of them of one maker, whose
 * own least recently used one gives way then; without maker_of there are none. Cgroups that cannot be read are left out.
 * Returns 0 or a negative errno.
 */
int cgroup_tree_new(int cgroup_fd, size_t limit, cgroup_maker_fn maker_of, struct cgroup_tree **ret_tree);
void cgroup_tree_free(struct cgroup_tree *tree);

/* Reads the tree again; wanted (0: none) gets room even in a full table. What is not there any more becomes gone. */
void cgroup_tree_scan(struct cgroup_tree *tree, uint64_t wanted, uint64_t now_ns);

/* NULL: no memory. The node of an id that is known already is renewed. cut: path may be the tail of a longer one. */
struct cgroup_node *cgroup_tree_add(struct cgroup_tree *tree, uint64_t id, const char *path, size_t len, bool cut);

/* A node for what has no folder of its own (a process, an id that was not found). It expires as gone ones do. */
struct cgroup_node *cgroup_tree_add_gone(struct cgroup_tree *tree, uint64_t id, const char *path, size_t len,
					 uint64_t now_ns);

/* The cgroup is gone; its node stays until it expires or its room is needed. NULL: not known. */
struct cgroup_node *cgroup_tree_remove(struct cgroup_tree *tree, uint64_t id, uint64_t now_ns);

/* Finds a node and makes it the most recently used one. */
struct cgroup_node *cgroup_tree_find(struct cgroup_tree *tree, uint64_t id);

/* An existing one, without making it any newer: the order in which the nodes are linked stays. */
struct cgroup_node *cgroup_tree_peek(const struct cgroup_tree *tree, uint64_t id);

int cgroup_tree_is_alive(const struct cgroup_tree *tree, uint64_t id);

/* Whose a cgroup was that gave way, or that a scan did not take; 0: not known, or nobody's. Of as many as the limit. */
uint64_t cgroup_tree_forgotten_maker(const struct cgroup_tree *tree, uint64_t id);

/* Whether anything of that maker is known, existing or gone. */
bool cgroup_tree_has_maker(const struct cgroup_tree *tree, uint64_t number);

/* True when the folder at path (as in a node) exists and has that id. */
int cgroup_tree_has(const struct cgroup_tree *tree, uint64_t id, const char *path);

/* Existing cgroups, linked by hh.next. */
struct cgroup_node *cgroup_tree_first(const struct cgroup_tree *tree);

void cgroup_tree_expire(struct cgroup_tree *tree, uint64_t now_ns, uint64_t keep_ns);

uint64_t cgroup_tree_root_id(const struct cgroup_tree *tree);
size_t cgroup_tree_count(const struct cgroup_tree *tree);
size_t cgroup_tree_limit(const struct cgroup_tree *tree);

/* Nodes thrown out, or not taken by a scan, because the table was full. */
uint64_t cgroup_tree_evicted(const struct cgroup_tree *tree);

/* The same, because the maker had its share. */
uint64_t cgroup_tree_beyond_share(const struct cgroup_tree *tree);

/* A node of the maker who had most of these; NULL: none is there any more. */
struct cgroup_node *cgroup_tree_most_beyond(const struct cgroup_tree *tree);

/* Folders that a scan had no right to read, counted anew at each scan. */
uint64_t cgroup_tree_unreadable(const struct cgroup_tree *tree);

#endif
