/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nfa.h"

#define NONE (-1)
#define SUBSET_WORDS (NFA_MAX_NODES / 64)
#define HASH_SLOTS (DFA_MAX_STATES * 2)

struct node {
	uint64_t attr;
	int first_edge;
	bool is_mark;
};

struct edge {
	struct nfa_set set;
	int to, next;
};

struct nfa {
	int nodes_len, edges_len;
	bool overflow;
	struct node nodes[NFA_MAX_NODES];
	struct edge edges[NFA_MAX_EDGES];
};

struct nfa_set nfa_bytes(const char *chars)
{
	struct nfa_set set = { { 0 } };

	for (; *chars; chars++)
		set.bits[(uint8_t)*chars / 64] |= 1ull << (uint8_t)*chars % 64;
	return set;
}

struct nfa_set nfa_bytes_not(const char *chars)
{
	struct nfa_set set = nfa_bytes(chars);

	for (int i = 0; i < 4; i++)
		set.bits[i] = ~set.bits[i];
	return set;
}

static bool set_has(const struct nfa_set *set, uint8_t byte)
{
	return set->bits[byte / 64] >> byte % 64 & 1;
}

struct nfa *nfa_new(void)
{
	return calloc(1, sizeof(struct nfa));
}

void nfa_free(struct nfa *n)
{
	free(n);
}

int nfa_node(struct nfa *n, uint64_t attr)
{
	if (n->nodes_len == NFA_MAX_NODES) {
		n->overflow = true;
		return 0;
	}
	n->nodes[n->nodes_len] = (struct node){ .attr = attr, .first_edge = NONE };
	return n->nodes_len++;
}

int nfa_mark(struct nfa *n, uint64_t attr)
{
	int node;

	for (int i = 0; i < n->nodes_len; i++)
		if (n->nodes[i].is_mark && n->nodes[i].attr == attr)
			return i;
	node = nfa_node(n, attr);
	n->nodes[node].is_mark = true;
	return node;
}

void nfa_edge(struct nfa *n, int from, struct nfa_set set, int to)
{
	if (n->edges_len == NFA_MAX_EDGES) {
		n->overflow = true;
		return;
	}
	n->edges[n->edges_len] = (struct edge){ .set = set, .to = to, .next = n->nodes[from].first_edge };
	n->nodes[from].first_edge = n->edges_len++;
}

int nfa_text(struct nfa *n, int from, const char *text, bool fold, uint64_t attr)
{
	for (; *text; text++) {
		bool letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
		char chars[3] = { *text, fold && letter ? *text ^ 0x20 : 0, 0 };
		int node = nfa_node(n, attr);

		nfa_edge(n, from, nfa_bytes(chars), node);
		from = node;
	}
	return from;
}

/* Bytes that no edge tells apart share a class. Returns 0 or -E2BIG. */
static int find_classes(const struct nfa *n, struct dfa *d, uint8_t *rep)
{
	unsigned int renamed[256][2];

	memset(d->class_of, 0, sizeof(d->class_of));
	d->classes = 1;
	for (int e = 0; e < n->edges_len; e++) {
		unsigned int classes = 0;

		memset(renamed, 0xff, sizeof(renamed));
		for (int b = 0; b < 256; b++) {
			unsigned int *to = &renamed[d->class_of[b]][set_has(&n->edges[e].set, b)];

			if (*to == ~0u)
				*to = classes++;
			d->class_of[b] = *to;
		}
		d->classes = classes;
	}
	for (int b = 255; b >= 0; b--)
		rep[d->class_of[b]] = b;
	return d->classes > DFA_MAX_CLASSES ? -E2BIG : 0;
}

struct builder {
	uint64_t subset[DFA_MAX_STATES][SUBSET_WORDS];
	uint16_t slots[HASH_SLOTS]; /* state + 1, 0: free */
	/* for merging */
	uint16_t block[DFA_MAX_STATES], block_rep[DFA_MAX_STATES];
	uint64_t sign[DFA_MAX_STATES], key[DFA_MAX_CLASSES];
};

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

static void subset_add(uint64_t *subset, uint64_t *hash, int node)
{
	uint64_t bit = 1ull << node % 64;

	if (subset[node / 64] & bit)
		return;
	subset[node / 64] |= bit;
	*hash += mix(0, node + 1); /* a sum: the order of nodes must not matter */
}

/* The state of a subset, a new one when it was not met before; -E2BIG. */
static int subset_state(struct builder *b, struct dfa *d, const uint64_t *subset, uint64_t hash)
{
	size_t slot;

	for (slot = hash % HASH_SLOTS; b->slots[slot]; slot = (slot + 1) % HASH_SLOTS)
		if (!memcmp(b->subset[b->slots[slot] - 1], subset, sizeof(b->subset[0])))
			return b->slots[slot] - 1;
	if (d->states == DFA_MAX_STATES)
		return -E2BIG;
	memcpy(b->subset[d->states], subset, sizeof(b->subset[0]));
	b->slots[slot] = d->states + 1;
	return d->states++;
}

