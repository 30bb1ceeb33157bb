/* log.h: one writer, any number of readers, each with a cursor of its own.
 *
 *      claim            oldest byte that may still be read = claim - capacity
 *        |
 *   ..[rec][rec][pad]|[rec][rec][rec]........
 *                                    ^ head (published)
 *
 * Positions count bytes since the log was made; a record is at pos & mask, in one piece, 8-byte
 * aligned; where it would not fit before the end, an 8-byte zero (seq 0) sends readers to the
 * beginning. The writer publishes with one release store of `head`.
 *
 * Gating readers (the journal, the primaries) publish their cursors, and the writer never overruns
 * them: log_room says whether there is room, and the writer that has none leaves its work in its
 * ingress rings. Nobody else is waited for: such readers copy a record and then look at `claim`,
 * which the writer moves before it overwrites; who was lapped goes on from the journal files.
 *
 * A log works the same over private memory (replay, simulator). With `discard` it numbers records
 * but keeps only the newest.
 */
#ifndef EIDOS_SHM_LOG_H
#define EIDOS_SHM_LOG_H

#include <string.h>

#include "shm/base.h"
#include "shm/crc32c.h"
#include "shm/record.h"
#include "shm/signal.h"

#define LOG_MAGIC     0x31474f4c53444945UL /* "EIDSLOG1" */
#define LOG_CHUNK     (64UL << 10)         /* one index entry for each */
#define LOG_GATES_MAX 16

/* The first record that begins in a chunk; seq 0 = none. */
struct log_mark {
    _Atomic u64 seq;
    _Atomic u64 pos;
};

struct log {
    u64 magic;
    u64 capacity; /* bytes of data, a power of two */
    u64 data;     /* offset of the data from this structure */
    u64 marks;    /* offset of capacity / LOG_CHUNK marks */
    u8 zero[32];
    alignas(CACHE_LINE) _Atomic u64 head; /* published bytes */
    _Atomic u64 seq; /* last published sequence, stored before head: for display, may be ahead */
    _Atomic u64 first_seq;                 /* of the first record this log ever held */
    alignas(CACHE_LINE) _Atomic u64 claim; /* never decreases; bytes below it may be overwritten */
    u8 zero2[56];
};
SIZE_IS(struct log, 192);
OFFSET_IS(struct log, head, 64);
OFFSET_IS(struct log, claim, 128);

/* Writer's private end. */
struct log_writer {
    struct log *log;
    u8 *data;
    u64 mask;
    u64 head;      /* next byte to write */
    u64 published; /* head as published */
    u64 seq;       /* of the last committed record */
    u64 digest;    /* fold of the checksums of committed records, for marks (mark.h) */
    u64 claim;     /* as stored */
    u64 marked;    /* chunk number whose mark is written */
    u64 gate;      /* the slowest gating reader, as last seen */
    u32 gate_count;
    bool discard;
    bool bare; /* records get no checksum: for a private log whose readers ask for none */
    const _Atomic u64 *gates[LOG_GATES_MAX]; /* gating readers' cursors, in their own regions */
    struct watch watch;
};

/* Reader's private end. */
struct log_reader {
    const struct log *log;
    const u8 *data;
    u64 mask;
    u64 pos; /* next byte to read */
    u64 seq; /* of the last record read */
    u64 head_cached;
    _Atomic u64 *cursor;    /* where a gating reader publishes pos; NULL for others */
    _Atomic u64 *seq_shown; /* where any reader shows seq; may be NULL */
};

static inline u64 log_align(void)
{
    return CACHE_LINE;
}

/* Bytes for `capacity` bytes of records, a power of two in [1 MiB, 2^40]; 0 = impossible. */
u64 log_footprint(u64 capacity);

/* Format zeroed memory; the next record will have sequence `seq_last` + 1. */
void log_new(void *memory, u64 capacity, u64 seq_last);

/* Join as the only writer: goes on after what is published. */
void log_join_writer(struct log_writer *w, struct log *log);

/* The next record gets sequence `seq_last` + 1: how a fresh log goes on after the journal files.
 * The log must never have held a record. Readers that wait for a sequence find it all the same. */
