/* trading_mark.c: the slice of trading's state that a mark covers (mark.h). */
#include "shm/trading_inside.h"

#define SLICE_ORDERS 64U

static u64 fold(u64 h, const void *data, size_t length)
{
    return mark_mix(h, crc32c((u32)h, data, length));
}

/* One account in turn: wallet, balances by token, nonces. */
static u64 fold_account(const struct trading *t, u64 h, u64 turn)
{
    const struct ledger *l = t->ledger;
    if (!l->account_count) return h;
    u32 index = 1 + (u32)(turn % l->account_count);
    h = fold(h, ledger_account(l, index)->wallet, WALLET_BYTES);
    for (u16 token = 0; token < t->rules->token_count; token++) {
        const struct balance *b = ledger_balance(l, index, token);
        if (b) h = fold(h, b, offsetof(struct balance, account));
    }
    for (u32 use = 0; use < NONCE_USES; use++) h = nonces_mix(l, index, use, h);
    return h;
}

/* The next SLICE_ORDERS slots, open orders and closed ones. Who waits for an answer is left out. */
static u64 fold_orders(const struct trading *t, u64 h, u64 turn)
{
    const struct orders *o = t->orders;
    for (u32 i = 0; o->used && i < SLICE_ORDERS; i++) {
        const struct order *order = orders_slot(o, 1 + (u32)((turn * SLICE_ORDERS + i) % o->used));
        u64 rest[] = {order->limit, order->hold,       order->taker_quote, order->digest,
                      order->seq,   order->maker_rate, order->taker_rate,  order->closing};
        h = fold(fold(h, &order->view, sizeof order->view), rest, sizeof rest);
    }
    return h;
}

void trading_mark(struct trading *t, u64 seq)
{
    u64 turn = seq / MARK_EVERY, h = seq;
    h = fold(h, t->ledger->merged, sizeof t->ledger->merged);
    if (t->rules->token_count) {
        u64 token = turn % t->rules->token_count;
        h = fold(h, &t->ledger->totals[token], sizeof t->ledger->totals[token]);
        h = fold(h, &t->ledger->in_flight[token], sizeof t->ledger->in_flight[token]);
    }
    if (t->rules->market_count) {
        u64 market = turn % t->rules->market_count;
        h = fold(h, &t->orders->markets[market], sizeof t->orders->markets[market]);
    }
    u64 transfers = t->ledger->transfers_used;
    if (transfers) {
        const struct transfer *of = transfers_slot(t->ledger, 1 + (u32)(turn % transfers));
        h = fold(h, &of->view, sizeof of->view);
    }
    h = fold_orders(t, fold_account(t, h, turn), turn);
    mark_make(&t->mark, t->account, seq, h);
}
