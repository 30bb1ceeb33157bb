/* trading_match.c: clearing. What matching did to orders becomes what happens to money, to order
 * states, and to those who wait for an answer. */
#include "shm/trading_ahead.h"
#include "shm/trading_inside.h"

#define MERGE_NEAR 8U /* records between the second stage of hints and a record's turn */

u32 trading_merge(struct trading *t, u16 matching, struct log_reader *matches)
{
    struct log_reader reader = *matches;
    const struct rec *recs[MERGE_MAX];
    u32 count = 0, told = 0;
    for (; count < MERGE_MAX && (recs[count] = log_peek(&reader)); count++) {
        trading_ahead_match(t, recs[count], 0);
        log_advance(&reader, recs[count]);
    }
    if (!count) return 0;
    struct cmd_merge *c = log_begin(t->command, CMD_MERGE, sizeof *c);
    c->through = reader.seq;
    c->matching = matching;
    c->zero16 = 0;
    c->zero32 = 0;
    log_commit_fixed(t->command, c, sizeof *c, t->now_ns, t->command->seq + 1);
    trading_apply(t, &c->head);
    for (u32 i = 0; i < count; i++) {
        for (; told < min_u64(i + MERGE_NEAR, count); told++) {
            trading_ahead_match(t, recs[told], 1);
        }
        trading_apply_match(t, recs[i], &c->head);
    }
    *matches = reader;
    return count;
}

static u128 exact_fee(const struct order *o)
{
    u64 maker_quote = o->view.filled_quote - o->taker_quote;
    return (u128)o->taker_quote * o->taker_rate + (u128)maker_quote * o->maker_rate;
}

u64 order_hold_needed(const struct order *o, const struct market *m)
{
    const struct order_view *v = &o->view;
    u64 left_lots = v->lots - v->filled_lots;
    if (v->side == SIDE_SELL) return left_lots * m->lot_units;
    u64 left = v->quote_amount ? v->quote_amount - v->filled_quote
                               : market_notional(m, o->limit, left_lots);
    u32 larger = o->maker_rate > o->taker_rate ? o->maker_rate : o->taker_rate;
    return left + rate_ceil(exact_fee(o) + (u128)left * larger) - v->fee;
}

/* Unfreeze `amount` of an order's hold. */
static void release(struct order *o, struct balance *b, u64 amount)
{
    CHECK(o->hold >= amount && b->frozen >= amount);
    o->hold -= amount;
    b->frozen -= amount;
    b->available += amount;
}

static struct balance *base_of(const struct trading *t, const struct order *o)
{
    return ledger_row(t->ledger, o->base_row);
}

static struct balance *quote_of(const struct trading *t, const struct order *o)
{
    return ledger_row(t->ledger, o->quote_row);
}

static struct balance *held_by(const struct trading *t, const struct order *o)
{
    return o->view.side == SIDE_BUY ? quote_of(t, o) : base_of(t, o);
}

static void answer_place(struct trading *t, struct order *o, u64 seq)
{
    reply_order(t, o->reply, o->view.code, o, seq);
    o->reply = 0;
}

static void answer_cancel(struct trading *t, struct order *o, u16 code, u64 seq)
{
    reply_cancel(t, o->cancel, code, o->view.order_id, o, o->cancel_total, seq);
    o->cancel = 0;
}

/* One side of a trade: its fill, its fee, its two balances. Returns the fee charged for it. */
static u64 clear_side(struct trading *t, struct order *o, const struct market *m, u64 lots,
                      u64 quote, bool takes, const struct rec *merge)
{
    struct order_view *v = &o->view;
    struct balance *quote_row = quote_of(t, o), *base_row = base_of(t, o);
    v->filled_lots += lots;
    v->filled_quote += quote;
    v->updated_ns = quote_row->updated_ns = base_row->updated_ns = merge->time_ns;
    if (takes) o->taker_quote += quote;
    u64 fee = rate_ceil(exact_fee(o)) - v->fee;
    v->fee += fee;
    if (v->side == SIDE_BUY) {
        CHECK(o->hold >= quote + fee && quote_row->frozen >= quote + fee);
        o->hold -= quote + fee;
        quote_row->frozen -= quote + fee;
        base_row->available += lots * m->lot_units;
        release(o, quote_row, o->hold - order_hold_needed(o, m));
    } else {
        u64 units = lots * m->lot_units;
        CHECK(o->hold >= units && base_row->frozen >= units && quote >= fee);
        o->hold -= units;
        base_row->frozen -= units;
        quote_row->available += quote - fee;
    }
    t->ledger->totals[m->quote].fees[v->account % FEE_BUCKETS] += fee;
    v->status = STATUS_PARTIAL;
    return fee;
}

/* The order ends here with `status`: what is still held goes back. Inside the account's bracket. */
static void finish(struct trading *t, struct order *o, enum order_status status,
                   const struct rec *merge)
{
    struct balance *b = held_by(t, o);
    release(o, b, o->hold);
    b->updated_ns = o->view.updated_ns = merge->time_ns;
    o->view.status = (u8)status;
    if (o->view.quote_amount && status == STATUS_FILLED) o->view.lots = o->view.filled_lots;
    orders_close(t->orders, t->ledger, o);
}

static u64 clear_order(struct trading *t, struct order *o, const struct market *m,
                       const struct match_trade *e, bool takes, const struct rec *merge)
{
    struct account *a = ledger_account(t->ledger, o->view.account);
    u64 quote = market_notional(m, e->price, e->lots);
    account_begin(a, merge->seq);
    u64 fee = clear_side(t, o, m, e->lots, quote, takes, merge);
    /* An order by quote amount ends with its own record (FILLED or CANCELED). */
    bool filled = !o->view.quote_amount && o->view.filled_lots == o->view.lots;
    if (filled) finish(t, o, STATUS_FILLED, merge);
    account_end(a);
    return fee;
}

