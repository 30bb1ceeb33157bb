/* test_standby.c: the standbys of trading and matching go on in their primaries' place.
 *
 * Traders place, cancel and take without pause. Primaries are killed, twenty times each, then
 * stopped, then the whole group is; a standby is made to differ. Throughout, nobody who trades gets
 * anything but an answer, and after each part the exchange is held to every answer it gave.
 *
 * Times are printed, and only held to what a loaded machine keeps: figures are of the benchmarks
 * and of `eidosctl drill`. EIDOS_SEED chooses another run.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "shm/ledger.h"
#include "shm/metrics.h"
#include "shm/segment.h"
#include "tests/lib/audit.h"

#define RATE          500U
#define KILLS         20U
#define BACK_MS       20000U
#define SETTLE_MS     30000U
#define DIVERGE_MS    60000U
#define PAUSE_MS      3000U
#define HANG_LEAST_MS 400U  /* five beats are waited for */
#define HANG_MS       5000U /* of the second that a quiet machine needs less than */

static struct exchange x = {
    .sets = {"snapshot.interval=1s", "trading.orders_max=131072", "snapshot.keep=3",
             "api.request_timeout=20s"},
    .set_count = 4,
};
static struct load l;
static struct audit a;
static struct segment view;
static u64 took_us[KILLS];

/* --- The exchange and its traders --------------------------------------------------------------*/

static int start(void **state)
{
    (void)state;
    const char *seed = getenv("EIDOS_SEED");
    if (exchange_start(&x)) return -1;
    load_open(&l, seed ? strtoull(seed, NULL, 10) : 1, RATE, 250000, x.port);
    a = (struct audit){.load = &l, .exchange = &x};
    audit_fund(&a);
    load_resume(&l);
    return segment_attach(&view, x.dir, ROLE_COUNT, 0);
}

static int stop(void **state)
{
    (void)state;
    printf("%u orders sent: %lu accepted, %lu refused, %lu first without an answer; %lu cancels; "
           "%lu requests, %lu without an answer; %lu faults\n",
           l.count, l.accepted, l.refused, l.resolved, l.cancels, l.client.requests,
           l.client.unanswered, l.faults);
    segment_detach(&view);
    load_close(&l);
    exchange_remove(&x);
    return 0;
}

static void hold_to_account(void)
{
    load_run(&l, 100);
    assert_true(audit_settled(&a, SETTLE_MS));
    assert_int_equal(l.resolved, 0); /* late is all that an answer may be */
    load_resume(&l);
}

static pid_t pid_of(const char *name)
{
    assert_true(exchange_look(&x));
    pid_t pid = exchange_pid(&x, name);
    if (!pid) fail_msg("there is no process %s: %s", name, x.said);
    return pid;
}

static u64 now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec;
}

/* Trade until somebody serves in the role since `since_ns`; nanoseconds it took. */
static u64 wait_until_served(u32 role, u64 since_ns)
{
    const struct proc_block *block = segment_proc(&view, role, 0);
    for (;;) {
        u64 served = atomic_load_explicit(&block->served_ns, memory_order_acquire);
        if (served > since_ns) return served - since_ns;
        load_run(&l, 2);
        if (now_ns() - since_ns < BACK_MS * 1000000UL) continue;
        exchange_show_logs(&x);
        fail_msg("nobody took over within %u ms", BACK_MS);
    }
}

static void wait_until_ready(void)
{
    u64 until = exchange_ms() + BACK_MS;
    while (!exchange_look(&x) || !exchange_is_ready(&x)) {
        load_run(&l, 5);
        if (exchange_ms() < until) continue;
        exchange_show_logs(&x);
        fail_msg("not all are back: %s", x.said);
    }
}

/* --- Deaths ------------------------------------------------------------------------------------*/

static int compare_u64(const void *one, const void *other)
{
    const u64 *p = one, *q = other;
    return (*p > *q) - (*p < *q);
}

