/* test_journal.c: from shared memory to disk and back: group commit, resuming after a crash, a full
 * disk, a failed sync, and followers that are lapped. */
#include "procs/journal/retire.h"
#include "procs/lib/follow.h"
#include "procs/lib/logfile_retire.h"
#include "procs/lib/snapshot_file.h"
#include "shm/err.h"
#include "tests/lib/journal_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SEGMENT   LOGFILE_SEGMENT_MIN
#define LOG_BYTES (1UL << 20)
#define SEED      7UL

/* What outlives the journal process: logs, cursors, the durable region. */
static struct {
    struct durable durable;
    struct journal journal;
    struct journal_dir j;
    u64 random;
    void *memory[2];
    struct log_writer writers[2]; /* command, account */
    _Atomic u64 cursors[2], seen[2];
} w;

static u64 draw(u64 below)
{
    w.random ^= w.random << 13;
    w.random ^= w.random >> 7;
    w.random ^= w.random << 17;
    return w.random % below;
}

static int make(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    w.random = SEED;
    journal_dir_make(&w.j);
    for (u32 i = 0; i < 2; i++) {
        w.memory[i] = aligned_alloc(4096, align_up(log_footprint(LOG_BYTES), 4096));
        CHECK(w.memory[i]);
        memset(w.memory[i], 0, log_footprint(LOG_BYTES));
        log_new(w.memory[i], LOG_BYTES, 0);
        log_join_writer(&w.writers[i], w.memory[i]);
        CHECK(log_add_gate(&w.writers[i], &w.cursors[i]) == 0);
    }
    return 0;
}

static int drop(void **state)
{
    (void)state;
    for (u32 i = 0; i < 2; i++) free(w.memory[i]);
    journal_dir_remove(&w.j);
    return 0;
}

static int start(bool sync, const struct logfile_io *io)
{
    if (journal_open(&w.journal, w.j.path, &w.durable, sync, SEGMENT, 64UL << 10, io)) return -1;
    for (u32 i = 0; i < 2; i++) {
        struct log_reader r;
        log_join_reader(&r, w.memory[i]);
        r.cursor = &w.cursors[i];
        if (journal_add(&w.journal, i, &r, &w.seen[i])) return -1;
    }
    return 0;
}

/* A kill: nothing is synced or closed in order; only the descriptors go. */
static void kill_journal(void)
{
    for (u32 i = 0; i < w.journal.count; i++) {
        close(w.journal.logs[i].file.fd);
        if (w.journal.logs[i].file.spare_fd >= 0) close(w.journal.logs[i].file.spare_fd);
    }
    close(w.journal.mark_fd);
    logdir_close(&w.journal.dir);
}

/* A command and the account records that follow from it; false when the gate is closed. */
static bool trade(u32 accounts)
{
    if (!log_room(&w.writers[0], 4096) || !log_room(&w.writers[1], 4096)) return false;
    struct cmd_deposit *d = log_begin(&w.writers[0], CMD_DEPOSIT, sizeof *d);
    memset((u8 *)d + sizeof d->head, 0x5a, sizeof *d - sizeof d->head);
    u64 cause = w.writers[0].seq + 1;
    log_commit(&w.writers[0], d, cause, cause);
    for (u32 i = 0; i < accounts; i++) {
        struct account_balance *b = log_begin(&w.writers[1], ACCOUNT_BALANCE, sizeof *b);
        memset((u8 *)b + sizeof b->head, 0x33, sizeof *b - sizeof b->head);
        log_commit(&w.writers[1], b, cause, cause);
    }
    log_publish(&w.writers[0]);
    log_publish(&w.writers[1]);
    return true;
}

static void trade_many(u32 count)
{
    while (count--)
        while (!trade(2)) assert_true(journal_turn(&w.journal, 0) >= 0);
}

static void drain(void)
{
    while (w.durable.seq < w.writers[0].seq || w.durable.written[1] < w.writers[1].seq)
        assert_true(journal_turn(&w.journal, 0) >= 0);
}

