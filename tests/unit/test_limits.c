/* Limits over several workers: what one counts, all see. */
#include "shm/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define WORKERS 3U

static struct limits tables[WORKERS];
static struct limits_view views[WORKERS];

static int fresh(void **state)
{
    (void)state;
    memset(tables, 0, sizeof tables);
    for (u32 i = 0; i < WORKERS; i++) {
        limits_new(&tables[i]);
        views[i] = (struct limits_view){.own = &tables[i], .count = WORKERS, .salt = 77};
        for (u32 k = 0; k < WORKERS; k++) views[i].all[k] = &tables[k];
    }
    return 0;
}

static u64 key_of(u32 who)
{
    return limits_key(&views[0], 1, &who, sizeof who);
}

static void a_limit_holds_over_all_workers(void **state)
{
    u32 used = 0;
    (void)state;
    for (u32 i = 0; i < 10; i++) {
        assert_true(limits_take(&views[i % WORKERS], key_of(1), 60, 10, &used));
        assert_int_equal(used, i + 1);
    }
    for (u32 i = 0; i < WORKERS; i++) {
        assert_false(limits_take(&views[i], key_of(1), 60, 10, &used));
        assert_int_equal(used, 10);
        assert_true(limits_take(&views[i], key_of(2), 60, 10, &used)); /* somebody else */
    }
    assert_true(limits_take(&views[1], key_of(1), 120, 10, &used)); /* the next window */
    assert_int_equal(used, 1);
}

static void kinds_are_counted_apart(void **state)
{
    u32 used, who = 9;
    (void)state;
    assert_int_not_equal(limits_key(&views[0], 1, &who, 4), limits_key(&views[0], 2, &who, 4));
    assert_true(limits_take(&views[0], limits_key(&views[0], 1, &who, 4), 60, 1, &used));
    assert_true(limits_take(&views[0], limits_key(&views[0], 2, &who, 4), 60, 1, &used));
}

static void connections_add_up(void **state)
{
    (void)state;
    for (u32 i = 0; i < WORKERS; i++) limits_connection(&views[i], key_of(1), 1, 0);
    limits_connection(&views[0], key_of(1), 1, 0);
    assert_int_equal(limits_open(&views[2], key_of(1)), 4);
    limits_connection(&views[0], key_of(1), -1, 0);
    assert_int_equal(limits_open(&views[1], key_of(1)), 3);
    limits_begin(&tables[2]); /* that worker was started again */
    assert_int_equal(limits_open(&views[1], key_of(1)), 2);
}

/* Strangers by the million take the place of those whose window is over, never of one with an open
 * connection or a window that lasts. */
static void strangers_push_out_only_what_is_over(void **state)
{
    u32 used;
    (void)state;
    assert_true(limits_take(&views[0], key_of(1), 600, 5, &used));
    limits_connection(&views[0], key_of(2), 1, 0);
    for (u32 who = 100; who < 200000; who++) limits_take(&views[0], key_of(who), 60, 5, &used);
    assert_int_equal(limits_used(&views[1], key_of(1), 600), 1);
    assert_int_equal(limits_open(&views[1], key_of(2)), 1);
    u32 counted = 0; /* the table is full: later ones are let through uncounted */
    for (u32 who = 100; who < 200000; who++) counted += limits_used(&views[0], key_of(who), 60);
    assert_true(counted > LIMITS_SETS * LIMITS_WAYS * 9 / 10);
    for (u32 who = 200000; who < 200100; who++) { /* a minute later there is room again */
        assert_true(limits_take(&views[0], key_of(who), 120, 5, &used));
        assert_int_equal(limits_used(&views[1], key_of(who), 120), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_limit_holds_over_all_workers, fresh),
        cmocka_unit_test_setup(kinds_are_counted_apart, fresh),
        cmocka_unit_test_setup(connections_add_up, fresh),
        cmocka_unit_test_setup(strangers_push_out_only_what_is_over, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
