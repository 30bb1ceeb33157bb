/* WebSocket connections from the frame to the push: dialects, snapshots and updates of depth, own
 * channels behind durable_seq, orders, limits, goodbyes. The client's end is a socket pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "procs/lib/eth/hex.h"
#include "tests/lib/gateway_fixture.h"

static struct gateway *g;
static char inbox[1 << 22];
static size_t inbox_len;

static int set_up(void **state)
{
    (void)state;
    g = gateway_new();
    inbox_len = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gateway_delete(g);
    return 0;
}

/* ---- The client ---- */

static void send_frame(u8 first, const void *payload, size_t len)
{
    u8 frame[8192] = {first};
    size_t n = 2;
    static const u8 MASK[4] = {1, 2, 3, 4};
    if (len < 126) {
        frame[1] = (u8)(0x80 | len);
    } else {
        frame[1] = 0x80 | 126, frame[2] = (u8)(len >> 8), frame[3] = (u8)len;
        n = 4;
    }
    memcpy(frame + n, MASK, 4);
    n += 4;
    assert_true(n + len <= sizeof frame);
    for (size_t i = 0; i < len; i++) frame[n + i] = ((const u8 *)payload)[i] ^ MASK[i % 4];
    assert_int_equal(write(g->peer, frame, n + len), (ssize_t)(n + len));
}

static void say(const char *text)
{
    send_frame(0x81, text, strlen(text));
    gateway_turn(g, NS_PER_MS);
}

static void receive(void)
{
    ssize_t n;
    while ((n = read(g->peer, inbox + inbox_len, sizeof inbox - inbox_len)) > 0)
        inbox_len += (size_t)n;
}

/* The next frame's payload, terminated, into `out`; its opcode, or -1 when there is none. */
static int next_frame(char *out, size_t size)
{
    receive();
    if (inbox_len < 2) return -1;
    const u8 *f = (const u8 *)inbox;
    size_t at = 2, len = f[1];
    assert_int_equal(f[0] & 0x80, 0x80);
    assert_true(len < 128); /* not masked */
    if (len == 126) {
        len = (size_t)f[2] << 8 | f[3];
        at = 4;
    } else if (len == 127) {
        len = 0;
        for (u32 i = 0; i < 8; i++) len = len << 8 | f[2 + i];
        at = 10;
    }
    assert_true(inbox_len >= at + len && len < size);
    int opcode = f[0] & 15;
    memcpy(out, inbox + at, len);
    out[len] = '\0';
    memmove(inbox, inbox + at + len, inbox_len - at - len);
    inbox_len -= at + len;
    return opcode;
}

/* The next text message as JSON; the caller frees it. NULL: none. */
static json_t *hear(void)
{
    static char text[1 << 20];
    int opcode;
    do opcode = next_frame(text, sizeof text);
    while (opcode == 9);
    if (opcode < 0) return NULL;
    assert_int_equal(opcode, 1);
    json_t *message = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(message);
    return message;
}

