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

#include "shm/record.h"

#define GUARD_WINDOW_MS 300000UL /* protocol.md 3: |now - timestamp| */
#define GUARD_MINUTE_MS 60000UL
#define GUARD_BUCKETS   12U
#define GUARD_SLOTS     (1U << 17) /* of a bucket; three quarters are used, 1,638 requests a second */

_Static_assert(GUARD_BUCKETS > 2 * GUARD_WINDOW_MS / GUARD_MINUTE_MS + 1,
               "a live bucket is reused");

enum guard_answer { GUARD_NEW, GUARD_SEEN, GUARD_FULL };

struct guard_key {
    u64 words[DIGEST_BYTES / 8]; /* all zero: an empty slot */
};

struct guard_bucket {
    u64 minute; /* timestamp / GUARD_MINUTE_MS */
    u32 used;
    u32 zero32;
    struct guard_key *slots;
};

struct guard {
    u64 salt; /* odd; so that nobody outside chooses where a digest falls */
    u32 slots_mask;
    u32 zero32;
    struct guard_bucket buckets[GUARD_BUCKETS];
};

struct guard_key guard_key_of(const u8 digest[DIGEST_BYTES], const u8 wallet[WALLET_BYTES]);

/* All memory there will ever be: `slots` for each bucket, a power of two. 0 or -1. */
int guard_init(struct guard *g, u32 slots, u64 salt);
void guard_fini(struct guard *g);

/* Was this request used? GUARD_FULL: there is no room to remember it, so it must not be used.
 * `timestamp_ms` lies within GUARD_WINDOW_MS of now. */
enum guard_answer guard_look(struct guard *g, const struct guard_key *key, u64 timestamp_ms);

/* Remember a request that guard_look just called new. */
void guard_add(struct guard *g, const struct guard_key *key, u64 timestamp_ms);

#endif
