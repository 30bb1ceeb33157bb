#include "shm/mark.h"

void mark_begin(struct mark *m, struct log_writer *derived, u64 seq)
{
    *m = (struct mark){.wanted = true, .since = seq};
    derived->digest = 0;
}

void mark_make(struct mark *m, struct log_writer *derived, u64 seq, u64 slice)
{
    if (m->since + MARK_EVERY == seq) {
        m->seq = seq;
        m->sum = mark_mix(mark_mix(derived->digest, derived->seq), slice);
    }
    m->since = seq;
    derived->digest = 0;
}

static u32 slot_of(u64 seq)
{
    return (u32)(seq / MARK_EVERY % PROC_MARKS);
}

void mark_show(struct proc_block *p, const struct mark *m)
{
    struct proc_mark *slot = &p->marks[slot_of(m->seq)];
    if (atomic_load_explicit(&slot->seq, memory_order_relaxed) == m->seq) return;
    atomic_store_explicit(&slot->seq, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&slot->sum, m->sum, memory_order_relaxed);
    atomic_store_explicit(&slot->seq, m->seq, memory_order_release);
}

bool mark_read(const struct proc_block *p, u64 seq, u64 *sum)
{
    const struct proc_mark *slot = &p->marks[slot_of(seq)];
    if (atomic_load_explicit(&slot->seq, memory_order_acquire) != seq) return false;
    *sum = atomic_load_explicit(&slot->sum, memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&slot->seq, memory_order_relaxed) == seq;
}
