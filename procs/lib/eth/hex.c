#include "procs/lib/eth/hex.h"

#include <string.h>

#include "procs/lib/eth/keccak.h"

static const char DIGITS[16] = "0123456789abcdef";

#define NO_DIGIT 16U

/* Value of one hex digit, or NO_DIGIT. */
static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9') return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f') return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') return (unsigned)(c - 'A') + 10;
    return NO_DIGIT;
}

bool hex_parse(const char *text, size_t len, u8 *out, size_t n)
{
    if (len != 2 + 2 * n || text[0] != '0' || text[1] != 'x') return false;
    const char *digits = text + 2;
    for (size_t i = 0; i < 2 * n; i++)
        if (digit_value(digits[i]) == NO_DIGIT) return false;
    for (size_t i = 0; i < n; i++)
        out[i] = (u8)(digit_value(digits[2 * i]) << 4 | digit_value(digits[2 * i + 1]));
    return true;
}

void hex_format(const u8 *bytes, size_t n, char *text)
{
    *text++ = '0';
    *text++ = 'x';
    for (size_t i = 0; i < n; i++) {
        *text++ = DIGITS[bytes[i] >> 4];
        *text++ = DIGITS[bytes[i] & 15];
    }
    *text = '\0';
}

void hex_format_address(const u8 address[20], char text[HEX_ADDRESS_TEXT])
{
    hex_format(address, 20, text);
    char *digits = text + 2;
    u8 hash[KECCAK_DIGEST];
    keccak_256(digits, 40, hash);
    for (size_t i = 0; i < 40; i++) {
        u8 nibble = i % 2 ? hash[i / 2] & 15 : hash[i / 2] >> 4;
        if (digits[i] >= 'a' && nibble >= 8) digits[i] = (char)(digits[i] - 'a' + 'A');
    }
}

bool hex_address_read(const char *text, size_t len, u8 address[20])
{
    u8 bytes[20];
    char checked[HEX_ADDRESS_TEXT];
    bool upper = false, lower = false;
    if (!hex_parse(text, len, bytes, sizeof bytes)) return false;
    for (size_t i = 2; i < len; i++) {
        upper |= text[i] >= 'A' && text[i] <= 'F';
        lower |= text[i] >= 'a' && text[i] <= 'f';
    }
    hex_format_address(bytes, checked);
    if (upper && lower && memcmp(text, checked, len) != 0) return false;
    if (address) memcpy(address, bytes, sizeof bytes);
    return true;
}
