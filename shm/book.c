/* book.c: requests to a book: new order, cancel, amend, mass cancel. Memory is in book_mem.c,
 * questions and loading in book_query.c. */
#include "shm/book.h"
#include "shm/book_accounts.h"
#include "shm/book_cells.h"
#include "shm/book_ids.h"
#include "shm/book_levels.h"
#include "shm/book_rest.h"

/* ---- events ---- */

static bool full(const struct book_events *out)
{
    return out->max - out->count < BOOK_EVENTS_MIN;
}

static struct book_event *event(struct book_events *out)
{
    return &out->at[out->count++];
}

/* What became of the taker: RESTED, FILLED, CANCELED, REJECTED, AMENDED. */
static void tell_taker(const struct book_taker *t, u8 kind, u16 code, u64 lots, u64 left,
                       struct book_events *out)
{
    *event(out) = (struct book_event){.kind = kind,
                                      .side = t->side,
                                      .code = code,
                                      .market = t->market,
                                      .price = t->own_price,
                                      .lots = lots,
                                      .id = t->id,
                                      .left = left,
                                      .account = t->account};
}

/* What became of a resting order: CANCELED, REDUCED. */
static void tell_resting(const struct books *b, const struct book_cell *c, u8 kind, u16 code,
                         u64 lots, struct book_events *out)
{
    const struct book_cell *level = book_cell(b, c->level);
    *event(out) = (struct book_event){.kind = kind,
                                      .side = book_half_side(level->half),
                                      .code = code,
                                      .market = level->half >> 1,
                                      .price = book_key(level->half, level->key),
                                      .lots = lots,
                                      .id = c->id,
                                      .left = c->lots - lots,
                                      .account = c->account};
}

static int reject(const struct book_taker *t, u16 code, struct book_events *out)
{
    tell_taker(t, BOOK_REJECTED, code, t->left, t->left, out);
    return BOOK_DONE;
}

/* ---- resting orders ---- */

static void cancel_resting(struct books *b, u32 cell, u16 reason, struct book_events *out)
{
    struct book_cell *c = book_cell(b, cell);
    tell_resting(b, c, BOOK_CANCELED, reason, c->lots, out);
    book_unrest(b, cell);
}

/* ---- a taker's way through the book ---- */

/* Nothing more to buy: all lots done, or the budget buys no lot at this price or a worse one. */
static bool sated(const struct book_taker *t, u64 price)
{
    return t->left == 0 || (t->budgeted && t->budget < price);
}

static bool crosses(const struct books *b, const struct book_taker *t)
{
    u32 best = book_half(b, t->against)->best;
    return best && book_cell(b, best)->key <= t->limit;
}

/* One fill of the taker against the first order of the best level. */
static void trade(struct books *b, struct book_taker *t, u32 cell, struct book_events *out)
{
    struct book_cell *maker = book_cell(b, cell);
    u64 lots = min_u64(t->left, maker->lots);
    if (UNLIKELY(t->budgeted)) {
        lots = min_u64(lots, t->budget / t->price);
        t->budget -= lots * t->price;
    }
    t->left -= lots;
    t->traded = true;
    maker->lots -= lots;
    book_cell(b, maker->level)->lots -= lots;
    *event(out) = (struct book_event){.kind = BOOK_TRADE,
                                      .side = t->side,
                                      .market = t->market,
                                      .price = t->price,
                                      .lots = lots,
                                      .id = t->id,
                                      .left = t->left,
                                      .maker = maker->id,
                                      .maker_left = maker->lots,
                                      .account = t->account,
                                      .maker_account = maker->account};
    if (maker->lots == 0) book_unrest(b, cell);
}

