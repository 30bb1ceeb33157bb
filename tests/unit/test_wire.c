/* What leaves: JSON, names, codes, objects, to the letter of the protocol. */
#include "procs/lib/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/rules_fixture.h"

static char text[4096];
static struct json_out out;
static struct rules *rules;

static struct json_out *fresh(void)
{
    json_out_init(&out, text, sizeof text - 1);
    return &out;
}

static const char *written(void)
{
    assert_false(out.full);
    text[out.len] = '\0';
    return text;
}

static void places_commas(void **state)
{
    (void)state;
    struct json_out *o = fresh();
    json_put_open(o, '{');
    json_put_key(o, "a"), json_put_open(o, '['), json_put_close(o, ']');
    json_put_key(o, "b"), json_put_u64(o, 18446744073709551615UL);
    json_put_key(o, "c"), json_put_open(o, '[');
    json_put_open(o, '['), json_put_id(o, 7), json_put_decimal(o, 150, 2), json_put_close(o, ']');
    json_put_bool(o, true), json_put_json(o, "null", 4);
    json_put_close(o, ']');
    json_put_close(o, '}');
    assert_string_equal(written(),
                        "{\"a\":[],\"b\":18446744073709551615,\"c\":[[\"7\",\"1.5\"],true,null]}");
}

static void escapes_what_must_be(void **state)
{
    (void)state;
    struct json_out *o = fresh();
    json_put_string(o, "a\"b\\c\n\x01\xc3\xa9[", 10);
    json_t *back = json_loads(written(), JSON_DECODE_ANY, NULL);
    assert_non_null(back);
    assert_int_equal(json_string_length(back), 10);
    assert_memory_equal(json_string_value(back), "a\"b\\c\n\x01\xc3\xa9[", 10);
    json_decref(back);
    json_put_u64(o, 1); /* the bracket inside the string does not pass for an open list */
    assert_non_null(strstr(written(), "[\",1"));
}

static void says_when_it_is_full(void **state)
{
    (void)state;
    struct json_out o;
    json_out_init(&o, text, 8);
    json_put_cstring(&o, "123456");
    assert_false(o.full);
    json_put_u64(&o, 1);
    assert_true(o.full);
    assert_int_equal(o.len, 8);
}

static void refuses_loose_json(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",
                                      "[]",
                                      "{\"a\":1,\"a\":2}",
                                      "{} x",
                                      "{\"a\":1",
                                      "{\"a\":\"\\u0000\"}",
                                      "{\"a\":\"\xff\"}",
                                      "nul",
                                      "{'a':1}"};
    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        assert_null(json_read_object(BAD[i], strlen(BAD[i])));
    json_t *good = json_read_object("{\"a\":{\"a\":1}}", 13);
    assert_non_null(good);
    json_decref(good);
}

static void knows_every_code(void **state)
{
    (void)state;
    static const struct {
        u16 code, http;
        const char *message;
    } SOME[] = {{10001, 401, "Invalid signature"},   {10003, 400, "Invalid params"},
                {10005, 403, "Forbidden"},           {11001, 404, "Order not found"},
                {11012, 409, "Duplicate order"},     {11017, 409, "Nonce already used"},
                {11021, 400, "Would take"},          {13001, 404, "Market not found"},
                {15002, 202, "Manual review"},       {20001, 429, "Rate limit exceeded"},
                {20002, 503, "Service unavailable"}, {20004, 504, "Timeout"},
                {20008, 503, "Cancel only"}};
    for (size_t i = 0; i < COUNT_OF(SOME); i++) {
        assert_int_equal(wire_code(SOME[i].code)->http, SOME[i].http);
        assert_string_equal(wire_message(SOME[i].code), SOME[i].message);
    }
    assert_int_equal(wire_code(4711)->code, 20003);
    for (const struct wire_code *c = wire_codes; c->code; c++) {
        assert_true(c->http >= 200 && c->http < 600);
        assert_true(strlen(wire_message(c->code)) == strlen(c->name));
    }
}

static void names_both_ways(void **state)
{
    (void)state;
    assert_string_equal(wire_side(SIDE_SELL), "sell");
    assert_string_equal(wire_tif(TIF_GTX), "GTX");
    assert_string_equal(wire_status(STATUS_CANCELLED), "cancelled");
    assert_string_equal(wire_side(9), "?");
    assert_int_equal(wire_stp_of("cancel_both", 11), STP_CANCEL_BOTH);
    assert_int_equal(wire_status_of("pending", 7), STATUS_PENDING);
    assert_int_equal(wire_side_of("BUY", 3), -1);
    assert_int_equal(wire_side_of("buyer", 5), -1);
    assert_int_equal(wire_type_of("", 0), -1);
}

static struct order_view some_order(void)
{
    struct order_view v = {.order_id = 4294967303,
                           .nonce = 1700000000000001,
                           .price = 5000025, /* 50000.25 */
                           .lots = 30000,    /* 0.3 */
                           .filled_lots = 20000,
                           .filled_quote = 1000003300000, /* 10000.033: 50000.165 each */
                           .created_ns = 1700000000123456789,
                           .updated_ns = 1700000000999999999,
                           .side = SIDE_BUY,
                           .type = TYPE_LIMIT,
                           .tif = TIF_GTC,
                           .status = STATUS_PARTIAL};
    memset(v.wallet, 0xab, WALLET_BYTES);
    return v;
}

