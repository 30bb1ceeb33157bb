/* explore_hooks.c: what gcc's and clang's -fsanitize=thread calls, in place of its runtime. */
#include "tests/interleave/explore_inside.h"

enum { RELAXED = 0, ACQUIRE = 2, RELEASE = 3, ACQ_REL = 4, SEQ_CST = 5 };

static bool releases(int order)
{
    return order >= RELEASE;
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the names are the compiler's */
#define ATOMICS(type, bits) \
    type __tsan_atomic##bits##_load(const volatile type *at, int order); \
    type __tsan_atomic##bits##_load(const volatile type *at, int order) \
    { \
        return (type)explore_load((const void *)at, sizeof(type), order == SEQ_CST); \
    } \
    void __tsan_atomic##bits##_store(volatile type *at, type value, int order); \
    void __tsan_atomic##bits##_store(volatile type *at, type value, int order) \
    { \
        explore_store((void *)at, value, sizeof(type), releases(order), order == SEQ_CST); \
    } \
    type __tsan_atomic##bits##_fetch_add(volatile type *at, type value, int order); \
    type __tsan_atomic##bits##_fetch_add(volatile type *at, type value, int order) \
    { \
        (void)order; \
        type *now = (type *)explore_update((void *)at, sizeof(type)), was = *now; \
        *now = (type)(was + value); \
        return was; \
    } \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile type *at, type *want, type value, \
                                                      int good, int bad); \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile type *at, type *want, type value, \
                                                      int good, int bad) \
    { \
        (void)good; \
        (void)bad; \
        type *now = (type *)explore_update((void *)at, sizeof(type)), was = *now; \
        bool same = was == *want; \
        if (same) *now = value; \
        *want = was; \
        return same; \
    } \
    type __tsan_atomic##bits##_compare_exchange_val(volatile type *at, type want, type value, \
                                                    int good, int bad); \
    type __tsan_atomic##bits##_compare_exchange_val(volatile type *at, type want, type value, \
                                                    int good, int bad) \
    { \
        __tsan_atomic##bits##_compare_exchange_strong(at, &want, value, good, bad); \
        return want; \
    }
ATOMICS(u8, 8)
ATOMICS(u16, 16)
ATOMICS(u32, 32)
ATOMICS(u64, 64)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
    explore_fence(releases(order), order == SEQ_CST);
}

void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_signal_fence(int order)
{
    (void)order;
}

#define PLAIN_ONE(name, bytes, writes) \
    void __tsan_##name(void *at); \
    void __tsan_##name(void *at) \
    { \
        explore_plain(at, (bytes), (writes)); \
    }
#define PLAIN(bytes) \
    PLAIN_ONE(read##bytes, bytes, false) \
    PLAIN_ONE(write##bytes, bytes, true) \
    PLAIN_ONE(unaligned_read##bytes, bytes, false) \
    PLAIN_ONE(unaligned_write##bytes, bytes, true)
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *at, unsigned long bytes);
void __tsan_read_range(void *at, unsigned long bytes)
{
    explore_plain(at, (u32)bytes, false);
}

void __tsan_write_range(void *at, unsigned long bytes);
void __tsan_write_range(void *at, unsigned long bytes)
{
    explore_plain(at, (u32)bytes, true);
}

void __tsan_func_entry(void *caller);
void __tsan_func_entry(void *caller)
{
    (void)caller;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}

void __tsan_init(void);
void __tsan_init(void)
{
}
/* NOLINTEND(bugprone-reserved-identifier) */

void explore_print(const struct explore_step *steps, u64 count)
{
    static const char *const names[] = {
        [EXPLORE_LOAD] = "load",
        [EXPLORE_STORE] = "store",
        [EXPLORE_HELD] = "store, held back",
        [EXPLORE_FENCE] = "fence",
        [EXPLORE_PLAIN] = "plain",
        [EXPLORE_UPDATE] = "update",
        [EXPLORE_WAKE] = "futex wake",
        [EXPLORE_WAIT] = "futex wait",
        [EXPLORE_RING] = "ring bell",
        [EXPLORE_POLL] = "poll",
        [EXPLORE_IDLE] = "idle",
        [EXPLORE_KILLED] = "killed",
        [EXPLORE_END] = "end",
    };
    for (u64 i = 1; i < count; i++)
        printf("  %3lu  thread %u  %-16s %p = %lu\n", i, steps[i].thread, names[steps[i].op],
               steps[i].at, steps[i].value);
}
