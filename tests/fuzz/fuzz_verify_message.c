/* fuzz_verify_message.c: what a hostile api may write into its ring to verify.
 *
 * First byte: 'r' the rest is a message as it is; 'o', 'p', 'c', 'd', 'w', 'x' a signed order v1,
 * order v2, Request, Cancel, Withdraw and Request that takes one back, changed by the pairs (u16
 * offset, u8 value) that follow. Whatever passes was signed by its wallet, and a signed message
 * passes only if no signed byte was changed.
 */
#include "procs/lib/eth/secp.h"
#include "procs/verify/verify.h"
#include "shm/err.h"

#include <string.h>

#define NOW_MS 1767225600000UL
#define API    1

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static struct rules rules;
static struct verify verify;
static const u8 KEY[32] = {1};
static struct secp_signer signer;

/* The largest message, and what is behind it when the length lies. */
static union {
    struct msg head;
    struct msg_order order;
    struct msg_cancel cancel;
    struct msg_withdraw withdraw;
    struct msg_withdraw_cancel back;
    u8 bytes[MSG_BYTES_MAX];
} message, original;

static void init(void)
{
    static const struct verify_params PARAMS = {
        .chain_id = 31337, .workers = 1, .guard_slots = 64, .per_second = {10, 10, 10}};
    static const char *const SYMBOLS[] = {"BTC-USDC", "ETH-USDC"};
    CHECK(secp_init() == 0 && secp_signer_of_key(KEY, &signer) == 0);
    rules_new(&rules);
    struct cmd_token t = {.head = {.kind = CMD_TOKEN, .length = sizeof t}, .symbol = "USDC"};
    rules_apply(&rules, &t.head);
    for (size_t i = 0; i < COUNT_OF(SYMBOLS); i++) {
        struct cmd_market m = {.head = {.kind = CMD_MARKET, .length = sizeof m}, .market = (u16)i};
        snprintf(m.symbol, sizeof m.symbol, "%s", SYMBOLS[i]);
        rules_apply(&rules, &m.head);
    }
    CHECK(verify_init(&verify, &PARAMS) == 0);
    verify_learn(&verify, &rules);
}

static void sign(struct evidence *e)
{
    CHECK(secp_sign(KEY, e->digest, e->signature) == 0);
}

static void make_order(u8 signature_type)
{
    struct msg_order *m = &message.order;
    *m = (struct msg_order){.head = {.length = sizeof *m, .kind = MSG_ORDER},
                            .price = wad_make(1UL << 60),
                            .amount = wad_make(1UL << 50),
                            .nonce = 9,
                            .side = SIDE_BUY,
                            .type = TYPE_LIMIT,
                            .tif = TIF_GTC,
                            .signature_type = signature_type};
    m->head.request = (u64)API << 48;
    memcpy(m->wallet, signer.address, WALLET_BYTES);
    struct eip712_order v1 = {.market = "BTC-USDC",
                              .market_len = 8,
                              .price_wad = 1UL << 60,
                              .amount_wad = 1UL << 50,
                              .nonce = 9};
    struct eip712_order_v2 v2 = {.market = "BTC-USDC",
                                 .market_len = 8,
                                 .price_wad = 1UL << 60,
                                 .amount_wad = 1UL << 50,
                                 .nonce = 9};
    memcpy(v1.wallet, signer.address, WALLET_BYTES);
    memcpy(v2.wallet, signer.address, WALLET_BYTES);
    if (signature_type == SIG_V1) eip712_order_digest(&verify.domain, &v1, m->evidence.digest);
    else eip712_order_v2_digest(&verify.domain, &v2, m->evidence.digest);
    sign(&m->evidence);
}

static void make_cancel(u8 auth)
{
    struct msg_cancel *m = &message.cancel;
    *m = (struct msg_cancel){.head = {.length = sizeof *m + 8, .kind = MSG_CANCEL},
                             .market = NO_MARKET,
                             .count = 1,
                             .auth = auth};
    m->head.request = (u64)API << 48;
    m->order_ids[0] = 42;
    memcpy(m->wallet, signer.address, WALLET_BYTES);
    struct eip712_cancel c = {.order_id = "42", .order_id_len = 2};
    struct eip712_request r = {.method = "DELETE",
                               .method_len = 6,
                               .path = "/api/v1/orders/42",
                               .path_len = 17,
                               .timestamp_ms = NOW_MS};
    memcpy(c.wallet, signer.address, WALLET_BYTES);
    if (auth == AUTH_CANCEL) {
        eip712_cancel_digest(&verify.domain, &c, m->evidence.digest);
    } else {
        m->by_path = 1;
        m->path_length = 17;
        m->timestamp_ms = NOW_MS;
        memcpy(m->path, r.path, r.path_len);
        eip712_request_digest(&verify.domain, &r, m->evidence.digest);
    }
    sign(&m->evidence);
}

