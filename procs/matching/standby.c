#include "procs/lib/recover.h"
#include "procs/matching/process.h"
#include "shm/err.h"

#include <time.h>

#define ROOM_WAIT_NS 100000L /* for readers that hold the match log back */

static const struct proc_block *role_block(const struct run *run)
{
    return segment_proc(&run->segment, ROLE_MATCHING, run->instance);
}

static u64 derived(const struct run *run)
{
    return atomic_load_explicit(&role_block(run)->derived, memory_order_acquire);
}

static int follow(struct run *run)
{
    struct process *p = run->state;
    struct recover_source s;
    u64 seq;
    matching_names(run, p);
    recover_source_of(run, &s);
    if (owed_open(&p->made, run->segment.topo.params.match_bytes)) return -1;
    if (matching_format(run, p, &p->made.writer)) return -1;
    if (recover_matching_standby(&s, &p->machine, derived(run), &p->made, &seq)) return -1;
    mark_begin(&p->machine.mark, &p->made.writer, seq);
    if (follow_open(&p->follow, s.dir, LOG_COMMAND, s.command, s.durable, seq)) return -1;
    p->follow.sees_all = true;
    return 0;
}

/* One command, or the next part of a long one: 1, 0 = there is none or no room, -1. */
static int step(struct process *p)
{
    const struct rec *cmd;
    if (!log_room(&p->made.writer, MATCHING_STEP_BYTES)) return 0;
    if (p->sweeping) {
        p->sweeping = !matching_more(&p->machine);
        return 1;
    }
    int rc = follow_next(&p->follow, &cmd);
    if (rc > 0) p->sweeping = !matching_apply(&p->machine, cmd);
    return rc;
}

static int tail(struct run *run)
{
    struct process *p = run->state;
    int work = 0, rc;
    owed_drop(&p->made, derived(run));
    while (work < (int)TURN_COMMANDS && (rc = step(p))) {
        if (rc < 0) return -1;
        work++;
    }
    return work;
}

static void wait_for_room(void *context)
{
    struct run *run = context;
    nanosleep(&(struct timespec){.tv_nsec = ROOM_WAIT_NS}, NULL);
    run_beat(run);
}

static int take_over(struct run *run)
{
    struct process *p = run->state;
    int work;
    matching_join(run, p);
    do {
        run_beat(run);
        work = tail(run);
        if (work < 0 || owed_append(&p->made, p->log_name, &p->log, wait_for_room, run)) return -1;
    } while (work);
    p->machine.log = &p->log;
    if (log_seek(&p->commands, p->machine.applied))
        return err_set("the command log does not hold record %lu", p->machine.applied + 1);
    follow_close(&p->follow);
    region_ready(segment_region(&run->segment, p->books_name));
    segment_show_copy(&run->segment);
    matching_publish(run, p);
    return 0;
}

static const struct mark *mark(const struct run *run)
{
    return &((const struct process *)run->state)->machine.mark;
}

static u64 position(const struct run *run)
{
    return ((const struct process *)run->state)->machine.applied;
}

const struct standby_calls matching_standby = {
    .role = ROLE_MATCHING_STANDBY,
    .follow = follow,
    .tail = tail,
    .take_over = take_over,
    .mark = mark,
    .position = position,
};
