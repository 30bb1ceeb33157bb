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

void mark_note(struct mark_check *c, const struct mark *m)
{
    if (m->seq == c->noted) return;
    c->noted = m->seq;
    c->held[slot_of(m->seq)].seq = m->seq;
    c->held[slot_of(m->seq)].sum = m->sum;
}

u64 mark_compare(struct mark_check *c, const struct proc_block *primary)
{
    for (u32 i = 0; i < PROC_MARKS; i++) {
        u64 seq = c->held[i].seq, theirs;
        if (!seq || !mark_read(primary, seq, &theirs)) continue;
        if (theirs != c->held[i].sum) return seq;
        c->held[i].seq = 0;
        c->checked = max_u64(c->checked, seq);
    }
    return 0;
}
