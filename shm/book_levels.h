/* book_levels.h: the price levels of a half, found by price and walked in order (internal).
 *
 *   key 0x1234:   node shift 8 (keys 0x1000..0x1fff)  --digit 2-->  node shift 4 (0x1200..0x12ff)
 *                                                     --digit 3-->  node shift 0 --digit 4--> queue
 *
 * A trie of 16-way nodes, each with a bitmap of its children, with the runs of single children left
 * out: a node has two children or more, so n levels need fewer than n nodes, whatever the prices.
 *
 * In front of the trie stand up to fifteen levels that are better than all in it, in order: most
 * levels come and go as the best of their side, and never see the trie. A level too many sends the
 * worst of them there; none ever comes back. Before both stands a table of hints, by a hash of the
 * key: a price in use is found with two loads.
 *
 * Chosen by measuring the worst flow and shape, not the mean, beside a B+-tree, a direct ladder
 * under bitmaps, and a trie of 64-way leaves that outlive their orders: the figures and reasons are
 * in tests/bench/book/README.md.
 */
#ifndef EIDOS_SHM_BOOK_LEVELS_H
#define EIDOS_SHM_BOOK_LEVELS_H

#include "shm/book_accounts.h"
#include "shm/book_cells.h"

#define BOOK_TRIE_BITS 4U
#define BOOK_TRIE_WAYS (1U << BOOK_TRIE_BITS)

struct book_node {
    u64 key;     /* of any level below; its bits from shift + BOOK_TRIE_BITS up are the prefix */
    u32 parent;  /* node, 0 = this is the root */
    u16 bits;    /* which children there are */
    u16 shift;   /* of the digit that chooses */
    u32 half;    /* UINT32_MAX = free */
    u32 zero[3]; /* refs are even */
    u32 child[BOOK_TRIE_WAYS];
};
SIZE_IS(struct book_node, 96);

static inline struct book_node *book_node(const struct books *b, u32 ref)
{
    return book_ref(b, ref & ~BOOK_IS_NODE);
}

static inline u32 book_digit(u64 key, u32 shift)
{
    return (u32)(key >> shift) & (BOOK_TRIE_WAYS - 1);
}

static inline u64 book_queue_price(const struct books *b, u32 queue)
{
    const struct book_queue *q = book_queue(b, queue);
    return book_key(q->half, q->key);
}

/* Fibonacci hashing, as tick sizes that are powers of two are common. */
static inline u32 book_hash(u64 key)
{
    return (u32)(key * 0x9e3779b97f4a7c15UL >> 32);
}

static inline u32 book_hint_set(struct books *b, u32 half, u64 key, u32 queue)
{
    u32 hash = book_hash(key);
    *book_hint(b, half, hash) = (struct book_hint){hash, queue};
    return queue;
}

/* Make `ref` the child of `parent` (0: the root of the half) where `key` belongs. */
static inline void book_trie_set(struct books *b, struct book_half *h, u32 parent, u64 key, u32 ref)
{
    if (parent) {
        struct book_node *p = book_node(b, parent);
        u32 digit = book_digit(key, p->shift);
        p->child[digit] = ref;
        p->bits = (u16)(p->bits | 1U << digit);
    } else {
        h->root = ref;
    }
    if (ref & BOOK_IS_NODE) {
        book_node(b, ref)->parent = parent;
    } else {
        book_queue(b, ref)->parent = parent;
    }
}

/* True if the way to a key in a half leads through this node. */
static inline bool book_trie_passes(const struct books *b, u32 ref, u32 half, u64 key)
{
    const struct book_node *n = book_node(b, ref);
    return n->half == half && !((key ^ n->key) >> n->shift >> BOOK_TRIE_BITS);
}

/* From `start`, the first reference on the way to `key` that is a queue, or a node of another
 * prefix, or 0 if the way ends at a node without such a child; *parent is the node above it. */
