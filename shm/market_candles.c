/* The candles of a market as they are written, one ring for each interval. */
#include "shm/market_cells.h"

#define HOUR_NS (60 * MINUTE_NS)
#define DAY_NS  (24 * HOUR_NS)

/* 1970 began on a Thursday, three days after a Monday. */
const struct market_interval_row market_intervals[INTERVALS] = {
    [INTERVAL_1M] = {"1m", MINUTE_NS, 0},        [INTERVAL_5M] = {"5m", 5 * MINUTE_NS, 0},
    [INTERVAL_15M] = {"15m", 15 * MINUTE_NS, 0}, [INTERVAL_30M] = {"30m", 30 * MINUTE_NS, 0},
    [INTERVAL_1H] = {"1h", HOUR_NS, 0},          [INTERVAL_4H] = {"4h", 4 * HOUR_NS, 0},
    [INTERVAL_1D] = {"1d", DAY_NS, 0},           [INTERVAL_1W] = {"1w", 7 * DAY_NS, 3 * DAY_NS},
};

static u128 join_words(const _Atomic u64 *w)
{
    return (u128)word_get(&w[1]) << 64 | word_get(&w[0]);
}

static void put_words(_Atomic u64 *w, u128 x)
{
    word_put(&w[0], (u64)x);
    word_put(&w[1], (u64)(x >> 64));
}

static void candle_load(const struct candle *c, struct market_candle *out)
{
    out->index = word_get(&c->index);
    out->count = word_get(&c->count);
    out->open = word_get(&c->open);
    out->high = word_get(&c->high);
    out->low = word_get(&c->low);
    out->close = word_get(&c->close);
    out->lots = join_words(c->lots);
    out->quote = join_words(c->quote);
}

static void candle_begin(struct candle *c)
{
    word_put(&c->version, word_get(&c->version) | 1);
    atomic_thread_fence(memory_order_release);
}

static void candle_end(struct candle *c)
{
    atomic_store_explicit(&c->version, word_get(&c->version) + 1, memory_order_release);
}

static void candle_store(struct candle *c, const struct market_candle *s)
{
    candle_begin(c);
    word_put(&c->index, s->index);
    word_put(&c->count, s->count);
    word_put(&c->open, s->open);
    word_put(&c->high, s->high);
    word_put(&c->low, s->low);
    word_put(&c->close, s->close);
    put_words(c->lots, s->lots);
    put_words(c->quote, s->quote);
    candle_end(c);
}

/* More trades in a candle that has some. */
static void candle_count(struct candle *c, const struct market_candle *more)
{
    candle_begin(c);
    word_put(&c->count, word_get(&c->count) + more->count);
    word_put(&c->high, max_u64(word_get(&c->high), more->high));
    word_put(&c->low, min_u64(word_get(&c->low), more->low));
    word_put(&c->close, more->close);
    put_words(c->lots, join_words(c->lots) + more->lots);
    put_words(c->quote, join_words(c->quote) + more->quote);
    candle_end(c);
}

void candle_merge(struct market_candle *sum, const struct market_candle *later)
{
    if (!later->count) return;
    if (!sum->count) sum->open = sum->high = sum->low = later->open;
    sum->count += later->count;
    sum->high = max_u64(sum->high, later->high);
    sum->low = min_u64(sum->low, later->low);
    sum->close = later->close;
    sum->lots += later->lots;
    sum->quote += later->quote;
}

void candles_append(struct market_data *m, u32 market, u32 interval, const struct market_candle *c)
{
    struct candle_ring *ring = &m->books[market].candles[interval];
    u64 number = word_get(&ring->head) + 1;
    word_put(&ring->claim, number);
    atomic_thread_fence(memory_order_release);
    candle_store(market_candle_at(m, &m->shape, market, interval, number), c);
    ring->end_ns = interval_open_ns(interval, c->index + 1);
    atomic_store_explicit(&ring->head, number, memory_order_release);
}

static struct market_candle candle_of(const struct market_trade *t)
{
    return (struct market_candle){
        .count = 1,
        .open = t->price,
        .high = t->price,
        .low = t->price,
        .close = t->price,
        .lots = t->lots,
        .quote = t->quote,
    };
}

/* Trades of one minute, at or after `time_ns`. The time of records never decreases, so they are of
 * the newest candle or begin a new one. */
static void count(struct market_data *m, u32 market, u64 time_ns, struct market_candle *more)
{
    for (u32 i = 0; i < INTERVALS; i++) {
        const struct candle_ring *ring = &m->books[market].candles[i];
        if (time_ns < ring->end_ns) {
            candle_count(market_candle_at(m, &m->shape, market, i, word_get(&ring->head)), more);
            continue;
        }
        more->index = interval_index(i, time_ns);
        candles_append(m, market, i, more);
    }
}

void candles_add(struct market_data *m, u32 market, const struct market_trade *t)
{
    struct market_candle one = candle_of(t);
    count(m, market, t->time_ns, &one);
}

void candles_defer(struct market_data *m, u32 market, const struct market_trade *t)
{
    struct market_book *b = &m->books[market];
    struct market_candle one = candle_of(t);
    if (b->due.count && t->time_ns >= b->due_end_ns) candles_settle(m, market);
    if (!b->due.count) {
        b->due_ns = t->time_ns;
        b->due_end_ns = interval_open_ns(INTERVAL_1M, interval_index(INTERVAL_1M, t->time_ns) + 1);
    }
    candle_merge(&b->due, &one);
}

void candles_settle(struct market_data *m, u32 market)
{
    struct market_book *b = &m->books[market];
    if (b->due.count) count(m, market, b->due_ns, &b->due);
    b->due = (struct market_candle){0};
}

u64 candles_oldest(const struct market_shape *s, u32 interval, u64 head)
{
    u64 kept = s->config.candles[interval];
    return head > kept ? head - kept + 1 : 1;
}

bool candle_read(const struct candle *c, struct market_candle *out)
{
    for (u32 i = 0; i < READ_SPINS; i++) {
        u64 version = atomic_load_explicit(&c->version, memory_order_acquire);
        candle_load(c, out);
        atomic_thread_fence(memory_order_acquire);
        if (!(version & 1) && word_get(&c->version) == version) return true;
        cpu_pause();
    }
    return false;
}
