/* test_logfile.c: what is written is read; what is torn is cut; what is damaged is named. */
#include "procs/lib/logfile.h"
#include "procs/lib/logfile_survey.h"
#include "shm/crc32c.h"
#include "shm/err.h"
#include "tests/lib/journal_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SEGMENT LOGFILE_SEGMENT_MIN
#define RECORD  sizeof(struct cmd_deposit)

static struct journal_dir j;

static int make(void **state)
{
    (void)state;
    journal_dir_make(&j);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    journal_dir_remove(&j);
    return 0;
}

/* Read all after `from`; returns the status that ended it, *last = last sequence read. */
static enum logfile_status read_all(u32 log, u64 from, u64 *last, struct logfile_fault *fault)
{
    struct logfile_reader r;
    const struct rec *rec;
    u8 expected[RECORD_BYTES_MAX];
    enum logfile_status status = logfile_open(&r, &j.dir, log, from, UINT64_MAX);
    if (status == LOGFILE_END)
        while ((status = logfile_next(&r, &rec)) == LOGFILE_RECORD)
            if (log == LOG_COMMAND)
                assert_memory_equal(rec, expected, (size_t)journal_deposit(expected, rec->seq));
    *last = r.seq;
    if (fault) *fault = r.fault;
    logfile_close(&r);
    return status;
}

static void written_is_read(void **state)
{
    (void)state;
    u64 last, *firsts;
    journal_fill(&j, 1, 10000, 37, SEGMENT, 10000);
    assert_true(logfile_list(&j.dir, LOG_COMMAND, &firsts) >= 4);
    assert_int_equal(firsts[0], 1);
    free(firsts);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_END);
    assert_int_equal(last, 10000);
    assert_int_equal(read_all(LOG_COMMAND, 7777, &last, NULL), LOGFILE_END);
    assert_int_equal(last, 10000);
    journal_fill(&j, 10001, 5000, 1, SEGMENT, 15000);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_END);
    assert_int_equal(last, 15000);
}

static void empty_is_the_end(void **state)
{
    (void)state;
    u64 last;
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_END);
    assert_int_equal(last, 0);
    journal_set_mark(&j, LOG_COMMAND, 5);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_GAP);
    assert_non_null(strstr(err_text(), "on disk through record 5"));
}

/* The write of the last batch stopped after any number of bytes: everything before is kept. */
static void unfinished_write_is_cut(void **state)
{
    (void)state;
    char path[400];
    u64 first, last;
    struct logfile_fault fault;
    journal_fill(&j, 1, 20, 10, SEGMENT, 10);
    u64 at = journal_place(&j, LOG_COMMAND, 15, &first);
    journal_path(&j, LOG_COMMAND, first, path);
    for (u64 kept = RECORD - 8; kept >= 8; kept -= 8) {
        journal_zero(path, at + kept, 8 * RECORD);
        assert_int_equal(read_all(LOG_COMMAND, 0, &last, &fault), LOGFILE_TORN);
        assert_int_equal(last, 14);
        assert_int_equal(fault.offset, at);
        assert_true(fault.bytes > 0 && fault.bytes <= kept && !fault.was_synced);
    }
    assert_int_equal(logfile_cut(&j.dir, LOG_COMMAND, 14), 0);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_END);
    assert_int_equal(last, 14);
    journal_fill(&j, 15, 100, 7, SEGMENT, 114);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_END);
    assert_int_equal(last, 114);
}

/* Pages of an unfinished batch arrive in any order: a hole with whole records behind it. */
static void hole_in_the_last_batch_is_cut(void **state)
{
    (void)state;
    char path[400];
    u64 first, last;
    journal_fill(&j, 1, 20, 10, SEGMENT, 10);
    u64 at = journal_place(&j, LOG_COMMAND, 13, &first);
    journal_path(&j, LOG_COMMAND, first, path);
    journal_zero(path, at, RECORD);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_TORN);
    assert_int_equal(last, 12);
    assert_int_equal(logfile_cut(&j.dir, LOG_COMMAND, 12), 0);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_END);
    assert_int_equal(last, 12);
}

