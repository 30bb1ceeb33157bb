/* Random but possible match records, and the resting orders they leave: what the tests of market
 * data feed to the machine, and compute the truth from in the plainest way. */
#ifndef EIDOS_TESTS_MARKET_EVENTS_H
#define EIDOS_TESTS_MARKET_EVENTS_H

#include "shm/market.h"

#include <string.h>

#define EVENTS_ORDERS_MAX 20000U
#define EVENTS_TICK_LOT   7U
#define MINUTE            60000000000UL
#define DAY               (1440 * MINUTE)

struct resting {
    u64 price, lots;
    u32 market;
    u8 side;
};

union any_record {
    struct rec head;
    struct match_order order;
    struct match_trade trade;
    struct match_best best;
};

struct events {
    u64 random;
    u64 seq, cause, time_ns;
    u64 step_ns;   /* largest step of time */
    u64 spread;    /* prices in mid +- spread */
    u32 markets;   /* in [1, 16) */
    u32 target;    /* about so many resting orders */
    u32 trade_pct; /* share of trades among what takes orders away */
    u32 count;
    struct resting orders[EVENTS_ORDERS_MAX];
};

static inline u64 draw(struct events *e, u64 below)
{
    e->random ^= e->random << 13;
    e->random ^= e->random >> 7;
    e->random ^= e->random << 17;
    CHECK(below);
    return (e->random >> 11) % below;
}

static inline void events_begin(struct events *e, u64 seed)
{
    memset(e, 0, sizeof *e);
    e->random = seed * 0x9e3779b97f4a7c15 | 1;
    e->time_ns = 20000 * DAY + 5 * MINUTE;
    e->step_ns = 20000000;
    e->spread = 300;
    e->markets = 3;
    e->target = 400;
    e->trade_pct = 50;
    for (int i = 0; i < 8; i++) draw(e, 2);
}

static inline void record_head(struct events *e, union any_record *r, u16 kind, u32 length)
{
    memset(r, 0, sizeof *r);
    r->head.seq = ++e->seq;
    r->head.time_ns = e->time_ns;
    r->head.cause = e->cause;
    r->head.length = length;
    r->head.kind = kind;
    r->head.version = RECORD_VERSION;
}

static inline void event_open(struct events *e, union any_record *r)
{
    struct resting *o = &e->orders[e->count++];
    o->market = (u32)draw(e, e->markets);
    o->side = draw(e, 2) ? SIDE_BUY : SIDE_SELL;
    u64 off = 1 + draw(e, 4) * draw(e, e->spread) / 3;
    o->price = o->side == SIDE_BUY ? 10000000 - off : 10000000 + off;
    o->lots = 1 + draw(e, 1000);
    record_head(e, r, MATCH_OPENED, sizeof r->order);
    r->order.market = (u16)o->market;
    r->order.side = o->side;
    r->order.price = o->price;
    r->order.lots = o->lots;
}

static inline void event_take(struct events *e, union any_record *r)
{
    u32 at = (u32)draw(e, e->count);
    struct resting *o = &e->orders[at];
    bool trade = draw(e, 100) < e->trade_pct;
    u64 lots = trade && draw(e, 2) ? 1 + draw(e, o->lots) : o->lots;
    if (trade) {
        record_head(e, r, MATCH_TRADE, sizeof r->trade);
        r->trade.market = (u16)o->market;
        r->trade.taker_side = o->side == SIDE_BUY ? SIDE_SELL : SIDE_BUY;
        r->trade.price = o->price;
        r->trade.lots = lots;
        r->trade.maker_left = o->lots - lots;
    } else {
        record_head(e, r, MATCH_CANCELED, sizeof r->order);
        r->order.market = (u16)o->market;
        r->order.side = o->side;
        r->order.price = o->price;
        r->order.lots = lots;
        r->order.was_resting = 1;
    }
    o->lots -= lots;
    if (!o->lots) *o = e->orders[--e->count];
}

/* Records that change no level. */
static inline void event_idle(struct events *e, union any_record *r)
{
    static const u16 kinds[] = {MATCH_BEST, MATCH_REJECTED, MATCH_MISSED, MATCH_FILLED,
                                MATCH_CANCELED};
    u16 kind = kinds[draw(e, COUNT_OF(kinds))];
    record_head(e, r, kind, kind == MATCH_BEST ? sizeof r->best : sizeof r->order);
    if (kind != MATCH_BEST) r->order.lots = 5;
}

static inline void events_next(struct events *e, union any_record *r)
{
    if (!draw(e, 3)) {
        e->cause++;
        e->time_ns += draw(e, e->step_ns);
    }
    u64 x = draw(e, 100);
    bool room = e->count < EVENTS_ORDERS_MAX;
    if (x < 4) event_idle(e, r);
    else if (!e->count || (room && x < (e->count < e->target ? 75U : 25U))) event_open(e, r);
    else event_take(e, r);
}

#endif
