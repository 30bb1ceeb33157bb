/* Any bytes are a list of requests to the books: the events must be those of the naive model, the
 * books must stay whole, and what a snapshot would hold must load to equal checksums.
 *
 * The first byte says how many orders fit and how large batches are, then six bytes are one
 * request: what, ids, price, lots, flags, room of the event buffer. The book takes itself for a
 * large one, so that batches look ahead. */
#define BOOK_LARGE     1U
#define BOOK_SCATTERED 4U
#define BOOK_LEFT      4U /* rings of accounts are tidied from so many free cells on */
// NOLINTBEGIN(bugprone-suspicious-include): the same source, built another way
#include "shm/book.c"
#include "shm/book_accounts.c"
#include "shm/book_ahead.c"
#include "shm/book_mem.c"
#include "shm/book_query.c"
// NOLINTEND(bugprone-suspicious-include)

#include "tests/unit/test_book_model.h"

/* Slots are far apart, so that they meet in the few low bits by which late ids are looked up first.
 */
#define SLOT_STEP 7U
#define SLOTS     (64U << SLOT_STEP)

static struct model m;

#define BATCH  48U
#define EVENTS ((BATCH + 1) * MODEL_EVENTS)

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

/* Events of the requests under way: what the model says, and what the book does. */
static struct book_event want[EVENTS], got[EVENTS];
static u32 wanted, gathered;

static void expect(void)
{
    CHECK(wanted + m.events <= EVENTS);
    memcpy(&want[wanted], m.e, m.events * sizeof(want[0]));
    wanted += m.events;
}

static void gather(struct book_events *out)
{
    CHECK(gathered + out->count <= EVENTS);
    memcpy(&got[gathered], out->at, out->count * sizeof(got[0]));
    gathered += out->count;
    out->count = 0;
}

static void check_events(void)
{
    CHECK(gathered == wanted);
    CHECK(memcmp(got, want, gathered * sizeof(got[0])) == 0);
    gathered = wanted = 0;
}

/* Six bytes as a request, which the model answers at once. False if it breaks the rule of slots. */
static bool request(const u8 *in, struct book_request *q)
{
    u64 id = (1UL + in[0] % 2) << 32 | (in[1] % 70UL) << SLOT_STEP;
    u8 what = in[0] / 2 % 8;
    *q = (struct book_request){.o = {.id = id}};
    struct book_order *o = &q->o;
    if (what == 0) {
        q->what = BOOK_CANCEL;
        q->reason = BOOK_BY_USER;
        model_cancel(&m, id, BOOK_BY_USER);
    } else if (what == 1) {
        q->what = BOOK_AMEND;
        o->price = price_of(in[2]);
        o->lots = in[3];
        o->stp = in[4] % 5;
        model_amend(&m, id, o->price, o->lots, o->stp);
    } else if (what == 2) {
        q->what = BOOK_CANCEL_ALL;
        q->reason = BOOK_BY_MASS;
        o->market = in[2] % (MODEL_MARKETS + 1);
        o->account = in[3] % 5;
        o->side = in[4] % 3;
        model_cancel_all(&m, o->market, o->account, o->side, BOOK_BY_MASS);
    } else {
        q->what = BOOK_SUBMIT;
        *o = (struct book_order){.id = id,
                                 .price = price_of(in[2]),
                                 .lots = in[3] == 255 ? BOOK_LOTS_MAX : in[3],
                                 .market = in[0] / 16 % 4,
                                 .account = in[4] % 5,
                                 .side = 1 + in[4] / 8 % 2,
                                 .tif = 1 + in[4] / 16 % 4,
                                 .stp = in[4] / 64};
        if (what == 7) o->budget = 1 + in[5] * price_of(in[2]) / 8 % (1UL << 61);
        if (o->lots > 255 && !(o->budget && o->tif == BOOK_IOC)) o->lots = 255;
        if (!model_slot_free(&m, o->id)) return false;
        model_submit(&m, o);
    }
    expect();
    return true;
}

/* Up to BATCH requests in one batch, or one by its own function. */
static void make_all(struct books *b, const struct book_request *q, u32 n, u32 room)
{
    struct book_event buffer[16];
    struct book_events out = {.at = buffer, .max = room};
    struct book_batch t = {.requests = q, .count = n};
    for (int status = BOOK_MORE; status == BOOK_MORE || t.done < n;) {
        status = room % 2 ? book_run(b, &t, &out) : book_run_one(b, &t, &out);
        gather(&out);
        CHECK(status == BOOK_MORE || !book_busy(b));
    }
    check_events();
}

static void check_whole(const struct books *b, u32 orders_max)
{
    static struct book_order orders[MODEL_ORDERS];
    struct books *copy = make_books(orders_max + 5);
    for (u32 k = 0; k < MODEL_MARKETS; k++) {
        for (u8 side = BOOK_BUY; side <= (u8)BOOK_SELL; side++) {
            u32 n = model_side(&m, k, side, orders), i = 0;
            for (u32 c = book_first(b, k, side); c; c = book_next(b, c), i++) {
                struct book_order o;
                book_at(b, c, &o);
                CHECK(i < n && memcmp(&o, &orders[i], sizeof(o)) == 0);
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
    struct book_request q[BATCH];
    u32 n = 0, most = 1 + data[0] / 48 * 11U % BATCH; /* the first byte: sizes, as it says */
    for (size_t at = 1; at + 6 <= size; at += 6) {
        n += request(data + at, &q[n]);
        if (n < most && at + 12 <= size) continue;
        if (n) make_all(b, q, n, BOOK_EVENTS_MIN + data[at + 5] % 12);
        n = 0;
    }
    check_whole(b, orders_max);
    free(books_delete(books_leave(b)));
    return 0;
}