void log_begin_at(struct log_writer *w, u64 seq_last);

/* Give up an end, and forget the format: the memory is the caller's again. */
void log_leave_writer(struct log_writer *w);
void log_leave_reader(struct log_reader *r);
void log_delete(void *memory);

/* Add a gating reader by its cursor. Returns -1 when there is no room. */
int log_add_gate(struct log_writer *w, const _Atomic u64 *cursor);

/* Join as a reader at the head: only what comes. */
void log_join_reader(struct log_reader *r, const struct log *log);

/* Join as a gating reader whose predecessor may have published `cursor`: goes on there. */
void log_join_gate(struct log_reader *r, const struct log *log, _Atomic u64 *cursor);

/* Move to the first record with sequence > `seq`: 0. -1: that record is no longer held (lapped:
 * read the journal files). 1: `seq` itself is not published yet; the reader stands at the end, and
 * asks again later. Gating readers then publish with log_release; what they hold back for must be
 * published by themselves first. */
int log_seek(struct log_reader *r, u64 seq);

/* Slow half of log_room. */
bool log_room_again(struct log_writer *w, u64 bytes);

/* May `bytes` of records (of RECORD_BYTES_MAX each at most) be appended without overrunning a
 * gating reader? Ask once for the worst case of a step, before it begins; an append then never
 * waits. */
static inline bool log_room(struct log_writer *w, u64 bytes)
{
    if (LIKELY(w->head + bytes + RECORD_BYTES_MAX - w->gate <= w->mask + 1)) return true;
    return log_room_again(w, bytes);
}

/* Fill 8 bytes of a record, on a multiple of 8, with two halves. Its checksum, which comes next,
 * reads whole words: a word that was stored in pieces would not be there before the pieces are in
 * the cache, behind every store that misses it. */
static inline void rec_put(void *at, u32 low, u32 high)
{
    u64 word = (u64)high << 32 | low;
    memcpy(at, &word, sizeof word);
}

/* Ask for the memory of records to come, for a log is larger than the cache and each of its lines
 * is written once a round: as many bytes as this record takes, some records ahead. A store that
 * misses would hold up those behind it; nothing is written here, and what is asked for may be any
 * byte of the log. */
#define LOG_AHEAD 1024U /* bytes; measured: less comes too late, more gains nothing */
static inline void log_ahead(const struct log_writer *w, u32 length)
{
    for (u32 i = 0; i < length; i += CACHE_LINE)
        __builtin_prefetch(w->data + ((w->head + LOG_AHEAD + i) & w->mask), 1);
}

/* Room for a record of `length` (multiple of 8, sizeof(struct rec) .. RECORD_BYTES_MAX) with its
 * head filled but for seq and crc; the body is not zeroed: the caller writes every byte. The record
 * exists from log_commit on and is seen by readers from log_publish on. */
static inline void *log_begin(struct log_writer *w, u16 kind, u32 length)
{
    u64 at = w->head & w->mask, end = w->mask + 1;
    if (UNLIKELY(w->discard)) at = 0;
    u64 skip = at + length > end ? end - at : 0;
    if (LIKELY(w->head + skip + length > w->claim)) {
        w->claim = w->head + skip + length;
        atomic_store_explicit(&w->log->claim, w->claim, memory_order_relaxed);
        atomic_thread_fence(memory_order_release);
    }
    if (UNLIKELY(skip)) {
        *(u64 *)(void *)(w->data + at) = 0;
        w->head += skip;
        at = 0;
    }
    struct rec *rec = (struct rec *)(void *)(w->data + at);
    log_ahead(w, length);
    rec->seq = w->seq + 1;
    rec_put(&rec->length, length, 0);
    rec_put(&rec->kind, kind | RECORD_VERSION << 16, 0);
    return rec;
}

/* The same for a record that another log holds: kind, version and body are as there; log_commit is
 * still to come. */
static inline struct rec *log_begin_again(struct log_writer *w, const struct rec *rec)
{
    struct rec *copy = log_begin(w, rec->kind, rec->length);
    copy->version = rec->version;
    memcpy(copy + 1, rec + 1, rec->length - sizeof *rec);
    return copy;
}

