/* The histogram: bucket edges, quantiles against a sorted list, sums, differences. */
#include "shm/hist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define VALUES 20000U

static u64 random_state = 88172645463325252UL;

/* xorshift64 (Marsaglia 2003) */
static u64 random_u64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static int compare(const void *a, const void *b)
{
    u64 x = *(const u64 *)a, y = *(const u64 *)b;
    return x < y ? -1 : x > y;
}

static void buckets_cover_everything_without_gaps(void **state)
{
    (void)state;
    static const u32 BITS[] = {1, 5, 10, 16};
    for (u32 k = 0; k < COUNT_OF(BITS); k++) {
        u32 bits = BITS[k];
        assert_int_equal(hist_floor(0, bits), 0);
        assert_int_equal(hist_floor(HIST_BUCKETS(bits), bits), 1UL << HIST_TOP);
        for (u32 i = 0; i < HIST_BUCKETS(bits); i++) {
            u64 low = hist_floor(i, bits), high = hist_floor(i + 1, bits) - 1;
            assert_true(low <= high);
            assert_int_equal(hist_bucket(low, bits), i);
            assert_int_equal(hist_bucket(high, bits), i);
            assert_true((high - low) <= low >> bits); /* the promised error */
        }
        assert_int_equal(hist_bucket(UINT64_MAX, bits), HIST_BUCKETS(bits) - 1);
    }
}

static void quantiles_are_those_of_the_sorted_values(void **state)
{
    (void)state;
    static _Atomic u64 h[HIST_WORDS(10)], coarse[HIST_WORDS(5)];
    static u64 values[VALUES];
    static const u32 PPM[] = {1, 1000, 500000, 900000, 990000, 999000, 999900, 1000000};
    u64 sum = 0;
    assert_int_equal(hist_quantile(h, 10, 500000), 0);
    for (u32 i = 0; i < VALUES; i++) {
        values[i] = random_u64() >> (random_u64() % 40 + 24); /* up to 2^40, all magnitudes */
        sum += values[i];
        hist_record(h, 10, values[i]);
        hist_record(coarse, 5, values[i]);
    }
    qsort(values, VALUES, sizeof values[0], compare);
    for (u32 k = 0; k < COUNT_OF(PPM); k++) {
        u64 rank = ((u64)VALUES * PPM[k] + 999999) / 1000000, exact = values[rank ? rank - 1 : 0];
        u64 fine = hist_quantile(h, 10, PPM[k]), rough = hist_quantile(coarse, 5, PPM[k]);
        assert_true(fine >= exact && fine <= exact + (exact >> 10));
        assert_true(rough >= exact && rough <= exact + (exact >> 5));
    }
    assert_int_equal(hist_count(h), VALUES);
    assert_int_equal(hist_sum(h), sum);
    assert_int_equal(hist_mean(h), sum / VALUES);
    assert_int_equal(hist_max(h), values[VALUES - 1]);
    u64 below = 0;
    while (below < VALUES && values[below] < 1UL << 20) below++;
    assert_int_equal(hist_below(h, 10, 1UL << 20), below);
    assert_int_equal(hist_below(h, 10, UINT64_MAX), VALUES);
}

static void what_is_too_long_counts_as_the_longest(void **state)
{
    (void)state;
    static _Atomic u64 h[HIST_WORDS(5)];
    hist_record_n(h, 5, 10, 9);
    hist_record(h, 5, 1UL << 50);
    assert_int_equal(hist_quantile(h, 5, 900000), 10);
    assert_int_equal(hist_quantile(h, 5, 990000), 1UL << 50);
}

static void adds_up_and_takes_away(void **state)
{
    (void)state;
    static _Atomic u64 a[HIST_WORDS(5)], b[HIST_WORDS(5)], before[HIST_WORDS(5)];
    hist_record_n(a, 5, 1000000, 100);
    hist_record_n(b, 5, 20, 300);
    hist_add(before, a, 5); /* an earlier look at a */
    hist_record_n(a, 5, 50, 10);
    hist_add(b, a, 5);
    assert_int_equal(hist_count(b), 410);
    assert_int_equal(hist_sum(b), 100 * 1000000 + 300 * 20 + 500);
    assert_int_equal(hist_max(b), 1000000);
    assert_int_equal(hist_quantile(b, 5, 700000), 20);
    hist_sub(a, before, 5); /* only what came since */
    assert_int_equal(hist_count(a), 10);
    assert_int_equal(hist_sum(a), 500);
    assert_int_equal(hist_max(a), 50);
    assert_int_equal(hist_quantile(a, 5, 990000), 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_cover_everything_without_gaps),
        cmocka_unit_test(quantiles_are_those_of_the_sorted_values),
        cmocka_unit_test(what_is_too_long_counts_as_the_longest),
        cmocka_unit_test(adds_up_and_takes_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
