#include "procs/api/push.h"

#include "procs/api/market_put.h"
#include "procs/api/push_mine.h"
#include "procs/api/push_put.h"
#include "procs/api/ws.h"
#include "procs/lib/wire.h"

#define DEPTH_EVERY_NS  (10 * NS_PER_MS)
#define TICKER_EVERY_NS (100 * NS_PER_MS)
#define TRADES_AT_ONCE  64U

enum { BIDS = 0, ASKS = 1 };

static struct market_depth book; /* as it is now */

/* One level of a side, of the view or of the book. */
struct level {
    u64 price, lots;
};

/* ---- Depth ---- */

static void keep_view(struct depth_view *v, const struct market_depth *d, u32 levels)
{
    const struct market_level *from[2] = {d->bids, d->asks};
    u32 count[2] = {d->bid_count, d->ask_count};
    v->sequence = d->sequence;
    for (u32 side = BIDS; side <= ASKS; side++) {
        v->count[side] = (u32)min_u64(count[side], levels);
        for (u32 i = 0; i < v->count[side]; i++) {
            v->level[side][i].price = from[side][i].price;
            v->level[side][i].lots = from[side][i].lots;
        }
    }
}

static void put_level(struct json_out *o, const struct market *m, u64 price, u64 lots)
{
    json_put_open(o, '[');
    wire_put_price(o, m, price);
    wire_put_lots(o, m, lots);
    json_put_close(o, ']');
}

/* What must change in a side of the view to become the book's: both best first. */
static u32 put_difference(struct json_out *o, const struct market *m, const struct depth_view *v,
                          u32 side, const struct market_level *now, u32 count)
{
    u32 i = 0, j = 0, changes = 0;
    json_put_open(o, '[');
    while (i < v->count[side] || j < count) {
        u64 was = i < v->count[side] ? v->level[side][i].price : 0;
        u64 is = j < count ? now[j].price : 0;
        bool gone = j == count || (i < v->count[side] && (side == BIDS ? was > is : was < is));
        if (gone) {
            put_level(o, m, was, 0);
            i++, changes++;
            continue;
        }
        bool same = i < v->count[side] && was == is;
        if (!same || v->level[side][i].lots != now[j].lots) {
            put_level(o, m, is, now[j].lots);
            changes++;
        }
        i += same;
        j++;
    }
    json_put_close(o, ']');
    return changes;
}

/* {"market":..,"bids":[..],"asks":[..],"sequence":..,"prev_sequence":..,"timestamp":..} */
static u32 put_update(struct json_out *o, const struct market *m, const struct depth_view *v,
                      u32 levels, u64 now_ns)
{
    u32 bids = (u32)min_u64(book.bid_count, levels), asks = (u32)min_u64(book.ask_count, levels);
    json_put_open(o, '{');
    json_put_key(o, "market"), json_put_cstring(o, m->symbol);
    json_put_key(o, "bids");
    u32 changes = put_difference(o, m, v, BIDS, book.bids, bids);
    json_put_key(o, "asks");
    changes += put_difference(o, m, v, ASKS, book.asks, asks);
    json_put_key(o, "sequence"), json_put_u64(o, book.sequence);
    json_put_key(o, "prev_sequence"), json_put_u64(o, v->sequence);
    json_put_key(o, "timestamp");
    json_put_u64(o, (book.time_ns ? book.time_ns : now_ns) / NS_PER_MS);
    json_put_close(o, '}');
    return changes;
}

static void put_view(struct json_out *o, const struct market *m, const struct depth_view *v,
                     u64 now_ns)
{
    static const char *const NAMES[] = {"bids", "asks"};
    json_put_open(o, '{');
    json_put_key(o, "market"), json_put_cstring(o, m->symbol);
    for (u32 side = BIDS; side <= ASKS; side++) {
        json_put_key(o, NAMES[side]), json_put_open(o, '[');
        for (u32 i = 0; i < v->count[side]; i++)
            put_level(o, m, v->level[side][i].price, v->level[side][i].lots);
        json_put_close(o, ']');
    }
    json_put_key(o, "sequence"), json_put_u64(o, v->sequence);
    json_put_key(o, "timestamp"), json_put_u64(o, now_ns / NS_PER_MS);
    json_put_close(o, '}');
}

