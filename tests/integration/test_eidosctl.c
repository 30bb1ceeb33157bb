/* eidosctl as an operator uses it: private instances in temporary directories, on free ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <curl/curl.h>
#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/base.h"

#define OUTPUT 65536
#define WALLET "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"

static char dir[64], other[64], output[OUTPUT]; /* other: a second instance, "" = none */

/* Small arenas, free ports. */
static const char *const small[] = {
    "--set", "api.port=0",
    "--set", "ops.port=0",
    "--set", "trading.accounts_max=1024",
    "--set", "trading.balances_max=4096",
    "--set", "trading.orders_max=16384",
    "--set", "matching.orders_max=16384",
    "--set", "log.command_bytes=4M",
    "--set", "log.match_bytes=4M",
    "--set", "log.account_bytes=4M",
    "--set", "journal.segment_bytes=4M",
};

/* --- Running it --------------------------------------------------------------------------------*/

static const char *program(void)
{
    static char path[512];
    const char *bin = getenv("EIDOS_BIN");
    snprintf(path, sizeof path, "%s/eidosctl", bin ? bin : "build/bin");
    return path;
}

/* What the child wrote to `from`, into `output`, until it ends or closes. */
static void read_all(int from)
{
    size_t n = 0;
    for (ssize_t got; n + 1 < OUTPUT && (got = read(from, output + n, OUTPUT - n - 1)) != 0;) {
        if (got < 0 && errno != EINTR) break;
        if (got > 0) n += (size_t)got;
    }
    output[n] = '\0';
}

/* Run eidosctl with the words of `line` (split at blanks) on this test's directory; `extra` ends
 * with NULL. Returns the exit code; stdout is in `output`, and stderr too with `both`. */
static int run_with(const char *line, const char *const *extra, bool both)
{
    char words[512];
    const char *argv[64] = {program(), "--dir", dir};
    char *plain[COUNT_OF(argv)];
    int argc = 3, ends[2], status;
    snprintf(words, sizeof words, "%s", line);
    for (char *save, *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    for (; extra && *extra; extra++) argv[argc++] = *extra;
    assert_true(argc < 63);
    memcpy(plain, argv, sizeof plain);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        if (both) dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execv(plain[0], plain);
        _exit(127);
    }
    close(ends[1]);
    read_all(ends[0]);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Start `up` in the foreground, its output thrown away; returns its pid. */
static pid_t start_up(const char *const *extra)
{
    const char *argv[64] = {program(), "--dir", dir, "up"};
    char *plain[COUNT_OF(argv)];
    int argc = 4;
    for (size_t i = 0; i < COUNT_OF(small); i++) argv[argc++] = small[i];
    for (; extra && *extra; extra++) argv[argc++] = *extra;
    memcpy(plain, argv, sizeof plain);
    pid_t child = fork();
    if (child == 0) {
        setsid();
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)) _exit(127);
        execv(plain[0], plain);
        _exit(127);
    }
    return child;
}

static int run(const char *line)
{
    return run_with(line, NULL, true);
}

/* With --json: the parsed answer; the caller frees it. */
static json_t *ask(const char *line, int code)
{
    json_error_t error;
    int got = run_with(line, NULL, false);
    if (got != code) print_error("%s: exit code %d: %s\n", line, got, output);
    assert_int_equal(got, code);
    json_t *answer = json_loads(output, 0, &error);
    if (!answer) print_error("%s: %s\n", error.text, output);
    assert_non_null(answer);
    return answer;
}

static u64 number(json_t *object, const char *field)
{
    json_t *value = json_object_get(object, field);
    assert_true(json_is_integer(value));
    return (u64)json_integer_value(value);
}

static const char *text(json_t *object, const char *field)
{
    const char *value = json_string_value(json_object_get(object, field));
    assert_non_null(value);
    return value;
}

static bool is_true(json_t *object, const char *field)
{
    return json_is_true(json_object_get(object, field));
}

static void up(const char *more)
{
    const char *extra[COUNT_OF(small) + 1] = {0};
    char line[256];
    memcpy(extra, small, sizeof small);
    snprintf(line, sizeof line, "up --detach %s", more);
    int code = run_with(line, extra, true);
    if (code) print_error("%s", output);
    assert_int_equal(code, 0);
}

