#include "procs/lib/wire.h"

#include <string.h>

#include "procs/lib/eth/hex.h"

#define NS_PER_MS 1000000UL
#define WAD_SCALE 18U

const struct wire_code wire_codes[] = {
    {10001, 401, "INVALID_SIGNATURE"},
    {10002, 401, "SIGNATURE_EXPIRED"},
    {10003, 400, "INVALID_PARAMS"},
    {10004, 401, "UNAUTHORIZED"},
    {10005, 403, "FORBIDDEN"},
    {10006, 401, "SIGNATURE_REPLAY"},
    {10007, 400, "INVALID_TIMESTAMP"},
    {10008, 401, "MISSING_AUTH_HEADER"},
    {10009, 401, "INVALID_AUTH_FORMAT"},
    {10010, 400, "INVALID_WALLET_ADDRESS"},
    {11001, 404, "ORDER_NOT_FOUND"},
    {11002, 400, "ORDER_ALREADY_CANCELLED"},
    {11003, 400, "ORDER_ALREADY_FILLED"},
    {11004, 400, "INVALID_PRICE"},
    {11005, 400, "INVALID_AMOUNT"},
    {11006, 400, "PRICE_TOO_HIGH"},
    {11007, 400, "PRICE_TOO_LOW"},
    {11008, 400, "AMOUNT_TOO_SMALL"},
    {11009, 400, "AMOUNT_TOO_LARGE"},
    {11010, 400, "NOTIONAL_TOO_SMALL"},
    {11011, 400, "ORDER_EXPIRED"},
    {11012, 409, "DUPLICATE_ORDER"},
    {11013, 400, "ORDER_NOT_CANCELLABLE"},
    {11014, 400, "INVALID_ORDER_SIDE"},
    {11015, 400, "INVALID_ORDER_TYPE"},
    {11016, 400, "INVALID_TIME_IN_FORCE"},
    {11017, 409, "NONCE_ALREADY_USED"},
    {11018, 400, "SELF_TRADE_NOT_ALLOWED"},
    {11019, 400, "TOO_MANY_OPEN_ORDERS"},
    {11020, 400, "NOTIONAL_TOO_LARGE"},
    {11021, 400, "WOULD_TAKE"},
    {12001, 400, "INSUFFICIENT_BALANCE"},
    {12002, 400, "WITHDRAW_LIMIT_EXCEEDED"},
    {12003, 400, "TOKEN_NOT_SUPPORTED"},
    {12004, 400, "WITHDRAW_AMOUNT_TOO_SMALL"},
    {12005, 400, "WITHDRAW_NOT_CANCELLABLE"},
    {12006, 404, "WITHDRAW_NOT_FOUND"},
    {12007, 404, "DEPOSIT_NOT_FOUND"},
    {12008, 400, "INVALID_WITHDRAW_ADDRESS"},
    {12009, 400, "PENDING_LIMIT_EXCEEDED"},
    {13001, 404, "MARKET_NOT_FOUND"},
    {13002, 400, "MARKET_SUSPENDED"},
    {13003, 400, "INVALID_MARKET"},
    {13004, 400, "NO_LIQUIDITY"},
    {14001, 404, "TRADE_NOT_FOUND"},
    {15000, 403, "RISK_REJECTED"},
    {15002, 202, "MANUAL_REVIEW"},
    {20001, 429, "RATE_LIMIT_EXCEEDED"},
    {20002, 503, "SERVICE_UNAVAILABLE"},
    {20003, 500, "INTERNAL_ERROR"},
    {20004, 504, "TIMEOUT"},
    {20007, 503, "SYSTEM_MAINTENANCE"},
    {20008, 503, "CANCEL_ONLY"},
    {0, 200, "success"},
};

const struct wire_code *wire_code(u16 code)
{
    const struct wire_code *c = wire_codes;
    while (c->code != code && c->code) c++;
    return c->code == code ? c : wire_code(20003);
}

const char *wire_message(u16 code)
{
    static char texts[COUNT_OF(wire_codes)][32];
    const struct wire_code *c = wire_code(code);
    char *text = texts[c - wire_codes];
    if (text[0]) return text;
    size_t n = strlen(c->name);
    CHECK(n < sizeof texts[0]);
    for (size_t i = 1; i < n; i++) {
        char letter = c->name[i];
        text[i] = (char)(letter == '_' ? ' ' : letter | 0x20);
    }
    text[0] = c->name[0];
    return text;
}

