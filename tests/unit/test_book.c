/* The order book case by case: the rules of orders one at a time, room, names of failures, life of
 * the object. Random sequences against a model are in test_book_model.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "shm/book_accounts.h"
#include "shm/err.h"

#define ID(slot) (1UL << 32 | (slot))

static struct books *b;
static struct book_event e[64];
static struct book_events out = {.at = e, .max = COUNT_OF(e)};

static int setup_sized(struct books_config config)
{
    void *mem = aligned_alloc(books_align(), books_footprint(&config));
    b = books_join(books_new(mem, &config));
    return b && books_open(b, 0) == 0 ? 0 : -1;
}

static int setup(void **state)
{
    (void)state;
    return setup_sized((struct books_config){.markets_max = 2, .orders_max = 64, .slots_max = 256});
}

static int teardown(void **state)
{
    (void)state;
    free(books_delete(books_leave(b)));
    return 0;
}

/* A request whose events fit the buffer. */
static u32 submit(struct book_order o)
{
    out.count = 0;
    if (!o.tif) o.tif = BOOK_GTC;
    assert_int_equal(book_submit(b, &o, &out), BOOK_DONE);
    return out.count;
}

static void rest(u64 slot, u8 side, u64 price, u64 lots, u32 account)
{
    struct book_order o = {
        .id = ID(slot), .price = price, .lots = lots, .account = account, .side = side};
    assert_int_equal(submit(o), 1);
    assert_int_equal(e[0].kind, BOOK_RESTED);
}

static void assert_event(u32 i, u8 kind, u16 code, u64 id, u64 lots)
{
    assert_true(i < out.count);
    assert_int_equal(e[i].kind, kind);
    assert_int_equal(e[i].code, code);
    assert_int_equal(e[i].id, id);
    assert_int_equal(e[i].lots, lots);
}

static void price_then_time(void **state)
{
    (void)state;
    rest(1, BOOK_SELL, 102, 5, 1);
    rest(2, BOOK_SELL, 101, 5, 2);
    rest(3, BOOK_SELL, 101, 5, 3);
    struct book_order taker = {
        .id = ID(9), .price = 105, .lots = 12, .account = 7, .side = BOOK_BUY};
    assert_int_equal(submit(taker), 4);
    static const u64 makers[] = {ID(2), ID(3), ID(1)}, lots[] = {5, 5, 2}, at[] = {101, 101, 102};
    for (u32 i = 0; i < 3; i++) {
        assert_event(i, BOOK_TRADE, 0, ID(9), lots[i]);
        assert_int_equal(e[i].maker, makers[i]);
        assert_int_equal(e[i].price, at[i]); /* the maker's, not the taker's 105 */
    }
    assert_int_equal(e[2].maker_left, 3);
    assert_event(3, BOOK_FILLED, 0, ID(9), 0);
    assert_int_equal(book_lots_at(b, 0, BOOK_SELL, 102), 3);
}

static void fill_or_kill(void **state)
{
    (void)state;
    rest(1, BOOK_SELL, 100, 5, 1);
    rest(2, BOOK_SELL, 101, 5, 7);
    struct book_order o = {.id = ID(9),
                           .price = 101,
                           .lots = 10,
                           .account = 7,
                           .side = BOOK_BUY,
                           .tif = BOOK_FOK,
                           .stp = BOOK_STP_CANCEL_MAKER};
    u64 before = book_checksum(b, 0);
    assert_int_equal(submit(o), 1); /* the own order is no liquidity, and is not cancelled either */
    assert_event(0, BOOK_CANCELED, BOOK_BY_FOK, ID(9), 10);
    assert_int_equal(book_checksum(b, 0), before);
    rest(3, BOOK_SELL, 101, 5, 2);
    assert_int_equal(submit(o), 4);
    assert_event(0, BOOK_TRADE, 0, ID(9), 5);
    assert_event(1, BOOK_CANCELED, BOOK_BY_STP_MAKER, ID(2), 5);
    assert_event(2, BOOK_TRADE, 0, ID(9), 5);
    assert_event(3, BOOK_FILLED, 0, ID(9), 0);
}

