/* demo.c: eidosctl demo: options, funding, the loop, the report. */
#include "cli/demo.h"

#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "cli/conserved.h"
#include "cli/net.h"
#include "cli/ops.h"
#include "procs/lib/decimal.h"
#include "shm/err.h"

#define SECOND       1000000000UL
#define CHECK_MAX_NS (300 * SECOND) /* for all that comes after trading */
#define LINGER_NS    (2 * SECOND)   /* for the last pushes */

static const struct {
    const char *market, *start; /* price of a market that never traded */
} wanted[DEMO_MARKETS] = {{"BTC-USDC", "50000"}, {"ETH-USDC", "3000"}};

/* What each wallet gets: quote, then the bases in the order of the markets. */
static const char *const funds[1 + DEMO_MARKETS] = {"1000000", "20", "400"};

/* xorshift64*; Vigna, "An experimental exploration of Marsaglia's xorshift generators" */
u64 demo_random(struct demo *d, u64 n)
{
    d->random ^= d->random >> 12;
    d->random ^= d->random << 25;
    d->random ^= d->random >> 27;
    return (u64)((u128)(d->random * 0x2545f4914f6cdd1dUL) * n >> 64);
}

/* --- Preparing ---------------------------------------------------------------------------------*/

static bool read_options(struct demo *d)
{
    const struct cli *c = d->cli;
    u64 seed = 0;
    while (!seed)
        if (getrandom(&seed, sizeof seed, 0) != sizeof seed) seed = 0;
    if (!cli_number(c, "--seconds", 1, 86400, 10, &d->seconds) ||
        !cli_number(c, "--wallets", 2, DEMO_WALLETS_MAX, 20, &d->wallets) ||
        !cli_number(c, "--rate", 1, 100000, 5 * d->wallets, &d->rate) ||
        !cli_number(c, "--seed", 1, UINT64_MAX, seed, &d->random))
        return false;
    u64 limit = d->config.limits.rates ? d->config.limits.orders_per_second : UINT64_MAX;
    if (d->rate / d->wallets < limit) return true;
    cli_fail(c, CLI_USAGE,
             "--rate %lu with %lu wallets: a wallet may send %lu orders a second "
             "(limits.orders_per_second); use more wallets, or start with --set limits.rates=off",
             d->rate, d->wallets, limit);
    return false;
}

static int find_markets(struct demo *d)
{
    const struct rules *rules = cli_object(&d->segment, "rules");
    if (!rules) return -1;
    for (u32 i = 0; i < DEMO_MARKETS; i++) {
        struct demo_market *m = &d->markets[i];
        u16 index = rules_find_market(rules, wanted[i].market, strlen(wanted[i].market));
        u128 start;
        if (index == NO_MARKET) return err_set("there is no market %s", wanted[i].market);
        rules_read_market(rules, index, &m->rules);
        m->base_decimals = rules->tokens[m->rules.base].decimals;
        m->quote_decimals = rules->tokens[m->rules.quote].decimals;
        d->quote_token = m->rules.quote;
        CHECK(decimal_parse(wanted[i].start, strlen(wanted[i].start), 18, &start) == DECIMAL_OK);
        m->mid = (u64)(start / m->rules.tick_wad);
    }
    return 0;
}

static void find_gateway(struct demo *d)
{
    net_host(d->config.api.listen.s, d->host);
    d->port = (u16)atomic_load_explicit(&segment_proc(&d->segment, ROLE_API, 0)->port,
                                        memory_order_acquire);
}

static int fund_agent(struct demo *d, struct ops *ops, struct agent *a)
{
    const struct rules *rules = segment_object(&d->segment, "rules");
    for (u32 i = 0; i <= DEMO_MARKETS; i++) {
        u16 token = i ? d->markets[i - 1].rules.base : d->quote_token;
        u128 units;
        u64 seq;
        if (decimal_parse(funds[i], strlen(funds[i]), rules->tokens[token].decimals, &units))
            return err_set("%s has too few decimals for the demo", rules->tokens[token].symbol);
        if (ops_credit(ops, a->wallet.address, token, (u64)units, &seq)) return -1;
        a->funds[i] = (i64)units;
    }
    return 0;
}

static int make_agent(struct demo *d, struct agent *a, u32 index)
{
    a->index = index;
    a->first = a->last = a->subject = NO_PLACED;
    if (client_wallet_random(&a->wallet)) return -1;
    snprintf(a->url, sizeof a->url, "http://%s:%u", d->host, d->port);
    a->easy = curl_easy_init();
    a->answer = malloc(DEMO_ANSWER);
    a->next_ns = cli_monotonic_ns() + demo_random(d, SECOND * d->wallets / d->rate + 1);
    return a->easy && a->answer ? 0 : err_set("memory is short");
}

