#include "procs/verify/verify.h"

#include <string.h>

#include "procs/lib/decimal.h"
#include "procs/lib/eth/hex.h"
#include "procs/lib/eth/secp.h"
#include "shm/err.h"

#define ORDERS_PATH      "/api/v1/orders"
#define WITHDRAWALS_PATH "/api/v1/withdrawals"
#define SLIPPAGE_LEAST   10U /* basis points, protocol.md 5 */
#define SLIPPAGE_MOST    1000U
#define SLIPPAGE_USUAL   100U

int verify_init(struct verify *v, const struct verify_params *p)
{
    CHECK(p->workers && p->instance < p->workers);
    *v = (struct verify){.instance = p->instance, .workers = p->workers};
    eip712_init(&v->domain, p->chain_id, p->contract);
    if (guard_init(&v->guard, p->guard, p->guard_slots, p->salt, p->start_ms)) return -1;
    v->start_ms = v->guard.memory->start_ms;
    if (rates_init(&v->rates, p->per_second, p->salt)) {
        guard_fini(&v->guard);
        return -1;
    }
    return 0;
}

void verify_fini(struct verify *v)
{
    guard_fini(&v->guard);
    rates_fini(&v->rates);
}

void verify_learn(struct verify *v, const struct rules *rules)
{
    u32 count = atomic_load_explicit(&rules->token_count, memory_order_acquire);
    for (; v->tokens < count && v->tokens < TOKENS_MAX; v->tokens++)
        memcpy(v->token_symbols[v->tokens], rules->tokens[v->tokens].symbol, SYMBOL_BYTES);
    count = atomic_load_explicit(&rules->market_count, memory_order_acquire);
    for (; v->markets < count && v->markets < MARKETS_MAX; v->markets++) {
        struct market m;
        rules_read_market(rules, (u16)v->markets, &m);
        memcpy(v->symbols[v->markets], m.symbol, SYMBOL_BYTES);
    }
}

/* --- Shape ------------------------------------------------------------------------------------ */

int verify_shape(const void *message, u32 length, u16 api)
{
    const struct msg *m = message;
    if (length < sizeof *m || m->length != length)
        return err_set("message of %u bytes says it has %u", length, m->length);
    if (REQUEST_API(m->request) != api)
        return err_set("request %lu is not one of api@%u", m->request, api);
    u64 fixed = m->kind == MSG_ORDER             ? sizeof(struct msg_order)
                : m->kind == MSG_WITHDRAW        ? sizeof(struct msg_withdraw)
                : m->kind == MSG_WITHDRAW_CANCEL ? sizeof(struct msg_withdraw_cancel)
                                                 : 0;
    if (fixed) {
        if (length == fixed) return 0;
        return err_set("message of kind %u of %u bytes, expected %lu", m->kind, length, fixed);
    }
    if (m->kind != MSG_CANCEL) return err_set("message of kind %u does not belong here", m->kind);
    const struct msg_cancel *c = message;
    if (length < sizeof *c) return err_set("cancel of %u bytes is cut short", length);
    if (c->count > MSG_CANCEL_IDS_MAX || length != sizeof *c + c->count * sizeof c->order_ids[0])
        return err_set("cancel of %u bytes says it has %u orders", length, c->count);
    return 0;
}

/* --- Fields ----------------------------------------------------------------------------------- */

static bool too_large(struct wad w)
{
    return wad_get(w) > DECIMAL_MAX;
}

/* What the type v1 does not sign must not be asked for. */
static bool beyond_v1(const struct msg_order *m)
{
    if (m->stp != STP_REJECT || wad_get(m->quote_amount)) return true;
    if (m->type == TYPE_LIMIT) return m->tif != TIF_GTC;
    return m->slippage_bps != SLIPPAGE_USUAL || m->tif > TIF_IOC;
}

