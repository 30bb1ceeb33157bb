/* The whole segment: made, attached by every role, wired, guarded, replaced, refused. */
#include "shm/orders.h"
#include "shm/segment.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shm/err.h"

static const struct topo_params params = {
    .api = 2,
    .verify = 2,
    .matching = 2,
    .accounts_max = 1000,
    .balances_max = 1000,
    .nonce_windows_max = 1000,
    .transfers_max = 256,
    .orders_max = 1000,
    .resting_max = 1000,
    .command_bytes = 1 << 20,
    .match_bytes = 1 << 20,
    .account_bytes = 1 << 20,
    .ring_bytes = 1 << 16,
    .recent_trades = 10,
    .markets_max = 16,
    .candles = MARKET_CANDLES_FEWEST,
    .history_rows = 1024,
};

static char dir[64], warning[1024];
static struct segment s, other;

static int create_as(enum segment_huge huge, const char *huge_dir)
{
    struct segment_place place = {
        .dir = dir, .shm_dir = "/dev/shm", .huge_dir = huge_dir, .huge = huge, .build = "test 1"};
    return segment_create(&place, &params, warning, sizeof warning);
}

static struct topo_params with_standbys;

static void create_with_standbys(void)
{
    with_standbys = params;
    with_standbys.standbys = STANDBY_TRADING | STANDBY_MATCHING;
    struct segment_place place = {
        .dir = dir, .shm_dir = "/dev/shm", .huge = SEGMENT_HUGE_OFF, .build = "test 1"};
    if (segment_create(&place, &with_standbys, warning, sizeof warning)) fail_msg("%s", err_text());
}

static void create(void)
{
    if (create_as(SEGMENT_HUGE_OFF, NULL)) fail_msg("%s", err_text());
}

static void attach(struct segment *to, u32 role, u32 instance)
{
    if (segment_attach(to, dir, role, instance)) fail_msg("%s", err_text());
}

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/eidos-test-segment-%d", getpid());
    return 0;
}

static int tear_down(void **state)
{
    char command[128];
    (void)state;
    segment_detach(&s);
    segment_detach(&other);
    segment_delete(dir);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command); // NOLINT(cert-env33-c)
}

/* Run in a child: its exit code, or minus its signal. */
static int in_child(int (*act)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0) _exit(act());
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void is_made_and_removed(void **state)
{
    struct boot boot;
    (void)state;
    create();
    assert_string_equal(warning, "");
    assert_int_equal(segment_boot(dir, &boot), 0);
    assert_true(segment_is_alive(&boot));
    assert_int_equal(boot.supervisor_pid, getpid());
    assert_string_equal(boot.build, "test 1");
    assert_int_equal(access(boot.shm_dir, F_OK), 0);
    assert_int_equal(segment_delete(dir), 0);
    assert_int_equal(access(boot.shm_dir, F_OK), -1);
    assert_int_equal(segment_boot(dir, &boot), -1);
    assert_non_null(strstr(err_text(), "no exchange is running in"));
    assert_int_equal(segment_attach(&s, dir, ROLE_API, 0), -1);
}

static void objects_are_formatted(void **state)
{
    (void)state;
    create();
    attach(&s, ROLE_COUNT, 0);
    for (u32 i = 0; i < s.topo.region_count; i++) {
        u32 kind = s.topo.regions[i].kind;
        bool owners = kind == REGION_LEDGER || kind == REGION_ORDERS || kind == REGION_RULES ||
                      kind == REGION_BOOKS || kind == REGION_MARKET || kind == REGION_HISTORY;
        assert_int_equal(region_epoch(&s.regions[i]), owners ? 0 : 2);
        assert_false(s.regions[i].writable);
    }
    /* Gates hold from the first record on; everybody else holds nobody back. */
    const struct proc_block *trading = segment_proc(&s, ROLE_TRADING, 0);
    const struct proc_block *api = segment_proc(&s, ROLE_API, 1);
    assert_int_equal(trading->log_cursor[LOG_MATCH(1)], 0);
    assert_true(trading->log_cursor[LOG_COMMAND] == UINT64_MAX);
    assert_int_equal(segment_proc(&s, ROLE_JOURNAL, 0)->log_cursor[LOG_ACCOUNT], 0);
    assert_true(api->log_cursor[LOG_MATCH(0)] == UINT64_MAX);
    assert_int_equal(api->role, ROLE_API);
    assert_int_equal(api->instance, 1);
}

