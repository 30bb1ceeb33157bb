/* Seeing what an exchange does: the trace of an order from the socket to its fills, the live view
 * in a terminal, and numbers that move. */
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/client.h"
#include "tests/lib/exchange.h"

static struct exchange x;
static struct client client;
static struct client_wallet maker, taker;
static u64 seed = 20261126;

static int set_up(void **state)
{
    (void)state;
    memset(&x, 0, sizeof x);
    exchange_make(&x);
    if (exchange_up(&x) || !exchange_look(&x)) return -1;
    wallet_make(&maker, &seed);
    wallet_make(&taker, &seed);
    exchange_credit(&x, maker.text, "BTC", "10");
    exchange_credit(&x, taker.text, "USDC", "1000000");
    client_open(&client, 2, x.port);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    client_close(&client);
    exchange_remove(&x);
    return 0;
}

/* Output of eidosctl as JSON. */
static json_t *ask(const char *line)
{
    json_error_t error;
    if (exchange_ctl(&x, line)) fail_msg("%s: %s", line, x.said);
    json_t *value = json_loads(x.said, JSON_DISABLE_EOF_CHECK, &error);
    if (!value) fail_msg("%s: %s in %s", line, error.text, x.said);
    return value;
}

static u64 number(json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    if (json_is_string(value)) return strtoull(json_string_value(value), NULL, 10);
    if (!json_is_integer(value)) fail_msg("%s is missing", name);
    return (u64)json_integer_value(value);
}

/* Place an order with a header of the caller's; its id. */
static u64 place(const struct client_wallet *w, u8 side, u64 price, u64 amount, u64 nonce,
                 const char *header)
{
    char body[CLIENT_BODY];
    struct order_spec o = {
        .nonce = nonce, .price = price, .amount = amount, .side = side, .v1 = true};
    long http = 0;
    order_body(w, &o, body);
    json_t *data = client_ask(&client, "POST", "/api/v1/orders", header, body, &http);
    if (!data) fail_msg("POST /orders: HTTP %ld", http);
    u64 id = client_id(data, "order_id");
    json_decref(data);
    return id;
}

/* --- trace -------------------------------------------------------------------------------------
 */

/* The first event of a step, or NULL. */
static json_t *event(json_t *trace, const char *step)
{
    json_t *events = json_object_get(trace, "events");
    for (size_t i = 0; i < json_array_size(events); i++) {
        json_t *e = json_array_get(events, i);
        if (!strcmp(json_string_value(json_object_get(e, "step")), step)) return e;
    }
    return NULL;
}

static void expect_in_order(json_t *trace, const char *const *steps)
{
    u64 last = 0;
    for (u32 i = 0; steps[i]; i++) {
        json_t *e = event(trace, steps[i]);
        if (!e) fail_msg("no `%s` in: %s", steps[i], x.said);
        u64 time = number(e, "time_ns");
        if (time < last) fail_msg("`%s` too early in: %s", steps[i], x.said);
        last = time;
    }
}

static void expect_hops(json_t *trace)
{
    static const char *const hops[] = {"socket", "verify", "sequence", "durable",
                                       "match",  "reply",  "all"};
    json_t *all = json_object_get(trace, "hops_ns");
    for (u32 i = 0; i < COUNT_OF(hops); i++) {
        u64 ns = number(all, hops[i]);
        if (ns > 60000000000UL) fail_msg("hop %s took %lu ns", hops[i], ns);
    }
    assert_true(number(all, "all") >= number(all, "socket") + number(all, "verify"));
}

static json_t *trace(const char *what)
{
    char line[128];
    snprintf(line, sizeof line, "trace %s --json", what);
    return ask(line);
}

static json_t *trace_order(u64 id)
{
    char text[24];
    snprintf(text, sizeof text, "%lu", id);
    return trace(text);
}

/* An order that rested is cleared in the journal's files a moment after the taker has its answer.
 */
static json_t *trace_cleared(u64 id)
{
    for (u32 i = 0;; i++) {
        json_t *t = trace_order(id);
        if (event(t, "cleared") || i == 100) return t;
        json_decref(t);
        usleep(10000);
    }
}

#define TRACE_ID "4bf92f3577b34da6a3ce929d0e0e4736"