static const char *text_of(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static json_int_t number_of(json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* The next message has this type; returned for more questions, freed at the next call. */
static json_t *hear_type(const char *type)
{
    static json_t *last;
    json_decref(last);
    last = hear();
    if (!last) fail_msg("nothing came, not %s", type);
    if (strcmp(text_of(last, "type"), type) != 0)
        fail_msg("%s came, not %s", json_dumps(last, 0), type);
    return last;
}

static void assert_silence(void)
{
    json_t *message = hear();
    if (message) fail_msg("%s came", json_dumps(message, 0));
}

static void assert_goodbye(u16 code)
{
    char payload[256];
    int opcode;
    while ((opcode = next_frame(payload, sizeof payload)) == 1 || opcode == 9) continue;
    assert_int_equal(opcode, 8);
    assert_int_equal((u8)payload[0] << 8 | (u8)payload[1], code);
    assert_true(payload[2] != '\0'); /* a reason */
}

/* ---- The rest of the exchange ---- */

static u64 match_seq;

static void match_open(u16 market, u8 side, u64 price, u64 lots, u64 cause)
{
    u64 seq = ++match_seq;
    struct match_order m = {.head = {.seq = seq,
                                     .time_ns = GATEWAY_START,
                                     .cause = cause,
                                     .length = sizeof m,
                                     .kind = MATCH_OPENED,
                                     .version = 1},
                            .order_id = seq,
                            .price = price,
                            .lots = lots,
                            .account = 1,
                            .market = market,
                            .side = side};
    assert_int_equal(market_apply(g->market_writer, 0, &m.head), 0);
    market_publish(g->market_writer);
}

static void match_trade(u16 market, u64 price, u64 lots, u64 left, u8 taker_side)
{
    struct match_trade t = {.head = {.seq = ++match_seq,
                                     .time_ns = GATEWAY_START,
                                     .cause = 1,
                                     .length = sizeof t,
                                     .kind = MATCH_TRADE,
                                     .version = 1},
                            .maker_id = 1,
                            .taker_id = 2,
                            .price = price,
                            .lots = lots,
                            .maker_left = left,
                            .maker_account = 1,
                            .taker_account = 2,
                            .market = market,
                            .taker_side = taker_side};
    assert_int_equal(market_apply(g->market_writer, 0, &t.head), 0);
    market_publish(g->market_writer);
}

/* ---- Tests ---- */

static void greets_and_answers_pings(void **state)
{
    (void)state;
    gateway_turn(g, 0);
    hear_type("connected");
    say("{\"type\":\"ping\",\"id\":\"x\"}");
    assert_string_equal(text_of(hear_type("pong"), "id"), "x");
    send_frame(0x89, "abc", 3);
    gateway_turn(g, 0);
    char payload[16];
    assert_int_equal(next_frame(payload, sizeof payload), 10);
    assert_string_equal(payload, "abc");
}

static void puts_fragments_together(void **state)
{
    (void)state;
    gateway_turn(g, 0);
    hear_type("connected");
    send_frame(0x01, "{\"type\":", 8);
    send_frame(0x89, "", 0); /* a ping may come between */
    gateway_turn(g, 0);
    send_frame(0x00, "\"pi", 3);
    send_frame(0x80, "ng\"}", 4);
    gateway_turn(g, 0);
    char payload[256];
    assert_int_equal(next_frame(payload, sizeof payload), 10);
    hear_type("pong");
}

static void closes_with_code_and_reason(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        u16 code;
        u8 frame[4];
    } BAD[] = {{3, 1002, {0x81, 0x01, 'x'}},        /* not masked */
               {4, 1002, {0xc1, 0x80, 0, 0}},       /* a reserved bit */
               {4, 1003, {0x82, 0x80, 0, 0}},       /* binary */
               {4, 1002, {0x80, 0x80, 0, 0}},       /* continues nothing */
               {4, 1002, {0x83, 0x80, 0, 0}},       /* no such opcode */
               {4, 1002, {0x09, 0x80, 0, 0}},       /* a ping in pieces */
               {4, 1009, {0x81, 0xfe, 0x10, 0x01}}, /* 4097 bytes */
               {4, 1007, {0x81, 0x81, 0, 0}},       /* with 0xff: see below */
               {4, 1002, {0x88, 0x81, 0, 0}},       /* half a code */
               {4, 1000, {0x88, 0x80, 0, 0}}};      /* goodbye */
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        u8 frame[16] = {0};
        memset(frame + 6, 0xff, 1);
        memcpy(frame, BAD[i].frame, BAD[i].len);
        assert_int_equal(write(g->peer, frame, sizeof frame), sizeof frame);
        gateway_turn(g, 0);
        assert_goodbye(BAD[i].code);
        tear_down(NULL);
        set_up(NULL);
    }
}

