/* The ring of stamps, and the names that go with them. */
#include "procs/lib/trace_id.h"
#include "shm/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void keeps_the_newest(void **state)
{
    (void)state;
    struct trace_entry e = {.kind = TRACE_PROVEN}, got = {0};
    assert_int_equal(trace_footprint((1UL << 24) + 1), 0);
    assert_int_equal(trace_footprint(0), trace_footprint(TRACE_ENTRIES_MIN));
    void *memory = calloc(1, trace_footprint(0) + CACHE_LINE);
    void *aligned = ptr_at(memory, (CACHE_LINE - (uintptr_t)memory % CACHE_LINE) % CACHE_LINE);
    trace_new(aligned, 0);
    struct trace *t = trace_join(aligned);
    assert_int_equal(t->capacity, TRACE_ENTRIES_MIN);
    assert_false(trace_get(t, 0, &got));
    for (u64 i = 0; i < 3 * TRACE_ENTRIES_MIN; i++) {
        e.key = i;
        trace_put(t, &e);
        assert_true(trace_get(t, i, &got));
        assert_int_equal(got.key, i);
        assert_int_equal(got.kind, TRACE_PROVEN);
        assert_false(trace_get(t, i + 1, &got));
        u64 oldest = trace_oldest(t);
        assert_true(trace_get(t, oldest, &got));
        assert_int_equal(got.key, oldest);
        if (i >= TRACE_ENTRIES_MIN) assert_false(trace_get(t, i - TRACE_ENTRIES_MIN, &got));
    }
    trace_delete(trace_leave(t));
    assert_int_equal(t->magic, 0);
    free(memory);
}

static bool parent(const char *text, struct trace_id *id)
{
    return trace_id_of_parent(text, strlen(text), id);
}

static void reads_traceparent(void **state)
{
    (void)state;
    struct trace_id id;
    char text[TRACE_ID_TEXT];
    assert_true(parent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", &id));
    trace_id_format(id, text);
    assert_string_equal(text, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_true(parent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", &id));
    static const char *const BAD[] = {
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473x-00f067aa0ba902b7-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
    };
    for (u32 i = 0; i < COUNT_OF(BAD); i++)
        if (parent(BAD[i], &id)) fail_msg("taken: %s", BAD[i]);
}

static bool equal(struct trace_id a, struct trace_id b)
{
    return a.high == b.high && a.low == b.low;
}

static struct trace_id of(const char *text)
{
    return trace_id_of(text, strlen(text));
}

static void reads_any_text(void **state)
{
    (void)state;
    assert_true(
        equal(of("4bf92f35-77b3-4da6-a3ce-929d0e0e4736"), of("4BF92F3577B34DA6A3CE929D0E0E4736")));
    assert_true(equal(of("order 7"), of("order 7")));
    assert_false(equal(of("order 7"), of("order 8")));
    struct trace_id zero = of("00000000000000000000000000000000");
    assert_true(zero.high || zero.low);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_newest),
        cmocka_unit_test(reads_traceparent),
        cmocka_unit_test(reads_any_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
