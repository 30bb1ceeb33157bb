/* crc32c.h: CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as in iSCSI and ext4. Uses the
 * SSE4.2 instruction where the build allows it, three chains of it at once where it has PCLMUL too,
 * and a table otherwise; all give the same value. */
#ifndef EIDOS_SHM_CRC32C_H
#define EIDOS_SHM_CRC32C_H

#include <string.h>

#include "shm/base.h"

/* Continue `crc` (0 to begin) over `length` bytes at `data`, any alignment. */
u32 crc32c(u32 crc, const void *data, size_t length);

/* ---- a length known when compiled ---- */

#if defined(__SSE4_2__)

static inline u64 crc32c_word(const u8 *p)
{
    u64 word;
    memcpy(&word, p, sizeof word);
    return word;
}

#if defined(__PCLMUL__)
#include <wmmintrin.h>

/* One step of the instruction takes three cycles and waits for the one before, but three chains run
 * at once: so a piece is cut into three lanes of `k` words each. To append n bits, a checksum is
 * multiplied by x^n modulo the polynomial; a carry-less product of two checksums, as the next word
 * of a chain, is their product times x^33. */
#define CRC32C_LANE_MAX 64U                       /* words */
extern u32 crc32c_power[2 * CRC32C_LANE_MAX + 1]; /* x^(64 k - 33): by k words to append */

static inline __m128i crc32c_times(u64 crc, u32 factor)
{
    return _mm_clmulepi64_si128(_mm_cvtsi64_si128((i64)crc), _mm_cvtsi64_si128((i64)factor), 0);
}

/* What the first two lanes are to the last word of the third. */
static inline u64 crc32c_join(u64 first, u64 second, u32 k)
{
    __m128i a = crc32c_times(first, crc32c_power[2 * k]);
    return (u64)_mm_cvtsi128_si64(_mm_xor_si128(a, crc32c_times(second, crc32c_power[k])));
}

#else
#define CRC32C_LANE_MAX 0U
static inline u64 crc32c_join(u64 first, u64 second, u32 k)
{
    return (void)second, (void)k, first;
}
#endif

#define CRC32C_SERIAL_MAX 128U /* bytes up to which one chain is as good as three */
#if defined(__clang__)
#define CRC32C_UNROLL /* does so by itself */
#else
#define CRC32C_UNROLL _Pragma("GCC unroll 64")
#endif
#endif

/* The checksum of `length` bytes, whole words of 8, at most 1552 and known when compiled. Without
 * loops: their ends are guessed wrong too often where short pieces of some lengths follow each
 * other. */
static inline __attribute__((always_inline)) u32 crc32c_fixed(const void *data, size_t length)
{
#if defined(__SSE4_2__)
    bool lanes = CRC32C_LANE_MAX && length > CRC32C_SERIAL_MAX;
    size_t k = lanes ? length / 24 : 0, i;
    const u8 *p = data;
    u64 c = UINT32_MAX, d = 0, e = 0;
    CRC32C_UNROLL
    for (i = 0; i < 8 * k; i += 8) {
        c = __builtin_ia32_crc32di(c, crc32c_word(p + i));
        d = __builtin_ia32_crc32di(d, crc32c_word(p + 8 * k + i));
        if (i < 8 * k - 8) e = __builtin_ia32_crc32di(e, crc32c_word(p + 16 * k + i));
    }
    i = 24 * k;
    if (lanes) c = __builtin_ia32_crc32di(e, crc32c_word(p + i - 8) ^ crc32c_join(c, d, (u32)k));
    CRC32C_UNROLL
    for (; i < length; i += 8) c = __builtin_ia32_crc32di(c, crc32c_word(p + i));
    return ~(u32)c;
#else
    return crc32c(0, data, length);
#endif
}

#endif