static inline u32 book_trie_walk(const struct books *b, u32 start, u64 key, u32 *parent)
{
    u32 ref = start;
    *parent = 0;
    while (ref & BOOK_IS_NODE) {
        const struct book_node *n = book_node(b, ref);
        if ((key ^ n->key) >> n->shift >> BOOK_TRIE_BITS) break;
        u32 digit = book_digit(key, n->shift);
        *parent = ref & ~BOOK_IS_NODE;
        if (!(n->bits >> digit & 1)) return 0;
        ref = n->child[digit];
    }
    return ref;
}

/* The last node on the way to a key that chooses by the digit at `shift` or an earlier one; else
 * the root. */
BOOK_ASIDE static u32 book_trie_down(const struct books *b, u32 half, u64 key, u32 shift)
{
    u32 last = book_half(b, half)->root, ref = last;
    while (ref & BOOK_IS_NODE && book_trie_passes(b, ref, half, key)) {
        const struct book_node *n = book_node(b, ref);
        if (n->shift < shift) break;
        u32 digit = book_digit(key, n->shift);
        last = ref;
        ref = n->bits >> digit & 1 ? n->child[digit] : 0;
    }
    return last;
}

#define BOOK_FAR 20U /* shift of a root from which on the way down is long */

/* Where the walk to a key may begin: as prices get sparser with the distance from the best, the way
 * from the root often leads along that to the best of the trie, a node for each magnitude. So nodes
 * are kept by the digit where a key parts from the best one, and by what it has there: the node
 * below that, if there is one. */
static inline u32 book_trie_begin(struct books *b, u32 half, u64 key)
{
    u32 node = book_half(b, half)->root;
    if (!(node & BOOK_IS_NODE) || book_node(b, node)->shift < BOOK_FAR) return node;
    u64 best = book_queue(b, book_half(b, half)->front[0])->key;
    u32 shift = (63U - (u32)__builtin_clzl((key ^ best) | 1)) & ~(BOOK_TRIE_BITS - 1);
    u32 prefix = shift / BOOK_TRIE_BITS * BOOK_TRIE_WAYS | book_digit(key, shift);
    u32 *kept = book_start(b, half, prefix);
    node = *kept;
    if (LIKELY(node & BOOK_IS_NODE) && LIKELY(book_trie_passes(b, node, half, key))) return node;
    node = book_trie_down(b, half, key, shift < BOOK_TRIE_BITS ? 0 : shift - BOOK_TRIE_BITS);
    if (LIKELY(node & BOOK_IS_NODE)) *kept = node;
    return node;
}

/* The place of a key that is about to be made, from the node found ahead of it if that is still
 * right. */
static inline u32 book_trie_place(struct books *b, u32 half, u64 key, u32 *parent)
{
    if (b->way & BOOK_IS_NODE && book_node(b, b->way & ~BOOK_TAKEN)->half == half) {
        u32 ref = book_trie_walk(b, b->way & ~BOOK_TAKEN, key, parent);
        if (LIKELY(*parent)) return ref;
    }
    return book_trie_walk(b, book_trie_begin(b, half, key), key, parent);
}

/* A new node where the way to a key parts from that to `ref`, below `parent`: there are as many
 * nodes as queues, so there is always one. */
static inline u32 book_trie_split(struct books *b, struct book_half *h, u64 key, u32 ref,
                                  u32 parent)
{
    u64 other = ref & BOOK_IS_NODE ? book_node(b, ref)->key : book_queue(b, ref)->key;
    u32 node = book_pool_get(b, &b->nodes, sizeof(struct book_node));
    u32 bit = 63U - (u32)__builtin_clzl(key ^ other);
    struct book_node *n = book_node(b, node);
    n->key = key;
    n->bits = 0;
    n->shift = (u16)(bit / BOOK_TRIE_BITS * BOOK_TRIE_BITS);
    n->half = (u32)(h - book_half(b, 0));
    book_trie_set(b, h, parent, key, node | BOOK_IS_NODE);
    book_trie_set(b, h, node, other, ref);
    return node;
}

