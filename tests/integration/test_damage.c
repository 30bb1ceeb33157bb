/* test_damage.c: an exchange that was stopped in order, and a disk that then lost, changed or mixed
 * up something. It starts with all it ever answered for, or it does not start and says which file,
 * where, why and what to do; never with less and silent.
 *
 * Each test begins with its own copy of one exchange that has traded.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "shm/region.h"
#include "tests/lib/audit.h"
#include "tests/lib/journal_dir.h"

#define RATE      1500U
#define TRADE_MS  2500U
#define NOBODY    65534U
#define SETTLE_MS 20000U

static struct exchange x = {.sets = {"snapshot.interval=24h", "trading.orders_max=65536"},
                            .set_count = 2};
static struct exchange other;
static struct load l;
static struct audit a, whole; /* now, and of the copy */
static char pristine[100];

/* --- One exchange that has traded --------------------------------------------------------------*/

/* Trade, stop, start and stop again: there is a snapshot, and a journal before and after it. */
static int trade(void **state)
{
    (void)state;
    printf("seed 7\n");
    if (exchange_start(&x)) return -1;
    load_open(&l, 7, RATE, 60000, x.port);
    a = (struct audit){.load = &l, .exchange = &x};
    audit_fund(&a);
    for (u32 part = 0; part < 2; part++) {
        load_trade(&l, TRADE_MS);
        if (!audit_settled(&a, SETTLE_MS) || exchange_down(&x)) return -1;
        if (part) break;
        if (exchange_up(&x)) return -1;
        l.client.port = x.port;
    }
    snprintf(pristine, sizeof pristine, "%s.whole", x.dir);
    exchange_shell("cp -a %s %s", x.dir, pristine);
    whole = a;
    printf("%u orders, %lu with an id, %lu open; command %lu\n", l.count, a.orders, a.open,
           a.sequence);
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    load_close(&l);
    exchange_remove(&x);
    exchange_remove(&other);
    if (pristine[0]) exchange_shell("rm -rf %s", pristine);
    return 0;
}

static int restore(void **state)
{
    (void)state;
    exchange_shell("rm -rf %s && cp -a %s %s", x.dir, pristine, x.dir);
    x.said[0] = '\0';
    whole.number = a.number;
    a = whole;
    l.faults = 0;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    x.user = 0;
    exchange_kill_strays();
    return 0;
}

/* --- What a start does -------------------------------------------------------------------------*/

static void says(const char *word)
{
    if (!strstr(x.said, word)) fail_msg("\"%s\" is missing in what it says: %s", word, x.said);
}

/* It does not start; it says all these words, and nothing runs afterwards. */
static void refuses(const char *file, const char *cause, const char *remedy)
{
    int code = exchange_ctl(&x, exchange_up_line(&x));
    if (code == 0) fail_msg("it starts, and says: %s", x.said);
    if (code != 1) fail_msg("exit code %d: %s", code, x.said);
    says(file);
    says(cause);
    says(remedy);
    assert_int_equal(exchange_ctl(&x, "status"), 3);
}

/* It starts, with every order and every token. */
static void starts_with_all(void)
{
    int code = exchange_ctl(&x, exchange_up_line(&x));
    if (code) exchange_show_logs(&x);
    if (code) fail_msg("exit code %d: %s", code, x.said);
    static char said[EXCHANGE_SAID_MAX];
    memcpy(said, x.said, sizeof said);
    assert_true(exchange_look(&x));
    l.client.port = x.port;
    audit_all(&a);
    assert_int_equal(l.faults, 0);
    assert_int_equal(exchange_down(&x), 0);
    memcpy(x.said, said, sizeof said);
}

/* --- Places in its files -----------------------------------------------------------------------*/

struct place {
    char path[400];
    u64 first; /* of its file */
    u64 seq, offset, length;
    u8 record[RECORD_BYTES_MAX];
};

static void open_journal(struct journal_dir *j)
{
    snprintf(j->path, sizeof j->path, "%s", x.dir);
    assert_int_equal(logdir_open(&j->dir, x.dir, false), 0);
}

