/* markets.c: what everybody may see: markets, depth, trades, tickers, the time. */
#include "procs/api/answer.h"
#include "procs/api/market_put.h"
#include "procs/api/routes.h"
#include "procs/lib/decimal.h"
#include "procs/lib/wire.h"

#define RECENT_MAX   500U
#define KLINES_MAX   1500U
#define GROUP_LEVELS 131072U         /* of a side, read for ?group= */
#define TIME_MAX_MS  9999999999999UL /* the year 2286; beyond it nobody means milliseconds */

static void refuse(struct api *a, struct request *r, const struct problem *p)
{
    answer_problem(a, r, p, NULL, 0);
}

/* The market of the path; -1 with 13001 answered. */
static int find(struct api *a, struct request *r, u16 *index, struct market *m)
{
    struct problem p;
    *index = rules_find_market(a->rules, r->args[0].at, r->args[0].len);
    if (*index != NO_MARKET && wire_market_at(a->rules, *index, m)) return 0;
    problem_set(&p, CODE_MARKET_NOT_FOUND, "market", NULL,
                "no such market; GET " API_BASE "/markets lists them");
    refuse(a, r, &p);
    return -1;
}

void markets_list(struct api *a, struct request *r, const u8 *wallet)
{
    (void)wallet;
    struct market m;
    struct json_out *o = answer_begin(a, r);
    json_put_open(o, '[');
    for (u16 i = 0; wire_market_at(a->rules, i, &m); i++) wire_put_market(o, a->rules, &m);
    json_put_close(o, ']');
    answer_end(a, r, 0);
}

/* ?group=0.5 in ticks; 1 when it is absent. */
static int read_group(struct api *a, const struct market *m, u64 *ticks, struct problem *p)
{
    struct span text;
    u128 wad;
    *ticks = 1;
    if (!target_param(&a->target, "group", &text)) return 0;
    bool good = decimal_parse(text.at, text.len, 18, &wad) == DECIMAL_OK && wad &&
                wad % m->tick_wad == 0 && wad / m->tick_wad <= m->price_max;
    if (!good)
        return problem_set(p, CODE_INVALID_PARAMS, "group", "a multiple of tick_size",
                           "group must be a multiple of the market's tick_size");
    *ticks = (u64)(wad / m->tick_wad);
    return 0;
}

/* Steps of `group` ticks, each with all the levels of the book that fall into it. A book deeper
 * than GROUP_LEVELS loses the step that may lack some. */
static int read_grouped(struct api *a, u16 index, u64 group, u32 limit, struct market_depth *d)
{
    static struct market_level levels[2][GROUP_LEVELS];
    struct market_sides s = {.levels = {levels[0], levels[1]}, .max = GROUP_LEVELS};
    struct market_level *to[2] = {d->bids, d->asks};
    u32 *count[2] = {&d->bid_count, &d->ask_count};
    int answer = market_read_sides(a->market, index, &s);
    d->sequence = s.sequence;
    d->time_ns = s.time_ns;
    d->cause = s.cause;
    for (u32 side = 0; side < 2; side++) {
        u32 n = market_group(levels[side], s.count[side], group, side == 1, limit + 1);
        if (s.cut[side] && n <= limit && n) n--;
        *count[side] = (u32)min_u64(n, limit);
        memcpy(to[side], levels[side], *count[side] * sizeof levels[0][0]);
    }
    return answer;
}

void markets_depth(struct api *a, struct request *r, const u8 *wallet)
{
    (void)wallet;
    static struct market_depth depth;
    struct market m;
    struct problem p;
    u64 limit = 20, group;
    u16 index;
    if (find(a, r, &index, &m)) return;
    if (param_number(&a->target, "limit", 1, MARKET_DEPTH_MAX, "1 to 1000", &limit, &p) ||
        read_group(a, &m, &group, &p)) {
        refuse(a, r, &p);
        return;
    }
    int answer = group > 1 ? read_grouped(a, index, group, (u32)limit, &depth)
                           : market_read_depth(a->market, index, (u32)limit, &depth);
    if (answer == MARKET_BUSY) {
        answer_busy(a, r, "market data is being rebuilt");
        return;
    }
    struct json_out *o = answer_begin(a, r);
    market_put_depth(o, &m, &depth, a->unix_ns);
    answer_end(a, r, depth.cause);
}

void markets_trades(struct api *a, struct request *r, const u8 *wallet)
{
    (void)wallet;
    static struct market_trade trades[RECENT_MAX];
    struct market m;
    struct problem p;
    u64 limit = 50;
    u16 index;
    if (find(a, r, &index, &m)) return;
    if (param_number(&a->target, "limit", 1, RECENT_MAX, "1 to 500", &limit, &p)) {
        refuse(a, r, &p);
        return;
    }
    int n = market_read_trades(a->market, index, trades, (u32)limit);
    if (n == MARKET_BUSY) {
        answer_busy(a, r, "market data is being rebuilt");
        return;
    }
    struct json_out *o = answer_begin(a, r);
    json_put_open(o, '[');
    for (int i = 0; i < n; i++) market_put_trade(o, a->rules, &m, &trades[i]);
    json_put_close(o, ']');
    answer_end(a, r, n > 0 ? trades[0].cause : 0);
}