static void tells_depth_as_snapshot_and_differences(void **state)
{
    (void)state;
    gateway_durable(g, 100);
    gateway_turn(g, 0);
    hear_type("connected");
    match_seq = 0;
    match_open(0, SIDE_BUY, 10000, 5, 1);
    say("{\"type\":\"subscribe\",\"id\":1,\"channels\":[\"depth.BTC-USDC.5\"]}");
    json_t *m = hear_type("subscribed");
    assert_string_equal(json_string_value(json_array_get(json_object_get(m, "channels"), 0)),
                        "depth.BTC-USDC.5");
    m = hear_type("snapshot");
    assert_string_equal(text_of(m, "channel"), "depth.BTC-USDC.5");
    json_int_t sequence = number_of(m, "sequence");
    assert_int_equal(sequence, 1);
    json_t *bid = json_array_get(json_object_get(json_object_get(m, "data"), "bids"), 0);
    assert_string_equal(json_string_value(json_array_get(bid, 0)), "100");
    assert_string_equal(json_string_value(json_array_get(bid, 1)), "0.00005");

    match_open(0, SIDE_BUY, 10000, 5, 1);
    match_open(0, SIDE_SELL, 10100, 7, 1);
    gateway_turn(g, 20 * NS_PER_MS);
    m = hear_type("update");
    assert_int_equal(number_of(m, "prev_sequence"), sequence);
    assert_int_equal(number_of(m, "sequence"), 3);
    json_t *data = json_object_get(m, "data");
    char *text = json_dumps(json_object_get(data, "bids"), JSON_COMPACT);
    assert_string_equal(text, "[[\"100\",\"0.0001\"]]");
    free(text);
    text = json_dumps(json_object_get(data, "asks"), JSON_COMPACT);
    assert_string_equal(text, "[[\"101\",\"0.00007\"]]");
    free(text);

    match_trade(0, 10100, 7, 0, SIDE_BUY);
    gateway_turn(g, 20 * NS_PER_MS);
    m = hear_type("update");
    assert_int_equal(number_of(m, "prev_sequence"), 3);
    text = json_dumps(json_object_get(json_object_get(m, "data"), "asks"), JSON_COMPACT);
    assert_string_equal(text, "[[\"101\",\"0\"]]");
    free(text);
}

/* What falls out of the best five leaves with amount 0, what moves up arrives. */
static void keeps_exactly_the_best_levels(void **state)
{
    (void)state;
    gateway_durable(g, 100);
    gateway_turn(g, 0);
    hear_type("connected");
    match_seq = 0;
    for (u64 i = 0; i < 6; i++) match_open(0, SIDE_SELL, 200 + i, 1, 1);
    say("{\"type\":\"subscribe\",\"channels\":[\"depth.BTC-USDC.5\"]}");
    hear_type("subscribed");
    json_t *m = hear_type("snapshot");
    assert_int_equal(json_array_size(json_object_get(json_object_get(m, "data"), "asks")), 5);
    match_open(0, SIDE_SELL, 199, 1, 1);
    gateway_turn(g, 20 * NS_PER_MS);
    m = hear_type("update");
    char *text = json_dumps(json_object_get(json_object_get(m, "data"), "asks"), JSON_COMPACT);
    assert_string_equal(text, "[[\"1.99\",\"0.00001\"],[\"2.04\",\"0\"]]");
    free(text);
    match_open(0, SIDE_SELL, 300, 1, 1); /* below the best five: nothing to tell */
    gateway_turn(g, 20 * NS_PER_MS);
    assert_silence();
    match_open(0, SIDE_SELL, 199, 1, 1);
    gateway_turn(g, 20 * NS_PER_MS);
    m = hear_type("update");
    assert_int_equal(number_of(m, "prev_sequence"), 7); /* the last that was told */
}

