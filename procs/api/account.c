/* account.c: a wallet's balances. Tokens it never held read as zero. */
#include "procs/api/answer.h"
#include "procs/api/routes.h"
#include "procs/lib/wire.h"

/* How many rows, or READ_BUSY. */
static int read_all(struct api *a, const u8 *wallet, struct balance *rows, u64 *seq)
{
    u64 epoch = region_epoch(a->state);
    u32 account = epoch ? ledger_find(a->ledger, wallet) : NO_ACCOUNT;
    int count = 0;
    *seq = 0;
    if (account != NO_ACCOUNT)
        count = ledger_read_balances(a->ledger, account, rows, TOKENS_MAX, seq);
    return epoch && region_epoch(a->state) == epoch ? count : READ_BUSY;
}

static void busy(struct api *a, struct request *r)
{
    answer_busy(a, r, "balances are being recovered");
}

static void put(struct json_out *o, const struct api *a, const u8 *wallet, u16 token,
                const struct balance *row)
{
    struct wire_balance b = {.wallet = wallet, .token = token, .updated_ns = a->unix_ns};
    if (row) {
        b.settled_available = row->available;
        b.settled_frozen = row->frozen;
        b.pending_available = row->pending_available;
        b.pending_frozen = row->pending_frozen;
        b.updated_ns = row->updated_ns;
    }
    wire_put_balance(o, a->rules, &b);
}

static const struct balance *row_of(const struct balance *rows, int count, u16 token)
{
    for (int i = 0; i < count; i++)
        if (rows[i].token == token) return &rows[i];
    return NULL;
}

void account_balances(struct api *a, struct request *r, const u8 *wallet)
{
    static struct balance rows[TOKENS_MAX];
    u64 seq;
    int count = read_all(a, wallet, rows, &seq);
    if (count == READ_BUSY) {
        busy(a, r);
        return;
    }
    u32 tokens = atomic_load_explicit(&a->rules->token_count, memory_order_acquire);
    struct json_out *o = answer_begin(a, r);
    json_put_open(o, '[');
    for (u32 t = 0; t < tokens; t++) {
        const struct balance *row = row_of(rows, count, (u16)t);
        if (row) put(o, a, wallet, (u16)t, row);
    }
    json_put_close(o, ']');
    answer_end(a, r, seq);
}

void account_balance(struct api *a, struct request *r, const u8 *wallet)
{
    static struct balance rows[TOKENS_MAX];
    u64 seq;
    u16 token = rules_find_token(a->rules, r->args[0].at, r->args[0].len);
    if (token == NO_TOKEN) {
        struct problem p;
        problem_set(&p, CODE_TOKEN_NOT_SUPPORTED, "token", NULL, "no such token");
        answer_problem(a, r, &p, NULL, 0);
        return;
    }
    int count = read_all(a, wallet, rows, &seq);
    if (count == READ_BUSY) {
        busy(a, r);
        return;
    }
    struct json_out *o = answer_begin(a, r);
    put(o, a, wallet, token, row_of(rows, count, token));
    answer_end(a, r, seq);
}
