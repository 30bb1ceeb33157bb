/* Verification: what a wallet signed passes unchanged; what it did not sign is refused with its
 * code, whatever the api says. */
#include "shm/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/verify_fixture.h"

#define ORDERS "/api/v1/orders"

static void add_market(const char *symbol)
{
    struct cmd_market m = {.head = {.kind = CMD_MARKET, .length = sizeof m},
                           .market = (u16)rules.market_count};
    snprintf(m.symbol, sizeof m.symbol, "%s", symbol);
    rules_apply(&rules, &m.head);
}

static int init(void **state)
{
    (void)state;
    if (verify_group()) return -1;
    add_market("BTC-USDC");
    add_market("ETH-USDC");
    return 0;
}

/* --- Orders ----------------------------------------------------------------------------------- */

static struct msg_order limit_order(u8 signature_type, unsigned key)
{
    struct msg_order m = {
        .head = {.length = sizeof m, .kind = MSG_ORDER, .request = (u64)API << 48 | 7},
        .price = wad_make((u128)50000 * WAD),
        .amount = wad_make(WAD / 8),
        .nonce = 41,
        .expire_s = NOW_MS / 1000 + 60,
        .market = 1,
        .side = SIDE_SELL,
        .type = TYPE_LIMIT,
        .tif = TIF_GTC,
        .signature_type = signature_type,
        .client_id_length = 6,
        .client_id = "mine-1",
    };
    memcpy(m.wallet, signers[key].address, WALLET_BYTES);
    return m;
}

static struct msg_order market_order(u8 signature_type, unsigned key)
{
    struct msg_order m = limit_order(signature_type, key);
    m.type = TYPE_MARKET;
    m.tif = TIF_IOC;
    m.price = wad_make(0);
    m.slippage_bps = 100;
    return m;
}

/* Written apart from verify.c: what the trader's own software hashes. */
static void digest_of(const struct msg_order *m, u8 digest[32])
{
    struct eip712 domain;
    eip712_init(&domain, 31337, PARAMS.contract);
    const char *market = m->market ? "ETH-USDC" : "BTC-USDC";
    if (m->signature_type == SIG_V1) {
        struct eip712_order o = {.side = m->side == SIDE_SELL,
                                 .order_type = m->type == TYPE_MARKET,
                                 .market = market,
                                 .market_len = 8,
                                 .price_wad = wad_get(m->price),
                                 .amount_wad = wad_get(m->amount),
                                 .nonce = m->nonce,
                                 .expiry_s = m->expire_s};
        memcpy(o.wallet, m->wallet, 20);
        eip712_order_digest(&domain, &o, digest);
        return;
    }
    struct eip712_order_v2 o = {.side = m->side == SIDE_SELL,
                                .order_type = m->type == TYPE_MARKET,
                                .time_in_force = (u8)(m->tif - TIF_GTC),
                                .stp = m->stp,
                                .slippage_bps = m->slippage_bps,
                                .market = market,
                                .market_len = 8,
                                .client_order_id = (const char *)m->client_id,
                                .client_order_id_len = m->client_id_length,
                                .price_wad = wad_get(m->price),
                                .amount_wad = wad_get(m->amount),
                                .quote_amount_wad = wad_get(m->quote_amount),
                                .nonce = m->nonce,
                                .expiry_s = m->expire_s};
    memcpy(o.wallet, m->wallet, 20);
    eip712_order_v2_digest(&domain, &o, digest);
}

static void sign_order(struct msg_order *m, unsigned key)
{
    u8 digest[32];
    digest_of(m, digest);
    assert_int_equal(secp_sign(KEY_VECTORS[key].key, digest, m->evidence.signature), 0);
}

static void proves_orders_of_both_types(void **state)
{
    (void)state;
    for (unsigned type = SIG_V1; type <= SIG_V2; type++)
        for (unsigned key = 0; key < COUNT_OF(KEY_VECTORS); key++) {
            struct msg_order m = limit_order((u8)type, key), before;
            sign_order(&m, key);
            before = m;
            memset(m.evidence.digest, 0xee, 32); /* what the api writes there is ignored */
            assert_int_equal(judge(&m), 0);
            digest_of(&before, before.evidence.digest);
            assert_memory_equal(&m, &before, sizeof m);
            m = market_order((u8)type, key);
            sign_order(&m, key);
            assert_int_equal(judge(&m), 0);
        }
}

