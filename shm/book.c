/* book.c: requests to a book: new order, cancel, amend, mass cancel. Memory is in book_mem.c,
 * questions and loading in book_query.c. */
#if defined(__GNUC__) && !defined(__clang__)
/* Joining narrow fields into wide loads costs a stall each, as the fields were stored one by one
 * just before: a seventh of the whole. */
#pragma GCC optimize("no-tree-slp-vectorize")
#endif
#include "shm/book.h"
#include "shm/book_accounts.h"
#include "shm/book_cells.h"
#include "shm/book_ids.h"
#include "shm/book_levels.h"
#include "shm/book_rest.h"

#include <string.h>

/* ---- events ---- */

static inline bool full(const struct book_events *out)
{
    return out->max - out->count < BOOK_EVENTS_MIN;
}

/* Kind, side, code and market of an event as they stand in it, to be stored at once. */
static inline u64 head_of(u8 kind, u16 code, u64 side_and_market)
{
    return kind | (u64)code << 16 | side_and_market;
}

/* A new event, of which the caller adds the rest. `accounts`: the maker's in the upper half. */
static inline struct book_event *event(u64 head, u64 accounts, struct book_events *out)
{
    struct book_event *e = &out->at[out->count++];
    memcpy(e, &head, sizeof(head));
    memcpy(&e->account, &accounts, sizeof(accounts));
    return e;
}

/* The same without a maker. Whoever adds price, lots, id and left does so one by one, as it reads
 * them: all read before would be kept in registers that must be saved. */
static inline struct book_event *lone_event(u64 head, u64 account, struct book_events *out)
{
    struct book_event *e = event(head, account, out);
    e->maker = 0;
    e->maker_left = 0;
    return e;
}

/* What became of a new or amended order. */
static inline int tell(const struct book_order *o, u8 kind, u16 code, u64 lots, u64 left,
                       struct book_events *out)
{
    u64 head = head_of(kind, code, book_head(o->market, o->side));
    struct book_event *e = lone_event(head, o->account, out);
    e->price = o->price;
    e->lots = lots;
    e->id = o->id;
    e->left = left;
    return BOOK_DONE;
}

static int refused(const struct book_order *o, u16 code, struct book_events *out)
{
    return tell(o, BOOK_REJECTED, code, o->lots, o->lots, out);
}

/* What becomes of an order that rests in a half with a key: CANCELED, REDUCED, AMENDED. The caller
 * adds lots and left. */
static inline struct book_event *tell_at(const struct book_half *h, u64 key,
                                         const struct book_cell *c, u8 kind, u16 code,
                                         struct book_events *out)
{
    u64 price = book_half_key(h, key); /* first: one value to keep, not two */
    struct book_event *e = lone_event(head_of(kind, code, h->head), c->account, out);
    e->price = price;
    e->id = c->id;
    return e;
}

static inline struct book_event *tell_resting(const struct books *b, const struct book_cell *c,
                                              u8 kind, u16 code, struct book_events *out)
{
    const struct book_queue *q = book_queue(b, c->queue);
    return tell_at(book_half(b, q->half), q->key, c, kind, code, out);
}

static inline void tell_canceled(const struct books *b, u32 cell, u16 reason,
                                 struct book_events *out)
{
    const struct book_cell *c = book_cell(b, cell);
    struct book_event *e = tell_resting(b, c, BOOK_CANCELED, reason, out);
    e->lots = c->lots;
    e->left = 0;
}

/* The same of an order that is alone, and then it leaves. */
BOOK_ASIDE static int cancel_alone(struct books *b, u32 cell, u16 reason, struct book_events *out)
{
    const struct book_cell *c = book_cell(b, cell);
    const struct book_half *h = book_half(b, book_cell_half(b, c));
    struct book_event *e = tell_at(h, c->key, c, BOOK_CANCELED, reason, out);
    e->lots = c->alone_lots;
    e->left = 0;
    return book_unrest_alone(b, cell);
}