static void a_trace_goes_from_the_socket_to_the_fill(void **state)
{
    (void)state;
    static const char *const made[] = {"received",  "asked",   "verifying", "proven",
                                       "sequenced", "matched", "open",      "answered",
                                       "filled",    "cleared", NULL};
    static const char *const took[] = {"received", "asked",   "verifying", "proven",   "sequenced",
                                       "filled",   "cleared", "replied",   "answered", NULL};
    u64 resting = place(&maker, 1, 50000 * E8, E8, 1, "X-Request-Id: maker's own name");
    u64 taking =
        place(&taker, 0, 50000 * E8, E8 / 2, 1, "traceparent: 00-" TRACE_ID "-00f067aa0ba902b7-01");
    json_t *m = trace_cleared(resting), *t = trace_cleared(taking);
    expect_in_order(m, made);
    expect_in_order(t, took);
    expect_hops(m);
    expect_hops(t);
    assert_string_equal(json_string_value(json_object_get(t, "trace_id")), TRACE_ID);
    u64 trade = number(event(t, "filled"), "trade_id");
    assert_int_equal(number(event(m, "filled"), "trade_id"), trade);
    assert_int_equal(number(event(m, "filled"), "other_order_id"), taking);
    assert_int_equal(number(event(t, "filled"), "other_order_id"), resting);
    assert_int_equal(number(event(m, "filled"), "sequence"), number(t, "sequence"));
    json_t *named = trace(TRACE_ID);
    assert_int_equal(number(named, "order_id"), taking);
    json_decref(named);

    /* A dead gateway's stamps are still there; a dead exchange's journal is. */
    exchange_kill(exchange_pid(&x, "api@0"));
    json_t *after = trace_order(taking);
    expect_in_order(after, took);
    json_decref(after);
    assert_int_equal(exchange_down(&x), 0);
    static const char *const logged[] = {"sequenced", "filled", "cleared", NULL};
    json_t *down = trace_order(taking);
    expect_in_order(down, logged);
    assert_int_equal(number(event(down, "filled"), "trade_id"), trade);
    json_decref(down);
    json_decref(m);
    json_decref(t);
}

static void what_cannot_be_traced_says_so(void **state)
{
    (void)state;
    assert_int_equal(exchange_ctl(&x, "trace 99999"), 1);
    assert_non_null(strstr(x.said, "in no journal file"));
    assert_int_equal(exchange_ctl(&x, "trace nobody"), 1);
    assert_non_null(strstr(x.said, "no gateway remembers"));
    assert_int_equal(exchange_ctl(&x, "trace"), 2);
}

/* --- logs --------------------------------------------------------------------------------------
 */

/* Every line is an object with what each has; how many at debug are about `trace_id`: one that took
 * long is told of at any level. */
static u32 read_log(const char *name, const char *trace_id)
{
    char path[128], line[16384];
    u32 lines = 0, found = 0;
    snprintf(path, sizeof path, "%s/log/%s.log", x.dir, name);
    FILE *file = fopen(path, "re");
    if (!file) fail_msg("%s is missing", path);
    for (; fgets(line, sizeof line, file); lines++) {
        json_error_t error;
        json_t *o = json_loads(line, 0, &error);
        if (!o) fail_msg("%s: %s: %s", path, error.text, line);
        static const char *const keys[] = {"ts", "level", "process", "msg"};
        for (u32 i = 0; i < COUNT_OF(keys); i++)
            if (!json_is_string(json_object_get(o, keys[i]))) fail_msg("no %s: %s", keys[i], line);
        const char *id = json_string_value(json_object_get(o, "trace_id"));
        bool debug = strcmp(json_string_value(json_object_get(o, "level")), "debug") == 0;
        found += trace_id && id && debug && strcmp(id, trace_id) == 0;
        json_decref(o);
    }
    fclose(file);
    assert_true(lines > 0);
    return found;
}

static void logs_are_json_lines(void **state)
{
    (void)state;
    static const char header[] = "X-Request-Id: " TRACE_ID;
    place(&maker, 1, 50000 * E8, E8 / 10, 1, header);
    assert_int_equal(read_log("api@0", TRACE_ID), 0);
    assert_int_equal(exchange_ctl(&x, "log debug api@0"), 0);
    json_t *levels = ask("log --json");
    assert_string_equal(json_string_value(json_object_get(levels, "api@0")), "debug");
    assert_string_equal(json_string_value(json_object_get(levels, "trading")), "info");
    json_decref(levels);
    place(&maker, 1, 50000 * E8, E8 / 10, 2, header);
    assert_int_equal(exchange_ctl(&x, "log default"), 0);
    place(&maker, 1, 50000 * E8, E8 / 10, 3, header);
    assert_int_equal(read_log("api@0", TRACE_ID), 1);
    assert_int_equal(exchange_ctl(&x, "log loud"), 2);
    assert_int_equal(exchange_ctl(&x, "log info nobody"), 2);
    /* A crash is a line, too. */
    pid_t verify = exchange_pid(&x, "verify@0");
    kill(verify, SIGSEGV);
    for (u64 until = exchange_ms() + 5000; kill(verify, 0) == 0 && exchange_ms() < until;)
        usleep(10000);
    assert_int_equal(exchange_down(&x), 0);
    for (u32 i = 0; i < x.count; i++) read_log(x.procs[i].name, NULL);
    read_log("supervisor", NULL);
    exchange_shell("grep -q '\"backtrace\":\\[\"' %s/log/verify@0.log", x.dir);
}

/* --- top ---------------------------------------------------------------------------------------
 */

