/* Signatures: what ethers signs is recovered and made again byte for byte; what must be refused is
 * refused with its own result. */
#include "procs/lib/eth/eip712.h"
#include "procs/lib/eth/secp.h"
#include "shm/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/vectors/eip712.h"

static const u8 N[32] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
};
static const u8 N_HALF[32] = {
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
};

/* out = a - b, big-endian. */
static void subtract(const u8 a[32], const u8 b[32], u8 out[32])
{
    int borrow = 0;
    for (int i = 31; i >= 0; i--) {
        int d = a[i] - b[i] - borrow;
        borrow = d < 0;
        out[i] = (u8)(d + 256 * borrow);
    }
}

static void add_small(u8 number[32], int amount)
{
    number[31] = (u8)(number[31] + amount); /* the inputs here never carry */
}

static int init(void **state)
{
    (void)state;
    return secp_init();
}

static void second_init_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(secp_init(), 0);
}

static void derives_the_signer_of_a_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(KEY_VECTORS); i++) {
        struct secp_signer signer;
        assert_int_equal(secp_signer_of_key(KEY_VECTORS[i].key, &signer), 0);
        assert_memory_equal(signer.pubkey, KEY_VECTORS[i].pubkey, SECP_PUBKEY);
        assert_memory_equal(signer.address, KEY_VECTORS[i].address, SECP_ADDRESS);
    }
}

static void refuses_keys_out_of_range(void **state)
{
    (void)state;
    struct secp_signer signer;
    u8 zero[32] = {0}, digest[32] = {1}, sig[65], above[32];
    memcpy(above, N, 32);
    add_small(above, 1);
    const u8 *const bad[] = {zero, N, above};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        err_set("none");
        assert_int_equal(secp_signer_of_key(bad[i], &signer), -1);
        assert_non_null(strstr(err_text(), "out of range"));
        err_set("none");
        assert_int_equal(secp_sign(bad[i], digest, sig), -1);
        assert_non_null(strstr(err_text(), "out of range"));
    }
}

static void signs_as_ethers_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(MESSAGE_VECTORS); i++) {
        const struct message_vector *m = &MESSAGE_VECTORS[i];
        u8 sig[65];
        assert_int_equal(secp_sign(KEY_VECTORS[m->key].key, m->digest, sig), 0);
        assert_memory_equal(sig, m->signature, 65);
    }
}

static void recovers_the_signer_in_every_form_of_v(void **state)
{
    (void)state;
    bool seen[2] = {false, false};
    for (size_t i = 0; i < COUNT_OF(MESSAGE_VECTORS); i++) {
        const struct message_vector *m = &MESSAGE_VECTORS[i];
        u8 sig[65];
        memcpy(sig, m->signature, 65);
        seen[sig[64] - 27] = true;
        for (int form = 0; form < 2; form++, sig[64] = (u8)(sig[64] - 27)) {
            struct secp_signer signer;
            assert_int_equal(secp_recover(m->digest, sig, &signer), SECP_OK);
            assert_memory_equal(signer.address, KEY_VECTORS[m->key].address, SECP_ADDRESS);
            assert_memory_equal(signer.pubkey, KEY_VECTORS[m->key].pubkey, SECP_PUBKEY);
            assert_int_equal(secp_verify_known(m->digest, sig, signer.pubkey), SECP_OK);
        }
    }
    assert_true(seen[0] && seen[1]);
}

static void wrong_v_is_no_signature(void **state)
{
    (void)state;
    const struct message_vector *m = &MESSAGE_VECTORS[0];
    const u8 *pubkey = KEY_VECTORS[m->key].pubkey;
    u8 sig[65];
    memcpy(sig, m->signature, 65);
    for (int v = 0; v < 256; v++) {
        struct secp_signer signer;
        sig[64] = (u8)v;
        bool known = v == 0 || v == 1 || v == 27 || v == 28;
        assert_int_equal(secp_recover(m->digest, sig, &signer) == SECP_INVALID, !known);
        assert_int_equal(secp_verify_known(m->digest, sig, pubkey), known ? SECP_OK : SECP_INVALID);
    }
}

static void flipped_parity_recovers_another(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(MESSAGE_VECTORS); i++) {
        const struct message_vector *m = &MESSAGE_VECTORS[i];
        struct secp_signer signer;
        u8 sig[65];
        memcpy(sig, m->signature, 65);
        sig[64] = (u8)(55 - sig[64]);
        assert_int_equal(secp_recover(m->digest, sig, &signer), SECP_OK);
        assert_memory_not_equal(signer.address, KEY_VECTORS[m->key].address, SECP_ADDRESS);
    }
}

