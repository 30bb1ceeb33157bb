/* test_snapshot_check.c: the standing proof sees every record that differs, however the files and
 * the replica are ahead of each other. */
#include "procs/snapshot/check.h"
#include "shm/err.h"
#include "tests/lib/journal_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define RECORDS 20000U
#define SEED    5UL

static struct {
    struct journal_dir j;
    struct durable durable;
    struct logfile_writer file;
    struct check check;
} w;

static int make(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    journal_dir_make(&w.j);
    CHECK(logfile_writer_open(&w.file, &w.j.dir, LOG_ACCOUNT, LOGFILE_SEGMENT_MIN, false, 0,
                              &logfile_io_real) == 0);
    w.check.durable = &w.durable;
    return 0;
}

static int drop(void **state)
{
    (void)state;
    check_close(&w.check);
    logfile_writer_close(&w.file);
    journal_dir_remove(&w.j);
    return 0;
}

static void live_makes(u64 seq)
{
    alignas(8) u8 buf[RECORD_BYTES_MAX];
    struct iovec piece = {buf, journal_balance(buf, seq, seq / 3 + 1)};
    assert_int_equal(logfile_append(&w.file, &piece, 1, piece.iov_len, seq, seq), 0);
    atomic_store(&w.durable.written[LOG_ACCOUNT], seq);
}

static void replay_makes(u64 seq, u64 cause)
{
    alignas(8) u8 buf[RECORD_BYTES_MAX];
    journal_balance(buf, seq, cause);
    check_made(&w.check, LOG_ACCOUNT, (const struct rec *)(void *)buf);
}

static void equal_logs_agree(void **state)
{
    (void)state;
    u64 live = 0, replay = 0, x = SEED;
    assert_int_equal(check_add(&w.check, &w.j.dir, LOG_ACCOUNT, 0), 0);
    while (live < RECORDS || replay < RECORDS || w.check.compared < RECORDS) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        for (u64 n = x % 300; n && live < RECORDS; n--) live_makes(++live);
        for (u64 n = x / 300 % 300; n && replay < RECORDS; n--, replay++)
            replay_makes(replay + 1, (replay + 1) / 3 + 1);
        assert_true(check_files(&w.check, (u32)(x / 90000 % 500)) >= 0);
        assert_true(w.check.compared <= live && w.check.compared <= replay);
    }
    assert_int_equal(w.check.compared, RECORDS);
}

static void one_difference_is_seen(void **state)
{
    (void)state;
    assert_int_equal(check_add(&w.check, &w.j.dir, LOG_ACCOUNT, 0), 0);
    for (u64 seq = 1; seq <= 100; seq++) {
        live_makes(seq);
        replay_makes(seq, seq == 70 ? 999 : seq / 3 + 1);
    }
    assert_int_equal(check_files(&w.check, 69), 69);
    assert_int_equal(check_files(&w.check, 1), -1);
    assert_non_null(strstr(err_text(), "another record 70 of the account log"));
}

/* A replica from a snapshot does not look at what was made before. */
static void it_begins_after_the_snapshot(void **state)
{
    (void)state;
    for (u64 seq = 1; seq <= 100; seq++) live_makes(seq);
    assert_int_equal(check_add(&w.check, &w.j.dir, LOG_ACCOUNT, 60), 0);
    assert_int_equal(check_files(&w.check, 1000), 0);
    for (u64 seq = 61; seq <= 100; seq++) replay_makes(seq, seq / 3 + 1);
    assert_int_equal(check_files(&w.check, 1000), 40);
}

/* Nor wait for files that trail behind it. */
static void files_may_trail(void **state)
{
    (void)state;
    for (u64 seq = 1; seq <= 50; seq++) live_makes(seq);
    assert_int_equal(check_add(&w.check, &w.j.dir, LOG_ACCOUNT, 60), 0);
    for (u64 seq = 61; seq <= 100; seq++) replay_makes(seq, seq / 3 + 1);
    for (u64 seq = 51; seq <= 100; seq++) live_makes(seq);
    assert_int_equal(check_files(&w.check, 1000), 40);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        T(equal_logs_agree),
        T(one_difference_is_seen),
        T(it_begins_after_the_snapshot),
        T(files_may_trail),
    };
    print_message("seed %lu\n", SEED);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
