/* What comes in: targets, headers, bodies of orders and cancels, and the problem each fault makes.
 */
#include "procs/api/body.h"
#include "procs/api/cancel_read.h"
#include "procs/api/order_read.h"
#include "procs/api/prepare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/rules_fixture.h"

#define WALLET "0x00000000000000000000000000000000000000aB"
#define SIG \
    "0x1111111111111111111111111111111111111111111111111111111111111111" \
    "22222222222222222222222222222222222222222222222222222222222222221b"

static struct rules *rules;
static struct problem problem;

/* ---- Targets and headers ---- */

static int read_target(struct target *t, const char *text)
{
    return target_read(t, text, strlen(text), &problem);
}

static void assert_param(const struct target *t, const char *name, const char *value)
{
    struct span got;
    assert_true(target_param(t, name, &got));
    assert_true(span_is(got, value));
}

static void takes_targets_apart(void **state)
{
    (void)state;
    struct target t;
    struct span got;
    assert_int_equal(read_target(&t, "/api/v1/orders?market=BTC-USDC&x=%2f+%41&&empty=&flag"), 0);
    assert_true(span_is(t.path, "/api/v1/orders"));
    assert_param(&t, "market", "BTC-USDC");
    assert_param(&t, "x", "/ A");
    assert_param(&t, "empty", "");
    assert_param(&t, "flag", "");
    assert_false(target_param(&t, "mark", &got));
    assert_int_equal(read_target(&t, "/p?"), 0);
    assert_int_equal(t.count, 0);
}

static void refuses_bad_queries(void **state)
{
    (void)state;
    static const char *const BAD[] = {"/p?a=%",   "/p?a=%4",    "/p?a=%zz",
                                      "/p?a=%00", "/p?a=1&a=2", "/p?a=1&%61=2"};
    struct target t;
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        assert_int_equal(read_target(&t, BAD[i]), -1);
        assert_int_equal(problem.code, 10003);
    }
    char many[TARGET_MAX] = "/p?";
    for (u32 i = 0; i <= PARAMS_MAX; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), "p%u=1&", i);
    assert_int_equal(read_target(&t, many), -1);
}

static bool matches(const char *path, const char *pattern, struct span args[PATH_ARGS])
{
    return path_matches((struct span){path, strlen(path)}, pattern, args);
}

static void matches_paths(void **state)
{
    (void)state;
    struct span args[PATH_ARGS];
    assert_true(matches("/a/b", "/a/b", args));
    assert_true(matches("/a/x1/c", "/a/{}/c", args));
    assert_true(span_is(args[0], "x1"));
    assert_true(matches("/a/x1", "/a/{}", args));
    static const char *const NOT[] = {"/a", "/a/", "/a/b/c", "/a//c", "", "/", "/a/b/", "a/b"};
    for (size_t i = 0; i < COUNT_OF(NOT); i++) assert_false(matches(NOT[i], "/a/{}", args));
}

static void reads_numbers_and_pages(void **state)
{
    (void)state;
    struct target t;
    struct paging paging;
    assert_int_equal(read_target(&t, "/p?page=3&page_size=100"), 0);
    assert_int_equal(param_paging(&t, &paging, &problem), 0);
    assert_int_equal(paging.page, 3);
    assert_int_equal(paging.page_size, 100);
    static const char *const BAD[] = {
        "/p?page=0",   "/p?page_size=0", "/p?page_size=101", "/p?page=-1",
        "/p?page=1.0", "/p?page=",       "/p?page_size=ten"};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        assert_int_equal(read_target(&t, BAD[i]), 0);
        assert_int_equal(param_paging(&t, &paging, &problem), -1);
        assert_int_equal(problem.code, 10003);
        assert_non_null(problem.field);
        assert_non_null(problem.limit);
    }
}

