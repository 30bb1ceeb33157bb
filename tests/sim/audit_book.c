/* A book as one would write it on paper: a list for each side, best price first, then by arrival.
 * Every match record must be what this book allows. */
#include "tests/sim/audit.h"

#include <string.h>

#define FAIL(a, label, ...) sim_fail((a)->world, label, __VA_ARGS__)

static u32 slot_of(const struct audit_book *b, u64 id)
{
    u64 h = id * 0x9e3779b97f4a7c15UL;
    u32 i = (u32)(h >> 32) & b->slot_mask;
    while (b->slots[i] && b->orders[b->slots[i] - 1].id != id) i = (i + 1) & b->slot_mask;
    return i;
}

static struct audit_order *find(struct audit_book *b, u64 id)
{
    u32 at = b->slots[slot_of(b, id)];
    return at ? &b->orders[at - 1] : NULL;
}

const struct audit_order *audit_book_find(const struct audit_book *b, u64 id)
{
    u32 at = b->slots[slot_of(b, id)];
    return at ? &b->orders[at - 1] : NULL;
}

void audit_book_reset(struct audit_book *b)
{
    b->count = 0;
    if (!b->slots) {
        b->slot_mask = (1U << 16) - 1;
        b->slots = calloc(b->slot_mask + 1, sizeof *b->slots);
        CHECK(b->slots);
    }
    memset(b->slots, 0, (b->slot_mask + 1) * sizeof *b->slots);
    memset(b->best, 0, sizeof b->best);
    b->resting_max = 0;
    for (u32 m = 0; m < SIM_MARKETS; m++) b->sides[m][0].count = b->sides[m][1].count = 0;
}

static struct audit_side *side_of(struct audit_book *b, const struct audit_order *o)
{
    return &b->sides[o->market][o->side - SIDE_BUY];
}

static void enter(struct audit_book *b, u32 index)
{
    const struct audit_order *o = &b->orders[index];
    struct audit_side *s = side_of(b, o);
    u32 at = s->count;
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 64;
        s->orders = realloc(s->orders, s->room * sizeof *s->orders);
        CHECK(s->orders);
    }
    for (; at; at--) {
        u64 before = b->orders[s->orders[at - 1]].price;
        if (o->side == SIDE_BUY ? before >= o->price : before <= o->price) break;
        s->orders[at] = s->orders[at - 1];
    }
    s->orders[at] = index;
    s->count++;
}

static void leave(struct audit_book *b, struct audit_order *o)
{
    struct audit_side *s = side_of(b, o);
    u32 index = (u32)(o - b->orders), at = 0;
    while (at < s->count && s->orders[at] != index) at++;
    CHECK(at < s->count);
    memmove(s->orders + at, s->orders + at + 1, (s->count - at - 1) * sizeof *s->orders);
    s->count--;
    o->state = ORDER_OVER;
}

static void add_order(struct audit *a, const struct cmd_order *c)
{
    struct audit_book *b = &a->book;
    if (find(b, c->order_id))
        FAIL(a, "ids are never reused", "order id %lu is given out again", c->order_id);
    CHECK(b->count < b->slot_mask / 2);
    if (b->count == b->room) {
        b->room = b->room ? 2 * b->room : 1024;
        b->orders = realloc(b->orders, b->room * sizeof *b->orders);
    }
    CHECK(b->orders);
    struct audit_order *o = &b->orders[b->count];
    *o = (struct audit_order){.id = c->order_id,
                              .nonce = c->nonce,
                              .price = c->price,
                              .lots = c->lots,
                              .left = c->lots,
                              .budget = c->quote_amount,
                              .expire_ns = c->expire_ns,
                              .seq = c->head.seq,
                              .account = c->account,
                              .market = c->market,
                              .side = c->side,
                              .tif = c->tif,
                              .stp = c->stp};
    memcpy(&o->digest, c->evidence.digest, sizeof o->digest);
    b->slots[slot_of(b, o->id)] = b->count + 1;
    b->taker = ++b->count;
}

