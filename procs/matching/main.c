/* eidos-matching: the shell around the matching machine (shm/matching.h).
 *
 *   log.command --> machine --> log.match@i
 */
#include "procs/lib/clock.h"
#include "procs/lib/recover.h"
#include "procs/matching/process.h"
#include "shm/err.h"
#include "shm/trace.h"

#define FULL_SLEEP_NS 100000UL /* nobody can be waited for who makes room: look again soon */

/* The commands of this turn, their first before `before` + 1, are matched: readers see it. */
static void stamp(struct run *run, struct process *p, u64 before, u32 count, u64 now_ns)
{
    struct trace_entry e = {.kind = TRACE_MATCHED,
                            .key = p->machine.applied,
                            .seq = before + 1,
                            .t = {run->now_ns, now_ns}};
    if (count) trace_put(p->trace, &e);
    for (u32 i = 0; i < count; i++)
        metric_record(run->proc, METRIC_HOP_MATCH, metric_mono_of(p->trading, p->times[i]), now_ns);
}

void matching_publish(struct run *run, struct process *p)
{
    struct books_use use = books_use(p->machine.books);
    log_publish(&p->log);
    mark_show(run->proc, &p->machine.mark);
    atomic_store_explicit(&run->proc->derived, p->log.seq, memory_order_release);
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
    if (!p->sweeping) matching_look_ahead(&p->machine, &p->commands, TURN_COMMANDS);
    while (work < TURN_COMMANDS && step(run, p)) work++;
    if (!work) return 0;
    u64 now_ns = clock_mono(); /* before anybody can see it and go on */
    matching_publish(run, p);
    stamp(run, p, before, p->count, now_ns);
    metric_add(run->proc, METRIC_MATCHING_COMMANDS, work);
    metric_add(run->proc, METRIC_MATCHING_RECORDS, p->log.seq - seq);
    metric_add(run->proc, METRIC_MATCHING_TRADES, p->machine.trades - trades);
    return work;
}

void matching_names(const struct run *run, struct process *p)
{
    snprintf(p->log_name, sizeof p->log_name, "log.match@%u", run->instance);
    snprintf(p->books_name, sizeof p->books_name, "books@%u", run->instance);
}

void matching_join(struct run *run, struct process *p)
{
    char trace_name[REGION_NAME_BYTES];
    segment_log_writer(&run->segment, p->log_name, run->bells, &p->log);
    segment_log_reader(&run->segment, "log.command", &p->commands);
    p->trading = segment_proc(&run->segment, ROLE_TRADING, 0);
    snprintf(trace_name, sizeof trace_name, "trace.matching@%u", run->instance);
    p->trace = trace_join(segment_object(&run->segment, trace_name));
}

int matching_format(struct run *run, struct process *p, struct log_writer *log)
{
    struct books_config c = topo_books_config(&run->segment.topo.params);
    struct region *region = segment_region(&run->segment, p->books_name);
    region_rebuild(region);
    if (!books_new(region->object, &c)) return -1;
    rules_new(&p->rules);
    matching_init(&p->machine, (u16)run->instance, rules_join(&p->rules),
                  books_join(region->object), log);
    return 0;
}

static int init(struct run *run)
{
    struct process *p = run->state;
    matching_names(run, p);
    matching_join(run, p);
    if (matching_format(run, p, &p->log)) return -1;
    if (recover_matching(run, &p->machine, &p->commands)) return err_wrap("recovering");
    mark_begin(&p->machine.mark, &p->log, p->machine.applied);
    region_ready(segment_region(&run->segment, p->books_name));
    segment_show_copy(&run->segment);
    matching_publish(run, p);
    return 0;
}

static const struct proc_descriptor descriptor = {
    .name = "matching",
    .role = ROLE_MATCHING,
    .state_bytes = sizeof(struct process),
    .init = init,
    .turn = turn,
    .standby = &matching_standby,
};

int main(int argc, char **argv)
{
    return run_main(&descriptor, argc, argv);
}
