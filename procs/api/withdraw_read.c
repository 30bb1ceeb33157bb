#include "procs/api/withdraw_read.h"

#include "procs/api/body.h"
#include "procs/lib/eth/hex.h"

static int read_token(json_t *body, const struct rules *r, struct msg_withdraw *m,
                      struct problem *p)
{
    struct span text;
    if (body_text(body, "token", &text, p)) return -1;
    m->token = rules_find_token(r, text.at, text.len);
    if (m->token != NO_TOKEN) return 0;
    return problem_set(p, CODE_TOKEN_NOT_SUPPORTED, "token", NULL, "no such token");
}

static int read_amount(json_t *body, struct msg_withdraw *m, struct problem *p)
{
    u128 wad;
    bool present;
    if (body_decimal(body, "amount", &wad, &present, p)) return -1;
    if (!present) return problem_set(p, CODE_INVALID_PARAMS, "amount", NULL, "amount is required");
    m->amount = wad_make(wad);
    return 0;
}

/* More digits than the ledger keeps of the token. */
static int check_scale(const struct rules *r, const struct msg_withdraw *m, struct problem *p)
{
    u128 unit = 1;
    for (u8 i = r->tokens[m->token].decimals; i < 18; i++) unit *= 10;
    if (wad_get(m->amount) % unit == 0) return 0;
    return problem_set(p, CODE_INVALID_PARAMS, "amount", NULL, "%s has %u decimals",
                       r->tokens[m->token].symbol, r->tokens[m->token].decimals);
}

static int read_address(json_t *body, struct msg_withdraw *m, struct problem *p)
{
    static const u8 NOBODY[WALLET_BYTES];
    u8 address[WALLET_BYTES];
    struct span text;
    if (body_text(body, "to_address", &text, p)) return -1;
    if (!hex_address_read(text.at, text.len, address))
        return problem_set(p, CODE_INVALID_WITHDRAW_ADDRESS, "to_address", "0x and 40 hex digits",
                           "no address, or its checksum (the case of its letters) is wrong");
    if (!memcmp(address, NOBODY, sizeof address))
        return problem_set(p, CODE_INVALID_WITHDRAW_ADDRESS, "to_address", NULL,
                           "the zero address is nobody's");
    memcpy(m->to_address, text.at, TO_BYTES);
    return 0;
}

int withdraw_read(json_t *body, const struct rules *r, bool header, struct msg_withdraw *m,
                  struct problem *p)
{
    bool is_signed;
    *m = (struct msg_withdraw){.head = {.length = sizeof *m, .kind = MSG_WITHDRAW}};
    if (body_wallet(body, m->wallet, p) || read_amount(body, m, p) || read_address(body, m, p) ||
        body_number(body, "nonce", &m->nonce, p) || read_token(body, r, m, p) ||
        check_scale(r, m, p) || body_signature(body, m->evidence.signature, &is_signed, p))
        return -1;
    if (is_signed) return 0;
    return problem_set(p, header ? CODE_INVALID_PARAMS : CODE_MISSING_AUTH_HEADER, "signature",
                       NULL, "a withdrawal carries a signature of its own");
}

int withdraw_read_cancel(struct span id, const char *header, struct msg_withdraw_cancel *m,
                         struct problem *p)
{
    struct credentials who;
    *m = (struct msg_withdraw_cancel){.head = {.length = sizeof *m, .kind = MSG_WITHDRAW_CANCEL}};
    if (id_read(id, "withdraw_id", &m->transfer_id, p) || credentials_read(&who, header, p))
        return -1;
    m->timestamp_ms = who.timestamp_ms;
    memcpy(m->wallet, who.wallet, WALLET_BYTES);
    memcpy(m->evidence.signature, who.signature, SIGNATURE_BYTES);
    return 0;
}
