#include "shm/matching.h"

#include <string.h>

#include "shm/err.h"

_Static_assert((int)SIDE_BUY == (int)BOOK_BUY && (int)SIDE_SELL == (int)BOOK_SELL, "side");
_Static_assert((int)TIF_GTC == (int)BOOK_GTC && (int)TIF_GTX == (int)BOOK_GTX, "time in force");
_Static_assert((int)STP_CANCEL_BOTH == (int)BOOK_STP_CANCEL_BOTH, "self-trade prevention");

static const u8 reason_of[] = {
    [BOOK_BY_USER] = REASON_USER,      [BOOK_BY_MASS] = REASON_USER,
    [BOOK_BY_EXPIRY] = REASON_EXPIRED, [BOOK_BY_ADMIN] = REASON_OPERATOR,
    [BOOK_BY_STP_MAKER] = REASON_STP,  [BOOK_BY_STP_TAKER] = REASON_STP,
    [BOOK_BY_IOC] = REASON_IOC,        [BOOK_BY_FOK] = REASON_FOK,
    [BOOK_BY_BUDGET] = REASON_BUDGET,  [BOOK_BY_CAPACITY] = REASON_CAPACITY,
};

void matching_init(struct matching *m, u16 self, struct rules *rules, struct books *books,
                   struct log_writer *log)
{
    memset(m, 0, sizeof *m);
    m->self = self;
    m->rules = rules;
    m->books = books;
    m->log = log;
    m->out = (struct book_events){.at = m->events, .max = MATCHING_EVENTS};
    books_limit(books, rules->resting_max);
    for (u16 i = 0; i < rules->market_count; i++) m->best[i] = book_top(books, i);
}

static void log_trade(struct matching *m, const struct book_event *e)
{
    struct match_trade *r = log_begin(m->log, MATCH_TRADE, sizeof *r);
    m->trades++;
    r->maker_id = e->maker;
    r->taker_id = e->id;
    r->price = e->price;
    r->lots = e->lots;
    r->maker_left = e->maker_left;
    r->taker_left = e->left;
    rec_put(&r->maker_account, e->maker_account, e->account);
    rec_put(&r->market, e->market | (u32)e->side << 16, 0); /* and taker_side */
    log_commit_fixed(m->log, r, sizeof *r, m->time_ns, m->cause);
}

static void log_order(struct matching *m, const struct book_event *e, u16 kind)
{
    struct match_order *r = log_begin(m->log, kind, sizeof *r);
    r->order_id = e->id;
    r->price = e->price;
    r->lots = e->lots;
    u32 code = kind == MATCH_REJECTED ? e->code : 0;
    u32 reason = kind == MATCH_CANCELED ? reason_of[e->code] : REASON_NONE;
    u32 was_resting = kind == MATCH_CANCELED && book_reason_resting(e->code);
    rec_put(&r->account, e->account, e->market | code << 16); /* and market, code */
    rec_put(&r->side, e->side | reason << 8 | was_resting << 16, 0);
    log_commit_fixed(m->log, r, sizeof *r, m->time_ns, m->cause);
}

/* Turn the events of one step into records and empty the buffer. */
static void flush(struct matching *m, u16 rejected_kind)
{
    for (u32 i = 0; i < m->out.count; i++) {
        const struct book_event *e = &m->events[i];
        switch (e->kind) {
        case BOOK_TRADE: log_trade(m, e); break;
        case BOOK_RESTED: log_order(m, e, MATCH_OPENED); break;
        case BOOK_CANCELED: log_order(m, e, MATCH_CANCELED); break;
        case BOOK_REJECTED: log_order(m, e, rejected_kind); break;
        case BOOK_FILLED:
            if (m->by_quote) log_order(m, e, MATCH_FILLED);
            break;
        default: check_failed("an event this machine asked for", __FILE__, __LINE__);
        }
    }
    m->out.count = 0;
}

