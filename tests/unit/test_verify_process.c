/* The process between its rings, in a real segment: what passes, what is refused, who is shut out,
 * and that nothing is lost or doubled when trading is slow or verify starts again. */
#include "procs/lib/eth/secp.h"
#include "procs/verify/process.h"
#include "shm/err.h"
#include "tests/lib/small_topo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct topo_params PARAMS = {SMALL_TOPO, .api = 2, .verify = 1, .matching = 1};
static const u8 KEY[32] = {7};

static char dir[64];
static struct segment apis[2], trading;
static struct run run;
static struct ring_tx from_api[2];
static struct ring_rx to_trading;
static struct secp_signer signer;
static struct eip712 domain;

static void begin(void)
{
    run = (struct run){.descriptor = &verify_descriptor};
    for (u32 i = 0; i < TOPO_PROCS_MAX; i++) run.bells[i] = -1;
    run.config.exchange.chain_id = 31337;
    run.state = calloc(1, verify_descriptor.state_bytes);
    CHECK(run.state && segment_attach(&run.segment, dir, ROLE_VERIFY, 0) == 0);
    run.proc = segment_proc(&run.segment, ROLE_VERIFY, 0);
    CHECK(verify_descriptor.init(&run) == 0);
}

static void end(void)
{
    verify_descriptor.stop(&run);
    free(run.state);
    segment_detach(&run.segment);
}

static void make_rules(void)
{
    struct cmd_market m = {.head = {.kind = CMD_MARKET, .length = sizeof m}, .symbol = "BTC-USDC"};
    struct region *region = segment_region(&trading, "rules");
    region_rebuild(region);
    rules_new(region->object);
    rules_apply(region->object, &m.head);
    region_ready(region);
}

static int set_up(void **state)
{
    (void)state;
    static const u8 NO_CONTRACT[20];
    char warning[512];
    struct segment_place place = {
        .dir = dir, .shm_dir = "/dev/shm", .huge = SEGMENT_HUGE_OFF, .build = "test"};
    snprintf(dir, sizeof dir, "/tmp/eidos-test-verify-%d", getpid());
    CHECK(segment_create(&place, &PARAMS, warning, sizeof warning) == 0);
    for (u32 i = 0; i < 2; i++) {
        CHECK(segment_attach(&apis[i], dir, ROLE_API, i) == 0);
        segment_ring_tx(&apis[i], ROLE_VERIFY, 0, NULL, &from_api[i]);
    }
    CHECK(segment_attach(&trading, dir, ROLE_TRADING, 0) == 0);
    segment_ring_rx(&trading, ROLE_VERIFY, 0, &to_trading);
    begin();
    CHECK(secp_signer_of_key(KEY, &signer) == 0);
    eip712_init(&domain, 31337, NO_CONTRACT);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    end();
    for (u32 i = 0; i < 2; i++) segment_detach(&apis[i]);
    segment_detach(&trading);
    segment_delete(dir);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command); // NOLINT(cert-env33-c)
}

/* A signed order of nonce `nonce`, as api `api` sends it. */
static struct msg_order make_order(u16 api, u64 nonce)
{
    struct msg_order m = {
        .head = {.length = sizeof m, .kind = MSG_ORDER, .request = (u64)api << 48 | nonce},
        .price = wad_make(1000),
        .amount = wad_make(1000),
        .nonce = nonce,
        .side = SIDE_BUY,
        .type = TYPE_LIMIT,
        .tif = TIF_GTC,
        .signature_type = SIG_V1,
    };
    struct eip712_order o = {.market = "BTC-USDC",
                             .market_len = 8,
                             .price_wad = 1000,
                             .amount_wad = 1000,
                             .nonce = nonce};
    u8 digest[32];
    memcpy(m.wallet, signer.address, WALLET_BYTES);
    memcpy(o.wallet, signer.address, WALLET_BYTES);
    eip712_order_digest(&domain, &o, digest);
    CHECK(secp_sign(KEY, digest, m.evidence.signature) == 0);
    return m;
}