static void proves_what_ethers_signed(void **state)
{
    (void)state;
    unsigned seen = 0;
    for (size_t i = 0; i < COUNT_OF(MESSAGE_VECTORS); i++) {
        const struct message_vector *v = &MESSAGE_VECTORS[i];
        const struct eip712_order *o = v->message;
        if (v->type != EIP712_ORDER || v->domain || o->side > 1 || o->market_len != 8) continue;
        struct msg_order m = limit_order(SIG_V1, v->key);
        m.market = memcmp(o->market, "BTC", 3) != 0;
        m.side = (u8)(o->side + 1);
        m.type = (u8)(o->order_type + 1);
        m.slippage_bps = m.type == TYPE_MARKET ? 100 : 0;
        m.price = wad_make(o->price_wad);
        m.amount = wad_make(o->amount_wad);
        m.nonce = o->nonce;
        m.expire_s = o->expiry_s;
        memcpy(m.evidence.signature, v->signature, SIGNATURE_BYTES);
        assert_int_equal(judge(&m), 0);
        assert_memory_equal(m.evidence.digest, v->digest, DIGEST_BYTES);
        seen++;
    }
    assert_true(seen >= 2);
}

#define FLIP(field) \
    { \
        offsetof(struct msg_order, field), sizeof(((struct msg_order *)0)->field) \
    }

/* The lowest bit of each byte of each signed field, changed after signing. */
static void refuses_a_changed_field(void **state)
{
    (void)state;
    static const struct {
        size_t at, size;
    } SIGNED[] = {
        FLIP(price.low), FLIP(amount.low), FLIP(nonce), FLIP(expire_s),
        FLIP(wallet),    FLIP(client_id),  FLIP(stp),   FLIP(quote_amount.low),
    };
    for (unsigned type = SIG_V1; type <= SIG_V2; type++)
        for (size_t f = 0; f < COUNT_OF(SIGNED) - (type == SIG_V1 ? 3 : 0); f++)
            for (size_t byte = 0; byte < min_u64(SIGNED[f].size, 6); byte++) {
                struct msg_order m = limit_order((u8)type, 0);
                sign_order(&m, 0);
                ((u8 *)&m)[SIGNED[f].at + byte] ^= 1;
                if (f == 6 && byte) break; /* stp has one byte */
                assert_int_equal(judge(&m), CODE_INVALID_SIGNATURE);
            }
    struct msg_order m = limit_order(SIG_V2, 0);
    sign_order(&m, 0);
    struct msg_order changed = m;
    changed.market = 0;
    assert_int_equal(judge(&changed), CODE_INVALID_SIGNATURE);
    changed = m;
    changed.side = SIDE_BUY;
    assert_int_equal(judge(&changed), CODE_INVALID_SIGNATURE);
    changed = m;
    changed.tif = TIF_GTX;
    assert_int_equal(judge(&changed), CODE_INVALID_SIGNATURE);
    changed = m;
    changed.client_id_length = 5;
    assert_int_equal(judge(&changed), CODE_INVALID_SIGNATURE);
    changed = m;
    changed.signature_type = SIG_V1;
    assert_int_equal(judge(&changed), CODE_INVALID_SIGNATURE);
    m = market_order(SIG_V2, 0);
    sign_order(&m, 0);
    m.slippage_bps = 101;
    assert_int_equal(judge(&m), CODE_INVALID_SIGNATURE);
}

static void refuses_another_signer_and_another_domain(void **state)
{
    (void)state;
    struct msg_order m = limit_order(SIG_V2, 0);
    sign_order(&m, 1);
    assert_int_equal(judge(&m), CODE_INVALID_SIGNATURE);
    sign_order(&m, 0);
    struct verify elsewhere;
    struct verify_params params = PARAMS;
    params.chain_id = 42161;
    assert_int_equal(verify_init(&elsewhere, &params), 0);
    verify_learn(&elsewhere, &rules);
    assert_int_equal(verify_message(&elsewhere, &m.head, NOW).code, CODE_INVALID_SIGNATURE);
    assert_int_equal(judge(&m), 0);
    verify_fini(&elsewhere);
}

