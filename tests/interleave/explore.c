#include "tests/interleave/explore.h"

#include "tests/interleave/explore_inside.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define STACK_BYTES (64UL << 10)
#define CHOICES_MAX 4096U
#define STEPS_MAX   2000U /* of one run: more is a loop without end */
#define BUFFER_MAX  8U
#define WAITS_MAX   4U
#define BELLS_MAX   16U
#define SHARED_MAX  8U
#define RISING_MAX  4U
#define PLACES_MAX  16384U /* a power of two */

enum state { STATE_READY, STATE_IDLE, STATE_FUTEX, STATE_POLL, STATE_ENDED };

struct store {
    void *at;
    u64 value;
    u32 bytes;
};

struct thread {
    ucontext_t context;
    u8 *stack;
    enum state state;
    bool killed;
    struct store buffer[BUFFER_MAX]; /* oldest first */
    u32 buffered;
    struct store late;   /* BUG_LATE_STORE */
    const void *idle_on; /* a word, or the thread whose end it waits for */
    bool fresh;          /* its next plain access begins a stretch of them */
    const void *waits[WAITS_MAX];
    u32 wait_count;
    int bell;
};

/* Who loads and stores a word, as far as any run has shown: bits by thread. */
struct place {
    const void *at;
    u32 loads, stores;
};

static struct {
    const struct explore_plan *plan;
    struct place places[PLACES_MAX];
    u32 place_count;
    bool learned; /* a place of another kind than known so far */
    struct thread threads[EXPLORE_THREADS_MAX];
    ucontext_t scheduler;
    u32 now; /* thread running */
    u32 preemptions, delays, kills, steps;
    u8 chosen[CHOICES_MAX], of[CHOICES_MAX];
    u32 depth, known; /* choices made in this run; from former runs */
    u32 bells[BELLS_MAX];
    struct {
        const u8 *at;
        u64 bytes;
    } shared[SHARED_MAX];
    u32 shared_count;
    const void *rising[RISING_MAX];
    u32 rising_count;
    struct explore_step trace[STEPS_MAX];
    bool failed, in_run;
    char why[300];
} x;

/* --- Choices -----------------------------------------------------------------------------------*/

/* A number in [0, n): in run after run each of them, depth first. */
static u32 choose(u32 n)
{
    if (n < 2) return 0;
    if (x.depth == CHOICES_MAX) check_failed("a run has few choices", __FILE__, __LINE__);
    if (x.depth == x.known) {
        x.chosen[x.known] = 0;
        x.of[x.known++] = (u8)n;
    }
    return x.chosen[x.depth++];
}

/* Make the next run differ in its last choice that can; false when all are done. */
static bool next_run(void)
{
    while (x.known && x.chosen[x.known - 1] + 1 == x.of[x.known - 1]) x.known--;
    if (!x.known) return false;
    x.chosen[x.known - 1]++;
    return true;
}

/* --- Memory ------------------------------------------------------------------------------------*/

static u64 read_memory(const void *at, u32 bytes)
{
    u64 value = 0;
    memcpy(&value, at, bytes);
    return value;
}

/* Those who wait for another value of this word. */
static void wake_idle(const void *word)
{
    for (u32 i = 0; i < x.plan->threads; i++)
        if (x.threads[i].state == STATE_IDLE && x.threads[i].idle_on == word)
            x.threads[i].state = STATE_READY;
}

static void commit(const struct store *s)
{
    for (u32 i = 0; i < x.rising_count; i++)
        if (x.rising[i] == s->at && s->value < read_memory(s->at, s->bytes))
            explore_fail("a word that only rises went from %lu to %lu",
                         read_memory(s->at, s->bytes), s->value);
    memcpy(s->at, &s->value, s->bytes); /* little-endian */
    wake_idle(s->at);
}

static void drain(struct thread *t)
{
    for (u32 i = 0; i < t->buffered; i++) commit(&t->buffer[i]);
    t->buffered = 0;
}

static struct thread *self(void)
{
    return &x.threads[x.now];
}

