/* market.h: public market data in shared memory: depth, recent trades, 24 h tickers.
 *
 *   match log records --market_apply--> struct market_data --market_read_*--> gateway workers
 *      (one writer, eidos-market)            |                                (any process)
 *                                            |
 *   per market   levels    bids, asks  [best ... ]->[ ... ]->[ ... worst]    chunks of 40 levels
 *                changes   ring, one per level change, numbered: the depth sequence
 *                trades    ring of the newest, numbered
 *                candles   a ring of each interval, 1m to 1w; only those that saw a trade
 *
 * A pure state machine: no clock, no file, no random number; time comes with records. Its state
 * depends on nothing but the match records and markets it was given. What feeds it hides records
 * whose cause is not durable, so what stands here is durable; `cause` lets a reader check.
 *
 * Each record that changes a level gives that market's depth sequence one step, in log order: the
 * numbers are a function of the log alone, the same after a restart and in every replica. A change
 * is absolute (lots and orders now at a price; 0 lots = the level is gone), so it may be applied
 * twice. A command that sweeps five levels is five steps.
 *
 * Readers never make the writer wait, and do not starve under load: a change is in the ring and its
 * number published before the levels are touched; a reader copies the levels piece by piece (each
 * piece under its own version) and then lays the changes made meanwhile on top. What it returns is
 * the depth at exactly `sequence`. Retries are bounded; MARKET_BUSY then says come back later,
 * which happens when the writer was stopped in the middle of a change, or is rebuilding.
 *
 * Nothing is allocated after market_new. Prices in ticks, sizes in lots, quote in ledger units.
 */
#ifndef EIDOS_SHM_MARKET_H
#define EIDOS_SHM_MARKET_H

#include "shm/base.h"
#include "shm/record.h"

#define MARKET_DEPTH_MAX   1000U /* levels of a side that a reader may ask for (protocol.md 1) */
#define MARKET_DEPTH_SLACK 32U   /* room for levels that go while the others are copied */
#define MARKET_LOGS_MAX    14U   /* matching processes, as PROC_LOGS_MAX - LOG_MATCH(0) */

/* Candles, 1m to 1w. Candle k of an interval holds the trades stamped in [k x ns - back_ns,
 * (k + 1) x ns - back_ns) since 1970; back_ns makes weeks begin on Monday 00:00 UTC. */
enum market_interval {
    INTERVAL_1M,
    INTERVAL_5M,
    INTERVAL_15M,
    INTERVAL_30M,
    INTERVAL_1H,
    INTERVAL_4H,
    INTERVAL_1D,
    INTERVAL_1W,
    INTERVALS
};
struct market_interval_row {
    const char *name; /* "1m" */
    u64 ns, back_ns;
};
extern const struct market_interval_row market_intervals[INTERVALS];

static inline u64 interval_index(u32 interval, u64 time_ns)
{
    return (time_ns + market_intervals[interval].back_ns) / market_intervals[interval].ns;
}

/* When candle `index` opens; 0 for the week that began before 1970. */
static inline u64 interval_open_ns(u32 interval, u64 index)
{
    u64 at = index * market_intervals[interval].ns;
    return at < market_intervals[interval].back_ns ? 0 : at - market_intervals[interval].back_ns;
}

/* The fewest candles of each interval: a day of minutes and hours, for tickers. */
#define MARKET_CANDLES_FEWEST \
    { \
        1441, 2, 2, 2, 25, 2, 2, 2 \
    }
#define MARKET_CANDLES_MOST (1U << 20)

struct market_config {
    u32 markets_max;   /* [1, MARKETS_MAX of rules.h] */
    u32 levels_max;    /* price levels in all markets and sides, [1, 2^28]; 98 bytes each at most */
    u32 recent_trades; /* kept per market, [1, 2^20] */
    u32 changes_max;   /* level changes kept per market, a power of two in [64, 2^20] */
    u32 candles[INTERVALS]; /* kept per market, not counting quiet ones; 88 bytes each */
};

/* Negative answers of the readers. */
enum market_answer {
    MARKET_BUSY = -1,    /* being rebuilt, or the writer stopped in mid-change: later again */
    MARKET_LAPPED = -2,  /* what was asked for is overwritten: begin with a new snapshot */
    MARKET_UNKNOWN = -3, /* no such market (yet) */
};

struct market_data; /* shm/market_cells.h */