/* Refused only if the own order would really be reached. */
static void self_trade_rejected(void **state)
{
    (void)state;
    rest(1, BOOK_BUY, 100, 5, 1);
    rest(2, BOOK_BUY, 100, 5, 7);
    struct book_order o = {.id = ID(9), .price = 100, .lots = 6, .account = 7, .side = BOOK_SELL};
    assert_int_equal(submit(o), 1);
    assert_event(0, BOOK_REJECTED, BOOK_CODE_SELF_TRADE, ID(9), 6);
    o.lots = 5;
    assert_int_equal(submit(o), 2);
    assert_event(1, BOOK_FILLED, 0, ID(9), 0);
}

/* Once an account's orders are gone, young and old, nothing says that it may have any: else reject
 * would walk whole sweeps for nothing. */
static void no_own_orders(void **state)
{
    (void)state;
    teardown(NULL);
    setup_sized(
        (struct books_config){.markets_max = 1, .orders_max = 200, .slots_max = 200 * 4096});
    for (u32 round = 0; round < 2; round++) {
        for (u64 i = 1; i < 200; i++) { /* slots that push each other out of the young */
            assert_int_equal(book_account_may_have(b, 7, 0), i > 1);
            rest(i * 4096 + i % 3, BOOK_BUY, 50 + i % 9, 1, 7);
        }
        assert_true(book_account_may_have(b, 7, 0));
        assert_false(book_account_may_have(b, 7, 1));
        for (u64 i = 1; i < 200; i++) {
            out.count = 0;
            if (round == 0) book_cancel(b, ID(i * 4096 + i % 3), BOOK_BY_USER, &out);
        }
        struct book_order taker = {
            .id = ID(5), .price = 1, .lots = 199, .account = 8, .side = BOOK_SELL};
        if (round == 1) {
            for (int status = (out.count = 0, taker.tif = BOOK_GTC, book_submit(b, &taker, &out));
                 status == BOOK_MORE; status = book_continue(b, &out)) {
                out.count = 0;
            }
        }
        assert_int_equal(book_orders(b, 0), 0);
        assert_false(book_account_may_have(b, 7, 0));
    }
}

/* The order of checks: post-only before self trade before fill-or-kill. */
static void order_of_checks(void **state)
{
    (void)state;
    rest(1, BOOK_BUY, 100, 5, 7);
    struct book_order o = {
        .id = ID(9), .price = 100, .lots = 9, .account = 7, .side = BOOK_SELL, .tif = BOOK_GTX};
    submit(o);
    assert_event(0, BOOK_REJECTED, BOOK_CODE_WOULD_TAKE, ID(9), 9);
    o.tif = BOOK_FOK;
    submit(o);
    assert_event(0, BOOK_REJECTED, BOOK_CODE_SELF_TRADE, ID(9), 9);
    o.stp = BOOK_STP_CANCEL_BOTH;
    submit(o);
    assert_event(0, BOOK_CANCELED, BOOK_BY_FOK, ID(9), 9);
}

static void budgets(void **state)
{
    (void)state;
    rest(1, BOOK_SELL, 10, 3, 1);
    rest(2, BOOK_SELL, 20, 3, 1);
    struct book_order o = {.id = ID(9),
                           .price = 30,
                           .lots = BOOK_LOTS_MAX,
                           .budget = 9,
                           .account = 7,
                           .side = BOOK_BUY,
                           .tif = BOOK_IOC};
    submit(o); /* not even one lot */
    assert_event(0, BOOK_CANCELED, BOOK_BY_BUDGET, ID(9), BOOK_LOTS_MAX);
    o.budget = 30 + 20 + 19;
    assert_int_equal(submit(o), 3); /* 3 at 10, 1 at 20, and 19 buy no further lot */
    assert_event(0, BOOK_TRADE, 0, ID(9), 3);
    assert_event(1, BOOK_TRADE, 0, ID(9), 1);
    assert_event(2, BOOK_FILLED, 0, ID(9), 0);
    o.budget = 1000;
    assert_int_equal(submit(o), 2); /* the book ends before the budget */
    assert_event(1, BOOK_CANCELED, BOOK_BY_IOC, ID(9), BOOK_LOTS_MAX - 2);
}

