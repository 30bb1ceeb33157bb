#include "procs/verify/rates.h"

#include <string.h>

#include "shm/err.h"

#define SECOND 1000000000UL

int rates_init(struct rates *r, const u32 per_second[RATE_KINDS], u64 salt)
{
    *r = (struct rates){.salt = salt | 1};
    memcpy(r->per_second, per_second, sizeof r->per_second);
    r->sets = calloc(RATES_SETS, sizeof *r->sets);
    if (!r->sets) return err_sys("no memory for the wallets' rates");
    return 0;
}

void rates_fini(struct rates *r)
{
    free(r->sets);
    *r = (struct rates){0};
}

static u64 busy_until(const struct rate_entry *e)
{
    return max_u64(max_u64(e->full_ns[RATE_ORDERS], e->full_ns[RATE_CANCELS]),
                   e->full_ns[RATE_WITHDRAWALS]);
}

/* The wallet's entry; a stranger's replaces the one of its set that is full soonest. */
static struct rate_entry *entry_of(struct rates *r, const u8 wallet[WALLET_BYTES])
{
    u64 word;
    memcpy(&word, wallet + 4, sizeof word);
    struct rate_entry *set = r->sets[(word * r->salt) >> 32 & (RATES_SETS - 1)], *soonest = set;
    for (u32 i = 0; i < RATES_WAYS; i++) {
        if (!memcmp(set[i].wallet, wallet, WALLET_BYTES)) return &set[i];
        if (busy_until(&set[i]) < busy_until(soonest)) soonest = &set[i];
    }
    *soonest = (struct rate_entry){0};
    memcpy(soonest->wallet, wallet, WALLET_BYTES);
    return soonest;
}

u32 rates_take(struct rates *r, const u8 wallet[WALLET_BYTES], enum rate_kind kind, u64 now_ns)
{
    u32 rate = r->per_second[kind];
    if (!rate) return 0;
    u64 token = SECOND / rate;
    u64 *full = &entry_of(r, wallet)->full_ns[kind];
    u64 after = max_u64(*full, now_ns) + token;
    if (after <= now_ns + rate * token) {
        *full = after;
        return 0;
    }
    return (u32)((after - now_ns - rate * token + 999999) / 1000000);
}
