/* load_check.c: what would spoil a measurement is said before it begins, with the remedy. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/load.h"
#include "shm/err.h"
#include "shm/metrics.h"

#define FILES_OWN 64U /* descriptors beside connections */

/* The most connections any plan has open at once. */
static u64 connections(const struct load *l)
{
    u64 most = 0;
    for (u32 i = 0; i < l->plans; i++) {
        const struct load_plan *p = &l->plan[i];
        u64 users = 0, subs = (u64)p->subs[0] + p->subs[1] + p->subs[2];
        for (u32 s = 0; s < p->steps; s++) users = max_u64(users, p->step[s].users);
        most = max_u64(most, users + subs + (subs ? l->stuck : 0));
    }
    return most;
}

static int check_files(u64 need)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_max >= need + FILES_OWN) return 0;
    return err_set("%lu connections need as many file descriptors, and this shell allows %lu; as "
                   "root: ulimit -n %lu",
                   need, (u64)files.rlim_max, need + FILES_OWN);
}

static int check_ports(const struct load *l, u64 need)
{
    struct sockaddr_storage to;
    socklen_t len;
    u32 low = 32768, high = 60999;
    if (pump_resolve(l->host, &to, &len)) return -1;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&to;
    bool loopback = to.ss_family == AF_INET && ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    if (f && fscanf(f, "%u %u", &low, &high) != 2) low = 32768, high = 60999;
    if (f) fclose(f);
    u64 have = high - low + 1, each = loopback ? min_u64(need, PUMP_PER_SOURCE) : need;
    if (have >= each + each / 8) return 0;
    return err_set("%lu connections to %s need as many local ports, and %u..%u are %lu; as root: "
                   "sysctl -w net.ipv4.ip_local_port_range='1024 65535'",
                   each, l->host, low, high, have);
}

/* The descriptors a gateway worker may open. */
static u64 files_of(u32 pid)
{
    char path[40], line[160];
    u64 soft = UINT64_MAX;
    snprintf(path, sizeof path, "/proc/%u/limits", pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "Max open files %lu", &soft) == 1) break;
    if (f) fclose(f);
    return soft;
}

static int check_gateways(const struct load *l, u64 need)
{
    u64 workers = l->segment.topo.params.api, each = need / workers;
    each += workers > 1 ? each / 4 : 0; /* the kernel does not spread them evenly */
    if (each > l->config.api.connections_max)
        return err_set("%lu connections on %lu gateway workers: each takes %u; start the exchange "
                       "with --set api.connections_max=%lu",
                       need, workers, l->config.api.connections_max, each);
    for (u32 i = 0; i < workers; i++) {
        u32 pid = atomic_load_explicit(&segment_proc(&l->segment, ROLE_API, i)->pid,
                                       memory_order_relaxed);
        if (files_of(pid) < each + FILES_OWN)
            return err_set("api@%u may open %lu files and %lu connections are to come; start the "
                           "exchange after: ulimit -n %lu",
                           i, files_of(pid), each, each + FILES_OWN);
    }
    return 0;
}

/* Limits that are there to refuse what a load does. */
static int check_wallets(const struct load *l, const struct load_plan *p)
{
    for (u32 s = 0; s < p->steps; s++) {
        const struct load_step *step = &p->step[s];
        if (step->rate / step->users < l->config.limits.orders_per_second) continue;
        return err_set("scenario %u sends %.0f orders a second by %u wallets, and a wallet may "
                       "send %u (limits.orders_per_second); start the exchange with "
                       "--set limits.rates=off",
                       p->scenario, step->rate, step->users, l->config.limits.orders_per_second);
    }
    return 0;
}

static int check_rates(const struct load *l, u64 need)
{
    bool exempt = strstr(l->config.limits.exempt.s, "127.0.0.") != NULL;
    u32 most = l->config.api.connections_per_address;
    if (!exempt && most && min_u64(need, PUMP_PER_SOURCE) > most)
        return err_set("%lu connections come from this host, and an address may have %u; start the "
                       "exchange with --set limits.exempt=127.0.0.0/8",
                       need, most);
    for (u32 i = 0; i < l->plans && l->config.limits.rates; i++) {
        if (check_wallets(l, &l->plan[i])) return -1;
        for (u32 s = 0; s < l->plan[i].steps && !exempt; s++)
            if (l->plan[i].step[s].rate * 60 > l->config.limits.requests_per_minute)
                return err_set("scenario %u sends %.0f requests a second, and an address may send "
                               "%u a minute; start the exchange with --set limits.rates=off, or "
                               "--set limits.exempt=127.0.0.0/8",
                               l->plan[i].scenario, l->plan[i].step[s].rate,
                               l->config.limits.requests_per_minute);
    }
    return 0;
}

static int check_room(const struct load *l)
{
    u64 users = 0;
    const struct proc_block *trading = segment_proc(&l->segment, ROLE_TRADING, 0);
    for (u32 i = 0; i < l->plans; i++)
        for (u32 s = 0; s < l->plan[i].steps; s++) users = max_u64(users, l->plan[i].step[s].users);
    if (metric_get(trading, METRIC_TRADING_ACCOUNTS) + users > l->config.trading.accounts_max)
        return err_set("%lu new wallets do not fit; start the exchange with "
                       "--set trading.accounts_max=%lu",
                       users, pow2_up(metric_get(trading, METRIC_TRADING_ACCOUNTS) + users));
    if (metric_get(trading, METRIC_TRADING_BALANCES) + 2 * users > l->config.trading.balances_max)
        return err_set("%lu new balances do not fit; start the exchange with "
                       "--set trading.balances_max=%lu",
                       2 * users,
                       pow2_up(metric_get(trading, METRIC_TRADING_BALANCES) + 2 * users));
    return 0;
}

static int check_memory(const struct load *l)
{
    u64 most = 0, have = (u64)sysconf(_SC_AVPHYS_PAGES) * (u64)sysconf(_SC_PAGESIZE);
    for (u32 i = 0; i < l->plans && !l->inline_signatures; i++) {
        u64 all = 0;
        for (u32 s = 0; s < l->plan[i].steps; s++)
            all += (u64)(l->plan[i].step[s].rate * l->plan[i].step[s].seconds);
        most = max_u64(most, all * SECP_SIGNATURE);
    }
    if (most < have) return 0;
    return err_set("signatures made ahead take %s and %s are free; use a smaller --time, or "
                   "--signatures inline",
                   cli_bytes(most), cli_bytes(have));
}

/* Each ticker may change ten times a second, so that its frames are bounded by the markets. */
static void look_at_markets(struct load *l)
{
    for (u32 i = 0; i < l->plans; i++) {
        const struct load_plan *p = &l->plan[i];
        double want = p->push_rate[SUB_TICKER];
        if (!p->subs[SUB_TICKER] || want <= 10.0 * l->market_count) continue;
        load_warn(l,
                  "%.0f ticker frames a second for each connection need %.0f markets, because a "
                  "ticker is pushed at most every 100 ms; there are %u (docs/load.md has a "
                  "markets.ini)",
                  want, want / 10, l->market_count);
    }
}

int check_before(struct load *l)
{
    u64 need = connections(l);
    look_at_markets(l);
    if (l->local && (check_gateways(l, need) || check_room(l) || check_rates(l, need))) return -1;
    return check_files(need) || check_ports(l, need) || check_memory(l) ? -1 : 0;
}
