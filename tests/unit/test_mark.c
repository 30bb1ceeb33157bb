/* Marks: what they cover, who shows them, and that a standby which differs is found out. */
#include "shm/mark.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define LOG_BYTES (1UL << 20)

/* A machine that derives one record from each command. */
struct machine {
    struct log_writer log;
    struct mark mark;
    u64 state;
};

static u8 memory[2][2 * LOG_BYTES] __attribute__((aligned(4096)));
static struct machine primary, standby;
static struct proc_block block;
static struct mark_check check;

static void begin(struct machine *m, u32 which, u64 seq)
{
    memset(m, 0, sizeof *m);
    log_new(memory[which], LOG_BYTES, seq);
    log_join_writer(&m->log, (struct log *)(void *)memory[which]);
    mark_begin(&m->mark, &m->log, seq);
}

static void apply(struct machine *m, u64 seq, u64 content)
{
    if (mark_is_due(&m->mark, seq)) mark_make(&m->mark, &m->log, seq - 1, m->state);
    struct {
        struct rec head;
        u64 content;
    } *r = log_begin(&m->log, CMD_MODE, sizeof *r);
    r->content = content;
    log_commit(&m->log, r, seq, seq);
    log_publish(&m->log);
}

static int set_up(void **state)
{
    (void)state;
    begin(&primary, 0, 0);
    begin(&standby, 1, 0);
    memset(&block, 0, sizeof block);
    memset(&check, 0, sizeof check);
    return 0;
}

static void both(u64 from, u64 through)
{
    for (u64 seq = from; seq <= through; seq++) {
        apply(&primary, seq, seq);
        mark_show(&block, &primary.mark);
        apply(&standby, seq, seq);
        mark_note(&check, &standby.mark);
    }
}

static void equal_machines_agree(void **state)
{
    (void)state;
    both(1, MARK_EVERY);
    assert_int_equal(primary.mark.seq, 0); /* made when the next one comes */
    both(MARK_EVERY + 1, 5 * MARK_EVERY + 1);
    assert_int_equal(primary.mark.seq, 5 * MARK_EVERY);
    assert_int_equal(mark_compare(&check, &block), 0);
    assert_int_equal(check.checked, 5 * MARK_EVERY);
}

static void another_record_is_found_out(void **state)
{
    (void)state;
    both(1, MARK_EVERY + 500);
    apply(&primary, MARK_EVERY + 501, 1);
    apply(&standby, MARK_EVERY + 501, 2);
    both(MARK_EVERY + 502, 3 * MARK_EVERY);
    assert_int_equal(mark_compare(&check, &block), 2 * MARK_EVERY);
}

static void another_state_is_found_out(void **state)
{
    (void)state;
    both(1, MARK_EVERY + 1);
    assert_int_equal(mark_compare(&check, &block), 0);
    standby.state ^= 1UL << 40;
    both(MARK_EVERY + 2, 2 * MARK_EVERY + 1);
    assert_int_equal(mark_compare(&check, &block), 2 * MARK_EVERY);
}

/* Whoever begins in the middle of a span has not seen all of it. */
static void a_part_of_a_span_is_no_mark(void **state)
{
    (void)state;
    begin(&standby, 1, 100);
    for (u64 seq = 101; seq <= MARK_EVERY + 1; seq++) apply(&standby, seq, seq);
    assert_int_equal(standby.mark.seq, 0);
    for (u64 seq = MARK_EVERY + 2; seq <= 2 * MARK_EVERY + 1; seq++) apply(&standby, seq, seq);
    assert_int_equal(standby.mark.seq, 2 * MARK_EVERY);
}

/* Either may be ahead: a mark waits for its like, as long as that is held. */
static void marks_wait_for_each_other(void **state)
{
    u64 sum;
    (void)state;
    for (u64 seq = 1; seq <= 3 * MARK_EVERY + 1; seq++) {
        apply(&standby, seq, seq);
        mark_note(&check, &standby.mark);
    }
    assert_int_equal(mark_compare(&check, &block), 0);
    assert_int_equal(check.checked, 0);
    for (u64 seq = 1; seq <= 2 * MARK_EVERY + 1; seq++) {
        apply(&primary, seq, seq);
        mark_show(&block, &primary.mark);
    }
    assert_int_equal(mark_compare(&check, &block), 0);
    assert_int_equal(check.checked, 2 * MARK_EVERY);
    for (u64 seq = 2 * MARK_EVERY + 2; seq <= (PROC_MARKS + 2) * (u64)MARK_EVERY + 1; seq++) {
        apply(&primary, seq, seq);
        mark_show(&block, &primary.mark);
    }
    assert_false(mark_read(&block, 2 * MARK_EVERY, &sum));
    assert_true(mark_read(&block, 3 * MARK_EVERY, &sum));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(equal_machines_agree, set_up),
        cmocka_unit_test_setup(another_record_is_found_out, set_up),
        cmocka_unit_test_setup(another_state_is_found_out, set_up),
        cmocka_unit_test_setup(a_part_of_a_span_is_no_mark, set_up),
        cmocka_unit_test_setup(marks_wait_for_each_other, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
