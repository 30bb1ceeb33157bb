/* The ring, one thread: every message size at every place, wrap-around, full, restart of either
 * side, and a producer that lies. */
#include "shm/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define CAPACITY 4096UL

static alignas(CACHE_LINE) u8 memory[sizeof(struct ring) + CAPACITY];
static _Atomic u64 tail;

struct ends {
    struct ring_tx tx;
    struct ring_rx rx;
};

static void open_ring(struct ends *e)
{
    memset(memory, 0, sizeof memory);
    ring_new(memory, CAPACITY);
    atomic_store(&tail, 0);
    ring_join_tx(&e->tx, (struct ring *)(void *)memory, &tail);
    ring_join_rx(&e->rx, (struct ring *)(void *)memory, &tail);
}

/* Write one message of `length` whose words all tell `number`; false when there is no room. */
static bool put(struct ring_tx *tx, u32 length, u32 number)
{
    u32 *m = ring_alloc(tx, length);
    if (!m) return false;
    m[0] = length;
    for (u32 i = 1; i < length / 4; i++) m[i] = number;
    ring_push(tx, length);
    return true;
}

static void check(const u32 *m, u32 length, u32 number)
{
    assert_int_equal(m[0], length);
    for (u32 i = 1; i < length / 4; i++) assert_int_equal(m[i], number);
}

static void footprints(void **state)
{
    (void)state;
    assert_int_equal(ring_footprint(4096), 4096 + 128);
    assert_int_equal(ring_footprint(2048), 0);
    assert_int_equal(ring_footprint(5000), 0);
    assert_int_equal(ring_footprint(1UL << 41), 0);
    assert_true(sizeof(struct ring) % ring_align() == 0);
}

/* Sizes 8 .. a quarter, each begun at every 8-byte place of the ring. */
static void every_size_at_every_place(void **state)
{
    (void)state;
    struct ends e;
    for (u32 length = 8; length <= CAPACITY / 4; length += 8) {
        open_ring(&e);
        for (u32 n = 0; n < 3 * CAPACITY / 8; n++) {
            assert_true(put(&e.tx, length, n));
            ring_publish(&e.tx);
            const u32 *m = ring_peek(&e.rx);
            assert_non_null(m);
            check(m, length, n);
            ring_pop(&e.rx, length);
            assert_null(ring_peek(&e.rx));
            ring_release(&e.rx);
            /* one small step, so that the next one begins elsewhere */
            assert_true(put(&e.tx, 8, n));
            ring_publish(&e.tx);
            check(ring_peek(&e.rx), 8, n);
            ring_pop(&e.rx, 8);
            ring_release(&e.rx);
        }
    }
}

/* Filled to the brim with mixed sizes, then emptied, many times: nothing unread is overwritten. */
static void full_and_empty(void **state)
{
    (void)state;
    struct ends e;
    u32 lengths[CAPACITY / 8], next = 0, seed = 1;
    open_ring(&e);
    for (u32 round = 0; round < 2000; round++) {
        u32 count = 0, first = next;
        for (;;) {
            seed = seed * 1664525U + 1013904223U;
            u32 length = 8 + (seed >> 16) % 128 * 8;
            if (!put(&e.tx, length, next)) break;
            lengths[count++] = length;
            next++;
        }
        assert_null(ring_peek(&e.rx)); /* not published yet */
        ring_publish(&e.tx);
        for (u32 i = 0; i < count; i++) {
            const u32 *m = ring_peek(&e.rx);
            assert_non_null(m);
            check(m, lengths[i], first + i);
            ring_pop(&e.rx, lengths[i]);
        }
        assert_null(ring_peek(&e.rx));
        assert_true(count > 2);
        ring_release(&e.rx);
    }
}

static void no_room_until_released(void **state)
{
    (void)state;
    struct ends e;
    open_ring(&e);
    for (u32 i = 0; i < 4; i++) assert_true(put(&e.tx, CAPACITY / 4, i));
    assert_false(put(&e.tx, 8, 9));
    ring_publish(&e.tx);
    check(ring_peek(&e.rx), CAPACITY / 4, 0);
    ring_pop(&e.rx, CAPACITY / 4);
    assert_false(put(&e.tx, 8, 9)); /* popped, not released */
    ring_release(&e.rx);
    assert_true(put(&e.tx, 8, 9));
}

