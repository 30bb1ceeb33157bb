#include "procs/api/order_read.h"

#include "procs/api/body.h"
#include "procs/lib/decimal.h"
#include "procs/lib/wire.h"

#define EXPIRE_S_MAX 10000000000UL /* the year 2286: what nanoseconds in 64 bits hold */

/* What was there, beside what it was: v1 and the types of order refuse some fields by presence. */
struct presence {
    bool price, amount, quote_amount, stp, slippage;
};

/* A word with its number, its default (0 = required) and the code for a word that is none. */
struct word {
    const char *name, *limit;
    int (*number)(const char *text, size_t len);
    u16 code;
    u8 otherwise;
    bool required;
    size_t offset;
};

#define AT(field) offsetof(struct msg_order, field)

// clang-format off
static const struct word WORDS[] = {
    {"side",          "buy, sell",     wire_side_of, CODE_INVALID_SIDE,   0,       true,  AT(side)},
    {"type",          "limit, market", wire_type_of, CODE_INVALID_TYPE,   0,       true,  AT(type)},
    {"time_in_force", "GTC, IOC, FOK, GTX",
                                       wire_tif_of,  CODE_INVALID_TIF,    TIF_GTC, false, AT(tif)},
    {"stp",           "reject, cancel_taker, cancel_maker, cancel_both",
                                       wire_stp_of,  CODE_INVALID_PARAMS, STP_REJECT,
                                                                                   false, AT(stp)},
};
// clang-format on

static int read_word(json_t *body, const struct word *w, struct msg_order *m, struct problem *p)
{
    u8 *to = (u8 *)m + w->offset;
    json_t *value = body_field(body, w->name);
    *to = w->otherwise;
    if (!value && w->required)
        return problem_set(p, CODE_INVALID_PARAMS, w->name, w->limit, "%s is required", w->name);
    if (!value) return 0;
    int number = -1;
    if (json_is_string(value))
        number = w->number(json_string_value(value), json_string_length(value));
    if (number < 0)
        return problem_set(p, w->code, w->name, w->limit, "%s must be one of %s", w->name,
                           w->limit);
    *to = (u8)number;
    return 0;
}

static int read_signature_type(json_t *body, struct msg_order *m, struct problem *p)
{
    struct span text;
    m->signature_type = SIG_V1;
    if (!body_field(body, "signature_type")) return 0;
    if (body_text(body, "signature_type", &text, p)) return -1;
    if (span_is(text, "v2")) m->signature_type = SIG_V2;
    else if (!span_is(text, "v1"))
        return problem_set(p, CODE_INVALID_PARAMS, "signature_type", "v1, v2",
                           "signature_type must be v1 or v2");
    return 0;
}

static int read_expiry(json_t *body, struct msg_order *m, struct problem *p)
{
    u64 at_ms;
    m->expire_s = 0;
    if (!body_field(body, "expire_at")) return 0;
    if (body_time(body, "expire_at", &at_ms, p)) return -1;
    if (at_ms % 1000)
        return problem_set(p, CODE_INVALID_PARAMS, "expire_at", "whole seconds",
                           "expire_at is in milliseconds and must be whole seconds");
    m->expire_s = at_ms / 1000;
    if (m->expire_s > EXPIRE_S_MAX)
        return problem_set(p, CODE_INVALID_PARAMS, "expire_at", NULL,
                           "expire_at lies too far ahead; it is in milliseconds");
    return 0;
}

/* The characters Binance takes in newClientOrderId. */
static bool client_id_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == ':' || c == '/' || c == '_' || c == '-';
}

static int read_client_id(json_t *body, struct msg_order *m, struct problem *p)
{
    static const char LIMIT[] = "up to 36 of A-Z a-z 0-9 . : / _ -";
    struct span text;
    if (!body_field(body, "client_order_id")) return 0;
    if (body_text(body, "client_order_id", &text, p)) return -1;
    bool good = text.len <= CLIENT_ID_BYTES;
    for (size_t i = 0; good && i < text.len; i++) good = client_id_char(text.at[i]);
    if (!good)
        return problem_set(p, CODE_INVALID_PARAMS, "client_order_id", LIMIT,
                           "client_order_id may have %s", LIMIT);
    m->client_id_length = (u8)text.len;
    memcpy(m->client_id, text.at, text.len);
    return 0;
}

static int read_slippage(json_t *body, struct msg_order *m, struct presence *has, struct problem *p)
{
    json_t *value = body_field(body, "slippage_bps");
    has->slippage = value != NULL;
    if (!value) return 0;
    u64 bps = 0;
    if (json_is_integer(value) && json_integer_value(value) > 0)
        bps = (u64)json_integer_value(value);
    else if (json_is_string(value) &&
             decimal_parse_u64(json_string_value(value), json_string_length(value), &bps))
        bps = 0;
    if (bps < SLIPPAGE_MIN || bps > SLIPPAGE_MAX)
        return problem_set(p, CODE_INVALID_PARAMS, "slippage_bps", "10 to 1000",
                           "slippage_bps must be a whole number, 10 to 1000");
    m->slippage_bps = (u16)bps;
    return 0;
}

