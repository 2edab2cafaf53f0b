/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small NFA over bytes and its compilation into the least DFA that does the same. A node's attr is what is done on
 * entering it; a DFA state does what all of its nodes do. There are no empty moves: where two things can follow, two
 * edges are drawn.
 */
#ifndef IMDSNOOP_NFA_H
#define IMDSNOOP_NFA_H

#include <stdbool.h>
#include <stdint.h>

#define NFA_MAX_NODES 768
#define NFA_MAX_EDGES 2048
#define DFA_MAX_STATES 1024 /* before states that do the same are merged */
#define DFA_MAX_CLASSES 128

struct nfa;

struct nfa_set { /* of bytes */
	uint64_t bits[4];
};

struct nfa_set nfa_bytes(const char *chars);	 /* any of chars */
struct nfa_set nfa_bytes_not(const char *chars); /* any other, NUL included */

/* NULL: no memory. Overflow of nodes or edges is remembered and reported by nfa_compile(). */
struct nfa *nfa_new(void);
void nfa_free(struct nfa *n);
int nfa_node(struct nfa *n, uint64_t attr);
/* A node without a way out, for its attr alone; the same attr gives the same node. */
int nfa_mark(struct nfa *n, uint64_t attr);
void nfa_edge(struct nfa *n, int from, struct nfa_set set, int to);
/* A chain of nodes that reads text, ASCII letters in any case with fold; each does attr. Returns its last node. */
int nfa_text(struct nfa *n, int from, const char *text, bool fold, uint64_t attr);

struct dfa {
	unsigned int states, classes;
	uint8_t class_of[256];
	uint64_t attr[DFA_MAX_STATES];
	uint16_t next[DFA_MAX_STATES][DFA_MAX_CLASSES]; /* [state][class] */
};

/*
 * roots[i] becomes state i + 1; state 0 is the one where nothing can match any more. combine folds the attr of one more
 * node into that of a state. Returns 0, -ENOMEM, or -E2BIG when a bound above was met. Two roots must not do the same.
 */
int nfa_compile(const struct nfa *n, const int *roots, unsigned int roots_len,
		uint64_t (*combine)(uint64_t state, uint64_t node), struct dfa *ret_dfa);

#endif