static void tells_trades_and_tickers_in_both_dialects(void **state)
{
    (void)state;
    gateway_durable(g, 100);
    gateway_turn(g, 0);
    hear_type("connected");
    match_seq = 0;
    match_open(1, SIDE_SELL, 500, 10, 1);
    say("{\"type\":\"subscribe\",\"channel\":\"trades\",\"market\":\"ETH-USDC\"}");
    json_t *m = hear_type("subscribed");
    assert_string_equal(text_of(m, "channel"), "trades");
    assert_string_equal(text_of(m, "market"), "ETH-USDC");
    say("{\"type\":\"subscribe\",\"channels\":[\"ticker.*\"]}");
    hear_type("subscribed");
    hear_type("snapshot"), hear_type("snapshot");
    match_trade(1, 500, 4, 6, SIDE_BUY);
    gateway_turn(g, 200 * NS_PER_MS);
    m = hear_type("update");
    assert_string_equal(text_of(m, "channel"), "trades");
    assert_string_equal(text_of(m, "market"), "ETH-USDC");
    assert_string_equal(text_of(json_object_get(m, "data"), "side"), "buy");
    assert_string_equal(text_of(json_object_get(m, "data"), "price"), "5");
    m = hear_type("update");
    assert_string_equal(text_of(m, "channel"), "ticker.*");
    assert_string_equal(text_of(json_object_get(m, "data"), "last_price"), "5");
    say("{\"type\":\"unsubscribe\",\"channels\":[\"ticker.*\"]}");
    hear_type("unsubscribed");
    match_trade(1, 500, 4, 2, SIDE_BUY);
    gateway_turn(g, 200 * NS_PER_MS);
    hear_type("update");
    assert_silence();
}

static void assert_kline(const char *type, json_int_t open_time, json_int_t count)
{
    json_t *data = json_object_get(hear_type(type), "data");
    assert_int_equal(number_of(data, "open_time"), open_time);
    assert_int_equal(number_of(data, "trade_count"), count);
    assert_string_equal(text_of(data, "close"), "5");
}

/* A candle is told as it grows; the next one begins flat, even when nobody trades. */
static void tells_candles(void **state)
{
    const json_int_t minute = (json_int_t)(GATEWAY_START / NS_PER_MS) / 60000 * 60000;
    (void)state;
    gateway_durable(g, 100);
    gateway_turn(g, 0);
    hear_type("connected");
    match_seq = 0;
    match_open(0, SIDE_SELL, 500, 10, 1);
    say("{\"type\":\"subscribe\",\"channels\":[\"kline.BTC-USDC.1m\",\"kline.*.1w\"]}");
    hear_type("subscribed");
    assert_silence(); /* no candle before the first trade */
    match_trade(0, 500, 4, 6, SIDE_BUY);
    gateway_turn(g, 100 * NS_PER_MS);
    assert_kline("update", minute, 1);
    json_t *m = hear_type("update");
    assert_string_equal(text_of(m, "channel"), "kline.*.1w");
    assert_string_equal(text_of(m, "market"), "BTC-USDC");
    match_trade(0, 500, 1, 5, SIDE_BUY);
    match_trade(0, 500, 1, 4, SIDE_BUY);
    gateway_turn(g, 100 * NS_PER_MS);
    assert_kline("update", minute, 3);
    hear_type("update");
    for (json_int_t i = 1; i <= 2; i++) {
        send_frame(0x8a, "", 0); /* a pong: still there */
        gateway_turn(g, 0);
        gateway_turn(g, 55 * NS_PER_S);
        assert_kline("update", minute + i * 60000, 0);
    }
    gateway_turn(g, 100 * NS_PER_MS);
    assert_silence();
    say("{\"type\":\"subscribe\",\"channel\":\"kline\",\"market\":\"BTC-USDC\",\"params\":{"
        "\"interval\":\"5m\"}}");
    m = hear_type("subscribed");
    assert_string_equal(text_of(m, "interval"), "5m");
    m = hear_type("snapshot");
    assert_string_equal(text_of(m, "channel"), "kline");
    assert_string_equal(text_of(m, "interval"), "5m");
}