static u16 order_fields(const struct msg_order *m)
{
    if (m->side != SIDE_BUY && m->side != SIDE_SELL) return CODE_INVALID_SIDE;
    if (m->type != TYPE_LIMIT && m->type != TYPE_MARKET) return CODE_INVALID_TYPE;
    if (m->tif < TIF_GTC || m->tif > TIF_GTX) return CODE_INVALID_TIF;
    if (m->stp > STP_CANCEL_BOTH || m->client_id_length > CLIENT_ID_BYTES || too_large(m->price) ||
        too_large(m->amount) || too_large(m->quote_amount))
        return CODE_INVALID_PARAMS;
    if (m->type == TYPE_LIMIT ? m->slippage_bps != 0
                              : m->slippage_bps < SLIPPAGE_LEAST || m->slippage_bps > SLIPPAGE_MOST)
        return CODE_INVALID_PARAMS;
    if (m->signature_type == SIG_V1) return beyond_v1(m) ? CODE_INVALID_PARAMS : CODE_OK;
    return m->signature_type == SIG_V2 ? CODE_OK : CODE_INVALID_PARAMS;
}

/* The signed path must be the one that was asked: of one order, or of all. */
static bool path_fits(const struct msg_cancel *m)
{
    char path[MSG_PATH_BYTES];
    if (m->by_path && m->count != 1) return false;
    int len = m->by_path ? snprintf(path, sizeof path, ORDERS_PATH "/%lu", m->order_ids[0])
                         : snprintf(path, sizeof path, ORDERS_PATH);
    return m->path_length == len && !memcmp(m->path, path, (size_t)len);
}

static u16 cancel_fields(const struct msg_cancel *m)
{
    if (m->side > SIDE_SELL) return CODE_INVALID_SIDE;
    if (m->by_path > 1 || m->path_length > MSG_PATH_BYTES) return CODE_INVALID_PARAMS;
    if (m->auth == AUTH_CANCEL) return m->count == 1 ? CODE_OK : CODE_INVALID_PARAMS;
    return m->auth == AUTH_REQUEST ? CODE_OK : CODE_INVALID_PARAMS;
}

static u16 withdraw_fields(const struct verify *v, const struct msg_withdraw *m)
{
    if (too_large(m->amount)) return CODE_INVALID_PARAMS;
    static const u8 NOBODY[20];
    u8 to[20];
    if (!hex_address_read(m->to_address, TO_BYTES, to) || !memcmp(to, NOBODY, sizeof to))
        return CODE_INVALID_WITHDRAW_ADDRESS;
    return m->token < v->tokens ? CODE_OK : CODE_TOKEN_NOT_SUPPORTED;
}

/* Nothing unused goes further: equal requests make equal records. */
static void tidy_order(struct msg_order *m)
{
    m->head.zero = 0;
    memset(m->zero, 0, sizeof m->zero);
    memset(m->client_id + m->client_id_length, 0, CLIENT_ID_BYTES - m->client_id_length);
    memset(m->evidence.zero, 0, sizeof m->evidence.zero);
}

static void tidy_cancel(struct msg_cancel *m)
{
    m->head.zero = 0;
    m->zero32 = 0;
    if (m->auth == AUTH_CANCEL) m->timestamp_ms = m->by_path = m->path_length = 0;
    else m->nonce = 0;
    memset(m->path + m->path_length, 0, MSG_PATH_BYTES - m->path_length);
    memset(m->evidence.zero, 0, sizeof m->evidence.zero);
}

/* --- Authentication --------------------------------------------------------------------------- */

static void order_digest(const struct verify *v, const struct msg_order *m, u8 digest[DIGEST_BYTES])
{
    const char *symbol = v->symbols[m->market];
    size_t symbol_len = strnlen(symbol, SYMBOL_BYTES);
    if (m->signature_type == SIG_V1) {
        struct eip712_order o = {
            .side = (u8)(m->side - 1),
            .order_type = (u8)(m->type - 1),
            .market = symbol,
            .market_len = symbol_len,
            .price_wad = wad_get(m->price),
            .amount_wad = wad_get(m->amount),
            .nonce = m->nonce,
            .expiry_s = m->expire_s,
        };
        memcpy(o.wallet, m->wallet, WALLET_BYTES);
        eip712_order_digest(&v->domain, &o, digest);
        return;
    }
    struct eip712_order_v2 o = {
        .side = (u8)(m->side - 1),
        .order_type = (u8)(m->type - 1),
        .time_in_force = (u8)(m->tif - 1),
        .stp = m->stp,
        .slippage_bps = m->slippage_bps,
        .market = symbol,
        .market_len = symbol_len,
        .client_order_id = (const char *)m->client_id,
        .client_order_id_len = m->client_id_length,
        .price_wad = wad_get(m->price),
        .amount_wad = wad_get(m->amount),
        .quote_amount_wad = wad_get(m->quote_amount),
        .nonce = m->nonce,
        .expiry_s = m->expire_s,
    };
    memcpy(o.wallet, m->wallet, WALLET_BYTES);
    eip712_order_v2_digest(&v->domain, &o, digest);
}

