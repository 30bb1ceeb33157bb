#include "procs/api/list.h"

/* The first millisecond from which on everything is there. */
static u64 oldest_ms(u64 gone_ns)
{
    return gone_ns / NS_PER_MS + 1;
}

int list_read(const struct target *t, struct list_query *q, struct problem *p)
{
    static const char MS[] = "Unix milliseconds";
    u64 start_ms = 0, end_ms = UINT64_MAX;
    *q = (struct list_query){.end_ns = UINT64_MAX};
    if (param_number(t, "start_time", 0, 1UL << 43, MS, &start_ms, p) ||
        param_number(t, "end_time", 0, 1UL << 43, MS, &end_ms, p) || param_paging(t, &q->paging, p))
        return -1;
    if (start_ms > end_ms)
        return problem_set(p, CODE_INVALID_PARAMS, "start_time", "end_time",
                           "start_time lies behind end_time");
    q->start_ns = start_ms * NS_PER_MS;
    if (end_ms != UINT64_MAX) q->end_ns = (end_ms + 1) * NS_PER_MS - 1;
    q->skip = (q->paging.page - 1) * q->paging.page_size;
    return 0;
}

int list_read_market(const struct api *a, u16 *market, struct problem *p)
{
    struct span text;
    *market = NO_MARKET;
    if (!target_param(&a->target, "market", &text)) return 0;
    *market = rules_find_market(a->rules, text.at, text.len);
    if (*market != NO_MARKET) return 0;
    return problem_set(p, CODE_MARKET_NOT_FOUND, "market", NULL, "no such market");
}

int list_read_token(const struct api *a, u16 *token, struct problem *p)
{
    struct span text;
    *token = NO_TOKEN;
    if (!target_param(&a->target, "token", &text)) return 0;
    *token = rules_find_token(a->rules, text.at, text.len);
    if (*token != NO_TOKEN) return 0;
    return problem_set(p, CODE_TOKEN_NOT_SUPPORTED, "token", NULL, "no such token");
}

int list_check(const struct list_query *q, u64 total, u64 gone_ns, struct problem *p)
{
    if (gone_ns && q->end_ns < oldest_ms(gone_ns) * NS_PER_MS && !total) {
        problem_set(p, CODE_INVALID_PARAMS, "end_time", "data.oldest",
                    "what is so old is no longer held here");
        p->oldest_ms = oldest_ms(gone_ns);
        return -1;
    }
    if (q->paging.page == 1 || q->skip < total) return 0;
    return problem_set(p, CODE_INVALID_PARAMS, "page", NULL, "there are only %lu items", total);
}

void list_begin(struct json_out *o)
{
    json_put_open(o, '{');
    json_put_key(o, "items"), json_put_open(o, '[');
}

void list_end(struct json_out *o, const struct list_query *q, u64 total, u64 gone_ns)
{
    u64 size = q->paging.page_size;
    json_put_close(o, ']');
    json_put_key(o, "pagination"), json_put_open(o, '{');
    json_put_key(o, "total"), json_put_u64(o, total);
    json_put_key(o, "page"), json_put_u64(o, q->paging.page);
    json_put_key(o, "page_size"), json_put_u64(o, size);
    json_put_key(o, "total_pages"), json_put_u64(o, (total + size - 1) / size);
    json_put_close(o, '}');
    if (gone_ns && q->start_ns <= gone_ns) {
        json_put_key(o, "window"), json_put_open(o, '{');
        json_put_key(o, "oldest"), json_put_u64(o, oldest_ms(gone_ns));
        json_put_close(o, '}');
    }
    json_put_close(o, '}');
}
