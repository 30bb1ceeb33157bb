/* Any bytes are a list of requests to the books: the events must be those of the naive model, the
 * books must stay whole, and what a snapshot would hold must load to equal checksums.
 *
 * Six bytes are one request: what, ids, price, lots, flags, room of the event buffer. */
#include "tests/unit/test_book_model.h"

/* Slots are far apart, so that they meet in the few low bits by which late ids are looked up first.
 */
#define SLOT_STEP 7U
#define SLOTS     (64U << SLOT_STEP)

static struct model m;
static struct book_event got[MODEL_EVENTS];

static struct books *make_books(u32 orders_max)
{
    struct books_config config = {
        .markets_max = MODEL_MARKETS, .orders_max = orders_max, .slots_max = SLOTS};
    void *mem = aligned_alloc(books_align(), books_footprint(&config));
    struct books *b = books_join(books_new(mem, &config));
    CHECK(b);
    for (u32 k = 0; k < MODEL_MARKETS; k++) CHECK(books_open(b, k) == 0);
    return b;
}

/* Prices in the middle and at both ends of the domain, and two that are out of it. */
static u64 price_of(u8 byte)
{
    static const u64 base[] = {1000, 1, BOOK_PRICE_MAX - 31, 1UL << 31, 1UL << 48, 0, 4096, 1000};
    return base[byte >> 5] + (byte & 31);
}

static void check_events(struct books *b, int status, struct book_events *out)
{
    u32 n = 0;
    for (;; status = book_continue(b, out)) {
        CHECK(n + out->count <= MODEL_EVENTS);
        memcpy(&got[n], out->at, out->count * sizeof(got[0]));
        n += out->count;
        out->count = 0;
        CHECK(book_busy(b) == (status == BOOK_MORE));
        if (status == BOOK_DONE) break;
    }
    CHECK(n == m.events);
    CHECK(memcmp(got, m.e, n * sizeof(got[0])) == 0);
}

static void request(struct books *b, const u8 *in)
{
    struct book_event buffer[16];
    struct book_events out = {.at = buffer, .max = BOOK_EVENTS_MIN + in[5] % 12};
    u64 id = (1UL + in[0] % 2) << 32 | (in[1] % 70UL) << SLOT_STEP;
    u8 what = in[0] / 2 % 8;
    if (what == 0) {
        model_cancel(&m, id, BOOK_BY_USER);
        check_events(b, book_cancel(b, id, BOOK_BY_USER, &out), &out);
    } else if (what == 1) {
        model_amend(&m, id, price_of(in[2]), in[3], in[4] % 5);
        check_events(b, book_amend(b, id, price_of(in[2]), in[3], in[4] % 5, &out), &out);
    } else if (what == 2) {
        u32 market = in[2] % (MODEL_MARKETS + 1), account = in[3] % 5;
        model_cancel_all(&m, market, account, in[4] % 3, BOOK_BY_MASS);
        int status = book_cancel_all(b, market, account, in[4] % 3, BOOK_BY_MASS, &out);
        check_events(b, status, &out);
    } else {
        struct book_order o = {.id = id,
                               .price = price_of(in[2]),
                               .lots = in[3] == 255 ? BOOK_LOTS_MAX : in[3],
                               .market = in[0] / 16 % 4,
                               .account = in[4] % 5,
                               .side = 1 + in[4] / 8 % 2,
                               .tif = 1 + in[4] / 16 % 4,
                               .stp = in[4] / 64};
        if (what == 7) o.budget = 1 + in[5] * price_of(in[2]) / 8 % (1UL << 61);
        if (o.lots > 255 && !(o.budget && o.tif == BOOK_IOC)) o.lots = 255;
        if (!model_slot_free(&m, o.id)) return;
        model_submit(&m, &o);
        check_events(b, book_submit(b, &o, &out), &out);
    }
}

static void check_whole(const struct books *b, u32 orders_max)
{
    static struct book_order want[MODEL_ORDERS];
    struct books *copy = make_books(orders_max + 5);
    for (u32 k = 0; k < MODEL_MARKETS; k++) {
        for (u8 side = BOOK_BUY; side <= (u8)BOOK_SELL; side++) {
            u32 n = model_side(&m, k, side, want), i = 0;
            for (u32 c = book_first(b, k, side); c; c = book_next(b, c), i++) {
                struct book_order o;
                book_at(b, c, &o);
                CHECK(i < n && memcmp(&o, &want[i], sizeof(o)) == 0);
                CHECK(book_restore(copy, &o) == 0);
            }
            CHECK(i == n);
        }
        CHECK(book_checksum(b, k) == book_checksum(copy, k));
    }
    CHECK(books_use(b).orders == m.n && books_use(copy).levels == books_use(b).levels);
    free(books_delete(books_leave(copy)));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    if (size < 1 || size > 6000) return 0;
    u32 orders_max = 1 + data[0] % 48;
    struct books *b = make_books(orders_max);
    m = (struct model){.orders_max = orders_max, .slots_max = SLOTS};
    for (size_t at = 1; at + 6 <= size; at += 6) request(b, data + at);
    check_whole(b, orders_max);
    free(books_delete(books_leave(b)));
    return 0;
}
