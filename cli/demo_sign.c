/* demo_sign.c: what a wallet of the demo signs, and the JSON it travels in. */
#include <string.h>

#include "cli/demo.h"
#include "procs/lib/decimal.h"
#include "procs/lib/eth/hex.h"
#include "procs/lib/wire.h"
#include "shm/err.h"

static void sign(const struct agent *a, const u8 digest[32],
                 char text[static HEX_TEXT(SECP_SIGNATURE)])
{
    u8 signature[SECP_SIGNATURE];
    CHECK(secp_sign(a->key, digest, signature) == 0);
    hex_format(signature, sizeof signature, text);
}

static void sign_timed(const struct demo *d, const struct agent *a, const char *method,
                       const char *path, u64 timestamp_ms,
                       char text[static HEX_TEXT(SECP_SIGNATURE)])
{
    u8 digest[32];
    struct eip712_request request = {.method = method,
                                     .method_len = strlen(method),
                                     .path = path,
                                     .path_len = strlen(path),
                                     .timestamp_ms = timestamp_ms};
    eip712_request_digest(&d->domain, &request, digest);
    sign(a, digest, text);
}

void sign_request(const struct demo *d, const struct agent *a, const char *method, const char *path,
                  char header[static 320])
{
    char signature[HEX_TEXT(SECP_SIGNATURE)];
    u64 now_ms = cli_unix_ns() / 1000000;
    sign_timed(d, a, method, path, now_ms, signature);
    snprintf(header, 320, "Authorization: EIP712 %s:%lu:%s", a->wallet, now_ms, signature);
}

void sign_socket(const struct demo *d, const struct agent *a, struct json_out *out)
{
    char signature[HEX_TEXT(SECP_SIGNATURE)];
    u64 now_ms = cli_unix_ns() / 1000000;
    sign_timed(d, a, "WS", "/ws", now_ms, signature);
    json_put_open(out, '{');
    json_put_key(out, "wallet"), json_put_cstring(out, a->wallet);
    json_put_key(out, "timestamp"), json_put_u64(out, now_ms);
    json_put_key(out, "signature"), json_put_cstring(out, signature);
    json_put_close(out, '}');
}

/* The wire counts side, type and time in force from 1, the signature from 0. */
void sign_order(const struct demo *d, struct agent *a, const struct demo_order *o,
                struct json_out *out)
{
    const struct demo_market *m = &d->markets[o->market];
    u8 digest[32];
    char signature[HEX_TEXT(SECP_SIGNATURE)], client_id[40];
    bool is_market = o->type == TYPE_MARKET;
    u64 nonce = ++a->order_nonce;
    u128 quote_wad = o->quote;
    for (u8 i = m->quote_decimals; i < 18; i++) quote_wad *= 10;
    snprintf(client_id, sizeof client_id, "demo-%u-%lu", a->index, nonce);
    struct eip712_order_v2 order = {
        .side = o->side - 1,
        .order_type = o->type - 1,
        .time_in_force = o->tif - 1,
        .stp = o->stp,
        .slippage_bps = is_market ? 100 : 0,
        .market = m->rules.symbol,
        .market_len = strlen(m->rules.symbol),
        .client_order_id = client_id,
        .client_order_id_len = strlen(client_id),
        .price_wad = is_market ? 0 : (u128)o->ticks * m->rules.tick_wad,
        .amount_wad = (u128)o->lots * m->rules.lot_wad,
        .quote_amount_wad = quote_wad,
        .nonce = nonce,
    };
    memcpy(order.wallet, a->signer.address, sizeof order.wallet);
    eip712_order_v2_digest(&d->domain, &order, digest);
    sign(a, digest, signature);
    json_put_open(out, '{');
    json_put_key(out, "wallet"), json_put_cstring(out, a->wallet);
    json_put_key(out, "market"), json_put_cstring(out, m->rules.symbol);
    json_put_key(out, "side"), json_put_cstring(out, wire_side(o->side));
    json_put_key(out, "type"), json_put_cstring(out, wire_type(o->type));
    json_put_key(out, "time_in_force"), json_put_cstring(out, wire_tif(o->tif));
    json_put_key(out, "stp"), json_put_cstring(out, wire_stp(o->stp));
    if (is_market) json_put_key(out, "slippage_bps"), json_put_u64(out, order.slippage_bps);
    else json_put_key(out, "price"), json_put_decimal(out, order.price_wad, 18);
    if (o->quote) json_put_key(out, "quote_amount"), json_put_decimal(out, quote_wad, 18);
    else json_put_key(out, "amount"), json_put_decimal(out, order.amount_wad, 18);
    json_put_key(out, "nonce"), json_put_id(out, nonce);
    json_put_key(out, "client_order_id"), json_put_cstring(out, client_id);
    json_put_key(out, "signature_type"), json_put_cstring(out, "v2");
    json_put_key(out, "signature"), json_put_cstring(out, signature);
    json_put_close(out, '}');
}

void sign_cancel(const struct demo *d, struct agent *a, u64 order_id, struct json_out *out)
{
    u8 digest[32];
    char signature[HEX_TEXT(SECP_SIGNATURE)], id[24];
    snprintf(id, sizeof id, "%lu", order_id);
    struct eip712_cancel cancel = {
        .order_id = id, .order_id_len = strlen(id), .nonce = ++a->cancel_nonce};
    memcpy(cancel.wallet, a->signer.address, sizeof cancel.wallet);
    eip712_cancel_digest(&d->domain, &cancel, digest);
    sign(a, digest, signature);
    json_put_open(out, '{');
    json_put_key(out, "wallet"), json_put_cstring(out, a->wallet);
    json_put_key(out, "nonce"), json_put_id(out, cancel.nonce);
    json_put_key(out, "signature"), json_put_cstring(out, signature);
    json_put_close(out, '}');
}
