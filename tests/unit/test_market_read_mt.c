/* Readers of market data beside its writer: whatever they get is the truth of one moment. The truth
 * of every depth sequence is computed beforehand by a machine that nobody disturbs. */
#include "shm/base.h"
#include "shm/err.h"
#include "tests/unit/test_market_events.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#define SEED    11U
#define RECORDS 40000U
#define ROUNDS  3U /* the object is rebuilt between them, while readers read */
#define SHALLOW 5U
#define DEEP    200U

#define MINUTES_MAX 1440U

static const struct market_config config = {.markets_max = 1,
                                            .levels_max = 4000,
                                            .recent_trades = 100,
                                            .changes_max = 256,
                                            .candles = MARKET_CANDLES_FEWEST};

static union any_record records[RECORDS];
static u64 truth_shallow[RECORDS + 1], truth_deep[RECORDS + 1]; /* by depth sequence */
static struct market_trade truth_trades[RECORDS + 1];           /* by number */
static struct market_candle truth_minutes[MINUTES_MAX];         /* from the first trade on */
static u32 minutes;
static struct market_data *data;
static _Atomic bool done;
static _Atomic u64 depths_read, tickers_read, candles_read, trades_read, changes_read;

static u64 hash_side(u64 hash, const struct market_level *l, u32 count, u32 limit)
{
    for (u32 i = 0; i < count && i < limit; i++) {
        hash = (hash ^ l[i].price) * 0x9e3779b97f4a7c15;
        hash = (hash ^ l[i].lots) * 0x9e3779b97f4a7c15;
        hash = (hash ^ l[i].orders) * 0x9e3779b97f4a7c15;
    }
    return (hash ^ count) * 0x9e3779b97f4a7c15;
}

static u64 hash_depth(const struct market_depth *d, u32 limit)
{
    u64 hash = hash_side(limit, d->bids, (u32)min_u64(d->bid_count, limit), limit);
    return hash_side(hash, d->asks, (u32)min_u64(d->ask_count, limit), limit);
}

static struct market_data *make(void)
{
    void *memory = aligned_alloc(market_align(), align_up(market_footprint(&config), CACHE_LINE));
    assert_non_null(memory);
    memset(memory, 0, sizeof(u64) * 16);
    assert_non_null(market_new(memory, &config));
    struct market_data *m = market_join(memory);
    assert_int_equal(market_add(m, 0, 0, EVENTS_TICK_LOT), 0);
    return m;
}

static int read_minutes(const struct market_data *m, struct market_candle *out)
{
    struct market_range all = {.interval = INTERVAL_1M, .to = UINT64_MAX};
    return market_read_candles(m, 0, &all, out, MINUTES_MAX, NULL);
}

static void foresee(void)
{
    static struct events e;
    static struct market_depth d;
    struct market_data *m = make();
    u64 trades = 0;
    events_begin(&e, SEED);
    e.markets = 1;
    e.spread = 2000;
    e.step_ns = 2000000000; /* some hours in all */
    market_set_ready(m, true);
    for (u32 i = 0; i < RECORDS; i++) {
        e.target = i / 8000 % 2 ? 100 : 1500; /* books that grow and shrink */
        events_next(&e, &records[i]);
        assert_int_equal(market_apply(m, 0, &records[i].head), 0);
        assert_int_equal(market_read_depth(m, 0, DEEP, &d), 0);
        truth_shallow[d.sequence] = hash_depth(&d, SHALLOW);
        truth_deep[d.sequence] = hash_depth(&d, DEEP);
        if (records[i].head.kind == MATCH_TRADE) {
            trades++;
            assert_int_equal(market_read_trades(m, 0, &truth_trades[trades], 1), 1);
        }
    }
    minutes = (u32)read_minutes(m, truth_minutes);
    assert_in_range(minutes, 60, MINUTES_MAX - 1);
    free(m);
}

static void *write_all(void *unused)
{
    for (u32 round = 0; round < ROUNDS; round++) {
        if (round) market_new(data, &config);
        if (round) CHECK(market_add(data, 0, 0, EVENTS_TICK_LOT) == 0);
        market_set_ready(data, true);
        for (u32 i = 0; i < RECORDS; i++) {
            CHECK(market_apply(data, 0, &records[i].head) == 0);
            if (i % 64 == 0) market_publish(data);
            if (i % 64 == 0 && i % 4096 < 2048) usleep(20); /* else at full speed */
        }
    }
    atomic_store(&done, true);
    return unused;
}

