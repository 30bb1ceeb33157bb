/* test_damage_table.c: a table of damage, drawn by a seed, to the files of an exchange that has
 * traded (tests/lib/damage.h). Each entry has a copy of its own, and a start of it must
 *
 *   come back      with the very state of every command that was acknowledged, or
 *   refuse         naming a file and what to do; and when just that is done, it comes back,
 *
 * and never end in between: no crash, no endless wait, no smaller state without a word.
 *
 * What is right is known from reading the undamaged files by other code (tests/lib/damage.c), and
 * from replaying their commands. EIDOS_SEED chooses another table, EIDOS_LONG a longer one.
 */
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "procs/lib/logfile_retire.h"
#include "procs/lib/recover.h"
#include "shm/err.h"
#include "tests/lib/audit.h"
#include "tests/lib/damage.h"

#define RATE      1500U
#define SETTLE_MS 20000U
#define NOBODY    65534U
#define LOGS      3U
#define HANGS_S   20U
#define ROUNDS    6U /* of remedies, one after the other */
#define SHORT     3U /* draws of each kind of damage and tree */
#define LONG      40U

static const char *const log_names[LOGS] = {"command", "account", "match-0"};

/* --- The exchange, and copies of it ------------------------------------------------------------*/

static struct exchange x = {
    .sets = {"snapshot.interval=1s", "snapshot.keep=2", "trading.orders_max=65536"},
    .set_count = 3};
static struct load l;
static struct audit a, stopped; /* now, and when it was stopped */

enum tree_kind { STOPPED, KILLED, RETIRED, TREES };

/* An undamaged copy, and what is known of it. */
struct tree {
    const char *name;
    char dir[120];
    char older[120];
    u64 synced; /* commands that may have been acknowledged */
    struct damage_records logs[LOGS];
    u64 checksum;      /* after the last command */
    u64 less_checksum; /* after the one before it */
};
static struct tree trees[TREES] = {{.name = "stopped"}, {.name = "killed"}, {.name = "retired"}};
static char place[80], work[120]; /* where the copies are, and the one that is damaged */

static struct topo_params params = {.api = 1,
                                    .verify = 1,
                                    .matching = 1,
                                    .accounts_max = 1024,
                                    .balances_max = 4096,
                                    .nonce_windows_max = 2048,
                                    .transfers_max = 1024,
                                    .orders_max = 65536,
                                    .resting_max = 65536,
                                    .recent_trades = 4096,
                                    .markets_max = 16,
                                    .candles = MARKET_CANDLES_FEWEST,
                                    .history_rows = 1024};

static void copy_to(const char *name, char path[120])
{
    snprintf(path, 120, "%s/%s", place, name);
    exchange_shell("mkdir %s && cd %s && cp -a instance journal snapshots %s", path, x.dir, path);
}

static bool trade_and_stop(u32 ms)
{
    load_trade(&l, ms);
    return audit_settled(&a, SETTLE_MS) && !exchange_down(&x);
}

/* As it was stopped, and as the traders then knew it. */
static void put_whole(void)
{
    exchange_shell("rm -rf %s && cp -a %s %s", x.dir, trees[STOPPED].dir, x.dir);
    stopped.number = a.number;
    a = stopped;
    l.faults = 0;
}

static bool start_again(void)
{
    if (exchange_up(&x)) return false;
    l.client.port = x.port;
    return true;
}

/* Where there is room in memory, there: nobody waits for a disk, and it wears none. */
static void make_place(void)
{
    struct statvfs fs;
    bool roomy = statvfs("/dev/shm", &fs) == 0 && fs.f_bavail * fs.f_frsize > 512UL << 20;
    snprintf(place, sizeof place, "%s/eidos-damage-XXXXXX", roomy ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(place));
    exchange_shell("chmod 755 %s", place);
    snprintf(work, sizeof work, "%s/work", place);
}

/* Old files are taken away as the journal does it. */
static void retire(struct tree *t)
{
    struct logdir d;
    struct snapshot_info info;
    u64 *seqs, gone = 0;
    CHECK(snapshot_list(t->dir, &seqs) > 1 && logdir_open(&d, t->dir, false) == 0);
    CHECK(snapshot_peek(t->dir, d.instance, seqs[0], &info) == 0);
    u64 through[LOGS] = {info.seq, info.account_seq, info.match_seq[0]};
    for (u32 log = 0; log < LOGS; log++)
        while (logfile_retire(&d, log, through[log], UINT64_MAX, NULL) > 0) gone++;
    CHECK(gone > 0);
    logdir_close(&d);
    free(seqs);
}