static u64 count_records(u32 log)
{
    struct logfile_reader r;
    const struct rec *rec;
    enum logfile_status status = logfile_open(&r, &w.j.dir, log, 0, UINT64_MAX);
    if (status == LOGFILE_END)
        while ((status = logfile_next(&r, &rec)) == LOGFILE_RECORD)
            assert_int_equal(rec->seq, r.seq);
    if (status != LOGFILE_END) print_message("%s\n", err_text());
    assert_int_equal(status, LOGFILE_END);
    u64 seq = r.seq;
    logfile_close(&r);
    return seq;
}

static void everything_reaches_the_files(void **state)
{
    (void)state;
    assert_int_equal(start(true, &logfile_io_real), 0);
    trade_many(20000);
    drain();
    assert_int_equal(w.durable.seq, 20000);
    assert_int_equal(w.seen[1], 40000);
    assert_int_equal(journal_close(&w.journal), 0);
    assert_int_equal(count_records(LOG_COMMAND), 20000);
    assert_int_equal(count_records(LOG_ACCOUNT), 40000);
}

/* No account record is in the files before its command is on disk. */
static void causes_come_first(void **state)
{
    (void)state;
    assert_int_equal(start(true, &logfile_io_real), 0);
    trade_many(3000);
    struct log_reader account = w.journal.logs[1].shm;
    while (w.durable.written[1] < w.writers[1].seq) {
        assert_true(journal_turn(&w.journal, 0) > 0);
        for (const struct rec *rec; account.seq < w.durable.written[1];) {
            assert_non_null(rec = log_peek(&account));
            assert_true(rec->cause <= w.durable.seq);
            log_advance(&account, rec);
        }
    }
    assert_int_equal(journal_close(&w.journal), 0);
}

/* Killed at any moment and started again, a hundred times, under load. */
static void killed_and_resumed(void **state)
{
    (void)state;
    for (u32 life = 0; life < 100; life++) {
        u64 durable = w.durable.seq;
        assert_int_equal(start(life % 3 != 0, &logfile_io_real), 0);
        assert_true(w.durable.seq >= durable);
        for (u64 i = draw(40); i; i--) {
            trade_many((u32)draw(200));
            if (draw(2)) assert_true(journal_turn(&w.journal, draw(4) * JOURNAL_SYNC_NS) >= 0);
        }
        kill_journal();
    }
    assert_int_equal(start(true, &logfile_io_real), 0);
    drain();
    assert_int_equal(journal_close(&w.journal), 0);
    assert_int_equal(count_records(LOG_COMMAND), w.writers[0].seq);
    assert_int_equal(count_records(LOG_ACCOUNT), w.writers[1].seq);
}

static int syncs_left;

static int sync_fails(int fd)
{
    if (syncs_left-- > 0) return fdatasync(fd);
    errno = EIO;
    return -1;
}

/* A failed sync is fatal at once, nothing is acknowledged, and what it may have lost is written
 * again by the next process, from shared memory. */
static void failed_sync_is_fatal(void **state)
{
    (void)state;
    struct logfile_io io = {pwritev, sync_fails, fallocate};
    syncs_left = 1000;
    assert_int_equal(start(true, &io), 0);
    trade_many(100);
    drain();
    syncs_left = 0;
    assert_true(trade(2));
    assert_int_equal(journal_turn(&w.journal, 0), -1);
    assert_non_null(strstr(err_text(), "syncing the command log"));
    assert_int_equal(w.durable.seq, 100);
    kill_journal();
    /* The pages are gone, though the process read them back a moment ago. */
    char path[400];
    u64 first, at = journal_place(&w.j, LOG_COMMAND, 101, &first);
    journal_path(&w.j, LOG_COMMAND, first, path);
    journal_flip(path, at + 70, 0xff);
    syncs_left = 1000;
    assert_int_equal(start(true, &io), 0);
    drain();
    assert_int_equal(w.durable.seq, 101);
    assert_int_equal(journal_close(&w.journal), 0);
    assert_int_equal(count_records(LOG_COMMAND), 101);
}

