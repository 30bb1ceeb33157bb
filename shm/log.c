#include "shm/log.h"

u64 log_footprint(u64 capacity)
{
    if (!is_pow2(capacity) || capacity < 1UL << 20 || capacity > 1UL << 40) return 0;
    u64 marks = capacity / LOG_CHUNK * sizeof(struct log_mark);
    return align_up(sizeof(struct log) + marks, 4096) + capacity;
}

static struct log_mark *marks_of(struct log *log)
{
    return (struct log_mark *)(void *)((u8 *)log + log->marks);
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

void log_leave_writer(struct log_writer *w)
{
    *w = (struct log_writer){0};
}

void log_leave_reader(struct log_reader *r)
{
    *r = (struct log_reader){0};
}

void log_delete(void *memory)
{
    struct log *log = memory;
    CHECK(log->magic == LOG_MAGIC);
    log->magic = 0;
}

/* Has the writer claimed the bytes at the reader's position? Asked after they were read. */
static bool was_lapped(const struct log_reader *r)
{
    atomic_thread_fence(memory_order_acquire);
    u64 claim = atomic_load_explicit(&r->log->claim, memory_order_relaxed);
    return claim > r->mask + 1 && r->pos < claim - (r->mask + 1);
}

/* Read one mark whole; false if there is none or it is being written. */
static bool read_mark(const struct log_mark *mark, u64 *seq, u64 *pos)
{
    *seq = atomic_load_explicit(&mark->seq, memory_order_acquire);
    *pos = atomic_load_explicit(&mark->pos, memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    return *seq && *seq == atomic_load_explicit(&mark->seq, memory_order_relaxed);
}

/* Place the reader at the newest mark with sequence <= `seq_most` and position <= `pos_most`, or at
 * the log's beginning. */
static void to_mark(struct log_reader *r, u64 seq_most, u64 pos_most)
{
    const struct log_mark *marks =
        (const struct log_mark *)(const void *)((const u8 *)r->log + r->log->marks);
    u64 first = atomic_load_explicit(&r->log->first_seq, memory_order_acquire);
    r->pos = 0;
    r->seq = first - 1;
    for (u64 i = 0; i < r->log->capacity / LOG_CHUNK; i++) {
        u64 seq, pos;
        if (!read_mark(&marks[i], &seq, &pos) || seq > seq_most || pos > pos_most) continue;
        if (seq - 1 <= r->seq) continue;
        r->seq = seq - 1;
        r->pos = pos;
    }
}

/* Step over one record or padding without looking inside. False if lapped. */
RACY_READ static bool walk(struct log_reader *r)
{
    const struct rec *rec = (const struct rec *)(const void *)(r->data + (r->pos & r->mask));
    u64 seq = __atomic_load_n(&rec->seq, __ATOMIC_RELAXED);
    u64 step = r->mask + 1 - (r->pos & r->mask);
    if (seq) step = __atomic_load_n(&rec->length, __ATOMIC_RELAXED);
    if (was_lapped(r)) return false;
    r->pos += step;
    if (seq) r->seq = seq;
    return true;
}

/* Place the reader exactly at `pos`, a published boundary, and find the sequence before it. False
 * if the writer laps the walk. */
static bool to_pos(struct log_reader *r, u64 pos)
{
    to_mark(r, UINT64_MAX, pos);
    while (r->pos < pos)
        if (!walk(r)) return false;
    CHECK(r->pos == pos);
    return true;
}

static void bind_reader(struct log_reader *r, const struct log *log)
{
    CHECK(log->magic == LOG_MAGIC);
    *r = (struct log_reader){.log = log, .data = (const u8 *)log + log->data};
    r->mask = log->capacity - 1;
}

void log_join_reader(struct log_reader *r, const struct log *log)
{
    bind_reader(r, log);
    do r->head_cached = atomic_load_explicit(&log->head, memory_order_acquire);
    while (!to_pos(r, r->head_cached));
}

void log_join_gate(struct log_reader *r, const struct log *log, _Atomic u64 *cursor)
{
    bind_reader(r, log);
    r->cursor = cursor;
    u64 pos = atomic_load_explicit(cursor, memory_order_acquire);
    r->head_cached = atomic_load_explicit(&log->head, memory_order_acquire);
    CHECK(pos <= r->head_cached && r->head_cached - pos <= r->mask + 1);
    /* The chunk's mark before the cursor may be gone; then the sequence comes with the record. */
    if (to_pos(r, pos)) return;
    r->pos = pos;
    const struct rec *next = log_peek(r);
    r->seq = next ? next->seq - 1 : 0;
}

void log_join_writer(struct log_writer *w, struct log *log)
{
    struct log_reader end;
    log_join_reader(&end, log);
    *w = (struct log_writer){.log = log, .data = (u8 *)log + log->data, .mask = log->capacity - 1};
    w->head = w->published = w->gate = end.pos;
    w->seq = end.seq;
    w->claim = atomic_load_explicit(&log->claim, memory_order_relaxed);
    w->marked = UINT64_MAX;
    /* A predecessor may have marked records that it did not live to publish. */
    struct log_mark *marks = marks_of(log);
    for (u64 i = 0; i < log->capacity / LOG_CHUNK; i++) {
        u64 seq, pos;
        if (read_mark(&marks[i], &seq, &pos) && pos < w->head) {
            if (pos / LOG_CHUNK == w->head / LOG_CHUNK) w->marked = pos / LOG_CHUNK;
        } else {
            atomic_store_explicit(&marks[i].seq, 0, memory_order_relaxed);
        }
    }
    w->watch.head = &log->head;
}

void log_begin_at(struct log_writer *w, u64 seq_last)
{
    CHECK(w->head == 0 && w->published == 0);
    w->seq = seq_last;
    atomic_store_explicit(&w->log->seq, seq_last, memory_order_relaxed);
    atomic_store_explicit(&w->log->first_seq, seq_last + 1, memory_order_release);
}

int log_add_gate(struct log_writer *w, const _Atomic u64 *cursor)
{
    if (w->gate_count == LOG_GATES_MAX) return -1;
    w->gates[w->gate_count++] = cursor;
    log_room_again(w, 0);
    return 0;
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

void log_mark_chunk(struct log_writer *w)
{
    w->marked = w->head / LOG_CHUNK;
    struct log_mark *mark = &marks_of(w->log)[(w->head & w->mask) / LOG_CHUNK];
    atomic_store_explicit(&mark->seq, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&mark->pos, w->head, memory_order_relaxed);
    atomic_store_explicit(&mark->seq, w->seq, memory_order_release);
}

int log_seek(struct log_reader *r, u64 seq)
{
    u64 target = seq == UINT64_MAX ? seq : seq + 1, own_pos = r->pos, own_seq = r->seq;
    r->head_cached = atomic_load_explicit(&r->log->head, memory_order_acquire);
    to_mark(r, target, r->head_cached);
    /* In a full log the mark of the oldest chunk is gone before its records are: a gating reader
     * stands there already. */
    if (own_seq <= seq && own_seq > r->seq) {
        r->pos = own_pos;
        r->seq = own_seq;
    }
    if (r->seq > seq) return -1;
    while (r->seq < seq && r->pos < r->head_cached)
        if (!walk(r)) return -1;
    if (was_lapped(r)) return -1;
    return r->seq < seq;
}

bool rec_is_whole(const struct rec *rec)
{
    u32 at = offsetof(struct rec, length);
    u64 no_crc = rec->length; /* the word that holds it */
    u32 crc = crc32c(crc32c(0, rec, at), &no_crc, sizeof no_crc);
    at += (u32)sizeof no_crc;
    return crc32c(crc, (const u8 *)rec + at, rec->length - at) == rec->crc;
}

int log_copy(struct log_reader *r, void *buf, u64 cause_max)
{
    for (;;) {
        if (r->pos == r->head_cached) {
            r->head_cached = atomic_load_explicit(&r->log->head, memory_order_acquire);
            if (r->pos == r->head_cached) return 0;
        }
        u64 at = r->pos & r->mask, left = r->mask + 1 - at;
        if (left < sizeof(struct rec)) { /* padding: no record is as short */
            r->pos += left;
            continue;
        }
        struct rec *rec = buf;
        racy_copy(rec, r->data + at, sizeof *rec);
        bool sane = rec->length >= sizeof *rec && rec->length <= RECORD_BYTES_MAX &&
                    rec->length <= left && !(rec->length & 7);
        bool wanted = rec->seq && rec->cause <= cause_max && sane;
        if (wanted) racy_copy(rec + 1, r->data + at + sizeof *rec, rec->length - sizeof *rec);
        if (was_lapped(r)) return -1;
        if (!rec->seq) {
            r->pos += left;
            continue;
        }
        if (rec->cause > cause_max) return 0;
        CHECK(sane);
        r->seq = rec->seq;
        r->pos += rec->length;
        return (int)rec->length;
    }
}
