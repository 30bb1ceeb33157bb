/* book_levels.h: the price levels of a half, found by price and walked in order (internal).
 *
 *   key 0x1234:   node shift 8 (keys 0x1000..0x1fff)  --digit 2-->  node shift 4 (0x1200..0x12ff)
 *                                                     --digit 3-->  node shift 0 --digit 4--> queue
 *
 * A trie of 16-way nodes, each with a bitmap of its children, with the runs of single children left
 * out: a node has two children or more, so n levels need fewer than n nodes, whatever the prices.
 *
 * An order that is alone at its price, in a book that is larger than the cache, has no queue: the
 * node refers to the order itself. That is a line less to wait for, and a fifth less memory. It
 * gets a queue when another order joins it.
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
    u16 bits;  /* which children there are */
    u16 shift; /* of the digit that chooses */
    u32 zero;
    u64 key; /* of any level below; its bits from shift + BOOK_TRIE_BITS up are the prefix */
    u64 unused;
    u32 parent; /* node, with BOOK_IS_NODE; 0 = this is the root */
    u32 half;   /* UINT32_MAX = free */
    u32 child[BOOK_TRIE_WAYS];
};
SIZE_IS(struct book_node, 96);
OFFSET_IS(struct book_node, key, 8);
OFFSET_IS(struct book_node, parent, 24);

static inline struct book_node *book_node(const struct books *b, u32 ref)
{
    return book_ref(b, ref & ~BOOK_IS_NODE);
}

static inline u32 book_digit(u64 key, u32 shift)
{
    return (u32)(key >> shift) & (BOOK_TRIE_WAYS - 1);
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
    book_entry(b, ref)->parent = parent;
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
        *parent = ref;
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
    u64 best = book_key_at(b, book_half(b, half)->front[0]);
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
 * right. Not left to the compiler: as a call it costs `wide` 3 %. */
static inline __attribute__((always_inline)) u32 book_trie_place(struct books *b, u32 half, u64 key,
                                                                 u32 *parent)
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
    u64 other = book_entry(b, ref)->key;
    u32 node = book_pool_get(b, &b->nodes, sizeof(struct book_node)) | BOOK_IS_NODE;
    u32 bit = 63U - (u32)__builtin_clzl(key ^ other);
    struct book_node *n = book_node(b, node);
    n->key = key;
    n->bits = 0;
    n->shift = (u16)(bit / BOOK_TRIE_BITS * BOOK_TRIE_BITS);
    n->half = (u32)(h - book_half(b, 0));
    book_trie_set(b, h, parent, key, node);
    book_trie_set(b, h, node, other, ref);
    return node;
}

/* Put a new level in at the place the walk found. */
static inline void book_trie_put(struct books *b, struct book_half *h, u32 level, u32 ref,
                                 u32 parent)
{
    u64 key = book_entry(b, level)->key;
    if (ref) parent = book_trie_split(b, h, key, ref, parent);
    book_trie_set(b, h, parent, key, level);
}

/* ---- the front ---- */

/* True for keys better than all in the trie: their levels, if there are any, stand in front of it.
 */
static inline bool book_in_front(const struct books *b, const struct book_half *h, u64 key)
{
    return key < book_key_at(b, h->front[0]);
}

/* The place of the best queue that is not better than a key, which is better than all in the trie.
 */
