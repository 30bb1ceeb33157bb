/* Market data against the truth computed the slow way: levels from the resting orders, recent
 * trades from the list of all trades. Candles and tickers: test_market_candles.c. */
#include "tests/unit/test_market_world.h"

#define SEED 20240607U

static struct market_depth depth;

static int by_price(const void *a, const void *b)
{
    const struct market_level *x = a, *y = b;
    return (x->price > y->price) - (x->price < y->price);
}

/* All levels of a side, best first. */
static u32 true_levels(u32 market, u8 side, struct market_level *out)
{
    u32 count = 0, merged = 0;
    for (u32 i = 0; i < world.events.count; i++) {
        const struct resting *o = &world.events.orders[i];
        if (o->market == market && o->side == side)
            out[count++] = (struct market_level){o->price, o->lots, 1};
    }
    qsort(out, count, sizeof *out, by_price);
    for (u32 i = 0; i < count; i++)
        if (merged && out[merged - 1].price == out[i].price) {
            out[merged - 1].lots += out[i].lots;
            out[merged - 1].orders++;
        } else out[merged++] = out[i];
    for (u32 i = 0; side == SIDE_BUY && i < merged / 2; i++) {
        struct market_level l = out[i];
        out[i] = out[merged - 1 - i];
        out[merged - 1 - i] = l;
    }
    return merged;
}

static void check_side(u32 market, u8 side, const struct market_level *got, u32 count, u32 limit)
{
    static struct market_level truth[EVENTS_ORDERS_MAX];
    u32 levels = true_levels(market, side, truth);
    assert_int_equal(count, min_u64(levels, limit));
    assert_memory_equal(got, truth, count * sizeof *got);
}

static void check_depth(u32 market, u32 limit)
{
    assert_int_equal(market_read_depth(world.data, market, limit, &depth), 0);
    assert_int_equal(depth.sequence, world.sequence[market]);
    assert_int_equal(market_sequence(world.data, market), world.sequence[market]);
    check_side(market, SIDE_BUY, depth.bids, depth.bid_count, limit);
    check_side(market, SIDE_SELL, depth.asks, depth.ask_count, limit);
}

static void check_trades(u32 market, u32 max)
{
    static struct market_trade got[200];
    int count = market_read_trades(world.data, market, got, max);
    assert_in_range(count, 0, 50);
    int seen = 0;
    for (u32 i = world.trade_count; i-- > 0 && seen < count;)
        if (world.trades[i].market == market)
            assert_memory_equal(&got[seen++], &world.trades[i].trade, sizeof got[0]);
    assert_int_equal(seen, count);
    u64 newest = market_trade_number(world.data, market);
    assert_int_equal(count, min_u64(min_u64(newest, max), 50));
}

/* No chunk but the first of a side is empty, and neighbours are not both nearly so. */
static void check_chunks(void)
{
    for (u32 first = 0; first < 2 * world.events.markets; first++) {
        u32 before = CHUNK_CELLS, at = market_chunk(world.data, first)->next[0];
        for (; at; at = market_chunk(world.data, at)->next[0]) {
            u32 count = market_chunk(world.data, at)->count;
            assert_in_range(count, 1, CHUNK_CELLS);
            assert_true(before + count > CHUNK_MERGE);
            before = count;
        }
    }
}

static void check_all(void)
{
    for (u32 market = 0; market < world.events.markets; market++) {
        check_depth(market, (u32[]){0, 1, 20, 1000}[world.events.seq % 4]);
        check_trades(market, (u32[]){1, 7, 200}[world.events.seq % 3]);
    }
    assert_int_equal(market_through(world.data, 0), world.events.seq);
    check_chunks();
}