/* All markets in one subscription: their frames come together, each with its own sequence. */
static void tells_every_market(void **state)
{
    (void)state;
    gateway_durable(g, 100);
    gateway_turn(g, 0);
    hear_type("connected");
    match_seq = 0;
    say("{\"type\":\"subscribe\",\"channels\":[\"depth.*.20\",\"trades.*\"]}");
    hear_type("subscribed");
    hear_type("snapshot"), hear_type("snapshot");
    say("{\"type\":\"subscribe\",\"channels\":[\"depth.ETH-USDC.20\"]}");
    hear_type("subscribed");
    hear_type("snapshot");
    match_open(0, SIDE_SELL, 500, 10, 1);
    match_open(1, SIDE_SELL, 700, 10, 1);
    match_trade(1, 700, 4, 6, SIDE_BUY);
    gateway_turn(g, 20 * NS_PER_MS);
    const char *channels[] = {"depth.*.20", "depth.*.20", "trades.*", "depth.ETH-USDC.20"};
    const char *markets[] = {"BTC-USDC", "ETH-USDC", "ETH-USDC", "ETH-USDC"};
    for (u32 i = 0; i < COUNT_OF(channels); i++) {
        json_t *m = hear_type("update");
        assert_string_equal(text_of(m, "channel"), channels[i]);
        bool depth = channels[i][0] == 'd';
        assert_string_equal(text_of(depth ? json_object_get(m, "data") : m, "market"), markets[i]);
        if (depth) assert_int_equal(number_of(m, "prev_sequence"), 0);
    }
    assert_silence();
    say("{\"type\":\"unsubscribe\",\"channels\":[\"depth.*.20\",\"trades.*\"]}");
    hear_type("unsubscribed");
    match_trade(1, 700, 4, 2, SIDE_BUY);
    gateway_turn(g, 20 * NS_PER_MS);
    assert_string_equal(text_of(hear_type("update"), "channel"), "depth.ETH-USDC.20");
    assert_silence();
}

/* ---- Own channels ---- */

static const u8 KEY[32] = {[31] = 7};

static void authenticate(bool older, u64 timestamp, const char *expected)
{
    struct secp_signer me;
    u8 digest[32], signature[65];
    char wallet[64], hex[160], text[512];
    assert_int_equal(secp_signer_of_key(KEY, &me), 0);
    hex_format(me.address, 20, wallet);
    if (older) {
        snprintf(text, sizeof text,
                 "Eidos Exchange WebSocket Authentication\nWallet: %s\nTimestamp: %lu", wallet,
                 timestamp);
        eip712_personal_digest(text, strlen(text), digest);
    } else {
        struct eip712_request r = {"WS", 2, "/ws", 3, timestamp};
        eip712_request_digest(&g->api.eip712, &r, digest);
    }
    assert_int_equal(secp_sign(KEY, digest, signature), 0);
    hex_format(signature, 65, hex);
    snprintf(text, sizeof text,
             "{\"type\":\"auth\",\"id\":5,\"params\":{\"wallet\":\"%s\",\"timestamp\":%lu,"
             "\"signature\":\"%s\"}}",
             wallet, timestamp, hex);
    say(text);
    assert_int_equal(number_of(hear_type(expected), "id"), 5);
}

static void wants_auth_for_own_channels(void **state)
{
    (void)state;
    gateway_turn(g, 0);
    hear_type("connected");
    say("{\"type\":\"subscribe\",\"channels\":[\"orders\"]}");
    json_t *m = hear_type("error");
    assert_int_equal(number_of(json_object_get(m, "data"), "code"), 10004);
    u64 now = g->api.unix_ns / NS_PER_MS;
    authenticate(false, now - 300100, "error");
    authenticate(false, now, "auth");
    authenticate(true, now, "auth");
}

static void write_balance(u64 cause)
{
    struct secp_signer me;
    assert_int_equal(secp_signer_of_key(KEY, &me), 0);
    struct account_balance *b = log_begin(&g->account, ACCOUNT_BALANCE, sizeof *b);
    struct rec head = b->head;
    *b = (struct account_balance){.head = head, .settled_available = 5, .token = 0};
    b->reason = BALANCE_DEPOSIT;
    memcpy(b->wallet, me.address, WALLET_BYTES);
    log_commit(&g->account, b, GATEWAY_START, cause);
    log_publish(&g->account);
}