static bool say(u32 api, const void *message, u32 length)
{
    void *room = ring_alloc(&from_api[api], length);
    if (!room) return false;
    memcpy(room, message, length);
    ring_push(&from_api[api], length);
    ring_publish(&from_api[api]);
    return true;
}

static bool say_order(u16 api, u64 nonce)
{
    struct msg_order m = make_order(api, nonce);
    return say(api, &m, sizeof m);
}

/* As the loop does it. */
static u32 turn(void)
{
    run.sleep_ns = RUN_SLEEP_NS;
    return verify_descriptor.turn(&run);
}

/* The next message for trading, or NULL. */
static const struct msg *heard(void)
{
    static alignas(8) u8 copy[MSG_BYTES_MAX];
    const struct msg *m = ring_peek(&to_trading);
    if (!m) return NULL;
    memcpy(copy, m, m->length);
    ring_pop(&to_trading, m->length);
    ring_release(&to_trading);
    return (const struct msg *)(const void *)copy;
}

static u64 metric(enum metric id)
{
    return metric_get(run.proc, id);
}

static void waits_for_the_rules(void **state)
{
    (void)state;
    assert_true(say_order(0, 1));
    assert_int_equal(turn(), 0);
    assert_true(run.sleep_ns < RUN_SLEEP_NS);
    assert_null(heard());
    make_rules();
    assert_int_equal(turn(), 1);
    assert_int_equal(heard()->kind, MSG_ORDER);
}

static void passes_what_is_proven(void **state)
{
    (void)state;
    make_rules();
    assert_true(say_order(1, 5));
    assert_int_equal(turn(), 1);
    const struct msg_order *m = (const void *)heard();
    assert_int_equal(m->head.kind, MSG_ORDER);
    assert_int_equal(m->head.request, 1UL << 48 | 5);
    assert_int_equal(m->nonce, 5);
    static const u8 NO_DIGEST[DIGEST_BYTES];
    assert_memory_not_equal(m->evidence.digest, NO_DIGEST, DIGEST_BYTES);
    assert_null(heard());
    assert_int_equal(turn(), 0);
    assert_int_equal(run.sleep_ns, RUN_SLEEP_NS);
    assert_int_equal(metric(METRIC_VERIFY_CHECKED), 1);
    assert_int_equal(metric(METRIC_VERIFY_REFUSED), 0);
}

static void refuses_by_message(void **state)
{
    (void)state;
    make_rules();
    struct msg_order m = make_order(0, 9);
    m.nonce = 10;
    assert_true(say(0, &m, sizeof m));
    assert_int_equal(turn(), 1);
    const struct msg_refused *r = (const void *)heard();
    assert_int_equal(r->head.kind, MSG_REFUSED);
    assert_int_equal(r->head.length, sizeof *r);
    assert_int_equal(r->head.request, 9);
    assert_int_equal(r->code, CODE_INVALID_SIGNATURE);
    assert_int_equal(metric(METRIC_VERIFY_REFUSED), 1);
}

/* After junk from one api, that api is heard no more; the other is. */
static void check_shut_out(u32 api)
{
    assert_int_equal(turn(), 0);
    assert_null(heard());
    assert_int_equal(metric(METRIC_VERIFY_BROKEN_RINGS), 1);
    say_order((u16)api, 1);
    assert_true(say_order((u16)!api, 2));
    while (turn()) continue;
    assert_int_equal(REQUEST_API(heard()->request), !api);
    assert_null(heard());
    assert_int_equal(metric(METRIC_VERIFY_BROKEN_RINGS), 1);
}

static void shuts_out_a_foreign_request(void **state)
{
    (void)state;
    make_rules();
    struct msg_order m = make_order(1, 1); /* the answer would go to api@1 */
    assert_true(say(0, &m, sizeof m));
    check_shut_out(0);
}

static void shuts_out_a_foreign_kind(void **state)
{
    (void)state;
    make_rules();
    struct msg_credit m = {.head = {.length = sizeof m, .kind = MSG_CREDIT}, .amount = 1000000};
    m.head.request = 1UL << 48;
    memcpy(m.wallet, signer.address, WALLET_BYTES);
    assert_true(say(1, &m, sizeof m));
    check_shut_out(1);
}