/* The same hole with a later batch behind it had been synced, whatever an old mark says. */
static void hole_before_a_later_batch_is_damage(void **state)
{
    (void)state;
    char path[400];
    u64 first, last;
    journal_fill(&j, 1, 30, 10, SEGMENT, 10);
    u64 at = journal_place(&j, LOG_COMMAND, 13, &first);
    journal_path(&j, LOG_COMMAND, first, path);
    journal_flip(path, at + 50, 1);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_DAMAGE);
    journal_zero(path, at, 2 * RECORD);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_DAMAGE);
    assert_int_equal(last, 12);
}

/* Every byte of every record in turn, the last one included: never read, never cut. */
static void flipped_bits_are_damage(void **state)
{
    (void)state;
    char path[400];
    u64 first, last;
    struct logfile_fault fault;
    journal_fill(&j, 1, 6, 2, SEGMENT, 6);
    journal_path(&j, LOG_COMMAND, 1, path);
    for (u64 seq = 1; seq <= 6; seq++) {
        u64 at = journal_place(&j, LOG_COMMAND, seq, &first);
        for (u64 i = 0; i < RECORD; i++) {
            u8 mask = (u8)(1U << (i + seq) % 8);
            journal_flip(path, at + i, mask);
            assert_int_equal(read_all(LOG_COMMAND, 0, &last, &fault), LOGFILE_DAMAGE);
            assert_int_equal(last, seq - 1);
            assert_int_equal(fault.offset, at);
            assert_string_equal(fault.path, path);
            assert_true(*fault.cause && *fault.remedy);
            journal_flip(path, at + i, mask);
        }
    }
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_END);
}

static void flipped_heads_are_damage(void **state)
{
    (void)state;
    char path[400];
    u64 last;
    journal_fill(&j, 1, 4, 2, SEGMENT, 4);
    journal_path(&j, LOG_COMMAND, 1, path);
    for (u64 i = 0; i < LOGFILE_HEAD_BYTES + sizeof(struct logfile_batch);
         i += i < 80 || i >= LOGFILE_HEAD_BYTES ? 1 : 61) {
        journal_flip(path, i, 0x10);
        enum logfile_status status = read_all(LOG_COMMAND, 0, &last, NULL);
        assert_true(status == LOGFILE_DAMAGE || (i < 8 && status == LOGFILE_FOREIGN));
        journal_flip(path, i, 0x10);
    }
}

/* A file cut short within its last record is torn; cut further, acknowledged records are missed. */
static void truncated_files(void **state)
{
    (void)state;
    char path[400];
    u64 first, last;
    struct logfile_fault fault;
    journal_fill(&j, 1, 10, 5, SEGMENT, 10);
    u64 at = journal_place(&j, LOG_COMMAND, 10, &first);
    journal_path(&j, LOG_COMMAND, first, path);
    assert_int_equal(truncate(path, (off_t)(at + RECORD - 3)), 0);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, &fault), LOGFILE_TORN);
    assert_int_equal(last, 9);
    assert_true(fault.was_synced);
    assert_int_equal(truncate(path, (off_t)at), 0);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_DAMAGE);
    assert_int_equal(last, 9);
    assert_int_equal(truncate(path, (off_t)(at - RECORD - 5)), 0);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_DAMAGE);
    assert_int_equal(last, 7);
    assert_int_equal(truncate(path, 100), 0);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_DAMAGE);
    assert_int_equal(logfile_cut(&j.dir, LOG_COMMAND, 3), -1);
}

static void cut_after_truncation_goes_on(void **state)
{
    (void)state;
    char path[400];
    u64 first, last;
    journal_fill(&j, 1, 10, 5, SEGMENT, 10);
    u64 at = journal_place(&j, LOG_COMMAND, 10, &first);
    journal_path(&j, LOG_COMMAND, first, path);
    assert_int_equal(truncate(path, (off_t)(at + 9)), 0);
    assert_int_equal(logfile_cut(&j.dir, LOG_COMMAND, 9), 0);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_END);
    assert_int_equal(last, 9);
    journal_fill(&j, 10, 3000, 50, SEGMENT, 3009);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_END);
    assert_int_equal(last, 3009);
}

static void missing_file_is_a_gap(void **state)
{
    (void)state;
    char path[400];
    u64 last, *firsts;
    journal_fill(&j, 1, 9000, 50, SEGMENT, 9000);
    assert_true(logfile_list(&j.dir, LOG_COMMAND, &firsts) >= 3);
    journal_path(&j, LOG_COMMAND, firsts[1], path);
    u64 before = firsts[1] - 1;
    assert_int_equal(unlink(path), 0);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_DAMAGE);
    assert_int_equal(last, before);
    assert_non_null(strstr(err_text(), "a later file begins with record"));
    journal_path(&j, LOG_COMMAND, 1, path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_GAP);
    free(firsts);
}

