/* market_cells.h: the memory of struct market_data, for its own files and the region layout table.
 *
 *   header | books[markets_max] | candles | changes | trades | chunks[chunks_max]
 *
 *   candles of a market: a ring of each interval, in their order
 *
 *   chunk 2 x market + side         first chunk of a side, never freed, may be empty
 *     [count <= 40 levels] --next[0]--> [...] --> [...]        ascending key = best first
 *           next[1..7]: a skip list over the chunks, for the writer only
 *
 * The key of a level is its price for asks and its complement for bids. A chunk covers the keys
 * from its own key to that of the next. Two neighbours (the first chunk aside) hold more than
 * CHUNK_MERGE levels together, which bounds the chunks by the levels. Levels only ever move to a
 * later chunk, so a reader that walks forward misses none that stays:
 *
 *   version   odd while the chunk changes; a reader copies it between two equal even values
 *   link      moves when the chunk's successor changes or it is freed; a reader looks again at the
 *             link of the chunk before once it has copied the next one: then that one was its
 *             successor, and not yet something else
 *
 * All words that readers see are stored and loaded as relaxed atomics.
 */
#ifndef EIDOS_SHM_MARKET_CELLS_H
#define EIDOS_SHM_MARKET_CELLS_H

#include "shm/market.h"
#include "shm/words.h"

#define MARKET_MAGIC 0x314154414d534445UL
#define CHUNK_CELLS  40U
#define CHUNK_MERGE \
    20U /* neighbours with so few together become one: half a chunk, see a split \
         */
#define CHUNK_HEIGHT 8U

struct level_cell {
    _Atomic u64 key, lots, orders;
};

struct level_chunk {
    _Atomic u32 version, link;
    _Atomic u32 count;
    u32 height; /* links in next[]; of a first chunk: the highest of its side; writer only */
    u64 key;    /* smallest key it covers; writer only */
    _Atomic u32 next[CHUNK_HEIGHT]; /* chunk index, 0 = none; readers follow next[0] */
    u64 zero;
    struct level_cell cells[CHUNK_CELLS];
};
SIZE_IS(struct level_chunk, 1024);

/* The trades of one interval of time. */
struct candle {
    _Atomic u64 version; /* odd while it changes */
    _Atomic u64 index;   /* interval_index */
    _Atomic u64 count;
    _Atomic u64 open, high, low, close;
    _Atomic u64 lots[2], quote[2]; /* u128, low word first */
};
SIZE_IS(struct candle, 88);

/* A ring of candles that saw a trade, by ascending index, numbered from 1. Only the newest, `head`,
 * changes. `claim` moves before an entry is overwritten, `head` after it is whole. */
struct candle_ring {
    _Atomic u64 claim, head;
    u64 end_ns; /* when the newest ends; writer only */
    u64 zero;
};

/* One market. Entry i of a ring of n is at i modulo n; `claim` moves before an entry is
 * overwritten, `head` after it is whole. The last three numbers follow one change: claim, head,
 * (levels), applied. */
struct market_book {
    _Atomic u64 claim, head, applied;
    _Atomic u64 first; /* first number the ring of changes ever held */
    _Atomic u64 trade_claim, trade_head;
    _Atomic u64 trade_first;
    _Atomic u64 cause, time_ns; /* of the newest record */
    u64 tick_lot;               /* writer only, as all that follows */
    u16 matching;
    u16 zero16;
    _Atomic u32 open;
    u64 due_ns, due_end_ns; /* of the first trade in `due`; when its minute ends */
    u64 zero;
    struct market_candle due; /* candles_defer */
    u64 zero2[8];
    struct candle_ring candles[INTERVALS];
};
SIZE_IS(struct market_book, 512);

/* What never changes while the object lives; offsets in bytes from the object. */
struct market_shape {
    struct market_config config;
    u64 bytes;
    u64 trades_cap;
    u64 candles_cap[INTERVALS];
    u64 candles_from[INTERVALS]; /* where a ring begins among the candles of its market */
    u64 candles_each;            /* of one market */
    u64 candles_at, changes_at, trades_at, chunks_at;
    u64 chunks_max;
};
SIZE_IS(struct market_shape, 240);

struct market_data {
    u64 magic;
    _Atomic u64 epoch; /* odd: not ready for readers */
    struct market_shape shape;
    u32 levels;       /* in use */
    u32 chunks;       /* in use */
    u32 chunks_fresh; /* chunks from here on were never used */
    u32 chunks_free;  /* list of freed ones by next[0], 0 = none */
    u64 random;       /* heights of chunks; no part of the logical state */
    u64 through[MARKET_LOGS_MAX];
    u32 levels_left; /* 1 between market_leave_levels and market_keep_levels */
    u32 zero;
    alignas(CACHE_LINE) _Atomic u64 publications;
    alignas(CACHE_LINE) struct market_book books[];
};
OFFSET_IS(struct market_data, epoch, 8);
OFFSET_IS(struct market_data, publications, 448);
OFFSET_IS(struct market_data, books, 512);

