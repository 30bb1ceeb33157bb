/* utf8.h: what is a character in bytes that somebody else wrote. */
#ifndef EIDOS_PROCS_LIB_UTF8_H
#define EIDOS_PROCS_LIB_UTF8_H

#include "shm/base.h"

/* Bytes of the character that begins text[0..len), len at least 1; 0 if none does: no overlong
 * forms, no surrogates, nothing above U+10FFFF (RFC 3629, section 4). */
static inline size_t utf8_character(const void *text, size_t len)
{
    const u8 *s = text;
    u8 lead = s[0], least = 0x80, most = 0xbf; /* of the byte that follows */
    if (lead < 0x80) return 1;
    size_t n = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead < 0xc2 || lead > 0xf4 || n > len) return 0;
    if (lead == 0xe0) least = 0xa0;
    if (lead == 0xed) most = 0x9f;
    if (lead == 0xf0) least = 0x90;
    if (lead == 0xf4) most = 0x8f;
    for (size_t i = 1; i < n; i++, least = 0x80, most = 0xbf)
        if (s[i] < least || s[i] > most) return 0;
    return n;
}

#endif