static bool disk_is_full;

static int reserve_if_room(int fd, int mode, off_t at, off_t bytes)
{
    if (!disk_is_full) return fallocate(fd, mode, at, bytes);
    errno = ENOSPC;
    return -1;
}

static void full_disk_stops_and_goes_on(void **state)
{
    (void)state;
    struct logfile_io io = {pwritev, fdatasync, reserve_if_room};
    disk_is_full = false;
    assert_int_equal(start(true, &io), 0);
    trade_many(10);
    drain();
    disk_is_full = true;
    u64 now = 1, stuck = 0;
    while (stuck < 50) {
        trade(2);
        i64 done = journal_turn(&w.journal, now += JOURNAL_RETRY_NS / 10);
        assert_true(done >= 0);
        stuck = done ? 0 : stuck + 1;
    }
    assert_int_equal(w.durable.low_disk, 1);
    assert_true(w.journal.full);
    assert_true(w.durable.seq < w.writers[0].seq);
    disk_is_full = false;
    while (w.durable.seq < w.writers[0].seq || w.durable.written[1] < w.writers[1].seq)
        assert_true(journal_turn(&w.journal, now += JOURNAL_RETRY_NS) >= 0);
    assert_int_equal(w.durable.low_disk, 0);
    assert_int_equal(journal_close(&w.journal), 0);
    assert_int_equal(count_records(LOG_COMMAND), w.writers[0].seq);
    assert_int_equal(count_records(LOG_ACCOUNT), w.writers[1].seq);
}

/* Space is short: trading is told, and everything goes on being written. */
static void short_of_space_is_told_and_goes_on(void **state)
{
    (void)state;
    assert_int_equal(start(true, &logfile_io_real), 0);
    w.journal.scarce = true;
    trade_many(3000);
    drain();
    assert_int_equal(w.durable.low_disk, 1);
    assert_false(w.journal.full);
    w.journal.scarce = false;
    assert_int_equal(journal_turn(&w.journal, 0), 0);
    assert_int_equal(w.durable.low_disk, 0);
    assert_int_equal(journal_close(&w.journal), 0);
    assert_int_equal(count_records(LOG_COMMAND), 3000);
}

static void lost_records_are_told(void **state)
{
    (void)state;
    assert_int_equal(start(true, &logfile_io_real), 0);
    trade_many(100);
    drain();
    assert_int_equal(journal_close(&w.journal), 0);
    assert_int_equal(logfile_cut(&w.j.dir, LOG_COMMAND, 50), 0);
    log_new(memset(w.memory[0], 0, log_footprint(LOG_BYTES)), LOG_BYTES, 70);
    assert_int_equal(start(true, &logfile_io_real), -1);
    assert_non_null(strstr(err_text(), "no longer holds record 51"));
    kill_journal();
}

static void match(struct log_writer *m, u32 count)
{
    while (count--) {
        struct match_order *o = log_begin(m, MATCH_OPENED, sizeof *o);
        memset((u8 *)o + sizeof o->head, 0, sizeof *o - sizeof o->head);
        o->order_id = o->lots = o->price = o->account = o->side = 1;
        log_commit(m, o, 1, 1);
    }
    log_publish(m);
}

/* After a start the match log begins with what is not merged, and the journal may look while not
 * all of that is there. */
