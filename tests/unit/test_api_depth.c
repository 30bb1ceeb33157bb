/* GET /depth with a group: whole steps however deep the book is, bids floored and asks ceiled. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "procs/api/routes.h"
#include "tests/lib/gateway_fixture.h"

#define LEVELS 3000U /* of a side; three times what a depth shows */

static struct gateway *g;

static void open_level(u64 seq, u8 side, u64 price)
{
    struct match_order m = {.head = {.seq = seq,
                                     .time_ns = GATEWAY_START,
                                     .cause = 1,
                                     .length = sizeof m,
                                     .kind = MATCH_OPENED,
                                     .version = 1},
                            .price = price,
                            .lots = 1,
                            .side = side};
    assert_int_equal(market_apply(g->market_writer, 0, &m.head), 0);
}

static int set_up(void **state)
{
    (void)state;
    g = gateway_new();
    for (u64 i = 0; i < LEVELS; i++) {
        open_level(2 * i + 1, SIDE_BUY, 100000 - i);
        open_level(2 * i + 2, SIDE_SELL, 100001 + i);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gateway_delete(g);
    return 0;
}

/* The data of an answer: it waits for its command to be durable, so it is still here. */
static json_t *ask(const char *target)
{
    struct request *r = request_take(&g->api);
    struct problem p;
    u16 status;
    assert_non_null(r);
    r->method = METHOD_GET;
    r->text_len = (u32)strlen(target);
    memcpy(r->text, target, r->text_len);
    if (route_find(&g->api, r, &status, &p)) fail_msg("%s", p.detail);
    r->route->handle(&g->api, r, NULL);
    assert_int_equal(r->state, REQUEST_ANSWERED);
    json_t *answer = json_loadb(r->answer, r->answer_len, 0, NULL);
    request_free(&g->api, r);
    assert_non_null(answer);
    json_t *data = json_incref(json_object_get(answer, "data"));
    json_decref(answer);
    assert_non_null(data);
    return data;
}

static void assert_step(json_t *levels, size_t i, const char *price, const char *amount)
{
    json_t *level = json_array_get(levels, i);
    assert_string_equal(json_string_value(json_array_get(level, 0)), price);
    assert_string_equal(json_string_value(json_array_get(level, 1)), amount);
}

static void steps_are_whole(void **state)
{
    (void)state;
    /* 1000.00 down to 970.01, 1000.01 up to 1030.00, one lot of 0.00001 each */
    json_t *data = ask("/api/v1/depth/BTC-USDC?group=10&limit=3");
    json_t *bids = json_object_get(data, "bids"), *asks = json_object_get(data, "asks");
    assert_int_equal(json_array_size(bids), 3);
    assert_step(bids, 0, "1000", "0.00001");
    assert_step(bids, 1, "990", "0.01");
    assert_step(bids, 2, "980", "0.01");
    assert_int_equal(json_array_size(asks), 3);
    assert_step(asks, 0, "1010", "0.01");
    assert_step(asks, 2, "1030", "0.01");
    json_decref(data);
    data = ask("/api/v1/depth/BTC-USDC?group=1000");
    bids = json_object_get(data, "bids"), asks = json_object_get(data, "asks");
    assert_int_equal(json_array_size(bids), 2);
    assert_step(bids, 1, "0", "0.02999");
    assert_int_equal(json_array_size(asks), 1);
    assert_step(asks, 0, "2000", "0.03");
    json_decref(data);
}

static void a_step_of_a_tick_is_the_book(void **state)
{
    (void)state;
    json_t *data = ask("/api/v1/depth/BTC-USDC?group=0.01&limit=1000");
    json_t *plain = ask("/api/v1/depth/BTC-USDC?limit=1000");
    assert_int_equal(json_array_size(json_object_get(data, "asks")), 1000);
    assert_true(json_equal(data, plain));
    json_decref(data);
    json_decref(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(steps_are_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_step_of_a_tick_is_the_book, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("api_depth", tests, NULL, NULL);
}