static void holds_back_what_is_not_durable(void **state)
{
    (void)state;
    gateway_turn(g, 0);
    hear_type("connected");
    authenticate(false, g->api.unix_ns / NS_PER_MS, "auth");
    say("{\"type\":\"subscribe\",\"channels\":[\"balances\"]}");
    hear_type("subscribed");
    write_balance(8);
    gateway_turn(g, NS_PER_MS);
    assert_silence();
    gateway_durable(g, 7);
    gateway_turn(g, NS_PER_MS);
    assert_silence();
    gateway_durable(g, 8);
    gateway_turn(g, NS_PER_MS);
    json_t *m = hear_type("update");
    assert_string_equal(text_of(m, "channel"), "balances");
    assert_string_equal(text_of(json_object_get(m, "data"), "settled_available"), "0.00000005");
    assert_string_equal(text_of(json_object_get(m, "data"), "reason"), "deposit");
}

static void says_when_updates_were_lost(void **state)
{
    (void)state;
    gateway_durable(g, 100);
    gateway_turn(g, 0);
    hear_type("connected");
    authenticate(true, g->api.unix_ns / NS_PER_MS, "auth");
    say("{\"type\":\"subscribe\",\"channels\":[\"orders\"]}");
    hear_type("subscribed");
    for (u64 i = 0; i < 2 * GATEWAY_LOG / sizeof(struct account_balance); i++) write_balance(1);
    gateway_turn(g, NS_PER_MS);
    assert_goodbye(1013);
}

/* ---- Orders ---- */

#define ORDER \
    "{\"type\":\"order.place\",\"id\":\"o1\",\"params\":{\"wallet\":" \
    "\"0x00000000000000000000000000000000000000ab\",\"market\":\"BTC-USDC\",\"side\":\"buy\"," \
    "\"type\":\"limit\",\"price\":\"1\",\"amount\":\"1\",\"nonce\":\"1\",\"signature\":\"0x" \
    "1111111111111111111111111111111111111111111111111111111111111111" \
    "22222222222222222222222222222222222222222222222222222222222222221b\"}}"

static u64 asked_request(void)
{
    const struct msg_order *m = ring_peek(&g->asked);
    assert_non_null(m);
    u64 request = m->head.request;
    ring_pop(&g->asked, m->head.length);
    ring_release(&g->asked);
    return request;
}

static void reply(u64 request, u16 code, u64 seq)
{
    struct msg_reply_order *m = ring_alloc(&g->replies, sizeof *m);
    assert_non_null(m);
    *m = (struct msg_reply_order){
        .head = {.length = sizeof *m, .kind = MSG_REPLY_ORDER, .request = request},
        .seq = seq,
        .code = code,
        .has_order = code == 0,
        .order = {.order_id = 77, .side = 1, .type = 1, .tif = 1, .status = STATUS_OPEN}};
    ring_push(&g->replies, sizeof *m);
    ring_publish(&g->replies);
}

static void places_orders_when_durable(void **state)
{
    (void)state;
    gateway_turn(g, 0);
    hear_type("connected");
    say(ORDER);
    assert_silence();
    u64 request = asked_request();
    reply(request, 0, 9);
    gateway_turn(g, NS_PER_MS);
    assert_silence();
    gateway_durable(g, 9);
    gateway_turn(g, NS_PER_MS);
    json_t *m = hear_type("ack");
    assert_string_equal(text_of(m, "id"), "o1");
    assert_string_equal(text_of(json_object_get(m, "data"), "order_id"), "77");
    reply(request, 0, 9); /* after a takeover trading may say it twice */
    gateway_turn(g, NS_PER_MS);
    assert_silence();
    say(ORDER);
    reply(asked_request(), 11021, 0);
    gateway_turn(g, NS_PER_MS);
    m = hear_type("ack");
    assert_int_equal(number_of(json_object_get(m, "data"), "code"), 11021);
}

