/* Sleep and wake, all interleavings: sleeper and waker run as coroutines that switch at every step
 * of the handshake, in every order there is. Either the sleeper sees the new head, or the waker
 * sees its flag; a sleeper that sleeps on is a lost wake-up. */
static void step(void);
#define SIGNAL_STEP() step()
#include "shm/signal.c" // NOLINT(bugprone-suspicious-include)

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>

#include <cmocka.h>

/* --- The scheduler -----------------------------------------------------------------------------
 */

static ucontext_t scheduler, side[2];
static alignas(16) u8 stacks[2][64 << 10];
static int running = -1; /* which side runs; -1: nobody, steps do nothing */
static bool done[2];

static _Atomic u64 head;
static _Atomic u32 sleeping;
static struct watch watch;
static struct waiter waiter;
static bool dozed;

static void step(void)
{
    if (running >= 0) swapcontext(&side[running], &scheduler);
}

static void sleeper(void)
{
    step(); /* has looked; nothing there */
    dozed = waiter_doze(&waiter, SIGNAL_IN_EPOLL);
    done[0] = true;
}

static void waker(void)
{
    step();
    atomic_store_explicit(&head, 8, memory_order_release);
    watch_notify(&watch);
    done[1] = true;
}

static void start(int i, void (*entry)(void))
{
    getcontext(&side[i]);
    side[i].uc_stack.ss_sp = stacks[i];
    side[i].uc_stack.ss_size = sizeof stacks[i];
    side[i].uc_link = &scheduler;
    makecontext(&side[i], entry, 0);
    done[i] = false;
}

static void resume(int i)
{
    if (done[i]) return;
    running = i;
    swapcontext(&scheduler, &side[i]);
    running = -1;
}

static int bell[2];

static void set_up_watch(bool with_bell)
{
    atomic_store(&head, 0);
    atomic_store(&sleeping, 0);
    watch = (struct watch){.head = &head};
    assert_int_equal(watch_add(&watch, &sleeping, with_bell ? bell[1] : -1), 0);
}

static ssize_t rings(void)
{
    char text[64];
    ssize_t n = read(bell[0], text, sizeof text);
    return n < 0 ? 0 : n;
}

/* Bit k of `order` says who makes step k. */
static void no_order_loses_a_wake_up(void **state)
{
    (void)state;
    u32 slept = 0, awake = 0;
    assert_int_equal(pipe2(bell, O_NONBLOCK), 0);
    for (u32 order = 0; order < 1U << 8; order++) {
        set_up_watch(true);
        waiter = (struct waiter){.sleeping = &sleeping};
        waiter_add(&waiter, &head);
        waiter_look(&waiter);
        dozed = false;
        start(0, sleeper);
        start(1, waker);
        for (u32 k = 0; k < 8; k++) resume((int)(order >> k & 1));
        for (u32 k = 0; k < 4; k++) resume(0), resume(1);
        assert_true(done[0] && done[1]);
        if (dozed) assert_int_equal(rings(), 1);
        rings();
        assert_int_equal(atomic_load(&sleeping), dozed ? SIGNAL_IN_EPOLL : SIGNAL_AWAKE);
        slept += dozed;
        awake += !dozed;
    }
    assert_true(slept && awake);
    close(bell[0]);
    close(bell[1]);
}

/* --- The rest ----------------------------------------------------------------------------------
 */

static void rings_only_who_sits_in_epoll(void **state)
{
    (void)state;
    assert_int_equal(pipe2(bell, O_NONBLOCK), 0);
    set_up_watch(true);
    watch_notify(&watch);
    assert_int_equal(rings(), 0);
    atomic_store(&sleeping, SIGNAL_IN_FUTEX);
    watch_notify(&watch);
    assert_int_equal(rings(), 0);
    atomic_store(&sleeping, SIGNAL_IN_EPOLL);
    watch_notify(&watch);
    watch_notify(&watch);
    assert_int_equal(rings(), 2);
    for (u32 i = 0; i < 100000; i++) watch_notify(&watch); /* a full bell does not block */
    assert_true(rings() > 0);
    close(bell[0]);
    close(bell[1]);
}

static void limits_hold(void **state)
{
    (void)state;
    watch = (struct watch){.head = &head};
    waiter = (struct waiter){.sleeping = &sleeping};
    for (u32 i = 0; i < WATCHERS_MAX; i++) assert_int_equal(watch_add(&watch, &sleeping, -1), 0);
    assert_int_equal(watch_add(&watch, &sleeping, -1), -1);
    for (u32 i = 0; i < WAIT_WORDS_MAX; i++) assert_int_equal(waiter_add(&waiter, &head), 0);
    assert_int_equal(waiter_add(&waiter, &head), -1);
}

static u64 time_asleep(u64 timeout_ns)
{
    u64 before = now_ns();
    waiter_look(&waiter);
    waiter_sleep(&waiter, timeout_ns);
    return now_ns() - before;
}

static void sleeps_its_time(void **state)
{
    (void)state;
    static _Atomic u64 heads[WAIT_WORDS_MAX];
    waiter = (struct waiter){.sleeping = &sleeping};
    assert_true(time_asleep(3000000) >= 3000000); /* no inputs */
    for (u32 i = 0; i < WAIT_WORDS_MAX; i++) {
        assert_int_equal(waiter_add(&waiter, &heads[i]), 0);
        assert_true(time_asleep(1000000) >= 1000000);
    }
    assert_int_equal(atomic_load(&sleeping), SIGNAL_AWAKE);
}

/* A head that moved by exactly 2^32 looks the same to the futex, not to the doze. */
static void does_not_sleep_on_news(void **state)
{
    (void)state;
    waiter = (struct waiter){.sleeping = &sleeping};
    waiter_add(&waiter, &head);
    static const u64 moves[] = {1, 8, 1UL << 32};
    for (u32 i = 0; i < COUNT_OF(moves); i++) {
        waiter_look(&waiter);
        atomic_fetch_add(&head, moves[i]);
        assert_false(waiter_doze(&waiter, SIGNAL_IN_FUTEX));
        assert_int_equal(atomic_load(&sleeping), SIGNAL_AWAKE);
    }
}

static void old_kernels_wait_in_slices(void **state)
{
    (void)state;
    static _Atomic u64 heads[2];
    waiter = (struct waiter){.sleeping = &sleeping};
    waiter_add(&waiter, &heads[0]);
    waiter_add(&waiter, &heads[1]);
    waiter_look(&waiter);
    u64 before = now_ns();
    wait_in_slices(&waiter, before + 5000000);
    assert_true(now_ns() - before >= 5000000);
    atomic_store(&heads[1], 1);
    before = now_ns();
    wait_in_slices(&waiter, before + 1000000000);
    assert_true(now_ns() - before < 500000000);
}

static void on_alarm(int number)
{
    (void)number;
}

static void a_signal_ends_the_sleep(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval soon = {.it_value = {.tv_usec = 5000}};
    sigaction(SIGALRM, &action, NULL);
    waiter = (struct waiter){.sleeping = &sleeping};
    waiter_add(&waiter, &head);
    setitimer(ITIMER_REAL, &soon, NULL);
    assert_true(time_asleep(20000000000UL) < 10000000000UL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_order_loses_a_wake_up),
        cmocka_unit_test(rings_only_who_sits_in_epoll),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(sleeps_its_time),
        cmocka_unit_test(does_not_sleep_on_news),
        cmocka_unit_test(old_kernels_wait_in_slices),
        cmocka_unit_test(a_signal_ends_the_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
