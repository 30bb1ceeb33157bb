/* interleave: explores every plan of scenarios.h. Plans with a bug must fail, the others must not.
 *   interleave [substring of names] */
#include "tests/interleave/scenarios.h"

#include <string.h>
#include <time.h>

#define RUNS_MAX 1000000UL

static u64 now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

static bool run(const struct explore_plan *plan)
{
    bool bad = plan->bug != BUG_NONE;
    u64 begin = now_ms();
    struct explore_result r = explore(plan, RUNS_MAX, !bad);
    bool ok = r.failed == bad && !(r.cut && !bad);
    printf("%s  %-62s %8lu runs, %9lu steps, %5lu ms%s\n", ok ? "ok    " : "FAILED", plan->name,
           r.runs, r.steps, now_ms() - begin, r.cut ? ", not all" : "");
    if (r.failed) printf("        %s%s\n", bad ? "found: " : "", r.why);
    if (bad && !r.failed) printf("        the bug was not found\n");
    fflush(stdout);
    return ok;
}

int main(int argc, char **argv)
{
    static const struct explore_plan *const lists[] = {ring_plans, sleep_plans, log_plans,
                                                       takeover_plans};
    u32 passed = 0, failed = 0;
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        for (const struct explore_plan *p = lists[i]; p->name; p++) {
            if (argc > 1 && !strstr(p->name, argv[1])) continue;
            if (run(p)) passed++;
            else failed++;
        }
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}
