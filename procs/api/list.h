/* list.h: what every list of a wallet's own objects shares: times and pages asked for, pages and
 * window told.
 *
 *   {"items":[...],"pagination":{total,page,page_size,total_pages},"window":{oldest}}
 *
 * Lists come from bounded recent memory. Where the times asked for begin before what is held,
 * `window` says so: everything from `oldest` (Unix ms) on is here, what is older is not. Times that
 * lie wholly before it are an error (10003, data.oldest), not an empty list.
 */
#ifndef EIDOS_API_LIST_H
#define EIDOS_API_LIST_H

#include "procs/api/api.h"

struct list_query {
    struct paging paging;
    u64 start_ns, end_ns; /* of Unix time, inclusive; 0 and UINT64_MAX = not given */
    u64 skip;             /* matches of the pages before */
};

/* start_time, end_time, page, page_size. 0, or -1 with the problem. */
int list_read(const struct target *t, struct list_query *q, struct problem *p);

static inline bool list_in_time(const struct list_query *q, u64 time_ns)
{
    return time_ns >= q->start_ns && time_ns <= q->end_ns;
}

/* Matches counted so far, of which those of the page are kept. True: keep this one. */
struct list_page {
    u64 total;
    u32 count; /* kept */
};
static inline bool list_take(const struct list_query *q, struct list_page *page)
{
    if (page->total++ < q->skip || page->count == q->paging.page_size) return false;
    page->count++;
    return true;
}

/* market and token: index, or NO_MARKET, NO_TOKEN when they are not given. */
int list_read_market(const struct api *a, u16 *market, struct problem *p);
int list_read_token(const struct api *a, u16 *token, struct problem *p);

/* Is there such a page, and anything of the times asked for? `gone_ns`: everything later than this
 * is held, 0 = everything. 0, or -1 with the problem. */
int list_check(const struct list_query *q, u64 total, u64 gone_ns, struct problem *p);

/* {"items":[ */
void list_begin(struct json_out *o);
/* ],"pagination":{..}} and, where something is missing, "window":{..} */
void list_end(struct json_out *o, const struct list_query *q, u64 total, u64 gone_ns);

#endif
