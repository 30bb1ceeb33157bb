/* sim: the exchange against a hostile world, by seed.
 *
 *   sim                        200 seeds
 *   sim 7                      one seed, with what happened in it
 *   sim --seeds 100..299       some seeds
 *   sim --steps 20000          longer plans
 *   sim --trace 7              every step
 *   sim --mutants              seeded bugs: each must be caught
 *
 * Every seed runs in a child of its own, so that a broken invariant is a failure like any other. A
 * failure prints its seed, the step, the rule that was broken, and the shortest plan found that
 * still breaks it. The last line is "N passed, N failed". */
#include "tests/sim/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STEPS          6000U
#define SEEDS          200U
#define MUTANT_SEEDS   40U
#define RUN_SECONDS    60U /* no run takes that long: it hangs */
#define SHRINK_SECONDS 20

struct options {
    u64 first, last;
    u32 steps;
    bool mutants, trace, one;
};

static const char *const mutant_names[MUTANT_COUNT] = {
#define NAME(name, what) #name,
    SIM_MUTANTS(NAME)
#undef NAME
};
static const char *const mutant_texts[MUTANT_COUNT] = {
#define TEXT(name, what) what,
    SIM_MUTANTS(TEXT)
#undef TEXT
};

static struct sim_result *result; /* shared with the child */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static void child(const struct plan *plan, enum sim_mutant mutant, bool trace, const char *dir)
{
    char path[160];
    struct world *w = calloc(1, sizeof *w);
    CHECK(w);
    snprintf(path, sizeof path, "%s/stderr", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0) _exit(2);
    alarm(RUN_SECONDS);
    w->mutant = mutant;
    w->trace = trace;
    w->result = result;
    world_open(w, plan, dir);
    world_run(w);
    fflush(stdout);
    _exit(0);
}

/* The child ended without a word: what its crash says. */
static void read_crash(const char *dir, int status)
{
    char path[160], line[sizeof result->text] = "";
    size_t n = 0;
    snprintf(path, sizeof path, "%s/stderr", dir);
    FILE *f = fopen(path, "r");
    if (f) {
        n = fread(line, 1, sizeof line - 1, f);
        fclose(f);
    }
    line[n] = 0;
    result->failed = 1;
    snprintf(result->text, sizeof result->text, "%s", line);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(result->label, sizeof result->label, "it goes on (it hangs)");
    else if (!n)
        snprintf(result->label, sizeof result->label, "killed by signal %d", WTERMSIG(status));
    else snprintf(result->label, sizeof result->label, "%.60s", line);
    /* A broken invariant is told by its place. */
    char *at = strstr(line, "` at ");
    if (at) snprintf(result->label, sizeof result->label, "CHECK at %.40s", at + 5);
    result->label[strcspn(result->label, ";\n")] = 0;
}

/* True: it passed. */
static bool run(const struct plan *plan, enum sim_mutant mutant, bool trace)
{
    char dir[] = "/dev/shm/eidos-sim-XXXXXX";
    int status;
    memset(result, 0, sizeof *result);
    if (!mkdtemp(dir)) {
        perror("making a directory in /dev/shm");
        exit(2);
    }
    fflush(stdout);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) child(plan, mutant, trace, dir);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    bool passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!passed && !result->failed) read_crash(dir, status);
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return passed;
}

/* --- Making a failure small --------------------------------------------------------------------
 */

static u32 steps_left(const struct plan *plan)
{
    u32 n = 0;
    for (u32 i = 0; i < plan->count; i++) n += !plan->dropped[i];
    return n;
}

/* Leave out steps [from, to) if the same rule still breaks. */
static bool try_without(struct plan *plan, u32 from, u32 to, enum sim_mutant mutant,
                        const char *label)
{
    u8 *before = malloc(plan->count);
    CHECK(before);
    memcpy(before, plan->dropped, plan->count);
    memset(plan->dropped + from, 1, to - from);
    bool smaller = memcmp(before, plan->dropped, plan->count) != 0 && !run(plan, mutant, false) &&
                   !strcmp(label, result->label);
    if (!smaller) memcpy(plan->dropped, before, plan->count);
    free(before);
    return smaller;
}

static void shrink(struct plan *plan, enum sim_mutant mutant)
{
    struct sim_result first = *result;
    time_t end = time(NULL) + SHRINK_SECONDS;
    u32 last = min_u64(first.step + 1UL, plan->count) & UINT32_MAX;
    try_without(plan, last, plan->count, mutant, first.label);
    bool again = true;
    for (u32 piece = plan->count / 2; piece && time(NULL) < end;
         piece = again ? piece : piece / 2) {
        again = false;
        for (u32 at = 0; at < plan->count && time(NULL) < end; at += piece)
            again |=
                try_without(plan, at, (u32)min_u64(at + piece, plan->count), mutant, first.label);
    }
    *result = first;
}

