/* Log lines: text for people, one JSON object a line for machines, whatever the message holds. */
#include "procs/lib/text_log.h"

#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static int pipe_fds[2], real_stderr;
static char said[32768];

static int catch_stderr(void **state)
{
    (void)state;
    if (pipe2(pipe_fds, O_NONBLOCK)) return -1;
    real_stderr = dup(STDERR_FILENO);
    dup2(pipe_fds[1], STDERR_FILENO);
    text_log_name("api@7");
    text_log_follow(NULL);
    return 0;
}

static int release_stderr(void **state)
{
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return 0;
}

static const char *take(void)
{
    ssize_t n = read(pipe_fds[0], said, sizeof said - 1);
    said[n > 0 ? n : 0] = '\0';
    return said;
}

static json_t *take_json(void)
{
    json_error_t error;
    take();
    size_t length = strlen(said);
    assert_true(length > 0 && said[length - 1] == '\n' && !memchr(said, '\n', length - 1));
    json_t *line = json_loads(said, 0, &error);
    if (!line) fail_msg("%s: %s", error.text, said);
    return line;
}

static const char *text(json_t *line, const char *key)
{
    const char *value = json_string_value(json_object_get(line, key));
    if (!value) fail_msg("no %s", key);
    return value;
}

static void times_are_those_of_the_calendar(void **state)
{
    (void)state;
    u64 seconds = 0;
    for (u32 i = 0; i < 20000; i++, seconds += 1234567) { /* 780 years */
        char expected[TEXT_LOG_TIME], got[TEXT_LOG_TIME];
        struct tm tm;
        time_t t = (time_t)(seconds % 17000000000UL);
        strftime(expected, sizeof expected, "%FT%T.007Z", gmtime_r(&t, &tm));
        text_log_time((u64)t * 1000000000UL + 7654321, 3, got);
        assert_string_equal(got, expected);
    }
}

static void people_read_text(void **state)
{
    (void)state;
    const struct trace_id id = {1, 2};
    const struct text_field fields[] = {{"path", "/ws", 0}, {"status", NULL, 504}};
    text_log_set(TEXT_FORMAT_TEXT, TEXT_INFO);
    text_log(TEXT_WARN, "%d is a \"number\"", 7);
    assert_string_equal(take() + 25, "warn  api@7: 7 is a \"number\"\n");
    text_log_fields(TEXT_ERROR, &id, fields, 2, "slow");
    assert_string_equal(take() + 25, "error api@7: slow; path=/ws status=504 "
                                     "trace_id=00000000000000010000000000000002\n");
}

static void machines_read_json(void **state)
{
    (void)state;
    const struct trace_id id = {0xabc, 2};
    const struct text_field fields[] = {{"path", "/a\"b", 0}, {"status", NULL, 504}};
    text_log_set(TEXT_FORMAT_AUTO, TEXT_INFO); /* a pipe is no terminal */
    assert_true(text_log_is_json());
    text_log_fields(TEXT_WARN, &id, fields, 2, "a \"quote\", a\ttab\nand a line");
    json_t *line = take_json();
    assert_string_equal(text(line, "level"), "warn");
    assert_string_equal(text(line, "process"), "api@7");
    assert_string_equal(text(line, "msg"), "a \"quote\", a\ttab\nand a line");
    assert_string_equal(text(line, "trace_id"), "0000000000000abc0000000000000002");
    assert_string_equal(text(line, "path"), "/a\"b");
    assert_int_equal(json_integer_value(json_object_get(line, "status")), 504);
    assert_int_equal(json_integer_value(json_object_get(line, "pid")), getpid());
    assert_int_equal(strlen(text(line, "ts")), strlen("2026-11-23T09:01:48.123456Z"));
    json_decref(line);
}

static void any_bytes_make_a_line(void **state)
{
    (void)state;
    static const struct {
        const char *said, *written;
    } cases[] = {
        {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"},
        {"\xff\xfe", "??"},
        {"cut \xe2\x82", "cut ??"},
        {"\xc0\xaf overlong", "?? overlong"},
        {"\xed\xa0\x80 surrogate", "??? surrogate"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
    };
    text_log_set(TEXT_FORMAT_JSON, TEXT_INFO);
    for (u32 i = 0; i < COUNT_OF(cases); i++) {
        text_log(TEXT_INFO, "%s", cases[i].said);
        json_t *line = take_json();
        assert_string_equal(text(line, "msg"), cases[i].written);
        json_decref(line);
    }
    char longest[TEXT_LOG_LINE_MAX + 100];
    memset(longest, 1, sizeof longest - 1); /* six characters each in JSON */
    longest[sizeof longest - 1] = '\0';
    text_log(TEXT_INFO, "%s", longest);
    json_t *line = take_json();
    assert_int_equal(strlen(text(line, "msg")), TEXT_LOG_LINE_MAX - 1);
    json_decref(line);
}

static void levels_can_change(void **state)
{
    (void)state;
    static _Atomic u8 level;
    text_log_set(TEXT_FORMAT_TEXT, TEXT_WARN);
    text_log(TEXT_INFO, "not said");
    assert_string_equal(take(), "");
    text_log_follow(&level);
    assert_false(text_log_wants(TEXT_INFO));
    atomic_store(&level, 1 + TEXT_DEBUG);
    text_log(TEXT_DEBUG, "said");
    assert_non_null(strstr(take(), "debug api@7: said\n"));
    atomic_store(&level, 1 + TEXT_ERROR);
    assert_false(text_log_wants(TEXT_WARN));
    atomic_store(&level, 0);
    assert_true(text_log_wants(TEXT_WARN));
}

static void last_words_are_lines_too(void **state)
{
    (void)state;
    text_log_set(TEXT_FORMAT_JSON, TEXT_INFO);
    text_log_dying("ended by \"SIGSEGV\" \x01\xff", ",\"backtrace\":[\"main\"]");
    json_t *line = take_json();
    assert_string_equal(text(line, "msg"), "ended by \"SIGSEGV\" ??");
    assert_string_equal(text(line, "level"), "error");
    assert_int_equal(json_array_size(json_object_get(line, "backtrace")), 1);
    json_decref(line);
    text_log_set(TEXT_FORMAT_TEXT, TEXT_INFO);
    last_words("broken");
    assert_string_equal(take(), "eidos: broken\n");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, catch_stderr, release_stderr)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_those_of_the_calendar),
        CASE(people_read_text),
        CASE(machines_read_json),
        CASE(any_bytes_make_a_line),
        CASE(levels_can_change),
        CASE(last_words_are_lines_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
