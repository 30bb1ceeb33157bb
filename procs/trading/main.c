#include "procs/lib/clock.h"
#include "procs/trading/disk.h"
#include "procs/trading/process.h"
#include "shm/err.h"

#define TURN_MERGES   4U       /* of MERGE_MAX match records, of one matching process */
#define TURN_EXPIRES  64U      /* commands of CANCEL_ITEMS_MAX orders */
#define FULL_SLEEP_NS 100000UL /* nobody can be waited for who makes room: look again soon */

static bool has_room(struct process *p, u64 command_bytes, u64 account_bytes)
{
    bool room = log_room(&p->command, command_bytes) && log_room(&p->account, account_bytes);
    if (!room) p->full = true;
    return room;
}

/* Room for another command of our own. It leaves what merging all that the match logs can hold will
 * take: otherwise a full command log and a full match log would wait for each other for ever. */
static bool has_room_for_command(struct process *p)
{
    return has_room(p, COMMAND_STEP_BYTES + p->merge_reserve, ACCOUNT_STEP_BYTES);
}

/* What the machine did since the last time. */
static void count(struct run *run, struct process *p)
{
    const struct trading_counts *now = &p->machine.counts, *before = &p->counted;
    metric_add(run->proc, METRIC_TRADING_ACCEPTED, now->accepted - before->accepted);
    metric_add(run->proc, METRIC_TRADING_REFUSED, now->refused - before->refused);
    metric_add(run->proc, METRIC_TRADING_CANCELS, now->cancels - before->cancels);
    metric_add(run->proc, METRIC_TRADING_EXPIRED, now->expired - before->expired);
    metric_add(run->proc, METRIC_TRADING_DEPOSITS, now->deposits - before->deposits);
    metric_add(run->proc, METRIC_TRADING_WITHDRAWALS, now->withdrawals - before->withdrawals);
    metric_add(run->proc, METRIC_TRADING_TRADES, now->trades - before->trades);
    p->counted = *now;
}

/* What was taken in this turn is sequenced: readers see it. */
static void stamp(struct run *run, struct process *p)
{
    u64 now_ns = p->sent_count ? clock_mono() : 0;
    for (u32 i = 0; i < p->sent_count; i++)
        metric_record(run->proc, METRIC_HOP_SEQUENCE, p->sent_ns[i], now_ns);
    p->sent_count = 0;
}

static u32 merge(struct process *p)
{
    u32 work = 0, count = 1;
    for (u16 i = 0; i < p->matching_count; i++, count = 1)
        for (u32 turn = 0;
             turn < TURN_MERGES && count && has_room(p, COMMAND_STEP_BYTES, MERGE_ACCOUNT_BYTES);
             turn++) {
            p->reply_ns = 0;
            count = trading_merge(&p->machine, i, &p->matches[i]);
            work += count;
        }
    return work;
}

/* A refusal by verify only passes through: there is nothing to sequence. */
static void pass_refusal(struct trading *t, const struct msg_refused *m)
{
    struct msg_reply_order reply = {
        .head = {.length = sizeof reply, .kind = MSG_REPLY_ORDER, .request = m->head.request},
        .code = m->code,
        .retry_after_ms = m->retry_after_ms,
    };
    t->reply(t->reply_context, &reply.head);
}

/* An operator who sets the exchange to normal has looked at the clock too. */
static void take_mode(struct process *p, const struct msg_mode *m, u16 source, u64 position)
{
    struct msg_mode asked = *m;
    asked.reason = MODE_BY_OPERATOR;
    if (m->mode == MODE_NORMAL && m->market == NO_MARKET) clock_accept(&p->clock, clock_unix());
    trading_mode(&p->machine, &asked, source, position);
}

static void dispatch(struct process *p, const struct msg *m, u16 source, u64 position)
{
    struct trading *t = &p->machine;
    const void *body = m;
    switch (m->kind) {
    case MSG_ORDER: trading_order(t, body, source, position); break;
    case MSG_CANCEL: trading_cancel(t, body, source, position); break;
    case MSG_REFUSED: pass_refusal(t, body); break;
    case MSG_CREDIT: trading_credit(t, body, source, position); break;
    case MSG_WITHDRAW: trading_withdraw(t, body, source, position); break;
    case MSG_WITHDRAW_CANCEL: trading_withdraw_cancel(t, body, source, position); break;
    case MSG_WITHDRAW_STEP: trading_withdraw_step(t, body, source, position); break;
    case MSG_MODE: take_mode(p, body, source, position); break;
    default: check_failed("a message kind that verify and eidosctl send", __FILE__, __LINE__);
    }
}

static u32 take(struct process *p, u16 source)
{
    struct ring_rx *rx = &p->ingress[source];
    const struct msg *m;
    u32 work = 0;
    p->reply_ns = 0;
    for (; work < TURN_MESSAGES && (m = ring_peek(rx)); work++) {
        if (!has_room_for_command(p)) break;
        u32 length = m->length;
        trading_look_ahead(&p->machine, rx, length, p->told[source], &p->slots);
        p->sent_ns[p->sent_count++] = m->sent_ns;
        dispatch(p, m, source, rx->pos + length);
        ring_pop(rx, length);
    }
    return work;
}

/* Commands first: what they say exists from here on, and only then may anything that depends on it
 * be seen, or what it came from be forgotten. */
