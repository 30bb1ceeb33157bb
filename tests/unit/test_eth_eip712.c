/* Typed data: digests as ethers makes them, every field bound, code and schema in one voice.
 * Runs in the root of the tree (it reads schema/eip712). */
#include "procs/lib/eth/eip712.h"
#include "procs/lib/eth/keccak.h"
#include "procs/lib/eth/secp.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/vectors/eip712.h"

static const char *const SCHEMA[EIP712_TYPES] = {
    [EIP712_ORDER] = "order",       [EIP712_ORDER_V2] = "order_v2", [EIP712_CANCEL] = "cancel",
    [EIP712_WITHDRAW] = "withdraw", [EIP712_REQUEST] = "request",
};

static struct eip712 domains[COUNT_OF(DOMAIN_VECTORS)];

static int init(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(domains); i++)
        eip712_init(&domains[i], DOMAIN_VECTORS[i].chain_id, DOMAIN_VECTORS[i].contract);
    return secp_init();
}

static void typed_digest(const struct eip712 *e, enum eip712_type type, const void *m, u8 out[32])
{
    switch (type) {
    case EIP712_ORDER: eip712_order_digest(e, m, out); break;
    case EIP712_ORDER_V2: eip712_order_v2_digest(e, m, out); break;
    case EIP712_CANCEL: eip712_cancel_digest(e, m, out); break;
    case EIP712_WITHDRAW: eip712_withdraw_digest(e, m, out); break;
    case EIP712_REQUEST: eip712_request_digest(e, m, out); break;
    case EIP712_TYPES: fail();
    }
}

static void separates_domains(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(domains); i++)
        assert_memory_equal(domains[i].domain_separator, DOMAIN_VECTORS[i].separator, 32);
}

static void digests_as_ethers_does(void **state)
{
    (void)state;
    unsigned seen[EIP712_TYPES] = {0};
    for (size_t i = 0; i < COUNT_OF(MESSAGE_VECTORS); i++) {
        const struct message_vector *m = &MESSAGE_VECTORS[i];
        const struct eip712 *e = &domains[m->domain];
        u8 hash[32];
        eip712_struct_hash(e, m->type, m->message, hash);
        assert_memory_equal(hash, m->struct_hash, 32);
        typed_digest(e, m->type, m->message, hash);
        assert_memory_equal(hash, m->digest, 32);
        seen[m->type]++;
    }
    for (size_t t = 0; t < EIP712_TYPES; t++) assert_true(seen[t] >= 4);
}

static void signature_belongs_to_one_domain(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(MESSAGE_VECTORS); i++) {
        const struct message_vector *m = &MESSAGE_VECTORS[i];
        u8 digest[32];
        typed_digest(&domains[(m->domain + 1) % COUNT_OF(domains)], m->type, m->message, digest);
        assert_int_equal(secp_verify_known(digest, m->signature, KEY_VECTORS[m->key].pubkey),
                         SECP_MISMATCH);
    }
}

static const struct eip712_order ORDER = {
    .wallet = {7},
    .market = "BTC-USDC",
    .market_len = 8,
    .price_wad = 1000,
    .amount_wad = 2000,
    .nonce = 30,
    .expiry_s = 40,
};
static const struct eip712_order_v2 ORDER_V2 = {
    .wallet = {7},
    .market = "BTC-USDC",
    .market_len = 8,
    .client_order_id = "mine",
    .client_order_id_len = 4,
    .price_wad = 1000,
    .amount_wad = 2000,
    .quote_amount_wad = 3000,
    .nonce = 30,
    .expiry_s = 40,
};
static const struct eip712_cancel CANCEL = {
    .wallet = {7}, .order_id = "12345", .order_id_len = 5, .nonce = 30};
static const struct eip712_withdraw WITHDRAW = {
    .wallet = {7},
    .token = "USDC",
    .token_len = 4,
    .to_address = "0xab",
    .to_address_len = 4,
    .amount_wad = 500,
    .nonce = 30,
};
static const struct eip712_request REQUEST = {
    .method = "GET", .method_len = 3, .path = "/api", .path_len = 4, .timestamp_ms = 99};