/* n - s with the other parity signs the same: only one of the twins may pass. */
static void refuses_the_twin_with_high_s(void **state)
{
    (void)state;
    static const u8 N[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                             0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48,
                             0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};
    struct msg_order m = limit_order(SIG_V1, 0);
    sign_order(&m, 0);
    u8 *s = m.evidence.signature + 32;
    int borrow = 0;
    for (int i = 31; i >= 0; i--) {
        int d = N[i] - s[i] - borrow;
        borrow = d < 0;
        s[i] = (u8)(d + 256 * borrow);
    }
    m.evidence.signature[64] ^= 7; /* 27 <-> 28 */
    assert_int_equal(judge(&m), CODE_INVALID_SIGNATURE);
}

static void takes_four_forms_of_v(void **state)
{
    (void)state;
    struct msg_order m = limit_order(SIG_V1, 0);
    sign_order(&m, 0);
    u8 v = m.evidence.signature[64];
    m.evidence.signature[64] = (u8)(v - 27);
    assert_int_equal(judge(&m), 0);
    m.evidence.signature[64] = v ^ 7;
    assert_int_equal(judge(&m), CODE_INVALID_SIGNATURE);
    m.evidence.signature[64] = (u8)(v + 2);
    assert_int_equal(judge(&m), CODE_INVALID_SIGNATURE);
    memset(m.evidence.signature, 0, SIGNATURE_BYTES);
    assert_int_equal(judge(&m), CODE_INVALID_SIGNATURE);
}

/* Signed well, but v1 does not sign it. */
static void refuses_what_v1_does_not_bind(void **state)
{
    (void)state;
    struct msg_order m = limit_order(SIG_V1, 0);
    for (unsigned tif = TIF_IOC; tif <= TIF_GTX; tif++) {
        m.tif = (u8)tif;
        sign_order(&m, 0);
        assert_int_equal(judge(&m), CODE_INVALID_PARAMS);
    }
    m = limit_order(SIG_V1, 0);
    m.stp = STP_CANCEL_BOTH;
    sign_order(&m, 0);
    assert_int_equal(judge(&m), CODE_INVALID_PARAMS);
    m = market_order(SIG_V1, 0);
    m.slippage_bps = 99;
    sign_order(&m, 0);
    assert_int_equal(judge(&m), CODE_INVALID_PARAMS);
    m = market_order(SIG_V1, 0);
    m.quote_amount = wad_make(5);
    sign_order(&m, 0);
    assert_int_equal(judge(&m), CODE_INVALID_PARAMS);
    m.signature_type = SIG_V2;
    sign_order(&m, 0);
    assert_int_equal(judge(&m), 0);
}

static void refuses_fields_out_of_range(void **state)
{
    (void)state;
    struct msg_order m;
#define REFUSED(field, value, code) \
    m = limit_order(SIG_V2, 0); \
    m.field = (value); \
    sign_order(&m, 0); \
    assert_int_equal(judge(&m), code)
    REFUSED(side, 0, CODE_INVALID_SIDE);
    REFUSED(side, 3, CODE_INVALID_SIDE);
    REFUSED(type, 0, CODE_INVALID_TYPE);
    REFUSED(type, 3, CODE_INVALID_TYPE);
    REFUSED(tif, 0, CODE_INVALID_TIF);
    REFUSED(tif, 5, CODE_INVALID_TIF);
    REFUSED(stp, 4, CODE_INVALID_PARAMS);
    REFUSED(signature_type, 0, CODE_INVALID_PARAMS);
    REFUSED(signature_type, 3, CODE_INVALID_PARAMS);
    REFUSED(slippage_bps, 1, CODE_INVALID_PARAMS);
    REFUSED(price.high, 1UL << 63, CODE_INVALID_PARAMS);
    REFUSED(amount.high, 1UL << 63, CODE_INVALID_PARAMS);
    REFUSED(quote_amount.high, 1UL << 63, CODE_INVALID_PARAMS);
    REFUSED(market, 2, CODE_MARKET_NOT_FOUND);
    REFUSED(market, NO_MARKET, CODE_MARKET_NOT_FOUND);
#undef REFUSED
    m = limit_order(SIG_V2, 0);
    m.client_id_length = 37;
    assert_int_equal(judge(&m), CODE_INVALID_PARAMS);
    static const u16 SLIPPAGES[] = {0, 9, 1001};
    for (size_t i = 0; i < COUNT_OF(SLIPPAGES); i++) {
        m = market_order(SIG_V2, 0);
        m.slippage_bps = SLIPPAGES[i];
        sign_order(&m, 0);
        assert_int_equal(judge(&m), CODE_INVALID_PARAMS);
    }
}