static void writes_an_order(void **state)
{
    (void)state;
    struct order_view v = some_order();
    wire_put_order(fresh(), rules, &v);
    assert_string_equal(
        written(),
        "{\"order_id\":\"4294967303\",\"wallet\":\"0xabababababababababababababababababababab\","
        "\"market\":\"BTC-USDC\",\"side\":\"buy\",\"type\":\"limit\",\"price\":\"50000.25\","
        "\"amount\":\"0.3\",\"filled_amount\":\"0.2\",\"filled_quote\":\"10000.033\","
        "\"remaining_amount\":\"0.1\",\"avg_price\":\"50000.16\",\"status\":\"partial\","
        "\"time_in_force\":\"GTC\",\"nonce\":\"1700000000000001\",\"created_at\":1700000000123,"
        "\"updated_at\":1700000000999}");
}

static void writes_what_an_order_may_have(void **state)
{
    (void)state;
    struct order_view v = some_order();
    v.client_id_length = 3;
    memcpy(v.client_id, "my1", 3);
    v.expire_ns = 1800000000000000000;
    v.code = 11021;
    v.status = STATUS_REJECTED;
    v.filled_lots = v.filled_quote = 0;
    wire_put_order(fresh(), rules, &v);
    assert_non_null(strstr(written(), "\"client_order_id\":\"my1\",\"expire_at\":1800000000000,"
                                      "\"reject_reason\":\"WOULD_TAKE\""));
    assert_non_null(strstr(written(), "\"avg_price\":\"0\",\"status\":\"rejected\""));
    v.lots = 0; /* a quote order that bought nothing yet */
    wire_put_order(fresh(), rules, &v);
    assert_non_null(strstr(written(), "\"remaining_amount\":\"0\""));
}

static void writes_a_market(void **state)
{
    (void)state;
    struct market m;
    assert_true(wire_market_at(rules, 0, &m));
    assert_false(wire_market_at(rules, 2, &m));
    assert_true(wire_market_at(rules, 0, &m));
    wire_put_market(fresh(), rules, &m);
    assert_string_equal(written(),
                        "{\"symbol\":\"BTC-USDC\",\"base_token\":\"BTC\",\"quote_token\":\"USDC\","
                        "\"price_decimals\":2,\"amount_decimals\":5,\"tick_size\":\"0.01\","
                        "\"lot_size\":\"0.00001\",\"quote_unit\":\"0.00000001\","
                        "\"min_amount\":\"0.00001\",\"max_amount\":\"1000\",\"min_notional\":\"10\""
                        ",\"max_notional\":\"1000000\",\"maker_fee_rate\":\"0.001\","
                        "\"taker_fee_rate\":\"0.001\",\"status\":\"active\"}");
}

static void writes_a_balance(void **state)
{
    (void)state;
    u8 wallet[WALLET_BYTES] = {0};
    struct wire_balance b = {.settled_available = 150000000,
                             .settled_frozen = 50000000,
                             .pending_available = 1,
                             .updated_ns = 5000000,
                             .wallet = wallet,
                             .token = 1};
    wire_put_balance(fresh(), rules, &b);
    assert_string_equal(
        written(), "{\"wallet\":\"0x0000000000000000000000000000000000000000\",\"token\":\"BTC\","
                   "\"settled_available\":\"1.5\",\"settled_frozen\":\"0.5\","
                   "\"pending_available\":\"0.00000001\",\"pending_frozen\":\"0\","
                   "\"total_available\":\"1.50000001\",\"total\":\"2.00000001\","
                   "\"withdrawable\":\"1.5\",\"updated_at\":5}");
}

static void writes_both_views_of_a_trade(void **state)
{
    (void)state;
    struct account_trade t = {.head = {.time_ns = 7000000},
                              .now = {.order = {.order_id = 1, .side = SIDE_SELL}},
                              .trade_id = 9,
                              .other_id = 2,
                              .price = 100,
                              .lots = 100000,
                              .quote = 100000000,
                              .fee = 1};
    struct wire_trade w = wire_trade_of(&t);
    wire_put_trade(fresh(), rules, &w);
    assert_string_equal(written(),
                        "{\"trade_id\":\"9\",\"market\":\"BTC-USDC\",\"order_id\":\"1\","
                        "\"role\":\"maker\",\"side\":\"sell\",\"price\":\"1\",\"amount\":\"1\","
                        "\"quote_amount\":\"1\",\"fee\":\"0.00000001\",\"fee_token\":\"USDC\","
                        "\"settlement_status\":\"matched_offchain\",\"matched_at\":7}");
    t.now.order.order_id = 2;
    t.now.order.side = SIDE_BUY;
    t.takes = 1;
    t.fee = 2;
    w = wire_trade_of(&t);
    wire_put_trade(fresh(), rules, &w);
    assert_non_null(strstr(written(), "\"order_id\":\"2\",\"role\":\"taker\",\"side\":\"buy\""));
    assert_non_null(strstr(written(), "\"fee\":\"0.00000002\""));
}

int main(void)
{
    rules = fixture_rules();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_commas),
        cmocka_unit_test(escapes_what_must_be),
        cmocka_unit_test(says_when_it_is_full),
        cmocka_unit_test(refuses_loose_json),
        cmocka_unit_test(knows_every_code),
        cmocka_unit_test(names_both_ways),
        cmocka_unit_test(writes_an_order),
        cmocka_unit_test(writes_what_an_order_may_have),
        cmocka_unit_test(writes_a_market),
        cmocka_unit_test(writes_a_balance),
        cmocka_unit_test(writes_both_views_of_a_trade),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(rules);
    return failed;
}