/* Object life. footprint: 0 = impossible parameters. new formats `memory`, aligned to market_align;
 * over an older object of the same config it may be called while readers look: they get MARKET_BUSY
 * until market_set_ready. join: NULL with err_set when it is no such object. */
u64 market_align(void);
u64 market_footprint(const struct market_config *config);
void *market_new(void *memory, const struct market_config *config);
struct market_data *market_join(void *memory);
void *market_leave(struct market_data *m);
void *market_delete(void *memory);

/* ---- The writer ---- */

/* Open a market by its index in rules; `matching` in [0, MARKET_LOGS_MAX) runs it, `tick_lot` is
 * one tick x one lot in quote units. The same call again is ignored; -1 with err when the index is
 * out of range or a field differs from before. Must precede the market's first record. */
int market_add(struct market_data *m, u32 market, u16 matching, u64 tick_lot);
bool market_is_open(const struct market_data *m, u32 market);

/* Apply the next record of one match log. Records up to market_through are skipped, so a reader may
 * begin anywhere before. -1 with err, and nothing changed: a gap, an unknown kind, a market that is
 * not open, a full arena, or a record that contradicts the levels. */
int market_apply(struct market_data *m, u16 matching, const struct rec *rec);

/* The last sequence applied of a match log; 0 = none. */
u64 market_through(const struct market_data *m, u16 matching);

/* Put a level there without a change and without a number: for loading. -1 with err: exists, bad
 * field, no room. */
int market_add_level(struct market_data *m, u32 market, u8 side, u64 price, u64 lots, u32 orders);

/* A replay with the books beside it need not keep the levels a second time. Between these two every
 * side is empty, and records only number their changes and make trades; candles wait too. Nobody
 * may read, save or load. Before market_keep_levels the caller puts those of the books there
 * (market_add_level). The ring of changes then begins anew, as after a load. */
void market_leave_levels(struct market_data *m);
void market_keep_levels(struct market_data *m);

/* End of a batch: moves market_head (release), on which readers may sleep (signal.h). What was
 * applied is seen before that already. */
void market_publish(struct market_data *m);

/* Let readers in, or keep them out (MARKET_BUSY). A new object is not ready. */
void market_set_ready(struct market_data *m, bool ready);

/* Arena use, for metrics. */
struct market_use {
    u32 levels, levels_max;
    u32 chunks, chunks_max;
};
struct market_use market_use(const struct market_data *m);

/* The logical state, independent of levels_max, changes_max and markets_max: markets, positions in
 * the match logs, sequences, levels, the newest recent_trades trades and candles. `sink` gets
 * pieces in order; `source` must deliver exactly `bytes` each time; both return 0, or -1 with err,
 * which is passed on. Load wants a new object; on -1 the object must be formatted again. */
typedef int market_sink_fn(void *context, const void *data, u64 bytes);
typedef int market_source_fn(void *context, void *data, u64 bytes);
int market_save(const struct market_data *m, market_sink_fn *sink, void *context);
int market_load(struct market_data *m, market_source_fn *source, void *context);

/* A number over what market_save writes: equal states (with equal recent_trades and candles) give
 * equal numbers whatever the arenas' sizes and the way that led there. */
u64 market_checksum(const struct market_data *m);

/* ---- Readers, any process, read-only mapping ---- */

struct market_level {
    u64 price, lots;
    u64 orders;
};

/* Depth at exactly `sequence`, best first. 50 KiB: keep one per thread. */
struct market_depth {
    u64 sequence; /* 0 = nothing has ever changed */
    u64 time_ns;  /* of the newest record of the market */
    u64 cause;    /* newest command that this may depend on */
    u32 bid_count, ask_count;
    struct market_level bids[MARKET_DEPTH_MAX + MARKET_DEPTH_SLACK];
    struct market_level asks[MARKET_DEPTH_MAX + MARKET_DEPTH_SLACK];
};

/* Copy the best `limit` levels of both sides, limit in [0, MARKET_DEPTH_MAX] (more is cut to it).
 * 0, MARKET_BUSY or MARKET_UNKNOWN; then the counts are 0. */
int market_read_depth(const struct market_data *m, u32 market, u32 limit, struct market_depth *out);

/* The same into the caller's memory, for more levels: `max` of each side at most, of which the last
 * MARKET_DEPTH_SLACK may stay unused. `cut` tells whether a side has more. 0, MARKET_BUSY or
 * MARKET_UNKNOWN; then the counts are 0. */
