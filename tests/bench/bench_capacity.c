/* bench_capacity.c: a market with ten million resting orders.
 *
 *   bench_capacity [orders [levels]]      default 10000000 and 1000000
 *
 * Fills one market's book to the brim, asks for one more, cancels every order in another order than
 * they came, and prints the memory per order and the rate of each step. */
#include "shm/book.h"
#include "shm/err.h"

#include <sys/mman.h>
#include <time.h>

static u64 now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec;
}

static void say(const char *what, u64 n, u64 since)
{
    printf("%-10s %9lu orders  %6.2f M/s\n", what, n, (double)n / (double)(now_ns() - since) * 1e3);
}

static struct books *make(const struct books_config *config)
{
    u64 bytes = books_footprint(config);
    void *mem =
        bytes ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) : NULL;
    struct books *b = mem && mem != MAP_FAILED ? books_join(books_new(mem, config)) : NULL;
    if (!b || books_open(b, 0) != 0) {
        fprintf(stderr, "bench_capacity: no book of %u orders in %lu bytes\n", config->orders_max,
                bytes);
        exit(1);
    }
    printf("%lu MiB for %u orders and %u levels: %.1f bytes an order, all in all\n", bytes >> 20,
           config->orders_max, config->levels_max, (double)bytes / config->orders_max);
    return b;
}

int main(int argc, char **argv)
{
    u32 orders = argc > 1 ? (u32)strtoul(argv[1], NULL, 0) : 10000000;
    u32 levels = argc > 2 ? (u32)strtoul(argv[2], NULL, 0) : 1000000;
    struct books_config config = {
        .markets_max = 1, .orders_max = orders, .levels_max = levels, .slots_max = orders + 2};
    struct books *b = make(&config);
    struct book_event at[BOOK_EVENTS_MIN] = {0};
    u64 start = now_ns();
    for (u32 i = 0; i <= orders; i++) {
        struct book_events out = {.at = at, .max = BOOK_EVENTS_MIN};
        struct book_order o = {.id = 1UL << 32 | (i + 1),
                               .price = 1 + (u64)i * 0x9e3779b9U % levels * 1000,
                               .lots = 1 + i % 100,
                               .account = i % 50000,
                               .side = BOOK_SELL,
                               .tif = BOOK_GTC};
        CHECK(book_submit(b, &o, &out) == BOOK_DONE);
        CHECK(at[0].kind == (i < orders ? BOOK_RESTED : BOOK_REJECTED));
    }
    CHECK(at[0].code == BOOK_CODE_CAPACITY && book_orders(b, 0) == orders);
    say("rested", orders, start);
    printf("one more is refused with %u; %u levels\n", at[0].code, book_levels(b, 0));
    start = now_ns();
    for (u64 i = 0, slot = 0; i < orders; i++) {
        struct book_events out = {.at = at, .max = BOOK_EVENTS_MIN};
        slot = (slot + 7368787) % orders; /* a prime: every slot once, but for its multiples */
        CHECK(book_cancel(b, 1UL << 32 | (slot + 1), BOOK_BY_USER, &out) == BOOK_DONE);
        CHECK(at[0].kind == BOOK_CANCELED);
    }
    say("cancelled", orders, start);
    CHECK(book_orders(b, 0) == 0 && book_levels(b, 0) == 0);
    return 0;
}