static void down(void)
{
    int code = run("down");
    if (code) print_error("%s", output);
    assert_int_equal(code, 0);
}

/* The entry of a process in `ps --json`; the caller frees the list. */
static json_t *process(json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(text(json_array_get(list, i), "name"), name) == 0)
            return json_array_get(list, i);
    fail_msg("there is no process %s", name);
    return NULL;
}

static pid_t pid_of(const char *name)
{
    json_t *list = ask("ps --json", 0);
    pid_t pid = (pid_t)number(process(list, name), "pid");
    json_decref(list);
    return pid;
}

static void nap_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* Total of a token in an account, as text. */
static void assert_balance(const char *token, const char *total)
{
    json_t *account = ask("account " WALLET " --json", 0);
    json_t *balances = json_object_get(account, "balances");
    const char *found = NULL;
    for (size_t i = 0; i < json_array_size(balances); i++)
        if (strcmp(text(json_array_get(balances, i), "token"), token) == 0)
            found = text(json_array_get(balances, i), "total");
    assert_non_null(found);
    assert_string_equal(found, total);
    json_decref(account);
}

/* --- Set-up ------------------------------------------------------------------------------------*/

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/eidosctl-test-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

/* Whatever a test left running, also when it failed half-way. */
static int remove_dir(void **state)
{
    (void)state;
    run("down");
    int result = nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    if (!other[0]) return result;
    snprintf(dir, sizeof dir, "%s", other);
    other[0] = '\0';
    return remove_dir(NULL) || result;
}

/* --- Tests -------------------------------------------------------------------------------------*/

static void wrong_usage_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int code;
        const char *says;
    } cases[] = {
        {"", 2, "usage"},
        {"nonsense", 2, "nonsense"},
        {"status --nonsense", 2, "--nonsense"},
        {"status word", 2, "one argument too many"},
        {"book", 2, "MARKET"},
        {"book BTC-USDC --levels 0", 2, "--levels"},
        {"configure nonsense", 2, "check, init or fini"},
        {"up --set api.prot=1", 2, "api.port"},
        {"up --dev --set exchange.env=prod", 2, "dev"},
        {"help api.nonsense", 2, "api."},
        {"credit 0x12 USDC 1", 2, "40 hex digits"},
        {"order abc", 2, "order id"},
        {"completion fish", 2, "bash"},
        {"status", 3, "eidosctl up"},
        {"ps", 3, "eidosctl up"},
        {"down", 3, "no exchange"},
        {"ready", 3, "eidosctl up"},
        {"shm", 3, "eidosctl up"},
        {"book BTC-USDC", 3, "eidosctl up"},
        {"account " WALLET, 3, "eidosctl up"},
        {"order 1", 3, "eidosctl up"},
        {"credit " WALLET " USDC 1", 3, "eidosctl up"},
        {"demo", 3, "eidosctl up"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int code = run(cases[i].line);
        if (code != cases[i].code || !strstr(output, cases[i].says))
            print_error("%s: %d, %s", cases[i].line, code, output);
        assert_int_equal(code, cases[i].code);
        assert_non_null(strstr(output, cases[i].says));
    }
    json_t *status = ask("status --json", 3);
    assert_true(json_is_false(json_object_get(status, "running")));
    json_decref(status);
}

static void every_command_has_help(void **state)
{
    (void)state;
    static const char *const names[] = {"up",        "down",     "status",  "ps",      "ready",
                                        "configure", "shm",      "book",    "account", "order",
                                        "credit",    "demo",     "version", "help",    "completion",
                                        "journal",   "snapshot", "mode",    "state"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char line[64];
        snprintf(line, sizeof line, "%s --help", names[i]);
        assert_int_equal(run(line), 0);
        assert_non_null(strstr(output, "Example\n  "));
        assert_non_null(strstr(output, "Exit codes"));
    }
    assert_int_equal(run("help"), 0);
    for (size_t i = 0; i < COUNT_OF(names); i++) assert_non_null(strstr(output, names[i]));
    assert_int_equal(run("help api.port"), 0);
    assert_non_null(strstr(output, "EIDOS_API_PORT"));
}