static void reads_credentials(void **state)
{
    (void)state;
    struct credentials c;
    assert_int_equal(credentials_read(&c, "EIP712 " WALLET ":1700000000000:" SIG, &problem), 0);
    assert_int_equal(c.wallet[19], 0xab);
    assert_int_equal(c.timestamp_ms, 1700000000000);
    assert_int_equal(c.signature[64], 0x1b);
    static const struct {
        const char *text;
        u16 code;
    } BAD[] = {
        {NULL, 10008},
        {"", 10009},
        {"Bearer x", 10009},
        {"EIP712 ", 10009},
        {"EIP712 " WALLET, 10009},
        {"EIP712 a:b:c:d", 10009},
        {"EIP712 " WALLET ":1700000000000", 10009},
        {"EIP712 " WALLET "0:1700000000000:" SIG, 10010},
        {"EIP712 0xzz:1700000000000:" SIG, 10010},
        {"EIP712 " WALLET ":soon:" SIG, 10007},
        {"EIP712 " WALLET ":-5:" SIG, 10007},
        {"EIP712 " WALLET ":1700000000000:" SIG "00", 10009},
        {"EIP712 " WALLET ":1700000000000:" SIG ":", 10009},
        {"EIP712 " WALLET ":1700000000000:", 10009},
    };
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        assert_int_equal(credentials_read(&c, BAD[i].text, &problem), -1);
        assert_int_equal(problem.code, BAD[i].code);
    }
}

static void checks_the_window(void **state)
{
    (void)state;
    struct credentials c = {.timestamp_ms = 1000000};
    assert_int_equal(credentials_in_time(&c, 1300000, &problem), 0);
    assert_int_equal(credentials_in_time(&c, 700000, &problem), 0);
    assert_int_equal(credentials_in_time(&c, 1300001, &problem), -1);
    assert_int_equal(problem.code, 10002);
    assert_int_equal(credentials_in_time(&c, 699999, &problem), -1);
    assert_int_equal(problem.code, 10007);
}

/* ---- Orders ---- */

#define BASE \
    "\"wallet\":\"" WALLET "\",\"market\":\"BTC-USDC\",\"nonce\":\"7\",\"signature\":\"" SIG "\""
#define LIMIT   BASE ",\"side\":\"buy\",\"type\":\"limit\",\"price\":\"50000.25\",\"amount\":\"0.5\""
#define LIMIT2  LIMIT ",\"signature_type\":\"v2\""
#define MARKET  BASE ",\"side\":\"buy\",\"type\":\"market\""
#define MARKET2 MARKET ",\"signature_type\":\"v2\""

/* The code of reading an order from {fields}. */
static u16 order_code(struct msg_order *m, const char *fields)
{
    char text[2048];
    snprintf(text, sizeof text, "{%s}", fields);
    problem.code = 0;
    json_t *body = body_read(text, strlen(text), &problem);
    int result = body ? order_read(body, rules, false, m, &problem) : -1;
    json_decref(body);
    assert_int_equal(result, problem.code ? -1 : 0);
    return problem.code;
}

static void reads_a_limit_order(void **state)
{
    (void)state;
    struct msg_order m;
    assert_int_equal(order_code(&m, LIMIT), 0);
    assert_int_equal(m.head.kind, MSG_ORDER);
    assert_int_equal(m.head.length, sizeof m);
    assert_int_equal(m.wallet[19], 0xab);
    assert_int_equal(m.market, 0);
    assert_int_equal(m.side, SIDE_BUY);
    assert_int_equal(m.type, TYPE_LIMIT);
    assert_int_equal(m.tif, TIF_GTC);
    assert_int_equal(m.stp, STP_REJECT);
    assert_int_equal(m.signature_type, SIG_V1);
    assert_int_equal(m.nonce, 7);
    assert_int_equal(m.slippage_bps, 0);
    assert_true(wad_get(m.price) == (u128)5000025 * (FIXTURE_WAD / 100));
    assert_true(wad_get(m.amount) == FIXTURE_WAD / 2);
    assert_int_equal(m.evidence.signature[0], 0x11);
    assert_int_equal(m.evidence.signature[64], 0x1b);
    assert_int_equal(order_code(&m, LIMIT2
                                ",\"time_in_force\":\"GTX\",\"stp\":\"cancel_both\","
                                "\"expire_at\":1800000000000,\"client_order_id\":\"a.b:C/9_-\""),
                     0);
    assert_int_equal(m.tif, TIF_GTX);
    assert_int_equal(m.stp, STP_CANCEL_BOTH);
    assert_int_equal(m.expire_s, 1800000000);
    assert_int_equal(m.client_id_length, 9);
    assert_int_equal(order_code(&m, LIMIT ",\"expire_at\":\"1800000000000\",\"stp\":null"), 0);
    assert_int_equal(m.expire_s, 1800000000);
}

