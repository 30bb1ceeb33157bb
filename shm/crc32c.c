#include "shm/crc32c.h"

#include <string.h>

#if defined(__SSE4_2__) && defined(__PCLMUL__)
#include <wmmintrin.h>
#endif

#define POLYNOMIAL 0x82F63B78U /* bit 31 - i is the coefficient of x^i */

#if defined(__SSE4_2__)

static u64 word_at(const u8 *p)
{
    u64 word;
    memcpy(&word, p, sizeof word);
    return word;
}

#if defined(__PCLMUL__)

/* One step of the instruction takes three cycles and waits for the one before, but three chains run
 * at once: so a piece is cut into three lanes of `k` words each. To append n bits, a checksum is
 * multiplied by x^n modulo the polynomial; a carry-less product of two checksums, as the next word
 * of a chain, is their product times x^33. */
#define LANE_MIN 4U  /* words of a lane from which on it pays */
#define LANE_MAX 64U /* words */

static u32 power[2 * LANE_MAX + 1]; /* x^(64 k - 33): by k words to append */

__attribute__((constructor)) static void fill_powers(void)
{
    u32 x = 1; /* x^31 */
    for (u32 k = 1; k < COUNT_OF(power); k++) {
        power[k] = x;
        for (u32 bit = 0; bit < 64; bit++) x = x & 1 ? (x >> 1) ^ POLYNOMIAL : x >> 1;
    }
}

static __m128i times(u64 crc, u32 factor)
{
    return _mm_clmulepi64_si128(_mm_cvtsi64_si128((i64)crc), _mm_cvtsi64_si128((i64)factor), 0);
}

/* The checksum of 3 k words that go on from `c`. */
static u64 three_lanes(u64 c, const u8 *p, u32 k)
{
    const u8 *second = p + 8UL * k, *third = second + 8UL * k;
    u64 d = 0, e = 0;
    for (u32 i = 0; i + 1 < k; i++) {
        c = __builtin_ia32_crc32di(c, word_at(p + 8UL * i));
        d = __builtin_ia32_crc32di(d, word_at(second + 8UL * i));
        e = __builtin_ia32_crc32di(e, word_at(third + 8UL * i));
    }
    c = __builtin_ia32_crc32di(c, word_at(second - 8));
    d = __builtin_ia32_crc32di(d, word_at(third - 8));
    __m128i before = _mm_xor_si128(times(c, power[2 * k]), times(d, power[k]));
    return __builtin_ia32_crc32di(e,
                                  word_at(third + 8UL * (k - 1)) ^ (u64)_mm_cvtsi128_si64(before));
}

/* Take whole threes of words off a piece. */
static u64 lanes(u64 c, const u8 **p, size_t *length)
{
    while (*length >= 24UL * LANE_MIN) {
        u32 k = (u32)min_u64(*length / 24, LANE_MAX);
        c = three_lanes(c, *p, k);
        *p += 24UL * k;
        *length -= 24UL * k;
    }
    return c;
}

#else

static u64 lanes(u64 c, const u8 **p, size_t *length)
{
    (void)p;
    (void)length;
    return c;
}

#endif

u32 crc32c(u32 crc, const void *data, size_t length)
{
    const u8 *p = data;
    u64 c = lanes((u32)~crc, &p, &length);
    for (; length >= 8; p += 8, length -= 8) c = __builtin_ia32_crc32di(c, word_at(p));
    for (; length; p++, length--) c = __builtin_ia32_crc32qi((u32)c, *p);
    return ~(u32)c;
}

#else

static u32 table[256];

__attribute__((constructor)) static void fill_table(void)
{
    for (u32 i = 0; i < 256; i++) {
        u32 c = i;
        for (int bit = 0; bit < 8; bit++) c = c & 1 ? (c >> 1) ^ POLYNOMIAL : c >> 1;
        table[i] = c;
    }
}

u32 crc32c(u32 crc, const void *data, size_t length)
{
    const u8 *p = data;
    u32 c = ~crc;
    for (; length; p++, length--) c = table[(c ^ *p) & 0xff] ^ (c >> 8);
    return ~c;
}

#endif
