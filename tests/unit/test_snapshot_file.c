/* test_snapshot_file.c: what is put into a snapshot comes out; what was changed is refused. */
#include "procs/lib/snapshot_file.h"
#include "procs/lib/snapshot_take.h"
#include "shm/err.h"
#include "tests/lib/journal_dir.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define BIG (700UL << 10) /* several blocks */

static struct journal_dir j;
static u8 plain[BIG], noise[BIG];

static int make(void **state)
{
    (void)state;
    u64 x = 88172645463325252UL;
    for (u64 i = 0; i < BIG; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        noise[i] = (u8)x;
        plain[i] = (u8)(i / 1000);
    }
    journal_dir_make(&j);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    journal_dir_remove(&j);
    return 0;
}

static void save_with(u64 seq, bool beside)
{
    struct snapshot_writer w;
    struct snapshot_info info = {.seq = seq, .account_seq = 2 * seq, .matchings = 1};
    info.match_seq[0] = 3 * seq;
    u64 bytes;
    assert_int_equal(snapshot_create(&w, j.path, j.dir.instance), 0);
    if (beside) snapshot_pack_beside(&w);
    assert_int_equal(snapshot_begin(&w, SECTION_RULES, 0), 0);
    assert_int_equal(snapshot_put(&w, &seq, sizeof seq), 0);
    assert_int_equal(snapshot_begin(&w, SECTION_BOOK, 7), 0);
    assert_int_equal(snapshot_put(&w, plain, BIG), 0);
    assert_int_equal(snapshot_begin(&w, SECTION_BOOK, 8), 0);
    assert_int_equal(snapshot_put(&w, noise, BIG), 0);
    assert_int_equal(snapshot_begin(&w, SECTION_UNMERGED, 0), 0);
    assert_int_equal(snapshot_finish(&w, &info, &bytes), 0);
    /* What packs is packed, what does not is not made larger. */
    assert_true(bytes > BIG && bytes < BIG + BIG / 10);
}

static void save(u64 seq)
{
    save_with(seq, false);
}

static void path_of(u64 seq, char path[400])
{
    snprintf(path, 400, "%s/snapshots/%020lu.snap", j.path, seq);
}

/* Whoever packs, the file is the same. */
static void packed_beside_is_the_same(void **state)
{
    (void)state;
    static u8 alone[3 * BIG], beside[3 * BIG];
    char path[400];
    size_t bytes[2];
    path_of(41, path);
    for (u32 i = 0; i < 2; i++) {
        save_with(41, i);
        FILE *f = fopen(path, "re");
        assert_non_null(f);
        bytes[i] = fread(i ? beside : alone, 1, sizeof alone, f);
        fclose(f);
    }
    assert_true(bytes[0] > BIG && bytes[0] < sizeof alone);
    assert_int_equal(bytes[0], bytes[1]);
    assert_memory_equal(alone, beside, bytes[0]);
}

