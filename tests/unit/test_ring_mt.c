/* The ring between two threads that sleep and wake, and between two processes of which one is
 * killed again and again: every message once, in order. */
#include "shm/ring.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define CAPACITY 4096UL
#define MESSAGES 100000U

struct shared {
    _Atomic u32 sleeping; /* consumer's */
    _Atomic u64 tail;
    _Atomic u64 consumed; /* messages */
    alignas(CACHE_LINE) u8 ring[sizeof(struct ring) + CAPACITY];
};

static struct shared *make(void)
{
    struct shared *s =
        mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(s != MAP_FAILED);
    ring_new(s->ring, CAPACITY);
    return s;
}

static struct ring *ring_of(struct shared *s)
{
    return (struct ring *)(void *)s->ring;
}

static u32 length_of(u32 number)
{
    return 16 + number % 61 * 8;
}

static void produce(struct shared *s, u32 from, u32 to)
{
    struct ring_tx tx;
    ring_join_tx(&tx, ring_of(s), &s->tail);
    watch_add(&tx.watch, &s->sleeping, -1);
    for (u32 n = from; n < to; n++) {
        u32 *m;
        while (!(m = ring_alloc(&tx, length_of(n)))) {
            ring_publish(&tx);
            sched_yield();
        }
        m[0] = length_of(n);
        m[1] = n;
        for (u32 i = 2; i < length_of(n) / 4; i++) m[i] = n;
        ring_push(&tx, length_of(n));
        if (n % 7 == 0) ring_publish(&tx);
    }
    ring_publish(&tx);
}

static bool is_right(const u32 *m, u32 number)
{
    if (m[0] != length_of(number)) return false;
    for (u32 i = 1; i < m[0] / 4; i++)
        if (m[i] != number) return false;
    return true;
}

/* Consume until `to` messages are gone; false at the first that is not the next. */
static bool consume(struct shared *s, u32 to)
{
    struct ring_rx rx;
    struct waiter w = {.sleeping = &s->sleeping};
    ring_join_rx(&rx, ring_of(s), &s->tail);
    waiter_add(&w, &ring_of(s)->head);
    u32 next = (u32)atomic_load(&s->consumed);
    while (next < to) {
        waiter_look(&w);
        const u32 *m = ring_peek(&rx);
        if (!m) {
            waiter_sleep(&w, 10000000000UL); /* a lost wake-up would show as a very long test */
            continue;
        }
        for (; m; m = ring_peek(&rx)) {
            if (!is_right(m, next)) return false;
            ring_pop(&rx, m[0]);
            next++;
        }
        atomic_store(&s->consumed, next);
        ring_release(&rx);
    }
    return true;
}

static void *produce_all(void *shared)
{
    produce(shared, 0, MESSAGES);
    return NULL;
}

static void two_threads(void **state)
{
    (void)state;
    struct shared *s = make();
    pthread_t producer;
    assert_int_equal(pthread_create(&producer, NULL, produce_all, s), 0);
    bool right = consume(s, MESSAGES);
    pthread_join(producer, NULL);
    assert_true(right);
    munmap(s, sizeof *s);
}

/* Each producer process is killed at an arbitrary place; the next finds in the ring how many
 * messages were published and goes on there. The consumer never sees half a message. */
static void producer_is_killed(void **state)
{
    (void)state;
    struct shared *s = make();
    struct ring_rx rx;
    ring_join_rx(&rx, ring_of(s), &s->tail);
    u32 next = 0;
    for (u32 round = 0; round < 40; round++) {
        pid_t child = fork();
        if (child == 0) {
            produce(s, next, UINT32_MAX);
            _exit(0);
        }
        for (u32 until = next + 200 + round * 37; next < until;) {
            const u32 *m = ring_peek(&rx);
            if (!m) {
                ring_release(&rx);
                sched_yield();
                continue;
            }
            assert_true(is_right(m, next++));
            ring_pop(&rx, m[0]);
        }
        ring_release(&rx);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        for (const u32 *m; (m = ring_peek(&rx)); ring_pop(&rx, m[0]))
            assert_true(is_right(m, next++));
        ring_release(&rx);
    }
    munmap(s, sizeof *s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_threads),
        cmocka_unit_test(producer_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