static inline int cancel_resting(struct books *b, u32 cell, u16 reason, struct book_events *out)
{
    if (book_is_alone(book_cell(b, cell))) return cancel_alone(b, cell, reason, out);
    tell_canceled(b, cell, reason, out);
    return book_unrest(b, cell);
}

/* ---- a taker's way through the book ---- */

/* Nothing more to buy: all lots done, or the budget buys no lot at this price or a worse one. */
static bool sated(const struct book_taker *t, u64 price)
{
    return t->o.lots == 0 || (t->budgeted && t->o.budget < price);
}

/* Fill a taker against an order of which so many lots rest: how many are left of it. */
static inline u64 fill(struct books *b, struct book_taker *t, const struct book_cell *maker,
                       u64 resting, struct book_events *out)
{
    u64 lots = min_u64(t->o.lots, resting);
    if (UNLIKELY(t->budgeted)) {
        lots = min_u64(lots, t->o.budget / t->price);
        t->o.budget -= lots * t->price;
    }
    t->o.lots -= lots;
    t->traded = true;
    u64 left = resting - lots;
    u64 head = head_of(BOOK_TRADE, 0, book_half(b, t->half)->head);
    struct book_event *e = event(head, t->o.account | (u64)maker->account << 32, out);
    e->price = t->price;
    e->lots = lots;
    e->id = t->o.id;
    e->left = t->o.lots;
    e->maker = maker->id;
    e->maker_left = left;
    return left;
}

/* One fill against the first order of the best level, at that order's price. */
static inline void trade(struct books *b, struct book_taker *t, u32 queue, u32 cell,
                         struct book_events *out)
{
    struct book_cell *maker = book_cell(b, cell);
    u64 left = fill(b, t, maker, maker->lots, out);
    if (!left) return book_leave(b, cell, queue, t->against);
    book_queue(b, queue)->lots -= maker->lots - left;
    maker->lots = left;
}

/* The taker stands before an own order. */
static void meet_own(struct books *b, struct book_taker *t, u32 cell, struct book_events *out)
{
    CHECK(t->o.stp != BOOK_STP_REJECT); /* was refused before any fill */
    if (t->o.stp != BOOK_STP_CANCEL_TAKER) cancel_resting(b, cell, BOOK_BY_STP_MAKER, out);
    if (t->o.stp != BOOK_STP_CANCEL_MAKER) t->end = BOOK_BY_STP_TAKER;
}

/* The best level is of one order, which is alone. */
BOOK_ASIDE static void meet_alone(struct books *b, struct book_taker *t, u32 cell,
                                  struct book_events *out)
{
    struct book_cell *maker = book_cell(b, cell);
    if (UNLIKELY(book_is_own(maker, t->o.account))) return meet_own(b, t, cell, out);
    u64 left = fill(b, t, maker, maker->alone_lots, out);
    maker->alone_lots = left;
    if (!left) book_unrest_alone(b, cell);
}

/* Price-time priority, one resting order at a time, until the taker is sated, stopped, or nothing
 * is left within its limit. BOOK_MORE when the buffer is full. */
static int match(struct books *b, struct book_taker *t, struct book_events *out)
{
    struct book_half *h = book_half(b, t->against);
    u32 best = 0;
    while (t->o.lots && !t->end && book_reaches(b, h, t->limit)) {
        if (UNLIKELY(full(out))) return BOOK_MORE;
        u32 before = best;
        best = book_half_best(b, h);
        if (best != before) {
            t->price = book_half_key(h, book_key_at(b, best));
            if (UNLIKELY(book_was_large(b))) book_sweep_ahead(b, h, best, !before);
        }
        if (sated(t, t->price)) break;
        if (UNLIKELY(book_is_cell(b, best))) {
            meet_alone(b, t, best, out);
            continue;
        }
        u32 first = book_ring(b, best)->next;
        if (UNLIKELY(book_is_own(book_cell(b, first), t->o.account))) {
            meet_own(b, t, first, out);
        } else {
            trade(b, t, best, first, out);
        }
    }
    return BOOK_DONE;
}

