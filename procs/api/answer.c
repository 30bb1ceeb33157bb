#include "procs/api/answer.h"

#include "procs/api/http.h"
#include "procs/api/limit.h"
#include "procs/api/stamps.h"
#include "procs/api/ws.h"
#include "procs/lib/wire.h"
#include "shm/err.h"

#define JSON_TYPE     "application/json"
#define BUSY_RETRY_MS 200U
#define FULL_RETRY_MS 100U /* verify drains its ring much faster than this */

int requests_new(struct api *a, u64 count)
{
    u64 slots = pow2_up(4 * count);
    a->pool = calloc(count, sizeof *a->pool);
    a->asked = calloc(slots, sizeof(struct request *));
    a->scratch = malloc(SCRATCH_BYTES);
    if (!a->pool || !a->asked || !a->scratch) return err_sys("memory for %lu requests", count);
    a->asked_mask = slots - 1;
    link_init(&a->free);
    link_init(&a->waiting);
    link_init(&a->undurable);
    link_init(&a->lagging);
    for (u64 i = 0; i < count; i++) link_append(&a->free, &a->pool[i].by_age);
    return 0;
}

void requests_delete(struct api *a)
{
    free(a->pool);
    free(a->asked);
    free(a->scratch);
}

struct request *request_take(struct api *a)
{
    if (link_empty(&a->free)) return NULL;
    struct request *r = LINK_OF(a->free.next, struct request, by_age);
    link_remove(&r->by_age);
    /* All but the texts, which their lengths make valid. */
    memset(r, 0, offsetof(struct request, text));
    r->socket_id[0] = r->request_id[0] = '\0';
    memset(&r->many, 0, sizeof *r - offsetof(struct request, many));
    stamp_new(a, r);
    return r;
}

void request_free(struct api *a, struct request *r)
{
    if (r->state == REQUEST_DONE) stamp_done(a, r);
    link_remove(&r->by_age);
    link_remove(&r->by_seq);
    if (r->id && a->asked[r->id & a->asked_mask] == r) a->asked[r->id & a->asked_mask] = NULL;
    free(r->replies);
    free(r->answer);
    r->answer = NULL;
    r->replies = NULL;
    link_prepend(&a->free, &r->by_age); /* the one that is still in the cache */
}

static void count(struct api *a, const struct request *r)
{
    metric_add(a->block, METRIC_API_REQUESTS, 1);
    if (r->status >= 500) metric_add(a->block, METRIC_API_SERVER_ERRORS, 1);
    else if (r->status >= 400) metric_add(a->block, METRIC_API_CLIENT_ERRORS, 1);
}

/* The answer is complete and durable. */
static void deliver(struct api *a, struct request *r)
{
    link_remove(&r->by_age);
    link_remove(&r->by_seq);
    r->state = REQUEST_DONE;
    count(a, r);
    if (r->connection) http_answered(a, r);
    else ws_answered(a, r);
}

/* The text in a->out is the answer. */
static void finish(struct api *a, struct request *r, u64 seq)
{
    if (a->out.full) { /* cannot happen within the limits on what may be asked for */
        static const char TEXT[] =
            "{\"code\":20003,\"message\":\"Internal error\",\"data\":{\"detail\":\"too long\"}}";
        json_out_init(&a->out, a->scratch, SCRATCH_BYTES);
        json_put_raw(&a->out, TEXT, sizeof TEXT - 1);
        r->status = 500;
    }
    free(r->answer);
    r->answer = malloc(a->out.len + 1);
    CHECK(r->answer);
    memcpy(r->answer, a->out.at, a->out.len);
    r->answer_len = a->out.len;
    r->seq = seq;
    r->state = REQUEST_ANSWERED;
    if (seq <= a->durable_seq) {
        deliver(a, r);
        return;
    }
    link_append(&a->undurable, &r->by_seq);
    if (!r->by_age.next) {
        r->deadline_ns = a->now_ns + a->config->api.request_timeout_ns;
        link_append(&a->waiting, &r->by_age);
    }
}

struct json_out *answer_begin(struct api *a, struct request *r)
{
    struct json_out *o = &a->out;
    json_out_init(o, a->scratch, SCRATCH_BYTES);
    r->status = 200;
    r->content_type = JSON_TYPE;
    if (r->connection) {
        json_put_open(o, '{');
        json_put_key(o, "code"), json_put_u64(o, 0);
        json_put_key(o, "message"), json_put_cstring(o, "success");
        json_put_key(o, "data");
    } else {
        ws_put_head(o, "ack", r->socket_id, a->unix_ns);
    }
    return o;
}

void answer_end(struct api *a, struct request *r, u64 seq)
{
    json_put_close(&a->out, '}');
    finish(a, r, seq);
}

