/* fuzz_decimal.c: decimal and hex strings. First byte: the scale; the rest: the text.
 *
 * An oracle written apart from the parser says what must come out: it checks the grammar letter by
 * letter and computes in arrays of digits. What was read must be written and read again unchanged.
 */
#include "procs/lib/decimal.h"
#include "procs/lib/eth/hex.h"

#include <string.h>

#define TEXT_MAX 200U

/* number := whole [ "." digit+ ], as a machine over characters. */
static bool grammar_holds(const char *text, size_t len)
{
    enum { START, ZERO, WHOLE, POINT, FRACTION } at = START;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool digit = c >= '0' && c <= '9';
        if (at == START && digit) at = c == '0' ? ZERO : WHOLE;
        else if ((at == ZERO || at == WHOLE) && c == '.') at = POINT;
        else if (at == WHOLE && digit) at = WHOLE;
        else if ((at == POINT || at == FRACTION) && digit) at = FRACTION;
        else return false;
    }
    return at == ZERO || at == WHOLE || at == FRACTION;
}

/* The digits of text x 10^scale without leading zeros; false when a non-zero digit is left over. */
static bool scaled_digits(const char *text, size_t len, unsigned scale, char *digits)
{
    const char *point = memchr(text, '.', len);
    size_t whole = point ? (size_t)(point - text) : len;
    size_t n = 0;
    bool fits = true;
    for (size_t i = 0; i < whole + scale; i++) {
        size_t at = i < whole ? i : i + 1;
        char c = '0';
        if (at < len) c = text[at];
        if (n || c != '0') digits[n++] = c;
    }
    for (size_t at = whole + 1 + scale; at < len; at++)
        if (text[at] != '0') fits = false;
    digits[n] = '\0';
    return fits;
}

/* Whether decimal digits without leading zeros say a number above `limit`, given the same way. */
static bool above(const char *digits, const char *limit)
{
    size_t a = strlen(digits), b = strlen(limit);
    return a != b ? a > b : strcmp(digits, limit) > 0;
}

static void check_parse(const char *text, size_t len, unsigned scale)
{
    char digits[TEXT_MAX + DECIMAL_SCALE_MAX + 1], written[DECIMAL_TEXT];
    u128 value, back;
    enum decimal_result got = decimal_parse(text, len, scale, &value);
    if (!grammar_holds(text, len)) {
        CHECK(got == DECIMAL_SYNTAX);
        return;
    }
    if (!scaled_digits(text, len, scale, digits)) {
        CHECK(got == DECIMAL_TOO_FINE);
        return;
    }
    if (above(digits, "170141183460469231731687303715884105727")) {
        CHECK(got == DECIMAL_OVERFLOW);
        return;
    }
    CHECK(got == DECIMAL_OK);
    CHECK(decimal_format(value, 0, written) == strlen(written));
    CHECK(strcmp(written, digits[0] ? digits : "0") == 0);
    size_t shortest = decimal_format(value, scale, written);
    CHECK(shortest <= len && memcmp(written, text, shortest) == 0);
    CHECK(decimal_parse(written, shortest, scale, &back) == DECIMAL_OK && back == value);
    size_t fixed = decimal_format_fixed(value, scale, DECIMAL_SCALE_MAX, written);
    CHECK(decimal_parse(written, fixed, scale, &back) == DECIMAL_OK && back == value);
}

static void check_u64(const char *text, size_t len)
{
    char digits[TEXT_MAX + 1], written[DECIMAL_TEXT];
    u64 value;
    enum decimal_result got = decimal_parse_u64(text, len, &value);
    if (!grammar_holds(text, len) || memchr(text, '.', len)) {
        CHECK(got == DECIMAL_SYNTAX);
        return;
    }
    scaled_digits(text, len, 0, digits);
    if (above(digits, "18446744073709551615")) {
        CHECK(got == DECIMAL_OVERFLOW);
        return;
    }
    CHECK(got == DECIMAL_OK);
    CHECK(decimal_format(value, 0, written) == len && memcmp(written, text, len) == 0);
}

static void check_hex(const char *text, size_t len)
{
    u8 bytes[TEXT_MAX / 2];
    char written[HEX_TEXT(TEXT_MAX / 2)];
    size_t n = len >= 2 ? (len - 2) / 2 : 0;
    bool form = len >= 2 && len % 2 == 0 && text[0] == '0' && text[1] == 'x';
    for (size_t i = 2; i < len; i++)
        if (!text[i] || !strchr("0123456789abcdefABCDEF", text[i])) form = false;
    CHECK(hex_parse(text, len, bytes, n) == form);
    CHECK(!hex_parse(text, len, bytes, n + 1));
    if (!form) return;
    hex_format(bytes, n, written);
    CHECK(strlen(written) == len);
    for (size_t i = 2; i < len; i++) CHECK(written[i] == text[i] || written[i] == (text[i] | 0x20));
    if (n != 20) return;
    hex_format_address(bytes, written);
    u8 back[20];
    CHECK(hex_parse(written, len, back, 20) && memcmp(back, bytes, 20) == 0);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    if (size == 0 || size - 1 > TEXT_MAX) return 0;
    const char *text = (const char *)data + 1;
    check_parse(text, size - 1, data[0] % (DECIMAL_SCALE_MAX + 1));
    check_u64(text, size - 1);
    check_hex(text, size - 1);
    return 0;
}