static void depth_snapshot(struct api *a, struct sub *s)
{
    struct market m;
    const struct depth_view *v = a->hub->topics[topic_of(&s->channel)].view;
    struct push p = {.type = "snapshot", .channel = s->channel, .sequence = v->sequence};
    if (!wire_market_at(a->rules, s->channel.market, &m)) return;
    put_view(push_data(a), &m, v, a->unix_ns);
    push_one(a, &p, s->ws, s->older);
    s->stale = false;
}

static u32 push_depth(struct api *a, u16 market, const struct market *m, u16 kind)
{
    struct channel c = {kind, market};
    struct topic *t = &a->hub->topics[topic_of(&c)];
    if (!t->count || t->view->sequence == book.sequence) return 0;
    u32 changes = put_update(push_data(a), m, t->view, channel_levels[kind], a->unix_ns);
    if (!changes)
        return 0; /* nothing among these levels: prev_sequence still tells the last told */
    struct push p = {.type = "update",
                     .channel = c,
                     .sequence = book.sequence,
                     .has_prev = true,
                     .prev_sequence = t->view->sequence};
    keep_view(t->view, &book, channel_levels[kind]);
    return push_all(a, &p, t);
}

static u32 market_depth_turn(struct api *a, u16 market, const struct market *m,
                             struct market_feed *f)
{
    u64 sequence = market_sequence(a->market, market);
    u32 n = 0, wanted = 0;
    for (u16 kind = 0; kind < CHANNEL_DEPTHS; kind++) {
        struct channel c = {kind, market};
        if (a->hub->topics[topic_of(&c)].count) wanted = channel_levels[kind];
    }
    if (!wanted || sequence == f->depth_seq || a->now_ns - f->depth_ns < DEPTH_EVERY_NS) return 0;
    if (market_read_depth(a->market, market, wanted, &book) || book.cause > a->durable_seq)
        return 0;
    f->depth_seq = book.sequence;
    f->depth_ns = a->now_ns;
    for (u16 kind = 0; kind < CHANNEL_DEPTHS; kind++) n += push_depth(a, market, m, kind);
    return n;
}

/* ---- Trades and ticker ---- */

static u32 market_trades_turn(struct api *a, u16 market, const struct market *m,
                              struct market_feed *f)
{
    static struct market_trade trades[TRADES_AT_ONCE];
    struct channel c = {CHANNEL_TRADES, market};
    struct topic *t = &a->hub->topics[topic_of(&c)];
    u32 pushed = 0;
    if (!t->count || market_trade_number(a->market, market) == f->trade_number) return 0;
    int n = market_read_trades_since(a->market, market, f->trade_number, trades, TRADES_AT_ONCE);
    if (n == MARKET_LAPPED) f->trade_number = market_trade_number(a->market, market);
    for (int i = 0; i < n && trades[i].cause <= a->durable_seq; i++) {
        struct push p = {.type = "update", .channel = c, .sequence = trades[i].number};
        market_put_trade(push_data(a), a->rules, m, &trades[i]);
        pushed += push_all(a, &p, t);
        f->trade_number = trades[i].number;
    }
    return pushed;
}

/* Changes when anything a ticker shows does. */
static u64 ticker_key(const struct market_ticker *t)
{
    return t->sequence + (t->trade_number << 32);
}

static bool read_ticker(struct api *a, u16 market, struct market_ticker *t)
{
    return market_read_ticker(a->market, market, a->unix_ns, t) == 0 && t->cause <= a->durable_seq;
}

static u32 market_ticker_turn(struct api *a, u16 market, const struct market *m,
                              struct market_feed *f)
{
    struct channel one = {CHANNEL_TICKER, market}, all = {CHANNEL_TICKERS, 0};
    struct topic *topics[2] = {&a->hub->topics[topic_of(&one)], &a->hub->topics[topic_of(&all)]};
    struct market_ticker t;
    if (!topics[0]->count && !topics[1]->count) return 0;
    if (a->now_ns - f->ticker_ns < TICKER_EVERY_NS || !read_ticker(a, market, &t)) return 0;
    f->ticker_ns = a->now_ns;
    if (ticker_key(&t) == f->ticker_key) return 0;
    f->ticker_key = ticker_key(&t);
    struct push p = {.type = "update", .channel = one, .sequence = t.sequence};
    market_put_ticker(push_data(a), a->rules, m, &t, a->unix_ns);
    u32 n = push_all(a, &p, topics[0]);
    p.channel = all;
    return n + push_all(a, &p, topics[1]);
}