/* One member to change: of a number (or address) the lowest and the highest bit, of a text the
 * length by one, which stays within the literal and its NUL. */
struct change {
    enum eip712_type type;
    size_t offset;
    size_t size; /* 0 for a text */
};
#define NUMBER(type, s, m) \
    { \
        type, offsetof(struct eip712_##s, m), sizeof(((struct eip712_##s *)0)->m) \
    }
#define TEXT(type, s, m) \
    { \
        type, offsetof(struct eip712_##s, m##_len), 0 \
    }

static const struct change CHANGES[] = {
    NUMBER(EIP712_ORDER, order, wallet),
    TEXT(EIP712_ORDER, order, market),
    NUMBER(EIP712_ORDER, order, side),
    NUMBER(EIP712_ORDER, order, order_type),
    NUMBER(EIP712_ORDER, order, price_wad),
    NUMBER(EIP712_ORDER, order, amount_wad),
    NUMBER(EIP712_ORDER, order, nonce),
    NUMBER(EIP712_ORDER, order, expiry_s),
    NUMBER(EIP712_ORDER_V2, order_v2, wallet),
    TEXT(EIP712_ORDER_V2, order_v2, market),
    NUMBER(EIP712_ORDER_V2, order_v2, side),
    NUMBER(EIP712_ORDER_V2, order_v2, order_type),
    NUMBER(EIP712_ORDER_V2, order_v2, time_in_force),
    NUMBER(EIP712_ORDER_V2, order_v2, price_wad),
    NUMBER(EIP712_ORDER_V2, order_v2, amount_wad),
    NUMBER(EIP712_ORDER_V2, order_v2, quote_amount_wad),
    NUMBER(EIP712_ORDER_V2, order_v2, nonce),
    NUMBER(EIP712_ORDER_V2, order_v2, expiry_s),
    NUMBER(EIP712_ORDER_V2, order_v2, stp),
    NUMBER(EIP712_ORDER_V2, order_v2, slippage_bps),
    TEXT(EIP712_ORDER_V2, order_v2, client_order_id),
    NUMBER(EIP712_CANCEL, cancel, wallet),
    TEXT(EIP712_CANCEL, cancel, order_id),
    NUMBER(EIP712_CANCEL, cancel, nonce),
    NUMBER(EIP712_WITHDRAW, withdraw, wallet),
    TEXT(EIP712_WITHDRAW, withdraw, token),
    NUMBER(EIP712_WITHDRAW, withdraw, amount_wad),
    TEXT(EIP712_WITHDRAW, withdraw, to_address),
    NUMBER(EIP712_WITHDRAW, withdraw, nonce),
    TEXT(EIP712_REQUEST, request, method),
    TEXT(EIP712_REQUEST, request, path),
    NUMBER(EIP712_REQUEST, request, timestamp_ms),
};

static const struct {
    const void *message;
    size_t size;
} BASES[EIP712_TYPES] = {
    [EIP712_ORDER] = {&ORDER, sizeof ORDER},       [EIP712_ORDER_V2] = {&ORDER_V2, sizeof ORDER_V2},
    [EIP712_CANCEL] = {&CANCEL, sizeof CANCEL},    [EIP712_WITHDRAW] = {&WITHDRAW, sizeof WITHDRAW},
    [EIP712_REQUEST] = {&REQUEST, sizeof REQUEST},
};

static void every_field_is_bound(void **state)
{
    (void)state;
    u8 digests[2 * COUNT_OF(CHANGES) + EIP712_TYPES][32];
    size_t n = 0;
    for (size_t t = 0; t < EIP712_TYPES; t++)
        eip712_digest(&domains[0], (enum eip712_type)t, BASES[t].message, digests[n++]);
    for (size_t i = 0; i < COUNT_OF(CHANGES); i++) {
        const struct change *c = &CHANGES[i];
        alignas(u128) u8 message[sizeof ORDER_V2];
        memcpy(message, BASES[c->type].message, BASES[c->type].size);
        u8 *member = message + c->offset;
        member[0] ^= 1;
        eip712_digest(&domains[0], c->type, message, digests[n++]);
        member[0] ^= 1;
        if (c->size == 0) continue;
        member[c->size - 1] ^= 0x80;
        eip712_digest(&domains[0], c->type, message, digests[n++]);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) assert_memory_not_equal(digests[i], digests[j], 32);
}

static void personal_sign_as_ethers_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(PERSONAL_VECTORS); i++) {
        u8 digest[32];
        struct secp_signer signer;
        eip712_personal_digest(PERSONAL_VECTORS[i].text, PERSONAL_VECTORS[i].len, digest);
        assert_memory_equal(digest, PERSONAL_VECTORS[i].digest, 32);
        assert_int_equal(secp_recover(digest, PERSONAL_VECTORS[i].signature, &signer), SECP_OK);
        assert_memory_equal(signer.address, KEY_VECTORS[2].address, SECP_ADDRESS);
    }
}