static void learns_markets_as_they_come(void **state)
{
    (void)state;
    verify.markets = 0;
    struct msg_order m = limit_order(SIG_V2, 0);
    sign_order(&m, 0);
    assert_int_equal(judge(&m), CODE_MARKET_NOT_FOUND);
    verify_learn(&verify, &rules);
    assert_int_equal(judge(&m), 0);
}

static void forwards_nothing_unused(void **state)
{
    (void)state;
    struct msg_order m = limit_order(SIG_V2, 0);
    sign_order(&m, 0);
    struct msg_order clean = m;
    m.head.zero = 9;
    memset(m.zero, 9, sizeof m.zero);
    memset(m.evidence.zero, 9, sizeof m.evidence.zero);
    memset(m.client_id + m.client_id_length, 9, sizeof m.client_id - m.client_id_length);
    assert_int_equal(judge(&m), 0);
    digest_of(&clean, clean.evidence.digest);
    assert_memory_equal(&m, &clean, sizeof m);
}

/* --- Cancels ---------------------------------------------------------------------------------- */

union cancel {
    struct msg_cancel msg;
    u8 bytes[sizeof(struct msg_cancel) + 8 * MSG_CANCEL_IDS_MAX];
};

static union cancel cancel_one(unsigned key, u64 order_id)
{
    union cancel c = {.msg = {
                          .head = {.length = sizeof(struct msg_cancel) + 8,
                                   .kind = MSG_CANCEL,
                                   .request = (u64)API << 48 | 8},
                          .nonce = 77,
                          .market = NO_MARKET,
                          .count = 1,
                          .auth = AUTH_CANCEL,
                      }};
    memcpy(c.msg.wallet, signers[key].address, WALLET_BYTES);
    c.msg.order_ids[0] = order_id;
    return c;
}

static void sign_cancel(union cancel *c, unsigned key, const char *order_id)
{
    struct eip712_cancel t = {
        .order_id = order_id, .order_id_len = strlen(order_id), .nonce = c->msg.nonce};
    u8 digest[32];
    memcpy(t.wallet, c->msg.wallet, 20);
    eip712_cancel_digest(&verify.domain, &t, digest);
    assert_int_equal(secp_sign(KEY_VECTORS[key].key, digest, c->msg.evidence.signature), 0);
}

static union cancel request(unsigned key, const char *method, const char *path, u64 timestamp_ms)
{
    union cancel c = cancel_one(key, 42);
    struct eip712_request t = {
        .method = method,
        .method_len = strlen(method),
        .path = path,
        .path_len = strlen(path),
        .timestamp_ms = timestamp_ms,
    };
    u8 digest[32];
    c.msg.auth = AUTH_REQUEST;
    c.msg.nonce = 0;
    c.msg.by_path = strcmp(path, ORDERS) != 0;
    if (!c.msg.by_path) {
        c.msg.count = 0;
        c.msg.head.length = sizeof c.msg;
    }
    c.msg.timestamp_ms = timestamp_ms;
    c.msg.path_length = (u8)strlen(path);
    memcpy(c.msg.path, path, strlen(path));
    eip712_request_digest(&verify.domain, &t, digest);
    assert_int_equal(secp_sign(KEY_VECTORS[key].key, digest, c.msg.evidence.signature), 0);
    return c;
}

