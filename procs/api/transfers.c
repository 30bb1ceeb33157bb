/* transfers.c: deposits, and withdrawals: asking for one, taking it back, looking at one's own. */
#include "shm/transfers.h"

#include "procs/api/answer.h"
#include "procs/api/body.h"
#include "procs/api/list.h"
#include "procs/api/routes.h"
#include "procs/api/withdraw_read.h"
#include "procs/lib/wire.h"

void withdrawals_ask(struct api *a, struct request *r, const u8 *wallet)
{
    (void)wallet; /* it authenticates itself */
    struct msg_withdraw m;
    struct problem p;
    json_t *body = body_read(r->body, r->body_len, &p);
    if (!body || withdraw_read(body, a->rules, r->authorization != NULL, &m, &p))
        answer_problem(a, r, &p, NULL, 0);
    else answer_ask(a, r, &m.head, m.wallet);
    json_decref(body);
}

void withdrawals_cancel(struct api *a, struct request *r, const u8 *wallet)
{
    (void)wallet; /* verify looks at the header */
    struct msg_withdraw_cancel m;
    struct problem p;
    if (withdraw_read_cancel(r->args[0], r->authorization, &m, &p))
        answer_problem(a, r, &p, NULL, 0);
    else answer_ask(a, r, &m.head, m.wallet);
}

/* ---- Looking ---- */

/* What differs between the two. */
static const struct words {
    const char *statuses, *id;
    int (*status_of)(const char *text, size_t len);
    u16 not_found;
} WORDS[TRANSFER_KINDS] = {
    [TRANSFER_DEPOSIT] = {"pending, confirmed, credited", "deposit_id", wire_deposit_status_of,
                          CODE_DEPOSIT_NOT_FOUND},
    [TRANSFER_WITHDRAWAL] =
        {"pending, processing, submitted, confirmed, failed, cancelled, rejected", "withdraw_id",
         wire_withdraw_status_of, CODE_WITHDRAW_NOT_FOUND},
};

static int read_query(struct api *a, u8 kind, struct transfers_query *q, struct list_query *asked,
                      struct problem *p)
{
    const struct words *w = &WORDS[kind];
    struct span text;
    *q = (struct transfers_query){.kind = kind};
    if (target_param(&a->target, "status", &text)) {
        int status = w->status_of(text.at, text.len);
        if (status < 0)
            return problem_set(p, CODE_INVALID_PARAMS, "status", w->statuses, "no such status");
        q->status_mask = (u8)(1U << status);
    }
    if (list_read(&a->target, asked, p) || list_read_token(a, &q->token, p)) return -1;
    q->start_ns = asked->start_ns;
    q->end_ns = asked->end_ns;
    q->skip = asked->skip;
    q->max = (u32)asked->paging.page_size;
    return 0;
}

static void list(struct api *a, struct request *r, const u8 *wallet, u8 kind)
{
    static struct transfer_view views[100];
    struct transfers_query q;
    struct transfers_found found = {0};
    struct list_query asked;
    struct problem p;
    int n = 0;
    if (read_query(a, kind, &q, &asked, &p)) {
        answer_problem(a, r, &p, NULL, 0);
        return;
    }
    u64 epoch = region_epoch(a->state);
    q.account = epoch ? ledger_find(a->ledger, wallet) : NO_ACCOUNT;
    if (q.account != NO_ACCOUNT) n = transfers_read_list(a->ledger, &q, views, &found);
    if (n == READ_BUSY || !epoch || region_epoch(a->state) != epoch) {
        answer_busy(a, r, "balances are being recovered");
        return;
    }
    if (list_check(&asked, found.total, found.gone_ns, &p)) {
        answer_problem(a, r, &p, NULL, found.seq);
        return;
    }
    struct json_out *o = answer_begin(a, r);
    list_begin(o);
    for (u32 i = 0; i < found.count; i++) wire_put_transfer(o, a->rules, &views[i]);
    list_end(o, &asked, found.total, found.gone_ns);
    answer_end(a, r, found.seq);
}

static void one(struct api *a, struct request *r, const u8 *wallet, u8 kind)
{
    const struct words *w = &WORDS[kind];
    struct transfer_view v;
    struct problem p;
    u64 id, seq = 0;
    if (id_read(r->args[0], w->id, &id, &p)) {
        answer_problem(a, r, &p, NULL, 0);
        return;
    }
    u64 epoch = region_epoch(a->state);
    int found = epoch ? transfers_read(a->ledger, id, &v, &seq) : READ_BUSY;
    if (found == READ_BUSY || region_epoch(a->state) != epoch) {
        answer_busy(a, r, "balances are being recovered");
        return;
    }
    if (!found || v.kind != kind || memcmp(v.wallet, wallet, WALLET_BYTES) != 0) {
        problem_set(&p, w->not_found, w->id, NULL,
                    "this wallet has none of that id, or it is too long ago");
        answer_problem(a, r, &p, NULL, found ? seq : 0);
        return;
    }
    wire_put_transfer(answer_begin(a, r), a->rules, &v);
    answer_end(a, r, seq);
}

void deposits_list(struct api *a, struct request *r, const u8 *wallet)
{
    list(a, r, wallet, TRANSFER_DEPOSIT);
}

void deposits_one(struct api *a, struct request *r, const u8 *wallet)
{
    one(a, r, wallet, TRANSFER_DEPOSIT);
}

void withdrawals_list(struct api *a, struct request *r, const u8 *wallet)
{
    list(a, r, wallet, TRANSFER_WITHDRAWAL);
}

void withdrawals_one(struct api *a, struct request *r, const u8 *wallet)
{
    one(a, r, wallet, TRANSFER_WITHDRAWAL);
}
