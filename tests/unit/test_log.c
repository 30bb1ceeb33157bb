/* The log, one thread: records of every size around the end, gates, lapped readers, seeking, and a
 * writer that died at each of its steps. */
#include "shm/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CAPACITY (1UL << 20)

struct fixture {
    struct log *log;
    struct log_writer w;
    u64 random;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->log = aligned_alloc(log_align(), align_up(log_footprint(CAPACITY), log_align()));
    memset(f->log, 0, log_footprint(CAPACITY));
    log_new(f->log, CAPACITY, 0);
    log_join_writer(&f->w, f->log);
    f->random = 0x9e3779b97f4a7c15UL;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    log_leave_writer(&f->w);
    log_delete(f->log);
    free(f->log);
    free(f);
    return 0;
}

static u64 next_random(struct fixture *f)
{
    f->random ^= f->random << 13, f->random ^= f->random >> 7, f->random ^= f->random << 17;
    return f->random;
}

/* Any size there may be, small ones mostly. */
static u32 random_length(struct fixture *f)
{
    u64 r = next_random(f);
    u64 room = (r & 15) ? 400 : RECORD_BYTES_MAX;
    return (u32)(sizeof(struct rec) + (r >> 8) % ((room - sizeof(struct rec)) / 8 + 1) * 8);
}

/* A record whose body follows from its sequence. */
static void append(struct log_writer *w, u32 length)
{
    u64 *body = log_begin(w, CMD_MODE, length);
    u64 seq = w->seq + 1;
    for (u32 i = sizeof(struct rec) / 8; i < length / 8; i++) body[i] = seq * 1000 + i;
    log_commit(w, body, seq, seq);
}

static void check(const struct rec *rec, u64 seq)
{
    const u64 *body = (const u64 *)(const void *)rec;
    assert_int_equal(rec->seq, seq);
    assert_int_equal(rec->time_ns, seq);
    assert_true(rec_is_whole(rec));
    for (u32 i = sizeof *rec / 8; i < rec->length / 8; i++)
        assert_int_equal(body[i], seq * 1000 + i);
}

static void footprints(void **state)
{
    (void)state;
    assert_int_equal(log_footprint(CAPACITY) % 8, 0);
    assert_true(log_footprint(CAPACITY) > CAPACITY);
    assert_int_equal(log_footprint(CAPACITY / 2), 0);
    assert_int_equal(log_footprint(CAPACITY + 1), 0);
    assert_int_equal(log_footprint(1UL << 41), 0);
}

/* Twenty times around: a gating reader and a copying one see the same, once, in order. */
static void around_and_around(void **state)
{
    struct fixture *f = *state;
    static alignas(8) u8 buf[RECORD_BYTES_MAX];
    struct log_reader gate, copy;
    _Atomic u64 cursor = 0;
    log_join_gate(&gate, f->log, &cursor);
    log_join_reader(&copy, f->log);
    assert_int_equal(log_add_gate(&f->w, &cursor), 0);
    u64 seen = 0;
    while (f->w.head < 20 * CAPACITY) {
        u64 batch = 1 + next_random(f) % 20;
        for (u64 i = 0; i < batch && log_room(&f->w, RECORD_BYTES_MAX); i++)
            append(&f->w, random_length(f));
        assert_null(log_peek(&gate));
        log_publish(&f->w);
        for (const struct rec *rec; (rec = log_peek(&gate)); log_advance(&gate, rec)) {
            check(rec, ++seen);
            int length = log_copy(&copy, buf, UINT64_MAX);
            assert_int_equal(length, rec->length);
            assert_memory_equal(buf, rec, rec->length);
        }
        log_release(&gate);
        assert_int_equal(seen, f->w.seq);
        assert_int_equal(cursor, f->w.head);
        assert_int_equal(log_copy(&copy, buf, UINT64_MAX), 0);
    }
}