/* --- Who may write what ------------------------------------------------------------------------
 */

static sigjmp_buf out;

static void on_fault(int number)
{
    (void)number;
    siglongjmp(out, 1);
}

static bool can_write(u8 *at)
{
    if (sigsetjmp(out, 1)) return false;
    CHECK(at);
    *(volatile u8 *)at = *at;
    return true;
}

/* As each process in turn: every region is writable, read-only or out of sight as the table says.
 */
static void nobody_writes_what_is_not_its_own(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_fault}, before;
    u32 foreign = 0;
    create();
    attach(&other, ROLE_COUNT, 0);
    sigaction(SIGSEGV, &action, &before);
    for (u32 p = 0; p < other.topo.proc_count; p++) {
        attach(&s, other.topo.procs[p].role, other.topo.procs[p].instance);
        for (u32 i = 0; i < s.topo.region_count; i++) {
            enum topo_access right = topo_access(&s.topo, i, (int)p);
            assert_true((s.regions[i].head != NULL) == (right != TOPO_NONE));
            if (right == TOPO_NONE) continue;
            bool first = can_write(s.regions[i].object);
            bool last = can_write((u8 *)s.regions[i].head + s.regions[i].size - 1);
            assert_int_equal(first, right == TOPO_WRITE);
            assert_int_equal(last, right == TOPO_WRITE);
            foreign += !first;
        }
        segment_detach(&s);
    }
    sigaction(SIGSEGV, &before, NULL);
    assert_true(foreign > 100);
}

/* A standby reads what the role owns, works in the copy of its arenas that does not count, and
 * writes to the rest only once it has taken over. */
static void a_standby_writes_later(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_fault}, before;
    create_with_standbys();
    sigaction(SIGSEGV, &action, &before);
    attach(&s, ROLE_TRADING_STANDBY, 0);
    attach(&other, ROLE_TRADING, 0);
    assert_int_equal(s.copy, 1);
    assert_ptr_equal(segment_region(&s, "ledger"), &s.regions[topo_region(&s.topo, "ledger.b")]);
    assert_null(s.regions[topo_region(&s.topo, "ledger")].head);
    for (u32 i = 0; i < s.topo.region_count; i++) {
        enum topo_access right = topo_access(&s.topo, i, s.self);
        if (!s.regions[i].head) continue;
        bool writes = right == TOPO_WRITE || right == TOPO_TWIN;
        assert_int_equal(can_write(s.regions[i].object), writes);
        assert_int_equal(s.regions[i].later, right == TOPO_LATER);
    }
    segment_seal(&s); /* what comes later is left out */
    assert_int_equal(segment_take_over(&s), 0);
    assert_int_equal(s.self, topo_proc(&s.topo, ROLE_TRADING, 0));
    for (u32 i = 0; i < s.topo.region_count; i++) {
        enum topo_access right = topo_access(&s.topo, i, s.self);
        if (!s.regions[i].head || s.topo.regions[i].owner != (u32)s.self) continue;
        assert_int_equal(can_write(s.regions[i].object), right != TOPO_READ);
    }
    sigaction(SIGSEGV, &before, NULL);
}

/* Primary and standby work in two copies, and everybody else looks at the one that counts. */
static void readers_see_the_copy_that_counts(void **state)
{
    (void)state;
    create_with_standbys();
    attach(&s, ROLE_API, 0);
    attach(&other, ROLE_TRADING, 0);
    assert_ptr_equal(segment_region(&s, "orders"), &s.regions[topo_region(&s.topo, "orders")]);
    assert_int_equal(other.copy, 1);
    segment_show_copy(&other);
    assert_ptr_equal(segment_region(&s, "orders"), &s.regions[topo_region(&s.topo, "orders.b")]);
    segment_detach(&other);
    attach(&other, ROLE_TRADING_STANDBY, 0);
    assert_int_equal(other.copy, 0);
    segment_detach(&other);
    segment_detach(&s);
}

