/* load.c: eidosctl load: options, the order of things, where the report goes. */
#include "cli/load.h"

#include <curl/curl.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/net.h"
#include "shm/err.h"

static struct load load; /* large */

static void on_signal(int number)
{
    (void)number;
    load.interrupted = 1;
}

void load_warn(struct load *l, const char *fmt, ...)
{
    va_list args;
    if (l->warnings == COUNT_OF(l->warning)) return;
    va_start(args, fmt);
    vsnprintf(l->warning[l->warnings++], sizeof l->warning[0], fmt, args);
    va_end(args);
}

/* --- Options -----------------------------------------------------------------------------------*/

static bool read_factor(const struct cli *c, const char *option, double most, double *value)
{
    const char *text = cli_value(c, option);
    char *end = NULL;
    *value = 1;
    if (!text) return true;
    *value = strtod(text, &end);
    if (*text && !*end && isfinite(*value) && *value > 0 && *value <= most) return true;
    cli_fail(c, CLI_USAGE, "%s %s: expected a number above 0, at most %g", option, text, most);
    return false;
}

static bool read_words(struct load *l)
{
    const struct cli *c = l->cli;
    const char *signatures = cli_value(c, "--signatures");
    l->keys_file = cli_value(c, "--keys");
    l->report_dir = cli_value(c, "--report");
    l->json = cli_value(c, "--json") != NULL;
    l->inline_signatures = signatures && strcmp(signatures, "inline") == 0;
    if (!signatures || l->inline_signatures || strcmp(signatures, "ahead") == 0) return true;
    cli_fail(c, CLI_USAGE, "--signatures %s: expected ahead or inline", signatures);
    return false;
}

static bool read_options(struct load *l)
{
    const struct cli *c = l->cli;
    u64 p99_ms, push_ms;
    if (!read_factor(c, "--scale", 100, &l->scale) || !read_factor(c, "--time", 100, &l->time) ||
        !read_factor(c, "--rate", 1000, &l->rate) || !read_words(l) ||
        !cli_number(c, "--p99", 1, 60000, 200, &p99_ms) ||
        !cli_number(c, "--push-p99", 1, 60000, 100, &push_ms) ||
        !cli_number(c, "--stuck", 0, 1000, 0, &l->stuck))
        return false;
    l->p99_ns = p99_ms * 1000000;
    l->push_p99_ns = push_ms * 1000000;
    const char *url = cli_value(c, "--url");
    if (url) {
        const char *host = strncmp(url, "http://", 7) == 0 ? url + 7 : url;
        size_t n = strcspn(host, "/");
        if (strstr(url, "https://") || n >= sizeof l->host || !memchr(host, ':', n)) {
            cli_fail(c, CLI_USAGE, "--url %s: expected http://host:port, without TLS", url);
            return false;
        }
        memcpy(l->host, host, n);
        if (l->keys_file) return true;
        cli_fail(c, CLI_USAGE, "--url needs --keys FILE: private keys of wallets that have funds");
        return false;
    }
    l->local = true;
    return true;
}

/* --- The exchange ------------------------------------------------------------------------------*/

/* A local exchange tells all by itself; of an address the domain comes from the configuration. */
static int open_exchange(struct load *l)
{
    const struct cli *c = l->cli;
    char who[PROC_NOTE_BYTES + 64], host[NET_HOST_MAX];
    int result;
    if (!l->local)
        return config_load(&l->config, &c->source) ? cli_fail(c, CLI_USAGE, "%s", err_text())
                                                   : CLI_OK;
    if ((result = cli_attach(c, &l->own, ROLE_OPS)) ||
        (result = cli_attach(c, &l->segment, ROLE_COUNT)))
        return result;
    if (cli_running_config(c->source.dir.s, &l->config))
        return cli_fail(c, CLI_FAILED, "%s", err_text());
    if (l->config.exchange.env != ENV_DEV)
        return cli_fail(
            c, CLI_FAILED,
            "refused: its wallets need funds, and exchange.env is not dev; with wallets "
            "of your own: --url http://host:port --keys FILE");
    if (!cli_is_ready(&l->segment, who, sizeof who))
        return cli_fail(c, CLI_FAILED, "not ready: %s", who);
    net_host(l->config.api.listen.s, host);
    u32 port =
        atomic_load_explicit(&segment_proc(&l->segment, ROLE_API, 0)->port, memory_order_acquire);
    snprintf(l->host, sizeof l->host, "%s:%u", host, port);
    return CLI_OK;
}

static int prepare(struct load *l)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT)) return err_set("libcurl does not start");
    if (secp_init()) return -1;
    eip712_init(&l->domain, l->config.exchange.chain_id,
                l->config.exchange.verifying_contract.bytes);
    if (find_markets(l) || check_before(l) || find_wallets(l)) return -1;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return 0;
}

/* --- The report --------------------------------------------------------------------------------*/

static int write_file(const struct load *l, const char *name, json_t *json)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", l->report_dir, name);
    FILE *f = fopen(path, "we");
    if (!f) return err_sys("%s", path);
    if (json) json_dumpf(json, f, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    else if (strstr(name, ".html")) report_html(l, f);
    else report_text(l, f);
    if (json) fputc('\n', f);
    return fclose(f) ? err_sys("%s", path) : 0;
}

static int write_report(const struct load *l)
{
    json_t *json = report_json(l);
    int result = 0;
    if (l->report_dir) {
        if (mkdir(l->report_dir, 0777) && errno != EEXIST) result = err_sys("%s", l->report_dir);
        if (!result && (write_file(l, "load.txt", NULL) || write_file(l, "load.json", json) ||
                        write_file(l, "load.html", NULL)))
            result = -1;
    }
    if (l->json) {
        json_dumpf(json, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
        putchar('\n');
    } else {
        report_text(l, stdout);
        if (l->report_dir && !result)
            printf("\nwritten: %s/load.txt, load.json, load.html\n", l->report_dir);
    }
    json_decref(json);
    return result;
}

static void stamp(struct load *l)
{
    time_t now = time(NULL);
    struct tm t;
    strftime(l->started, sizeof l->started, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &t));
}

int cmd_load(int argc, char **argv)
{
    static struct cli c;
    struct load *l = &load;
    struct load_item items[LOAD_ITEMS];
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    l->cli = &c;
    l->pump.epoll = -1;
    if (!read_options(l)) return CLI_USAGE;
    if (plan_make(l, c.args ? c.arg[0] : "all", cli_value(&c, "--steps")))
        return cli_fail(&c, CLI_USAGE, "%s", err_text());
    if ((result = open_exchange(l))) return result;
    if (prepare(l)) return cli_fail(&c, CLI_FAILED, "%s", err_text());
    stamp(l);
    sample_begin(l);
    for (u32 i = 0; i < l->plans && !result && !l->interrupted; i++) result = run_plan(l, i);
    if (result) return cli_fail(&c, CLI_FAILED, "%s", err_text());
    sample_end(l);
    if (write_report(l)) return cli_fail(&c, CLI_FAILED, "%s", err_text());
    bool good = !l->interrupted;
    for (u32 i = 0, n = accept_list(l, items); i < n; i++) good &= items[i].verdict != LOAD_FAIL;
    return good ? CLI_OK : CLI_FAILED;
}