static int build_states(const struct nfa *n, const int *roots, unsigned int roots_len,
			uint64_t (*combine)(uint64_t, uint64_t), const uint8_t *rep, struct builder *b, struct dfa *d)
{
	uint64_t subset[SUBSET_WORDS] = { 0 }, hash = 0;
	int to;

	subset_state(b, d, subset, hash);
	for (unsigned int i = 0; i < roots_len; i++) {
		memset(subset, 0, sizeof(subset));
		hash = 0;
		subset_add(subset, &hash, roots[i]);
		if (subset_state(b, d, subset, hash) != (int)i + 1)
			return -EINVAL;
	}
	for (unsigned int s = 0; s < d->states; s++) {
		int members[NFA_MAX_NODES], members_len = 0;

		d->attr[s] = 0;
		for (int node = 0; node < n->nodes_len; node++) {
			if (!b->subset[s][node / 64]) {
				node |= 63;
			} else if (b->subset[s][node / 64] >> node % 64 & 1) {
				members[members_len++] = node;
				d->attr[s] = combine(d->attr[s], n->nodes[node].attr);
			}
		}
		for (unsigned int c = 0; c < d->classes; c++) {
			memset(subset, 0, sizeof(subset));
			hash = 0;
			for (int m = 0; m < members_len; m++)
				for (int e = n->nodes[members[m]].first_edge; e != NONE; e = n->edges[e].next)
					if (set_has(&n->edges[e].set, rep[c]))
						subset_add(subset, &hash, n->edges[e].to);
			to = subset_state(b, d, subset, hash);
			if (to < 0)
				return to;
			d->next[s][c] = to;
		}
	}
	return 0;
}

/* Splits blocks of states by where they lead until nothing moves (Moore). Blocks are numbered by their first states. */
static unsigned int split_blocks(struct builder *b, const struct dfa *d)
{
	unsigned int blocks = 0, before;

	for (unsigned int c = 0; c < d->classes; c++)
		b->key[c] = mix(3, c) | 1;
	for (unsigned int s = 0; s < d->states; s++)
		b->sign[s] = mix(1, d->attr[s]);
	do {
		before = blocks;
		blocks = 0;
		memset(b->slots, 0, sizeof(b->slots));
		for (unsigned int s = 0; s < d->states; s++) {
			size_t slot = b->sign[s] % HASH_SLOTS;

			while (b->slots[slot] && b->sign[b->block_rep[b->slots[slot] - 1]] != b->sign[s])
				slot = (slot + 1) % HASH_SLOTS;
			if (!b->slots[slot]) {
				b->block_rep[blocks] = s;
				b->slots[slot] = ++blocks;
			}
			b->block[s] = b->slots[slot] - 1;
		}
		for (unsigned int s = 0; s < d->states; s++) {
			uint64_t sum = 0; /* not a chain of hashes: this is the hot loop */

			for (unsigned int c = 0; c < d->classes; c++)
				sum += (b->block[d->next[s][c]] + 1) * b->key[c];
			b->sign[s] = mix(mix(2, b->block[s]), sum);
		}
	} while (blocks != before);
	return blocks;
}

static void merge_states(struct builder *b, struct dfa *d)
{
	unsigned int blocks = split_blocks(b, d);

	for (unsigned int k = 0; k < blocks; k++) { /* block_rep[k] >= k: rows move down only */
		unsigned int s = b->block_rep[k];

		d->attr[k] = d->attr[s];
		for (unsigned int c = 0; c < d->classes; c++)
			d->next[k][c] = b->block[d->next[s][c]];
	}
	d->states = blocks;
}

/* Classes that no state tells apart any more. */
static void merge_classes(struct dfa *d)
{
	uint8_t renamed[DFA_MAX_CLASSES] = { 0 };
	unsigned int classes = 0, other;

	for (unsigned int c = 0; c < d->classes; c++) {
		for (other = 0; other < classes; other++) {
			unsigned int s = 0;

			while (s < d->states && d->next[s][other] == d->next[s][c])
				s++;
			if (s == d->states)
				break;
		}
		if (other == classes) {
			for (unsigned int s = 0; s < d->states; s++)
				d->next[s][classes] = d->next[s][c];
			classes++;
		}
		renamed[c] = other;
	}
	d->classes = classes;
	for (int byte = 0; byte < 256; byte++)
		d->class_of[byte] = renamed[d->class_of[byte]];
}

int nfa_compile(const struct nfa *n, const int *roots, unsigned int roots_len,
		uint64_t (*combine)(uint64_t state, uint64_t node), struct dfa *ret_dfa)
{
	struct builder *b;
	uint8_t rep[256] = { 0 };
	int err;

	ret_dfa->states = ret_dfa->classes = 0;
	if (n->overflow)
		return -E2BIG;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	err = find_classes(n, ret_dfa, rep);
	if (!err)
		err = build_states(n, roots, roots_len, combine, rep, b, ret_dfa);
	if (!err) {
		merge_states(b, ret_dfa);
		merge_classes(ret_dfa);
	}
	free(b);
	return err;
}