static int write_to_the_ledger(void)
{
    signal(SIGSEGV, SIG_DFL);
    attach(&s, ROLE_API, 0);
    *(volatile u8 *)segment_object(&s, "ledger") = 1;
    return 0;
}

static void writing_elsewhere_is_death(void **state)
{
    (void)state;
    create();
    assert_int_equal(in_child(write_to_the_ledger), -SIGSEGV);
}

static int seal(void)
{
    attach(&s, ROLE_VERIFY, 0);
    if (!segment_seal(&s)) return 77;
    segment_detach(&s); /* can not */
    attach(&other, ROLE_COUNT, 0);
    const struct region *r = &s.regions[topo_region(&s.topo, "proc.verify@0")];
    return r->head == NULL ? 0 : 1;
}

static void sealed_segments_can_not_be_undone(void **state)
{
    (void)state;
    create();
    int code = in_child(seal);
    if (code == 77) skip();
    assert_int_equal(code, 0);
}

/* --- One at a time -----------------------------------------------------------------------------
 */

static int create_again(void)
{
    if (create_as(SEGMENT_HUGE_OFF, NULL) == 0) return 1;
    return strstr(err_text(), "another supervisor, process") ? 0 : 2;
}

static void a_living_one_is_not_replaced(void **state)
{
    (void)state;
    create();
    assert_int_equal(in_child(create_again), 0);
}

static int create_and_die(void)
{
    return create_as(SEGMENT_HUGE_OFF, NULL) ? 1 : 0;
}

static void a_dead_one_is_replaced(void **state)
{
    struct boot boot;
    (void)state;
    assert_int_equal(in_child(create_and_die), 0);
    assert_int_equal(segment_boot(dir, &boot), 0);
    assert_false(segment_is_alive(&boot));
    create();
    assert_int_equal(segment_boot(dir, &boot), 0);
    assert_true(segment_is_alive(&boot));
}

/* The supervisor died, a process of its lives on. */
static void an_orphan_keeps_its_place(void **state)
{
    (void)state;
    int ready[2];
    assert_int_equal(in_child(create_and_die), 0);
    assert_int_equal(pipe(ready), 0);
    pid_t orphan = fork();
    if (orphan == 0) {
        attach(&s, ROLE_TRADING, 0);
        proc_take(segment_proc(&s, ROLE_TRADING, 0));
        ssize_t n = write(ready[1], "x", 1);
        pause();
        _exit(n != 1);
    }
    char x;
    assert_int_equal(read(ready[0], &x, 1), 1);
    assert_int_equal(create_as(SEGMENT_HUGE_OFF, NULL), -1);
    assert_non_null(strstr(err_text(), "its trading, process"));
    assert_int_equal(segment_delete(dir), -1);

    /* Nor can another take the place while it lives; after its death, it can. */
    attach(&s, ROLE_TRADING, 0);
    struct proc_block *block = segment_proc(&s, ROLE_TRADING, 0);
    assert_int_equal(proc_take(block), -1);
    assert_non_null(strstr(err_text(), "runs already in this place"));
    kill(orphan, SIGKILL);
    waitpid(orphan, NULL, 0);
    assert_int_equal(proc_take(block), 0);
    assert_int_equal(block->epoch, 2);
    assert_int_equal(block->pid, getpid());
    close(ready[0]);
    close(ready[1]);
}

static void patch_boot(size_t offset, const void *bytes, size_t length)
{
    char path[128];
    snprintf(path, sizeof path, "%s/run/boot", dir);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, bytes, length, (off_t)offset), length);
    close(fd);
}