struct market_sides {
    struct market_level *levels[2]; /* bids, asks: the caller's, `max` each */
    u32 max;
    u32 count[2];
    bool cut[2];
    u64 sequence, time_ns, cause;
};
int market_read_sides(const struct market_data *m, u32 market, struct market_sides *out);

/* One level as it is from `sequence` on. */
struct market_change {
    u64 sequence;
    u64 price, lots; /* lots 0: the level is gone */
    u32 orders;
    u8 side; /* enum side of the level */
    u8 zero[3];
    u64 time_ns;
    u64 cause;
};
SIZE_IS(struct market_change, 48);

/* Changes with sequence > `since`, oldest first, without a gap, `max` at most. How many (0 = none
 * yet), MARKET_LAPPED when `since` + 1 is no longer held, MARKET_BUSY or MARKET_UNKNOWN. To follow:
 * read_depth, then read_changes from its sequence on; a push's prev_sequence is the `since` of the
 * call and its sequence that of the last change. */
int market_read_changes(const struct market_data *m, u32 market, u64 since,
                        struct market_change *out, u32 max);

struct market_trade {
    u64 number;   /* in its market, from 1, without gaps */
    u64 trade_id; /* trade_id_of */
    u64 price, lots;
    u64 quote; /* ledger units */
    u64 time_ns;
    u64 cause;
    u8 taker_side;
    u8 zero[7];
};
SIZE_IS(struct market_trade, 64);
OFFSET_IS(struct market_trade, taker_side, 56);

/* The newest trades, newest first; min(max, recent_trades) at most. How many, or a market_answer.
 */
int market_read_trades(const struct market_data *m, u32 market, struct market_trade *out, u32 max);

/* Trades with number > `since`, oldest first, to push them. How many, or a market_answer. */
int market_read_trades_since(const struct market_data *m, u32 market, u64 since,
                             struct market_trade *out, u32 max);

struct market_candle {
    u64 index;                  /* of its interval, interval_index */
    u64 count;                  /* trades; 0 = quiet: all prices are the close before, no volume */
    u64 open, high, low, close; /* ticks */
    u128 lots;
    u128 quote; /* ledger units */
};
SIZE_IS(struct market_candle, 80);

/* What to read of one interval's candles, all bounds inclusive. */
struct market_range {
    u32 interval;
    u64 from,
        to; /* indexes; `to` is cut to the candle of now_ns or of the newest trade, the later */
    u64 now_ns;
    bool newest; /* of more than `max`, the newest; else the oldest */
};

/* Candles of a range, oldest first, without holes: a quiet one is there, flat. Those before the
 * first trade, and those no longer kept, are not. How many, `max` at most, or a market_answer;
 * *cause (may be NULL) = newest command that they may depend on. */
int market_read_candles(const struct market_data *m, u32 market, const struct market_range *range,
                        struct market_candle *out, u32 max, u64 *cause);

/* The last 24 h: from the beginning of the minute in which `now_ns` - 24 h lies until now. All
 * trades of the last 24 h and of up to 59.999 s before: the window of Binance's rolling ticker. */
struct market_ticker {
    u64 open, high, low, last; /* all the last price when nothing traded in 24 h; 0 = never */
    u64 trade_count;
    u128 lots;
    u128 quote;                       /* ledger units */
    u64 bid, bid_lots, ask, ask_lots; /* 0 = that side is empty */
    u64 sequence;                     /* of the depth that bid and ask are from */
    u64 time_ns;                      /* of the newest record of the market */
    u64 cause;                        /* newest command that this may depend on */
    u64 trade_number;                 /* of the newest trade ever, 0 = none */
};

/* Has all trades up to trade_number. `now_ns` (Unix) behind the newest record counts as its time.
 * 0, MARKET_BUSY or MARKET_UNKNOWN. */
int market_read_ticker(const struct market_data *m, u32 market, u64 now_ns,
                       struct market_ticker *out);

/* Newest depth sequence and trade number (acquire): cheap questions whether to read on. 0 for a
 * market that is not open. */
u64 market_sequence(const struct market_data *m, u32 market);
u64 market_trade_number(const struct market_data *m, u32 market);

/* Moves with each market_publish: a futex word (low half) for readers that sleep. */
const _Atomic u64 *market_head(const struct market_data *m);

#endif
