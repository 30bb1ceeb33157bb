/* What clients say over WebSocket, in both dialects. */
#include "procs/api/ws_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/rules_fixture.h"

static struct rules *rules;
static struct problem problem;
static struct ws_message message;

static u16 read_text(const char *text)
{
    problem.code = 0;
    int result = ws_message_read(&message, text, strlen(text), rules, &problem);
    assert_int_equal(result, problem.code ? -1 : 0);
    return problem.code;
}

static void assert_channel(u32 i, u16 kind, u16 market)
{
    assert_true(i < message.count);
    assert_int_equal(message.channels[i].kind, kind);
    assert_int_equal(message.channels[i].market, market);
}

static void reads_channel_names(void **state)
{
    (void)state;
    assert_int_equal(
        read_text("{\"type\":\"subscribe\",\"id\":7,\"channels\":[\"depth.BTC-USDC.5\","
                  "\"depth.ETH-USDC.100\",\"trades.ETH-USDC\",\"ticker.BTC-USDC\",\"ticker.*\","
                  "\"orders\",\"balances\",\"trades\"]}"),
        0);
    assert_string_equal(message.id, "7");
    assert_false(message.older);
    assert_int_equal(message.count, 8);
    assert_channel(0, CHANNEL_DEPTH_5, 0);
    assert_channel(1, CHANNEL_DEPTH_100, 1);
    assert_channel(2, CHANNEL_TRADES, 1);
    assert_channel(3, CHANNEL_TICKER, 0);
    assert_channel(4, CHANNEL_TICKER, EVERY_MARKET);
    assert_channel(5, CHANNEL_MY_ORDERS, 0);
    assert_channel(6, CHANNEL_MY_BALANCES, 0);
    assert_channel(7, CHANNEL_MY_TRADES, 0);
    ws_message_free(&message);
}

static void names_read_back(void **state)
{
    (void)state;
    char name[WS_NAME_MAX], text[128];
    for (u32 i = 0; i < 2 * CHANNEL_KINDS; i++) {
        u16 kind = (u16)(i / 2), market = i & 1 ? EVERY_MARKET : 1;
        struct channel c = {kind, kind < CHANNEL_MINE ? market : 0};
        channel_name(&c, rules, false, name);
        snprintf(text, sizeof text, "{\"type\":\"unsubscribe\",\"channels\":[\"%s\"]}", name);
        assert_int_equal(read_text(text), 0);
        assert_channel(0, c.kind, c.market);
        ws_message_free(&message);
    }
}

static void reads_the_older_dialect(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        u16 kind, market;
    } OLDER[] = {
        {"\"channel\":\"depth\",\"market\":\"ETH-USDC\"", CHANNEL_DEPTH_20, 1},
        {"\"channel\":\"depth\",\"params\":{\"market\":\"ETH-USDC\"}", CHANNEL_DEPTH_20, 1},
        {"\"channel\":\"trades\",\"market\":\"BTC-USDC\"", CHANNEL_TRADES, 0},
        {"\"channel\":\"trades\"", CHANNEL_MY_TRADES, 0},
        {"\"channel\":\"ticker\",\"market\":\"*\"", CHANNEL_TICKER, EVERY_MARKET},
        {"\"channel\":\"ticker\"", CHANNEL_TICKER, EVERY_MARKET},
        {"\"channel\":\"orders\",\"market\":null", CHANNEL_MY_ORDERS, 0},
        {"\"channel\":\"depth\",\"market\":\"*\"", CHANNEL_DEPTH_20, EVERY_MARKET},
        {"\"channel\":\"kline\",\"market\":\"ETH-USDC\",\"params\":{\"interval\":\"4h\"}",
         CHANNEL_KLINE + INTERVAL_4H, 1},
        {"\"channel\":\"kline\",\"market\":\"ETH-USDC\",\"interval\":\"1w\"",
         CHANNEL_KLINE + INTERVAL_1W, 1},
    };
    char text[256];
    for (size_t i = 0; i < COUNT_OF(OLDER); i++) {
        snprintf(text, sizeof text, "{\"type\":\"subscribe\",%s}", OLDER[i].fields);
        assert_int_equal(read_text(text), 0);
        assert_true(message.older);
        assert_int_equal(message.count, 1);
        assert_channel(0, OLDER[i].kind, OLDER[i].market);
        ws_message_free(&message);
    }
}