static void count(_Atomic u64 *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void read_depth(struct market_depth *d)
{
    if (market_read_depth(data, 0, DEEP, d) == 0) {
        CHECK(d->sequence <= RECORDS &&
              (!d->sequence || hash_depth(d, DEEP) == truth_deep[d->sequence]));
        count(&depths_read);
    }
    if (market_read_depth(data, 0, SHALLOW, d) == 0) {
        CHECK(!d->sequence || hash_depth(d, SHALLOW) == truth_shallow[d->sequence]);
        count(&depths_read);
    }
}

static void read_ticker(void)
{
    struct market_ticker t;
    u64 before = market_trade_number(data, 0);
    if (market_read_ticker(data, 0, 0, &t)) return;
    u64 after = market_trade_number(data, 0);
    if (t.trade_number < before || after < t.trade_number) return; /* rebuilt meanwhile */
    CHECK(t.trade_count >= t.trade_number && t.trade_count <= after + 1);
    CHECK(!t.trade_count || (t.low <= t.last && t.last <= t.high && t.low <= t.open));
    CHECK(!t.bid || !t.ask || t.bid < t.ask);
    CHECK(t.time_ns / MINUTE < 20000UL * 1440 + 1440);
    count(&tickers_read);
}

/* All but the newest are as they will be in the end; that one is on its way there. */
static void read_candles(struct market_candle *got)
{
    int n = read_minutes(data, got);
    for (int i = 0; i < n; i++) {
        const struct market_candle *t = &truth_minutes[i];
        if (i + 1 < n) CHECK(!memcmp(&got[i], t, sizeof *t));
        else CHECK(got[i].index == t->index && got[i].count <= t->count && got[i].lots <= t->lots);
        count(&candles_read);
    }
}

static void read_trades(u64 *since)
{
    struct market_trade got[60];
    int n = market_read_trades(data, 0, got, 60);
    for (int i = 0; i < n; i++) {
        CHECK(got[i].number == got[0].number - (u64)i);
        CHECK(!memcmp(&got[i], &truth_trades[got[i].number], sizeof got[i]));
    }
    n = market_read_trades_since(data, 0, *since, got, 60);
    for (int i = 0; i < n; i++) {
        CHECK(got[i].number == ++*since);
        CHECK(!memcmp(&got[i], &truth_trades[*since], sizeof got[i]));
        count(&trades_read);
    }
    if (n == MARKET_LAPPED) *since = market_trade_number(data, 0);
}

/* Follow the changes from a depth on; what comes of it is the depth of a later moment. */
static void follow_changes(struct market_depth *d)
{
    struct market_change got[256];
    if (market_read_depth(data, 0, 0, d)) return;
    u64 since = d->sequence, first = since;
    int n = 0;
    for (u32 i = 0; i < 20 && n >= 0; i++) {
        n = market_read_changes(data, 0, since, got, 256);
        for (int k = 0; k < n; k++) CHECK(got[k].sequence == ++since);
    }
    if (since != first) count(&changes_read);
}

static void *read_all(void *unused)
{
    struct market_depth *d = malloc(sizeof *d);
    struct market_candle *candles = aligned_alloc(64, MINUTES_MAX * sizeof *candles);
    u64 since = 0, head = 0;
    CHECK(d && candles);
    while (!atomic_load_explicit(&done, memory_order_relaxed)) {
        read_depth(d);
        read_ticker();
        read_candles(candles);
        read_trades(&since);
        follow_changes(d);
        u64 now = atomic_load_explicit(market_head(data), memory_order_acquire);
        CHECK(now >= head);
        head = now;
    }
    free(d);
    free(candles);
    return unused;
}

static void readers_get_the_truth_of_a_moment(void **state)
{
    pthread_t writer, readers[2];
    (void)state;
    foresee();
    data = make();
    for (u32 i = 0; i < COUNT_OF(readers); i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_all, NULL), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_all, NULL), 0);
    pthread_join(writer, NULL);
    for (u32 i = 0; i < COUNT_OF(readers); i++) pthread_join(readers[i], NULL);
    printf("depths %lu, tickers %lu, candles %lu, trades %lu, runs of changes %lu\n", depths_read,
           tickers_read, candles_read, trades_read, changes_read);
    assert_true(candles_read > 100 && depths_read > 100 && tickers_read > 50 && trades_read &&
                changes_read);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(readers_get_the_truth_of_a_moment)};
    printf("seed %u\n", SEED);
    return cmocka_run_group_tests_name("market_read_mt", tests, NULL, NULL);
}