/* The taker stands before an own order. */
static void meet_own(struct books *b, struct book_taker *t, u32 cell, struct book_events *out)
{
    CHECK(t->stp != BOOK_STP_REJECT); /* was refused before any fill */
    if (t->stp != BOOK_STP_CANCEL_TAKER) cancel_resting(b, cell, BOOK_BY_STP_MAKER, out);
    if (t->stp != BOOK_STP_CANCEL_MAKER) t->end = BOOK_BY_STP_TAKER;
}

/* Price-time priority, one resting order at a time, until the taker is sated, stopped, or nothing
 * is left within its limit. BOOK_MORE when the buffer is full. */
static int match(struct books *b, struct book_taker *t, struct book_events *out)
{
    while (t->left && !t->end && crosses(b, t)) {
        if (UNLIKELY(full(out))) return BOOK_MORE;
        const struct book_cell *level = book_cell(b, book_half(b, t->against)->best);
        t->price = book_key(t->against, level->key);
        if (sated(t, t->price)) break;
        if (UNLIKELY(t->own) && book_cell(b, level->next)->account == t->account) {
            meet_own(b, t, level->next, out);
        } else {
            trade(b, t, level->next, out);
        }
    }
    return BOOK_DONE;
}

/* Match, then end the taker in exactly one way. */
static int run(struct books *b, struct book_events *out)
{
    struct book_taker *t = &b->taker;
    t->busy = BOOK_TAKING;
    if (match(b, t, out) == BOOK_MORE || UNLIKELY(full(out))) return BOOK_MORE;
    t->busy = BOOK_IDLE;
    if (UNLIKELY(t->end)) {
        tell_taker(t, BOOK_CANCELED, t->end, t->left, 0, out);
    } else if (sated(t, t->price)) {
        if (t->traded) {
            tell_taker(t, BOOK_FILLED, 0, 0, 0, out);
        } else {
            tell_taker(t, BOOK_CANCELED, BOOK_BY_BUDGET, t->left, 0, out);
        }
    } else if (t->tif == BOOK_IOC || t->tif == BOOK_FOK) {
        tell_taker(t, BOOK_CANCELED, BOOK_BY_IOC, t->left, 0, out);
    } else if (LIKELY(book_rest(b, t->id, t->half, t->own_price, t->left, t->account))) {
        tell_taker(t, BOOK_RESTED, 0, t->left, t->left, out);
    } else if (t->traded) {
        tell_taker(t, BOOK_CANCELED, BOOK_BY_CAPACITY, t->left, 0, out);
    } else {
        return reject(t, BOOK_CODE_CAPACITY, out);
    }
    return BOOK_DONE;
}

/* ---- what would happen ---- */

struct outlook {
    bool fills;     /* all it wants */
    bool meets_own; /* reaches an own order */
};

/* Step over `lots` on offer at a price; true once the taker is sated. */
static bool imagine(struct book_taker *t, u64 price, u64 lots)
{
    lots = min_u64(lots, t->left);
    if (t->budgeted) {
        lots = min_u64(lots, t->budget / price);
        t->budget -= lots * price;
    }
    t->left -= lots;
    t->traded |= lots != 0;
    return sated(t, price);
}

/* Walk the book as match() would, changing nothing: by levels, or by orders where an own order may
 * stand in the way. An own order ends the walk unless stp takes it out of the way. */
static struct outlook look_ahead(const struct books *b, const struct book_taker *taker)
{
    struct book_taker t = *taker;
    struct outlook o = {0};
    for (u32 l = book_half(b, t.against)->best; l; l = book_level_next(b, l)) {
        const struct book_cell *level = book_cell(b, l);
        u64 price = book_key(t.against, level->key);
        if (level->key > t.limit) break;
        if (sated(&t, price)) return (struct outlook){t.traded, o.meets_own};
        if (!t.own && imagine(&t, price, level->lots)) return (struct outlook){true, false};
        for (u32 i = level->next; t.own && i != l; i = book_cell(b, i)->next) {
            if (book_cell(b, i)->account == t.account) {
                o.meets_own = true;
                if (t.stp != BOOK_STP_CANCEL_MAKER) return o;
            } else if (imagine(&t, price, book_cell(b, i)->lots)) {
                return (struct outlook){t.traded, o.meets_own};
            }
        }
    }
    return o;
}