static void reads_market_orders(void **state)
{
    (void)state;
    struct msg_order m;
    assert_int_equal(order_code(&m, MARKET ",\"amount\":\"1\""), 0);
    assert_int_equal(m.tif, TIF_IOC);
    assert_int_equal(m.slippage_bps, 100);
    assert_int_equal(order_code(&m, MARKET2 ",\"quote_amount\":\"1000\",\"slippage_bps\":10"), 0);
    assert_int_equal(m.slippage_bps, 10);
    assert_true(wad_get(m.quote_amount) == (u128)1000 * FIXTURE_WAD);
    assert_true(wad_get(m.amount) == 0);
}

static void refuses_orders_with_the_field(void **state)
{
    (void)state;
    static const struct {
        const char *fields, *field;
        u16 code;
    } BAD[] = {
        {"\"market\":\"BTC-USDC\"", "wallet", 10003},
        {"\"wallet\":\"0x12\"", "wallet", 10010},
        {"\"wallet\":\"" WALLET "\"", "market", 10003},
        {BASE ",\"type\":\"limit\"", "side", 10003},
        {BASE ",\"side\":\"BUY\"", "side", 11014},
        {BASE ",\"side\":1", "side", 11014},
        {BASE ",\"side\":\"buy\",\"type\":\"stop\"", "type", 11015},
        {LIMIT ",\"time_in_force\":\"gtc\"", "time_in_force", 11016},
        {LIMIT ",\"stp\":\"none\"", "stp", 10003},
        {BASE ",\"side\":\"buy\",\"type\":\"limit\",\"price\":1,\"amount\":\"1\"", "price", 10003},
        {BASE ",\"side\":\"buy\",\"type\":\"limit\",\"price\":\"1e3\"", "price", 10003},
        {BASE ",\"side\":\"buy\",\"type\":\"limit\",\"price\":\"-1\"", "price", 10003},
        {BASE ",\"side\":\"buy\",\"type\":\"limit\",\"price\":\"1\",\"amount\":1.5", "amount",
         10003},
        {BASE ",\"side\":\"buy\",\"type\":\"limit\",\"price\":\"0.0000000000000000001\"", "price",
         10003},
        {BASE ",\"side\":\"buy\",\"type\":\"limit\",\"price\":\"999999999999999999999999999\"",
         "price", 10003},
        {BASE ",\"side\":\"buy\",\"type\":\"limit\",\"amount\":\"1\"", "price", 10003},
        {BASE ",\"side\":\"buy\",\"type\":\"limit\",\"price\":\"1\"", "amount", 10003},
        {LIMIT2 ",\"quote_amount\":\"5\"", "quote_amount", 10003},
        {LIMIT2 ",\"slippage_bps\":100", "slippage_bps", 10003},
        {LIMIT ",\"signature_type\":\"v3\"", "signature_type", 10003},
        {LIMIT ",\"expire_at\":1800000000001", "expire_at", 10003},
        {LIMIT ",\"expire_at\":-1000", "expire_at", 10003},
        {LIMIT ",\"expire_at\":1.5", "expire_at", 10003},
        {LIMIT ",\"expire_at\":\"18446744073709551000\"", "expire_at", 10003},
        {LIMIT ",\"client_order_id\":\"a b\"", "client_order_id", 10003},
        {LIMIT ",\"client_order_id\":\"1234567890123456789012345678901234567\"", "client_order_id",
         10003},
        {LIMIT ",\"time_in_force\":\"IOC\"", "time_in_force", 10003},
        {LIMIT ",\"stp\":\"cancel_maker\"", "stp", 10003},
        {MARKET ",\"amount\":\"1\",\"slippage_bps\":50", "slippage_bps", 10003},
        {MARKET ",\"quote_amount\":\"100\"", "quote_amount", 10003},
        {MARKET2, "amount", 10003},
        {MARKET2 ",\"amount\":\"1\",\"quote_amount\":\"1\"", "amount", 10003},
        {MARKET2 ",\"amount\":\"1\",\"price\":\"5\"", "price", 10003},
        {MARKET2 ",\"amount\":\"1\",\"slippage_bps\":9", "slippage_bps", 10003},
        {MARKET2 ",\"amount\":\"1\",\"slippage_bps\":1001", "slippage_bps", 10003},
        {MARKET2 ",\"amount\":\"1\",\"slippage_bps\":\"x\"", "slippage_bps", 10003},
        {MARKET2 ",\"amount\":\"1\",\"time_in_force\":\"FOK\"", "time_in_force", 11016},
        {BASE ",\"side\":\"sell\",\"type\":\"market\",\"signature_type\":\"v2\","
              "\"quote_amount\":\"1\"",
         "quote_amount", 10003},
    };
    struct msg_order m;
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        if (order_code(&m, BAD[i].fields) != BAD[i].code ||
            strcmp(problem.field, BAD[i].field) != 0)
            fail_msg("%s: %u %s, not %u %s", BAD[i].fields, problem.code, problem.field,
                     BAD[i].code, BAD[i].field);
        assert_true(problem.detail[0]);
    }
}