static void top_shows_what_moves(void **state)
{
    (void)state;
    for (u64 n = 1; n <= 5; n++) place(&maker, 1, 50000 * E8, E8 / 10, n, NULL);
    json_t *top = ask("top --once --json --every 100");
    static const char *const times[] = {"request",  "order",   "socket", "verify",
                                        "sequence", "durable", "match",  "reply"};
    for (u32 i = 0; i < COUNT_OF(times); i++) {
        json_t *t = json_object_get(json_object_get(top, "times"), times[i]);
        assert_true(number(t, "total") >= 5);
        assert_true(number(t, "p50_ns") > 0 && number(t, "p50_ns") <= number(t, "p99_ns"));
        assert_true(number(t, "p99_ns") <= number(t, "max_ns"));
    }
    assert_int_equal(json_array_size(json_object_get(top, "processes")), x.count + 1);
    assert_true(json_array_size(json_object_get(top, "queues")) >= 8);
    assert_true(json_array_size(json_object_get(top, "markets")) >= 2);
    assert_int_equal(number(top, "open_orders"), 5);
    json_decref(top);
    assert_int_equal(exchange_ctl(&x, "top --every 100"), 0); /* no terminal: one plain frame */
    assert_non_null(strstr(x.said, "PROCESS"));
    assert_null(strchr(x.said, '\033'));
}

/* A terminal with eidosctl top in it. */
struct terminal {
    int master;
    pid_t pid;
    char seen[1 << 18];
    size_t length;
};

static void open_terminal(struct terminal *t, u16 rows, u16 columns)
{
    char path[512];
    const char *bin = getenv("EIDOS_BIN");
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    snprintf(path, sizeof path, "%s/eidosctl", bin ? bin : "build/bin");
    t->length = 0;
    t->pid = forkpty(&t->master, NULL, NULL, &size);
    assert_true(t->pid >= 0);
    if (t->pid) return;
    execl(path, "eidosctl", "top", "--dir", x.dir, "--every", "100", (char *)NULL);
    _exit(127);
}

/* Read until `text` was seen after `from`, or five seconds are over. */
static bool sees(struct terminal *t, size_t from, const char *text)
{
    u64 until = exchange_ms() + 5000;
    while (exchange_ms() < until && t->length + 1 < sizeof t->seen) {
        struct pollfd in = {.fd = t->master, .events = POLLIN};
        if (poll(&in, 1, 100) > 0) {
            ssize_t n = read(t->master, t->seen + t->length, sizeof t->seen - 1 - t->length);
            if (n <= 0) break;
            t->length += (size_t)n;
        }
        t->seen[t->length] = '\0';
        if (strstr(t->seen + from, text)) return true;
    }
    t->seen[t->length] = '\0';
    return strstr(t->seen + from, text) != NULL;
}

#define SCREEN_ON  "\033[?1049h"
#define SCREEN_OFF "\033[?1049l"
#define CURSOR_ON  "\033[?25h"

static void close_terminal(struct terminal *t)
{
    int status;
    assert_true(sees(t, 0, SCREEN_OFF));
    assert_non_null(strstr(t->seen, CURSOR_ON));
    assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(t->master);
}

/* The longest line that is drawn after `from`, without what is no letter on the screen. */
static size_t widest(const struct terminal *t, size_t from)
{
    size_t widest = 0, width = 0;
    for (const char *c = t->seen + from; *c; c++) {
        if (*c == '\033') {
            while (*c && !((*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z'))) c++;
            if (!*c) break;
            if (*c == 'H') width = 0; /* a frame begins */
        } else if (*c == '\r' || *c == '\n') {
            width = 0;
        } else if (++width > widest) {
            widest = width;
        }
    }
    return widest;
}

static void top_behaves_in_a_terminal(void **state)
{
    (void)state;
    static struct terminal t;
    open_terminal(&t, 40, 120);
    assert_true(sees(&t, 0, SCREEN_ON));
    assert_true(sees(&t, 0, "PROCESS"));
    assert_true(sees(&t, 0, "QUEUE"));
    assert_true(sees(&t, 0, "q quit"));
    assert_true(widest(&t, 0) <= 120);

    struct winsize small = {.ws_row = 12, .ws_col = 40};
    ioctl(t.master, TIOCSWINSZ, &small);
    size_t width = 0, from = t.length;
    for (u32 i = 0; i < 20; i++) { /* a frame of the old size may be under way */
        assert_true(sees(&t, from, "q quit"));
        width = widest(&t, from);
        if (width <= 40) break;
        from = t.length;
    }
    if (width > 40) fail_msg("a line of %zu", width);

    from = t.length; /* arrows: what does not fit is reached */
    assert_int_equal(write(t.master, "\033[B\033[B\033[B\033[B\033[B", 15), 15);
    for (u32 i = 0; i < 60 && !strstr(t.seen + from, "QUEUE"); i++) {
        assert_int_equal(write(t.master, "\033[B", 3), 3);
        sees(&t, t.length, "q quit");
    }
    assert_true(sees(&t, from, "QUEUE"));

    assert_int_equal(write(t.master, "q", 1), 1);
    close_terminal(&t);

    open_terminal(&t, 24, 80);
    assert_true(sees(&t, 0, "q quit"));
    assert_int_equal(write(t.master, "\003", 1), 1); /* Ctrl-C */
    close_terminal(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_trace_goes_from_the_socket_to_the_fill, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_traced_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(logs_are_json_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(top_shows_what_moves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(top_behaves_in_a_terminal, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