/* The checks of an order that would take, in their fixed order: post-only, self trade,
 * fill-or-kill. True if it may go on; else it has been told why not. */
static bool may_take(const struct books *b, struct book_taker *t, struct book_events *out)
{
    if (t->tif == BOOK_GTX) {
        reject(t, BOOK_CODE_WOULD_TAKE, out);
        return false;
    }
    t->own = book_account_rests(b, t->account, t->against);
    bool asks = (t->own && t->stp == BOOK_STP_REJECT) || t->tif == BOOK_FOK;
    struct outlook o = asks ? look_ahead(b, t) : (struct outlook){.fills = true};
    if (o.meets_own && t->stp == BOOK_STP_REJECT) {
        reject(t, BOOK_CODE_SELF_TRADE, out);
        return false;
    }
    if (t->tif == BOOK_FOK && !o.fills) {
        tell_taker(t, BOOK_CANCELED, BOOK_BY_FOK, t->left, 0, out);
        return false;
    }
    return true;
}

/* ---- requests ---- */

/* The code a new order is refused with for its fields alone, 0 = fine. */
static u16 refuse(const struct books *b, const struct book_order *o)
{
    if (o->market >= b->config.markets_max || !book_half(b, o->market << 1)->open) {
        return BOOK_CODE_MARKET;
    }
    if (o->price - 1 >= BOOK_PRICE_MAX) return BOOK_CODE_PRICE;
    if (o->lots - 1 >= BOOK_LOTS_MAX) return BOOK_CODE_LOTS;
    bool known = (o->side == BOOK_BUY || o->side == BOOK_SELL) && o->tif >= BOOK_GTC &&
                 o->tif <= BOOK_GTX && o->stp <= BOOK_STP_CANCEL_BOTH;
    bool budget_fits =
        !o->budget || (o->side == BOOK_BUY && (o->tif == BOOK_IOC || o->tif == BOOK_FOK));
    if (!known || !budget_fits || !o->id || (u32)o->id >= b->config.slots_max) {
        return BOOK_CODE_PARAMS;
    }
    return 0;
}

int book_submit(struct books *b, const struct book_order *o, struct book_events *out)
{
    CHECK(!b->taker.busy && !full(out));
    struct book_taker *t = &b->taker;
    u32 half = o->market << 1 | (o->side == BOOK_SELL);
    *t = (struct book_taker){.id = o->id,
                             .limit = book_key(half ^ 1, o->price),
                             .left = o->lots,
                             .budget = o->budget,
                             .own_price = o->price,
                             .market = o->market,
                             .account = o->account,
                             .half = half,
                             .against = half ^ 1,
                             .side = o->side,
                             .tif = o->tif,
                             .stp = o->stp,
                             .budgeted = o->budget != 0};
    u16 code = refuse(b, o);
    if (UNLIKELY(code)) return reject(t, code, out);
    if (crosses(b, t)) {
        if (!may_take(b, t, out)) return BOOK_DONE;
    } else if (UNLIKELY(t->tif == BOOK_FOK)) {
        tell_taker(t, BOOK_CANCELED, BOOK_BY_FOK, t->left, 0, out);
        return BOOK_DONE;
    }
    return run(b, out);
}

static int unknown(u64 id, struct book_events *out)
{
    *event(out) = (struct book_event){.kind = BOOK_REJECTED, .code = BOOK_CODE_UNKNOWN, .id = id};
    return BOOK_DONE;
}

int book_cancel(struct books *b, u64 id, u16 reason, struct book_events *out)
{
    CHECK(!b->taker.busy && !full(out));
    u32 cell = book_lookup(b, id);
    if (UNLIKELY(!cell)) return unknown(id, out);
    cancel_resting(b, cell, reason, out);
    return BOOK_DONE;
}

