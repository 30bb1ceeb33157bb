#include "tests/lib/flow.h"

#include <stdlib.h>
#include <string.h>

#include "shm/transfers.h"

#define DECIMALS 8U /* of every token */
#define WAD      1000000000000000000UL
#define TICK_WAD (WAD / 100) /* 0.01 */
#define LOT_WAD  (WAD / 10000)

u64 flow_random(struct flow *f)
{
    u64 z = f->state += 0x9e3779b97f4a7c15UL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9UL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebUL;
    return z ^ (z >> 31);
}

void flow_init(struct flow *f, u64 seed, u32 accounts)
{
    *f = (struct flow){
        .state = seed, .accounts = accounts, .markets = FLOW_MARKETS, .mid = {5000000, 300000}};
    for (u32 i = FLOW_MARKETS; i < FLOW_MARKETS_MAX; i++) f->mid[i] = 100000UL * i;
    f->nonces = calloc(accounts, sizeof *f->nonces);
    CHECK(f->nonces);
}

void flow_free(struct flow *f)
{
    free(f->nonces);
}

void flow_config(struct trading *t)
{
    flow_config_markets(FLOW_MARKETS, t);
}

void flow_config_markets(u32 markets, struct trading *t)
{
    static const char *const symbols[FLOW_MARKETS_MAX + 1] = {
        "USDC", "BTC", "ETH", "SOL", "BNB", "XRP", "ADA", "DOT", "LTC", "UNI", "TON", "APT", "SUI"};
    for (u32 i = 0; i <= markets; i++) {
        struct cmd_token c = {.head = {.kind = CMD_TOKEN, .length = sizeof c}, .token = (u16)i};
        c.decimals = DECIMALS;
        c.version = 1;
        snprintf(c.symbol, sizeof c.symbol, "%s", symbols[i]);
        trading_config(t, &c.head);
    }
    for (u32 i = 0; i < markets; i++) {
        struct cmd_market c = {.head = {.kind = CMD_MARKET, .length = sizeof c}};
        c.market = (u16)i;
        c.base = (u16)(i + 1);
        c.quote = 0;
        c.maker_rate = 1000000;
        c.taker_rate = 2000000;
        c.tick_wad = TICK_WAD;
        c.lot_wad = LOT_WAD;
        c.lot_units = 10000;
        c.tick_lot = 100;
        c.price_max = 100000000;
        c.lots_min = 1;
        c.lots_max = 10000000;
        c.notional_min = 100000000;
        c.notional_max = 1000000UL * 100000000;
        c.version = 1;
        c.price_decimals = 2;
        c.amount_decimals = 4;
        snprintf(c.symbol, sizeof c.symbol, "%s-USDC", symbols[i + 1]);
        trading_config(t, &c.head);
    }
    struct cmd_limits c = {.head = {.kind = CMD_LIMITS, .length = sizeof c}, .version = 1};
    c.open_orders = 1000000;
    c.resting_orders = 10000000;
    c.expiry_max_ns = 30UL * 86400 * 1000000000;
    trading_config(t, &c.head);
}

void flow_wallet(u32 account, u8 *wallet)
{
    u64 a = (account + 1) * 0x9e3779b97f4a7c15UL, b = (account + 1) * 0xd6e8feb86659fd93UL;
    memset(wallet, 0xee, WALLET_BYTES);
    memcpy(wallet, &a, sizeof a);
    memcpy(wallet + 8, &b, sizeof b);
}

void flow_credit(const struct flow *f, u32 i, struct msg_credit *m)
{
    *m = (struct msg_credit){.head = {.length = sizeof *m, .kind = MSG_CREDIT}};
    m->token = (u16)(i / f->accounts);
    /* Many accounts get less each: a token's total stays below 2^62. */
    m->amount = min_u64(1000000000UL * 100000000 / 100, BALANCE_MAX / 2 / f->accounts);
    flow_wallet(i % f->accounts, m->wallet);
}

void flow_fund(const struct flow *f, struct trading *t)
{
    for (u32 i = 0; i < f->accounts * (f->markets + 1); i++) {
        struct msg_credit m;
        flow_credit(f, i, &m);
        trading_credit(t, &m, NO_SOURCE, 0);
    }
}

