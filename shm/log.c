#include "shm/log.h"

u64 log_footprint(u64 capacity)
{
    if (!is_pow2(capacity) || capacity < 1UL << 20 || capacity > 1UL << 40) return 0;
    u64 marks = capacity / LOG_CHUNK * sizeof(struct log_mark);
    return align_up(sizeof(struct log) + marks, 4096) + capacity;
}

static struct log_mark *marks_of(const struct log *log)
{
    return (struct log_mark *)(void *)((u8 *)(uintptr_t)log + log->marks);
}

void log_new(void *memory, u64 capacity, u64 seq_last)
{
    struct log *log = memory;
    u64 marks = capacity / LOG_CHUNK * sizeof(struct log_mark);
    log->capacity = capacity;
    log->marks = sizeof(struct log);
    log->data = align_up(sizeof(struct log) + marks, 4096);
    memset(marks_of(log), 0, marks);
    atomic_store_explicit(&log->claim, 0, memory_order_relaxed);
    atomic_store_explicit(&log->first_seq, seq_last + 1, memory_order_relaxed);
    atomic_store_explicit(&log->seq, seq_last, memory_order_relaxed);
    atomic_store_explicit(&log->head, 0, memory_order_release);
    log->magic = LOG_MAGIC;
}

void log_join_writer(struct log_writer *w, struct log *log)
{
    CHECK(log->magic == LOG_MAGIC);
    *w = (struct log_writer){.log = log, .data = (u8 *)log + log->data, .mask = log->capacity - 1};
    w->head = atomic_load_explicit(&log->head, memory_order_acquire);
    w->published = w->head;
    w->seq = atomic_load_explicit(&log->seq, memory_order_relaxed);
    /* A predecessor may have died between its two stores; the records themselves are the truth. */
    struct log_reader r;
    log_join_reader(&r, log);
    u64 found = 0;
    if (log_seek(&r, 0) == 0 || (w->seq && log_seek(&r, w->seq - 1) == 0))
        for (const struct rec *rec; (rec = log_peek(&r)); log_advance(&r, rec)) found = rec->seq;
    w->seq = found ? found : w->seq;
    w->watch.head = &log->head;
    w->gate = w->head;
}

int log_add_gate(struct log_writer *w, const _Atomic u64 *cursor)
{
    if (w->gate_count == LOG_GATES_MAX) return -1;
    w->gates[w->gate_count++] = cursor;
    w->gate = 0;
    return log_room_again(w, 0), 0;
}

bool log_room_again(struct log_writer *w, u64 bytes)
{
    u64 slowest = w->head;
    for (u32 i = 0; i < w->gate_count; i++) {
        u64 cursor = atomic_load_explicit(w->gates[i], memory_order_acquire);
        if (cursor < slowest) slowest = cursor;
    }
    w->gate = slowest;
    return w->head + bytes + RECORD_BYTES_MAX - slowest <= w->mask + 1;
}

/* The record just committed crosses into a new chunk; the next one begins there. */
void log_mark_chunk(struct log_writer *w)
{
    const struct rec *rec = (const struct rec *)(const void *)(w->data + (w->head & w->mask));
    u64 next = w->head + rec->length;
    struct log_mark *mark = &marks_of(w->log)[(next & w->mask) / LOG_CHUNK];
    atomic_store_explicit(&mark->seq, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&mark->pos, next, memory_order_relaxed);
    atomic_store_explicit(&mark->seq, w->seq + 1, memory_order_release);
}

void log_join_reader(struct log_reader *r, const struct log *log)
{
    CHECK(log->magic == LOG_MAGIC);
    *r = (struct log_reader){.log = log, .data = (const u8 *)log + log->data};
    r->mask = log->capacity - 1;
    r->pos = atomic_load_explicit(&log->head, memory_order_acquire);
    r->head_cached = r->pos;
    r->seq = atomic_load_explicit(&log->seq, memory_order_relaxed);
}

static bool was_lapped(const struct log_reader *r)
{
    atomic_thread_fence(memory_order_acquire);
    u64 claim = atomic_load_explicit(&r->log->claim, memory_order_relaxed);
    return claim > r->mask + 1 && r->pos < claim - (r->mask + 1);
}

/* The newest mark with sequence <= `seq` + 1, as a position; the log's beginning if none. */
static u64 start_for(const struct log *log, u64 seq, u64 *at_seq)
{
    const struct log_mark *marks = marks_of(log);
    u64 best_pos = 0, best_seq = atomic_load_explicit(&log->first_seq, memory_order_acquire);
    for (u64 i = 0; i < log->capacity / LOG_CHUNK; i++) {
        u64 s = atomic_load_explicit(&marks[i].seq, memory_order_acquire);
        u64 p = atomic_load_explicit(&marks[i].pos, memory_order_relaxed);
        atomic_thread_fence(memory_order_acquire);
        if (s != atomic_load_explicit(&marks[i].seq, memory_order_relaxed)) continue;
        if (s && s <= seq + 1 && s > best_seq) best_seq = s, best_pos = p;
    }
    *at_seq = best_seq;
    return best_pos;
}

int log_seek(struct log_reader *r, u64 seq)
{
    u64 at;
    r->head_cached = atomic_load_explicit(&r->log->head, memory_order_acquire);
    r->pos = start_for(r->log, seq, &at);
    r->seq = at - 1;
    if (at > seq + 1 || was_lapped(r)) return -1;
    while (r->seq < seq && r->pos < r->head_cached) {
        u64 left = r->mask + 1 - (r->pos & r->mask);
        const struct rec *rec = (const struct rec *)(const void *)(r->data + (r->pos & r->mask));
        u64 rec_seq = __atomic_load_n(&rec->seq, __ATOMIC_RELAXED);
        u64 step = rec_seq ? __atomic_load_n(&rec->length, __ATOMIC_RELAXED) : left;
        if (was_lapped(r)) return -1;
        r->pos += step;
        if (rec_seq) r->seq = rec_seq;
    }
    return r->seq == seq ? 0 : -1;
}

bool rec_is_whole(const struct rec *rec)
{
    static const u32 no_crc = 0;
    const u8 *p = (const u8 *)rec;
    u32 at = offsetof(struct rec, crc);
    u32 crc = crc32c(0, p, at);
    crc = crc32c(crc, &no_crc, sizeof no_crc);
    return crc32c(crc, p + at + 4, rec->length - at - 4) == rec->crc;
}

int log_copy(struct log_reader *r, void *buf, u64 cause_max)
{
    for (;;) {
        u64 head = atomic_load_explicit(&r->log->head, memory_order_acquire);
        if (r->pos == head) return 0;
        u64 at = r->pos & r->mask, left = r->mask + 1 - at;
        if (left < sizeof(struct rec)) {
            r->pos += left;
            continue;
        }
        struct rec rec;
        memcpy(&rec, r->data + at, sizeof rec);
        if (was_lapped(r)) return -1;
        if (!rec.seq) {
            r->pos += left;
            continue;
        }
        if (rec.cause > cause_max) return 0;
        CHECK(rec.length >= sizeof rec && rec.length <= RECORD_BYTES_MAX && rec.length <= left);
        memcpy(buf, r->data + at, rec.length);
        if (was_lapped(r)) return -1;
        r->seq = rec.seq;
        r->pos += rec.length;
        return (int)rec.length;
    }
}
