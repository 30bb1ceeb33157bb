/* eidosctl load against a private exchange: each scenario for a few seconds, what its report says,
 * and that it is an open loop: a server that stands still is seen standing still. Nothing here
 * depends on how fast the host is. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <time.h>

#include "tests/lib/client.h"
#include "tests/lib/exchange.h"

#define KEYS       4U
#define PAUSE_MS   1000L
#define PAUSE_RATE 200U

static struct exchange x;

static int start(void **state)
{
    (void)state;
    exchange_make(&x);
    if (exchange_up(&x) == 0) return 0;
    fprintf(stderr, "%s\n", x.said);
    exchange_show_logs(&x);
    return -1;
}

static int stop(void **state)
{
    (void)state;
    exchange_down(&x);
    exchange_remove(&x);
    return 0;
}

/* --- Reading reports ---------------------------------------------------------------------------*/

/* Run `load` with these words and a report; the JSON of it, which the caller frees. */
static json_t *run(const char *words)
{
    char line[400], path[128];
    json_error_t error;
    snprintf(line, sizeof line, "load %s --report %s/report", words, x.dir);
    int code = exchange_ctl(&x, line);
    if (code > 1) print_error("%s: exit code %d: %s\n", line, code, x.said);
    assert_in_range(code, 0, 1); /* 1: a slow host misses targets, and the report says so */
    snprintf(path, sizeof path, "%s/report/load.json", x.dir);
    json_t *report = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!report) print_error("%s: %s\n%s\n", path, error.text, x.said);
    assert_non_null(report);
    return report;
}

static u64 whole(const json_t *o, const char *name)
{
    const json_t *n = json_object_get(o, name);
    assert_true(json_is_integer(n));
    return (u64)json_integer_value(n);
}

static double real(const json_t *o, const char *name)
{
    const json_t *n = json_object_get(o, name);
    assert_true(json_is_number(n));
    return json_number_value(n);
}

static json_t *scenario(const json_t *report, size_t i)
{
    json_t *s = json_array_get(json_object_get(report, "scenarios"), i);
    assert_non_null(s);
    return s;
}

static json_t *step(const json_t *report, size_t s, size_t i)
{
    json_t *found = json_array_get(json_object_get(scenario(report, s), "steps"), i);
    assert_non_null(found);
    return found;
}

static const char *verdict(const json_t *report, const char *item)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(report, "acceptance"), i, row)
    {
        const char *text = json_string_value(json_object_get(row, "item"));
        const char *word = json_string_value(json_object_get(row, "verdict"));
        assert_int_equal(json_is_true(json_object_get(row, "ticked")), !strcmp(word, "pass"));
        assert_true(json_string_length(json_object_get(row, "detail")) > 0);
        if (strstr(text, item)) return word;
    }
    fail_msg("the acceptance list says nothing of %s", item);
    return NULL;
}

/* Quantiles never fall, and lie below the maximum. */
static void check_quantiles(const json_t *q)
{
    static const char *const names[] = {"p50", "p90", "p95", "p99", "p99_9", "p99_99", "max"};
    for (u32 i = 1; i < COUNT_OF(names); i++)
        assert_true(real(q, names[i - 1]) <= real(q, names[i]));
}

/* Everything due was sent, answered and counted once. */
static void check_step(const json_t *s)
{
    u64 due = (u64)(real(s, "target_rate") * real(s, "seconds") + 0.5);
    assert_int_equal(whole(s, "due"), due);
    assert_int_equal(whole(s, "sent"), due);
    assert_int_equal(whole(s, "answered"), due);
    assert_int_equal(whole(s, "errors"), 0);
    assert_int_equal(whole(s, "unsent"), 0);
    assert_int_equal(whole(s, "accepted") + whole(s, "refused"), due);
    const json_t *latency = json_object_get(s, "latency_ms");
    assert_int_equal(whole(latency, "count"), due);
    assert_int_equal(whole(json_object_get(s, "late_ms"), "count"), due);
    check_quantiles(latency);
    check_quantiles(json_object_get(s, "late_ms"));
}

