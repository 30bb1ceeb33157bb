/* load_users.c: users over HTTP: what is due goes out, answers are judged. A user has a wallet, one
 * connection and one request at a time. */
#include <string.h>

#include "cli/load.h"
#include "procs/lib/client/http.h"
#include "shm/codes.h"
#include "shm/err.h"

#define BODY_MAX     1024U
#define REQUEST_MAX  2048U
#define AT_ONCE      200U /* connections being made */
#define CONNECT_NS   (30 * LOAD_SECOND)
#define CLOSED_NS    (60 * LOAD_SECOND) /* for the prelude, and for cleaning up */
#define PRELUDE_EACH 4U                 /* orders of a user */

/* Refusals that are rules of trading at work: another took the order first, nobody offers. */
static bool is_rule(int code)
{
    return code == CODE_ALREADY_CANCELLED || code == CODE_ALREADY_FILLED ||
           code == CODE_NOT_CANCELLABLE || code == CODE_NO_LIQUIDITY;
}

static void count_code(struct load_result *r, u32 http, int code, bool fault)
{
    u32 i = 0;
    while (i < r->codes && (r->code[i].http != http || r->code[i].code != code)) i++;
    if (i == LOAD_CODES_MAX) i--;
    if (i == r->codes) r->code[r->codes++] = (struct load_code){http, code, fault, 0};
    r->code[i].count++;
}

static const struct load_plan *plan_of(const struct load *l)
{
    return &l->plan[l->current_plan];
}

static const struct load_step *step_of(const struct load *l)
{
    return &plan_of(l)->step[l->current_step];
}

/* --- Sending -----------------------------------------------------------------------------------*/

static void send_request(struct load *l, u32 user, const char *method, const char *path,
                         const char *header, const struct json_out *body)
{
    char text[REQUEST_MAX];
    size_t n = client_http_request(method, path, l->host, header, body ? body->at : NULL,
                                   body ? body->len : 0, text, sizeof text);
    l->users[user].busy = true;
    l->waiting++;
    pump_send(&l->pump, user, text, n);
}

/* `nonce` 0: the order that was planned, with the signature made ahead; else one beside the plan.
 */
static void send_order(struct load *l, u32 user, u32 turn, enum slot slot, u64 nonce)
{
    struct load_user *u = &l->users[user];
    u8 fresh[SECP_SIGNATURE];
    const u8 *signature = fresh;
    char text[BODY_MAX];
    struct client_order o;
    struct json_out body;
    slot_order(l, plan_of(l), u, turn, slot, &o);
    if (nonce) o.nonce = nonce;
    if (!nonce && l->signatures) signature = l->signatures[u->at + turn];
    else client_sign_order(&l->domain, &u->wallet, &o, fresh);
    json_out_init(&body, text, sizeof text);
    client_put_order(&body, &u->wallet, &o, signature);
    CHECK(!body.full);
    send_request(l, user, "POST", "/api/v1/orders", NULL, &body);
}

static void send_cancel(struct load *l, u32 user)
{
    struct load_user *u = &l->users[user];
    char text[BODY_MAX], path[64];
    struct json_out body;
    u64 id = u->deep[0];
    memmove(u->deep, u->deep + 1, --u->deep_count * sizeof u->deep[0]);
    snprintf(path, sizeof path, "/api/v1/orders/%lu", id);
    json_out_init(&body, text, sizeof text);
    client_put_cancel(&body, &l->domain, &u->wallet, id, u->nonce + u->cancels++);
    send_request(l, user, "DELETE", path, NULL, &body);
}

/* Send what a user's turn asks for. With nothing to cancel yet, an order to be cancelled. */
static void send_turn(struct load *l, u32 user)
{
    struct load_user *u = &l->users[user];
    u32 turn = u->turn + u->step_turn++;
    enum slot slot = slot_of(plan_of(l), u, turn);
    bool nothing = slot == SLOT_CANCEL && !u->deep_count;
    if (nothing) slot = SLOT_DEEP;
    u->slot = (u8)slot;
    if (slot == SLOT_CANCEL) send_cancel(l, user);
    else send_order(l, user, turn, slot, nothing ? u->nonce + 2UL * turn + 1 : 0);
    l->result->sent++;
    l->result->by_slot[slot]++;
}

