/* signal.h: sleeping and waking across processes without a lost wake-up.
 *
 *   waiter                                    producer
 *   ------                                    --------
 *   words = values of its inputs              write the data
 *   look at the inputs; nothing to do         store the head (release)
 *   sleeping = 1                              full fence
 *   full fence                                is a watcher's `sleeping` set?
 *   have the inputs moved? then go on            yes: FUTEX_WAKE own head, or ring its bell
 *   futex_waitv(inputs, words)
 *   sleeping = 0
 *
 * Either the waiter sees the new head, or the producer sees `sleeping`: the two full fences forbid
 * both from missing (Dekker). A waiter writes only to its own region and waits on words of the
 * producers' regions, which it maps read-only. The futex word is the low half of a 64-bit head
 * (little-endian); doze compares all 64 bits, and a head cannot advance by exactly 2^32 in the
 * moment between that and the kernel's own look.
 *
 * Processes that sit in epoll have a bell instead: a FIFO whose read end they poll.
 */
#ifndef EIDOS_SHM_SIGNAL_H
#define EIDOS_SHM_SIGNAL_H

#include "shm/base.h"

#define WATCHERS_MAX   32
#define WAIT_WORDS_MAX 64

/* Where the race between sleeper and waker can turn; a test switches sides here. */
#ifndef SIGNAL_STEP
#define SIGNAL_STEP() ((void)0)
#endif

enum { SIGNAL_AWAKE = 0, SIGNAL_IN_FUTEX = 1, SIGNAL_IN_EPOLL = 2 };

/* Producer's side, process-private: who may sleep on one head of mine. */
struct watch {
    _Atomic u64 *head; /* the published word, in the producer's own region */
    u32 count;
    int bells[WATCHERS_MAX];                   /* FIFO to write to, or -1 */
    const _Atomic u32 *sleeping[WATCHERS_MAX]; /* each watcher's flag, in its own region */
};

/* Waiter's side, process-private: the inputs it sleeps on, and its flag. */
struct waiter {
    _Atomic u32 *sleeping; /* in the waiter's own region */
    u32 count;
    const _Atomic u64 *heads[WAIT_WORDS_MAX];
    u64 seen[WAIT_WORDS_MAX];
};

/* Add a watcher; `bell` is -1 for one that sleeps in futex. Returns -1 when there is no room. */
int watch_add(struct watch *w, const _Atomic u32 *sleeping, int bell);

/* The slow half of watch_notify: wakes those whose flag is set. A full bell is rung already. */
void watch_wake(struct watch *w);

/* After publishing: full fence, then wake those who sleep. Nearly free when nobody does. */
static inline void watch_notify(struct watch *w)
{
    if (!w->count) return;
    SIGNAL_STEP(); /* the head is stored */
    atomic_thread_fence(memory_order_seq_cst);
    for (u32 i = 0; i < w->count; i++)
        if (UNLIKELY(atomic_load_explicit(w->sleeping[i], memory_order_relaxed))) {
            watch_wake(w);
            return;
        }
}

/* Add an input. Returns -1 when there is no room. */
int waiter_add(struct waiter *w, const _Atomic u64 *head);

/* Remember the inputs' values; call before looking at them. */
static inline void waiter_look(struct waiter *w)
{
    for (u32 i = 0; i < w->count; i++)
        w->seen[i] = atomic_load_explicit(w->heads[i], memory_order_acquire);
}

/* Set the flag to `how`, fence, and say whether every input still has the value seen. When false
 * the flag is already cleared and the caller should look again. */
bool waiter_doze(struct waiter *w, u32 how);

/* Clear the flag. */
void waiter_rise(struct waiter *w);

/* waiter_doze + futex_waitv + waiter_rise, at most `timeout_ns` (> 0). Returns early on a signal.
 * Falls back to FUTEX_WAIT in slices of 1 ms where the kernel has no futex_waitv (before 5.16);
 * with no inputs at all it sleeps by the clock. */
void waiter_sleep(struct waiter *w, u64 timeout_ns);

#endif