static void proves_a_signed_cancel(void **state)
{
    (void)state;
    union cancel c = cancel_one(1, UINT64_MAX);
    sign_cancel(&c, 1, "18446744073709551615");
    union cancel again = c;
    assert_int_equal(judge(&c), 0);
    assert_int_equal(judge(&again), 0); /* its nonce is for trading to judge */
    c.msg.order_ids[0]--;
    assert_int_equal(judge(&c), CODE_INVALID_SIGNATURE);
    again.msg.nonce++;
    assert_int_equal(judge(&again), CODE_INVALID_SIGNATURE);
    union cancel many = cancel_one(1, 1);
    many.msg.count = 2;
    many.msg.head.length += 8;
    sign_cancel(&many, 1, "1");
    assert_int_equal(judge(&many), CODE_INVALID_PARAMS);
}

static void a_request_is_good_once(void **state)
{
    (void)state;
    union cancel c = request(0, "DELETE", ORDERS "/42", NOW_MS), again = c, other;
    assert_int_equal(judge(&c), 0);
    c = again;
    assert_int_equal(judge(&c), CODE_SIGNATURE_REPLAY);
    c = again;
    c.msg.evidence.signature[64] = (u8)(c.msg.evidence.signature[64] - 27);
    assert_int_equal(judge(&c), CODE_SIGNATURE_REPLAY); /* the form of v makes no new one */
    c = request(0, "DELETE", ORDERS "/42", NOW_MS + 1);
    assert_int_equal(judge(&c), 0);
    other = request(1, "DELETE", ORDERS "/42", NOW_MS); /* the same digest, another wallet */
    assert_int_equal(judge(&other), 0);
}

static void a_request_signs_its_path(void **state)
{
    (void)state;
    union cancel c = request(0, "DELETE", ORDERS, NOW_MS);
    assert_int_equal(judge(&c), 0);
    c = request(0, "GET", ORDERS, NOW_MS - 1);
    assert_int_equal(judge(&c), CODE_INVALID_SIGNATURE);
    c = request(0, "DELETE", ORDERS "/43", NOW_MS - 2); /* signed for 43, asked for 42 */
    assert_int_equal(judge(&c), CODE_INVALID_SIGNATURE);
    c = request(0, "DELETE", ORDERS "/42", NOW_MS - 3);
    c.msg.by_path = 0; /* one signed, all asked */
    c.msg.count = 0;
    c.msg.head.length = sizeof c.msg;
    assert_int_equal(judge(&c), CODE_INVALID_SIGNATURE);
    c = request(0, "DELETE", ORDERS "/042", NOW_MS - 4);
    assert_int_equal(judge(&c), CODE_INVALID_SIGNATURE);
    c = request(0, "DELETE", ORDERS "/42/", NOW_MS - 5);
    assert_int_equal(judge(&c), CODE_INVALID_SIGNATURE);
    c = request(0, "DELETE", "", NOW_MS - 6);
    assert_int_equal(judge(&c), CODE_INVALID_SIGNATURE);
    c = request(0, "DELETE", ORDERS, NOW_MS - 7);
    c.msg.timestamp_ms++;
    assert_int_equal(judge(&c), CODE_INVALID_SIGNATURE);
}

static void a_request_has_its_time(void **state)
{
    (void)state;
    static const struct {
        u64 at;
        u16 code;
    } TIMES[] = {
        {NOW_MS - 300000, 0},
        {NOW_MS + 300000, 0},
        {NOW_MS - 300001, CODE_SIGNATURE_EXPIRED},
        {0, CODE_SIGNATURE_EXPIRED},
        {NOW_MS + 300001, CODE_INVALID_TIMESTAMP},
        {UINT64_MAX, CODE_INVALID_TIMESTAMP},
    };
    for (size_t i = 0; i < COUNT_OF(TIMES); i++) {
        union cancel c = request(0, "DELETE", ORDERS, TIMES[i].at);
        assert_int_equal(judge(&c), TIMES[i].code);
    }
    verify.start_ms = NOW_MS - 10; /* this process knows nothing of what was before */
    union cancel c = request(0, "DELETE", ORDERS, NOW_MS - 11);
    assert_int_equal(judge(&c), CODE_SIGNATURE_EXPIRED);
    c = request(0, "DELETE", ORDERS, NOW_MS - 10);
    assert_int_equal(judge(&c), 0);
}

