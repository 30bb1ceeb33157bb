/* cancel.c: taking orders back, one by its id or many by a filter. */
#include "procs/api/cancel_read.h"

#include "procs/api/answer.h"
#include "procs/api/body.h"
#include "procs/api/routes.h"

static union cancel_msg message; /* one at a time: it is copied into the ring */

/* A body is optional here. -1 with the answer given. */
static int read_body(struct api *a, struct request *r, json_t **body)
{
    struct problem p;
    *body = NULL;
    if (r->body_len == 0) return 0;
    *body = body_read(r->body, r->body_len, &p);
    if (*body) return 0;
    answer_problem(a, r, &p, NULL, 0);
    return -1;
}

static void ask(struct api *a, struct request *r, int result, struct problem *p)
{
    if (result) answer_problem(a, r, p, NULL, 0);
    else answer_ask(a, r, &message.msg.head, message.msg.wallet);
}

void cancel_one(struct api *a, struct request *r, const u8 *wallet)
{
    (void)wallet;
    struct problem p;
    json_t *body;
    if (read_body(a, r, &body)) return;
    ask(a, r, cancel_read_one(r->args[0], body, r->authorization, a->target.path, &message, &p),
        &p);
    json_decref(body);
}

void cancel_many(struct api *a, struct request *r, const u8 *wallet)
{
    (void)wallet;
    struct problem p;
    json_t *body;
    if (read_body(a, r, &body)) return;
    r->many = true;
    ask(a, r, cancel_read_many(&a->target, body, r->authorization, a->rules, &message, &p), &p);
    json_decref(body);
}

void cancel_ask(struct api *a, struct request *r, json_t *params, bool all)
{
    struct problem p;
    r->many = all;
    ask(a, r, cancel_read_socket(params, all, a->rules, &message, &p), &p);
}