/* The end of an order that could rest, had it room. */
BOOK_ASIDE static int no_room(const struct books *b, const struct book_order *o,
                              struct book_events *out)
{
    bool traded = o == &b->taker.o && b->taker.traded; /* it can no longer be refused */
    if (!traded) return refused(o, BOOK_CODE_CAPACITY, out);
    return tell(o, BOOK_CANCELED, BOOK_BY_CAPACITY, o->lots, 0, out);
}

static inline void tell_rested(const struct books *b, const struct book_order *o, u32 half,
                               struct book_events *out)
{
    u64 head = head_of(BOOK_RESTED, 0, book_half(b, half)->head);
    struct book_event *e = lone_event(head, o->account, out);
    e->price = o->price;
    e->lots = e->left = o->lots;
    e->id = o->id;
}

/* The order rests behind those of this queue, if it fits. */
BOOK_ASIDE static int come_to_rest(struct books *b, const struct book_order *o, u32 half, u32 queue,
                                   struct book_events *out)
{
    if (UNLIKELY(!book_fits(b, queue, o->lots))) return no_room(b, o, out);
    tell_rested(b, o, half, out);
    return book_rest_in(b, o, half, queue);
}

/* The order rests at a price that has no queue, or none that was found. */
BOOK_ASIDE static int rest_anew(struct books *b, const struct book_order *o, u32 half,
                                struct book_events *out)
{
    u32 queue = book_queue_get(b, half, book_key(half, o->price));
    return LIKELY(queue) ? come_to_rest(b, o, half, queue, out) : no_room(b, o, out);
}

BOOK_ASIDE static int rest_alone(struct books *b, const struct book_order *o, u32 half,
                                 struct book_events *out)
{
    tell_rested(b, o, half, out);
    return book_rest_alone(b, o, half);
}

/* Something was in its place. */
BOOK_ASIDE static int part_and_rest(struct books *b, const struct book_order *o, u32 half,
                                    struct book_events *out)
{
    bool parts = book_alone_part(b, half, book_half_key(book_half(b, half), o->price));
    return LIKELY(parts) ? rest_alone(b, o, half, out) : rest_anew(b, o, half, out);
}

/* A node was found on its way: the order rests alone, if it may. */
BOOK_ASIDE static int rest_deep(struct books *b, const struct book_order *o, u32 half,
                                struct book_events *out)
{
    u64 key = book_half_key(book_half(b, half), o->price);
    if (UNLIKELY(!book_alone_may(b, half, key))) return rest_anew(b, o, half, out);
    if (b->way & BOOK_TAKEN) return part_and_rest(b, o, half, out);
    if (UNLIKELY(!book_alone_fits(b, half, key))) return rest_anew(b, o, half, out);
    return rest_alone(b, o, half, out);
}

static inline int rest_far(struct books *b, const struct book_order *o, u32 half,
                           struct book_events *out)
{
    return b->way & BOOK_IS_NODE ? rest_deep(b, o, half, out) : rest_anew(b, o, half, out);
}

/* The end of an order that takes no more. */
BOOK_ASIDE static int settle(struct books *b, const struct book_order *o, u32 half,
                             struct book_events *out)
{
    if (o->tif == BOOK_IOC) return tell(o, BOOK_CANCELED, BOOK_BY_IOC, o->lots, 0, out);
    if (o->tif == BOOK_FOK) return tell(o, BOOK_CANCELED, BOOK_BY_FOK, o->lots, 0, out);
    return LIKELY(book_has_room(b)) ? rest_far(b, o, half, out) : no_room(b, o, out);
}

/* Match, then end the taker in exactly one way. */
static int run(struct books *b, struct book_events *out)
{
    struct book_taker *t = &b->taker;
    t->busy = BOOK_TAKING;
    if (match(b, t, out) == BOOK_MORE || UNLIKELY(full(out))) return BOOK_MORE;
    t->busy = BOOK_IDLE;
    if (t->end) return tell(&t->o, BOOK_CANCELED, t->end, t->o.lots, 0, out);
    if (!sated(t, t->price)) return settle(b, &t->o, t->half, out);
    if (t->traded) return tell(&t->o, BOOK_FILLED, 0, 0, 0, out);
    return tell(&t->o, BOOK_CANCELED, BOOK_BY_BUDGET, t->o.lots, 0, out);
}

