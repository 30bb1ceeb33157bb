/* levels_btree.h: for comparison, price levels in a B+-tree of 32 keys a node, one tree a side. It
 * takes the place of shm/book_levels.h in a build of the book. Nodes are freed when empty, not
 * merged. */
#ifndef EIDOS_SHM_BOOK_LEVELS_H
#define EIDOS_SHM_BOOK_LEVELS_H

#include "shm/book_cells.h"
#include "tests/bench/book/levels_no_hints.h"

#include <string.h>

#define BTREE_KEYS  32U
#define BTREE_NODES (1U << 18)
#define BTREE_DEPTH 16U

struct book_node { /* the plan of the memory asks for its size */
    u64 unused;
};

struct btree_node {
    u64 key[BTREE_KEYS]; /* ascending; of an inner node the least key below each child */
    u32 ref[BTREE_KEYS]; /* levels, or nodes */
    u32 n, leaf;
    u32 prev, next; /* leaves in order; next: of a free node, the next free one */
};

static struct btree_node btree[BTREE_NODES]; /* [0] is none */
static u32 btree_root[2], btree_free, btree_fresh;

#define LEVELS_RESET() (btree_root[0] = btree_root[1] = btree_free = 0, btree_fresh = 1)

static inline u32 btree_get(void)
{
    u32 node = btree_free;
    if (node) {
        btree_free = btree[node].next;
    } else {
        CHECK(btree_fresh < BTREE_NODES);
        node = btree_fresh++;
    }
    return node;
}

/* How many keys are not above `key`, without branches. */
static inline u32 btree_rank(const struct btree_node *n, u64 key)
{
    u32 rank = 0;
    for (u32 i = 0; i < n->n; i++) rank += n->key[i] <= key;
    return rank;
}

/* From the root to the leaf where `key` belongs; path[d] and at[d] say which child was taken. */
static inline u32 btree_walk(u32 half, u64 key, u32 *path, u32 *at)
{
    u32 depth = 0, node = btree_root[half];
    for (; node; node = btree[node].ref[at[depth++]]) {
        u32 rank = btree_rank(&btree[node], key);
        path[depth] = node;
        at[depth] = rank ? rank - 1 : 0;
        if (btree[node].leaf) break;
    }
    return depth;
}

static inline void btree_put(struct btree_node *n, u32 at, u64 key, u32 ref)
{
    memmove(&n->key[at + 1], &n->key[at], (n->n - at) * sizeof(n->key[0]));
    memmove(&n->ref[at + 1], &n->ref[at], (n->n - at) * sizeof(n->ref[0]));
    n->key[at] = key;
    n->ref[at] = ref;
    n->n++;
}

/* Split a full node in two; returns the upper one. */
static inline u32 btree_split(struct books *b, u32 node)
{
    u32 other = btree_get();
    struct btree_node *n = &btree[node], *o = &btree[other];
    u32 keep = n->n / 2;
    *o = (struct btree_node){.n = n->n - keep, .leaf = n->leaf, .prev = node, .next = n->next};
    memcpy(o->key, &n->key[keep], o->n * sizeof(o->key[0]));
    memcpy(o->ref, &n->ref[keep], o->n * sizeof(o->ref[0]));
    n->n = keep;
    if (!n->leaf) return other;
    if (n->next) btree[n->next].prev = other;
    n->next = other;
    for (u32 i = 0; i < o->n; i++) book_queue(b, o->ref[i])->parent = other;
    return other;
}

static inline void btree_insert(struct books *b, u32 half, u64 key, u32 level)
{
    u32 path[BTREE_DEPTH], at[BTREE_DEPTH], ref = level;
    if (!btree_root[half]) {
        btree_root[half] = btree_get();
        btree[btree_root[half]] = (struct btree_node){.leaf = 1};
    }
    u32 depth = btree_walk(half, key, path, at);
    for (u32 d = 0; d < depth; d++) {
        btree[path[d]].key[0] = min_u64(btree[path[d]].key[0], key);
    }
    for (u32 d = depth + 1; d-- > 0;) {
        u32 node = path[d];
        u64 put_key = key;
        u32 put_ref = ref, upper = 0;
        if (btree[node].n == BTREE_KEYS) {
            upper = btree_split(b, node);
            if (put_key >= btree[upper].key[0]) node = upper;
        }
        btree_put(&btree[node], btree_rank(&btree[node], put_key), put_key, put_ref);
        if (put_ref == level && btree[node].leaf) book_queue(b, level)->parent = node;
        if (!upper) return;
        key = btree[upper].key[0];
        ref = upper;
    }
    u32 root = btree_get(), old = btree_root[half];
    btree[root] = (struct btree_node){.n = 2, .ref = {old, ref}, .key = {btree[old].key[0], key}};
    btree_root[half] = root;
}

