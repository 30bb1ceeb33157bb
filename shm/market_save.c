/* The logical state as a stream of 64-bit words:
 *
 *   magic, open markets, through[MARKET_LOGS_MAX]
 *   each market, ascending: index, matching, tick_lot, sequence, cause, time_ns, newest trade
 * number, counts of trades, bids, asks, candles of each interval; then those, oldest or best first
 *
 * The ring of changes is not kept: its numbers go on. */
#include <string.h>

#include "shm/err.h"
#include "shm/market_cells.h"

#define SAVE_MAGIC   0x3256534b52414d45UL /* "EMARKSV2" */
#define CANDLE_WORDS 10U

enum {
    B_INDEX,
    B_MATCHING,
    B_TICK_LOT,
    B_SEQUENCE,
    B_CAUSE,
    B_TIME,
    B_TRADE,
    B_TRADES,
    B_BIDS,
    B_ASKS,
    B_CANDLES,
    B_WORDS = B_CANDLES + INTERVALS
};

/* ---- Save ---- */

struct out {
    market_sink_fn *sink;
    void *context;
    u32 count;
    bool failed;
    u64 words[512];
};

static void flush(struct out *o)
{
    if (o->count && !o->failed && o->sink(o->context, o->words, o->count * sizeof(u64)))
        o->failed = true;
    o->count = 0;
}

static void put(struct out *o, u64 word)
{
    if (o->count == COUNT_OF(o->words)) flush(o);
    o->words[o->count++] = word;
}

static void put_words(struct out *o, const void *from, u64 bytes)
{
    for (u64 i = 0; i < bytes; i += sizeof(u64)) {
        u64 word;
        memcpy(&word, (const u8 *)from + i, sizeof word);
        put(o, word);
    }
}

/* Walk a side; returns its levels. Writes them when `o` is given. */
static u64 save_side(const struct market_data *m, u32 market, u8 side, struct out *o)
{
    u64 levels = 0;
    u32 index = market_side(market, side);
    do {
        const struct level_chunk *c = market_chunk(m, index);
        u32 count = half_get(&c->count);
        levels += count;
        for (u32 i = 0; o && i < count; i++) {
            put(o, market_key(side, word_get(&c->cells[i].key)));
            put(o, word_get(&c->cells[i].lots));
            put(o, word_get(&c->cells[i].orders));
        }
        index = half_get(&c->next[0]);
    } while (index);
    return levels;
}

static void save_candles(const struct market_data *m, u32 market, u32 interval, struct out *o)
{
    u64 head = word_get(&m->books[market].candles[interval].head);
    for (u64 n = candles_oldest(&m->shape, interval, head); n <= head; n++) {
        struct market_candle c;
        CHECK(candle_read(market_candle_at(m, &m->shape, market, interval, n), &c));
        const u64 words[CANDLE_WORDS] = {c.index,      c.count,
                                         c.open,       c.high,
                                         c.low,        c.close,
                                         (u64)c.lots,  (u64)(c.lots >> 64),
                                         (u64)c.quote, (u64)(c.quote >> 64)};
        put_words(o, words, sizeof words);
    }
}

static void save_market(const struct market_data *m, u32 market, struct out *o)
{
    const struct market_book *b = &m->books[market];
    u64 newest = word_get(&b->trade_head), held = newest + 1 - word_get(&b->trade_first);
    u64 trades = min_u64(held, m->shape.config.recent_trades);
    u64 head[B_WORDS] = {
        [B_INDEX] = market,
        [B_MATCHING] = b->matching,
        [B_TICK_LOT] = b->tick_lot,
        [B_SEQUENCE] = word_get(&b->head),
        [B_CAUSE] = word_get(&b->cause),
        [B_TIME] = word_get(&b->time_ns),
        [B_TRADE] = newest,
        [B_TRADES] = trades,
        [B_BIDS] = save_side(m, market, SIDE_BUY, NULL),
        [B_ASKS] = save_side(m, market, SIDE_SELL, NULL),
    };
    for (u32 i = 0; i < INTERVALS; i++) {
        u64 candles = word_get(&b->candles[i].head);
        head[B_CANDLES + i] = candles + 1 - candles_oldest(&m->shape, i, candles);
    }
    put_words(o, head, sizeof head);
    for (u64 n = newest - trades + 1; n <= newest; n++)
        put_words(o, market_trade_at(m, &m->shape, market, n), sizeof(struct market_trade));
    save_side(m, market, SIDE_BUY, o);
    save_side(m, market, SIDE_SELL, o);
    for (u32 i = 0; i < INTERVALS; i++) save_candles(m, market, i, o);
}

int market_save(const struct market_data *m, market_sink_fn *sink, void *context)
{
    struct out o = {.sink = sink, .context = context};
    u64 open = 0;
    CHECK(!m->levels_left);
    for (u32 i = 0; i < m->shape.config.markets_max; i++) open += market_is_open(m, i);
    put(&o, SAVE_MAGIC);
    put(&o, open);
    put_words(&o, m->through, sizeof m->through);
    for (u32 i = 0; i < m->shape.config.markets_max; i++)
        if (market_is_open(m, i)) save_market(m, i, &o);
    flush(&o);
    return o.failed ? err_wrap("saving market data") : 0;
}