int book_amend(struct books *b, u64 id, u64 price, u64 lots, u8 stp, struct book_events *out)
{
    CHECK(!b->taker.busy && !full(out));
    u32 cell = book_lookup(b, id);
    if (UNLIKELY(!cell)) return unknown(id, out);
    struct book_cell *c = book_cell(b, cell), *level = book_cell(b, c->level);
    u32 half = level->half;
    u64 old_price = book_key(half, level->key), old_lots = c->lots;
    struct book_taker *t = &b->taker;
    if (price == 0) price = old_price;
    *t = (struct book_taker){.id = id,
                             .limit = book_key(half ^ 1, price),
                             .left = lots,
                             .own_price = price,
                             .market = half >> 1,
                             .account = c->account,
                             .half = half,
                             .against = half ^ 1,
                             .side = book_half_side(half),
                             .tif = BOOK_GTC,
                             .stp = stp};
    if (price > BOOK_PRICE_MAX) return reject(t, BOOK_CODE_PRICE, out);
    if (lots - 1 >= BOOK_LOTS_MAX) return reject(t, BOOK_CODE_LOTS, out);
    if (stp > BOOK_STP_CANCEL_BOTH) return reject(t, BOOK_CODE_PARAMS, out);
    if (price == old_price && lots <= old_lots) {
        tell_resting(b, c, BOOK_REDUCED, 0, old_lots - lots, out);
        level->lots -= old_lots - lots;
        c->lots = lots;
        return BOOK_DONE;
    }
    if (crosses(b, t) && !may_take(b, t, out)) return BOOK_DONE;
    t->traded = true;
    t->own_price = old_price;
    tell_taker(t, BOOK_AMENDED, 0, old_lots, lots, out);
    t->own_price = price;
    book_unrest(b, cell);
    return run(b, out);
}

/* ---- mass cancel ---- */

static int sweep_account(struct books *b, struct book_events *out)
{
    struct book_taker *t = &b->taker;
    for (u32 s = 0; s < 2; s++) {
        if (!(t->sides >> s & 1)) continue;
        u32 half = t->market << 1 | s, cell = book_account_first(b, t->account, half);
        if (cell && !(t->sorted >> s & 1)) {
            book_account_sort(b, t->account, half);
            t->sorted |= (u8)(1U << s);
            cell = book_account_first(b, t->account, half);
        }
        while (cell) {
            if (full(out)) return BOOK_MORE;
            u32 next = book_account_next(b, cell);
            cancel_resting(b, cell, t->reason, out);
            cell = next;
        }
    }
    t->busy = BOOK_IDLE;
    return BOOK_DONE;
}

int book_cancel_all(struct books *b, u32 market, u32 account, u8 side, u16 reason,
                    struct book_events *out)
{
    CHECK(!b->taker.busy && !full(out));
    if (!books_is_open(b, market) || side > BOOK_SELL) return BOOK_DONE;
    b->taker = (struct book_taker){.market = market,
                                   .account = account,
                                   .reason = reason,
                                   .sides = side ? side : BOOK_BUY | BOOK_SELL,
                                   .busy = BOOK_MASS};
    return sweep_account(b, out);
}

int book_continue(struct books *b, struct book_events *out)
{
    CHECK(!full(out));
    switch (b->taker.busy) {
    case BOOK_TAKING: return run(b, out);
    case BOOK_MASS: return sweep_account(b, out);
    default: return BOOK_DONE;
    }
}

bool book_busy(const struct books *b)
{
    return b->taker.busy != BOOK_IDLE;
}

void book_prefetch(const struct books *b, u64 id)
{
    if ((u32)id >= b->config.slots_max) return;
    u32 cell = *book_slot(b, id);
    __builtin_prefetch(book_cell(b, cell));
}
