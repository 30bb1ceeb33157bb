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

int guard_init(struct guard *g, struct guard_memory *memory, u32 slots, u64 salt, u64 start_ms)
{
    *g = (struct guard){.memory = memory, .own = !memory};
    if (g->own) {
        CHECK(guard_footprint(slots));
        void *fresh = calloc(1, guard_footprint(slots));
        if (!fresh)
            return err_sys("no memory for the replay guard (%lu bytes)", guard_footprint(slots));
        guard_new(fresh, slots);
        g->memory = guard_join(fresh);
    }
    if (g->memory->salt) return 0;
    g->memory->start_ms = start_ms;
    g->memory->salt = salt | 1;
    return 0;
}

void guard_fini(struct guard *g)
{
    if (g->own) free(g->memory);
    *g = (struct guard){0};
}

static u32 bucket_of(u64 minute)
{
    return (u32)(minute % GUARD_BUCKETS);
}

/* The slot that holds the key, or the empty one where it belongs. Some slot is always empty. */
static struct guard_key *slot_of(const struct guard *g, u32 bucket, const struct guard_key *key)
{
    static const struct guard_key EMPTY;
    struct guard_memory *m = g->memory;
    struct guard_key *keys = m->keys + bucket * m->slots;
    u64 at = (key->words[1] * m->salt) >> 32;
    for (;; at++) {
        struct guard_key *slot = &keys[at & (m->slots - 1)];
        if (!memcmp(slot, key, sizeof *key) || !memcmp(slot, &EMPTY, sizeof EMPTY)) return slot;
    }
}

enum guard_answer guard_look(struct guard *g, const struct guard_key *key, u64 timestamp_ms)
{
    struct guard_memory *m = g->memory;
    u64 minute = timestamp_ms / GUARD_MINUTE_MS;
    u32 bucket = bucket_of(minute);
    struct guard_bucket *b = &m->buckets[bucket];
    if (b->minute > minute)
        return GUARD_FULL;    /* the clock went back: do not forget what is newer */
    if (b->minute < minute) { /* killed in between, the next process does it again */
        if (b->used) memset(m->keys + bucket * m->slots, 0, m->slots * sizeof m->keys[0]);
        b->used = 0;
        b->minute = minute;
    }
    if (!memcmp(slot_of(g, bucket, key), key, sizeof *key)) return GUARD_SEEN;
    return b->used >= m->slots / 4 * 3 ? GUARD_FULL : GUARD_NEW;
}

/* Counted first: killed in between, a slot too many is counted, and the table never fills up. */
void guard_add(struct guard *g, const struct guard_key *key, u64 timestamp_ms)
{
    u32 bucket = bucket_of(timestamp_ms / GUARD_MINUTE_MS);
    g->memory->buckets[bucket].used++;
    *slot_of(g, bucket, key) = *key;
}