static void refuses_what_it_does_not_know(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        u16 code;
    } BAD[] = {
        {"", 10003},
        {"[]", 10003},
        {"{\"type\":\"hello\"}", 10003},
        {"{\"type\":1}", 10003},
        {"{\"id\":1}", 10003},
        {"{\"type\":\"ping\",\"id\":[1]}", 10003},
        {"{\"type\":\"ping\",\"type\":\"ping\"}", 10003},
        {"{\"type\":\"ping\",\"params\":[]}", 10003},
        {"{\"type\":\"auth\"}", 10003},
        {"{\"type\":\"subscribe\"}", 10003},
        {"{\"type\":\"subscribe\",\"channels\":[]}", 10003},
        {"{\"type\":\"subscribe\",\"channels\":\"orders\"}", 10003},
        {"{\"type\":\"subscribe\",\"channels\":[7]}", 10003},
        {"{\"type\":\"subscribe\",\"channels\":[\"depth.BTC-USDC\"]}", 10003},
        {"{\"type\":\"subscribe\",\"channels\":[\"depth.BTC-USDC.7\"]}", 10003},
        {"{\"type\":\"subscribe\",\"channels\":[\"depth.BTC-USDC.5.5\"]}", 10003},
        {"{\"type\":\"subscribe\",\"channels\":[\"depth..5\"]}", 10003},
        {"{\"type\":\"subscribe\",\"channels\":[\"trades.BTC-USDC.5\"]}", 10003},
        {"{\"type\":\"subscribe\",\"channels\":[\"ticker\"]}", 10003},
        {"{\"type\":\"subscribe\",\"channels\":[\"orders.BTC-USDC\"]}", 10003},
        {"{\"type\":\"subscribe\",\"channels\":[\"trades.DOGE-USDC\"]}", 13001},
        {"{\"type\":\"subscribe\",\"channel\":\"depth\"}", 10003},
        {"{\"type\":\"subscribe\",\"channel\":\"kline\",\"market\":\"BTC-USDC\"}", 10003},
        {"{\"type\":\"subscribe\",\"channels\":[\"kline.BTC-USDC\"]}", 10003},
        {"{\"type\":\"subscribe\",\"channels\":[\"kline.BTC-USDC.2m\"]}", 10003},
        {"{\"type\":\"subscribe\",\"channels\":[\"depth.*\"]}", 10003},
        {"{\"type\":\"subscribe\",\"channels\":[\"orders.*\"]}", 10003},
    };
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        if (read_text(BAD[i].text) != BAD[i].code)
            fail_msg("%s: %u, not %u", BAD[i].text, problem.code, BAD[i].code);
        assert_true(problem.detail[0]);
        ws_message_free(&message);
    }
}

static void repeats_the_id_as_it_was(void **state)
{
    (void)state;
    assert_int_equal(read_text("{\"type\":\"ping\",\"id\":\"a\\\"b\"}"), 0);
    assert_string_equal(message.id, "\"a\\\"b\"");
    ws_message_free(&message);
    assert_int_equal(read_text("{\"type\":\"order.place\",\"id\":-5}"), 10003); /* no params */
    assert_string_equal(message.id, "-5");
    ws_message_free(&message);
    char text[256];
    snprintf(text, sizeof text, "{\"type\":\"ping\",\"id\":\"%0100d\"}", 0);
    assert_int_equal(read_text(text), 10003);
    assert_string_equal(message.id, "");
    ws_message_free(&message);
}

int main(void)
{
    rules = fixture_rules();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_channel_names),      cmocka_unit_test(names_read_back),
        cmocka_unit_test(reads_the_older_dialect),  cmocka_unit_test(refuses_what_it_does_not_know),
        cmocka_unit_test(repeats_the_id_as_it_was),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(rules);
    return failed;
}
