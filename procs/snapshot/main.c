/* eidos-snapshot: replays the command log from its files, at low priority, and writes the state
 * down every snapshot.interval. It touches nothing live. As long as it runs, the log replays, and
 * replay makes the very records that the live processes made: it fails at the first that differs.
 */
#include "procs/lib/replica.h"
#include "procs/lib/run.h"
#include "procs/lib/snapshot_take.h"
#include "procs/snapshot/check.h"
#include "shm/err.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TURN_COMMANDS 256U
#define TURN_COMPARES 2048U
#define NICENESS      10
#define ASKED_NS      50000000UL /* how often it looks whether it is asked for one */
#define EARLY_NS      10000000UL

struct state {
    struct logdir dir;
    const struct durable *durable;
    struct replica replica;
    struct logfile_reader commands;
    struct check check;
    bool loaded;
    u64 saved_seq, saved_ns; /* CLOCK_MONOTONIC */
    u64 looked_ns;           /* when it last looked whether it is asked for one */
};

static u64 clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec;
}

/* A large state takes longer to write than a heart may stand still. */
static void beat(void *context)
{
    struct run *run = context;
    atomic_store_explicit(&run->proc->beat_ns, clock_ns(CLOCK_MONOTONIC), memory_order_relaxed);
}

static int take_derived(void *context, u32 log, const struct rec *rec)
{
    struct run *run = context;
    struct state *s = run->state;
    check_made(&s->check, log, rec);
    return 0;
}

/* What is on disk may be replayed and saved, also if nobody may be told of it yet. */
static u64 synced_seq(const struct state *s)
{
    return atomic_load_explicit(&s->durable->synced, memory_order_acquire);
}

static void report_damaged(void *context, const char *why)
{
    (void)context;
    text_log(TEXT_WARN, "passing over a damaged snapshot: %s", why);
}

static int load_newest(struct run *run, struct state *s)
{
    struct snapshot_reader r;
    int found =
        snapshot_newest(&r, s->dir.dir, s->dir.instance, synced_seq(s), NULL, report_damaged, NULL);
    if (found <= 0) return found;
    r.tick = beat;
    r.context = run;
    int rc = replica_load(&s->replica, &r);
    snapshot_close(&r);
    s->saved_seq = s->replica.seq;
    return rc;
}

static int open_logs(struct state *s, u32 matchings)
{
    struct snapshot_info info;
    replica_info(&s->replica, &info);
    s->check.durable = s->durable;
    if (check_add(&s->check, &s->dir, LOG_ACCOUNT, info.account_seq)) return -1;
    for (u32 i = 0; i < matchings; i++)
        if (check_add(&s->check, &s->dir, LOG_MATCH(i), info.match_seq[i])) return -1;
    enum logfile_status status =
        logfile_open(&s->commands, &s->dir, LOG_COMMAND, s->replica.seq, synced_seq(s));
    return status == LOGFILE_END ? 0 : -1;
}

static int init(struct run *run)
{
    struct state *s = run->state;
    const struct topo_params *params = &run->segment.topo.params;
    struct replica_config config = {.params = params,
                                    .trading = true,
                                    .market = true,
                                    .matching_count = params->matching,
                                    .sink = take_derived,
                                    .tick = beat,
                                    .context = run};
    char path[300];
    s->durable = segment_object(&run->segment, "durable");
    if (nice(NICENESS) == -1) text_log(TEXT_WARN, "could not lower the priority");
    if (logdir_open(&s->dir, run->segment.boot.dir, false)) return -1;
    snprintf(path, sizeof path, "%s/snapshots", s->dir.dir);
    if (mkdir(path, 0755) && errno != EEXIST) return err_sys("making %s", path);
    return replica_open(&s->replica, &config);
}

/* Are the processes still starting whom traders wait for? They need the processors more. */
static bool is_early(struct run *run)
{
    const struct proc_block *supervisor = segment_proc(&run->segment, ROLE_OPS, 0);
    u32 state = atomic_load_explicit(&supervisor->state, memory_order_acquire);
    run->sleep_ns = EARLY_NS;
    return state == PROC_STARTING || state == PROC_STOPPING;
}

