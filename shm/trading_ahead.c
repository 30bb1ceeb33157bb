#include "shm/trading_ahead.h"

#include "shm/trading_inside.h"

static void fetch(const void *p, size_t bytes)
{
    /* gcc takes functions that do nothing but prefetch for pure and drops their calls. */
    __asm__ volatile("" : : "r"(p));
    for (size_t i = 0; i < bytes; i += CACHE_LINE) __builtin_prefetch((const char *)p + i, 1);
}

static void fetch_order(const struct trading *t, u64 id)
{
    if ((u32)id < t->orders->slots) fetch(orders_slot(t->orders, (u32)id), sizeof(struct order));
}

/* The first line of it. */
static void fetch_account(const struct trading *t, u32 account)
{
    if (account <= t->ledger->account_count) fetch(ledger_account(t->ledger, account), 1);
}

static void fetch_row(const struct trading *t, u32 row)
{
    fetch(ledger_row(t->ledger, row), sizeof(struct balance));
}

/* The links of an order in its account's list: the last of its lines. */
static void fetch_links(const struct trading *t, u32 slot)
{
    if (slot) fetch(&orders_slot(t->orders, slot)->prev, 1);
}

/* The order that still has the slot of a new one, or NULL. */
static const struct order *former(const struct trading *t, u64 id)
{
    const struct order *o = orders_slot(t->orders, (u32)id);
    return (u32)id <= t->orders->used && o->view.order_id ? o : NULL;
}

/* The balance that a new order is held from; what it takes moves the other one too. */
static void ahead_rows(const struct trading *t, const struct account *a, const struct cmd_order *c)
{
    const struct market *m = market_of(t, c->market);
    bool buys = c->side == SIDE_BUY, takes = c->tif == TIF_IOC || c->tif == TIF_FOK;
    if (m->base < ROWS_DIRECT && (takes || !buys)) fetch_row(t, a->rows[m->base]);
    if (m->quote < ROWS_DIRECT && (takes || buys)) fetch_row(t, a->rows[m->quote]);
}

static void ahead_order(const struct trading *t, const struct cmd_order *c, u32 stage)
{
    if (c->account > t->ledger->account_count || (u32)c->order_id >= t->orders->slots) return;
    const struct account *a = ledger_account(t->ledger, c->account);
    if (stage == 0) {
        fetch(a, sizeof *a);
        if (!c->code) fetch_order(t, c->order_id);
        return;
    }
    const struct order *old = c->code ? NULL : former(t, c->order_id);
    nonce_ahead(t->ledger, c->account, NONCE_ORDER, stage);
    if (stage == 1) {
        ahead_rows(t, a, c);
        if (old) fetch_account(t, old->view.account);
        return;
    }
    if (old) fetch_links(t, old->next);
    fetch_links(t, a->open_last);
    if (c->tif == TIF_IOC || c->tif == TIF_FOK) fetch_links(t, a->closed_last);
}

/* What an order touches that ends or is filled, once it and its account are there. */
static void ahead_end(const struct trading *t, u64 id, bool fills)
{
    if ((u32)id >= t->orders->slots) return;
    const struct order *o = orders_slot(t->orders, (u32)id);
    bool buys = o->view.side == SIDE_BUY;
    if (o->view.account > t->ledger->account_count) return;
    if (fills || !buys) fetch_row(t, o->base_row);
    if (fills || buys) fetch_row(t, o->quote_row);
    fetch_links(t, o->prev);
    fetch_links(t, o->next);
    fetch_links(t, ledger_account(t->ledger, o->view.account)->closed_last);
}

static void ahead_cancel(const struct trading *t, const struct cmd_cancel *c, u32 stage)
{
    const struct cancel_item *items = (const void *)(c + 1);
    for (u32 i = 0; i < c->count; i++) {
        if (stage == 0) {
            fetch_order(t, items[i].order_id);
            fetch_account(t, items[i].account);
        } else if (stage == 1) {
            ahead_end(t, items[i].order_id, false);
        }
    }
    if (c->uses_nonce && stage && c->account <= t->ledger->account_count)
        nonce_ahead(t->ledger, c->account, NONCE_CANCEL, stage);
}

static void ahead_deposit(const struct trading *t, const struct cmd_deposit *c, u32 stage)
{
    if (stage < 2) ledger_find_ahead(t->ledger, c->wallet, stage);
}

void trading_ahead(const struct trading *t, const struct rec *cmd, u32 stage)
{
    if (cmd->kind == CMD_DEPOSIT) ahead_deposit(t, (const void *)cmd, stage);
    if (cmd->kind == CMD_ORDER) ahead_order(t, (const void *)cmd, stage);
    if (cmd->kind == CMD_CANCEL || cmd->kind == CMD_EXPIRE)
        ahead_cancel(t, (const void *)cmd, stage);
}

void trading_ahead_match(const struct trading *t, const struct rec *match, u32 stage)
{
    const struct match_trade *e = (const void *)match;
    if (match->kind != MATCH_TRADE) return;
    if (stage == 0) {
        fetch_order(t, e->maker_id);
        fetch_account(t, e->maker_account);
    } else {
        ahead_end(t, e->maker_id, true);
    }
}
