/* The shells of the standbys (procs/trading/standby.c, procs/matching/standby.c), step by step.
 *
 * A standby follows while its primary lives; once that is dead it takes over, in pieces: some of
 * what is owed, perhaps its own death in between, then the rest and the role. The supervisor's rule
 * is in trading_step and matching_step: no primary is started while a standby lives. */
#include "tests/sim/audit.h"

#include "shm/err.h"

#include <string.h>
#include <time.h>

/* A recovery or a takeover may wait for room; who waits too long dies of it. True: it did. */
#define DIES_WAITING(w, kill) \
    ((w)->recovering = true, (w)->idles = 0, \
     sigsetjmp((w)->recover_jump, 0) ? ((w)->recovering = false, (kill), true) : false)

static void wait_for_room(void *context)
{
    (void)context;
    nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL);
}

static void compare(struct world *w, struct mark_check *c, const struct mark *m,
                    const struct proc_block *block, const char *who)
{
    mark_note(c, m);
    u64 seq = mark_compare(c, block);
    if (seq) sim_fail(w, "standby = primary", "%s differs after command %lu", who, seq);
}

static void swap(void **a, void **b)
{
    void *was = *a;
    *a = *b;
    *b = was;
}

/* --- Trading -----------------------------------------------------------------------------------*/

void standby_trading_kill(struct world *w)
{
    struct sim_standby_trading *s = &w->standby_trading;
    w->result->kills += s->alive;
    if (s->opened) tail_trading_close(&s->tail);
    s->alive = s->opened = false;
    disk_kill(ACTOR_STANDBY_TRADING);
}

static bool start_trading(struct world *w)
{
    struct sim_standby_trading *s = &w->standby_trading;
    struct ledger_config c = topo_ledger_config(&w->params);
    struct recover_source source;
    const struct log *matches[SIM_MATCHINGS];
    if (!w->trading.alive || !w->journal.ready) return false;
    for (u32 i = 0; i < w->params.matching; i++) matches[i] = w->segment.logs[LOG_MATCH(i)];
    ledger_new(s->ledger, &c);
    orders_new(s->orders, w->params.orders_max);
    rules_new(s->rules);
    s->machine = (struct trading){.ledger = ledger_join(s->ledger),
                                  .orders = orders_join(s->orders),
                                  .rules = rules_join(s->rules)};
    memset(&s->check, 0, sizeof s->check);
    world_source(w, &source);
    u32 was = disk_enter(ACTOR_STANDBY_TRADING);
    s->opened = true;
    if (!DIES_WAITING(w, standby_trading_kill(w))) {
        s->alive = !tail_trading_open(&s->tail, &source, &s->machine, matches,
                                      atomic_load(&w->segment.trading->derived));
        if (!s->alive) world_unrecovered(w, "the standby of trading starts");
        w->recovering = false;
    }
    disk_enter(was);
    return s->alive;
}

static void spoil(struct sim_standby_trading *s)
{
    for (u32 i = 0; i < SIM_TOKENS; i++) s->machine.ledger->totals[i].shortfall = 1;
}

static bool follow_trading(struct world *w, u32 most)
{
    struct sim_standby_trading *s = &w->standby_trading;
    const struct proc_block *block = w->segment.trading;
    if (w->mutant == MUTANT_STANDBY_DIFFERS) spoil(s);
    u32 was = disk_enter(ACTOR_STANDBY_TRADING);
    int work =
        tail_trading(&s->tail, atomic_load(&block->derived), atomic_load(&block->replied), most);
    disk_enter(was);
    if (work < 0) sim_fail(w, "the standby of trading follows", "%s", err_text());
    compare(w, &s->check, &s->machine.mark, block, "trading's standby");
    return work;
}

/* What a primary has, from its standby. */
static void become_trading(struct world *w)
{
    struct sim_standby_trading *s = &w->standby_trading;
    struct sim_trading *t = &w->trading;
    const struct rec *rec;
    swap(&t->ledger, &s->ledger);
    swap(&t->orders, &s->orders);
    swap(&t->rules, &s->rules);
    t->machine = s->machine;
    trading_take_role(w);
    for (; (rec = owed_peek(&s->tail.answers)); owed_pop(&s->tail.answers, rec))
        t->machine.reply(t->machine.reply_context, (const struct msg *)(const void *)(rec + 1));
    tail_trading_close(&s->tail);
    s->alive = s->opened = false;
    disk_kill(ACTOR_STANDBY_TRADING);
    w->result->takeovers++;
}

bool standby_trading_take_over(struct world *w, u64 random)
{
    struct sim_standby_trading *s = &w->standby_trading;
    struct sim_trading *t = &w->trading;
    const struct proc_block *block = w->segment.trading;
    const struct owed_wait wait = {wait_for_room, w};
    if (random & 1) return follow_trading(w, 1 + (u32)(random >> 8) % 16);
    trading_join(w);
    owed_drop(&s->tail.account, atomic_load(&block->derived));
    u32 was = disk_enter(ACTOR_STANDBY_TRADING);
    if (DIES_WAITING(w, standby_trading_kill(w))) {
        disk_enter(was);
        return true;
    }
    if (w->mutant == MUTANT_OWED_LOST) owed_drop(&s->tail.account, UINT64_MAX);
    bool part = random & 2;
    u32 most = part ? (u32)(random >> 8) % 8 : UINT32_MAX;
    int rc =
        part ? owed_append(&s->tail.account, "account", &t->account, most, &wait)
             : tail_trading_finish(&s->tail, &t->command, &t->account, atomic_load(&block->derived),
                                   atomic_load(&block->replied), &wait);
    w->recovering = false;
    disk_enter(was);
    if (rc) sim_fail(w, "the standby of trading takes over", "%s", err_text());
    if (!part) become_trading(w);
    return true;
}

