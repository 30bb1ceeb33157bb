#include "procs/lib/client/sign.h"

#include <string.h>
#include <sys/random.h>

#include "procs/lib/wire.h"
#include "shm/err.h"

int client_wallet_of_key(struct client_wallet *w)
{
    struct secp_signer signer;
    if (secp_signer_of_key(w->key, &signer)) return -1;
    memcpy(w->address, signer.address, sizeof w->address);
    hex_format_address(w->address, w->text);
    return 0;
}

int client_wallet_random(struct client_wallet *w)
{
    do
        if (getrandom(w->key, sizeof w->key, 0) != (ssize_t)sizeof w->key)
            return err_sys("drawing a private key");
    while (client_wallet_of_key(w));
    return 0;
}

/* --- Orders ------------------------------------------------------------------------------------*/

static void order_digest(const struct eip712 *e, const struct client_wallet *w,
                         const struct client_order *o, u8 digest[SECP_DIGEST])
{
    const char *id = o->client_order_id ? o->client_order_id : "";
    struct eip712_order v1 = {.side = o->side,
                              .order_type = o->type,
                              .market = o->market,
                              .market_len = strlen(o->market),
                              .price_wad = o->price_wad,
                              .amount_wad = o->amount_wad,
                              .nonce = o->nonce};
    struct eip712_order_v2 v2 = {.side = o->side,
                                 .order_type = o->type,
                                 .time_in_force = o->tif,
                                 .stp = o->stp,
                                 .slippage_bps = o->slippage_bps,
                                 .market = o->market,
                                 .market_len = v1.market_len,
                                 .client_order_id = id,
                                 .client_order_id_len = strlen(id),
                                 .price_wad = o->price_wad,
                                 .amount_wad = o->amount_wad,
                                 .quote_amount_wad = o->quote_wad,
                                 .nonce = o->nonce};
    memcpy(v1.wallet, w->address, sizeof v1.wallet);
    memcpy(v2.wallet, w->address, sizeof v2.wallet);
    if (o->v1) eip712_order_digest(e, &v1, digest);
    else eip712_order_v2_digest(e, &v2, digest);
}

void client_sign_order(const struct eip712 *e, const struct client_wallet *w,
                       const struct client_order *o, u8 signature[SECP_SIGNATURE])
{
    u8 digest[SECP_DIGEST];
    order_digest(e, w, o, digest);
    CHECK(secp_sign(w->key, digest, signature) == 0);
}

static void put_wad(struct json_out *out, const char *name, u128 wad)
{
    if (!wad) return;
    json_put_key(out, name);
    json_put_decimal(out, wad, 18);
}

static void put_signature(struct json_out *out, const u8 signature[SECP_SIGNATURE])
{
    char text[HEX_TEXT(SECP_SIGNATURE)];
    hex_format(signature, SECP_SIGNATURE, text);
    json_put_key(out, "signature"), json_put_cstring(out, text);
}

/* The names of the wire belong to numbers that count side, type and time in force from 1. */
void client_put_order(struct json_out *out, const struct client_wallet *w,
                      const struct client_order *o, const u8 signature[SECP_SIGNATURE])
{
    json_put_open(out, '{');
    json_put_key(out, "wallet"), json_put_cstring(out, w->text);
    json_put_key(out, "market"), json_put_cstring(out, o->market);
    json_put_key(out, "side"), json_put_cstring(out, wire_side(o->side + 1));
    json_put_key(out, "type"), json_put_cstring(out, wire_type(o->type + 1));
    put_wad(out, "price", o->price_wad);
    put_wad(out, "amount", o->amount_wad);
    put_wad(out, "quote_amount", o->quote_wad);
    if (!o->v1) {
        json_put_key(out, "time_in_force"), json_put_cstring(out, wire_tif(o->tif + 1));
        json_put_key(out, "stp"), json_put_cstring(out, wire_stp(o->stp));
        if (o->slippage_bps) json_put_key(out, "slippage_bps"), json_put_u64(out, o->slippage_bps);
        json_put_key(out, "signature_type"), json_put_cstring(out, "v2");
    }
    if (o->client_order_id)
        json_put_key(out, "client_order_id"), json_put_cstring(out, o->client_order_id);
    json_put_key(out, "nonce"), json_put_id(out, o->nonce);
    put_signature(out, signature);
    json_put_close(out, '}');
}

/* --- Cancels and requests ----------------------------------------------------------------------*/

void client_put_cancel(struct json_out *out, const struct eip712 *e, const struct client_wallet *w,
                       u64 order_id, u64 nonce)
{
    u8 digest[SECP_DIGEST], signature[SECP_SIGNATURE];
    char id[24];
    int len = snprintf(id, sizeof id, "%lu", order_id);
    struct eip712_cancel c = {.order_id = id, .order_id_len = (size_t)len, .nonce = nonce};
    memcpy(c.wallet, w->address, sizeof c.wallet);
    eip712_cancel_digest(e, &c, digest);
    CHECK(secp_sign(w->key, digest, signature) == 0);
    json_put_open(out, '{');
    json_put_key(out, "wallet"), json_put_cstring(out, w->text);
    json_put_key(out, "nonce"), json_put_id(out, nonce);
    put_signature(out, signature);
    json_put_close(out, '}');
}

static void sign_request(const struct eip712 *e, const struct client_wallet *w, const char *method,
                         const char *path, u64 now_ms, u8 signature[SECP_SIGNATURE])
{
    u8 digest[SECP_DIGEST];
    struct eip712_request r = {.method = method,
                               .method_len = strlen(method),
                               .path = path,
                               .path_len = strlen(path),
                               .timestamp_ms = now_ms};
    eip712_request_digest(e, &r, digest);
    CHECK(secp_sign(w->key, digest, signature) == 0);
}

void client_put_auth(struct json_out *out, const struct eip712 *e, const struct client_wallet *w,
                     u64 now_ms)
{
    u8 signature[SECP_SIGNATURE];
    sign_request(e, w, "WS", "/ws", now_ms, signature);
    json_put_open(out, '{');
    json_put_key(out, "wallet"), json_put_cstring(out, w->text);
    json_put_key(out, "timestamp"), json_put_u64(out, now_ms);
    put_signature(out, signature);
    json_put_close(out, '}');
}

void client_header(const struct eip712 *e, const struct client_wallet *w, const char *method,
                   const char *path, u64 now_ms, char header[static CLIENT_HEADER])
{
    u8 signature[SECP_SIGNATURE];
    char text[HEX_TEXT(SECP_SIGNATURE)];
    sign_request(e, w, method, path, now_ms, signature);
    hex_format(signature, sizeof signature, text);
    snprintf(header, CLIENT_HEADER, "Authorization: EIP712 %s:%lu:%s", w->text, now_ms, text);
}
