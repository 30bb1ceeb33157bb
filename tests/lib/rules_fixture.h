/* rules_fixture.h: tokens and markets as the default configuration has them, for tests that need
 * rules and no process: USDC 8, BTC 8, ETH 8 decimals; BTC-USDC tick 0.01 lot 0.00001; ETH-USDC
 * tick 0.01 lot 0.0001.
 */
#ifndef EIDOS_TESTS_LIB_RULES_FIXTURE_H
#define EIDOS_TESTS_LIB_RULES_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "shm/rules.h"

#define FIXTURE_WAD 1000000000000000000UL

static inline void fixture_token(struct rules *r, u16 token, const char *symbol)
{
    struct cmd_token t = {.head = {.kind = CMD_TOKEN, .length = sizeof t, .version = 1},
                          .token = token,
                          .decimals = 8,
                          .version = 1};
    memcpy(t.symbol, symbol, strlen(symbol));
    rules_apply(r, &t.head);
}

static inline void fixture_market(struct rules *r, u16 market, const char *symbol, u16 base,
                                  u64 lot_units)
{
    struct cmd_market m = {.head = {.kind = CMD_MARKET, .length = sizeof m, .version = 1},
                           .market = market,
                           .base = base,
                           .quote = 0,
                           .maker_rate = 1000000,
                           .taker_rate = 1000000,
                           .tick_wad = FIXTURE_WAD / 100,
                           .lot_wad = FIXTURE_WAD / 100000000 * lot_units,
                           .lot_units = lot_units,
                           .tick_lot = lot_units / 100,
                           .price_max = 1000000000,
                           .lots_min = 1,
                           .lots_max = 100000000,
                           .notional_min = 10UL * 100000000,
                           .notional_max = 1000000UL * 100000000,
                           .version = 1,
                           .price_decimals = 2,
                           .amount_decimals = 5};
    memcpy(m.symbol, symbol, strlen(symbol));
    rules_apply(r, &m.head);
}

/* Free it with free(). */
static inline struct rules *fixture_rules(void)
{
    struct rules *r = aligned_alloc(CACHE_LINE, align_up(rules_footprint(), CACHE_LINE));
    CHECK(r);
    memset(r, 0, rules_footprint());
    rules_new(r);
    fixture_token(r, 0, "USDC");
    fixture_token(r, 1, "BTC");
    fixture_token(r, 2, "ETH");
    fixture_market(r, 0, "BTC-USDC", 1, 1000);
    fixture_market(r, 1, "ETH-USDC", 2, 10000);
    return r;
}

#endif
