/* book_levels.h: the price levels of a half, found by price and walked in order (internal).
 *
 *   key 0x1234:   node shift 8 (keys 0x1000..0x1fff)  --digit 2-->  node shift 4 (0x1200..0x12ff)
 *                                                     --digit 3-->  node shift 0 --digit 4--> level
 *
 * A trie of 16-way nodes, each with a bitmap of its children, with the runs of single children left
 * out: a node has two children or more, so n levels need fewer than n nodes, whatever the prices.
 * In front of it stands a table of hints, by the low bits of the key: a price in use is found with
 * two loads. The trie is walked only when a level appears, disappears, or is the best no more.
 *
 * Chosen by measuring, beside a B+-tree (a third slower where levels come and go), wider nodes (no
 * faster in the flows, thrice the memory) and a direct ladder under bitmaps (up to a fifth faster,
 * but for a fixed domain): figures in tests/bench/book/README.md.
 */
#ifndef EIDOS_SHM_BOOK_LEVELS_H
#define EIDOS_SHM_BOOK_LEVELS_H

#include "shm/book_cells.h"

#ifndef BOOK_TRIE_BITS
#define BOOK_TRIE_BITS 4U
#endif
#define BOOK_TRIE_WAYS (1U << BOOK_TRIE_BITS)
#define BOOK_NODE      (1U << 31) /* a child reference is a level's cell, or a node with this bit */

struct book_node {
    u64 key; /* of any level below; its bits from shift + BOOK_TRIE_BITS up are the prefix */
    u64 bits;
    u32 parent; /* node, 0 = this is the root */
    u32 shift;
    u32 child[BOOK_TRIE_WAYS];
};

static inline struct book_node *book_node(const struct books *b, u32 node)
{
    return (struct book_node *)ptr_at(b, b->nodes_off) + (node & ~BOOK_NODE);
}

static inline u32 book_digit(u64 key, u32 shift)
{
    return (u32)(key >> shift) & (BOOK_TRIE_WAYS - 1);
}

static inline u32 book_node_get(struct books *b)
{
    u32 node = b->nodes.top;
    if (node) {
        b->nodes.top = book_node(b, node)->child[0];
    } else {
        node = b->nodes.fresh++; /* there are as many nodes as levels: never exhausted */
    }
    return node;
}

static inline void book_node_put(struct books *b, u32 node)
{
    book_node(b, node)->child[0] = b->nodes.top;
    b->nodes.top = node;
}

/* Make `ref` the child of `parent` (0: the root of the half) where `key` belongs. */
static inline void book_trie_set(struct books *b, struct book_half *h, u32 parent, u64 key, u32 ref)
{
    if (parent) {
        struct book_node *p = book_node(b, parent);
        u32 digit = book_digit(key, p->shift);
        p->child[digit] = ref;
        p->bits |= 1UL << digit;
    } else {
        h->root = ref;
    }
    if (ref & BOOK_NODE) {
        book_node(b, ref)->parent = parent;
    } else {
        book_cell(b, ref)->parent = parent;
    }
}

/* First reference on the way to `key` that is no node, or whose prefix is another, or 0 if the way
 * ends at a node without such a child; *parent is the node above it. */
static inline u32 book_trie_walk(const struct books *b, const struct book_half *h, u64 key,
                                 u32 *parent)
{
    u32 ref = h->root;
    *parent = 0;
    while (ref & BOOK_NODE) {
        const struct book_node *n = book_node(b, ref);
        if ((key ^ n->key) >> n->shift >> BOOK_TRIE_BITS) break;
        u32 digit = book_digit(key, n->shift);
        *parent = ref & ~BOOK_NODE;
        if (!(n->bits >> digit & 1)) return 0;
        ref = n->child[digit];
    }
    return ref;
}

static inline u64 book_ref_key(const struct books *b, u32 ref)
{
    return ref & BOOK_NODE ? book_node(b, ref)->key : book_cell(b, ref)->key;
}

/* Put a new level in at the place the walk found, with a new node where two ways part. */
static inline void book_trie_put(struct books *b, struct book_half *h, u32 level, u32 ref,
                                 u32 parent)
{
    u64 key = book_cell(b, level)->key;
    if (ref) {
        u64 other = book_ref_key(b, ref);
        u32 node = book_node_get(b);
        struct book_node *n = book_node(b, node);
        n->key = key;
        n->bits = 0;
        n->shift = (63U - (u32)__builtin_clzl(key ^ other)) / BOOK_TRIE_BITS * BOOK_TRIE_BITS;
        book_trie_set(b, h, parent, key, node | BOOK_NODE);
        book_trie_set(b, h, node, other, ref);
        parent = node;
    }
    book_trie_set(b, h, parent, key, level);
}

