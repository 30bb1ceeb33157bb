#include "procs/api/auth.h"

#include <inttypes.h>

#include "procs/api/body.h"
#include "procs/api/limit.h"
#include "procs/lib/eth/secp.h"
#include "shm/crc32c.h"
#include "shm/err.h"

#define PROVEN_MAX 4096U

/* A signature that was found good. */
struct proven {
    u8 digest[DIGEST_BYTES];
    u8 signature[SIGNATURE_BYTES];
    u8 wallet[WALLET_BYTES];
    bool used;
};

struct auth_cache {
    struct proven proven[PROVEN_MAX];
};

struct auth_cache *auth_cache_new(void)
{
    struct auth_cache *c = calloc(1, sizeof *c);
    if (!c) err_sys("%zu bytes for proven signatures", sizeof *c);
    return c;
}

/* Did the wallet of `c` sign this digest? */
static bool signed_by(struct auth_cache *cache, const struct credentials *c,
                      const u8 digest[DIGEST_BYTES])
{
    u32 at = crc32c(0, c->signature, SIGNATURE_BYTES) % PROVEN_MAX;
    struct proven *known = &cache->proven[at];
    if (known->used && !memcmp(known->digest, digest, DIGEST_BYTES) &&
        !memcmp(known->signature, c->signature, SIGNATURE_BYTES) &&
        !memcmp(known->wallet, c->wallet, WALLET_BYTES))
        return true;
    struct secp_signer signer;
    if (secp_recover(digest, c->signature, &signer) != SECP_OK) return false;
    if (memcmp(signer.address, c->wallet, WALLET_BYTES) != 0) return false;
    memcpy(known->digest, digest, DIGEST_BYTES);
    memcpy(known->signature, c->signature, SIGNATURE_BYTES);
    memcpy(known->wallet, c->wallet, WALLET_BYTES);
    known->used = true;
    return true;
}

static int bad_signature(const char *what, struct problem *p)
{
    return problem_set(p, CODE_INVALID_SIGNATURE, "signature", NULL,
                       "the wallet did not sign %s, or not with this signature", what);
}

int auth_request(struct api *a, struct request *r, u8 wallet[WALLET_BYTES], struct problem *p)
{
    static const char *const NAMES[] = {"GET", "POST", "DELETE"};
    struct credentials c;
    u8 digest[DIGEST_BYTES];
    if (credentials_read(&c, r->authorization, p) ||
        credentials_in_time(&c, a->unix_ns / NS_PER_MS, p))
        return -1;
    const char *method = NAMES[r->method];
    struct eip712_request asked = {.method = method,
                                   .method_len = strlen(method),
                                   .path = a->target.path.at,
                                   .path_len = a->target.path.len,
                                   .timestamp_ms = c.timestamp_ms};
    eip712_request_digest(&a->eip712, &asked, digest);
    if (!signed_by(a->auth_cache, &c, digest))
        return bad_signature("Request(method, path, timestamp)", p);
    if (limit_query(a, r, c.wallet, p)) return -1;
    memcpy(wallet, c.wallet, WALLET_BYTES);
    return 0;
}

int auth_socket(struct api *a, json_t *params, u8 wallet[WALLET_BYTES], struct problem *p)
{
    struct credentials c;
    struct span as_sent;
    u8 digest[DIGEST_BYTES];
    char text[160];
    if (credentials_from_json(&c, params, p) ||
        credentials_in_time(&c, a->unix_ns / NS_PER_MS, p) ||
        body_text(params, "wallet", &as_sent, p))
        return -1;
    struct eip712_request asked = {.method = "WS",
                                   .method_len = 2,
                                   .path = "/ws",
                                   .path_len = 3,
                                   .timestamp_ms = c.timestamp_ms};
    eip712_request_digest(&a->eip712, &asked, digest);
    memcpy(wallet, c.wallet, WALLET_BYTES);
    if (signed_by(a->auth_cache, &c, digest)) return 0;
    int n = snprintf(text, sizeof text,
                     "Eidos Exchange WebSocket Authentication\nWallet: %.42s\nTimestamp: %" PRIu64,
                     as_sent.at, c.timestamp_ms);
    eip712_personal_digest(text, (size_t)n, digest);
    if (signed_by(a->auth_cache, &c, digest)) return 0;
    return bad_signature("Request(\"WS\", \"/ws\", timestamp)", p);
}