/* Put a new queue in at the place the walk found. */
static inline void book_trie_put(struct books *b, struct book_half *h, u32 queue, u32 ref,
                                 u32 parent)
{
    u64 key = book_queue(b, queue)->key;
    if (ref) parent = book_trie_split(b, h, key, ref, parent);
    book_trie_set(b, h, parent, key, queue);
}

/* ---- the front ---- */

/* True for keys better than all in the trie: their levels, if there are any, stand in front of it.
 */
static inline bool book_in_front(const struct books *b, const struct book_half *h, u64 key)
{
    return key < book_queue(b, h->front[0])->key;
}

/* The place of the best queue that is not better than a key, which is better than all in the trie.
 */
static inline u32 book_front_place(const struct books *b, const struct book_half *h, u64 key)
{
    u32 place = h->fronts;
    while (book_queue(b, h->front[place])->key < key) place--;
    return place;
}

/* Close or open a gap among the queues of the front, below its end: seldom, as most come and go as
 * the best, so not where the others would have to save registers for it. */
BOOK_ASIDE static void book_front_close(struct book_half *h, u32 place, u32 end)
{
    for (; place < end; place++) h->front[place] = h->front[place + 1];
    h->best = h->front[h->fronts];
}

BOOK_ASIDE static void book_front_open(struct book_half *h, u32 place, u32 end, u32 queue)
{
    for (; end > place; end--) h->front[end] = h->front[end - 1];
    h->front[place] = queue;
    h->best = h->front[h->fronts];
}

static inline void book_front_take(struct book_half *h, u32 place)
{
    u32 end = h->fronts--;
    if (UNLIKELY(place != end)) return book_front_close(h, place, end);
    h->best = h->front[end - 1];
}

static inline void book_front_put(struct book_half *h, u32 place, u32 queue)
{
    u32 end = ++h->fronts;
    if (UNLIKELY(place != end)) return book_front_open(h, place, end, queue);
    h->best = h->front[end] = queue;
}

/* The best queue of a half, and the next worse one; 0 = there is none. */
static inline u32 book_queue_first(const struct books *b, const struct book_half *h)
{
    return (void)b, h->best;
}

static inline u32 book_trie_next(const struct books *b, u32 queue)
{
    const struct book_queue *q = book_queue(b, queue);
    for (u32 node = q->parent; node; node = book_node(b, node)->parent) {
        const struct book_node *n = book_node(b, node);
        u32 later = n->bits & (~1U << book_digit(q->key, n->shift));
        if (!later) continue;
        u32 ref = n->child[__builtin_ctz(later)];
        while (ref & BOOK_IS_NODE) {
            n = book_node(b, ref);
            ref = n->child[__builtin_ctz(n->bits)];
        }
        return ref;
    }
    return 0;
}

static inline u32 book_queue_next(const struct books *b, u32 queue)
{
    const struct book_queue *q = book_queue(b, queue);
    const struct book_half *h = book_half(b, q->half);
    if (!book_in_front(b, h, q->key)) return book_trie_next(b, queue);
    return h->front[book_front_place(b, h, q->key) - 1];
}

/* True if there are orders with this key or a better one. */
static inline bool book_reaches(const struct books *b, const struct book_half *h, u64 key)
{
    return book_queue(b, h->best)->key <= key;
}

/* The queue of a key, 0 if it has no orders. */
static inline u32 book_queue_find(const struct books *b, u32 half, u64 key)
{
    const struct book_half *h = book_half(b, half);
    u32 parent, ref;
    if (book_in_front(b, h, key)) {
        ref = h->front[book_front_place(b, h, key)];
    } else {
        ref = book_trie_walk(b, h->root, key, &parent);
    }
    return ref && !(ref & BOOK_IS_NODE) && book_queue(b, ref)->key == key ? ref : 0;
}