static void wrong_key_or_digest_is_a_mismatch(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(MESSAGE_VECTORS); i++) {
        const struct message_vector *m = &MESSAGE_VECTORS[i];
        const u8 *own = KEY_VECTORS[m->key].pubkey;
        const u8 *other = KEY_VECTORS[(m->key + 1) % COUNT_OF(KEY_VECTORS)].pubkey;
        struct secp_signer signer;
        u8 digest[32];
        memcpy(digest, m->digest, 32);
        digest[i % 32] ^= (u8)(1 << i % 8);
        assert_int_equal(secp_verify_known(m->digest, m->signature, other), SECP_MISMATCH);
        assert_int_equal(secp_verify_known(digest, m->signature, own), SECP_MISMATCH);
        assert_int_equal(secp_recover(digest, m->signature, &signer), SECP_OK);
        assert_memory_not_equal(signer.address, KEY_VECTORS[m->key].address, SECP_ADDRESS);
    }
}

static void no_point_is_no_known_key(void **state)
{
    (void)state;
    const struct message_vector *m = &MESSAGE_VECTORS[0];
    u8 off_curve[64];
    memcpy(off_curve, KEY_VECTORS[m->key].pubkey, 64);
    off_curve[63] ^= 1;
    assert_int_equal(secp_verify_known(m->digest, m->signature, off_curve), SECP_MISMATCH);
}

static void refuses_high_s(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(MESSAGE_VECTORS); i++) {
        const struct message_vector *m = &MESSAGE_VECTORS[i];
        struct secp_signer signer;
        u8 twin[65];
        memcpy(twin, m->signature, 65);
        subtract(N, m->signature + 32, twin + 32);
        twin[64] = (u8)(55 - twin[64]);
        assert_int_equal(secp_recover(m->digest, twin, &signer), SECP_HIGH_S);
        assert_int_equal(secp_verify_known(m->digest, twin, KEY_VECTORS[m->key].pubkey),
                         SECP_HIGH_S);
    }
}

static void draws_the_line_at_half_the_order(void **state)
{
    (void)state;
    const struct message_vector *m = &MESSAGE_VECTORS[0];
    struct secp_signer signer;
    u8 sig[65];
    memcpy(sig, m->signature, 65);
    memcpy(sig + 32, N_HALF, 32);
    assert_int_equal(secp_recover(m->digest, sig, &signer), SECP_OK);
    add_small(sig + 32, 1);
    assert_int_equal(secp_recover(m->digest, sig, &signer), SECP_HIGH_S);
    memcpy(sig + 32, N, 32);
    add_small(sig + 32, -1);
    assert_int_equal(secp_recover(m->digest, sig, &signer), SECP_HIGH_S);
}

/* r or s in {0, n, n + 1, 2^256 - 1} */
static void refuses_scalars_out_of_range(void **state)
{
    (void)state;
    const struct message_vector *m = &MESSAGE_VECTORS[0];
    u8 bad[4][32];
    memset(bad[0], 0, 32);
    memcpy(bad[1], N, 32);
    memcpy(bad[2], N, 32);
    add_small(bad[2], 1);
    memset(bad[3], 0xff, 32);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        for (size_t at = 0; at <= 32; at += 32) {
            struct secp_signer signer;
            u8 sig[65];
            memcpy(sig, m->signature, 65);
            memcpy(sig + at, bad[i], 32);
            assert_int_equal(secp_recover(m->digest, sig, &signer), SECP_INVALID);
            assert_int_equal(secp_verify_known(m->digest, sig, KEY_VECTORS[m->key].pubkey),
                             SECP_INVALID);
        }
    }
}

static void refuses_r_without_a_point(void **state)
{
    (void)state;
    struct secp_signer signer;
    u8 digest[32] = {1}, sig[65] = {0};
    sig[31] = 5; /* 5^3 + 7 is no square modulo p */
    sig[63] = 1;
    assert_int_equal(secp_recover(digest, sig, &signer), SECP_INVALID);
}

/* R = G and s = digest give the public key r^-1 (s R - digest G), the point at infinity. */
static void refuses_the_key_at_infinity(void **state)
{
    (void)state;
    struct secp_signer signer;
    u8 digest[32] = {0}, sig[65] = {0};
    memcpy(sig, KEY_VECTORS[0].pubkey, 32);
    digest[31] = sig[63] = 9;
    assert_int_equal(secp_recover(digest, sig, &signer), SECP_INVALID);
    digest[31] = 8;
    assert_int_equal(secp_recover(digest, sig, &signer), SECP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(second_init_changes_nothing),
        cmocka_unit_test(derives_the_signer_of_a_key),
        cmocka_unit_test(refuses_keys_out_of_range),
        cmocka_unit_test(signs_as_ethers_does),
        cmocka_unit_test(recovers_the_signer_in_every_form_of_v),
        cmocka_unit_test(wrong_v_is_no_signature),
        cmocka_unit_test(flipped_parity_recovers_another),
        cmocka_unit_test(wrong_key_or_digest_is_a_mismatch),
        cmocka_unit_test(no_point_is_no_known_key),
        cmocka_unit_test(refuses_high_s),
        cmocka_unit_test(draws_the_line_at_half_the_order),
        cmocka_unit_test(refuses_scalars_out_of_range),
        cmocka_unit_test(refuses_r_without_a_point),
        cmocka_unit_test(refuses_the_key_at_infinity),
    };
    return cmocka_run_group_tests(tests, init, NULL);
}