/* Names by number; unused numbers are NULL. */
static const char *const SIDES[] = {NULL, "buy", "sell"};
static const char *const TYPES[] = {NULL, "limit", "market"};
static const char *const TIFS[] = {NULL, "GTC", "IOC", "FOK", "GTX"};
static const char *const STPS[] = {"reject", "cancel_taker", "cancel_maker", "cancel_both"};
static const char *const STATUSES[] = {"pending",   "open",    "partial", "filled",
                                       "cancelled", "expired", "rejected"};
static const char *const EVENTS[] = {NULL,        "accepted", "open",    "trade",
                                     "cancelled", "expired",  "rejected"};
static const char *const REASONS[] = {NULL,    "deposit",  "hold",           "release",
                                      "trade", "withdraw", "withdraw_return"};
static const char *const DEPOSIT_STATUSES[] = {"pending", "confirmed", "credited"};
static const char *const WITHDRAW_STATUSES[] = {"pending", "processing", "submitted", "confirmed",
                                                "failed",  "cancelled",  "rejected"};
static const char *const MODES[] = {"active", "cancel_only", "suspended"};

static const char *name_of(const char *const *names, size_t count, u8 value)
{
    return value < count && names[value] ? names[value] : "?";
}

static int number_of(const char *const *names, size_t count, const char *text, size_t len)
{
    for (size_t i = 0; i < count; i++)
        if (names[i] && strlen(names[i]) == len && !memcmp(names[i], text, len)) return (int)i;
    return -1;
}

#define NAMED(function, names, number) \
    const char *function(u8 number) \
    { \
        return name_of(names, COUNT_OF(names), number); \
    }
#define NUMBERED(function, names) \
    int function(const char *text, size_t len) \
    { \
        return number_of(names, COUNT_OF(names), text, len); \
    }
NAMED(wire_side, SIDES, side)
NAMED(wire_type, TYPES, type)
NAMED(wire_tif, TIFS, tif)
NAMED(wire_stp, STPS, stp)
NAMED(wire_status, STATUSES, status)
NAMED(wire_order_event, EVENTS, event)
NAMED(wire_balance_reason, REASONS, reason)
NAMED(wire_deposit_status, DEPOSIT_STATUSES, status)
NAMED(wire_withdraw_status, WITHDRAW_STATUSES, status)
NAMED(wire_mode, MODES, mode)
NUMBERED(wire_side_of, SIDES)
NUMBERED(wire_type_of, TYPES)
NUMBERED(wire_tif_of, TIFS)
NUMBERED(wire_stp_of, STPS)
NUMBERED(wire_status_of, STATUSES)
NUMBERED(wire_deposit_status_of, DEPOSIT_STATUSES)
NUMBERED(wire_withdraw_status_of, WITHDRAW_STATUSES)

bool wire_market_at(const struct rules *r, u16 market, struct market *out)
{
    if (market >= atomic_load_explicit(&r->market_count, memory_order_acquire)) return false;
    rules_read_market(r, market, out);
    return true;
}

void wire_put_price(struct json_out *o, const struct market *m, u64 ticks)
{
    json_put_decimal(o, (u128)ticks * m->tick_wad, WAD_SCALE);
}

void wire_put_lots(struct json_out *o, const struct market *m, u64 lots)
{
    json_put_decimal(o, (u128)lots * m->lot_wad, WAD_SCALE);
}

void wire_put_units(struct json_out *o, const struct rules *r, u16 token, u64 units)
{
    json_put_decimal(o, units, r->tokens[token].decimals);
}

void wire_put_wallet(struct json_out *o, const u8 wallet[WALLET_BYTES])
{
    char text[HEX_ADDRESS_TEXT];
    hex_format(wallet, WALLET_BYTES, text);
    json_put_string(o, text, sizeof text - 1);
}

static void put_symbol(struct json_out *o, const char symbol[SYMBOL_BYTES])
{
    json_put_string(o, symbol, strnlen(symbol, SYMBOL_BYTES));
}

/* Quote per base so far, cut to the decimals of the market's prices. */
static void put_average(struct json_out *o, const struct market *m, const struct order_view *v)
{
    u64 at_one_tick = v->filled_lots * m->tick_lot; /* quote units, bounded like a notional */
    u128 wad = 0, step = 1;
    if (at_one_tick) {
        wad = (u128)(v->filled_quote / at_one_tick) * m->tick_wad;
        wad += (u128)(v->filled_quote % at_one_tick) * m->tick_wad / at_one_tick;
    }
    for (unsigned d = m->price_decimals; d < WAD_SCALE; d++) step *= 10;
    json_put_decimal(o, wad / step * step, WAD_SCALE);
}

