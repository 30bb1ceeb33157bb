/* ring.h: a single-producer single-consumer queue of messages of varying length.
 *
 *   producer's region                         consumer's region (its proc block)
 *   +--------+------------------------+       +------+
 *   |  head  | slots, a power of two  |       | tail |
 *   +--------+------------------------+       +------+
 *
 * head and tail count bytes since the ring was made and never wrap; a slot is at pos & mask. A
 * message is 8-byte aligned, begins with its u32 length, and lies in one piece: where it would not
 * fit before the end, the producer writes RING_SKIP and goes on at the beginning. Each side writes
 * its own counter only (release) and reads the other's (acquire). Both counters survive their
 * process: a restarted side joins and goes on where its predecessor had published.
 */
#ifndef EIDOS_SHM_RING_H
#define EIDOS_SHM_RING_H

#include "shm/base.h"
#include "shm/signal.h"

#define RING_MAGIC 0x31474e4952534445UL /* "EDSRING1" */
#define RING_SKIP  UINT32_MAX

struct ring {
    u64 magic;
    u64 capacity; /* bytes, a power of two */
    u8 zero[48];
    alignas(CACHE_LINE) _Atomic u64 head;
    u8 zero2[56];
    u8 slots[];
};
SIZE_IS(struct ring, 128);
OFFSET_IS(struct ring, head, 64);
OFFSET_IS(struct ring, slots, 128);

/* Process-private ends. */
struct ring_tx {
    struct ring *ring;
    const _Atomic u64 *tail; /* consumer's */
    u64 mask;
    u64 head;        /* next byte to write */
    u64 tail_cached; /* tail as last seen */
    struct watch watch;
};

struct ring_rx {
    const struct ring *ring;
    _Atomic u64 *tail; /* own */
    u64 mask;
    u64 pos;         /* next byte to read */
    u64 head_cached; /* head as last seen */
};

static inline u64 ring_align(void)
{
    return CACHE_LINE;
}

/* Bytes for a ring of `capacity`, a power of two in [4096, 2^40]; 0 = impossible. */
static inline u64 ring_footprint(u64 capacity)
{
    if (!is_pow2(capacity) || capacity < 4096 || capacity > 1UL << 40) return 0;
    return sizeof(struct ring) + capacity;
}

/* Format zeroed memory of ring_footprint bytes. */
static inline void ring_new(void *memory, u64 capacity)
{
    struct ring *r = memory;
    r->capacity = capacity;
    atomic_store_explicit(&r->head, 0, memory_order_relaxed);
    r->magic = RING_MAGIC;
}

/* Give up an end, and forget the format: the memory is the caller's again. */
static inline void ring_leave_tx(struct ring_tx *tx)
{
    *tx = (struct ring_tx){0};
}

static inline void ring_leave_rx(struct ring_rx *rx)
{
    *rx = (struct ring_rx){0};
}

static inline void ring_delete(void *memory)
{
    struct ring *r = memory;
    CHECK(r->magic == RING_MAGIC);
    r->magic = 0;
}

/* Join as the producer; `tail` lives in the consumer's region and outlives this end. */
static inline void ring_join_tx(struct ring_tx *tx, struct ring *r, const _Atomic u64 *tail)
{
    CHECK(r->magic == RING_MAGIC);
    *tx = (struct ring_tx){.ring = r, .tail = tail, .mask = r->capacity - 1};
    tx->head = atomic_load_explicit(&r->head, memory_order_acquire);
    tx->tail_cached = atomic_load_explicit(tail, memory_order_acquire);
    tx->watch.head = &r->head;
}

/* Join as the consumer; `tail` is in the consumer's own region. */
static inline void ring_join_rx(struct ring_rx *rx, const struct ring *r, _Atomic u64 *tail)
{
    CHECK(r->magic == RING_MAGIC);
    *rx = (struct ring_rx){.ring = r, .tail = tail, .mask = r->capacity - 1};
    rx->pos = atomic_load_explicit(tail, memory_order_acquire);
    rx->head_cached = rx->pos;
}

