/* Clients, api and verify in one: they send proven messages, and believe an answer once what it
 * follows from is durable. Some ask again, some reuse a nonce, some send nonsense. */
#include "tests/sim/audit.h"

#include <string.h>

#define WAD      1000000000000000000UL
#define TICK_WAD (WAD / 100)
#define LOT_WAD  (WAD / 10000)

#define CANCEL_IDS 20U

void clients_wallet(u32 account, u8 *wallet)
{
    u64 a = (account + 1) * 0x9e3779b97f4a7c15UL;
    memset(wallet, 0xee, WALLET_BYTES);
    memcpy(wallet, &a, sizeof a);
}

#define GROW(array, count, room) \
    do { \
        if ((count) < (room)) break; \
        (room) = (room) ? 2 * (room) : 256; \
        (array) = realloc((array), (room) * sizeof *(array)); \
        CHECK(array); \
    } while (0)

static u32 account_of(u64 random)
{
    return (u32)(random % SIM_ACCOUNTS);
}

static u32 ring_of(u32 account)
{
    return account % SIM_VERIFY;
}

/* Put a message into a ring; false when it is full. */
static bool push(struct world *w, u32 ring, const void *m)
{
    struct ring_tx *tx = &w->clients.tx[ring];
    u32 length = ((const struct msg *)m)->length;
    void *at = ring_alloc(tx, length);
    if (!at) return false;
    memcpy(at, m, length);
    ring_push(tx, length);
    return true;
}

static u64 next_request(struct world *w, u32 sent)
{
    struct sim_clients *c = &w->clients;
    GROW(c->requests, c->request_count, c->request_room);
    c->requests[c->request_count++] = sent;
    return c->request_count;
}

static void draw_terms(struct world *w, struct msg_order *m, u64 *state)
{
    struct sim_clients *c = &w->clients;
    u64 r = plan_random(state), s = plan_random(state);
    u64 *mid = &c->mid[m->market];
    if (r % 16 == 0) *mid += (r >> 8 & 15) - 7;
    u64 lots = 1 + (r >> 16 & 63), price = *mid + (r >> 24 & 15) - 7;
    m->side = s & 1 ? SIDE_BUY : SIDE_SELL;
    m->type = s >> 1 & 7 ? TYPE_LIMIT : TYPE_MARKET;
    m->tif = (u8)(TIF_GTC + (s >> 4 & 7) % (s & 1UL << 60 ? 4 : 1));
    m->stp = (u8)(s >> 8 & 3);
    m->amount = wad_make((u128)lots * LOT_WAD);
    if (m->type == TYPE_LIMIT) {
        m->price = wad_make((u128)price * TICK_WAD);
    } else {
        m->slippage_bps = (u16)(10 + (s >> 16) % 900);
        if (m->tif == TIF_GTX) m->tif = TIF_IOC;
        if (m->side == SIDE_BUY && s >> 32 & 1) {
            m->quote_amount = wad_make((u128)(1 + (s >> 33 & 255)) * WAD);
            m->amount = wad_make(0);
        }
    }
    if (r >> 40 & 1) m->expire_s = w->wall_ns / 1000000000UL + (r >> 41 & 7);
    if ((r >> 48 & 7) == 0) {
        m->client_id_length = 4;
        m->client_id[0] = (u8)('a' + (r >> 51 & 7));
        memset(m->client_id + 1, 'x', 3);
    }
    if ((r >> 56 & 31) == 0) m->price = wad_make(wad_get(m->price) + 1);
}

static void send_order(struct world *w, u64 random)
{
    struct sim_clients *c = &w->clients;
    u32 account = account_of(random);
    struct sim_sent sent = {.m = {.head = {.length = sizeof sent.m, .kind = MSG_ORDER}}};
    struct msg_order *m = &sent.m;
    u64 state = random;
    m->market = (u16)((random >> 8) % SIM_MARKETS);
    m->nonce = ++c->nonces[account][0];
    CHECK(m->nonce < SIM_NONCES);
    if ((random >> 16 & 31) == 0) m->nonce -= min_u64(m->nonce - 1, random >> 21 & 255);
    m->signature_type = SIG_V2;
    clients_wallet(account, m->wallet);
    draw_terms(w, m, &state);
    u64 digest[DIGEST_BYTES / 8] = {plan_random(&state), plan_random(&state), account, m->nonce};
    memcpy(m->evidence.digest, digest, sizeof digest);
    GROW(c->sent, c->sent_count, c->sent_room);
    m->head.request = next_request(w, c->sent_count);
    c->sent[c->sent_count++] = sent;
    push(w, ring_of(account), m);
}