static void amend_keeps_or_loses_priority(void **state)
{
    (void)state;
    rest(1, BOOK_BUY, 100, 5, 1);
    rest(2, BOOK_BUY, 100, 5, 2);
    out.count = 0;
    book_amend(b, ID(1), 0, 3, 0, &out);
    assert_event(0, BOOK_REDUCED, 0, ID(1), 2);
    struct book_order o;
    book_at(b, book_first(b, 0, BOOK_BUY), &o);
    assert_int_equal(o.id, ID(1));
    out.count = 0;
    book_amend(b, ID(1), 0, 4, 0, &out);
    assert_event(0, BOOK_AMENDED, 0, ID(1), 3);
    assert_event(1, BOOK_RESTED, 0, ID(1), 4);
    book_at(b, book_first(b, 0, BOOK_BUY), &o);
    assert_int_equal(o.id, ID(2));
}

/* A stale id never hits a newer order, not even in the same slot and the same cell. */
static void stale_ids(void **state)
{
    (void)state;
    rest(5, BOOK_BUY, 100, 1, 1);
    out.count = 0;
    book_cancel(b, ID(5), BOOK_BY_USER, &out);
    assert_event(0, BOOK_CANCELED, BOOK_BY_USER, ID(5), 1);
    struct book_order again = {
        .id = 2UL << 32 | 5, .price = 100, .lots = 1, .account = 1, .side = BOOK_BUY};
    submit(again);
    out.count = 0;
    book_cancel(b, ID(5), BOOK_BY_USER, &out);
    assert_event(0, BOOK_REJECTED, BOOK_CODE_UNKNOWN, ID(5), 0);
    out.count = 0;
    book_cancel(b, ID(255), BOOK_BY_USER, &out);
    book_cancel(b, ID(256), BOOK_BY_USER, &out); /* no such slot */
    book_cancel(b, 0, BOOK_BY_USER, &out);
    book_cancel(b, UINT64_MAX, BOOK_BY_USER, &out);
    for (u32 i = 0; i < 4; i++) assert_int_equal(e[i].code, BOOK_CODE_UNKNOWN);
    assert_int_equal(book_orders(b, 0), 1);
}

static void full_arena_is_a_rejection(void **state)
{
    (void)state;
    for (u64 i = 0; i < 64; i++) rest(i, BOOK_BUY, 1 + i * 1000003, 1, 1);
    struct book_order o = {.id = ID(100), .price = 7, .lots = 1, .side = BOOK_BUY, .account = 1};
    submit(o);
    assert_event(0, BOOK_REJECTED, BOOK_CODE_CAPACITY, ID(100), 1);
    out.count = 0;
    book_cancel(b, ID(30), BOOK_BY_USER, &out);
    rest(100, BOOK_BUY, 7, 1, 1);
}

static void full_levels_are_a_rejection(void **state)
{
    (void)state;
    teardown(NULL);
    setup_sized(
        (struct books_config){.markets_max = 1, .orders_max = 8, .levels_max = 2, .slots_max = 16});
    rest(1, BOOK_BUY, 100, 1, 1);
    rest(2, BOOK_BUY, 200, 1, 1);
    struct book_order o = {.id = ID(3), .price = 300, .lots = 1, .side = BOOK_BUY, .account = 1};
    submit(o);
    assert_event(0, BOOK_REJECTED, BOOK_CODE_CAPACITY, ID(3), 1);
    rest(4, BOOK_BUY, 200, 1, 1);
    out.count = 0;
    book_amend(b, ID(4), 300, 1, 0, &out); /* it has left its level, and the other has no room */
    assert_event(0, BOOK_AMENDED, 0, ID(4), 1);
    assert_event(1, BOOK_CANCELED, BOOK_BY_CAPACITY, ID(4), 1);
    assert_int_equal(books_use(b).orders, 2);
    assert_int_equal(books_use(b).levels, 2);
}