static void put_amounts(struct json_out *o, const struct rules *r, const struct market *m,
                        const struct order_view *v)
{
    u64 left = v->lots > v->filled_lots ? v->lots - v->filled_lots : 0;
    json_put_key(o, "price"), wire_put_price(o, m, v->price);
    json_put_key(o, "amount"), wire_put_lots(o, m, v->lots);
    json_put_key(o, "filled_amount"), wire_put_lots(o, m, v->filled_lots);
    json_put_key(o, "filled_quote"), wire_put_units(o, r, m->quote, v->filled_quote);
    json_put_key(o, "remaining_amount"), wire_put_lots(o, m, left);
    json_put_key(o, "avg_price"), put_average(o, m, v);
}

void wire_put_order_fields(struct json_out *o, const struct rules *r, const struct order_view *v)
{
    struct market m;
    if (!wire_market_at(r, v->market, &m)) return;
    json_put_key(o, "order_id"), json_put_id(o, v->order_id);
    json_put_key(o, "wallet"), wire_put_wallet(o, v->wallet);
    json_put_key(o, "market"), put_symbol(o, m.symbol);
    json_put_key(o, "side"), json_put_cstring(o, wire_side(v->side));
    json_put_key(o, "type"), json_put_cstring(o, wire_type(v->type));
    put_amounts(o, r, &m, v);
    json_put_key(o, "status"), json_put_cstring(o, wire_status(v->status));
    json_put_key(o, "time_in_force"), json_put_cstring(o, wire_tif(v->tif));
    json_put_key(o, "nonce"), json_put_id(o, v->nonce);
    if (v->client_id_length) {
        size_t len = min_u64(v->client_id_length, CLIENT_ID_BYTES);
        json_put_key(o, "client_order_id"), json_put_string(o, (const char *)v->client_id, len);
    }
    if (v->expire_ns) json_put_key(o, "expire_at"), json_put_u64(o, v->expire_ns / NS_PER_MS);
    if (v->code) json_put_key(o, "reject_reason"), json_put_cstring(o, wire_code(v->code)->name);
    json_put_key(o, "created_at"), json_put_u64(o, v->created_ns / NS_PER_MS);
    json_put_key(o, "updated_at"), json_put_u64(o, v->updated_ns / NS_PER_MS);
}

void wire_put_order(struct json_out *o, const struct rules *r, const struct order_view *v)
{
    json_put_open(o, '{');
    wire_put_order_fields(o, r, v);
    json_put_close(o, '}');
}

void wire_put_market(struct json_out *o, const struct rules *r, const struct market *m)
{
    json_put_open(o, '{');
    json_put_key(o, "symbol"), put_symbol(o, m->symbol);
    json_put_key(o, "base_token"), put_symbol(o, r->tokens[m->base].symbol);
    json_put_key(o, "quote_token"), put_symbol(o, r->tokens[m->quote].symbol);
    json_put_key(o, "price_decimals"), json_put_u64(o, m->price_decimals);
    json_put_key(o, "amount_decimals"), json_put_u64(o, m->amount_decimals);
    json_put_key(o, "tick_size"), wire_put_price(o, m, 1);
    json_put_key(o, "lot_size"), wire_put_lots(o, m, 1);
    json_put_key(o, "quote_unit"), wire_put_units(o, r, m->quote, 1);
    json_put_key(o, "min_amount"), wire_put_lots(o, m, m->lots_min);
    json_put_key(o, "max_amount"), wire_put_lots(o, m, m->lots_max);
    json_put_key(o, "min_notional"), wire_put_units(o, r, m->quote, m->notional_min);
    json_put_key(o, "max_notional"), wire_put_units(o, r, m->quote, m->notional_max);
    json_put_key(o, "maker_fee_rate"), json_put_decimal(o, m->maker_rate, 9);
    json_put_key(o, "taker_fee_rate"), json_put_decimal(o, m->taker_rate, 9);
    json_put_key(o, "status"), json_put_cstring(o, wire_mode(m->mode));
    json_put_close(o, '}');
}

void wire_put_balance(struct json_out *o, const struct rules *r, const struct wire_balance *b)
{
    u64 available = b->settled_available + b->pending_available;
    u64 total = available + b->settled_frozen + b->pending_frozen;
    json_put_open(o, '{');
    json_put_key(o, "wallet"), wire_put_wallet(o, b->wallet);
    json_put_key(o, "token"), put_symbol(o, r->tokens[b->token].symbol);
    json_put_key(o, "settled_available"), wire_put_units(o, r, b->token, b->settled_available);
    json_put_key(o, "settled_frozen"), wire_put_units(o, r, b->token, b->settled_frozen);
    json_put_key(o, "pending_available"), wire_put_units(o, r, b->token, b->pending_available);
    json_put_key(o, "pending_frozen"), wire_put_units(o, r, b->token, b->pending_frozen);
    json_put_key(o, "total_available"), wire_put_units(o, r, b->token, available);
    json_put_key(o, "total"), wire_put_units(o, r, b->token, total);
    json_put_key(o, "withdrawable"), wire_put_units(o, r, b->token, b->settled_available);
    json_put_key(o, "updated_at"), json_put_u64(o, b->updated_ns / NS_PER_MS);
    if (b->reason) {
        json_put_key(o, "reason"), json_put_cstring(o, b->reason);
        json_put_key(o, "ref_id"), json_put_id(o, b->ref_id);
    }
    json_put_close(o, '}');
}

