/* Readers in other processes. They write nothing, trust no index, and check at the end that the
 * object was not rebuilt under them. */
#include <string.h>

#include "shm/market_cells.h"

#define DAY_MINUTES 1440UL

bool market_view_held(const struct market_view *v)
{
    atomic_thread_fence(memory_order_acquire);
    return word_get(&v->m->epoch) == v->epoch;
}

int market_view_open(struct market_view *v, const struct market_data *m, u32 market)
{
    *v = (struct market_view){.m = m, .market = market};
    v->epoch = atomic_load_explicit(&m->epoch, memory_order_acquire);
    words_get(&v->shape, &m->shape, sizeof v->shape);
    if ((v->epoch & 1) || !market_view_held(v)) return MARKET_BUSY;
    if (market >= v->shape.config.markets_max) return MARKET_UNKNOWN;
    v->b = &m->books[market];
    return atomic_load_explicit(&v->b->open, memory_order_acquire) ? 0 : MARKET_UNKNOWN;
}

static u64 acquire(const _Atomic u64 *w)
{
    return atomic_load_explicit(w, memory_order_acquire);
}

/* ---- Depth ---- */

/* One side while it is copied. When `cut`, levels beyond `last` were left out. */
struct side_copy {
    struct market_level *levels;
    u32 count, max;
    u8 side;
    bool cut;
    u64 last; /* key */
};

struct chunk_copy {
    u32 version, link, count, next;
    struct market_level cells[CHUNK_CELLS]; /* price holds the key */
};
SIZE_IS(struct market_level, sizeof(struct level_cell));

static const struct level_chunk *chunk_of(const struct market_view *v, u32 index)
{
    if (index >= v->shape.chunks_max) index = 0;
    return (const struct level_chunk *)market_at(v->m, v->shape.chunks_at) + index;
}

static bool chunk_read(const struct level_chunk *c, struct chunk_copy *out)
{
    for (u32 i = 0; i < READ_SPINS; i++) {
        u32 version = atomic_load_explicit(&c->version, memory_order_acquire);
        out->link = half_get(&c->link);
        out->next = half_get(&c->next[0]);
        out->count = half_get(&c->count);
        if (out->count > CHUNK_CELLS) out->count = CHUNK_CELLS;
        words_get(out->cells, c->cells, out->count * sizeof out->cells[0]);
        atomic_thread_fence(memory_order_acquire);
        if (!(version & 1) && half_get(&c->version) == version) return true;
        cpu_pause();
    }
    return false;
}

/* Append what fits; false when the keys do not ascend: the walk went astray. */
static bool side_append(struct side_copy *s, const struct chunk_copy *from)
{
    for (u32 i = 0; i < from->count; i++) {
        u64 key = from->cells[i].price;
        if (s->count == s->max) {
            s->cut = true;
            return true;
        }
        if (s->count && key <= s->last) return false;
        s->last = key;
        s->levels[s->count] = from->cells[i];
        s->levels[s->count++].price = market_key(s->side, key);
    }
    return true;
}

/* Walk a side's chunks. Levels that stay as they are meanwhile are all there and exact. False: a
 * chunk went while we stood on it. */
static bool side_walk(const struct market_view *v, struct side_copy *s)
{
    const struct level_chunk *c = chunk_of(v, market_side(v->market, s->side)), *before = NULL;
    struct chunk_copy copy;
    u32 link = 0;
    s->count = 0;
    s->cut = false;
    /* All chunks but the first hold a level at least. */
    for (u32 steps = 0; steps < s->max + 2; steps++) {
        if (!chunk_read(c, &copy)) return false;
        if (before && half_get(&before->link) != link) return false;
        if (!side_append(s, &copy)) return false;
        if (!copy.next || s->cut) return true;
        before = c;
        link = copy.link;
        c = chunk_of(v, copy.next);
    }
    return false;
}

static u32 side_lower(const struct side_copy *s, u64 key)
{
    u32 low = 0, high = s->count;
    while (low < high) {
        u32 mid = (low + high) / 2;
        if (market_key(s->side, s->levels[mid].price) < key) low = mid + 1;
        else high = mid;
    }
    return low;
}

/* Lay one change over the copy. */
static void side_change(struct side_copy *s, const struct market_change *change)
{
    u64 key = market_key(s->side, change->price);
    struct market_level level = {change->price, change->lots, change->orders};
    u32 pos = side_lower(s, key);
    bool here = pos < s->count && s->levels[pos].price == change->price;
    if (s->cut && key > s->last) return;
    if (here && change->lots) s->levels[pos] = level;
    else if (here) {
        s->count--;
        memmove(&s->levels[pos], &s->levels[pos + 1], (s->count - pos) * sizeof level);
    } else if (change->lots) {
        if (s->count == s->max) {
            s->count--;
            s->cut = true;
            s->last = market_key(s->side, s->levels[s->count - 1].price);
            if (key > s->last) return;
        }
        memmove(&s->levels[pos + 1], &s->levels[pos], (s->count - pos) * sizeof level);
        s->levels[pos] = level;
        s->count++;
    }
}

