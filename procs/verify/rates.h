/* rates.h: how many requests a second a wallet may make.
 *
 * Each wallet and kind of request has a bucket of `per_second` tokens that fills at that rate. It
 * is kept as one time: when the bucket would be full again (the "generic cell rate algorithm"), so
 * a wallet that was quiet for a second needs no entry. The table is fixed: a wallet falls into one
 * set of RATES_WAYS entries, and takes the one that is full soonest, which forgets nothing while
 * one of them is full.
 */
#ifndef EIDOS_VERIFY_RATES_H
#define EIDOS_VERIFY_RATES_H

#include "shm/record.h"

#define RATES_WAYS 8U
#define RATES_SETS 8192U

enum rate_kind { RATE_ORDERS, RATE_CANCELS, RATE_WITHDRAWALS, RATE_KINDS };

struct rate_entry {
    u8 wallet[WALLET_BYTES];
    u32 zero32;
    u64 full_ns[RATE_KINDS]; /* when the bucket is full again */
};
SIZE_IS(struct rate_entry, 48);

struct rates {
    u32 per_second[RATE_KINDS]; /* 0 = no limit */
    u64 salt;
    struct rate_entry (*sets)[RATES_WAYS];
};

/* 0 or -1. */
int rates_init(struct rates *r, const u32 per_second[RATE_KINDS], u64 salt);
void rates_fini(struct rates *r);

/* Take a token. 0, or how many milliseconds to wait until there is one (at least 1; no token is
 * taken then). */
u32 rates_take(struct rates *r, const u8 wallet[WALLET_BYTES], enum rate_kind kind, u64 now_ns);

#endif