/* The very same order again: it timed out, or the network brought it twice. */
static void send_again(struct world *w, u64 random)
{
    struct sim_clients *c = &w->clients;
    if (!c->sent_count) return;
    u32 back = (u32)((random >> 8) % min_u64(c->sent_count, random & 1 ? 20 : 1000));
    u32 at = c->sent_count - 1 - back;
    struct msg_order m = c->sent[at].m;
    if (random >> 40 & 1) m.head.request = next_request(w, at);
    u32 account = 0;
    for (u8 wallet[WALLET_BYTES]; account < SIM_ACCOUNTS; account++) {
        clients_wallet(account, wallet);
        if (!memcmp(wallet, m.wallet, sizeof wallet)) break;
    }
    push(w, ring_of(account), &m);
}

/* Named orders: one, perhaps signed by itself, or some. */
static void name_orders(struct sim_clients *c, struct msg_cancel *m, u32 account, u64 random)
{
    u32 known = (u32)min_u64(c->id_count, COUNT_OF(c->ids));
    u64 state = random;
    bool one = random >> 8 & 8;
    if (!known) return;
    m->count = one ? 1 : (u16)(1 + (random >> 24) % CANCEL_IDS);
    for (u32 i = 0; i < m->count; i++) m->order_ids[i] = c->ids[plan_random(&state) % known];
    if (!one || random >> 32 & 1) return;
    m->auth = AUTH_CANCEL;
    m->nonce = ++c->nonces[account][1];
    memcpy(m->evidence.digest, &state, sizeof state);
}

static void send_cancel(struct world *w, u64 random)
{
    alignas(8) u8 bytes[sizeof(struct msg_cancel) + CANCEL_IDS * sizeof(u64)] = {0};
    struct msg_cancel *m = (struct msg_cancel *)(void *)bytes;
    u32 account = account_of(random);
    m->head.kind = MSG_CANCEL;
    m->auth = AUTH_REQUEST;
    m->market = NO_MARKET;
    clients_wallet(account, m->wallet);
    if (random >> 8 & 15) {
        name_orders(&w->clients, m, account, random);
    } else { /* all, or all of a market or side */
        if (random >> 12 & 1) m->market = (u16)((random >> 13) % SIM_MARKETS);
        if (random >> 20 & 1) m->side = SIDE_BUY;
    }
    m->head.length = (u32)(sizeof *m + m->count * sizeof m->order_ids[0]);
    m->head.request = next_request(w, UINT32_MAX);
    push(w, ring_of(account), m);
}

static void credit(struct world *w, u32 account, u16 token, u64 amount)
{
    struct sim_clients *c = &w->clients;
    struct msg_credit m = {.head = {.length = sizeof m, .kind = MSG_CREDIT}};
    GROW(c->credits, c->credit_count, c->credit_room);
    m.head.request = (u64)REQUEST_OPS << 48 | (c->credit_count + 1);
    m.token = token;
    m.amount = amount * (token ? 1000000UL : 10000000000UL);
    clients_wallet(account, m.wallet);
    if (!push(w, SIM_SOURCES - 1, &m)) return;
    c->credits[c->credit_count++] = (struct sim_credit){.segment = w->segment.number};
}

static void send_credit(struct world *w, u64 random)
{
    credit(w, account_of(random), (u16)((random >> 8) % SIM_TOKENS), 1 + (random >> 16 & 255));
}

void clients_begin(struct world *w)
{
    for (u32 i = 0; i < SIM_ACCOUNTS * SIM_TOKENS; i++)
        credit(w, i % SIM_ACCOUNTS, (u16)(i / SIM_ACCOUNTS), 300);
    clients_publish(w);
}

static void send_withdrawal(struct world *w, u64 random)
{
    struct sim_clients *c = &w->clients;
    u32 account = account_of(random);
    struct msg_withdraw m = {.head = {.length = sizeof m, .kind = MSG_WITHDRAW}};
    if ((random >> 8 & 7) == 0 && c->last_withdrawal.nonce) {
        m = c->last_withdrawal; /* the very same again */
        for (u8 wallet[WALLET_BYTES]; account < 2 * SIM_ACCOUNTS; account++) {
            clients_wallet(account % SIM_ACCOUNTS, wallet);
            if (!memcmp(wallet, m.wallet, sizeof wallet)) break;
        }
        account %= SIM_ACCOUNTS;
    } else {
        m.amount = wad_make((u128)(1 + (random >> 16 & 255)) * (WAD / 100));
        m.token = (u16)((random >> 24) % SIM_TOKENS);
        m.nonce = ++c->nonces[account][NONCE_WITHDRAW];
        memcpy(m.to_address, "0x00000000000000000000000000000000000000ee", TO_BYTES);
        memcpy(m.evidence.digest, &random, sizeof random);
        clients_wallet(account, m.wallet);
        c->last_withdrawal = m;
    }
    m.head.request = next_request(w, UINT32_MAX);
    push(w, ring_of(account), &m);
}

/* One of the newest withdrawals goes on, or not: by its owner (or a stranger), or by an operator.
 */
