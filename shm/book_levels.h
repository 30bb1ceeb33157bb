/* book_levels.h: the price levels of a half, found by price and walked in order (internal).
 *
 *   key 0x12345:  node shift 12 --0x12--> node shift 6 --0x0d--> leaf (shift 0) --0x05--> queue
 *
 * A trie of 64-way nodes, each with a bitmap of the children that have orders below. Runs of single
 * children are left out: an inner node has two children or more, so n leaves need fewer than n
 * inner nodes, whatever the prices. A node refers to its children in groups of 8, which it has only
 * where there are any: 64 bytes and 32 for each group, so that a book of scattered prices stays
 * small.
 *
 * Most orders come to an empty price and leave it empty. So a leaf that lost its last order stays
 * in the trie, asleep, until 4096 others did so after it: levels come and go by one bit in the leaf
 * and one in the node above. In front of the trie stands a table of hints, by the low bits of the
 * prefix: a leaf is found with two loads. There is no cached best level: the lowest bit of the best
 * leaf is it.
 */
#ifndef EIDOS_SHM_BOOK_LEVELS_H
#define EIDOS_SHM_BOOK_LEVELS_H

#include "shm/book_cells.h"

#define BOOK_NODE_BITS  6U
#define BOOK_NODE_WAYS  (1U << BOOK_NODE_BITS)
#define BOOK_GROUP_WAYS 8U

static inline struct book_group *book_group(const struct books *b, u32 group)
{
    return book_ref(b, group);
}

static inline u32 book_digit(u64 key, u32 shift)
{
    return (u32)(key >> shift) & (BOOK_NODE_WAYS - 1);
}

/* A key's bits above the digit, in two steps as the shift may be 60. */
static inline u64 book_prefix(u64 key, u32 shift)
{
    return key >> shift >> BOOK_NODE_BITS;
}

/* The smallest key below a node. */
static inline u64 book_node_key(const struct book_node *n)
{
    return n->prefix << BOOK_NODE_BITS << n->shift;
}

static inline u32 book_child(const struct books *b, const struct book_node *n, u32 digit)
{
    return book_group(b, n->group[digit / BOOK_GROUP_WAYS])->child[digit % BOOK_GROUP_WAYS];
}

/* Bits of the digits that share a group with this one. */
static inline u64 book_group_mask(u32 digit)
{
    return ((1UL << BOOK_GROUP_WAYS) - 1) << (digit & ~(BOOK_GROUP_WAYS - 1));
}

static inline u32 *book_hint(const struct books *b, u32 half, u64 prefix)
{
    return &book_half(b, half)->hint[prefix & (BOOK_HINTS - 1)];
}

static inline u32 *book_asleep(const struct books *b, u32 nth)
{
    return (u32 *)ptr_at(b, BOOK_ASLEEP_OFF) + (nth & (BOOK_ASLEEP - 1));
}

/* Nodes and groups are enough for any levels_max levels: the stacks never end. */
static inline u32 book_node_get(struct books *b)
{
    return book_pool_get(b, &b->nodes, sizeof(struct book_node));
}

static inline u32 book_group_get(struct books *b)
{
    return book_pool_get(b, &b->groups, sizeof(struct book_group));
}

/* The next worse leaf with orders, or BOOK_NOTHING. */
static inline u32 book_leaf_next(const struct books *b, u32 leaf)
{
    u64 key = book_node_key(book_node(b, leaf));
    u32 node = book_node(b, leaf)->parent;
    for (; node != BOOK_NOTHING; node = book_node(b, node)->parent) {
        const struct book_node *n = book_node(b, node);
        u64 later = n->live & (~1UL << book_digit(key, n->shift));
        if (!later) continue;
        node = book_child(b, n, (u32)__builtin_ctzl(later));
        while (book_node(b, node)->shift) {
            n = book_node(b, node);
            node = book_child(b, n, (u32)__builtin_ctzl(n->live));
        }
        return node;
    }
    return BOOK_NOTHING;
}