static void log_best(struct matching *m, u16 market)
{
    struct book_top now = book_top(m->books, market);
    if (now.bid == m->best[market].bid && now.ask == m->best[market].ask) return;
    m->best[market] = now;
    struct match_best *r = log_begin(m->log, MATCH_BEST, sizeof *r);
    r->bid = now.bid;
    r->ask = now.ask;
    rec_put(&r->market, market, 0);
    log_commit_fixed(m->log, r, sizeof *r, m->time_ns, m->cause);
}

static bool mine(const struct matching *m, u16 market)
{
    return market < m->rules->market_count && m->rules->markets[market].matching == m->self;
}

/* After a step of an order: done, or the buffer was full. */
static bool after_step(struct matching *m, int status)
{
    flush(m, MATCH_REJECTED);
    if (status == BOOK_MORE) return false;
    log_best(m, m->market);
    m->applied = m->cause;
    return true;
}

static bool is_mine(const struct matching *m, const struct cmd_order *c)
{
    return !c->code && mine(m, c->market);
}

static struct book_order order_of(const struct matching *m, const struct cmd_order *c)
{
    bool by_quote = c->quote_amount != 0;
    return (struct book_order){
        .id = c->order_id,
        .price = c->price,
        .lots = by_quote ? BOOK_LOTS_MAX : c->lots,
        .budget = by_quote ? c->quote_amount / m->rules->markets[c->market].tick_lot : 0,
        .market = c->market,
        .account = c->account,
        .side = c->side,
        .tif = c->tif,
        .stp = c->stp,
    };
}

static u16 cancel_reason(const struct cmd_cancel *c)
{
    switch (c->reason) {
    case REASON_EXPIRED: return BOOK_BY_EXPIRY;
    case REASON_OPERATOR: return BOOK_BY_ADMIN;
    default: return BOOK_BY_USER;
    }
}

/* Nothing is told and not made yet. */
static bool is_told_out(const struct matching *m)
{
    return m->batch.done == m->batch.count;
}

/* Make the next of the requests told, which is this one. */
static int make_told(struct matching *m, u16 what, u64 id)
{
    const struct book_request *r = &m->requests[m->batch.done];
    CHECK(r->what == what && r->o.id == id);
    return book_run_one(m->books, &m->batch, &m->out);
}

static int place(struct matching *m, const struct cmd_order *c)
{
    if (!is_told_out(m)) return make_told(m, BOOK_SUBMIT, c->order_id);
    struct book_order o = order_of(m, c);
    return book_submit(m->books, &o, &m->out);
}

static bool apply_order(struct matching *m, const struct cmd_order *c)
{
    m->market = c->market;
    m->by_quote = c->quote_amount != 0;
    return after_step(m, place(m, c));
}

static void apply_cancel(struct matching *m, const struct cmd_cancel *c)
{
    const struct cancel_item *items = (const void *)(c + 1);
    CHECK(c->count <= CANCEL_ITEMS_MAX);
    for (u32 i = 0; i < c->count; i++) {
        u64 id = items[i].order_id;
        if (!mine(m, items[i].market)) continue;
        int status = is_told_out(m) ? book_cancel(m->books, id, cancel_reason(c), &m->out)
                                    : make_told(m, BOOK_CANCEL, id);
        CHECK(status == BOOK_DONE);
        struct book_event *last = &m->events[m->out.count - 1];
        last->market = items[i].market; /* a missed order has no market of its own */
        last->account = items[i].account;
    }
    flush(m, MATCH_MISSED);
    for (u32 i = 0; i < c->count; i++)
        if (mine(m, items[i].market)) log_best(m, items[i].market);
}

static void apply_config(struct matching *m, const struct rec *cmd)
{
    rules_apply(m->rules, cmd);
    if (cmd->kind == CMD_START) books_limit(m->books, m->rules->resting_max);
    if (cmd->kind != CMD_MARKET) return;
    const struct cmd_market *c = (const void *)cmd;
    if (mine(m, c->market) && !books_is_open(m->books, c->market))
        CHECK(books_open(m->books, c->market) == 0);
}

#define SLICE_ORDERS 32U

/* The slice of a mark: of one book in turn the orders that trade next. Deeper ones get there before
 * they can matter. */