/* The last record of a log, or the one `back` before it. */
static void find_record(u32 log, u64 back, struct place *p)
{
    struct journal_dir j = {0};
    struct logfile_reader r;
    const struct rec *rec;
    open_journal(&j);
    assert_int_equal(logfile_open(&r, &j.dir, log, 0, UINT64_MAX), LOGFILE_END);
    while (logfile_next(&r, &rec) == LOGFILE_RECORD) {
    }
    u64 seq = r.seq - back;
    logfile_close(&r);
    assert_int_equal(logfile_open(&r, &j.dir, log, seq - 1, UINT64_MAX), LOGFILE_END);
    assert_int_equal(logfile_next(&r, &rec), LOGFILE_RECORD);
    memcpy(p->record, rec, rec->length);
    p->seq = seq;
    p->length = rec->length;
    p->offset = r.offset - rec->length;
    p->first = r.first;
    journal_path(&j, log, r.first, p->path);
    logfile_close(&r);
    logdir_close(&j.dir);
}

/* First sequences of a log's files; returns how many. The caller frees. */
static int list_files(u32 log, u64 **firsts)
{
    struct journal_dir j = {0};
    open_journal(&j);
    int count = logfile_list(&j.dir, log, firsts);
    logdir_close(&j.dir);
    return count;
}

static void file_of(u32 log, u64 first, char path[400])
{
    char name[64];
    logfile_file(log, first, name);
    snprintf(path, 400, "%s/journal/%s", x.dir, name);
}

