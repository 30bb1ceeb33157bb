/* The sandbox, each case in a child that enters it: what still works, what ends the process, what
 * is out of sight. */
#include "procs/lib/sandbox.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "procs/lib/text_log.h"
#include "shm/err.h"
#include "shm/proc.h"
#include "shm/signal.h"

#define LANDLOCKED 100 /* exit code: Landlock holds, so the file tests mean something */
#define NO_SANDBOX 77

static char dir[64], text[4096];

static int set_up(void **state)
{
    char path[96];
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/eidos-test-sandbox-%d", getpid());
    mkdir(dir, 0755);
    snprintf(path, sizeof path, "%s/own", dir);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/seen", dir);
    mkdir(path, 0755);
    return 0;
}

static int tear_down(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command); // NOLINT(cert-env33-c)
}

static const struct sandbox_path *paths;
static u32 calls;

/* In a child with the sandbox entered: its exit code, or minus its signal; `text` is its stderr. */
static int inside(const struct sandbox_path *with_paths, u32 with_calls, int (*act)(void))
{
    int said[2], status;
    paths = with_paths;
    calls = with_calls;
    assert_int_equal(pipe(said), 0);
    pid_t child = fork();
    if (child == 0) {
        u32 guards;
        dup2(said[1], STDERR_FILENO);
        text_log_name("test");
        if (sandbox_enter(dir, paths, calls, &guards)) {
            fprintf(stderr, "%s\n", err_text());
            _exit(1);
        }
        if (!(guards & GUARD_SECCOMP)) _exit(NO_SANDBOX);
        _exit(act() + (guards & GUARD_LANDLOCK ? LANDLOCKED : 0));
    }
    close(said[1]);
    size_t n = 0;
    for (ssize_t got; (got = read(said[0], text + n, sizeof text - 1 - n)) > 0;) n += (size_t)got;
    text[n] = 0;
    close(said[0]);
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void expect_ok(int code)
{
    if (code == NO_SANDBOX) skip();
    if (code != 0 && code != LANDLOCKED) fail_msg("%d: %s", code, text);
}

static void expect_killed(int code, const char *call)
{
    if (code == NO_SANDBOX) skip();
    assert_int_equal(code, -SIGSYS);
    char expected[64];
    snprintf(expected, sizeof expected, "forbidden system call: %s (seccomp)", call);
    if (!strstr(text, expected)) fail_msg("`%s` does not say `%s`", text, expected);
}

/* Memory, clocks, sleeping, talking. */
static int do_everyday_things(void)
{
    static _Atomic u64 head;
    static _Atomic u32 sleeping;
    struct waiter w = {.sleeping = &sleeping};
    waiter_add(&w, &head);
    waiter_look(&w);
    waiter_sleep(&w, 1000000);
    struct watch watch = {.head = &head};
    watch_add(&watch, &sleeping, -1);
    atomic_store(&sleeping, SIGNAL_IN_FUTEX);
    watch_notify(&watch);
    for (size_t size = 16; size < 64UL << 20; size *= 4) {
        u8 *p = malloc(size);
        if (!p) return 1;
        memset(p, 1, size);
        u8 *larger = realloc(p, size * 2);
        free(larger ? larger : p);
        if (!larger) return 2;
    }
    text_log(TEXT_WARN, "all is %s", "well");
    fprintf(stderr, "%d\n", getpid());
    return 0;
}

static void everyday_things_work(void **state)
{
    (void)state;
    expect_ok(inside(NULL, 0, do_everyday_things));
    assert_non_null(strstr(text, "Z warn  test: all is well\n"));
}

static int open_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) < 0;
}

static void no_sockets(void **state)
{
    (void)state;
    expect_killed(inside(NULL, 0, open_socket), "socket");
    expect_killed(inside(NULL, SANDBOX_FILES, open_socket), "socket");
    expect_ok(inside(NULL, SANDBOX_SOCKETS, open_socket));
}

static int open_file(void)
{
    return open("/etc/passwd", O_RDONLY) >= 0;
}

static void no_files(void **state)
{
    (void)state;
    expect_killed(inside(NULL, SANDBOX_SOCKETS | SANDBOX_THREADS, open_file), "openat");
}

static int run_program(void)
{
    return execl("/bin/true", "true", (char *)NULL);
}

static int map_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != NULL;
}

static int send_signal(void)
{
    return kill(getppid(), 0);
}

static void no_programs_no_code_no_signals(void **state)
{
    (void)state;
    u32 all = SANDBOX_FILES | SANDBOX_SOCKETS | SANDBOX_THREADS;
    expect_killed(inside(NULL, all, run_program), "execve");
    expect_killed(inside(NULL, all, map_code), "mmap");
    expect_killed(inside(NULL, all, send_signal), "getppid");
}

static void *nothing(void *context)
{
    return context;
}

static int start_thread(void)
{
    pthread_t thread;
    void *result;
    if (pthread_create(&thread, NULL, nothing, dir)) return 1;
    pthread_join(thread, &result);
    return result != dir;
}

static void threads_when_asked(void **state)
{
    (void)state;
    int code = inside(NULL, SANDBOX_SOCKETS, start_thread);
    if (code == NO_SANDBOX) skip();
    assert_int_equal(code, -SIGSYS);
    expect_ok(inside(NULL, SANDBOX_THREADS, start_thread));
}

static bool can_open(const char *path, int flags)
{
    char full[128];
    snprintf(full, sizeof full, "%s%s%s", path[0] == '/' ? "" : dir, path[0] == '/' ? "" : "/",
             path);
    int fd = open(full, flags, 0600);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

/* Bits of what went wrong. */
static int use_files(void)
{
    char from[128], to[128];
    snprintf(from, sizeof from, "%s/own/a", dir);
    snprintf(to, sizeof to, "%s/own/b", dir);
    int wrong = !can_open("own/a", O_RDWR | O_CREAT);
    if (rename(from, to) || !can_open("own/b", O_WRONLY | O_TRUNC)) wrong |= 2;
    if (can_open("seen/c", O_RDWR | O_CREAT)) wrong |= 4;
    if (!can_open("seen", O_RDONLY | O_DIRECTORY)) wrong |= 8;
    if (can_open("/etc/passwd", O_RDONLY)) wrong |= 16;
    if (can_open("", O_RDONLY | O_DIRECTORY)) wrong |= 32;
    return wrong;
}

static void only_the_directories_named(void **state)
{
    static const struct sandbox_path two[] = {
        {"own", SANDBOX_WRITE}, {"seen", SANDBOX_READ}, {NULL, 0}};
    (void)state;
    int code = inside(two, SANDBOX_FILES, use_files);
    if (code == NO_SANDBOX) skip();
    if (code < LANDLOCKED && code >= 0) skip(); /* no Landlock in this kernel */
    assert_int_equal(code, LANDLOCKED);
}

static void a_missing_directory_is_named(void **state)
{
    static const struct sandbox_path missing[] = {{"nowhere", SANDBOX_READ}, {NULL, 0}};
    (void)state;
    int code = inside(missing, SANDBOX_FILES, use_files);
    if (code == NO_SANDBOX) skip();
    assert_int_equal(code, 1);
    assert_non_null(strstr(text, "nowhere: No such file or directory"));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(everyday_things_work),
        CASE(no_sockets),
        CASE(no_files),
        CASE(no_programs_no_code_no_signals),
        CASE(threads_when_asked),
        CASE(only_the_directories_named),
        CASE(a_missing_directory_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