static inline u64 word_get(const _Atomic u64 *w)
{
    return atomic_load_explicit(w, memory_order_relaxed);
}

static inline void word_put(_Atomic u64 *w, u64 value)
{
    atomic_store_explicit(w, value, memory_order_relaxed);
}

static inline u32 half_get(const _Atomic u32 *w)
{
    return atomic_load_explicit(w, memory_order_relaxed);
}

static inline void half_put(_Atomic u32 *w, u32 value)
{
    atomic_store_explicit(w, value, memory_order_relaxed);
}

static inline void *market_at(const struct market_data *m, u64 offset)
{
    return (u8 *)m + offset;
}

static inline struct level_chunk *market_chunk(const struct market_data *m, u32 index)
{
    return (struct level_chunk *)market_at(m, m->shape.chunks_at) + index;
}

static inline struct candle *market_candle_at(const struct market_data *m,
                                              const struct market_shape *s, u32 market,
                                              u32 interval, u64 number)
{
    return (struct candle *)market_at(m, s->candles_at) + market * s->candles_each +
           s->candles_from[interval] + number % s->candles_cap[interval];
}

static inline struct market_change *
market_change_at(const struct market_data *m, const struct market_shape *s, u32 market, u64 number)
{
    u64 cap = s->config.changes_max;
    return (struct market_change *)market_at(m, s->changes_at) + market * cap +
           (number & (cap - 1));
}

static inline struct market_trade *
market_trade_at(const struct market_data *m, const struct market_shape *s, u32 market, u64 number)
{
    return (struct market_trade *)market_at(m, s->trades_at) + market * s->trades_cap +
           number % s->trades_cap;
}

/* First chunk of a side. */
static inline u32 market_side(u32 market, u8 side)
{
    return 2 * market + (side == SIDE_SELL);
}

/* Price to key and back. */
static inline u64 market_key(u8 side, u64 price)
{
    return side == SIDE_SELL ? price : ~price;
}

/* Writer: bracket the change of a chunk (version) for readers of other processes. */
static inline void chunk_begin(struct level_chunk *c)
{
    half_put(&c->version, half_get(&c->version) | 1);
    atomic_thread_fence(memory_order_release);
}

static inline void chunk_end(struct level_chunk *c)
{
    atomic_store_explicit(&c->version, half_get(&c->version) + 1, memory_order_release);
}

/* ---- market_levels.c, writer only ---- */

/* Where a price is or would be. Valid until the levels change. */
struct level_at {
    struct level_chunk *chunk;
    u32 first; /* chunk index of the side's beginning */
    u32 pos;   /* in [0, count] */
    u64 key;
    u64 lots, orders; /* 0 = there is no such level */
};
void levels_find(struct market_data *m, u32 market, u8 side, u64 price, struct level_at *at);

/* Make it so; lots 0 removes it. A new level needs levels < levels_max. */
void levels_set(struct market_data *m, const struct level_at *at, u64 lots, u64 orders);

/* Empty both sides of a market that is being opened. */
void levels_reset(struct market_data *m, u32 market);

/* ---- market_candles.c ---- */

/* Writer: count a trade in the candle of each interval. */
void candles_add(struct market_data *m, u32 market, const struct market_trade *t);

/* Writer, while levels are left out: keep a trade with the others of its minute, to be counted once
 * for all. candles_settle counts what is kept. */
void candles_defer(struct market_data *m, u32 market, const struct market_trade *t);
void candles_settle(struct market_data *m, u32 market);

/* Writer: append a whole candle, from a snapshot; later than all there are. */
void candles_append(struct market_data *m, u32 market, u32 interval, const struct market_candle *c);

/* Writer: number of the oldest candle that counts: `candles` of the configuration at most. */
u64 candles_oldest(const struct market_shape *s, u32 interval, u64 head);

/* Any process: copy a candle. False when it kept changing. */
bool candle_read(const struct candle *c, struct market_candle *out);

/* Append a later candle to a sum, which keeps its index (an empty one changes nothing). */
void candle_merge(struct market_candle *sum, const struct market_candle *later);

/* ---- market_klines.c ---- */

/* One reader's look at one market. */
struct market_view {
    const struct market_data *m;
    const struct market_book *b;
    struct market_shape shape;
    u64 epoch;
    u32 market;
};

/* 0, MARKET_BUSY or MARKET_UNKNOWN. */
int market_view_open(struct market_view *v, const struct market_data *m, u32 market);

/* Is all that was read since market_view_open of one and the same object? */
bool market_view_held(const struct market_view *v);

/* Sum up the candles of an interval with an index in [from, to]. False when they kept changing or
 * were overwritten meanwhile. */
bool candles_sum(const struct market_view *v, u32 interval, u64 from, u64 to,
                 struct market_candle *sum);

#define MINUTE_NS 60000000000UL

/* How often a reader looks again at a piece that changes under it, and begins anew with all of it,
 * before it answers MARKET_BUSY. Some microseconds of a writer that runs; longer: it was stopped.
 */
#define READ_SPINS    1000U
#define READ_RESTARTS 64U

#endif
