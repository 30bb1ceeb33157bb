#include "procs/verify/guard.h"

#include <string.h>

#include "shm/err.h"

struct guard_key guard_key_of(const u8 digest[DIGEST_BYTES], const u8 wallet[WALLET_BYTES])
{
    struct guard_key key;
    u8 bytes[DIGEST_BYTES];
    memcpy(bytes, digest, sizeof bytes);
    for (u32 i = 0; i < WALLET_BYTES; i++) bytes[i] ^= wallet[i];
    memcpy(&key, bytes, sizeof key);
    return key;
}

int guard_init(struct guard *g, u32 slots, u64 salt)
{
    CHECK(is_pow2(slots));
    *g = (struct guard){.salt = salt | 1, .slots_mask = slots - 1};
    for (u32 i = 0; i < GUARD_BUCKETS; i++) {
        g->buckets[i].slots = calloc(slots, sizeof(struct guard_key));
        if (!g->buckets[i].slots) {
            guard_fini(g);
            return err_sys("no memory for the replay guard (%lu bytes)",
                           GUARD_BUCKETS * slots * sizeof(struct guard_key));
        }
    }
    return 0;
}

void guard_fini(struct guard *g)
{
    for (u32 i = 0; i < GUARD_BUCKETS; i++) free(g->buckets[i].slots);
    *g = (struct guard){0};
}

static struct guard_bucket *bucket_of(struct guard *g, u64 minute)
{
    return &g->buckets[minute % GUARD_BUCKETS];
}

/* The slot that holds the key, or the empty one where it belongs. Some slot is always empty. */
static struct guard_key *slot_of(const struct guard *g, const struct guard_bucket *b,
                                 const struct guard_key *key)
{
    static const struct guard_key EMPTY;
    u64 at = (key->words[3] * g->salt) >> 32;
    for (;; at++) {
        struct guard_key *slot = &b->slots[at & g->slots_mask];
        if (!memcmp(slot, key, sizeof *key) || !memcmp(slot, &EMPTY, sizeof EMPTY)) return slot;
    }
}

enum guard_answer guard_look(struct guard *g, const struct guard_key *key, u64 timestamp_ms)
{
    u64 minute = timestamp_ms / GUARD_MINUTE_MS;
    struct guard_bucket *b = bucket_of(g, minute);
    if (b->minute > minute)
        return GUARD_FULL; /* the clock went back: do not forget what is newer */
    if (b->minute < minute) {
        if (b->used) memset(b->slots, 0, (g->slots_mask + 1UL) * sizeof *b->slots);
        b->used = 0;
        b->minute = minute;
    }
    if (!memcmp(slot_of(g, b, key), key, sizeof *key)) return GUARD_SEEN;
    return b->used >= (g->slots_mask + 1) / 4 * 3 ? GUARD_FULL : GUARD_NEW;
}

void guard_add(struct guard *g, const struct guard_key *key, u64 timestamp_ms)
{
    struct guard_bucket *b = bucket_of(g, timestamp_ms / GUARD_MINUTE_MS);
    *slot_of(g, b, key) = *key;
    b->used++;
}