static bool is_shared(const void *at)
{
    for (u32 i = 0; i < x.shared_count; i++)
        if ((u64)((const u8 *)at - x.shared[i].at) < x.shared[i].bytes) return true;
    return false;
}

/* Take down the access; does another thread see it, or make what it sees? Steps that meet nobody
 * need no place to switch at. What is learned in a run counts from the next exploration on. */
static bool meets(const void *at, bool stores)
{
    u64 i = ((uintptr_t)at / 8 * 0x9e3779b97f4a7c15UL) >> 40;
    while (x.places[i % PLACES_MAX].at && x.places[i % PLACES_MAX].at != at) i++;
    if (!x.places[i % PLACES_MAX].at) CHECK(++x.place_count < PLACES_MAX / 2);
    struct place *p = &x.places[i % PLACES_MAX];
    u32 own = 1U << x.now, *mask = stores ? &p->stores : &p->loads;
    u32 others = stores ? p->loads | p->stores : p->stores;
    p->at = at;
    x.learned |= !(*mask & own);
    *mask |= own;
    return others & ~own;
}

/* --- Switching ---------------------------------------------------------------------------------*/

static void note(enum explore_op op, const void *at, u64 value)
{
    self()->fresh = op != EXPLORE_PLAIN;
    if (x.steps < STEPS_MAX) x.trace[x.steps] = (struct explore_step){x.now, op, at, value};
}

static void leave(enum state state)
{
    struct thread *t = self();
    drain(t);
    t->state = state;
    if (state == STATE_ENDED) wake_idle(t);
    swapcontext(&t->context, &x.scheduler);
}

void explore_fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (!x.failed) vsnprintf(x.why, sizeof x.why, fmt, ap);
    va_end(ap);
    x.failed = true;
    if (x.in_run) leave(STATE_ENDED);
}

/* In place of abort(): a CHECK of the code under test does not hold. */
void explore_abort(void)
{
    explore_fail("a CHECK of the code does not hold");
    for (;;) swapcontext(&self()->context, &x.scheduler);
}

/* Which threads could run instead of this one. */
static u32 others(u32 list[EXPLORE_THREADS_MAX])
{
    u32 n = 0;
    for (u32 i = 0; i < x.plan->threads; i++)
        if (i != x.now && x.threads[i].state == STATE_READY) list[n++] = i;
    return n;
}

/* Before each step that others may see. */
static void point(enum explore_op op, const void *at, u64 value)
{
    u32 list[EXPLORE_THREADS_MAX];
    if (!x.in_run) return;
    if (++x.steps >= STEPS_MAX) explore_fail("%u steps and no end", STEPS_MAX);
    if (x.now < x.plan->kills && !x.kills && choose(2)) {
        x.kills++;
        self()->killed = true;
        note(EXPLORE_KILLED, NULL, 0);
        leave(STATE_ENDED);
    }
    u32 n = x.preemptions < x.plan->preemptions ? others(list) : 0, pick = choose(n + 1);
    if (pick) {
        x.preemptions++;
        struct thread *t = self();
        x.now = list[pick - 1];
        swapcontext(&t->context, &x.threads[x.now].context);
    }
    note(op, at, value);
}

void explore_idle_while(const _Atomic u64 *word, u64 value)
{
    struct thread *t = self();
    point(EXPLORE_IDLE, word, value);
    drain(t);
    t->idle_on = (const void *)word;
    if (read_memory((const void *)word, sizeof value) == value) leave(STATE_IDLE);
}

void explore_await_end(u32 i)
{
    point(EXPLORE_IDLE, NULL, i);
    self()->idle_on = &x.threads[i];
    if (x.threads[i].state != STATE_ENDED) leave(STATE_IDLE);
}

void explore_poll(int fd)
{
    point(EXPLORE_POLL, NULL, (u64)fd);
    drain(self());
    if (!x.bells[fd]) {
        self()->bell = fd;
        leave(STATE_POLL);
    }
    x.bells[fd] = 0;
}

bool explore_was_killed(u32 i)
{
    return x.threads[i].killed;
}