/* What fails in the thread is told, and leaves no file behind. */
static void a_failure_beside_is_told(void **state)
{
    (void)state;
    struct snapshot_writer w;
    struct snapshot_info info = {.seq = 77};
    struct rlimit was, small;
    char path[400];
    u64 *seqs;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = was;
    small.rlim_cur = 2 * SNAPSHOT_BLOCK;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(snapshot_create(&w, j.path, j.dir.instance), 0);
    snapshot_pack_beside(&w);
    assert_int_equal(snapshot_begin(&w, SECTION_BOOK, 0), 0);
    int rc = 0;
    for (u32 i = 0; i < 20 && !rc; i++) rc = snapshot_put(&w, noise, BIG);
    assert_int_equal(rc, -1);
    assert_non_null(strstr(err_text(), "writing"));
    snapshot_abort(&w);
    assert_int_equal(snapshot_create(&w, j.path, j.dir.instance), 0);
    snapshot_pack_beside(&w);
    assert_int_equal(snapshot_begin(&w, SECTION_BOOK, 0), 0);
    assert_int_equal(snapshot_put(&w, noise, BIG), 0); /* and is told at the end at the latest */
    assert_int_equal(snapshot_finish(&w, &info, NULL), -1);
    assert_non_null(strstr(err_text(), "writing"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(snapshot_list(j.path, &seqs), 0);
    snprintf(path, sizeof path, "%s/snapshots/writing.tmp", j.path);
    assert_int_equal(access(path, F_OK), -1);
}

static void round_trip(void **state)
{
    (void)state;
    static u8 back[BIG];
    struct snapshot_reader r;
    u64 seq;
    save(41);
    assert_int_equal(snapshot_open(&r, j.path, j.dir.instance, 41), 0);
    assert_int_equal(r.manifest->info.account_seq, 82);
    assert_int_equal(snapshot_seek(&r, SECTION_BOOK, 8), 1);
    for (u64 at = 0, n; at < BIG; at += n) { /* in pieces that cross blocks */
        n = min_u64(99991, BIG - at);
        assert_int_equal(snapshot_get(&r, back + at, n), 0);
    }
    assert_memory_equal(back, noise, BIG);
    assert_int_equal(r.left, 0);
    assert_int_equal(snapshot_seek(&r, SECTION_BOOK, 7), 1);
    assert_int_equal(snapshot_get(&r, back, BIG), 0);
    assert_memory_equal(back, plain, BIG);
    assert_int_equal(snapshot_seek(&r, SECTION_RULES, 0), 1);
    assert_int_equal(snapshot_get(&r, &seq, sizeof seq), 0);
    assert_int_equal(seq, 41);
    assert_int_equal(snapshot_get(&r, &seq, 1), -1);
    assert_int_equal(snapshot_seek(&r, SECTION_UNMERGED, 0), 1);
    assert_int_equal(r.left, 0);
    assert_int_equal(snapshot_seek(&r, SECTION_BOOK, 9), 0);
    snapshot_close(&r);
}

static void every_change_is_found(void **state)
{
    (void)state;
    char path[400];
    struct stat st;
    struct snapshot_reader r;
    save(5);
    path_of(5, path);
    assert_int_equal(stat(path, &st), 0);
    u64 size = (u64)st.st_size;
    for (u64 at = 0; at < size; at += at < 64 || at > size - 700 ? 1 : 4093) {
        journal_flip(path, at, (u8)(1U << at % 8));
        assert_int_equal(snapshot_open(&r, j.path, j.dir.instance, 5), -1);
        assert_non_null(strstr(err_text(), path));
        journal_flip(path, at, (u8)(1U << at % 8));
    }
    assert_int_equal(snapshot_open(&r, j.path, j.dir.instance, 5), 0);
    snapshot_close(&r);
    for (u64 left = size; left > 1000; left = left * 2 / 3) {
        assert_int_equal(truncate(path, (off_t)left - 1), 0);
        assert_int_equal(snapshot_open(&r, j.path, j.dir.instance, 5), -1);
    }
}

static void other_instance_is_refused(void **state)
{
    (void)state;
    struct snapshot_reader r;
    u8 other[LOGFILE_INSTANCE] = {1};
    save(5);
    assert_int_equal(snapshot_open(&r, j.path, other, 5), -1);
    assert_non_null(strstr(err_text(), "another instance"));
}

static u64 newest(u64 seq_most, const struct snapshot_info *need)
{
    struct snapshot_reader r;
    int found = snapshot_newest(&r, j.path, j.dir.instance, seq_most, need, NULL, NULL);
    assert_true(found >= 0);
    if (!found) return 0;
    u64 seq = r.manifest->info.seq;
    snapshot_close(&r);
    return seq;
}

static void newest_that_fits_is_taken(void **state)
{
    (void)state;
    char path[400];
    struct snapshot_info need = {.account_seq = 45, .match_seq = {1000}};
    assert_int_equal(newest(UINT64_MAX, NULL), 0);
    for (u64 seq = 10; seq <= 50; seq += 10) save(seq);
    assert_int_equal(newest(UINT64_MAX, NULL), 50);
    assert_int_equal(newest(49, NULL), 40);
    assert_int_equal(newest(9, NULL), 0);
    assert_int_equal(newest(UINT64_MAX, &need), 20);
    need.match_seq[0] = 31;
    assert_int_equal(newest(UINT64_MAX, &need), 10);
    path_of(50, path);
    journal_flip(path, 100, 1);
    assert_int_equal(newest(UINT64_MAX, NULL), 40);
}

static void old_ones_go(void **state)
{
    (void)state;
    u64 *seqs;
    for (u64 seq = 1; seq <= 6; seq++) save(seq);
    assert_int_equal(snapshot_retire(j.path, j.dir.instance, 2), 0);
    assert_int_equal(snapshot_list(j.path, &seqs), 2);
    assert_int_equal(seqs[0], 5);
    assert_int_equal(seqs[1], 6);
    free(seqs);
}

/* What can not be read replaces no snapshot, and is not taken away for its number. */
static void damaged_ones_count_for_nothing(void **state)
{
    (void)state;
    u64 *seqs;
    char path[400];
    for (u64 seq = 1; seq <= 6; seq++) save(seq);
    path_of(6, path);
    assert_int_equal(truncate(path, 100), 0);
    assert_int_equal(snapshot_cut(j.path, j.dir.instance, 5), 0);
    assert_int_equal(snapshot_retire(j.path, j.dir.instance, 1), 0);
    assert_int_equal(snapshot_list(j.path, &seqs), 2);
    assert_int_equal(seqs[0], 5);
    assert_int_equal(seqs[1], 6);
    free(seqs);
    assert_int_equal(snapshot_cut(j.path, j.dir.instance, 4), 1);
    assert_int_equal(newest(UINT64_MAX, NULL), 0);
}

/* A glance believes the sections, not the manifest. */
static void glance_checks_the_manifest(void **state)
{
    (void)state;
    struct snapshot_reader r;
    struct snapshot_info info;
    struct stat st;
    char path[400];
    save(5);
    path_of(5, path);
    assert_int_equal(stat(path, &st), 0);
    journal_flip(path, 300, 1);
    assert_int_equal(snapshot_open(&r, j.path, j.dir.instance, 5), -1);
    assert_int_equal(snapshot_glance(&r, j.path, j.dir.instance, 5), 0);
    snapshot_close(&r);
    assert_int_equal(snapshot_peek(j.path, j.dir.instance, 5, &info), 0);
    assert_int_equal(info.account_seq, 10);
    journal_flip(path, (u64)st.st_size - 100, 1);
    assert_int_equal(snapshot_peek(j.path, j.dir.instance, 5, &info), -1);
    assert_int_equal(snapshot_peek(j.path, j.dir.instance, 6, &info), -1);
}

/* The request is there, whole, until it is answered, and is no snapshot. */
static void requests_wait_for_an_answer(void **state)
{
    (void)state;
    u64 seq, *seqs;
    assert_int_equal(snapshot_ask(j.path, 7), -1); /* nobody ever ran here */
    save(5);
    assert_false(snapshot_asked(j.path, &seq));
    assert_int_equal(snapshot_ask(j.path, 7), 0);
    assert_int_equal(snapshot_ask(j.path, 31337), 0);
    assert_true(snapshot_asked(j.path, &seq));
    assert_int_equal(seq, 31337);
    assert_int_equal(snapshot_list(j.path, &seqs), 1);
    free(seqs);
    snapshot_answer(j.path);
    assert_false(snapshot_asked(j.path, &seq));
}

static void unfinished_leaves_nothing(void **state)
{
    (void)state;
    struct snapshot_writer w;
    u64 *seqs;
    assert_int_equal(snapshot_create(&w, j.path, j.dir.instance), 0);
    assert_int_equal(snapshot_begin(&w, SECTION_RULES, 0), 0);
    assert_int_equal(snapshot_put(&w, noise, BIG), 0);
    snapshot_abort(&w);
    assert_int_equal(snapshot_list(j.path, &seqs), 0);
    free(seqs);
}

/* Who reads one part is not kept from it by damage in another. */
static void only_what_is_read_is_checked(void **state)
{
    (void)state;
    char path[400];
    struct snapshot_reader r;
    save(5);
    path_of(5, path);
    assert_int_equal(snapshot_open(&r, j.path, j.dir.instance, 5), 0);
    assert_int_equal(snapshot_seek(&r, SECTION_BOOK, 8), 1);
    u64 at = r.section->offset + r.section->stored / 2;
    snapshot_close(&r);
    journal_flip(path, at, 1);
    for (u32 kind = SECTION_RULES; kind <= SECTION_SUMS; kind++) {
        int found = snapshot_newest_of(&r, j.path, j.dir.instance, UINT64_MAX, NULL,
                                       SECTION_BIT(kind), NULL, NULL);
        assert_int_equal(found, kind != SECTION_BOOK);
        if (found) snapshot_close(&r);
    }
    assert_int_equal(snapshot_newest(&r, j.path, j.dir.instance, UINT64_MAX, NULL, NULL, NULL), 0);
    journal_flip(path, at, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        T(round_trip),
        T(packed_beside_is_the_same),
        T(a_failure_beside_is_told),
        T(every_change_is_found),
        T(other_instance_is_refused),
        T(newest_that_fits_is_taken),
        T(old_ones_go),
        T(damaged_ones_count_for_nothing),
        T(unfinished_leaves_nothing),
        T(only_what_is_read_is_checked),
        T(glance_checks_the_manifest),
        T(requests_wait_for_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
