#include "procs/lib/decimal.h"

#include <string.h>

/* Digits of 2^128 - 1. */
#define DIGITS_MAX 39U

/* A text taken apart: digits of the whole part, and of the fraction without its trailing zeros. */
struct parts {
    const char *whole, *fraction;
    size_t whole_len, fraction_len;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Split and check the grammar; false when it does not hold. */
static bool split(const char *text, size_t len, struct parts *p)
{
    size_t n = 0;
    while (n < len && is_digit(text[n])) n++;
    if (n == 0 || (n > 1 && text[0] == '0')) return false;
    *p = (struct parts){.whole = text, .whole_len = n, .fraction = text + n};
    if (n == len) return true;
    if (text[n] != '.' || n + 1 == len) return false;
    for (size_t i = n + 1; i < len; i++)
        if (!is_digit(text[i])) return false;
    while (text[len - 1] == '0') len--;
    p->fraction = text + n + 1;
    p->fraction_len = len - (n + 1);
    return true;
}

/* value = value x 10 + digit for each digit; false when that passes DECIMAL_MAX. */
static bool append(u128 *value, const char *digits, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (*value > DECIMAL_MAX / 10) return false;
        *value = *value * 10 + (unsigned)(digits[i] - '0'); /* < 2^128: nothing is lost */
    }
    return *value <= DECIMAL_MAX;
}

enum decimal_result decimal_parse(const char *text, size_t len, unsigned scale, u128 *value)
{
    static const char ZEROS[DECIMAL_SCALE_MAX + 1] = "000000000000000000";
    CHECK(scale <= DECIMAL_SCALE_MAX);
    struct parts p;
    if (!split(text, len, &p)) return DECIMAL_SYNTAX;
    if (p.fraction_len > scale) return DECIMAL_TOO_FINE;
    u128 scaled = 0;
    if (!append(&scaled, p.whole, p.whole_len) || !append(&scaled, p.fraction, p.fraction_len) ||
        !append(&scaled, ZEROS, scale - p.fraction_len))
        return DECIMAL_OVERFLOW;
    *value = scaled;
    return DECIMAL_OK;
}

enum decimal_result decimal_parse_u64(const char *text, size_t len, u64 *value)
{
    struct parts p;
    if (!split(text, len, &p) || p.whole_len != len) return DECIMAL_SYNTAX;
    u128 whole = 0;
    if (!append(&whole, p.whole, p.whole_len) || whole > UINT64_MAX) return DECIMAL_OVERFLOW;
    *value = (u64)whole;
    return DECIMAL_OK;
}

/* Digits of `value`, right-aligned in digits[DIGITS_MAX], with leading zeros up to `least` of
 * them. Returns how many. */
static size_t digits_of(u128 value, size_t least, char digits[DIGITS_MAX])
{
    size_t n = 0;
    while (value > UINT64_MAX) {
        digits[DIGITS_MAX - ++n] = (char)('0' + (unsigned)(value % 10));
        value /= 10;
    }
    for (u64 low = (u64)value; low || n < least; low /= 10)
        digits[DIGITS_MAX - ++n] = (char)('0' + low % 10);
    return n;
}

size_t decimal_format_fixed(u128 value, unsigned scale, unsigned places, char *text)
{
    CHECK(scale <= DECIMAL_SCALE_MAX && places <= DECIMAL_SCALE_MAX);
    char digits[DIGITS_MAX];
    size_t n = digits_of(value, scale + 1, digits);
    const char *from = digits + DIGITS_MAX - n;
    size_t whole = n - scale;
    memcpy(text, from, whole);
    if (places == 0) {
        text[whole] = '\0';
        return whole;
    }
    size_t kept = min_u64(scale, places);
    char *fraction = text + whole + 1;
    fraction[-1] = '.';
    memcpy(fraction, from + whole, kept);
    memset(fraction + kept, '0', places - kept);
    fraction[places] = '\0';
    return whole + 1 + places;
}

size_t decimal_format(u128 value, unsigned scale, char *text)
{
    size_t len = decimal_format_fixed(value, scale, scale, text);
    if (scale == 0) return len;
    while (text[len - 1] == '0') len--;
    if (text[len - 1] == '.') len--;
    text[len] = '\0';
    return len;
}
