#include "procs/api/market_put.h"

#include "procs/lib/decimal.h"
#include "procs/lib/wire.h"

#define NS_PER_MS 1000000UL

static void put_symbol(struct json_out *o, const struct market *m)
{
    json_put_key(o, "market");
    json_put_string(o, m->symbol, strnlen(m->symbol, SYMBOL_BYTES));
}

void market_put_levels(struct json_out *o, const struct market *m,
                       const struct market_level *levels, u32 count)
{
    json_put_open(o, '[');
    for (u32 i = 0; i < count; i++) {
        json_put_open(o, '[');
        wire_put_price(o, m, levels[i].price);
        wire_put_lots(o, m, levels[i].lots);
        json_put_close(o, ']');
    }
    json_put_close(o, ']');
}

u32 market_group(struct market_level *levels, u32 count, u64 group, bool asks, u32 max)
{
    u32 n = 0;
    for (u32 i = 0; i < count; i++) {
        u64 price = (asks ? levels[i].price + group - 1 : levels[i].price) / group * group;
        if (n && levels[n - 1].price == price) {
            levels[n - 1].lots += levels[i].lots;
            continue;
        }
        if (n == max) break;
        levels[n] = levels[i];
        levels[n++].price = price;
    }
    return n;
}

void market_put_depth(struct json_out *o, const struct market *m, const struct market_depth *d,
                      u64 now_ns)
{
    json_put_open(o, '{');
    put_symbol(o, m);
    json_put_key(o, "bids"), market_put_levels(o, m, d->bids, d->bid_count);
    json_put_key(o, "asks"), market_put_levels(o, m, d->asks, d->ask_count);
    json_put_key(o, "sequence"), json_put_u64(o, d->sequence);
    json_put_key(o, "timestamp"), json_put_u64(o, (d->time_ns ? d->time_ns : now_ns) / NS_PER_MS);
    json_put_close(o, '}');
}

void market_put_trade(struct json_out *o, const struct rules *r, const struct market *m,
                      const struct market_trade *t)
{
    json_put_open(o, '{');
    json_put_key(o, "trade_id"), json_put_id(o, t->trade_id);
    json_put_key(o, "price"), wire_put_price(o, m, t->price);
    json_put_key(o, "amount"), wire_put_lots(o, m, t->lots);
    json_put_key(o, "quote_amount"), wire_put_units(o, r, m->quote, t->quote);
    json_put_key(o, "side"), json_put_cstring(o, wire_side(t->taker_side));
    json_put_key(o, "timestamp"), json_put_u64(o, t->time_ns / NS_PER_MS);
    json_put_close(o, '}');
}

/* A decimal string that may be below zero. */
static void put_signed(struct json_out *o, bool negative, u128 value, unsigned scale)
{
    char text[DECIMAL_TEXT + 1] = "-";
    decimal_format(value, scale, text + 1);
    json_put_cstring(o, negative && value ? text : text + 1);
}

static void put_change(struct json_out *o, const struct market *m, const struct market_ticker *t)
{
    bool down = t->last < t->open;
    u64 by = down ? t->open - t->last : t->last - t->open;
    json_put_key(o, "price_change"), put_signed(o, down, (u128)by * m->tick_wad, 18);
    json_put_key(o, "price_change_percent");
    put_signed(o, down, t->open ? (u128)by * 10000 / t->open : 0, 2);
}

void market_put_ticker(struct json_out *o, const struct rules *r, const struct market *m,
                       const struct market_ticker *t, u64 now_ns)
{
    json_put_open(o, '{');
    put_symbol(o, m);
    json_put_key(o, "last_price"), wire_put_price(o, m, t->last);
    put_change(o, m, t);
    json_put_key(o, "open"), wire_put_price(o, m, t->open);
    json_put_key(o, "high"), wire_put_price(o, m, t->high);
    json_put_key(o, "low"), wire_put_price(o, m, t->low);
    json_put_key(o, "volume"), json_put_decimal(o, t->lots * m->lot_wad, 18);
    json_put_key(o, "quote_volume");
    json_put_decimal(o, t->quote, r->tokens[m->quote].decimals);
    json_put_key(o, "best_bid"), wire_put_price(o, m, t->bid);
    json_put_key(o, "best_bid_qty"), wire_put_lots(o, m, t->bid_lots);
    json_put_key(o, "best_ask"), wire_put_price(o, m, t->ask);
    json_put_key(o, "best_ask_qty"), wire_put_lots(o, m, t->ask_lots);
    json_put_key(o, "trade_count"), json_put_u64(o, t->trade_count);
    json_put_key(o, "timestamp"), json_put_u64(o, (t->time_ns ? t->time_ns : now_ns) / NS_PER_MS);
    json_put_close(o, '}');
}

void market_put_kline(struct json_out *o, const struct rules *r, const struct market *m,
                      u32 interval, const struct market_candle *c)
{
    u64 open_ms = interval_open_ns(interval, c->index) / NS_PER_MS;
    u64 next_ms = interval_open_ns(interval, c->index + 1) / NS_PER_MS;
    json_put_open(o, '{');
    json_put_key(o, "open_time"), json_put_u64(o, open_ms);
    json_put_key(o, "open"), wire_put_price(o, m, c->open);
    json_put_key(o, "high"), wire_put_price(o, m, c->high);
    json_put_key(o, "low"), wire_put_price(o, m, c->low);
    json_put_key(o, "close"), wire_put_price(o, m, c->close);
    json_put_key(o, "volume"), json_put_decimal(o, c->lots * m->lot_wad, 18);
    json_put_key(o, "quote_volume");
    json_put_decimal(o, c->quote, r->tokens[m->quote].decimals);
    json_put_key(o, "close_time"), json_put_u64(o, next_ms - 1);
    json_put_key(o, "trade_count"), json_put_u64(o, c->count);
    json_put_close(o, '}');
}

u32 market_interval_of(const char *name, size_t len)
{
    u32 i = 0;
    while (i < INTERVALS && (strlen(market_intervals[i].name) != len ||
                             memcmp(market_intervals[i].name, name, len) != 0))
        i++;
    return i;
}