static void names_v2_where_v1_is_too_little(void **state)
{
    (void)state;
    struct msg_order m;
    assert_int_equal(order_code(&m, LIMIT ",\"time_in_force\":\"FOK\""), 10003);
    assert_non_null(strstr(problem.detail, "time_in_force"));
    assert_non_null(strstr(problem.detail, "v2"));
}

/* Syntax before the market, the market before the signature. */
static void keeps_the_precedence(void **state)
{
    (void)state;
    static const char FORMAT[] = "\"wallet\":\"" WALLET "\",\"market\":\"%s\",\"nonce\":\"%s\","
                                 "\"side\":\"buy\",\"type\":\"limit\",\"price\":\"1\","
                                 "\"amount\":\"1\"%s";
    struct msg_order m;
    char fields[1024];
    snprintf(fields, sizeof fields, FORMAT, "DOGE-USDC", "x", "");
    assert_int_equal(order_code(&m, fields), 10003);
    snprintf(fields, sizeof fields, FORMAT, "DOGE-USDC", "1", ",\"signature\":\"0x12\"");
    assert_int_equal(order_code(&m, fields), 13001);
    snprintf(fields, sizeof fields, FORMAT, "BTC-USDC", "1", ",\"signature\":\"0x12\"");
    assert_int_equal(order_code(&m, fields), 10001);
    snprintf(fields, sizeof fields, FORMAT, "BTC-USDC", "1", "");
    assert_int_equal(order_code(&m, fields), 10008);
}

