#include "procs/lib/eth/eip712.h"

#include <stdio.h>
#include <string.h>

#include "procs/lib/eth/keccak.h"

#define WORD 32U

/* How a member of a C struct becomes one 32-byte word. */
enum field_kind {
    FIELD_END,
    FIELD_ADDRESS, /* u8[20], right-aligned */
    FIELD_NUMBER,  /* unsigned, `size` bytes; big-endian */
    FIELD_STRING,  /* pointer at `offset`, length at `length_offset`; its Keccak-256 */
};

struct field {
    enum field_kind kind;
    size_t offset, size, length_offset;
};

/* The fields stand in the order of the type string and end with FIELD_END. */
struct type {
    const char *string;
    struct field fields[16];
};

#define ADDRESS(s, m) \
    { \
        FIELD_ADDRESS, offsetof(struct s, m), 20, 0 \
    }
#define NUMBER(s, m) \
    { \
        FIELD_NUMBER, offsetof(struct s, m), sizeof(((struct s *)0)->m), 0 \
    }
#define STRING(s, m) \
    { \
        FIELD_STRING, offsetof(struct s, m), 0, offsetof(struct s, m##_len) \
    }

static const struct type TYPES[EIP712_TYPES] = {
    [EIP712_ORDER] =
        {
            "Order(address wallet,string market,uint8 side,uint8 orderType,uint256 price,"
            "uint256 amount,uint256 nonce,uint256 expiry)",
            {
                ADDRESS(eip712_order, wallet),
                STRING(eip712_order, market),
                NUMBER(eip712_order, side),
                NUMBER(eip712_order, order_type),
                NUMBER(eip712_order, price_wad),
                NUMBER(eip712_order, amount_wad),
                NUMBER(eip712_order, nonce),
                NUMBER(eip712_order, expiry_s),
            },
        },
    [EIP712_ORDER_V2] =
        {
            "OrderV2(address wallet,string market,uint8 side,uint8 orderType,uint8 timeInForce,"
            "uint256 price,uint256 amount,uint256 quoteAmount,uint256 nonce,uint256 expiry,"
            "uint8 stp,uint16 slippageBps,string clientOrderId)",
            {
                ADDRESS(eip712_order_v2, wallet),
                STRING(eip712_order_v2, market),
                NUMBER(eip712_order_v2, side),
                NUMBER(eip712_order_v2, order_type),
                NUMBER(eip712_order_v2, time_in_force),
                NUMBER(eip712_order_v2, price_wad),
                NUMBER(eip712_order_v2, amount_wad),
                NUMBER(eip712_order_v2, quote_amount_wad),
                NUMBER(eip712_order_v2, nonce),
                NUMBER(eip712_order_v2, expiry_s),
                NUMBER(eip712_order_v2, stp),
                NUMBER(eip712_order_v2, slippage_bps),
                STRING(eip712_order_v2, client_order_id),
            },
        },
    [EIP712_CANCEL] =
        {
            "Cancel(address wallet,string orderId,uint256 nonce)",
            {
                ADDRESS(eip712_cancel, wallet),
                STRING(eip712_cancel, order_id),
                NUMBER(eip712_cancel, nonce),
            },
        },
    [EIP712_WITHDRAW] =
        {
            "Withdraw(address wallet,string token,uint256 amount,string toAddress,uint256 nonce)",
            {
                ADDRESS(eip712_withdraw, wallet),
                STRING(eip712_withdraw, token),
                NUMBER(eip712_withdraw, amount_wad),
                STRING(eip712_withdraw, to_address),
                NUMBER(eip712_withdraw, nonce),
            },
        },
    [EIP712_REQUEST] =
        {
            "Request(string method,string path,uint256 timestamp)",
            {
                STRING(eip712_request, method),
                STRING(eip712_request, path),
                NUMBER(eip712_request, timestamp_ms),
            },
        },
};

static const char DOMAIN_STRING[] =
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
static const char DOMAIN_NAME[] = "EidosExchange";
static const char DOMAIN_VERSION[] = "1";

/* A big-endian uint256. */
static void put_number(u128 x, u8 word[WORD])
{
    u64 high = __builtin_bswap64((u64)(x >> 64)), low = __builtin_bswap64((u64)x);
    memset(word, 0, 16);
    memcpy(word + 16, &high, 8);
    memcpy(word + 24, &low, 8);
}

static void put_address(const u8 address[20], u8 word[WORD])
{
    memset(word, 0, 12);
    memcpy(word + 12, address, 20);
}

static void put_string(const u8 *pointer, const u8 *length, u8 word[WORD])
{
    const char *text;
    size_t len;
    memcpy(&text, pointer, sizeof text);
    memcpy(&len, length, sizeof len);
    keccak_256(text, len, word);
}

static void put_field(const struct field *f, const u8 *message, u8 word[WORD])
{
    const u8 *at = message + f->offset;
    u128 number = 0;
    switch (f->kind) {
    case FIELD_ADDRESS: put_address(at, word); break;
    case FIELD_STRING: put_string(at, message + f->length_offset, word); break;
    case FIELD_NUMBER:
        memcpy(&number, at, f->size);
        put_number(number, word);
        break;
    case FIELD_END: CHECK(f->kind != FIELD_END);
    }
}

void eip712_init(struct eip712 *e, u64 chain_id, const u8 verifying_contract[20])
{
    u8 words[5][WORD];
    keccak_256(DOMAIN_STRING, strlen(DOMAIN_STRING), words[0]);
    keccak_256(DOMAIN_NAME, strlen(DOMAIN_NAME), words[1]);
    keccak_256(DOMAIN_VERSION, strlen(DOMAIN_VERSION), words[2]);
    put_number(chain_id, words[3]);
    put_address(verifying_contract, words[4]);
    keccak_256(words, sizeof words, e->domain_separator);
    for (size_t t = 0; t < EIP712_TYPES; t++)
        keccak_256(TYPES[t].string, strlen(TYPES[t].string), e->type_hash[t]);
}

const char *eip712_type_string(enum eip712_type type)
{
    CHECK((unsigned)type < EIP712_TYPES);
    return TYPES[type].string;
}

void eip712_struct_hash(const struct eip712 *e, enum eip712_type type, const void *message,
                        u8 hash[32])
{
    CHECK((unsigned)type < EIP712_TYPES);
    u8 words[1 + COUNT_OF(TYPES[0].fields)][WORD];
    memcpy(words[0], e->type_hash[type], WORD);
    size_t n = 1;
    for (const struct field *f = TYPES[type].fields; f->kind != FIELD_END; f++)
        put_field(f, message, words[n++]);
    keccak_256(words, n * WORD, hash);
}

void eip712_digest(const struct eip712 *e, enum eip712_type type, const void *message,
                   u8 digest[32])
{
    u8 text[2 + 2 * WORD] = {0x19, 0x01};
    memcpy(text + 2, e->domain_separator, WORD);
    eip712_struct_hash(e, type, message, text + 2 + WORD);
    keccak_256(text, sizeof text, digest);
}

void eip712_personal_digest(const char *text, size_t len, u8 digest[32])
{
    char head[64];
    int head_len = snprintf(head, sizeof head, "\031Ethereum Signed Message:\n%zu", len);
    struct keccak k;
    keccak_init(&k);
    keccak_update(&k, head, (size_t)head_len);
    keccak_update(&k, text, len);
    keccak_final(&k, digest);
}
