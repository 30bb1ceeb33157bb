#include "shm/ring.h"

#include <string.h>

int ring_copy(struct ring_rx *rx, void *buf, u32 size, u32 length_min)
{
    u64 head = atomic_load_explicit(&rx->ring->head, memory_order_acquire);
    if (rx->pos == head) return 0;
    if (head - rx->pos > rx->mask + 1 || (head & 7)) return -1;
    u64 at = rx->pos & rx->mask;
    u32 length =
        __atomic_load_n((const u32 *)(const void *)(rx->ring->slots + at), __ATOMIC_RELAXED);
    if (length == RING_SKIP) {
        rx->pos += rx->mask + 1 - at;
        if (rx->pos > head) return -1;
        if (rx->pos == head) return 0;
        at = 0;
        length = __atomic_load_n((const u32 *)(const void *)rx->ring->slots, __ATOMIC_RELAXED);
    }
    if (length < length_min || length > size || (length & 7)) return -1;
    if (at + length > rx->mask + 1 || length > head - rx->pos) return -1;
    memcpy(buf, rx->ring->slots + at, length);
    memcpy(buf, &length, sizeof length); /* what was checked is what is used */
    rx->pos += length;
    return (int)length;
}
