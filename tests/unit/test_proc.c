/* The process block and the durable word: their life, who holds a place, when a heart beats. */
#include "shm/durable.h"
#include "shm/proc.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct proc_block block;

static int set_up(void **state)
{
    (void)state;
    memset(&block, 0, sizeof block);
    proc_new(&block, 3, 1);
    return 0;
}

static void lives_and_is_forgotten(void **state)
{
    (void)state;
    static struct durable d;
    assert_int_equal(proc_footprint(), sizeof block);
    assert_int_equal(proc_footprint() % proc_align(), 0);
    struct proc_block *p = proc_join(&block);
    assert_int_equal(p->role, 3);
    assert_int_equal(p->instance, 1);
    assert_int_equal(p->state, PROC_ABSENT);
    assert_true(p->log_cursor[PROC_LOGS_MAX - 1] == UINT64_MAX);
    proc_delete(proc_leave(p));
    assert_int_equal(block.magic, 0);

    assert_int_equal(durable_footprint() % durable_align(), 0);
    durable_new(&d);
    assert_int_equal(atomic_load(&durable_join(&d)->seq), 0);
    durable_delete(durable_leave(&d));
    assert_int_equal(d.magic, 0);
}

static void a_successor_keeps_positions_only(void **state)
{
    (void)state;
    block.ring_tail[2] = 4096;
    block.log_cursor[0] = 512;
    block.metrics[7] = 99;
    block.sleeping = 1;
    block.guards = 15;
    block.ops_port = 8090;
    proc_step(&block, PROC_FAILED, "the disk is gone");
    assert_int_equal(proc_take(&block), 0);
    assert_int_equal(block.epoch, 1);
    assert_int_equal(block.pid, getpid());
    assert_int_equal(block.state, PROC_STARTING);
    assert_string_equal(block.note, "");
    assert_int_equal(block.sleeping | block.guards | block.ops_port, 0);
    assert_int_equal(block.ring_tail[2], 4096);
    assert_int_equal(block.log_cursor[0], 512);
    assert_int_equal(block.metrics[7], 99);
    assert_true(proc_is_alive(&block));
    block.start_ticks++; /* the same pid, another process */
    assert_false(proc_is_alive(&block));
}

static void notes_are_cut(void **state)
{
    (void)state;
    char longer[2 * PROC_NOTE_BYTES];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = 0;
    proc_step(&block, PROC_RECOVERING, longer);
    assert_int_equal(strlen(block.note), PROC_NOTE_BYTES - 1);
    proc_step(&block, PROC_READY, NULL);
    assert_int_equal(strlen(block.note), PROC_NOTE_BYTES - 1);
    assert_string_equal(proc_state_name(block.state), "ready");
    assert_string_equal(proc_state_name(99), "unknown");
}

/* A name with parentheses and spaces does not confuse; a zombie does not live. */
static void start_times_name_processes(void **state)
{
    (void)state;
    int release[2];
    char x = 0;
    assert_int_equal(pipe(release), 0);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_NAME, "a) S 1 (b");
        if (write(release[1], "x", 1) != 1) _exit(1);
        pause();
    }
    assert_int_equal(read(release[0], &x, 1), 1);
    u64 start = proc_start_ticks((u32)child);
    assert_true(start >= proc_start_ticks((u32)getpid()) && start > 0);
    assert_true(pid_is_alive((u32)child, start));
    kill(child, SIGKILL);
    siginfo_t info;
    waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT); /* dead, not yet reaped */
    assert_false(pid_is_alive((u32)child, start));
    waitpid(child, NULL, 0);
    assert_int_equal(proc_start_ticks((u32)child), 0);
    assert_false(pid_is_alive(0, 0));
    close(release[0]);
    close(release[1]);
}

static void five_missed_beats_are_a_hang(void **state)
{
    (void)state;
    assert_false(proc_is_beating(&block, 1)); /* never */
    block.beat_ns = 1000;
    assert_true(proc_is_beating(&block, 1000));
    assert_true(proc_is_beating(&block, 999)); /* the clocks of two cores */
    assert_true(proc_is_beating(&block, 1000 + 5 * HEARTBEAT_NS - 1));
    assert_false(proc_is_beating(&block, 1000 + 5 * HEARTBEAT_NS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lives_and_is_forgotten, set_up),
        cmocka_unit_test_setup(a_successor_keeps_positions_only, set_up),
        cmocka_unit_test_setup(notes_are_cut, set_up),
        cmocka_unit_test_setup(start_times_name_processes, set_up),
        cmocka_unit_test_setup(five_missed_beats_are_a_hang, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