/* The next worse level, or 0. */
static inline u32 book_level_next(const struct books *b, u32 level)
{
    u64 key = book_cell(b, level)->key;
    for (u32 node = book_cell(b, level)->parent; node; node = book_node(b, node)->parent) {
        const struct book_node *n = book_node(b, node);
        u64 later = n->bits & (~1UL << book_digit(key, n->shift));
        if (!later) continue;
        u32 ref = n->child[__builtin_ctzl(later)];
        while (ref & BOOK_NODE) {
            n = book_node(b, ref);
            ref = n->child[__builtin_ctzl(n->bits)];
        }
        return ref;
    }
    return 0;
}

/* The two levels after this one as far as its own node tells, for hints; 0 = not known. */
static inline void book_level_ahead(const struct books *b, u32 level, u32 ahead[2])
{
    const struct book_cell *l = book_cell(b, level);
    ahead[0] = ahead[1] = 0;
    if (!l->parent) return;
    const struct book_node *n = book_node(b, l->parent);
    u64 later = n->bits & (~1UL << book_digit(l->key, n->shift));
    for (u32 i = 0; i < 2 && later; i++, later &= later - 1) {
        u32 ref = n->child[__builtin_ctzl(later)];
        if (!(ref & BOOK_NODE)) ahead[i] = ref;
    }
}

static inline void book_best_is(const struct books *b, struct book_half *h, u32 level)
{
    h->best = level;
    h->best_key = level ? book_cell(b, level)->key : UINT64_MAX;
}

static inline bool book_level_is(const struct books *b, u32 level, u32 half, u64 key)
{
    return book_cell(b, level)->key == key && book_cell(b, level)->half == half;
}

/* The level of a key, or 0. */
static inline u32 book_level_find(const struct books *b, u32 half, u64 key)
{
    const struct book_half *h = book_half(b, half);
    u32 level = h->hint[key & (BOOK_HINTS - 1)], parent;
    if (LIKELY(book_level_is(b, level, half, key))) return level;
    level = book_trie_walk(b, h, key, &parent);
    return level && !(level & BOOK_NODE) && book_cell(b, level)->key == key ? level : 0;
}

/* The level of a key, made if there is none; 0 if the levels are used up. */
static inline u32 book_level_get(struct books *b, u32 half, u64 key)
{
    struct book_half *h = book_half(b, half);
    u32 *hint = &h->hint[key & (BOOK_HINTS - 1)], level = *hint, parent;
    if (LIKELY(book_level_is(b, level, half, key))) return level;
    u32 ref = book_trie_walk(b, h, key, &parent);
    if (ref && !(ref & BOOK_NODE) && book_cell(b, ref)->key == key) return *hint = ref;
    level = book_pool_get(b, &b->levels);
    if (UNLIKELY(!level)) return 0;
    struct book_cell *l = book_cell(b, level);
    *l = (struct book_cell){.prev = level, .next = level, .key = key, .half = half};
    book_trie_put(b, h, level, ref, parent);
    h->levels++;
    if (key < h->best_key) book_best_is(b, h, level);
    return *hint = level;
}

/* Remove a level whose last order has left. A node left with one child gives it to its parent. */
static inline void book_level_drop(struct books *b, u32 level)
{
    struct book_cell *l = book_cell(b, level);
    struct book_half *h = book_half(b, l->half);
    if (h->best == level) book_best_is(b, h, book_level_next(b, level));
    h->levels--;
    if (l->parent) {
        struct book_node *n = book_node(b, l->parent);
        n->bits &= ~(1UL << book_digit(l->key, n->shift));
        if (!(n->bits & (n->bits - 1))) {
            u32 other = n->child[__builtin_ctzl(n->bits)];
            book_trie_set(b, h, n->parent, n->key, other);
            book_node_put(b, l->parent);
        }
    } else {
        h->root = 0;
    }
    l->half = BOOK_HALF_NONE;
    book_pool_put(b, &b->levels, level);
}

#endif
