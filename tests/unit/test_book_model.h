/* test_book_model.h: a book so naive that it can be checked by reading: sorted arrays, whole-book
 * copies. It answers every request with the events the real book must give, in the same order and
 * to the byte. Self trade and fill-or-kill are decided by trying on a copy, not by looking ahead.
 */
#ifndef EIDOS_TESTS_TEST_BOOK_MODEL_H
#define EIDOS_TESTS_TEST_BOOK_MODEL_H

#include "shm/book.h"

#include <string.h>

#define MODEL_MARKETS 3U
#define MODEL_ORDERS  256U
#define MODEL_EVENTS  1024U

struct model {
    struct book_order
        o[MODEL_ORDERS]; /* per market and side in priority order, else as they come */
    u32 n, orders_max, slots_max;
    struct book_event e[MODEL_EVENTS]; /* events of the last request */
    u32 events;
    bool met_own; /* in the last walk */
};

static inline void model_tell(struct model *m, struct book_event e)
{
    CHECK(m->events < MODEL_EVENTS);
    m->e[m->events++] = e;
}

static inline struct book_event model_event(u8 kind, u16 code, const struct book_order *o, u64 lots,
                                            u64 left)
{
    return (struct book_event){.kind = kind,
                               .side = o->side,
                               .code = code,
                               .market = o->market,
                               .price = o->price,
                               .lots = lots,
                               .id = o->id,
                               .left = left,
                               .account = o->account};
}

/* Index of the first order in priority order, or n. */
static inline u32 model_best(const struct model *m, u32 market, u8 side)
{
    u32 best = m->n;
    for (u32 i = 0; i < m->n; i++) {
        const struct book_order *o = &m->o[i];
        if (o->market != market || o->side != side) continue;
        bool better = best == m->n || (side == BOOK_BUY ? o->price > m->o[best].price
                                                        : o->price < m->o[best].price);
        if (better) best = i; /* equal prices: the earlier one stays */
    }
    return best;
}

static inline u32 model_index(const struct model *m, u64 id)
{
    u32 i = 0;
    while (i < m->n && m->o[i].id != id) i++;
    return i;
}

static inline void model_erase(struct model *m, u32 i)
{
    memmove(&m->o[i], &m->o[i + 1], (m->n - i - 1) * sizeof(m->o[0]));
    m->n--;
}

static inline void model_cancel_at(struct model *m, u32 i, u16 reason)
{
    model_tell(m, model_event(BOOK_CANCELED, reason, &m->o[i], m->o[i].lots, 0));
    model_erase(m, i);
}

/* Match and end the order. `rested_before`: an amended one, which can no longer be refused. */
/* NOLINTNEXTLINE(readability-function-size): one rule after the other, as the protocol has them */
static inline void model_run(struct model *m, struct book_order o, bool rested_before)
{
    bool budgeted = o.budget != 0, traded = rested_before, spent = false;
    u8 other = o.side == BOOK_BUY ? BOOK_SELL : BOOK_BUY;
    m->met_own = false;
    while (o.lots && !spent) {
        u32 i = model_best(m, o.market, other);
        if (i == m->n) break;
        struct book_order *maker = &m->o[i];
        if (o.side == BOOK_BUY ? maker->price > o.price : maker->price < o.price) break;
        u64 affordable = budgeted ? o.budget / maker->price : UINT64_MAX;
        if (affordable == 0) {
            spent = true;
            break;
        }
        if (maker->account == o.account) {
            m->met_own = true;
            if (o.stp == BOOK_STP_REJECT) return;
            if (o.stp != BOOK_STP_CANCEL_TAKER) model_cancel_at(m, i, BOOK_BY_STP_MAKER);
            if (o.stp == BOOK_STP_CANCEL_MAKER) continue;
            model_tell(m, model_event(BOOK_CANCELED, BOOK_BY_STP_TAKER, &o, o.lots, 0));
            return;
        }
        u64 lots = min_u64(min_u64(o.lots, maker->lots), affordable);
        struct book_event e = {.kind = BOOK_TRADE,
                               .side = o.side,
                               .market = o.market,
                               .price = maker->price,
                               .lots = lots,
                               .id = o.id,
                               .left = o.lots - lots,
                               .maker = maker->id,
                               .maker_left = maker->lots - lots,
                               .account = o.account,
                               .maker_account = maker->account};
        model_tell(m, e);
        traded = true;
        o.lots -= lots;
        maker->lots -= lots;
        if (budgeted) o.budget -= lots * maker->price;
        if (budgeted && o.budget < maker->price) spent = true;
        if (!maker->lots) model_erase(m, i);
    }
    if (!o.lots || (spent && traded)) {
        model_tell(m, model_event(BOOK_FILLED, 0, &o, 0, 0));
    } else if (spent) {
        model_tell(m, model_event(BOOK_CANCELED, BOOK_BY_BUDGET, &o, o.lots, 0));
    } else if (o.tif == BOOK_IOC || o.tif == BOOK_FOK) {
        model_tell(m, model_event(BOOK_CANCELED, BOOK_BY_IOC, &o, o.lots, 0));
    } else if (m->n == m->orders_max) {
        if (traded) {
            model_tell(m, model_event(BOOK_CANCELED, BOOK_BY_CAPACITY, &o, o.lots, 0));
        } else {
            model_tell(m, model_event(BOOK_REJECTED, BOOK_CODE_CAPACITY, &o, o.lots, o.lots));
        }
    } else {
        model_tell(m, model_event(BOOK_RESTED, 0, &o, o.lots, o.lots));
        m->o[m->n++] = (struct book_order){.id = o.id,
                                           .price = o.price,
                                           .lots = o.lots,
                                           .market = o.market,
                                           .account = o.account,
                                           .side = o.side};
    }
}

