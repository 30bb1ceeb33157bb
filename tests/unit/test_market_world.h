/* A market data object fed with random records, beside the list of all trades and the resting
 * orders that the truth is computed from. */
#ifndef EIDOS_TESTS_MARKET_WORLD_H
#define EIDOS_TESTS_MARKET_WORLD_H

#include "shm/base.h"
#include "shm/err.h"
#include "shm/market_cells.h"
#include "tests/unit/test_market_events.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TRADES_ALL 200000U

struct world {
    struct events events;
    struct market_data *data;
    u64 sequence[16];
    u32 trade_count;
    struct {
        u32 market;
        struct market_trade trade;
    } trades[TRADES_ALL];
};

static struct world world;
static union any_record record;

/* Rings that wrap many times in the phases below. */
#define CANDLES \
    { \
        1441, 300, 40, 7, 25, 12, 5, 2 \
    }

static const struct market_config small = {.markets_max = 4,
                                           .levels_max = 4000,
                                           .recent_trades = 50,
                                           .changes_max = 64,
                                           .candles = CANDLES};

static inline struct market_data *make(const struct market_config *config)
{
    u64 bytes = market_footprint(config);
    assert_true(bytes > 0);
    void *memory = aligned_alloc(market_align(), align_up(bytes, market_align()));
    assert_non_null(memory);
    memset(memory, 0, sizeof(u64) * 16);
    assert_non_null(market_new(memory, config));
    struct market_data *m = market_join(memory);
    assert_non_null(m);
    return m;
}

static inline void open_markets(struct market_data *m, u32 count)
{
    for (u32 i = 0; i < count; i++) assert_int_equal(market_add(m, i, 0, EVENTS_TICK_LOT), 0);
}

static inline int world_end(void **state)
{
    (void)state;
    free(world.data);
    world.data = NULL;
    return 0;
}

static inline void world_begin(const struct market_config *config, u64 seed)
{
    memset(&world, 0, sizeof world);
    events_begin(&world.events, seed);
    world.data = make(config);
    open_markets(world.data, world.events.markets);
    market_set_ready(world.data, true);
}

/* One record into the machine, and into the books of the slow truth. */
static inline void world_step(void)
{
    events_next(&world.events, &record);
    if (market_apply(world.data, 0, &record.head)) fail_msg("%s", err_text());
    if (record.head.kind == MATCH_OPENED ||
        (record.head.kind == MATCH_CANCELED && record.order.was_resting))
        world.sequence[record.order.market]++;
    if (record.head.kind != MATCH_TRADE) return;
    u32 market = record.trade.market;
    world.sequence[market]++;
    u64 number = 1;
    for (u32 i = world.trade_count; i-- > 0;)
        if (world.trades[i].market == market) {
            number = world.trades[i].trade.number + 1;
            break;
        }
    assert_true(world.trade_count < TRADES_ALL);
    world.trades[world.trade_count].market = market;
    world.trades[world.trade_count++].trade = (struct market_trade){
        .number = number,
        .trade_id = record.head.seq,
        .price = record.trade.price,
        .lots = record.trade.lots,
        .quote = record.trade.price * record.trade.lots * EVENTS_TICK_LOT,
        .time_ns = record.head.time_ns,
        .cause = record.head.cause,
        .taker_side = record.trade.taker_side,
    };
}

/* A sell order and the trade that takes it, in the last nanosecond of a minute. */
static inline void trade_at(u64 minute, u64 price, u64 lots)
{
    struct events *e = &world.events;
    e->time_ns = minute * MINUTE + 59999999999;
    e->count = 0;
    event_open(e, &record);
    record.order.market = 0;
    record.order.side = SIDE_SELL;
    record.order.price = price;
    record.order.lots = lots;
    assert_int_equal(market_apply(world.data, 0, &record.head), 0);
    record_head(e, &record, MATCH_TRADE, sizeof record.trade);
    record.trade.taker_side = SIDE_BUY;
    record.trade.price = price;
    record.trade.lots = lots;
    assert_int_equal(market_apply(world.data, 0, &record.head), 0);
}

#endif