/* ---- what would happen ---- */

struct outlook {
    bool fills;     /* all it wants */
    bool meets_own; /* reaches an own order */
};

/* Step over `lots` on offer at a price; true once the taker is sated. */
static bool imagine(struct book_taker *t, u64 price, u64 lots)
{
    lots = min_u64(lots, t->o.lots);
    if (t->budgeted) {
        lots = min_u64(lots, t->o.budget / price);
        t->o.budget -= lots * price;
    }
    t->o.lots -= lots;
    t->traded |= lots != 0;
    return sated(t, price);
}

/* Step over the orders of a level, one by one, as own ones may be among them; those end the walk
 * unless stp takes them out of the way. True at the walk's end. */
static bool look_at_orders(const struct books *b, struct book_taker *t, u32 level, u64 price,
                           struct outlook *o)
{
    for (u32 i = book_level_first(b, level); i; i = book_level_later(b, i)) {
        const struct book_cell *c = book_cell(b, i);
        if (!book_is_own(c, t->o.account)) {
            if (imagine(t, price, book_cell_lots(c))) return o->fills = t->traded, true;
        } else {
            o->meets_own = true;
            if (t->o.stp != BOOK_STP_CANCEL_MAKER) return true;
        }
    }
    return false;
}

/* Walk the book as match() would, changing nothing: by levels, or by orders if the account has any
 * on that side. */
static struct outlook look_ahead(const struct books *b, const struct book_taker *taker, bool own)
{
    struct book_taker t = *taker;
    struct outlook o = {0};
    u32 q = book_level_best(b, book_half(b, t.against));
    for (; q; q = book_level_next(b, q)) {
        u64 price = book_key(t.against, book_entry(b, q)->key);
        if (book_key(t.against, price) > t.limit) break;
        if (sated(&t, price)) return o.fills = t.traded, o;
        if (own) {
            if (look_at_orders(b, &t, q, price, &o)) break;
        } else if (imagine(&t, price, book_level_lots(b, q))) {
            return o.fills = t.traded, o;
        }
    }
    return o;
}

/* The checks of an order that would take, in their fixed order: post-only, self trade,
 * fill-or-kill. True if it may go on; else it has been told why not. */
BOOK_ASIDE static bool may_take(const struct books *b, struct book_taker *t,
                                struct book_events *out)
{
    const struct book_order *o = &t->o;
    if (o->tif == BOOK_GTX) return refused(o, BOOK_CODE_WOULD_TAKE, out), false;
    if (o->stp != BOOK_STP_REJECT && o->tif != BOOK_FOK) return true;
    bool own = book_account_may_have(b, o->account, t->against);
    if (!own && o->tif != BOOK_FOK) return true;
    struct outlook ahead = look_ahead(b, t, own);
    if (ahead.meets_own && o->stp == BOOK_STP_REJECT) {
        return refused(o, BOOK_CODE_SELF_TRADE, out), false;
    }
    if (o->tif == BOOK_FOK && !ahead.fills) {
        return tell(o, BOOK_CANCELED, BOOK_BY_FOK, o->lots, 0, out), false;
    }
    return true;
}

/* ---- requests ---- */

/* The code a new order is refused with for its fields alone, 0 = fine. */
static u16 refuse(const struct books *b, const struct book_order *o)
{
    if (!book_is_open(b, o->market)) return BOOK_CODE_MARKET;
    if (o->price - 1 >= BOOK_PRICE_MAX) return BOOK_CODE_PRICE;
    if (o->lots - 1 >= BOOK_LOTS_MAX) return BOOK_CODE_LOTS;
    bool ends = o->tif == BOOK_IOC || o->tif == BOOK_FOK;
    bool bad = (o->side != BOOK_BUY && o->side != BOOK_SELL) || o->tif - 1U >= BOOK_GTX ||
               o->stp > BOOK_STP_CANCEL_BOTH || !o->id || (u32)o->id >= b->config.slots_max ||
               (o->budget && (o->side != BOOK_BUY || !ends));
    return bad ? BOOK_CODE_PARAMS : 0;
}