static inline bool model_ended(const struct model *m, u8 kind)
{
    return m->events && m->e[m->events - 1].kind == kind;
}

/* The fixed order of checks, then the run. On refusal `m` holds the one event that says so. */
static inline void model_enter(struct model *m, const struct book_order *o, bool rested_before,
                               const struct model *before)
{
    static struct model trial;
    trial = *m;
    model_run(&trial, *o, rested_before);
    bool takes = trial.met_own;
    for (u32 i = m->events; i < trial.events; i++) takes |= trial.e[i].kind == BOOK_TRADE;
    u16 refused = o->tif == BOOK_GTX && takes                  ? BOOK_CODE_WOULD_TAKE
                  : o->stp == BOOK_STP_REJECT && trial.met_own ? BOOK_CODE_SELF_TRADE
                                                               : 0;
    if (refused) {
        *m = *before;
        model_tell(m, model_event(BOOK_REJECTED, refused, o, o->lots, o->lots));
    } else if (o->tif == BOOK_FOK && !model_ended(&trial, BOOK_FILLED)) {
        model_tell(m, model_event(BOOK_CANCELED, BOOK_BY_FOK, o, o->lots, 0));
    } else {
        *m = trial;
    }
}

static inline void model_submit(struct model *m, const struct book_order *o)
{
    m->events = 0;
    u16 code = 0;
    bool ends = o->tif == BOOK_IOC || o->tif == BOOK_FOK;
    if (o->market >= MODEL_MARKETS) {
        code = BOOK_CODE_MARKET;
    } else if (o->price < 1 || o->price > BOOK_PRICE_MAX) {
        code = BOOK_CODE_PRICE;
    } else if (o->lots < 1 || o->lots > BOOK_LOTS_MAX) {
        code = BOOK_CODE_LOTS;
    } else if (o->side < 1 || o->side > 2 || o->tif < 1 || o->tif > 4 || o->stp > 3 ||
               (o->budget && (o->side != BOOK_BUY || !ends)) || (u32)o->id >= m->slots_max ||
               !o->id) {
        code = BOOK_CODE_PARAMS;
    }
    if (code) {
        model_tell(m, model_event(BOOK_REJECTED, code, o, o->lots, o->lots));
    } else {
        static struct model before;
        before = *m;
        model_enter(m, o, false, &before);
    }
}

/* A caller never gives a slot twice. */
static inline bool model_slot_free(const struct model *m, u64 id)
{
    u32 i = 0;
    while (i < m->n && (u32)m->o[i].id != (u32)id) i++;
    return i == m->n;
}

static inline bool model_knows(struct model *m, u64 id, u32 *i)
{
    m->events = 0;
    *i = model_index(m, id);
    if (id && *i < m->n) return true;
    model_tell(m, (struct book_event){.kind = BOOK_REJECTED, .code = BOOK_CODE_UNKNOWN, .id = id});
    return false;
}

static inline void model_cancel(struct model *m, u64 id, u16 reason)
{
    u32 i;
    if (model_knows(m, id, &i)) model_cancel_at(m, i, reason);
}

static inline void model_amend(struct model *m, u64 id, u64 price, u64 lots, u8 stp)
{
    u32 i;
    if (!model_knows(m, id, &i)) return;
    struct book_order o = m->o[i];
    u64 old_lots = o.lots, old_price = o.price;
    o.price = price ? price : old_price;
    o.lots = lots;
    o.tif = BOOK_GTC;
    o.stp = stp;
    u16 code = o.price > BOOK_PRICE_MAX           ? BOOK_CODE_PRICE
               : lots < 1 || lots > BOOK_LOTS_MAX ? BOOK_CODE_LOTS
               : stp > BOOK_STP_CANCEL_BOTH       ? BOOK_CODE_PARAMS
                                                  : 0;
    if (code) {
        model_tell(m, model_event(BOOK_REJECTED, code, &o, lots, lots));
    } else if (o.price == old_price && lots <= old_lots) {
        m->o[i].lots = lots;
        model_tell(m, model_event(BOOK_REDUCED, 0, &o, old_lots - lots, lots));
    } else {
        static struct model before;
        before = *m;
        struct book_event e = model_event(BOOK_AMENDED, 0, &o, old_lots, lots);
        e.price = old_price;
        model_tell(m, e);
        model_erase(m, i);
        model_enter(m, &o, true, &before);
    }
}

static inline void model_cancel_all(struct model *m, u32 market, u32 account, u8 side, u16 reason)
{
    m->events = 0;
    for (u8 s = BOOK_BUY; s <= (u8)BOOK_SELL; s++) {
        for (;;) {
            u32 least = m->n;
            for (u32 i = 0; i < m->n; i++) {
                const struct book_order *o = &m->o[i];
                if (o->market != market || o->account != account || o->side != s) continue;
                if (least == m->n || o->id < m->o[least].id) least = i;
            }
            if (least == m->n || (side && side != s)) break;
            model_cancel_at(m, least, reason);
        }
    }
}

/* The orders of a side in priority order; returns how many. */
static inline u32 model_side(const struct model *m, u32 market, u8 side, struct book_order *out)
{
    static struct model left;
    u32 n = 0;
    left = *m;
    for (u32 i; (i = model_best(&left, market, side)) < left.n; model_erase(&left, i)) {
        out[n++] = left.o[i];
    }
    return n;
}

#endif
