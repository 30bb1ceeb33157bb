/* explore.h: every interleaving of a few threads, within bounds, over the real code of shm/.
 *
 *   shm/log.c, signal.c, ring.c and the scenarios are compiled with the compiler's race
 *   instrumentation, and linked with explore.c in place of its runtime. So each atomic access,
 *   fence and futex call of the unchanged code comes here first:
 *
 *     thread --atomic access--> explore.c --choose--> this thread goes on, or another one does
 *                                  |  '---choose--> a store is seen at once, or stays in the
 *                                  |                thread's store buffer for a while
 *                                  '--> memory
 *
 * A run is a list of choices; runs follow depth first until all are done (stateless model checking,
 * Godefroid 1997; bounded preemptions as in CHESS, Musuvathi and Qadeer 2007). Threads are
 * coroutines in one thread of the system, so a run is repeatable and a failure prints its steps.
 *
 * Store buffers: in TSO, as in x86, stores leave in order, and only a load may overtake them; a
 * full fence, a read-modify-write and a system call empty the buffer. In PSO stores to different
 * places leave in any order but for release stores and release fences, which catches fences that
 * x86 forgives. A store that is held back is held as long as possible. Loads are never reordered:
 * a missing acquire is left to the race detector (make check-mt).
 *
 * Places to switch at are the accesses to words that another thread uses too, one of them writing,
 * as learned from the runs themselves, and the beginning of each stretch of plain accesses. */
#ifndef EIDOS_TESTS_INTERLEAVE_EXPLORE_H
#define EIDOS_TESTS_INTERLEAVE_EXPLORE_H

#include "shm/base.h"

#define EXPLORE_THREADS_MAX 4U

enum explore_memory { EXPLORE_TSO, EXPLORE_PSO };

/* A bug put into the code by the runtime: the test shows that it is found. */
enum explore_bug {
    BUG_NONE,
    BUG_NO_FULL_FENCE,    /* thread `bug_thread` runs its full fences as nothing */
    BUG_NO_RELEASE_FENCE, /* nobody's release fence does anything */
    BUG_LATE_STORE,       /* a store to `late` waits for the thread's next store to elsewhere */
    BUG_IN_SCENARIO,      /* the scenario itself does the wrong thing */
};

struct explore_plan {
    const char *name;
    u32 threads;
    void (*thread[EXPLORE_THREADS_MAX])(void);
    void (*setup)(void); /* before each run */
    void (*check)(void); /* after each run, when all threads have ended; may be NULL */
    enum explore_memory memory;
    u32 preemptions; /* switches away from a thread that could go on, in one run */
    u32 delays;      /* stores held back, in one run */
    u32 kills;       /* threads below this number may be ended at any step: at most one is */
    enum explore_bug bug;
    u32 bug_thread;
    const void *const *late;
};

struct explore_result {
    u64 runs;
    u64 steps; /* in all runs */
    bool cut;  /* `runs_max` came before the end */
    bool failed;
    char why[300];
};

/* Explore until a failure, the end, or `runs_max` runs. With `tell`, a failure's steps are printed.
 */
struct explore_result explore(const struct explore_plan *plan, u64 runs_max, bool tell);

/* ---- For scenarios, within a run --------------------------------------------------------------*/

/* The property does not hold. Does not return when called by a thread. */
void explore_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define HOLDS(cond) ((cond) ? (void)0 : explore_fail("`%s` at %s:%d", #cond, __FILE__, __LINE__))

/* Nothing to do until the word changes: what a loop that spins on it does. */
void explore_idle_while(const _Atomic u64 *word, u64 value);

/* Until thread `i` has ended or was killed: what a pidfd tells. */
void explore_await_end(u32 i);
bool explore_was_killed(u32 i);

/* Others see the `bytes` from here on; said in setup, of everything they see. */
void explore_shared(const void *memory, u64 bytes);

/* No store may make this word smaller; said in setup. */
void explore_rises(const _Atomic u64 *word);

/* Sleep in epoll until bell `fd` is rung; takes the ring. */
void explore_poll(int fd);

#endif
