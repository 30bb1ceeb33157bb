/* sleep.c: the sleep and wake protocol of shm/signal.h under every interleaving: nobody sleeps
 * while there is something to read, whether in futex_waitv or in epoll. (In futex_waitv the kernel
 * looks at the words once more behind a barrier of its own, so there the waiter's fence could be
 * missed; in epoll nobody looks again.) */
#include "shm/ring.h"
#include "shm/signal.h"

#include "tests/interleave/scenarios.h"

#define CAPACITY  4096U
#define MESSAGES  3U /* of each producer */
#define PRODUCERS 2U
#define BELL      1

struct message {
    u32 length, number;
};

static alignas(CACHE_LINE) u8 memory[PRODUCERS][sizeof(struct ring) + CAPACITY];
static _Atomic u64 tails[PRODUCERS];
static _Atomic u32 sleeping;
static struct ring_tx tx[PRODUCERS];
static struct ring_rx rx[PRODUCERS];
static struct waiter waiter;
static u32 taken[PRODUCERS], producers;

static void setup_with(u32 count, int bell)
{
    producers = count;
    waiter = (struct waiter){.sleeping = &sleeping};
    atomic_store_explicit(&sleeping, SIGNAL_AWAKE, memory_order_relaxed);
    for (u32 i = 0; i < count; i++) {
        struct ring *ring = (struct ring *)(void *)memory[i];
        ring_new(memory[i], CAPACITY);
        atomic_store_explicit(&tails[i], 0, memory_order_relaxed);
        ring_join_tx(&tx[i], ring, &tails[i]);
        ring_join_rx(&rx[i], ring, &tails[i]);
        CHECK(watch_add(&tx[i].watch, &sleeping, bell) == 0);
        CHECK(waiter_add(&waiter, &ring->head) == 0);
        taken[i] = 0;
    }
    explore_shared(memory, sizeof memory);
    explore_shared(tails, sizeof tails);
    explore_shared(&sleeping, sizeof sleeping);
}

static void setup_one(void)
{
    setup_with(1, -1);
}

static void setup_two(void)
{
    setup_with(2, -1);
}

static void setup_bell(void)
{
    setup_with(1, BELL);
}

static void push(u32 i, u32 number)
{
    struct message *m = ring_alloc(&tx[i], sizeof *m);
    HOLDS(m != NULL);
    *m = (struct message){sizeof *m, number};
    ring_push(&tx[i], sizeof *m);
}

static void produce(u32 i)
{
    for (u32 number = 0; number < MESSAGES; number++) {
        push(i, number);
        ring_publish(&tx[i]);
    }
}

static void produce_first(void)
{
    produce(0);
}

static void produce_second(void)
{
    produce(1);
}

/* Who sleeps is looked for before there is anything to see. */
static void wake_early(void)
{
    u32 watchers = tx[0].watch.count;
    for (u32 number = 0; number < MESSAGES; number++) {
        push(0, number);
        tx[0].watch.count = watchers;
        watch_notify(&tx[0].watch);
        tx[0].watch.count = 0;
        ring_publish(&tx[0]);
    }
}

static bool take_all(void)
{
    bool any = false;
    for (u32 i = 0; i < producers; i++)
        for (const struct message *m; (m = ring_peek(&rx[i])); any = true) {
            HOLDS(m->number == taken[i]++);
            ring_pop(&rx[i], m->length);
            ring_release(&rx[i]);
        }
    return any;
}

static bool has_all(void)
{
    for (u32 i = 0; i < producers; i++)
        if (taken[i] < MESSAGES) return false;
    return true;
}

static void consume(void)
{
    while (!has_all()) {
        waiter_look(&waiter);
        if (!take_all()) waiter_sleep(&waiter, UINT64_MAX / 4);
    }
}

/* The flag goes up, and what came meanwhile is not looked for again. */
static void consume_blindly(void)
{
    while (!has_all()) {
        bool any = take_all();
        waiter_look(&waiter); /* too late: what it sees may be what it has not taken */
        if (!any) waiter_sleep(&waiter, UINT64_MAX / 4);
    }
}

static void consume_by_bell(void)
{
    while (!has_all()) {
        waiter_look(&waiter);
        if (take_all()) continue;
        if (waiter_doze(&waiter, SIGNAL_IN_EPOLL)) {
            explore_poll(BELL);
            waiter_rise(&waiter);
        }
    }
}

#define PLAN(title, prepare, consumer) \
    .name = (title), .threads = 2, .thread = {produce_first, (consumer)}, .setup = (prepare), \
    .memory = EXPLORE_TSO, .preemptions = 3, .delays = 2

const struct explore_plan sleep_plans[] = {
    {PLAN("sleep: one ring, futex", setup_one, consume)},
    {PLAN("sleep: one ring, bell", setup_bell, consume_by_bell)},
    {.name = "sleep: two rings, futex_waitv",
     .threads = 3,
     .thread = {produce_first, produce_second, consume},
     .setup = setup_two,
     .memory = EXPLORE_TSO,
     .preemptions = 2,
     .delays = 1},
    {PLAN("sleep: the producer's full fence is missing", setup_one, consume),
     .bug = BUG_NO_FULL_FENCE, .bug_thread = 0},
    {PLAN("sleep: by bell, the waiter's full fence is missing", setup_bell, consume_by_bell),
     .bug = BUG_NO_FULL_FENCE, .bug_thread = 1},
    {PLAN("sleep: it looks at the inputs after it read them", setup_one, consume_blindly),
     .bug = BUG_IN_SCENARIO},
    {.name = "sleep: the waker looks before it publishes",
     .threads = 2,
     .thread = {wake_early, consume},
     .setup = setup_one,
     .memory = EXPLORE_TSO,
     .preemptions = 4,
     .delays = 3,
     .bug = BUG_IN_SCENARIO},
    {.name = NULL},
};