/* True if refuse() finds nothing; false also with a budget. The ranges of side, tif and stp end at
 * powers of two, as do those of price and lots: one test for each group. */
static inline bool is_plain(const struct books *b, const struct book_order *o, u32 half)
{
    u32 kind = (o->side - (u32)BOOK_BUY) * 2 | (o->tif - (u32)BOOK_GTC) | o->stp;
    u64 size = (o->price - 1) | (o->lots - 1);
    return LIKELY(kind < 4) && LIKELY(size < BOOK_PRICE_MAX) &&
           LIKELY(o->market < b->config.markets_max) && LIKELY(book_half(b, half)->head) &&
           LIKELY((u32)o->id < b->config.slots_max) && LIKELY(o->id) && LIKELY(!o->budget);
}
/* NOLINTNEXTLINE(misc-redundant-expression): that they are the same is the point */
_Static_assert(BOOK_PRICE_MAX == BOOK_LOTS_MAX, "is_plain() tests both at once");

/* An order begins its way through the other side. */
static inline struct book_taker *begin(struct books *b, const struct book_order *o, u32 half)
{
    struct book_taker *t = &b->taker;
    t->o.id = o->id; /* one by one, as the caller stored them: wide loads would wait for that */
    t->o.price = o->price;
    t->o.lots = o->lots;
    t->o.budget = o->budget;
    t->o.market = o->market;
    t->o.account = o->account;
    t->o.side = o->side;
    t->o.tif = o->tif;
    t->o.stp = o->stp;
    t->limit = book_key(half ^ 1, o->price);
    t->price = 0;
    t->half = half;
    t->against = half ^ 1;
    t->budgeted = o->budget != 0;
    t->traded = false;
    t->end = 0;
    return t;
}

/* It reaches the other side: seldom enough to stay out of the way of those that rest. */
BOOK_ASIDE static int cross(struct books *b, const struct book_order *o, u32 half,
                            struct book_events *out)
{
    struct book_taker *t = begin(b, o, half);
    bool plain = t->o.stp != BOOK_STP_REJECT && t->o.tif <= BOOK_IOC;
    return plain || may_take(b, t, out) ? run(b, out) : BOOK_DONE;
}

/* Most orders rest at a price in use. Not part of what looks at their fields, which would have to
 * save registers for it. */
BOOK_ASIDE static int rest_near(struct books *b, const struct book_order *o, u32 half,
                                struct book_events *out)
{
    if (UNLIKELY(!book_has_room(b))) return no_room(b, o, out);
    u32 queue = book_queue_near(b, half, book_half_key(book_half(b, half), o->price));
    return LIKELY(queue) ? come_to_rest(b, o, half, queue, out) : rest_far(b, o, half, out);
}

/* A new order whose fields are fine. */
static inline int enter(struct books *b, const struct book_order *o, u32 half,
                        struct book_events *out)
{
    const struct book_half *other = book_half(b, half ^ 1);
    if (UNLIKELY(book_reaches(b, other, book_half_key(other, o->price)))) {
        return cross(b, o, half, out);
    }
    return LIKELY(o->tif == BOOK_GTC) ? rest_near(b, o, half, out) : settle(b, o, half, out);
}

BOOK_ASIDE static int examine(struct books *b, const struct book_order *o, struct book_events *out)
{
    u16 code = refuse(b, o);
    return code ? refused(o, code, out) : enter(b, o, book_half_of(o->market, o->side), out);
}

int book_submit(struct books *b, const struct book_order *o, struct book_events *out)
{
    CHECK(!b->taker.busy && !full(out));
    u32 half = book_half_of(o->market, o->side);
    return LIKELY(is_plain(b, o, half)) ? enter(b, o, half, out) : examine(b, o, out);
}

