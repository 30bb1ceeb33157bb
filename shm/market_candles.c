/* Minutes and hours of trades: what tickers are summed up from. */
#include "shm/market_cells.h"

static u64 low_word(u128 x)
{
    return (u64)x;
}

static u64 high_word(u128 x)
{
    return (u64)(x >> 64);
}

static u128 join_words(const _Atomic u64 *w)
{
    return (u128)word_get(&w[1]) << 64 | word_get(&w[0]);
}

static void candle_load(const struct candle *c, struct candle_sum *out)
{
    out->start = word_get(&c->start);
    out->count = word_get(&c->count);
    out->open = word_get(&c->open);
    out->high = word_get(&c->high);
    out->low = word_get(&c->low);
    out->close = word_get(&c->close);
    out->lots = join_words(c->lots);
    out->quote = join_words(c->quote);
}

static void candle_store(struct candle *c, const struct candle_sum *s)
{
    word_put(&c->version, word_get(&c->version) | 1);
    atomic_thread_fence(memory_order_release);
    word_put(&c->start, s->start);
    word_put(&c->count, s->count);
    word_put(&c->open, s->open);
    word_put(&c->high, s->high);
    word_put(&c->low, s->low);
    word_put(&c->close, s->close);
    word_put(&c->lots[0], low_word(s->lots));
    word_put(&c->lots[1], high_word(s->lots));
    word_put(&c->quote[0], low_word(s->quote));
    word_put(&c->quote[1], high_word(s->quote));
    atomic_store_explicit(&c->version, word_get(&c->version) + 1, memory_order_release);
}

void candle_merge(struct candle_sum *sum, const struct candle_sum *later)
{
    if (!later->count) return;
    if (!sum->count) {
        *sum = *later;
        return;
    }
    sum->count += later->count;
    sum->high = max_u64(sum->high, later->high);
    sum->low = min_u64(sum->low, later->low);
    sum->close = later->close;
    sum->lots += later->lots;
    sum->quote += later->quote;
}

/* A slot is used again a day later; what it held is then out of every window. */
static void add_to(struct candle *c, u64 start, const struct candle_sum *add)
{
    struct candle_sum sum = {0};
    if (word_get(&c->start) == start) candle_load(c, &sum);
    candle_merge(&sum, add);
    sum.start = start;
    candle_store(c, &sum);
}

void candles_add(struct market_data *m, u32 market, u64 minute, const struct candle_sum *add)
{
    struct candle *c = market_candles(m, &m->shape, market);
    add_to(&c[minute % MARKET_MINUTES], minute, add);
    add_to(&c[MARKET_MINUTES + minute / 60 % MARKET_HOURS], minute / 60, add);
}

void candles_reset(struct market_data *m, u32 market)
{
    static const struct candle_sum empty;
    struct candle *c = market_candles(m, &m->shape, market);
    for (u32 i = 0; i < CANDLES; i++) candle_store(&c[i], &empty);
}

bool candle_read(const struct candle *c, u64 start, struct candle_sum *out)
{
    for (u32 i = 0; i < READ_SPINS; i++) {
        u64 version = atomic_load_explicit(&c->version, memory_order_acquire);
        candle_load(c, out);
        atomic_thread_fence(memory_order_acquire);
        if (!(version & 1) && word_get(&c->version) == version) {
            if (out->start != start) *out = (struct candle_sum){0};
            return true;
        }
        cpu_pause();
    }
    return false;
}