static void configure_looks(void **state)
{
    (void)state;
    static const char *const names[] = {"directory", "hugetlbfs", "hugepages", "shm", "pidfd"};
    json_t *stages = ask("configure check --json", 0);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        bool found = false;
        for (size_t k = 0; k < json_array_size(stages); k++)
            found |= strcmp(text(json_array_get(stages, k), "stage"), names[i]) == 0;
        assert_true(found);
    }
    json_decref(stages);
    assert_int_equal(run("configure check --set shm.shm_dir=/proc"), 0);
    assert_non_null(strstr(output, "without  shm"));
    assert_non_null(strstr(output, "shared memory becomes files on disk"));
}

static void second_up_is_refused(void)
{
    char pid[32];
    json_t *status = ask("status --json", 0);
    snprintf(pid, sizeof pid, "process %lu", number(status, "supervisor_pid"));
    json_decref(status);
    assert_int_equal(run("up"), 4);
    assert_non_null(strstr(output, pid));
}

static void status_tells_all(void)
{
    static const char *const names[] = {"ops",     "journal",  "trading",  "matching@0", "market",
                                        "history", "snapshot", "verify@0", "api@0"};
    json_t *status = ask("status --json", 0);
    assert_true(is_true(status, "running"));
    assert_true(is_true(status, "ready"));
    assert_true(is_true(status, "conserved"));
    assert_true(number(status, "sequence") >= number(status, "durable_sequence"));
    assert_true(number(status, "durable_sequence") > 0);
    assert_int_equal(number(status, "epoch"), 1);
    assert_true(number(json_object_get(status, "config_versions"), "market_configs") > 0);
    assert_string_equal(text(status, "dir"), dir);
    json_t *list = json_object_get(status, "processes");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        json_t *p = process(list, names[i]);
        assert_string_equal(text(p, "state"), "ready");
        assert_int_equal(number(p, "restarts"), 0);
        assert_true(number(p, "ops_port") > 0);
        assert_int_equal(kill((pid_t)number(p, "pid"), 0), 0);
    }
    assert_true(number(process(list, "api@0"), "port") == number(status, "port"));
    json_decref(status);
}

static size_t drop(char *data, size_t size, size_t count, void *user)
{
    (void)data;
    (void)user;
    return size * count;
}

static long http_status(const char *path, u64 port)
{
    char url[128];
    long status = 0;
    CURL *curl = curl_easy_init();
    snprintf(url, sizeof url, "http://127.0.0.1:%lu%s", port, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    return status;
}

/* The standbys come after traders are served. */
static json_t *list_of_ready(void)
{
    for (u32 tries = 0; tries < 1000; tries++) {
        json_t *list = ask("ps --json", 0);
        size_t ready = 0, count = json_array_size(list);
        for (size_t i = 0; i < count; i++)
            ready += !strcmp(text(json_array_get(list, i), "state"), "ready");
        if (ready == count) return list;
        json_decref(list);
        usleep(20000);
    }
    fail_msg("not every process became ready");
    return NULL;
}

static void every_process_has_an_ops_port(void)
{
    static const char *const paths[] = {"/health/live", "/health/ready", "/metrics"};
    json_t *list = list_of_ready();
    for (size_t i = 0; i < json_array_size(list); i++)
        for (size_t k = 0; k < COUNT_OF(paths); k++)
            assert_int_equal(http_status(paths[k], number(json_array_get(list, i), "ops_port")),
                             200);
    json_decref(list);
}

/* What promtool says of the output of a command; "" = nothing to say. */
static void promtool_accepts(const char *command)
{
    char line[720];
    snprintf(line, sizeof line, "%s | promtool check metrics 2>&1", command);
    FILE *said = popen(line, "r"); // NOLINT(cert-env33-c)
    assert_non_null(said);
    size_t n = fread(output, 1, OUTPUT - 1, said);
    output[n] = '\0';
    if (pclose(said) || n) fail_msg("%s: %s", line, output);
}

static void prometheus_takes_the_metrics(void)
{
    char line[640];
    snprintf(line, sizeof line, "%s metrics --dir %s", program(), dir);
    promtool_accepts(line);
    json_t *list = ask("ps --json", 0);
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *proc = json_array_get(list, i);
        for (u32 gateway = 0; gateway < 2; gateway++) {
            u64 port = number(proc, gateway ? "port" : "ops_port");
            snprintf(line, sizeof line, "curl -sSf --noproxy '*' http://127.0.0.1:%lu/metrics",
                     port);
            if (port) promtool_accepts(line);
        }
    }
    json_decref(list);
}

