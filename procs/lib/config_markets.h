/* config_markets.h: the tokens and markets a new exchange starts with, as integers.
 *
 *   conf/markets.ini, part of the binary, or one file instead: --markets FILE, <dir>/markets.ini
 *   then --set market.BTC-USDC.key=value and --set token.USDC.key=value
 *
 * Prices in ticks, amounts in lots, money in ledger units of its token, rates in parts per billion.
 * What is accepted here can not overflow later: price_max x lots_max x tick_lot x (1 + fee) < 2^63.
 */
#ifndef EIDOS_PROCS_LIB_CONFIG_MARKETS_H
#define EIDOS_PROCS_LIB_CONFIG_MARKETS_H

#include "procs/lib/config.h"
#include "shm/record.h"

#define CONFIG_SYMBOLS_MAX 64 /* tokens, and markets */

struct token_conf {
    char symbol[SYMBOL_BYTES]; /* zero padded, as below */
    u8 decimals;               /* ledger unit = 10^-decimals */
    u64 withdraw_least;        /* ledger units; 0 = one of them */
};

struct market_conf {
    char symbol[SYMBOL_BYTES]; /* BASE-QUOTE */
    u16 base, quote;           /* indexes into token[] */
    u16 matching;              /* which matching process */
    u8 mode;                   /* enum mode */
    u8 price_decimals;         /* digits of the tick */
    u8 amount_decimals;        /* digits of the lot */
    u32 maker_rate, taker_rate;
    u64 tick_wad, lot_wad; /* x 10^18 */
    u64 lot_units;         /* one lot in base ledger units */
    u64 tick_lot;          /* one tick x one lot in quote ledger units */
    u64 price_max;         /* ticks */
    u64 lots_min, lots_max;
    u64 notional_min, notional_max; /* quote ledger units */
};

struct markets_conf {
    u32 tokens, markets;
    struct token_conf token[CONFIG_SYMBOLS_MAX];   /* in the order of the file */
    struct market_conf market[CONFIG_SYMBOLS_MAX]; /* likewise */
};

/* Read, convert and check. `workers` matching processes exist. 0, or -1 with the place, the value
 * and what to do. */
int config_markets_load(struct markets_conf *conf, const struct config_source *source, u32 workers);

/* Index of a symbol, or -1. */
int config_market_find(const struct markets_conf *conf, const char *symbol);
int config_token_find(const struct markets_conf *conf, const char *symbol);

#endif
