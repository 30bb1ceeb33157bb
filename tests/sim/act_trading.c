/* The shell of trading (procs/trading), step by step. */
#include "tests/sim/audit.h"

#include "shm/err.h"

#include <string.h>

static const u16 source_names[SIM_SOURCES] = {0, 1, SIM_OPS};

static void reply(void *context, const struct msg *m)
{
    struct world *w = context;
    void *at = ring_alloc(&w->trading.replies, m->length);
    if (!at) return;
    memcpy(at, m, m->length);
    ring_push(&w->trading.replies, m->length);
}

static void log_start(struct world *w)
{
    struct sim_trading *t = &w->trading;
    struct cmd_start_2 c = {.was.head = {.kind = CMD_START, .version = 2, .length = sizeof c},
                            .resting_max = (u32)w->params.resting_max};
    c.was.epoch = t->command.head ? t->epoch : 1;
    c.was.journaled = t->command.seq;
    snprintf(c.was.build, sizeof c.was.build, "sim");
    trading_config(&t->machine, &c.was.head);
}

void trading_join(struct world *w)
{
    struct sim_trading *t = &w->trading;
    struct sim_segment *s = &w->segment;
    log_join_writer(&t->command, s->logs[LOG_COMMAND]);
    log_join_writer(&t->account, s->logs[LOG_ACCOUNT]);
    log_add_gate(&t->account, &s->cursors[ACTOR_JOURNAL][LOG_ACCOUNT]);
    if (w->mutant != MUTANT_NO_GATE)
        log_add_gate(&t->command, &s->cursors[ACTOR_JOURNAL][LOG_COMMAND]);
    for (u32 i = 0; i < w->params.matching; i++) {
        if (w->mutant != MUTANT_NO_GATE)
            log_add_gate(&t->command, &s->cursors[ACTOR_MATCHING + i][LOG_COMMAND]);
        log_join_gate(&t->matches[i], s->logs[LOG_MATCH(i)],
                      &s->cursors[ACTOR_TRADING][LOG_MATCH(i)]);
    }
    for (u32 i = 0; i < SIM_SOURCES; i++) ring_join_rx(&t->ingress[i], s->ingress[i], &s->tails[i]);
    ring_join_tx(&t->replies, s->replies, &s->tails[SIM_SOURCES]);
    t->merge_reserve = w->params.matching * (w->params.match_bytes / 64 / MERGE_MAX + 1) *
                       sizeof(struct cmd_merge);
}

static void format(struct world *w)
{
    struct sim_trading *t = &w->trading;
    struct ledger_config c = topo_ledger_config(&w->params);
    ledger_new(t->ledger, &c);
    orders_new(t->orders, w->params.orders_max);
    rules_new(t->rules);
    t->machine = (struct trading){.ledger = ledger_join(t->ledger),
                                  .orders = orders_join(t->orders),
                                  .rules = rules_join(t->rules),
                                  .command = &t->command,
                                  .account = &t->account,
                                  .now_ns = w->wall_ns};
}

static void start(struct world *w)
{
    struct sim_trading *t = &w->trading;
    struct recover_source source;
    if (!w->journal.ready) return;
    t->epoch++;
    trading_join(w);
    format(w);
    world_source(w, &source);
    w->recovering = true;
    w->idles = 0;
    u32 was = disk_enter(ACTOR_TRADING);
    if (sigsetjmp(w->recover_jump, 0)) { /* nobody made room: it died waiting */
        w->recovering = false;
        trading_kill(w);
        disk_enter(was);
        return;
    }
    if (recover_trading_from(&source, &t->machine, t->matches)) {
        world_unrecovered(w, "trading recovers");
        disk_enter(was);
        return;
    }
    mark_begin(&t->machine.mark, &t->account, t->command.seq);
    w->recovering = false;
    disk_enter(was);
    for (u32 i = 0; i < SIM_SOURCES && w->mutant != MUTANT_TAIL_LOST; i++)
        ring_skip_to(&t->ingress[i], t->machine.ledger->ingress[source_names[i]]);
    for (u32 i = 1; i <= t->machine.ledger->account_count && w->mutant == MUTANT_NONCES_LOST; i++)
        ledger_account(t->machine.ledger, i)->nonces[NONCE_ORDER] = 0;
    bool new_exchange =
        !t->machine.ledger->account_count && t->machine.rules->market_count < SIM_MARKETS;
    log_start(w);
    if (new_exchange) world_config(&t->machine, w->params.matching);
    clock_begin(&t->clock, t->machine.now_ns, w->wall_ns, w->mono_ns);
    t->machine.reply = reply;
    t->machine.reply_context = w;
    atomic_store(&w->segment.trading->derived, t->account.seq); /* all of them are published */
    t->stage = TRADING_SHOW_COMMANDS;
    t->alive = true;
}