static u64 due_ns(const struct load *l, u64 k)
{
    return l->result->begun_ns + (u64)((double)k * 1e9 / step_of(l)->rate);
}

/* Send a user's next request if it is due and the user is free. */
static void try_send(struct load *l, u32 user, u64 now_ns)
{
    struct load_user *u = &l->users[user];
    if (!l->result || u->busy || user >= step_of(l)->users) return;
    u64 k = user + (u64)u->step_turn * step_of(l)->users;
    if (k >= l->next) return; /* not due */
    if (!l->pump.peers[user].open) {
        if (u->again && pump_connect(&l->pump, user) == 0) u->again = false;
        return;
    }
    u->due_ns = due_ns(l, k);
    hist_record(l->result->late, LOAD_BITS, now_ns - max_u64(u->due_ns, u->free_ns));
    send_turn(l, user);
}

u64 users_turn(struct load *l, u64 now_ns)
{
    u64 due = UINT64_MAX;
    while (l->next < l->last && (due = due_ns(l, l->next)) <= now_ns) {
        u32 user = (u32)(l->next++ % step_of(l)->users);
        l->result->due++;
        l->point.due++;
        try_send(l, user, now_ns);
    }
    return l->next < l->last ? due : UINT64_MAX;
}

/* --- Answers -----------------------------------------------------------------------------------*/

static u64 order_id(const struct client_answer *a)
{
    static const char ID[] = "\"order_id\":\"";
    const char *at = memmem(a->body, a->body_len, ID, sizeof ID - 1);
    return at ? strtoul(at + sizeof ID - 1, NULL, 10) : 0;
}

static void fault(struct load *l, u32 http, int code)
{
    l->result->errors++;
    l->point.errors++;
    count_code(l->result, http, code, true);
}

static void judge(struct load *l, struct load_user *u, const struct client_answer *a)
{
    static const char FILLED[] = "\"status\":\"filled\"";
    struct load_result *r = l->result;
    int code = client_http_code(a);
    u64 id;
    r->answered++;
    l->point.answered++;
    if (a->status == 200 && code == 0) {
        r->accepted++;
        bool takes = u->slot == SLOT_TAKE || u->slot == SLOT_MARKET;
        if (takes && memmem(a->body, a->body_len, FILLED, sizeof FILLED - 1)) r->filled++;
        if (u->slot == SLOT_DEEP && u->deep_count < LOAD_DEEP && (id = order_id(a)))
            u->deep[u->deep_count++] = id;
    } else if (a->status < 500 && is_rule(code)) {
        r->refused++;
        count_code(r, a->status, code, false);
    } else {
        fault(l, a->status, code);
    }
}

static void on_answer(struct load *l, u32 user, const struct client_answer *a)
{
    struct load_user *u = &l->users[user];
    u64 now_ns = cli_monotonic_ns();
    u->busy = false;
    u->free_ns = now_ns;
    l->waiting--;
    if (!l->result) {
        u->prelude_bad += a->status != 200;
        return;
    }
    u64 took_ns = now_ns - u->due_ns;
    hist_record(l->result->latency, LOAD_BITS, took_ns);
    hist_record(l->second, LOAD_POINT_BITS, took_ns);
    if (now_ns <= l->result->ended_ns) l->result->in_time++;
    judge(l, u, a);
}

size_t user_bytes(struct load *l, u32 user, const char *bytes, size_t len)
{
    struct client_answer a;
    int whole = client_http_read(bytes, len, &a);
    if (!whole) return 0;
    if (whole < 0 || !l->users[user].busy) {
        pump_close(&l->pump, user);
        user_closed(l, user, "what it said is no answer");
        return len;
    }
    on_answer(l, user, &a);
    if (a.closes) {
        pump_close(&l->pump, user);
        user_closed(l, user, "as announced");
        return len;
    }
    if (l->result) try_send(l, user, l->users[user].free_ns);
    return a.size;
}

void user_opened(struct load *l, u32 user)
{
    l->users[user].free_ns = cli_monotonic_ns();
    try_send(l, user, l->users[user].free_ns);
}

void user_closed(struct load *l, u32 user, const char *why)
{
    struct load_user *u = &l->users[user];
    u->again = true;
    snprintf(l->last_close, sizeof l->last_close, "%s", why);
    if (!u->busy) return;
    u->busy = false;
    l->waiting--;
    if (!l->result) return;
    l->result->lost++;
    fault(l, 0, 0);
}