static inline void btree_erase(u32 half, u64 key)
{
    u32 path[BTREE_DEPTH], at[BTREE_DEPTH], d = btree_walk(half, key, path, at);
    for (;; d--) {
        struct btree_node *n = &btree[path[d]];
        n->n--;
        memmove(&n->key[at[d]], &n->key[at[d] + 1], (n->n - at[d]) * sizeof(n->key[0]));
        memmove(&n->ref[at[d]], &n->ref[at[d] + 1], (n->n - at[d]) * sizeof(n->ref[0]));
        if (n->n) break;
        if (n->leaf && n->prev) btree[n->prev].next = n->next;
        if (n->leaf && n->next) btree[n->next].prev = n->prev;
        n->next = btree_free;
        btree_free = path[d];
        if (d == 0) {
            btree_root[half] = 0;
            return;
        }
    }
    for (u32 root; !btree[root = btree_root[half]].leaf && btree[root].n == 1;) {
        btree_root[half] = btree[root].ref[0];
        btree[root].next = btree_free;
        btree_free = root;
    }
}

/* The best queue is kept in the half. */
static inline u32 book_half_best(const struct books *b, const struct book_half *h)
{
    (void)b;
    return h->best;
}

static inline bool book_reaches(const struct books *b, const struct book_half *h, u64 key)
{
    u32 queue = book_half_best(b, h);
    return queue && book_queue(b, queue)->key <= key;
}

static inline u32 book_level_find(const struct books *b, u32 half, u64 key)
{
    u32 path[BTREE_DEPTH], at[BTREE_DEPTH], d;
    (void)b;
    if (!btree_root[half]) return 0;
    d = btree_walk(half, key, path, at);
    const struct btree_node *n = &btree[path[d]];
    return n->key[at[d]] == key ? n->ref[at[d]] : 0;
}

/* Hints are by key here: a queue that had it. */
static inline u32 book_queue_near(const struct books *b, u32 half, u64 key)
{
    u32 queue = book_hint(b, half, (u32)key)->queue;
    const struct book_queue *q = book_queue(b, queue);
    return q->key == key && q->half == half ? queue : 0;
}

static inline u32 book_queue_get(struct books *b, u32 half, u64 key)
{
    struct book_half *h = book_half(b, half);
    u32 *hint = &book_hint(b, half, (u32)key)->queue, best = book_half_best(b, h);
    u32 queue = book_queue_near(b, half, key);
    if (queue) return queue;
    queue = book_level_find(b, half, key);
    if (queue) return *hint = queue;
    queue = book_pool_get(b, &b->queues, sizeof(struct book_queue));
    if (!queue) return 0;
    *book_queue(b, queue) = (struct book_queue){.ring = {queue, queue}, .key = key, .half = half};
    btree_insert(b, half, key, queue);
    if (!best || key < book_queue(b, best)->key) h->best = queue;
    return *hint = queue;
}

static inline u32 book_level_next(const struct books *b, u32 queue)
{
    const struct book_queue *q = book_queue(b, queue);
    const struct btree_node *n = &btree[q->parent];
    u32 rank = btree_rank(n, q->key);
    if (rank < n->n) return n->ref[rank];
    return n->next ? btree[n->next].ref[0] : 0;
}

static inline void book_queue_drop(struct books *b, u32 queue)
{
    struct book_queue *q = book_queue(b, queue);
    struct book_half *h = book_half(b, q->half);
    if (h->best == queue) h->best = book_level_next(b, queue);
    btree_erase(q->half, q->key);
    q->half = UINT32_MAX;
    book_pool_put(b, &b->queues, queue);
}

#endif