static int make_agents(struct demo *d)
{
    struct ops ops = {0};
    d->agents = calloc(d->wallets, sizeof *d->agents);
    d->placed_max = (u32)(d->rate * d->seconds * 2 + 1000);
    d->placed = calloc(d->placed_max, sizeof *d->placed);
    d->latency_us = calloc(d->placed_max + d->wallets, sizeof *d->latency_us);
    d->multi = curl_multi_init();
    if (!d->agents || !d->placed || !d->latency_us || !d->multi) return err_set("memory is short");
    curl_multi_setopt(d->multi, CURLMOPT_MAXCONNECTS, (long)d->wallets + 8);
    int result = ops_open(&ops, &d->own, &d->segment);
    for (u32 i = 0; i < d->wallets && result == 0; i++) {
        result = make_agent(d, &d->agents[i], i);
        if (result == 0) result = fund_agent(d, &ops, &d->agents[i]);
    }
    ops_close(&ops);
    return result;
}

/* One for the public, and one for each of the first wallets. */
static void make_sockets(struct demo *d)
{
    u64 now_ns = cli_monotonic_ns();
    d->socket_count = (u32)min_u64(DEMO_SOCKETS_MAX, 1 + d->wallets);
    for (u32 i = 0; i < d->socket_count; i++) {
        struct socket *s = &d->sockets[i];
        *s = (struct socket){.demo = d, .agent = i ? i - 1 : NO_PLACED, .fd = -1};
        if (i) d->agents[i - 1].socket = s;
        socket_connect(s, now_ns);
    }
}

static int prepare(struct demo *d)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (curl_global_init(CURL_GLOBAL_DEFAULT)) return err_set("libcurl does not start");
    if (secp_init() || find_markets(d)) return -1;
    eip712_init(&d->domain, d->config.exchange.chain_id,
                d->config.exchange.verifying_contract.bytes);
    find_gateway(d);
    return make_agents(d);
}

/* --- The loop ----------------------------------------------------------------------------------*/

static void take_answers(struct demo *d)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(d->multi, &left));) {
        struct agent *a;
        if (m->msg != CURLMSG_DONE) continue;
        CURLcode result = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &a);
        curl_multi_remove_handle(d->multi, m->easy_handle);
        agent_answered(d, a, result);
    }
}

/* Until something arrives, or somebody wants to act. */
static void sleep_until(struct demo *d, u64 wake_ns)
{
    struct curl_waitfd fds[DEMO_SOCKETS_MAX];
    u32 count = 0;
    u64 now_ns = cli_monotonic_ns();
    for (u32 i = 0; i < d->socket_count; i++)
        if (d->sockets[i].fd >= 0)
            fds[count++] = (struct curl_waitfd){.fd = d->sockets[i].fd, .events = CURL_WAIT_POLLIN};
    u64 ms = wake_ns > now_ns ? min_u64((wake_ns - now_ns) / 1000000 + 1, 50) : 0;
    curl_multi_poll(d->multi, fds, count, (int)ms, NULL);
}

/* One turn; false when every agent is done. */
static bool turn(struct demo *d)
{
    u64 now_ns = cli_monotonic_ns(), wake_ns = UINT64_MAX;
    int running;
    bool busy = false;
    for (u32 i = 0; i < d->wallets; i++) {
        struct agent *a = &d->agents[i];
        agent_act(d, a, now_ns);
        if (!a->in_flight) wake_ns = min_u64(wake_ns, a->next_ns);
        busy |= a->step != AGENT_DONE;
    }
    curl_multi_perform(d->multi, &running);
    take_answers(d);
    for (u32 i = 0; i < d->socket_count; i++) socket_turn(&d->sockets[i], now_ns);
    if (busy) sleep_until(d, wake_ns);
    return busy;
}

/* Pushes may trail the answers: take what still comes. */
static void linger(struct demo *d)
{
    u64 until_ns = cli_monotonic_ns() + LINGER_NS;
    for (u64 now_ns; (now_ns = cli_monotonic_ns()) < until_ns;) {
        for (u32 i = 0; i < d->socket_count; i++) socket_turn(&d->sockets[i], now_ns);
        sleep_until(d, now_ns + 20000000);
    }
}

static void run(struct demo *d)
{
    make_sockets(d);
    d->stop_ns = cli_monotonic_ns() + d->seconds * SECOND;
    while (turn(d))
        if (cli_monotonic_ns() > d->stop_ns + CHECK_MAX_NS) {
            d->errors++;
            demo_fault(d, "the checks were not done %lu s after trading", CHECK_MAX_NS / SECOND);
            break;
        }
    linger(d);
    check_totals(d);
    for (u32 i = 0; i < d->socket_count; i++) socket_close(&d->sockets[i]);
}