static json_t *load(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "schema/eip712/%s.json", name);
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (!root) fail_msg("%s:%d: %s", path, error.line, error.text);
    return root;
}

/* "Name(type field,type field)" from the types of a schema file. */
static void type_string(json_t *root, const char *name, char *text, size_t size)
{
    json_t *fields = json_object_get(json_object_get(root, "types"), name);
    assert_true(json_array_size(fields) > 0);
    size_t len = (size_t)snprintf(text, size, "%s(", name);
    for (size_t i = 0; i < json_array_size(fields); i++) {
        json_t *f = json_array_get(fields, i);
        len += (size_t)snprintf(text + len, size - len, "%s%s %s", i ? "," : "",
                                json_string_value(json_object_get(f, "type")),
                                json_string_value(json_object_get(f, "name")));
        assert_true(len + 2 < size);
    }
    snprintf(text + len, size - len, ")");
}

static void schema_says_the_same(void **state)
{
    (void)state;
    for (size_t t = 0; t < EIP712_TYPES; t++) {
        char text[512];
        json_t *root = load(SCHEMA[t]);
        type_string(root, json_string_value(json_object_get(root, "primaryType")), text,
                    sizeof text);
        assert_string_equal(text, eip712_type_string((enum eip712_type)t));
        assert_string_equal(text, TYPE_STRING_VECTORS[t]);
        json_decref(root);
    }
}

static void schema_has_the_same_domain(void **state)
{
    (void)state;
    char text[512];
    json_t *root = load("domain"), *domain = json_object_get(root, "domain");
    const char *name = json_string_value(json_object_get(domain, "name"));
    const char *version = json_string_value(json_object_get(domain, "version"));
    u8 words[5][32] = {{0}}, separator[32];
    type_string(root, "EIP712Domain", text, sizeof text);
    keccak_256(text, strlen(text), words[0]);
    keccak_256(name, strlen(name), words[1]);
    keccak_256(version, strlen(version), words[2]);
    json_int_t dev = json_integer_value(json_object_get(json_object_get(root, "chainIds"), "dev"));
    assert_int_equal(dev, DOMAIN_VECTORS[0].chain_id);
    words[3][30] = (u8)(dev >> 8);
    words[3][31] = (u8)dev;
    keccak_256(words, sizeof words, separator);
    assert_memory_equal(separator, domains[0].domain_separator, 32);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(separates_domains),
        cmocka_unit_test(digests_as_ethers_does),
        cmocka_unit_test(signature_belongs_to_one_domain),
        cmocka_unit_test(every_field_is_bound),
        cmocka_unit_test(personal_sign_as_ethers_does),
        cmocka_unit_test(schema_says_the_same),
        cmocka_unit_test(schema_has_the_same_domain),
    };
    return cmocka_run_group_tests(tests, init, NULL);
}
