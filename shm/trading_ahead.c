#include "shm/trading_ahead.h"

#include "shm/trading_inside.h"

static void fetch(const void *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += CACHE_LINE) __builtin_prefetch((const char *)p + i, 1);
}

static void fetch_rows(const struct trading *t, const struct order *o)
{
    fetch(ledger_row(t->ledger, o->base_row), sizeof(struct balance));
    fetch(ledger_row(t->ledger, o->quote_row), sizeof(struct balance));
}

/* The order that still has the slot of a new one, or NULL. */
static const struct order *former(const struct trading *t, u64 id)
{
    const struct order *o = orders_slot(t->orders, (u32)id);
    return (u32)id <= t->orders->used && o->view.order_id ? o : NULL;
}

static void ahead_order(const struct trading *t, const struct cmd_order *c, u32 stage)
{
    if (c->account > t->ledger->account_count || (u32)c->order_id >= t->orders->slots) return;
    const struct account *a = ledger_account(t->ledger, c->account);
    const struct market *m = market_of(t, c->market);
    const struct order *old;
    if (stage == 0) {
        fetch(a, sizeof *a);
        if (!c->code) fetch(orders_slot(t->orders, (u32)c->order_id), sizeof(struct order));
        return;
    }
    nonce_ahead(t->ledger, c->account, NONCE_ORDER, stage);
    old = c->code ? NULL : former(t, c->order_id);
    if (stage == 1) {
        u16 token = c->side == SIDE_BUY ? m->quote : m->base;
        if (token < ROWS_DIRECT)
            fetch(ledger_row(t->ledger, a->rows[token]), sizeof(struct balance));
        if (old) fetch(ledger_account(t->ledger, old->view.account), sizeof *a);
        return;
    }
    if (old && old->next) fetch(&orders_slot(t->orders, old->next)->prev, 1);
    if (a->open_last) fetch(&orders_slot(t->orders, a->open_last)->next, 1);
}

static void ahead_cancel(const struct trading *t, const struct cmd_cancel *c, u32 stage)
{
    const struct cancel_item *items = (const void *)(c + 1);
    for (u32 i = 0; stage == 0 && i < c->count; i++)
        if ((u32)items[i].order_id < t->orders->slots)
            fetch(orders_slot(t->orders, (u32)items[i].order_id), sizeof(struct order));
}

void trading_ahead(const struct trading *t, const struct rec *cmd, u32 stage)
{
    if (cmd->kind == CMD_ORDER) ahead_order(t, (const void *)cmd, stage);
    if (cmd->kind == CMD_CANCEL || cmd->kind == CMD_EXPIRE)
        ahead_cancel(t, (const void *)cmd, stage);
}

static void ahead_of(const struct trading *t, u64 id, u32 stage)
{
    if ((u32)id >= t->orders->slots) return;
    const struct order *o = orders_slot(t->orders, (u32)id);
    if (stage == 0) {
        fetch(o, sizeof *o);
        return;
    }
    const struct account *a = ledger_account(t->ledger, o->view.account);
    fetch(a, sizeof *a);
    fetch_rows(t, o);
    if (o->next) fetch(&orders_slot(t->orders, o->next)->prev, 1);
    if (o->prev) fetch(&orders_slot(t->orders, o->prev)->next, 1);
}

void trading_ahead_match(const struct trading *t, const struct rec *match, u32 stage)
{
    const struct match_trade *e = (const void *)match;
    const struct match_order *o = (const void *)match;
    switch (match->kind) {
    case MATCH_TRADE:
        ahead_of(t, e->maker_id, stage);
        ahead_of(t, e->taker_id, stage);
        break;
    case MATCH_OPENED:
    case MATCH_CANCELED:
    case MATCH_REJECTED:
    case MATCH_FILLED:
    case MATCH_MISSED: ahead_of(t, o->order_id, stage); break;
    default: break;
    }
}