/* A record that ends exactly at the end, then one that begins there. */
static void ends_exactly_at_the_end(void **state)
{
    struct fixture *f = *state;
    struct log_reader r;
    log_join_reader(&r, f->log);
    for (u64 i = 0; i < CAPACITY / RECORD_BYTES_MAX; i++) append(&f->w, RECORD_BYTES_MAX);
    assert_int_equal(f->w.head, CAPACITY);
    log_publish(&f->w);
    for (u64 seq = 1; seq <= f->w.seq; seq++) {
        const struct rec *rec = log_peek(&r);
        check(rec, seq);
        log_advance(&r, rec);
    }
    append(&f->w, 40);
    log_publish(&f->w);
    check(log_peek(&r), f->w.seq);
    assert_int_equal(log_seek(&r, f->w.seq - 1), 0);
    check(log_peek(&r), f->w.seq);
}

static void a_gate_holds_the_writer_back(void **state)
{
    struct fixture *f = *state;
    struct log_reader r;
    _Atomic u64 slow = 0, fast = 0, absent = UINT64_MAX;
    log_join_gate(&r, f->log, &slow);
    log_add_gate(&f->w, &slow);
    log_add_gate(&f->w, &fast);
    log_add_gate(&f->w, &absent);
    while (log_room(&f->w, 4096)) {
        append(&f->w, 4096);
        atomic_store(&fast, f->w.head);
    }
    assert_true(f->w.head <= CAPACITY && f->w.head > CAPACITY - 3 * RECORD_BYTES_MAX);
    log_publish(&f->w);
    for (u32 i = 0; i < 10; i++) {
        const struct rec *rec = log_peek(&r);
        check(rec, i + 1);
        log_advance(&r, rec);
    }
    assert_false(log_room(&f->w, 4096)); /* read, not released */
    log_release(&r);
    assert_true(log_room(&f->w, 4096));
}

static void too_many_gates(void **state)
{
    struct fixture *f = *state;
    static _Atomic u64 cursor;
    for (u32 i = 0; i < LOG_GATES_MAX; i++) assert_int_equal(log_add_gate(&f->w, &cursor), 0);
    assert_int_equal(log_add_gate(&f->w, &cursor), -1);
}

static void a_lapped_reader_is_told(void **state)
{
    struct fixture *f = *state;
    static alignas(8) u8 buf[RECORD_BYTES_MAX];
    struct log_reader r;
    log_join_reader(&r, f->log);
    while (f->w.head < CAPACITY - 4096) append(&f->w, 4096);
    log_publish(&f->w);
    assert_int_equal(log_copy(&r, buf, UINT64_MAX), 4096);
    check((struct rec *)(void *)buf, 1);
    for (u32 i = 0; i < 4; i++) append(&f->w, 4096); /* not even published */
    assert_int_equal(log_copy(&r, buf, UINT64_MAX), -1);
    assert_int_equal(log_seek(&r, 1), -1);
    assert_int_equal(log_seek(&r, 40), 0);
    assert_true(log_copy(&r, buf, UINT64_MAX) > 0);
    check((struct rec *)(void *)buf, 41);
}

/* Every sequence that is held is found exactly; what is not held says which way. */
static void seeks_every_sequence(void **state)
{
    struct fixture *f = *state;
    static alignas(8) u8 buf[RECORD_BYTES_MAX];
    struct log_reader r;
    log_join_reader(&r, f->log);
    while (f->w.head < 3 * CAPACITY + CAPACITY / 3) append(&f->w, random_length(f));
    log_publish(&f->w);
    u64 oldest = 0;
    for (u64 seq = 0; seq < f->w.seq; seq++) {
        int found = log_seek(&r, seq);
        if (found < 0) {
            assert_int_equal(oldest, 0); /* what is held is one piece */
            continue;
        }
        if (!oldest) oldest = seq + 1;
        assert_int_equal(found, 0);
        assert_int_equal(r.seq, seq);
        assert_true(log_copy(&r, buf, UINT64_MAX) > 0);
        check((struct rec *)(void *)buf, seq + 1);
    }
    /* At most a chunk and a record of what is held cannot be sought. */
    assert_int_equal(log_seek(&r, oldest - 1), 0);
    assert_true(f->w.head - r.pos > CAPACITY - 2 * LOG_CHUNK);
    assert_int_equal(log_seek(&r, f->w.seq), 0);
    assert_int_equal(log_copy(&r, buf, UINT64_MAX), 0);
    assert_int_equal(log_seek(&r, f->w.seq + 1), 1);
    append(&f->w, 40);
    append(&f->w, 40);
    log_publish(&f->w);
    assert_int_equal(log_seek(&r, f->w.seq - 1), 0);
    assert_int_equal(log_seek(&r, UINT64_MAX), 1);
}