/* The limit of orders is a number, not the arena: it may change, and binds only who would come. */
static void the_limit_turns_away(void **state)
{
    (void)state;
    struct book_order o = {.id = ID(9), .price = 100, .lots = 7, .side = BOOK_BUY, .account = 1};
    books_limit(b, 2);
    rest(1, BOOK_SELL, 100, 5, 2);
    rest(2, BOOK_SELL, 200, 5, 2);
    assert_int_equal(submit((struct book_order){
                         .id = ID(3), .price = 201, .lots = 5, .side = BOOK_SELL, .account = 2}),
                     1);
    assert_event(0, BOOK_REJECTED, BOOK_CODE_CAPACITY, ID(3), 5);
    assert_int_equal(submit(o), 2); /* takes one away, and has its place */
    assert_event(1, BOOK_RESTED, 0, ID(9), 2);
    assert_int_equal(submit((struct book_order){
                         .id = ID(3), .price = 100, .lots = 4, .side = BOOK_SELL, .account = 2}),
                     2); /* so has this one */
    assert_event(1, BOOK_RESTED, 0, ID(3), 2);
    books_limit(b, 1);
    assert_int_equal(submit((struct book_order){
                         .id = ID(4), .price = 100, .lots = 3, .side = BOOK_BUY, .account = 1}),
                     2); /* one is left, as many as may be */
    assert_event(1, BOOK_CANCELED, BOOK_BY_CAPACITY, ID(4), 1);
    o.id = ID(5);
    assert_int_equal(book_restore(b, &o), 0); /* a snapshot may hold more */
    assert_int_equal(books_use(b).orders, 2);
    assert_int_equal(books_use(b).orders_limit, 1);
    books_limit(b, 0);
    assert_int_equal(books_use(b).orders_limit, 64);
    rest(6, BOOK_BUY, 100, 1, 1);
}

/* The sum of a level stays within 64 bits. */
static void level_sums_do_not_wrap(void **state)
{
    (void)state;
    for (u64 i = 0; i < 3; i++) rest(i, BOOK_BUY, 100, BOOK_LOTS_MAX, 1);
    struct book_order o = {
        .id = ID(9), .price = 100, .lots = BOOK_LOTS_MAX, .side = BOOK_BUY, .account = 1};
    submit(o);
    assert_event(0, BOOK_REJECTED, BOOK_CODE_CAPACITY, ID(9), BOOK_LOTS_MAX);
    assert_int_equal(book_lots_at(b, 0, BOOK_BUY, 100), 3 * BOOK_LOTS_MAX);
}

/* A sweep and a mass cancel through a buffer of four events give every event once, in order. */
static void small_buffers(void **state)
{
    struct book_event four[BOOK_EVENTS_MIN] = {0};
    struct book_events little = {.at = four, .max = BOOK_EVENTS_MIN};
    (void)state;
    for (u64 i = 0; i < 20; i++) rest(i, BOOK_SELL, 100 + i % 5, 1, 1);
    for (u64 i = 20; i < 40; i++) rest(60 - i, BOOK_BUY, 10 + i, 1, 8);
    struct book_order o = {
        .id = ID(50), .price = 200, .lots = 15, .account = 7, .side = BOOK_BUY, .tif = BOOK_GTC};
    u32 trades = 0, cancels = 0, calls = 1;
    int status = book_submit(b, &o, &little);
    for (;; status = book_continue(b, &little), calls++) {
        for (u32 i = 0; i < little.count; i++) trades += four[i].kind == BOOK_TRADE;
        little.count = 0;
        if (status == BOOK_DONE) break;
        assert_true(book_busy(b));
    }
    assert_int_equal(trades, 15);
    assert_true(calls > 3);
    status = book_cancel_all(b, 0, 8, 0, BOOK_BY_MASS, &little);
    for (u64 last = 0;; status = book_continue(b, &little)) {
        for (u32 i = 0; i < little.count; i++, cancels++) {
            assert_true(four[i].id > last); /* ascending ids, though they came descending */
            last = four[i].id;
        }
        little.count = 0;
        if (status == BOOK_DONE) break;
    }
    assert_int_equal(cancels, 20);
    assert_int_equal(book_orders(b, 0), 5);
}

