/* trading_room.c: does a command of the log fit into arenas that may be smaller than those it was
 * written with? Live this is asked for before a command is logged; in a replay it may be answered
 * no. */
#include "shm/trading_inside.h"

#define ROWS_MAX 2U /* balances that one command may open */

static bool has_row(const struct ledger *l, u32 account, u16 token)
{
    return account != NO_ACCOUNT && ledger_balance(l, account, token);
}

static const char *lacks_rows(const struct ledger *l, u32 missing)
{
    return l->balance_count + missing > l->config.balances_max ? "trading.balances_max" : NULL;
}

static const char *lacks_window(const struct ledger *l, u32 account, enum nonce_use use)
{
    return nonce_room(l, account, use) ? NULL : "trading.accounts_max";
}

static const char *for_deposit(const struct ledger *l, const struct cmd_deposit *c)
{
    u32 account = ledger_find(l, c->wallet);
    if (account == NO_ACCOUNT && l->account_count == l->config.accounts_max)
        return "trading.accounts_max";
    return lacks_rows(l, !has_row(l, account, c->token));
}

static const char *for_order(const struct trading *t, const struct cmd_order *c)
{
    const struct ledger *l = t->ledger;
    const char *lacks = lacks_window(l, c->account, NONCE_ORDER);
    if (lacks || c->code) return lacks;
    const struct market *m = market_of(t, c->market);
    return lacks_rows(l, !has_row(l, c->account, m->base) + !has_row(l, c->account, m->quote));
}

static const char *for_nonce(const struct trading *t, const struct rec *cmd)
{
    const struct cmd_cancel *cancel = (const void *)cmd;
    const struct cmd_withdraw *withdraw = (const void *)cmd;
    switch (cmd->kind) {
    case CMD_CANCEL:
        return cancel->uses_nonce ? lacks_window(t->ledger, cancel->account, NONCE_CANCEL) : NULL;
    case CMD_WITHDRAW: return lacks_window(t->ledger, withdraw->account, NONCE_WITHDRAW);
    default: return NULL;
    }
}

/* Slots are named by the commands themselves, so it takes no looking for them. */
static const char *lacks_slot(const struct trading *t, const struct rec *cmd)
{
    const struct cmd_order *order = (const void *)cmd;
    const struct cmd_deposit_2 *deposit = (const void *)cmd;
    const struct cmd_withdraw *withdraw = (const void *)cmd;
    u32 transfers = t->ledger->config.transfers_max;
    switch (cmd->kind) {
    case CMD_ORDER:
        return !order->code && (u32)order->order_id >= t->orders->slots ? "trading.orders_max"
                                                                        : NULL;
    case CMD_DEPOSIT:
        return cmd->version >= 2 && (u32)deposit->transfer_id > transfers ? "trading.transfers_max"
                                                                          : NULL;
    case CMD_WITHDRAW:
        return !withdraw->code && (u32)withdraw->transfer_id > transfers ? "trading.transfers_max"
                                                                         : NULL;
    default: return NULL;
    }
}

const char *trading_lacks(const struct trading *t, const struct rec *cmd)
{
    const struct ledger *l = t->ledger;
    const char *lacks = lacks_slot(t, cmd);
    if (LIKELY(!lacks && l->account_count < l->config.accounts_max &&
               l->balance_count + ROWS_MAX <= l->config.balances_max &&
               l->nonces_count < l->config.nonce_windows_max))
        return NULL;
    if (lacks) return lacks;
    if (cmd->kind == CMD_DEPOSIT) return for_deposit(l, (const void *)cmd);
    return cmd->kind == CMD_ORDER ? for_order(t, (const void *)cmd) : for_nonce(t, cmd);
}
