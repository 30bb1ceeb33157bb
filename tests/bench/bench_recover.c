/* bench_recover.c: what one core can verify.
 *
 *   recover   OrderV2 digest, public key from the signature, address, compare
 *   known     OrderV2 digest, check against a public key seen before
 *   digest    OrderV2 digest alone
 *
 * The three take turns in the same run on one pinned core; printed are the medians of their rates
 * and the ratio. Keys and orders are all different, as with strangers. Argument: seed.
 */
#include "procs/lib/eth/eip712.h"
#include "procs/lib/eth/keccak.h"
#include "procs/lib/eth/secp.h"
#include "shm/err.h"

#include <sched.h>
#include <string.h>
#include <time.h>

#define ORDERS   512U /* signatures of one round */
#define ROUNDS   15U  /* an odd number: the median is one of them */
#define DIGESTED 20U  /* passes of the digest path, so that its round is not too short */

struct signed_order {
    struct eip712_order_v2 order;
    struct secp_signer signer;
    u8 signature[SECP_SIGNATURE];
};

static struct eip712 domain;
static struct signed_order orders[ORDERS];

static void make_orders(u64 seed)
{
    static const u8 NO_CONTRACT[20];
    eip712_init(&domain, 31337, NO_CONTRACT);
    for (size_t i = 0; i < ORDERS; i++) {
        struct signed_order *s = &orders[i];
        u64 text[2] = {seed, i};
        u8 key[32], digest[32];
        keccak_256(text, sizeof text, key);
        CHECK(secp_signer_of_key(key, &s->signer) == 0);
        s->order = (struct eip712_order_v2){
            .market = "BTC-USDC",
            .market_len = 8,
            .client_order_id = "maker-0001",
            .client_order_id_len = 10,
            .price_wad = (u128)(50000 + i) * 1000000000000000000U,
            .amount_wad = 125000000000000000U + i,
            .nonce = 1767225600000 + i,
            .expiry_s = 1767229200,
        };
        memcpy(s->order.wallet, s->signer.address, SECP_ADDRESS);
        eip712_order_v2_digest(&domain, &s->order, digest);
        CHECK(secp_sign(key, digest, s->signature) == 0);
    }
}

static void recover_all(void)
{
    for (size_t i = 0; i < ORDERS; i++) {
        const struct signed_order *s = &orders[i];
        struct secp_signer signer;
        u8 digest[32];
        eip712_order_v2_digest(&domain, &s->order, digest);
        CHECK(secp_recover(digest, s->signature, &signer) == SECP_OK);
        CHECK(memcmp(signer.address, s->order.wallet, SECP_ADDRESS) == 0);
    }
}

static void verify_all(void)
{
    for (size_t i = 0; i < ORDERS; i++) {
        const struct signed_order *s = &orders[i];
        u8 digest[32];
        eip712_order_v2_digest(&domain, &s->order, digest);
        CHECK(secp_verify_known(digest, s->signature, s->signer.pubkey) == SECP_OK);
    }
}

static void digest_all(void)
{
    for (size_t i = 0; i < DIGESTED * ORDERS; i++) {
        u8 digest[32];
        eip712_order_v2_digest(&domain, &orders[i % ORDERS].order, digest);
        __asm__ volatile("" : : "r"(digest) : "memory"); /* the digest is used */
    }
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double rate_of(void (*work)(void), unsigned items)
{
    double start = seconds();
    work();
    return items / (seconds() - start);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double rates[ROUNDS])
{
    qsort(rates, ROUNDS, sizeof rates[0], compare);
    return rates[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    u64 seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    int core = sched_getcpu();
    CHECK(core >= 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)core, &one);
    if (sched_setaffinity(0, sizeof one, &one)) perror("not pinned, expect noise");
    if (secp_init()) {
        fprintf(stderr, "%s\n", err_text());
        return 1;
    }
    make_orders(seed);
    recover_all();
    verify_all();

    double recover[ROUNDS], known[ROUNDS], digest[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        recover[i] = rate_of(recover_all, ORDERS);
        known[i] = rate_of(verify_all, ORDERS);
        digest[i] = rate_of(digest_all, DIGESTED * ORDERS);
    }
    double r = median(recover), k = median(known), d = median(digest);
    printf("seed %lu, %u orders x %u rounds, medians, one core\n", seed, ORDERS, ROUNDS);
    printf("recover %10.0f /s\n", r);
    printf("known   %10.0f /s   %.2f x recover\n", k, k / r);
    printf("digest  %10.0f /s   %.1f %% of a recover\n", d, 100 * r / d);
    return 0;
}
