/* push_ticks.c: what the channels of trades, tickers and candles tell. */
#include "procs/api/push_feeds.h"

#include "procs/api/market_put.h"
#include "procs/api/push_put.h"
#include "procs/lib/wire.h"

#define TRADES_AT_ONCE 1024U
#define KLINES_AT_ONCE 16U

/* ---- Trades ---- */

void trades_begin(struct api *a, struct wave *w, u16 market)
{
    w->markets[market].trade_number = market_trade_number(a->market, market);
}

bool trades_turn(struct api *a, struct wave *w, u16 market, const struct market *m)
{
    static struct market_trade trades[TRADES_AT_ONCE];
    struct market_feed *f = &w->markets[market];
    if (!wave_wants(w, CHANNEL_TRADES, market)) return true;
    if (market_trade_number(a->market, market) == f->trade_number) return true;
    int n = market_read_trades_since(a->market, market, f->trade_number, trades, TRADES_AT_ONCE);
    if (n == MARKET_LAPPED) f->trade_number = market_trade_number(a->market, market);
    for (int i = 0; i < n && trades[i].cause <= a->durable_seq; i++) {
        struct push p = {
            .type = "update", .channel = {CHANNEL_TRADES, market}, .sequence = trades[i].number};
        market_put_trade(push_data(a), a->rules, m, &trades[i]);
        push_all(a, w, &p);
        f->trade_number = trades[i].number;
    }
    return market_trade_number(a->market, market) == f->trade_number;
}

/* ---- Tickers ---- */

/* Changes when anything a ticker shows does, also because a minute left the window. */
static u64 ticker_key(const struct market_ticker *t)
{
    u64 key = t->sequence + (t->trade_number << 32);
    return (key ^ t->trade_count << 16 ^ t->open) * 0x9e3779b97f4a7c15UL;
}

static bool read_ticker(struct api *a, u16 market, struct market_ticker *t)
{
    return market_read_ticker(a->market, market, a->unix_ns, t) == 0 && t->cause <= a->durable_seq;
}

/* What it is now comes as a snapshot, not as an update. */
void ticker_begin(struct api *a, struct wave *w, u16 market)
{
    struct market_ticker t;
    if (read_ticker(a, market, &t)) w->markets[market].ticker_key = ticker_key(&t);
}

void ticker_snapshot(struct api *a, struct sub *s, u16 market)
{
    struct market_ticker t;
    struct market m;
    if (!wire_market_at(a->rules, market, &m) || !read_ticker(a, market, &t)) return;
    struct push p = {
        .type = "snapshot", .channel = {CHANNEL_TICKER, market}, .sequence = t.sequence};
    market_put_ticker(push_data(a), a->rules, &m, &t, a->unix_ns);
    push_one(a, &p, s->ws, &s->channel, s->older);
}

bool ticker_turn(struct api *a, struct wave *w, u16 market, const struct market *m)
{
    struct market_ticker t;
    struct market_feed *f = &w->markets[market];
    if (!wave_wants(w, CHANNEL_TICKER, market)) return true;
    if (!read_ticker(a, market, &t)) return false;
    if (ticker_key(&t) == f->ticker_key) return true;
    f->ticker_key = ticker_key(&t);
    struct push p = {.type = "update", .channel = {CHANNEL_TICKER, market}, .sequence = t.sequence};
    market_put_ticker(push_data(a), a->rules, m, &t, a->unix_ns);
    push_all(a, w, &p);
    return true;
}

/* ---- Candles ---- */

/* Candles from the one last told on, or only the newest when none was. */
static int read_candles(struct api *a, u32 interval, u16 market, u64 from,
                        struct market_candle *out)
{
    u64 cause;
    struct market_range range = {.interval = interval,
                                 .from = from,
                                 .to = UINT64_MAX,
                                 .now_ns = a->unix_ns,
                                 .newest = !from};
    int n = market_read_candles(a->market, market, &range, out, from ? KLINES_AT_ONCE : 1, &cause);
    return n > 0 && cause <= a->durable_seq ? n : 0;
}

void kline_begin(struct api *a, struct wave *w, u32 interval, u16 market)
{
    struct market_feed *f = &w->markets[market];
    struct market_candle c = {0};
    read_candles(a, interval, market, 0, &c);
    f->kline[interval].index = c.index;
    f->kline[interval].count = c.count;
}

void kline_snapshot(struct api *a, struct sub *s, u16 market)
{
    u32 interval = s->channel.kind - CHANNEL_KLINE;
    struct market_candle c;
    struct market m;
    u64 number = market_trade_number(a->market, market);
    if (!wire_market_at(a->rules, market, &m) || !read_candles(a, interval, market, 0, &c)) return;
    struct push p = {.type = "snapshot", .channel = {s->channel.kind, market}, .sequence = number};
    market_put_kline(push_data(a), a->rules, &m, interval, &c);
    push_one(a, &p, s->ws, &s->channel, s->older);
}

/* Each candle that is not as it was told: one that ended meanwhile in its last form, and quiet
 * ones. */
void kline_turn(struct api *a, struct wave *w, u32 interval, u16 market, const struct market *m)
{
    static struct market_candle candles[KLINES_AT_ONCE];
    struct market_feed *f = &w->markets[market];
    u16 kind = (u16)(CHANNEL_KLINE + interval);
    if (!wave_wants(w, kind, market)) return;
    u64 number = market_trade_number(a->market, market);
    int n = read_candles(a, interval, market, f->kline[interval].index, candles);
    for (int i = 0; i < n; i++) {
        const struct market_candle *c = &candles[i];
        if (c->index == f->kline[interval].index && c->count == f->kline[interval].count) continue;
        f->kline[interval].index = c->index;
        f->kline[interval].count = c->count;
        struct push p = {.type = "update", .channel = {kind, market}, .sequence = number};
        market_put_kline(push_data(a), a->rules, m, interval, c);
        push_all(a, w, &p);
    }
}
