#include "tests/lib/instance.h"

#include <ftw.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/err.h"

#define READY_TURNS 3000 /* of 10 ms */

const struct topo_params instance_small = {
    .api = 1,
    .verify = 1,
    .matching = 1,
    .accounts_max = 4096,
    .balances_max = 16384,
    .nonce_windows_max = 8192,
    .transfers_max = 256,
    .orders_max = 65536,
    .resting_max = 65536,
    .command_bytes = 8UL << 20,
    .match_bytes = 8UL << 20,
    .account_bytes = 8UL << 20,
    .ring_bytes = 1UL << 20,
    .recent_trades = 1000,
    .markets_max = 16,
    .candles = MARKET_CANDLES_FEWEST,
    .history_rows = 1024,
};

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static __attribute__((noreturn)) void die(const char *what)
{
    fprintf(stderr, "instance: %s: %s\n", what, err_text());
    exit(1);
}

void instance_open(struct instance *in, const char *parent, const struct topo_params *params)
{
    char warning[256];
    memset(in, 0, sizeof *in);
    snprintf(in->dir, sizeof in->dir, "%s/eidos-test-XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(in->dir)) {
        err_sys("%s", in->dir);
        die("making a folder");
    }
    struct segment_place place = {.dir = in->dir,
                                  .shm_dir = "/dev/shm",
                                  .huge_dir = "/dev/hugepages",
                                  .huge = SEGMENT_HUGE_AUTO,
                                  .build = "test"};
    if (segment_create(&place, params, warning, sizeof warning)) die("making the segment");
    if (segment_attach(&in->onlooker, in->dir, ROLE_COUNT, 0)) die("attaching");
}

static void run_program(const struct instance *in, u32 role, u32 instance, const char *const *extra)
{
    char path[300], number[16];
    const char *bin = getenv("EIDOS_BIN");
    snprintf(path, sizeof path, "%s/eidos-%s", bin ? bin : "build/bin", role_name(role));
    snprintf(number, sizeof number, "%u", instance);
    const char *argv[32] = {path,    "--dir",      in->dir, "--instance", number,
                            "--set", "ops.port=0", "--set", "api.port=0"};
    u32 count = 9;
    for (; extra && *extra && count < COUNT_OF(argv) - 1; extra++) argv[count++] = *extra;
    setenv("EIDOS_SUPERVISED", "1", 1);
    execv(path, ptr_at(argv, 0)); /* execv changes nothing; its type is older than const */
    fprintf(stderr, "instance: %s cannot be started; build it first\n", path);
    _exit(127);
}

void instance_start(struct instance *in, u32 role, u32 instance, const char *const *extra)
{
    struct proc_block *block = segment_proc(&in->onlooker, role, instance);
    CHECK(in->count < INSTANCE_PROCS_MAX);
    pid_t pid = fork();
    if (pid == 0) run_program(in, role, instance, extra);
    CHECK(pid > 0);
    in->procs[in->count].role = role;
    in->procs[in->count].instance = instance;
    in->procs[in->count++].pid = pid;
    for (u32 i = 0; i < READY_TURNS; i++) {
        bool own = atomic_load_explicit(&block->pid, memory_order_acquire) == (u32)pid;
        if (own && atomic_load_explicit(&block->state, memory_order_acquire) == PROC_READY) return;
        int status;
        if (waitpid(pid, &status, WNOHANG) == pid) {
            in->count--;
            err_set("%s ended with status %d: %s", role_name(role), status, block->note);
            die("starting");
        }
        sleep_ms(10);
    }
    err_set("%s is not ready after 30 s", role_name(role));
    die("starting");
}

int instance_stop(struct instance *in, u32 role, u32 instance, int signal)
{
    int status = 0;
    for (u32 i = 0; i < in->count; i++) {
        if (in->procs[i].role != role || in->procs[i].instance != instance) continue;
        kill(in->procs[i].pid, signal);
        CHECK(waitpid(in->procs[i].pid, &status, 0) == in->procs[i].pid);
        in->procs[i] = in->procs[--in->count];
        return status;
    }
    check_failed("a process that was started", __FILE__, __LINE__);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

void instance_close(struct instance *in)
{
    while (in->count) {
        u32 last = in->count - 1;
        instance_stop(in, in->procs[last].role, in->procs[last].instance, SIGTERM);
    }
    segment_detach(&in->onlooker);
    if (segment_delete(in->dir)) die("removing the segment");
    nftw(in->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
