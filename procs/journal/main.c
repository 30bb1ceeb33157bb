/* eidos-journal: writes the logs to disk and says how far they are (durable.seq). Decides nothing.
 */
#include "procs/journal/journal.h"
#include "procs/journal/retire.h"
#include "procs/lib/run.h"
#include "shm/err.h"
#include "shm/trace.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#define GAUGES_NS 1000000000UL /* how often the disk is asked */
#define HELD_NS   1000000000UL /* without a step of the exporter */
#define RETIRE_NS 5000000000UL /* how often old files are looked for */

enum space { SPACE_ENOUGH, SPACE_SHORT, SPACE_NONE };

struct state {
    struct journal journal;
    const struct proc_block *trading; /* for its clock */
    struct trace *trace;
    u64 gauges_ns, retire_ns;
    enum space space; /* last reported */
    bool held;        /* reported: the exporter does not go on */
    u64 exported, exported_ns;
};

static void set(struct run *run, u32 metric, u64 value)
{
    atomic_store_explicit(&run->proc->metrics[metric], value, memory_order_relaxed);
}

static int add(struct run *run, struct journal *j, u32 log, const char *region)
{
    struct log_reader r;
    segment_log_reader(&run->segment, region, &r);
    return journal_add(j, log, &r, &run->proc->log_seq[log]);
}

static int wait_for_exporter(const struct run *run, struct journal *j)
{
    if (!run->segment.topo.params.bridges)
        return err_set("journal.durability = kafka needs a start with it: `eidosctl down`, "
                       "`eidosctl up`");
    return journal_wait_for(j, segment_object(&run->segment, "exported@0"));
}

static int init(struct run *run)
{
    struct state *s = run->state;
    const struct config *c = &run->config;
    struct durable *durable = segment_object(&run->segment, "durable");
    struct journal *j = &s->journal;
    char snapshots[300];
    snprintf(snapshots, sizeof snapshots, "%s/snapshots", run->source.dir.s);
    if (mkdir(snapshots, 0755) && errno != EEXIST) return err_sys("making %s", snapshots);
    if (journal_open(j, run->source.dir.s, durable, c->journal.durability != DURABILITY_MEMORY,
                     c->journal.segment_bytes, c->journal.batch_bytes_max, &logfile_io_real))
        return -1;
    if (c->journal.durability == DURABILITY_KAFKA && wait_for_exporter(run, j)) return -1;
    if (add(run, j, LOG_COMMAND, "log.command") || add(run, j, LOG_ACCOUNT, "log.account"))
        return -1;
    for (u32 i = 0; i < run->segment.topo.params.matching; i++) {
        char region[REGION_NAME_BYTES];
        snprintf(region, sizeof region, "log.match@%u", i);
        if (add(run, j, LOG_MATCH(i), region)) return -1;
    }
    segment_watch(&run->segment, "durable", run->bells, &j->watch);
    s->trading = segment_proc(&run->segment, ROLE_TRADING, 0);
    s->trace = trace_join(segment_object(&run->segment, "trace.journal"));
    return 0;
}

/* With durability = kafka: who waits for what. Said once nothing moved for a while, and taken back
 * once it does. */
static void show_exporter(struct run *run, struct state *s)
{
    const struct journal *j = &s->journal;
    char note[PROC_NOTE_BYTES] = "";
    if (!j->exporter) return;
    u64 synced = atomic_load_explicit(&j->durable->synced, memory_order_relaxed);
    u64 seq = atomic_load_explicit(&j->durable->seq, memory_order_relaxed);
    if (seq == synced || seq != s->exported) s->exported_ns = run->now_ns;
    s->exported = seq;
    bool held = run->now_ns - s->exported_ns >= HELD_NS;
    if (held == s->held) return;
    s->held = held;
    if (held)
        snprintf(note, sizeof note,
                 "answers wait for the exporter: commands through %lu are on disk, through %lu on "
                 "Kafka (journal.durability = kafka); start bridge@0, or see its log",
                 synced, seq);
    if (held) text_log(TEXT_ERROR, "%s", note);
    else text_log(TEXT_INFO, "the exporter goes on: commands through %lu are on Kafka", seq);
    proc_step(run->proc, held ? PROC_HELD : PROC_READY, note);
}

/* Say so when it changes. */
static void show_space(struct run *run, struct state *s)
{
    static const char *const notes[] = {
        [SPACE_ENOUGH] = "",
        [SPACE_SHORT] = "space on the disk is short: cancel-only",
        [SPACE_NONE] = "the disk is full: nothing can be acknowledged until there is space",
    };
    const struct journal *j = &s->journal;
    enum space space = j->full ? SPACE_NONE : j->scarce ? SPACE_SHORT : SPACE_ENOUGH;
    if (space == s->space) return;
    if (space == SPACE_NONE) text_log(TEXT_ERROR, "%s: %s", notes[space], err_text());
    else if (space == SPACE_ENOUGH) text_log(TEXT_INFO, "there is space on the disk again");
    else
        text_log(TEXT_ERROR, "%s: less than journal.low_disk_bytes (%lu) is left in %s/journal",
                 notes[space], run->config.journal.low_disk_bytes, j->dir.dir);
    s->space = space;
    proc_step(run->proc, PROC_READY, notes[space]);
}