static inline u32 book_queue_new(struct books *b, u32 half, u64 key)
{
    u32 queue = book_pool_get(b, &b->queues, sizeof(struct book_queue));
    if (UNLIKELY(!queue)) return 0;
    struct book_queue *q = book_queue(b, queue);
    q->ring.prev = q->ring.next = queue;
    q->key = key;
    q->lots = 0;
    q->parent = 0;
    q->half = half;
    return queue;
}

/* The worst queue of a full front goes to the trie, where it is the best. */
BOOK_ASIDE static u32 book_front_age(struct books *b, u32 half, u32 made)
{
    struct book_half *h = book_half(b, half);
    u32 parent, queue = h->front[1];
    u32 ref = book_trie_walk(b, h->root, book_queue(b, queue)->key, &parent);
    book_trie_put(b, h, queue, ref, parent);
    h->fronts--;
    book_front_close(h, 0, h->fronts + 1);
    return made;
}

/* A new queue for the front, which has no other of this key. */
static inline u32 book_front_new(struct books *b, u32 half, u64 key, u32 place)
{
    struct book_half *h = book_half(b, half);
    u32 queue = book_queue_new(b, half, key);
    if (UNLIKELY(!queue)) return 0;
    book_front_put(h, place, queue);
    book_hint_set(b, half, key, queue);
    return LIKELY(h->fronts < BOOK_FRONT) ? queue : book_front_age(b, half, queue);
}

/* The queue of a key that is better than all in the trie and has no hint, made if there is none. */
static inline u32 book_front_make(struct books *b, u32 half, u64 key)
{
    struct book_half *h = book_half(b, half);
    u32 place = book_front_place(b, h, key), queue = h->front[place];
    if (book_queue(b, queue)->key == key) return book_hint_set(b, half, key, queue);
    return book_front_new(b, half, key, place + 1);
}

/* Where ways are found ahead hints pay less: only a second order gives its level one. */
BOOK_ASIDE static u32 book_trie_make(struct books *b, u32 half, u64 key)
{
    struct book_half *h = book_half(b, half);
    u32 parent, ref = book_trie_place(b, half, key, &parent);
    if (ref && !(ref & BOOK_IS_NODE) && book_queue(b, ref)->key == key) {
        return book_hint_set(b, half, key, ref);
    }
    u32 queue = book_queue_new(b, half, key);
    if (UNLIKELY(!queue)) return 0;
    book_trie_put(b, h, queue, ref, parent);
    return b->way & BOOK_IS_NODE ? queue : book_hint_set(b, half, key, queue);
}

/* A level that will be the child of the node found ahead. */
BOOK_ASIDE static u32 book_trie_add(struct books *b, u32 half, u64 key)
{
    u32 node = b->way & ~BOOK_IS_NODE;
    const struct book_node *n = book_node(b, node);
    bool fits = book_trie_passes(b, node, half, key);
    if (UNLIKELY(!fits || n->bits >> book_digit(key, n->shift) & 1)) {
        return book_trie_make(b, half, key);
    }
    u32 queue = book_queue_new(b, half, key);
    if (LIKELY(queue)) book_trie_set(b, book_half(b, half), node, key, queue);
    return queue;
}

/* The queue of a key that has no hint, made if there is none; 0 if queues are used up. */
BOOK_ASIDE static u32 book_queue_make(struct books *b, u32 half, u64 key)
{
    bool front = book_in_front(b, book_half(b, half), key);
    return LIKELY(front) ? book_front_make(b, half, key) : book_trie_make(b, half, key);
}

/* The queue of a key, made if there is none, to be given an order at once; 0 if there is no room.
 */