struct wire_trade wire_trade_of(const struct account_trade *t)
{
    return (struct wire_trade){.trade_id = t->trade_id,
                               .order_id = t->now.order.order_id,
                               .price = t->price,
                               .lots = t->lots,
                               .quote = t->quote,
                               .fee = t->fee,
                               .time_ns = t->head.time_ns,
                               .market = t->now.order.market,
                               .side = t->now.order.side,
                               .takes = t->takes};
}

void wire_put_trade(struct json_out *o, const struct rules *r, const struct wire_trade *t)
{
    struct market m;
    if (!wire_market_at(r, t->market, &m)) return;
    json_put_open(o, '{');
    json_put_key(o, "trade_id"), json_put_id(o, t->trade_id);
    json_put_key(o, "market"), put_symbol(o, m.symbol);
    json_put_key(o, "order_id"), json_put_id(o, t->order_id);
    json_put_key(o, "role"), json_put_cstring(o, t->takes ? "taker" : "maker");
    json_put_key(o, "side"), json_put_cstring(o, wire_side(t->side));
    json_put_key(o, "price"), wire_put_price(o, &m, t->price);
    json_put_key(o, "amount"), wire_put_lots(o, &m, t->lots);
    json_put_key(o, "quote_amount"), wire_put_units(o, r, m.quote, t->quote);
    json_put_key(o, "fee"), wire_put_units(o, r, m.quote, t->fee);
    json_put_key(o, "fee_token"), put_symbol(o, r->tokens[m.quote].symbol);
    json_put_key(o, "settlement_status"), json_put_cstring(o, "matched_offchain");
    json_put_key(o, "matched_at"), json_put_u64(o, t->time_ns / NS_PER_MS);
    json_put_close(o, '}');
}

/* The transaction it came by, or went by. */
static void put_tx_hash(struct json_out *o, const struct transfer_view *v)
{
    char text[HEX_TEXT(TX_HASH_BYTES)];
    hex_format(v->tx_hash, TX_HASH_BYTES, text);
    json_put_key(o, "tx_hash"), json_put_string(o, text, sizeof text - 1);
}

static void put_nulls(struct json_out *o)
{
    json_put_key(o, "tx_hash"), json_put_json(o, "null", 4);
    json_put_key(o, "log_index"), json_put_json(o, "null", 4);
}

static void put_deposit(struct json_out *o, const struct transfer_view *v)
{
    if (v->has_tx) {
        put_tx_hash(o, v);
        json_put_key(o, "log_index"), json_put_u64(o, v->log_index);
    } else {
        put_nulls(o);
    }
    json_put_key(o, "block_num");
    if (v->block) json_put_u64(o, v->block);
    else json_put_json(o, "null", 4);
    json_put_key(o, "status"), json_put_cstring(o, wire_deposit_status(v->status));
}

static void put_withdrawal(struct json_out *o, const struct transfer_view *v)
{
    json_put_key(o, "to_address"), json_put_string(o, v->to_address, TO_BYTES);
    json_put_key(o, "nonce"), json_put_id(o, v->nonce);
    json_put_key(o, "status"), json_put_cstring(o, wire_withdraw_status(v->status));
    if (v->has_tx) put_tx_hash(o, v);
}

void wire_put_transfer(struct json_out *o, const struct rules *r, const struct transfer_view *v)
{
    bool deposit = v->kind == TRANSFER_DEPOSIT;
    json_put_open(o, '{');
    json_put_key(o, deposit ? "deposit_id" : "withdraw_id"), json_put_id(o, v->id);
    json_put_key(o, "wallet"), wire_put_wallet(o, v->wallet);
    json_put_key(o, "token"), put_symbol(o, r->tokens[v->token].symbol);
    json_put_key(o, "amount"), wire_put_units(o, r, v->token, v->amount);
    if (deposit) put_deposit(o, v);
    else put_withdrawal(o, v);
    json_put_key(o, "created_at"), json_put_u64(o, v->created_ns / NS_PER_MS);
    json_put_key(o, "updated_at"), json_put_u64(o, v->updated_ns / NS_PER_MS);
    json_put_close(o, '}');
}
