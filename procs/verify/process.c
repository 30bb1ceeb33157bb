#include "procs/verify/process.h"

#include <string.h>
#include <sys/random.h>

#include "procs/lib/clock.h"
#include "procs/lib/eth/secp.h"
#include "shm/err.h"

#define FULL_WAIT_NS 200000UL /* trading's ring is full, or the rules are being rebuilt */

static int init(struct run *run)
{
    struct verify_process *p = run->state;
    const struct config *c = &run->config;
    char name[REGION_NAME_BYTES];
    char trace[REGION_NAME_BYTES];
    struct verify_params params = {
        .chain_id = c->exchange.chain_id,
        .instance = run->instance,
        .workers = run->segment.topo.params.verify,
        .start_ms = clock_unix() / 1000000,
    };
    if (c->limits.rates) {
        params.per_second[RATE_ORDERS] = c->limits.orders_per_second;
        params.per_second[RATE_CANCELS] = c->limits.cancels_per_second;
        params.per_second[RATE_WITHDRAWALS] = c->limits.withdrawals_per_second;
    }
    memcpy(params.contract, c->exchange.verifying_contract.bytes, sizeof params.contract);
    if (getrandom(&params.salt, sizeof params.salt, 0) != sizeof params.salt)
        return err_sys("drawing a random number");
    snprintf(name, sizeof name, "guard@%u", run->instance);
    params.guard = guard_join(segment_object(&run->segment, name));
    if (secp_init() || verify_init(&p->verify, &params)) return -1;
    p->rules = segment_region(&run->segment, "rules");
    p->apis = run->segment.topo.params.api;
    CHECK(p->apis <= VERIFY_APIS_MAX);
    for (u32 i = 0; i < p->apis; i++)
        segment_ring_rx(&run->segment, ROLE_API, i, &p->ingress[i].ring);
    segment_ring_tx(&run->segment, ROLE_TRADING, 0, run->bells, &p->trading);
    snprintf(trace, sizeof trace, "trace.verify@%u", run->instance);
    p->trace = trace_join(segment_object(&run->segment, trace));
    return 0;
}

/* Know all markets. False while trading builds the rules. */
static bool learn(struct verify_process *p)
{
    const struct rules *rules = p->rules->object;
    u64 epoch = region_epoch(p->rules);
    u32 known = p->verify.markets, tokens = p->verify.tokens;
    if (!epoch) return known != 0;
    if (known >= atomic_load_explicit(&rules->market_count, memory_order_acquire))
        return known != 0;
    verify_learn(&p->verify, rules);
    if (region_epoch(p->rules) != epoch) {
        p->verify.markets = known;
        p->verify.tokens = tokens;
    }
    return p->verify.markets != 0;
}

/* Nothing from this ring can be trusted any more; its tail stays where it is. */
static void give_up(struct run *run, u32 api, const char *why)
{
    struct verify_process *p = run->state;
    p->ingress[api].broken = true;
    metric_add(run->proc, METRIC_VERIFY_BROKEN_RINGS, 1);
    text_log(TEXT_ERROR,
             "the ring from api@%u is broken and is not read any more: %s. That process is faulty "
             "or hostile: look at it, then restart the exchange",
             api, why);
}

/* The hop ends where the message is handed on, which is where the next one begins. */
static void stamp(struct run *run, struct msg *m, u16 code, u64 taken_ns)
{
    struct verify_process *p = run->state;
    u64 now_ns = clock_mono();
    struct trace_entry e = {
        .kind = TRACE_PROVEN, .key = m->request, .t = {taken_ns, now_ns}, .value = code};
    metric_record(run->proc, METRIC_HOP_VERIFY, m->sent_ns, now_ns);
    trace_put(p->trace, &e);
    m->sent_ns = now_ns;
}

static void forward(struct run *run, struct verdict verdict, u64 taken_ns, void *room)
{
    struct verify_process *p = run->state;
    struct msg *m = &p->message.head;
    stamp(run, m, verdict.code, taken_ns);
    struct msg_refused refused = {
        .head = {.length = sizeof refused,
                 .kind = MSG_REFUSED,
                 .request = m->request,
                 .sent_ns = m->sent_ns},
        .code = verdict.code,
        .retry_after_ms = verdict.retry_after_ms,
    };
    metric_add(run->proc, METRIC_VERIFY_CHECKED, 1);
    if (verdict.code) {
        metric_add(run->proc, METRIC_VERIFY_REFUSED, 1);
        if (verdict.code == CODE_SIGNATURE_REPLAY) metric_add(run->proc, METRIC_VERIFY_REPLAYS, 1);
        if (verdict.code == CODE_RATE_LIMIT) metric_add(run->proc, METRIC_VERIFY_LIMITED, 1);
        m = &refused.head;
    }
    memcpy(room, m, m->length);
    ring_push(&p->trading, m->length);
}

/* One message from one api into `room` of trading's ring; 1 if there was one. */
static u32 take(struct run *run, u32 api, void *room)
{
    struct verify_process *p = run->state;
    struct ingress *in = &p->ingress[api];
    int length = ring_copy(&in->ring, &p->message, sizeof p->message, sizeof(struct msg));
    if (length == 0) return 0;
    if (length < 0 || verify_shape(&p->message, (u32)length, (u16)api)) {
        give_up(run, api, length < 0 ? "no message where one should be" : err_text());
        return 0;
    }
    u64 taken_ns = clock_mono();
    forward(run, verify_message(&p->verify, &p->message.head, clock_unix()), taken_ns, room);
    return 1;
}

/* What is found together goes on together: each publish may wake trading, and behind it matching,
 * the journal and the api, which cost more than the wait. A message that is alone does not wait. */
static u32 turn(struct run *run)
{
    struct verify_process *p = run->state;
    u32 done = 0, empty = 0;
    if (!learn(p)) {
        run->sleep_ns = FULL_WAIT_NS;
        return 0;
    }
    while (done < VERIFY_BATCH && empty < p->apis) {
        void *room = ring_alloc(&p->trading, sizeof p->message);
        if (!room) {
            run->sleep_ns = FULL_WAIT_NS;
            run->blocked = true;
            break;
        }
        u32 api = p->next;
        p->next = (api + 1) % p->apis;
        u32 took = p->ingress[api].broken ? 0 : take(run, api, room);
        done += took;
        empty = took ? 0 : empty + 1;
    }
    ring_publish(&p->trading);
    for (u32 i = 0; done && i < p->apis; i++)
        if (!p->ingress[i].broken) ring_release(&p->ingress[i].ring);
    return done;
}

static void stop(struct run *run)
{
    struct verify_process *p = run->state;
    verify_fini(&p->verify);
}

const struct proc_descriptor verify_descriptor = {
    .name = "verify",
    .role = ROLE_VERIFY,
    .state_bytes = sizeof(struct verify_process),
    .init = init,
    .turn = turn,
    .stop = stop,
};
