/* test_hostile.c: what may our own code do, running as eidos-api, once somebody else wrote it?
 *
 * Each attack runs in a child that has become a gateway just as procs/lib/run.c does: attached as
 * api@1, its user, Landlock and seccomp entered. Where the kernel ends the call itself (SIGSYS), it
 * is tried again without the sandbox, so that the user alone must stop it. At last forged messages
 * go to verify in the place of api@1, which is stopped meanwhile: nothing may become of them.
 *
 * Only root can give roles users of their own, and there is no sandbox under sanitizers; the test
 * of either is left out then, and says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "procs/lib/sandbox.h"
#include "procs/lib/user.h"
#include "shm/metrics.h"
#include "shm/msg.h"
#include "tests/lib/client.h"
#include "tests/lib/exchange.h"

#define USERS    "64100"
#define INSTANCE 1U

enum outcome { DONE = 0, REFUSED = 1, FAULT = 100 /* + signal */ };

static struct exchange x = {.sets = {"api.workers=2", "run.users=" USERS}, .set_count = 2};
static struct segment segment;
static struct client client;
static struct client_wallet victim;
static u64 order_id;
static bool as_root;
static const bool sandboxed = !SANDBOX_LEFT_OUT;

/* ---- The exchange and its victim --------------------------------------------------------------*/

static int start(void **state)
{
    struct order_spec o = {.nonce = 1, .price = 1000 * E8, .amount = E8 / 10};
    char body[CLIENT_BODY];
    u64 seed = 7;
    (void)state;
    as_root = geteuid() == 0;
    if (exchange_start(&x)) return -1;
    client_open(&client, 1, x.port);
    wallet_make(&victim, &seed);
    exchange_credit(&x, victim.text, "USDC", "1000");
    order_body(&victim, &o, body);
    json_t *order = client_ask(&client, "POST", "/api/v1/orders", NULL, body, NULL);
    order_id = client_id(order, "order_id");
    json_decref(order);
    return order_id ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    client_close(&client);
    return exchange_end(&x);
}

/* ---- Becoming a gateway -----------------------------------------------------------------------*/

/* In a child: attached as api@1, without taking its place. */
static void become_api(bool sandbox)
{
    u32 guards;
    struct user user;
    CHECK(segment_attach(&segment, x.dir, ROLE_API, INSTANCE) == 0);
    segment_seal(&segment);
    if (as_root) {
        CHECK(user_find(USERS, ROLE_API, false, &user) == 0);
        CHECK(user_drop(&segment, &user, NULL) == 0);
    }
    if (!sandbox) return;
    CHECK(sandbox_enter(segment.boot.dir, NULL, SANDBOX_SOCKETS | SANDBOX_THREADS, &guards) == 0);
    CHECK(sandboxed == !!(guards & GUARD_SECCOMP));
}

/* What came of an attack in a gateway of its own: 0 = it succeeded. */
static int outcome_of(int (*attack)(const void *), const void *what, bool sandbox)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, STDERR_FILENO); /* the sandbox's last words */
        prctl(PR_SET_PDEATHSIG, 0);
        become_api(sandbox);
        signal(SIGSEGV, SIG_DFL);
        _exit(attack(what) == 0 ? DONE : REFUSED);
    }
    CHECK(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? FAULT + WTERMSIG(status) : WEXITSTATUS(status);
}

/* In the sandbox nothing comes of it. */
static void assert_stopped(int (*attack)(const void *), const void *what)
{
    if (sandboxed) assert_int_not_equal(outcome_of(attack, what, true), DONE);
}

/* ---- Memory -----------------------------------------------------------------------------------*/

static int write_region(const void *what)
{
    const struct region *r = &segment.regions[*(const u32 *)what];
    *(volatile u64 *)r->object = 1;
    return 0;
}

static int make_writable(const void *what)
{
    const struct region *r = &segment.regions[*(const u32 *)what];
    return mprotect(r->head, r->size, PROT_READ | PROT_WRITE);
}

static int open_region(const void *what)
{
    int fd = open(what, O_RDWR | O_CLOEXEC);
    return fd < 0 ? -1 : 0;
}

static int read_file(const void *what)
{
    char byte;
    int fd = open(what, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &byte, 1) >= 0 ? 0 : -1;
}