/* In a full log the oldest chunk's mark is gone; who holds its records back finds them. */
static void a_gate_seeks_in_a_full_log(void **state)
{
    struct fixture *f = *state;
    static _Atomic u64 cursor;
    struct log_reader r;
    atomic_store(&cursor, 0);
    log_join_gate(&r, f->log, &cursor);
    log_add_gate(&f->w, &cursor);
    for (u32 round = 0; round < 40; round++) {
        while (log_room(&f->w, 400)) append(&f->w, 400);
        log_publish(&f->w);
        log_join_gate(&r, f->log, &cursor);
        u64 held = r.seq;
        assert_int_equal(log_seek(&r, held), 0);
        check(log_peek(&r), held + 1);
        assert_int_equal(log_seek(&r, held + 50), 0);
        for (u32 i = 0; i < 30; i++) {
            check(log_peek(&r), held + 51 + i);
            log_advance(&r, log_peek(&r));
        }
        log_release(&r);
    }
}

/* A fresh log that goes on after the journal files; a reader that waits for its sequence. */
static void begins_after_the_journal(void **state)
{
    struct fixture *f = *state;
    struct log_reader early, late;
    log_join_reader(&early, f->log);
    assert_int_equal(log_seek(&early, 5000), 1);
    log_begin_at(&f->w, 5000);
    assert_int_equal(log_seek(&early, 5000), 0);
    assert_int_equal(log_seek(&early, 4999), -1);
    assert_int_equal(log_seek(&early, 5001), 1);
    log_join_reader(&late, f->log);
    assert_int_equal(late.seq, 5000);
    log_leave_reader(&late);
    log_join_reader(&late, f->log);
    append(&f->w, 48);
    log_publish(&f->w);
    check(log_peek(&early), 5001);
    check(log_peek(&late), 5001);
}

static void shows_no_effect_before_its_cause(void **state)
{
    struct fixture *f = *state;
    static alignas(8) u8 buf[RECORD_BYTES_MAX];
    struct log_reader r;
    log_join_reader(&r, f->log);
    append(&f->w, 48);
    append(&f->w, 48);
    log_publish(&f->w);
    assert_int_equal(log_copy(&r, buf, 0), 0);
    assert_int_equal(log_copy(&r, buf, 1), 48);
    assert_int_equal(log_copy(&r, buf, 1), 0);
    assert_int_equal(log_copy(&r, buf, 2), 48);
}

/* Died before publishing: the successor numbers the same records again, wherever the predecessor
 * had got to (a chunk's mark, the end of the buffer, the sequence word). */
static void a_successor_goes_on(void **state)
{
    struct fixture *f = *state;
    struct log_reader r;
    log_join_reader(&r, f->log);
    u64 seen = 0;
    for (u32 round = 0; round < 300; round++) {
        for (u64 i = next_random(f) % 30; i; i--) append(&f->w, random_length(f));
        log_publish(&f->w);
        u64 published = f->w.seq, head = f->w.head;
        for (u64 i = next_random(f) % 30; i; i--) append(&f->w, random_length(f));
        u64 claimed = atomic_load(&f->log->claim);
        if (round % 3 == 0) atomic_store(&f->log->seq, f->w.seq); /* one store of publish */
        if (round % 5 == 0) log_begin(&f->w, CMD_MODE, 400);
        log_leave_writer(&f->w);
        log_join_writer(&f->w, f->log);
        assert_int_equal(f->w.seq, published);
        assert_int_equal(f->w.head, head);
        append(&f->w, 40);
        assert_true(atomic_load(&f->log->claim) >= claimed);
        log_publish(&f->w);
        for (const struct rec *rec; (rec = log_peek(&r)); log_advance(&r, rec)) check(rec, ++seen);
        assert_int_equal(seen, f->w.seq);
    }
    for (u64 seq = f->w.seq - 100; seq < f->w.seq; seq++) {
        assert_int_equal(log_seek(&r, seq), 0);
        check(log_peek(&r), seq + 1);
    }
}

