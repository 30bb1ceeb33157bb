/* eidos-market beside a real journal; this program stands in for trading and matching. Whatever
 * happens to the process, it ends with what a machine here makes of the same records. */
#include "procs/lib/snapshot_file.h"
#include "shm/base.h"
#include "shm/err.h"
#include "tests/lib/instance.h"
#include "tests/lib/rules_fixture.h"
#include "tests/unit/test_market_events.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "shm/metrics.h"

#define SEED 5U

static struct instance in;
static struct segment trading, matching;
static struct rules *rules;
static struct log_writer commands, matches;
static struct log_reader commands_gate, matches_gate; /* those who would hold the writers back */
static struct events events;
static struct market_data *truth;
static const struct market_data *data;

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void let_go(struct log_reader *r)
{
    for (const struct rec *rec; (rec = log_peek(r));) log_advance(r, rec);
    log_release(r);
}

static void wait_for_room(struct log_writer *w, struct log_reader *gate)
{
    for (u32 i = 0; i < 5000; i++) {
        log_publish(w);
        let_go(gate);
        if (log_room(w, RECORD_BYTES_MAX)) return;
        sleep_ms(1);
    }
    fail_msg("the journal does not go on");
}

static void command(void)
{
    wait_for_room(&commands, &commands_gate);
    struct cmd_mode *c = log_begin(&commands, CMD_MODE, sizeof *c);
    memset(&c->head + 1, 0, sizeof *c - sizeof c->head);
    c->market = NO_MARKET;
    log_commit(&commands, c, events.time_ns, commands.seq + 1);
    log_publish(&commands);
}

/* Records as matching would write them, each after its command. */
static void feed(u32 count)
{
    union any_record r;
    for (u32 i = 0; i < count; i++) {
        events_next(&events, &r);
        while (commands.seq < events.cause) command();
        wait_for_room(&matches, &matches_gate);
        struct rec *to = log_begin(&matches, r.head.kind, r.head.length);
        memcpy(to + 1, &r.head + 1, r.head.length - sizeof *to);
        log_commit(&matches, to, r.head.time_ns, r.head.cause);
        if (market_apply(truth, 0, &r.head)) fail_msg("%s", err_text());
        if (i % 16 == 0) log_publish(&matches);
    }
    log_publish(&matches);
    let_go(&matches_gate);
}

static void open_market(u16 market, const char *symbol)
{
    struct market row;
    fixture_market(rules, market, symbol, 1, 1000);
    rules_read_market(rules, market, &row);
    assert_int_equal(market_add(truth, market, row.matching, row.tick_lot), 0);
}

static void same_depth(u32 market)
{
    static struct market_depth want, got;
    assert_int_equal(market_read_depth(truth, market, 1000, &want), 0);
    assert_int_equal(market_read_depth(data, market, 1000, &got), 0);
    assert_int_equal(got.sequence, want.sequence);
    assert_int_equal(got.time_ns, want.time_ns);
    assert_int_equal(got.bid_count, want.bid_count);
    assert_int_equal(got.ask_count, want.ask_count);
    assert_memory_equal(got.bids, want.bids, got.bid_count * sizeof got.bids[0]);
    assert_memory_equal(got.asks, want.asks, got.ask_count * sizeof got.asks[0]);
}

static void same_trades(u32 market)
{
    static struct market_trade want[100], got[100];
    struct market_ticker a = {0}, b = {0};
    int count = market_read_trades(truth, market, want, 100);
    assert_int_equal(market_read_trades(data, market, got, 100), count);
    assert_memory_equal(got, want, (u64)count * sizeof got[0]);
    assert_int_equal(market_read_ticker(truth, market, events.time_ns, &a), 0);
    assert_int_equal(market_read_ticker(data, market, events.time_ns, &b), 0);
    assert_memory_equal(&a, &b, sizeof a);
}

static void same_candles(u32 market)
{
    static struct market_candle want[1500], got[1500];
    for (u32 i = 0; i < INTERVALS; i++) {
        struct market_range all = {
            .interval = i, .to = UINT64_MAX, .now_ns = events.time_ns, .newest = true};
        int count = market_read_candles(truth, market, &all, want, 1500, NULL);
        assert_true(count > 0);
        assert_int_equal(market_read_candles(data, market, &all, got, 1500, NULL), count);
        assert_memory_equal(got, want, (u64)count * sizeof got[0]);
    }
}

/* It catches up, and is then the same. */
static void expect_the_truth(void)
{
    const struct proc_block *block = segment_proc(&in.onlooker, ROLE_MARKET, 0);
    for (u32 i = 0; i < 5000; i++) {
        if (atomic_load(&block->log_seq[LOG_MATCH(0)]) == matches.seq) break;
        sleep_ms(1);
    }
    assert_int_equal(atomic_load(&block->log_seq[LOG_MATCH(0)]), matches.seq);
    for (u32 market = 0; market < events.markets; market++) {
        same_depth(market);
        same_trades(market);
        same_candles(market);
    }
}

static void signal_to(u32 role, int signal)
{
    assert_int_equal(kill((pid_t)atomic_load(&segment_proc(&in.onlooker, role, 0)->pid), signal),
                     0);
}

