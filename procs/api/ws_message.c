#include "procs/api/ws_message.h"

#include "procs/api/body.h"
#include "procs/api/market_put.h"
#include "procs/lib/wire.h"
#include "shm/err.h"

const u16 channel_levels[CHANNEL_DEPTHS] = {5, 10, 20, 50, 100};

static const struct {
    const char *name;
    enum ws_type type;
} TYPES[] = {
    {"subscribe", WS_SUBSCRIBE},
    {"unsubscribe", WS_UNSUBSCRIBE},
    {"ping", WS_PING},
    {"auth", WS_AUTH},
    {"order.place", WS_ORDER_PLACE},
    {"order.cancel", WS_ORDER_CANCEL},
    {"order.cancel_all", WS_ORDER_CANCEL_ALL},
};

/* What a channel is called, and what its name needs beside. */
static const struct {
    const char *name;
    u16 kind;
    bool market;
} NAMES[] = {
    {"depth", CHANNEL_DEPTH_20, true},        {"trades", CHANNEL_TRADES, true},
    {"ticker", CHANNEL_TICKER, true},         {"kline", CHANNEL_KLINE, true},
    {"orders", CHANNEL_MY_ORDERS, false},     {"trades", CHANNEL_MY_TRADES, false},
    {"balances", CHANNEL_MY_BALANCES, false},
};

static int unknown_channel(struct problem *p)
{
    return problem_set(p, CODE_INVALID_PARAMS, "channels",
                       "ticker.{m} depth.{m}.{5|10|20|50|100} trades.{m} kline.{m}.{interval}, m a "
                       "market or *; orders balances trades",
                       "there is no such channel");
}

/* Name and market -> channel; market.len 0 = none given. */
static int find_channel(struct span name, struct span market, const struct rules *r,
                        struct channel *c, struct problem *p)
{
    *c = (struct channel){CHANNEL_KINDS, 0};
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        if (span_is(name, NAMES[i].name) && NAMES[i].market == (market.len != 0))
            c->kind = NAMES[i].kind;
    if (c->kind == CHANNEL_KINDS) return unknown_channel(p);
    if (!market.len) return 0;
    c->market = EVERY_MARKET;
    if (span_is(market, "*")) return 0;
    c->market = rules_find_market(r, market.at, market.len);
    if (c->market != NO_MARKET) return 0;
    return problem_set(p, CODE_MARKET_NOT_FOUND, "market", NULL, "no such market");
}

static int set_interval(struct channel *c, struct span name, struct problem *p)
{
    u32 interval = market_interval_of(name.at, name.len);
    if (interval == INTERVALS)
        return problem_set(p, CODE_INVALID_PARAMS, "interval", MARKET_INTERVALS,
                           "there is no such interval");
    c->kind = (u16)(CHANNEL_KLINE + interval);
    return 0;
}

static int set_levels(struct channel *c, struct span levels, struct problem *p)
{
    char text[8];
    for (u16 i = 0; c->kind == CHANNEL_DEPTH_20 && i < CHANNEL_DEPTHS; i++) {
        snprintf(text, sizeof text, "%u", channel_levels[i]);
        if (!span_is(levels, text)) continue;
        c->kind = i;
        return 0;
    }
    return unknown_channel(p);
}

/* "depth.BTC-USDC.20" */
static int read_name(struct span text, const struct rules *r, struct channel *c, struct problem *p)
{
    struct span parts[3] = {{0}};
    const char *at = text.at, *end = text.at + text.len;
    u32 n = 0;
    for (;;) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        if (!dot) dot = end;
        if (n == COUNT_OF(parts) || dot == at) return unknown_channel(p);
        parts[n++] = (struct span){at, (size_t)(dot - at)};
        if (dot == end) break;
        at = dot + 1;
    }
    if (find_channel(parts[0], parts[1], r, c, p)) return -1;
    bool depth = c->kind == CHANNEL_DEPTH_20, kline = c->kind == CHANNEL_KLINE;
    if ((depth || kline) != (n == 3)) return unknown_channel(p);
    if (kline) return set_interval(c, parts[2], p);
    return depth ? set_levels(c, parts[2], p) : 0;
}

static int read_list(struct ws_message *m, json_t *list, const struct rules *r, struct problem *p)
{
    size_t size = json_array_size(list);
    if (!json_is_array(list) || size == 0 || size > WS_CHANNELS_MAX)
        return problem_set(p, CODE_INVALID_PARAMS, "channels", "1 to 50 names",
                           "channels must be a list of 1 to 50 names");
    for (size_t i = 0; i < size; i++) {
        json_t *name = json_array_get(list, i);
        struct span text = {json_string_value(name), json_string_length(name)};
        if (!text.at) return unknown_channel(p);
        if (read_name(text, r, &m->channels[m->count], p)) return -1;
        m->count++;
    }
    return 0;
}