static void credit_is_exact(void)
{
    assert_int_equal(run("credit " WALLET " USDC 5000.5"), 0);
    assert_balance("USDC", "5000.5");
    assert_int_equal(run("credit " WALLET " USDC 0.00000001 --json"), 0);
    assert_balance("USDC", "5000.50000001");
    assert_int_equal(run("credit " WALLET " USDC 0.000000001"), 2);
    assert_int_equal(run("credit " WALLET " USDC 0"), 2);
    assert_int_equal(run("credit " WALLET " USDC -1"), 2);
    assert_int_equal(run("credit " WALLET " USDC 99999999999999999999"), 2);
    assert_int_equal(run("credit " WALLET " DOGE 1"), 2);
    assert_non_null(strstr(output, "USDC"));
    assert_balance("USDC", "5000.50000001");
}

/* A snapshot when asked for; the state of any command, the same by every way. */
static void snapshots_and_replay(void)
{
    json_t *taken = ask("snapshot take --json", 0);
    u64 seq = number(taken, "sequence");
    assert_true(is_true(taken, "whole"));
    assert_true(seq > 1);
    json_decref(taken);
    taken = ask("snapshot take --json", 0); /* nothing new: the one there is serves */
    assert_true(number(taken, "sequence") >= seq);
    json_decref(taken);
    char line[64];
    snprintf(line, sizeof line, "journal replay --to %lu --json", seq);
    json_t *loaded = ask(line, 0);
    assert_int_equal(number(loaded, "snapshot_sequence"), seq);
    assert_int_equal(number(loaded, "sequence"), seq);
    json_decref(loaded);
    snprintf(line, sizeof line, "journal replay --to %lu --json", seq - 1);
    json_t *replayed = ask(line, 0);
    u64 from = number(replayed, "snapshot_sequence"); /* 0, or one the clock brought meanwhile */
    assert_true(from < seq);
    assert_int_equal(number(replayed, "records"), seq - 1 - from);
    json_decref(replayed);
    snprintf(line, sizeof line, "state diff %lu %lu --json", seq, seq);
    json_t *same = ask(line, 0), *unlike = ask("state diff 1 5 --json", 0);
    assert_int_equal(number(same, "count"), 0);
    assert_true(number(unlike, "count") > 0);
    json_decref(same);
    json_decref(unlike);
    assert_int_equal(run("journal replay --to 999999999"), 1);
    assert_non_null(strstr(output, "is beyond it"));
}

static void a_life(void **state)
{
    (void)state;
    up("--dev");
    assert_non_null(strstr(output, "development wallet"));
    assert_non_null(strstr(output, "private key  0x"));
    assert_non_null(strstr(output, "1000000 USDC"));
    assert_int_equal(run("ready --wait 5"), 0);
    second_up_is_refused();
    status_tells_all();
    every_process_has_an_ops_port();
    prometheus_takes_the_metrics();
    credit_is_exact();
    snapshots_and_replay();
    assert_int_equal(run("mode cancel-only"), 0);
    assert_int_equal(run("mode halted BTC-USDC"), 0);
    assert_int_equal(run("mode normal BTC-USDC"), 0);
    assert_int_equal(run("mode normal"), 0);
    assert_int_equal(run("mode asleep"), 2);
    assert_int_equal(run("shm"), 0);
    assert_non_null(strstr(output, "log.command"));
    assert_int_equal(run("book BTC-USDC"), 0);
    assert_non_null(strstr(output, "(empty)"));
    assert_int_equal(run("book DOGE-USDC"), 2);
    assert_int_equal(run("order 12345678"), 1);
    assert_int_equal(run("account 0x0000000000000000000000000000000000000001"), 1);
    json_t *status = ask("status --json", 0);
    u64 sequence = number(status, "durable_sequence");
    json_decref(status);
    down();
    assert_int_equal(run("status"), 3);
    up("--dev");
    assert_non_null(strstr(output, "1000000 USDC")); /* not credited again */
    status = ask("status --json", 0);
    assert_true(number(status, "durable_sequence") > sequence);
    assert_true(is_true(status, "conserved"));
    json_decref(status);
    assert_balance("USDC", "5000.50000001");
    down();
}

