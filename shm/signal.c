#include "shm/signal.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a futex word is the head's low half");

#define SECOND_NS 1000000000UL
#define SLICE_NS  1000000UL

int watch_add(struct watch *w, const _Atomic u32 *sleeping, int bell)
{
    if (w->count == WATCHERS_MAX) return -1;
    w->bells[w->count] = bell;
    w->sleeping[w->count++] = sleeping;
    return 0;
}

void watch_wake(struct watch *w)
{
    bool futex = false;
    for (u32 i = 0; i < w->count; i++) {
        u32 how = atomic_load_explicit(w->sleeping[i], memory_order_relaxed);
        if (how == SIGNAL_IN_FUTEX) futex = true;
        if (how == SIGNAL_IN_EPOLL && w->bells[i] >= 0)
            while (write(w->bells[i], "", 1) < 0 && errno == EINTR) {
            }
    }
    if (futex) syscall(SYS_futex, w->head, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

int waiter_add(struct waiter *w, const _Atomic u64 *head)
{
    if (w->count == WAIT_WORDS_MAX) return -1;
    w->heads[w->count++] = head;
    return 0;
}

static bool has_moved(const struct waiter *w)
{
    for (u32 i = 0; i < w->count; i++)
        if (atomic_load_explicit(w->heads[i], memory_order_relaxed) != w->seen[i]) return true;
    return false;
}

bool waiter_doze(struct waiter *w, u32 how)
{
    atomic_store_explicit(w->sleeping, how, memory_order_relaxed);
    SIGNAL_STEP(); /* the flag is stored */
    atomic_thread_fence(memory_order_seq_cst);
    if (!has_moved(w)) return true;
    waiter_rise(w);
    return false;
}

void waiter_rise(struct waiter *w)
{
    atomic_store_explicit(w->sleeping, SIGNAL_AWAKE, memory_order_relaxed);
}

static struct timespec time_of(u64 ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / SECOND_NS), .tv_nsec = (long)(ns % SECOND_NS)};
}

static u64 now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * SECOND_NS + (u64)t.tv_nsec;
}

/* One word at a time is all an old kernel can wait on: look at the others every millisecond. */
static void wait_in_slices(const struct waiter *w, u64 until_ns)
{
    for (u64 now; !has_moved(w) && (now = now_ns()) < until_ns;) {
        struct timespec slice = time_of(min_u64(until_ns - now, SLICE_NS));
        if (syscall(SYS_futex, w->heads[0], FUTEX_WAIT, (u32)w->seen[0], &slice, NULL, 0) < 0 &&
            errno == EINTR)
            return;
    }
}

static void wait_all(const struct waiter *w, u64 timeout_ns)
{
    struct futex_waitv words[WAIT_WORDS_MAX];
    for (u32 i = 0; i < w->count; i++)
        words[i] = (struct futex_waitv){
            .val = (u32)w->seen[i], .uaddr = (u64)(uintptr_t)w->heads[i], .flags = FUTEX_32};
    u64 until_ns = now_ns() + timeout_ns;
    struct timespec until = time_of(until_ns);
    if (syscall(SYS_futex_waitv, words, w->count, 0, &until, CLOCK_MONOTONIC) < 0 &&
        errno == ENOSYS)
        wait_in_slices(w, until_ns);
}

void waiter_sleep(struct waiter *w, u64 timeout_ns)
{
    if (!w->count) {
        struct timespec pause = time_of(timeout_ns);
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        return;
    }
    if (!waiter_doze(w, SIGNAL_IN_FUTEX)) return;
    wait_all(w, timeout_ns);
    waiter_rise(w);
}
