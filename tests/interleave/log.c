/* log.c: a log under every interleaving: a reader that is lapped knows, a gating one is never
 * overrun, a place is found while marks move, and who sleeps on the head is woken. */
#include "shm/log.h"

#include "tests/interleave/log_world.h"
#include "tests/interleave/scenarios.h"

static struct log_world w;
static struct log_reader reader;
static struct log_writer writer;
static _Atomic u64 cursor;
static _Atomic u32 sleeping;
static struct waiter waiter;
static u64 read; /* records the reader had */

#define APPENDED 3U

static void begin(u64 head)
{
    log_world_begin(&w, head);
    log_join_writer(&writer, w.log);
    read = 0;
    explore_rises(&w.log->head);
    explore_rises(&w.log->claim);
    explore_shared(&cursor, sizeof cursor);
    explore_shared(&sleeping, sizeof sleeping);
}

/* Stand at the oldest record that is still held. */
static void stand_at_oldest(void)
{
    log_join_reader(&reader, w.log);
    reader.pos = w.oldest_pos;
    reader.seq = w.oldest_seq - 1;
}

/* --- A reader that nobody waits for ------------------------------------------------------------*/

static void setup_lapped(void)
{
    begin(LOG_WORLD_NEAR_END);
    stand_at_oldest();
}

static void setup_at_head(void)
{
    begin(LOG_WORLD_NEAR_END);
    log_join_reader(&reader, w.log);
}

static void append_all(void)
{
    for (u32 i = 0; i < APPENDED; i++) {
        log_world_append(&writer, 96);
        log_publish(&writer);
    }
}

/* Two in one publication. */
static void append_batch(void)
{
    log_world_append(&writer, 96);
    log_world_append(&writer, 136);
    log_publish(&writer);
    log_world_append(&writer, 104);
    log_publish(&writer);
}

static void copy_until_lapped(void)
{
    static alignas(8) u8 buf[RECORD_BYTES_MAX];
    while (read < APPENDED) {
        u64 before = reader.seq;
        int n = log_copy(&reader, buf, UINT64_MAX);
        if (n < 0) return;
        if (!n) {
            explore_idle_while(&w.log->head, reader.head_cached);
            continue;
        }
        log_world_verify((const struct rec *)(const void *)buf, before + 1);
        read++;
    }
}

/* --- A gating reader ---------------------------------------------------------------------------*/

static void setup_gate(void)
{
    begin(LOG_WORLD_NEAR_END);
    stand_at_oldest();
    reader.cursor = &cursor;
    atomic_store_explicit(&cursor, reader.pos, memory_order_relaxed);
    CHECK(log_add_gate(&writer, &cursor) == 0);
}

static void append_when_room(void)
{
    for (u32 i = 0; i < APPENDED; i++) {
        while (!log_room(&writer, 96)) explore_idle_while(&cursor, writer.gate);
        log_world_append(&writer, 96);
        log_publish(&writer);
    }
}

static void read_gating(void)
{
    u64 last = w.head_seq + APPENDED;
    while (reader.seq < last) {
        const struct rec *rec = log_peek(&reader);
        if (!rec) {
            explore_idle_while(&w.log->head, reader.head_cached);
            continue;
        }
        bool looked = read++ < 3 || reader.seq >= w.head_seq; /* the many old ones are alike */
        if (looked) log_world_verify(rec, reader.seq + 1);
        log_advance(&reader, rec);
        if (looked || reader.seq == w.head_seq) log_release(&reader);
    }
}

/* Everything is given back, and then the oldest is read. */
static void read_after_release(void)
{
    struct log_reader all = reader;
    CHECK(log_seek(&all, w.head_seq) == 1 || all.seq >= w.head_seq);
    log_release(&all);
    (void)atomic_load_explicit(&cursor, memory_order_relaxed);
    log_world_verify(log_peek(&reader), reader.seq + 1);
}

/* --- Finding a place ---------------------------------------------------------------------------*/

static void setup_marks(void)
{
    begin(LOG_WORLD_NEAR_CHUNK);
}

static void seek(void)
{
    static alignas(8) u8 buf[RECORD_BYTES_MAX];
    log_join_reader(&reader, w.log);
    for (u64 seq = w.head_seq - 1; seq < w.head_seq + APPENDED;) {
        int at = log_seek(&reader, seq);
        HOLDS(at >= 0); /* it was just written: nobody is a lap behind */
        int n = at ? 0 : log_copy(&reader, buf, UINT64_MAX);
        HOLDS(n >= 0);
        if (!n) explore_idle_while(&w.log->head, reader.head_cached);
        else log_world_verify((const struct rec *)(const void *)buf, ++seq);
    }
}

/* --- Sleeping on the head ----------------------------------------------------------------------*/

static void setup_sleep(void)
{
    setup_at_head();
    waiter = (struct waiter){.sleeping = &sleeping};
    atomic_store_explicit(&sleeping, SIGNAL_AWAKE, memory_order_relaxed);
    CHECK(watch_add(&writer.watch, &sleeping, -1) == 0);
    CHECK(waiter_add(&waiter, &w.log->head) == 0);
}

static void read_and_sleep(void)
{
    static alignas(8) u8 buf[RECORD_BYTES_MAX];
    while (read < APPENDED) {
        waiter_look(&waiter);
        u64 before = reader.seq;
        int n = log_copy(&reader, buf, UINT64_MAX);
        HOLDS(n >= 0);
        if (!n) {
            waiter_sleep(&waiter, UINT64_MAX / 4);
            continue;
        }
        log_world_verify((const struct rec *)(const void *)buf, before + 1);
        read++;
    }
}

static const void *late_claim;

static void setup_late_claim(void)
{
    setup_lapped();
    late_claim = &w.log->claim;
}

#define PLAN(title, prepare, one, other, model) \
    .name = (title), .threads = 2, .thread = {(one), (other)}, .setup = (prepare), \
    .memory = (model), .preemptions = 2, .delays = 2

const struct explore_plan log_plans[] = {
    {PLAN("log: a reader that is lapped", setup_lapped, append_all, copy_until_lapped,
          EXPLORE_PSO)},
    {PLAN("log: a reader at the head", setup_at_head, append_batch, copy_until_lapped,
          EXPLORE_PSO)},
    {PLAN("log: a gating reader", setup_gate, append_when_room, read_gating, EXPLORE_PSO)},
    {PLAN("log: a place is found while marks move", setup_marks, append_all, seek, EXPLORE_PSO)},
    {PLAN("log: asleep on the head", setup_sleep, append_all, read_and_sleep, EXPLORE_TSO)},
    {PLAN("log: the claim's release fence is missing", setup_lapped, append_all, copy_until_lapped,
          EXPLORE_PSO),
     .bug = BUG_NO_RELEASE_FENCE},
    {PLAN("log: claimed after it is overwritten", setup_late_claim, append_all, copy_until_lapped,
          EXPLORE_TSO),
     .bug = BUG_LATE_STORE, .late = &late_claim},
    {PLAN("log: released before it is read", setup_gate, append_when_room, read_after_release,
          EXPLORE_PSO),
     .bug = BUG_IN_SCENARIO},
    {PLAN("log: the writer's full fence is missing", setup_sleep, append_all, read_and_sleep,
          EXPLORE_TSO),
     .bug = BUG_NO_FULL_FENCE, .bug_thread = 0},
    {.name = NULL},
};
