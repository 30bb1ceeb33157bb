/* demo_sign.c: an order of the demo as the client library wants it. */
#include "cli/demo.h"

/* The exchange counts side, type and time in force from 1, the signature from 0. */
void sign_order(const struct demo *d, struct agent *a, const struct demo_order *o,
                struct json_out *out)
{
    const struct demo_market *m = &d->markets[o->market];
    u8 signature[SECP_SIGNATURE];
    char client_id[40];
    bool is_market = o->type == TYPE_MARKET;
    u64 nonce = ++a->order_nonce;
    u128 quote_wad = o->quote;
    for (u8 i = m->quote_decimals; i < 18; i++) quote_wad *= 10;
    snprintf(client_id, sizeof client_id, "demo-%u-%lu", a->index, nonce);
    struct client_order order = {
        .side = o->side - 1,
        .type = o->type - 1,
        .tif = o->tif - 1,
        .stp = o->stp,
        .slippage_bps = is_market ? 100 : 0,
        .market = m->rules.symbol,
        .client_order_id = client_id,
        .price_wad = is_market ? 0 : (u128)o->ticks * m->rules.tick_wad,
        .amount_wad = (u128)o->lots * m->rules.lot_wad,
        .quote_wad = quote_wad,
        .nonce = nonce,
    };
    client_sign_order(&d->domain, &a->wallet, &order, signature);
    client_put_order(out, &a->wallet, &order, signature);
}