static u64 fold_book(const struct matching *m, u32 market)
{
    u64 h = mark_mix(market, book_orders(m->books, market));
    h = mark_mix(h, m->rules->resting_max);
    h = mark_mix(h, book_levels(m->books, market));
    for (u32 side = BOOK_BUY; side <= BOOK_SELL; side++) {
        u32 cursor = book_first(m->books, market, (u8)side);
        for (u32 i = 0; cursor && i < SLICE_ORDERS; i++, cursor = book_next(m->books, cursor)) {
            struct book_order o;
            book_at(m->books, cursor, &o);
            h = mark_mix(mark_mix(mark_mix(mark_mix(h, o.id), o.price), o.lots), o.account);
        }
    }
    return h;
}

static void make_mark(struct matching *m, u64 seq)
{
    u32 markets = m->rules->market_count;
    u32 market = markets ? (u32)(seq / MARK_EVERY % markets) : 0;
    bool open = markets && books_is_open(m->books, market);
    mark_make(&m->mark, m->log, seq, open ? fold_book(m, market) : 0);
}

bool matching_apply(struct matching *m, const struct rec *cmd)
{
    const struct cmd_order *order = (const void *)cmd;
    if (mark_is_due(&m->mark, cmd->seq)) make_mark(m, cmd->seq - 1);
    m->cause = cmd->seq;
    m->time_ns = cmd->time_ns;
    switch (cmd->kind) {
    case CMD_ORDER:
        if (is_mine(m, order)) return apply_order(m, order);
        break;
    case CMD_CANCEL:
    case CMD_EXPIRE: apply_cancel(m, (const void *)cmd); break;
    default: apply_config(m, cmd); break;
    }
    m->applied = m->cause;
    return true;
}

bool matching_more(struct matching *m)
{
    bool told = !is_told_out(m);
    return after_step(m, told ? book_run_one(m->books, &m->batch, &m->out)
                              : book_continue(m->books, &m->out));
}

/* The requests of one command, as long as there is room. False: it must wait for the next time. */
static bool tell(struct matching *m, const struct rec *cmd)
{
    const struct cmd_order *o = (const void *)cmd;
    const struct cmd_cancel *c = (const void *)cmd;
    const struct cancel_item *items = (const void *)(c + 1);
    u32 *count = &m->batch.count;
    switch (cmd->kind) {
    case CMD_ORDER:
        if (*count == MATCHING_AHEAD) return false;
        if (!is_mine(m, o)) return true;
        m->requests[(*count)++] = (struct book_request){.o = order_of(m, o), .what = BOOK_SUBMIT};
        return true;
    case CMD_CANCEL:
    case CMD_EXPIRE:
        if (*count + c->count > MATCHING_AHEAD) return false;
        for (u32 i = 0; i < c->count; i++)
            if (mine(m, items[i].market))
                m->requests[(*count)++] = (struct book_request){
                    .o.id = items[i].order_id, .what = BOOK_CANCEL, .reason = cancel_reason(c)};
        return true;
    case CMD_MARKET: return false; /* changes whose requests are whose */
    default: return true;
    }
}

void matching_ahead(struct matching *m, const struct rec *const *cmds, u32 count)
{
    CHECK(is_told_out(m) && !book_busy(m->books));
    m->batch = (struct book_batch){.requests = m->requests};
    for (u32 i = 0; i < count && tell(m, cmds[i]); i++) m->told = cmds[i]->seq;
}

void matching_look_ahead(struct matching *m, const struct log_reader *commands, u32 max)
{
    struct log_reader reader = *commands;
    const struct rec *cmds[MATCHING_AHEAD];
    u32 n = 0;
    if (m->told > m->applied || !book_gains_ahead(m->books)) return;
    for (; n < min_u64(max, COUNT_OF(cmds)) && (cmds[n] = log_peek(&reader)); n++) {
        log_advance(&reader, cmds[n]);
    }
    if (n > 1) matching_ahead(m, cmds, n); /* one alone would wait for each load all the same */
}
