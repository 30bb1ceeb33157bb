/* standby.c: eidos-trading while it stands by.
 *
 *   log.command --follow--> machine --> owed account records   } until the primary shows them
 *   log.match@i --follow-----^    '---> owed answers           }
 */
#include "procs/lib/clock.h"
#include "procs/lib/follow.h"
#include "procs/lib/recover.h"
#include "procs/trading/process.h"
#include "shm/err.h"

#include <string.h>
#include <time.h>

#define TURN_COMMANDS 512U
#define ANSWERS_BYTES (4UL << 20)
#define ROOM_WAIT_NS  100000L /* for readers that hold the account log back */
#define MATCH_WAIT_NS 2000000000UL

static struct standby_state {
    struct rules rules; /* the region is its primary's */
    struct owed account, answers;
    struct follow commands, matches[MATCHINGS_MAX];
    u64 position;           /* last command begun */
    struct cmd_merge merge; /* being applied; head.seq 0 = none */
} standby;

static const struct proc_block *role_block(const struct run *run)
{
    return segment_proc(&run->segment, ROLE_TRADING, 0);
}

static u64 derived(const struct run *run)
{
    return atomic_load_explicit(&role_block(run)->derived, memory_order_acquire);
}

/* --- Following ---------------------------------------------------------------------------------*/

/* trading_reply_fn: keep the answer until its command is known to be answered. */
static void keep_answer(void *context, const struct msg *m)
{
    struct standby_state *s = context;
    struct log_writer *w = &s->answers.writer;
    const struct rec *oldest;
    while (!log_room(w, RECORD_BYTES_MAX) && (oldest = owed_peek(&s->answers)))
        owed_pop(&s->answers, oldest);
    struct rec *rec = log_begin(w, m->kind, (u32)sizeof *rec + m->length);
    memcpy(rec + 1, m, m->length);
    log_commit(w, rec, 0, s->position);
}

static void drop_answers(const struct run *run, struct standby_state *s)
{
    u64 replied = atomic_load_explicit(&role_block(run)->replied, memory_order_acquire);
    const struct rec *rec;
    while ((rec = owed_peek(&s->answers)) && rec->cause <= replied) owed_pop(&s->answers, rec);
}

static int follow_logs(struct run *run, struct standby_state *s, const struct recover_source *from)
{
    struct process *p = run->state;
    if (follow_open(&s->commands, from->dir, LOG_COMMAND, from->command, from->durable,
                    s->position))
        return -1;
    s->commands.sees_all = true;
    for (u32 i = 0; i < run->segment.topo.params.matching; i++) {
        char name[REGION_NAME_BYTES];
        snprintf(name, sizeof name, "log.match@%u", i);
        if (follow_open(&s->matches[i], from->dir, LOG_MATCH(i),
                        segment_object(&run->segment, name), from->durable,
                        p->machine.ledger->merged[i]))
            return -1;
        s->matches[i].sees_all = true;
    }
    return 0;
}

static int follow(struct run *run)
{
    struct process *p = run->state;
    struct standby_state *s = &standby;
    struct recover_source from;
    recover_source_of(run, &from);
    if (owed_open(&s->account, run->segment.topo.params.account_bytes) ||
        owed_open(&s->answers, ANSWERS_BYTES))
        return -1;
    state_format(run, p, &s->rules);
    if (recover_trading_standby(&from, &p->machine, derived(run), &s->account, &s->position))
        return -1;
    p->machine.account = &s->account.writer;
    p->machine.reply = keep_answer;
    p->machine.reply_context = s;
    mark_begin(&p->machine.mark, &s->account.writer, s->position);
    return follow_logs(run, s, &from);
}

/* Apply the match records that the merge names; they were published before it was. 1, 0 = not all
 * of them are there yet, -1. */
static int apply_merge(struct process *p, struct standby_state *s)
{
    struct follow *f = &s->matches[s->merge.matching];
    const struct rec *rec;
    while (f->seq < s->merge.through) {
        int rc = follow_next(f, &rec);
        if (rc <= 0) return rc;
        trading_apply_match(&p->machine, rec, &s->merge.head);
    }
    s->merge.head.seq = 0;
    return 1;
}