/* What helps: {"field":..,"limit":..,"detail":..,"retry_after":..}; on a socket the code, too. */
static void put_help(struct api *a, const struct request *r, const struct problem *p,
                     const struct order_view *order)
{
    struct json_out *o = &a->out;
    json_put_open(o, '{');
    if (!r->connection) {
        json_put_key(o, "code"), json_put_u64(o, p->code);
        json_put_key(o, "message"), json_put_cstring(o, wire_message(p->code));
    }
    if (p->field) json_put_key(o, "field"), json_put_cstring(o, p->field);
    if (p->limit) json_put_key(o, "limit"), json_put_cstring(o, p->limit);
    if (p->detail[0]) json_put_key(o, "detail"), json_put_cstring(o, p->detail);
    if (p->oldest_ms) json_put_key(o, "oldest"), json_put_u64(o, p->oldest_ms);
    if (r->retry_after_s) json_put_key(o, "retry_after"), json_put_u64(o, r->retry_after_s);
    if (order) json_put_key(o, "order"), wire_put_order(o, a->rules, order);
    json_put_close(o, '}');
}

void answer_problem(struct api *a, struct request *r, const struct problem *p,
                    const struct order_view *order, u64 seq)
{
    const struct wire_code *row = wire_code(p->code);
    struct json_out *o = &a->out;
    json_out_init(o, a->scratch, SCRATCH_BYTES);
    r->status = row->http;
    r->content_type = JSON_TYPE;
    r->retry_after_s = (p->retry_after_ms + 999) / 1000;
    if (r->connection) {
        json_put_open(o, '{');
        json_put_key(o, "code"), json_put_u64(o, row->code);
        json_put_key(o, "message"), json_put_cstring(o, wire_message(row->code));
        json_put_key(o, "data");
    } else {
        ws_put_head(o, "ack", r->socket_id, a->unix_ns);
    }
    put_help(a, r, p, order);
    json_put_close(o, '}');
    finish(a, r, seq);
}

void answer_code(struct api *a, struct request *r, u16 code, u32 retry_after_ms)
{
    struct problem p = {.code = code, .retry_after_ms = retry_after_ms};
    answer_problem(a, r, &p, NULL, 0);
}

void answer_busy(struct api *a, struct request *r, const char *what)
{
    struct problem p;
    problem_set(&p, CODE_UNAVAILABLE, NULL, NULL, "%s", what);
    p.retry_after_ms = BUSY_RETRY_MS;
    answer_problem(a, r, &p, NULL, 0);
}

void answer_plain(struct api *a, struct request *r, u16 status, const char *type, const char *text,
                  size_t len)
{
    json_out_init(&a->out, a->scratch, SCRATCH_BYTES);
    json_put_raw(&a->out, text, len);
    r->status = status;
    r->content_type = type;
    finish(a, r, 0);
}

/* A fresh id whose place in the table is free. */
static u64 new_id(struct api *a, struct request *r)
{
    u64 id;
    do {
        a->next_id = (a->next_id + 1) & ((1UL << 48) - 1);
        id = (u64)a->instance << 48 | a->next_id;
    } while (a->next_id == 0 || a->asked[id & a->asked_mask]);
    a->asked[id & a->asked_mask] = r;
    return id;
}

static u64 trading_epoch(const struct api *a)
{
    return atomic_load_explicit(&a->trading->epoch, memory_order_acquire);
}

void answer_ask(struct api *a, struct request *r, struct msg *m, const u8 wallet[WALLET_BYTES])
{
    struct ring_tx *tx = &a->verify[msg_worker_of(wallet, a->verify_count)];
    void *room = ring_alloc(tx, m->length);
    if (!room) {
        metric_add(a->block, METRIC_API_BUSY, 1);
        answer_code(a, r, CODE_UNAVAILABLE, FULL_RETRY_MS);
        return;
    }
    limit_asked(a, r, wallet, m->kind);
    r->id = new_id(a, r);
    r->state = REQUEST_ASKED;
    r->trading_epoch = trading_epoch(a);
    r->deadline_ns = a->now_ns + a->config->api.request_timeout_ns;
    link_append(&a->waiting, &r->by_age);
    m->request = r->id;
    stamp_asked(a, r, m);
    memcpy(room, m, m->length);
    ring_push(tx, m->length);
    if (m->kind == MSG_ORDER) metric_add(a->block, METRIC_API_ORDERS, 1);
    if (m->kind == MSG_CANCEL) metric_add(a->block, METRIC_API_CANCELS, 1);
}

/* Nobody waits for this id any more. */
static void forget_id(struct api *a, struct request *r)
{
    if (r->id) a->asked[r->id & a->asked_mask] = NULL;
    r->id = 0;
}

static struct request *find_asked(struct api *a, u64 id)
{
    struct request *r = a->asked[id & a->asked_mask];
    return r && r->id == id && r->state == REQUEST_ASKED ? r : NULL;
}

static void answer_order(struct api *a, struct request *r, u16 code, u32 retry_after_ms,
                         const struct order_view *order, u64 seq)
{
    forget_id(a, r);
    limit_replied(a, r, code, retry_after_ms);
    if (code) {
        struct problem p = {.code = code, .retry_after_ms = retry_after_ms};
        answer_problem(a, r, &p, order, seq);
        return;
    }
    struct json_out *o = answer_begin(a, r);
    if (order) wire_put_order(o, a->rules, order);
    else json_put_json(o, "null", 4);
    answer_end(a, r, seq);
}

