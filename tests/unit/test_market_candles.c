/* Candles and tickers against those computed the slow way from the list of all trades. */
#include "tests/unit/test_market_world.h"

#define SEED 20240608U

static const u32 kept[INTERVALS] = CANDLES;
static struct market_depth depth;

static void check_ticker(u32 market, u64 now)
{
    struct market_ticker t, truth = {0};
    for (u32 i = 0; i < world.trade_count; i++) {
        const struct market_trade *x = &world.trades[i].trade;
        if (world.trades[i].market != market) continue;
        now = max_u64(now, x->time_ns);
        truth.last = x->price;
        truth.trade_number = x->number;
    }
    truth.open = truth.high = truth.low = truth.last;
    for (u32 i = 0; i < world.trade_count; i++) {
        const struct market_trade *x = &world.trades[i].trade;
        if (world.trades[i].market != market || x->time_ns / MINUTE + 1440 < now / MINUTE) continue;
        if (!truth.trade_count++) truth.open = truth.high = truth.low = x->price;
        truth.high = max_u64(truth.high, x->price);
        truth.low = min_u64(truth.low, x->price);
        truth.lots += x->lots;
        truth.quote += x->quote;
    }
    assert_int_equal(market_read_ticker(world.data, market, now, &t), 0);
    assert_int_equal(market_read_depth(world.data, market, 1, &depth), 0);
    assert_int_equal(t.open, truth.open);
    assert_int_equal(t.high, truth.high);
    assert_int_equal(t.low, truth.low);
    assert_int_equal(t.last, truth.last);
    assert_int_equal(t.trade_count, truth.trade_count);
    assert_int_equal(t.trade_number, truth.trade_number);
    assert_true(t.lots == truth.lots && t.quote == truth.quote);
    assert_int_equal(t.bid, depth.bid_count ? depth.bids[0].price : 0);
    assert_int_equal(t.bid_lots, depth.bid_count ? depth.bids[0].lots : 0);
    assert_int_equal(t.ask, depth.ask_count ? depth.asks[0].price : 0);
    assert_int_equal(t.ask_lots, depth.ask_count ? depth.asks[0].lots : 0);
}

/* When the candle of a moment opens, found without the code's table: weeks by stepping Mondays. */
static u64 true_open(u32 interval, u64 time_ns)
{
    static const u64 minutes[INTERVALS - 1] = {1, 5, 15, 30, 60, 240, 1440};
    const u64 monday = 19723 * DAY; /* 2024-01-01 */
    if (interval < INTERVAL_1W) return time_ns - time_ns % (minutes[interval] * MINUTE);
    u64 week = monday;
    while (week + 7 * DAY <= time_ns) week += 7 * DAY;
    return week;
}

/* Candles with trades, as the list of all trades says. */
static u32 true_candles(u32 market, u32 interval, u64 *opens, struct market_candle *out)
{
    u32 count = 0;
    for (u32 i = 0; i < world.trade_count; i++) {
        const struct market_trade *x = &world.trades[i].trade;
        if (world.trades[i].market != market) continue;
        u64 open = true_open(interval, x->time_ns);
        if (!count || opens[count - 1] != open) {
            opens[count] = open;
            out[count++] =
                (struct market_candle){.open = x->price, .high = x->price, .low = x->price};
        }
        struct market_candle *c = &out[count - 1];
        c->high = max_u64(c->high, x->price);
        c->low = min_u64(c->low, x->price);
        c->close = x->price;
        c->lots += x->lots;
        c->quote += x->quote;
        c->count++;
    }
    return count;
}

