/* api.c: the gateway's beginning, its turn and its end. */
#include "procs/api/api.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "procs/api/answer.h"
#include "procs/api/auth.h"
#include "procs/api/http.h"
#include "procs/api/limit.h"
#include "procs/api/origin.h"
#include "procs/api/push.h"
#include "procs/api/routes.h"
#include "procs/api/stream.h"
#include "procs/api/ws.h"
#include "procs/lib/eth/secp.h"
#include "procs/lib/run.h"
#include "shm/err.h"

#define SOCKET_REQUESTS 4096U /* orders in flight over WebSockets, beside one a connection */
#define EVENTS_MAX      256
#define FEED_SLEEP_NS   (5 * NS_PER_MS) /* while somebody listens to market data */

static u64 unix_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (u64)t.tv_sec * NS_PER_S + (u64)t.tv_nsec;
}

/* Look at the copy of trading's state that counts now: a standby that took over has its own. */
static void take_state(struct api *a)
{
    struct segment *s = a->segment;
    const struct proc_block *trading = segment_proc(s, ROLE_TRADING, 0);
    while (!a->state || atomic_load_explicit(&trading->copy, memory_order_acquire) != a->copy) {
        a->copy = atomic_load_explicit(&trading->copy, memory_order_acquire);
        a->state = segment_region(s, "ledger");
        a->ledger = ledger_join(a->state->object);
        a->orders = orders_join(segment_object(s, "orders"));
    }
}

static int join(struct api *a, struct run *run)
{
    const struct segment *s = &run->segment;
    char trace[REGION_NAME_BYTES];
    a->rules_region = segment_region(&run->segment, "rules");
    take_state(a);
    a->market = market_join(segment_object(s, "market"));
    a->history = segment_object(s, "history");
    a->history_region = segment_region(&run->segment, "history");
    a->durable = segment_object(s, "durable");
    a->trading = segment_proc(s, ROLE_TRADING, 0);
    snprintf(trace, sizeof trace, "trace.api@%u", run->instance);
    a->trace = trace_join(segment_object(s, trace));
    a->boot_ns = s->boot.created_ns;
    a->verify_count = s->topo.params.verify;
    CHECK(a->verify_count <= VERIFY_MAX);
    for (u32 i = 0; i < a->verify_count; i++)
        segment_ring_tx(s, ROLE_VERIFY, i, run->bells, &a->verify[i]);
    segment_ring_rx(s, ROLE_TRADING, 0, &a->replies);
    segment_log_reader(s, "log.account", &a->account);
    return a->market ? 0 : -1;
}

/* Take over what trading has changed. While it rebuilds them, the rules known so far hold. */
static void take_rules(struct api *a)
{
    static struct rules known, fresh;
    const struct rules *shared = a->rules_region->object;
    u64 epoch = region_epoch(a->rules_region);
    u32 version = atomic_load_explicit(&shared->version, memory_order_acquire);
    if (!epoch || (epoch == a->rules_epoch && version == a->rules_version)) return;
    if (!rules_copy(shared, &fresh) || region_epoch(a->rules_region) != epoch) return;
    known = fresh;
    a->rules = &known;
    a->rules_epoch = epoch;
    a->rules_version = version;
}

static int api_init(struct run *run)
{
    struct api *a = run->state;
    a->config = &run->config;
    a->segment = &run->segment;
    a->block = run->proc;
    a->instance = run->instance;
    u64 requests = run->config.api.connections_max + SOCKET_REQUESTS;
    a->now_ns = run->now_ns;
    a->unix_ns = unix_now();
    /* Ids of a former life of this instance never come again. */
    a->next_id = (atomic_load_explicit(&run->proc->epoch, memory_order_relaxed) & 0xffff) << 32;
    a->named = a->next_id;
    eip712_init(&a->eip712, run->config.exchange.chain_id,
                run->config.exchange.verifying_contract.bytes);
    if (join(a, run)) return -1;
    take_rules(a);
    if (!a->rules) return err_set("trading has no rules yet; is it ready?");
    a->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (a->epoll < 0) return err_sys("epoll");
    a->auth_cache = auth_cache_new();
    if (limit_start(a) || origin_start(a)) return -1;
    if (!a->auth_cache || secp_init() || requests_new(a, requests) || ws_start(a)) return -1;
    if (tls_start(a, run->tls)) return -1;
    return http_start(a, run->listener);
}

/* Sockets that are ready. */
static u32 poll_sockets(struct api *a)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(a->epoll, events, EVENTS_MAX, 0);
    for (int i = 0; i < n; i++) {
        u64 tag = events[i].data.u64;
        if (tag && !(tag & 1)) ws_ready(events[i].data.ptr, events[i].events);
        else http_ready(a, tag, events[i].events);
    }
    return n > 0 ? (u32)n : 0;
}

static void publish(struct api *a)
{
    for (u32 i = 0; i < a->verify_count; i++) ring_publish(&a->verify[i]);
}

static u32 api_turn(struct run *run)
{
    struct api *a = run->state;
    a->now_ns = run->now_ns;
    a->unix_ns = unix_now();
    take_rules(a);
    take_state(a);
    tls_turn(a);
    u32 work = answer_turn(a);
    work += history_turn(a);
    work += poll_sockets(a);
    publish(a); /* verify works while answers are written */
    work += http_turn(a);
    publish(a); /* what came in their place */
    work += push_turn(a);
    ws_turn(a);
    if (a->hub->mine || a->hub->feeds)
        run->sleep_ns = min_u64(run->sleep_ns, push_sleep_ns(a, FEED_SLEEP_NS));
    run->sleep_ns = min_u64(run->sleep_ns, history_sleep_ns(a));
    return work;
}

static void api_stop(struct run *run)
{
    struct api *a = run->state;
    ws_stop(a);
    http_stop(a);
    close(a->epoll);
    ws_delete(a);
    requests_delete(a);
    limit_stop(a);
    tls_stop(a);
    free(a->auth_cache);
}

static int api_epoll(struct run *run)
{
    return ((struct api *)run->state)->epoll;
}

static const struct proc_descriptor API = {
    .name = "api",
    .role = ROLE_API,
    .calls = SANDBOX_SOCKETS,
    .state_bytes = sizeof(struct api),
    .ops_socket = true,
    .init = api_init,
    .turn = api_turn,
    .stop = api_stop,
    .epoll_fd = api_epoll,
};

int main(int argc, char **argv)
{
    return run_main(&API, argc, argv);
}