/* Nobody waits for this process, so it is ready before a large state is loaded. */
static void load(struct run *run, struct state *s)
{
    if (load_newest(run, s) || open_logs(s, run->segment.topo.params.matching)) run_fail(run);
    s->saved_ns = clock_ns(CLOCK_MONOTONIC);
    s->loaded = true;
}

static void save(struct run *run, struct state *s)
{
    u64 before = clock_ns(CLOCK_MONOTONIC), bytes = 0;
    s->saved_ns = run->now_ns;
    if (replica_save(&s->replica, s->dir.dir, s->dir.instance, &bytes) ||
        snapshot_retire(s->dir.dir, s->dir.instance, run->config.snapshot.keep)) {
        text_log(TEXT_WARN, "no snapshot at %lu: %s", s->replica.seq, err_text());
        metric_add(run->proc, METRIC_SNAPSHOT_FAILED, 1);
        return;
    }
    s->saved_seq = s->replica.seq;
    metric_add(run->proc, METRIC_SNAPSHOT_TAKEN, 1);
    metric_set(run->proc, METRIC_SNAPSHOT_SEQUENCE, s->saved_seq);
    metric_set(run->proc, METRIC_SNAPSHOT_BYTES, bytes);
    metric_set(run->proc, METRIC_SNAPSHOT_NS, clock_ns(CLOCK_MONOTONIC) - before);
    metric_set(run->proc, METRIC_SNAPSHOT_TIME_NS, clock_ns(CLOCK_REALTIME));
}

static void take_if_asked(struct run *run, struct state *s)
{
    u64 seq;
    if (run->now_ns - s->looked_ns < ASKED_NS) return;
    s->looked_ns = run->now_ns;
    if (!snapshot_asked(s->dir.dir, &seq) || s->replica.seq < seq) return;
    if (s->replica.seq > s->saved_seq) save(run, s);
    snapshot_answer(s->dir.dir);
}

static u32 replay(struct run *run, struct state *s)
{
    const struct rec *cmd;
    u32 work = 0;
    s->commands.limit = synced_seq(s);
    while (work < TURN_COMMANDS && s->commands.seq < s->commands.limit) {
        if (logfile_next(&s->commands, &cmd) != LOGFILE_RECORD) run_fail(run);
        if (replica_apply(&s->replica, cmd)) run_fail(run);
        work++;
    }
    return work;
}

/* Files before these are of no use to it any more. */
static void show_positions(struct run *run, const struct state *s)
{
    atomic_store_explicit(&run->proc->log_seq[LOG_COMMAND], s->replica.seq, memory_order_relaxed);
    for (u32 i = 0; i < s->check.count; i++) {
        const struct check_log *l = &s->check.logs[i];
        atomic_store_explicit(&run->proc->log_seq[l->log], l->through, memory_order_relaxed);
    }
}

static u32 turn(struct run *run)
{
    struct state *s = run->state;
    if (!s->loaded && is_early(run)) return 0;
    if (!s->loaded) load(run, s);
    u32 work = replay(run, s);
    i64 compared = check_files(&s->check, TURN_COMPARES);
    if (compared < 0) run_fail(run);
    show_positions(run, s);
    bool due = run->now_ns - s->saved_ns >= run->config.snapshot.interval_ns;
    if (due && s->replica.seq > s->saved_seq) save(run, s);
    take_if_asked(run, s);
    return work + (u32)compared;
}

static void stop(struct run *run)
{
    struct state *s = run->state;
    /* Traders are gone by now: what is saved here, the next start need not replay. */
    while (s->loaded && replay(run, s)) beat(run);
    if (s->loaded && s->replica.seq > s->saved_seq) save(run, s);
    if (s->loaded) logfile_close(&s->commands);
    check_close(&s->check);
    replica_close(&s->replica);
    logdir_close(&s->dir);
}

static const struct sandbox_path paths[] = {
    {"journal", SANDBOX_READ}, {"snapshots", SANDBOX_WRITE}, {NULL, 0}};

static const struct proc_descriptor descriptor = {
    .name = "snapshot",
    .role = ROLE_SNAPSHOT,
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
