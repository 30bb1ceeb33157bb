/* What a standby owes: kept until it shows as published, appended once and without a gap. */
#include "procs/lib/owed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "shm/err.h"

#define LOG_BYTES (1UL << 20)

static struct owed owed;
static u8 memory[2 * LOG_BYTES] __attribute__((aligned(4096)));
static struct log_writer role; /* the log of the role */
static struct log_reader reader;
static _Atomic u64 gate;
static u32 waits;

static void read_some(void *context)
{
    const struct rec *rec;
    (void)context;
    waits++;
    for (u32 i = 0; i < 100 && (rec = log_peek(&reader)); i++) log_advance(&reader, rec);
    log_release(&reader);
}

static const struct owed_wait wait = {read_some, NULL};

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(owed_open(&owed, LOG_BYTES), 0);
    log_new(memory, LOG_BYTES, 0);
    log_join_writer(&role, (struct log *)(void *)memory);
    atomic_store(&gate, 0);
    log_join_gate(&reader, role.log, &gate);
    log_add_gate(&role, &gate);
    waits = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    owed_close(&owed);
    return 0;
}

static void write(struct log_writer *w, u32 count, u32 length)
{
    for (u32 i = 0; i < count; i++) {
        struct rec *rec = log_begin(w, CMD_MODE, length);
        memset(rec + 1, (int)rec->seq, length - sizeof *rec);
        log_commit(w, rec, 7, rec->seq);
    }
    log_publish(w);
}

static u64 oldest(void)
{
    const struct rec *rec = owed_peek(&owed);
    return rec ? rec->seq : 0;
}

static void what_shows_is_dropped(void **state)
{
    (void)state;
    assert_int_equal(oldest(), 0);
    write(&owed.writer, 10, 64);
    owed_drop(&owed, 4);
    assert_int_equal(oldest(), 5);
    owed_drop(&owed, 2);
    assert_int_equal(oldest(), 5);
    owed_drop(&owed, 10);
    assert_int_equal(oldest(), 0);
    write(&owed.writer, 1, 64);
    assert_int_equal(oldest(), 11);
}

static void the_rest_is_appended_once(void **state)
{
    (void)state;
    write(&role, 6, 64);
    write(&owed.writer, 10, 64);
    assert_int_equal(owed_append(&owed, "test", &role, UINT32_MAX, &wait), 0);
    assert_int_equal(role.seq, 10);
    assert_int_equal(owed_append(&owed, "test", &role, UINT32_MAX, &wait), 0);
    assert_int_equal(role.seq, 10);
    assert_int_equal(owed_done(&owed, "test", &role), 0);
    assert_true(role.digest == owed.writer.digest);
    const struct rec *rec;
    u64 seq = 0;
    for (; (rec = log_peek(&reader)); log_advance(&reader, rec)) {
        assert_int_equal(rec->seq, ++seq);
        assert_int_equal(rec->time_ns, 7);
        assert_true(rec_is_whole(rec));
    }
    assert_int_equal(seq, 10);
}

/* In pieces, as by standbys that die one after the other: each finds where the log ends. */
static void pieces_add_up(void **state)
{
    (void)state;
    write(&owed.writer, 10, 64);
    for (u32 i = 0; i < 4; i++) {
        assert_int_equal(owed_append(&owed, "test", &role, 3, &wait), 0);
        log_join_writer(&role, role.log);
        assert_int_equal(role.seq, i < 3 ? 3 * (i + 1) : 10);
    }
}

/* The primary is ahead: that is no difference as long as there is more to apply. */
static void what_is_not_made_yet_is_left(void **state)
{
    (void)state;
    write(&role, 8, 64);
    write(&owed.writer, 5, 64);
    assert_int_equal(owed_append(&owed, "test", &role, UINT32_MAX, &wait), 0);
    assert_int_equal(owed_done(&owed, "test", &role), -1);
    assert_non_null(strstr(err_text(), "it differs from its primary"));
    write(&owed.writer, 5, 64);
    assert_int_equal(owed_append(&owed, "test", &role, UINT32_MAX, &wait), 0);
    assert_int_equal(owed_done(&owed, "test", &role), 0);
    assert_int_equal(role.seq, 10);
}

static void a_gap_is_refused(void **state)
{
    (void)state;
    write(&role, 3, 64);
    write(&owed.writer, 10, 64);
    owed_drop(&owed, 5);
    assert_int_equal(owed_append(&owed, "test", &role, UINT32_MAX, &wait), -1);
    assert_non_null(strstr(err_text(), "goes on with record 4"));
}

/* A log whose readers are slow is waited for, never overrun. */
static void readers_are_waited_for(void **state)
{
    (void)state;
    write(&role, 60, RECORD_BYTES_MAX);
    owed_go_on(&owed, 60);
    write(&owed.writer, 30, RECORD_BYTES_MAX);
    assert_int_equal(owed_append(&owed, "test", &role, UINT32_MAX, &wait), 0);
    assert_true(waits > 0);
    assert_int_equal(role.seq, 90);
}

/* Records made elsewhere come as they are, from any number on. */
static void records_are_taken_as_they_are(void **state)
{
    (void)state;
    write(&role, 20, 64);
    for (const struct rec *rec; (rec = log_peek(&reader)); log_advance(&reader, rec))
        if (rec->seq > 12) assert_int_equal(owed_take(&owed, rec), 0);
    assert_int_equal(oldest(), 13);
    assert_int_equal(owed.writer.seq, 20);
    owed_go_on(&owed, 99); /* there are some already */
    assert_int_equal(owed.writer.seq, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        CASE(what_shows_is_dropped),
        CASE(the_rest_is_appended_once),
        CASE(pieces_add_up),
        CASE(what_is_not_made_yet_is_left),
        CASE(a_gap_is_refused),
        CASE(readers_are_waited_for),
        CASE(records_are_taken_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