static void another_build_is_refused(void **state)
{
    (void)state;
    u64 hash = 1;
    u32 version = 9;
    create();
    patch_boot(offsetof(struct boot, topo_hash), &hash, sizeof hash);
    assert_int_equal(segment_attach(&s, dir, ROLE_API, 0), -1);
    assert_non_null(strstr(err_text(), "was started by build test 1, whose regions differ"));
    patch_boot(offsetof(struct boot, version), &version, sizeof version);
    assert_int_equal(segment_attach(&s, dir, ROLE_API, 0), -1);
    assert_non_null(strstr(err_text(), "has version 9"));
    patch_boot(0, &hash, sizeof hash);
    assert_int_equal(segment_attach(&s, dir, ROLE_API, 0), -1);
    assert_non_null(strstr(err_text(), "is not a boot record"));
    segment_delete(dir);
    create();
    assert_int_equal(segment_attach(&s, dir, ROLE_API, 7), -1);
    assert_non_null(strstr(err_text(), "has no process api@7"));
}

/* --- Wiring ------------------------------------------------------------------------------------
 */

/* verify -> trading -> api, each asleep until the one before wakes it; the api by its bell. */
static int verify_sends(void)
{
    struct ring_tx tx;
    attach(&s, ROLE_VERIFY, 1);
    segment_ring_tx(&s, ROLE_TRADING, 0, NULL, &tx);
    for (u32 n = 0; n < 1000; n++) {
        u32 *m;
        while (!(m = ring_alloc(&tx, 64))) sched_yield();
        m[0] = 64, m[1] = n;
        ring_push(&tx, 64);
        ring_publish(&tx);
    }
    return 0;
}

static int trading_passes_on(void)
{
    static int bells[TOPO_PROCS_MAX];
    struct ring_rx rx;
    struct ring_tx tx;
    struct waiter w;
    attach(&s, ROLE_TRADING, 0);
    if (segment_bells_open(&s, bells)) return 1;
    segment_ring_rx(&s, ROLE_VERIFY, 1, &rx);
    segment_ring_tx(&s, ROLE_API, 1, bells, &tx);
    segment_waiter(&s, &w);
    for (u32 n = 0; n < 1000;) {
        waiter_look(&w);
        const u32 *m = ring_peek(&rx);
        if (!m) {
            waiter_sleep(&w, 10000000000UL);
            continue;
        }
        u32 *to = ring_alloc(&tx, 64);
        if (m[1] != n++ || !to) return 1;
        memcpy(to, m, 64);
        ring_push(&tx, 64);
        ring_publish(&tx);
        ring_pop(&rx, 64);
        ring_release(&rx);
    }
    return 0;
}

static bool api_receives(void)
{
    static int bells[TOPO_PROCS_MAX];
    struct ring_rx rx;
    struct waiter w;
    char rung[64];
    attach(&s, ROLE_API, 1);
    if (segment_bells_open(&s, bells)) return false;
    struct pollfd bell = {.fd = bells[s.self], .events = POLLIN};
    segment_ring_rx(&s, ROLE_TRADING, 0, &rx);
    segment_waiter(&s, &w);
    for (u32 n = 0; n < 1000;) {
        waiter_look(&w);
        const u32 *m = ring_peek(&rx);
        if (m) {
            if (m[1] != n++) return false;
            ring_pop(&rx, 64);
            ring_release(&rx);
        } else if (waiter_doze(&w, SIGNAL_IN_EPOLL)) {
            if (poll(&bell, 1, 10000) != 1) return false; /* a lost wake-up */
            waiter_rise(&w);
            while (read(bell.fd, rung, sizeof rung) > 0) {
            }
        }
    }
    return true;
}

static void messages_wake_who_reads_them(void **state)
{
    (void)state;
    create();
    pid_t trading = fork();
    if (trading == 0) _exit(trading_passes_on());
    pid_t verify = fork();
    if (verify == 0) _exit(verify_sends());
    bool right = api_receives();
    int status[2];
    waitpid(trading, &status[0], 0);
    waitpid(verify, &status[1], 0);
    assert_true(right);
    assert_int_equal(status[0], 0);
    assert_int_equal(status[1], 0);
}

