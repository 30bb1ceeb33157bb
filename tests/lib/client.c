#include "tests/lib/client.h"

#include <string.h>
#include <time.h>

#include "procs/lib/decimal.h"

#define CHAIN_ID     31337 /* env = dev */
#define ANSWER_MAX   (8UL << 20)
#define TIMEOUT_MS   8000L /* beyond the exchange's own */
#define WAD_PER_E8   10000000000UL
#define SLIPPAGE_BPS 100

const char *const client_markets[CLIENT_MARKETS] = {"BTC-USDC", "ETH-USDC"};
const char *const client_bases[CLIENT_MARKETS] = {"BTC", "ETH"};

static const char *const SIDES[] = {"buy", "sell"};
static const char *const TYPES[] = {"limit", "market"};
static const char *const STATUSES[] = {"pending",   "open",    "partial", "filled",
                                       "cancelled", "expired", "rejected"};

static const struct eip712 *domain(void)
{
    static struct eip712 e;
    static bool made;
    static const u8 nowhere[20];
    if (!made) eip712_init(&e, CHAIN_ID, nowhere);
    made = true;
    return &e;
}

/* --- Wallets -----------------------------------------------------------------------------------*/

u64 client_random(u64 *seed)
{
    u64 z = *seed += 0x9e3779b97f4a7c15UL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9UL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebUL;
    return z ^ (z >> 31);
}

void wallet_make(struct client_wallet *w, u64 *seed)
{
    CHECK(secp_init() == 0);
    do
        for (u32 i = 0; i < SECP_KEY; i++) w->key[i] = (u8)client_random(seed);
    while (client_wallet_of_key(w));
}

/* --- Signing -----------------------------------------------------------------------------------*/

void order_body(const struct client_wallet *w, const struct order_spec *o, char body[CLIENT_BODY])
{
    u8 signature[SECP_SIGNATURE];
    struct json_out out;
    struct client_order order = {.market = client_markets[o->market],
                                 .side = o->side,
                                 .type = o->type,
                                 .tif = o->tif,
                                 .stp = o->stp,
                                 .slippage_bps = o->type ? SLIPPAGE_BPS : 0,
                                 .price_wad = (u128)o->price * WAD_PER_E8,
                                 .amount_wad = (u128)o->amount * WAD_PER_E8,
                                 .quote_wad = (u128)o->quote_amount * WAD_PER_E8,
                                 .nonce = o->nonce,
                                 .v1 = o->v1};
    client_sign_order(domain(), w, &order, signature);
    json_out_init(&out, body, CLIENT_BODY - 1);
    client_put_order(&out, w, &order, signature);
    CHECK(!out.full);
    body[out.len] = '\0';
}

void cancel_body(const struct client_wallet *w, u64 order_id, u64 nonce, char body[CLIENT_BODY])
{
    struct json_out out;
    json_out_init(&out, body, CLIENT_BODY - 1);
    client_put_cancel(&out, domain(), w, order_id, nonce);
    CHECK(!out.full);
    body[out.len] = '\0';
}

u64 client_unix_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

void sign_request(const struct client_wallet *w, const char *method, const char *path,
                  char header[CLIENT_HEADER])
{
    client_header(domain(), w, method, path, client_unix_ms(), header);
}

/* --- Reading answers ---------------------------------------------------------------------------*/

const char *client_side(u8 side)
{
    return SIDES[side];
}

const char *client_type(u8 type)
{
    return TYPES[type];
}

int client_status(const char *text)
{
    for (size_t i = 0; text && i < COUNT_OF(STATUSES); i++)
        if (!strcmp(STATUSES[i], text)) return (int)i;
    return -1;
}

u64 client_e8(const json_t *object, const char *name)
{
    const json_t *text = json_object_get(object, name);
    u128 value;
    if (!json_is_string(text) ||
        decimal_parse(json_string_value(text), json_string_length(text), 8, &value) != DECIMAL_OK ||
        value >= UINT64_MAX)
        return UINT64_MAX;
    return (u64)value;
}

u64 client_id(const json_t *object, const char *name)
{
    const json_t *text = json_object_get(object, name);
    u64 id;
    if (!json_is_string(text) ||
        decimal_parse_u64(json_string_value(text), json_string_length(text), &id) != DECIMAL_OK)
        return 0;
    return id;
}

/* --- Requests ----------------------------------------------------------------------------------*/

static size_t take_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct call *call = context;
    size_t n = size * count;
    if (call->length + n > ANSWER_MAX) return 0;
    call->text = realloc(call->text, call->length + n + 1);
    CHECK(call->text);
    memcpy(call->text + call->length, bytes, n);
    call->length += n;
    call->text[call->length] = '\0';
    return n;
}

