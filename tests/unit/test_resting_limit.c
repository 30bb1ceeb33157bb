/* How many orders may rest is in the command log: whatever the arenas that replay it, the same are
 * turned away. A live exchange of one thread (tests/lib/engine) is held against replicas. */
#include "procs/lib/logfile_kinds.h"
#include "procs/lib/replay.h"
#include "shm/err.h"
#include "tests/lib/engine.h"
#include "tests/lib/flow.h"
#include "tests/lib/journal_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ACCOUNTS 30U
#define ARENA    2048U /* of the live books */
#define LIMIT    64U

static struct {
    struct engine live;
    struct flow flow;
    struct topo_params params;
    struct log_reader made; /* live match records, as a replica makes them again */
    struct replica replica;
    u32 refused;
} w;

static void log_old_start(void)
{
    struct cmd_start c = {.head = {.kind = CMD_START, .length = sizeof c}, .epoch = 1};
    trading_config(&w.live.trading, &c.head);
}

static void begin(u32 arena)
{
    struct engine_sizes sizes = engine_small;
    memset(&w, 0, sizeof w);
    sizes.resting = arena;
    engine_init(&w.live, &sizes, NULL, NULL);
    flow_init(&w.flow, 77, ACCOUNTS);
    w.made = w.live.matched;
    w.params = (struct topo_params){.matching = 1,
                                    .accounts_max = sizes.accounts,
                                    .balances_max = sizes.balances,
                                    .nonce_windows_max = sizes.nonce_windows,
                                    .transfers_max = 256,
                                    .orders_max = sizes.orders,
                                    .resting_max = arena,
                                    .recent_trades = 100,
                                    .markets_max = 16,
                                    .candles = MARKET_CANDLES_FEWEST};
}

static void give(void)
{
    flow_config(&w.live.trading);
    flow_fund(&w.flow, &w.live.trading);
}

static int make(void **state)
{
    (void)state;
    begin(ARENA);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    engine_free(&w.live);
    flow_free(&w.flow);
    return 0;
}

static void trade(u32 orders)
{
    for (u32 i = 0; i < orders; i++) {
        struct msg_order m;
        flow_order(&w.flow, &m);
        trading_order(&w.live.trading, &m, 0, w.flow.count);
        if (i % 9 == 0) engine_settle(&w.live);
    }
    engine_settle(&w.live);
}

static u32 resting(void)
{
    return books_use(w.live.matching.books).orders;
}

/* Until as many rest as may. */
static void fill(u32 limit)
{
    for (u32 i = 0; i < 1000 && resting() < limit; i++) trade(1);
    assert_int_equal(resting(), limit);
}

/* Each record that a replica makes is the live one, to the byte. */
static int same_as_live(void *context, u32 log, const struct rec *rec)
{
    (void)context;
    if (log != LOG_MATCH(0)) return 0;
    const struct rec *live = log_peek(&w.made);
    if (!live || live->length != rec->length || memcmp(live, rec, rec->length) != 0)
        return err_set("match record %lu is another", rec->seq);
    const struct match_order *e = (const void *)rec;
    bool full = (rec->kind == MATCH_REJECTED && e->code == BOOK_CODE_CAPACITY) ||
                (rec->kind == MATCH_CANCELED && e->reason == REASON_CAPACITY);
    w.refused += full;
    log_advance(&w.made, live);
    return 0;
}

static void open_replica(u32 arena)
{
    struct replica_config c = {.params = &w.params,
                               .trading = true,
                               .market = true,
                               .matching_count = 1,
                               .sink = same_as_live};
    w.params.resting_max = arena;
    assert_int_equal(replica_open(&w.replica, &c), 0);
}

/* Commands after those it has, through `last`. */
static int feed(u64 last, u32 threads)
{
    static struct replay p;
    struct log_reader commands = w.live.commands;
    const struct rec *cmd;
    assert_int_equal(log_seek(&commands, w.replica.seq), 0);
    int rc = replay_begin(&p, &w.replica, threads);
    for (; !rc && (cmd = log_peek(&commands)) && cmd->seq <= last; log_advance(&commands, cmd))
        rc = replay_put(&p, cmd);
    return replay_end(&p, rc);
}

static void replica_is_live(void)
{
    assert_int_equal(w.replica.seq, w.live.command.seq);
    assert_int_equal(w.replica.matching[0].log.seq, w.live.match.seq);
    assert_int_equal(trading_checksum(&w.replica.trading), trading_checksum(&w.live.trading));
    for (u32 m = 0; m < FLOW_MARKETS; m++)
        assert_int_equal(book_checksum(w.replica.matching[0].machine->books, m),
                         book_checksum(w.live.matching.books, m));
}

static int replay_in(u32 arena, u32 threads)
{
    assert_int_equal(log_seek(&w.made, 0), 0);
    w.refused = 0;
    open_replica(arena);
    int rc = feed(UINT64_MAX, threads);
    if (!rc) replica_is_live();
    replica_close(&w.replica);
    return rc;
}

static void same_in(u32 arena)
{
    for (u32 threads = 1; threads <= 2; threads++)
        if (replay_in(arena, threads)) fail_msg("arena %u: %s", arena, err_text());
}

static void too_small(u32 arena)
{
    for (u32 threads = 1; threads <= 2; threads++) {
        assert_int_equal(replay_in(arena, threads), -1);
        if (!strstr(err_text(), "matching.orders_max is too small")) fail_msg("%s", err_text());
    }
}

static void arenas_turn_the_same_away(void **state)
{
    (void)state;
    engine_start(&w.live, 1, LIMIT);
    give();
    trade(1500);
    fill(LIMIT);
    same_in(LIMIT);
    assert_true(w.refused > 100);
    same_in(LIMIT + 1);
    same_in(ARENA);
    too_small(LIMIT - 1);
}