static void kill_many(const char *name, const char *standby, u32 role)
{
    for (u32 i = 0; i < KILLS; i++) {
        wait_until_ready();
        load_run(&l, 50 + client_random(&l.seed) % 200);
        pid_t primary = pid_of(name), heir = exchange_pid(&x, standby);
        load_burst(&l, (u32)(client_random(&l.seed) % 10));
        u64 killed_ns = now_ns();
        exchange_kill(primary);
        took_us[i] = wait_until_served(role, killed_ns) / 1000;
        assert_int_equal(pid_of(name), heir);
    }
    hold_to_account();
    qsort(took_us, KILLS, sizeof took_us[0], compare_u64);
    printf("%s: served again after %lu us (median), %lu us (slowest of %u)\n", name,
           took_us[KILLS / 2], took_us[KILLS - 1], KILLS);
}

static void matching_is_killed(void **state)
{
    (void)state;
    kill_many("matching@0", "standby.matching@0", ROLE_MATCHING);
}

static void trading_is_killed(void **state)
{
    (void)state;
    kill_many("trading", "standby.trading", ROLE_TRADING);
}

/* Both at once: each standby finds the other role's logs as the dead left them. */
static void both_are_killed(void **state)
{
    (void)state;
    for (u32 i = 0; i < 5; i++) {
        wait_until_ready();
        load_run(&l, 100);
        pid_t trading = pid_of("trading"), matching = pid_of("matching@0");
        load_burst(&l, 3);
        u64 killed_ns = now_ns();
        exchange_kill(i & 1 ? trading : matching);
        exchange_kill(i & 1 ? matching : trading);
        wait_until_served(ROLE_MATCHING, killed_ns);
        wait_until_served(ROLE_TRADING, killed_ns);
    }
    hold_to_account();
}

/* The standby dies with its primary: then one is started, as without standbys. */
static void primary_and_standby_are_killed(void **state)
{
    (void)state;
    wait_until_ready();
    pid_t primary = pid_of("trading"), standby = pid_of("standby.trading");
    exchange_kill(standby);
    exchange_kill(primary);
    load_run(&l, 200);
    wait_until_ready();
    assert_int_not_equal(pid_of("trading"), primary);
    hold_to_account();
}

/* --- Hangs -------------------------------------------------------------------------------------*/

static void the_hung_are_replaced(void **state)
{
    static const struct {
        const char *name;
        u32 role;
    } roles[] = {{"trading", ROLE_TRADING}, {"matching@0", ROLE_MATCHING}};
    (void)state;
    for (u32 i = 0; i < COUNT_OF(roles); i++) {
        wait_until_ready();
        load_run(&l, 200);
        pid_t pid = pid_of(roles[i].name);
        u64 stopped_ns = now_ns();
        assert_int_equal(kill(pid, SIGSTOP), 0);
        u64 took_ms = wait_until_served(roles[i].role, stopped_ns) / 1000000;
        printf("%s stopped: served again after %lu ms\n", roles[i].name, took_ms);
        assert_in_range(took_ms, HANG_LEAST_MS, HANG_MS);
        for (u32 ms = 0; ms < 1000 && kill(pid, 0) == 0; ms++) usleep(1000);
        assert_int_equal(kill(pid, 0), -1); /* it is gone, not only replaced */
    }
    hold_to_account();
}

static void signal_all(int number)
{
    assert_int_equal(kill(x.supervisor, number), 0);
    for (u32 i = 0; i < x.count; i++) assert_int_equal(kill(x.procs[i].pid, number), 0);
}

/* Nobody kills anybody: each finds that it slept itself. */
static void the_whole_group_is_paused(void **state)
{
    (void)state;
    static struct exchange before;
    wait_until_ready();
    hold_to_account();
    before = x;
    for (u32 round = 0; round < 2; round++) {
        signal_all(SIGSTOP);
        nanosleep(&(struct timespec){.tv_sec = PAUSE_MS / 1000}, NULL);
        signal_all(SIGCONT);
        load_run(&l, 1500);
    }
    assert_true(exchange_look(&x));
    assert_int_equal(x.count, before.count);
    for (u32 i = 0; i < x.count; i++) assert_int_equal(x.procs[i].pid, before.procs[i].pid);
    hold_to_account();
}

