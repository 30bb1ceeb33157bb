/* test_gateway.c: the front door of a running exchange: several workers behind one port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "shm/metrics.h"
#include "shm/segment.h"
#include "tests/lib/exchange.h"
#include "tests/lib/raw.h"

#define TIME    "GET /api/v1/time HTTP/1.1\r\nHost: x\r\n\r\n"
#define CLIENTS 64U

static struct exchange x = {.sets = {"api.workers=2"}, .set_count = 1};

static int start(void **state)
{
    (void)state;
    exchange_make(&x);
    int code = exchange_up(&x);
    if (!code) return 0;
    fprintf(stderr, "the exchange does not start, exit code %d: %s\n", code, x.said);
    exchange_show_logs(&x);
    return -1;
}

static int stop(void **state)
{
    (void)state;
    int code = exchange_down(&x);
    exchange_kill_strays();
    exchange_remove(&x);
    return code;
}

static u64 metric_of(u32 worker, u32 metric)
{
    static struct segment s;
    CHECK(segment_attach(&s, x.dir, ROLE_COUNT, 0) == 0);
    u64 value = atomic_load_explicit(&segment_proc(&s, ROLE_API, worker)->metrics[metric],
                                     memory_order_relaxed);
    segment_detach(&s);
    return value;
}

static bool wait_ready(void)
{
    for (u64 until = exchange_ms() + 20000; exchange_ms() < until; usleep(20000))
        if (exchange_look(&x) && exchange_is_ready(&x)) return true;
    return false;
}

static void workers_share_one_port(void **state)
{
    int fds[CLIENTS];
    struct raw_answer a;
    (void)state;
    for (u32 i = 0; i < CLIENTS; i++) {
        fds[i] = raw_connect(x.port);
        assert_true(fds[i] >= 0);
        assert_int_equal(raw_ask(fds[i], TIME, &a), 200);
    }
    u64 first = metric_of(0, METRIC_API_REQUESTS), second = metric_of(1, METRIC_API_REQUESTS);
    assert_true(first > 0 && second > 0);
    assert_true(first + second >= CLIENTS);
    for (u32 i = 0; i < CLIENTS; i++) close(fds[i]);
}

/* Who connects while a worker is being started again waits for it, and is not refused. */
static void killed_worker_refuses_nobody(void **state)
{
    int fds[CLIENTS];
    struct raw_answer a;
    (void)state;
    exchange_kill(exchange_pid(&x, "api@1"));
    for (u32 i = 0; i < CLIENTS; i++) {
        fds[i] = raw_connect(x.port);
        assert_true(fds[i] >= 0);
        assert_true(raw_say(fds[i], TIME));
    }
    for (u32 i = 0; i < CLIENTS; i++) {
        assert_int_equal(raw_read(fds[i], &a, false), 200);
        close(fds[i]);
    }
    assert_true(wait_ready());
}

/* Sharing a port must not let a second exchange take half of the first one's clients. */
static void second_exchange_is_refused(void **state)
{
    static struct exchange other;
    char port[32];
    (void)state;
    exchange_make(&other);
    snprintf(port, sizeof port, "api.port=%u", x.port);
    other.sets[other.set_count++] = port;
    assert_int_not_equal(exchange_up(&other), 0);
    assert_non_null(strstr(other.said, "is another instance running?"));
    exchange_shell("rm -rf %s", other.dir); /* exchange_remove would end the first one, too */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_share_one_port),
        cmocka_unit_test(killed_worker_refuses_nobody),
        cmocka_unit_test(second_exchange_is_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
