#include "procs/api/limit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "shm/err.h"
#include "shm/limits.h"

#define EXEMPT_MAX     16U
#define ADDRESS_BYTES  16U
#define V4_PREFIX_BITS 96U /* ::ffff:a.b.c.d */
#define MINUTE         60U

enum kind { KIND_ADDRESS = 1, KIND_QUERIES, KIND_ORDERS, KIND_CANCELS, KIND_WITHDRAWALS, KIND_ALL };

struct prefix {
    u8 bytes[ADDRESS_BYTES];
    u32 bits;
};

struct limiter {
    struct limits_view view;
    u32 exempt_count;
    struct prefix exempt[EXEMPT_MAX];
};

/* ---- Addresses ---- */

/* IPv4 as IPv4-mapped IPv6, so that there is one kind of address. */
static bool parse_address(const char *text, u8 out[ADDRESS_BYTES], u32 *bits)
{
    static const u8 MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    memcpy(out, MAPPED, sizeof MAPPED);
    *bits = 32;
    if (inet_pton(AF_INET, text, out + sizeof MAPPED) == 1) return true;
    *bits = 128;
    return inet_pton(AF_INET6, text, out) == 1;
}

/* "10.0.0.0/8" */
static int parse_prefix(char *text, struct prefix *p)
{
    char *slash = strchr(text, '/'), *end = NULL;
    u32 most;
    if (slash) *slash = '\0';
    if (!parse_address(text, p->bytes, &most)) return -1;
    u64 bits = slash ? strtoul(slash + 1, &end, 10) : most;
    if (bits > most || (slash && (!slash[1] || *end))) return -1;
    p->bits = (u32)bits + (most == 32 ? V4_PREFIX_BITS : 0);
    return 0;
}

static int parse_exempt(struct limiter *l, const char *list)
{
    char text[CONFIG_TEXT_MAX], word[CONFIG_TEXT_MAX];
    snprintf(text, sizeof text, "%s", list);
    for (char *rest = text, *at; (at = strsep(&rest, ","));) {
        while (*at == ' ') at++;
        if (!*at) continue;
        snprintf(word, sizeof word, "%s", at);
        if (l->exempt_count == EXEMPT_MAX)
            return err_set("limits.exempt: more than %u addresses", EXEMPT_MAX);
        if (parse_prefix(at, &l->exempt[l->exempt_count++]))
            return err_set("limits.exempt: '%s' is no address and no prefix such as 10.0.0.0/8",
                           word);
    }
    return 0;
}

static bool lies_in(const u8 address[ADDRESS_BYTES], const struct prefix *p)
{
    u32 whole = p->bits / 8, rest = p->bits % 8;
    if (memcmp(address, p->bytes, whole) != 0) return false;
    return !rest || !((address[whole] ^ p->bytes[whole]) >> (8 - rest));
}