/* Lay the changes in (from, to] over both copies; false when the ring no longer holds them. */
static bool overlay(const struct market_view *v, u64 from, u64 to, struct side_copy *bids,
                    struct side_copy *asks)
{
    struct market_change change;
    if (from == to) return true;
    if (to - from > v->shape.config.changes_max) return false;
    for (u64 n = from + 1; n <= to; n++) {
        words_get(&change, market_change_at(v->m, &v->shape, v->market, n), sizeof change);
        atomic_thread_fence(memory_order_acquire);
        if (word_get(&v->b->claim) >= n + v->shape.config.changes_max) return false;
        side_change(change.side == SIDE_BUY ? bids : asks, &change);
    }
    return true;
}

/* Both sides at exactly the sequence returned in *sequence; at least `limit` levels, if there are
 * so many. 0 or MARKET_BUSY. */
static int depth_read(const struct market_view *v, u32 limit, struct side_copy *bids,
                      struct side_copy *asks, u64 *sequence)
{
    for (u32 i = 0; i < READ_RESTARTS; i++) {
        u64 applied = acquire(&v->b->applied);
        if (!side_walk(v, bids) || !side_walk(v, asks)) continue;
        *sequence = acquire(&v->b->head);
        if (!overlay(v, applied, *sequence, bids, asks)) continue;
        if ((bids->cut && bids->count < limit) || (asks->cut && asks->count < limit)) continue;
        return 0;
    }
    return MARKET_BUSY;
}

int market_read_sides(const struct market_data *m, u32 market, struct market_sides *out)
{
    struct market_view v;
    out->count[0] = out->count[1] = 0;
    int answer = market_view_open(&v, m, market);
    if (answer) return answer;
    CHECK(out->max >= MARKET_DEPTH_SLACK);
    struct side_copy bids = {.levels = out->levels[0], .max = out->max, .side = SIDE_BUY};
    struct side_copy asks = {.levels = out->levels[1], .max = out->max, .side = SIDE_SELL};
    answer = depth_read(&v, out->max - MARKET_DEPTH_SLACK, &bids, &asks, &out->sequence);
    out->time_ns = word_get(&v.b->time_ns);
    out->cause = word_get(&v.b->cause);
    if (answer || !market_view_held(&v)) return MARKET_BUSY;
    out->count[0] = bids.count, out->cut[0] = bids.cut;
    out->count[1] = asks.count, out->cut[1] = asks.cut;
    return 0;
}

int market_read_depth(const struct market_data *m, u32 market, u32 limit, struct market_depth *out)
{
    if (limit > MARKET_DEPTH_MAX) limit = MARKET_DEPTH_MAX;
    struct market_sides s = {.levels = {out->bids, out->asks}, .max = limit + MARKET_DEPTH_SLACK};
    int answer = market_read_sides(m, market, &s);
    out->sequence = s.sequence;
    out->time_ns = s.time_ns;
    out->cause = s.cause;
    out->bid_count = (u32)min_u64(s.count[0], limit);
    out->ask_count = (u32)min_u64(s.count[1], limit);
    return answer;
}

/* ---- Rings ---- */

int market_read_changes(const struct market_data *m, u32 market, u64 since,
                        struct market_change *out, u32 max)
{
    struct market_view v;
    int answer = market_view_open(&v, m, market);
    if (answer) return answer;
    u64 head = acquire(&v.b->head), cap = v.shape.config.changes_max;
    u64 first = word_get(&v.b->first);
    if (!market_view_held(&v)) return MARKET_BUSY;
    if (since >= head) return 0;
    if (since + 1 < first || head - since > cap) return MARKET_LAPPED;
    u32 count = (u32)min_u64(min_u64(head - since, max), INT32_MAX);
    for (u32 i = 0; i < count; i++)
        words_get(&out[i], market_change_at(m, &v.shape, market, since + 1 + i), sizeof out[i]);
    atomic_thread_fence(memory_order_acquire);
    u64 claim = word_get(&v.b->claim);
    if (!market_view_held(&v)) return MARKET_BUSY;
    return claim > since + cap ? MARKET_LAPPED : (int)count;
}

/* Copy trades since+1 .. since+count, oldest first, and check that they were not overwritten. */
static int trades_copy(const struct market_view *v, u64 since, struct market_trade *out, u32 count)
{
    for (u32 i = 0; i < count; i++)
        words_get(&out[i], market_trade_at(v->m, &v->shape, v->market, since + 1 + i),
                  sizeof out[i]);
    atomic_thread_fence(memory_order_acquire);
    u64 claim = word_get(&v->b->trade_claim);
    if (!market_view_held(v)) return MARKET_BUSY;
    return claim > since + v->shape.trades_cap ? MARKET_LAPPED : (int)count;
}

