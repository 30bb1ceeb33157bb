#include "procs/api/prepare.h"

#include "procs/lib/eth/eip712.h"
#include "procs/lib/wire.h"

static const char DOMAIN_TYPE[] =
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";

/* "Name(type name,type name)" -> "Name":[{"name":..,"type":..},..] */
static void put_type(struct json_out *o, const char *text)
{
    const char *at = strchr(text, '(');
    char name[32];
    snprintf(name, sizeof name, "%.*s", (int)(at - text), text);
    json_put_key(o, name), json_put_open(o, '[');
    while (*at != ')') {
        const char *type = at + 1, *space = strchr(type, ' ');
        at = space + 1 + strcspn(space + 1, ",)");
        json_put_open(o, '{');
        json_put_key(o, "name"), json_put_string(o, space + 1, (size_t)(at - space - 1));
        json_put_key(o, "type"), json_put_string(o, type, (size_t)(space - type));
        json_put_close(o, '}');
    }
    json_put_close(o, ']');
}

static void put_wad(struct json_out *o, struct wad wad)
{
    json_put_decimal(o, wad_get(wad), 0);
}

/* The message with the numbers of the signature, which count from 0. */
static void put_message(struct json_out *o, const struct rules *r, const struct msg_order *m)
{
    struct market market;
    CHECK(wire_market_at(r, m->market, &market));
    json_put_open(o, '{');
    json_put_key(o, "wallet"), wire_put_wallet(o, m->wallet);
    json_put_key(o, "market"), json_put_cstring(o, market.symbol);
    json_put_key(o, "side"), json_put_u64(o, m->side - SIDE_BUY);
    json_put_key(o, "orderType"), json_put_u64(o, m->type - TYPE_LIMIT);
    json_put_key(o, "timeInForce"), json_put_u64(o, m->tif - TIF_GTC);
    json_put_key(o, "price"), put_wad(o, m->price);
    json_put_key(o, "amount"), put_wad(o, m->amount);
    json_put_key(o, "quoteAmount"), put_wad(o, m->quote_amount);
    json_put_key(o, "nonce"), json_put_id(o, m->nonce);
    json_put_key(o, "expiry"), json_put_id(o, m->expire_s);
    json_put_key(o, "stp"), json_put_u64(o, m->stp);
    json_put_key(o, "slippageBps"), json_put_u64(o, m->slippage_bps);
    json_put_key(o, "clientOrderId");
    json_put_string(o, (const char *)m->client_id, m->client_id_length);
    json_put_close(o, '}');
}

void prepare_put(struct json_out *o, const struct rules *r, u64 chain_id, const u8 contract[20],
                 const struct msg_order *m, u64 now_ms)
{
    json_put_open(o, '{');
    json_put_key(o, "typed_data"), json_put_open(o, '{');
    json_put_key(o, "types"), json_put_open(o, '{');
    put_type(o, DOMAIN_TYPE);
    put_type(o, eip712_type_string(EIP712_ORDER_V2));
    json_put_close(o, '}');
    json_put_key(o, "primaryType"), json_put_cstring(o, "OrderV2");
    json_put_key(o, "domain"), json_put_open(o, '{');
    json_put_key(o, "name"), json_put_cstring(o, "EidosExchange");
    json_put_key(o, "version"), json_put_cstring(o, "1");
    json_put_key(o, "chainId"), json_put_u64(o, chain_id);
    json_put_key(o, "verifyingContract"), wire_put_wallet(o, contract);
    json_put_close(o, '}');
    json_put_key(o, "message"), put_message(o, r, m);
    json_put_close(o, '}');
    json_put_key(o, "nonce"), json_put_id(o, m->nonce);
    json_put_key(o, "expires_at"), json_put_u64(o, now_ms + PREPARED_FOR_MS);
    json_put_close(o, '}');
}