static int read_amounts(json_t *body, struct msg_order *m, struct presence *has, struct problem *p)
{
    u128 price, amount, quote;
    if (body_decimal(body, "price", &price, &has->price, p) ||
        body_decimal(body, "amount", &amount, &has->amount, p) ||
        body_decimal(body, "quote_amount", &quote, &has->quote_amount, p))
        return -1;
    m->price = wad_make(price);
    m->amount = wad_make(amount);
    m->quote_amount = wad_make(quote);
    return 0;
}

static int check_limit(const struct presence *has, struct problem *p)
{
    if (!has->price)
        return problem_set(p, CODE_INVALID_PARAMS, "price", NULL, "a limit order needs a price");
    if (!has->amount)
        return problem_set(p, CODE_INVALID_PARAMS, "amount", NULL, "a limit order needs an amount");
    if (has->quote_amount)
        return problem_set(p, CODE_INVALID_PARAMS, "quote_amount", NULL,
                           "quote_amount is for market orders that buy");
    if (has->slippage)
        return problem_set(p, CODE_INVALID_PARAMS, "slippage_bps", NULL,
                           "slippage_bps is for market orders");
    return 0;
}

static int check_market(struct msg_order *m, const struct presence *has, struct problem *p)
{
    if (m->tif == TIF_FOK || m->tif == TIF_GTX)
        return problem_set(p, CODE_INVALID_TIF, "time_in_force", "IOC",
                           "a market order is always IOC");
    m->tif = TIF_IOC;
    if (!has->slippage) m->slippage_bps = SLIPPAGE_DEFAULT;
    if (wad_get(m->price))
        return problem_set(p, CODE_INVALID_PARAMS, "price", NULL,
                           "a market order has no price; slippage_bps bounds it");
    if (has->amount == has->quote_amount)
        return problem_set(p, CODE_INVALID_PARAMS, "amount", NULL,
                           "a market order needs exactly one of amount and quote_amount");
    if (has->quote_amount && m->side == SIDE_SELL)
        return problem_set(p, CODE_INVALID_PARAMS, "quote_amount", NULL,
                           "quote_amount is for market orders that buy");
    return 0;
}

/* What a v1 signature does not bind must not be there. */
static int check_v1(const struct msg_order *m, const struct presence *has, struct problem *p)
{
    const char *field = NULL;
    if (m->type == TYPE_LIMIT && m->tif != TIF_GTC) field = "time_in_force";
    else if (has->stp) field = "stp";
    else if (has->slippage) field = "slippage_bps";
    else if (has->quote_amount) field = "quote_amount";
    if (!field) return 0;
    return problem_set(p, CODE_INVALID_PARAMS, field, "signature_type v2",
                       "a v1 signature does not bind %s; sign an OrderV2 and send "
                       "signature_type v2",
                       field);
}

static int read_fields(json_t *body, struct msg_order *m, bool nonce, struct presence *has,
                       struct problem *p)
{
    for (size_t i = 0; i < COUNT_OF(WORDS); i++)
        if (read_word(body, &WORDS[i], m, p)) return -1;
    has->stp = body_field(body, "stp") != NULL;
    if (read_amounts(body, m, has, p)) return -1;
    if (nonce && (body_number(body, "nonce", &m->nonce, p) || read_signature_type(body, m, p)))
        return -1;
    if (read_expiry(body, m, p) || read_client_id(body, m, p) || read_slippage(body, m, has, p))
        return -1;
    return m->type == TYPE_LIMIT ? check_limit(has, p) : check_market(m, has, p);
}

static int find_market(const struct rules *r, struct span symbol, struct msg_order *m,
                       struct problem *p)
{
    m->market = rules_find_market(r, symbol.at, symbol.len);
    if (m->market != NO_MARKET) return 0;
    return problem_set(p, CODE_MARKET_NOT_FOUND, "market", NULL,
                       "no such market; GET " API_BASE "/markets lists them");
}

int order_read(json_t *body, const struct rules *r, bool header, struct msg_order *m,
               struct problem *p)
{
    struct span symbol;
    struct presence has = {0};
    bool is_signed;
    *m = (struct msg_order){.head = {.length = sizeof *m, .kind = MSG_ORDER}};
    if (body_wallet(body, m->wallet, p) || body_text(body, "market", &symbol, p) ||
        read_fields(body, m, true, &has, p))
        return -1;
    if (m->signature_type == SIG_V1 && check_v1(m, &has, p)) return -1;
    if (find_market(r, symbol, m, p)) return -1;
    if (body_signature(body, m->evidence.signature, &is_signed, p)) return -1;
    if (is_signed) return 0;
    return problem_set(p, header ? CODE_INVALID_PARAMS : CODE_MISSING_AUTH_HEADER, "signature",
                       NULL, "an order carries its own signature");
}

int order_read_prepare(json_t *body, const struct rules *r, const u8 wallet[WALLET_BYTES],
                       struct msg_order *m, struct problem *p)
{
    struct span symbol;
    struct presence has = {0};
    *m = (struct msg_order){.head = {.length = sizeof *m, .kind = MSG_ORDER}};
    m->signature_type = SIG_V2;
    memcpy(m->wallet, wallet, WALLET_BYTES);
    if (body_text(body, "market", &symbol, p) || read_fields(body, m, false, &has, p)) return -1;
    return find_market(r, symbol, m, p);
}