static void foreign_files_are_refused(void **state)
{
    (void)state;
    struct journal_dir other;
    char path[400], theirs[400];
    u64 last;
    journal_fill(&j, 1, 10, 5, SEGMENT, 10);
    journal_dir_make(&other);
    journal_fill(&other, 1, 10, 5, SEGMENT, 10);
    journal_path(&j, LOG_COMMAND, 1, path);
    journal_path(&other, LOG_COMMAND, 1, theirs);
    assert_int_equal(rename(theirs, path), 0);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_FOREIGN);
    assert_non_null(strstr(err_text(), "another instance"));
    journal_path(&j, LOG_ACCOUNT, 1, theirs);
    assert_int_equal(rename(path, theirs), 0);
    assert_int_equal(read_all(LOG_ACCOUNT, 0, &last, NULL), LOGFILE_FOREIGN);
    journal_dir_remove(&other);
}

static void instance_is_never_made_beside_files(void **state)
{
    (void)state;
    char path[100];
    struct logdir again;
    journal_fill(&j, 1, 10, 5, SEGMENT, 10);
    snprintf(path, sizeof path, "%s/instance", j.path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(logdir_open(&again, j.path, true), -1);
    assert_non_null(strstr(err_text(), "instance is missing"));
}

static void unknown_kind_stops(void **state)
{
    (void)state;
    u64 last;
    alignas(8) u8 buf[RECORD_BYTES_MAX];
    struct rec *rec = (struct rec *)(void *)buf;
    struct logfile_writer w;
    u32 length = journal_deposit(buf, 1);
    rec->version = 2;
    rec->crc = 0;
    rec->crc = crc32c(0, rec, length);
    struct iovec piece = {buf, length};
    assert_int_equal(
        logfile_writer_open(&w, &j.dir, LOG_COMMAND, SEGMENT, true, 0, &logfile_io_real), 0);
    assert_int_equal(logfile_append(&w, &piece, 1, length, 1, 1), 0);
    logfile_writer_close(&w);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_UNKNOWN);
    assert_non_null(strstr(err_text(), "version 2"));
}

/* Account and match files may trail: what is missing at their end is made anew, not missed. */
static void derived_files_may_trail(void **state)
{
    (void)state;
    struct logfile_writer w;
    u8 buf[20 * sizeof(struct account_balance)];
    char path[400];
    u64 last, bytes = 0, first;
    assert_int_equal(
        logfile_writer_open(&w, &j.dir, LOG_ACCOUNT, SEGMENT, false, 0, &logfile_io_real), 0);
    for (u64 seq = 1; seq <= 20; seq++) bytes += journal_balance(buf + bytes, seq, seq);
    for (u64 i = 0; i < 4; i++) {
        struct iovec piece = {buf + i * bytes / 4, bytes / 4};
        assert_int_equal(logfile_append(&w, &piece, 1, bytes / 4, 5 * i + 1, 5 * i + 5), 0);
    }
    logfile_writer_close(&w);
    journal_set_mark(&j, LOG_ACCOUNT, 7);
    journal_path(&j, LOG_ACCOUNT, 1, path);
    u64 at = journal_place(&j, LOG_ACCOUNT, 8, &first), early = journal_place(&j, 1, 7, &first);
    journal_flip(path, at, 1);
    assert_int_equal(read_all(LOG_ACCOUNT, 0, &last, NULL), LOGFILE_TORN);
    assert_int_equal(last, 7);
    journal_flip(path, early + 60, 1);
    assert_int_equal(read_all(LOG_ACCOUNT, 0, &last, NULL), LOGFILE_DAMAGE);
    assert_non_null(strstr(err_text(), "makes them anew"));
    journal_flip(path, early + 60, 1);
    assert_int_equal(logfile_cut(&j.dir, LOG_ACCOUNT, 3), 0);
    assert_int_equal(read_all(LOG_ACCOUNT, 0, &last, NULL), LOGFILE_END);
    assert_int_equal(last, 3);
}

