/* Verification of withdrawals: what a wallet signed passes, and only to where it said. */

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/verify_fixture.h"

static void add_token(const char *symbol)
{
    struct cmd_token t = {.head = {.kind = CMD_TOKEN, .length = sizeof t},
                          .token = (u16)rules.token_count,
                          .decimals = 8};
    snprintf(t.symbol, sizeof t.symbol, "%s", symbol);
    rules_apply(&rules, &t.head);
}

static int init(void **state)
{
    (void)state;
    if (verify_group()) return -1;
    add_token("USDC");
    add_token("BTC");
    return 0;
}

static struct msg_withdraw withdrawal(unsigned key)
{
    struct msg_withdraw m = {
        .head = {.length = sizeof m, .kind = MSG_WITHDRAW, .request = (u64)API << 48 | 7},
        .amount = wad_make((u128)25 * WAD),
        .nonce = 8,
        .token = 1,
    };
    memcpy(m.to_address, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", TO_BYTES);
    memcpy(m.wallet, signers[key].address, WALLET_BYTES);
    return m;
}

static void sign_withdrawal(struct msg_withdraw *m, unsigned key)
{
    struct eip712 domain;
    u8 digest[32];
    struct eip712_withdraw w = {.token = m->token ? "BTC" : "USDC",
                                .token_len = m->token ? 3 : 4,
                                .to_address = m->to_address,
                                .to_address_len = TO_BYTES,
                                .amount_wad = wad_get(m->amount),
                                .nonce = m->nonce};
    eip712_init(&domain, 31337, PARAMS.contract);
    memcpy(w.wallet, m->wallet, 20);
    eip712_withdraw_digest(&domain, &w, digest);
    assert_int_equal(secp_sign(KEY_VECTORS[key].key, digest, m->evidence.signature), 0);
}

static void proves_a_withdrawal(void **state)
{
    (void)state;
    struct msg_withdraw m = withdrawal(0), sound;
    sign_withdrawal(&m, 0);
    sound = m;
    memset(m.evidence.zero, 0x55, sizeof m.evidence.zero);
    assert_int_equal(judge(&m), 0);
    assert_int_equal(m.evidence.zero[3], 0);
    assert_true(m.evidence.digest[0] || m.evidence.digest[1]);
    m = sound, m.nonce++;
    assert_int_equal(judge(&m), CODE_INVALID_SIGNATURE);
    m = sound, m.token = 0;
    assert_int_equal(judge(&m), CODE_INVALID_SIGNATURE);
    m = sound, m.amount = wad_make(WAD);
    assert_int_equal(judge(&m), CODE_INVALID_SIGNATURE);
    m = sound, m.to_address[41] = '9'; /* another one: the letters' case does not fit any more */
    assert_int_equal(judge(&m), CODE_INVALID_WITHDRAW_ADDRESS);
    m = sound, memset(m.to_address + 2, '1', 40);
    assert_int_equal(judge(&m), CODE_INVALID_SIGNATURE);
    m = sound, memcpy(m.wallet, signers[1].address, WALLET_BYTES);
    assert_int_equal(judge(&m), CODE_INVALID_SIGNATURE);
}

static void refuses_withdrawals_to_nobody(void **state)
{
    (void)state;
    struct msg_withdraw m = withdrawal(0);
    m.token = 2;
    assert_int_equal(judge(&m), CODE_TOKEN_NOT_SUPPORTED);
    m = withdrawal(0);
    memset(m.to_address + 2, '0', 40);
    sign_withdrawal(&m, 0);
    assert_int_equal(judge(&m), CODE_INVALID_WITHDRAW_ADDRESS);
    m.to_address[1] = 'X';
    assert_int_equal(judge(&m), CODE_INVALID_WITHDRAW_ADDRESS);
    m = withdrawal(0);
    m.amount = wad_make((u128)1 << 127);
    assert_int_equal(judge(&m), CODE_INVALID_PARAMS);
}

static void taking_one_back_is_good_once(void **state)
{
    (void)state;
    struct msg_withdraw_cancel m = {
        .head = {.length = sizeof m, .kind = MSG_WITHDRAW_CANCEL, .request = (u64)API << 48 | 7},
        .transfer_id = 4294967299,
        .timestamp_ms = NOW_MS};
    struct eip712 domain;
    u8 digest[32];
    const char *path = "/api/v1/withdrawals/4294967299";
    struct eip712_request asked = {.method = "DELETE",
                                   .method_len = 6,
                                   .path = path,
                                   .path_len = strlen(path),
                                   .timestamp_ms = NOW_MS};
    eip712_init(&domain, 31337, PARAMS.contract);
    eip712_request_digest(&domain, &asked, digest);
    memcpy(m.wallet, signers[0].address, WALLET_BYTES);
    assert_int_equal(secp_sign(KEY_VECTORS[0].key, digest, m.evidence.signature), 0);
    struct msg_withdraw_cancel other = m;
    other.transfer_id++;
    assert_int_equal(judge(&other), CODE_INVALID_SIGNATURE);
    assert_int_equal(judge(&m), 0);
    assert_int_equal(judge(&m), CODE_SIGNATURE_REPLAY);
    m.timestamp_ms -= GUARD_WINDOW_MS + 1;
    assert_int_equal(judge(&m), CODE_SIGNATURE_EXPIRED);
}

static void each_has_its_length(void **state)
{
    (void)state;
    struct msg_withdraw m = withdrawal(0);
    assert_int_equal(verify_shape(&m, sizeof m, API), 0);
    assert_int_equal(verify_shape(&m, sizeof m, API + 1), -1);
    m.head.length -= 8;
    assert_int_equal(verify_shape(&m, m.head.length, API), -1);
    m.head.kind = MSG_WITHDRAW_CANCEL;
    m.head.length = sizeof(struct msg_withdraw_cancel);
    assert_int_equal(verify_shape(&m, m.head.length, API), 0);
    m.head.kind = MSG_WITHDRAW_STEP; /* an operator's */
    assert_int_equal(verify_shape(&m, m.head.length, API), -1);
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(proves_a_withdrawal),
        FRESH(refuses_withdrawals_to_nobody),
        FRESH(taking_one_back_is_good_once),
        cmocka_unit_test(each_has_its_length),
    };
    return cmocka_run_group_tests(tests, init, NULL);
}