void flow_order(struct flow *f, struct msg_order *m)
{
    u64 r = flow_random(f);
    u32 account = (u32)(r % f->accounts);
    u16 market = (u16)((r >> 32) % f->markets);
    if ((r >> 33 & 15) == 0) f->mid[market] += (r >> 37 & 31) - 15;
    bool buy = r >> 42 & 1, takes = r >> 43 & 1;
    u64 away = (r >> 46 & 63) + 1;
    u64 price = buy == takes ? f->mid[market] + away : f->mid[market] - away;
    u64 lots = 20 + (r >> 52 & 255) + (market ? 200 : 0);
    memset(m, 0, sizeof *m);
    m->head = (struct msg){.length = sizeof *m, .kind = MSG_ORDER, .request = ++f->count};
    m->price = wad_make((u128)price * TICK_WAD);
    m->amount = wad_make((u128)lots * LOT_WAD);
    m->nonce = ++f->nonces[account];
    m->market = market;
    m->side = buy ? SIDE_BUY : SIDE_SELL;
    m->type = TYPE_LIMIT;
    m->tif = takes ? TIF_IOC : TIF_GTC;
    m->stp = STP_CANCEL_MAKER;
    m->signature_type = SIG_V2;
    flow_wallet(account, m->wallet);
    memcpy(m->evidence.digest, &r, sizeof r);
}

static void flow_withdraw(struct flow *f, struct trading *t, u64 r)
{
    struct msg_withdraw m = {.head = {.length = sizeof m, .kind = MSG_WITHDRAW}};
    flow_wallet((u32)(r % f->accounts), m.wallet);
    m.token = (u16)(r >> 20 & 3); /* one in four is of no token */
    m.amount = wad_make((u128)(r >> 24 & 0xffff) * (WAD / 100));
    m.nonce = ++f->count;
    memcpy(m.to_address, "0x00000000000000000000000000000000000000ee", TO_BYTES);
    memcpy(m.evidence.digest, &f->state, sizeof f->state);
    trading_withdraw(t, &m, NO_SOURCE, 0);
}

static void flow_step(struct flow *f, struct trading *t, u64 r)
{
    u32 used = t->ledger->transfers_used;
    const struct transfer *of = transfers_slot(t->ledger, 1 + (u32)(r % (used ? used : 1)));
    if (r >> 40 & 1) {
        struct msg_withdraw_cancel m = {.head = {.length = sizeof m, .kind = MSG_WITHDRAW_CANCEL},
                                        .transfer_id = of->view.id};
        memcpy(m.wallet, of->view.wallet, WALLET_BYTES);
        memcpy(m.evidence.digest, &f->state, sizeof f->state);
        trading_withdraw_cancel(t, &m, NO_SOURCE, 0);
        return;
    }
    struct msg_withdraw_step m = {.head = {.length = sizeof m, .kind = MSG_WITHDRAW_STEP},
                                  .transfer_id = of->view.id,
                                  .status = (u8)(r >> 41 & 7),
                                  .has_tx = r >> 44 & 1};
    memcpy(m.tx_hash, &f->state, sizeof f->state);
    trading_withdraw_step(t, &m, NO_SOURCE, 0);
}

void flow_transfer(struct flow *f, struct trading *t)
{
    u64 r = flow_random(f), kind = r >> 60;
    if (kind < 6) {
        flow_withdraw(f, t, r);
    } else if (kind < 14) {
        flow_step(f, t, r);
    } else {
        struct msg_credit m = {.head = {.length = sizeof m, .kind = MSG_CREDIT},
                               .amount = 1 + (r >> 30 & 0xffff),
                               .token = (u16)(r >> 20 & 1),
                               .has_tx = r >> 21 & 1,
                               .log_index = (u32)(r >> 22 & 3)};
        m.tx_hash[0] = (u8)(r >> 50); /* now and then a transaction is told again */
        flow_wallet((u32)(r % f->accounts), m.wallet);
        trading_credit(t, &m, NO_SOURCE, 0);
    }
}
