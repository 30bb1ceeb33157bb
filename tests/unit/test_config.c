/* Options: the reference and the table agree, later sources win, bad input is refused by name. */
#include "procs/lib/config.h"
#include "shm/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/eidos-test-config-XXXXXX";
static char file[sizeof dir + 16];

static int make_dir(void **state)
{
    (void)state;
    if (!mkdtemp(dir)) return -1;
    snprintf(file, sizeof file, "%s/eidos.ini", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(file);
    return rmdir(dir);
}

/* The source: our directory with `text` as its eidos.ini; NULL: no file. */
static struct config_source source_of(const char *text)
{
    struct config_source source = {0};
    snprintf(source.dir.s, sizeof source.dir.s, "%s", dir);
    unlink(file);
    if (text) {
        FILE *f = fopen(file, "w");
        assert_non_null(f);
        fputs(text, f);
        fclose(f);
    }
    return source;
}

static void load(struct config *config, const struct config_source *source)
{
    if (config_load(config, source)) fail_msg("%s", err_text());
}

static void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static void defaults_are_the_protocols(void **state)
{
    (void)state;
    struct config c;
    struct config_source source = source_of(NULL);
    load(&c, &source);
    assert_int_equal(c.exchange.env, ENV_DEV);
    assert_int_equal(c.exchange.chain_id, 31337);
    assert_int_equal(c.api.port, 8080);
    assert_int_equal(c.api.request_timeout_ns, 5000000000UL);
    assert_int_equal(c.api.body_max, 16384);
    assert_string_equal(c.api.listen.s, "127.0.0.1");
    assert_int_equal(c.limits.open_orders_per_market, 200);
    assert_int_equal(c.limits.resting_orders_per_market, 100000);
    assert_int_equal(c.limits.expiry_days_max, 30);
    assert_true(c.limits.rates);
    assert_int_equal(c.limits.orders_per_second, 10);
    assert_int_equal(c.limits.cancels_per_second, 20);
    assert_int_equal(c.limits.queries_per_second, 100);
    assert_int_equal(c.log.command_bytes, 16UL << 20);
    assert_int_equal(c.journal.durability, DURABILITY_DISK);
    assert_int_equal(c.snapshot.interval_ns, 30000000000UL);
    assert_int_equal(c.shm.hugepages, HUGEPAGES_AUTO);
    assert_int_equal(c.run.pin_cores.count, 0);
    assert_string_equal(c.dir.s, dir);
}

/* Loading the defaults already fails for a key of the file that the table lacks, and the reverse;
 * this is about what is said of each. */
static void every_option_is_explained(void **state)
{
    (void)state;
    char name[CONFIG_TEXT_MAX], *text;
    size_t size;
    u32 i = 0;
    for (; config_key_name(i, name); i++) {
        FILE *out = open_memstream(&text, &size);
        assert_int_equal(config_describe(name, out), 0);
        fclose(out);
        if (!strstr(text, "\n    ")) fail_msg("%s has no comment in conf/eidos.ini", name);
        assert_contains(text, "\ndefault: ");
        assert_contains(text, "EIDOS_");
        free(text);
    }
    assert_true(i > 30);
    assert_int_equal(config_describe("api.prot", stdout), -1);
    assert_contains(err_text(), "did you mean api.port?");
}

static void comment_belongs_to_its_key(void **state)
{
    (void)state;
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(config_describe("limits.cancels_per_second", out), 0);
    fclose(out);
    assert_string_equal(
        text,
        "limits.cancels_per_second\n"
        "    Requests a wallet may make in a second, whichever worker they reach.\n"
        "allowed: a whole number, from 1 to 1000000\n"
        "default: 20\n"
        "set by:  --set limits.cancels_per_second=20, EIDOS_LIMITS_CANCELS_PER_SECOND=20, or in "
        "eidos.ini: [limits] cancels_per_second = 20\n");
    free(text);
}

static void later_sources_win(void **state)
{
    (void)state;
    struct config c;
    char *env[] = {"PATH=/bin",           "EIDOS_DIR=/x",           "EIDOS_OTHER_THING=1",
                   "EIDOS_API_WORKERS=3", "EIDOS_VERIFY_WORKERS=3", NULL};
    struct config_source source = source_of(
        "# mine\n[api]\nport=9000\nworkers = 2\n[verify]\nworkers = 2\n[matching]\nworkers = 2\n");
    source.env = env;
    source.set[source.sets++] = "verify.workers=4";
    source.set[source.sets++] = "ops.port=0";
    load(&c, &source);
    assert_int_equal(c.snapshot.keep, 10);
    assert_int_equal(c.api.port, 9000);
    assert_int_equal(c.matching.workers, 2);
    assert_int_equal(c.api.workers, 3);
    assert_int_equal(c.verify.workers, 4);
    assert_int_equal(c.ops.port, 0);
}

static void config_option_replaces_the_file_of_the_directory(void **state)
{
    (void)state;
    struct config c;
    struct config_source source = source_of("[api]\nport = 9000\n");
    source.file = "/dev/null";
    load(&c, &source);
    assert_int_equal(c.api.port, 8080);
    source.file = "/nowhere/eidos.ini";
    assert_int_equal(config_load(&c, &source), -1);
    assert_string_equal(err_text(), "configuration: /nowhere/eidos.ini: No such file or directory");
}

static void units_are_read(void **state)
{
    (void)state;
    struct config c;
    struct config_source source = source_of("[journal]\nsegment_bytes = 1G\nbatch_bytes_max=65536\n"
                                            "[snapshot]\ninterval = 250ms ; quick\n"
                                            "[api]\nrequest_timeout = 1m\nlisten = ::1\n"
                                            "[limits]\nrates = off\n"
                                            "[run]\npin_cores = 7,2-4\n"
                                            "[exchange]\nenv = prod\nverifying_contract = "
                                            "0x00000000000000000000000000000000000000fF\n");
    load(&c, &source);
    assert_int_equal(c.journal.segment_bytes, 1UL << 30);
    assert_int_equal(c.journal.batch_bytes_max, 65536);
    assert_int_equal(c.snapshot.interval_ns, 250000000);
    assert_int_equal(c.api.request_timeout_ns, 60000000000UL);
    assert_string_equal(c.api.listen.s, "::1");
    assert_false(c.limits.rates);
    assert_int_equal(c.exchange.env, ENV_PROD);
    assert_int_equal(c.exchange.verifying_contract.bytes[19], 0xff);
    assert_int_equal(c.run.pin_cores.count, 4);
    assert_int_equal(c.run.pin_cores.core[0], 7);
    assert_int_equal(c.run.pin_cores.core[3], 4);
}

/* What a file may not say, and what the error must say. */
static const struct {
    const char *text, *error;
} REFUSED[] = {
    {"[api]\n\nprot = 1\n",
     "eidos.ini:3: api.prot: there is no such option; did you mean api.port?"},
    {"[apo]\n", "eidos.ini:1: [apo]: there is no such section; there are: exchange api verify"},
    {"port = 1\n", "eidos.ini:1: port stands before the first [section]"},
    {"[api]\nport = 65536\n",
     "eidos.ini:2: api.port: '65536' is not allowed; expected a whole number, from 0 to 65535"},
    {"[api]\nport = -1\n", "from 0 to 65535"},
    {"[api]\nport = 80x\n", "from 0 to 65535"},
    {"[api]\nport =\n", "from 0 to 65535"},
    {"[api]\nport = 99999999999999999999999\n", "from 0 to 65535"},
    {"[api]\nport = 1\nport = 2\n", "eidos.ini:3: api.port is set twice; first in line 2"},
    {"[api]\nlisten = localhost\n", "expected an IPv4 or IPv6 address"},
    {"[api]\nbody_max = 3K\n", "from 4K to 1M"},
    {"[api]\nbody_max = 16k\n", "a size such as"},
    {"[api]\nrequest_timeout = 5\n", "expected a time such as 250us, 10ms, 5s, 1m or 24h"},
    {"[api]\nrequest_timeout = 5d\n", "from 10ms to 1m"},
    {"[api]\nrequest_timeout = 99999999999999h\n", "from 10ms to 1m"},
    {"[log]\ncommand_bytes = 65M\n", "a power of two"},
    {"[limits]\nrates = true\n", "'true' is not allowed; expected on or off"},
    {"[journal]\ndurability = dis\n", "expected one of memory|disk|kafka"},
    {"[journal]\nsegment_bytes = 1M\nbatch_bytes_max = 2M\n", "larger than journal.segment_bytes"},
    {"[exchange]\nverifying_contract = 0x00\n", "0x and 40 hex digits"},
    {"[shm]\nshm_dir = tmp\n", "an absolute path"},
    {"[run]\npin_cores = 3-1\n", "core numbers"},
    {"[run]\npin_cores = 1,\n", "core numbers"},
    {"[run]\npin_cores = 0-1023\n", "at most 256"},
    {"[run]\npin_cores = 1024\n", "core numbers below 1024"},
    {"[api]\nport 8080\n", "eidos.ini:2: neither [section] nor key = value nor # comment"},
    {"[api\n", "eidos.ini:1: neither [section]"},
    {"[]\n", "eidos.ini:1: a section name has 1 to 49 characters"},
    {"[api]\nport = 1\n workers = 2\n", "eidos.ini:3: the line is indented"},
    {"[api]\nport = 8090\n", "api.port and ops.port are both 8090"},
};

static void bad_files_are_refused_by_line(void **state)
{
    (void)state;
    struct config c;
    for (size_t i = 0; i < COUNT_OF(REFUSED); i++) {
        struct config_source source = source_of(REFUSED[i].text);
        if (config_load(&c, &source) == 0) fail_msg("accepted: %s", REFUSED[i].text);
        assert_contains(err_text(), REFUSED[i].error);
    }
}

static void long_lines_and_binaries_are_refused(void **state)
{
    (void)state;
    struct config c;
    char text[400];
    memset(text, '#', sizeof text);
    text[sizeof text - 1] = '\0';
    struct config_source source = source_of(text);
    assert_int_equal(config_load(&c, &source), -1);
    assert_contains(err_text(), "eidos.ini:1: the line is too long");

    FILE *f = fopen(file, "w");
    assert_non_null(f);
    assert_int_equal(fwrite("[api]\nport\0= 1\n", 1, 15, f), 15);
    fclose(f);
    assert_int_equal(config_load(&c, &source), -1);
    assert_contains(err_text(), "eidos.ini:2: the line holds a NUL byte");
}

static void bad_environment_and_options_are_refused(void **state)
{
    (void)state;
    struct config c;
    char *unknown[] = {"EIDOS_API_PROT=1", NULL}, *bad[] = {"EIDOS_API_PORT=x", NULL};
    struct config_source source = source_of(NULL);
    source.env = unknown;
    assert_int_equal(config_load(&c, &source), -1);
    assert_contains(err_text(),
                    "environment: EIDOS_API_PROT: there is no such option; did you mean "
                    "EIDOS_API_PORT?");
    source.env = bad;
    assert_int_equal(config_load(&c, &source), -1);
    assert_contains(err_text(), "environment: EIDOS_API_PORT: api.port: 'x' is not allowed");

    static const char *const SETS[][2] = {
        {"api.port", "--set api.port: expected section.key=value"},
        {"api.prt=1", "--set: api.prt: there is no such option; did you mean api.port?"},
        {"api.port=x", "--set: api.port: 'x' is not allowed"},
    };
    source.env = NULL;
    source.sets = 1;
    for (size_t i = 0; i < COUNT_OF(SETS); i++) {
        source.set[0] = SETS[i][0];
        assert_int_equal(config_load(&c, &source), -1);
        assert_contains(err_text(), SETS[i][1]);
    }
}

static void what_is_printed_loads_the_same(void **state)
{
    (void)state;
    struct config c, again;
    struct config_source source = source_of("[run]\npin_cores = 9,1-3,5\n[api]\nlisten = ::\n");
    source.set[source.sets++] = "exchange.chain_id=9223372036854775807";
    source.set[source.sets++] = "snapshot.interval=1500ms";
    load(&c, &source);
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    config_print(&c, out);
    fclose(out);
    assert_contains(text, "pin_cores = 9,1-3,5  ; file\n");
    assert_contains(text, "interval = 1500ms  ; command line\n");
    assert_contains(text, "port = 8080\n");
    source = source_of(text);
    free(text);
    load(&again, &source);
    memcpy(again.origin, c.origin, sizeof c.origin);
    assert_memory_equal(&c, &again, sizeof c);
}

static void options_are_taken_out_of_argv(void **state)
{
    (void)state;
    struct config_source source;
    char *argv[] = {"eidosctl", "--dir",       "/srv/e",         "up",        "--set", "a.b=1",
                    "--dev",    "--set=c.d=2", "--config=f.ini", "--markets", "m.ini", "--",
                    "--dir",    NULL};
    int argc = (int)COUNT_OF(argv) - 1;
    assert_int_equal(config_args(&argc, argv, &source), 0);
    assert_int_equal(argc, 5);
    assert_string_equal(argv[1], "up");
    assert_string_equal(argv[2], "--dev");
    assert_string_equal(argv[3], "--");
    assert_string_equal(argv[4], "--dir");
    assert_null(argv[5]);
    assert_string_equal(source.dir.s, "/srv/e");
    assert_string_equal(source.file, "f.ini");
    assert_int_equal(source.sets, 2);
    assert_string_equal(source.set[0], "a.b=1");
    assert_string_equal(source.set[1], "c.d=2");

    const char *passed[16];
    u32 n = config_pass(&source, passed, COUNT_OF(passed));
    assert_int_equal(n, 10);
    char *child[COUNT_OF(passed) + 2] = {"eidos-api"};
    memcpy(child + 1, passed, n * sizeof passed[0]);
    struct config_source same;
    argc = (int)n + 1;
    assert_int_equal(config_args(&argc, child, &same), 0);
    assert_int_equal(argc, 1);
    assert_memory_equal(&same, &source, sizeof same);
}

static void directory_has_its_order(void **state)
{
    (void)state;
    struct config_source source;
    char here[CONFIG_TEXT_MAX], expected[CONFIG_TEXT_MAX + 8],
        *argv[] = {"x", "--dir", "rel", NULL};
    int argc = 3;
    assert_non_null(getcwd(here, sizeof here));
    setenv("EIDOS_DIR", "/from/env", 1);
    assert_int_equal(config_args(&argc, argv, &source), 0);
    snprintf(expected, sizeof expected, "%s/rel", here);
    assert_string_equal(source.dir.s, expected);
    assert_int_equal(config_args(&argc, argv, &source), 0);
    assert_string_equal(source.dir.s, "/from/env");
    unsetenv("EIDOS_DIR");
    assert_int_equal(config_args(&argc, argv, &source), 0);
    assert_int_equal(source.dir.s[0], '/');
}

static void incomplete_options_are_refused(void **state)
{
    (void)state;
    struct config_source source;
    char *dangling[] = {"x", "--set", NULL}, *empty[] = {"x", "--dir=", NULL};
    int argc = 2;
    assert_int_equal(config_args(&argc, dangling, &source), -1);
    assert_string_equal(err_text(), "--set needs a value");
    argc = 2;
    assert_int_equal(config_args(&argc, empty, &source), -1);
    char *many[2 * CONFIG_SETS_MAX + 4] = {"x"}, set[] = "--set", value[] = "a.b=1";
    for (argc = 1; argc < 2 * CONFIG_SETS_MAX + 3; argc += 2) {
        many[argc] = set;
        many[argc + 1] = value;
    }
    assert_int_equal(config_args(&argc, many, &source), -1);
    assert_contains(err_text(), "write a file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_protocols),
        cmocka_unit_test(every_option_is_explained),
        cmocka_unit_test(comment_belongs_to_its_key),
        cmocka_unit_test(later_sources_win),
        cmocka_unit_test(config_option_replaces_the_file_of_the_directory),
        cmocka_unit_test(units_are_read),
        cmocka_unit_test(bad_files_are_refused_by_line),
        cmocka_unit_test(long_lines_and_binaries_are_refused),
        cmocka_unit_test(bad_environment_and_options_are_refused),
        cmocka_unit_test(what_is_printed_loads_the_same),
        cmocka_unit_test(options_are_taken_out_of_argv),
        cmocka_unit_test(directory_has_its_order),
        cmocka_unit_test(incomplete_options_are_refused),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