static inline u32 book_queue_get(struct books *b, u32 half, u64 key)
{
    const struct book_half *h = book_half(b, half);
    if (key < book_queue(b, h->best)->key) return book_front_new(b, half, key, h->fronts + 1);
    if (UNLIKELY(b->way & BOOK_IS_NODE) && !book_in_front(b, h, key)) {
        return b->way & BOOK_TAKEN ? book_trie_make(b, half, key) : book_trie_add(b, half, key);
    }
    u32 queue = book_hint(b, half, book_hash(key))->queue;
    const struct book_queue *q = book_queue(b, queue);
    return LIKELY(q->key == key && q->half == half) ? queue : book_queue_make(b, half, key);
}

/* The same where that takes no call, which would cost the caller saved registers: most are in use
 * and have a hint, or are made as the best. Else 0, and nothing is made. */
static inline __attribute__((always_inline)) u32 book_queue_near(struct books *b, u32 half, u64 key)
{
    struct book_half *h = book_half(b, half);
    if (key < book_queue(b, h->best)->key) {
        if (UNLIKELY(h->fronts >= BOOK_FRONT - 1)) return 0;
        u32 queue = book_queue_new(b, half, key);
        if (UNLIKELY(!queue)) return 0;
        h->best = h->front[++h->fronts] = queue;
        return book_hint_set(b, half, key, queue);
    }
    u32 queue = b->way;
    if (LIKELY(!queue)) {
        queue = book_hint(b, half, book_hash(key))->queue;
    } else if (UNLIKELY(queue & (BOOK_IS_NODE | BOOK_EMPTIES))) {
        return 0;
    } else {
        book_hint_set(b, half, key, queue); /* by which book_is_near() knows */
    }
    const struct book_queue *q = book_queue(b, queue);
    return LIKELY(q->key == key && q->half == half) ? queue : 0;
}

static inline void book_queue_free(struct books *b, u32 queue)
{
    book_queue(b, queue)->half = UINT32_MAX;
    book_pool_put(b, &b->queues, queue);
}

/* A node left with one child gives it to its parent. */
static inline void book_trie_merge(struct books *b, struct book_half *h, u32 node)
{
    struct book_node *n = book_node(b, node);
    book_trie_set(b, h, n->parent, n->key, n->child[__builtin_ctz(n->bits)]);
    n->half = UINT32_MAX;
    book_pool_put(b, &b->nodes, node);
}

BOOK_ASIDE static void book_trie_merge_unforeseen(struct books *b, struct book_half *h, u32 node)
{
    book_trie_merge(b, h, node);
}

/* Take a queue out of the trie. */
static inline void book_trie_drop(struct books *b, struct book_half *h, u32 queue)
{
    const struct book_queue *q = book_queue(b, queue);
    if (h->front[0] == queue) h->front[0] = book_trie_next(b, queue);
    if (!q->parent) {
        h->root = 0;
        return;
    }
    struct book_node *n = book_node(b, q->parent);
    n->bits = (u16)(n->bits & ~(1U << book_digit(q->key, n->shift)));
    bool lone = !(n->bits & (n->bits - 1));
    if (b->way == BOOK_MERGES) {
        if (LIKELY(lone)) book_trie_merge(b, h, q->parent);
    } else {
        if (UNLIKELY(lone)) book_trie_merge_unforeseen(b, h, q->parent);
    }
}

static inline void book_queue_drop_deep(struct books *b, struct book_half *h, u32 queue)
{
    book_trie_drop(b, h, queue);
    h->best = h->front[h->fronts];
    book_queue_free(b, queue);
}

BOOK_ASIDE static void book_queue_drop_unforeseen(struct books *b, struct book_half *h, u32 queue)
{
    book_queue_drop_deep(b, h, queue);
}

static inline void book_queue_drop_front(struct books *b, struct book_half *h, u32 queue)
{
    u32 place = book_front_place(b, h, book_queue(b, queue)->key);
    book_queue_free(b, queue);
    book_front_take(h, place);
}

