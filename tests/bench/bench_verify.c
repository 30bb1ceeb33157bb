/* bench_verify.c: what one verify process carries, beside what its core could recover at best.
 *
 *   verify    verify_shape and verify_message of different OrderV2 messages, rates on
 *   recover   secp_recover of the same signatures, digests given
 *
 * The two take turns in the same run on one pinned core; printed are the medians of their rates
 * and the ratio. Argument: seed.
 */
#include "procs/lib/eth/keccak.h"
#include "procs/lib/eth/secp.h"
#include "procs/verify/verify.h"
#include "shm/err.h"

#include <sched.h>
#include <string.h>
#include <time.h>

#define ORDERS 512U /* messages of one round */
#define ROUNDS 21U  /* an odd number: the median is one of them */

static struct rules rules;
static struct verify verify;
static struct msg_order orders[ORDERS], work[ORDERS];

static void make_order(struct msg_order *m, u64 seed, u64 i)
{
    u64 text[2] = {seed, i};
    struct secp_signer signer;
    u8 key[32];
    keccak_256(text, sizeof text, key);
    CHECK(secp_signer_of_key(key, &signer) == 0);
    *m = (struct msg_order){
        .head = {.length = sizeof *m, .kind = MSG_ORDER},
        .price = wad_make((u128)(50000 + i) * 1000000000000000000U),
        .amount = wad_make(125000000000000000U + i),
        .nonce = 1767225600000 + i,
        .side = SIDE_BUY,
        .type = TYPE_LIMIT,
        .tif = TIF_GTC,
        .signature_type = SIG_V2,
    };
    memcpy(m->wallet, signer.address, WALLET_BYTES);
    struct eip712_order_v2 o = {.market = "BTC-USDC",
                                .market_len = 8,
                                .price_wad = wad_get(m->price),
                                .amount_wad = wad_get(m->amount),
                                .nonce = m->nonce};
    memcpy(o.wallet, signer.address, WALLET_BYTES);
    eip712_order_v2_digest(&verify.domain, &o, m->evidence.digest);
    CHECK(secp_sign(key, m->evidence.digest, m->evidence.signature) == 0);
}

static void verify_all(u64 now_ns)
{
    memcpy(work, orders, sizeof work);
    for (size_t i = 0; i < ORDERS; i++) {
        CHECK(verify_shape(&work[i], sizeof work[i], 0) == 0);
        CHECK(verify_message(&verify, &work[i].head, now_ns).code == 0);
    }
}

static void recover_all(u64 now_ns)
{
    (void)now_ns;
    for (size_t i = 0; i < ORDERS; i++) {
        struct secp_signer signer;
        CHECK(secp_recover(orders[i].evidence.digest, orders[i].evidence.signature, &signer) ==
              SECP_OK);
    }
}

static u64 nanoseconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

static double rate_of(void (*body)(u64 now_ns), u64 round)
{
    u64 start = nanoseconds(CLOCK_MONOTONIC);
    body(1767225600000000000 + round * 1000000000); /* a second later: the rates allow it */
    return ORDERS * 1e9 / (double)(nanoseconds(CLOCK_MONOTONIC) - start);
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
    static const struct verify_params PARAMS = {
        .chain_id = 31337, .workers = 1, .per_second = {10, 20, 1}, .guard_slots = GUARD_SLOTS};
    u64 seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    struct cmd_market btc = {.head = {.kind = CMD_MARKET, .length = sizeof btc},
                             .symbol = "BTC-USDC"};
    int core = sched_getcpu();
    CHECK(core >= 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)core, &one);
    if (sched_setaffinity(0, sizeof one, &one)) perror("not pinned, expect noise");
    rules_new(&rules);
    rules_apply(&rules, &btc.head);
    if (secp_init() || verify_init(&verify, &PARAMS)) {
        fprintf(stderr, "%s\n", err_text());
        return 1;
    }
    verify_learn(&verify, &rules);
    for (u64 i = 0; i < ORDERS; i++) make_order(&orders[i], seed, i);
    verify_all(0);
    recover_all(0);

    double verified[ROUNDS], recovered[ROUNDS];
    for (u64 i = 0; i < ROUNDS; i++) {
        verified[i] = rate_of(verify_all, i);
        recovered[i] = rate_of(recover_all, i);
    }
    double v = median(verified), r = median(recovered);
    printf("seed %lu, %u orders x %u rounds, medians, one core\n", seed, ORDERS, ROUNDS);
    printf("verify  %10.0f /s   %.1f %% of recover\n", v, 100 * v / r);
    printf("recover %10.0f /s\n", r);
    return 0;
}