/* Narrow and wide books that grow and shrink, in slow and fast time. */
static void equals_the_slow_truth(void **state)
{
    static const struct {
        u64 spread, step_ns;
        u32 target, steps;
    } phases[] = {
        {10, 20000000, 100, 6000},        {300, 20000000, 600, 6000},
        {5000, 5 * MINUTE, 3000, 20000},  {5000, 20 * MINUTE, 50, 12000},
        {1000000, 20000000, 3000, 12000}, {1000000, 20000000, 0, 12000},
        {300, 600 * MINUTE, 300, 6000},
    };
    (void)state;
    world_begin(&small, SEED);
    for (u32 p = 0; p < COUNT_OF(phases); p++) {
        world.events.spread = phases[p].spread;
        world.events.target = phases[p].target;
        world.events.step_ns = phases[p].step_ns;
        for (u32 i = 0; i < phases[p].steps; i++) {
            world_step();
            if (i % 251 == 0) check_all();
        }
        check_all();
    }
}

static void one_level(u64 price, bool open)
{
    struct events *e = &world.events;
    record_head(e, &record, open ? MATCH_OPENED : MATCH_CANCELED, sizeof record.order);
    record.order.side = SIDE_BUY;
    record.order.price = price;
    record.order.lots = 1;
    record.order.was_resting = 1;
    if (market_apply(world.data, 0, &record.head)) fail_msg("%s", err_text());
}

/* Fill to the brim, thin out in order, in whichever direction, and fill again elsewhere. */
static void thinned_books_give_their_room_back(void **state)
{
    (void)state;
    struct market_config config = small;
    config.levels_max = 2000;
    world_begin(&config, SEED + 8);
    for (u64 round = 0; round < 12; round++) {
        u64 base = 1000000 * (round + 1), size = 2000 - market_use(world.data).levels;
        u64 gap = 5 + draw(&world.events, 40);
        for (u64 i = 0; i < size; i++) one_level(base + (round & 1 ? i : size - i), true);
        check_chunks();
        assert_int_equal(market_use(world.data).levels, 2000);
        for (u64 i = 1; i < size; i++) {
            u64 at = round & 2 ? i : size - i;
            if (at % gap) one_level(base + at, false);
        }
        check_chunks();
    }
}

/* However levels come and go, as many as promised find room. */
static void arena_holds_what_it_promises(void **state)
{
    (void)state;
    struct market_config config = small;
    config.levels_max = 2000;
    world_begin(&config, SEED + 1);
    struct events *e = &world.events;
    e->markets = 1;
    e->spread = 1UL << 22;
    e->trade_pct = 0;
    for (u32 round = 0; round < 30; round++) {
        while (market_use(world.data).levels < 2000) {
            if (e->count == EVENTS_ORDERS_MAX) fail_msg("prices collide too often");
            event_open(e, &record);
            if (market_apply(world.data, 0, &record.head)) fail_msg("%s", err_text());
        }
        struct market_use use = market_use(world.data);
        assert_in_range(use.chunks, 2000 / 40, use.chunks_max);
        u64 sum = market_checksum(world.data);
        static struct events before;
        before = *e;
        event_open(e, &record);
        if (market_apply(world.data, 0, &record.head)) { /* but never one more */
            assert_non_null(strstr(err_text(), "all 2000 levels are in use"));
            assert_int_equal(market_checksum(world.data), sum);
            *e = before;
        }
        u32 keep = (u32)draw(e, 400);
        while (e->count > keep) {
            event_take(e, &record);
            if (market_apply(world.data, 0, &record.head)) fail_msg("%s", err_text());
        }
    }
}

