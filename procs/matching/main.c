/* eidos-matching: the shell around the matching machine (shm/matching.h).
 *
 *   log.command --> machine --> log.match@i
 */
#include "procs/lib/clock.h"
#include "procs/lib/recover.h"
#include "procs/lib/run.h"
#include "shm/err.h"
#include "shm/matching.h"
#include "shm/trace.h"

#define TURN_COMMANDS 256U
#define FULL_SLEEP_NS 100000UL /* nobody can be waited for who makes room: look again soon */

struct process {
    struct matching machine;
    struct log_writer log;
    struct log_reader commands;
    bool sweeping; /* a command is only half applied */
    struct rules rules;
    const struct proc_block *trading; /* for its clock */
    struct trace *trace;
    u64 times[TURN_COMMANDS]; /* of the commands done in this turn, for metrics only */
    u32 count;
    char log_name[REGION_NAME_BYTES], books_name[REGION_NAME_BYTES];
};

/* The commands of this turn, their first before `before` + 1, are matched: readers see it. */
static void stamp(struct run *run, struct process *p, u64 before, u32 count)
{
    u64 now_ns = clock_mono();
    struct trace_entry e = {.kind = TRACE_MATCHED,
                            .key = p->machine.applied,
                            .seq = before + 1,
                            .t = {run->now_ns, now_ns}};
    if (count) trace_put(p->trace, &e);
    for (u32 i = 0; i < count; i++)
        metric_record(run->proc, METRIC_HOP_MATCH, metric_mono_of(p->trading, p->times[i]), now_ns);
}

static void publish(struct run *run, struct process *p)
{
    struct books_use use = books_use(p->machine.books);
    log_publish(&p->log);
    log_release(&p->commands);
    metric_set(run->proc, METRIC_MATCHING_COMMAND_SEQUENCE, p->machine.applied);
    metric_set(run->proc, METRIC_MATCHING_SEQUENCE, p->log.seq);
    metric_set(run->proc, METRIC_MATCHING_RESTING, use.orders);
    metric_set(run->proc, METRIC_MATCHING_LEVELS, use.levels);
}

/* One command, or the next part of a long one. False when there is none or no room. */
static bool step(struct run *run, struct process *p)
{
    const struct rec *cmd = log_peek(&p->commands);
    if (!cmd) return false;
    if (!log_room(&p->log, MATCHING_STEP_BYTES)) {
        metric_add(run->proc, METRIC_MATCHING_BLOCKED, 1);
        run->sleep_ns = FULL_SLEEP_NS;
        run->blocked = true;
        return false;
    }
    u64 time_ns = cmd->time_ns;
    bool done = p->sweeping ? matching_more(&p->machine) : matching_apply(&p->machine, cmd);
    p->sweeping = !done;
    if (!done) return true;
    p->times[p->count++] = time_ns;
    log_advance(&p->commands, cmd);
    return true;
}

static u32 turn(struct run *run)
{
    struct process *p = run->state;
    u64 seq = p->log.seq, trades = p->machine.trades, before = p->machine.applied;
    u32 work = 0;
    p->count = 0;
    while (work < TURN_COMMANDS && step(run, p)) work++;
    if (!work) return 0;
    publish(run, p);
    stamp(run, p, before, p->count);
    metric_add(run->proc, METRIC_MATCHING_COMMANDS, work);
    metric_add(run->proc, METRIC_MATCHING_RECORDS, p->log.seq - seq);
    metric_add(run->proc, METRIC_MATCHING_TRADES, p->machine.trades - trades);
    return work;
}

static int init(struct run *run)
{
    struct process *p = run->state;
    struct books_config c = topo_books_config(&run->segment.topo.params);
    char trace_name[REGION_NAME_BYTES];
    snprintf(p->log_name, sizeof p->log_name, "log.match@%u", run->instance);
    snprintf(p->books_name, sizeof p->books_name, "books@%u", run->instance);
    segment_log_writer(&run->segment, p->log_name, run->bells, &p->log);
    segment_log_reader(&run->segment, "log.command", &p->commands);
    p->trading = segment_proc(&run->segment, ROLE_TRADING, 0);
    snprintf(trace_name, sizeof trace_name, "trace.matching@%u", run->instance);
    p->trace = trace_join(segment_object(&run->segment, trace_name));
    struct region *region = segment_region(&run->segment, p->books_name);
    region_rebuild(region);
    if (!books_new(region->object, &c)) return -1;
    rules_new(&p->rules);
    matching_init(&p->machine, (u16)run->instance, rules_join(&p->rules),
                  books_join(region->object), &p->log);
    if (recover_matching(run, &p->machine, &p->commands)) return err_wrap("recovering");
    region_ready(region);
    segment_show_copy(&run->segment);
    publish(run, p);
    return 0;
}

static const struct proc_descriptor descriptor = {
    .name = "matching",
    .role = ROLE_MATCHING,
    .state_bytes = sizeof(struct process),
    .init = init,
    .turn = turn,
};

int main(int argc, char **argv)
{
    return run_main(&descriptor, argc, argv);
}