/* Wait until a process has another pid and is ready. */
static void assert_comes_back(const char *name, pid_t before)
{
    for (int i = 0; i < 600; i++) {
        json_t *list = ask("ps --json", 0);
        json_t *p = process(list, name);
        bool back = (pid_t)number(p, "pid") != before && strcmp(text(p, "state"), "ready") == 0;
        if (back) assert_int_equal(number(p, "restarts"), 1);
        json_decref(list);
        if (back) return;
        nap_ms(50);
    }
    fail_msg("%s did not come back", name);
}

static void the_dead_are_replaced(void **state)
{
    static const char *const names[] = {"trading", "journal",  "matching@0", "market",
                                        "api@0",   "verify@0", "snapshot",   "history"};
    (void)state;
    up("");
    assert_int_equal(run("credit " WALLET " BTC 1.5"), 0);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        pid_t pid = pid_of(names[i]);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_comes_back(names[i], pid);
    }
    assert_int_equal(run("ready --wait 10"), 0);
    assert_balance("BTC", "1.5");
    assert_int_equal(run("credit " WALLET " BTC 0.5"), 0);
    assert_balance("BTC", "2");
    down();
}

static void a_killed_supervisor_leaves_nobody(void **state)
{
    (void)state;
    up("");
    assert_int_equal(run("credit " WALLET " ETH 3"), 0);
    pid_t supervisor = pid_of("ops"), trading = pid_of("trading");
    assert_int_equal(kill(supervisor, SIGKILL), 0);
    for (int i = 0; i < 400 && kill(trading, 0) == 0; i++) nap_ms(50);
    assert_int_equal(kill(trading, 0), -1);
    assert_int_equal(run("status"), 3);
    up("");
    assert_balance("ETH", "3");
    json_t *status = ask("status --json", 0);
    assert_true(is_true(status, "conserved"));
    json_decref(status);
    down();
}

static void no_credit_in_production(void **state)
{
    (void)state;
    up("--set exchange.env=prod --set exchange.chain_id=42161");
    assert_int_equal(run("credit " WALLET " USDC 1"), 1);
    assert_non_null(strstr(output, "refused"));
    assert_int_equal(run("demo --seconds 1"), 1);
    assert_non_null(strstr(output, "refused"));
    down();
}

/* Those without a standby; for the others see test_standby.c. */
static void the_hung_are_replaced(void **state)
{
    (void)state;
    up("");
    pid_t pid = pid_of("verify@0");
    assert_int_equal(kill(pid, SIGSTOP), 0);
    nap_ms(1000);
    json_t *list = ask("ps --json", 0);
    assert_string_equal(text(process(list, "verify@0"), "state"), "hung");
    json_decref(list);
    assert_int_equal(run("ready"), 1);
    assert_non_null(strstr(output, "verify@0"));
    assert_comes_back("verify@0", pid);
    assert_int_equal(run("credit " WALLET " BTC 1"), 0);
    down();
}

/* Ctrl-C reaches everybody in the terminal; what counts is that the supervisor stops them. */
static void interrupt_stops_in_order(void **state)
{
    (void)state;
    pid_t supervisor = start_up(NULL);
    int status;
    assert_int_equal(run("ready --wait 30"), 0);
    assert_int_equal(run("credit " WALLET " BTC 1.25"), 0);
    assert_int_equal(kill(-supervisor, SIGINT), 0);
    assert_int_equal(waitpid(supervisor, &status, 0), supervisor);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(run("status"), 3);
    up("");
    assert_balance("BTC", "1.25");
    down();
}