static void close_listed(struct audit *a, const struct cmd_cancel *c)
{
    const struct cancel_item *items = (const void *)(c + 1);
    for (u32 i = 0; i < c->count; i++) {
        struct audit_order *o = find(&a->book, items[i].order_id);
        if (!o || o->account != items[i].account || o->market != items[i].market || o->closing)
            FAIL(a, "a cancel names own orders, once", "command %lu, order %lu", c->head.seq,
                 items[i].order_id);
        if (c->head.kind == CMD_EXPIRE && (!o->expire_ns || o->expire_ns > c->head.time_ns))
            FAIL(a, "nothing expires early", "command %lu, order %lu", c->head.seq, o->id);
        o->closing = true;
    }
}

/* What is due is logged before anything new is accepted. */
static void check_due(struct audit *a, const struct rec *cmd)
{
    const struct audit_book *b = &a->book;
    for (u32 m = 0; m < SIM_MARKETS; m++)
        for (u32 side = 0; side < 2; side++)
            for (u32 i = 0; i < b->sides[m][side].count; i++) {
                const struct audit_order *o = &b->orders[b->sides[m][side].orders[i]];
                if (!o->expire_ns || o->expire_ns > cmd->time_ns || o->closing) continue;
                FAIL(a, "what is due expires first",
                     "command %lu is an order stamped %lu; order %lu was to expire at %lu",
                     cmd->seq, cmd->time_ns, o->id, o->expire_ns);
            }
}

void audit_book_command(struct audit *a, const struct rec *cmd)
{
    struct audit_book *b = &a->book;
    const void *body = cmd;
    b->cmd = cmd;
    b->taker = b->answers = 0;
    if (cmd->kind == CMD_START) b->resting_max = ((const struct cmd_start_2 *)body)->resting_max;
    if (cmd->kind == CMD_ORDER) check_due(a, cmd);
    if (cmd->kind == CMD_ORDER && !((const struct cmd_order *)body)->code) add_order(a, body);
    if (cmd->kind == CMD_CANCEL || cmd->kind == CMD_EXPIRE) close_listed(a, body);
}