/* --- Divergence --------------------------------------------------------------------------------*/

/* Write to the standby's copy of the ledger what its primary's does not have. */
static void spoil_copy(void)
{
    const struct proc_block *block = segment_proc(&view, ROLE_TRADING, 0);
    u32 copy = atomic_load_explicit(&block->copy, memory_order_acquire);
    const struct region *r = &view.regions[topo_region(&view.topo, copy ? "ledger" : "ledger.b")];
    int fd = open(r->path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    u8 *at = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(at, MAP_FAILED);
    struct ledger *ledger = (void *)(at + REGION_HEAD_BYTES);
    for (u32 row = 1; row <= ledger->balance_count; row++)
        ledger_row(ledger, row)->pending_frozen++;
    munmap(at, r->size);
    close(fd);
}

static void a_standby_that_differs_stops(void **state)
{
    (void)state;
    wait_until_ready();
    load_run(&l, 500);
    pid_t primary = pid_of("trading"), standby = exchange_pid(&x, "standby.trading");
    spoil_copy();
    u64 until = exchange_ms() + DIVERGE_MS;
    while (kill(standby, 0) == 0) {
        load_run(&l, 20);
        if (exchange_ms() > until) fail_msg("the standby did not notice");
    }
    exchange_shell("grep -q 'differs from the primary' %s/log/standby.trading.log", x.dir);
    const struct proc_block *block = segment_proc(&view, ROLE_TRADING_STANDBY, 0);
    assert_int_equal(metric_get(block, METRIC_STANDBY_DIFFERENCES), 1);
    exchange_shell("grep -q 'standby.trading .* ended with exit code 1' %s/log/supervisor.log",
                   x.dir);
    wait_until_ready();
    assert_int_equal(pid_of("trading"), primary);
    assert_int_not_equal(exchange_pid(&x, "standby.trading"), standby);
    hold_to_account();
}

/* --- The end -----------------------------------------------------------------------------------*/

/* What all those primaries wrote one after the other is one log, and replays. */
static void the_journal_replays(void **state)
{
    (void)state;
    a.every = 1;
    hold_to_account();
    assert_int_equal(exchange_down(&x), 0);
    assert_int_equal(exchange_ctl(&x, "journal verify"), 0);
    assert_int_equal(exchange_up(&x), 0);
    l.client.port = x.port;
    hold_to_account();
}

/* After a start the standbys come last: whoever dies before is started again, or, if its standby
 * is only just loading, is followed by that. */
static void killed_before_a_standby_is_there(void **state)
{
    (void)state;
    for (u32 i = 0; i < 6; i++) {
        assert_int_equal(exchange_down(&x), 0);
        assert_int_equal(exchange_up(&x), 0);
        l.client.port = x.port;
        pid_t trading = pid_of("trading"), matching = pid_of("matching@0");
        load_burst(&l, 3);
        load_run(&l, i / 2 * 20); /* milliseconds */
        exchange_kill(i & 1 ? matching : trading);
        if (i & 2) exchange_kill(i & 1 ? trading : matching);
        load_run(&l, 100);
        wait_until_ready();
        assert_int_not_equal(i & 1 ? pid_of("matching@0") : pid_of("trading"),
                             i & 1 ? matching : trading);
        hold_to_account();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matching_is_killed),
        cmocka_unit_test(trading_is_killed),
        cmocka_unit_test(both_are_killed),
        cmocka_unit_test(primary_and_standby_are_killed),
        cmocka_unit_test(the_hung_are_replaced),
        cmocka_unit_test(the_whole_group_is_paused),
        cmocka_unit_test(a_standby_that_differs_stops),
        cmocka_unit_test(the_journal_replays),
        cmocka_unit_test(killed_before_a_standby_is_there),
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests_name("standby", tests, start, stop);
}