static int step(struct process *p, struct standby_state *s)
{
    const struct rec *cmd;
    if (!log_room(&s->account.writer, max_u64(ACCOUNT_STEP_BYTES, MERGE_ACCOUNT_BYTES))) return 0;
    if (s->merge.head.seq) return apply_merge(p, s);
    int rc = follow_next(&s->commands, &cmd);
    if (rc <= 0) return rc;
    s->position = cmd->seq;
    p->machine.now_ns = cmd->time_ns;
    trading_apply(&p->machine, cmd);
    if (cmd->kind == CMD_MERGE) memcpy(&s->merge, cmd, sizeof s->merge);
    return 1;
}

static int tail(struct run *run)
{
    struct standby_state *s = &standby;
    int work = 0, rc;
    owed_drop(&s->account, derived(run));
    drop_answers(run, s);
    while (work < (int)TURN_COMMANDS && (rc = step(run->state, s))) {
        if (rc < 0) return -1;
        work++;
    }
    return work;
}

/* --- Taking over -------------------------------------------------------------------------------*/

static void wait_for_room(void *context)
{
    struct run *run = context;
    nanosleep(&(struct timespec){.tv_nsec = ROOM_WAIT_NS}, NULL);
    run_beat(run);
}

/* Finish the logs: through the last command, and what follows from it. */
static int finish_logs(struct run *run, struct process *p, struct standby_state *s)
{
    u64 begin_ns = run->now_ns;
    int work;
    do {
        run_beat(run);
        work = tail(run);
        if (work < 0 || owed_append(&s->account, "account", &p->account, wait_for_room, run))
            return -1;
        if (s->merge.head.seq && run->now_ns - begin_ns > MATCH_WAIT_NS)
            return err_set("command %lu merges match record %lu of process %u, which is nowhere",
                           s->position, s->merge.through, s->merge.matching);
    } while (work || s->merge.head.seq);
    if (p->command.seq == s->position) return 0;
    return err_set("the command log ends with record %lu, but the standby followed it through %lu",
                   p->command.seq, s->position);
}

static void take_rules(struct run *run, struct process *p, struct standby_state *s)
{
    struct region *region = segment_region(&run->segment, "rules");
    region_rebuild(region);
    memcpy(region->object, &s->rules, sizeof s->rules);
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

static void close_follows(const struct process *p, struct standby_state *s)
{
    follow_close(&s->commands);
    for (u32 i = 0; i < p->matching_count; i++) follow_close(&s->matches[i]);
}

static int take_over(struct run *run)
{
    struct process *p = run->state;
    struct standby_state *s = &standby;
    state_join(run, p);
    p->machine.account = &s->account.writer; /* until the real one has what is owed */
    if (finish_logs(run, p, s) || place_matches(p)) return -1;
    p->machine.account = &p->account;
    state_skip_consumed(p);
    take_rules(run, p, s);
    state_show(run);
    replies_open(run, p);
    drop_answers(run, s);
    replies_send_owed(run, &s->answers);
    clock_begin(&p->clock, p->machine.now_ns, clock_unix(), run->now_ns);
    p->machine.now_ns = p->clock.now_ns;
    p->counted = p->machine.counts; /* following is no work of this life */
    p->machine.reply = replies_send;
    p->machine.reply_context = run;
    state_log_start(p, run);
    trading_publish(run, p);
    close_follows(p, s);
    return 0;
}

static const struct mark *mark(const struct run *run)
{
    return &((const struct process *)run->state)->machine.mark;
}

static u64 position(const struct run *run)
{
    (void)run;
    return standby.position;
}

const struct standby_calls trading_standby = {
    .role = ROLE_TRADING_STANDBY,
    .follow = follow,
    .tail = tail,
    .take_over = take_over,
    .mark = mark,
    .position = position,
};
