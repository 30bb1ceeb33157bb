/* The run loop, with processes of its own: start, readiness, ops HTTP, waking, stopping, crashing,
 * failing, losing the supervisor. The test is the supervisor; each process is a child. */
#include "procs/lib/run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "procs/lib/metrics_text.h"
#include "procs/lib/ops_http.h"
#include "shm/err.h"
#include "tests/lib/small_topo.h"

static char dir[64], said_path[80], said[16384];
static struct segment ops;

/* --- The processes under test ------------------------------------------------------------------
 */

struct echo_state {
    struct ring_rx rx;
    u64 received;
};

static int echo_init(struct run *run)
{
    struct echo_state *e = run->state;
    segment_ring_rx(&run->segment, ROLE_OPS, 0, &e->rx);
    return 0;
}

/* What a message asks for: 1 = crash, 2 = fail, 3 = open a socket, other = count it. */
static u32 echo_turn(struct run *run)
{
    struct echo_state *e = run->state;
    const u32 *m = ring_peek(&e->rx);
    if (!m) return 0;
    u32 wish = m[1];
    ring_pop(&e->rx, m[0]);
    ring_release(&e->rx);
    if (wish == 1) *(volatile u8 *)segment_object(&run->segment, "durable") = 1;
    if (wish == 2) {
        err_set("the disk is gone");
        run_fail(run);
    }
    if (wish == 3) exit(socket(AF_INET, SOCK_STREAM, 0));
    metric_set(run->proc, METRIC_TRADING_COMMANDS, ++e->received);
    return 1;
}

static void echo_stop(struct run *run)
{
    struct echo_state *e = run->state;
    text_log(TEXT_INFO, "received %lu", e->received);
}

static const struct proc_descriptor echo = {.name = "trading",
                                            .role = ROLE_TRADING,
                                            .state_bytes = sizeof(struct echo_state),
                                            .init = echo_init,
                                            .turn = echo_turn,
                                            .stop = echo_stop};

static int event = -1;

static int poller_init(struct run *run)
{
    (void)run;
    event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return event < 0 ? err_sys("eventfd") : 0;
}

static u32 poller_turn(struct run *run)
{
    (void)run;
    return 0;
}

static int poller_fd(struct run *run)
{
    (void)run;
    return event;
}

static const struct proc_descriptor poller = {.name = "api",
                                              .role = ROLE_API,
                                              .calls = SANDBOX_SOCKETS,
                                              .ops_socket = true,
                                              .init = poller_init,
                                              .turn = poller_turn,
                                              .epoll_fd = poller_fd};

static int failing_init(struct run *run)
{
    run_progress(run, "reading record %d", 17);
    err_set("at byte 4096: bad checksum");
    return err_wrap("opening the journal");
}

static const struct proc_descriptor failing = {
    .name = "journal", .role = ROLE_JOURNAL, .init = failing_init, .turn = poller_turn};

static int slow_init(struct run *run)
{
    run_progress(run, "replaying");
    return 0;
}

static u32 slow_turn(struct run *run)
{
    u64 turns = atomic_load(&run->proc->turns);
    if (turns == 20) run_ready(run);
    run->sleep_ns = 5000000;
    return 0;
}

static const struct proc_descriptor slow = {
    .name = "snapshot", .role = ROLE_SNAPSHOT, .init = slow_init, .turn = slow_turn};

/* --- Supervising them --------------------------------------------------------------------------
 */

static int set_up(void **state)
{
    struct segment_place place = {
        .dir = dir, .shm_dir = "/dev/shm", .huge = SEGMENT_HUGE_OFF, .build = "test"};
    struct topo_params params = {SMALL_TOPO, .api = 1, .verify = 1, .matching = 1};
    char warning[512];
    (void)state;
    if (segment_create(&place, &params, warning, sizeof warning)) return -1;
    if (segment_attach(&ops, dir, ROLE_OPS, 0)) return -1;
    int fd = open(said_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    char command[128];
    (void)state;
    segment_detach(&ops);
    segment_delete(dir);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command); // NOLINT(cert-env33-c)
}

