/* test_drill.c: `eidosctl drill` on a running exchange: each drill passes, tells, and is recorded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/exchange.h"

static struct exchange x = {
    .sets = {"snapshot.interval=1s", "trading.orders_max=131072", "journal.low_disk_bytes=256M"},
    .set_count = 3,
};
static bool is_mounted; /* on a file system of its own: the disk can be filled */
static u32 recorded;

static int start(void **state)
{
    (void)state;
    exchange_make(&x);
    is_mounted = mount("none", x.dir, "tmpfs", 0, "size=1536M") == 0;
    int code = exchange_up(&x);
    if (code) fprintf(stderr, "exit code %d: %s\n", code, x.said);
    return code ? -1 : 0;
}

static int stop(void **state)
{
    (void)state;
    exchange_look(&x);
    exchange_down(&x);
    if (is_mounted && umount2(x.dir, MNT_DETACH)) perror("umount");
    exchange_remove(&x);
    return 0;
}

/* A loaded machine may be slower than what operators were promised; all else must hold. */
static void run(const char *name)
{
    char line[128];
    snprintf(line, sizeof line, "drill run %s --seconds 6 --wallets 10 --json", name);
    int code = exchange_ctl(&x, line);
    json_t *record = json_loads(x.said, JSON_DISABLE_EOF_CHECK, NULL);
    if (!record) fail_msg("%s: exit code %d: %s", name, code, x.said);
    const char *why = json_string_value(json_object_get(record, "why"));
    json_t *clients = json_object_get(record, "clients");
    if (code && !strstr(why, "are promised")) fail_msg("%s: %s", name, x.said);
    assert_string_equal(json_string_value(json_object_get(record, "drill")), name);
    assert_true(json_integer_value(json_object_get(clients, "acked")) > 50);
    assert_int_equal(json_integer_value(json_object_get(clients, "found")),
                     json_integer_value(json_object_get(clients, "acked")));
    assert_int_equal(json_integer_value(json_object_get(clients, "wrong")), 0);
    assert_int_equal(json_integer_value(json_object_get(clients, "errors")), 0);
    assert_true(json_integer_value(json_object_get(record, "service_us")) > 0);
    json_decref(record);
    exchange_shell("test $(grep -c '\"drill\":' %s/drills.jsonl) = %u", x.dir, ++recorded);
}

static void drills_are_listed(void **state)
{
    (void)state;
    assert_int_equal(exchange_ctl(&x, "drill list"), 0);
    static const char *const names[] = {"matching-failover", "trading-failover", "hang",
                                        "journal-restart",   "all-down",         "disk-full"};
    for (u32 i = 0; i < COUNT_OF(names); i++) assert_non_null(strstr(x.said, names[i]));
}

static void bad_requests_are_refused(void **state)
{
    (void)state;
    assert_int_equal(exchange_ctl(&x, "drill run earthquake"), 2);
    assert_non_null(strstr(x.said, "there is no such drill"));
    assert_int_equal(exchange_ctl(&x, "drill run"), 2);
    assert_int_equal(exchange_ctl(&x, "drill run hang --seconds 1"), 2);
}

static void matching_fails_over(void **state)
{
    (void)state;
    run("matching-failover");
}

static void trading_fails_over(void **state)
{
    (void)state;
    run("trading-failover");
}

static void a_hang_is_ended(void **state)
{
    (void)state;
    run("hang");
}

static void the_journal_restarts(void **state)
{
    (void)state;
    run("journal-restart");
}

static void the_disk_fills_up(void **state)
{
    (void)state;
    if (!is_mounted) skip();
    run("disk-full");
}

static void all_go_down(void **state)
{
    (void)state;
    run("all-down");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drills_are_listed),   cmocka_unit_test(bad_requests_are_refused),
        cmocka_unit_test(matching_fails_over), cmocka_unit_test(trading_fails_over),
        cmocka_unit_test(a_hang_is_ended),     cmocka_unit_test(the_journal_restarts),
        cmocka_unit_test(the_disk_fills_up),   cmocka_unit_test(all_go_down),
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests_name("drill", tests, start, stop);
}