/* The record at the writer's head is the first that begins in its chunk: note where it is. */
void log_mark_chunk(struct log_writer *w);

/* Seal the record begun: time and cause, checksum. Returns it, in place. `fixed`: how many bytes
 * its kind has at least, known when compiled; 0 = say nothing. */
static inline __attribute__((always_inline)) struct rec *
log_commit_fixed(struct log_writer *w, void *record, u32 fixed, u64 time_ns, u64 cause)
{
    struct rec *rec = record;
    u32 length = rec->length;
    rec->time_ns = time_ns;
    rec->cause = cause;
    w->seq++;
    if (UNLIKELY(w->discard)) return rec;
    if (LIKELY(!w->bare)) {
        u32 crc = fixed ? crc32c_fixed(rec, fixed) : 0;
        if (length != fixed) crc = crc32c(crc, (const u8 *)rec + fixed, length - fixed);
        rec_put(&rec->length, length, crc);
        w->digest = w->digest * 0x9e3779b97f4a7c15UL + crc;
    }
    if (UNLIKELY(w->head / LOG_CHUNK != w->marked)) log_mark_chunk(w);
    w->head += length;
    return rec;
}

static inline struct rec *log_commit(struct log_writer *w, void *record, u64 time_ns, u64 cause)
{
    return log_commit_fixed(w, record, 0, time_ns, cause);
}

/* Where records are only numbered, one that nobody will read need not be made: true = it counts. */
static inline bool log_skip(struct log_writer *w)
{
    if (LIKELY(!w->discard)) return false;
    w->seq++;
    return true;
}

/* Show all committed records (release) and wake readers that sleep. */
static inline void log_publish(struct log_writer *w)
{
    if (w->published == w->head || w->discard) return;
    atomic_store_explicit(&w->log->seq, w->seq, memory_order_relaxed);
    atomic_store_explicit(&w->log->head, w->head, memory_order_release);
    w->published = w->head;
    watch_notify(&w->watch);
}

/* Is the checksum of a whole record of `rec->length` bytes right? */
bool rec_is_whole(const struct rec *rec);

/* Gating reader: the next record in place, or NULL. */
static inline const struct rec *log_peek(struct log_reader *r)
{
    for (;;) {
        if (r->pos == r->head_cached) {
            r->head_cached = atomic_load_explicit(&r->log->head, memory_order_acquire);
            if (r->pos == r->head_cached) return NULL;
        }
        const struct rec *rec = (const struct rec *)(const void *)(r->data + (r->pos & r->mask));
        if (LIKELY(rec->seq)) return rec;
        r->pos += r->mask + 1 - (r->pos & r->mask);
    }
}

/* Step over the record just peeked. */
static inline void log_advance(struct log_reader *r, const struct rec *rec)
{
    r->seq = rec->seq;
    r->pos += rec->length;
}

/* A private log whose only reader has read everything begins at its first byte again, so that it
 * stays in the cache. Nobody can seek in it from then on. */
static inline void log_rewind(struct log_writer *w, struct log_reader *r)
{
    CHECK(r->pos == w->head && w->published == w->head && !w->gate_count);
    atomic_store_explicit(&w->log->head, 0, memory_order_relaxed);
    w->head = w->published = r->pos = r->head_cached = 0;
}

/* Publish a gating reader's cursor (release): everything before it may be overwritten. Any reader:
 * show how far it is. */
static inline void log_release(struct log_reader *r)
{
    if (r->seq_shown) atomic_store_explicit(r->seq_shown, r->seq, memory_order_relaxed);
    if (r->cursor) atomic_store_explicit(r->cursor, r->pos, memory_order_release);
}

/* Any reader: copy the next record into `buf` of RECORD_BYTES_MAX bytes and step over it, if its
 * cause is at most `cause_max`. Returns its length; 0 = nothing (yet); -1 = lapped. */
int log_copy(struct log_reader *r, void *buf, u64 cause_max);

#endif