static void match_log_is_still_filling(void **state)
{
    (void)state;
    static alignas(4096) u8 memory[LOG_BYTES * 2];
    static _Atomic u64 cursor, seen;
    struct log *log = (void *)memory;
    struct log_writer m;
    struct log_reader r;
    CHECK(log_footprint(LOG_BYTES) <= sizeof memory);
    for (u32 life = 0; life < 2; life++) {
        memset(memory, 0, sizeof memory);
        log_new(log, LOG_BYTES, 0);
        log_join_writer(&m, log);
        cursor = 0;
        CHECK(log_add_gate(&m, &cursor) == 0);
        if (life) log_begin_at(&m, 80);
        match(&m,
              10); /* of the first life: 1 to 10; of the second: 81 to 90, which the files have */
        assert_int_equal(start(true, &logfile_io_real), 0);
        log_join_reader(&r, log);
        r.cursor = &cursor;
        assert_int_equal(journal_add(&w.journal, LOG_MATCH(0), &r, &seen), 0);
        assert_int_equal(w.durable.written[LOG_MATCH(0)], life ? 100 : 0);
        if (!life) assert_true(trade(1));
        match(&m, life ? 30 : 90);
        while (w.durable.written[LOG_MATCH(0)] < m.seq)
            assert_true(journal_turn(&w.journal, 0) >= 0);
        assert_int_equal(journal_close(&w.journal), 0);
    }
    assert_int_equal(count_records(LOG_MATCH(0)), 120);
}

static void two_writers_are_refused(void **state)
{
    (void)state;
    static struct journal second;
    assert_int_equal(start(true, &logfile_io_real), 0);
    assert_int_equal(
        journal_open(&second, w.j.path, &w.durable, true, SEGMENT, 64UL << 10, &logfile_io_real),
        -1);
    assert_non_null(strstr(err_text(), "another process writes"));
    logdir_close(&second.dir);
    assert_int_equal(journal_close(&w.journal), 0);
}

/* Followers of different speed see the same records, none twice, none beyond durable. */
static void followers_never_miss(void **state)
{
    (void)state;
    static struct follow fast, slow, late;
    struct follow *all[] = {&fast, &slow, &late};
    const struct rec *rec;
    assert_int_equal(start(true, &logfile_io_real), 0);
    for (u32 i = 0; i < 2; i++)
        assert_int_equal(follow_open(all[i], w.j.path, LOG_ACCOUNT, w.memory[1], &w.durable, 0), 0);
    u64 seen[3] = {0};
    for (u32 round = 0; round < 60; round++) {
        trade_many(1000);
        if (round == 30) {
            assert_int_equal(
                follow_open(&late, w.j.path, LOG_ACCOUNT, w.memory[1], &w.durable, 777), 0);
            seen[2] = 777;
        }
        for (u32 i = 0; i < (round < 30 ? 2 : 3); i++) {
            u64 wish = i == 0 ? UINT64_MAX : draw(2500);
            int rc = 0;
            while (wish-- && (rc = follow_next(all[i], &rec)) == 1) {
                assert_int_equal(rec->seq, ++seen[i]);
                assert_true(rec->cause <= w.durable.seq);
            }
            assert_true(rc >= 0);
        }
    }
    drain();
    for (u32 i = 0; i < 3; i++) {
        while (follow_next(all[i], &rec) == 1) assert_int_equal(rec->seq, ++seen[i]);
        assert_int_equal(seen[i], w.writers[1].seq);
        follow_close(all[i]);
    }
    assert_true(slow.laps > 0 && !slow.in_files);
    assert_true(late.laps > 0);
    assert_int_equal(journal_close(&w.journal), 0);
}

static void snapshot(u64 seq, u64 account_seq)
{
    struct snapshot_writer s;
    struct snapshot_info info = {.seq = seq, .account_seq = account_seq};
    assert_int_equal(snapshot_create(&s, w.j.path, w.j.dir.instance), 0);
    assert_int_equal(snapshot_finish(&s, &info, NULL), 0);
}

static u64 begin_of(u32 log)
{
    u64 first;
    assert_int_equal(logfile_begin(&w.j.dir, log, &first), 0);
    return first;
}

/* Retire all that may go; how many files went. */
static u32 retire_all(u64 commands_read, u64 accounts_read, u64 before_s)
{
    u64 readers[PROC_LOGS_MAX] = {commands_read, accounts_read}, last[PROC_LOGS_MAX];
    u32 gone = 0;
    for (int n; (n = retire_files(&w.journal, readers, before_s, last)); gone += (u32)n) {
        assert_true(n > 0);
        for (u32 log = 0; log < 2; log++)
            if (last[log]) assert_int_equal(begin_of(log), last[log] + 1);
    }
    return gone;
}