/* Room for a message of `length` (multiple of 8, at most a quarter of the capacity), or NULL while
 * the consumer is behind. The memory is the caller's until ring_push. */
static inline void *ring_alloc(struct ring_tx *tx, u32 length)
{
    u64 at = tx->head & tx->mask, end = tx->mask + 1;
    u64 skip = at + length > end ? end - at : 0;
    if (UNLIKELY(tx->head + skip + length - tx->tail_cached > end)) {
        tx->tail_cached = atomic_load_explicit(tx->tail, memory_order_acquire);
        if (tx->head + skip + length - tx->tail_cached > end) return NULL;
    }
    if (UNLIKELY(skip)) {
        CHECK(tx->ring);
        *(u32 *)(void *)(tx->ring->slots + at) = RING_SKIP;
        tx->head += skip;
        at = 0;
    }
    return tx->ring->slots + at;
}

/* Count the allocated message as written; visible to the consumer at the next ring_publish. */
static inline void ring_push(struct ring_tx *tx, u32 length)
{
    tx->head += length;
}

/* Show all pushed messages (release) and wake the consumer if it sleeps. */
static inline void ring_publish(struct ring_tx *tx)
{
    if (atomic_load_explicit(&tx->ring->head, memory_order_relaxed) == tx->head) return;
    atomic_store_explicit(&tx->ring->head, tx->head, memory_order_release);
    watch_notify(&tx->watch);
}

/* The next message in place, or NULL. It stays valid until ring_pop + ring_release. A consumer that
 * does not trust its producer copies it out before it looks (ring_copy). */
static inline const void *ring_peek(struct ring_rx *rx)
{
    for (;;) {
        if (rx->pos == rx->head_cached) {
            rx->head_cached = atomic_load_explicit(&rx->ring->head, memory_order_acquire);
            if (rx->pos == rx->head_cached) return NULL;
        }
        u64 at = rx->pos & rx->mask;
        const void *p = rx->ring->slots + at;
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a joined end has its ring */
        if (LIKELY(*(const u32 *)p != RING_SKIP)) return p;
        rx->pos += rx->mask + 1 - at;
    }
}

/* The message at *pos or behind what is skipped there, if ring_peek has seen that far; else NULL.
 * For hints about messages to come: it does not look at the producer's counter, which would cost a
 * cache line's way between two cores each time. */
static inline const void *ring_known(const struct ring_rx *rx, u64 *pos)
{
    while (*pos != rx->head_cached) {
        u64 at = *pos & rx->mask;
        const void *p = rx->ring->slots + at;
        if (LIKELY(*(const u32 *)p != RING_SKIP)) return p;
        *pos += rx->mask + 1 - at;
    }
    return NULL;
}

/* Step over the message of `length` just peeked. */
static inline void ring_pop(struct ring_rx *rx, u32 length)
{
    rx->pos += length;
}

/* Go on at `pos` if that is further on: what lies before it, all of it published, was consumed by a
 * predecessor that did not live to release it. */
static inline void ring_skip_to(struct ring_rx *rx, u64 pos)
{
    if (pos > rx->pos) rx->pos = rx->head_cached = pos;
}

/* Give all popped messages' room back to the producer (release). */
static inline void ring_release(struct ring_rx *rx)
{
    atomic_store_explicit(rx->tail, rx->pos, memory_order_release);
}

/* Copy the next message, of a producer that may be hostile, into `buf` of `size` bytes (8-byte
 * aligned) and step over it. `length_min` is at least 8. Returns its length; 0 = nothing there;
 * -1 = not a message (bad length or head): the ring is broken, and stays so. */
int ring_copy(struct ring_rx *rx, void *buf, u32 size, u32 length_min);

#endif