static void show(struct run *run, struct state *s)
{
    const struct journal *j = &s->journal;
    bool low = atomic_load_explicit(&j->durable->low_disk, memory_order_relaxed);
    set(run, METRIC_JOURNAL_BATCHES, j->batches);
    set(run, METRIC_JOURNAL_RECORDS, j->records);
    set(run, METRIC_JOURNAL_BYTES, j->bytes);
    set(run, METRIC_JOURNAL_SYNCS, j->syncs);
    set(run, METRIC_JOURNAL_SYNC_NS, j->sync_ns);
    set(run, METRIC_JOURNAL_SYNC_MAX_NS, j->sync_max_ns);
    set(run, METRIC_JOURNAL_DURABLE, atomic_load_explicit(&j->durable->seq, memory_order_relaxed));
    set(run, METRIC_JOURNAL_LOW_DISK, low);
    show_space(run, s);
    show_exporter(run, s);
}

/* The last batch is on disk, and that is known. */
static void stamp(struct run *run, struct state *s)
{
    struct journal_times *t = &s->journal.times;
    struct trace_entry e = {.kind = TRACE_DURABLE,
                            .key = t->last,
                            .seq = t->first,
                            .t = {t->gathered_ns, t->durable_ns}};
    if (!t->durable_ns) return;
    trace_put(s->trace, &e);
    for (u32 i = 0; i < t->count; i++) {
        u64 from_ns = metric_mono_of(s->trading, t->at[i].time_ns);
        hist_record_n(&run->proc->metrics[METRIC_HOP_DURABLE], METRIC_HIST_BITS,
                      t->durable_ns > from_ns ? t->durable_ns - from_ns : 0, t->at[i].records);
    }
    t->durable_ns = 0;
}

static void show_disk(struct run *run, struct state *s)
{
    struct statvfs disk;
    u64 segments = 0;
    if (run->now_ns - s->gauges_ns < GAUGES_NS) return;
    s->gauges_ns = run->now_ns;
    if (fstatvfs(s->journal.dir.fd, &disk) == 0) {
        u64 free_bytes = disk.f_bavail * disk.f_frsize, low = run->config.journal.low_disk_bytes;
        /* Once short, a quarter more must be there: no switching to and fro at the line. */
        s->journal.scarce = free_bytes < low + (s->journal.scarce ? low / 4 : 0);
        set(run, METRIC_JOURNAL_FREE, free_bytes);
    }
    for (u32 i = 0; i < s->journal.count; i++) {
        u64 *firsts;
        int count = logfile_list(&s->journal.dir, s->journal.logs[i].log, &firsts);
        if (count > 0) segments += (u64)count;
        free(firsts);
    }
    set(run, METRIC_JOURNAL_SEGMENTS, segments);
}

/* The last record of each log that all who follow it by its files have consumed. */
static void find_readers(const struct run *run, u64 readers[static PROC_LOGS_MAX])
{
    const struct topo *t = &run->segment.topo;
    memset(readers, 0xff, PROC_LOGS_MAX * sizeof *readers);
    for (u32 i = 0; i < t->proc_count; i++) {
        u32 role = t->procs[i].role;
        const struct proc_block *p = segment_proc(&run->segment, role, t->procs[i].instance);
        for (u32 log = 0; log < LOG_MATCH(t->params.matching); log++) {
            bool follows = role == ROLE_SNAPSHOT || (role == ROLE_MARKET && log >= LOG_MATCH(0)) ||
                           (role == ROLE_HISTORY && log == LOG_ACCOUNT);
            u64 seq = atomic_load_explicit(&p->log_seq[log], memory_order_relaxed);
            if (follows) readers[log] = min_u64(readers[log], seq);
        }
    }
}

static void retire(struct run *run, struct state *s)
{
    u64 readers[PROC_LOGS_MAX], last[PROC_LOGS_MAX];
    u64 now_s = (u64)time(NULL), retain_s = run->config.journal.retain_ns / 1000000000UL;
    if (run->now_ns - s->retire_ns < RETIRE_NS) return;
    s->retire_ns = run->now_ns;
    find_readers(run, readers);
    int gone = retire_files(&s->journal, readers, now_s - min_u64(now_s, retain_s), last);
    if (gone < 0) text_log(TEXT_WARN, "retiring old journal files: %s", err_text());
    if (gone > 0) metric_add(run->proc, METRIC_JOURNAL_RETIRED, (u64)gone);
    for (u32 log = 0; log < PROC_LOGS_MAX; log++) {
        char name[LOGFILE_NAME_BYTES];
        if (!last[log]) continue;
        logfile_name(log, name);
        text_log(TEXT_INFO, "retired the %s log through record %lu", name, last[log]);
    }
}

static u32 turn(struct run *run)
{
    struct state *s = run->state;
    i64 done = journal_turn(&s->journal, run->now_ns);
    if (done < 0) run_fail(run);
    run->blocked = s->journal.full;
    if (s->journal.owes_zeros) run->sleep_ns = min_u64(run->sleep_ns, JOURNAL_OWES_NS);
    stamp(run, s);
    show(run, s);
    show_disk(run, s);
    retire(run, s);
    return (u32)done;
}

static void stop(struct run *run)
{
    struct state *s = run->state;
    if (journal_close(&s->journal)) run_fail(run);
}

static const struct sandbox_path paths[] = {
    {"journal", SANDBOX_WRITE}, {"snapshots", SANDBOX_READ}, {NULL, 0}};

static const struct proc_descriptor descriptor = {
    .name = "journal",
    .role = ROLE_JOURNAL,
    .calls = SANDBOX_FILES,
    .paths = paths,
    .state_bytes = sizeof(struct state),
    .ops_socket = true,
    .init = init,
    .turn = turn,
    .stop = stop,
};

int main(int argc, char **argv)
{
    return run_main(&descriptor, argc, argv);
}
