#include "shm/hist.h"

static void put(_Atomic u64 *word, u64 value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

/* The largest value of a bucket. */
static u64 ceiling(u32 bucket, u32 bits)
{
    return hist_floor(bucket + 1, bits) - 1;
}

u64 hist_quantile(const _Atomic u64 *h, u32 bits, u32 ppm)
{
    u64 all = 0, seen = 0;
    for (u32 i = 0; i < HIST_BUCKETS(bits); i++) all += hist_word(h, HIST_HEAD + i);
    u64 rank = (u64)(((u128)all * ppm + 999999) / 1000000);
    if (!all) return 0;
    for (u32 i = 0; i + 1 < HIST_BUCKETS(bits); i++) {
        seen += hist_word(h, HIST_HEAD + i);
        if (seen && seen >= rank) return min_u64(ceiling(i, bits), hist_max(h));
    }
    return hist_max(h); /* beyond the last bucket's begin only the maximum is known */
}

u64 hist_below(const _Atomic u64 *h, u32 bits, u64 limit)
{
    u64 n = 0;
    u32 end = limit >> HIST_TOP ? HIST_BUCKETS(bits) : hist_bucket(limit, bits);
    for (u32 i = 0; i < end; i++) n += hist_word(h, HIST_HEAD + i);
    return n;
}

void hist_add(_Atomic u64 *to, const _Atomic u64 *from, u32 bits)
{
    put(&to[0], hist_count(to) + hist_count(from));
    put(&to[1], hist_sum(to) + hist_sum(from));
    put(&to[2], max_u64(hist_max(to), hist_max(from)));
    for (u32 i = HIST_HEAD; i < HIST_WORDS(bits); i++)
        put(&to[i], hist_word(to, i) + hist_word(from, i));
}

void hist_sub(_Atomic u64 *h, const _Atomic u64 *before, u32 bits)
{
    u32 last = UINT32_MAX;
    for (u32 i = 0; i < HIST_WORDS(bits); i++) {
        u64 now = hist_word(h, i), then = hist_word(before, i);
        if (i != 2 && now >= then) put(&h[i], now - then);
        if (i >= HIST_HEAD && hist_word(h, i)) last = i - HIST_HEAD;
    }
    put(&h[2], last == UINT32_MAX ? 0 : min_u64(hist_max(h), ceiling(last, bits)));
}