BOOK_ASIDE static int unknown(u64 id, struct book_events *out)
{
    struct book_event *e = lone_event(head_of(BOOK_REJECTED, BOOK_CODE_UNKNOWN, 0), 0, out);
    e->price = e->lots = e->left = 0;
    e->id = id;
    return BOOK_DONE;
}

int book_cancel(struct books *b, u64 id, u16 reason, struct book_events *out)
{
    CHECK(!b->taker.busy && !full(out));
    u32 cell;
    if (UNLIKELY(!book_lookup(b, id, &cell))) return unknown(id, out);
    return cancel_resting(b, cell, reason, out);
}

int book_cancel_foreseen(struct books *b, u64 id, u16 reason, struct book_events *out)
{
    CHECK(!b->taker.busy && !full(out));
    u32 cell;
    if (UNLIKELY(!book_lookup(b, id, &cell))) return unknown(id, out);
    if (book_is_alone(book_cell(b, cell))) return cancel_alone(b, cell, reason, out);
    tell_canceled(b, cell, reason, out);
    return book_unrest_foreseen(b, cell);
}

/* What an amended order would be as a new one. */
static struct book_order amended(const struct books *b, u32 cell, u64 price, u64 lots, u8 stp)
{
    const struct book_cell *c = book_cell(b, cell);
    u32 half = book_queue(b, c->queue)->half;
    return (struct book_order){.id = c->id,
                               .price = price,
                               .lots = lots,
                               .market = half >> 1,
                               .account = c->account,
                               .side = book_half_side(half),
                               .tif = BOOK_GTC,
                               .stp = stp};
}

BOOK_ASIDE static int refuse_amended(const struct books *b, u32 cell, u64 price, u64 lots,
                                     struct book_events *out)
{
    struct book_order o = amended(b, cell, price, lots, 0);
    if (price > BOOK_PRICE_MAX) return refused(&o, BOOK_CODE_PRICE, out);
    if (lots - 1 >= BOOK_LOTS_MAX) return refused(&o, BOOK_CODE_LOTS, out);
    return refused(&o, BOOK_CODE_PARAMS, out);
}

/* It now reaches the other side, and takes. */
BOOK_ASIDE static int take_amended(struct books *b, u32 cell, u64 price, u64 lots, u8 stp,
                                   struct book_events *out)
{
    const struct book_cell *c = book_cell(b, cell);
    struct book_order o = amended(b, cell, price, lots, stp);
    u32 half = book_half_of(o.market, o.side);
    if (!may_take(b, begin(b, &o, half), out)) return BOOK_DONE;
    o.price = book_key(half, book_queue(b, c->queue)->key);
    tell(&o, BOOK_AMENDED, 0, c->lots, lots, out);
    b->taker.traded = true;
    book_unrest(b, cell);
    return run(b, out);
}

/* It leaves a level empty, or its new one is not near, or there may be no room for it. */
BOOK_ASIDE static int move_far(struct books *b, u32 cell, u64 price, u64 lots,
                               struct book_events *out)
{
    struct book_order o = amended(b, cell, price, lots, 0);
    u32 half = book_half_of(o.market, o.side), old = book_cell(b, cell)->queue;
    if (book_queue_leave(b, cell)) book_queue_drop(b, old);
    bool room = LIKELY(b->orders.used <= b->orders_limit);
    u32 queue = room ? book_queue_get(b, half, book_key(half, price)) : 0;
    if (LIKELY(queue) && LIKELY(book_fits(b, queue, lots))) {
        book_queue_join(b, cell, lots, queue);
        return tell(&o, BOOK_RESTED, 0, lots, lots, out);
    }
    book_forget(b, cell, half);
    return tell(&o, BOOK_CANCELED, BOOK_BY_CAPACITY, lots, 0, out);
}

/* It rests behind the orders of this queue from now on. What is kept by id and account stays as it
 * is. */
BOOK_ASIDE static int rest_again(struct books *b, u32 cell, u32 queue, u64 lots,
                                 struct book_events *out)
{
    book_queue_leave(b, cell);
    book_queue_join(b, cell, lots, queue);
    struct book_event *e = tell_resting(b, book_cell(b, cell), BOOK_RESTED, 0, out);
    e->lots = e->left = lots;
    return BOOK_DONE;
}

