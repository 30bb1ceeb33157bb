/* Decimal strings: the grammar, its limits, and the way back. */
#include "procs/lib/decimal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SEED 20260101U

static u64 random_state = SEED;

/* xorshift64 (Marsaglia 2003) */
static u64 random_u64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static bool equal(u128 a, u128 b)
{
    return a == b;
}

static void reads_and_scales(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned scale;
        u128 value;
    } GOOD[] = {
        {"0", 0, 0},
        {"0", 18, 0},
        {"0.0", 0, 0},
        {"0.000000000000000000000000", 18, 0},
        {"7", 0, 7},
        {"10", 0, 10},
        {"50000.25", 2, 5000025},
        {"50000.25", 18, (u128)5000025 * 10000000000000000U},
        {"50000.250000", 2, 5000025},
        {"1.50", 1, 15},
        {"5.000", 0, 5},
        {"0.000000000000000001", 18, 1},
        {"0.0000000000000000010000", 18, 1},
        {"18446744073709551615", 0, UINT64_MAX},
        {"18446744073709551616", 0, (u128)UINT64_MAX + 1},
        {"170141183460469231731687303715884105727", 0, DECIMAL_MAX},
        {"170141183460469231731.687303715884105727", 18, DECIMAL_MAX},
        {"17014118346046923173168730371588410572.7", 1, DECIMAL_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(GOOD); i++) {
        u128 value = 99;
        assert_int_equal(decimal_parse(GOOD[i].text, strlen(GOOD[i].text), GOOD[i].scale, &value),
                         DECIMAL_OK);
        assert_true(equal(value, GOOD[i].value));
    }
}

static void refuses_with_its_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned scale;
        enum decimal_result result;
    } BAD[] = {
        {"", 2, DECIMAL_SYNTAX},
        {".", 2, DECIMAL_SYNTAX},
        {".5", 2, DECIMAL_SYNTAX},
        {"5.", 2, DECIMAL_SYNTAX},
        {"007", 2, DECIMAL_SYNTAX},
        {"00", 2, DECIMAL_SYNTAX},
        {"00.5", 2, DECIMAL_SYNTAX},
        {"+1", 2, DECIMAL_SYNTAX},
        {"-1", 2, DECIMAL_SYNTAX},
        {"-0", 2, DECIMAL_SYNTAX},
        {"1e3", 2, DECIMAL_SYNTAX},
        {"1.0e3", 2, DECIMAL_SYNTAX},
        {" 1", 2, DECIMAL_SYNTAX},
        {"1 ", 2, DECIMAL_SYNTAX},
        {"1\n", 2, DECIMAL_SYNTAX},
        {"1,5", 2, DECIMAL_SYNTAX},
        {"1.2.3", 2, DECIMAL_SYNTAX},
        {"1..2", 2, DECIMAL_SYNTAX},
        {"1.-2", 2, DECIMAL_SYNTAX},
        {"0x10", 2, DECIMAL_SYNTAX},
        {"NaN", 2, DECIMAL_SYNTAX},
        {"Infinity", 2, DECIMAL_SYNTAX},
        {"1_000", 2, DECIMAL_SYNTAX},
        {"\xd9\xa1", 2, DECIMAL_SYNTAX}, /* an Arabic-Indic one */
        {"1.x99999999999999999999999999999999999999999999", 2, DECIMAL_SYNTAX},
        {"1.255", 2, DECIMAL_TOO_FINE},
        {"1.1", 0, DECIMAL_TOO_FINE},
        {"0.0000000000000000001", 18, DECIMAL_TOO_FINE},
        {"0.1000000000000000000000000001000", 18, DECIMAL_TOO_FINE},
        {"999999999999999999999999999999999999999999.001", 2, DECIMAL_TOO_FINE},
        {"170141183460469231731687303715884105728", 0, DECIMAL_OVERFLOW},
        {"170141183460469231731.687303715884105728", 18, DECIMAL_OVERFLOW},
        {"170141183460469231732", 18, DECIMAL_OVERFLOW},
        {"340282366920938463463374607431768211456", 0, DECIMAL_OVERFLOW},
        {"340282366920938463463374607431768211457", 0, DECIMAL_OVERFLOW},
        {"999999999999999999999999999999999999999", 0, DECIMAL_OVERFLOW},
        {"99999999999999999999999999999999999999999999999999999999", 0, DECIMAL_OVERFLOW},
    };
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        u128 value = 99;
        assert_int_equal(decimal_parse(BAD[i].text, strlen(BAD[i].text), BAD[i].scale, &value),
                         BAD[i].result);
        assert_true(equal(value, 99));
    }
}

static void length_rules_not_nul(void **state)
{
    (void)state;
    u128 value;
    u64 whole;
    assert_int_equal(decimal_parse("12345", 2, 0, &value), DECIMAL_OK);
    assert_true(equal(value, 12));
    assert_int_equal(decimal_parse("1\0002", 3, 0, &value), DECIMAL_SYNTAX);
    assert_int_equal(decimal_parse("1\0", 2, 0, &value), DECIMAL_SYNTAX);
    assert_int_equal(decimal_parse_u64("12345", 3, &whole), DECIMAL_OK);
    assert_int_equal(whole, 123);
    assert_int_equal(decimal_parse_u64("1\0", 2, &whole), DECIMAL_SYNTAX);
}