static int fold(void *context, const void *data, u64 bytes)
{
    u64 *sum = context, word;
    for (u64 i = 0; i < bytes; i += sizeof word) {
        memcpy(&word, (const u8 *)data + i, sizeof word);
        *sum = (*sum ^ word) * 0x9e3779b97f4a7c15;
        *sum ^= *sum >> 32;
    }
    return 0;
}

u64 market_checksum(const struct market_data *m)
{
    u64 sum = SAVE_MAGIC;
    market_save(m, fold, &sum);
    return sum;
}

/* ---- Load ---- */

struct in {
    market_source_fn *source;
    void *context;
};

static int get(struct in *in, void *to, u64 bytes)
{
    return in->source(in->context, to, bytes);
}

static int load_trades(struct market_data *m, u32 market, const u64 *head, struct in *in)
{
    struct market_book *b = &m->books[market];
    u64 newest = head[B_TRADE], count = head[B_TRADES], before = 0;
    struct market_trade t;
    if (count > newest || (newest && !count))
        return err_set("%lu trades cannot end with number %lu", count, newest);
    u64 first = newest - count + 1;
    for (u64 n = first; n <= newest; n++) {
        if (get(in, &t, sizeof t)) return -1;
        if (t.number != n || t.time_ns < before)
            return err_set("trade %lu is out of order; %lu was expected", t.number, n);
        before = t.time_ns;
        words_put(market_trade_at(m, &m->shape, market, n), &t, sizeof t);
    }
    /* A smaller ring keeps what fits. */
    u64 fits = newest < m->shape.trades_cap ? 1 : newest - m->shape.trades_cap + 1;
    word_put(&b->trade_first, max_u64(first, fits));
    word_put(&b->trade_head, newest);
    word_put(&b->trade_claim, newest);
    return 0;
}

static int load_candles(struct market_data *m, u32 market, u32 interval, u64 count, struct in *in)
{
    u64 before = 0, w[CANDLE_WORDS];
    for (u64 i = 0; i < count; i++) {
        if (get(in, w, sizeof w)) return -1;
        if ((i && w[0] <= before) || !w[1])
            return err_set("a %s candle %lu of %lu trades comes after candle %lu",
                           market_intervals[interval].name, w[0], w[1], before);
        before = w[0];
        struct market_candle c = {
            .index = w[0],
            .count = w[1],
            .open = w[2],
            .high = w[3],
            .low = w[4],
            .close = w[5],
            .lots = (u128)w[7] << 64 | w[6],
            .quote = (u128)w[9] << 64 | w[8],
        };
        candles_append(m, market, interval, &c);
    }
    return 0;
}

static int load_side(struct market_data *m, u32 market, u8 side, u64 count, struct in *in)
{
    for (u64 i = 0; i < count; i++) {
        u64 w[3];
        if (get(in, w, sizeof w)) return -1;
        if (w[2] > UINT32_MAX || market_add_level(m, market, side, w[0], w[1], (u32)w[2]))
            return w[2] > UINT32_MAX ? err_set("a level of %lu orders", w[2]) : -1;
    }
    return 0;
}

static int load_market(struct market_data *m, struct in *in, u32 *index)
{
    u64 head[B_WORDS];
    if (get(in, head, sizeof head)) return -1;
    u32 market = (u32)min_u64(head[B_INDEX], NO_MARKET);
    *index = market;
    if (market_is_open(m, market)) return err_set("it is there twice");
    if (market_add(m, market, (u16)min_u64(head[B_MATCHING], UINT16_MAX), head[B_TICK_LOT]))
        return -1;
    struct market_book *b = &m->books[market];
    word_put(&b->claim, head[B_SEQUENCE]);
    word_put(&b->head, head[B_SEQUENCE]);
    word_put(&b->applied, head[B_SEQUENCE]);
    word_put(&b->first, head[B_SEQUENCE] + 1);
    word_put(&b->cause, head[B_CAUSE]);
    word_put(&b->time_ns, head[B_TIME]);
    if (load_trades(m, market, head, in) || load_side(m, market, SIDE_BUY, head[B_BIDS], in) ||
        load_side(m, market, SIDE_SELL, head[B_ASKS], in))
        return -1;
    for (u32 i = 0; i < INTERVALS; i++)
        if (load_candles(m, market, i, head[B_CANDLES + i], in)) return -1;
    return 0;
}

int market_load(struct market_data *m, market_source_fn *source, void *context)
{
    struct in in = {source, context};
    u64 head[2];
    if (get(&in, head, sizeof head)) return err_wrap("loading market data");
    if (head[0] != SAVE_MAGIC)
        return err_set("loading market data: it begins with %016lx, not %016lx: another format; "
                       "without this snapshot the journal tells everything, if it goes far enough "
                       "back",
                       head[0], SAVE_MAGIC);
    if (get(&in, m->through, sizeof m->through)) return err_wrap("loading market data");
    for (u64 i = 0; i < head[1]; i++) {
        u32 index = NO_MARKET;
        if (load_market(m, &in, &index)) return err_wrap("loading market data: market %u", index);
    }
    return 0;
}