/* --- What is right -----------------------------------------------------------------------------*/

/* The state after command `seq`, made from the records alone. */
static u64 checksum_after(const struct damage_records *commands, u64 seq)
{
    static struct replica r;
    struct snapshot_info info;
    struct replica_config c = {
        .params = &params, .trading = true, .market = true, .matching_count = 1};
    CHECK(commands->first == 1 && replica_open(&r, &c) == 0);
    for (u64 i = 1; i <= seq; i++) CHECK(replica_apply(&r, damage_record(commands, i)) == 0);
    replica_info(&r, &info);
    replica_close(&r);
    return info.checksum;
}

static u64 synced_of(const char *dir)
{
    char path[200];
    u64 words[4];
    snprintf(path, sizeof path, "%s/journal/mark", dir);
    FILE *f = fopen(path, "re");
    CHECK(f && fread(words, sizeof words, 1, f) == 1);
    fclose(f);
    return words[3]; /* of the command log */
}

static void know(struct tree *t)
{
    for (u32 log = 0; log < LOGS; log++) damage_read(t->dir, log_names[log], &t->logs[log]);
    CHECK(t->logs[0].count && t->logs[0].first == 1);
    u64 last = t->logs[0].count;
    t->synced = synced_of(t->dir);
    t->checksum = checksum_after(&t->logs[0], last);
    t->less_checksum = checksum_after(&t->logs[0], last - 1);
    printf("%s: commands through %lu, synced through %lu; account records %lu, match %lu\n",
           t->name, last, t->synced, t->logs[1].count, t->logs[2].count);
}

static char older[120];

/* An exchange that was stopped in order, twice, and the same without its oldest files. */
static int make(void **state)
{
    (void)state;
    make_place();
    if (exchange_start(&x)) return -1;
    load_open(&l, 7, RATE, 60000, x.port);
    a = (struct audit){.load = &l, .exchange = &x};
    audit_fund(&a);
    if (!trade_and_stop(1500)) return -1;
    copy_to("older", older);
    if (!start_again() || !trade_and_stop(2500)) return -1;
    copy_to("stopped", trees[STOPPED].dir);
    copy_to("retired", trees[RETIRED].dir);
    stopped = a;
    memcpy(trees[STOPPED].older, older, sizeof older);
    know(&trees[STOPPED]);
    struct tree *t = &trees[RETIRED];
    char dir[120];
    memcpy(dir, t->dir, sizeof dir);
    *t = trees[STOPPED];
    t->name = "retired";
    memcpy(t->dir, dir, sizeof dir);
    retire(t);
    return 0;
}

/* One that went on, and was killed while it traded. */
static void make_killed(void)
{
    struct tree *t = &trees[KILLED];
    put_whole();
    CHECK(start_again());
    load_trade(&l, 1500);
    load_burst(&l, 3);
    exchange_kill_all(&x);
    copy_to("killed", t->dir);
    memcpy(t->older, older, sizeof older);
    know(t);
}

static int clean_up(void **state)
{
    (void)state;
    load_close(&l);
    exchange_remove(&x);
    if (place[0]) exchange_shell("rm -rf %s", place);
    return 0;
}

/* --- A start, in a process that may die of it --------------------------------------------------*/

struct outcome {
    int rc;
    int signal; /* that ended it, 0 = none */
    struct recovered found;
    char why[ERR_TEXT_MAX];
    char reports[4096];
};
static struct outcome *out; /* shared with the children */

static void remember(void *context, const char *text)
{
    size_t n = strlen(out->reports);
    (void)context;
    snprintf(out->reports + n, sizeof out->reports - n, "%s\n", text);
}

static _Noreturn void start_as(u32 uid, u32 threads)
{
    struct recover_options o = {.dir = work,
                                .params = &params,
                                .segment_bytes = 1UL << 20,
                                .snapshots_keep = 4,
                                .tail_commands = RECOVER_TAIL,
                                .threads = threads,
                                .report = remember};
    if (uid && (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid)))
        _exit(3);
    alarm(HANGS_S);
    out->rc = recover_start(&o, &out->found);
    if (out->rc) snprintf(out->why, sizeof out->why, "%s", err_text());
    _exit(0);
}

