/* The error text: set, wrapped, with errno, cut at its limit, one for each thread. */
#include "shm/base.h"
#include "shm/err.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void wraps_outermost_first(void **state)
{
    (void)state;
    assert_int_equal(err_set("at byte %d: bad checksum", 4096), -1);
    assert_int_equal(err_wrap("command-%02d.log", 7), -1);
    assert_int_equal(err_wrap("opening the journal"), -1);
    assert_string_equal(err_text(),
                        "opening the journal: command-07.log: at byte 4096: bad checksum");
}

static void names_the_system_error(void **state)
{
    (void)state;
    errno = ENOSPC;
    assert_int_equal(err_sys("writing %s", "a.log"), -1);
    assert_string_equal(err_text(), "writing a.log: No space left on device");
}

static void set_forgets_what_was(void **state)
{
    (void)state;
    err_set("first");
    err_set("second");
    assert_string_equal(err_text(), "second");
}

static void cuts_long_texts(void **state)
{
    (void)state;
    char longer[2 * ERR_TEXT_MAX];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    err_set("%s", longer);
    assert_int_equal(strlen(err_text()), ERR_TEXT_MAX - 1);
    errno = EIO;
    err_sys("%s", longer);
    assert_int_equal(strlen(err_text()), ERR_TEXT_MAX - 1);
    err_wrap("where");
    assert_int_equal(strlen(err_text()), ERR_TEXT_MAX - 1);
    assert_memory_equal(err_text(), "where: xxx", 10);
    err_wrap("%s", longer);
    assert_int_equal(strlen(err_text()), ERR_TEXT_MAX - 1);
}

static void *other_thread(void *arg)
{
    CHECK(err_text()[0] == '\0');
    err_set("theirs");
    return arg;
}

static void belongs_to_one_thread(void **state)
{
    (void)state;
    pthread_t thread;
    err_set("mine");
    assert_int_equal(pthread_create(&thread, NULL, other_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(err_text(), "mine");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wraps_outermost_first), cmocka_unit_test(names_the_system_error),
        cmocka_unit_test(set_forgets_what_was),  cmocka_unit_test(cuts_long_texts),
        cmocka_unit_test(belongs_to_one_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
