#include "procs/lib/eth/secp.h"

#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <string.h>
#include <sys/random.h>

#include "procs/lib/eth/keccak.h"
#include "shm/err.h"

/* The order of the curve and half of it, rounded down (SEC 2, section 2.4.1). */
static const u8 ORDER_N[32] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
};
static const u8 ORDER_N_HALF[32] = {
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
};
static const u8 ZERO[32];

static secp256k1_context *context;

int secp_init(void)
{
    if (context) return 0;
    secp256k1_context *c = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    if (!c) return err_set("creating the signature context: out of memory");
    u8 seed[32];
    if (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        secp256k1_context_destroy(c);
        return err_sys("drawing randomness to blind the signature context");
    }
    CHECK(secp256k1_context_randomize(c, seed));
    explicit_bzero(seed, sizeof seed);
    context = c;
    return 0;
}

/* Public key in the library's form -> X||Y and its address. */
static void signer_from(const secp256k1_pubkey *pubkey, struct secp_signer *signer)
{
    u8 point[1 + SECP_PUBKEY]; /* 0x04 || X || Y */
    size_t len = sizeof point;
    secp256k1_ec_pubkey_serialize(context, point, &len, pubkey, SECP256K1_EC_UNCOMPRESSED);
    u8 hash[KECCAK_DIGEST];
    keccak_256(point + 1, SECP_PUBKEY, hash);
    memcpy(signer->pubkey, point + 1, SECP_PUBKEY);
    memcpy(signer->address, hash + KECCAK_DIGEST - SECP_ADDRESS, SECP_ADDRESS);
}

int secp_signer_of_key(const u8 key[SECP_KEY], struct secp_signer *signer)
{
    CHECK(context);
    secp256k1_pubkey pubkey;
    if (!secp256k1_ec_pubkey_create(context, &pubkey, key))
        return err_set("private key out of range: it must be in [1, n) of secp256k1");
    signer_from(&pubkey, signer);
    return 0;
}

int secp_sign(const u8 key[SECP_KEY], const u8 digest[SECP_DIGEST], u8 sig[SECP_SIGNATURE])
{
    CHECK(context);
    secp256k1_ecdsa_recoverable_signature made;
    if (!secp256k1_ecdsa_sign_recoverable(context, &made, digest, key, NULL, NULL))
        return err_set("private key out of range: it must be in [1, n) of secp256k1");
    int v;
    secp256k1_ecdsa_recoverable_signature_serialize_compact(context, sig, &v, &made);
    /* 2 and 3 mean r = x - n: one signature in 2^127, which has no form in {27, 28}. */
    CHECK(v == 0 || v == 1);
    sig[64] = (u8)(27 + v);
    return 0;
}

static bool in_range(const u8 scalar[32])
{
    return memcmp(scalar, ZERO, 32) != 0 && memcmp(scalar, ORDER_N, 32) < 0;
}

/* The checks that cost nothing: v, the ranges of r and s, the half of s. */
static enum secp_result check_form(const u8 sig[SECP_SIGNATURE], int *parity)
{
    const u8 *r = sig, *s = sig + 32;
    u8 v = sig[64];
    *parity = v >= 27 ? v - 27 : v;
    if (*parity > 1) return SECP_INVALID;
    if (!in_range(r) || !in_range(s)) return SECP_INVALID;
    return memcmp(s, ORDER_N_HALF, 32) > 0 ? SECP_HIGH_S : SECP_OK;
}

enum secp_result secp_recover(const u8 digest[SECP_DIGEST], const u8 sig[SECP_SIGNATURE],
                              struct secp_signer *signer)
{
    CHECK(context);
    int parity;
    enum secp_result form = check_form(sig, &parity);
    if (form != SECP_OK) return form;
    secp256k1_ecdsa_recoverable_signature parsed;
    secp256k1_pubkey pubkey;
    if (!secp256k1_ecdsa_recoverable_signature_parse_compact(context, &parsed, sig, parity) ||
        !secp256k1_ecdsa_recover(context, &pubkey, &parsed, digest))
        return SECP_INVALID;
    signer_from(&pubkey, signer);
    return SECP_OK;
}

enum secp_result secp_verify_known(const u8 digest[SECP_DIGEST], const u8 sig[SECP_SIGNATURE],
                                   const u8 pubkey[SECP_PUBKEY])
{
    CHECK(context);
    int parity;
    enum secp_result form = check_form(sig, &parity);
    if (form != SECP_OK) return form;
    u8 point[1 + SECP_PUBKEY] = {SECP256K1_TAG_PUBKEY_UNCOMPRESSED};
    memcpy(point + 1, pubkey, SECP_PUBKEY);
    secp256k1_pubkey key;
    secp256k1_ecdsa_signature parsed;
    if (!secp256k1_ec_pubkey_parse(context, &key, point, sizeof point) ||
        !secp256k1_ecdsa_signature_parse_compact(context, &parsed, sig) ||
        !secp256k1_ecdsa_verify(context, &parsed, digest, &key))
        return SECP_MISMATCH;
    return SECP_OK;
}