/* What a range must give: every candle from the oldest kept on, quiet ones flat. */
static void check_range(u32 market, const struct market_range *range, u32 max, const u64 *opens,
                        const struct market_candle *truth, u32 count)
{
    static struct market_candle got[1500];
    u32 i = range->interval, at = count > kept[i] ? count - kept[i] : 0, seen = 0;
    int n = market_read_candles(world.data, market, range, got, max, NULL);
    u64 first = count ? max_u64(range->from, interval_index(i, opens[at])) : UINT64_MAX;
    u64 last = interval_index(i, range->now_ns);
    if (count) last = max_u64(last, interval_index(i, opens[count - 1]));
    last = min_u64(last, range->to);
    u64 all = first <= last ? last - first + 1 : 0;
    if (range->newest && all > max) first += all - max;
    assert_int_equal(n, min_u64(all, max));
    for (u64 index = first; seen < (u32)n; index++, seen++) {
        u64 open = interval_open_ns(i, index);
        const struct market_candle *g = &got[seen];
        while (at + 1 < count && opens[at + 1] <= open) at++;
        bool quiet = opens[at] != open;
        const struct market_candle *t = &truth[at];
        assert_int_equal(g->index, index);
        assert_int_equal(g->count, quiet ? 0 : t->count);
        assert_int_equal(g->open, quiet ? t->close : t->open);
        assert_int_equal(g->high, quiet ? t->close : t->high);
        assert_int_equal(g->low, quiet ? t->close : t->low);
        assert_int_equal(g->close, t->close);
        assert_true(g->lots == (quiet ? 0 : t->lots) && g->quote == (quiet ? 0 : t->quote));
    }
}

static void check_candles(u32 market)
{
    static u64 opens[TRADES_ALL];
    static struct market_candle truth[TRADES_ALL];
    struct events *e = &world.events;
    for (u32 i = 0; i < INTERVALS; i++) {
        u32 count = true_candles(market, i, opens, truth);
        u64 now = e->time_ns + (draw(e, 4) ? 0 : draw(e, 3000) * MINUTE);
        u64 to = interval_index(i, now), back = draw(e, 3000);
        struct market_range all = {.interval = i, .to = UINT64_MAX, .now_ns = now};
        check_range(market, &all, 1500, opens, truth, count);
        all.newest = true;
        check_range(market, &all, 1 + (u32)draw(e, 1500), opens, truth, count);
        struct market_range some = {.interval = i,
                                    .from = to - min_u64(back, to),
                                    .to = to - draw(e, back + 1),
                                    .now_ns = now,
                                    .newest = draw(e, 2)};
        check_range(market, &some, 1 + (u32)draw(e, 100), opens, truth, count);
    }
}

/* Slow and fast time; rings that wrap. */
static void equals_the_slow_truth(void **state)
{
    static const struct {
        u64 step_ns;
        u32 steps;
    } phases[] = {
        {20000000, 6000}, {5 * MINUTE, 20000}, {20 * MINUTE, 12000}, {600 * MINUTE, 6000}};
    (void)state;
    world_begin(&small, SEED);
    for (u32 p = 0; p < COUNT_OF(phases); p++) {
        world.events.step_ns = phases[p].step_ns;
        for (u32 i = 0; i < phases[p].steps; i++) {
            world_step();
            if (i % 577) continue;
            for (u32 market = 0; market < world.events.markets; market++) {
                check_candles(market);
                check_ticker(market, world.events.time_ns);
                check_ticker(market, world.events.time_ns + draw(&world.events, 1500) * MINUTE);
            }
        }
    }
}

/* ---- The last 24 hours, to the minute ---- */

static void expect_ticker(u64 now, u64 open, u64 high, u64 low, u64 last, u64 lots, u64 count)
{
    struct market_ticker t;
    assert_int_equal(market_read_ticker(world.data, 0, now, &t), 0);
    assert_int_equal(t.open, open);
    assert_int_equal(t.high, high);
    assert_int_equal(t.low, low);
    assert_int_equal(t.last, last);
    assert_true(t.lots == lots);
    assert_int_equal(t.trade_count, count);
}

