/* test_exporter.c: durability = kafka. This program stands where the exporter will stand: it owns
 * the region "exported@0" and moves its cursor; the journal, trading and matching are the real
 * processes. Nobody is told of a command before the cursor has passed it, and it is said why. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "procs/lib/ops_http.h"
#include "shm/durable.h"
#include "shm/err.h"
#include "shm/signal.h"
#include "tests/lib/instance.h"

#define WAIT_TURNS 2000 /* of 5 ms */

static const char *const kafka[] = {"--set", "journal.durability=kafka", NULL};

static struct instance in;
static struct segment bridge;
static struct durable *exported;
static const struct durable *durable;

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

static u64 told(void)
{
    return atomic_load_explicit(&durable->seq, memory_order_acquire);
}

static u64 synced(void)
{
    return atomic_load_explicit(&durable->synced, memory_order_acquire);
}

static void wait_for_told(u64 seq)
{
    for (u32 i = 0; i < WAIT_TURNS && told() != seq; i++) nap();
    assert_int_equal(told(), seq);
}

static const struct proc_block *journal(void)
{
    return segment_proc(&in.onlooker, ROLE_JOURNAL, 0);
}

static void wait_for_state(u32 state)
{
    for (u32 i = 0; i < WAIT_TURNS; i++, nap())
        if (atomic_load_explicit(&journal()->state, memory_order_acquire) == state) return;
    fail_msg("the journal is not %s", proc_state_name(state));
}

static int health(char *text, size_t size)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    u64 now_ns = (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec;
    u32 proc = (u32)topo_proc(&in.onlooker.topo, ROLE_JOURNAL, 0);
    return ops_health(&in.onlooker, proc, true, now_ns, text, size);
}

/* What the exporter does once every replica has the commands. */
static void export_through(u64 seq)
{
    struct watch w = {.head = &exported->seq};
    assert_int_equal(watch_add(&w, &journal()->sleeping, -1), 0);
    atomic_store_explicit(&exported->seq, seq, memory_order_release);
    watch_notify(&w);
}

static int setup(void **state)
{
    (void)state;
    struct topo_params params = instance_small;
    params.bridges = 1;
    instance_open(&in, NULL, &params);
    assert_int_equal(segment_attach(&bridge, in.dir, ROLE_BRIDGE, 0), 0);
    exported = durable_join(segment_object(&bridge, "exported@0"));
    durable = segment_object(&in.onlooker, "durable");
    instance_start(&in, ROLE_JOURNAL, 0, kafka);
    instance_start(&in, ROLE_TRADING, 0, NULL);
    instance_start(&in, ROLE_MATCHING, 0, NULL);
    for (u32 i = 0; i < WAIT_TURNS && synced() < 4; i++) nap();
    assert_true(synced() >= 4); /* the genesis */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    segment_detach(&bridge);
    instance_close(&in);
    return 0;
}

static void nobody_is_told_before_the_exporter_has_it(void **state)
{
    (void)state;
    char text[1024];
    wait_for_state(PROC_HELD);
    assert_int_equal(told(), 0);
    assert_int_equal(health(text, sizeof text), 503);
    assert_non_null(strstr(text, "answers wait for the exporter"));
    assert_non_null(strstr(text, "through 0 on Kafka"));

    export_through(3);
    wait_for_told(3);
    export_through(synced());
    wait_for_told(synced());
    wait_for_state(PROC_READY);
    assert_int_equal(health(text, sizeof text), 200);

    export_through(synced() + 1000); /* it cannot have what is not on disk */
    nap();
    assert_int_equal(told(), synced());
}

static void a_restart_keeps_what_was_exported(void **state)
{
    (void)state;
    export_through(4);
    wait_for_told(4);
    assert_int_equal(instance_stop(&in, ROLE_JOURNAL, 0, SIGTERM), 0);
    export_through(0); /* the exporter itself is not back yet */
    instance_start(&in, ROLE_JOURNAL, 0, kafka);
    assert_true(told() >= 4);
    /* Trading comes back from what is on disk, exported or not. */
    u64 before = synced();
    instance_stop(&in, ROLE_TRADING, 0, SIGKILL);
    instance_start(&in, ROLE_TRADING, 0, NULL);
    for (u32 i = 0; i < WAIT_TURNS && synced() <= before; i++) nap();
    assert_true(synced() > before); /* its CMD_START */
    export_through(synced());
    wait_for_told(synced());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_is_told_before_the_exporter_has_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_restart_keeps_what_was_exported, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