/* A Request that takes something back: DELETE and its path. */
static void delete_digest(const struct verify *v, const void *path, size_t len, u64 timestamp_ms,
                          u8 digest[DIGEST_BYTES])
{
    struct eip712_request r = {
        .method = "DELETE",
        .method_len = 6,
        .path = path,
        .path_len = len,
        .timestamp_ms = timestamp_ms,
    };
    eip712_request_digest(&v->domain, &r, digest);
}

static void cancel_digest(const struct verify *v, const struct msg_cancel *m,
                          u8 digest[DIGEST_BYTES])
{
    if (m->auth == AUTH_CANCEL) {
        char id[24];
        int len = snprintf(id, sizeof id, "%lu", m->order_ids[0]);
        struct eip712_cancel c = {.order_id = id, .order_id_len = (size_t)len, .nonce = m->nonce};
        memcpy(c.wallet, m->wallet, WALLET_BYTES);
        eip712_cancel_digest(&v->domain, &c, digest);
        return;
    }
    delete_digest(v, m->path, m->path_length, m->timestamp_ms, digest);
}

static void withdraw_digest(const struct verify *v, const struct msg_withdraw *m,
                            u8 digest[DIGEST_BYTES])
{
    const char *symbol = v->token_symbols[m->token];
    struct eip712_withdraw w = {
        .token = symbol,
        .token_len = strnlen(symbol, SYMBOL_BYTES),
        .to_address = m->to_address,
        .to_address_len = TO_BYTES,
        .amount_wad = wad_get(m->amount),
        .nonce = m->nonce,
    };
    memcpy(w.wallet, m->wallet, WALLET_BYTES);
    eip712_withdraw_digest(&v->domain, &w, digest);
}

/* Recover, not merely check against a known key: that would let a flipped v pass. */
static bool signed_by(const struct evidence *e, const u8 wallet[WALLET_BYTES])
{
    struct secp_signer signer;
    return secp_recover(e->digest, e->signature, &signer) == SECP_OK &&
           !memcmp(signer.address, wallet, WALLET_BYTES);
}

/* A wallet belongs to one worker: another would not know what it has used. */
static bool is_ours(const struct verify *v, const u8 wallet[WALLET_BYTES])
{
    return msg_worker_of(wallet, v->workers) == v->instance;
}

static u16 in_time(const struct verify *v, u64 timestamp_ms, u64 now_ms)
{
    if (timestamp_ms > now_ms + GUARD_WINDOW_MS) return CODE_INVALID_TIMESTAMP;
    if (timestamp_ms + GUARD_WINDOW_MS < now_ms || timestamp_ms < v->start_ms)
        return CODE_SIGNATURE_EXPIRED;
    return CODE_OK;
}

static struct verdict refuse(u16 code)
{
    return (struct verdict){.code = code};
}

static struct verdict take_rate(struct verify *v, const u8 *wallet, enum rate_kind kind, u64 now_ns)
{
    u32 wait_ms = rates_take(&v->rates, wallet, kind, now_ns);
    return (struct verdict){.code = wait_ms ? CODE_RATE_LIMIT : CODE_OK, .retry_after_ms = wait_ms};
}

static struct verdict verify_order(struct verify *v, struct msg_order *m, u64 now_ns)
{
    u16 code = order_fields(m);
    if (code) return refuse(code);
    if (m->market >= v->markets) return refuse(CODE_MARKET_NOT_FOUND);
    tidy_order(m);
    order_digest(v, m, m->evidence.digest);
    if (!is_ours(v, m->wallet) || !signed_by(&m->evidence, m->wallet))
        return refuse(CODE_INVALID_SIGNATURE);
    return take_rate(v, m->wallet, RATE_ORDERS, now_ns);
}