void trading_take_role(struct world *w)
{
    struct sim_trading *t = &w->trading;
    t->epoch++;
    t->machine.command = &t->command;
    t->machine.account = &t->account;
    for (u32 i = 0; i < w->params.matching; i++) {
        if (log_seek(&t->matches[i], t->machine.ledger->merged[i]) < 0)
            sim_fail(w, "the standby of trading takes over", "match record %lu is not held",
                     t->machine.ledger->merged[i] + 1);
        log_release(&t->matches[i]);
    }
    for (u32 i = 0; i < SIM_SOURCES; i++)
        ring_skip_to(&t->ingress[i], t->machine.ledger->ingress[source_names[i]]);
    clock_begin(&t->clock, t->machine.now_ns, w->wall_ns, w->mono_ns);
    t->machine.now_ns = t->clock.now_ns;
    t->machine.reply = reply;
    t->machine.reply_context = w;
    log_start(w);
    t->stage = TRADING_SHOW_COMMANDS;
    t->alive = true;
}

static bool has_room(struct world *w, u64 command, u64 account)
{
    struct sim_trading *t = &w->trading;
    bool room = log_room(&t->command, command) && log_room(&t->account, account);
    w->result->full += !room;
    return room;
}

static bool has_room_for_command(struct world *w)
{
    return has_room(w, COMMAND_STEP_BYTES + w->trading.merge_reserve, ACCOUNT_STEP_BYTES);
}

static void tell_time(struct world *w)
{
    struct sim_trading *t = &w->trading;
    struct msg_mode m = {.market = NO_MARKET, .mode = MODE_CANCEL_ONLY};
    bool believed = !t->clock.jumped;
    t->machine.now_ns = clock_turn(&t->clock, w->wall_ns, w->mono_ns);
    if (t->clock.jumped && believed && t->machine.rules->mode == MODE_NORMAL)
        trading_mode(&t->machine, &m, NO_SOURCE, 0);
}

static void dispatch(struct world *w, const struct msg *m, u16 source, u64 position)
{
    struct sim_trading *t = &w->trading;
    const void *body = m;
    switch (m->kind) {
    case MSG_ORDER: trading_order(&t->machine, body, source, position); break;
    case MSG_CANCEL: trading_cancel(&t->machine, body, source, position); break;
    case MSG_CREDIT: trading_credit(&t->machine, body, source, position); break;
    case MSG_WITHDRAW: trading_withdraw(&t->machine, body, source, position); break;
    case MSG_WITHDRAW_CANCEL: trading_withdraw_cancel(&t->machine, body, source, position); break;
    case MSG_WITHDRAW_STEP: trading_withdraw_step(&t->machine, body, source, position); break;
    default: {
        const struct msg_mode *mode = body;
        if (mode->mode == MODE_NORMAL && mode->market == NO_MARKET)
            clock_accept(&t->clock, w->wall_ns);
        trading_mode(&t->machine, mode, source, position);
    }
    }
}

static bool take(struct world *w, u32 ring)
{
    struct sim_trading *t = &w->trading;
    struct ring_rx *rx = &t->ingress[ring];
    const struct msg *m = ring_peek(rx);
    if (!m || !has_room_for_command(w)) return false;
    u32 length = m->length;
    dispatch(w, m, source_names[ring], rx->pos + length);
    ring_pop(rx, length);
    if (w->mutant == MUTANT_RELEASE_EARLY) ring_release(rx);
    return true;
}