/* Nothing goes that a kept snapshot, a reader or the setting needs; the rest does. */
static void files_retire_when_nobody_needs_them(void **state)
{
    (void)state;
    u64 ever = UINT64_MAX;
    assert_int_equal(start(true, &logfile_io_real), 0);
    trade_many(20000);
    drain();
    assert_int_equal(retire_all(ever, ever, ever), 0); /* no snapshot */
    snapshot(9000, 18000);
    assert_int_equal(retire_all(ever, ever, ever), 0); /* a single one may be damaged */
    snapshot(19000, 38000);
    assert_int_equal(retire_all(ever, ever, ever), 0); /* the account log is not synced so far */
    assert_true(trade(1));
    for (u64 s = 2; s < 6; s++) assert_true(journal_turn(&w.journal, s * JOURNAL_SYNC_NS) >= 0);
    assert_int_equal(w.journal.mark.synced[LOG_ACCOUNT], 40001);
    assert_int_equal(retire_all(ever, ever, 1000), 0); /* the files are younger */
    assert_int_equal(retire_all(10, 10, ever), 0);     /* a reader has not come so far */
    assert_true(retire_all(5000, ever, ever) > 2);
    u64 first = begin_of(LOG_COMMAND);
    assert_true(first > 1 && first <= 5001);
    assert_true(retire_all(ever, ever, ever) > 0);
    assert_true(begin_of(LOG_COMMAND) > first && begin_of(LOG_COMMAND) <= 9001);
    assert_true(begin_of(LOG_ACCOUNT) > 9000 && begin_of(LOG_ACCOUNT) <= 18001);
    snapshot(20001, 40001);
    assert_int_equal(snapshot_retire(w.j.path, w.j.dir.instance, 2), 0);
    assert_true(retire_all(ever, ever, ever) > 0);
    assert_true(begin_of(LOG_COMMAND) <= 19001 && begin_of(LOG_ACCOUNT) <= 38001);
    assert_int_equal(journal_close(&w.journal), 0);
    /* It goes on, and followers find what is left. */
    assert_int_equal(start(true, &logfile_io_real), 0);
    trade_many(100);
    drain();
    struct logfile_reader r;
    assert_int_equal(logfile_open(&r, &w.j.dir, LOG_COMMAND, 0, ever), LOGFILE_GAP);
    logfile_close(&r);
    assert_int_equal(logfile_open(&r, &w.j.dir, LOG_COMMAND, 19000, ever), LOGFILE_END);
    const struct rec *rec;
    while (logfile_next(&r, &rec) == LOGFILE_RECORD) assert_int_equal(rec->seq, r.seq);
    assert_int_equal(r.seq, 20101);
    logfile_close(&r);
    assert_int_equal(journal_close(&w.journal), 0);
}

/* However old: the file that is written to stays. */
static void newest_file_never_retires(void **state)
{
    (void)state;
    u64 ever = UINT64_MAX;
    assert_int_equal(start(true, &logfile_io_real), 0);
    trade_many(10);
    drain();
    assert_true(journal_turn(&w.journal, 2 * JOURNAL_SYNC_NS) >= 0);
    snapshot(9, 18);
    snapshot(10, 20);
    assert_int_equal(snapshot_retire(w.j.path, w.j.dir.instance, 2), 0);
    assert_int_equal(retire_all(ever, ever, ever), 0);
    assert_int_equal(begin_of(LOG_COMMAND), 1);
    assert_int_equal(journal_close(&w.journal), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        T(everything_reaches_the_files), T(causes_come_first),
        T(killed_and_resumed),           T(failed_sync_is_fatal),
        T(full_disk_stops_and_goes_on),  T(lost_records_are_told),
        T(match_log_is_still_filling),   T(two_writers_are_refused),
        T(followers_never_miss),         T(files_retire_when_nobody_needs_them),
        T(newest_file_never_retires),    T(short_of_space_is_told_and_goes_on),
    };
    print_message("seed %lu\n", SEED);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
