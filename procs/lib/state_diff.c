#include "procs/lib/state_diff.h"

#include <string.h>

struct diff {
    const struct trading *a, *b;
    u64 found, most;
    state_diff_fn *tell;
    void *context;
};

static void differ(struct diff *d, const char *object, const char *field, u64 a, u64 b)
{
    if (a == b || d->found++ >= d->most) return;
    d->tell(d->context, object, field, a, b);
}

static void diff_rules(struct diff *d)
{
    const struct rules *a = d->a->rules, *b = d->b->rules;
    char object[SYMBOL_BYTES + 16];
    differ(d, "exchange", "mode", a->mode, b->mode);
    differ(d, "exchange", "tokens", a->token_count, b->token_count);
    differ(d, "exchange", "markets", a->market_count, b->market_count);
    differ(d, "exchange", "config version", a->config_version, b->config_version);
    differ(d, "exchange", "orders that may rest", a->resting_max, b->resting_max);
    for (u32 i = 0; i < a->market_count && i < b->market_count; i++) {
        const struct market *x = &a->markets[i], *y = &b->markets[i];
        const struct market_state *p = &d->a->orders->markets[i], *q = &d->b->orders->markets[i];
        snprintf(object, sizeof object, "market %.*s", SYMBOL_BYTES, x->symbol);
        differ(d, object, "mode", x->mode, y->mode);
        differ(d, object, "version", x->version, y->version);
        differ(d, object, "best bid", p->bid, q->bid);
        differ(d, object, "best ask", p->ask, q->ask);
        differ(d, object, "last price", p->last_price, q->last_price);
        differ(d, object, "resting orders", p->resting, q->resting);
        differ(d, object, "pending orders", p->pending, q->pending);
    }
}

static void diff_balances(struct diff *d, const char *object, u32 i, u16 token)
{
    static const struct balance none;
    static const struct {
        const char *name;
        size_t at;
    } fields[] = {{"available", offsetof(struct balance, available)},
                  {"frozen", offsetof(struct balance, frozen)},
                  {"pending available", offsetof(struct balance, pending_available)},
                  {"pending frozen", offsetof(struct balance, pending_frozen)}};
    const struct ledger *la = d->a->ledger, *lb = d->b->ledger;
    const struct balance *x = i <= la->account_count ? ledger_balance(la, i, token) : NULL;
    const struct balance *y = i <= lb->account_count ? ledger_balance(lb, i, token) : NULL;
    const struct rules *r = token < d->a->rules->token_count ? d->a->rules : d->b->rules;
    for (u32 k = 0; k < COUNT_OF(fields); k++) {
        char field[SYMBOL_BYTES + 32];
        u64 left, right;
        memcpy(&left, (const u8 *)(x ? x : &none) + fields[k].at, sizeof left);
        memcpy(&right, (const u8 *)(y ? y : &none) + fields[k].at, sizeof right);
        snprintf(field, sizeof field, "%.*s %s", (int)sizeof r->tokens[token].symbol,
                 r->tokens[token].symbol, fields[k].name);
        differ(d, object, field, left, right);
    }
}

static void diff_accounts(struct diff *d)
{
    const struct ledger *la = d->a->ledger, *lb = d->b->ledger;
    u32 count = max_u64(la->account_count, lb->account_count) & UINT32_MAX;
    u32 tokens = max_u64(d->a->rules->token_count, d->b->rules->token_count) & UINT32_MAX;
    for (u32 i = 1; i <= count; i++) {
        bool in_a = i <= la->account_count, in_b = i <= lb->account_count;
        const struct account *any = ledger_account(in_a ? la : lb, i);
        char object[16 + 2 * WALLET_BYTES];
        int n = snprintf(object, sizeof object, "account 0x");
        for (u32 k = 0; k < WALLET_BYTES; k++)
            n += snprintf(object + n, sizeof object - (size_t)n, "%02x", any->wallet[k]);
        differ(d, object, "exists", in_a, in_b);
        if (in_a && in_b)
            differ(d, object, "is the same wallet", 1,
                   !memcmp(any->wallet, ledger_account(lb, i)->wallet, WALLET_BYTES));
        differ(d, object, "open orders", in_a ? ledger_account(la, i)->open_count : 0,
               in_b ? ledger_account(lb, i)->open_count : 0);
        for (u32 t = 0; t < tokens; t++) diff_balances(d, object, i, (u16)t);
    }
}

static void diff_orders(struct diff *d)
{
    static const struct order none;
    const struct orders *oa = d->a->orders, *ob = d->b->orders;
    u32 used = max_u64(oa->used, ob->used) & UINT32_MAX;
    for (u32 slot = 1; slot <= used; slot++) {
        const struct order *x = slot <= oa->used ? orders_slot(oa, slot) : &none;
        const struct order *y = slot <= ob->used ? orders_slot(ob, slot) : &none;
        char object[40];
        snprintf(object, sizeof object, "order %lu",
                 x->view.order_id ? x->view.order_id : y->view.order_id);
        u64 before = d->found;
        differ(d, object, "id", x->view.order_id, y->view.order_id);
        if (d->found != before) continue;
        differ(d, object, "status", x->view.status, y->view.status);
        differ(d, object, "filled lots", x->view.filled_lots, y->view.filled_lots);
        differ(d, object, "hold", x->hold, y->hold);
        differ(d, object, "closing", x->closing, y->closing);
        if (d->found == before)
            differ(d, object, "has the same details", 1,
                   !memcmp(&x->view, &y->view, sizeof x->view));
    }
}

static void diff_books(struct diff *d, const struct replica *a, const struct replica *b)
{
    const struct rules *r = d->a->rules;
    for (u32 i = 0; i < r->market_count && i < d->b->rules->market_count; i++) {
        u16 m = r->markets[i].matching;
        char object[SYMBOL_BYTES + 16];
        snprintf(object, sizeof object, "book %.*s", SYMBOL_BYTES, r->markets[i].symbol);
        differ(d, object, "checksum", book_checksum(a->matching[m].machine->books, i),
               book_checksum(b->matching[m].machine->books, i));
    }
}

u64 state_diff(const struct replica *a, const struct replica *b, u64 most, state_diff_fn *tell,
               void *context)
{
    struct diff d = {
        .a = &a->trading, .b = &b->trading, .most = most, .tell = tell, .context = context};
    diff_rules(&d);
    diff_accounts(&d);
    diff_orders(&d);
    diff_books(&d, a, b);
    return d.found;
}