/* It writes its own regions and nothing else, whatever it tries. */
static void it_writes_only_what_is_its_own(void **state)
{
    static struct segment view;
    u32 foreign = 0, own = 0;
    (void)state;
    assert_int_equal(segment_attach(&view, x.dir, ROLE_API, INSTANCE), 0);
    for (u32 i = 0; i < view.topo.region_count; i++) {
        enum topo_access access = topo_access(&view.topo, i, view.self);
        if (access == TOPO_NONE) {
            assert_null(view.regions[i].head);
            continue;
        }
        if (access == TOPO_WRITE) {
            own++;
            continue;
        }
        foreign++;
        assert_int_equal(outcome_of(write_region, &i, true), FAULT + SIGSEGV);
        assert_int_not_equal(outcome_of(make_writable, &i, true), DONE);
        if (outcome_of(make_writable, &i, false) == DONE)
            fail_msg("%s became writable", view.topo.regions[i].name);
    }
    segment_detach(&view);
    printf("%u regions of its own, %u of others stayed as they were\n", own, foreign);
    assert_true(foreign > 10 && own >= 3);
}

/* Not even the files behind the regions, its journal, keys and logs open for its user. */
static void it_opens_nothing_of_others(void **state)
{
    static struct segment view;
    static const char *const below[] = {"journal",
                                        "snapshots",
                                        "log",
                                        "journal/command.spare",
                                        "journal/command-00000000000000000001.log",
                                        "log/trading.log"};
    char path[400];
    (void)state;
    assert_int_equal(segment_attach(&view, x.dir, ROLE_COUNT, 0), 0);
    int self = topo_proc(&view.topo, ROLE_API, INSTANCE);
    for (u32 i = 0; i < view.topo.region_count; i++) {
        bool own = view.topo.regions[i].owner == (u32)self;
        const char *file = view.regions[i].path;
        assert_stopped(open_region, file);
        if (!as_root || own) continue;
        const struct topo_proc *owner = &view.topo.procs[view.topo.regions[i].owner];
        if (owner->role == ROLE_API) continue; /* the same user: gateways are one */
        if (outcome_of(open_region, file, false) == DONE) fail_msg("%s opened for writing", file);
        if (outcome_of(read_file, file, false) == DONE) fail_msg("%s opened for reading", file);
    }
    segment_detach(&view);
    for (u32 i = 0; i < COUNT_OF(below); i++) {
        snprintf(path, sizeof path, "%s/%s", x.dir, below[i]);
        assert_stopped(read_file, path);
        if (as_root && outcome_of(read_file, path, false) == DONE) fail_msg("%s opened", path);
    }
}

/* ---- Other processes --------------------------------------------------------------------------*/

static int attach_to(const void *what)
{
    return (int)ptrace(PTRACE_SEIZE, *(const pid_t *)what, NULL, NULL);
}

static int read_memory(const void *what)
{
    char byte[8];
    struct iovec to = {byte, sizeof byte}, from = {(void *)0x400000, sizeof byte};
    ssize_t n = process_vm_readv(*(const pid_t *)what, &to, 1, &from, 1, 0);
    return n < 0 && errno != EFAULT ? -1 : 0; /* EFAULT: it was allowed to look */
}

static int open_memory(const void *what)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", *(const pid_t *)what);
    return open_region(path);
}

static int kill_it(const void *what)
{
    return kill(*(const pid_t *)what, SIGCONT); /* does no harm, needs the same right */
}

static int take_descriptor(const void *what)
{
    int fd = (int)syscall(SYS_pidfd_open, *(const pid_t *)what, 0);
    return fd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, fd, 0, 0);
}

static int run_program(const void *what)
{
    static char name[] = "sh", *const argv[] = {name, NULL};
    return execv(what, argv);
}

static void it_reaches_no_other_process(void **state)
{
    static int (*const attacks[])(const void *) = {attach_to, read_memory, open_memory, kill_it,
                                                   take_descriptor};
    (void)state;
    assert_true(exchange_look(&x));
    for (u32 i = 0; i < x.count; i++) {
        bool same_user = !strncmp(x.procs[i].name, "api", 3);
        for (u32 k = 0; k < COUNT_OF(attacks); k++) {
            assert_stopped(attacks[k], &x.procs[i].pid);
            if (!as_root || same_user) continue;
            if (outcome_of(attacks[k], &x.procs[i].pid, false) == DONE)
                fail_msg("attack %u on %s succeeded", k, x.procs[i].name);
        }
    }
    if (sandboxed) assert_int_equal(outcome_of(run_program, "/bin/sh", true), FAULT + SIGSYS);
    else printf("no sandbox under sanitizers: what it holds was not tested\n");
    if (!as_root) printf("not root: that users alone hold was not tested\n");
}

/* ---- Messages ---------------------------------------------------------------------------------*/

struct forged {
    struct ring_tx verify;
    u64 next;
};

static void push(struct forged *f, struct msg *m)
{
    m->request = (u64)INSTANCE << 48 | (1UL << 47) | ++f->next;
    void *room = ring_alloc(&f->verify, m->length);
    CHECK(room);
    memcpy(room, m, m->length);
    ring_push(&f->verify, m->length);
    ring_publish(&f->verify);
}

