/* hist.h: a histogram of u64 (nanoseconds, mostly) with a bounded relative error, as bare words.
 *
 *   words:  count | sum | max | bucket 0, bucket 1, ...
 *
 *   value   0 .. 2^(b+1)-1   2^(b+1) .. 2^(b+2)-1   ...   2^39 .. 2^40-1 and beyond
 *   bucket  one each         2 values each          ...   2^(39-b) values each      (b = bits)
 *
 * Log-linear buckets as in Gil Tene's HdrHistogram: each power of two is cut into 2^bits equal
 * parts, so a value is known to one part in 2^bits, wherever it lies. Recording is a count of
 * leading zeros, a shift and four relaxed loads and stores: a few nanoseconds, no branch that
 * matters, no allocation. `bits` should be a constant at the call, the compiler then folds it.
 *
 *   bits  error    words    for
 *   5     3 %      1,155    metrics in shared memory (METRIC_HISTOGRAM)
 *   10    0.1 %   31,747    measurements of their own, in private memory
 *
 *   _Atomic u64 *h = calloc(HIST_WORDS(10), sizeof *h);     zeroed words are an empty histogram
 *   hist_record(h, 10, took_ns);
 *   printf("p99.9 %lu ns\n", hist_quantile(h, 10, 999000));
 *
 * One writer, any number of readers at any time, in any process: a reader sees each word whole, and
 * words of slightly different moments. Several writers (threads) have one histogram each, and a
 * reader adds them up (hist_add). What happened between two looks is their difference (hist_sub).
 */
#ifndef EIDOS_SHM_HIST_H
#define EIDOS_SHM_HIST_H

#include "shm/base.h"

#define HIST_TOP           40U /* 2^40 ns are 18 minutes; what is longer counts as that */
#define HIST_HEAD          3U  /* count, sum, max */
#define HIST_BUCKETS(bits) ((HIST_TOP - (bits) + 1) << (bits))
#define HIST_WORDS(bits)   (HIST_HEAD + HIST_BUCKETS(bits))

/* Bucket of a value; bits in [1, 16]. */
static inline u32 hist_bucket(u64 value, u32 bits)
{
    u64 v = min_u64(value, (1UL << HIST_TOP) - 1);
    u32 shift = 63U - (u32)__builtin_clzl(v | 1UL << bits) - bits;
    return (shift << bits) + (u32)(v >> shift);
}

/* Smallest value of a bucket; the one after the last bucket begins at 2^HIST_TOP. */
static inline u64 hist_floor(u32 bucket, u32 bits)
{
    u32 part = bucket >> bits;
    if (part < 2) return bucket;
    return (u64)(bucket - ((part - 1) << bits)) << (part - 1);
}

static inline u64 hist_word(const _Atomic u64 *h, u32 at)
{
    return atomic_load_explicit(&h[at], memory_order_relaxed);
}

static inline u64 hist_count(const _Atomic u64 *h)
{
    return hist_word(h, 0);
}

static inline u64 hist_sum(const _Atomic u64 *h)
{
    return hist_word(h, 1);
}

/* Exact, unlike what the buckets tell. */
static inline u64 hist_max(const _Atomic u64 *h)
{
    return hist_word(h, 2);
}

static inline u64 hist_mean(const _Atomic u64 *h)
{
    u64 count = hist_count(h);
    return count ? hist_sum(h) / count : 0;
}

/* Count `n` equal values. The writer only. */
static inline void hist_record_n(_Atomic u64 *h, u32 bits, u64 value, u64 n)
{
    _Atomic u64 *bucket = &h[HIST_HEAD + hist_bucket(value, bits)];
    atomic_store_explicit(bucket, atomic_load_explicit(bucket, memory_order_relaxed) + n,
                          memory_order_relaxed);
    atomic_store_explicit(&h[0], hist_word(h, 0) + n, memory_order_relaxed);
    atomic_store_explicit(&h[1], hist_word(h, 1) + n * value, memory_order_relaxed);
    if (UNLIKELY(value > hist_word(h, 2)))
        atomic_store_explicit(&h[2], value, memory_order_relaxed);
}

static inline void hist_record(_Atomic u64 *h, u32 bits, u64 value)
{
    hist_record_n(h, bits, value, 1);
}

/* Values at most as large as `ppm` parts per million of all are (990000: p99): the largest that its
 * bucket may hold, never more than the maximum; 0 = empty. Any reader. */
u64 hist_quantile(const _Atomic u64 *h, u32 bits, u32 ppm);

/* How many values are below `limit`, rounded to the buckets: exact for powers of two. */
u64 hist_below(const _Atomic u64 *h, u32 bits, u64 limit);

/* Add `from` to `to`, of the same bits. `to` is the caller's alone. */
void hist_add(_Atomic u64 *to, const _Atomic u64 *from, u32 bits);

/* Take an earlier look `before` away from the later `h`, the caller's alone. The maximum becomes
 * the end of the highest bucket that is left. Words that shrank (its writer was made anew) stay. */
void hist_sub(_Atomic u64 *h, const _Atomic u64 *before, u32 bits);

#endif
