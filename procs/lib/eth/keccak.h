/* keccak.h: Keccak-256 as Ethereum uses it: the sponge of SHA-3 with rate 136, but the original
 * padding byte 0x01 where FIPS 202 has 0x06 (so it is *not* SHA3-256). Nettle does the permutation.
 *
 *   keccak_init -> keccak_update, any number of times -> keccak_final
 *
 *   state  |<------------ rate: 136 bytes ------------>|<-- capacity: 64 -->|
 *          | absorbed ..... | fill ->                  |  never touched     |
 *
 * The state is 208 bytes and lives where the caller puts it; nothing is allocated, nothing fails.
 */
#ifndef EIDOS_PROCS_LIB_ETH_KECCAK_H
#define EIDOS_PROCS_LIB_ETH_KECCAK_H

#include <nettle/sha3.h>

#include "shm/base.h"

#define KECCAK_RATE   136U
#define KECCAK_DIGEST 32U

struct keccak {
    struct sha3_state state;
    u64 fill; /* bytes absorbed into the current block, in [0, KECCAK_RATE) */
};
SIZE_IS(struct keccak, 208);

void keccak_init(struct keccak *k);

/* Absorb `len` bytes; `data` may be NULL when len is 0. */
void keccak_update(struct keccak *k, const void *data, size_t len);

/* Pad and squeeze. `k` must be initialised again before its next use. */
void keccak_final(struct keccak *k, u8 digest[KECCAK_DIGEST]);

/* The three above in one call; `digest` may overlap `data`. */
void keccak_256(const void *data, size_t len, u8 digest[KECCAK_DIGEST]);

#endif