/* The order goes to the end of the queue at its new price. */
BOOK_ASIDE static int move(struct books *b, u32 cell, u64 price, u64 lots, struct book_events *out)
{
    const struct book_cell *c = book_cell(b, cell);
    struct book_event *e = tell_resting(b, c, BOOK_AMENDED, 0, out);
    e->lots = c->lots;
    e->left = lots;
    bool alone = c->ring.prev == c->ring.next, room = LIKELY(b->orders.used <= b->orders_limit);
    if (!alone && room) {
        u32 half = book_queue(b, c->queue)->half;
        u32 queue = book_queue_near(b, half, book_half_key(book_half(b, half), price));
        if (LIKELY(queue) && LIKELY(book_fits(b, queue, lots))) {
            return rest_again(b, cell, queue, lots, out);
        }
    }
    return move_far(b, cell, price, lots, out);
}

BOOK_ASIDE static int reduce(struct books *b, u32 cell, u64 lots, struct book_events *out)
{
    struct book_cell *c = book_cell(b, cell);
    struct book_event *e = tell_resting(b, c, BOOK_REDUCED, 0, out);
    e->lots = c->lots - lots;
    e->left = lots;
    book_queue(b, c->queue)->lots -= c->lots - lots;
    c->lots = lots;
    return BOOK_DONE;
}

/* An order that is alone is amended as others are. */
BOOK_ASIDE static int amend_alone(struct books *b, u32 cell, u64 price, u64 lots, u8 stp,
                                  struct book_events *out)
{
    book_alone_end(b, cell);
    return book_amend(b, book_cell(b, cell)->id, price, lots, stp, out);
}

int book_amend(struct books *b, u64 id, u64 price, u64 lots, u8 stp, struct book_events *out)
{
    u32 cell;
    CHECK(!b->taker.busy && !full(out));
    if (UNLIKELY(!book_lookup(b, id, &cell))) return unknown(id, out);
    const struct book_cell *c = book_cell(b, cell);
    if (UNLIKELY(book_is_alone(c))) return amend_alone(b, cell, price, lots, stp, out);
    const struct book_queue *q = book_queue(b, c->queue);
    u64 old_price = book_half_key(book_half(b, q->half), q->key);
    if (!price) price = old_price;
    bool fine = ((price - 1) | (lots - 1)) < BOOK_PRICE_MAX && stp <= BOOK_STP_CANCEL_BOTH;
    if (UNLIKELY(!fine)) return refuse_amended(b, cell, price, lots, out);
    if (price == old_price && lots <= c->lots) return reduce(b, cell, lots, out);
    const struct book_half *other = book_half(b, q->half ^ 1);
    bool takes = book_reaches(b, other, book_half_key(other, price));
    if (UNLIKELY(takes)) return take_amended(b, cell, price, lots, stp, out);
    return move(b, cell, price, lots, out);
}

/* ---- mass cancel ---- */

static int sweep_account(struct books *b, struct book_events *out)
{
    struct book_taker *t = &b->taker;
    for (u32 s = 0; s < 2; s++) {
        u32 half = t->o.market << 1 | s;
        if (!(t->sides >> s & 1)) continue;
        if (!(t->sorted >> s & 1)) book_account_sort(b, t->o.account, half);
        t->sorted |= (u8)(1U << s);
        for (u32 cell; (cell = book_account_sorted(b, t->o.account, half));) {
            if (full(out)) return BOOK_MORE;
            cancel_resting(b, cell, t->reason, out);
            book_account_left(b, cell);
        }
    }
    t->busy = BOOK_IDLE;
    return BOOK_DONE;
}

int book_cancel_all(struct books *b, u32 market, u32 account, u8 side, u16 reason,
                    struct book_events *out)
{
    CHECK(!b->taker.busy && !full(out));
    if (!book_is_open(b, market) || side > BOOK_SELL) return BOOK_DONE;
    b->taker = (struct book_taker){.o = {.market = market, .account = account},
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