static void logs_are_gated_and_shown(void **state)
{
    (void)state;
    static struct segment trading, matching, journal;
    struct log_writer w;
    struct log_reader r, look;
    create();
    attach(&trading, ROLE_TRADING, 0);
    attach(&matching, ROLE_MATCHING, 1);
    attach(&journal, ROLE_JOURNAL, 0);
    segment_log_writer(&trading, "log.command", NULL, &w);
    assert_int_equal(w.gate_count, 3); /* journal and two matching */
    assert_int_equal(w.watch.count, 3);
    segment_log_reader(&matching, "log.command", &r);
    assert_non_null(r.cursor);
    while (log_room(&w, 4096)) log_commit(&w, log_begin(&w, CMD_MODE, 4096), 1, w.seq + 1);
    log_publish(&w);
    for (const struct rec *rec; (rec = log_peek(&r));) log_advance(&r, rec);
    log_release(&r);
    assert_int_equal(segment_proc(&trading, ROLE_MATCHING, 1)->log_seq[LOG_COMMAND], w.seq);
    assert_false(log_room(&w, 4096)); /* the other two stand at the beginning */
    segment_log_reader(&journal, "log.command", &r);
    assert_int_equal(r.seq, 0);
    attach(&s, ROLE_COUNT, 0);
    segment_log_reader(&s, "log.command", &look);
    assert_null(look.cursor);
    assert_int_equal(look.seq, w.seq);

    struct watch watch;
    segment_watch(&journal, "durable", NULL, &watch);
    assert_int_equal(watch.count, 3); /* market and two api */
    segment_detach(&trading);
    segment_detach(&matching);
    segment_detach(&journal);
}

static u64 allocated(const char *region)
{
    char path[600];
    struct stat st;
    attach(&s, ROLE_COUNT, 0);
    snprintf(path, sizeof path, "%s/%s", s.boot.shm_dir, region);
    segment_detach(&s);
    if (stat(path, &st)) fail_msg("%s", path);
    return (u64)st.st_blocks * 512;
}

/* Memory of a standby is taken when it comes; the primary's is there before anybody touches it. */
static void a_standby_takes_its_memory_later(void **state)
{
    (void)state;
    static struct segment process;
    create_with_standbys();
    u64 whole = allocated("orders.b");
    assert_true(whole > with_standbys.orders_max * sizeof(struct order));
    assert_true(allocated("orders") < whole / 2);
    attach(&process, ROLE_API, 0); /* looks at both, and takes nothing */
    segment_detach(&process);
    attach(&process, ROLE_TRADING, 0);
    segment_show_copy(&process);
    segment_detach(&process);
    assert_true(allocated("orders") < whole / 2);
    attach(&process, ROLE_TRADING_STANDBY, 0);
    assert_int_equal(allocated("orders"), whole);
    segment_detach(&process);
}

/* What recovery knows to be on disk is known from the beginning. */
static void what_is_durable_is_told(void **state)
{
    (void)state;
    static struct segment trading;
    const u64 written[] = {
        [LOG_COMMAND] = 900, [LOG_ACCOUNT] = 1700, [LOG_MATCH(0)] = 40, [LOG_MATCH(1)] = 0};
    create();
    attach(&s, ROLE_OPS, 0);
    assert_int_equal(segment_set_durable(&s, written, COUNT_OF(written), 800), 0);
    attach(&trading, ROLE_TRADING, 0);
    const struct durable *d = segment_object(&trading, "durable");
    assert_int_equal(d->seq, 800);
    assert_int_equal(d->synced, 900);
    for (u32 log = 0; log < COUNT_OF(written); log++)
        assert_int_equal(d->written[log], written[log]);
    segment_detach(&trading);
}

static void ports_are_found(void **state)
{
    (void)state;
    create();
    attach(&other, ROLE_OPS, 0);
    attach(&s, ROLE_API, 0);
    u32 trading = (u32)topo_proc(&s.topo, ROLE_TRADING, 0);
    assert_int_equal(segment_ops_port(&s, trading), 0);
    atomic_store(&segment_proc(&other, ROLE_OPS, 0)->served_ports[trading], 8092);
    assert_int_equal(segment_ops_port(&s, trading), 8092);
    atomic_store(&segment_proc(&s, ROLE_API, 0)->ops_port, 9000);
    assert_int_equal(segment_ops_port(&s, (u32)s.self), 9000);
}

/* --- Hugepages ---------------------------------------------------------------------------------
 */

