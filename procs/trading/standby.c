/* standby.c: eidos-trading while it stands by, and as it takes over. */
#include "procs/lib/clock.h"
#include "procs/lib/tail.h"
#include "procs/trading/process.h"
#include "shm/err.h"

#include <string.h>
#include <time.h>

#define TURN_COMMANDS 512U
#define ROOM_WAIT_NS  100000L /* for readers that hold the account log back */

static struct rules rules; /* the region is its primary's */
static struct tail_trading tail;

static const struct proc_block *role_block(const struct run *run)
{
    return segment_proc(&run->segment, ROLE_TRADING, 0);
}

static u64 derived(const struct run *run)
{
    return atomic_load_explicit(&role_block(run)->derived, memory_order_acquire);
}

static u64 replied(const struct run *run)
{
    return atomic_load_explicit(&role_block(run)->replied, memory_order_acquire);
}

static int follow(struct run *run)
{
    struct process *p = run->state;
    struct recover_source from;
    const struct log *matches[MATCHINGS_MAX];
    recover_source_of(run, &from);
    for (u32 i = 0; i < from.params->matching; i++) {
        char name[REGION_NAME_BYTES];
        snprintf(name, sizeof name, "log.match@%u", i);
        matches[i] = segment_object(&run->segment, name);
    }
    state_format(run, p, &rules);
    return tail_trading_open(&tail, &from, &p->machine, matches, derived(run));
}

static int apply_published(struct run *run)
{
    return tail_trading(&tail, derived(run), replied(run), TURN_COMMANDS);
}

static void wait_for_room(void *context)
{
    struct run *run = context;
    nanosleep(&(struct timespec){.tv_nsec = ROOM_WAIT_NS}, NULL);
    run_beat(run);
}

static void take_rules(struct run *run, struct process *p)
{
    struct region *region = segment_region(&run->segment, "rules");
    region_rebuild(region);
    memcpy(region->object, &rules, sizeof rules);
    p->machine.rules = rules_join(region->object);
}

static int place_matches(struct process *p)
{
    for (u32 i = 0; i < p->matching_count; i++) {
        if (log_seek(&p->matches[i], p->machine.ledger->merged[i]) < 0)
            return err_set("match log %u no longer holds record %lu", i,
                           p->machine.ledger->merged[i] + 1);
        log_release(&p->matches[i]);
    }
    return 0;
}

static int take_over(struct run *run)
{
    struct process *p = run->state;
    const struct owed_wait wait = {wait_for_room, run};
    state_join(run, p);
    p->machine.account = &tail.account.writer; /* until the real one has what is owed */
    if (tail_trading_finish(&tail, &p->command, &p->account, derived(run), replied(run), &wait) ||
        place_matches(p))
        return -1;
    state_skip_consumed(p);
    take_rules(run, p);
    state_show(run);
    replies_open(run, p);
    replies_send_owed(run, &tail.answers);
    clock_begin(&p->clock, p->machine.now_ns, clock_unix(), run->now_ns);
    p->machine.now_ns = p->clock.now_ns;
    p->counted = p->machine.counts; /* following is no work of this life */
    p->machine.reply = replies_send;
    p->machine.reply_context = run;
    state_log_start(p, run);
    trading_publish(run, p);
    tail_trading_close(&tail);
    return 0;
}

static const struct mark *mark(const struct run *run)
{
    return &((const struct process *)run->state)->machine.mark;
}

static u64 position(const struct run *run)
{
    (void)run;
    return tail.position;
}

const struct standby_calls trading_standby = {
    .role = ROLE_TRADING_STANDBY,
    .follow = follow,
    .tail = apply_published,
    .take_over = take_over,
    .mark = mark,
    .position = position,
};