/* What prepare gives is the type that the schema publishes and the message that verify hashes. */
static void prepares_what_will_be_verified(void **state)
{
    (void)state;
    static char text[8192];
    u8 wallet[WALLET_BYTES] = {[19] = 0xab}, contract[20] = {0};
    struct msg_order m;
    struct json_out o;
    static const char ASK[] = "{\"market\":\"BTC-USDC\",\"side\":\"sell\",\"type\":\"limit\","
                              "\"price\":\"2.5\",\"amount\":\"3\",\"time_in_force\":\"GTX\","
                              "\"stp\":\"cancel_maker\",\"expire_at\":1800000000000}";
    json_t *body = body_read(ASK, sizeof ASK - 1, &problem);
    assert_int_equal(order_read_prepare(body, rules, wallet, &m, &problem), 0);
    json_decref(body);
    m.nonce = 99;
    json_out_init(&o, text, sizeof text);
    prepare_put(&o, rules, 31337, contract, &m, 1000);
    assert_false(o.full);
    json_t *root = json_loadb(text, o.len, JSON_REJECT_DUPLICATES, NULL);
    json_t *schema = json_load_file("schema/eip712/order_v2.json", 0, NULL);
    assert_non_null(root);
    assert_non_null(schema);
    json_t *data = json_object_get(root, "typed_data"), *message = json_object_get(data, "message");
    assert_true(json_equal(json_object_get(json_object_get(data, "types"), "OrderV2"),
                           json_object_get(json_object_get(schema, "types"), "OrderV2")));
    json_t *expected =
        json_pack("{s:s,s:s,s:i,s:i,s:i,s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:s}", "wallet",
                  "0x00000000000000000000000000000000000000ab", "market", "BTC-USDC", "side", 1,
                  "orderType", 0, "timeInForce", 3, "price", "2500000000000000000", "amount",
                  "3000000000000000000", "quoteAmount", "0", "nonce", "99", "expiry", "1800000000",
                  "stp", 2, "slippageBps", 0, "clientOrderId", "");
    assert_true(json_equal(message, expected));
    assert_int_equal(json_integer_value(json_object_get(root, "expires_at")), 301000);
    json_decref(expected);
    json_decref(schema);
    json_decref(root);
}

/* ---- Cancels ---- */

#define HEADER "EIP712 " WALLET ":1700000000000:" SIG

static json_t *object(const char *text)
{
    json_t *body = body_read(text, strlen(text), &problem);
    assert_non_null(body);
    return body;
}

static void reads_a_cancel_by_either_proof(void **state)
{
    (void)state;
    static union cancel_msg c;
    struct span id = {"4294967303", 10}, path = {"/api/v1/orders/4294967303", 25};
    assert_int_equal(cancel_read_one(id, NULL, HEADER, path, &c, &problem), 0);
    assert_int_equal(c.msg.auth, AUTH_REQUEST);
    assert_int_equal(c.msg.by_path, 1);
    assert_int_equal(c.msg.count, 1);
    assert_int_equal(c.msg.order_ids[0], 4294967303);
    assert_int_equal(c.msg.path_length, 25);
    assert_int_equal(c.msg.head.length, sizeof c.msg + 8);
    json_t *body = object("{\"wallet\":\"" WALLET "\",\"nonce\":\"5\",\"signature\":\"" SIG "\"}");
    assert_int_equal(cancel_read_one(id, body, NULL, path, &c, &problem), 0);
    assert_int_equal(c.msg.auth, AUTH_CANCEL);
    assert_int_equal(c.msg.nonce, 5);
    json_decref(body);
    assert_int_equal(cancel_read_one(id, NULL, NULL, path, &c, &problem), -1);
    assert_int_equal(problem.code, 10008);
    id = (struct span){"07", 2};
    assert_int_equal(cancel_read_one(id, NULL, HEADER, path, &c, &problem), -1);
    assert_int_equal(problem.code, 10003);
}