void explore_shared(const void *memory, u64 bytes)
{
    CHECK(x.shared_count < SHARED_MAX);
    x.shared[x.shared_count].at = memory;
    x.shared[x.shared_count++].bytes = bytes;
}

void explore_rises(const _Atomic u64 *word)
{
    CHECK(x.rising_count < RISING_MAX);
    x.rising[x.rising_count++] = (const void *)word;
}

/* --- What the instrumented code does -----------------------------------------------------------*/

u64 explore_load(const void *at, u32 bytes, bool full)
{
    if (!x.in_run || !is_shared(at)) return read_memory(at, bytes);
    if (meets(at, false)) point(EXPLORE_LOAD, at, 0);
    struct thread *t = self();
    if (full) drain(t);
    for (u32 i = t->buffered; i--;)
        if (t->buffer[i].at == at) return t->buffer[i].value;
    return read_memory(at, bytes);
}

/* Hold it back, or let it be seen at once, and with it, in TSO, all before it. */
static void put(struct thread *t, const struct store *s, bool release, bool full)
{
    bool may = !full && x.delays < x.plan->delays && t->buffered < BUFFER_MAX;
    if (x.plan->memory == EXPLORE_PSO && release) drain(t);
    if (may && choose(2)) {
        x.delays++;
        note(EXPLORE_HELD, s->at, s->value);
        t->buffer[t->buffered++] = *s;
        return;
    }
    bool held = false;
    for (u32 i = 0; i < t->buffered; i++) held |= t->buffer[i].at == s->at;
    if (held || full || x.plan->memory == EXPLORE_TSO) drain(t);
    commit(s);
}

void explore_store(void *at, u64 value, u32 bytes, bool release, bool full)
{
    struct store s = {at, value, bytes};
    if (!x.in_run || !is_shared(at)) {
        memcpy(at, &value, bytes);
        return;
    }
    struct thread *t = self();
    if (!t->buffered && !full && read_memory(at, bytes) == value) return; /* nobody can tell */
    if (meets(at, true)) point(EXPLORE_STORE, at, value);
    if (x.plan->bug == BUG_LATE_STORE && at == *x.plan->late) {
        t->late = s;
        return;
    }
    put(t, &s, release, full);
    if (t->late.at) put(t, &t->late, false, false);
    t->late.at = NULL;
}

void explore_fence(bool release, bool full)
{
    if (!x.in_run) return;
    if (self()->buffered) point(EXPLORE_FENCE, NULL, full);
    bool ignored = full ? x.plan->bug == BUG_NO_FULL_FENCE && x.plan->bug_thread == x.now
                        : x.plan->bug == BUG_NO_RELEASE_FENCE;
    if (ignored) return;
    if (full || (release && x.plan->memory == EXPLORE_PSO)) drain(self());
}

u64 *explore_update(void *at, u32 bytes)
{
    (void)bytes;
    if (x.in_run) {
        if (is_shared(at) && meets(at, true)) point(EXPLORE_UPDATE, at, 0);
        drain(self());
        wake_idle(at);
    }
    return at;
}

/* A stretch of plain accesses happens at once, after a place to switch at. */
void explore_plain(const void *at, u32 bytes, bool writes)
{
    bool met = false;
    if (!x.in_run || !is_shared(at)) return;
    for (u32 i = 0; i < bytes; i += 8) met |= meets((const u8 *)at + i, writes);
    if (writes && x.plan->memory == EXPLORE_TSO) drain(self());
    if (met && self()->fresh) point(EXPLORE_PLAIN, at, writes);
}

/* --- System calls of shm/signal.c --------------------------------------------------------------*/

static long futex_wake(const void *word)
{
    point(EXPLORE_WAKE, word, 0);
    drain(self());
    for (u32 i = 0; i < x.plan->threads; i++) {
        struct thread *t = &x.threads[i];
        for (u32 k = 0; t->state == STATE_FUTEX && k < t->wait_count; k++)
            if (t->waits[k] == word) t->state = STATE_READY;
    }
    return 0;
}

