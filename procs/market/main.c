/* eidos-market: the shell around public market data (shm/market.h).
 *
 *   log.match@0..M  --follow: shared memory, or the journal when lapped--> machine --> region
 * market rules (which markets there are)  ----------------------------------------^
 *
 * It sees nothing that is not durable, so its readers may show all they find. It begins RECOVERING
 * with its part of the newest snapshot, and is READY, and lets readers in, once it has caught up
 * with what is durable.
 */
#include "procs/lib/follow.h"
#include "procs/lib/run.h"
#include "procs/lib/snapshot_file.h"
#include "shm/err.h"
#include "shm/market.h"
#include "shm/rules.h"

#define TURN_RECORDS  1024U     /* of one match log */
#define RULES_WAIT_NS 5000000UL /* between looks while trading rebuilds its rules */

struct process {
    struct market_data *data;
    struct region *region;
    const struct region *rules_region;
    const struct rules *rules;
    u32 markets; /* of the rules that are open here */
    u16 logs;
    bool ready;
    u64 trades; /* seen in this turn */
    struct watch watch;
    struct follow follows[MARKET_LOGS_MAX];
};

/* Open what the rules have more than we. A record is seen after its market stood in the rules, so
 * looking before each record is soon enough. 0 = trading is rebuilding them, 1, or -1. */
static int open_markets(struct process *p)
{
    struct market row;
    if (!region_epoch(p->rules_region)) return 0;
    u32 count = atomic_load_explicit(&p->rules->market_count, memory_order_acquire);
    for (; p->markets < count; p->markets++) {
        rules_read_market(p->rules, (u16)p->markets, &row);
        if (market_add(p->data, p->markets, row.matching, row.tick_lot)) return -1;
    }
    return 1;
}

/* Apply what one match log has. False once it has no more. */
static bool take(struct run *run, struct process *p, u16 matching, u32 *work)
{
    const struct rec *rec;
    for (u32 i = 0; i < TURN_RECORDS; i++) {
        int found = open_markets(p);
        if (found == 0) {
            run->sleep_ns = RULES_WAIT_NS;
            return true;
        }
        if (found > 0) found = follow_next(&p->follows[matching], &rec);
        if (found == 0) return false;
        if (found < 0 || market_apply(p->data, matching, rec)) run_fail(run);
        p->trades += rec->kind == MATCH_TRADE;
        ++*work;
    }
    return true;
}

static void publish(struct run *run, struct process *p, u32 work)
{
    u64 laps = 0;
    market_publish(p->data);
    watch_notify(&p->watch);
    for (u16 i = 0; i < p->logs; i++) {
        atomic_store_explicit(&run->proc->log_seq[LOG_MATCH(i)], market_through(p->data, i),
                              memory_order_relaxed);
        laps += p->follows[i].laps;
    }
    metric_add(run->proc, METRIC_MARKET_RECORDS, work);
    metric_add(run->proc, METRIC_MARKET_TRADES, p->trades);
    metric_set(run->proc, METRIC_MARKET_LEVELS, market_use(p->data).levels);
    metric_set(run->proc, METRIC_MARKET_LAPPED, laps);
    p->trades = 0;
}

static u32 turn(struct run *run)
{
    struct process *p = run->state;
    u32 work = 0;
    bool more = false;
    for (u16 i = 0; i < p->logs; i++) more |= take(run, p, i, &work);
    if (!more && !p->ready) {
        market_set_ready(p->data, true);
        region_ready(p->region);
        run_ready(run);
        p->ready = true;
    }
    if (work) publish(run, p, work);
    return work;
}

static int follow_logs(struct run *run, struct process *p)
{
    const struct durable *durable = segment_object(&run->segment, "durable");
    char name[REGION_NAME_BYTES];
    for (u16 i = 0; i < p->logs; i++) {
        snprintf(name, sizeof name, "log.match@%u", i);
        if (follow_open(&p->follows[i], run->segment.boot.dir, LOG_MATCH(i),
                        segment_object(&run->segment, name), durable, market_through(p->data, i)))
            return err_wrap("following %s", name);
    }
    return 0;
}

static void passed_over(void *context, const char *why)
{
    (void)context;
    text_log(TEXT_WARN, "passed over a snapshot: %s", why);
}

static int from_section(void *context, void *data, u64 bytes)
{
    return snapshot_get(context, data, bytes);
}

/* Begin with the newest snapshot, if there is one; without, the logs tell everything. */
static int load_snapshot(struct run *run, struct process *p)
{
    struct snapshot_reader r;
    struct logdir dir;
    if (logdir_open(&dir, run->segment.boot.dir, false)) return -1;
    int found = snapshot_newest_of(&r, dir.dir, dir.instance, UINT64_MAX, NULL,
                                   SECTION_BIT(SECTION_MARKET_DATA), passed_over, NULL);
    logdir_close(&dir);
    if (found <= 0) return found;
    int rc = 0;
    if (snapshot_seek(&r, SECTION_MARKET_DATA, 0)) rc = market_load(p->data, from_section, &r);
    if (rc) err_wrap("%s", r.path);
    snapshot_close(&r);
    return rc;
}

static int init(struct run *run)
{
    struct process *p = run->state;
    struct market_config config = topo_market_config(&run->segment.topo.params);
    p->logs = (u16)run->segment.topo.params.matching;
    p->rules_region = segment_region(&run->segment, "rules");
    p->rules = p->rules_region->object;
    p->region = segment_region(&run->segment, "market");
    region_rebuild(p->region);
    if (!market_new(p->region->object, &config)) return -1;
    p->data = market_join(p->region->object);
    segment_watch(&run->segment, "market", run->bells, &p->watch);
    run_progress(run, "catching up with the match logs");
    return load_snapshot(run, p) || follow_logs(run, p) ? -1 : 0;
}

static void stop(struct run *run)
{
    struct process *p = run->state;
    for (u16 i = 0; i < p->logs; i++) follow_close(&p->follows[i]);
}

static const struct sandbox_path paths[] = {{"journal", SANDBOX_READ}, {NULL, 0}};

static const struct proc_descriptor descriptor = {
    .name = "market",
    .role = ROLE_MARKET,
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