static void make_withdrawal(void)
{
    struct msg_withdraw *m = &message.withdraw;
    *m = (struct msg_withdraw){.head = {.length = sizeof *m, .kind = MSG_WITHDRAW},
                               .amount = wad_make(1UL << 60),
                               .nonce = 9};
    m->head.request = (u64)API << 48;
    memcpy(m->to_address, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", TO_BYTES);
    memcpy(m->wallet, signer.address, WALLET_BYTES);
    struct eip712_withdraw w = {.token = "USDC",
                                .token_len = 4,
                                .to_address = m->to_address,
                                .to_address_len = TO_BYTES,
                                .amount_wad = 1UL << 60,
                                .nonce = 9};
    memcpy(w.wallet, signer.address, WALLET_BYTES);
    eip712_withdraw_digest(&verify.domain, &w, m->evidence.digest);
    sign(&m->evidence);
}

static void make_taking_back(void)
{
    struct msg_withdraw_cancel *m = &message.back;
    *m = (struct msg_withdraw_cancel){.head = {.length = sizeof *m, .kind = MSG_WITHDRAW_CANCEL},
                                      .transfer_id = 42,
                                      .timestamp_ms = NOW_MS};
    m->head.request = (u64)API << 48;
    memcpy(m->wallet, signer.address, WALLET_BYTES);
    struct eip712_request r = {.method = "DELETE",
                               .method_len = 6,
                               .path = "/api/v1/withdrawals/42",
                               .path_len = 22,
                               .timestamp_ms = NOW_MS};
    eip712_request_digest(&verify.domain, &r, m->evidence.digest);
    sign(&m->evidence);
}

/* By whom the message says it is, and its proof. */
static const u8 *wallet_of(const struct evidence **e)
{
    switch (message.head.kind) {
    case MSG_ORDER: *e = &message.order.evidence; return message.order.wallet;
    case MSG_WITHDRAW: *e = &message.withdraw.evidence; return message.withdraw.wallet;
    case MSG_WITHDRAW_CANCEL: *e = &message.back.evidence; return message.back.wallet;
    default: *e = &message.cancel.evidence; return message.cancel.wallet;
    }
}

static u16 judge(u32 length)
{
    struct verdict verdict;
    if (verify_shape(&message, length, API)) {
        CHECK(*err_text());
        return UINT16_MAX;
    }
    verdict = verify_message(&verify, &message.head, NOW_MS * 1000000);
    CHECK((verdict.code == CODE_RATE_LIMIT) == (verdict.retry_after_ms != 0));
    if (verdict.code) return verdict.code;
    const struct evidence *e;
    const u8 *wallet = wallet_of(&e);
    struct secp_signer who;
    CHECK(secp_recover(e->digest, e->signature, &who) == SECP_OK);
    CHECK(!memcmp(who.address, wallet, WALLET_BYTES));
    return 0;
}

/* The message passed though bytes were changed: none of them was signed. */
static void check_unchanged(char what)
{
    if (what == 'o' || what == 'p') {
        struct msg_order *m = &message.order, *was = &original.order;
        CHECK(!memcmp(m->evidence.digest, was->evidence.digest, DIGEST_BYTES));
        CHECK(
            !memcmp(&m->price, &was->price,
                    offsetof(struct msg_order, slippage_bps) - offsetof(struct msg_order, price)));
        CHECK(m->side == was->side && m->type == was->type && m->tif == was->tif && !m->stp);
        CHECK(what == 'o' || m->client_id_length == 0);
        return;
    }
    if (what == 'w') {
        struct msg_withdraw *m = &message.withdraw, *was = &original.withdraw;
        CHECK(!memcmp(m->evidence.digest, was->evidence.digest, DIGEST_BYTES));
        CHECK(!memcmp(&m->amount, &was->amount,
                      offsetof(struct msg_withdraw, evidence) -
                          offsetof(struct msg_withdraw, amount)));
        return;
    }
    if (what == 'x') {
        CHECK(message.back.transfer_id == 42);
        CHECK(judge(message.head.length) == CODE_SIGNATURE_REPLAY);
        return;
    }
    CHECK(!memcmp(message.cancel.evidence.digest, original.cancel.evidence.digest, DIGEST_BYTES));
    CHECK(message.cancel.order_ids[0] == 42 && message.cancel.count == 1);
    if (what == 'c') CHECK(judge(message.head.length) == CODE_SIGNATURE_REPLAY);
}

static void forget(void)
{
    guard_fini(&verify.guard);
    rates_fini(&verify.rates);
    CHECK(guard_init(&verify.guard, NULL, 64, 1, 0) == 0 &&
          rates_init(&verify.rates, (const u32[RATE_KINDS]){10, 10, 10}, 1) == 0);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    if (!signer.address[0]) init();
    if (size == 0 || size - 1 > sizeof message) return 0;
    forget();
    char what = (char)data[0];
    memset(&message, 0, sizeof message);
    switch (what) {
    case 'o': make_order(SIG_V1); break;
    case 'p': make_order(SIG_V2); break;
    case 'c': make_cancel(AUTH_REQUEST); break;
    case 'd': make_cancel(AUTH_CANCEL); break;
    case 'w': make_withdrawal(); break;
    case 'x': make_taking_back(); break;
    case 'r':
        memcpy(&message, data + 1, size - 1);
        judge((u32)(size - 1));
        return 0;
    default: return 0;
    }
    u32 length = message.head.length;
    memcpy(&original, &message, sizeof message);
    for (size_t i = 1; i + 3 <= size; i += 3)
        message.bytes[((u32)data[i] | (u32)data[i + 1] << 8) % length] = data[i + 2];
    u16 code = judge(length);
    if (code == 0) check_unchanged(what);
    if (size < 4) CHECK(code == 0);
    return 0;
}
