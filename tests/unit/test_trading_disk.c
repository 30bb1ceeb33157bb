/* The mode that follows the journal's disk, against operators, clocks and restarts. */
#include "procs/trading/disk.h"
#include "tests/lib/engine.h"
#include "tests/lib/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct engine e;

static int make(void **state)
{
    (void)state;
    engine_init(&e, &engine_small, NULL, NULL);
    flow_config(&e.trading);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    engine_free(&e);
    return 0;
}

/* One turn of trading with the disk as it is: was a switch logged? */
static bool turn(bool low)
{
    struct msg_mode m;
    bool due = disk_switches(e.trading.rules, low, &m);
    if (due) trading_mode(&e.trading, &m, NO_SOURCE, 0);
    return due;
}

static void set(u16 market, u8 mode, u8 reason)
{
    struct msg_mode m = {.market = market, .mode = mode, .reason = reason};
    trading_mode(&e.trading, &m, NO_SOURCE, 0);
}

static u32 mode(void)
{
    return e.trading.rules->mode;
}

static void low_disk_switches_once_and_back(void **state)
{
    (void)state;
    assert_false(turn(false));
    assert_true(turn(true));
    assert_int_equal(mode(), MODE_CANCEL_ONLY);
    assert_false(turn(true));
    assert_true(turn(false));
    assert_int_equal(mode(), MODE_NORMAL);
    assert_int_equal(e.trading.rules->mode_reason, MODE_BY_DISK);
    assert_false(turn(false));
}

/* What somebody else decided is not undone because there is space. */
static void others_decisions_hold(void **state)
{
    (void)state;
    set(NO_MARKET, MODE_CANCEL_ONLY, MODE_BY_OPERATOR);
    assert_false(turn(true));
    assert_false(turn(false));
    assert_int_equal(mode(), MODE_CANCEL_ONLY);
    set(NO_MARKET, MODE_NORMAL, MODE_BY_OPERATOR);
    assert_true(turn(true));
    set(NO_MARKET, MODE_CANCEL_ONLY, MODE_BY_CLOCK);
    assert_false(turn(false));
    set(NO_MARKET, MODE_HALTED, MODE_BY_OPERATOR);
    assert_false(turn(true));
    assert_false(turn(false));
    assert_int_equal(mode(), MODE_HALTED);
}

/* An operator may end it, but not while the disk is low. */
static void operator_cannot_forget_the_disk(void **state)
{
    (void)state;
    assert_true(turn(true));
    set(NO_MARKET, MODE_NORMAL, MODE_BY_OPERATOR);
    assert_true(turn(true));
    assert_int_equal(mode(), MODE_CANCEL_ONLY);
}

static void markets_keep_their_own_mode(void **state)
{
    (void)state;
    assert_true(turn(true));
    set(0, MODE_CANCEL_ONLY, MODE_BY_OPERATOR);
    assert_true(disk_holds(e.trading.rules));
    assert_true(turn(false));
    assert_int_equal(e.trading.rules->markets[0].mode, MODE_CANCEL_ONLY);
}

/* The log alone brings back the mode and why. */
static void replay_knows_the_reason(void **state)
{
    (void)state;
    static struct rules other;
    struct log_reader commands = e.commands;
    const struct rec *rec;
    assert_true(turn(true));
    log_publish(&e.command);
    rules_new(memset(&other, 0, sizeof other));
    assert_int_equal(log_seek(&commands, 0), 0);
    for (; (rec = log_peek(&commands)); log_advance(&commands, rec)) rules_apply(&other, rec);
    assert_true(disk_holds(&other));
    assert_int_equal(commands.seq, e.command.seq);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        T(low_disk_switches_once_and_back), T(others_decisions_hold),
        T(operator_cannot_forget_the_disk), T(markets_keep_their_own_mode),
        T(replay_knows_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
