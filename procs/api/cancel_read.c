#include "procs/api/cancel_read.h"

#include "procs/api/body.h"
#include "procs/lib/decimal.h"
#include "procs/lib/wire.h"

#define ORDERS_PATH API_BASE "/orders"

static void begin(union cancel_msg *c)
{
    c->msg = (struct msg_cancel){.head = {.length = sizeof c->msg, .kind = MSG_CANCEL}};
    c->msg.market = NO_MARKET;
}

static int add_id(union cancel_msg *c, struct span text, struct problem *p)
{
    struct msg_cancel *m = &c->msg;
    u64 id;
    if (order_id_read(text, &id, p)) return -1;
    if (m->count == MSG_CANCEL_IDS_MAX)
        return problem_set(p, CODE_INVALID_PARAMS, "order_ids", "500 ids", "too many order ids");
    for (u16 i = 0; i < m->count; i++)
        if (m->order_ids[i] == id)
            return problem_set(p, CODE_INVALID_PARAMS, "order_ids", NULL,
                               "order id %lu is given twice", id);
    m->order_ids[m->count++] = id;
    m->head.length += (u32)sizeof id;
    return 0;
}

/* Authenticate by a signed Request over DELETE and `path`. */
static int by_request(union cancel_msg *c, const struct credentials *who, struct span path,
                      struct problem *p)
{
    struct msg_cancel *m = &c->msg;
    if (path.len > MSG_PATH_BYTES)
        return problem_set(p, CODE_INVALID_PARAMS, "path", NULL, "the path is too long");
    m->auth = AUTH_REQUEST;
    m->timestamp_ms = who->timestamp_ms;
    m->path_length = (u8)path.len;
    memcpy(m->path, path.at, path.len);
    memcpy(m->wallet, who->wallet, WALLET_BYTES);
    memcpy(m->evidence.signature, who->signature, SIGNATURE_BYTES);
    return 0;
}

/* Authenticate by a signed Cancel. */
static int by_cancel(union cancel_msg *c, json_t *body, struct problem *p)
{
    struct msg_cancel *m = &c->msg;
    bool is_signed;
    m->auth = AUTH_CANCEL;
    if (body_wallet(body, m->wallet, p) || body_number(body, "nonce", &m->nonce, p) ||
        body_signature(body, m->evidence.signature, &is_signed, p))
        return -1;
    if (is_signed) return 0;
    return problem_set(p, CODE_MISSING_AUTH_HEADER, "signature", NULL,
                       "sign a Cancel, or send an Authorization header");
}

int cancel_read_one(struct span id, json_t *body, const char *header, struct span path,
                    union cancel_msg *c, struct problem *p)
{
    struct credentials who;
    begin(c);
    if (add_id(c, id, p)) return -1;
    if (body && (body_field(body, "signature") || (!header && json_object_size(body))))
        return by_cancel(c, body, p);
    c->msg.by_path = 1;
    return credentials_read(&who, header, p) || by_request(c, &who, path, p) ? -1 : 0;
}

/* One filter, from the body or the query; *found is false when neither has it. */
static int find_filter(const struct target *t, json_t *body, const char *name, struct span *value,
                       bool *found, struct problem *p)
{
    bool in_query = t && target_param(t, name, value);
    bool in_body = body && body_field(body, name);
    *found = in_query || in_body;
    if (in_query && in_body)
        return problem_set(p, CODE_INVALID_PARAMS, name, NULL,
                           "%s stands in the query and in the body", name);
    return in_body ? body_text(body, name, value, p) : 0;
}

static int read_side(const struct target *t, json_t *body, union cancel_msg *c, struct problem *p)
{
    struct span text;
    bool found;
    if (find_filter(t, body, "side", &text, &found, p)) return -1;
    if (!found) return 0;
    int side = wire_side_of(text.at, text.len);
    if (side < 0)
        return problem_set(p, CODE_INVALID_SIDE, "side", "buy, sell", "side must be buy or sell");
    c->msg.side = (u8)side;
    return 0;
}

static int read_market(const struct target *t, json_t *body, const struct rules *r,
                       union cancel_msg *c, struct problem *p)
{
    struct span text;
    bool found;
    if (find_filter(t, body, "market", &text, &found, p)) return -1;
    if (!found) return 0;
    c->msg.market = rules_find_market(r, text.at, text.len);
    if (c->msg.market != NO_MARKET) return 0;
    return problem_set(p, CODE_MARKET_NOT_FOUND, "market", NULL, "no such market");
}

static int read_ids_json(json_t *list, union cancel_msg *c, struct problem *p)
{
    static const char WHAT[] = "order_ids must be a list of ids in strings, not empty";
    if (!json_is_array(list) || json_array_size(list) == 0)
        return problem_set(p, CODE_INVALID_PARAMS, "order_ids", NULL, "%s", WHAT);
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *id = json_array_get(list, i);
        if (!json_is_string(id))
            return problem_set(p, CODE_INVALID_PARAMS, "order_ids", NULL, "%s", WHAT);
        if (add_id(c, (struct span){json_string_value(id), json_string_length(id)}, p)) return -1;
    }
    return 0;
}

/* "7,9,12" */
static int read_ids_text(struct span text, union cancel_msg *c, struct problem *p)
{
    const char *at = text.at, *end = text.at + text.len;
    for (;;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        if (!comma) comma = end;
        if (add_id(c, (struct span){at, (size_t)(comma - at)}, p)) return -1;
        if (comma == end) return 0;
        at = comma + 1;
    }
}

static int read_ids(const struct target *t, json_t *body, union cancel_msg *c, struct problem *p)
{
    struct span text;
    json_t *list = body ? body_field(body, "order_ids") : NULL;
    bool in_query = t && target_param(t, "order_ids", &text);
    if (list && in_query)
        return problem_set(p, CODE_INVALID_PARAMS, "order_ids", NULL,
                           "order_ids stands in the query and in the body");
    if (list) return read_ids_json(list, c, p);
    return in_query ? read_ids_text(text, c, p) : 0;
}

static int read_filters(const struct target *t, json_t *body, const struct rules *r,
                        union cancel_msg *c, struct problem *p)
{
    begin(c);
    return read_side(t, body, c, p) || read_ids(t, body, c, p) || read_market(t, body, r, c, p) ? -1
                                                                                                : 0;
}

int cancel_read_many(const struct target *t, json_t *body, const char *header,
                     const struct rules *r, union cancel_msg *c, struct problem *p)
{
    struct credentials who;
    if (read_filters(t, body, r, c, p)) return -1;
    return credentials_read(&who, header, p) || by_request(c, &who, t->path, p) ? -1 : 0;
}

int cancel_read_socket(json_t *params, bool all, const struct rules *r, union cancel_msg *c,
                       struct problem *p)
{
    struct credentials who;
    struct span id;
    if (all) {
        struct span path = {ORDERS_PATH, sizeof ORDERS_PATH - 1};
        if (read_filters(NULL, params, r, c, p)) return -1;
        return credentials_from_json(&who, params, p) || by_request(c, &who, path, p) ? -1 : 0;
    }
    begin(c);
    if (body_text(params, "order_id", &id, p) || add_id(c, id, p)) return -1;
    if (!body_field(params, "timestamp")) return by_cancel(c, params, p);
    char path[sizeof ORDERS_PATH + 24];
    int n = snprintf(path, sizeof path, ORDERS_PATH "/%lu", c->msg.order_ids[0]);
    c->msg.by_path = 1;
    if (credentials_from_json(&who, params, p)) return -1;
    return by_request(c, &who, (struct span){path, (size_t)n}, p);
}