static void without_hugetlbfs_it_says_so(void **state)
{
    (void)state;
    assert_int_equal(create_as(SEGMENT_HUGE_AUTO, "/tmp"), 0);
    assert_non_null(strstr(warning, "/tmp is no hugetlbfs"));
    assert_non_null(strstr(warning, "mount -t hugetlbfs"));
    attach(&s, ROLE_COUNT, 0);
    assert_int_equal(create_as(SEGMENT_HUGE_ON, "/tmp"), -1);
    assert_non_null(strstr(err_text(), "/tmp is no hugetlbfs"));
}

static u64 free_hugepages(void)
{
    u64 pages = 0;
    FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
    if (!f) return 0;
    if (fscanf(f, "%lu", &pages) != 1) pages = 0;
    fclose(f);
    return pages;
}

/* A hugetlbfs of our own, in a mount namespace of our own, of `size`. */
static int with_hugetlbfs(const char *size)
{
    char mount_point[80], options[64];
    snprintf(mount_point, sizeof mount_point, "%s.huge", dir);
    snprintf(options, sizeof options, "pagesize=2M,size=%s", size);
    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) return 77;
    mkdir(mount_point, 0755);
    if (mount("none", mount_point, "hugetlbfs", 0, options)) {
        rmdir(mount_point);
        return 77;
    }
    int result = create_as(SEGMENT_HUGE_AUTO, mount_point);
    if (result == 0 && segment_attach(&s, dir, ROLE_TRADING, 0)) result = -1;
    if (result) print_message("%s\n", err_text());
    u32 huge = 0, arenas = 0;
    for (u32 i = 0; !result && i < s.topo.region_count; i++) {
        if (!s.regions[i].head) continue;
        arenas += s.topo.regions[i].arena;
        huge += s.regions[i].huge;
        /* every page can be touched */
        for (u64 at = 0; at < s.regions[i].size; at += 4096)
            (void)*((volatile u8 *)s.regions[i].head + at);
    }
    print_message("%u of %u arenas on hugepages; %s\n", huge, arenas, warning);
    if (!result && !huge != !strcmp(size, "2M")) result = 3;
    if (!result && !warning[0] != !strcmp(size, "1G")) result = 4;
    if (!result && warning[0] && !strstr(warning, "sysctl -w vm.nr_hugepages=")) result = 5;
    segment_detach(&s);
    if (segment_delete(dir)) result = 6;
    umount(mount_point);
    rmdir(mount_point);
    return result ? result : 0;
}

static int too_few_hugepages(void)
{
    return with_hugetlbfs("2M");
}

static int enough_hugepages(void)
{
    return with_hugetlbfs("1G");
}

static void too_few_hugepages_fall_back(void **state)
{
    (void)state;
    int code = in_child(too_few_hugepages);
    if (code == 77) skip(); /* not root, or no hugetlbfs in this kernel */
    assert_int_equal(code, 0);
}

static void arenas_lie_on_hugepages(void **state)
{
    (void)state;
    if (free_hugepages() < 60) skip(); /* sysctl -w vm.nr_hugepages=64 */
    int code = in_child(enough_hugepages);
    if (code == 77) skip();
    assert_int_equal(code, 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(is_made_and_removed),
        CASE(objects_are_formatted),
        CASE(nobody_writes_what_is_not_its_own),
        CASE(writing_elsewhere_is_death),
        CASE(a_standby_writes_later),
        CASE(readers_see_the_copy_that_counts),
        CASE(sealed_segments_can_not_be_undone),
        CASE(a_living_one_is_not_replaced),
        CASE(a_dead_one_is_replaced),
        CASE(an_orphan_keeps_its_place),
        CASE(another_build_is_refused),
        CASE(messages_wake_who_reads_them),
        CASE(logs_are_gated_and_shown),
        CASE(a_standby_takes_its_memory_later),
        CASE(what_is_durable_is_told),
        CASE(ports_are_found),
        CASE(without_hugetlbfs_it_says_so),
        CASE(too_few_hugepages_fall_back),
        CASE(arenas_lie_on_hugepages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