/* A follower that starts from a depth and applies changes has the depth of every later moment. */
static void changes_lead_from_depth_to_depth(void **state)
{
    static struct market_level book[2][4096];
    static struct market_change changes[64];
    (void)state;
    world_begin(&small, SEED + 2);
    world.events.target = 300;
    world.events.markets = 1;
    u64 since = 0;
    u32 counts[2] = {0, 0};
    for (u32 i = 0; i < 20000; i++) {
        world_step();
        if (draw(&world.events, 30)) continue;
        int count = market_read_changes(world.data, 0, since, changes, 64);
        if (count == MARKET_LAPPED) {
            assert_true(world.sequence[0] - since > 64);
            check_depth(0, 1000);
            counts[0] = depth.bid_count;
            counts[1] = depth.ask_count;
            memcpy(book[0], depth.bids, counts[0] * sizeof book[0][0]);
            memcpy(book[1], depth.asks, counts[1] * sizeof book[1][0]);
            since = depth.sequence;
            continue;
        }
        assert_int_equal(count, world.sequence[0] - since);
        for (int c = 0; c < count; c++) {
            u32 side = changes[c].side == SIDE_SELL, at = 0;
            assert_int_equal(changes[c].sequence, ++since);
            while (at < counts[side] && book[side][at].price != changes[c].price) at++;
            if (at == counts[side]) counts[side]++;
            book[side][at] =
                (struct market_level){changes[c].price, changes[c].lots, changes[c].orders};
            if (!changes[c].lots) book[side][at] = book[side][--counts[side]];
        }
        check_depth(0, 1000);
        assert_int_equal(counts[0], depth.bid_count);
        assert_int_equal(counts[1], depth.ask_count);
        for (u32 side = 0; side < 2; side++) {
            static struct market_level sorted[4096];
            memcpy(sorted, book[side], counts[side] * sizeof sorted[0]);
            qsort(sorted, counts[side], sizeof sorted[0], by_price);
            for (u32 at = 0; at < counts[side]; at++)
                assert_memory_equal(&sorted[at],
                                    side ? &depth.asks[at] : &depth.bids[counts[0] - 1 - at],
                                    sizeof sorted[0]);
        }
    }
}

static void readers_are_told_that_they_were_lapped(void **state)
{
    static struct market_change changes[100];
    static struct market_trade trades[200];
    (void)state;
    world_begin(&small, SEED + 3);
    world.events.markets = 1;
    for (u32 i = 0; i < 3000; i++) world_step();
    u64 head = world.sequence[0], newest = market_trade_number(world.data, 0);
    assert_int_equal(market_read_changes(world.data, 0, head, changes, 100), 0);
    assert_int_equal(market_read_changes(world.data, 0, head + 9, changes, 100), 0);
    assert_int_equal(market_read_changes(world.data, 0, head - 64, changes, 100), 64);
    assert_int_equal(changes[0].sequence, head - 63);
    assert_int_equal(market_read_changes(world.data, 0, head - 64, changes, 10), 10);
    assert_int_equal(market_read_changes(world.data, 0, head - 65, changes, 100), MARKET_LAPPED);
    assert_int_equal(market_read_changes(world.data, 0, 0, changes, 100), MARKET_LAPPED);
    assert_int_equal(market_read_trades_since(world.data, 0, newest, trades, 200), 0);
    assert_int_equal(market_read_trades_since(world.data, 0, newest - 50, trades, 200), 50);
    assert_int_equal(trades[49].number, newest);
    assert_int_equal(market_read_trades_since(world.data, 0, newest - 50, trades, 3), 3);
    assert_int_equal(trades[2].number, newest - 47);
    assert_int_equal(market_read_trades_since(world.data, 0, 0, trades, 200), MARKET_LAPPED);
}

/* ---- Saving ---- */

struct tape {
    u8 bytes[4 << 20];
    u64 written, read, limit;
};
static struct tape tape;

static int tape_write(void *context, const void *data, u64 bytes)
{
    struct tape *t = context;
    if (t->written + bytes > t->limit) return err_set("tape full at %lu", t->written);
    memcpy(t->bytes + t->written, data, bytes);
    t->written += bytes;
    return 0;
}

static int tape_read(void *context, void *data, u64 bytes)
{
    struct tape *t = context;
    if (t->read + bytes > t->written) return err_set("tape ends at %lu", t->written);
    memcpy(data, t->bytes + t->read, bytes);
    t->read += bytes;
    return 0;
}

static void rewind_tape(u64 limit)
{
    tape.written = tape.read = 0;
    tape.limit = limit;
}

static const struct market_config larger = {.markets_max = 9,
                                            .levels_max = 50000,
                                            .recent_trades = 50,
                                            .changes_max = 1024,
                                            .candles = CANDLES};

