/* Reading JSON: the quick way for plain bodies and jansson's must be one language. */
#include "procs/lib/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 100000U

/* What jansson alone says. */
static json_t *read_strictly(const char *text, size_t len)
{
    json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(value)) return value;
    json_decref(value);
    return NULL;
}

/* In memory that ends with the text: sanitizers see who reads on. */
static void compare(const char *text, size_t len)
{
    char *memory = malloc(1 + len);
    assert_non_null(memory);
    char *exact = memcpy(memory + 1, text, len);
    json_t *a = json_read_object(exact, len), *b = read_strictly(exact, len);
    if (!a != !b || (a && !json_equal(a, b)))
        fail_msg("%.*s: read as %s, which jansson %s", (int)len, text, a ? "good" : "bad",
                 b ? "reads otherwise" : "refuses");
    json_decref(a);
    json_decref(b);
    free(memory);
}

static void agrees_on_edges(void **state)
{
    static const char *const TEXTS[] = {
        "",
        "{",
        "{}",
        " { } ",
        "{\"a\":1}",
        " {\t\"a\"\r:\n1 , \"b\" : \"\" } ",
        "{\"a\":1,}",
        "{\"a\":1,\"b\"}",
        "{\"a\":1,\"b\":}",
        "{\"a\":",
        "{\"a\":0",
        "{\"a\":}",
        "{,\"a\":1}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1}}",
        "{\"a\":1} x",
        "{\"a\":1,\"a\":1}",
        "{\"a\":{\"a\":1,\"a\":2}}",
        "{\"a\":{\"a\":1},\"b\":{\"a\":\"x\"}}",
        "{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":1}}}}}",
        "{\"a\":{\"b\":1}",
        "{\"a\":{\"b\":1,}}",
        "{\"\":1}",
        "{\"a\":0}",
        "{\"a\":00}",
        "{\"a\":01}",
        "{\"a\":-1}",
        "{\"a\":-}",
        "{\"a\":1.5}",
        "{\"a\":1e3}",
        "{\"a\":1x}",
        "{\"a\":999999999999999999}",
        "{\"a\":1234567890123456789}",
        "{\"a\":9223372036854775808}",
        "{\"a\":true,\"b\":false,\"c\":null}",
        "{\"a\":tru}",
        "{\"a\":[1,\"b\",{}]}",
        "{\"a\":\"\\n\\u0041\"}",
        "{\"a\":\"\\u0000\"}",
        "{\"a\":\"\x7f\"}",
        "{\"a\":\"\x1f\"}",
        "{\"a\":\"\xc3\xa4\"}",
        "{\"a\":\"\xc3\"}",
        "{\"a\\\"\":\"b\"}",
        "{\"a\":\"b}",
        "[1]",
        "\"a\"",
        "1",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) compare(TEXTS[i], strlen(TEXTS[i]));
    compare("{\"a\":1}\0", 8);
    compare("{\"a\":\"\0\"}", 9);
}

static void reads_the_length_it_is_given(void **state)
{
    (void)state;
    static const char TEXT[] = "{\"wallet\":\"0x12\",\"nonce\":17,\"params\":{\"side\":\"buy\"}}";
    for (size_t len = 0; len < sizeof TEXT; len++) compare(TEXT, len);
    json_t *value = json_read_object(TEXT, sizeof TEXT - 1);
    assert_non_null(value);
    assert_int_equal(json_integer_value(json_object_get(value, "nonce")), 17);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(value, "params"), "side")), "buy");
    json_decref(value);
}

static u64 seed = 20240229;

static u32 dice(u32 sides)
{
    seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    return (u32)(seed >> 33) % sides;
}

/* An object of a few members; `text` has room for all. */
static size_t make_object(char *text, size_t room, u32 depth)
{
    static const char *const KEYS[] = {"a", "b", "c", "side", "", "a b", "\\u0061"};
    static const char *const VALUES[] = {"0",  "17",   "-1",  "1.5",     "\"buy\"", "\"\"",
                                         "{}", "true", "[1]", "\"\\n\"", "00",      "\"\xc3\xa4\""};
    static const char *const BLANKS[] = {"", "", "", " ", "\n\t"};
    size_t len = (size_t)snprintf(text, room, "{");
    for (u32 n = 1 + dice(3), i = 0; i < n; i++) {
        len += (size_t)snprintf(text + len, room - len, "%s%s\"%s\":%s", i ? "," : "",
                                BLANKS[dice(5)], KEYS[dice(COUNT_OF(KEYS))], BLANKS[dice(5)]);
        if (depth && !dice(4)) len += make_object(text + len, room - len, depth - 1);
        else
            len += (size_t)snprintf(text + len, room - len, "%s%s",
                                    VALUES[dice(dice(3) ? 5 : COUNT_OF(VALUES))], BLANKS[dice(5)]);
    }
    return len + (size_t)snprintf(text + len, room - len, "}");
}

/* Objects, two of three with one character changed. */
static void agrees_on_anything(void **state)
{
    static const char MARKS[] = "{}[]\",: 01a\\\x7f";
    char text[1024];
    u32 good = 0;
    (void)state;
    printf("seed %lu\n", seed);
    for (u32 i = 0; i < ROUNDS; i++) {
        size_t len = make_object(text, sizeof text, 3);
        if (dice(3)) text[dice((u32)len)] = MARKS[dice(sizeof MARKS)];
        compare(text, len);
        json_t *value = json_read_object(text, len);
        good += value != NULL;
        json_decref(value);
    }
    printf("%u of %u were good\n", good, ROUNDS);
    assert_in_range(good, ROUNDS / 10, ROUNDS - ROUNDS / 10); /* else it tests one side only */
}

/* --- Writing -----------------------------------------------------------------------------------*/

/* What a string of these bytes is read as: always JSON. */
static void assert_written(const char *bytes, size_t len, const char *want)
{
    char text[256];
    struct json_out o;
    json_out_init(&o, text, sizeof text);
    json_put_string(&o, bytes, len);
    assert_false(o.full);
    json_error_t error;
    json_t *value = json_loadb(text, o.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!value) fail_msg("%.*s: %s", (int)o.len, text, error.text);
    if (want) assert_string_equal(json_string_value(value), want);
    json_decref(value);
}

static void replaces_what_is_no_character(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *want;
    } CASES[] = {
        {"plain \"\\\n", "plain \"\\\n"},
        {"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"cut \xde", "cut \xef\xbf\xbd"},
        {"\xde'", "\xef\xbf\xbd'"},
        {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\x80", "\xef\xbf\xbd"},
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* too long a form */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* too far */
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        assert_written(CASES[i].bytes, strlen(CASES[i].bytes), CASES[i].want);
    for (u32 i = 0; i < ROUNDS; i++) {
        char bytes[8];
        size_t len = dice(sizeof bytes + 1);
        for (size_t k = 0; k < len; k++) bytes[k] = (char)(dice(3) ? 0x80 + dice(128) : dice(128));
        assert_written(bytes, len, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_on_edges),
        cmocka_unit_test(reads_the_length_it_is_given),
        cmocka_unit_test(agrees_on_anything),
        cmocka_unit_test(replaces_what_is_no_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