static void start(bool as_other, u32 threads)
{
    int status;
    memset(out, 0, sizeof *out);
    out->rc = 99;
    fflush(NULL);
    if (as_other) exchange_shell("chown -R %u %s", NOBODY, work);
    pid_t pid = fork();
    if (pid == 0) start_as(as_other ? NOBODY : 0, threads);
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    out->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* --- Judging -----------------------------------------------------------------------------------*/

/* An entry of the table. */
struct entry {
    const struct tree *tree;
    struct damage damage;
    bool failed;
};
static struct {
    u32 exact, told, cut, refused, failed;
} tally, *kind_tally;

static void fault(struct entry *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void fault(struct entry *e, const char *fmt, ...)
{
    char text[2 * ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    printf("FAULT %s, %s: %s\n      %s\n", e->tree->name, e->damage.kind, e->damage.text, text);
    if (out->reports[0]) printf("      reported: %s", out->reports);
    if (out->why[0]) printf("      said: %s\n", out->why);
    e->failed = true;
}

static bool was_lost_aloud(void)
{
    return strstr(out->reports, "HAD BEEN ON DISK") != NULL;
}

/* The state that came back is the one of a command through which everything acknowledged is there.
 */
static bool state_is_right(struct entry *e)
{
    const struct tree *t = e->tree;
    u64 last = t->logs[0].count, seq = out->found.seq;
    u64 least = t->synced - was_lost_aloud();
    if (seq > last || seq < least) fault(e, "came back with %lu of %lu commands", seq, last);
    else if (out->found.checksum != (seq == last       ? t->checksum
                                     : seq == last - 1 ? t->less_checksum
                                                       : checksum_after(&t->logs[0], seq)))
        fault(e, "came back with another state of command %lu", seq);
    return !e->failed;
}

/* Every record that the files now hold is the one that was written. 1; 0 = some are not there (old
 * ones that nobody needs). */
static bool files_are_right(struct entry *e)
{
    u64 ends[LOGS] = {out->found.seq, out->found.account_seq, out->found.match_seq[0]};
    bool whole = true;
    for (u32 log = 0; log < LOGS && !e->failed; log++) {
        const struct damage_records *right = &e->tree->logs[log];
        struct damage_records now;
        damage_read(work, log_names[log], &now);
        for (u64 seq = now.first; now.count && seq < now.first + now.count && !e->failed; seq++) {
            if (seq < right->first || seq >= right->first + right->count) continue;
            const struct rec *p = damage_record(&now, seq), *q = damage_record(right, seq);
            if (p->length != q->length || memcmp(p, q, p->length) != 0)
                fault(e, "record %lu of the %s log is another", seq, log_names[log]);
        }
        whole = whole && !now.broken && now.first + now.count == ends[log] + 1;
        damage_free(&now);
    }
    return whole;
}

/* The path that an error names, of a file in `work`; false without. */
static bool named(char path[DAMAGE_PATH])
{
    const char *at = strstr(out->why, work);
    if (!at) return false;
    size_t n = strcspn(at, ": ;,)");
    snprintf(path, DAMAGE_PATH, "%.*s", (int)n, at);
    return true;
}

/* Put back a file or folder as the undamaged copy has it. */
static void put_back(const struct tree *t, const char *path)
{
    const char *name = path + strlen(work);
    exchange_shell("rm -rf %s; if [ -e %s%s ]; then cp -a %s%s %s; fi", path, t->dir, name, t->dir,
                   name, path);
}

/* "delete this file and the later ones of its log" */
static void delete_from(const char *path)
{
    char log[DAMAGE_PATH];
    snprintf(log, sizeof log, "%s", path);
    char *dash = strrchr(log, '-');
    CHECK(dash);
    *dash = '\0';
    exchange_shell("for f in %s-*.log; do if [ ! $f '<' %s ]; then rm -rf $f; fi; done", log, path);
}

/* "restore the command-*.log files, or the snapshots, from a copy" */
static void restore_what(const struct tree *t, const char *what, const char *path)
{
    if (strstr(what, "command-*.log") || strstr(what, "the missing files or their end"))
        exchange_shell("rm -rf %s/journal/command-*.log && cp -a %s/journal/command-*.log "
                       "%s/journal/mark %s/journal/",
                       work, t->dir, t->dir, work);
    if (strstr(what, "snapshots"))
        exchange_shell("rm -rf %s/snapshots && cp -a %s/snapshots %s/", work, t->dir, work);
    if (strstr(what, "the file") || strstr(what, "the folder")) put_back(t, path);
}

static void remove_it(const struct tree *t, const char *why, const char *path)
{
    (void)t, (void)why;
    exchange_shell("rm -rf %s", path);
}

static void delete_later(const struct tree *t, const char *why, const char *path)
{
    (void)t, (void)why;
    delete_from(path);
}

static void restore_named(const struct tree *t, const char *why, const char *path)
{
    restore_what(t, strstr(why, "restore the "), path);
}

static void restore_commands(const struct tree *t, const char *why, const char *path)
{
    (void)why;
    restore_what(t, "command-*.log", path);
}

static void put_it_back(const struct tree *t, const char *why, const char *path)
{
    (void)why;
    put_back(t, path);
}

/* The first of these that an error says is what an operator would do. */
static const struct {
    const char *says;
    void (*follow)(const struct tree *t, const char *why, const char *path);
} remedies[] = {
    {"delete this file and the later ones", delete_later},
    {"remove the file", remove_it},
    {"; remove it", remove_it},
    {"restore the ", restore_named},
    {"restore from a copy this file or", restore_commands},
    {"restore", put_it_back},
    {"put back", put_it_back},
    {"the rights", put_it_back},
    {"delete ", remove_it},
};

/* Do what the error says. False when it says nothing that could be done. */
static bool follow_remedy(const struct tree *t)
{
    char path[DAMAGE_PATH];
    const char *why = out->why;
    if (!named(path)) return false;
    u32 i = 0;
    while (i < COUNT_OF(remedies) && !strstr(why, remedies[i].says)) i++;
    if (i == COUNT_OF(remedies)) return false;
    remedies[i].follow(t, why, path);
    if (strstr(why, "restore <dir>/instance"))
        exchange_shell("cp -a %s/instance %s/", t->dir, work);
    return true;
}

/* Refused: it must say enough to get out of it. */
static void judge_refusal(struct entry *e)
{
    char first[ERR_TEXT_MAX];
    snprintf(first, sizeof first, "%s", out->why);
    for (u32 i = 0; i < ROUNDS && out->rc && !out->signal; i++) {
        if (!follow_remedy(e->tree)) {
            fault(e, "it names no file or nothing to do");
            return;
        }
        start(e->damage.as_other, 1);
    }
    if (out->rc || out->signal) {
        fault(e, "still refused after its advice was followed; at first: %s", first);
        return;
    }
    if (state_is_right(e) && !files_are_right(e) && !out->reports[0])
        fault(e, "records are missing after its advice was followed; at first: %s", first);
}

static void judge(struct entry *e)
{
    if (out->signal == SIGALRM) {
        fault(e, "still at it after %u s", HANGS_S);
    } else if (out->signal) {
        fault(e, "it died of signal %d", out->signal);
    } else if (out->rc == 99) {
        fault(e, "it ended without an answer");
    } else if (out->rc) {
        kind_tally->refused++;
        judge_refusal(e);
    } else if (state_is_right(e)) {
        bool whole = files_are_right(e), told = out->reports[0];
        if (out->found.seq < e->tree->logs[0].count) kind_tally->cut++;
        else if (!whole && !told) fault(e, "records are missing in the files, and it says nothing");
        else if (told) kind_tally->told++;
        else kind_tally->exact++;
        u64 seq = out->found.seq;
        bool less = was_lost_aloud();
        start(e->damage.as_other, 2);
        if (out->rc || out->signal || out->found.seq != seq) fault(e, "the second start differs");
        else if (!less) state_is_right(e);
    }
}

static void one(const struct tree *t, u32 kind, u64 seed)
{
    struct entry e = {.tree = t, .damage = {.seed = seed, .dir = work, .older = t->older}};
    exchange_shell("rm -rf %s && cp -a %s %s", work, t->dir, work);
    for (u32 tries = 0; !damage_do(&e.damage, kind); tries++) {
        if (tries == 20) return; /* there is nothing of the kind */
        exchange_shell("rm -rf %s && cp -a %s %s", work, t->dir, work);
    }
    if (e.damage.as_other && geteuid() != 0) e.damage.as_other = false;
    start(e.damage.as_other, 1);
    if (getenv("EIDOS_SHOW"))
        printf("%s %s: %s\n   -> %d %s %s\n", t->name, e.damage.kind, e.damage.text, out->rc,
               out->why, out->reports);
    judge(&e);
    kind_tally->failed += e.failed;
}

static u64 table_seed(void)
{
    const char *from = getenv("EIDOS_SEED");
    return from ? strtoull(from, NULL, 10) : 1;
}

static void the_table(void **state)
{
    (void)state;
    const char *only = getenv("EIDOS_KIND");
    u64 seed = table_seed();
    u32 draws = getenv("EIDOS_LONG") ? LONG : SHORT;
    printf("seed %lu, %u draws of %u kinds of damage to %u trees\n", seed, draws, damage_kinds(),
           (u32)TREES);
    printf("%-22s %7s %7s %7s %7s %7s\n", "", "exact", "told", "cut", "refused", "failed");
    typeof(tally) sums = {0};
    kind_tally = (void *)&tally;
    for (u32 kind = 0; kind < damage_kinds(); kind++) {
        const char *name = damage_name(kind);
        memset(&tally, 0, sizeof tally);
        if (only && strcmp(only, name) != 0) continue;
        for (u32 i = 0; i < draws * TREES; i++)
            one(&trees[i % TREES], kind, seed * 1000003 + kind * 1009 + i);
        printf("%-22s %7u %7u %7u %7u %7u\n", name, tally.exact, tally.told, tally.cut,
               tally.refused, tally.failed);
        sums.exact += tally.exact, sums.told += tally.told, sums.cut += tally.cut;
        sums.refused += tally.refused, sums.failed += tally.failed;
    }
    printf("%-22s %7u %7u %7u %7u %7u\n", "all", sums.exact, sums.told, sums.cut, sums.refused,
           sums.failed);
    assert_int_equal(sums.failed, 0);
}

/* --- The whole exchange ------------------------------------------------------------------------*/

/* As an operator sees it: up, with all orders and balances, or an error that says what to do. */
static void real_start(u32 kind, u64 seed)
{
    struct damage d = {.seed = seed, .dir = x.dir, .older = older};
    do put_whole();
    while (!damage_do(&d, kind));
    if (d.as_other) return; /* the exchange of this test belongs to root */
    int code = exchange_ctl(&x, exchange_up_line(&x));
    printf("%s: %s: %s\n", d.kind, d.text, code ? "refused" : "starts");
    if (code) {
        bool helps = strstr(x.said, "restore") || strstr(x.said, "delete") ||
                     strstr(x.said, "remove") || strstr(x.said, "put back");
        if (code != 1 || !strstr(x.said, x.dir) || !helps)
            fail_msg("exit code %d: %s", code, x.said);
        assert_int_equal(exchange_ctl(&x, "status"), 3);
        return;
    }
    assert_true(exchange_look(&x));
    l.client.port = x.port;
    audit_all(&a);
    if (l.faults) exchange_show_logs(&x);
    assert_int_equal(l.faults, 0);
    assert_int_equal(exchange_down(&x), 0);
}

static void the_exchange_starts_whole_or_not_at_all(void **state)
{
    (void)state;
    u64 seed = table_seed();
    u32 starts = getenv("EIDOS_LONG") ? 4 * damage_kinds() : 12;
    for (u32 i = 0; i < starts; i++) real_start((u32)(seed + i) * 7, seed * 7919 + i);
}

/* The judge itself: what is not damaged is exact. */
static void the_undamaged_are_exact(void **state)
{
    (void)state;
    make_killed();
    kind_tally = (void *)&tally;
    for (u32 i = 0; i < TREES; i++) {
        struct entry e = {.tree = &trees[i], .damage = {.kind = "nothing", .dir = work}};
        exchange_shell("rm -rf %s && cp -a %s %s", work, trees[i].dir, work);
        memset(&tally, 0, sizeof tally);
        start(false, 1);
        judge(&e);
        assert_false(e.failed);
        assert_int_equal(tally.refused, 0);
        if (i != KILLED) assert_int_equal(tally.told, 0); /* that one's derived logs trail */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exchange_starts_whole_or_not_at_all),
        cmocka_unit_test(the_undamaged_are_exact),
        cmocka_unit_test(the_table),
    };
    out = mmap(NULL, sizeof *out, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(out != MAP_FAILED);
    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests_name("damage table", tests, make, clean_up);
}