/* The state goes on elsewhere, whatever the sizes there, as if nothing had happened. */
static void saved_state_goes_on_elsewhere(void **state)
{
    world_begin(&small, SEED + 5);
    for (u32 round = 0; round < 8; round++) {
        world.events.step_ns = round % 2 ? 10 * MINUTE : 20000000;
        world.events.spread = round < 4 ? 100 : 100000;
        for (u32 i = 0; i < 3000; i++) world_step();
        rewind_tape(sizeof tape.bytes);
        assert_int_equal(market_save(world.data, tape_write, &tape), 0);
        struct market_data *copy = make(round % 2 ? &small : &larger);
        assert_int_equal(market_load(copy, tape_read, &tape), 0);
        assert_int_equal(tape.read, tape.written);
        assert_int_equal(market_checksum(copy), market_checksum(world.data));
        for (u32 i = 0; i < 500; i++) {
            world_step();
            assert_int_equal(market_apply(copy, 0, &record.head), 0);
        }
        assert_int_equal(market_checksum(copy), market_checksum(world.data));
        world_end(state);
        world.data = copy;
        market_set_ready(copy, true);
        check_all();
    }
}

static void numbers_go_on_after_a_load(void **state)
{
    static struct market_change changes[64];
    (void)state;
    world_begin(&small, SEED + 6);
    world.events.markets = 1;
    for (u32 i = 0; i < 500; i++) world_step();
    rewind_tape(sizeof tape.bytes);
    assert_int_equal(market_save(world.data, tape_write, &tape), 0);
    market_new(world.data, &small);
    assert_int_equal(market_load(world.data, tape_read, &tape), 0);
    market_set_ready(world.data, true);
    u64 saved = world.sequence[0];
    while (world.sequence[0] < saved + 10) world_step();
    assert_int_equal(market_read_changes(world.data, 0, saved, changes, 64), 10);
    assert_int_equal(changes[0].sequence, saved + 1);
    assert_int_equal(market_read_changes(world.data, 0, saved - 1, changes, 64), MARKET_LAPPED);
}

/* Put the levels of one object into another. */
static void copy_levels(struct market_data *to, const struct market_data *from, u32 market)
{
    static struct market_level levels[2][4096];
    struct market_sides s = {.levels = {levels[0], levels[1]}, .max = 4096};
    assert_int_equal(market_read_sides(from, market, &s), 0);
    for (u32 side = 0; side < 2; side++) {
        assert_false(s.cut[side]);
        for (u32 i = 0; i < s.count[side]; i++) {
            const struct market_level *l = &levels[side][i];
            assert_int_equal(market_add_level(to, market, side ? SIDE_SELL : SIDE_BUY, l->price,
                                              l->lots, (u32)l->orders),
                             0);
        }
    }
}

/* Levels that were left out for a while and put back make no difference, time and again. */
static void levels_may_be_left_out(void **state)
{
    static struct market_change changes[64];
    (void)state;
    world_begin(&small, SEED + 8);
    struct market_data *lean = make(&larger);
    open_markets(lean, world.events.markets);
    for (u32 round = 0; round < 6; round++) {
        bool left = round % 3 != 2;
        if (left) market_leave_levels(lean);
        for (u32 i = 0; i < 2000; i++) {
            world_step();
            assert_int_equal(market_apply(lean, 0, &record.head), 0);
        }
        assert_true(!left || market_use(lean).levels == 0);
        for (u32 market = 0; left && market < world.events.markets; market++)
            copy_levels(lean, world.data, market);
        if (left) market_keep_levels(lean);
        assert_int_equal(market_checksum(lean), market_checksum(world.data));
        assert_int_equal(market_use(lean).levels, market_use(world.data).levels);
    }
    market_leave_levels(lean);
    for (u32 market = 0; market < world.events.markets; market++)
        copy_levels(lean, world.data, market);
    market_keep_levels(lean);
    market_set_ready(lean, true);
    u64 through = world.sequence[0];
    assert_int_equal(market_read_changes(lean, 0, through, changes, 64), 0);
    assert_int_equal(market_read_changes(lean, 0, through - 1, changes, 64), MARKET_LAPPED);
    free(lean);
}