/* Make `child` the child of `parent` (BOOK_NOTHING: the root of the half) where `key` belongs. */
static inline void book_trie_set(struct books *b, u32 half, u32 parent, u64 key, u32 child)
{
    book_node(b, child)->parent = parent;
    if (parent == BOOK_NOTHING) {
        book_half(b, half)->root = child;
        return;
    }
    struct book_node *p = book_node(b, parent);
    u32 digit = book_digit(key, p->shift), *group = &p->group[digit / BOOK_GROUP_WAYS];
    if (!*group) {
        *group = book_group_get(b);
        *book_group(b, *group) = (struct book_group){{0}};
    }
    u32 *place = &book_group(b, *group)->child[digit % BOOK_GROUP_WAYS];
    p->children = (u16)(p->children + (*place == 0));
    p->live |= (u64)(book_node(b, child)->live != 0) << digit;
    *place = child;
}

/* The first node on the way to `key` that is a leaf, or of another prefix, or 0 if the way ends at
 * a node without such a child; *parent is the node above it. */
static inline u32 book_trie_walk(const struct books *b, u32 half, u64 key, u32 *parent)
{
    u32 node = book_half(b, half)->root;
    *parent = BOOK_NOTHING;
    while (node) {
        const struct book_node *n = book_node(b, node);
        if (!n->shift || book_prefix(key, n->shift) != n->prefix) break;
        *parent = node;
        u32 digit = book_digit(key, n->shift), group = n->group[digit / BOOK_GROUP_WAYS];
        node = group ? book_group(b, group)->child[digit % BOOK_GROUP_WAYS] : 0;
    }
    return node;
}

static inline void book_node_make(struct books *b, u32 node, u64 key, u32 shift, u32 half)
{
    *book_node(b, node) =
        (struct book_node){.prefix = book_prefix(key, shift), .half = half, .shift = (u8)shift};
}

/* The leaf of a key that has no hint, made if there is none. */
__attribute__((noinline)) static u32 book_leaf_make(struct books *b, u32 half, u64 key)
{
    u64 prefix = key >> BOOK_NODE_BITS;
    u32 *hint = book_hint(b, half, prefix), parent, other = book_trie_walk(b, half, key, &parent);
    if (other && book_node(b, other)->prefix == prefix && !book_node(b, other)->shift) {
        return *hint = other;
    }
    u32 leaf = book_node_get(b);
    book_node_make(b, leaf, key, 0, half);
    if (other) { /* a new node where two ways part */
        u64 its = book_node_key(book_node(b, other));
        u32 node = book_node_get(b), bit = 63U - (u32)__builtin_clzl(key ^ its);
        book_node_make(b, node, key, bit / BOOK_NODE_BITS * BOOK_NODE_BITS, half);
        book_trie_set(b, half, parent, key, node);
        book_trie_set(b, half, node, its, other);
        parent = node;
    }
    book_trie_set(b, half, parent, key, leaf);
    return *hint = leaf;
}

/* Take the child of a digit from an inner node; the child that is left if there is but one, or 0.
 */
static u32 book_child_take(struct books *b, struct book_node *n, u32 digit)
{
    u32 last = 0;
    book_group(b, n->group[digit / BOOK_GROUP_WAYS])->child[digit % BOOK_GROUP_WAYS] = 0;
    n->children--;
    for (u32 g = 0; g < COUNT_OF(n->group); g++) {
        u32 any = 0;
        if (!n->group[g]) continue;
        for (u32 i = 0; i < BOOK_GROUP_WAYS; i++) any |= book_group(b, n->group[g])->child[i];
        last |= any;
        if (any && n->children > 1) continue;
        book_pool_put(b, &b->groups, n->group[g]);
        n->group[g] = 0;
    }
    return n->children == 1 ? last : 0;
}

