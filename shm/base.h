/* base.h: the words every file uses. No state, no functions that do I/O.
 *
 *   u8..u64, i64, u128    fixed-width integers; money and counts are never floating point
 *   CHECK(cond)           an assertion that is always on; prints where and why, then aborts
 *   SIZE_IS, OFFSET_IS    layout promises of shared structures, kept at compile time
 *   CACHE_LINE            shared indexes that two processes touch sit on lines of their own
 */
#ifndef EIDOS_SHM_BASE_H
#define EIDOS_SHM_BASE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;
typedef unsigned __int128 u128;

#define CACHE_LINE 64U
#define HUGE_PAGE  (2UL << 20)

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* Layout promises: a shared structure whose size or field moves must fail to compile. */
#define SIZE_IS(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " changed its size")
#define OFFSET_IS(type, field, bytes) \
    _Static_assert(offsetof(type, field) == (bytes), #type "." #field " moved")

/* Always on: a state that may not be must not go on. Never for bad input, which gets an error. */
#define CHECK(cond) \
    do { \
        if (UNLIKELY(!(cond))) check_failed(#cond, __FILE__, __LINE__); \
    } while (0)

/* How a program that has a log says its last; stderr for those that do not. */
void last_words(const char *message) __attribute__((weak));

__attribute__((noreturn, cold)) static inline void check_failed(const char *cond, const char *file,
                                                                int line)
{
    char text[512];
    snprintf(text, sizeof text, "broken invariant `%s` at %s:%d; stopping before it spreads", cond,
             file, line);
    if (last_words) last_words(text);
    else fprintf(stderr, "eidos: %s\n", text);
    abort();
}

/* Next multiple of `align`, a power of two. */
static inline u64 align_up(u64 x, u64 align)
{
    return (x + align - 1) & ~(align - 1);
}

static inline bool is_pow2(u64 x)
{
    return x && !(x & (x - 1));
}

/* Smallest power of two >= x; x in [1, 2^63]. */
static inline u64 pow2_up(u64 x)
{
    return x <= 1 ? 1 : 1UL << (64 - __builtin_clzl(x - 1));
}

static inline u64 min_u64(u64 a, u64 b)
{
    return a < b ? a : b;
}

static inline u64 max_u64(u64 a, u64 b)
{
    return a > b ? a : b;
}

/* GCC's race detector does not know fences and says so. Ours order atomics, and reads that are
 * thrown away when they turn out torn (RACY_READ), so nothing is lost by that. */
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wtsan"
#endif

/* A function that reads memory its writer may be overwriting, and checks afterwards. */
#ifndef RACY_READ /* where every access counts (tests/interleave) it is empty */
#define RACY_READ __attribute__((no_sanitize("thread")))
#endif

/* Copy `bytes`, a multiple of 8, word by word, from memory that may change, or to memory that may
 * be read, meanwhile. */
RACY_READ static inline void racy_copy(void *to, const void *from, u64 bytes)
{
    typedef u64 __attribute__((may_alias)) word;
    word *t = to;
    const word *f = from;
    for (u64 i = 0; i < bytes / 8; i++)
        __atomic_store_n(&t[i], __atomic_load_n(&f[i], __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

/* The place `offset` bytes into an object. What it points to is as writable as the object is
 * mapped: readers and the writer of a shared object share their functions. */
static inline void *ptr_at(const void *object, u64 offset)
{
    return (void *)((uintptr_t)object + offset); /* NOLINT(performance-no-int-to-ptr) */
}

static inline void cpu_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    __asm__ volatile("yield");
#endif
}

#endif