u64 limit_address(const struct api *a, const struct sockaddr *address)
{
    const struct limiter *l = a->limiter;
    u8 bytes[ADDRESS_BYTES] = {[10] = 0xff, [11] = 0xff};
    if (address->sa_family == AF_INET)
        memcpy(bytes + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    else if (address->sa_family == AF_INET6)
        memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    for (u32 i = 0; i < l->exempt_count; i++)
        if (lies_in(bytes, &l->exempt[i])) return 0;
    struct prefix mapped = {.bytes = {[10] = 0xff, [11] = 0xff}, .bits = V4_PREFIX_BITS};
    size_t counted = lies_in(bytes, &mapped) ? ADDRESS_BYTES : ADDRESS_BYTES / 2;
    return limits_key(&l->view, KIND_ADDRESS, bytes, counted);
}

/* ---- Start ---- */

int limit_start(struct api *a)
{
    struct limiter *l = a->limiter = calloc(1, sizeof *l);
    char name[REGION_NAME_BYTES];
    if (!l) return err_sys("memory for limits");
    l->view.count = a->segment->topo.params.api;
    CHECK(l->view.count <= LIMITS_WORKERS_MAX);
    for (u32 i = 0; i < l->view.count; i++) {
        snprintf(name, sizeof name, "limits@%u", i);
        struct limits *table = limits_join(segment_object(a->segment, name));
        l->view.all[i] = table;
        if (i == a->instance) l->view.own = table;
    }
    l->view.salt = a->segment->boot.created_ns ^ a->segment->boot.supervisor_start << 32;
    limits_begin(l->view.own);
    return parse_exempt(l, a->config->limits.exempt.s);
}

void limit_stop(struct api *a)
{
    free(a->limiter);
    a->limiter = NULL;
}

/* ---- Connections ---- */

bool limit_connect(struct api *a, u64 address)
{
    u32 most = a->config->api.connections_per_address;
    if (!address) return true;
    if (most && limits_open(&a->limiter->view, address) >= most) return false;
    limits_connection(&a->limiter->view, address, 1, a->unix_ns / NS_PER_S);
    return true;
}

void limit_disconnect(struct api *a, u64 address)
{
    if (address) limits_connection(&a->limiter->view, address, -1, a->unix_ns / NS_PER_S);
}

/* ---- Requests ---- */

static u64 end_of_window(const struct api *a, u32 seconds)
{
    return (a->unix_ns / NS_PER_S / seconds + 1) * seconds;
}

/* Count one and note what the headers tell. False: there were `most` already. */
static bool take(struct api *a, struct request *r, u64 key, u32 seconds, u32 most)
{
    u32 used;
    u64 end_s = end_of_window(a, seconds);
    bool may = limits_take(&a->limiter->view, key, end_s, most, &used);
    r->told = (struct rate_told){most, most - (u32)min_u64(used, most), end_s};
    return may;
}

static int too_many(const struct api *a, const struct request *r, const char *field,
                    const char *what, struct problem *p)
{
    problem_set(p, CODE_RATE_LIMIT, field, NULL, "at most %u %s", r->told.limit, what);
    p->retry_after_ms = (u32)((r->told.reset_s * NS_PER_S - a->unix_ns) / NS_PER_MS + 1);
    return -1;
}

int limit_request(struct api *a, struct request *r, u64 address, struct problem *p)
{
    u32 in_all = a->config->limits.requests_per_second_in_all;
    if (!a->config->limits.rates) return 0;
    if (in_all && !take(a, r, limits_key(&a->limiter->view, KIND_ALL, NULL, 0), 1, in_all)) {
        problem_set(p, CODE_UNAVAILABLE, NULL, NULL, "the exchange takes no more requests now");
        p->retry_after_ms = 1000;
        r->told.limit = 0; /* it is nobody's own limit */
        return -1;
    }
    r->told.limit = 0;
    if (!address || take(a, r, address, MINUTE, a->config->limits.requests_per_minute)) return 0;
    return too_many(a, r, "address", "requests a minute from one address", p);
}

int limit_query(struct api *a, struct request *r, const u8 wallet[WALLET_BYTES], struct problem *p)
{
    if (!a->config->limits.rates) return 0;
    u64 key = limits_key(&a->limiter->view, KIND_QUERIES, wallet, WALLET_BYTES);
    if (take(a, r, key, 1, a->config->limits.queries_per_second)) return 0;
    return too_many(a, r, "wallet", "queries a second of one wallet", p);
}

void limit_asked(struct api *a, struct request *r, const u8 wallet[WALLET_BYTES], u16 kind)
{
    if (!a->config->limits.rates) return;
    enum kind counted = kind == MSG_ORDER      ? KIND_ORDERS
                        : kind == MSG_WITHDRAW ? KIND_WITHDRAWALS
                                               : KIND_CANCELS;
    r->wallet_kind = (u8)counted;
    r->wallet_key = limits_key(&a->limiter->view, counted, wallet, WALLET_BYTES);
}

void limit_replied(struct api *a, struct request *r, u16 code, u32 retry_after_ms)
{
    u32 most = r->wallet_kind == KIND_ORDERS        ? a->config->limits.orders_per_second
               : r->wallet_kind == KIND_WITHDRAWALS ? a->config->limits.withdrawals_per_second
                                                    : a->config->limits.cancels_per_second;
    if (!r->wallet_key || code == CODE_INVALID_SIGNATURE) return;
    if (code == CODE_RATE_LIMIT)
        r->told =
            (struct rate_told){most, 0, (a->unix_ns / NS_PER_MS + retry_after_ms + 999) / 1000};
    else take(a, r, r->wallet_key, 1, most);
}