static void refuses_cancel_fields_out_of_range(void **state)
{
    (void)state;
    union cancel c;
#define REFUSED(field, value, code) \
    c = request(0, "DELETE", ORDERS, NOW_MS); \
    c.msg.field = (value); \
    assert_int_equal(judge(&c), code)
    REFUSED(side, 3, CODE_INVALID_SIDE);
    REFUSED(auth, AUTH_ORDER, CODE_INVALID_PARAMS);
    REFUSED(auth, 4, CODE_INVALID_PARAMS);
    REFUSED(auth, AUTH_CANCEL, CODE_INVALID_PARAMS); /* without an order */
    REFUSED(by_path, 2, CODE_INVALID_PARAMS);
    REFUSED(path_length, MSG_PATH_BYTES + 1, CODE_INVALID_PARAMS);
    REFUSED(market, 2, CODE_MARKET_NOT_FOUND);
    REFUSED(by_path, 1, CODE_INVALID_SIGNATURE); /* of no order */
#undef REFUSED
    c = request(0, "DELETE", ORDERS, NOW_MS);
    assert_int_equal(judge(&c), 0);
}

/* --- Guard, rates, workers -------------------------------------------------------------------- */

/* Killed and started again over the same memory: what was used stays used. */
static void a_guard_outlives_its_process(void **state)
{
    static alignas(CACHE_LINE)
        u8 memory[sizeof(struct guard_memory) + GUARD_BUCKETS * 64 * sizeof(struct guard_key)];
    u8 digest[DIGEST_BYTES] = {1}, wallet[WALLET_BYTES] = {2}, other[WALLET_BYTES] = {3};
    struct guard_key key = guard_key_of(digest, wallet), fresh = guard_key_of(digest, other);
    u64 ahead_ms = NOW_MS + GUARD_WINDOW_MS;
    struct guard guard;
    (void)state;
    assert_true(guard_footprint(64) <= sizeof memory && guard_footprint(63) == 0);
    memset(memory, 0, sizeof memory);
    guard_new(memory, 64);
    assert_int_equal(guard_init(&guard, guard_join(memory), 0, 99, NOW_MS), 0);
    assert_int_equal(guard_look(&guard, &key, ahead_ms), GUARD_NEW);
    guard_add(&guard, &key, ahead_ms);
    guard_fini(&guard);
    assert_int_equal(guard_init(&guard, guard_join(memory), 0, 55, NOW_MS + 1000), 0);
    assert_int_equal(guard.memory->start_ms, NOW_MS);
    assert_int_equal(guard_look(&guard, &key, ahead_ms), GUARD_SEEN);
    assert_int_equal(guard_look(&guard, &fresh, ahead_ms), GUARD_NEW);
    guard_fini(&guard);
}

static void a_full_guard_says_so_and_forgets_in_time(void **state)
{
    (void)state;
    unsigned good = 0;
    u64 minute = NOW_MS / GUARD_MINUTE_MS * GUARD_MINUTE_MS;
    for (u64 i = 0; i < PARAMS.guard_slots; i++) {
        union cancel c = request(0, "DELETE", ORDERS, minute + i);
        u16 code = judge(&c);
        assert_true(code == 0 || code == CODE_UNAVAILABLE);
        if (code == 0) good++;
    }
    assert_int_equal(good, PARAMS.guard_slots / 4 * 3);
    union cancel c = request(0, "DELETE", ORDERS, minute - 1); /* another bucket */
    assert_int_equal(judge(&c), 0);
    u64 later_ms = minute + GUARD_BUCKETS * GUARD_MINUTE_MS; /* the same bucket */
    c = request(0, "DELETE", ORDERS, later_ms);
    assert_int_equal(verify_message(&verify, &c.msg.head, later_ms * 1000000).code, 0);
    c = request(0, "DELETE", ORDERS, minute + 1); /* the clock went back: rather no than twice */
    assert_int_equal(judge(&c), CODE_UNAVAILABLE);
}