/* A producer that dies before it publishes: its successor overwrites what nobody saw. */
static void producer_restarts(void **state)
{
    (void)state;
    struct ends e;
    open_ring(&e);
    assert_true(put(&e.tx, 64, 1));
    ring_publish(&e.tx);
    assert_true(put(&e.tx, 64, 2));
    ring_leave_tx(&e.tx);
    ring_join_tx(&e.tx, (struct ring *)(void *)memory, &tail);
    assert_true(put(&e.tx, 32, 3));
    ring_publish(&e.tx);
    check(ring_peek(&e.rx), 64, 1);
    ring_pop(&e.rx, 64);
    check(ring_peek(&e.rx), 32, 3);
}

/* A consumer that dies sees again what it had not released. */
static void consumer_restarts(void **state)
{
    (void)state;
    struct ends e;
    open_ring(&e);
    for (u32 i = 0; i < 3; i++) assert_true(put(&e.tx, 64, i));
    ring_publish(&e.tx);
    ring_pop(&e.rx, 64);
    ring_release(&e.rx);
    check(ring_peek(&e.rx), 64, 1);
    ring_pop(&e.rx, 64);
    ring_leave_rx(&e.rx);
    ring_join_rx(&e.rx, (struct ring *)(void *)memory, &tail);
    check(ring_peek(&e.rx), 64, 1);
}

/* What its predecessor had consumed is skipped, and what comes after is seen only once published.
 */
static void consumer_skips_what_was_consumed(void **state)
{
    (void)state;
    struct ends e;
    open_ring(&e);
    assert_true(put(&e.tx, 64, 0));
    ring_publish(&e.tx);
    assert_true(put(&e.tx, 64, 1));
    ring_skip_to(&e.rx, 64);
    assert_null(ring_peek(&e.rx));
    ring_publish(&e.tx);
    check(ring_peek(&e.rx), 64, 1);
    ring_skip_to(&e.rx, 8); /* never back */
    check(ring_peek(&e.rx), 64, 1);
}

static void copies_whole_messages(void **state)
{
    (void)state;
    struct ends e;
    u32 buf[CAPACITY / 16];
    open_ring(&e);
    for (u32 n = 0; n < 1000; n++) {
        u32 length = 8 + n % 100 * 8;
        assert_true(put(&e.tx, length, n));
        ring_publish(&e.tx);
        assert_int_equal(ring_copy(&e.rx, buf, sizeof buf, 8), length);
        check(buf, length, n);
        assert_int_equal(ring_copy(&e.rx, buf, sizeof buf, 8), 0);
        ring_release(&e.rx);
    }
}

/* Whatever stands in the producer's region, the consumer stays inside it and inside its buffer. */
static void survives_a_hostile_producer(void **state)
{
    (void)state;
    struct ring *r = (struct ring *)(void *)memory;
    struct {
        u32 before[4];
        alignas(8) u32 buf[16];
        u32 after[4];
    } guarded;
    struct ends e;
    u64 seed = 88172645463325252UL;
    u32 refused = 0, taken = 0;
    memset(&guarded, 0x5a, sizeof guarded);
    for (u32 n = 0; n < 200000; n++) {
        u64 start = (seed >> 20) % (4 * CAPACITY) & ~7UL;
        open_ring(&e);
        atomic_store(&tail, start);
        ring_join_rx(&e.rx, r, &tail);
        for (u32 i = 0; i < 32; i++) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            u32 kind = (u32)seed & 7;
            u32 word = (u32)(seed >> 32);
            if (kind < 6) word = word % 10 * 8;
            if (kind == 6) word = RING_SKIP;
            memcpy(r->slots + ((start + i * 8) & (CAPACITY - 1)), &word, 4);
        }
        u64 head = seed >> 60 == 0 ? seed : start + (seed >> 32) % 512;
        atomic_store(&r->head, head);
        for (u32 i = 0; i < 40; i++) {
            int length = ring_copy(&e.rx, guarded.buf, sizeof guarded.buf, 24);
            refused += length < 0;
            taken += length > 0;
            if (length <= 0) break;
            assert_in_range(length, 24, sizeof guarded.buf);
            assert_int_equal(guarded.buf[0], length);
            assert_true(e.rx.pos - start <= CAPACITY);
        }
    }
    for (u32 i = 0; i < 4; i++) {
        assert_int_equal(guarded.before[i], 0x5a5a5a5a);
        assert_int_equal(guarded.after[i], 0x5a5a5a5a);
    }
    assert_true(refused > 1000);
    assert_true(taken > 1000);
}

