#include "procs/lib/eth/keccak.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "Keccak lanes are little-endian; absorbing bytes in place relies on it");

void keccak_init(struct keccak *k)
{
    memset(k, 0, sizeof *k);
}

void keccak_update(struct keccak *k, const void *data, size_t len)
{
    const u8 *in = data;
    while (len) {
        u8 *block = (u8 *)&k->state + k->fill;
        size_t n = min_u64(len, KECCAK_RATE - k->fill);
        for (size_t i = 0; i < n; i++) block[i] ^= in[i];
        in += n;
        len -= n;
        k->fill += n;
        if (k->fill == KECCAK_RATE) {
            sha3_permute(&k->state);
            k->fill = 0;
        }
    }
}

void keccak_final(struct keccak *k, u8 digest[KECCAK_DIGEST])
{
    u8 *block = (u8 *)&k->state;
    block[k->fill] ^= 0x01;
    block[KECCAK_RATE - 1] ^= 0x80;
    sha3_permute(&k->state);
    memcpy(digest, block, KECCAK_DIGEST);
}

void keccak_256(const void *data, size_t len, u8 digest[KECCAK_DIGEST])
{
    struct keccak k;
    keccak_init(&k);
    keccak_update(&k, data, len);
    keccak_final(&k, digest);
}