static void reads_filters_from_query_or_body(void **state)
{
    (void)state;
    static union cancel_msg c;
    struct target t;
    assert_int_equal(read_target(&t, "/api/v1/orders?market=ETH-USDC&side=sell&order_ids=1,2"), 0);
    assert_int_equal(cancel_read_many(&t, NULL, HEADER, rules, &c, &problem), 0);
    assert_int_equal(c.msg.market, 1);
    assert_int_equal(c.msg.side, SIDE_SELL);
    assert_int_equal(c.msg.count, 2);
    assert_int_equal(c.msg.path_length, 14);
    json_t *body = object("{\"order_ids\":[\"3\",\"4\",\"5\"]}");
    assert_int_equal(cancel_read_many(&t, body, HEADER, rules, &c, &problem), -1);
    assert_int_equal(read_target(&t, "/api/v1/orders"), 0);
    assert_int_equal(cancel_read_many(&t, body, HEADER, rules, &c, &problem), 0);
    assert_int_equal(c.msg.market, NO_MARKET);
    assert_int_equal(c.msg.count, 3);
    json_decref(body);
    static const struct {
        const char *body;
        u16 code;
    } BAD[] = {{"{\"order_ids\":[]}", 10003},     {"{\"order_ids\":\"1\"}", 10003},
               {"{\"order_ids\":[1]}", 10003},    {"{\"order_ids\":[\"1\",\"1\"]}", 10003},
               {"{\"side\":\"long\"}", 11014},    {"{\"market\":\"X\"}", 13001},
               {"{\"order_ids\":[\"0\"]}", 10003}};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        body = object(BAD[i].body);
        assert_int_equal(cancel_read_many(&t, body, HEADER, rules, &c, &problem), -1);
        assert_int_equal(problem.code, BAD[i].code);
        json_decref(body);
    }
}

static void takes_500_ids_and_no_more(void **state)
{
    (void)state;
    static union cancel_msg c;
    struct target t;
    assert_int_equal(read_target(&t, "/api/v1/orders"), 0);
    json_t *body = json_object(), *list = json_array();
    json_object_set_new(body, "order_ids", list);
    for (u32 i = 1; i <= MSG_CANCEL_IDS_MAX + 1; i++) {
        assert_int_equal(cancel_read_many(&t, i > 1 ? body : NULL, HEADER, rules, &c, &problem), 0);
        assert_int_equal(c.msg.count, i - 1);
        json_array_append_new(list, json_sprintf("%u", i));
    }
    assert_int_equal(cancel_read_many(&t, body, HEADER, rules, &c, &problem), -1);
    assert_int_equal(problem.code, 10003);
    json_decref(body);
}

static void reads_cancels_over_the_socket(void **state)
{
    (void)state;
    static union cancel_msg c;
    json_t *params = object("{\"order_id\":\"9\",\"wallet\":\"" WALLET
                            "\",\"timestamp\":1700000000000,\"signature\":\"" SIG "\"}");
    assert_int_equal(cancel_read_socket(params, false, rules, &c, &problem), 0);
    assert_int_equal(c.msg.auth, AUTH_REQUEST);
    assert_memory_equal(c.msg.path, "/api/v1/orders/9", 16);
    assert_int_equal(cancel_read_socket(params, true, rules, &c, &problem), 0);
    assert_int_equal(c.msg.count, 0);
    assert_int_equal(c.msg.path_length, 14);
    json_object_del(params, "timestamp");
    json_object_set_new(params, "nonce", json_string("3"));
    assert_int_equal(cancel_read_socket(params, false, rules, &c, &problem), 0);
    assert_int_equal(c.msg.auth, AUTH_CANCEL);
    json_decref(params);
}

int main(void)
{
    rules = fixture_rules();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_targets_apart),
        cmocka_unit_test(refuses_bad_queries),
        cmocka_unit_test(matches_paths),
        cmocka_unit_test(reads_numbers_and_pages),
        cmocka_unit_test(reads_credentials),
        cmocka_unit_test(checks_the_window),
        cmocka_unit_test(reads_a_limit_order),
        cmocka_unit_test(reads_market_orders),
        cmocka_unit_test(refuses_orders_with_the_field),
        cmocka_unit_test(names_v2_where_v1_is_too_little),
        cmocka_unit_test(keeps_the_precedence),
        cmocka_unit_test(prepares_what_will_be_verified),
        cmocka_unit_test(reads_a_cancel_by_either_proof),
        cmocka_unit_test(reads_filters_from_query_or_body),
        cmocka_unit_test(takes_500_ids_and_no_more),
        cmocka_unit_test(reads_cancels_over_the_socket),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(rules);
    return failed;
}