static struct msg_order forged_order(void)
{
    struct msg_order m = {.head = {.length = sizeof m, .kind = MSG_ORDER},
                          .price = wad_make((u128)900 * 1000000000000000000UL),
                          .amount = wad_make(100000000000000000UL),
                          .nonce = 99,
                          .market = 0,
                          .side = SIDE_BUY,
                          .type = TYPE_LIMIT,
                          .tif = TIF_GTC,
                          .signature_type = SIG_V1};
    memcpy(m.wallet, victim.address, sizeof m.wallet);
    memset(&m.evidence, 0x11, sizeof m.evidence);
    m.evidence.signature[64] = 27;
    return m;
}

static union forged_cancel {
    struct msg_cancel m;
    u8 room[sizeof(struct msg_cancel) + sizeof(u64)]; /* and the one id behind it */
} forged_cancel(u8 auth)
{
    union forged_cancel c = {.m = {.head = {.length = sizeof c, .kind = MSG_CANCEL},
                                   .nonce = 5,
                                   .timestamp_ms = client_unix_ms(),
                                   .market = NO_MARKET,
                                   .count = 1,
                                   .auth = auth,
                                   .by_path = auth == AUTH_REQUEST}};
    c.m.order_ids[0] = order_id;
    memcpy(c.m.wallet, victim.address, sizeof c.m.wallet);
    memset(&c.m.evidence, 0x22, sizeof c.m.evidence);
    c.m.evidence.signature[64] = 28;
    c.m.path_length =
        (u8)snprintf((char *)c.m.path, sizeof c.m.path, "/api/v1/orders/%lu", order_id);
    return c;
}

/* Order and cancels in the victim's name; at last what only trading's own sources may say. */
static int forge(const void *what)
{
    static struct forged f;
    (void)what;
    segment_ring_tx(&segment, ROLE_VERIFY, 0, NULL, &f.verify);
    struct msg_order order = forged_order();
    push(&f, &order.head);
    order.signature_type = SIG_V2;
    push(&f, &order.head);
    union forged_cancel request = forged_cancel(AUTH_REQUEST), cancel = forged_cancel(AUTH_CANCEL),
                        none = forged_cancel(0);
    push(&f, &request.m.head);
    push(&f, &cancel.m.head);
    push(&f, &none.m.head);
    struct msg_credit credit = {.head = {.length = sizeof credit, .kind = MSG_CREDIT},
                                .amount = 1000000};
    memcpy(credit.wallet, victim.address, sizeof credit.wallet);
    push(&f, &credit.head);
    return 0;
}

static u64 refused_by_verify(void)
{
    static struct segment view;
    CHECK(segment_attach(&view, x.dir, ROLE_COUNT, 0) == 0);
    const struct proc_block *b = segment_proc(&view, ROLE_VERIFY, 0);
    u64 n = atomic_load_explicit(&b->metrics[METRIC_VERIFY_REFUSED], memory_order_relaxed) +
            atomic_load_explicit(&b->metrics[METRIC_VERIFY_BROKEN_RINGS], memory_order_relaxed);
    segment_detach(&view);
    return n;
}

static u64 sequence(void)
{
    json_t *status = exchange_status(&x);
    u64 seq = (u64)json_integer_value(json_object_get(status, "sequence"));
    json_decref(status);
    return seq;
}

static void what_it_forges_comes_to_nothing(void **state)
{
    (void)state;
    assert_true(exchange_look(&x));
    pid_t api = exchange_pid(&x, "api@1");
    u64 refused = refused_by_verify(), before = sequence();
    assert_true(api > 1 && before);
    assert_int_equal(kill(api, SIGSTOP), 0); /* it does not write meanwhile */
    int outcome = outcome_of(forge, NULL, true);
    u64 until = exchange_ms() + 5000;
    while (refused_by_verify() < refused + 6 && exchange_ms() < until) usleep(10000);
    exchange_kill(api);
    assert_int_equal(outcome, DONE);
    assert_int_equal(refused_by_verify(), refused + 6); /* five refused, then the ring is closed */
    assert_int_equal(sequence(), before);
    until = exchange_ms() + 20000;
    do usleep(50000);
    while (!(exchange_look(&x) && exchange_is_ready(&x)) && exchange_ms() < until);
    char path[64];
    snprintf(path, sizeof path, "/api/v1/orders/%lu", order_id);
    json_t *order = client_get(&client, &victim, path, NULL);
    assert_string_equal(json_string_value(json_object_get(order, "status")), "open");
    json_decref(order);
    json_t *balance = client_get(&client, &victim, "/api/v1/balances/USDC", NULL);
    assert_true(client_e8(balance, "total") == 1000 * E8);
    json_decref(balance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_writes_only_what_is_its_own),
        cmocka_unit_test(it_opens_nothing_of_others),
        cmocka_unit_test(it_reaches_no_other_process),
        cmocka_unit_test(what_it_forges_comes_to_nothing),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
