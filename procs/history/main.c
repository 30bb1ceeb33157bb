/* eidos-history: the shell around what lately changed each wallet's money (shm/history.h).
 *
 *   log.account --follow: shared memory, or the journal when it was lapped--> machine --> region
 *
 * It sees nothing that is not durable, so its readers may show all they find. It keeps no state of
 * its own: a start reads the newest account records back from the journal's files, as many as the
 * window may need, and is READY, and lets readers in, once it has caught up with what is durable.
 */
#include "procs/lib/follow.h"
#include "procs/lib/logfile_retire.h"
#include "procs/lib/run.h"
#include "shm/err.h"
#include "shm/history.h"

#include <time.h>

#define TURN_RECORDS    4096U
#define RECORDS_PER_ROW 4U        /* read back for each row there is room for: not all make one */
#define BUSY_SLEEP_NS   1000000UL /* while records come; nobody has to wake it, and it takes many */
#define IDLE_SLEEP_NS   10000000UL
#define BUSY_FOR_NS     1000000000UL

struct process {
    struct history_data *history;
    struct region *region;
    const struct durable *durable;
    u64 begin; /* the first record it asks for is the one after */
    bool begun, ready;
    u64 busy_ns; /* when records last came */
    struct follow follow;
};

static u64 wall_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec;
}

/* Apply what there is. False once there is no more. */
static bool take(struct run *run, struct process *p, u32 *work)
{
    const struct rec *rec;
    for (u32 i = 0; i < TURN_RECORDS; i++, ++*work) {
        int found = follow_next(&p->follow, &rec);
        if (found == 0) return false;
        if (found > 0 && !p->begun && p->begin) history_begin(p->history, p->begin, rec->time_ns);
        p->begun = true;
        if (found < 0 || history_apply(p->history, rec)) run_fail(run);
    }
    return true;
}

static u32 turn(struct run *run)
{
    struct process *p = run->state;
    u64 through = atomic_load_explicit(&p->durable->seq, memory_order_acquire);
    u32 work = 0;
    bool more = take(run, p, &work);
    if (!more) history_set_through(p->history, through);
    if (!more && !p->ready) {
        if (!p->begun && p->begin) history_begin(p->history, p->begin, wall_ns());
        p->begun = p->ready = true;
        region_ready(p->region);
        run_ready(run);
    }
    if (work) p->busy_ns = run->now_ns;
    run->sleep_ns = run->now_ns - p->busy_ns < BUSY_FOR_NS ? BUSY_SLEEP_NS : IDLE_SLEEP_NS;
    atomic_store_explicit(&run->proc->log_seq[LOG_ACCOUNT], p->follow.seq, memory_order_relaxed);
    metric_add(run->proc, METRIC_HISTORY_RECORDS, work);
    metric_set(run->proc, METRIC_HISTORY_LAPPED, p->follow.laps);
    return work;
}

/* After which account record to begin: the files must hold the next. */
static int find_begin(struct run *run, struct process *p)
{
    struct logdir dir;
    u64 first = 0, rows = run->segment.topo.params.history_rows;
    u64 written = atomic_load_explicit(&p->durable->written[LOG_ACCOUNT], memory_order_acquire);
    if (logdir_open(&dir, run->segment.boot.dir, false)) return -1;
    int rc = logfile_begin(&dir, LOG_ACCOUNT, &first);
    logdir_close(&dir);
    if (rc) return -1;
    p->begin = written - min_u64(written, rows * RECORDS_PER_ROW);
    p->begin = first ? max_u64(p->begin, first - 1) : written;
    return 0;
}

static int init(struct run *run)
{
    struct process *p = run->state;
    struct history_config config = topo_history_config(&run->segment.topo.params);
    p->durable = segment_object(&run->segment, "durable");
    p->region = segment_region(&run->segment, "history");
    region_rebuild(p->region);
    history_new(p->region->object, &config);
    p->history = history_join(p->region->object);
    run_progress(run, "reading the account log back");
    if (find_begin(run, p)) return -1;
    return follow_open(&p->follow, run->segment.boot.dir, LOG_ACCOUNT,
                       segment_object(&run->segment, "log.account"), p->durable, p->begin);
}

static void stop(struct run *run)
{
    struct process *p = run->state;
    follow_close(&p->follow);
}

static const struct sandbox_path paths[] = {{"journal", SANDBOX_READ}, {NULL, 0}};

static const struct proc_descriptor descriptor = {
    .name = "history",
    .role = ROLE_HISTORY,
    .calls = SANDBOX_FILES,
    .paths = paths,
    .state_bytes = sizeof(struct process),
    .ops_socket = true,
    .init = init,
    .turn = turn,
    .stop = stop,
};

int main(int argc, char **argv)
{
    return run_main(&descriptor, argc, argv);
}
