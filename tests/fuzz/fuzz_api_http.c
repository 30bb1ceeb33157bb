/* fuzz_api_http.c: an HTTP request as the gateway's parsers see it. Three texts divided by
 * newlines:
 *
 *   path and query \n Authorization header \n body
 *
 * Each must be read or refused with a code of the protocol, a field and a detail; what was read
 * must be a message that verify takes for well-formed.
 */
#include <string.h>

#include "procs/api/body.h"
#include "procs/api/cancel_read.h"
#include "procs/api/order_read.h"
#include "procs/api/prepare.h"
#include "procs/api/withdraw_read.h"
#include "procs/lib/wire.h"
#include "tests/lib/rules_fixture.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static struct rules *rules;

/* What was sent may be quoted there, and cut: it must be written as valid JSON all the same. */
static void check_detail(const char *detail)
{
    char text[6 * DETAIL_MAX + 2]; /* each byte may be escaped */
    struct json_out o;
    json_out_init(&o, text, sizeof text);
    json_put_cstring(&o, detail);
    json_t *back = json_loadb(text, o.len, JSON_DECODE_ANY, NULL);
    CHECK(!o.full && back);
    json_decref(back);
}

static void check_refused(const struct problem *p)
{
    CHECK(p->code && wire_code(p->code)->code == p->code);
    check_detail(p->detail);
    CHECK(p->field && p->detail[0]);
    CHECK(wire_code(p->code)->http >= 400 && wire_code(p->code)->http < 500);
}

static void check_order(const struct msg_order *m)
{
    CHECK(m->head.kind == MSG_ORDER && m->head.length == sizeof *m);
    CHECK(m->side == SIDE_BUY || m->side == SIDE_SELL);
    CHECK(m->type == TYPE_LIMIT || m->type == TYPE_MARKET);
    CHECK(m->tif >= TIF_GTC && m->tif <= TIF_GTX && m->stp <= STP_CANCEL_BOTH);
    CHECK(m->market < 2 && m->client_id_length <= CLIENT_ID_BYTES);
    CHECK((m->type == TYPE_MARKET) == (m->slippage_bps != 0));
    CHECK(m->type == TYPE_LIMIT || (!wad_get(m->price) && m->tif == TIF_IOC));
}

static void check_prepared(const struct msg_order *m)
{
    static char text[8192];
    static const u8 CONTRACT[20] = {0};
    struct json_out o;
    json_out_init(&o, text, sizeof text);
    prepare_put(&o, rules, 31337, CONTRACT, m, 0);
    CHECK(!o.full);
    json_t *back = json_read_object(text, o.len);
    CHECK(back);
    json_decref(back);
}

static void try_orders(json_t *body)
{
    static const u8 WALLET[WALLET_BYTES] = {1};
    struct msg_order m;
    struct problem p;
    if (order_read(body, rules, false, &m, &p)) check_refused(&p);
    else check_order(&m);
    if (order_read_prepare(body, rules, WALLET, &m, &p)) {
        check_refused(&p);
    } else {
        check_order(&m);
        check_prepared(&m);
    }
}

static void check_cancel(const struct msg_cancel *m)
{
    CHECK(m->head.length == sizeof *m + m->count * sizeof(u64));
    CHECK(m->count <= MSG_CANCEL_IDS_MAX && m->path_length <= MSG_PATH_BYTES);
    CHECK(m->auth == AUTH_CANCEL || m->auth == AUTH_REQUEST);
}

static void try_cancels(const struct target *t, const char *header, json_t *body)
{
    static union cancel_msg c;
    struct span args[PATH_ARGS];
    struct problem p;
    if (path_matches(t->path, API_BASE "/orders/{}", args)) {
        if (cancel_read_one(args[0], body, header, t->path, &c, &p)) check_refused(&p);
        else check_cancel(&c.msg);
    }
    if (cancel_read_many(t, body, header, rules, &c, &p)) check_refused(&p);
    else check_cancel(&c.msg);
    for (int all = 0; body && all <= 1; all++) {
        if (cancel_read_socket(body, all, rules, &c, &p)) check_refused(&p);
        else check_cancel(&c.msg);
    }
}

static void try_withdrawals(const struct target *t, const char *header, json_t *body)
{
    struct msg_withdraw m;
    struct msg_withdraw_cancel c;
    struct span args[PATH_ARGS];
    struct problem p;
    if (body && withdraw_read(body, rules, header != NULL, &m, &p)) check_refused(&p);
    else if (body) CHECK(m.head.length == sizeof m && m.token < 3 && m.to_address[TO_BYTES - 1]);
    if (!path_matches(t->path, API_BASE "/withdrawals/{}", args)) return;
    if (withdraw_read_cancel(args[0], header, &c, &p)) check_refused(&p);
    else CHECK(c.head.length == sizeof c && c.transfer_id);
}

/* The text up to the next newline, terminated; moves `data` behind it. */
static char *line(const u8 **data, size_t *size)
{
    const u8 *end = memchr(*data, '\n', *size);
    size_t n = end ? (size_t)(end - *data) : *size;
    char *text = strndup((const char *)*data, n);
    CHECK(text);
    size_t step = end ? n + 1 : n;
    *data += step;
    *size -= step;
    return text;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    if (!rules) rules = fixture_rules();
    struct target t;
    struct problem p;
    struct credentials c;
    struct paging paging;
    char *uri = line(&data, &size), *header = line(&data, &size);
    json_t *body = size ? body_read((const char *)data, size, &p) : NULL;
    if (size && !body) check_refused(&p);
    if (credentials_read(&c, header, &p)) check_refused(&p);
    if (body) try_orders(body);
    if (strlen(uri) < TARGET_MAX) {
        if (target_read(&t, uri, strlen(uri), &p)) {
            check_refused(&p);
        } else {
            if (param_paging(&t, &paging, &p)) check_refused(&p);
            try_cancels(&t, header[0] ? header : NULL, body);
            try_withdrawals(&t, header[0] ? header : NULL, body);
        }
    }
    json_decref(body);
    free(uri);
    free(header);
    return 0;
}