static void send_step(struct world *w, u64 random)
{
    struct sim_clients *c = &w->clients;
    u32 known = (u32)min_u64(c->withdrawal_count, COUNT_OF(c->withdrawals));
    u64 id = known ? c->withdrawals[(random >> 8) % known] : 1;
    if (random >> 32 & 3) {
        struct msg_withdraw_step m = {.head = {.length = sizeof m, .kind = MSG_WITHDRAW_STEP},
                                      .transfer_id = id,
                                      .status = (u8)(random >> 40 & 7)};
        m.head.request = (u64)REQUEST_OPS << 48;
        push(w, SIM_SOURCES - 1, &m);
        return;
    }
    u32 account = account_of(random);
    struct msg_withdraw_cancel m = {.head = {.length = sizeof m, .kind = MSG_WITHDRAW_CANCEL},
                                    .transfer_id = id};
    clients_wallet(account, m.wallet);
    m.head.request = next_request(w, UINT32_MAX);
    push(w, ring_of(account), &m);
}

static void send_mode(struct world *w, u64 random)
{
    struct msg_mode m = {.head = {.length = sizeof m, .kind = MSG_MODE}, .market = NO_MARKET};
    m.head.request = (u64)REQUEST_OPS << 48;
    m.mode = random >> 8 & 7 ? MODE_NORMAL : (u8)(MODE_CANCEL_ONLY + (random >> 12 & 1));
    push(w, SIM_SOURCES - 1, &m);
}

void clients_publish(struct world *w)
{
    for (u32 i = 0; i < SIM_SOURCES; i++) ring_publish(&w->clients.tx[i]);
    struct sim_clients *c = &w->clients;
    for (u32 i = c->credit_count; i && !c->credits[i - 1].published; i--)
        c->credits[i - 1].published = true;
}

void clients_send(struct world *w, u64 random)
{
    u64 r = random >> 52 & 127;
    u64 state = random, again = plan_random(&state);
    if (r < 90) send_order(w, again);
    else if (r < 104) send_cancel(w, again);
    else if (r < 114) send_again(w, again);
    else if (r < 116) send_withdrawal(w, again);
    else if (r < 121) send_step(w, again);
    else if (r < 126) send_credit(w, again);
    else send_mode(w, again);
    if (random >> 48 & 3) clients_publish(w);
}

void clients_join(struct world *w)
{
    struct sim_clients *c = &w->clients;
    struct sim_segment *s = &w->segment;
    for (u32 i = 0; i < SIM_SOURCES; i++) ring_join_tx(&c->tx[i], s->ingress[i], &s->tails[i]);
    ring_join_rx(&c->rx, s->replies, &s->tails[SIM_SOURCES]);
}

/* The gateway died: what it had not passed on is gone. */
void clients_forget(struct world *w)
{
    w->clients.waiting_count = 0;
}

static u64 seq_of(const struct msg *m)
{
    const void *body = m;
    if (m->kind == MSG_REPLY_ORDER) return ((const struct msg_reply_order *)body)->seq;
    if (m->kind == MSG_REPLY_CANCEL) return ((const struct msg_reply_cancel *)body)->seq;
    return ((const struct msg_reply_ops *)body)->seq;
}

static void hear(struct world *w, const struct msg *m)
{
    struct sim_clients *c = &w->clients;
    const struct msg_reply_order *r = (const void *)m;
    w->result->acks++;
    if (m->kind == MSG_REPLY_WITHDRAW) {
        const struct msg_reply_withdraw *told = (const void *)m;
        if (told->has_transfer)
            c->withdrawals[c->withdrawal_count++ % COUNT_OF(c->withdrawals)] = told->transfer.id;
    }
    if (m->kind != MSG_REPLY_ORDER) {
        audit_ack(w->audit, seq_of(m));
        return;
    }
    if (r->has_order) c->ids[c->id_count++ % COUNT_OF(c->ids)] = r->order.order_id;
    if (!m->request || m->request > c->request_count)
        sim_fail(w, "answers are to requests", "an answer to request %lu, never asked", m->request);
    audit_ack_order(w->audit, &c->sent[c->requests[m->request - 1]], r);
}

bool clients_read(struct world *w)
{
    struct sim_clients *c = &w->clients;
    const struct msg *m;
    bool work = false;
    for (; (m = ring_peek(&c->rx)); work = true) {
        GROW(c->waiting, c->waiting_count, c->waiting_room);
        CHECK(m->length <= sizeof c->waiting[0]);
        memcpy(c->waiting[c->waiting_count++], m, m->length);
        ring_pop(&c->rx, m->length);
    }
    ring_release(&c->rx);
    u64 durable = atomic_load_explicit(&w->segment.durable.seq, memory_order_acquire);
    if (w->mutant == MUTANT_ACK_EARLY) durable = UINT64_MAX;
    u32 left = 0;
    for (u32 i = 0; i < c->waiting_count; i++) {
        const struct msg *reply = (const void *)c->waiting[i];
        if (seq_of(reply) <= durable) hear(w, reply);
        else memmove(c->waiting[left++], c->waiting[i], sizeof c->waiting[0]);
    }
    work |= left != c->waiting_count;
    c->waiting_count = left;
    return work;
}