static void write_at(const char *path, u64 offset, const void *data, u64 bytes)
{
    FILE *f = fopen(path, "r+e");
    assert_non_null(f);
    assert_int_equal(fseek(f, (long)offset, SEEK_SET), 0);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

static void forget_snapshots(void)
{
    exchange_shell("rm -rf %s/snapshots", x.dir);
}

/* Paths of the snapshots, oldest first; returns how many, at most `max`. */
static u32 snapshots(char paths[][200], u32 max)
{
    char line[200];
    u32 n = 0;
    snprintf(line, sizeof line, "ls %s/snapshots/*.snap", x.dir);
    FILE *list = popen(line, "re"); /* a path of our own making */
    assert_non_null(list);
    for (; n < max && fgets(paths[n], 200, list); n++) paths[n][strcspn(paths[n], "\n")] = '\0';
    pclose(list);
    return n;
}

/* --- Nothing is wrong --------------------------------------------------------------------------*/

static void a_whole_copy_starts(void **state)
{
    (void)state;
    assert_int_equal(exchange_ctl(&x, "journal verify"), 0);
    starts_with_all();
    forget_snapshots();
    starts_with_all();
}

static u64 said_number(const json_t *r, const char *name)
{
    return (u64)json_integer_value(json_object_get(r, name));
}

static void tells_what_it_found(bool left)
{
    char line[200];
    assert_int_equal(exchange_ctl(&x, "recovery --json"), 0);
    json_t *r = json_loads(x.said, 0, NULL);
    assert_true(json_is_true(json_object_get(r, "ok")));
    u64 seq = said_number(r, "sequence"), from = said_number(r, "snapshot_sequence");
    u64 replayed = said_number(r, "replayed"), after = said_number(r, "checksum_sequence");
    assert_int_equal(replayed + said_number(r, "left_to_processes"), seq - from);
    assert_int_equal(replayed, left ? 0 : seq - from);
    assert_int_equal(after, left ? from : seq);
    assert_true(seq > from && said_number(r, "took_us") > 0);
    assert_true(left || said_number(r, "records_per_second") > 0);
    snprintf(line, sizeof line, "journal replay --to %lu", after);
    const char *checksum = json_string_value(json_object_get(r, "checksum"));
    assert_int_equal(exchange_ctl(&x, line), 0);
    says(checksum);
    json_decref(r);
}

/* What a start found can be asked for afterwards, also when it was refused. */
static void a_start_tells_what_it_found(void **state)
{
    (void)state;
    exchange_shell("rm %s/snapshots/$(ls %s/snapshots | tail -n 1)", x.dir, x.dir);
    for (u32 i = 0; i < 2; i++) { /* with a tail that is left to the processes, and from genesis */
        if (i) forget_snapshots();
        starts_with_all();
        tells_what_it_found(!i);
    }
    exchange_shell("rm %s/journal/command-*", x.dir);
    refuses("/journal/", "record", "restore");
    assert_int_equal(exchange_ctl(&x, "recovery"), 0);
    says("REFUSED");
    says("/journal/");
    assert_int_equal(exchange_ctl(&x, "recovery --all"), 0);
    says("snapshot  ");
}

/* Less memory than the exchange had before: which option, and nothing is lost. */
static void a_small_arena_is_told(void **state)
{
    (void)state;
    const char *was = x.sets[1];
    for (u32 i = 0; i < 2; i++) {
        x.sets[1] = "trading.orders_max=1024";
        if (i) forget_snapshots();
        refuses("trading.orders_max", "too small", "raise it");
        x.sets[1] = was;
        starts_with_all();
    }
}

/* And while it runs, in one line. */
static void status_tells_of_the_start(void **state)
{
    (void)state;
    forget_snapshots();
    assert_int_equal(exchange_up(&x), 0);
    assert_int_equal(exchange_ctl(&x, "status"), 0);
    says("snapshot at 0, ");
    says("mode               normal");
    json_t *status = exchange_status(&x);
    json_t *r = json_object_get(status, "recovery");
    assert_true(json_integer_value(json_object_get(r, "replayed")) > 1000);
    json_decref(status);
    assert_int_equal(exchange_down(&x), 0);
}

static void an_empty_directory_is_a_new_exchange(void **state)
{
    (void)state;
    exchange_shell("rm -rf %s/*", x.dir);
    assert_int_equal(exchange_up(&x), 0);
    json_t *status = exchange_status(&x);
    assert_true(json_integer_value(json_object_get(status, "sequence")) < 20);
    json_decref(status);
    assert_int_equal(exchange_down(&x), 0);
}

/* --- The end of the journal --------------------------------------------------------------------*/

/* The reserve behind the last record holds nothing. */
static void a_lost_reserve_is_no_loss(void **state)
{
    static const u64 cuts[] = {1, 7, 100};
    struct stat st;
    struct place last;
    for (u32 i = 0; i < COUNT_OF(cuts); i++) {
        restore(state);
        find_record(LOG_COMMAND, 0, &last);
        assert_int_equal(stat(last.path, &st), 0);
        assert_true((u64)st.st_size > last.offset + last.length + 200);
        assert_int_equal(truncate(last.path, st.st_size - (off_t)cuts[i]), 0);
        starts_with_all();
        restore(state);
        assert_int_equal(truncate(last.path, (off_t)(last.offset + last.length)), 0);
        starts_with_all();
    }
}

/* The machine stopped while a batch was being written: nobody was answered for it. */
static void an_unfinished_write_is_cut(void **state)
{
    static const u64 missing[] = {1, 7, 40, 100};
    for (u32 i = 0; i < COUNT_OF(missing); i++) {
        struct place last;
        alignas(8) u8 write[RECORD_BYTES_MAX + 64] = {0};
        restore(state);
        find_record(LOG_COMMAND, 0, &last);
        struct logfile_batch head = {.first_seq = last.seq + 1, .bytes = last.length};
        u64 begun = sizeof head + last.length;
        begun -= min_u64(missing[i], begun - 24);
        memcpy(write, &head, sizeof head);
        memcpy(write + sizeof head, last.record, last.length);
        u8 kind[] = {0x7c, 0xb4};
        memcpy(write + offsetof(struct logfile_batch, kind), kind, sizeof kind);
        write_at(last.path, last.offset + last.length, write, begun);
        starts_with_all();
        says("cut ");
        says(strrchr(last.path, '/'));
        assert_null(strstr(x.said, "HAD BEEN ON DISK"));
    }
}

/* What was answered for must not vanish in silence, though the journal ends cleanly: the mark
 * tells, and without it what follows from the lost commands. */
static void acknowledged_records_do_not_vanish(void **state)
{
    static const struct {
        u64 back;
        bool mark;
    } cases[] = {{1, true}, {3, true}, {50, true}, {50, false}};
    for (u32 i = 0; i < COUNT_OF(cases); i++) {
        struct place p;
        restore(state);
        find_record(LOG_COMMAND, cases[i].back - 1, &p);
        assert_int_equal(truncate(p.path, (off_t)p.offset), 0);
        if (!cases[i].mark) exchange_shell("rm %s/journal/mark", x.dir);
        refuses("/journal/command-", "on disk", "restore");
    }
}

/* Cut within the last record: reported as what it is, a record that had been on disk. */
static void a_torn_last_record_is_reported(void **state)
{
    static const u64 cuts[] = {1, 7, 30};
    for (u32 i = 0; i < COUNT_OF(cuts); i++) {
        struct place last;
        restore(state);
        find_record(LOG_COMMAND, 0, &last);
        assert_int_equal(truncate(last.path, (off_t)(last.offset + last.length - cuts[i])), 0);
        int code = exchange_ctl(&x, exchange_up_line(&x));
        says(strrchr(last.path, '/'));
        says("record");
        if (code == 0) says("HAD BEEN ON DISK");
        if (exchange_look(&x)) assert_int_equal(exchange_down(&x), 0);
    }
}

/* --- The middle of the journal -----------------------------------------------------------------*/

static void a_flipped_bit_stops_the_start(void **state)
{
    u64 seed = 7;
    for (u32 i = 0; i < 6; i++) {
        struct place p, last;
        char offset[40];
        restore(state);
        find_record(LOG_COMMAND, 0, &last);
        find_record(LOG_COMMAND, 1 + client_random(&seed) % (last.seq - 2), &p);
        forget_snapshots();
        u64 at = p.offset + client_random(&seed) % p.length;
        u8 mask = (u8)(1U << client_random(&seed) % 8);
        journal_flip(p.path, at, mask);
        snprintf(offset, sizeof offset, "%lu", p.offset);
        refuses(strrchr(p.path, '/'), offset, "restore");
        assert_int_equal(exchange_ctl(&x, "journal verify") != 0, 1);
        says(strrchr(p.path, '/'));
        says(offset);
        journal_flip(p.path, at, mask); /* and nothing was made worse */
        if (i == 0) starts_with_all();
    }
}

static void a_zeroed_page_stops_the_start(void **state)
{
    (void)state;
    struct place p;
    find_record(LOG_COMMAND, 100, &p);
    journal_zero(p.path, p.offset & ~4095UL, 4096);
    refuses(strrchr(p.path, '/'), "at byte", "restore");
}

static void a_missing_file_stops_the_start(void **state)
{
    u64 *firsts;
    int count = list_files(LOG_COMMAND, &firsts);
    assert_true(count >= 3);
    for (int i = 0; i < count; i++) {
        char path[400];
        restore(state);
        forget_snapshots();
        file_of(LOG_COMMAND, firsts[i], path);
        assert_int_equal(unlink(path), 0);
        refuses("/journal/command-", "record", "restore");
    }
    free(firsts);
}

/* All of the journal is gone, and the snapshots prove that there was one. */
static void a_missing_journal_stops_the_start(void **state)
{
    (void)state;
    exchange_shell("rm -r %s/journal", x.dir);
    refuses("/snapshots/", "journal", "restore");
}

/* --- Files of somebody else --------------------------------------------------------------------*/

static void a_foreign_file_stops_the_start(void **state)
{
    struct place p;
    char theirs[400];
    restore(state);
    if (!other.dir[0]) {
        exchange_make(&other);
        assert_int_equal(exchange_up(&other), 0);
        assert_int_equal(exchange_down(&other), 0);
    }
    find_record(LOG_COMMAND, 0, &p);
    snprintf(theirs, sizeof theirs, "%s/journal/command-%020d.log", other.dir, 1);
    exchange_shell("cp %s %s", theirs, p.path);
    refuses(strrchr(p.path, '/'), "another instance", "take it out");
    restore(state);
    file_of(LOG_COMMAND, 1, p.path);
    forget_snapshots();
    exchange_shell("cp %s %s", theirs, p.path);
    refuses(strrchr(p.path, '/'), "another instance", "take it out");
}

static void a_foreign_id_stops_the_start(void **state)
{
    restore(state);
    exchange_shell("head -c 32 /dev/zero | tr '\\0' 'a' > %s/instance", x.dir);
    refuses("/journal/", "another instance", "take it out");
    restore(state);
    exchange_shell("rm %s/instance", x.dir);
    refuses("/instance", "missing", "restore");
}

/* --- Snapshots ---------------------------------------------------------------------------------*/

static void a_damaged_snapshot_is_passed_over(void **state)
{
    u64 seed = 11;
    for (u32 round = 0; round < 4; round++) {
        char paths[16][200];
        struct stat st;
        restore(state);
        u32 count = snapshots(paths, 16);
        assert_true(count >= 1);
        for (u32 i = round == 3 ? 0 : count - 1; i < count; i++) {
            assert_int_equal(stat(paths[i], &st), 0);
            journal_flip(paths[i], client_random(&seed) % (u64)st.st_size,
                         (u8)(1U << client_random(&seed) % 8));
        }
        starts_with_all();
        says("damaged snapshot");
        says(strrchr(paths[count - 1], '/'));
    }
}

/* --- Derived logs ------------------------------------------------------------------------------*/

/* The account and match logs follow from the command log: damage is named, and what is missing is
 * made anew. */
static void derived_files_are_made_anew(void **state)
{
    static const struct {
        u32 log;
        const char *pattern;
    } logs[] = {{LOG_ACCOUNT, "account-*.log"}, {LOG_MATCH(0), "match-0-*.log"}};
    for (u32 i = 0; i < COUNT_OF(logs); i++) {
        struct place p;
        restore(state);
        find_record(logs[i].log, 20, &p);
        journal_flip(p.path, p.offset + 9, 1);
        refuses(strrchr(p.path, '/'), "at byte", "delete");
        exchange_shell("rm %s/journal/%s", x.dir, logs[i].pattern);
        starts_with_all();
        assert_int_equal(exchange_ctl(&x, "journal verify"), 0);
    }
}

/* --- Directories -------------------------------------------------------------------------------*/

/* May others pass every folder on the way to the programs? Not in a tree below /root. */
static bool others_can_run(void)
{
    char path[PATH_MAX];
    const char *bin = getenv("EIDOS_BIN");
    struct stat st;
    if (!realpath(bin ? bin : "build/bin", path)) return false;
    for (char *end = path + strlen(path); end > path; *end = '\0', end = strrchr(path, '/')) {
        *end = '\0';
        if (stat(path, &st) || !(st.st_mode & S_IXOTH)) return false;
    }
    return true;
}

static void an_unreadable_directory_is_named(void **state)
{
    restore(state);
    if (geteuid() == 0 && others_can_run()) {
        exchange_shell("chmod 700 %s", x.dir);
        x.user = NOBODY;
        refuses(x.dir, "ermission", "");
        x.user = 0;
        exchange_shell("chmod 755 %s && chown -R %u %s && chmod 0 %s/journal && chown 0 "
                       "%s/journal",
                       x.dir, NOBODY, x.dir, x.dir, x.dir);
        x.user = NOBODY;
        refuses("/journal", "ermission", "");
        x.user = 0;
    }
    restore(state);
    exchange_shell("rm -r %s/journal && touch %s/journal", x.dir, x.dir);
    refuses("/journal", "irectory", "");
}

/* --- Another build -----------------------------------------------------------------------------*/

/* As if the command log had been made by a build with other records. */
static void another_build_is_refused(void **state)
{
    (void)state;
    static struct region_head head;
    char own[100], path[200], bin[300];
    assert_int_equal(exchange_up(&x), 0);
    snprintf(own, sizeof own, "%s", x.dir);
    snprintf(path, sizeof path, "/dev/shm/eidos-%016lx/log.command", region_hash(own, strlen(own)));
    FILE *f = fopen(path, "r+e");
    assert_non_null(f);
    assert_int_equal(fread(&head, sizeof head, 1, f), 1);
    char *field = strstr(head.layout, "rec.cause ");
    assert_non_null(field);
    field += sizeof "rec.cause " - 1;
    *field ^= 1;
    head.layout_hash = region_hash(head.layout, strlen(head.layout));
    assert_int_equal(fseek(f, 0, SEEK_SET), 0);
    assert_int_equal(fwrite(&head, sizeof head, 1, f), 1);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(exchange_ctl(&x, "status"), 1);
    says("rec.cause");
    says("log.command");
    const char *folder = getenv("EIDOS_BIN");
    snprintf(bin, sizeof bin, "%s/eidos-matching --dir %s >%s/said 2>&1",
             folder ? folder : "build/bin", x.dir, x.dir);
    int status = system(bin); /* a path of our own making */
    assert_int_equal(WEXITSTATUS(status), 1);
    exchange_shell("grep -q 'rec.cause' %s/said", x.dir);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, restore, stop)
    const struct CMUnitTest tests[] = {
        T(a_whole_copy_starts),
        T(a_start_tells_what_it_found),
        T(status_tells_of_the_start),
        T(a_small_arena_is_told),
        T(an_empty_directory_is_a_new_exchange),
        T(a_lost_reserve_is_no_loss),
        T(an_unfinished_write_is_cut),
        T(acknowledged_records_do_not_vanish),
        T(a_torn_last_record_is_reported),
        T(a_flipped_bit_stops_the_start),
        T(a_zeroed_page_stops_the_start),
        T(a_missing_file_stops_the_start),
        T(a_missing_journal_stops_the_start),
        T(a_foreign_file_stops_the_start),
        T(a_foreign_id_stops_the_start),
        T(a_damaged_snapshot_is_passed_over),
        T(derived_files_are_made_anew),
        T(an_unreadable_directory_is_named),
        T(another_build_is_refused),
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests_name("damage", tests, trade, clean_up);
}
