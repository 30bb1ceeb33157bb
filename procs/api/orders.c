/* orders.c: placing an order, preparing one to be signed, and looking at one's own. */
#include "procs/api/answer.h"
#include "procs/api/body.h"
#include "procs/api/list.h"
#include "procs/api/order_read.h"
#include "procs/api/prepare.h"
#include "procs/api/routes.h"
#include "procs/lib/wire.h"

/* The JSON body, or NULL with the answer given. */
static json_t *read_body(struct api *a, struct request *r)
{
    struct problem p;
    json_t *body = body_read(r->body, r->body_len, &p);
    if (!body) answer_problem(a, r, &p, NULL, 0);
    return body;
}

void orders_place(struct api *a, struct request *r, const u8 *wallet)
{
    (void)wallet; /* the order authenticates itself */
    json_t *body = read_body(a, r);
    if (!body) return;
    orders_ask(a, r, body);
    json_decref(body);
}

void orders_ask(struct api *a, struct request *r, json_t *body)
{
    struct msg_order m;
    struct problem p;
    if (order_read(body, a->rules, r->authorization != NULL, &m, &p))
        answer_problem(a, r, &p, NULL, 0);
    else answer_ask(a, r, &m.head, m.wallet);
}

void orders_prepare(struct api *a, struct request *r, const u8 *wallet)
{
    struct msg_order m;
    struct problem p;
    json_t *body = read_body(a, r);
    if (!body) return;
    if (order_read_prepare(body, a->rules, wallet, &m, &p)) {
        answer_problem(a, r, &p, NULL, 0);
    } else {
        u64 now_us = a->unix_ns / 1000;
        a->last_nonce = m.nonce = max_u64(a->last_nonce + 1, now_us);
        struct json_out *o = answer_begin(a, r);
        prepare_put(o, a->rules, a->config->exchange.chain_id,
                    a->config->exchange.verifying_contract.bytes, &m, now_us / 1000);
        answer_end(a, r, 0);
    }
    json_decref(body);
}

/* market, side, status from the query. */
static int read_query(struct api *a, struct orders_query *q, struct problem *p)
{
    struct span text;
    if (target_param(&a->target, "side", &text)) {
        int side = wire_side_of(text.at, text.len);
        if (side < 0)
            return problem_set(p, CODE_INVALID_SIDE, "side", "buy, sell", "side is buy or sell");
        q->side = (u8)side;
    }
    if (target_param(&a->target, "status", &text)) {
        int status = wire_status_of(text.at, text.len);
        if (status < 0)
            return problem_set(p, CODE_INVALID_PARAMS, "status",
                               "pending, open, partial, filled, cancelled, expired, rejected",
                               "no such status");
        q->status_mask = (u8)(1U << status);
    }
    return list_read_market(a, &q->market, p);
}

/* Read a page under the account's version. False when trading is rebuilding, and answered. */
static bool read_page(struct api *a, struct request *r, const u8 *wallet, struct orders_query *q,
                      struct order_view *views, struct orders_found *found)
{
    u64 epoch = region_epoch(a->state);
    int n = 0;
    *found = (struct orders_found){0};
    q->account = epoch ? ledger_find(a->ledger, wallet) : NO_ACCOUNT;
    if (q->account != NO_ACCOUNT) n = orders_read_list(a->orders, a->ledger, q, views, found);
    if (n != READ_BUSY && epoch && region_epoch(a->state) == epoch) return true;
    answer_busy(a, r, "orders are being recovered");
    return false;
}

/* A page of a wallet's orders; an account that does not exist has none. */
static void list(struct api *a, struct request *r, const u8 *wallet, bool closed)
{
    static struct order_view views[100];
    struct orders_query q = {.market = NO_MARKET, .open = true, .closed = closed};
    struct orders_found found;
    struct list_query asked;
    struct problem p;
    if (read_query(a, &q, &p) || list_read(&a->target, &asked, &p)) {
        answer_problem(a, r, &p, NULL, 0);
        return;
    }
    q.start_ns = asked.start_ns;
    q.end_ns = asked.end_ns;
    q.skip = asked.skip;
    q.max = (u32)asked.paging.page_size;
    if (!read_page(a, r, wallet, &q, views, &found)) return;
    if (list_check(&asked, found.total, found.gone_ns, &p)) {
        answer_problem(a, r, &p, NULL, found.seq);
        return;
    }
    struct json_out *o = answer_begin(a, r);
    list_begin(o);
    for (u32 i = 0; i < found.count; i++) wire_put_order(o, a->rules, &views[i]);
    list_end(o, &asked, found.total, found.gone_ns);
    answer_end(a, r, found.seq);
}

void orders_list(struct api *a, struct request *r, const u8 *wallet)
{
    list(a, r, wallet, true);
}

void orders_open(struct api *a, struct request *r, const u8 *wallet)
{
    list(a, r, wallet, false);
}

void orders_one(struct api *a, struct request *r, const u8 *wallet)
{
    struct order_view v;
    struct problem p;
    u64 id, seq = 0;
    if (order_id_read(r->args[0], &id, &p)) {
        answer_problem(a, r, &p, NULL, 0);
        return;
    }
    u64 epoch = region_epoch(a->state);
    int found = epoch ? orders_read(a->orders, a->ledger, id, &v, &seq) : READ_BUSY;
    if (found == READ_BUSY || region_epoch(a->state) != epoch) {
        answer_busy(a, r, "orders are being recovered");
        return;
    }
    if (!found || memcmp(v.wallet, wallet, WALLET_BYTES) != 0) {
        problem_set(&p, CODE_ORDER_NOT_FOUND, "order_id", NULL,
                    "this wallet has no such order, or it ended too long ago");
        answer_problem(a, r, &p, NULL, found ? seq : 0);
        return;
    }
    struct json_out *o = answer_begin(a, r);
    wire_put_order(o, a->rules, &v);
    answer_end(a, r, seq);
}