static void life_of_the_object(void **state)
{
    static alignas(4096) u8 small[4096];
    (void)state;
    assert_int_equal(books_footprint(&(struct books_config){.orders_max = 1, .slots_max = 1}), 0);
    assert_int_equal(books_footprint(&(struct books_config){
                         .markets_max = 1, .orders_max = 5, .levels_max = 6, .slots_max = 1}),
                     0);
    assert_null(books_new(small, &(struct books_config){0}));
    assert_non_null(strstr(err_text(), "markets_max"));
    assert_null(books_join(small));
    assert_non_null(strstr(err_text(), "magic"));
    assert_null(books_join(small + 8));
    assert_non_null(strstr(err_text(), "aligned"));
    assert_int_equal(books_open(b, 0), -1);
    assert_non_null(strstr(err_text(), "open already"));
    assert_int_equal(books_open(b, 2), -1);
    assert_false(books_is_open(b, 1));
    struct book_order o = {.id = ID(1), .price = 1, .lots = 1, .market = 1, .side = BOOK_BUY};
    submit(o);
    assert_event(0, BOOK_REJECTED, BOOK_CODE_MARKET, ID(1), 1);
    assert_int_equal(books_open(b, 1), 0); /* at run time, nothing moves */
    submit(o);
    assert_event(0, BOOK_RESTED, 0, ID(1), 1);
    u64 format = *(u64 *)(void *)b;
    void *mem = books_delete(books_leave(b));
    assert_null(books_join(mem));
    memcpy(mem, &format, sizeof(format));
    assert_non_null(books_join(mem));
}

/* What a snapshot may not hold is refused, with a reason. */
static void bad_snapshots(void **state)
{
    (void)state;
    rest(1, BOOK_SELL, 100, 5, 1);
    struct book_order good = {.id = ID(2), .price = 99, .lots = 1, .side = BOOK_BUY}, o = good;
    static const char *const words[] = {"crosses", "slot belongs", "out of range", "not open"};
    for (u32 i = 0; i < COUNT_OF(words); i++, o = good) {
        if (i == 0) o.price = 100;
        if (i == 1) o.id = 7UL << 32 | 1;
        if (i == 2) o.lots = 0;
        if (i == 3) o.market = 1;
        assert_int_equal(book_restore(b, &o), -1);
        assert_non_null(strstr(err_text(), words[i]));
    }
    assert_int_equal(book_restore(b, &good), 0);
}

/* The checksum tells books apart by every field of every order, and by their order in the queue. */
static void checksum_sees_everything(void **state)
{
    static const struct book_order first = {.id = ID(1), .price = 100, .lots = 5, .account = 3};
    u64 sums[7];
    (void)state;
    for (u32 i = 0; i < COUNT_OF(sums); i++) {
        struct book_order o = first;
        if (i == 1) o.id = ID(2);
        if (i == 2) o.price = 101;
        if (i == 3) o.lots = 6;
        if (i == 4) o.account = 4;
        u8 side = i == 5 ? BOOK_SELL : BOOK_BUY;
        if (i == 6) rest(9, side, 100, 5, 3);
        rest(o.id & 255, side, o.price, o.lots, o.account);
        if (i != 6) rest(9, side, 100, 5, 3);
        sums[i] = book_checksum(b, 0);
        for (u32 k = 0; k < i; k++) assert_true(sums[k] != sums[i]);
        out.count = 0;
        book_cancel_all(b, 0, 3, 0, BOOK_BY_MASS, &out);
        book_cancel_all(b, 0, 4, 0, BOOK_BY_MASS, &out);
        assert_int_equal(book_orders(b, 0), 0);
    }
}

/* At most 64 bytes for a resting order, beside its level and its slot. */
static void memory_per_order(void **state)
{
    (void)state;
    struct books_config one = {
        .markets_max = 1, .orders_max = 1000000, .levels_max = 1000, .slots_max = 1};
    struct books_config two = one;
    two.orders_max *= 2;
    u64 more = books_footprint(&two) - books_footprint(&one);
    assert_true(more <= 64UL * 1000000 + 4096);
    struct books_config levels = two;
    levels.levels_max += 1000000;
    print_message("bytes per order: %.1f, per level: %.1f\n", (double)more / 1e6,
                  (double)(books_footprint(&levels) - books_footprint(&two)) / 1e6);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    static const struct CMUnitTest tests[] = {TEST(price_then_time),
                                              TEST(fill_or_kill),
                                              TEST(self_trade_rejected),
                                              TEST(no_own_orders),
                                              TEST(order_of_checks),
                                              TEST(budgets),
                                              TEST(amend_keeps_or_loses_priority),
                                              TEST(stale_ids),
                                              TEST(full_arena_is_a_rejection),
                                              TEST(full_levels_are_a_rejection),
                                              TEST(the_limit_turns_away),
                                              TEST(level_sums_do_not_wrap),
                                              TEST(small_buffers),
                                              TEST(life_of_the_object),
                                              TEST(bad_snapshots),
                                              TEST(checksum_sees_everything),
                                              TEST(memory_per_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
