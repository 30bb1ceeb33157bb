/* client/sign.h: what a trader's program signs, and the JSON it travels in.
 *
 *   wallet + order  --client_sign_order-->  signature (65)  --client_put_order--> body of POST
 * /orders wallet + cancel / request / socket      signed and written at once
 *
 * Signing is apart from writing because orders can be signed long before they are sent. Numbers are
 * those of signatures (eip712.h): side 0 buy, 1 sell; type 0 limit, 1 market. secp_init comes
 * first; then everything here may run in any thread. Keys that were read by client_wallet_of_key
 * sign.
 */
#ifndef EIDOS_PROCS_LIB_CLIENT_SIGN_H
#define EIDOS_PROCS_LIB_CLIENT_SIGN_H

#include "procs/lib/eth/eip712.h"
#include "procs/lib/eth/hex.h"
#include "procs/lib/eth/secp.h"
#include "procs/lib/json.h"

#define CLIENT_HEADER 300U /* bytes of an Authorization header line */

struct client_wallet {
    u8 key[SECP_KEY];
    u8 address[SECP_ADDRESS];
    char text[HEX_ADDRESS_TEXT];
};

/* Fill in the address of w->key. -1 with the error text when it is no key. */
int client_wallet_of_key(struct client_wallet *w);

/* A wallet of a fresh random key. -1 with the error text when the kernel gives no randomness. */
int client_wallet_random(struct client_wallet *w);

struct client_order {
    const char *market;
    const char *client_order_id;           /* NULL = none */
    u128 price_wad, amount_wad, quote_wad; /* decimal value x 10^18; 0 = not given */
    u64 nonce;
    u16 slippage_bps; /* market orders */
    u8 side, type, tif, stp;
    bool v1; /* the older Order: binds neither tif nor stp, and they are not sent */
};

void client_sign_order(const struct eip712 *e, const struct client_wallet *w,
                       const struct client_order *o, u8 signature[SECP_SIGNATURE]);

/* The body of POST /orders. */
void client_put_order(struct json_out *out, const struct client_wallet *w,
                      const struct client_order *o, const u8 signature[SECP_SIGNATURE]);

/* The body of DELETE /orders/{id}: a signed Cancel. */
void client_put_cancel(struct json_out *out, const struct eip712 *e, const struct client_wallet *w,
                       u64 order_id, u64 nonce);

/* {"wallet":..,"timestamp":..,"signature":..}: the params of a WebSocket's auth. */
void client_put_auth(struct json_out *out, const struct eip712 *e, const struct client_wallet *w,
                     u64 now_ms);

/* The line "Authorization: EIP712 wallet:timestamp:signature" of a request; `path` without query.
 */
void client_header(const struct eip712 *e, const struct client_wallet *w, const char *method,
                   const char *path, u64 now_ms, char header[static CLIENT_HEADER]);

#endif