static void refuses_each_lie(void **state)
{
    (void)state;
    struct ring *r = (struct ring *)(void *)memory;
    static const struct {
        u64 head;
        u32 length;
    } lies[] = {
        {CAPACITY + 8, 64}, /* more than fits */
        {12, 8},            /* no multiple of 8 */
        {64, 0},            /* no message */
        {64, 16},           /* shorter than the shortest */
        {64, 28},           /* no multiple of 8 */
        {64, 72},           /* beyond the head */
        {256, 136},         /* longer than the buffer */
        {64, RING_SKIP},    /* padding beyond the head */
    };
    u64 buf[16];
    for (u32 i = 0; i < COUNT_OF(lies); i++) {
        struct ends e;
        open_ring(&e);
        memcpy(r->slots, &lies[i].length, 4);
        atomic_store(&r->head, lies[i].head);
        for (u32 again = 0; again < 2; again++)
            assert_int_equal(ring_copy(&e.rx, buf, sizeof buf, 24), -1);
        assert_int_equal(e.rx.pos, 0);
    }
}

/* A consumer that lies about its tail can stop its producer, and no more. */
static void hostile_tail_only_blocks(void **state)
{
    (void)state;
    struct ends e;
    open_ring(&e);
    atomic_store(&tail, 1UL << 40);
    u32 accepted = 0;
    while (accepted < 100 && put(&e.tx, 64, 1)) accepted++;
    assert_true(accepted <= CAPACITY / 64);
}

/* What is known to lie behind the next message, over the end of the ring too, is what comes; what
 * was published since nobody looked is not known. */
static void knows_what_it_has_seen(void **state)
{
    struct ends e;
    u64 ahead = 0;
    u32 sent = 0, seen = 0, taken = 0;
    const u32 *m;
    (void)state;
    open_ring(&e);
    assert_null(ring_known(&e.rx, &ahead));
    for (u32 turn = 0; turn < 500; turn++) {
        u32 first = sent;
        while (sent < first + 3 && put(&e.tx, 264 + 8 * (sent % 40), sent)) sent++;
        ring_publish(&e.tx);
        assert_null(ring_known(&e.rx, &ahead));
        m = ring_peek(&e.rx);
        assert_non_null(m);
        for (const u32 *k; (k = ring_known(&e.rx, &ahead)); seen++) {
            check(k, 264 + 8 * (seen % 40), seen);
            ahead += k[0];
        }
        assert_int_equal(seen, sent);
        for (; (m = ring_peek(&e.rx)); taken++) {
            check(m, 264 + 8 * (taken % 40), taken);
            ring_pop(&e.rx, m[0]);
        }
        ring_release(&e.rx);
    }
    assert_true(taken == sent && sent > 1000);
}

static void delete_forgets(void **state)
{
    (void)state;
    struct ends e;
    open_ring(&e);
    ring_delete(memory);
    assert_int_equal(((struct ring *)(void *)memory)->magic, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(footprints),
        cmocka_unit_test(every_size_at_every_place),
        cmocka_unit_test(full_and_empty),
        cmocka_unit_test(no_room_until_released),
        cmocka_unit_test(producer_restarts),
        cmocka_unit_test(consumer_restarts),
        cmocka_unit_test(consumer_skips_what_was_consumed),
        cmocka_unit_test(copies_whole_messages),
        cmocka_unit_test(survives_a_hostile_producer),
        cmocka_unit_test(refuses_each_lie),
        cmocka_unit_test(hostile_tail_only_blocks),
        cmocka_unit_test(knows_what_it_has_seen),
        cmocka_unit_test(delete_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