/* A follower never reads beyond what it was told is there, and then sees it without reopening. */
static void limit_is_kept(void **state)
{
    (void)state;
    struct logfile_reader r;
    const struct rec *rec;
    journal_fill(&j, 1, 10, 5, SEGMENT, 10);
    assert_int_equal(logfile_open(&r, &j.dir, LOG_COMMAND, 0, 4), LOGFILE_END);
    for (u64 seq = 1; seq <= 4; seq++) {
        assert_int_equal(logfile_next(&r, &rec), LOGFILE_RECORD);
        assert_int_equal(rec->seq, seq);
    }
    assert_int_equal(logfile_next(&r, &rec), LOGFILE_END);
    r.limit = 10;
    while (logfile_next(&r, &rec) == LOGFILE_RECORD) {
    }
    assert_int_equal(r.seq, 10);
    journal_fill(&j, 11, 5000, 50, SEGMENT, 5010);
    r.limit = 5010;
    while (logfile_next(&r, &rec) == LOGFILE_RECORD) {
    }
    assert_int_equal(r.seq, 5010);
    r.limit = 5011;
    assert_int_equal(logfile_next(&r, &rec), LOGFILE_DAMAGE);
    logfile_close(&r);
}

static int reserve_calls;

static int reserve_once(int fd, int mode, off_t at, off_t bytes)
{
    if (reserve_calls++ == 0) return fallocate(fd, mode, at, bytes);
    errno = ENOSPC;
    return -1;
}

static void full_disk_is_told_and_survived(void **state)
{
    (void)state;
    struct logfile_io io = {pwritev, fdatasync, reserve_once};
    struct logfile_writer w;
    u8 buf[1000 * RECORD];
    u64 bytes = 0, seq = 0, last;
    for (u64 i = 1; i <= 1000; i++) bytes += journal_deposit(buf + (i - 1) * RECORD, i);
    reserve_calls = 0;
    assert_int_equal(logfile_writer_open(&w, &j.dir, LOG_COMMAND, SEGMENT, true, 0, &io), 0);
    int rc = 0;
    while (!rc) {
        for (u64 i = 0; i < 1000; i++) journal_deposit(buf + i * RECORD, seq + i + 1);
        struct iovec piece = {buf, bytes};
        rc = logfile_append(&w, &piece, 1, bytes, seq + 1, seq + 1000);
        if (!rc) seq += 1000;
    }
    assert_int_equal(rc, LOGFILE_NO_SPACE);
    assert_int_equal(w.seq, seq);
    assert_int_equal(logfile_prepare(&w, 1), LOGFILE_NO_SPACE);
    assert_non_null(strstr(err_text(), "No space left"));
    reserve_calls = 0;
    struct iovec piece = {buf, bytes};
    assert_int_equal(logfile_append(&w, &piece, 1, bytes, seq + 1, seq + 1000), 0);
    logfile_writer_close(&w);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_END);
    assert_int_equal(last, seq + 1000);
}

static u64 write_only; /* bytes of the next write, 0 = all */

static ssize_t write_part(int fd, const struct iovec *iov, int count, off_t at)
{
    u64 bytes = write_only;
    if (!bytes || count != 2) return pwritev(fd, iov, count, at);
    write_only = 0;
    struct iovec pieces[2] = {iov[0], {iov[1].iov_base, bytes - iov[0].iov_len}};
    return pwritev(fd, pieces, 2, at);
}

/* A batch that was written in part, and whole only in the next file, is read once. */
static void part_of_a_batch_is_cleared(void **state)
{
    (void)state;
    struct logfile_io io = {write_part, fdatasync, fallocate};
    struct logfile_writer w;
    u8 buf[3000 * RECORD];
    u64 last, step = (SEGMENT - 8192) / RECORD / 2;
    assert_true(2 * step < 3000);
    assert_int_equal(logfile_writer_open(&w, &j.dir, LOG_COMMAND, SEGMENT, true, 0, &io), 0);
    for (u64 i = 0; i < 3 * step && i < 3000; i++) journal_deposit(buf + i * RECORD, i + 1);
    struct iovec one = {buf, step * RECORD}, more = {buf + step * RECORD, step * RECORD / 2};
    assert_int_equal(logfile_append(&w, &one, 1, one.iov_len, 1, step), 0);
    write_only = 10 * RECORD + 100;
    u64 half = step / 2;
    more.iov_len = half * RECORD;
    assert_int_equal(logfile_append(&w, &more, 1, more.iov_len, step + 1, step + half),
                     LOGFILE_NO_SPACE);
    more.iov_len = (step + 200) * RECORD;
    assert_int_equal(logfile_append(&w, &more, 1, more.iov_len, step + 1, 2 * step + 200), 0);
    assert_int_equal(w.first, step + 1);
    logfile_writer_close(&w);
    assert_int_equal(read_all(LOG_COMMAND, 0, &last, NULL), LOGFILE_END);
    assert_int_equal(last, 2 * step + 200);
}

