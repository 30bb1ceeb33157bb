/* bench_market.c: what keeping public market data costs.
 *
 *   apply    match records applied, by the shape of the books
 *   read     one reader alone: depth of 20 and of 1000 levels, ticker, 500 candles of 1m
 *
 * Records are made beforehand. Pinned to one core; medians of five rounds. Argument: seed.
 */
#include <sched.h>
#include <time.h>

#include "shm/err.h"
#include "tests/unit/test_market_events.h"

#define RECORDS 400000U
#define ROUNDS  5U
#define READS   2000U

static union any_record records[RECORDS];
static struct events events;
static struct market_depth depth;

static const struct market_config config = {
    .markets_max = 16,
    .levels_max = 1 << 18,
    .recent_trades = 1000,
    .changes_max = 1024,
    .candles = {10080, 8640, 8640, 8640, 8760, 4380, 3653, 522}};

static const struct shape {
    const char *name;
    u32 markets, target;
    u64 spread;
} shapes[] = {
    {"one market, 300 levels", 1, 2000, 100},
    {"one market, 15000 levels", 1, 18000, 1000000},
    {"ten markets, 700 levels each", 10, 18000, 400},
};

static u64 now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    u64 x = *(const u64 *)a, y = *(const u64 *)b;
    return (x > y) - (x < y);
}

static u64 median(u64 *values)
{
    qsort(values, ROUNDS, sizeof *values, by_size);
    return values[ROUNDS / 2];
}

/* Nanoseconds for all records, from empty books. */
static u64 apply_all(struct market_data *m, u32 markets)
{
    CHECK(market_new(m, &config));
    for (u32 i = 0; i < markets; i++) CHECK(market_add(m, i, 0, EVENTS_TICK_LOT) == 0);
    u64 from = now_ns();
    for (u32 i = 0; i < RECORDS; i++) CHECK(market_apply(m, 0, &records[i].head) == 0);
    u64 spent = now_ns() - from;
    market_set_ready(m, true);
    return spent;
}

static u64 read_depths(const struct market_data *m, u32 limit)
{
    u64 from = now_ns();
    for (u32 i = 0; i < READS; i++) CHECK(market_read_depth(m, 0, limit, &depth) == 0);
    return (now_ns() - from) / READS;
}

static u64 read_tickers(const struct market_data *m)
{
    struct market_ticker t;
    u64 from = now_ns();
    for (u32 i = 0; i < READS; i++) CHECK(market_read_ticker(m, 0, 0, &t) == 0);
    return (now_ns() - from) / READS;
}

static u64 read_klines(const struct market_data *m)
{
    static struct market_candle candles[500];
    struct market_range newest = {.to = UINT64_MAX, .now_ns = events.time_ns, .newest = true};
    u64 from = now_ns();
    for (u32 i = 0; i < READS; i++)
        CHECK(market_read_candles(m, 0, &newest, candles, 500, NULL) > 0);
    return (now_ns() - from) / READS;
}

static void measure(struct market_data *m, const struct shape *s, u64 seed)
{
    u64 apply[ROUNDS], shallow[ROUNDS], deep[ROUNDS], ticker[ROUNDS], klines[ROUNDS];
    events_begin(&events, seed);
    events.markets = s->markets;
    events.target = s->target;
    events.spread = s->spread;
    events.step_ns = 1000000000; /* two and a half days in all */
    for (u32 i = 0; i < RECORDS; i++) events_next(&events, &records[i]);
    for (u32 i = 0; i < ROUNDS; i++) {
        apply[i] = apply_all(m, s->markets);
        shallow[i] = read_depths(m, 20);
        deep[i] = read_depths(m, 1000);
        ticker[i] = read_tickers(m);
        klines[i] = read_klines(m);
    }
    printf("%-30s %6.2f M records/s   depth 20: %lu ns, 1000: %lu ns, ticker: %lu ns, klines: %lu "
           "ns\n",
           s->name, RECORDS * 1000.0 / (double)median(apply), median(shallow), median(deep),
           median(ticker), median(klines));
}

int main(int argc, char **argv)
{
    u64 seed = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    u64 bytes = align_up(market_footprint(&config), market_align());
    void *memory = aligned_alloc(market_align(), bytes);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof one, &one);
    CHECK(memory && bytes);
    memset(memory, 0, bytes);
    for (u32 i = 0; i < COUNT_OF(shapes); i++) measure(memory, &shapes[i], seed);
    free(memory);
    return 0;
}