static void check_files(void)
{
    exchange_shell("python3 -c '"
                   "import sys, xml.dom.minidom as m; t = open(sys.argv[1]).read(); "
                   "d = m.parseString(t); "
                   "assert not d.getElementsByTagName(\"script\"), \"a script\"; "
                   "assert \"http://\" not in t and \"https://\" not in t, \"it needs the net\"; "
                   "assert len(d.getElementsByTagName(\"svg\")) >= 4, \"plots are missing\"; "
                   "assert len(d.getElementsByTagName(\"li\")) == 8, \"the list is missing\"' "
                   "%s/report/load.html",
                   x.dir);
    exchange_shell("grep -q 'Acceptance (operations guide, 5.4)' %s/report/load.txt", x.dir);
    exchange_shell("grep -q '\\[-\\] no backlog in Kafka' %s/report/load.txt", x.dir);
}

/* --- Scenarios ---------------------------------------------------------------------------------*/

static void all_scenarios_are_reported(void **state)
{
    (void)state;
    json_t *report = run("all --scale 0.01 --time 0.001");
    assert_int_equal(json_array_size(json_object_get(report, "scenarios")), 3);
    for (size_t i = 0; i < 6; i++) check_step(step(report, 0, i));
    check_step(step(report, 1, 0));
    check_step(step(report, 2, 0));
    for (size_t s = 0; s < 3; s++) {
        size_t i;
        json_t *second;
        u64 answered = 0, of_steps = 0;
        json_array_foreach(json_object_get(scenario(report, s), "seconds"), i, second) answered +=
            whole(second, "answered");
        json_array_foreach(json_object_get(scenario(report, s), "steps"), i, second) of_steps +=
            whole(second, "answered");
        assert_true(answered && answered <= of_steps);
    }
    assert_string_equal(verdict(report, "Kafka"), "not measured");
    assert_string_not_equal(verdict(report, "30 minutes"), "pass"); /* it was seconds */
    assert_string_equal(verdict(report, "errors"), "pass");
    assert_string_equal(verdict(report, "crashed"), "pass");
    assert_true(json_array_size(json_object_get(report, "processes")) >= 8);
    check_files();
    json_decref(report);
}

/* 40 % limits that match, 40 % that rest, 10 % market orders, 10 % cancels; the first cancels find
 * nothing to cancel yet and place what the next ones cancel. */
static void the_mix_is_the_guides(void **state)
{
    (void)state;
    json_t *report = run("2 --steps 40:200:5");
    const json_t *s = step(report, 0, 0), *kinds = json_object_get(s, "sent_by_kind");
    check_step(s);
    u64 rests = whole(kinds, "limit, rests") + whole(kinds, "limit, rests to be cancelled");
    assert_int_equal(whole(kinds, "limit, matches"), 400);
    assert_int_equal(whole(kinds, "market"), 100);
    assert_in_range(whole(kinds, "cancel"), 60, 100);
    assert_int_equal(rests + whole(kinds, "cancel"), 500);
    assert_true(whole(s, "filled_at_once") > 300); /* they do match */
    json_decref(report);
}

static void pushes_are_counted_and_have_no_gap(void **state)
{
    (void)state;
    json_t *report = run("3 --scale 0.01 --time 0.003 --rate 0.4 --stuck 2");
    const json_t *pushes = json_object_get(step(report, 0, 0), "pushes");
    assert_int_equal(whole(pushes, "gaps"), 0);
    assert_int_equal(whole(pushes, "lost"), 0);
    static const u64 connections[] = {100, 50, 10};
    for (size_t i = 0; i < 3; i++) {
        const json_t *c = json_array_get(json_object_get(pushes, "channels"), i);
        const json_t *latency = json_object_get(c, "latency_ms");
        assert_int_equal(whole(c, "connections"), connections[i]);
        assert_true(whole(c, "frames") >= connections[i]);
        assert_int_equal(whole(latency, "count"), whole(c, "frames")); /* each says when */
        check_quantiles(latency);
    }
    json_decref(report);
}

/* --- Open loop ---------------------------------------------------------------------------------*/

static void nap_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* All requests that were due while the gateway stood still waited for it, from when they were due:
 * a second's worth of them, evenly from a second down to nothing. A closed loop would show as few
 * as there are users. */
