/* The command line of eidosctl: options, arguments, numbers, texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "cli/net.h"

static int nothing(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

/* In place of the table of main.c. */
const struct command commands[] = {
    {.name = "plain", .run = nothing, .args = "", .brief = "b", .example = "e"},
    {.name = "rich",
     .run = nothing,
     .args = "ONE [TWO]",
     .args_least = 1,
     .args_most = 2,
     .brief = "b",
     .example = "e",
     .options = {{"--json", NULL, "switch"}, {"--count", "N", "number"}}},
    {.name = NULL},
};

/* Read a command line of up to seven words. */
static int parse(struct cli *c, const char *const words[8])
{
    static char copies[8][64];
    char *argv[9] = {0};
    int argc = 0;
    for (; argc < 8 && words[argc]; argc++) {
        snprintf(copies[argc], sizeof copies[argc], "%s", words[argc]);
        argv[argc] = copies[argc];
    }
    return cli_parse(c, argc, argv);
}

static void options_anywhere(void **state)
{
    struct cli c;
    (void)state;
    const char *const words[8] = {"rich", "--count", "7", "a", "--dir=/tmp/x", "--json", "b"};
    assert_int_equal(parse(&c, words), CLI_OK);
    assert_int_equal(c.args, 2);
    assert_string_equal(c.arg[0], "a");
    assert_string_equal(c.arg[1], "b");
    assert_string_equal(c.source.dir.s, "/tmp/x");
    assert_non_null(cli_value(&c, "--json"));
    assert_string_equal(cli_value(&c, "--count"), "7");
}

static void values_behind_equals(void **state)
{
    struct cli c;
    (void)state;
    const char *const words[8] = {"rich", "--count=", "a"};
    assert_int_equal(parse(&c, words), CLI_OK);
    assert_string_equal(cli_value(&c, "--count"), "");
    assert_null(cli_value(&c, "--json"));
}

static void words_after_two_dashes(void **state)
{
    struct cli c;
    (void)state;
    const char *const words[8] = {"rich", "--", "--json", "-"};
    assert_int_equal(parse(&c, words), CLI_OK);
    assert_int_equal(c.args, 2);
    assert_string_equal(c.arg[0], "--json");
    assert_null(cli_value(&c, "--json"));
}

static void refusals(void **state)
{
    (void)state;
    static const char *const lines[][8] = {
        {"plain", "a"},              /* takes none */
        {"plain", "--json"},         /* not its option */
        {"rich"},                    /* one is missing */
        {"rich", "a", "b", "c"},     /* one too many */
        {"rich", "a", "--count"},    /* no value */
        {"rich", "a", "--json=yes"}, /* a switch */
        {"rich", "a", "--jso"},      /* no abbreviations */
        {"rich", "a", "--set"},      /* of everybody's options */
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct cli c;
        assert_int_equal(parse(&c, lines[i]), CLI_USAGE);
    }
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        u64 value;
    } cases[] = {{"1", true, 1},    {"10", true, 10}, {"0", false, 0},
                 {"11", false, 0},  {"", false, 0},   {"-1", false, 0},
                 {"1.0", false, 0}, {"1x", false, 0}, {"18446744073709551617", false, 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct cli c;
        u64 value;
        const char *const words[8] = {"rich", "a", "--count", cases[i].text};
        assert_int_equal(parse(&c, words), CLI_OK);
        assert_int_equal(cli_number(&c, "--count", 1, 10, 5, &value), cases[i].good);
        if (cases[i].good) assert_int_equal(value, cases[i].value);
    }
    struct cli c;
    u64 value;
    const char *const words[8] = {"rich", "a"};
    assert_int_equal(parse(&c, words), CLI_OK);
    assert_true(cli_number(&c, "--count", 1, 10, 5, &value));
    assert_int_equal(value, 5);
}

static void texts(void **state)
{
    (void)state;
    assert_string_equal(cli_bytes(0), "0 B");
    assert_string_equal(cli_bytes(1023), "1023 B");
    assert_string_equal(cli_bytes(1536), "1.5 KiB");
    assert_string_equal(cli_bytes(64UL << 20), "64 MiB");
    assert_string_equal(cli_bytes(UINT64_MAX / 16), "1048575 TiB");
    assert_string_equal(cli_span(59), "00:00:59");
    assert_string_equal(cli_span(3 * 86400 + 4 * 3600 + 5 * 60 + 6), "3 d 04:05:06");
    assert_string_equal(cli_decimal(150, 2), "1.5");
}

static void hosts(void **state)
{
    char host[NET_HOST_MAX];
    (void)state;
    net_host("0.0.0.0", host);
    assert_string_equal(host, "127.0.0.1");
    net_host("::", host);
    assert_string_equal(host, "[::1]");
    net_host("fe80::1", host);
    assert_string_equal(host, "[fe80::1]");
    net_host("10.1.2.3", host);
    assert_string_equal(host, "10.1.2.3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_anywhere),
        cmocka_unit_test(values_behind_equals),
        cmocka_unit_test(words_after_two_dashes),
        cmocka_unit_test(refusals),
        cmocka_unit_test(numbers),
        cmocka_unit_test(texts),
        cmocka_unit_test(hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