static void emit_side(struct trading *t, const struct match_trade *e, const struct order *o,
                      bool takes, u64 fee, const struct rec *merge)
{
    if (log_skip(t->account)) return;
    const struct market *m = market_of(t, e->market);
    size_t at = offsetof(struct account_trade, now);
    struct account_trade *r =
        log_begin(t->account, ACCOUNT_TRADE, account_record_length(at, o->view.client_id_length));
    r->trade_id = trade_id_of(m->matching, e->head.seq);
    r->other_id = takes ? e->maker_id : e->taker_id;
    r->price = e->price;
    r->lots = e->lots;
    r->quote = market_notional(m, e->price, e->lots);
    r->fee = fee;
    r->takes = takes;
    memset(r->zero, 0, sizeof r->zero);
    fill_state(t, &r->now, o, r->head.length - at);
    u32 fixed = account_record_length(at, 0);
    log_commit_fixed(t->account, r, fixed, merge->time_ns, merge->seq);
}

static void apply_trade(struct trading *t, const struct match_trade *e, const struct rec *merge)
{
    const struct market *m = market_of(t, e->market);
    struct market_state *state = &t->orders->markets[e->market];
    struct order *maker = orders_find(t->orders, e->maker_id);
    struct order *taker = orders_find(t->orders, e->taker_id);
    CHECK(maker && taker && maker->view.account != taker->view.account);
    t->counts.trades++;
    u64 maker_fee = clear_order(t, maker, m, e, false, merge);
    u64 taker_fee = clear_order(t, taker, m, e, true, merge);
    state->last_price = e->price;
    if (!e->maker_left) state->resting--;
    emit_side(t, e, maker, false, maker_fee, merge);
    emit_side(t, e, taker, true, taker_fee, merge);
    if (taker->view.status == STATUS_FILLED) {
        state->pending--;
        answer_place(t, taker, merge->seq);
    }
}

static void apply_opened(struct trading *t, struct order *o, const struct rec *merge)
{
    struct account *a = ledger_account(t->ledger, o->view.account);
    struct market_state *state = &t->orders->markets[o->view.market];
    account_begin(a, merge->seq);
    o->view.status = o->view.filled_lots ? STATUS_PARTIAL : STATUS_OPEN;
    o->view.updated_ns = merge->time_ns;
    account_end(a);
    state->pending--;
    state->resting++;
    emit_order(t, o, EVENT_OPEN, merge);
    answer_place(t, o, merge->seq);
}

/* CANCELED, REJECTED and FILLED: the order is over. */
static void apply_ended(struct trading *t, struct order *o, const struct match_order *e,
                        enum order_status status, enum order_event event, const struct rec *merge)
{
    struct market_state *state = &t->orders->markets[e->market];
    struct account *a = ledger_account(t->ledger, o->view.account);
    account_begin(a, merge->seq);
    o->view.reason = e->reason;
    o->view.code = e->head.kind == MATCH_REJECTED ? e->code : CODE_OK;
    finish(t, o, status, merge);
    account_end(a);
    if (e->was_resting) state->resting--;
    else state->pending--;
    emit_order(t, o, event, merge);
    answer_place(t, o, merge->seq);
    if (e->reason == REASON_USER || e->reason == REASON_OPERATOR)
        answer_cancel(t, o, CODE_OK, merge->seq);
}

/* A cancel came too late; whatever closed the order first is the answer. */
static void apply_missed(struct trading *t, const struct match_order *e, const struct rec *merge)
{
    struct order *o = orders_find(t->orders, e->order_id);
    if (!o) return;
    u16 code = CODE_NOT_CANCELLABLE;
    if (o->view.status == STATUS_FILLED) code = CODE_ALREADY_FILLED;
    if (o->view.status == STATUS_CANCELLED) code = CODE_ALREADY_CANCELLED;
    answer_cancel(t, o, code, merge->seq);
}

void trading_apply_match(struct trading *t, const struct rec *match, const struct rec *merge)
{
    const struct match_order *e = (const void *)match;
    struct order *o = NULL;
    if (match->kind == MATCH_OPENED || match->kind == MATCH_CANCELED ||
        match->kind == MATCH_REJECTED || match->kind == MATCH_FILLED) {
        o = orders_find(t->orders, e->order_id);
        CHECK(o);
    }
    switch (match->kind) {
    case MATCH_TRADE: apply_trade(t, (const void *)match, merge); break;
    case MATCH_OPENED: apply_opened(t, o, merge); break;
    case MATCH_CANCELED:
        if (e->reason == REASON_EXPIRED) apply_ended(t, o, e, STATUS_EXPIRED, EVENT_EXPIRED, merge);
        else apply_ended(t, o, e, STATUS_CANCELLED, EVENT_CANCELLED, merge);
        break;
    case MATCH_REJECTED: apply_ended(t, o, e, STATUS_REJECTED, EVENT_REJECTED, merge); break;
    case MATCH_FILLED: apply_ended(t, o, e, STATUS_FILLED, EVENT_TRADE, merge); break;
    case MATCH_MISSED: apply_missed(t, e, merge); break;
    case MATCH_BEST: {
        const struct match_best *b = (const void *)match;
        t->orders->markets[b->market].bid = b->bid;
        t->orders->markets[b->market].ask = b->ask;
        break;
    }
    default: check_failed("known match record kind", __FILE__, __LINE__);
    }
}
