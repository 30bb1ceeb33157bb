/* ring.c: the SPSC ring under every interleaving: what comes out is what went in, in order, whole,
 * around the end of the memory, full or not. */
#include "shm/ring.h"

#include "tests/interleave/scenarios.h"

#define CAPACITY 4096U
#define MESSAGES 6U
#define BEGIN    (16UL * CAPACITY - 1000) /* the second message does not fit before the end */

struct message {
    u32 length, number;
    u64 words[];
};

static alignas(CACHE_LINE) u8 memory[sizeof(struct ring) + CAPACITY];
static _Atomic u64 tail;
static struct ring_tx tx;
static struct ring_rx rx;
static u32 taken;
static bool small; /* messages of a few words, where each word read is a step */

static u32 length_of(u32 number)
{
    static const u32 lengths[] = {512, 1024, 1016, 1024, 8 * 64, 1024};
    return small ? 24 + 8 * (number % 2) : lengths[number % COUNT_OF(lengths)];
}

static u64 word_of(u32 number, u32 i)
{
    return (number + 1UL) << 32 | i;
}

static void setup_at(u64 begin)
{
    struct ring *ring = (struct ring *)(void *)memory;
    ring_new(memory, CAPACITY);
    atomic_store_explicit(&ring->head, begin, memory_order_relaxed);
    atomic_store_explicit(&tail, begin, memory_order_relaxed);
    ring_join_tx(&tx, ring, &tail);
    ring_join_rx(&rx, ring, &tail);
    explore_shared(memory, sizeof memory);
    explore_shared(&tail, sizeof tail);
    taken = 0;
}

static void setup(void)
{
    small = false;
    setup_at(BEGIN);
}

static void setup_small(void)
{
    small = true;
    setup_at(16UL * CAPACITY - 64); /* the third does not fit before the end */
}

static void fill(struct message *m, u32 number)
{
    m->length = length_of(number);
    m->number = number;
    for (u32 i = 0; i < (m->length - sizeof *m) / 8; i++) m->words[i] = word_of(number, i);
}

static void verify(const struct message *m, u32 number)
{
    HOLDS(m->length == length_of(number) && m->number == number);
    for (u32 i = 0; i < (m->length - sizeof *m) / 8; i++) HOLDS(m->words[i] == word_of(number, i));
}

static struct message *alloc(u32 number)
{
    struct message *m;
    while (!(m = ring_alloc(&tx, length_of(number)))) explore_idle_while(&tail, tx.tail_cached);
    return m;
}

static void produce(void)
{
    for (u32 number = 0; number < MESSAGES; number++) {
        struct message *m = alloc(number);
        fill(m, number);
        ring_push(&tx, m->length);
        ring_publish(&tx);
    }
}

/* Seen before it is written. */
static void produce_early(void)
{
    for (u32 number = 0; number < MESSAGES; number++) {
        struct message *m = alloc(number);
        m->length = length_of(number);
        ring_push(&tx, m->length);
        ring_publish(&tx);
        fill(m, number);
    }
}

/* Two at a time: the first is seen with the second. */
static void produce_pairs(void)
{
    for (u32 number = 0; number < MESSAGES; number++) {
        struct message *m;
        while (!(m = ring_alloc(&tx, length_of(number)))) {
            ring_publish(&tx);
            explore_idle_while(&tail, tx.tail_cached);
        }
        fill(m, number);
        ring_push(&tx, m->length);
        if (number % 2) ring_publish(&tx);
    }
    ring_publish(&tx);
}

static void consume(void)
{
    while (taken < MESSAGES) {
        const struct message *m = ring_peek(&rx);
        if (!m) {
            explore_idle_while(&rx.ring->head, rx.head_cached);
            continue;
        }
        verify(m, taken++);
        ring_pop(&rx, m->length);
        ring_release(&rx);
    }
}

/* Room is given back before the message is read. */
static void consume_early(void)
{
    while (taken < MESSAGES) {
        const struct message *m = ring_peek(&rx);
        if (!m) {
            explore_idle_while(&rx.ring->head, rx.head_cached);
            continue;
        }
        ring_pop(&rx, length_of(taken));
        ring_release(&rx);
        (void)atomic_load_explicit(&tail, memory_order_relaxed); /* a place to switch at */
        verify(m, taken++);
    }
}

static void consume_copies(void)
{
    static alignas(8) u8 copy[CAPACITY];
    while (taken < MESSAGES) {
        int n = ring_copy(&rx, copy, sizeof copy, sizeof(struct message));
        HOLDS(n >= 0);
        if (!n) {
            explore_idle_while(&rx.ring->head, rx.head_cached);
            continue;
        }
        verify((const struct message *)(const void *)copy, taken++);
        ring_release(&rx);
    }
}

static void check(void)
{
    HOLDS(taken == MESSAGES && atomic_load_explicit(&tail, memory_order_relaxed) == rx.pos);
    HOLDS(rx.pos == tx.head);
}

#define PLAN(title, prepare, producer, consumer) \
    .name = (title), .threads = 2, .thread = {(producer), (consumer)}, .setup = (prepare), \
    .check = check, .memory = EXPLORE_PSO, .preemptions = 2, .delays = 2

const struct explore_plan ring_plans[] = {
    {PLAN("ring: one by one, read in place", setup, produce, consume)},
    {PLAN("ring: in pairs, read in place", setup, produce_pairs, consume)},
    {PLAN("ring: one by one, copied", setup_small, produce, consume_copies)},
    {PLAN("ring: published before it is written", setup, produce_early, consume),
     .bug = BUG_IN_SCENARIO},
    {PLAN("ring: released before it is read", setup, produce, consume_early),
     .bug = BUG_IN_SCENARIO},
    {.name = NULL},
};