void client_open(struct client *c, u32 calls, u32 port)
{
    CHECK(calls >= 1 && calls <= CLIENT_CALLS_MAX);
    *c = (struct client){.count = calls, .port = port};
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    c->multi = curl_multi_init();
    CHECK(c->multi);
    for (u32 i = 0; i < calls; i++) {
        c->calls[i].easy = curl_easy_init();
        CHECK(c->calls[i].easy);
    }
}

static void forget(struct call *call)
{
    curl_slist_free_all(call->headers);
    free(call->text);
    call->headers = NULL;
    call->text = NULL;
    call->length = 0;
}

void client_close(struct client *c)
{
    for (u32 i = 0; i < c->count; i++) {
        if (c->calls[i].busy) curl_multi_remove_handle(c->multi, c->calls[i].easy);
        curl_easy_cleanup(c->calls[i].easy);
        forget(&c->calls[i]);
    }
    curl_multi_cleanup(c->multi);
}

void client_send(struct client *c, const char *method, const char *target, const char *header,
                 const char *body, answer_fn *done, void *context)
{
    char url[400];
    struct call *call = c->calls;
    while (call < c->calls + c->count && call->busy) call++;
    CHECK(call < c->calls + c->count);
    call->done = done;
    call->context = context;
    call->busy = true;
    c->busy++;
    c->requests++;
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", c->port, target);
    call->headers = curl_slist_append(call->headers, "Expect:");
    if (header) call->headers = curl_slist_append(call->headers, header);
    if (body) call->headers = curl_slist_append(call->headers, "Content-Type: application/json");
    curl_easy_reset(call->easy);
    curl_easy_setopt(call->easy, CURLOPT_URL, url);
    curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(call->easy, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
    curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(call->easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(call->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(call->easy, CURLOPT_PROXY, "");
    if (body) {
        snprintf(call->body, sizeof call->body, "%s", body);
        curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, call->body);
    }
    CHECK(curl_multi_add_handle(c->multi, call->easy) == CURLM_OK);
}

/* The request of `call` has ended; its place is free before `done` runs, which may send again. */
static void finish(struct client *c, struct call *call, CURLcode result)
{
    struct answer a = {.code = -1};
    json_t *envelope = NULL;
    if (result == CURLE_OK) curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &a.http);
    if (a.http && call->text) envelope = json_loads(call->text, 0, NULL);
    const json_t *code = json_object_get(envelope, "code");
    if (json_is_integer(code)) a.code = (int)json_integer_value(code);
    a.data = json_object_get(envelope, "data");
    c->unanswered += a.http == 0;
    curl_multi_remove_handle(c->multi, call->easy);
    forget(call);
    call->busy = false;
    c->busy--;
    call->done(call->context, &a);
    json_decref(envelope);
}

void client_pump(struct client *c, int wait_ms)
{
    int running, left;
    CHECK(curl_multi_perform(c->multi, &running) == CURLM_OK);
    CURLMsg *m = curl_multi_info_read(c->multi, &left);
    if (!m && wait_ms > 0) {
        CHECK(curl_multi_poll(c->multi, NULL, 0, wait_ms, NULL) == CURLM_OK);
        CHECK(curl_multi_perform(c->multi, &running) == CURLM_OK);
        m = curl_multi_info_read(c->multi, &left);
    }
    for (; m; m = curl_multi_info_read(c->multi, &left)) {
        struct call *call;
        if (m->msg != CURLMSG_DONE) continue;
        CURLcode result = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &call);
        finish(c, call, result);
    }
}

void client_drain(struct client *c)
{
    while (c->busy) client_pump(c, 100);
}

struct kept {
    json_t *data;
    long http;
    bool done;
};

static void keep(void *context, const struct answer *a)
{
    struct kept *k = context;
    k->http = a->http;
    k->done = true;
    if (a->http == 200) k->data = json_incref(a->data);
}

json_t *client_ask(struct client *c, const char *method, const char *target, const char *header,
                   const char *body, long *http)
{
    struct kept k = {0};
    while (client_is_full(c)) client_pump(c, 100);
    client_send(c, method, target, header, body, keep, &k);
    while (!k.done) client_pump(c, 100);
    if (http) *http = k.http;
    return k.data;
}

json_t *client_get(struct client *c, const struct client_wallet *w, const char *path,
                   const char *query)
{
    char header[CLIENT_HEADER], target[200];
    sign_request(w, "GET", path, header);
    snprintf(target, sizeof target, "%s%s", path, query ? query : "");
    return client_ask(c, "GET", target, header, NULL, NULL);
}
