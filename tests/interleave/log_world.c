#include "tests/interleave/log_world.h"

#include "tests/interleave/explore.h"

#define OLD_BYTES 16000U /* of a record of the past: few fill a lap */
#define KINDS     2U
#define LOOKED_AT 16U     /* words of a record: the old ones are long */
#define NEAR      16384UL /* bytes after the head that a run may change */

static alignas(4096) u8 memory[KINDS][LOG_WORLD_CAPACITY + 8192], image[KINDS][sizeof memory[0]];
static struct log_world worlds[KINDS];

static u64 word_of(u64 seq, u64 i)
{
    return seq * 0x9e3779b97f4a7c15UL + i;
}

void log_world_append(struct log_writer *w, u32 length)
{
    struct rec *rec = log_begin(w, CMD_DEPOSIT, length);
    u64 *words = (u64 *)(void *)(rec + 1);
    for (u64 i = 0; i < (length - sizeof *rec) / 8; i++) words[i] = word_of(rec->seq, i);
    log_commit(w, rec, rec->seq, rec->seq);
}

void log_world_verify(const struct rec *rec, u64 seq)
{
    const u64 *words = (const u64 *)(const void *)(rec + 1);
    HOLDS(rec->seq == seq && rec->time_ns == seq && rec->cause == seq);
    HOLDS(rec->length > sizeof *rec && rec->length <= RECORD_BYTES_MAX);
    for (u64 i = 0; i < (rec->length - sizeof *rec) / 8; i += 7) HOLDS(words[i] == word_of(seq, i));
}

static void make(u32 kind, u64 head)
{
    struct log_world *w = &worlds[kind];
    struct log_writer writer;
    struct log_reader r;
    CHECK(log_footprint(LOG_WORLD_CAPACITY) <= sizeof memory[0]);
    log_new(memory[kind], LOG_WORLD_CAPACITY, 0);
    w->log = (struct log *)(void *)memory[kind];
    log_join_writer(&writer, w->log);
    while (writer.head < head) {
        u64 left = head - writer.head;
        u64 length = left >= 2 * OLD_BYTES ? OLD_BYTES : left > OLD_BYTES ? left / 2 & ~7UL : left;
        u64 lap_on =
            writer.head + LOG_WORLD_CAPACITY; /* what a run reads while it is overwritten */
        if (lap_on > head - 200 && lap_on < head + 600) length = 96;
        log_world_append(&writer, (u32)length);
        log_publish(&writer);
    }
    CHECK(writer.head == head);
    w->head_seq = writer.seq;
    log_join_reader(&r, w->log);
    w->oldest_seq = w->head_seq + 1;
    while (w->oldest_seq > 1 && log_seek(&r, w->oldest_seq - 2) == 0) {
        w->oldest_pos = r.pos;
        w->oldest_seq--;
    }
    memcpy(image[kind], memory[kind], sizeof image[kind]);
}

static void restore(u32 kind, u64 at, u64 bytes)
{
    memcpy(memory[kind] + at, image[kind] + at, bytes);
}

void log_world_begin(struct log_world *w, u64 head)
{
    u32 kind = head == LOG_WORLD_NEAR_CHUNK;
    if (!worlds[kind].log) make(kind, head);
    *w = worlds[kind];
    u64 data = w->log->data, at = data + (head & (LOG_WORLD_CAPACITY - 1));
    restore(kind, 0, data);
    restore(kind, at, min_u64(NEAR, data + LOG_WORLD_CAPACITY - at));
    restore(kind, data, NEAR);
    explore_shared(memory[kind], sizeof memory[kind]);
}