static void a_day_rolls_by_the_minute(void **state)
{
    const u64 hours[] = {480000, 480000 + 31, 480000 + 59};
    for (u32 i = 0; i < COUNT_OF(hours); i++) {
        u64 first = hours[i];
        world_end(state);
        world_begin(&small, SEED + 4);
        expect_ticker(first * MINUTE, 0, 0, 0, 0, 0, 0);
        trade_at(first, 500, 1);
        trade_at(first + 1, 900, 2);
        trade_at(first + 90, 100, 4);
        trade_at(first + 1439, 300, 8);
        expect_ticker((first + 1439) * MINUTE, 500, 900, 100, 300, 15, 4);
        expect_ticker((first + 1441) * MINUTE - 1, 500, 900, 100, 300, 15, 4);
        expect_ticker((first + 1441) * MINUTE, 900, 900, 100, 300, 14, 3);
        expect_ticker((first + 1442) * MINUTE, 100, 300, 100, 300, 12, 2);
        expect_ticker((first + 1530) * MINUTE, 100, 300, 100, 300, 12, 2);
        expect_ticker((first + 1531) * MINUTE, 300, 300, 300, 300, 8, 1);
        expect_ticker((first + 2879) * MINUTE, 300, 300, 300, 300, 8, 1);
        expect_ticker((first + 2880) * MINUTE, 300, 300, 300, 300, 0, 0);
        /* A clock behind the records. */
        expect_ticker(0, 500, 900, 100, 300, 15, 4);
        trade_at(first + 1441, 700, 16);
        expect_ticker(0, 900, 900, 100, 700, 30, 4);
        trade_at(first + 9999, 800, 32);
        expect_ticker(0, 800, 800, 800, 800, 32, 1);
    }
}

/* Monday 2024-01-01 00:00 UTC and the second before it; a week, a day and a minute end there. */
static void weeks_begin_on_monday(void **state)
{
    const u64 monday = 1704067200UL * 1000000000UL, minute = monday / MINUTE;
    struct market_candle c[3];
    (void)state;
    world_begin(&small, SEED);
    trade_at(minute - 1, 500, 1); /* Sunday 23:59:59.999999999 */
    trade_at(minute, 700, 2);
    for (u32 i = 0; i < INTERVALS; i++) {
        struct market_range all = {.interval = i, .to = UINT64_MAX};
        assert_int_equal(market_read_candles(world.data, 0, &all, c, 3, NULL), 2);
        assert_int_equal(interval_open_ns(i, c[1].index), monday);
        assert_int_equal(monday - interval_open_ns(i, c[0].index), market_intervals[i].ns);
        assert_int_equal(c[0].close, 500);
        assert_int_equal(c[1].open, 700);
    }
    struct market_range none = {.interval = INTERVAL_1W, .from = 1, .to = 2};
    assert_int_equal(market_read_candles(world.data, 0, &none, c, 3, NULL), 0);
    assert_int_equal(market_read_candles(world.data, 1, &none, c, 3, NULL), 0);
    assert_int_equal(market_read_candles(world.data, 3, &none, c, 3, NULL), MARKET_UNKNOWN);
}

static void sums_of_a_day_may_pass_64_bits(void **state)
{
    struct market_ticker t;
    (void)state;
    world_begin(&small, SEED);
    for (u32 i = 0; i < 5; i++) trade_at(480000 + i / 3, 1, 1UL << 62);
    assert_int_equal(market_read_ticker(world.data, 0, 0, &t), 0);
    assert_true(t.lots == (u128)5 << 62);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(equals_the_slow_truth, world_end),
        cmocka_unit_test_teardown(weeks_begin_on_monday, world_end),
        cmocka_unit_test_teardown(a_day_rolls_by_the_minute, world_end),
        cmocka_unit_test_teardown(sums_of_a_day_may_pass_64_bits, world_end),
    };
    printf("seed %u\n", SEED);
    return cmocka_run_group_tests_name("market_candles", tests, NULL, NULL);
}
