/* decimal.h: numbers as the wires write them: decimal strings, exact, never floating point.
 *
 *   "50000.25" scaled by 10^2 <-> 5000025         scale = digits after the point, in [0, 18]
 *
 * What is read is exactly this grammar, and a value below 2^127:
 *
 *   number := whole [ "." digit+ ]      whole := "0" | nonzero digit*
 *
 * so no sign, exponent, blank, empty string, ".5", "5." or "007". More fractional digits than the
 * scale holds are taken only when they are zeros: "1.50" fits scale 1, "1.25" does not.
 * Texts come with a length and need no NUL.
 */
#ifndef EIDOS_PROCS_LIB_DECIMAL_H
#define EIDOS_PROCS_LIB_DECIMAL_H

#include "shm/base.h"

#define DECIMAL_SCALE_MAX 18U
#define DECIMAL_MAX       (((u128)1 << 127) - 1)

/* Room for any result of the formatters: 39 digits, point, 18 zeros, NUL. */
#define DECIMAL_TEXT 64U

enum decimal_result {
    DECIMAL_OK = 0,
    DECIMAL_SYNTAX,   /* not of the grammar above */
    DECIMAL_TOO_FINE, /* a non-zero digit beyond the scale */
    DECIMAL_OVERFLOW, /* scaled value above DECIMAL_MAX, or above 2^64 - 1 for decimal_parse_u64 */
};

/* text[0..len) -> value x 10^scale. When several faults apply, the first in the order of the enum
 * is reported. `value` is written only on DECIMAL_OK. */
enum decimal_result decimal_parse(const char *text, size_t len, unsigned scale, u128 *value);

/* A whole number in [0, 2^64): nonces, ids, times. "5.0" is DECIMAL_SYNTAX here. */
enum decimal_result decimal_parse_u64(const char *text, size_t len, u64 *value);

/* value / 10^scale as the shortest text: no trailing zeros, no bare point, "0" for zero.
 * `text` has room for DECIMAL_TEXT. Returns the length without the NUL. */
size_t decimal_format(u128 value, unsigned scale, char *text);

/* The same with exactly `places` digits after the point, in [0, 18]; no point when 0. Missing
 * digits are zeros, surplus ones are cut (towards zero). */
size_t decimal_format_fixed(u128 value, unsigned scale, unsigned places, char *text);

#endif