static void remembers_for_the_whole_window(void **state)
{
    (void)state;
    static struct guard guard;
    u8 digest[32] = {0}, wallet[20] = {1};
    assert_int_equal(guard_init(&guard, NULL, 256, 99, 0), 0);
    /* One request a second for an hour, each looked at again at the far end of its window. */
    for (u64 s = 1000; s < 4600; s++) {
        u64 now_ms = s * 1000;
        memcpy(digest + 8, &s, sizeof s);
        struct guard_key key = guard_key_of(digest, wallet);
        u64 ahead_ms = now_ms + GUARD_WINDOW_MS;
        assert_int_equal(guard_look(&guard, &key, ahead_ms), GUARD_NEW);
        guard_add(&guard, &key, ahead_ms);
        if (s < 1600) continue;
        u64 old = s - 600; /* signed 300 s ahead then, so it is 300 s old now */
        memcpy(digest + 8, &old, sizeof old);
        key = guard_key_of(digest, wallet);
        assert_int_equal(guard_look(&guard, &key, now_ms - GUARD_WINDOW_MS), GUARD_SEEN);
    }
    guard_fini(&guard);
}

static void limits_each_wallet(void **state)
{
    (void)state;
    struct rates r;
    u8 alice[20] = {1}, bob[20] = {2};
    assert_int_equal(rates_init(&r, (const u32[RATE_KINDS]){10, 20, 1}, 5), 0);
    for (int i = 0; i < 10; i++) assert_int_equal(rates_take(&r, alice, RATE_ORDERS, NOW), 0);
    assert_int_equal(rates_take(&r, alice, RATE_ORDERS, NOW), 100);
    assert_int_equal(rates_take(&r, alice, RATE_ORDERS, NOW + 1), 100);
    assert_int_equal(rates_take(&r, alice, RATE_ORDERS, NOW + 99500000), 1);
    assert_int_equal(rates_take(&r, alice, RATE_ORDERS, NOW + 100000000), 0);
    assert_int_equal(rates_take(&r, alice, RATE_ORDERS, NOW + 100000000), 100);
    for (int i = 0; i < 20; i++) assert_int_equal(rates_take(&r, alice, RATE_CANCELS, NOW), 0);
    assert_int_equal(rates_take(&r, alice, RATE_CANCELS, NOW), 50);
    assert_int_equal(rates_take(&r, bob, RATE_ORDERS, NOW), 0);
    for (int i = 0; i < 10; i++) /* after a second of quiet, all ten again, not more */
        assert_int_equal(rates_take(&r, alice, RATE_ORDERS, NOW + 9000000000), 0);
    assert_int_not_equal(rates_take(&r, alice, RATE_ORDERS, NOW + 9000000000), 0);
    rates_fini(&r);
}

/* A crowd of strangers does not refill a busy wallet's bucket while theirs are fuller. */
static void strangers_do_not_wash_a_wallet_out(void **state)
{
    (void)state;
    struct rates r;
    u8 alice[20] = {1}, stranger[20] = {2};
    assert_int_equal(rates_init(&r, (const u32[RATE_KINDS]){10, 20, 1}, 5), 0);
    for (int i = 0; i < 10; i++) assert_int_equal(rates_take(&r, alice, RATE_ORDERS, NOW), 0);
    for (u32 i = 1; i < 20000; i++) {
        memcpy(stranger + 4, &i, sizeof i);
        assert_int_equal(rates_take(&r, stranger, RATE_ORDERS, NOW), 0);
    }
    assert_int_not_equal(rates_take(&r, alice, RATE_ORDERS, NOW), 0);
    rates_fini(&r);
}

static void a_rate_refusal_uses_nothing_up(void **state)
{
    (void)state;
    rates_fini(&verify.rates);
    assert_int_equal(rates_init(&verify.rates, (const u32[RATE_KINDS]){1, 1, 1}, 5), 0);
    struct msg_order m = limit_order(SIG_V2, 0);
    sign_order(&m, 0);
    assert_int_equal(judge(&m), 0);
    struct verdict verdict = verify_message(&verify, &m.head, NOW);
    assert_int_equal(verdict.code, CODE_RATE_LIMIT);
    assert_int_equal(verdict.retry_after_ms, 1000);
    union cancel first = request(0, "DELETE", ORDERS, NOW_MS);
    union cancel second = request(0, "DELETE", ORDERS, NOW_MS + 1);
    assert_int_equal(judge(&first), 0);
    assert_int_equal(judge(&second), CODE_RATE_LIMIT);
    assert_int_equal(verify_message(&verify, &second.msg.head, NOW + 1000000000).code, 0);
    m = limit_order(SIG_V2, 1);
    sign_order(&m, 0); /* what is not proven costs the wallet nothing */
    assert_int_equal(judge(&m), CODE_INVALID_SIGNATURE);
    sign_order(&m, 1);
    assert_int_equal(judge(&m), 0);
}