static void swap_dirs(void)
{
    char was[sizeof dir];
    memcpy(was, dir, sizeof was);
    memcpy(dir, other, sizeof dir);
    memcpy(other, was, sizeof other);
}

static void a_start_that_fails_says_why(void **state)
{
    (void)state;
    up("");
    json_t *status = ask("status --json", 0);
    char line[128];
    const char *rest[COUNT_OF(small) - 4 + 1] = {0}; /* all but the ports */
    memcpy(rest, small + 4, sizeof small - 4 * sizeof *small);
    snprintf(line, sizeof line, "up --detach --set api.port=0 --set ops.port=%lu",
             number(process(json_object_get(status, "processes"), "journal"), "ops_port") - 1);
    json_decref(status);
    snprintf(other, sizeof other, "%s", dir);
    assert_int_equal(make_dir(NULL), 0);
    assert_int_equal(run_with(line, rest, true), 1); /* at least the journal's port is taken */
    assert_non_null(strstr(output, "Address already in use"));
    assert_int_equal(run("status"), 3);
    swap_dirs();
    assert_int_equal(run("ready"), 0); /* the other one is not touched */
    down();
}

/* What systemd would hear on its socket, until `what` comes. */
static void assert_notified(int socket_fd, const char *what)
{
    char heard[1024];
    for (;;) {
        ssize_t n = recv(socket_fd, heard, sizeof heard - 1, 0);
        if (n <= 0) fail_msg("%s was not said in time", what);
        heard[n > 0 ? n : 0] = '\0';
        if (strstr(heard, what)) return;
    }
}

static void systemd_is_told(void **state)
{
    (void)state;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 30};
    int status, fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(at.sun_path, sizeof at.sun_path, "%s/notify", dir);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setenv("NOTIFY_SOCKET", at.sun_path, 1);
    setenv("WATCHDOG_USEC", "400000", 1);
    pid_t supervisor = start_up(NULL);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    assert_notified(fd, "READY=1");
    assert_int_equal(run("ready"), 0);
    assert_notified(fd, "WATCHDOG=1");
    assert_int_equal(kill(supervisor, SIGTERM), 0);
    assert_notified(fd, "STOPPING=1");
    assert_int_equal(waitpid(supervisor, &status, 0), supervisor);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(fd);
}

static void a_demo_finds_nothing_wrong(void **state)
{
    (void)state;
    up("");
    json_t *report = ask("demo --seconds 4 --wallets 10 --rate 80 --json", 0);
    assert_true(number(report, "orders") > 150);
    assert_true(number(report, "acked") > 100);
    assert_int_equal(number(report, "found"), number(report, "acked"));
    assert_true(number(report, "trades") > 5);
    assert_int_equal(number(report, "errors"), 0);
    assert_int_equal(number(report, "wrong"), 0);
    assert_true(number(report, "p50_us") <= number(report, "p99_us"));
    assert_true(is_true(report, "conserved"));
    json_decref(report);
    assert_int_equal(run("book BTC-USDC"), 0);
    assert_non_null(strstr(output, "(empty)")); /* it leaves nothing behind */
    down();
}

/* No room in shared memory (a container's /dev/shm): files of the instance's own take its place. */
static void starts_without_shared_memory(void **state)
{
    (void)state;
    up("--set shm.hugepages=off --set shm.shm_dir=/proc/nothing");
    assert_int_equal(run("shm"), 0);
    assert_non_null(strstr(output, "/run/shm/"));
    assert_int_equal(run("credit " WALLET " USDC 1"), 0);
    assert_int_equal(run("mode cancel-only"), 0);
    assert_int_equal(run("mode normal"), 0);
    down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(wrong_usage_is_told, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(every_command_has_help, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(configure_looks, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_life, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(no_credit_in_production, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(the_dead_are_replaced, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_killed_supervisor_leaves_nobody, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(the_hung_are_replaced, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(interrupt_stops_in_order, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_start_that_fails_says_why, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(starts_without_shared_memory, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(systemd_is_told, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_demo_finds_nothing_wrong, make_dir, remove_dir),
    };
    setenv("EIDOS_DIR", "/nonexistent", 1); /* --dir must win */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