#define CANCEL_ALL \
    "{\"type\":\"order.cancel_all\",\"id\":\"c1\",\"params\":{\"wallet\":\"0x" \
    "70997970C51812dc3A010C7d01b50e0d17dc79C8\",\"timestamp\":\"1700000000000\"," \
    "\"signature\":\"0x" \
    "1111111111111111111111111111111111111111111111111111111111111111" \
    "22222222222222222222222222222222222222222222222222222222222222221b\"}}"

static void reply_one_of(u64 request, u32 total, u64 order_id)
{
    struct msg_reply_cancel *m = ring_alloc(&g->replies, sizeof *m);
    assert_non_null(m);
    *m = (struct msg_reply_cancel){
        .head = {.length = sizeof *m, .kind = MSG_REPLY_CANCEL, .request = request},
        .order_id = order_id,
        .total = total};
    ring_push(&g->replies, sizeof *m);
    ring_publish(&g->replies);
}

static void counts_each_order_once_over_a_takeover(void **state)
{
    (void)state;
    gateway_turn(g, 0);
    hear_type("connected");
    say(CANCEL_ALL);
    gateway_turn(g, NS_PER_MS);
    u64 request = asked_request();
    reply_one_of(request, 2, 8);
    gateway_turn(g, NS_PER_MS);
    atomic_fetch_add(&g->block.epoch, 1);
    reply_one_of(request, 2, 8); /* the standby cannot know whether it was read */
    gateway_turn(g, NS_PER_MS);
    assert_silence();
    reply_one_of(request, 2, 9);
    gateway_turn(g, NS_PER_MS);
    json_t *cancelled = json_object_get(json_object_get(hear_type("ack"), "data"), "cancelled");
    assert_int_equal(json_array_size(cancelled), 2);
    assert_string_equal(json_string_value(json_array_get(cancelled, 0)), "8");
    assert_string_equal(json_string_value(json_array_get(cancelled, 1)), "9");
}

static void times_out(void **state)
{
    (void)state;
    gateway_turn(g, 0);
    hear_type("connected");
    say(ORDER);
    gateway_turn(g, 6 * NS_PER_S);
    json_t *m = hear_type("ack");
    assert_int_equal(number_of(json_object_get(m, "data"), "code"), 20004);
    reply(asked_request(), 0, 0);
    gateway_turn(g, NS_PER_MS);
    assert_silence();
}

static void forgets_requests_of_the_dead(void **state)
{
    (void)state;
    gateway_turn(g, 0);
    say(ORDER);
    u64 request = asked_request();
    shutdown(g->peer, SHUT_RDWR);
    gateway_turn(g, NS_PER_MS);
    assert_int_equal(g->api.hub->count, 0);
    reply(request, 0, 0);
    gateway_turn(g, NS_PER_MS);
    u32 free_requests = 0;
    for (struct link *l = g->api.free.next; l != &g->api.free; l = l->next) free_requests++;
    assert_int_equal(free_requests, GATEWAY_REQUESTS);
}

/* ---- Limits ---- */

static void limits_messages(void **state)
{
    (void)state;
    gateway_turn(g, 0);
    hear_type("connected");
    for (u32 i = 0; i < 20; i++) {
        send_frame(0x81, "{\"type\":\"ping\"}", 15);
        gateway_turn(g, 0);
        hear_type("pong");
    }
    send_frame(0x81, "{\"type\":\"ping\"}", 15);
    gateway_turn(g, 0);
    json_t *m = hear_type("error");
    assert_int_equal(number_of(json_object_get(m, "data"), "code"), 20001);
    assert_goodbye(1008);
}

static void limits_silence(void **state)
{
    (void)state;
    char payload[256];
    gateway_turn(g, 0);
    hear_type("connected");
    gateway_turn(g, 20 * NS_PER_S + NS_PER_MS);
    assert_int_equal(next_frame(payload, sizeof payload), 9);
    gateway_turn(g, 41 * NS_PER_S);
    assert_goodbye(1001);
}

