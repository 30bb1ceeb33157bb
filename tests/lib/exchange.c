#include "tests/lib/exchange.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/region.h"

#define WORDS_MAX   96
#define CTL_LINE    4096
#define PATIENCE_MS 60000U

static const char small[] =
    "--set api.port=0 --set ops.port=0 --set api.request_timeout=2s --set limits.rates=off "
    "--set shm.hugepages=off --set trading.accounts_max=1024 --set trading.balances_max=4096 "
    "--set matching.orders_max=65536 --set log.command_bytes=4M --set log.match_bytes=4M "
    "--set log.account_bytes=4M --set journal.segment_bytes=1M";

/* What one eidosctl prints; each has its own. */
static struct {
    pid_t pid;
    int fd;
} listening[4];

u64 exchange_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

static void nap_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

void exchange_shell(const char *fmt, ...)
{
    char command[2048];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    CHECK(n > 0 && n < (int)sizeof command);
    int status = system(command);
    if (status) fprintf(stderr, "exit status %d: %s\n", status, command);
    CHECK(status == 0);
}

/* --- Running eidosctl --------------------------------------------------------------------------*/

static _Noreturn void become(const struct exchange *x, const char *line, int said)
{
    char path[PATH_MAX], words[CTL_LINE];
    char *argv[WORDS_MAX];
    const char *bin = getenv("EIDOS_BIN");
    u32 n = 0;
    snprintf(path, sizeof path, "%s/eidosctl", bin ? bin : "build/bin");
    snprintf(words, sizeof words, "%s --dir %s", line, x->dir);
    argv[n++] = path;
    for (char *rest = words, *word; (word = strsep(&rest, " ")) && n < WORDS_MAX - 1;)
        if (*word) argv[n++] = word;
    argv[n] = NULL;
    if (x->user && setuid(x->user)) _exit(126);
    unsetenv("EIDOS_DIR");
    dup2(said, STDOUT_FILENO);
    dup2(said, STDERR_FILENO);
    execv(path, argv);
    fprintf(stderr, "%s cannot be started: %s; build it first\n", path, strerror(errno));
    _exit(127);
}

pid_t exchange_begin(struct exchange *x, const char *line)
{
    u32 i = 0;
    while (i < COUNT_OF(listening) && listening[i].pid) i++;
    CHECK(i < COUNT_OF(listening));
    int said = memfd_create("said", MFD_CLOEXEC);
    CHECK(said >= 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) become(x, line, said);
    CHECK(pid > 0);
    listening[i].pid = pid;
    listening[i].fd = said;
    return pid;
}

/* Orphans of killed supervisors become ours; nobody else would bury them. Programs whose end is
 * waited for by name are left alone. */
static void reap(void)
{
    siginfo_t end;
    for (;;) {
        end.si_pid = 0;
        if (waitid(P_ALL, 0, &end, WEXITED | WNOHANG | WNOWAIT) || !end.si_pid) return;
        for (u32 i = 0; i < COUNT_OF(listening); i++)
            if (listening[i].pid == end.si_pid) return;
        waitpid(end.si_pid, NULL, WNOHANG);
    }
}

bool exchange_is_done(struct exchange *x, pid_t pid, int *code)
{
    int status;
    u32 i = 0;
    while (i < COUNT_OF(listening) && listening[i].pid != pid) i++;
    CHECK(i < COUNT_OF(listening));
    reap();
    if (waitpid(pid, &status, WNOHANG) != pid) return false;
    ssize_t n = pread(listening[i].fd, x->said, sizeof x->said - 1, 0);
    x->said[n > 0 ? n : 0] = '\0';
    close(listening[i].fd);
    listening[i].pid = 0;
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return true;
}

int exchange_ctl(struct exchange *x, const char *line)
{
    int code;
    u64 until = exchange_ms() + PATIENCE_MS;
    pid_t pid = exchange_begin(x, line);
    while (!exchange_is_done(x, pid, &code)) {
        if (exchange_ms() > until) kill(pid, SIGKILL);
        nap_ms(1);
    }
    return code;
}

/* --- Its life ----------------------------------------------------------------------------------*/

void exchange_make(struct exchange *x)
{
    snprintf(x->dir, sizeof x->dir, "/tmp/eidos-test-XXXXXX");
    CHECK(mkdtemp(x->dir));
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
}

void exchange_remove(struct exchange *x)
{
    char own[PATH_MAX];
    if (!x->dir[0]) return;
    exchange_kill_strays();
    CHECK(realpath(x->dir, own));
    exchange_shell("rm -rf %s /dev/shm/eidos-%016lx", x->dir, region_hash(own, strlen(own)));
    x->dir[0] = '\0';
}

const char *exchange_up_line(const struct exchange *x)
{
    static char line[CTL_LINE];
    size_t n = (size_t)snprintf(line, sizeof line, "up --detach %s", small);
    for (u32 i = 0; i < x->set_count; i++)
        n += (size_t)snprintf(line + n, sizeof line - n, " --set %s", x->sets[i]);
    CHECK(n < sizeof line);
    return line;
}