static void damaged_state_is_refused(void **state)
{
    (void)state;
    world_begin(&small, SEED + 7);
    for (u32 i = 0; i < 300; i++) world_step();
    rewind_tape(sizeof tape.bytes);
    assert_int_equal(market_save(world.data, tape_write, &tape), 0);
    u64 whole = tape.written;
    struct market_data *copy = make(&small);
    for (u64 cut = 0; cut < whole; cut += 8 * (1 + cut % 13)) {
        rewind_tape(0);
        tape.written = cut;
        market_new(copy, &small);
        assert_int_equal(market_load(copy, tape_read, &tape), -1);
        assert_non_null(strstr(err_text(), "loading market data"));
    }
    /* Any word of it changed: an error, or a state that is another; never more. */
    for (u64 at = 0; at < whole; at += 8) {
        rewind_tape(0);
        tape.written = whole;
        tape.bytes[at + at / 8 % 8] ^= 0x40;
        market_new(copy, &small);
        if (!market_load(copy, tape_read, &tape))
            assert_int_not_equal(market_checksum(copy), market_checksum(world.data));
        tape.bytes[at + at / 8 % 8] ^= 0x40;
    }
    free(copy);
    rewind_tape(1000);
    assert_int_equal(market_save(world.data, tape_write, &tape), -1);
    assert_string_equal(err_text(), "saving market data: tape full at 0");
}

/* ---- Refusals ---- */

static void refuse(const char *why)
{
    u64 sum = market_checksum(world.data);
    assert_int_equal(market_apply(world.data, 0, &record.head), -1);
    if (!strstr(err_text(), why)) fail_msg("\"%s\" does not say \"%s\"", err_text(), why);
    assert_int_equal(market_checksum(world.data), sum);
    world.events.seq--;
}

static void open_at(u64 price, u64 lots)
{
    record_head(&world.events, &record, MATCH_OPENED, sizeof record.order);
    record.order.side = SIDE_BUY;
    record.order.price = price;
    record.order.lots = lots;
}

static void records_that_cannot_be_are_refused(void **state)
{
    (void)state;
    world_begin(&small, SEED);
    open_at(100, 5);
    assert_int_equal(market_apply(world.data, 0, &record.head), 0);
    u64 sum = market_checksum(world.data);
    assert_int_equal(market_apply(world.data, 0, &record.head), 0); /* again: skipped */
    assert_int_equal(market_checksum(world.data), sum);
    open_at(100, 0);
    refuse("record 2: no level has side 1, price 100, 0 lots");
    open_at(100, UINT64_MAX);
    refuse("price 100 would hold 2^64 lots");
    open_at(100, 1);
    record.order.market = 3;
    refuse("market 3 is not open here");
    open_at(100, 1);
    record.head.kind = 39;
    refuse("kind 39 is unknown to this build");
    open_at(100, 1);
    record.head.version = 2;
    refuse("version 2 of kind 32 is unknown");
    open_at(101, 5);
    record.head.kind = MATCH_CANCELED;
    record.order.was_resting = 1;
    refuse("takes 5 lots and 1 orders off price 101, where 0 lots in 0 orders stand");
    open_at(100, 4);
    record.head.kind = MATCH_CANCELED;
    record.order.was_resting = 1;
    refuse("takes 4 lots and 1 orders off price 100, where 5 lots in 1 orders stand");
    open_at(100, 1);
    record.head.seq++;
    refuse("match log 0 goes on at record 3, but 2 comes next");
    open_at(100, 1);
    record.head.seq = 1;
    assert_int_equal(market_apply(world.data, 1, &record.head), -1);
    assert_non_null(strstr(err_text(), "market 0 is not open here for matching 1"));
}