static int set_up(void **state)
{
    struct topo_params params = instance_small;
    (void)state;
    params.match_bytes = 1UL << 20;
    params.resting_max = 8192;
    params.recent_trades = 100;
    for (u32 i = 0; i < INTERVALS; i++) params.candles[i] = 2000;
    instance_open(&in, NULL, &params);
    struct market_config config = topo_market_config(&params);
    void *memory = aligned_alloc(CACHE_LINE, align_up(market_footprint(&config), CACHE_LINE));
    assert_non_null(memory);
    memset(memory, 0, 1024);
    assert_non_null(market_new(memory, &config));
    truth = market_join(memory);
    market_set_ready(truth, true);
    if (segment_attach(&trading, in.dir, ROLE_TRADING, 0) ||
        segment_attach(&matching, in.dir, ROLE_MATCHING, 0))
        fail_msg("%s", err_text());
    struct region *region = segment_region(&trading, "rules");
    region_rebuild(region);
    rules_new(region->object);
    rules = rules_join(region->object);
    fixture_token(rules, 0, "USDC");
    fixture_token(rules, 1, "BTC");
    open_market(0, "BTC-USDC");
    region_ready(region);
    segment_log_writer(&trading, "log.command", NULL, &commands);
    segment_log_reader(&trading, "log.match@0", &matches_gate);
    segment_log_writer(&matching, "log.match@0", NULL, &matches);
    segment_log_reader(&matching, "log.command", &commands_gate);
    events_begin(&events, SEED);
    events.cause = 1;
    events.markets = 1;
    instance_start(&in, ROLE_JOURNAL, 0, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    segment_detach(&trading);
    segment_detach(&matching);
    instance_close(&in);
    free(truth);
    return 0;
}

static void catches_up_and_follows(void **state)
{
    (void)state;
    feed(3000);
    instance_start(&in, ROLE_MARKET, 0, NULL);
    data = market_join(segment_object(&in.onlooker, "market"));
    assert_non_null(data);
    expect_the_truth();
    for (u32 i = 0; i < 20; i++) {
        feed(1 + 50 * i);
        expect_the_truth();
    }
}

static void opens_markets_that_come_later(void **state)
{
    (void)state;
    open_market(1, "ETH-USDC");
    open_market(2, "XYZ-USDC");
    events.markets = 3;
    feed(2000);
    expect_the_truth();
}

static void sees_nothing_that_is_not_durable(void **state)
{
    (void)state;
    expect_the_truth();
    u64 before = market_sequence(data, 0);
    signal_to(ROLE_JOURNAL, SIGSTOP);
    sleep_ms(20);
    command();
    events.cause = commands.seq;
    while (market_sequence(truth, 0) == before) feed(1);
    sleep_ms(100);
    assert_int_equal(market_sequence(data, 0), before);
    signal_to(ROLE_JOURNAL, SIGCONT);
    expect_the_truth();
    assert_true(market_sequence(data, 0) > before);
}

static void goes_on_from_the_journal_when_lapped(void **state)
{
    (void)state;
    signal_to(ROLE_MARKET, SIGSTOP);
    events.step_ns = 2 * MINUTE;
    feed(40000); /* three times what the log holds, and two weeks of candles */
    signal_to(ROLE_MARKET, SIGCONT);
    expect_the_truth();
    assert_true(metric_get(segment_proc(&in.onlooker, ROLE_MARKET, 0), METRIC_MARKET_LAPPED) > 0);
}

static void is_the_same_after_it_was_killed(void **state)
{
    (void)state;
    for (u32 i = 0; i < 3; i++) {
        feed(500);
        instance_stop(&in, ROLE_MARKET, 0, SIGKILL);
        feed(500);
        instance_start(&in, ROLE_MARKET, 0, NULL);
        expect_the_truth();
    }
    assert_int_equal(instance_stop(&in, ROLE_MARKET, 0, SIGTERM), 0);
}

static int into_section(void *context, const void *bytes, u64 count)
{
    return snapshot_put(context, bytes, count);
}

static void begins_with_the_newest_snapshot(void **state)
{
    struct snapshot_writer w;
    struct snapshot_info info = {.seq = commands.seq, .matchings = 1};
    struct market_change changes[1];
    struct logdir dir;
    (void)state;
    feed(500);
    u64 saved = market_sequence(truth, 0);
    info.match_seq[0] = matches.seq;
    assert_int_equal(logdir_open(&dir, in.dir, false), 0);
    if (snapshot_create(&w, in.dir, dir.instance) || snapshot_begin(&w, SECTION_MARKET_DATA, 0) ||
        market_save(truth, into_section, &w) || snapshot_finish(&w, &info, NULL))
        fail_msg("%s", err_text());
    logdir_close(&dir);
    while (market_sequence(truth, 0) < saved + 10) feed(1);
    instance_start(&in, ROLE_MARKET, 0, NULL);
    expect_the_truth();
    assert_int_equal(market_read_changes(data, 0, saved, changes, 1), 1);
    assert_int_equal(market_read_changes(data, 0, saved - 1, changes, 1), MARKET_LAPPED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(catches_up_and_follows),
        cmocka_unit_test(opens_markets_that_come_later),
        cmocka_unit_test(sees_nothing_that_is_not_durable),
        cmocka_unit_test(goes_on_from_the_journal_when_lapped),
        cmocka_unit_test(is_the_same_after_it_was_killed),
        cmocka_unit_test(begins_with_the_newest_snapshot),
    };
    printf("seed %u\n", SEED);
    return cmocka_run_group_tests_name("market_process", tests, set_up, tear_down);
}