int exchange_up(struct exchange *x)
{
    int code = exchange_ctl(x, exchange_up_line(x));
    if (code || (code = exchange_ctl(x, "ready --wait 30"))) return code;
    CHECK(exchange_look(x));
    return 0;
}

int exchange_start(struct exchange *x)
{
    exchange_make(x);
    int code = exchange_up(x);
    if (!code) return 0;
    fprintf(stderr, "the exchange does not start, exit code %d: %s\n", code, x->said);
    exchange_show_logs(x);
    return -1;
}

int exchange_down(struct exchange *x)
{
    int code = exchange_ctl(x, "down");
    x->port = 0;
    x->supervisor = 0;
    x->count = 0;
    return code;
}

int exchange_end(struct exchange *x)
{
    int code = exchange_down(x);
    exchange_remove(x);
    return code;
}

/* --- Looking -----------------------------------------------------------------------------------*/

static void take_proc(struct exchange *x, const json_t *proc)
{
    const char *name = json_string_value(json_object_get(proc, "name"));
    const char *state = json_string_value(json_object_get(proc, "state"));
    pid_t pid = (pid_t)json_integer_value(json_object_get(proc, "pid"));
    CHECK(name && state && x->count < EXCHANGE_PROCS_MAX);
    if (!strncmp(name, "ops", 3) || !strcmp(name, "supervisor")) {
        x->supervisor = pid;
        return;
    }
    if (!strcmp(name, "api") || !strcmp(name, "api@0"))
        x->port = (u32)json_integer_value(json_object_get(proc, "port"));
    snprintf(x->procs[x->count].name, sizeof x->procs[x->count].name, "%s", name);
    x->procs[x->count].ready = !strcmp(state, "ready");
    x->procs[x->count++].pid = pid;
}

bool exchange_look(struct exchange *x)
{
    x->count = 0;
    x->supervisor = 0;
    x->port = 0;
    if (exchange_ctl(x, "ps --json")) return false;
    json_t *procs = json_loads(x->said, 0, NULL);
    CHECK(json_is_array(procs));
    for (size_t i = 0; i < json_array_size(procs); i++) take_proc(x, json_array_get(procs, i));
    json_decref(procs);
    return true;
}

pid_t exchange_pid(const struct exchange *x, const char *name)
{
    for (u32 i = 0; i < x->count; i++)
        if (!strcmp(x->procs[i].name, name)) return x->procs[i].pid;
    return 0;
}

bool exchange_is_ready(const struct exchange *x)
{
    for (u32 i = 0; i < x->count; i++)
        if (!x->procs[i].ready) return false;
    return x->count && x->port;
}

json_t *exchange_status(struct exchange *x)
{
    return exchange_ctl(x, "status --json") ? NULL : json_loads(x->said, 0, NULL);
}

/* --- Killing -----------------------------------------------------------------------------------*/

void exchange_kill(pid_t pid)
{
    CHECK(pid > 1);
    CHECK(kill(pid, SIGKILL) == 0 || errno == ESRCH);
}

static void wait_until_gone(pid_t pid)
{
    u64 until = exchange_ms() + PATIENCE_MS;
    while (pid > 1 && kill(pid, 0) == 0) {
        CHECK(exchange_ms() < until);
        reap();
        nap_ms(1);
    }
}

void exchange_kill_all(struct exchange *x)
{
    if (x->supervisor > 1) exchange_kill(x->supervisor);
    for (u32 i = 0; i < x->count; i++)
        if (x->procs[i].pid > 1) exchange_kill(x->procs[i].pid);
    for (u32 i = 0; i < x->count; i++) wait_until_gone(x->procs[i].pid);
    wait_until_gone(x->supervisor);
}

/* A child of this program that lives, or 0. */
static pid_t some_child(void)
{
    char path[40], text[300];
    pid_t found = 0;
    DIR *proc = opendir("/proc");
    CHECK(proc);
    for (struct dirent *e; !found && (e = readdir(proc));) {
        int pid = atoi(e->d_name), parent = 0;
        if (pid <= 0) continue;
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *stat = fopen(path, "re");
        if (!stat) continue;
        if (fgets(text, sizeof text, stat) && strrchr(text, ')') &&
            sscanf(strrchr(text, ')') + 1, " %*c %d", &parent) == 1 && parent == getpid())
            found = pid;
        fclose(stat);
    }
    closedir(proc);
    return found;
}

void exchange_kill_strays(void)
{
    for (pid_t pid; (pid = some_child());) {
        exchange_kill(pid);
        waitpid(pid, NULL, 0);
    }
}

void exchange_credit(struct exchange *x, const char *wallet, const char *token, const char *amount)
{
    char line[200];
    snprintf(line, sizeof line, "credit %s %s %s", wallet, token, amount);
    int code = exchange_ctl(x, line);
    if (code) fprintf(stderr, "%s: exit code %d: %s\n", line, code, x->said);
    CHECK(code == 0);
}

void exchange_show_logs(const struct exchange *x)
{
    fflush(NULL);
    exchange_shell("tail -n 15 %s/log/*.log 2>&1 || true", x->dir);
}
