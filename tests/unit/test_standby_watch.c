/* When a standby suspects, kills and takes over, and above all when it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "procs/lib/standby.h"

#define MS    1000000UL
#define BEGIN (1000 * MS)

static struct standby_watch w;
static u64 now;

static void begin(void)
{
    now = BEGIN;
    standby_watch_begin(&w, now);
}

/* Time goes on by `ms`, and the standby looks. */
static enum standby_act after(u64 ms, u64 beat)
{
    now += ms * MS;
    return standby_watch_look(&w, now, beat, true, false);
}

static void a_beating_holder_is_left_alone(void **state)
{
    (void)state;
    begin();
    for (u32 i = 0; i < 1000; i++) assert_int_equal(after(10, i / 10), STANDBY_GO_ON);
    assert_int_equal(w.stage, STANDBY_TAILING);
}

static void five_missed_beats_kill_once(void **state)
{
    (void)state;
    begin();
    assert_int_equal(after(100, 7), STANDBY_GO_ON); /* the first look only learns the beat */
    for (u32 i = 0; i < 4; i++) {
        assert_int_equal(after(100, 7), STANDBY_GO_ON);
        assert_int_equal(w.stage, STANDBY_SUSPECTING);
    }
    assert_int_equal(after(100, 7), STANDBY_KILL);
    assert_int_equal(w.stage, STANDBY_WAITING);
    /* A sent SIGKILL is not a death, and a late beat changes nothing any more. */
    for (u32 i = 0; i < 100; i++) assert_int_equal(after(100, i), STANDBY_GO_ON);
    assert_int_equal(standby_watch_look(&w, now, 0, true, true), STANDBY_TAKE);
    assert_int_equal(w.stage, STANDBY_TAKING);
}

static void one_beat_in_between_begins_anew(void **state)
{
    (void)state;
    begin();
    after(100, 1);
    for (u32 round = 0; round < 50; round++)
        for (u32 i = 0; i < 5; i++) assert_int_equal(after(100, round), STANDBY_GO_ON);
}

/* Frequent looks are no missed beats. */
static void looking_often_is_not_counting_often(void **state)
{
    (void)state;
    u32 looks = 0;
    begin();
    after(100, 7);
    while (after(1, 7) != STANDBY_KILL) looks++;
    assert_in_range(looks, 495, 505);
}

/* The whole group stopped, or the whole machine: the standby finds that it was late itself. */
static void a_pause_of_everybody_kills_nobody(void **state)
{
    (void)state;
    begin();
    after(100, 7);
    for (u32 round = 0; round < 20; round++) {
        for (u32 i = 0; i < 4; i++) assert_int_equal(after(100, 7), STANDBY_GO_ON);
        assert_int_equal(after(3000, 7), STANDBY_GO_ON);
        assert_int_equal(w.missed, 0);
    }
}

/* Late by half a beat is late. */
static void a_late_standby_suspects_nobody(void **state)
{
    (void)state;
    begin();
    for (u32 i = 0; i < 100; i++) assert_int_equal(after(150, 7), STANDBY_GO_ON);
    assert_int_equal(w.stage, STANDBY_TAILING);
}

static void a_holder_that_starts_has_time(void **state)
{
    (void)state;
    begin();
    for (u32 i = 0; i < 100; i++) {
        now += 100 * MS;
        assert_int_equal(standby_watch_look(&w, now, 7, false, false), STANDBY_GO_ON);
    }
}

static void an_exit_is_taken_at_once(void **state)
{
    (void)state;
    begin();
    now += 1;
    assert_int_equal(standby_watch_look(&w, now, 7, true, true), STANDBY_TAKE);
    begin();
    assert_int_equal(standby_watch_look(&w, now, 7, false, true), STANDBY_TAKE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_beating_holder_is_left_alone),
        cmocka_unit_test(five_missed_beats_kill_once),
        cmocka_unit_test(one_beat_in_between_begins_anew),
        cmocka_unit_test(looking_often_is_not_counting_often),
        cmocka_unit_test(a_pause_of_everybody_kills_nobody),
        cmocka_unit_test(a_late_standby_suspects_nobody),
        cmocka_unit_test(a_holder_that_starts_has_time),
        cmocka_unit_test(an_exit_is_taken_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
