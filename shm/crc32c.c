#include "shm/crc32c.h"

#include <string.h>

#if defined(__SSE4_2__)

u32 crc32c(u32 crc, const void *data, size_t length)
{
    const u8 *p = data;
    u64 c = ~crc;
    for (; length >= 8; p += 8, length -= 8) {
        u64 word;
        memcpy(&word, p, 8);
        c = __builtin_ia32_crc32di(c, word);
    }
    for (; length; p++, length--) c = __builtin_ia32_crc32qi((u32)c, *p);
    return ~(u32)c;
}

#else

#define POLYNOMIAL 0x82F63B78U

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