static void reply_order(struct api *a, const struct msg_reply_order *m)
{
    struct request *r = find_asked(a, m->head.request);
    if (!r) return;
    stamp_replied(r, &m->head);
    answer_order(a, r, m->code, m->retry_after_ms, m->has_order ? &m->order : NULL, m->seq);
}

/* {"cancelled":[id],"failed":[{"order_id":id,"code":code}]} */
static void answer_many(struct api *a, struct request *r)
{
    forget_id(a, r);
    limit_replied(a, r, CODE_OK, 0);
    struct json_out *o = answer_begin(a, r);
    json_put_open(o, '{');
    json_put_key(o, "cancelled"), json_put_open(o, '[');
    for (u32 i = 0; i < r->reply_count; i++)
        if (!r->replies[i].code) json_put_id(o, r->replies[i].order_id);
    json_put_close(o, ']');
    json_put_key(o, "failed"), json_put_open(o, '[');
    for (u32 i = 0; i < r->reply_count; i++) {
        if (!r->replies[i].code) continue;
        json_put_open(o, '{');
        json_put_key(o, "order_id"), json_put_id(o, r->replies[i].order_id);
        json_put_key(o, "code"), json_put_u64(o, r->replies[i].code);
        json_put_close(o, '}');
    }
    json_put_close(o, ']');
    json_put_close(o, '}');
    answer_end(a, r, r->seq);
}

/* A standby that took over says again what its primary may have said. */
static bool is_repeated(const struct api *a, const struct request *r, u64 order_id)
{
    if (r->trading_epoch == trading_epoch(a)) return false;
    for (u32 i = 0; i < r->reply_count; i++)
        if (r->replies[i].order_id == order_id) return true;
    return false;
}

static void reply_cancel(struct api *a, const struct msg_reply_cancel *m)
{
    struct request *r = find_asked(a, m->head.request);
    if (!r) return;
    stamp_replied(r, &m->head);
    bool refused = m->code && !m->order_id; /* by verify, or before any order was looked at */
    if (!r->many || refused) {
        answer_order(a, r, m->code, 0, m->has_order && !m->code ? &m->order : NULL, m->seq);
        return;
    }
    r->seq = max_u64(r->seq, m->seq);
    if (m->total) {
        if (!r->replies) {
            r->reply_total = m->total;
            r->replies = calloc(m->total, sizeof *r->replies);
            CHECK(r->replies);
        }
        if (r->reply_count < r->reply_total && !is_repeated(a, r, m->order_id))
            r->replies[r->reply_count++] = (struct cancel_result){m->order_id, m->code};
    }
    if (r->reply_count == r->reply_total) answer_many(a, r);
}

static void reply_withdraw(struct api *a, const struct msg_reply_withdraw *m)
{
    struct request *r = find_asked(a, m->head.request);
    if (!r) return;
    if (m->code || !m->has_transfer) {
        answer_order(a, r, m->code ? m->code : CODE_INTERNAL, 0, NULL, m->seq);
        return;
    }
    forget_id(a, r);
    limit_replied(a, r, CODE_OK, 0);
    wire_put_transfer(answer_begin(a, r), a->rules, &m->transfer);
    answer_end(a, r, m->seq);
}

static u32 read_replies(struct api *a)
{
    const struct msg *m;
    u32 n = 0;
    for (; n < 1024 && (m = ring_peek(&a->replies)); n++) {
        if (m->kind == MSG_REPLY_ORDER) reply_order(a, (const void *)m);
        else if (m->kind == MSG_REPLY_CANCEL) reply_cancel(a, (const void *)m);
        else if (m->kind == MSG_REPLY_WITHDRAW) reply_withdraw(a, (const void *)m);
        ring_pop(&a->replies, m->length);
    }
    if (n) ring_release(&a->replies);
    return n;
}

static u32 let_go(struct api *a)
{
    u32 n = 0;
    while (!link_empty(&a->undurable)) {
        struct request *r = LINK_OF(a->undurable.next, struct request, by_seq);
        if (r->seq > a->durable_seq) break;
        deliver(a, r);
        n++;
    }
    return n;
}

static u32 time_out(struct api *a)
{
    u32 n = 0;
    while (!link_empty(&a->waiting)) {
        struct request *r = LINK_OF(a->waiting.next, struct request, by_age);
        if (r->deadline_ns > a->now_ns) break;
        link_remove(&r->by_age);
        link_remove(&r->by_seq);
        forget_id(a, r);
        metric_add(a->block, METRIC_API_TIMEOUTS, 1);
        struct problem p = {.code = CODE_TIMEOUT,
                            .detail = "no answer in time; it may still be done: look before you "
                                      "try again"};
        answer_problem(a, r, &p, NULL, 0);
        n++;
    }
    return n;
}

u32 answer_turn(struct api *a)
{
    a->durable_seq = atomic_load_explicit(&a->durable->seq, memory_order_acquire);
    u32 n = read_replies(a);
    n += let_go(a);
    return n + time_out(a);
}