static void shuts_out_a_length_that_lies(void **state)
{
    (void)state;
    make_rules();
    static const u32 LENGTHS[] = {0, 4, 13, 16, 8192, 1U << 31, RING_SKIP - 1};
    for (size_t i = 0; i < COUNT_OF(LENGTHS); i++) {
        if (i) assert_int_equal(tear_down(NULL) | set_up(NULL), 0);
        if (i) make_rules();
        struct msg_order m = make_order(0, 1);
        m.head.length = LENGTHS[i];
        assert_true(say(0, &m, sizeof m));
        check_shut_out(0);
    }
}

static void shuts_out_a_head_that_lies(void **state)
{
    (void)state;
    make_rules();
    static const u64 HEADS[] = {1UL << 40, 4, UINT64_MAX};
    for (size_t i = 0; i < COUNT_OF(HEADS); i++) {
        if (i) assert_int_equal(tear_down(NULL) | set_up(NULL), 0);
        if (i) make_rules();
        atomic_store(&from_api[0].ring->head, HEADS[i]);
        assert_int_equal(turn(), 0);
        assert_int_equal(metric(METRIC_VERIFY_BROKEN_RINGS), 1);
        assert_true(say_order(1, 2));
        assert_int_equal(turn(), 1);
        assert_int_equal(REQUEST_API(heard()->request), 1);
    }
}

/* More than both rings hold, trading asleep at first: all arrive, once, in each api's order. */
static void leaves_work_while_trading_is_full(void **state)
{
    (void)state;
    make_rules();
    u64 said[2] = {0, 0}, seen[2] = {0, 0};
    while (say_order(0, said[0] + 1)) said[0]++;
    while (say_order(1, said[1] + 1)) said[1]++;
    while (turn()) continue;
    assert_true(run.sleep_ns < RUN_SLEEP_NS); /* nobody wakes a producer */
    while (say_order(0, said[0] + 1)) said[0]++;
    while (turn()) continue;
    assert_false(say_order(0, said[0] + 1)); /* api sees a full ring and answers 503 */
    for (u32 idle = 0; idle < 3;) {
        const struct msg *m = heard();
        if (m) {
            u16 api = REQUEST_API(m->request);
            assert_int_equal(m->kind, MSG_ORDER);
            assert_int_equal(m->request & 0xffffffff, ++seen[api]);
            idle = 0;
        } else if (!turn()) idle++;
    }
    assert_int_equal(seen[0], said[0]);
    assert_int_equal(seen[1], said[1]);
    assert_true(said[0] > 300 && said[1] > 200);
}

static void goes_on_after_a_restart(void **state)
{
    (void)state;
    make_rules();
    u64 next = 1;
    for (u64 n = 1; n <= 3 * VERIFY_BATCH; n++) assert_true(say_order(0, n));
    for (u32 life = 0; life < 3; life++) {
        assert_int_equal(turn(), VERIFY_BATCH);
        end();
        begin();
    }
    while (turn()) continue;
    for (const struct msg *m; (m = heard());) assert_int_equal(m->request, next++);
    assert_int_equal(next, 3 * VERIFY_BATCH + 1);
}

/* Died between trading's ring and its own tail: again, never not at all. */
static void repeats_rather_than_loses(void **state)
{
    (void)state;
    make_rules();
    struct verify_process *p = run.state;
    assert_true(say_order(0, 1));
    u64 tail = atomic_load(p->ingress[0].ring.tail);
    assert_int_equal(turn(), 1);
    atomic_store(p->ingress[0].ring.tail, tail);
    end();
    begin();
    assert_int_equal(turn(), 1);
    assert_int_equal(heard()->request, 1);
    assert_int_equal(heard()->request, 1);
    assert_null(heard());
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(waits_for_the_rules),        FRESH(passes_what_is_proven),
        FRESH(refuses_by_message),         FRESH(shuts_out_a_foreign_request),
        FRESH(shuts_out_a_foreign_kind),   FRESH(shuts_out_a_length_that_lies),
        FRESH(shuts_out_a_head_that_lies), FRESH(leaves_work_while_trading_is_full),
        FRESH(goes_on_after_a_restart),    FRESH(repeats_rather_than_loses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
