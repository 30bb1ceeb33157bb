/* The clock that stamps commands, against wall clocks that misbehave. */
#include "procs/trading/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define S 1000000000UL

static void test_follows_a_healthy_clock(void **state)
{
    (void)state;
    struct trading_clock c;
    clock_begin(&c, 50 * S, 100 * S, 7 * S);
    assert_int_equal(clock_turn(&c, 101 * S, 8 * S), 101 * S);
    assert_int_equal(clock_turn(&c, 101 * S + 500, 8 * S + 400), 101 * S + 500);
    assert_false(c.jumped);
}

static void test_never_goes_back(void **state)
{
    (void)state;
    struct trading_clock c;
    clock_begin(&c, 200 * S, 100 * S, 7 * S); /* the log is ahead of the wall clock */
    assert_int_equal(clock_turn(&c, 101 * S, 8 * S), 200 * S);
    assert_int_equal(clock_turn(&c, 50 * S, 9 * S), 200 * S);
    assert_int_equal(clock_turn(&c, 201 * S, 10 * S), 201 * S);
    assert_false(c.jumped);
}

static void test_a_jump_ahead_waits_for_a_person(void **state)
{
    (void)state;
    struct trading_clock c;
    clock_begin(&c, 100 * S, 100 * S, 7 * S);
    assert_int_equal(clock_turn(&c, 100000 * S, 8 * S), 101 * S);
    assert_true(c.jumped);
    assert_int_equal(clock_turn(&c, 102 * S, 9 * S), 102 * S); /* steady even if it returns */
    assert_true(c.jumped);
    clock_accept(&c, 103 * S);
    assert_int_equal(clock_turn(&c, 104 * S, 11 * S), 104 * S);
    assert_false(c.jumped);
}

/* The host was paused: both clocks went on, nothing jumped. */
static void test_a_pause_is_no_jump(void **state)
{
    (void)state;
    struct trading_clock c;
    clock_begin(&c, 0, 100 * S, 7 * S);
    assert_int_equal(clock_turn(&c, 3700 * S, 3607 * S), 3700 * S);
    assert_false(c.jumped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follows_a_healthy_clock),
        cmocka_unit_test(test_never_goes_back),
        cmocka_unit_test(test_a_jump_ahead_waits_for_a_person),
        cmocka_unit_test(test_a_pause_is_no_jump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