static void print_plan(const struct plan *plan)
{
    printf("  the shortest plan found, %u of %u steps:\n", steps_left(plan), plan->count);
    for (u32 i = 0; i < plan->count; i++)
        if (!plan->dropped[i])
            printf("    %6u %-14s %016lx\n", i, plan_names[plan->steps[i].op],
                   plan->steps[i].random);
}

static void print_failure(struct plan *plan, enum sim_mutant mutant, const struct options *o)
{
    printf("seed %lu FAILED at step %u: %s\n  %s\n", plan->seed, result->step, result->label,
           result->text);
    if (o->trace) return;
    shrink(plan, mutant);
    print_plan(plan);
    if (steps_left(plan) > 400) return;
    printf("  and what happens in it:\n");
    run(plan, mutant, true);
    printf("  %s: %s\n", result->label, result->text);
}

/* --- The ways to run ---------------------------------------------------------------------------
 */

static bool run_seed(const struct options *o, u64 seed)
{
    struct plan plan;
    plan_make(&plan, seed, o->steps);
    bool passed = run(&plan, MUTANT_NONE, o->trace);
    if (passed && o->one)
        printf("seed %lu: %lu commands, %lu trades replayed, %lu answers, %lu kills, %lu "
               "takeovers, %lu crashes of all (%lu left a tail to the processes), %lu laps, %lu "
               "times full; %lu sizes changed, %lu too small, %lu replayed orders turned away\n",
               seed, result->commands, result->trades, result->acks, result->kills,
               result->takeovers, result->crashes, result->left, result->laps, result->full,
               result->resized, result->too_small, result->turned_away);
    if (!passed) print_failure(&plan, MUTANT_NONE, o);
    plan_free(&plan);
    return passed;
}

static bool mutant_is_caught(const struct options *o, enum sim_mutant mutant)
{
    for (u64 seed = 1; seed <= MUTANT_SEEDS; seed++) {
        struct plan plan;
        plan_make(&plan, seed, o->steps);
        bool passed = run(&plan, mutant, false);
        struct sim_result caught = *result;
        /* The same seed must pass without it. */
        if (!passed) passed = !run(&plan, MUTANT_NONE, false);
        *result = caught;
        plan_free(&plan);
        if (passed) continue;
        printf("caught %-15s seed %2lu, step %5u: %s\n", mutant_names[mutant], seed, result->step,
               result->label);
        if (o->trace) printf("       %s\n", result->text);
        return true;
    }
    printf("MISSED %-15s in %u seeds: %s\n", mutant_names[mutant], MUTANT_SEEDS,
           mutant_texts[mutant]);
    return false;
}

static int usage(void)
{
    fprintf(stderr, "usage: sim [SEED] [--seeds A..B] [--steps N] [--mutants] [--trace]\n");
    return 2;
}

static bool read_options(struct options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char *end = "";
        if (!strcmp(argv[i], "--mutants")) o->mutants = true;
        else if (!strcmp(argv[i], "--trace")) o->trace = true;
        else if (!strcmp(argv[i], "--steps") && i + 1 < argc)
            o->steps = (u32)strtoul(argv[++i], &end, 10);
        else if (!strcmp(argv[i], "--seeds") && i + 1 < argc) {
            o->first = strtoul(argv[++i], &end, 10);
            if (strncmp(end, "..", 2) != 0) return false;
            o->last = strtoul(end + 2, &end, 10);
        } else {
            o->first = o->last = strtoul(argv[i], &end, 10);
            o->one = end != argv[i];
            if (!o->one) return false;
        }
        if (*end) return false;
    }
    return o->steps && o->first <= o->last;
}

int main(int argc, char **argv)
{
    struct options o = {.first = 1, .last = SEEDS, .steps = STEPS};
    u64 passed = 0, failed = 0;
    if (!read_options(&o, argc, argv)) return usage();
    result = mmap(NULL, sizeof *result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(result != MAP_FAILED);
    if (o.mutants)
        for (u32 m = MUTANT_NONE + 1; m < MUTANT_COUNT; m++)
            *(mutant_is_caught(&o, m) ? &passed : &failed) += 1;
    else
        for (u64 seed = o.first; seed <= o.last; seed++)
            *(run_seed(&o, seed) ? &passed : &failed) += 1;
    printf("%lu passed, %lu failed\n", passed, failed);
    return failed != 0;
}