static void sizes_and_markets_are_checked(void **state)
{
    (void)state;
    struct market_config bad[] = {small, small, small, small, small, small, small};
    bad[0].markets_max = 257;
    bad[1].levels_max = 0;
    bad[2].recent_trades = 0;
    bad[3].changes_max = 63;
    bad[4].changes_max = 96;
    bad[5].candles[INTERVAL_1H] = 24;
    bad[6].candles[INTERVAL_1W] = MARKET_CANDLES_MOST + 1;
    for (u32 i = 0; i < COUNT_OF(bad); i++) assert_int_equal(market_footprint(&bad[i]), 0);
    alignas(CACHE_LINE) u64 nothing[128] = {0};
    assert_null(market_new(nothing, &bad[4]));
    assert_non_null(strstr(err_text(), "changes 96 (a power of two"));
    assert_null(market_join((void *)nothing));
    world_begin(&small, SEED);
    assert_int_equal(market_add(world.data, 0, 0, EVENTS_TICK_LOT), 0);
    assert_int_equal(market_add(world.data, 0, 1, EVENTS_TICK_LOT), -1);
    assert_int_equal(market_add(world.data, 4, 0, EVENTS_TICK_LOT), -1);
    assert_non_null(strstr(err_text(), "beyond klines.markets_max 4"));
    assert_int_equal(market_add(world.data, 3, MARKET_LOGS_MAX, 1), -1);
    assert_int_equal(market_add(world.data, 3, 0, 0), -1);
}

static void readers_wait_while_it_is_rebuilt(void **state)
{
    struct market_ticker t;
    struct market_trade trade;
    struct market_change change;
    (void)state;
    world_begin(&small, SEED);
    for (u32 i = 0; i < 100; i++) world_step();
    assert_int_equal(market_read_depth(world.data, 3, 5, &depth), MARKET_UNKNOWN);
    assert_int_equal(market_read_depth(world.data, 70000, 5, &depth), MARKET_UNKNOWN);
    assert_int_equal(market_read_ticker(world.data, 3, 0, &t), MARKET_UNKNOWN);
    for (u32 i = 0; i < 2; i++) {
        if (i) market_new(world.data, &small);
        else market_set_ready(world.data, false);
        assert_int_equal(market_read_depth(world.data, 0, 5, &depth), MARKET_BUSY);
        assert_int_equal(market_read_ticker(world.data, 0, 0, &t), MARKET_BUSY);
        assert_int_equal(market_read_trades(world.data, 0, &trade, 1), MARKET_BUSY);
        assert_int_equal(market_read_changes(world.data, 0, 0, &change, 1), MARKET_BUSY);
        market_set_ready(world.data, true);
    }
    assert_int_equal(market_read_depth(world.data, 0, 5, &depth), MARKET_UNKNOWN);
    u64 head = atomic_load(market_head(world.data));
    market_publish(world.data);
    assert_int_equal(atomic_load(market_head(world.data)), head + 1);
    market_delete(market_leave(world.data));
    assert_null(market_join(world.data));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(equals_the_slow_truth, world_end),
        cmocka_unit_test_teardown(arena_holds_what_it_promises, world_end),
        cmocka_unit_test_teardown(thinned_books_give_their_room_back, world_end),
        cmocka_unit_test_teardown(changes_lead_from_depth_to_depth, world_end),
        cmocka_unit_test_teardown(readers_are_told_that_they_were_lapped, world_end),
        cmocka_unit_test_teardown(saved_state_goes_on_elsewhere, world_end),
        cmocka_unit_test_teardown(numbers_go_on_after_a_load, world_end),
        cmocka_unit_test_teardown(levels_may_be_left_out, world_end),
        cmocka_unit_test_teardown(damaged_state_is_refused, world_end),
        cmocka_unit_test_teardown(records_that_cannot_be_are_refused, world_end),
        cmocka_unit_test_teardown(sizes_and_markets_are_checked, world_end),
        cmocka_unit_test_teardown(readers_wait_while_it_is_rebuilt, world_end),
    };
    printf("seed %u\n", SEED);
    return cmocka_run_group_tests_name("market", tests, NULL, NULL);
}