static void takes_only_the_wallets_of_its_own(void **state)
{
    (void)state;
    unsigned mine = 0;
    for (u32 instance = 0; instance < 3; instance++) {
        struct verify one;
        struct verify_params params = PARAMS;
        params.instance = instance;
        params.workers = 3;
        assert_int_equal(verify_init(&one, &params), 0);
        for (unsigned key = 0; key < COUNT_OF(KEY_VECTORS); key++) {
            union cancel c = request(key, "DELETE", ORDERS, NOW_MS);
            u16 code = verify_message(&one, &c.msg.head, NOW).code;
            bool ours = msg_worker_of(signers[key].address, 3) == instance;
            assert_int_equal(code, ours ? 0 : CODE_INVALID_SIGNATURE);
            mine += ours;
        }
        verify_fini(&one);
    }
    assert_int_equal(mine, COUNT_OF(KEY_VECTORS));
}

static void knows_a_message_by_its_shape(void **state)
{
    (void)state;
    struct msg_order m = limit_order(SIG_V1, 0);
    assert_int_equal(verify_shape(&m, sizeof m, API), 0);
    assert_int_equal(verify_shape(&m, sizeof m, API + 1), -1); /* another api's request */
    assert_int_equal(verify_shape(&m, sizeof m - 8, API), -1);
    m.head.length += 8;
    assert_int_equal(verify_shape(&m, sizeof m, API), -1);
    m.head.length -= 8;
    static const u16 KINDS[] = {0, MSG_REFUSED, MSG_CREDIT, MSG_MODE, MSG_REPLY_ORDER, 0xffff};
    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        m.head.kind = KINDS[i];
        assert_int_equal(verify_shape(&m, sizeof m, API), -1);
        assert_true(*err_text());
    }
    m.head.kind = MSG_CANCEL; /* of the wrong length */
    assert_int_equal(verify_shape(&m, sizeof m, API), -1);
    union cancel c = cancel_one(0, 1);
    assert_int_equal(verify_shape(&c, c.msg.head.length, API), 0);
    c.msg.count = 2;
    assert_int_equal(verify_shape(&c, c.msg.head.length, API), -1);
    c.msg.count = MSG_CANCEL_IDS_MAX;
    c.msg.head.length = sizeof c;
    assert_int_equal(verify_shape(&c, sizeof c, API), 0);
    c.msg.count++;
    c.msg.head.length += 8;
    assert_int_equal(verify_shape(&c, sizeof c + 8, API), -1);
    c.msg.head.length = sizeof(struct msg);
    assert_int_equal(verify_shape(&c, sizeof(struct msg), API), -1);
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(proves_orders_of_both_types),
        FRESH(proves_what_ethers_signed),
        FRESH(refuses_a_changed_field),
        FRESH(refuses_another_signer_and_another_domain),
        FRESH(refuses_the_twin_with_high_s),
        FRESH(takes_four_forms_of_v),
        FRESH(refuses_what_v1_does_not_bind),
        FRESH(refuses_fields_out_of_range),
        FRESH(learns_markets_as_they_come),
        FRESH(forwards_nothing_unused),
        FRESH(proves_a_signed_cancel),
        FRESH(a_request_is_good_once),
        FRESH(a_request_signs_its_path),
        FRESH(a_request_has_its_time),
        FRESH(refuses_cancel_fields_out_of_range),
        FRESH(a_guard_outlives_its_process),
        FRESH(a_full_guard_says_so_and_forgets_in_time),
        FRESH(a_rate_refusal_uses_nothing_up),
        FRESH(takes_only_the_wallets_of_its_own),
        cmocka_unit_test(remembers_for_the_whole_window),
        cmocka_unit_test(limits_each_wallet),
        cmocka_unit_test(strangers_do_not_wash_a_wallet_out),
        cmocka_unit_test(knows_a_message_by_its_shape),
    };
    return cmocka_run_group_tests(tests, init, NULL);
}