/* What was not synced may be laid out again: a reader that had it in its buffer goes on. */
static void readers_survive_another_layout(void **state)
{
    (void)state;
    struct logfile_reader r;
    const struct rec *rec;
    journal_fill(&j, 1, 100, 7, SEGMENT, 40);
    assert_int_equal(logfile_open(&r, &j.dir, LOG_COMMAND, 0, 40), LOGFILE_END);
    while (r.seq < 40) assert_int_equal(logfile_next(&r, &rec), LOGFILE_RECORD);
    assert_int_equal(logfile_cut(&j.dir, LOG_COMMAND, 40), 0);
    journal_fill(&j, 41, 120, 1, SEGMENT, 160);
    r.limit = 160;
    for (u64 seq = 41; seq <= 160; seq++) {
        assert_int_equal(logfile_next(&r, &rec), LOGFILE_RECORD);
        assert_int_equal(rec->seq, seq);
    }
    assert_int_equal(logfile_next(&r, &rec), LOGFILE_END);
    /* Twice in vain is damage. */
    r.limit = 161;
    assert_int_equal(logfile_next(&r, &rec), LOGFILE_DAMAGE);
    logfile_close(&r);
}

/* Files that a start does not read: their ends are looked at, and the newest of them whole. */
static void a_survey_finds_old_damage(void **state)
{
    (void)state;
    static const u64 all = 1UL << 30;
    char path[400];
    u64 *firsts, first;
    journal_fill(&j, 1, 12000, 50, SEGMENT, 12000);
    int count = logfile_list(&j.dir, LOG_COMMAND, &firsts);
    assert_true(count >= 4);
    assert_int_equal(logfile_survey(&j.dir, LOG_COMMAND, all), 0);
    assert_int_equal(logfile_survey(&j.dir, LOG_COMMAND, 0), 0);
    u64 at = journal_place(&j, LOG_COMMAND, 20, &first);
    journal_path(&j, LOG_COMMAND, first, path);
    journal_flip(path, at + 60, 1);
    assert_int_equal(logfile_survey(&j.dir, LOG_COMMAND, SEGMENT), 0); /* not that far back */
    assert_int_equal(logfile_survey(&j.dir, LOG_COMMAND, all), 1);
    assert_non_null(strstr(err_text(), path));
    journal_flip(path, at + 60, 1);
    at = journal_place(&j, LOG_COMMAND, firsts[1] - 1, &first);
    journal_zero(path, at, 24);
    assert_int_equal(logfile_survey(&j.dir, LOG_COMMAND, 0), 1);
    journal_path(&j, LOG_COMMAND, firsts[1], path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(logfile_survey(&j.dir, LOG_COMMAND, 0), 1);
    free(firsts);
}

/* Commands were recorded, and none is left: that is remembered beside the journal. */
static void use_is_remembered(void **state)
{
    (void)state;
    struct logdir again;
    assert_false(j.dir.used);
    assert_int_equal(logdir_set_used(&j.dir), 0);
    assert_int_equal(logdir_open(&again, j.path, false), 0);
    assert_true(again.used);
    assert_memory_equal(again.instance, j.dir.instance, LOGFILE_INSTANCE);
    logdir_close(&again);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        T(written_is_read),
        T(empty_is_the_end),
        T(unfinished_write_is_cut),
        T(hole_in_the_last_batch_is_cut),
        T(hole_before_a_later_batch_is_damage),
        T(flipped_bits_are_damage),
        T(flipped_heads_are_damage),
        T(truncated_files),
        T(cut_after_truncation_goes_on),
        T(missing_file_is_a_gap),
        T(foreign_files_are_refused),
        T(instance_is_never_made_beside_files),
        T(unknown_kind_stops),
        T(derived_files_may_trail),
        T(limit_is_kept),
        T(a_survey_finds_old_damage),
        T(use_is_remembered),
        T(full_disk_is_told_and_survived),
        T(part_of_a_batch_is_cleared),
        T(readers_survive_another_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
