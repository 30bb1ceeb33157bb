/* guard.h: which signed requests were used already. Each is good once.
 *
 *   bucket   0        1        2      ...    11        (timestamp / 60 s) modulo 12
 *          +--------+--------+--------+---+--------+
 *   minute | 28 000 | 28 001 | 27 990 |   | 27 999 |   a fixed open-addressing table each
 *          +--------+--------+--------+---+--------+
 *
 * A request is found by the timestamp it signs, so it is in one bucket only. Timestamps within
 * 300 s of now touch 11 minutes; the twelfth bucket is the one whose minute is over for good, and
 * is emptied when its next minute begins. A request is remembered as its digest with the wallet
 * folded in: the signed text does not name the wallet, and two wallets may sign the same.
 */
#ifndef EIDOS_VERIFY_GUARD_H
#define EIDOS_VERIFY_GUARD_H

#include "shm/guard.h"
#include "shm/record.h"

#define GUARD_WINDOW_MS 300000UL /* protocol.md 3: |now - timestamp| */
#define GUARD_MINUTE_MS 60000UL

_Static_assert(GUARD_BUCKETS > 2 * GUARD_WINDOW_MS / GUARD_MINUTE_MS + 1,
               "a live bucket is reused");

enum guard_answer { GUARD_NEW, GUARD_SEEN, GUARD_FULL };

struct guard {
    struct guard_memory *memory;
    bool own; /* allocated here: it does not outlive the process */
};

struct guard_key guard_key_of(const u8 digest[DIGEST_BYTES], const u8 wallet[WALLET_BYTES]);

/* Go on with what `memory` remembers; fresh memory takes `salt` (so that nobody outside chooses
 * where a digest falls) and `start_ms`. NULL: private memory of `slots` a bucket. 0 or -1. */
int guard_init(struct guard *g, struct guard_memory *memory, u32 slots, u64 salt, u64 start_ms);
void guard_fini(struct guard *g);

/* Was this request used? GUARD_FULL: there is no room to remember it, so it must not be used.
 * `timestamp_ms` lies within GUARD_WINDOW_MS of now. */
enum guard_answer guard_look(struct guard *g, const struct guard_key *key, u64 timestamp_ms);

/* Remember a request that guard_look just called new. */
void guard_add(struct guard *g, const struct guard_key *key, u64 timestamp_ms);

#endif
