/* wire.h: how what the core knows in numbers reads outside: names of enums, error codes with their
 * HTTP status, and the objects of protocol.md 1 as JSON.
 *
 *   order_view, balance, account_trade, market   --wire_put_*-->   {"order_id":"7",...}
 *
 * Prices, amounts and money become decimal strings through the scales of the market and the token,
 * ids become strings, nanoseconds become Unix milliseconds.
 */
#ifndef EIDOS_PROCS_LIB_WIRE_H
#define EIDOS_PROCS_LIB_WIRE_H

#include "procs/lib/json.h"
#include "shm/ledger.h"
#include "shm/record.h"
#include "shm/rules.h"

struct wire_code {
    u16 code;
    u16 http;
    const char *name; /* "INVALID_PARAMS" */
};

/* The table of protocol.md 2; ends with code 0. */
extern const struct wire_code wire_codes[];

/* The row of a code; a number that is none answers as 20003 INTERNAL_ERROR. */
const struct wire_code *wire_code(u16 code);

/* The name as people read it: "Invalid params". Static, one for each code. */
const char *wire_message(u16 code);

/* Names of enum values; "?" for a number that is none. */
const char *wire_side(u8 side);
const char *wire_type(u8 type);
const char *wire_tif(u8 tif);
const char *wire_stp(u8 stp);
const char *wire_status(u8 status);
const char *wire_order_event(u8 event);
const char *wire_balance_reason(u8 reason);
const char *wire_deposit_status(u8 status);
const char *wire_withdraw_status(u8 status);
const char *wire_mode(u8 mode); /* of a market: active | cancel_only | suspended */

/* The number of a name of `len` characters, or -1. */
int wire_side_of(const char *text, size_t len);
int wire_type_of(const char *text, size_t len);
int wire_tif_of(const char *text, size_t len);
int wire_stp_of(const char *text, size_t len);
int wire_status_of(const char *text, size_t len);
int wire_deposit_status_of(const char *text, size_t len);
int wire_withdraw_status_of(const char *text, size_t len);

/* ticks and lots of a market, and ledger units of a token, as decimal strings. */
void wire_put_price(struct json_out *o, const struct market *m, u64 ticks);
void wire_put_lots(struct json_out *o, const struct market *m, u64 lots);
void wire_put_units(struct json_out *o, const struct rules *r, u16 token, u64 units);
void wire_put_wallet(struct json_out *o, const u8 wallet[WALLET_BYTES]);

/* The fields of an object without its braces, so that the caller may add some. */
void wire_put_order_fields(struct json_out *o, const struct rules *r, const struct order_view *v);

/* Whole objects. */
void wire_put_order(struct json_out *o, const struct rules *r, const struct order_view *v);
void wire_put_market(struct json_out *o, const struct rules *r, const struct market *m);

/* A balance; `reason` is NULL or what changed it, with the id it refers to. */
struct wire_balance {
    u64 settled_available, settled_frozen, pending_available, pending_frozen; /* ledger units */
    u64 updated_ns;
    u64 ref_id;
    const char *reason;
    const u8 *wallet;
    u16 token;
};
void wire_put_balance(struct json_out *o, const struct rules *r, const struct wire_balance *b);

/* A trade as one of its sides sees it. */
struct wire_trade {
    u64 trade_id, order_id;
    u64 price, lots;
    u64 quote, fee; /* quote ledger units */
    u64 time_ns;
    u16 market;
    u8 side;
    bool takes;
};
void wire_put_trade(struct json_out *o, const struct rules *r, const struct wire_trade *t);
struct wire_trade wire_trade_of(const struct account_trade *t);

/* A deposit or a withdrawal, by its kind. What is not known of a deposit's transaction is null. */
void wire_put_transfer(struct json_out *o, const struct rules *r, const struct transfer_view *v);

/* Copy a market's row; false when there is none of that index. */
bool wire_market_at(const struct rules *r, u16 market, struct market *out);

#endif