/* What a dead writer overwrote without publishing is lapped, though the head never got there. */
static void a_dead_writers_claim_stands(void **state)
{
    struct fixture *f = *state;
    static alignas(8) u8 buf[RECORD_BYTES_MAX];
    struct log_reader r;
    log_join_reader(&r, f->log);
    while (f->w.head < CAPACITY - 4096) append(&f->w, 4096);
    log_publish(&f->w);
    for (u32 i = 0; i < 8; i++) append(&f->w, 4096); /* over records 1 to 7 */
    log_join_writer(&f->w, f->log);
    append(&f->w, 40);
    assert_int_equal(log_copy(&r, buf, UINT64_MAX), -1);
    assert_int_equal(log_seek(&r, 3), -1);
}

static void a_gate_goes_on_at_its_cursor(void **state)
{
    struct fixture *f = *state;
    _Atomic u64 cursor = 0, shown = 0;
    struct log_reader r;
    u64 seen = 0;
    log_add_gate(&f->w, &cursor);
    for (u32 round = 0; round < 500; round++) {
        for (u64 i = next_random(f) % 20; i && log_room(&f->w, RECORD_BYTES_MAX); i--)
            append(&f->w, random_length(f));
        log_publish(&f->w);
        log_join_gate(&r, f->log, &cursor);
        r.seq_shown = &shown;
        if (cursor < f->w.head) assert_int_equal(r.seq, seen);
        const struct rec *rec;
        for (u64 i = next_random(f) % 25; i && (rec = log_peek(&r)); i--) {
            check(rec, ++seen);
            log_advance(&r, rec);
        }
        log_release(&r);
        assert_int_equal(shown, seen);
        if ((rec = log_peek(&r))) log_advance(&r, rec); /* read, and lost with the reader */
    }
    assert_true(f->w.head > 2 * CAPACITY);
}

static void discard_only_numbers(void **state)
{
    struct fixture *f = *state;
    f->w.discard = true;
    for (u32 i = 0; i < 1000; i++) {
        assert_true(log_room(&f->w, RECORD_BYTES_MAX));
        append(&f->w, RECORD_BYTES_MAX);
        log_publish(&f->w);
    }
    assert_int_equal(f->w.seq, 1000);
    assert_int_equal(atomic_load(&f->log->head), 0);
}

static void damage_shows(void **state)
{
    struct fixture *f = *state;
    struct log_reader r;
    log_join_reader(&r, f->log);
    append(&f->w, 120);
    log_publish(&f->w);
    u8 *bytes = ptr_at(log_peek(&r), 0);
    for (u32 bit = 0; bit < 120 * 8; bit++) {
        if (bit / 8 >= offsetof(struct rec, length) && bit / 8 < offsetof(struct rec, crc))
            continue;
        bytes[bit / 8] ^= (u8)(1 << bit % 8);
        assert_false(rec_is_whole((struct rec *)(void *)bytes));
        bytes[bit / 8] ^= (u8)(1 << bit % 8);
    }
    assert_true(rec_is_whole((struct rec *)(void *)bytes));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(footprints),
        CASE(around_and_around),
        CASE(ends_exactly_at_the_end),
        CASE(a_gate_holds_the_writer_back),
        CASE(too_many_gates),
        CASE(a_lapped_reader_is_told),
        CASE(seeks_every_sequence),
        CASE(begins_after_the_journal),
        CASE(shows_no_effect_before_its_cause),
        CASE(a_successor_goes_on),
        CASE(a_dead_writers_claim_stands),
        CASE(a_gate_goes_on_at_its_cursor),
        CASE(a_gate_seeks_in_a_full_log),
        CASE(discard_only_numbers),
        CASE(damage_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