/* --- Matching ----------------------------------------------------------------------------------*/

void standby_matching_kill(struct world *w, u32 i)
{
    struct sim_standby_matching *s = &w->standby_matching[i];
    w->result->kills += s->alive;
    if (s->opened) tail_matching_close(&s->tail);
    s->alive = s->opened = false;
    disk_kill(ACTOR_STANDBY_MATCHING + i);
}

static bool start_matching(struct world *w, u32 i)
{
    struct sim_standby_matching *s = &w->standby_matching[i];
    struct books_config c = topo_books_config(&w->params);
    struct recover_source source;
    if (!w->matching[i].alive || !w->journal.ready) return false;
    CHECK(books_new(s->books, &c));
    rules_new(&s->rules);
    matching_init(&s->machine, (u16)i, rules_join(&s->rules), books_join(s->books), NULL);
    memset(&s->check, 0, sizeof s->check);
    world_source(w, &source);
    u32 was = disk_enter(ACTOR_STANDBY_MATCHING + i);
    s->opened = true;
    if (!DIES_WAITING(w, standby_matching_kill(w, i))) {
        s->alive = !tail_matching_open(&s->tail, &source, &s->machine,
                                       atomic_load(&w->segment.matching[i]->derived));
        if (!s->alive) world_unrecovered(w, "the standby of matching starts");
        w->recovering = false;
    }
    disk_enter(was);
    return s->alive;
}

static bool follow_matching(struct world *w, u32 i, u32 most)
{
    struct sim_standby_matching *s = &w->standby_matching[i];
    const struct proc_block *block = w->segment.matching[i];
    u32 was = disk_enter(ACTOR_STANDBY_MATCHING + i);
    int work = tail_matching(&s->tail, atomic_load(&block->derived), most);
    disk_enter(was);
    if (work < 0) sim_fail(w, "the standby of matching follows", "%s", err_text());
    compare(w, &s->check, &s->machine.mark, block, "matching's standby");
    return work;
}

static void become_matching(struct world *w, u32 i)
{
    struct sim_standby_matching *s = &w->standby_matching[i];
    struct sim_matching *m = &w->matching[i];
    swap(&m->books, &s->books);
    m->rules = s->rules;
    m->machine = s->machine;
    m->machine.rules = &m->rules;
    m->machine.out.at = m->machine.events;
    m->sweeping = false;
    if (log_seek(&m->commands, m->machine.applied) < 0)
        sim_fail(w, "the standby of matching takes over", "command %lu is not held",
                 m->machine.applied + 1);
    m->released = false;
    m->skips = false;
    m->alive = true;
    tail_matching_close(&s->tail);
    s->alive = s->opened = false;
    disk_kill(ACTOR_STANDBY_MATCHING + i);
    w->result->takeovers++;
}

bool standby_matching_take_over(struct world *w, u32 i, u64 random)
{
    struct sim_standby_matching *s = &w->standby_matching[i];
    struct sim_matching *m = &w->matching[i];
    const struct proc_block *block = w->segment.matching[i];
    const struct owed_wait wait = {wait_for_room, w};
    if (random & 1) return follow_matching(w, i, 1 + (u32)(random >> 8) % 16);
    matching_join(w, i);
    owed_drop(&s->tail.made, atomic_load(&block->derived));
    u32 was = disk_enter(ACTOR_STANDBY_MATCHING + i);
    if (DIES_WAITING(w, standby_matching_kill(w, i))) {
        disk_enter(was);
        return true;
    }
    bool part = random & 2;
    u32 most = (u32)(random >> 8) % 8;
    int rc = part ? owed_append(&s->tail.made, "match", &m->log, most, &wait)
                  : tail_matching_finish(&s->tail, &m->log, atomic_load(&block->derived), &wait);
    w->recovering = false;
    disk_enter(was);
    if (rc) sim_fail(w, "the standby of matching takes over", "%s", err_text());
    if (!part) become_matching(w, i);
    return true;
}

/* --- Both --------------------------------------------------------------------------------------*/

bool standby_step(struct world *w, u64 random)
{
    u32 i = (u32)(random >> 8) % (w->params.matching + 1);
    u32 most = 1 + (u32)(random >> 16) % 64;
    if (i == 0) {
        bool alive = w->standby_trading.alive;
        if (alive && w->mutant == MUTANT_TWO_WRITERS && random >> 60 == 0) {
            w->ghost = w->trading.command;
            trading_kill(w);
        }
        if (alive && !w->trading.alive) return standby_trading_take_over(w, random >> 24);
        return alive ? follow_trading(w, most) : start_trading(w);
    }
    bool alive = w->standby_matching[--i].alive;
    if (alive && !w->matching[i].alive) return standby_matching_take_over(w, i, random >> 24);
    return alive ? follow_matching(w, i, most) : start_matching(w, i);
}

void standby_kill(struct world *w, u64 random)
{
    u32 i = (u32)(random >> 8) % (w->params.matching + 1);
    if (i == 0) standby_trading_kill(w);
    else standby_matching_kill(w, i - 1);
}

/* Let those that live come to where their primaries are. True: they are there. */
bool standby_settle(struct world *w)
{
    bool there = true;
    if (w->standby_trading.alive && w->trading.alive) {
        follow_trading(w, 512);
        there &= w->standby_trading.tail.position == w->trading.command.seq &&
                 !w->standby_trading.tail.merge.head.seq;
    }
    for (u32 i = 0; i < w->params.matching; i++) {
        const struct sim_standby_matching *s = &w->standby_matching[i];
        if (!s->alive || !w->matching[i].alive) continue;
        follow_matching(w, i, 512);
        there &= s->machine.applied == w->matching[i].machine.applied;
    }
    return there;
}