static void reads_whole_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum decimal_result result;
        u64 value;
    } CASES[] = {
        {"0", DECIMAL_OK, 0},
        {"1", DECIMAL_OK, 1},
        {"1767225600000", DECIMAL_OK, 1767225600000},
        {"18446744073709551615", DECIMAL_OK, UINT64_MAX},
        {"18446744073709551616", DECIMAL_OVERFLOW, 0},
        {"99999999999999999999", DECIMAL_OVERFLOW, 0},
        {"340282366920938463463374607431768211456", DECIMAL_OVERFLOW, 0},
        {"9999999999999999999999999999999999999999999", DECIMAL_OVERFLOW, 0},
        {"", DECIMAL_SYNTAX, 0},
        {"01", DECIMAL_SYNTAX, 0},
        {"1.0", DECIMAL_SYNTAX, 0},
        {"1.", DECIMAL_SYNTAX, 0},
        {"+1", DECIMAL_SYNTAX, 0},
        {"-1", DECIMAL_SYNTAX, 0},
        {" 1", DECIMAL_SYNTAX, 0},
        {"0x1", DECIMAL_SYNTAX, 0},
        {"1e2", DECIMAL_SYNTAX, 0},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        u64 value = 99;
        assert_int_equal(decimal_parse_u64(CASES[i].text, strlen(CASES[i].text), &value),
                         CASES[i].result);
        assert_int_equal(value, CASES[i].result == DECIMAL_OK ? CASES[i].value : 99);
    }
}

static void writes_the_shortest(void **state)
{
    (void)state;
    static const struct {
        u128 value;
        unsigned scale;
        const char *text;
    } CASES[] = {
        {0, 0, "0"},
        {0, 18, "0"},
        {7, 0, "7"},
        {10, 0, "10"},
        {100, 2, "1"},
        {1000, 2, "10"},
        {5000025, 2, "50000.25"},
        {150, 2, "1.5"},
        {5, 2, "0.05"},
        {1, 18, "0.000000000000000001"},
        {UINT64_MAX, 0, "18446744073709551615"},
        {(u128)UINT64_MAX + 1, 0, "18446744073709551616"},
        {DECIMAL_MAX, 18, "170141183460469231731.687303715884105727"},
        {~(u128)0, 0, "340282366920938463463374607431768211455"},
        {~(u128)0, 18, "340282366920938463463.374607431768211455"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        char text[DECIMAL_TEXT];
        size_t len = decimal_format(CASES[i].value, CASES[i].scale, text);
        assert_string_equal(text, CASES[i].text);
        assert_int_equal(len, strlen(text));
    }
}

static void writes_fixed_places(void **state)
{
    (void)state;
    static const struct {
        u128 value;
        unsigned scale, places;
        const char *text;
    } CASES[] = {
        {0, 0, 0, "0"},
        {0, 2, 2, "0.00"},
        {0, 0, 3, "0.000"},
        {7, 0, 2, "7.00"},
        {5000025, 2, 2, "50000.25"},
        {5000000, 2, 2, "50000.00"},
        {5000025, 2, 4, "50000.2500"},
        {5000029, 2, 1, "50000.2"},
        {5000099, 2, 0, "50000"},
        {99, 2, 0, "0"},
        {1, 18, 18, "0.000000000000000001"},
        {~(u128)0, 0, 18, "340282366920938463463374607431768211455.000000000000000000"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        char text[DECIMAL_TEXT];
        size_t len = decimal_format_fixed(CASES[i].value, CASES[i].scale, CASES[i].places, text);
        assert_string_equal(text, CASES[i].text);
        assert_int_equal(len, strlen(text));
    }
}

static void reads_back_what_it_writes(void **state)
{
    (void)state;
    print_message("seed %u\n", SEED);
    for (int i = 0; i < 200000; i++) {
        u128 value = ((u128)random_u64() << 64 | random_u64()) >> (1 + random_u64() % 127);
        unsigned scale = (unsigned)(random_u64() % (DECIMAL_SCALE_MAX + 1));
        char text[DECIMAL_TEXT];
        u128 back;
        size_t len = decimal_format(value, scale, text);
        assert_int_equal(decimal_parse(text, len, scale, &back), DECIMAL_OK);
        assert_true(equal(back, value));
        len = decimal_format_fixed(value, scale, DECIMAL_SCALE_MAX, text);
        assert_int_equal(decimal_parse(text, len, scale, &back), DECIMAL_OK);
        assert_true(equal(back, value));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_scales),          cmocka_unit_test(refuses_with_its_reason),
        cmocka_unit_test(length_rules_not_nul),      cmocka_unit_test(reads_whole_numbers),
        cmocka_unit_test(writes_the_shortest),       cmocka_unit_test(writes_fixed_places),
        cmocka_unit_test(reads_back_what_it_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
