/* test_gateway.c: the front door of a running exchange: several workers behind one port, and what
 * it takes of one client. Each test of a limit is a client at an address of its own, 127.0.0.N. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "shm/metrics.h"
#include "shm/segment.h"
#include "tests/lib/client.h"
#include "tests/lib/exchange.h"
#include "tests/lib/raw.h"

#define TIME    "GET /api/v1/time HTTP/1.1\r\nHost: x\r\n\r\n"
#define CLIENTS 64U /* from the address that is exempt */

static struct exchange x = {
    .sets = {"api.workers=2", "limits.rates=on", "limits.requests_per_minute=20",
             "api.connections_per_address=8", "api.read_timeout=300ms", "api.idle_timeout=700ms",
             "limits.exempt=127.0.0.1"},
    .set_count = 7,
};

static int start(void **state)
{
    (void)state;
    return exchange_start(&x);
}

static int stop(void **state)
{
    (void)state;
    return exchange_end(&x);
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

/* Not even a verify that was killed lets a signed request through twice. */
static void a_killed_verify_remembers_requests(void **state)
{
    char header[CLIENT_HEADER], text[CLIENT_HEADER + 200];
    struct client_wallet w;
    struct raw_answer a;
    u64 seed = 3;
    (void)state;
    wallet_make(&w, &seed);
    sign_request(&w, "DELETE", "/api/v1/orders", header);
    snprintf(text, sizeof text, "DELETE /api/v1/orders HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", header);
    int first = -1;
    for (u32 round = 0; round < 3; round++) {
        int fd = raw_connect(x.port);
        assert_true(raw_ask(fd, text, &a) > 0);
        close(fd);
        if (round == 0) first = raw_code(&a);
        else assert_int_equal(raw_code(&a), 10006);
        if (round != 1) continue;
        exchange_kill(exchange_pid(&x, "verify@0"));
        usleep(100000);
        assert_true(wait_ready());
    }
    assert_int_not_equal(first, 10006);
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

/* ---- Limits -----------------------------------------------------------------------------------*/

/* `count` requests over connections that both workers take; how many were answered with `status`.
 */
static u32 ask_often(u32 from, u32 count, int status, struct raw_answer *last)
{
    u32 n = 0;
    for (u32 i = 0; i < count; i++) {
        int fd = raw_connect_from(from, x.port);
        assert_true(fd >= 0);
        n += raw_ask(fd, TIME, last) == status;
        close(fd);
    }
    return n;
}

/* Not across the end of a minute, or the count would begin anew. */
static void wait_for_a_whole_minute(void)
{
    while (time(NULL) % 60 > 50) usleep(200000);
}

static void an_address_is_limited_over_all_workers(void **state)
{
    struct raw_answer a;
    char text[256];
    (void)state;
    wait_for_a_whole_minute();
    u32 passed = ask_often(2, 30, 200, &a);
    assert_true(passed >= 20 && passed <= 21); /* two workers may pass it by one */
    assert_int_equal(a.status, 429);
    assert_int_equal(raw_code(&a), 20001);
    assert_string_equal(raw_header(&a, "X-RateLimit-Limit", text), "20");
    assert_string_equal(raw_header(&a, "X-RateLimit-Remaining", text), "0");
    u64 reset_s = strtoul(raw_header(&a, "X-RateLimit-Reset", text), NULL, 10);
    u64 retry_s = strtoul(raw_header(&a, "Retry-After", text), NULL, 10);
    assert_true(reset_s % 60 == 0 && reset_s > (u64)time(NULL) && retry_s >= 1 && retry_s <= 60);
    assert_int_equal(ask_often(3, 1, 200, &a), 1); /* somebody else */
    assert_string_equal(raw_header(&a, "X-RateLimit-Remaining", text), "19");
    assert_int_equal(ask_often(1, 30, 200, &a), 30); /* exempt */
    assert_null(raw_header(&a, "X-RateLimit-Limit", text));
}

static void connections_of_an_address_are_limited(void **state)
{
    int fds[12];
    struct raw_answer a;
    u32 served = 0, refused = 0;
    (void)state;
    for (u32 i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = raw_connect_from(4, x.port);
        assert_true(fds[i] >= 0);
        int status = raw_ask(fds[i], TIME, &a);
        served += status == 200;
        if (status != 429) continue;
        refused++;
        assert_int_equal(raw_code(&a), 20001);
        assert_true(raw_ends(fds[i], 2000));
    }
    assert_true(served >= 8 && served <= 9 && served + refused == COUNT_OF(fds));
    for (u32 i = 0; i < COUNT_OF(fds); i++) close(fds[i]);
    for (u64 until = exchange_ms() + 5000; exchange_ms() < until; usleep(20000)) {
        int fd = raw_connect_from(4, x.port); /* a place is free again */
        bool free_again = raw_ask(fd, TIME, &a) == 200;
        close(fd);
        if (free_again) return;
    }
    fail_msg("closed connections still count");
}

/* ---- Slow clients -----------------------------------------------------------------------------*/

/* A byte now and then keeps nobody's place. */
static void a_slow_request_gets_408(void **state)
{
    static const char head[] = "GET /api/v1/time HTTP/1.1\r\nHost: x\r\nX-A: bbbbbbbbbbbbbbbbbbbb";
    static const char *const begins[] = {
        "", "POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        "POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"};
    struct raw_answer a;
    (void)state;
    for (u32 i = 0; i < COUNT_OF(begins); i++) {
        int fd = raw_connect(x.port);
        assert_true(raw_say(fd, begins[i]));
        u64 begun = exchange_ms();
        for (u32 k = 0; k < sizeof head - 1 && exchange_ms() - begun < 600; k++) {
            if (!raw_send(fd, i ? " " : head + k, i == 2 ? 0 : 1)) break;
            usleep(20000);
        }
        assert_int_equal(raw_read(fd, &a, false), 408);
        assert_true(raw_ends(fd, 5000));
        close(fd);
    }
}

static void an_idle_connection_is_closed(void **state)
{
    struct raw_answer a;
    (void)state;
    int fd = raw_connect(x.port), silent = raw_connect(x.port);
    assert_int_equal(raw_ask(fd, TIME, &a), 200);
    assert_true(raw_ends(fd, 5000));
    assert_true(raw_ends(silent, 5000));
    close(fd);
    close(silent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_share_one_port),
        cmocka_unit_test(killed_worker_refuses_nobody),
        cmocka_unit_test(a_killed_verify_remembers_requests),
        cmocka_unit_test(second_exchange_is_refused),
        cmocka_unit_test(an_address_is_limited_over_all_workers),
        cmocka_unit_test(connections_of_an_address_are_limited),
        cmocka_unit_test(a_slow_request_gets_408),
        cmocka_unit_test(an_idle_connection_is_closed),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