int market_read_trades_since(const struct market_data *m, u32 market, u64 since,
                             struct market_trade *out, u32 max)
{
    struct market_view v;
    int answer = market_view_open(&v, m, market);
    if (answer) return answer;
    u64 head = acquire(&v.b->trade_head), first = word_get(&v.b->trade_first);
    if (!market_view_held(&v)) return MARKET_BUSY;
    if (since >= head) return 0;
    if (since + 1 < first || head - since > v.shape.trades_cap) return MARKET_LAPPED;
    return trades_copy(&v, since, out, (u32)min_u64(min_u64(head - since, max), INT32_MAX));
}

int market_read_trades(const struct market_data *m, u32 market, struct market_trade *out, u32 max)
{
    struct market_view v;
    int answer = market_view_open(&v, m, market);
    if (answer) return answer;
    if (max > v.shape.config.recent_trades) max = v.shape.config.recent_trades;
    for (u32 i = 0; i < READ_RESTARTS; i++) {
        u64 head = acquire(&v.b->trade_head), first = word_get(&v.b->trade_first);
        u32 count = (u32)min_u64(head + 1 - first, max);
        if (!market_view_held(&v)) return MARKET_BUSY;
        answer = trades_copy(&v, head - count, out, count);
        if (answer == MARKET_LAPPED) continue;
        for (u32 low = 0, high = count; low + 1 < high; low++, high--) {
            struct market_trade t = out[low];
            out[low] = out[high - 1];
            out[high - 1] = t;
        }
        return answer;
    }
    return MARKET_BUSY;
}

/* ---- Ticker ---- */

/* Sum up minutes [minute - 1440, minute]: minutes up to a full hour, then hours. Each trade is in
 * exactly one of the candles read. False when one kept changing. */
static bool window_sum(const struct market_view *v, u64 minute, struct market_candle *sum)
{
    u64 from = minute < DAY_MINUTES ? 0 : minute - DAY_MINUTES, hour = (from + 59) / 60;
    *sum = (struct market_candle){0};
    if (hour * 60 > from && !candles_sum(v, INTERVAL_1M, from, hour * 60 - 1, sum)) return false;
    return candles_sum(v, INTERVAL_1H, hour, minute / 60, sum);
}

/* Newest trade ever, zeros if none. False when the ring lapped us: there is a newer one. */
static bool newest_trade(const struct market_view *v, struct market_trade *t)
{
    u64 head = acquire(&v->b->trade_head);
    *t = (struct market_trade){0};
    return !head || trades_copy(v, head - 1, t, 1) == 1;
}

/* The newest trade, and the window of a minute that did not pass while it was summed up: a record's
 * time is there before its candle is. */
static int stats_read(const struct market_view *v, u64 now_ns, struct market_candle *sum,
                      struct market_trade *last)
{
    for (u32 i = 0; i < READ_RESTARTS; i++) {
        if (!newest_trade(v, last)) continue;
        u64 minute = max_u64(now_ns, acquire(&v->b->time_ns)) / MINUTE_NS;
        if (!window_sum(v, minute, sum)) continue;
        if (acquire(&v->b->time_ns) / MINUTE_NS <= minute) return 0;
    }
    return MARKET_BUSY;
}

int market_read_ticker(const struct market_data *m, u32 market, u64 now_ns,
                       struct market_ticker *out)
{
    struct market_view v;
    struct market_level best[2][1 + MARKET_DEPTH_SLACK];
    struct side_copy bids = {.levels = best[0], .max = COUNT_OF(best[0]), .side = SIDE_BUY};
    struct side_copy asks = {.levels = best[1], .max = COUNT_OF(best[1]), .side = SIDE_SELL};
    struct market_candle sum;
    struct market_trade last;
    *out = (struct market_ticker){0};
    int answer = market_view_open(&v, m, market);
    if (answer) return answer;
    if (depth_read(&v, 1, &bids, &asks, &out->sequence)) return MARKET_BUSY;
    if (stats_read(&v, now_ns, &sum, &last)) return MARKET_BUSY;
    out->time_ns = word_get(&v.b->time_ns);
    out->cause = word_get(&v.b->cause);
    if (!market_view_held(&v)) return MARKET_BUSY;
    bool traded = sum.count != 0;
    out->open = traded ? sum.open : last.price;
    out->high = traded ? sum.high : last.price;
    out->low = traded ? sum.low : last.price;
    out->last = traded ? sum.close : last.price;
    out->trade_count = sum.count;
    out->lots = sum.lots;
    out->quote = sum.quote;
    out->trade_number = last.number;
    if (bids.count) out->bid = best[0][0].price, out->bid_lots = best[0][0].lots;
    if (asks.count) out->ask = best[1][0].price, out->ask_lots = best[1][0].lots;
    return 0;
}

u64 market_sequence(const struct market_data *m, u32 market)
{
    struct market_view v;
    return market_view_open(&v, m, market) ? 0 : acquire(&v.b->head);
}

u64 market_trade_number(const struct market_data *m, u32 market)
{
    struct market_view v;
    return market_view_open(&v, m, market) ? 0 : acquire(&v.b->trade_head);
}