void trading_publish(struct run *run, struct process *p)
{
    log_publish(&p->command);
    stamp(run, p);
    log_publish(&p->account);
    mark_show(run->proc, &p->machine.mark);
    atomic_store_explicit(&run->proc->derived, p->account.seq, memory_order_release);
    replies_publish(p);
    atomic_store_explicit(&run->proc->replied, p->command.seq, memory_order_release);
    for (u32 i = 0; i < p->matching_count; i++) log_release(&p->matches[i]);
    for (u32 i = 0; i < p->verify_count; i++) ring_release(&p->ingress[i]);
    ring_release(&p->ingress[SOURCE_OPS]);
    count(run, p);
    const struct trading *t = &p->machine;
    metric_set(run->proc, METRIC_TRADING_SEQUENCE, p->command.seq);
    metric_set(run->proc, METRIC_TRADING_OPEN_ORDERS, t->orders->open_count);
    metric_set(run->proc, METRIC_TRADING_ACCOUNTS, t->ledger->account_count);
    metric_set(run->proc, METRIC_TRADING_BALANCES, t->ledger->balance_count);
    metric_set(run->proc, METRIC_TRADING_MODE, t->rules->mode);
}

/* Sleep no longer than the next expiry is away. */
static void set_alarm(struct run *run, const struct process *p)
{
    u64 at = orders_next_expiry(p->machine.orders), now = p->machine.now_ns;
    if (at != UINT64_MAX) run->sleep_ns = min_u64(run->sleep_ns, at > now ? at - now : 1);
    if (p->full) run->sleep_ns = min_u64(run->sleep_ns, FULL_SLEEP_NS);
}

/* A wall clock that jumped ahead: new orders wait for a person, cancels go on. */
static void tell_time(struct run *run, struct process *p)
{
    struct msg_mode m = {.market = NO_MARKET, .mode = MODE_CANCEL_ONLY, .reason = MODE_BY_CLOCK};
    const struct rules *r = p->machine.rules;
    bool believed = !p->clock.jumped;
    p->machine.now_ns = clock_turn(&p->clock, clock_unix(), run->now_ns);
    metric_set(run->proc, METRIC_TRADING_CLOCK, p->machine.now_ns - run->now_ns);
    if (!p->clock.jumped || !believed) return;
    text_log(TEXT_ERROR,
             "the wall clock jumped ahead by more than %lu s: cancel-only. Check the "
             "clock, then `eidosctl mode normal`",
             CLOCK_JUMP_NS / 1000000000UL);
    if (r->mode == MODE_NORMAL || disk_holds(r)) trading_mode(&p->machine, &m, NO_SOURCE, 0);
}

/* A disk that is nearly full: what is left is for cancels. */
static void look_at_disk(struct process *p)
{
    struct msg_mode m;
    bool low = atomic_load_explicit(&p->durable->low_disk, memory_order_acquire);
    if (!disk_switches(p->machine.rules, low, &m) || !has_room_for_command(p)) return;
    trading_mode(&p->machine, &m, NO_SOURCE, 0);
    if (low)
        text_log(TEXT_ERROR,
                 "space on the journal's disk is short: cancel-only from command %lu "
                 "until there is more than journal.low_disk_bytes",
                 p->command.seq);
    else
        text_log(TEXT_INFO, "there is space on the journal's disk again: normal from command %lu",
                 p->command.seq);
}

static u32 turn(struct run *run)
{
    struct process *p = run->state;
    u64 seq = p->command.seq;
    p->full = false;
    tell_time(run, p);
    look_at_disk(p);
    u32 merged = merge(p), work = merged;
    bool room = true, due = true;
    /* Not all at once where a great many are due: the heart must beat, or a standby takes over. */
    for (u32 i = 0; i < TURN_EXPIRES && due && (room = has_room_for_command(p)); i++) {
        due = trading_expire(&p->machine);
        work += due;
    }
    /* What is due comes first, also when the room for it appears only now. */
    if (room && !due) {
        for (u16 i = 0; i < p->verify_count; i++) work += take(p, i);
        work += take(p, SOURCE_OPS);
    }
    metric_add(run->proc, METRIC_TRADING_COMMANDS, p->command.seq - seq);
    run->blocked = p->full;
    if (p->full) metric_add(run->proc, METRIC_TRADING_BLOCKED, 1);
    metric_add(run->proc, METRIC_TRADING_MERGED, merged);
    if (work || p->command.seq != seq) trading_publish(run, p);
    set_alarm(run, p);
    return work;
}

static int init(struct run *run)
{
    struct process *p = run->state;
    p->machine.now_ns = clock_unix();
    replies_open(run, p);
    if (state_open(run, p)) return -1;
    clock_begin(&p->clock, p->machine.now_ns, clock_unix(), run->now_ns);
    p->counted = p->machine.counts; /* recovery is no work of this life */
    p->machine.reply = replies_send;
    p->machine.reply_context = run;
    trading_publish(run, p);
    return 0;
}

static const struct proc_descriptor descriptor = {
    .name = "trading",
    .role = ROLE_TRADING,
    .state_bytes = sizeof(struct process),
    .init = init,
    .turn = turn,
    .standby = &trading_standby,
};

int main(int argc, char **argv)
{
    return run_main(&descriptor, argc, argv);
}
