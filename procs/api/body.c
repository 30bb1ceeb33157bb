#include "procs/api/body.h"

#include "procs/lib/decimal.h"
#include "procs/lib/eth/hex.h"
#include "shm/err.h"

static int missing(const char *name, struct problem *p)
{
    return problem_set(p, CODE_INVALID_PARAMS, name, NULL, "%s is required", name);
}

json_t *body_read(const char *text, size_t len, struct problem *p)
{
    json_t *body = len ? json_read_object(text, len) : NULL;
    if (!len) problem_set(p, CODE_INVALID_PARAMS, "body", NULL, "a JSON object is expected");
    else if (!body) problem_set(p, CODE_INVALID_PARAMS, "body", NULL, "%s", err_text());
    return body;
}

json_t *body_field(json_t *body, const char *name)
{
    json_t *value = json_object_get(body, name);
    return json_is_null(value) ? NULL : value;
}

static struct span text_of(json_t *string)
{
    return (struct span){json_string_value(string), json_string_length(string)};
}

int body_text(json_t *body, const char *name, struct span *out, struct problem *p)
{
    json_t *value = body_field(body, name);
    if (!value) return missing(name, p);
    if (!json_is_string(value))
        return problem_set(p, CODE_INVALID_PARAMS, name, NULL, "%s must be a string", name);
    *out = text_of(value);
    return 0;
}

int body_wallet(json_t *body, u8 wallet[WALLET_BYTES], struct problem *p)
{
    struct span text = {0};
    if (body_text(body, "wallet", &text, p)) return -1;
    if (!hex_parse(text.at, text.len, wallet, WALLET_BYTES))
        return problem_set(p, CODE_INVALID_WALLET, "wallet", "0x and 40 hex digits",
                           "the wallet is not an address");
    return 0;
}

int body_number(json_t *body, const char *name, u64 *out, struct problem *p)
{
    struct span text = {0};
    if (body_text(body, name, &text, p)) return -1;
    if (decimal_parse_u64(text.at, text.len, out) != DECIMAL_OK)
        return problem_set(p, CODE_INVALID_PARAMS, name, "0 to 18446744073709551615",
                           "%s must be a whole number in a string", name);
    return 0;
}

int body_decimal(json_t *body, const char *name, u128 *wad, bool *present, struct problem *p)
{
    json_t *value = body_field(body, name);
    *wad = 0;
    *present = value != NULL;
    if (!value) return 0;
    if (!json_is_string(value))
        return problem_set(p, CODE_INVALID_PARAMS, name, NULL,
                           "%s must be a decimal string, not a number", name);
    struct span text = text_of(value);
    switch (decimal_parse(text.at, text.len, 18, wad)) {
    case DECIMAL_OK: return 0;
    case DECIMAL_SYNTAX:
        return problem_set(p, CODE_INVALID_PARAMS, name, NULL, "%s is not a decimal number", name);
    case DECIMAL_TOO_FINE:
        return problem_set(p, CODE_INVALID_PARAMS, name, "18 decimals", "%s has too many decimals",
                           name);
    case DECIMAL_OVERFLOW: break;
    }
    return problem_set(p, CODE_INVALID_PARAMS, name, NULL, "%s is too large", name);
}

int body_time(json_t *body, const char *name, u64 *out, struct problem *p)
{
    json_t *value = body_field(body, name);
    if (!value) return missing(name, p);
    if (json_is_string(value)) {
        struct span text = text_of(value);
        if (decimal_parse_u64(text.at, text.len, out) == DECIMAL_OK) return 0;
    } else if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *out = (u64)json_integer_value(value);
        return 0;
    }
    return problem_set(p, CODE_INVALID_PARAMS, name, "Unix milliseconds",
                       "%s must be a whole number", name);
}

int body_signature(json_t *body, u8 signature[SIGNATURE_BYTES], bool *present, struct problem *p)
{
    struct span text = {0};
    *present = body_field(body, "signature") != NULL;
    if (!*present) return 0;
    if (body_text(body, "signature", &text, p)) return -1;
    if (!hex_parse(text.at, text.len, signature, SIGNATURE_BYTES))
        return problem_set(p, CODE_INVALID_SIGNATURE, "signature", "0x and 130 hex digits",
                           "the signature must be 65 bytes r, s, v in hex");
    return 0;
}

int id_read(struct span text, const char *field, u64 *id, struct problem *p)
{
    if (decimal_parse_u64(text.at, text.len, id) != DECIMAL_OK || *id == 0)
        return problem_set(p, CODE_INVALID_PARAMS, field, NULL, "%s is a whole number, from 1",
                           field);
    return 0;
}

int order_id_read(struct span text, u64 *id, struct problem *p)
{
    return id_read(text, "order_id", id, p);
}
