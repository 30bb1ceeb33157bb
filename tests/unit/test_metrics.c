/* metrics.def: what is generated from it agrees with itself and with docs/metrics.md. */
#include "procs/lib/metrics_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void words_do_not_overlap(void **state)
{
    (void)state;
    u32 end = 0;
    for (u32 i = 0; i < METRIC_ROWS; i++) {
        assert_int_equal(metric_table[i].word, end);
        end += metric_table[i].type == METRIC_HISTOGRAM ? HIST_WORDS(METRIC_HIST_BITS) : 1;
        assert_true(metric_table[i].owner < ROLE_COUNT);
    }
    assert_int_equal(end, METRIC_WORDS);
}

/* Prometheus wants a histogram's name to be its own, a counter's to end in _total. */
static void names_say_what_they_are(void **state)
{
    (void)state;
    for (u32 i = 0; i < METRIC_ROWS; i++) {
        const struct metric_row *row = &metric_table[i];
        size_t length = strlen(row->name);
        if (row->type == METRIC_HISTOGRAM)
            assert_string_equal(row->name + length - strlen("_seconds"), "_seconds");
        assert_true(row->help[0] >= 'A' || (row->help[0] >= '0' && row->help[0] <= '9'));
        assert_null(strchr(row->help, '|')); /* would end a cell of the reference */
        assert_null(strchr(row->help, '\\'));
    }
}

static void a_histogram_records_times(void **state)
{
    (void)state;
    static struct proc_block p;
    metric_record(&p, METRIC_HOP_MATCH, 1000, 3000);
    metric_record(&p, METRIC_HOP_MATCH, 3000, 1000); /* another core's clock: 0 */
    assert_int_equal(hist_count(&p.metrics[METRIC_HOP_MATCH]), 2);
    assert_int_equal(hist_sum(&p.metrics[METRIC_HOP_MATCH]), 2000);
    assert_int_equal(metric_quantile(&p, METRIC_HOP_MATCH, 500000), 0);
    assert_int_equal(metric_quantile(&p, METRIC_HOP_MATCH, 1000000), 2000);
    for (u32 i = 0; i < METRIC_WORDS; i++)
        if (i < METRIC_HOP_MATCH || i > METRIC_HOP_MATCH_LAST)
            assert_int_equal(metric_get(&p, i), 0);
}

static void the_reference_is_current(void **state)
{
    (void)state;
    char *made = NULL;
    size_t size = 0;
    static char kept[1 << 17];
    FILE *out = open_memstream(&made, &size), *in = fopen("docs/metrics.md", "re");
    if (!in) fail_msg("docs/metrics.md: tests run in the root of the source tree");
    metrics_reference(out);
    fclose(out);
    size_t n = fread(kept, 1, sizeof kept - 1, in);
    fclose(in);
    kept[n] = 0;
    if (n != size || memcmp(made, kept, n) != 0)
        fail_msg("docs/metrics.md is not what shm/metrics.def makes; run `make docs`");
    free(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_do_not_overlap),
        cmocka_unit_test(names_say_what_they_are),
        cmocka_unit_test(a_histogram_records_times),
        cmocka_unit_test(the_reference_is_current),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
