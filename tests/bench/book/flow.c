/* flow.c: see flow.h. */
#include "tests/bench/book/flow.h"

#include <math.h>

#define MID_START 60000.0 /* ticks */

const struct flow_regime flow_regimes[] = {
    {"quiet", 0.02, 0, 400, 0},         {"swing-25", 0.25, 0, 200, 0},
    {"swing-40", 0.40, 0, 150, 0},      {"flash-crash", 0.10, 0.5, 150, 0},
    {"deep-static", 0.0, 0, 12000, 0},  {"wide", 0.25, 0, 200, 0.5},
    {"wide-deep", 0.05, 0, 12000, 0.5},
};
const u32 flow_regimes_count = COUNT_OF(flow_regimes);

u64 flow_random(u64 *state)
{
    u64 z = *state += 0x9e3779b97f4a7c15UL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
    return z ^ z >> 31;
}

double flow_unit(u64 *state)
{
    return (double)(flow_random(state) >> 11) * 0x1p-53;
}

/* A message and when it is due; ties in the order of making. */
struct due {
    double time;
    u64 number;
    struct flow_message m;
};

static int by_time(const void *a, const void *b)
{
    const struct due *x = a, *y = b;
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

static double exponential(u64 *s, double mean)
{
    return -mean * log(1.0 - flow_unit(s));
}

/* The mid after one more order: a random walk, plus the crash in the middle of the flow. */
static double walk(const struct flow_regime *r, double mid, double at, double orders, u64 *s)
{
    double steps = 12.0 / orders; /* variance of a sum of uniforms in [-.5, .5] is n / 12 */
    mid *= exp((flow_unit(s) - 0.5) * r->swing * sqrt(steps));
    double since = (at - orders / 2) / (orders / 100);
    if (r->crash > 0 && since >= 0 && since < 1) mid *= exp(log(1 - r->crash) * 100 / orders);
    if (r->crash > 0 && since >= 1 && since < 2) mid *= exp(-log(1 - r->crash) * 50 / orders);
    return mid < 1000 ? 1000 : mid;
}

static u64 at_distance(double mid, u8 side, double away)
{
    double price = side == BOOK_BUY ? mid - away : mid + away;
    return price < 1 ? 1 : (u64)price;
}

static u64 price_of(const struct flow_regime *r, double mid, u8 side, double distance, u64 *s)
{
    if (r->outlier > 0 && flow_unit(s) < r->outlier) {
        u64 far = flow_random(s) >> (2 + flow_random(s) % 40); /* all magnitudes alike */
        u64 near = (u64)mid + far % (BOOK_PRICE_MAX - (u64)mid);
        return side == BOOK_SELL ? near : 1 + far % (u64)mid;
    }
    return at_distance(mid, side, distance);
}

struct flow flow_make(const struct flow_regime *r, u32 orders, u32 accounts, u64 seed)
{
    struct due *d = malloc(3UL * orders * sizeof(*d));
    CHECK(d);
    u64 n = 0, s = seed * 0x9e3779b97f4a7c15UL ^ (u64)(r->swing * 1e6) ^ (u64)r->life << 32;
    double mid = MID_START;
    for (u32 i = 0; i < orders; i++) {
        mid = walk(r, mid, i, orders, &s);
        struct flow_message m = {.kind = FLOW_NEW,
                                 .slot = i,
                                 .lots = 1 + flow_random(&s) % 100,
                                 .account = (u32)(flow_random(&s) % accounts),
                                 .side = (u8)(1 + flow_random(&s) % 2),
                                 .tif = BOOK_GTC,
                                 .stp = BOOK_STP_CANCEL_MAKER};
        if (flow_unit(&s) < 0.15) {
            m.tif = BOOK_IOC;
            m.price = at_distance(mid, m.side, -(double)(flow_random(&s) % 8));
            d[n] = (struct due){i, n, m};
            n++;
            continue;
        }
        double distance = pow(1 - flow_unit(&s), -1 / 1.23); /* power law, exponent 2.23 */
        if (distance > mid / 2) distance = mid / 2;
        m.price = price_of(r, mid, m.side, distance, &s);
        d[n] = (struct due){i, n, m};
        n++;
        double life = exponential(&s, r->life * (1 + log(distance)));
        if (flow_unit(&s) < 0.20) {
            m.kind = FLOW_AMEND;
            u64 how = flow_random(&s) % 10;
            if (how < 8) m.price += flow_random(&s) % 2 && m.price > 1 ? -1UL : 1UL;
            if (how != 9) m.lots++;
            if (how == 9) m.lots = (m.lots + 1) / 2;
            d[n] = (struct due){i + life * flow_unit(&s), n, m};
            n++;
        }
        if (flow_unit(&s) < 0.95) {
            m.kind = FLOW_CANCEL;
            d[n] = (struct due){i + life, n, m};
            n++;
        }
    }
    qsort(d, n, sizeof(*d), by_time);
    struct flow f = {.name = r->name, .m = malloc(n * sizeof(*f.m)), .n = n, .slots = orders};
    CHECK(f.m);
    for (u64 i = 0; i < n; i++) f.m[i] = d[i].m;
    free(d);
    return f;
}

void flow_free(struct flow *flow)
{
    free(flow->m);
    flow->m = NULL;
}