static int read_interval(struct api *a, u32 *interval, struct problem *p)
{
    struct span text = {"", 0};
    target_param(&a->target, "interval", &text);
    *interval = market_interval_of(text.at, text.len);
    if (*interval < INTERVALS) return 0;
    return problem_set(p, CODE_INVALID_PARAMS, "interval", MARKET_INTERVALS,
                       "interval is required, one of " MARKET_INTERVALS);
}

/* Candles that open in [start_time, end_time]: the first `limit` of them, or, without start_time,
 * the last. */
static int read_range(struct api *a, struct market_range *range, u64 *limit, struct problem *p)
{
    u64 start = 0, end = TIME_MAX_MS;
    struct span given;
    if (read_interval(a, &range->interval, p) ||
        param_number(&a->target, "start_time", 0, TIME_MAX_MS, "Unix ms", &start, p) ||
        param_number(&a->target, "end_time", 0, TIME_MAX_MS, "Unix ms", &end, p) ||
        param_number(&a->target, "limit", 1, KLINES_MAX, "1 to 1500", limit, p))
        return -1;
    if (start > end)
        return problem_set(p, CODE_INVALID_PARAMS, "start_time", "at most end_time",
                           "start_time must not be after end_time");
    range->now_ns = a->unix_ns;
    range->newest = !target_param(&a->target, "start_time", &given);
    range->to = interval_index(range->interval, end * NS_PER_MS);
    range->from = interval_index(range->interval, start * NS_PER_MS);
    range->from += interval_open_ns(range->interval, range->from) < start * NS_PER_MS;
    return 0;
}

void markets_klines(struct api *a, struct request *r, const u8 *wallet)
{
    (void)wallet;
    static struct market_candle candles[KLINES_MAX];
    struct market_range range;
    struct market m;
    struct problem p;
    u64 limit = 500, cause = 0;
    u16 index;
    if (find(a, r, &index, &m)) return;
    if (read_range(a, &range, &limit, &p)) {
        refuse(a, r, &p);
        return;
    }
    int n = market_read_candles(a->market, index, &range, candles, (u32)limit, &cause);
    if (n == MARKET_BUSY) {
        answer_busy(a, r, "market data is being rebuilt");
        return;
    }
    struct json_out *o = answer_begin(a, r);
    json_put_open(o, '[');
    for (int i = 0; i < n; i++) market_put_kline(o, a->rules, &m, range.interval, &candles[i]);
    json_put_close(o, ']');
    answer_end(a, r, cause);
}

/* A market that market data does not know yet reads as one that never traded. */
static int read_ticker(struct api *a, u16 index, struct market_ticker *t)
{
    *t = (struct market_ticker){0};
    return market_read_ticker(a->market, index, a->unix_ns, t);
}

void markets_ticker(struct api *a, struct request *r, const u8 *wallet)
{
    (void)wallet;
    struct market_ticker t;
    struct market m;
    u16 index;
    if (find(a, r, &index, &m)) return;
    if (read_ticker(a, index, &t) == MARKET_BUSY) {
        answer_busy(a, r, "market data is being rebuilt");
        return;
    }
    struct json_out *o = answer_begin(a, r);
    market_put_ticker(o, a->rules, &m, &t, a->unix_ns);
    answer_end(a, r, t.cause);
}

void markets_tickers(struct api *a, struct request *r, const u8 *wallet)
{
    (void)wallet;
    struct market_ticker t;
    struct market m;
    u64 cause = 0;
    struct json_out *o = answer_begin(a, r);
    json_put_open(o, '[');
    for (u16 i = 0; wire_market_at(a->rules, i, &m); i++) {
        if (read_ticker(a, i, &t) == MARKET_BUSY) {
            answer_busy(a, r, "market data is being rebuilt");
            return;
        }
        cause = max_u64(cause, t.cause);
        market_put_ticker(o, a->rules, &m, &t, a->unix_ns);
    }
    json_put_close(o, ']');
    answer_end(a, r, cause);
}

void markets_time(struct api *a, struct request *r, const u8 *wallet)
{
    (void)wallet;
    struct json_out *o = answer_begin(a, r);
    json_put_open(o, '{');
    json_put_key(o, "server_time"), json_put_u64(o, a->unix_ns / NS_PER_MS);
    json_put_close(o, '}');
    answer_end(a, r, 0);
}

void markets_versions(struct api *a, struct request *r, const u8 *wallet)
{
    (void)wallet;
    struct market m;
    u32 markets = 0, tokens = 0;
    u32 token_count = atomic_load_explicit(&a->rules->token_count, memory_order_acquire);
    for (u16 i = 0; wire_market_at(a->rules, i, &m); i++)
        if (m.version > markets) markets = m.version;
    for (u32 i = 0; i < token_count; i++)
        if (a->rules->tokens[i].version > tokens) tokens = a->rules->tokens[i].version;
    struct json_out *o = answer_begin(a, r);
    json_put_open(o, '{');
    json_put_key(o, "market_configs"), json_put_u64(o, markets);
    json_put_key(o, "token_configs"), json_put_u64(o, tokens);
    json_put_key(o, "system_configs"), json_put_u64(o, a->rules->config_version);
    json_put_close(o, '}');
    answer_end(a, r, 0);
}