/* {"channel":"depth","market":"BTC-USDC"}; a full name in `channel` is understood, too. */
static int read_older(struct ws_message *m, const struct rules *r, struct problem *p)
{
    struct span name, market = {"", 0};
    m->older = true;
    m->count = 1;
    if (body_text(m->root, "channel", &name, p)) return -1;
    json_t *from = body_field(m->root, "market") ? m->root : m->params;
    if (body_field(from, "market") && body_text(from, "market", &market, p)) return -1;
    if (!market.len && memchr(name.at, '.', name.len)) {
        m->older = false;
        return read_name(name, r, &m->channels[0], p);
    }
    if (span_is(name, "ticker") && !market.len) market = (struct span){"*", 1};
    if (find_channel(name, market, r, &m->channels[0], p)) return -1;
    if (m->channels[0].kind != CHANNEL_KLINE) return 0;
    from = body_field(m->root, "interval") ? m->root : m->params;
    if (body_text(from, "interval", &name, p)) return -1;
    return set_interval(&m->channels[0], name, p);
}

static int read_channels(struct ws_message *m, const struct rules *r, struct problem *p)
{
    json_t *list = body_field(m->root, "channels");
    if (!list && !body_field(m->root, "channel"))
        return problem_set(p, CODE_INVALID_PARAMS, "channels", NULL, "channels is required");
    return list ? read_list(m, list, r, p) : read_older(m, r, p);
}

static int read_id(struct ws_message *m, struct problem *p)
{
    json_t *id = body_field(m->root, "id");
    if (!id) return 0;
    if (json_is_string(id) || json_is_integer(id)) {
        size_t n = json_dumpb(id, m->id, WS_ID_MAX, JSON_ENCODE_ANY);
        if (n <= WS_ID_MAX) {
            m->id[n] = '\0';
            return 0;
        }
        m->id[0] = '\0';
    }
    return problem_set(p, CODE_INVALID_PARAMS, "id", "64 bytes",
                       "id must be a number or a short string");
}

static int read_type(struct ws_message *m, struct problem *p)
{
    struct span text;
    if (body_text(m->root, "type", &text, p)) return -1;
    for (size_t i = 0; i < COUNT_OF(TYPES); i++)
        if (span_is(text, TYPES[i].name)) {
            m->type = TYPES[i].type;
            return 0;
        }
    return problem_set(p, CODE_INVALID_PARAMS, "type",
                       "subscribe unsubscribe ping auth order.place order.cancel order.cancel_all",
                       "there is no such type");
}

int ws_message_read(struct ws_message *m, const char *text, size_t len, const struct rules *r,
                    struct problem *p)
{
    m->older = false;
    m->id[0] = '\0';
    m->count = 0;
    m->params = NULL;
    m->root = body_read(text, len, p);
    if (!m->root || read_id(m, p) || read_type(m, p)) return -1;
    m->params = body_field(m->root, "params");
    if (m->params && !json_is_object(m->params))
        return problem_set(p, CODE_INVALID_PARAMS, "params", NULL, "params must be an object");
    if (m->type == WS_SUBSCRIBE || m->type == WS_UNSUBSCRIBE) return read_channels(m, r, p);
    if (m->type != WS_PING && !m->params)
        return problem_set(p, CODE_INVALID_PARAMS, "params", NULL, "params is required");
    return 0;
}

void ws_message_free(struct ws_message *m)
{
    json_decref(m->root);
    m->root = m->params = NULL;
}

size_t channel_name(const struct channel *c, const struct rules *r, bool older,
                    char name[WS_NAME_MAX])
{
    static const char *const FIRST[CHANNEL_KINDS] = {
        [CHANNEL_DEPTH_5] = "depth",        [CHANNEL_DEPTH_10] = "depth",
        [CHANNEL_DEPTH_20] = "depth",       [CHANNEL_DEPTH_50] = "depth",
        [CHANNEL_DEPTH_100] = "depth",      [CHANNEL_TRADES] = "trades",
        [CHANNEL_TICKER] = "ticker",        [CHANNEL_MY_ORDERS] = "orders",
        [CHANNEL_MY_BALANCES] = "balances", [CHANNEL_MY_TRADES] = "trades",
    };
    bool kline = c->kind >= CHANNEL_KLINE && c->kind < CHANNEL_MINE;
    const char *first = kline ? "kline" : FIRST[c->kind];
    struct market m = {.symbol = "*"};
    int n;
    if (older || c->kind >= CHANNEL_MINE) return (size_t)snprintf(name, WS_NAME_MAX, "%s", first);
    if (c->market != EVERY_MARKET) CHECK(wire_market_at(r, c->market, &m));
    if (c->kind < CHANNEL_DEPTHS)
        n = snprintf(name, WS_NAME_MAX, "depth.%s.%u", m.symbol, channel_levels[c->kind]);
    else if (kline)
        n = snprintf(name, WS_NAME_MAX, "kline.%s.%s", m.symbol,
                     market_intervals[c->kind - CHANNEL_KLINE].name);
    else n = snprintf(name, WS_NAME_MAX, "%s.%s", first, m.symbol);
    return (size_t)n;
}
