/* fuzz_api_public.c: path and query of a public request, as its handler answers it: always whole
 * JSON, with data, or with a code of the protocol. Behind it stands a market with a book and
 * trades.
 */
#include <string.h>

#include "procs/api/routes.h"
#include "procs/lib/wire.h"
#include "shm/err.h"
#include "tests/lib/gateway_fixture.h"

#define LEVELS 300U

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void fill(struct gateway *g)
{
    struct match_order open = {
        .head = {.length = sizeof open, .kind = MATCH_OPENED, .version = RECORD_VERSION},
        .lots = 1000};
    struct match_trade trade = {
        .head = {.length = sizeof trade, .kind = MATCH_TRADE, .version = RECORD_VERSION},
        .lots = 1,
        .taker_side = SIDE_BUY};
    u64 seq = 0;
    for (u32 i = 0; i < LEVELS; i++) {
        open.side = i & 1 ? SIDE_BUY : SIDE_SELL;
        open.price = i & 1 ? 5000 - i : 5000 + 7 * i;
        open.head.seq = ++seq;
        CHECK(market_apply(g->market_writer, 0, &open.head) == 0);
    }
    for (u32 i = 0; i < 200; i++) {
        trade.price = 5000;
        trade.maker_left = 1000 - i - 1;
        trade.head.seq = ++seq;
        trade.head.time_ns = GATEWAY_START - (200 - i) * 1000 * NS_PER_S;
        CHECK(market_apply(g->market_writer, 0, &trade.head) == 0);
    }
}

static void check_answer(const struct json_out *o)
{
    CHECK(!o->full);
    json_t *answer = json_loadb(o->at, o->len, JSON_REJECT_DUPLICATES, NULL);
    CHECK(answer);
    json_t *data = json_object_get(answer, "data");
    json_t *code = json_object_get(data, "code");
    CHECK(data);
    if (code) CHECK(wire_code((u16)json_integer_value(code))->code == json_integer_value(code));
    json_decref(answer);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    static struct gateway *g;
    struct problem p;
    u16 status;
    char inbox[4096];
    if (!g) fill(g = gateway_new());
    if (!size || size >= TARGET_MAX) return 0;
    struct request *r = request_take(&g->api);
    CHECK(r);
    r->method = METHOD_GET;
    r->text_len = (u32)size;
    memcpy(r->text, data, size);
    bool base = size > strlen(API_BASE) && !memcmp(r->text, API_BASE, strlen(API_BASE));
    if (route_find(&g->api, r, &status, &p)) CHECK(status >= 400 && status < 500 && p.detail[0]);
    else if (base && r->route->access == ACCESS_PUBLIC) {
        g->ws->in_flight++;
        r->socket = g->ws;
        r->route->handle(&g->api, r, NULL);
        check_answer(&g->api.out);
        /* The answer, 1 MB at most, is of no further interest. */
        for (u32 i = 0; i < 300 && (!i || ws_backlog(g->ws)); i++) {
            gateway_turn(g, 0);
            while (read(g->peer, inbox, sizeof inbox) > 0) continue;
        }
        CHECK(!ws_backlog(g->ws));
        return 0;
    }
    request_free(&g->api, r);
    return 0;
}
