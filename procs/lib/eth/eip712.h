/* eip712.h: what a wallet signs when it speaks to Eidos, as the 32-byte digest that is signed.
 *
 *   digest = keccak(0x19 0x01 || domain separator || keccak(type hash || field || field ...))
 *                                └── once, at init ──┘      └ once ┘   └ 32 bytes each ┘
 *
 * The domain is EidosExchange, version 1, on a chain, with a verifying contract. The types are
 * data: the table in eip712.c for the code, schema/eip712/ for the world, and the tests hold them
 * together.
 *
 * Numbers here are those of the *signature*, which differ from the other wires by one:
 *   side 0 buy, 1 sell; order_type 0 limit, 1 market; time_in_force 0 GTC, 1 IOC, 2 FOK, 3 GTX;
 *   stp 0 reject, 1 cancel taker, 2 cancel maker, 3 both. (Elsewhere: side 1 buy, 2 sell, ...)
 * They are hashed as given: whether they are known values is for the caller to check.
 * price, amount and quote_amount are the decimal value x 10^18 ("wad"), exact.
 *
 * Strings are UTF-8 bytes with a length, need no NUL, and may be empty (NULL only with length 0).
 * A digest allocates nothing, cannot fail, and may run in any thread once eip712_init is done.
 */
#ifndef EIDOS_PROCS_LIB_ETH_EIP712_H
#define EIDOS_PROCS_LIB_ETH_EIP712_H

#include "shm/base.h"

enum eip712_type {
    EIP712_ORDER,
    EIP712_ORDER_V2,
    EIP712_CANCEL,
    EIP712_WITHDRAW,
    EIP712_REQUEST,
    EIP712_TYPES,
};

/* What is the same for every message of one deployment. */
struct eip712 {
    u8 domain_separator[32];
    u8 type_hash[EIP712_TYPES][32];
};

struct eip712_order {
    u8 wallet[20];
    u8 side;
    u8 order_type;
    const char *market;
    size_t market_len;
    u128 price_wad;
    u128 amount_wad;
    u64 nonce;
    u64 expiry_s; /* Unix seconds, 0 = none */
};

struct eip712_order_v2 {
    u8 wallet[20];
    u8 side;
    u8 order_type;
    u8 time_in_force;
    u8 stp;
    u16 slippage_bps;
    const char *market;
    size_t market_len;
    const char *client_order_id;
    size_t client_order_id_len;
    u128 price_wad;
    u128 amount_wad;
    u128 quote_amount_wad;
    u64 nonce;
    u64 expiry_s; /* Unix seconds, 0 = none */
};

struct eip712_cancel {
    u8 wallet[20];
    const char *order_id; /* the decimal string of the wire */
    size_t order_id_len;
    u64 nonce;
};

struct eip712_withdraw {
    u8 wallet[20];
    const char *token;
    size_t token_len;
    const char *to_address; /* a string in the type: the text as the client sent it */
    size_t to_address_len;
    u128 amount_wad;
    u64 nonce;
};

struct eip712_request {
    const char *method; /* "GET", "POST", "DELETE"; "WS" for the socket */
    size_t method_len;
    const char *path; /* as sent, with /api/v1, without query */
    size_t path_len;
    u64 timestamp_ms;
};

/* Precompute separator and type hashes. chain_id: 31337 dev, 421614 test, 42161 prod.
 * verifying_contract: the zero address until one is configured. */
void eip712_init(struct eip712 *e, u64 chain_id, const u8 verifying_contract[20]);

/* The encoded type string of a primary type: "OrderV2(address wallet,...". Static. */
const char *eip712_type_string(enum eip712_type type);

/* hashStruct of a message: `message` is the struct that belongs to `type`. */
void eip712_struct_hash(const struct eip712 *e, enum eip712_type type, const void *message,
                        u8 hash[32]);

/* The digest a wallet signs. Prefer the typed functions below. */
void eip712_digest(const struct eip712 *e, enum eip712_type type, const void *message,
                   u8 digest[32]);

static inline void eip712_order_digest(const struct eip712 *e, const struct eip712_order *o,
                                       u8 digest[32])
{
    eip712_digest(e, EIP712_ORDER, o, digest);
}

static inline void eip712_order_v2_digest(const struct eip712 *e, const struct eip712_order_v2 *o,
                                          u8 digest[32])
{
    eip712_digest(e, EIP712_ORDER_V2, o, digest);
}

static inline void eip712_cancel_digest(const struct eip712 *e, const struct eip712_cancel *c,
                                        u8 digest[32])
{
    eip712_digest(e, EIP712_CANCEL, c, digest);
}

static inline void eip712_withdraw_digest(const struct eip712 *e, const struct eip712_withdraw *w,
                                          u8 digest[32])
{
    eip712_digest(e, EIP712_WITHDRAW, w, digest);
}

static inline void eip712_request_digest(const struct eip712 *e, const struct eip712_request *r,
                                         u8 digest[32])
{
    eip712_digest(e, EIP712_REQUEST, r, digest);
}

/* personal_sign (EIP-191 version 0x45): the digest of "\x19Ethereum Signed Message:\n", the length
 * of the text in decimal, and the text. For the older WebSocket authentication. */
void eip712_personal_digest(const char *text, size_t len, u8 digest[32]);

#endif