static void a_server_that_stands_still_is_seen(void **state)
{
    (void)state;
    char line[300];
    int code;
    json_error_t error;
    snprintf(line, sizeof line, "load 1 --steps 20:%u:5 --report %s/report", PAUSE_RATE, x.dir);
    assert_true(exchange_look(&x));
    pid_t api = exchange_pid(&x, "api@0"), load = exchange_begin(&x, line);
    nap_ms(3000); /* preparing takes a part of it */
    kill(api, SIGSTOP);
    nap_ms(PAUSE_MS);
    kill(api, SIGCONT);
    while (!exchange_is_done(&x, load, &code)) nap_ms(10);
    snprintf(line, sizeof line, "%s/report/load.json", x.dir);
    json_t *report = json_load_file(line, 0, &error);
    assert_non_null(report);
    const json_t *s = step(report, 0, 0), *latency = json_object_get(s, "latency_ms");
    check_step(s);
    assert_true(real(latency, "max") >= PAUSE_MS * 0.9);
    /* 200 of 1,000 met the pause, so that a tenth of all waited half of it or longer */
    assert_true(real(latency, "p90") >= PAUSE_MS * 0.35);
    json_decref(report);
}

/* --- What is refused ---------------------------------------------------------------------------*/

static void expect(const char *line, int code, const char *words)
{
    int got = exchange_ctl(&x, line);
    if (got != code || !strstr(x.said, words)) print_error("%s: %d: %s\n", line, got, x.said);
    assert_int_equal(got, code);
    assert_non_null(strstr(x.said, words));
}

static void what_is_wrong_is_said_before_it_begins(void **state)
{
    (void)state;
    expect("load 4", 2, "expected 1, 2, 3 or all");
    expect("load 1 --scale 0", 2, "--scale 0");
    expect("load 1 --steps 5:x", 2, "users:rate:seconds");
    expect("load all --steps 5:5:1", 2, "one scenario");
    expect("load 1 --signatures never", 2, "ahead or inline");
    expect("load 1 --url https://there:1", 2, "without TLS");
    expect("load 1 --url http://there:1", 2, "--keys");
    expect("load 1 --steps 4000:1:1", 1, "trading.accounts_max");
    expect("load 3 --scale 3 --time 0.01", 1, "api.connections_max");
}

/* Over an address alone: wallets with funds of their own, and nothing said of what is not seen. */
static void an_address_and_keys_are_enough(void **state)
{
    (void)state;
    char path[100], line[300];
    u64 seed = 7;
    snprintf(path, sizeof path, "%s/keys", x.dir);
    snprintf(line, sizeof line,
             "1 --url http://127.0.0.1:%u --keys %s --steps 4:40:1 "
             "--signatures inline",
             x.port, path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (u32 i = 0; i < KEYS; i++) {
        char key[HEX_TEXT(SECP_KEY)];
        struct client_wallet w;
        wallet_make(&w, &seed);
        hex_format(w.key, sizeof w.key, key);
        fprintf(f, "%s\n", key);
        exchange_credit(&x, w.text, "USDC", "1000000");
        if (i) exchange_credit(&x, w.text, client_bases[i % CLIENT_MARKETS], "1000");
    }
    fclose(f);
    char refused[400];
    snprintf(refused, sizeof refused, "load %s", line);
    expect(refused, 1, "has 0 BTC available"); /* the first wallet lacks what it is to sell */
    struct client_wallet first;
    seed = 7;
    wallet_make(&first, &seed);
    exchange_credit(&x, first.text, "BTC", "1000");
    json_t *report = run(line);
    check_step(step(report, 0, 0));
    assert_string_equal(json_string_value(json_object_get(report, "signatures")), "inline");
    assert_string_equal(verdict(report, "crashed"), "not measured");
    assert_string_equal(verdict(report, "CPU"), "not measured");
    json_decref(report);
}

static void an_interrupted_run_reports_what_there_is(void **state)
{
    (void)state;
    char line[200];
    int code;
    snprintf(line, sizeof line, "load 1 --steps 4:40:600 --report %s/report", x.dir);
    pid_t load = exchange_begin(&x, line);
    nap_ms(3000);
    kill(load, SIGINT);
    while (!exchange_is_done(&x, load, &code)) nap_ms(10);
    assert_int_equal(code, 1);
    assert_non_null(strstr(x.said, "INTERRUPTED"));
    assert_non_null(strstr(x.said, "[ ] target rate held for 30 minutes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_scenarios_are_reported),
        cmocka_unit_test(the_mix_is_the_guides),
        cmocka_unit_test(pushes_are_counted_and_have_no_gap),
        cmocka_unit_test(a_server_that_stands_still_is_seen),
        cmocka_unit_test(what_is_wrong_is_said_before_it_begins),
        cmocka_unit_test(an_address_and_keys_are_enough),
        cmocka_unit_test(an_interrupted_run_reports_what_there_is),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
