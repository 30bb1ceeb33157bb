#include "shm/crc32c.h"

#define POLYNOMIAL 0x82F63B78U /* bit 31 - i is the coefficient of x^i */

#if defined(__SSE4_2__)

#if defined(__PCLMUL__)

#define LANE_MIN 4U /* words of a lane from which on it pays */

u32 crc32c_power[2 * CRC32C_LANE_MAX + 1];

__attribute__((constructor)) static void fill_powers(void)
{
    u32 x = 1; /* x^31 */
    for (u32 k = 1; k < COUNT_OF(crc32c_power); k++) {
        crc32c_power[k] = x;
        for (u32 bit = 0; bit < 64; bit++) x = x & 1 ? (x >> 1) ^ POLYNOMIAL : x >> 1;
    }
}

/* The checksum of 3 k words that go on from `c`. */
static u64 three_lanes(u64 c, const u8 *p, u32 k)
{
    const u8 *second = p + 8UL * k, *third = second + 8UL * k;
    u64 d = 0, e = 0;
    for (u32 i = 0; i + 1 < k; i++) {
        c = __builtin_ia32_crc32di(c, crc32c_word(p + 8UL * i));
        d = __builtin_ia32_crc32di(d, crc32c_word(second + 8UL * i));
        e = __builtin_ia32_crc32di(e, crc32c_word(third + 8UL * i));
    }
    c = __builtin_ia32_crc32di(c, crc32c_word(second - 8));
    d = __builtin_ia32_crc32di(d, crc32c_word(third - 8));
    u64 last = crc32c_word(third + 8UL * (k - 1));
    return __builtin_ia32_crc32di(e, last ^ crc32c_join(c, d, k));
}

/* Take whole threes of words off a piece. */
static u64 lanes(u64 c, const u8 **p, size_t *length)
{
    while (*length >= 24UL * LANE_MIN) {
        u32 k = (u32)min_u64(*length / 24, CRC32C_LANE_MAX);
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
    for (; length >= 8; p += 8, length -= 8) c = __builtin_ia32_crc32di(c, crc32c_word(p));
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