/* Remove a queue that lost its last order, likely one in the trie, or one in front of it. */
BOOK_ASIDE static void book_queue_drop_foreseen(struct books *b, u32 queue)
{
    const struct book_queue *q = book_queue(b, queue);
    struct book_half *h = book_half(b, q->half);
    if (UNLIKELY(book_in_front(b, h, q->key))) return book_queue_drop_front(b, h, queue);
    book_queue_drop_deep(b, h, queue);
}

BOOK_ASIDE static void book_queue_drop(struct books *b, u32 queue)
{
    const struct book_queue *q = book_queue(b, queue);
    struct book_half *h = book_half(b, q->half);
    if (UNLIKELY(!book_in_front(b, h, q->key))) return book_queue_drop_unforeseen(b, h, queue);
    book_queue_drop_front(b, h, queue);
}

/* ---- hints for books larger than the cache ---- */

/* True for a key that is better than all in the trie, or was lately looked for: what leads to its
 * queue is likely in the cache. */
static inline bool book_is_near(const struct books *b, u32 half, u64 key)
{
    u32 hash = book_hash(key);
    return book_hint(b, half, hash)->hash == hash || book_in_front(b, book_half(b, half), key);
}

/* One step of the walk to a key, at what was asked for last: what it asks for next, 0 = there is no
 * more. *way: the last node on it so far, or the queue of the key. An order that joins a queue
 * comes behind its last one. */
static inline u32 book_walk_ahead(const struct books *b, u64 key, u32 ref, u32 *way)
{
    if (!(ref & BOOK_IS_NODE)) {
        const struct book_queue *q = book_queue(b, ref);
        if (q->key == key) book_fetch(b, q->ring.prev), *way = ref;
        return 0;
    }
    const struct book_node *n = book_node(b, ref);
    u32 shift = n->shift & 63U, digit = book_digit(key, shift);
    u32 inside = !((key ^ n->key) >> shift >> BOOK_TRIE_BITS);
    u32 next = n->child[digit] & -(inside & (u32)n->bits >> digit);
    *way = inside ? ref | (next ? BOOK_TAKEN : 0) : *way;
    const struct book_node *child = book_node(b, next);
    book_load(child);
    book_load(&child->child[book_digit(key, (shift - BOOK_TRIE_BITS) & 63U)]);
    return next;
}

/* A key will be looked for: where its way leads after the nodes that are likely in the cache. Where
 * prices are scattered evenly those end three digits below the root, with one that is found at
 * once. */
static inline u32 book_get_ahead(struct books *b, u32 half, u64 key, u32 *way)
{
    u32 ref = book_half(b, half)->root;
    u32 shift = (book_node(b, ref)->shift - 3 * BOOK_TRIE_BITS) & 63U;
    u32 *start = book_start(b, half, key >> shift >> BOOK_TRIE_BITS);
    const struct book_node *n = book_node(b, *start);
    if (LIKELY(n->shift == shift && book_trie_passes(b, *start, half, key))) {
        return book_walk_ahead(b, key, *start, way);
    }
    u32 hash = book_hash(key);
    const struct book_hint *hint = book_hint(b, half, hash);
    if (hint->hash == hash) return book_fetch(b, hint->queue), hint->queue;
    for (u32 i = 0; i < 3 && ref & BOOK_IS_NODE; i++) ref = book_walk_ahead(b, key, ref, way);
    if (ref & BOOK_IS_NODE) *start = ref;
    return ref;
}

/* A queue may be dropped: its node. True if it has one, and at most one order. */
static inline bool book_drop_ahead(const struct books *b, u32 queue, u64 *key, u32 *node)
{
    struct book_queue q = *book_queue(b, queue);
    *key = q.key;
    *node = q.parent;
    book_fetch(b, q.parent);
    return q.ring.prev == q.ring.next && q.parent;
}

static inline u32 book_other_children(const struct book_node *n, u64 key)
{
    return n->bits & ~(1U << book_digit(key, n->shift & 63U));
}

/* The node then loses the child of this key: where its other child stands, and the node above. True
 * if it has one other: then it is dropped, too. */