/* More, fewer than rest, and more again. What rests stays, and those who come wait until enough
 * have gone. */
static void each_start_says_how_many(void **state)
{
    (void)state;
    engine_start(&w.live, 1, LIMIT);
    give();
    trade(700);
    engine_start(&w.live, 1, 20);
    trade(1);
    assert_true(resting() > 20);
    u32 before = resting();
    trade(300);
    assert_true(resting() < before);
    engine_start(&w.live, 1, 3 * LIMIT);
    trade(900);
    fill(3 * LIMIT);
    same_in(3 * LIMIT);
    same_in(ARENA);
    too_small(3 * LIMIT - 1);
}

/* An arena that is smaller than what the log allows is no matter as long as all that rests fits. */
static void what_fits_replays(void **state)
{
    (void)state;
    engine_start(&w.live, 1, ARENA);
    give();
    trade(300);
    u32 most = resting();
    for (u32 i = 0; i < 20; i++) {
        trade(10);
        most = (u32)max_u64(most, resting());
    }
    assert_true(most < ARENA / 2);
    same_in(ARENA / 2);
    engine_start(&w.live, 1, most / 2);
    trade(300);
    same_in(ARENA / 2);
    assert_true(w.refused);
}

/* A matching process that comes back alone. */
static void load_alone(struct snapshot_reader *s, u64 orders, u32 arena, const char *option)
{
    struct topo_params p = w.params;
    struct replica_config c = {.params = &p, .matching_count = 1};
    p.orders_max = orders;
    p.resting_max = arena;
    assert_int_equal(replica_open(&w.replica, &c), 0);
    assert_int_equal(replica_load(&w.replica, s), option ? -1 : 0);
    if (option && !strstr(err_text(), option)) fail_msg("%s", err_text());
    replica_close(&w.replica);
}

static void snapshots_carry_the_number(void **state)
{
    (void)state;
    struct journal_dir j;
    struct snapshot_reader s;
    journal_dir_make(&j);
    engine_start(&w.live, 1, LIMIT);
    give();
    trade(600);
    u64 half = w.live.command.seq;
    trade(600);
    open_replica(LIMIT);
    assert_int_equal(feed(half, 1), 0);
    if (replica_save(&w.replica, j.path, j.dir.instance, NULL)) fail_msg("%s", err_text());
    u64 made = w.replica.matching[0].log.seq;
    replica_close(&w.replica);
    assert_int_equal(snapshot_open(&s, j.path, j.dir.instance, half), 0);
    for (u32 by_two = 0; by_two < 2; by_two++) {
        open_replica(ARENA);
        assert_int_equal(
            by_two ? replica_load_by_two(&w.replica, &s, j.path) : replica_load(&w.replica, &s), 0);
        assert_int_equal(books_use(w.replica.matching[0].machine->books).orders_limit, LIMIT);
        assert_int_equal(log_seek(&w.made, made), 0);
        assert_int_equal(feed(UINT64_MAX, 1 + by_two), 0);
        replica_is_live();
        replica_close(&w.replica);
    }
    load_alone(&s, w.params.orders_max, LIMIT, NULL);
    load_alone(&s, w.params.orders_max, LIMIT / 2, "raise matching.orders_max");
    load_alone(&s, 100, LIMIT, "trading.orders_max is too small");
    snapshot_close(&s);
    journal_dir_remove(&j);
}

/* The checksum of the state, too, is of what the next START changes. */
static void the_number_is_part_of_the_state(void **state)
{
    (void)state;
    give();
    u64 sum = trading_checksum(&w.live.trading);
    w.live.trading.rules->resting_max = 7;
    assert_true(trading_checksum(&w.live.trading) != sum);
}

/* Logs of builds that did not say: the arena is the limit, and replays with the same. */
static void old_logs_go_by_the_arena(void **state)
{
    drop(state);
    begin(LIMIT);
    log_old_start();
    give();
    trade(1500);
    fill(LIMIT);
    same_in(LIMIT);
    assert_true(w.refused > 100);
    engine_start(&w.live, 1, LIMIT / 2);
    trade(100);
    same_in(LIMIT);
    log_old_start(); /* an older build went on */
    trade(500);
    fill(LIMIT);
    same_in(LIMIT);
}

/* Slots of orders are named by the log, too: a table that is too small is told before a book makes
 * anything else of it. */
static void too_few_slots_make_no_other_record(void **state)
{
    (void)state;
    give();
    trade(300);
    w.params.orders_max = w.live.trading.orders->used - 20;
    for (u32 threads = 1; threads <= 2; threads++) {
        assert_int_equal(replay_in(ARENA, threads), -1);
        if (!strstr(err_text(), "trading.orders_max is too small")) fail_msg("%s", err_text());
    }
}

static void both_versions_read(void **state)
{
    (void)state;
    char *text;
    size_t length;
    log_old_start();
    engine_start(&w.live, 1, LIMIT);
    log_publish(&w.live.command);
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    for (u32 version = 1; version <= 2; version++) {
        const struct rec *rec = log_peek(&w.live.commands);
        assert_int_equal(rec->version, version);
        assert_null(kind_objection(rec, LOG_COMMAND));
        kind_print(rec, false, out);
        log_advance(&w.live.commands, rec);
    }
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, "version=1"));
    assert_non_null(strstr(text, "resting_max=64"));
    free(text);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        T(arenas_turn_the_same_away),
        T(each_start_says_how_many),
        T(what_fits_replays),
        T(snapshots_carry_the_number),
        T(the_number_is_part_of_the_state),
        T(old_logs_go_by_the_arena),
        T(too_few_slots_make_no_other_record),
        T(both_versions_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
