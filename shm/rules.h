/* rules.h: tokens, markets and limits as the command log says they are.
 *
 * Config is records: CMD_START, CMD_TOKEN, CMD_MARKET, CMD_LIMITS and CMD_MODE build this object,
 * the same in every process that applies the log. Trading's copy is a region that others read;
 * matching and replay keep their own. A row, once counted, keeps its index for good.
 */
#ifndef EIDOS_SHM_RULES_H
#define EIDOS_SHM_RULES_H

#include "shm/record.h"

#define RULES_MAGIC 0x31454c5552534445UL
#define TOKENS_MAX  64
#define MARKETS_MAX 256

struct token {
    char symbol[SYMBOL_BYTES];
    u32 version;
    u8 decimals; /* ledger unit = 10^-decimals */
    u8 zero[3];
};

struct market {
    char symbol[SYMBOL_BYTES];
    u16 base, quote; /* token indexes */
    u16 matching;
    u8 mode; /* enum mode */
    u8 price_decimals, amount_decimals;
    u8 zero[3];
    u32 version;
    u32 maker_rate, taker_rate; /* parts per billion */
    u64 tick_wad, lot_wad;      /* x 10^18 */
    u64 lot_units;              /* one lot in base ledger units */
    u64 tick_lot;               /* one tick x one lot in quote ledger units */
    u64 price_max;              /* ticks */
    u64 lots_min, lots_max;
    u64 notional_min, notional_max; /* quote ledger units */
};

/* How much may be withdrawn; see struct cmd_withdraw_limits. */
struct withdraw_limits {
    u64 single, daily; /* units of `token`; 0 = no limit */
    u32 per_hour, per_day;
    u16 token;
    u16 zero16;
    u32 version; /* 0 = no record has said anything yet */
    u64 least[TOKENS_MAX];
};

struct rules {
    u64 magic;
    _Atomic u32 version; /* odd while a row changes: seqlock for readers of other processes */
    _Atomic u32 token_count;
    _Atomic u32 market_count;
    u32 config_version;     /* the newest version any row has */
    u32 mode;               /* enum mode, whole exchange */
    u32 open_orders_max;    /* per wallet and market */
    u32 resting_orders_max; /* per market */
    u32 mode_reason;        /* enum mode_reason, of `mode` */
    u32 resting_max;        /* of one matching process, by CMD_START; 0 = nothing said so yet */
    u32 zero32;
    u64 expiry_max_ns;
    struct token tokens[TOKENS_MAX];
    struct market markets[MARKETS_MAX];
    struct withdraw_limits withdraw;
};

static inline u64 rules_align(void)
{
    return CACHE_LINE;
}

static inline u64 rules_footprint(void)
{
    return sizeof(struct rules);
}

void rules_new(void *memory);
struct rules *rules_join(void *memory);

/* Apply a configuration record (any other kind is ignored). The record was checked by whoever wrote
 * it; an index beyond the next free row is a broken log. Single writer. */
void rules_apply(struct rules *r, const struct rec *rec);

/* Is a market record sound? Called before it is logged. -1 with err: which field, its value, what
 * it must be. Bounds: price_max x lots_max x tick_lot x (1 + the larger rate) < 2^63. */
int rules_check_market(const struct rules *r, const struct cmd_market *m);

/* Index by symbol of `length` characters, or NO_MARKET / NO_TOKEN. Any process. */
u16 rules_find_market(const struct rules *r, const char *symbol, size_t length);
u16 rules_find_token(const struct rules *r, const char *symbol, size_t length);

/* Copy a row that a writer in another process may be changing. index < count. */
void rules_read_market(const struct rules *r, u16 index, struct market *out);

/* Copy the whole object while a writer in another process may be changing it: false = it was; try
 * again. */
bool rules_copy(const struct rules *r, struct rules *out);

/* The quote units of `lots` at `ticks`, exact. */
static inline u64 market_notional(const struct market *m, u64 ticks, u64 lots)
{
    return ticks * lots * m->tick_lot;
}

/* ceil(numerator / RATE_ONE) */
static inline u64 rate_ceil(u128 numerator)
{
    u128 up = numerator + RATE_ONE - 1;
    if (LIKELY(!(up >> 64))) return (u64)up / RATE_ONE; /* no division, but a product */
    return (u64)(up / RATE_ONE);
}

static inline u32 market_rate_max(const struct market *m)
{
    return m->maker_rate > m->taker_rate ? m->maker_rate : m->taker_rate;
}

#endif