/* --- Around the steps --------------------------------------------------------------------------*/

int users_connect(struct load *l, u32 count)
{
    u64 until_ns = cli_monotonic_ns() + CONNECT_NS;
    u32 begun = 0, open;
    do {
        for (open = 0; open < count && l->pump.peers[open].open; open++) continue;
        for (; begun < count && begun < open + AT_ONCE; begun++)
            if (l->pump.peers[begun].fd < 0 && pump_connect(&l->pump, begun)) return -1;
        if (cli_monotonic_ns() > until_ns)
            return err_set("%u of %u connections to %s were made within 30 s; the last one ended: "
                           "%s",
                           open, count, l->host, l->last_close);
        pump_turn(&l->pump, 1000000);
        /* one that was refused is tried again */
        for (u32 i = open; i < begun; i++)
            if (l->users[i].again && l->pump.peers[i].fd < 0) {
                l->users[i].again = false;
                if (pump_connect(&l->pump, i)) return -1;
            }
    } while (open < count);
    return 0;
}

/* Let every user send `each` requests one after the other, as fast as answers come. */
static int closed_loop(struct load *l, u32 users, u32 each,
                       void (*send)(struct load *l, u32 user, u32 turn))
{
    u64 until_ns = cli_monotonic_ns() + CLOSED_NS;
    for (u32 i = 0; i < users; i++) l->users[i].step_turn = l->users[i].prelude_bad = 0;
    for (bool more = true; more;) {
        more = false;
        for (u32 i = 0; i < users; i++) {
            struct load_user *u = &l->users[i];
            more |= u->busy || (u->step_turn < each && l->pump.peers[i].open);
            if (u->busy || u->step_turn == each || !l->pump.peers[i].open) continue;
            if (l->waiting >= AT_ONCE) continue;
            send(l, i, u->step_turn++);
        }
        if (cli_monotonic_ns() > until_ns)
            return err_set("%s did not answer within 60 s while nothing was measured", l->host);
        pump_turn(&l->pump, 1000000);
    }
    return 0;
}

/* Two orders on each side, with the nonces that were left free for them. */
static void send_prelude(struct load *l, u32 user, u32 turn)
{
    const struct load_user *u = &l->users[user];
    u32 round = turn * plan_of(l)->cycle_len; /* sides alternate with the rounds */
    send_order(l, user, round, SLOT_REST, u->nonce - LOAD_NONCES_BEFORE + turn);
}

int users_prelude(struct load *l, const struct load_plan *p)
{
    u32 most = 0, bad = 0;
    for (u32 s = 0; s < p->steps; s++) most = (u32)max_u64(most, p->step[s].users);
    if (closed_loop(l, most, PRELUDE_EACH, send_prelude)) return -1;
    for (u32 i = 0; i < most; i++) bad += l->users[i].prelude_bad;
    if (bad > most * PRELUDE_EACH / 2)
        return err_set("%u of %u orders that prepare the books were refused; is the wallet rate or "
                       "the IP rate limited? Start the exchange with --set limits.rates=off",
                       bad, most * PRELUDE_EACH);
    if (bad) load_warn(l, "%u of %u orders that prepare the books were refused", bad, most * 4);
    return 0;
}

static void send_cancel_all(struct load *l, u32 user, u32 turn)
{
    char header[CLIENT_HEADER];
    (void)turn;
    client_header(&l->domain, &l->users[user].wallet, "DELETE", "/api/v1/orders",
                  cli_unix_ns() / 1000000, header);
    send_request(l, user, "DELETE", "/api/v1/orders", header, NULL);
}

void users_clean_up(struct load *l, u32 count)
{
    if (closed_loop(l, count, 1, send_cancel_all)) load_warn(l, "cleaning up: %s", err_text());
    for (u32 i = 0; i < count; i++) l->users[i].deep_count = 0;
}

void users_abandon(struct load *l)
{
    const struct load_step *s = step_of(l);
    for (u32 i = 0; i < s->users; i++) {
        struct load_user *u = &l->users[i];
        u64 planned = plan_count(s, i);
        l->result->unsent += planned - min_u64(planned, u->step_turn);
        if (u->busy) {
            pump_close(&l->pump, i);
            user_closed(l, i, "given up");
        }
        u->turn += (u32)planned;
        u->step_turn = 0;
    }
}