static long futex_waitv(const struct futex_waitv *words, u32 count)
{
    struct thread *t = self();
    point(EXPLORE_WAIT, NULL, count);
    drain(t);
    CHECK(count <= WAITS_MAX);
    t->wait_count = count;
    for (u32 i = 0; i < count; i++) {
        t->waits[i] =
            (const void *)(uintptr_t)words[i].uaddr; /* NOLINT(performance-no-int-to-ptr) */
        if (read_memory(t->waits[i], 4) == words[i].val) continue;
        errno = EAGAIN;
        return -1;
    }
    leave(STATE_FUTEX);
    return 0;
}

long explore_syscall(long number, ...)
{
    va_list ap;
    va_start(ap, number);
    const void *first = va_arg(ap, const void *);
    long second = va_arg(ap, long);
    va_end(ap);
    if (number == SYS_futex_waitv) return futex_waitv(first, (u32)second);
    CHECK(number == SYS_futex && (int)second == FUTEX_WAKE);
    return futex_wake(first);
}

pid_t explore_getpid(void)
{
    return (pid_t)(100 + x.now);
}

ssize_t explore_write(int fd, const void *data, size_t bytes)
{
    (void)data;
    point(EXPLORE_RING, NULL, (u64)fd);
    drain(self());
    x.bells[fd]++;
    for (u32 i = 0; i < x.plan->threads; i++)
        if (x.threads[i].state == STATE_POLL && x.threads[i].bell == fd)
            x.threads[i].state = STATE_READY;
    return (ssize_t)bytes;
}

/* --- A run -------------------------------------------------------------------------------------*/

static void body(void)
{
    x.plan->thread[x.now]();
    point(EXPLORE_END, NULL, 0);
    leave(STATE_ENDED);
}

static void make_threads(void)
{
    for (u32 i = 0; i < x.plan->threads; i++) {
        struct thread *t = &x.threads[i];
        u8 *stack = t->stack ? t->stack : malloc(STACK_BYTES);
        CHECK(stack);
        *t = (struct thread){.stack = stack};
        getcontext(&t->context);
        t->context.uc_stack.ss_sp = stack;
        t->context.uc_stack.ss_size = STACK_BYTES;
        makecontext(&t->context, body, 0);
    }
}

/* Choose who goes on where nobody has to be taken off. */
static bool dispatch(void)
{
    u32 list[EXPLORE_THREADS_MAX];
    x.now = EXPLORE_THREADS_MAX;
    u32 n = others(list);
    if (!n) return false;
    x.now = list[choose(n)];
    swapcontext(&x.scheduler, &x.threads[x.now].context);
    return true;
}

static void run_once(void)
{
    x.depth = x.preemptions = x.delays = x.kills = x.steps = x.shared_count = x.rising_count = 0;
    memset(x.bells, 0, sizeof x.bells);
    make_threads();
    x.plan->setup();
    x.in_run = true;
    while (!x.failed && dispatch()) {
    }
    x.in_run = false;
    for (u32 i = 0; !x.failed && i < x.plan->threads; i++)
        if (x.threads[i].state != STATE_ENDED)
            explore_fail("thread %u sleeps and nobody will wake it", i);
    if (!x.failed && x.plan->check) x.plan->check();
}

struct explore_result explore(const struct explore_plan *plan, u64 runs_max, bool tell)
{
    struct explore_result result = {0};
    x.plan = plan;
    x.known = 0;
    x.failed = false;
    memset(x.places, 0, sizeof x.places);
    x.place_count = 0;
    do {
        x.learned = false;
        run_once();
        if (x.learned && !x.failed) x.known = 0; /* begin anew, with more places to switch at */
        result.runs++;
        result.steps += x.steps;
        result.failed = x.failed;
        result.cut = result.runs == runs_max;
    } while (!result.failed && !result.cut && (x.learned || next_run()));
    snprintf(result.why, sizeof result.why, "%s", x.failed ? x.why : "");
    if (result.failed && tell) explore_print(x.trace, min_u64(x.steps + 1, STEPS_MAX));
    return result;
}