/* Remove a leaf without orders. A node left with one child gives it to its parent. */
__attribute__((noinline)) static void book_leaf_drop(struct books *b, u32 leaf)
{
    const struct book_node *l = book_node(b, leaf);
    struct book_half *h = book_half(b, l->half);
    struct book_node *n = book_node(b, l->parent);
    u32 *hint = book_hint(b, l->half, l->prefix), parent = l->parent;
    if (*hint == leaf) *hint = BOOK_NOTHING;
    if (h->best == leaf) h->best = book_leaf_next(b, leaf);
    u32 last = 0;
    if (parent == BOOK_NOTHING) h->root = 0;
    else last = book_child_take(b, n, book_digit(book_node_key(l), n->shift));
    if (last) {
        book_trie_set(b, n->half, n->parent, book_node_key(n), last);
        book_pool_put(b, &b->nodes, parent);
    }
    book_pool_put(b, &b->nodes, leaf);
}

/* ---- which leaves have orders ---- */

/* A node has orders, or none: tell those above. */
__attribute__((noinline)) static void book_live_up(struct books *b, u32 node)
{
    u64 key = book_node_key(book_node(b, node)), was = 0;
    while (!was && (node = book_node(b, node)->parent) != BOOK_NOTHING) {
        struct book_node *n = book_node(b, node);
        was = n->live;
        n->live |= 1UL << book_digit(key, n->shift);
    }
}

static inline void book_live_down(struct books *b, u32 node)
{
    u64 key = book_node_key(book_node(b, node)), left = 0;
    while (!left && (node = book_node(b, node)->parent) != BOOK_NOTHING) {
        struct book_node *n = book_node(b, node);
        left = n->live &= ~(1UL << book_digit(key, n->shift));
    }
}

/* A leaf has lost its last order: it falls asleep, and the one that did so longest ago is dropped
 * unless it woke up. */
__attribute__((noinline)) static void book_leaf_sleep(struct books *b, u32 leaf)
{
    struct book_node *l = book_node(b, leaf);
    book_live_down(b, leaf);
    if (l->asleep) return;
    u32 *place = book_asleep(b, b->asleep_at++), old = *place;
    *place = leaf;
    l->asleep = 1;
    if (!old) return;
    book_node(b, old)->asleep = 0;
    if (!book_node(b, old)->live) book_leaf_drop(b, old);
}

/* ---- queues: the hot path ---- */

/* Tell the node above a leaf that the leaf has orders; and the best, which it may be now. */
static inline void book_leaf_wake(struct books *b, u32 leaf)
{
    const struct book_node *l = book_node(b, leaf);
    struct book_half *h = book_half(b, l->half);
    struct book_node *n = book_node(b, l->parent);
    if (UNLIKELY(!n->live)) book_live_up(b, leaf);
    n->live |= 1UL << book_digit(book_node_key(l), n->shift);
    h->best = l->prefix < book_node(b, h->best)->prefix ? leaf : h->best;
}

/* The queue of a key, made if there is none, to be given an order at once; 0 if there is no room.
 */
static inline u32 book_queue_get(struct books *b, u32 half, u64 key)
{
    u64 prefix = key >> BOOK_NODE_BITS;
    u32 leaf = *book_hint(b, half, prefix), digit = (u32)key % BOOK_NODE_WAYS;
    if (UNLIKELY(book_node(b, leaf)->prefix != prefix)) leaf = book_leaf_make(b, half, key);
    struct book_node *l = book_node(b, leaf);
    if (l->live >> digit & 1) return book_child(b, l, digit);
    u32 queue = book_pool_get(b, &b->queues, sizeof(struct book_queue));
    if (UNLIKELY(!queue)) return 0;
    *book_queue(b, queue) = (struct book_queue){{queue, queue}, 0, key, leaf, half};
    u32 *group = &l->group[digit / BOOK_GROUP_WAYS];
    if (!(l->live & book_group_mask(digit))) *group = book_group_get(b);
    book_group(b, *group)->child[digit % BOOK_GROUP_WAYS] = queue;
    l->live |= 1UL << digit;
    book_leaf_wake(b, leaf);
    return queue;
}