static pid_t start_with(const struct proc_descriptor *d, char *option, char *value)
{
    pid_t child = fork();
    if (child) return child;
    char name[] = "x", dir_option[] = "--dir", set[] = "--set", port[] = "ops.port=0";
    char *argv[] = {name, dir_option, dir, set, port, option, value, NULL};
    int argc = option ? value ? 7 : 6 : 5;
    int fd = open(said_path, O_WRONLY | O_APPEND);
    dup2(fd, STDERR_FILENO);
    signal(SIGSEGV, SIG_DFL);
    exit(run_main(d, argc, argv));
}

static pid_t start(const struct proc_descriptor *d)
{
    return start_with(d, NULL, NULL);
}

/* Exit code, or minus the signal; `said` is what all children said so far. */
static int end_of(pid_t child)
{
    int status;
    waitpid(child, &status, 0);
    int fd = open(said_path, O_RDONLY);
    ssize_t n = read(fd, said, sizeof said - 1);
    close(fd);
    said[n > 0 ? n : 0] = 0;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void expect_said(const char *text)
{
    if (!strstr(said, text)) fail_msg("`%s` was not said in:\n%s", text, said);
}

static bool within_5s(bool (*holds)(const void *), const void *context)
{
    for (u32 i = 0; i < 5000; i++) {
        if (holds(context)) return true;
        usleep(1000);
    }
    return false;
}

static bool is_ready(const void *block)
{
    return atomic_load(&((const struct proc_block *)block)->state) == PROC_READY;
}

static struct proc_block *await(u32 role)
{
    struct proc_block *p = segment_proc(&ops, role, 0);
    assert_true(within_5s(is_ready, p));
    return p;
}

static int stop(pid_t child)
{
    kill(child, SIGTERM);
    return end_of(child);
}

static void send_wish(u32 wish)
{
    struct ring_tx tx;
    segment_ring_tx(&ops, ROLE_TRADING, 0, NULL, &tx);
    u32 *m = ring_alloc(&tx, 16);
    assert_non_null(m);
    m[0] = 16, m[1] = wish;
    ring_push(&tx, 16);
    ring_publish(&tx);
}

static bool got_three(const void *block)
{
    return metric_get(block, METRIC_TRADING_COMMANDS) == 3;
}

/* --- Cases -------------------------------------------------------------------------------------
 */

static void starts_wakes_and_stops(void **state)
{
    (void)state;
    pid_t child = start(&echo);
    struct proc_block *p = await(ROLE_TRADING);
    assert_int_equal(p->pid, child);
    assert_int_equal(p->epoch, 1);
    usleep(120000); /* asleep by now; it still beats */
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    assert_true(proc_is_beating(p, (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec));
    for (u32 i = 0; i < 3; i++) send_wish(9);
    assert_true(within_5s(got_three, p));
    assert_true(atomic_load(&p->busy_turns) >= 3);
    assert_true(atomic_load(&p->slept_ns) > 100000000);
    assert_true(atomic_load(&p->worked_ns) > 0);
    assert_true(atomic_load(&p->waited_ns) >= atomic_load(&p->slept_ns) - 60000000);
    assert_int_equal(atomic_load(&p->blocked_ns), 0);
    assert_int_equal(stop(child), 0);
    assert_int_equal(atomic_load(&p->state), PROC_STOPPED);
    expect_said("trading: ready\n");
    expect_said("trading: received 3\n");
}

static void its_place_is_taken(void **state)
{
    (void)state;
    pid_t child = start(&echo);
    await(ROLE_TRADING);
    pid_t second = start(&echo);
    assert_int_equal(end_of(second), 1);
    expect_said("eidos-trading: trading: process ");
    expect_said("runs already in this place");
    assert_int_equal(atomic_load(&segment_proc(&ops, ROLE_TRADING, 0)->state), PROC_READY);
    assert_int_equal(stop(child), 0);
    child = start(&echo);
    assert_int_equal(await(ROLE_TRADING)->epoch, 2);
    assert_int_equal(stop(child), 0);
}

static void wrong_usage_is_2(void **state)
{
    char bad[] = "--nonsense", instance[] = "--instance", far[] = "seven";
    (void)state;
    assert_int_equal(end_of(start_with(&echo, bad, NULL)), 2);
    expect_said("eidos-trading: --nonsense: not an option");
    assert_int_equal(end_of(start_with(&echo, instance, far)), 2);
    expect_said("--instance seven: not a number");
}

static void no_such_instance_is_1(void **state)
{
    char instance[] = "--instance", one[] = "1";
    (void)state;
    assert_int_equal(end_of(start_with(&poller, instance, one)), 1);
    expect_said("has no process api@1");
}

static void a_failed_start_says_why(void **state)
{
    (void)state;
    assert_int_equal(end_of(start(&failing)), 1);
    expect_said("eidos-journal: opening the journal: at byte 4096: bad checksum\n");
    struct proc_block *p = segment_proc(&ops, ROLE_JOURNAL, 0);
    assert_int_equal(atomic_load(&p->state), PROC_FAILED);
    assert_string_equal(p->note, "opening the journal: at byte 4096: bad checksum");
}

static void fails_from_a_turn(void **state)
{
    (void)state;
    pid_t child = start(&echo);
    await(ROLE_TRADING);
    send_wish(2);
    assert_int_equal(end_of(child), 1);
    expect_said("eidos-trading: the disk is gone\n");
    assert_int_equal(atomic_load(&segment_proc(&ops, ROLE_TRADING, 0)->state), PROC_FAILED);
}

static void a_crash_is_reported(void **state)
{
    (void)state;
    pid_t child = start(&echo);
    struct proc_block *p = await(ROLE_TRADING);
    send_wish(1);
    assert_int_equal(end_of(child), -SIGSEGV);
    expect_said("eidos-trading: ended by SIGSEGV at address 0x");
    expect_said(", in region durable, which it may only read\n");
    expect_said("test_run("); /* the way it came */
    assert_int_equal(atomic_load(&p->state), PROC_FAILED);
    assert_non_null(strstr(p->note, "in region durable"));
}

static void keeps_to_its_system_calls(void **state)
{
    (void)state;
    pid_t child = start(&echo);
    struct proc_block *p = await(ROLE_TRADING);
    if (!(atomic_load(&p->guards) & GUARD_SECCOMP)) {
        stop(child);
        skip();
    }
    send_wish(3);
    assert_int_equal(end_of(child), -SIGSYS);
    expect_said("forbidden system call: socket (seccomp)");
}

static void recovers_before_it_is_ready(void **state)
{
    (void)state;
    pid_t child = start(&slow);
    struct proc_block *p = await(ROLE_SNAPSHOT);
    assert_true(atomic_load(&p->turns) >= 20);
    assert_int_equal(stop(child), 0);
}

/* The supervisor (a child of the test here) dies; its process stops by itself. */
static void stops_with_its_supervisor(void **state)
{
    (void)state;
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    pid_t supervisor = fork();
    if (supervisor == 0) {
        setenv("EIDOS_SUPERVISED", "1", 1);
        /* As in the boot record the parent is the test, the process refuses this one. */
        _exit(end_of(start(&echo)) == 1 ? 0 : 1);
    }
    assert_int_equal(end_of(supervisor), 0);
    expect_said("the supervisor (process ");

    segment_detach(&ops);
    assert_int_equal(segment_delete(dir), 0);
    int born[2];
    pid_t child = 0;
    assert_int_equal(pipe(born), 0);
    supervisor = fork();
    if (supervisor == 0) {
        setenv("EIDOS_SUPERVISED", "1", 1);
        /* A lock of the test's would stand in the way: it belongs to the test. */
        char lock[96];
        snprintf(lock, sizeof lock, "%s/run/lock", dir);
        unlink(lock);
        if (set_up(state)) _exit(1);
        child = start(&echo);
        ssize_t n = write(born[1], &child, sizeof child);
        await(ROLE_TRADING);
        _exit(n == sizeof child ? 0 : 1);
    }
    assert_int_equal(read(born[0], &child, sizeof child), sizeof child);
    assert_int_equal(end_of(supervisor), 0);
    assert_int_equal(end_of(child), 0); /* stopped as asked, by the kernel */
    expect_said("received 0");
    close(born[0]);
    close(born[1]);
    assert_int_equal(segment_attach(&ops, dir, ROLE_OPS, 0), 0);
}

/* --- Ops HTTP ----------------------------------------------------------------------------------
 */

/* GET, whole answer into `said`; the status. */
static int get(u32 port, const char *method, const char *path)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((u16)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    char request[256];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    int length = snprintf(request, sizeof request,
                          "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method, path);
    assert_int_equal(write(fd, request, (size_t)length), length);
    size_t n = 0;
    for (ssize_t got; (got = read(fd, said + n, sizeof said - 1 - n)) > 0;) n += (size_t)got;
    said[n] = 0;
    close(fd);
    return atoi(said + sizeof "HTTP/1.1");
}

static void serves_health_and_metrics(void **state)
{
    (void)state;
    pid_t child = start(&poller);
    struct proc_block *p = await(ROLE_API);
    u32 port = segment_ops_port(&ops, (u32)topo_proc(&ops.topo, ROLE_API, 0));
    assert_true(port > 0);
    if (get(port, "GET", "/health/live") != 200) {
        stop(child);
        fail_msg("%s", said);
    }
    expect_said("\"status\":\"ok\"");
    assert_int_equal(get(port, "GET", "/health/ready"), 200);
    expect_said("\"state\":\"ready\"");
    assert_int_equal(get(port, "GET", "/metrics"), 200);
    expect_said("eidos_up{process=\"api@0\"} 1\n");
    expect_said("# TYPE eidos_api_requests_total counter\n");
    expect_said("eidos_ring_backlog_bytes{process=\"api@0\",ring=\"ring.trading.api@0\"} 0\n");
    assert_null(strstr(said, "eidos_trading_"));
    assert_int_equal(get(port, "GET", "/"), 404);
    assert_int_equal(get(port, "POST", "/metrics"), 405);
    if (atomic_load(&p->guards) & GUARD_SECCOMP)
        assert_int_equal(atomic_load(&p->guards) & GUARD_SECCOMP, GUARD_SECCOMP);
    assert_int_equal(stop(child), 0);
}

/* What the supervisor serves for others, without HTTP: states and the failing check. */
static void health_follows_the_block(void **state)
{
    (void)state;
    char body[1024];
    static struct segment trading;
    assert_int_equal(segment_attach(&trading, dir, ROLE_TRADING, 0), 0);
    struct proc_block *p = segment_proc(&trading, ROLE_TRADING, 0);
    u32 i = (u32)topo_proc(&ops.topo, ROLE_TRADING, 0);
    assert_int_equal(ops_health(&ops, i, false, 1000, body, sizeof body), 503); /* never beat */
    atomic_store(&p->beat_ns, 1000);
    proc_step(p, PROC_RECOVERING, "reading \"x\"");
    assert_int_equal(ops_health(&ops, i, false, 2000, body, sizeof body), 200);
    assert_int_equal(ops_health(&ops, i, true, 2000, body, sizeof body), 503);
    assert_string_equal(body, "{\"status\":\"failed\",\"process\":\"trading\",\"checks\":{"
                              "\"heartbeat\":\"ok\",\"state\":\"recovering\","
                              "\"note\":\"reading \\u0022x\\u0022\"}}");
    proc_step(p, PROC_READY, "");
    assert_int_equal(ops_health(&ops, i, true, 2000, body, sizeof body), 200);
    assert_string_equal(body, "{\"status\":\"ok\",\"process\":\"trading\",\"checks\":{"
                              "\"heartbeat\":\"ok\",\"state\":\"ready\"}}");
    assert_int_equal(ops_health(&ops, i, true, 1000 + 5 * HEARTBEAT_NS, body, sizeof body), 503);
    assert_non_null(strstr(body, "\"heartbeat\":\"missed\""));
    proc_step(p, PROC_FAILED, "/data/\xff/Z\u00fcrich");
    assert_int_equal(ops_health(&ops, i, false, 2000, body, sizeof body), 503);
    assert_non_null(strstr(body, "\"note\":\"/data/\\ufffd/Z\u00fcrich\"")); /* valid UTF-8 */
    segment_detach(&trading);
}

static void metrics_of_every_process_are_sound(void **state)
{
    (void)state;
    static char text[65536];
    for (u32 i = 0; i < ops.topo.proc_count; i++) {
        int n = metrics_text(&ops, (int)i, 1, text, sizeof text);
        assert_true(n > 0 && n == (int)strlen(text));
        u32 own = 0;
        for (u32 m = 0; m < METRIC_ROWS; m++)
            own += metric_table[m].owner == ops.topo.procs[i].role;
        u32 types = 0;
        for (const char *p = text; (p = strstr(p, "# TYPE ")); p++) types++;
        assert_int_equal(types, COMMON_ROWS + own);
    }
    assert_int_equal(metrics_text(&ops, 0, 1, text, 100), -1);
    for (u32 m = 0; m < METRIC_ROWS; m++) {
        const struct metric_row *row = &metric_table[m];
        const char *end = strstr(row->name, "_total");
        bool counter = row->type == METRIC_COUNTER || row->type == METRIC_COUNTER_NS;
        assert_memory_equal(row->name, "eidos_", 6);
        assert_true(counter == (end && end[6] == 0));
        if (row->type == METRIC_COUNTER_NS || row->type == METRIC_GAUGE_NS ||
            row->type == METRIC_HISTOGRAM)
            assert_non_null(strstr(row->name, "_seconds"));
        for (u32 k = 0; k < m; k++) assert_string_not_equal(row->name, metric_table[k].name);
    }
}

static void an_address_in_use_is_an_error(void **state)
{
    (void)state;
    struct ops_http *first = ops_http_start(&ops, 0, "127.0.0.1", 0);
    assert_non_null(first);
    assert_int_equal(get(ops_http_port(first), "GET", "/health/live"), 503);
    assert_null(ops_http_start(&ops, 0, "127.0.0.1", ops_http_port(first)));
    assert_non_null(strstr(err_text(), "ops: listening at 127.0.0.1 port"));
    ops_http_stop(first);
    assert_null(ops_http_start(&ops, 0, "localhost", 0));
    assert_non_null(strstr(err_text(), "not an address"));
    struct ops_http *v6 = ops_http_start(&ops, 0, "::1", 0);
    if (v6) assert_true(ops_http_port(v6) > 0);
    ops_http_stop(v6);
}

int main(void)
{
    setenv("EIDOS_LOGGING_FORMAT", "text", 1);
    snprintf(dir, sizeof dir, "/tmp/eidos-test-run-%d", getpid());
    snprintf(said_path, sizeof said_path, "%s/said", dir);
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(starts_wakes_and_stops),
        CASE(its_place_is_taken),
        CASE(wrong_usage_is_2),
        CASE(no_such_instance_is_1),
        CASE(a_failed_start_says_why),
        CASE(fails_from_a_turn),
        CASE(a_crash_is_reported),
        CASE(keeps_to_its_system_calls),
        CASE(recovers_before_it_is_ready),
        CASE(stops_with_its_supervisor),
        CASE(serves_health_and_metrics),
        CASE(health_follows_the_block),
        CASE(metrics_of_every_process_are_sound),
        CASE(an_address_in_use_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