#define RULE(cond, label) \
    do { \
        if (!(cond)) \
            FAIL(a, label, "match record %lu (kind %u) of command %lu: %s", rec->seq, rec->kind, \
                 rec->cause, #cond); \
    } while (0)

/* Do as many rest as may, in all markets of the process that `market` runs on? */
static bool is_full(const struct audit *a, u32 market)
{
    const struct audit_book *b = &a->book;
    u32 matchings = a->world->params.matching, resting = 0;
    for (u32 m = market % matchings; m < SIM_MARKETS; m += matchings)
        resting += b->sides[m][0].count + b->sides[m][1].count;
    return resting >= b->resting_max;
}

static void trade(struct audit *a, const struct match_trade *e, const struct rec *rec)
{
    struct audit_book *b = &a->book;
    struct audit_order *taker = find(b, e->taker_id), *maker = find(b, e->maker_id);
    RULE(taker && b->taker && taker == &b->orders[b->taker - 1], "only the new order takes");
    RULE(maker && maker->state == ORDER_RESTS, "only resting orders make");
    RULE(maker->side != taker->side && maker->market == taker->market, "sides meet");
    const struct audit_side *s = side_of(b, maker);
    RULE(&b->orders[s->orders[0]] == maker, "price, then time");
    RULE(e->price == maker->price, "the maker's price holds");
    RULE(taker->side == SIDE_BUY ? e->price <= taker->price : e->price >= taker->price,
         "limits hold");
    RULE(maker->account != taker->account, "nobody trades with himself");
    RULE(taker->tif != TIF_GTX, "post-only does not take");
    RULE(e->lots && e->lots <= maker->left && e->maker_left == maker->left - e->lots,
         "lots add up");
    maker->left -= e->lots;
    if (!maker->left) leave(b, maker);
    if (taker->budget) {
        u64 quote = e->price * e->lots * a->replica.rules->markets[e->market].tick_lot;
        RULE(quote <= taker->budget, "budgets hold");
        taker->budget -= quote;
        taker->budget += !taker->budget; /* still an order by quote */
        return;
    }
    RULE(e->lots <= taker->left && e->taker_left == taker->left - e->lots, "lots add up");
    taker->left -= e->lots;
    if (taker->left) return;
    taker->state = ORDER_OVER;
    b->answers++;
}

static void canceled(struct audit *a, const struct match_order *e, const struct rec *rec)
{
    struct audit_book *b = &a->book;
    struct audit_order *o = find(b, e->order_id);
    RULE(o, "orders are known");
    RULE(o->budget || e->lots == o->left, "lots add up");
    if (e->was_resting) {
        const struct audit_order *taker = b->taker ? &b->orders[b->taker - 1] : NULL;
        RULE(o->state == ORDER_RESTS, "only resting orders leave the book");
        if (e->reason == REASON_USER)
            RULE(o->closing && b->cmd->kind == CMD_CANCEL, "by its owner");
        else if (e->reason == REASON_EXPIRED)
            RULE(o->closing && b->cmd->kind == CMD_EXPIRE, "by its time");
        else
            RULE(e->reason == REASON_STP && taker && taker->account == o->account &&
                     (taker->stp == STP_CANCEL_MAKER || taker->stp == STP_CANCEL_BOTH),
                 "self-trade prevention");
        leave(b, o);
        return;
    }
    RULE(b->taker && o == &b->orders[b->taker - 1], "only the new order ends so");
    if (e->reason == REASON_FOK) RULE(o->tif == TIF_FOK && o->left == o->lots, "all or nothing");
    if (e->reason == REASON_CAPACITY) {
        RULE(is_full(a, o->market), "only full books turn away");
        a->world->result->turned_away++;
    }
    if (e->reason == REASON_IOC) RULE(o->tif == TIF_IOC, "only IOC ends so");
    if (e->reason == REASON_STP)
        RULE(o->stp == STP_CANCEL_TAKER || o->stp == STP_CANCEL_BOTH, "self-trade prevention");
    o->state = ORDER_OVER;
    b->answers++;
}

static void one_order(struct audit *a, const struct match_order *e, const struct rec *rec)
{
    struct audit_book *b = &a->book;
    struct audit_order *o = find(b, e->order_id);
    if (rec->kind == MATCH_MISSED) {
        RULE(o && o->closing && o->state == ORDER_OVER, "a cancel misses only what is over");
        return;
    }
    RULE(o && b->taker && o == &b->orders[b->taker - 1], "orders answer to their command");
    b->answers++;
    o->state = ORDER_OVER;
    if (rec->kind == MATCH_REJECTED) RULE(o->left == o->lots, "the rejected never traded");
    if (rec->kind == MATCH_REJECTED && e->code == BOOK_CODE_CAPACITY) {
        RULE(is_full(a, o->market), "only full books turn away");
        a->world->result->turned_away++;
    }
    if (rec->kind == MATCH_FILLED) RULE(o->budget, "only orders by quote end so");
    if (rec->kind != MATCH_OPENED) return;
    RULE(o->tif == TIF_GTC || o->tif == TIF_GTX, "only some orders rest");
    RULE(!is_full(a, o->market), "full books take nobody");
    RULE(e->lots && e->lots == o->left && e->price == o->price, "lots add up");
    o->state = ORDER_RESTS;
    enter(b, b->taker - 1);
}

static u64 best_of(const struct audit_book *b, u32 market, u32 side)
{
    const struct audit_side *s = &b->sides[market][side];
    return s->count ? b->orders[s->orders[0]].price : 0;
}

void audit_book_match(struct audit *a, const struct rec *rec)
{
    struct audit_book *b = &a->book;
    const void *body = rec;
    RULE(rec->cause == b->cmd->seq && rec->time_ns == b->cmd->time_ns, "records name their cause");
    if (rec->kind == MATCH_TRADE) trade(a, body, rec);
    else if (rec->kind == MATCH_CANCELED) canceled(a, body, rec);
    else if (rec->kind == MATCH_BEST) {
        const struct match_best *e = body;
        b->best[e->market][0] = e->bid;
        b->best[e->market][1] = e->ask;
    } else {
        one_order(a, body, rec);
    }
}

void audit_book_end(struct audit *a)
{
    struct audit_book *b = &a->book;
    const struct rec *rec = b->cmd;
    const struct audit_order *o = b->taker ? &b->orders[b->taker - 1] : NULL;
    RULE(!o || b->answers == 1, "an order has one answer");
    RULE(!o || o->tif != TIF_FOK || o->budget || !o->left || o->left == o->lots, "all or nothing");
    for (u32 m = 0; m < SIM_MARKETS; m++) {
        u64 bid = best_of(b, m, 0), ask = best_of(b, m, 1);
        RULE(!bid || !ask || bid < ask, "no book is crossed");
        RULE(bid == b->best[m][0] && ask == b->best[m][1], "best prices are told");
    }
}
