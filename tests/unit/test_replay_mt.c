/* Two threads replay what one does: the same state and the same records, number by number. */
#include "procs/lib/recover.h"
#include "procs/lib/replay.h"
#include "tests/lib/history.h"
#include "tests/lib/journal_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct history_plan plan = {
    .seed = 7, .commands = 30000, .accounts = 200, .resting = 2000, .segment_bytes = 4UL << 20};

static struct journal_dir dir;
static struct topo_params params;

static int setup(void **state)
{
    (void)state;
    struct history_made made;
    journal_dir_make(&dir);
    history_params(&plan, &params);
    history_make(dir.path, &plan, &made);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    journal_dir_remove(&dir);
    return 0;
}

/* What is the same after every kind of replay. */
struct ending {
    u64 seq, state, market;
};

static struct ending end_of(struct replica *r)
{
    struct snapshot_info info;
    replica_info(r, &info);
    struct ending e = {info.seq, info.checksum, market_checksum(r->market)};
    replica_close(r);
    return e;
}

static struct replica replica;

static struct ending replayed(u64 seq, u32 threads)
{
    u64 from;
    assert_int_equal(recover_at(&dir.dir, &params, seq, UINT64_MAX, threads, &replica, &from), 0);
    return end_of(&replica);
}

/* One by one, without a window, a thread or anything left out. */
static struct ending applied(u64 seq)
{
    struct replica_config c = {
        .params = &params, .trading = true, .market = true, .matching_count = 1};
    struct logfile_reader files;
    const struct rec *rec;
    assert_int_equal(replica_open(&replica, &c), 0);
    assert_int_equal(logfile_open(&files, &dir.dir, LOG_COMMAND, 0, UINT64_MAX), LOGFILE_END);
    while (files.seq < seq && logfile_next(&files, &rec) == LOGFILE_RECORD)
        assert_int_equal(replica_apply(&replica, rec), 0);
    logfile_close(&files);
    return end_of(&replica);
}

static void the_way_makes_no_difference(void **state)
{
    (void)state;
    static const u64 places[] = {1, 700, 12345, UINT64_MAX};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        struct ending plain = applied(places[i]), one = replayed(places[i], 1),
                      two = replayed(places[i], 2);
        assert_true(plain.seq == places[i] || places[i] == UINT64_MAX);
        assert_memory_equal(&one, &plain, sizeof one);
        assert_memory_equal(&two, &plain, sizeof two);
    }
}

static void derived_files_are_written_again_by_two(void **state)
{
    (void)state;
    struct recovered one, two;
    struct recover_options o = {.dir = dir.path,
                                .params = &params,
                                .segment_bytes = plan.segment_bytes,
                                .snapshots_keep = 2,
                                .threads = 1};
    assert_int_equal(recover_start(&o, &one), 0);
    assert_int_equal(snapshot_cut(dir.path, dir.dir.instance, 0), 1);
    assert_int_equal(logfile_cut(&dir.dir, LOG_ACCOUNT, one.account_seq / 2), 0);
    assert_int_equal(logfile_cut(&dir.dir, LOG_MATCH(0), one.match_seq[0] / 3), 0);
    o.threads = 2;
    assert_int_equal(recover_start(&o, &two), 0);
    assert_memory_equal(&one, &two, offsetof(struct recovered, check_ns)); /* times differ */
    assert_int_equal(recover_start(&o, &two), 0); /* and every file is whole again */
    assert_int_equal(two.checksum, one.checksum);
    assert_int_equal(two.snapshot_seq, one.seq);
}

/* From a snapshot in the middle, each thread loading its part. */
static void snapshots_are_loaded_by_two(void **state)
{
    (void)state;
    struct recovered found[2];
    struct recover_options o = {.dir = dir.path,
                                .params = &params,
                                .segment_bytes = plan.segment_bytes,
                                .snapshots_keep = 9};
    u64 from, market[2];
    for (o.threads = 1; o.threads <= 2; o.threads++) {
        assert_int_equal(recover_at(&dir.dir, &params, 7000, UINT64_MAX, 1, &replica, &from), 0);
        assert_int_equal(replica_save(&replica, dir.path, dir.dir.instance, NULL), 0);
        replica_close(&replica);
        assert_int_equal(recover_start(&o, &found[o.threads - 1]), 0);
        assert_int_equal(found[o.threads - 1].snapshot_seq, 7000);
        market[o.threads - 1] = replayed(UINT64_MAX, 1).market;
        assert_true(snapshot_cut(dir.path, dir.dir.instance, 0) > 0);
    }
    assert_memory_equal(&found[0], &found[1], offsetof(struct recovered, check_ns));
    assert_int_equal(market[0], market[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_way_makes_no_difference, setup, teardown),
        cmocka_unit_test_setup_teardown(derived_files_are_written_again_by_two, setup, teardown),
        cmocka_unit_test_setup_teardown(snapshots_are_loaded_by_two, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