static inline u32 book_front_place(const struct books *b, const struct book_half *h, u64 key)
{
    u32 place = h->fronts;
    while (book_key_at(b, h->front[place]) < key) place--;
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

/* The best of a half: a queue, or an order that is alone, without a tag; 0 = there is none. */
static inline u32 book_half_best(const struct books *b, const struct book_half *h)
{
    return (void)b, h->best;
}

static inline u32 book_trie_next(const struct books *b, u32 level)
{
    const struct book_entry *q = book_entry(b, level);
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

/* The next worse level, 0 = there is none. */
static inline u32 book_level_next(const struct books *b, u32 level)
{
    if (level & BOOK_ALONE) return book_trie_next(b, level);
    const struct book_queue *q = book_queue(b, level);
    const struct book_half *h = book_half(b, q->half);
    if (!book_in_front(b, h, q->key)) return book_trie_next(b, level);
    return book_level_of(b, h->front[book_front_place(b, h, q->key) - 1]);
}

/* True if there are orders with this key or a better one. */
static inline bool book_reaches(const struct books *b, const struct book_half *h, u64 key)
{
    return book_key_at(b, h->best) <= key;
}

/* The level of a key, 0 if it has no orders. */
static inline u32 book_level_find(const struct books *b, u32 half, u64 key)
{
    const struct book_half *h = book_half(b, half);
    u32 parent, ref;
    if (book_in_front(b, h, key)) { /* none there is alone: the first of the trie has another key */
        ref = h->front[book_front_place(b, h, key)];
    } else {
        ref = book_trie_walk(b, h->root, key, &parent);
    }
    return ref && !(ref & BOOK_IS_NODE) && book_entry(b, ref)->key == key ? ref : 0;
}

/* True if there may be one more level. */
static inline bool book_has_level(const struct books *b)
{
    return b->queues.used < b->config.levels_max;
}

static inline u32 book_queue_new(struct books *b, u32 half, u64 key)
{
    if (UNLIKELY(!book_has_level(b))) return 0;
    u32 queue = book_pool_get(b, &b->queues, sizeof(struct book_queue));
    struct book_queue *q = book_queue(b, queue);
    q->ring.prev = q->ring.next = queue;
    q->key = key;
    q->lots = 0;
    q->parent = 0;
    q->half = half;
    return queue;
}

/* ---- orders that are alone ---- */

/* May an order that will rest with this key be alone? Where a node was found ahead: elsewhere the
 * next order at its price is likely soon. */
static inline bool book_alone_may(const struct books *b, u32 half, u64 key)
{
    return b->way & BOOK_IS_NODE && !book_in_front(b, book_half(b, half), key) && book_has_level(b);
}

/* True if nothing is in its place in that node. */
static inline bool book_alone_fits(const struct books *b, u32 half, u64 key)
{
    const struct book_node *n = book_node(b, b->way);
    return book_trie_passes(b, b->way, half, key) && !(n->bits >> book_digit(key, n->shift) & 1);
}

/* Something is likely: then the way leads on to a node where nothing is, made if need be. False if
 * the key has a level, or would stand at the root. */
static inline bool book_alone_part(struct books *b, u32 half, u64 key)
{
    u32 node, ref = book_trie_place(b, half, key, &node);
    if (!node || (!(ref & BOOK_IS_NODE) && book_entry(b, ref)->key == key)) return false;
    b->way = ref ? book_trie_split(b, book_half(b, half), key, ref, node) : node;
    return true;
}

/* Put an order in that node. */
static inline void book_alone_put(struct books *b, u32 half, u64 key, u32 cell)
{
    book_cell(b, cell)->key = key;
    b->queues.used++;
    book_trie_set(b, book_half(b, half), b->way, key, cell | BOOK_ALONE);
}

/* An order is no longer alone: its level gets a queue. */
BOOK_ASIDE static u32 book_alone_end(struct books *b, u32 cell)
{
    struct book_cell *c = book_cell(b, cell);
    u64 lots = c->alone_lots, key = c->key;
    u32 node = c->queue, half = book_node(b, node)->half;
    struct book_half *h = book_half(b, half);
    b->queues.used--;
    u32 queue = book_queue_new(b, half, key);
    struct book_queue *q = book_queue(b, queue);
    q->lots = lots;
    q->ring = (struct book_ring){cell, cell};
    c->ring = (struct book_ring){queue, queue};
    c->lots = lots;
    c->queue = queue;
    book_trie_set(b, h, node, key, queue);
    if (h->front[0] == cell) h->front[0] = queue;
    h->best = h->front[h->fronts];
    return queue;
}

/* The queue of a level, made if there is none. */
static inline u32 book_level_queue(struct books *b, u32 level)
{
    return LIKELY(!(level & BOOK_ALONE)) ? level : book_alone_end(b, level & ~BOOK_ALONE);
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
    if (ref && !(ref & BOOK_IS_NODE) && book_entry(b, ref)->key == key) {
        return book_hint_set(b, half, key, book_level_queue(b, ref));
    }
    u32 queue = book_queue_new(b, half, key);
    if (UNLIKELY(!queue)) return 0;
    book_trie_put(b, h, queue, ref, parent);
    return b->way & BOOK_IS_NODE ? queue : book_hint_set(b, half, key, queue);
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
    if (key < book_key_at(b, h->best)) return book_front_new(b, half, key, h->fronts + 1);
    if (UNLIKELY(b->way & BOOK_IS_NODE) && !book_in_front(b, h, key)) {
        return book_trie_make(b, half, key); /* a hint's queue is a line that nobody asked for */
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
    if (key < book_key_at(b, h->best)) {
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

/* A node left with one child gives it to its parent. An order that would be the root gets a queue,
 * as it could no longer tell that it is alone. */
static inline void book_trie_merge(struct books *b, struct book_half *h, u32 node)
{
    struct book_node *n = book_node(b, node);
    u32 child = n->child[__builtin_ctz(n->bits)];
    if (UNLIKELY(!n->parent)) child = book_level_queue(b, child);
    book_trie_set(b, h, n->parent, n->key, child);
    n->half = UINT32_MAX;
    book_pool_put(b, &b->nodes, node);
}

BOOK_ASIDE static void book_trie_merge_unforeseen(struct books *b, struct book_half *h, u32 node)
{
    book_trie_merge(b, h, node);
}

/* Take the level of a key out of its node. */
static inline void book_trie_clear(struct books *b, struct book_half *h, u32 node, u64 key)
{
    struct book_node *n = book_node(b, node);
    n->bits = (u16)(n->bits & ~(1U << book_digit(key, n->shift)));
    bool last = !(n->bits & (n->bits - 1));
    if (b->way == BOOK_MERGES) {
        if (LIKELY(last)) book_trie_merge(b, h, node);
    } else {
        if (UNLIKELY(last)) book_trie_merge_unforeseen(b, h, node);
    }
}

/* Take a queue out of the trie. */
static inline void book_trie_drop(struct books *b, struct book_half *h, u32 queue)
{
    const struct book_queue *q = book_queue(b, queue);
    if (h->front[0] == queue) h->front[0] = book_trie_next(b, queue) & ~BOOK_ALONE;
    if (!q->parent) {
        h->root = 0;
        return;
    }
    book_trie_clear(b, h, q->parent, q->key);
}

/* Take an order that is alone out of the trie. */
static inline void book_alone_drop(struct books *b, struct book_half *h, u32 cell)
{
    const struct book_cell *c = book_cell(b, cell);
    if (UNLIKELY(h->front[0] == cell)) {
        h->front[0] = book_trie_next(b, cell) & ~BOOK_ALONE;
        h->best = h->front[h->fronts];
    }
    b->queues.used--;
    book_trie_clear(b, h, c->queue, c->key);
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
        bool joins = book_entry(b, ref)->key == key && !(ref & BOOK_ALONE);
        if (joins) book_fetch(b, book_ring(b, ref)->prev), *way = ref;
        return 0;
    }
    const struct book_node *n = book_node(b, ref);
    u32 shift = n->shift & 63U, digit = book_digit(key, shift);
    u32 inside = !((key ^ n->key) >> shift >> BOOK_TRIE_BITS);
    u32 next = n->child[digit] & -(inside & (u32)n->bits >> digit);
    *way = inside ? ref | (next ? BOOK_TAKEN : 0) : *way;
    const void *child = book_entry(b, next);
    u64 there = sizeof(struct book_entry) + 4UL * book_digit(key, (shift - BOOK_TRIE_BITS) & 63U);
    book_load(child);
    book_load(ptr_at(child, there & -(u64)(next & BOOK_IS_NODE)));
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

/* A level may be dropped: its node. True if it has one, and at most one order. */
static inline bool book_drop_ahead(const struct books *b, u32 level, u64 *key, u32 *node)
{
    const struct book_entry *e = book_entry(b, level);
    *key = e->key;
    *node = e->parent;
    book_load(book_node(b, e->parent));
    bool one = (u32)e->own == (u32)(e->own >> 32); /* of a queue, its first and last order */
    return (e->parent != 0) & (one | ((level & BOOK_ALONE) != 0));
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
    book_load(book_node(b, n->parent));
    return !(other & (other - 1));
}

/* The other child then moves up: itself, and its new place. */
static inline void book_move_ahead(const struct books *b, u32 node, u64 key)
{
    const struct book_node *n = book_node(b, node), *up = book_node(b, n->parent);
    book_load(book_entry(b, n->child[__builtin_ctz(book_other_children(n, key) | 1U << 15)]));
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
        const void *at = book_entry(b, child);
        book_load(at);
        book_load(ptr_at(at, CACHE_LINE & -(u64)(child & BOOK_IS_NODE)));
    }
}

/* Go to the first of the children `bits` of a node, and down from there to a level. A node of which
 * nothing is left (it was freed since) is read all the same. */
static inline u32 book_sweep_go(const struct books *b, struct book_sweep *s, u32 node, u32 bits)
{
    for (;;) {
        const struct book_node *n = book_node(b, node);
        u32 rest = bits & (bits - 1);
        s->node = node;
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
    s->queue[s->end++ % BOOK_SWEEP] = book_sweep_go(b, s, node, later) & ~BOOK_ALONE;
    u32 queue = s->queue[(s->end - BOOK_SWEEP / 4) % BOOK_SWEEP];
    if (!book_is_cell(b, queue)) book_fetch(b, book_ring(b, queue)->next);
}

/* A taker comes to a level: the one that was found, or else a sweep begins, unless it is its first.
 */
BOOK_ASIDE static void book_sweep_ahead(const struct books *b, struct book_half *h, u32 queue,
                                        bool first)
{
    struct book_sweep *s = &h->sweep;
    const struct book_entry *q = book_entry(b, queue);
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