/* A signed Request with its digest in `e`: in time, by this wallet, not used before. Uses it. */
static struct verdict use_request(struct verify *v, const struct evidence *e,
                                  const u8 wallet[WALLET_BYTES], u64 timestamp_ms, u64 now_ns)
{
    if (!is_ours(v, wallet) || !signed_by(e, wallet)) return refuse(CODE_INVALID_SIGNATURE);
    struct guard_key key = guard_key_of(e->digest, wallet);
    enum guard_answer seen = guard_look(&v->guard, &key, timestamp_ms);
    if (seen == GUARD_SEEN) return refuse(CODE_SIGNATURE_REPLAY);
    if (seen == GUARD_FULL) return refuse(CODE_UNAVAILABLE);
    struct verdict verdict = take_rate(v, wallet, RATE_CANCELS, now_ns);
    if (!verdict.code) guard_add(&v->guard, &key, timestamp_ms);
    return verdict;
}

static struct verdict verify_request(struct verify *v, struct msg_cancel *m, u64 now_ns)
{
    u16 code = in_time(v, m->timestamp_ms, now_ns / 1000000);
    if (code) return refuse(code);
    if (!path_fits(m)) return refuse(CODE_INVALID_SIGNATURE);
    return use_request(v, &m->evidence, m->wallet, m->timestamp_ms, now_ns);
}

static struct verdict verify_cancel(struct verify *v, struct msg_cancel *m, u64 now_ns)
{
    u16 code = cancel_fields(m);
    if (code) return refuse(code);
    if (m->market != NO_MARKET && m->market >= v->markets) return refuse(CODE_MARKET_NOT_FOUND);
    tidy_cancel(m);
    cancel_digest(v, m, m->evidence.digest);
    if (m->auth == AUTH_REQUEST) return verify_request(v, m, now_ns);
    if (!is_ours(v, m->wallet) || !signed_by(&m->evidence, m->wallet))
        return refuse(CODE_INVALID_SIGNATURE);
    return take_rate(v, m->wallet, RATE_CANCELS, now_ns);
}

static struct verdict verify_withdraw(struct verify *v, struct msg_withdraw *m, u64 now_ns)
{
    u16 code = withdraw_fields(v, m);
    if (code) return refuse(code);
    m->head.zero = 0;
    memset(m->evidence.zero, 0, sizeof m->evidence.zero);
    withdraw_digest(v, m, m->evidence.digest);
    if (!is_ours(v, m->wallet) || !signed_by(&m->evidence, m->wallet))
        return refuse(CODE_INVALID_SIGNATURE);
    return take_rate(v, m->wallet, RATE_WITHDRAWALS, now_ns);
}

static struct verdict verify_withdraw_cancel(struct verify *v, struct msg_withdraw_cancel *m,
                                             u64 now_ns)
{
    char path[MSG_PATH_BYTES];
    u16 code = in_time(v, m->timestamp_ms, now_ns / 1000000);
    if (code) return refuse(code);
    m->head.zero = 0;
    m->zero32 = 0;
    memset(m->evidence.zero, 0, sizeof m->evidence.zero);
    int len = snprintf(path, sizeof path, WITHDRAWALS_PATH "/%lu", m->transfer_id);
    delete_digest(v, path, (size_t)len, m->timestamp_ms, m->evidence.digest);
    return use_request(v, &m->evidence, m->wallet, m->timestamp_ms, now_ns);
}

struct verdict verify_message(struct verify *v, struct msg *m, u64 now_ns)
{
    void *body = m;
    switch (m->kind) {
    case MSG_ORDER: return verify_order(v, body, now_ns);
    case MSG_WITHDRAW: return verify_withdraw(v, body, now_ns);
    case MSG_WITHDRAW_CANCEL: return verify_withdraw_cancel(v, body, now_ns);
    default: return verify_cancel(v, body, now_ns);
    }
}