/* --- The report --------------------------------------------------------------------------------*/

static int by_size(const void *a, const void *b)
{
    u32 x = *(const u32 *)a, y = *(const u32 *)b;
    return (x > y) - (x < y);
}

static u32 percentile(const struct demo *d, u32 percent)
{
    return d->latency_count ? d->latency_us[(u64)(d->latency_count - 1) * percent / 100] : 0;
}

static void report_json(const struct demo *d, bool conserved)
{
    const struct {
        const char *name;
        u64 value;
    } numbers[] = {{"orders", d->orders},         {"acked", d->acked},
                   {"rejected", d->rejected},     {"cancels", d->cancels},
                   {"trades", d->trades},         {"errors", d->errors},
                   {"wrong", d->wrong},           {"found", d->found},
                   {"resent", d->resent},         {"limited", d->limited},
                   {"pushes", d->pushes},         {"p50_us", percentile(d, 50)},
                   {"p99_us", percentile(d, 99)}, {"max_us", percentile(d, 100)},
                   {"seconds", d->seconds},       {"wallets", d->wallets}};
    struct json_out out;
    cli_json_begin(&out);
    json_put_open(&out, '{');
    for (u32 i = 0; i < COUNT_OF(numbers); i++) {
        json_put_key(&out, numbers[i].name);
        json_put_u64(&out, numbers[i].value);
    }
    json_put_key(&out, "conserved"), json_put_bool(&out, conserved);
    json_put_key(&out, "faults"), json_put_open(&out, '[');
    for (u32 i = 0; i < min_u64(d->wrong, DEMO_FAULTS_MAX); i++)
        json_put_cstring(&out, d->faults[i]);
    json_put_close(&out, ']');
    json_put_close(&out, '}');
    cli_json_end(&out);
}

static void report(const struct demo *d, const struct conserved *c, bool good)
{
    printf("%lu orders in %lu s by %lu wallets: %lu acknowledged, %lu rejected; %lu cancels\n",
           d->orders, d->seconds, d->wallets, d->acked, d->rejected, d->cancels);
    printf("%lu trades, %lu pushes over WebSocket\n", d->trades, d->pushes);
    printf("answered in %u us (median), %u us (99th percentile), on disk by then\n",
           percentile(d, 50), percentile(d, 99));
    printf("%lu of %lu acknowledged orders found again; %lu requests sent again, %lu without an "
           "answer\n",
           d->found, d->acked, d->resent, d->errors);
    conserved_print(c, segment_object(&d->segment, "rules"));
    for (u32 i = 0; i < min_u64(d->wrong, DEMO_FAULTS_MAX); i++)
        printf("WRONG: %s\n", d->faults[i]);
    if (d->wrong > DEMO_FAULTS_MAX) printf("WRONG: and %lu more\n", d->wrong - DEMO_FAULTS_MAX);
    printf("\n%s\n", good ? "everything it was told is true" : "NOT GOOD");
}

int cmd_demo(int argc, char **argv)
{
    static struct demo d;
    static struct conserved conserved;
    static struct cli c;
    char who[PROC_NOTE_BYTES + 64];
    int result = cli_parse(&c, argc, argv);
    d.cli = &c;
    if (result || (result = cli_attach(&c, &d.own, ROLE_OPS)) ||
        (result = cli_attach(&c, &d.segment, ROLE_COUNT)))
        return result;
    if (cli_running_config(c.source.dir.s, &d.config))
        return cli_fail(&c, CLI_FAILED, "%s", err_text());
    if (d.config.exchange.env != ENV_DEV)
        return cli_fail(&c, CLI_FAILED,
                        "refused: its wallets need funds, and exchange.env is not dev");
    if (!read_options(&d)) return CLI_USAGE;
    if (!cli_is_ready(&d.segment, who, sizeof who))
        return cli_fail(&c, CLI_FAILED, "not ready: %s", who);
    if (prepare(&d)) return cli_fail(&c, CLI_FAILED, "%s", err_text());
    run(&d);
    qsort(d.latency_us, d.latency_count, sizeof *d.latency_us, by_size);
    /* The exchange may have been started anew meanwhile. */
    segment_detach(&d.segment);
    if ((result = cli_attach(&c, &d.segment, ROLE_COUNT))) return result;
    conserved_check(&d.segment, cli_object(&d.segment, "rules"), &conserved);
    bool good = !d.errors && !d.wrong && conserved.all == CONSERVED_YES;
    if (cli_value(&c, "--json")) report_json(&d, conserved.all == CONSERVED_YES);
    else report(&d, &conserved, good);
    return good ? CLI_OK : CLI_FAILED;
}
