/* gateway_fixture.h: the gateway's state over private memory, without HTTP, shared memory or other
 * processes: its regions hold an empty exchange with the markets of rules_fixture.h, and one
 * WebSocket over a socket pair. The test plays trading, the journal and eidos-market.
 */
#ifndef EIDOS_TESTS_LIB_GATEWAY_FIXTURE_H
#define EIDOS_TESTS_LIB_GATEWAY_FIXTURE_H

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "procs/api/answer.h"
#include "procs/api/auth.h"
#include "procs/api/push.h"
#include "procs/api/ws.h"
#include "procs/lib/eth/secp.h"
#include "tests/lib/rules_fixture.h"

#define GATEWAY_RING     65536UL
#define GATEWAY_LOG      (1UL << 20)
#define GATEWAY_REQUESTS 64U
#define GATEWAY_START    1700000000000000000UL /* Unix ns */

struct gateway {
    struct durable durable;
    struct proc_block block;
    struct rules *rules;
    void *ledger, *orders, *market, *to_verify, *from_trading, *account_log;
    _Atomic u64 verify_tail, reply_tail;
    struct ring_rx asked;      /* what verify would read */
    struct ring_tx replies;    /* what trading would write */
    struct log_writer account; /* what trading would write */
    struct market_data *market_writer;
    struct ws *ws; /* gone when the test closed it for good */
    struct config config;
    struct api api;
    int peer; /* the client's end */
};

static inline void *fixture_memory(u64 bytes)
{
    void *memory = aligned_alloc(4096, align_up(bytes, 4096));
    CHECK(bytes && memory);
    memset(memory, 0, bytes);
    return memory;
}

static inline void gateway_regions(struct gateway *g)
{
    struct api *a = &g->api;
    struct ledger_config ledger = {
        .accounts_max = 64, .balances_max = 64, .nonce_windows_max = 4, .transfers_max = 256};
    struct market_config market = {.markets_max = 4,
                                   .levels_max = 8192,
                                   .recent_trades = 64,
                                   .changes_max = 64,
                                   .candles = MARKET_CANDLES_FEWEST};
    g->rules = fixture_rules();
    g->ledger = fixture_memory(ledger_footprint(&ledger));
    g->orders = fixture_memory(orders_footprint(64));
    g->market = fixture_memory(market_footprint(&market));
    ledger_new(g->ledger, &ledger);
    orders_new(g->orders, 64);
    CHECK(market_new(g->market, &market));
    a->rules = g->rules;
    a->ledger = ledger_join(g->ledger);
    a->orders = orders_join(g->orders);
    a->market = g->market_writer = market_join(g->market);
    CHECK(market_add(g->market_writer, 0, 0, 10) == 0 &&
          market_add(g->market_writer, 1, 0, 100) == 0);
    market_set_ready(g->market_writer, true);
    durable_new(&g->durable);
    a->durable = &g->durable;
}

static inline void gateway_queues(struct gateway *g)
{
    struct api *a = &g->api;
    g->to_verify = fixture_memory(ring_footprint(GATEWAY_RING));
    g->from_trading = fixture_memory(ring_footprint(GATEWAY_RING));
    g->account_log = fixture_memory(log_footprint(GATEWAY_LOG));
    ring_new(g->to_verify, GATEWAY_RING);
    ring_new(g->from_trading, GATEWAY_RING);
    log_new(g->account_log, GATEWAY_LOG, 0);
    a->verify_count = 1;
    ring_join_tx(&a->verify[0], g->to_verify, &g->verify_tail);
    ring_join_rx(&g->asked, g->to_verify, &g->verify_tail);
    ring_join_tx(&g->replies, g->from_trading, &g->reply_tail);
    ring_join_rx(&a->replies, g->from_trading, &g->reply_tail);
    log_join_writer(&g->account, g->account_log);
    log_join_reader(&a->account, g->account_log);
}

/* Open a WebSocket; it is the one the fixture talks of. */
static inline void gateway_connect(struct gateway *g)
{
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    g->ws = ws_open(&g->api, fds[0], NULL, 0, NULL, 0);
    g->peer = fds[1];
    CHECK(g->ws);
}

/* A gateway with one open WebSocket. */
static inline struct gateway *gateway_new(void)
{
    struct gateway *g = fixture_memory(sizeof *g); /* cache-line aligned */
    struct api *a = &g->api;
    u8 contract[20] = {0};
    g->config.api.request_timeout_ns = 5 * NS_PER_S;
    a->config = &g->config;
    a->block = &g->block;
    a->trading = &g->block;
    a->trace = fixture_memory(trace_footprint(0));
    trace_new(a->trace, 0);
    a->now_ns = 1000 * NS_PER_S;
    a->unix_ns = GATEWAY_START;
    gateway_regions(g);
    gateway_queues(g);
    eip712_init(&a->eip712, 31337, contract);
    a->auth_cache = auth_cache_new();
    a->epoll = epoll_create1(EPOLL_CLOEXEC);
    CHECK(a->auth_cache && a->epoll >= 0 && secp_init() == 0);
    CHECK(requests_new(a, GATEWAY_REQUESTS) == 0 && ws_start(a) == 0);
    gateway_connect(g);
    return g;
}

/* One turn of the loop; `ns` have passed. */
static inline void gateway_turn(struct gateway *g, u64 ns)
{
    struct api *a = &g->api;
    struct epoll_event events[4];
    a->now_ns += ns;
    a->unix_ns += ns;
    answer_turn(a);
    int n = epoll_wait(a->epoll, events, 4, 0);
    for (int i = 0; i < n; i++) ws_ready(events[i].data.ptr, events[i].events);
    ring_publish(&a->verify[0]);
    push_turn(a);
    ws_turn(a);
}

/* The client hangs up. */
static inline void gateway_hang_up(struct gateway *g)
{
    close(g->peer);
    gateway_turn(g, 0);
    gateway_turn(g, 0);
    CHECK(g->api.hub->count == 0);
}

static inline void gateway_durable(struct gateway *g, u64 seq)
{
    atomic_store_explicit(&g->durable.seq, seq, memory_order_release);
}

static inline void gateway_delete(struct gateway *g)
{
    struct api *a = &g->api;
    ws_stop(a);
    close(g->peer);
    close(a->epoll);
    ws_delete(a);
    requests_delete(a);
    free(a->auth_cache);
    void *memory[] = {g->rules,     g->ledger,       g->orders,      g->market,
                      g->to_verify, g->from_trading, g->account_log, a->trace};
    for (size_t i = 0; i < COUNT_OF(memory); i++) free(memory[i]);
    free(g);
}

#endif
