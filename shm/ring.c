#include "shm/ring.h"

static u32 length_at(const struct ring_rx *rx, u64 at)
{
    return __atomic_load_n((const u32 *)(const void *)(rx->ring->slots + at), __ATOMIC_RELAXED);
}

int ring_copy(struct ring_rx *rx, void *buf, u32 size, u32 length_min)
{
    CHECK(length_min >= 8);
    if (rx->pos == rx->head_cached) {
        u64 head = atomic_load_explicit(&rx->ring->head, memory_order_acquire);
        if (rx->pos == head) return 0;
        if (head - rx->pos > rx->mask + 1 || (head & 7)) return -1;
        rx->head_cached = head;
    }
    u64 at = rx->pos & rx->mask, left = rx->head_cached - rx->pos;
    u32 length = length_at(rx, at);
    if (length == RING_SKIP) {
        u64 skip = rx->mask + 1 - at;
        if (skip > left) return -1;
        rx->pos += skip;
        left -= skip;
        at = 0;
        if (!left) return 0;
        length = length_at(rx, 0);
    }
    if (length < length_min || length > size || (length & 7)) return -1;
    if (length > rx->mask + 1 - at || length > left) return -1;
    racy_copy(buf, rx->ring->slots + at, length);
    *(u32 *)buf = length; /* what was checked is what is used */
    rx->pos += length;
    return (int)length;
}