/* A queue has lost its last order. */
static inline void book_queue_drop(struct books *b, u32 queue)
{
    const struct book_queue *q = book_queue(b, queue);
    struct book_node *l = book_node(b, q->leaf), *n = book_node(b, l->parent);
    u32 digit = (u32)q->key % BOOK_NODE_WAYS;
    l->live &= ~(1UL << digit);
    if (!(l->live & book_group_mask(digit))) {
        book_pool_put(b, &b->groups, l->group[digit / BOOK_GROUP_WAYS]);
    }
    bool none = !l->live;
    n->live &= ~((u64)none << book_digit(q->key, n->shift));
    if (UNLIKELY(none & (!n->live | !l->asleep))) book_leaf_sleep(b, q->leaf);
    book_pool_put(b, &b->queues, queue);
}

/* No order of a half has a better key; far beyond any price if the half is empty. If there is a
 * leaf asleep in front of the others, it is that leaf's last key. */
static inline u64 book_best_key(const struct books *b, const struct book_half *h)
{
    const struct book_node *l = book_node(b, h->best);
    return l->prefix << BOOK_NODE_BITS | (u64)__builtin_ctzl(l->live | 1UL << (BOOK_NODE_WAYS - 1));
}

/* True if there are orders with this key or a better one. Passes a leaf asleep in front. */
static inline bool book_reaches(struct books *b, struct book_half *h, u64 key)
{
    if (LIKELY(book_best_key(b, h) > key)) return false;
    if (UNLIKELY(!book_node(b, h->best)->live)) h->best = book_leaf_next(b, h->best);
    return book_best_key(b, h) <= key;
}

/* The queue of a leaf's best key; the leaf has orders. */
static inline u32 book_leaf_first(const struct books *b, u32 leaf)
{
    const struct book_node *l = book_node(b, leaf);
    return book_child(b, l, (u32)__builtin_ctzl(l->live));
}

/* The best leaf with orders, or BOOK_NOTHING. */
static inline u32 book_best_leaf(const struct books *b, const struct book_half *h)
{
    return LIKELY(book_node(b, h->best)->live) ? h->best : book_leaf_next(b, h->best);
}

/* The best queue of a half and the next worse one; 0 = there is none. */
static inline u32 book_queue_first(const struct books *b, const struct book_half *h)
{
    u32 leaf = book_best_leaf(b, h);
    return leaf != BOOK_NOTHING ? book_leaf_first(b, leaf) : 0;
}

static inline u32 book_queue_next(const struct books *b, u32 queue)
{
    const struct book_queue *q = book_queue(b, queue);
    const struct book_node *l = book_node(b, q->leaf);
    u64 later = l->live & (~1UL << (q->key % BOOK_NODE_WAYS));
    if (later) return book_child(b, l, (u32)__builtin_ctzl(later));
    u32 leaf = book_leaf_next(b, q->leaf);
    return leaf != BOOK_NOTHING ? book_leaf_first(b, leaf) : 0;
}

/* The queue of a key, 0 if it has no orders. */
static inline u32 book_queue_find(const struct books *b, u32 half, u64 key)
{
    u32 parent, leaf = book_trie_walk(b, half, key, &parent), digit = (u32)key % BOOK_NODE_WAYS;
    const struct book_node *l = book_node(b, leaf);
    bool found = leaf && !l->shift && l->prefix == key >> BOOK_NODE_BITS && l->live >> digit & 1;
    return found ? book_child(b, l, digit) : 0;
}

static inline u64 book_queue_price(const struct books *b, u32 queue)
{
    const struct book_queue *q = book_queue(b, queue);
    return book_key(q->half, q->key);
}

#endif
