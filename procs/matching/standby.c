/* standby.c: eidos-matching while it stands by, and as it takes over. */
#include "procs/matching/process.h"
#include "shm/err.h"

#include <time.h>

#define ROOM_WAIT_NS 100000L /* for readers that hold the match log back */

static u64 derived(const struct run *run)
{
    const struct proc_block *role = segment_proc(&run->segment, ROLE_MATCHING, run->instance);
    return atomic_load_explicit(&role->derived, memory_order_acquire);
}

static int follow(struct run *run)
{
    struct process *p = run->state;
    struct recover_source from;
    matching_names(run, p);
    recover_source_of(run, &from);
    if (matching_format(run, p, NULL)) return -1;
    return tail_matching_open(&p->tail, &from, &p->machine, derived(run));
}

static int tail(struct run *run)
{
    return tail_matching(&((struct process *)run->state)->tail, derived(run), TURN_COMMANDS);
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
    const struct owed_wait wait = {wait_for_room, run};
    matching_join(run, p);
    if (tail_matching_finish(&p->tail, &p->log, derived(run), &wait)) return -1;
    /* 1: trading has not begun the log of this segment yet; it will go on after that command. */
    if (log_seek(&p->commands, p->machine.applied) < 0)
        return err_set("the command log does not hold record %lu", p->machine.applied + 1);
    region_ready(segment_region(&run->segment, p->books_name));
    segment_show_copy(&run->segment);
    matching_publish(run, p);
    tail_matching_close(&p->tail);
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