static bool merge(struct world *w, u64 random)
{
    struct sim_trading *t = &w->trading;
    u32 i = (u32)(random % w->params.matching), n = 0;
    for (u32 k = 0; !n && k < w->params.matching; k++, i = (i + 1) % w->params.matching)
        if (has_room(w, COMMAND_STEP_BYTES, MERGE_ACCOUNT_BYTES)) {
            n = trading_merge(&t->machine, (u16)i, &t->matches[i]);
            const struct rec *next = log_peek(&t->matches[i]);
            if (w->mutant == MUTANT_MERGE_SKIPS && n && next && random >> 32 & 1)
                log_advance(&t->matches[i], next);
        }
    return n;
}

static void release_rings(struct sim_trading *t)
{
    for (u32 i = 0; i < SIM_SOURCES; i++) ring_release(&t->ingress[i]);
}

static bool show(struct world *w)
{
    struct sim_trading *t = &w->trading;
    struct proc_block *block = w->segment.trading;
    bool commands = t->stage == TRADING_SHOW_COMMANDS;
    if (w->mutant == MUTANT_DERIVED_FIRST && t->stage <= TRADING_SHOW_ACCOUNTS)
        commands = !commands;
    switch (t->stage) {
    case TRADING_SHOW_COMMANDS:
        if (w->ghost.log) atomic_store(&w->ghost.log->head, w->ghost.published);
        log_publish(commands ? &t->command : &t->account);
        break;
    case TRADING_SHOW_ACCOUNTS:
        log_publish(commands ? &t->command : &t->account);
        mark_show(block, &t->machine.mark);
        atomic_store(&block->derived, t->account.seq);
        break;
    case TRADING_RELEASE_MATCHES:
        for (u32 i = 0; i < w->params.matching; i++) log_release(&t->matches[i]);
        break;
    case TRADING_RELEASE_RINGS: release_rings(t); break;
    default:
        ring_publish(&t->replies);
        atomic_store(&block->replied, t->command.seq);
        break;
    }
    t->stage = t->stage == TRADING_RELEASE_RINGS ? TRADING_TIME : t->stage + 1;
    return t->stage != TRADING_TIME;
}

/* One stage of the turn; *done: it did something. */
static void stage(struct world *w, u64 random, bool *done)
{
    struct sim_trading *t = &w->trading;
    switch (t->stage) {
    case TRADING_TIME: tell_time(w); break;
    case TRADING_MERGE: *done = merge(w, random); break;
    case TRADING_EXPIRE:
        if (w->mutant == MUTANT_EXPIRE_LATE && random & 1) break;
        if (!has_room_for_command(w)) { /* what is due comes first: nothing is taken */
            t->stage = TRADING_SHOW_COMMANDS;
            return;
        }
        *done = trading_expire(&t->machine);
        break;
    default:
        for (u32 i = 0; !*done && i < SIM_SOURCES; i++)
            *done = take(w, (u32)((random + i) % SIM_SOURCES));
        break;
    }
    bool stay = t->stage == TRADING_EXPIRE || random >> 40 & 7;
    if (!*done || !stay) t->stage++;
}

bool trading_step(struct world *w, u64 random)
{
    struct sim_trading *t = &w->trading;
    bool done = false;
    if (!t->alive && w->standby_trading.alive) return standby_trading_take_over(w, random >> 8);
    if (!t->alive) {
        if (random % 4 == 0 || w->settling) start(w);
        return t->alive;
    }
    while (!done && t->stage < TRADING_SHOW_COMMANDS) stage(w, random, &done);
    return done || show(w);
}

void trading_kill(struct world *w)
{
    struct sim_trading *t = &w->trading;
    w->result->kills += t->alive;
    t->alive = false;
    disk_kill(ACTOR_TRADING);
}
