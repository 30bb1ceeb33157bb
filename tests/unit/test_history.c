/* The window of wallets' histories: what a walk finds, and what it says of what is gone. */
#include "shm/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shm/err.h"

#define ROWS     8U
#define ACCOUNTS 3U

static struct history_data *history;
static u64 seq;

static int set_up(void **state)
{
    struct history_config c = {.accounts_max = ACCOUNTS, .rows = ROWS};
    void *memory = aligned_alloc(CACHE_LINE, align_up(history_footprint(&c), CACHE_LINE));
    (void)state;
    history_new(memory, &c);
    history = history_join(memory);
    seq = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(history);
    return 0;
}

static int trade(u32 account, u64 id)
{
    seq++;
    struct account_trade r = {
        .head = {.seq = seq, .time_ns = 1000 * seq, .kind = ACCOUNT_TRADE, .version = 1},
        .trade_id = id,
        .price = 5,
        .lots = 7,
        .quote = 35,
        .fee = 1,
        .takes = 1,
        .now = {
            .base = {10, 20},
            .quote = {30, 40},
            .order = {.order_id = 100 + id, .account = account, .market = 2, .side = SIDE_SELL}}};
    return history_apply(history, &r.head);
}

static int other(u16 kind, u16 version)
{
    seq++;
    struct account_balance_2 r = {
        .now = {.head = {.seq = seq, .time_ns = 1000 * seq, .kind = kind, .version = version},
                .settled_available = 11,
                .settled_frozen = 2,
                .ref_id = 77,
                .account = 1,
                .token = 3,
                .reason = BALANCE_WITHDRAW},
        .left = 1,
        .amount = 5};
    return history_apply(history, &r.now.head);
}

struct found {
    u32 count, most;
    struct history_row rows[32];
};

static bool keep(void *context, const struct history_row *row)
{
    struct found *f = context;
    f->rows[f->count++] = *row;
    return f->count < f->most;
}

static struct found found;

static u64 look(u32 account, u32 steps)
{
    found = (struct found){.most = 32};
    return history_walk(history, account, steps, keep, &found);
}

static void finds_each_account_newest_first(void **state)
{
    (void)state;
    trade(1, 1), trade(2, 2), trade(1, 3), trade(1, 4);
    assert_int_equal(look(1, 100), 0);
    assert_int_equal(found.count, 3);
    assert_int_equal(found.rows[0].ref_id, 4);
    assert_int_equal(found.rows[2].ref_id, 1);
    const struct history_row *r = &found.rows[1];
    assert_int_equal(r->order_id, 103);
    assert_int_equal(r->seq, 3);
    assert_int_equal(r->base_after, 30);
    assert_int_equal(r->quote_after, 70);
    assert_int_equal(r->fee, 1);
    assert_true(r->takes && r->side == SIDE_SELL && r->market == 2);
    assert_int_equal(look(3, 100), 0);
    assert_int_equal(found.count, 0);
    assert_int_equal(look(ACCOUNTS + 1, 100), 0);
    assert_int_equal(found.count, 0);
}

static void says_what_the_ring_forgot(void **state)
{
    (void)state;
    for (u64 i = 1; i <= 12; i++) trade(1 + i % 2, i);
    /* Rows 1 to 4 are overwritten; row 4 was of time 4000. */
    assert_int_equal(look(1, 100), 4000);
    assert_int_equal(found.count, 4);
    assert_int_equal(found.rows[3].ref_id, 6);
    assert_int_equal(look(2, 100), 4000);
    assert_int_equal(found.rows[3].ref_id, 5);
}

static void says_where_it_stopped_looking(void **state)
{
    (void)state;
    for (u64 i = 1; i <= 6; i++) trade(1, i);
    assert_int_equal(look(1, 2), 5000);
    assert_int_equal(found.count, 2);
    assert_int_equal(look(1, 6), 0); /* there is no further one */
    found = (struct found){.most = 1};
    assert_int_equal(history_walk(history, 1, 6, keep, &found), 0); /* the visitor had enough */
    assert_int_equal(found.count, 1);
}

static void begins_in_the_middle_of_the_log(void **state)
{
    (void)state;
    history_begin(history, 41, 500);
    seq = 41;
    trade(1, 9);
    assert_int_equal(look(1, 10), 500);
    assert_int_equal(found.count, 1);
    assert_int_equal(look(2, 10), 500);
}

static void keeps_what_no_order_moved(void **state)
{
    (void)state;
    assert_int_equal(other(ACCOUNT_ORDER, 1), 0);
    assert_int_equal(other(ACCOUNT_BALANCE, 2), 0);
    assert_int_equal(look(1, 10), 0);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.rows[0].kind, HISTORY_BALANCE);
    assert_int_equal(found.rows[0].quote, 5);
    assert_int_equal(found.rows[0].base_after, 13);
    assert_int_equal(found.rows[0].market, 3);
    assert_int_equal(found.rows[0].ref_id, 77);
    assert_true(found.rows[0].gone && found.rows[0].reason == BALANCE_WITHDRAW);
    /* Version 1 does not say how much: from there on the log is whole. */
    assert_int_equal(other(ACCOUNT_BALANCE, 1), 0);
    assert_int_equal(look(1, 10), 3000);
}

static void refuses_gaps_and_strangers(void **state)
{
    (void)state;
    trade(1, 1);
    seq++;
    assert_int_equal(trade(1, 2), -1);
    assert_non_null(strstr(err_text(), "3 came where 2 was expected"));
    seq = 1;
    assert_int_equal(trade(ACCOUNTS + 1, 2), -1);
    assert_non_null(strstr(err_text(), "account 4"));
    struct history_config none = {.accounts_max = 1};
    assert_int_equal(history_footprint(&none), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_each_account_newest_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(says_what_the_ring_forgot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(says_where_it_stopped_looking, set_up, tear_down),
        cmocka_unit_test_setup_teardown(begins_in_the_middle_of_the_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keeps_what_no_order_moved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_gaps_and_strangers, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