static void limits_slow_readers(void **state)
{
    (void)state;
    gateway_durable(g, 100);
    gateway_turn(g, 0);
    match_seq = 0;
    match_open(0, SIDE_SELL, 500, 1UL << 40, 1);
    say("{\"type\":\"subscribe\",\"channels\":[\"depth.BTC-USDC.5\",\"trades.BTC-USDC\"]}");
    bool was_stale = false;
    for (u32 i = 1; i < 60000 && !g->ws->closing; i++) { /* nobody reads */
        match_trade(0, 500, 1, (1UL << 40) - i, SIDE_BUY);
        gateway_turn(g, NS_PER_MS);
        assert_true(ws_backlog(g->ws) <= WS_OUT_MAX);
        was_stale |= LINK_OF(g->api.hub->waves.next, struct wave, of_hub)->stale;
        if (i % 10000 == 0) send_frame(0x8a, "", 0); /* a pong: it is slow, not dead */
    }
    assert_true(was_stale);
    assert_true(g->ws->closing);
    for (u32 i = 0; i < 100; i++) receive(), gateway_turn(g, 0);
    assert_goodbye(1008);
}

/* More connections than a wave has: each is told everything, in sequence, with one of each frame.
 */
static void tells_every_wave(void **state)
{
    (void)state;
    enum { MORE = WAVE_CONNS + 20 };
    static int peers[MORE];
    static json_int_t told[MORE];
    int first = g->peer;
    gateway_durable(g, 100);
    match_seq = 0;
    match_open(0, SIDE_SELL, 500, 10, 1);
    for (u32 i = 0; i < MORE; i++) {
        gateway_connect(g);
        peers[i] = g->peer;
        gateway_turn(g, 0);
        hear_type("connected");
        say("{\"type\":\"subscribe\",\"channels\":[\"depth.*.5\",\"ticker.BTC-USDC\"]}");
        hear_type("subscribed");
        told[i] = number_of(hear_type("snapshot"), "sequence");
        for (json_t *more; (more = hear());) json_decref(more);
    }
    assert_int_equal(g->api.hub->wave_count, 2);
    for (u64 price = 499; price > 495; price--) {
        match_open(0, SIDE_SELL, price, 10, 1);
        for (u32 i = 0; i < 8; i++) gateway_turn(g, 50 * NS_PER_MS); /* a busy host rests between */
        for (u32 i = 0; i < MORE; i++) {
            g->peer = peers[i];
            json_t *update = hear_type("update");
            assert_string_equal(text_of(update, "channel"), "depth.*.5");
            assert_int_equal(number_of(update, "prev_sequence"), told[i]);
            told[i] = number_of(update, "sequence");
            assert_string_equal(text_of(hear_type("update"), "channel"), "ticker.BTC-USDC");
            assert_silence();
        }
    }
    for (u32 i = 0; i < MORE; i++) close(peers[i]);
    g->peer = first;
    for (u32 i = 0; i < MORE; i++) gateway_turn(g, 0);
    assert_int_equal(g->api.hub->count, 1);
}

int main(void)
{
#define WS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WS_TEST(greets_and_answers_pings),
        WS_TEST(puts_fragments_together),
        WS_TEST(closes_with_code_and_reason),
        WS_TEST(tells_depth_as_snapshot_and_differences),
        WS_TEST(keeps_exactly_the_best_levels),
        WS_TEST(tells_trades_and_tickers_in_both_dialects),
        WS_TEST(tells_candles),
        WS_TEST(tells_every_market),
        WS_TEST(wants_auth_for_own_channels),
        WS_TEST(holds_back_what_is_not_durable),
        WS_TEST(says_when_updates_were_lost),
        WS_TEST(places_orders_when_durable),
        WS_TEST(counts_each_order_once_over_a_takeover),
        WS_TEST(times_out),
        WS_TEST(forgets_requests_of_the_dead),
        WS_TEST(limits_messages),
        WS_TEST(limits_silence),
        WS_TEST(limits_slow_readers),
        WS_TEST(tells_every_wave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