static inline bool book_merge_ahead(const struct books *b, u32 node, u64 key)
{
    const struct book_node *n = book_node(b, node);
    u32 other = book_other_children(n, key);
    book_load(&n->child[__builtin_ctz(other | 1U << 15)]);
    book_fetch(b, n->parent);
    return !(other & (other - 1));
}

/* The other child then moves up: itself, and its new place. */
static inline void book_move_ahead(const struct books *b, u32 node, u64 key)
{
    const struct book_node *n = book_node(b, node), *up = book_node(b, n->parent);
    book_load(book_node(b, n->child[__builtin_ctz(book_other_children(n, key) | 1U << 15)]));
    book_load(&up->child[book_digit(key, up->shift & 63U)]);
}

/* Start loading what is below a child: one sibling before the sweep comes to it, as the way down
 * from a node is a chain of loads. */
static inline void book_sweep_load(const struct books *b, u32 ref)
{
    if (!(ref & BOOK_IS_NODE)) return;
    const struct book_node *n = book_node(b, ref);
    for (u32 bits = n->bits; bits; bits &= bits - 1) {
        u32 child = n->child[__builtin_ctz(bits)];
        const void *at = book_node(b, child);
        book_load(at);
        if (child & BOOK_IS_NODE) book_load(ptr_at(at, CACHE_LINE));
    }
}

/* Go to the first of the children `bits` of a node, and down from there to a level. A node of which
 * nothing is left (it was freed since) is read all the same. */
static inline u32 book_sweep_go(const struct books *b, struct book_sweep *s, u32 node, u32 bits)
{
    for (;;) {
        const struct book_node *n = book_node(b, node);
        u32 rest = bits & (bits - 1);
        s->node = node & ~BOOK_IS_NODE;
        s->key = n->key;
        s->digit = (u32)__builtin_ctz(bits | 1U << (BOOK_TRIE_WAYS - 1));
        if (rest) book_sweep_load(b, n->child[__builtin_ctz(rest)]);
        node = n->child[s->digit];
        if (!(node & BOOK_IS_NODE)) return node;
        n = book_node(b, node);
        bits = n->bits;
        book_sweep_load(b, n->child[__builtin_ctz(bits | 1U << (BOOK_TRIE_WAYS - 1))]);
    }
}

/* Find the next level; its queue is loaded, and its first order some levels later. */
static inline void book_sweep_find(const struct books *b, struct book_sweep *s)
{
    u32 node = s->node, later = 0;
    for (; node; node = book_node(b, node)->parent) {
        const struct book_node *n = book_node(b, node);
        u32 digit = node == s->node ? s->digit : book_digit(s->key, n->shift & 63U);
        later = n->bits & (~1U << digit);
        if (later) break;
    }
    if (!node) return;
    s->queue[s->end++ % BOOK_SWEEP] = book_sweep_go(b, s, node, later);
    u32 queue = s->queue[(s->end - BOOK_SWEEP / 4) % BOOK_SWEEP];
    if (queue) book_fetch(b, book_ring(b, queue)->next);
}

/* A taker comes to a level: the one that was found, or else a sweep begins, unless it is its first.
 */
BOOK_ASIDE static void book_sweep_ahead(const struct books *b, struct book_half *h, u32 queue,
                                        bool first)
{
    struct book_sweep *s = &h->sweep;
    const struct book_queue *q = book_queue(b, queue);
    bool found = s->end != s->at && s->queue[s->at % BOOK_SWEEP] == queue;
    if (!q->parent || (!found && first)) return;
    s->at++;
    if (!found) {
        *s = (struct book_sweep){.key = q->key, .node = q->parent};
        s->digit = book_digit(q->key, book_node(b, q->parent)->shift);
    }
    for (u32 i = 0; i < 2 && s->end - s->at < BOOK_SWEEP; i++) book_sweep_find(b, s);
}

#endif