static void ticker_snapshot(struct api *a, struct sub *s)
{
    struct market_ticker t;
    struct market m;
    u16 from = s->channel.market, to = from;
    if (s->channel.kind == CHANNEL_TICKERS) to = MARKETS_MAX - 1;
    for (u16 i = from; i <= to && wire_market_at(a->rules, i, &m); i++) {
        if (!read_ticker(a, i, &t)) continue;
        struct push p = {.type = "snapshot", .channel = s->channel, .sequence = t.sequence};
        market_put_ticker(push_data(a), a->rules, &m, &t, a->unix_ns);
        push_one(a, &p, s->ws, s->older);
    }
    s->stale = false;
}

/* ---- Beginning, catching up, the turn ---- */

/* Nobody has heard this market's ticker: what it is now comes as a snapshot. */
static void begin_ticker(struct api *a, u16 market)
{
    struct market_ticker t;
    struct channel one = {CHANNEL_TICKER, market};
    if (a->hub->tickers || a->hub->topics[topic_of(&one)].count) return;
    if (read_ticker(a, market, &t)) a->hub->markets[market].ticker_key = ticker_key(&t);
}

void push_begin_topic(struct api *a, const struct channel *c)
{
    if (c->kind == CHANNEL_TICKER) begin_ticker(a, c->market);
    for (u32 i = 0; c->kind == CHANNEL_TICKERS && i < MARKETS_MAX; i++) begin_ticker(a, (u16)i);
    struct topic *t = &a->hub->topics[topic_of(c)];
    struct market_feed *f = &a->hub->markets[c->market];
    if (c->kind == CHANNEL_TRADES) f->trade_number = market_trade_number(a->market, c->market);
    if (c->kind >= CHANNEL_DEPTHS) return;
    if (market_read_depth(a->market, c->market, channel_levels[c->kind], &book))
        book.sequence = book.bid_count = book.ask_count = 0;
    keep_view(t->view, &book, channel_levels[c->kind]);
}

void push_first(struct api *a, struct sub *s)
{
    if (s->channel.kind < CHANNEL_DEPTHS) depth_snapshot(a, s);
    else if (s->channel.kind != CHANNEL_TRADES) ticker_snapshot(a, s);
}

/* Readers that were slow and have caught up; true while some have not. */
static bool refresh(struct api *a, struct topic *t)
{
    bool left = false;
    for (struct link *l = t->subs.next, *next; l != &t->subs; l = next) {
        struct sub *s = LINK_OF(l, struct sub, of_topic);
        next = l->next;
        if (s->stale && ws_backlog(s->ws) < WS_SLOW_BYTES / 2) push_first(a, s);
        left |= s->stale;
    }
    return left;
}

static u32 market_turn(struct api *a, u16 market)
{
    struct market_feed *f = &a->hub->markets[market];
    struct market m;
    if (!wire_market_at(a->rules, market, &m)) return 0;
    u32 n = market_trades_turn(a, market, &m, f);
    n += market_depth_turn(a, market, &m, f);
    return n + market_ticker_turn(a, market, &m, f);
}

u32 push_turn(struct api *a)
{
    struct hub *h = a->hub;
    u32 n = push_mine_turn(a);
    u32 markets = atomic_load_explicit(&a->rules->market_count, memory_order_acquire);
    for (u32 i = 0; i < markets; i++) {
        if (!h->markets[i].subs && !h->tickers) continue;
        n += market_turn(a, (u16)i);
    }
    if (h->stale) {
        h->stale = false;
        for (u32 i = 0; i < TOPICS_MAX; i++)
            if (h->topics[i].count) h->stale |= refresh(a, &h->topics[i]);
    }
    metric_add(a->block, METRIC_API_PUSHES, n);
    return n;
}
