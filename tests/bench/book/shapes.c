/* shapes.c: see shapes.h. */
#include "tests/bench/book/shapes.h"

#include <string.h>

#define MIDDLE (BOOK_PRICE_MAX / 2)

enum { CHURN, SWEEP }; /* cancel at random and come again; one order that takes all */

/* Where an order of a shape rests. */
static u64 one_price(u64 *s)
{
    (void)s;
    return MIDDLE;
}

static u64 dense_prices(u64 *s)
{
    return MIDDLE + flow_random(s) % (1UL << 20);
}

static u64 sparse_prices(u64 *s)
{
    return 1 + flow_random(s) % BOOK_PRICE_MAX;
}

static u64 both_ends(u64 *s)
{
    u64 r = flow_random(s);
    return r & 1 ? 1 + r % 4096 : BOOK_PRICE_MAX - r % 4096;
}

static const struct {
    const char *name;
    u64 (*price)(u64 *s);
    int what;
} shapes[] = {
    {"one-level", one_price, CHURN},         {"dense-levels", dense_prices, CHURN},
    {"sparse-levels", sparse_prices, CHURN}, {"both-ends", both_ends, CHURN},
    {"sweep-level", one_price, SWEEP},       {"sweep-sparse", sparse_prices, SWEEP},
};
const u32 shapes_count = COUNT_OF(shapes);

const char *shape_name(u32 i)
{
    return shapes[i].name;
}

struct flow shape_make(u32 i, u32 orders, u64 seed, u64 *from)
{
    u64 s = seed ^ 0x5eed, n = 0;
    struct flow f = {
        .name = shapes[i].name, .slots = orders + 1, .sweeps = shapes[i].what == SWEEP};
    f.m = malloc(3UL * orders * sizeof(*f.m));
    CHECK(f.m);
    for (u32 k = 0; k < orders; k++) {
        f.m[n++] = (struct flow_message){.kind = FLOW_NEW,
                                         .slot = k,
                                         .price = shapes[i].price(&s),
                                         .lots = 1 + flow_random(&s) % 100,
                                         .account = (u32)(flow_random(&s) % 1000),
                                         .side = BOOK_SELL,
                                         .tif = BOOK_GTC};
    }
    *from = n;
    if (shapes[i].what == SWEEP) { /* in steps that each take some forty orders */
        for (u32 k = 0; k < orders / 40; k++) {
            f.m[n++] = (struct flow_message){.kind = FLOW_NEW,
                                             .slot = orders,
                                             .price = BOOK_PRICE_MAX,
                                             .lots = 40 * 50,
                                             .account = 5000,
                                             .side = BOOK_BUY,
                                             .tif = BOOK_IOC};
        }
    }
    for (u32 k = 0; k < orders && shapes[i].what == CHURN; k++) {
        u64 slot = flow_random(&s) % orders;
        struct flow_message again = f.m[slot];
        again.price = shapes[i].price(&s);
        f.m[n++] = (struct flow_message){.kind = FLOW_CANCEL, .slot = slot};
        f.m[n++] = again;
    }
    f.n = n;
    return f;
}
