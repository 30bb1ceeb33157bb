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

/* What a new order asks of its account. */
struct asks {
    u32 account;
    u16 market;
    bool buys, takes;
};

/* The balance that a new order is held from; what it takes moves the other one too. */
static void ahead_rows(const struct trading *t, const struct account *a, const struct asks *n)
{
    const struct market *m = market_of(t, n->market);
    if (m->base < ROWS_DIRECT && (n->takes || !n->buys)) fetch_row(t, a->rows[m->base]);
    if (m->quote < ROWS_DIRECT && (n->takes || n->buys)) fetch_row(t, a->rows[m->quote]);
}

/* Stages 1 and 2 of a new order, but for its slot. */
static void ahead_account(const struct trading *t, const struct asks *n, u32 stage)
{
    const struct account *a = ledger_account(t->ledger, n->account);
    nonce_ahead(t->ledger, n->account, NONCE_ORDER, stage);
    if (stage == 1) {
        ahead_rows(t, a, n);
        return;
    }
    fetch_links(t, a->open_last);
    if (n->takes) fetch_links(t, a->closed_last);
}

static void ahead_order(const struct trading *t, const struct cmd_order *c, u32 stage)
{
    if (c->account > t->ledger->account_count || (u32)c->order_id >= t->orders->slots) return;
    if (stage == 0) {
        fetch(ledger_account(t->ledger, c->account), sizeof(struct account));
        if (!c->code) fetch_order(t, c->order_id);
        return;
    }
    const struct order *old = c->code ? NULL : former(t, c->order_id);
    struct asks n = {c->account, c->market, c->side == SIDE_BUY,
                     c->tif == TIF_IOC || c->tif == TIF_FOK};
    ahead_account(t, &n, stage);
    if (old && stage == 1) fetch_account(t, old->view.account);
    if (old && stage == 2) fetch_links(t, old->next);
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

static void ahead_new(const struct trading *t, const struct msg_order *m, u32 stage)
{
    if (stage < 2) {
        ledger_find_ahead(t->ledger, m->wallet, stage);
        return;
    }
    u32 account = ledger_guess(t->ledger, m->wallet);
    if (!account || m->market >= t->rules->market_count) return;
    bool takes = m->type == TYPE_MARKET || m->tif == TIF_IOC || m->tif == TIF_FOK;
    struct asks n = {account, m->market, m->side == SIDE_BUY, takes};
    ahead_account(t, &n, stage - 1);
}

#define LISTED 8U /* orders of a list that are asked for: the rest would come too soon */

/* Orders that are listed; of a filter the account alone. */
static void ahead_take_back(const struct trading *t, const struct msg_cancel *m, u32 stage)
{
    if (stage < 2) ledger_find_ahead(t->ledger, m->wallet, stage);
    for (u32 i = 0; i < min_u64(m->count, LISTED) && stage < 3; i++) {
        if (stage == 0) fetch_order(t, m->order_ids[i]);
        else if (stage == 2) ahead_end(t, m->order_ids[i], false);
    }
    if (m->auth != AUTH_CANCEL || stage < 2) return;
    u32 account = ledger_guess(t->ledger, m->wallet);
    if (account) nonce_ahead(t->ledger, account, NONCE_CANCEL, stage - 1);
}

static void ahead_message(const struct trading *t, const struct msg *m, u32 stage)
{
    if (m->kind == MSG_ORDER) ahead_new(t, (const void *)m, stage);
    if (m->kind == MSG_CANCEL) ahead_take_back(t, (const void *)m, stage);
}

/* The slot that is taken after the one known last, or first; 0 = none. */
static u32 slot_after(const struct orders *o, u32 last)
{
    if (last && last <= o->used) return orders_slot(o, last)->fifo_next;
    u32 fresh = (u32)max_u64(last, o->used) + 1;
    return fresh < o->slots ? fresh : o->fifo_first;
}

/* Two more slots are told of than taken, until so many are known: each names the next one, and must
 * have come for that. Those that come soon: what forgetting the order there will touch. */
static void ahead_slots(const struct trading *t, struct trading_slots *s)
{
    const struct orders *o = t->orders;
    u64 taken = t->counts.accepted, most = taken + TRADING_SLOTS_AHEAD;
    if (s->end < taken || s->end > most) s->end = taken;
    for (u32 i = 0; i < 2 && s->end < most; i++) {
        u32 last = s->end == taken ? 0 : s->slot[(s->end - 1) % TRADING_SLOTS_AHEAD];
        u32 slot = slot_after(o, last);
        if (!slot) break;
        fetch(orders_slot(o, slot), sizeof(struct order));
        s->slot[s->end++ % TRADING_SLOTS_AHEAD] = slot;
    }
    u32 soon = s->slot[(taken + TRADING_SLOTS_AHEAD / 2) % TRADING_SLOTS_AHEAD];
    if (s->end <= taken + TRADING_SLOTS_AHEAD / 2 || soon > o->used) return;
    fetch_account(t, orders_slot(o, soon)->view.account);
    fetch_links(t, orders_slot(o, soon)->next);
}

/* With fewer accounts most is in the cache, and hints cost what they gain. */
#ifndef TRADING_FEW_ACCOUNTS
#define TRADING_FEW_ACCOUNTS 2048U
#endif

void trading_look_ahead(const struct trading *t, const struct ring_rx *rx, u32 length,
                        u64 told[TRADING_AHEAD_MESSAGE_STAGES], struct trading_slots *slots)
{
    static const u32 bytes[TRADING_AHEAD_MESSAGE_STAGES] = {6144, 4608, 3072, 1536};
    u64 next = rx->pos + length;
    if (t->ledger->account_count < TRADING_FEW_ACCOUNTS) return;
    ahead_slots(t, slots);
    for (u32 stage = 0; stage < TRADING_AHEAD_MESSAGE_STAGES; stage++) {
        u64 *at = &told[stage];
        const struct msg *m;
        *at = max_u64(*at, next);
        for (; *at < next + bytes[stage] && (m = ring_known(rx, at)); *at += m->length)
            ahead_message(t, m, stage);
    }
}

/* What becomes of an order is told with both balances. */
static void ahead_told(const struct trading *t, u64 id)
{
    if ((u32)id >= t->orders->slots) return;
    const struct order *o = orders_slot(t->orders, (u32)id);
    fetch_row(t, o->base_row);
    fetch_row(t, o->quote_row);
}

void trading_ahead_match(const struct trading *t, const struct rec *match, u32 stage)
{
    const struct match_trade *e = (const void *)match;
    if (stage == 1 && (match->kind == MATCH_OPENED || match->kind == MATCH_CANCELED))
        ahead_told(t, ((const struct match_order *)(const void *)match)->order_id);
    if (match->kind != MATCH_TRADE) return;
    if (stage == 0) {
        fetch_order(t, e->maker_id);
        fetch_account(t, e->maker_account);
    } else {
        ahead_end(t, e->maker_id, true);
    }
}
