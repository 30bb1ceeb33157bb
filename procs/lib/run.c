#include "procs/lib/run.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "procs/lib/clock.h"
#include "procs/lib/crash.h"
#include "procs/lib/ops_http.h"
#include "procs/lib/user.h"
#include "shm/err.h"
#include "version.h"

#define SPIN_NS     1000000UL    /* where cores outnumber processes */
#define STOP_MAX_NS 2000000000UL /* for the last turns */

static _Atomic int stop_signal;

static void on_stop(int signal)
{
    atomic_store_explicit(&stop_signal, signal, memory_order_relaxed);
}

bool run_is_stopping(void)
{
    return atomic_load_explicit(&stop_signal, memory_order_relaxed) != 0;
}

/* --- Setting up --------------------------------------------------------------------------------
 */

static int usage(const struct proc_descriptor *d, FILE *out)
{
    fprintf(
        out,
        "usage: eidos-%s [--instance N]%s [--listener FD] [--tls FD] [--dir DIR] [--config FILE] "
        "[--set section.key=value]...\n"
        "Started by `eidosctl up`, which makes the shared memory this process attaches to.\n"
        "exit codes: 0 stopped as asked, 1 failed, 2 wrong usage\n",
        d->name, d->standby ? " [--standby]" : "");
    return out == stdout ? 0 : 2;
}

static int parse_number(const char *option, const char *text, u32 below, u32 *number)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (errno || !*text || *end || text[0] == '-' || n >= below)
        return err_set("%s %s: not a number in [0, %u)", option, text, below);
    *number = (u32)n;
    return 0;
}

/* Returns 0, -1 with err, or 1 when the answer was printed and that is all. */
static int parse_args(struct run *run, int argc, char **argv)
{
    u32 fd = 0;
    run->listener = run->tls = -1;
    if (config_args(&argc, argv, &run->source)) return -1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--instance") == 0 && i + 1 < argc) {
            if (parse_number("--instance", argv[++i], TOPO_PROCS_MAX, &run->instance)) return -1;
        } else if (strcmp(argv[i], "--listener") == 0 && i + 1 < argc) {
            if (parse_number("--listener", argv[++i], 1024, &fd)) return -1;
            run->listener = (int)fd;
        } else if (strcmp(argv[i], "--tls") == 0 && i + 1 < argc) {
            if (parse_number("--tls", argv[++i], 1024, &fd)) return -1;
            run->tls = (int)fd;
        } else if (strcmp(argv[i], "--standby") == 0 && run->descriptor->standby) {
            run->standby = standby_new();
        } else if (strcmp(argv[i], "--version") == 0) {
            printf("eidos-%s %s %s\n", run->descriptor->name, EIDOS_VERSION, EIDOS_COMMIT);
            return 1;
        } else if (strcmp(argv[i], "--help") == 0) {
            usage(run->descriptor, stdout);
            return 1;
        } else {
            return err_set("%s: not an option; --help lists them", argv[i]);
        }
    }
    return 0;
}

static void handle_signals(bool supervised)
{
    struct sigaction stop = {.sa_handler = on_stop}, ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGTERM, &stop, NULL);
    /* Ctrl-C reaches the whole terminal; the supervisor then stops its processes in order. */
    sigaction(SIGINT, supervised ? &ignore : &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGUSR1, &ignore, NULL);
    sigaction(SIGHUP, &ignore, NULL);
}

/* 0, or -1 if the supervisor died before it could be watched. */
static int follow_supervisor(const struct run *run)
{
    if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0)) return err_sys("following the supervisor");
    if ((u32)getppid() != run->segment.boot.supervisor_pid)
        return err_set("the supervisor (process %u) is gone", run->segment.boot.supervisor_pid);
    return 0;
}

/* Spin only where cores outnumber spinners. */
static u64 spin_time(const struct run *run)
{
    cpu_set_t cores;
    if (run->config.run.spin_us) return run->config.run.spin_us * 1000UL;
    if (sched_getaffinity(0, sizeof cores, &cores)) return 0;
    return (u32)CPU_COUNT(&cores) > run->segment.topo.proc_count ? SPIN_NS : 0;
}

/* run.pin_cores names cores in the order of the topology, the supervisor left out. */
static int pin(const struct run *run)
{
    u32 place = (u32)run->segment.self - 1;
    if (place >= run->config.run.pin_cores.count) return 0;
    u32 core = run->config.run.pin_cores.core[place];
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    if (sched_setaffinity(0, sizeof one, &one)) return err_sys("pinning to core %u", core);
    return 0;
}

static int make_state(struct run *run)
{
    if (!run->descriptor->state_bytes) return 0;
    run->state = mmap(NULL, run->descriptor->state_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (run->state != MAP_FAILED) return 0;
    run->state = NULL;
    return err_sys("reserving %lu bytes", run->descriptor->state_bytes);
}

static void add(_Atomic u64 *counter, u64 n)
{
    u64 now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + n, memory_order_relaxed);
}

/* The time since the last beat goes to what the turn after it turned out to be. */
void run_beat(struct run *run)
{
    u64 before = run->now_ns;
    run->now_ns = clock_mono();
    if (run->spent) add(run->spent, run->now_ns - before);
    atomic_store_explicit(&run->proc->beat_ns, run->now_ns, memory_order_relaxed);
}

/* Attach, and become the process of this place. */
static int take_place(struct run *run, bool supervised)
{
    const struct proc_descriptor *d = run->descriptor;
    u32 role = run->standby ? d->standby->role : d->role;
    if (segment_attach(&run->segment, run->source.dir.s, role, run->instance)) return -1;
    snprintf(run->name, sizeof run->name, "%s", run->segment.topo.procs[run->segment.self].name);
    text_log_name(run->name);
    text_log_follow(&segment_proc(&run->segment, ROLE_OPS, 0)->log_levels[run->segment.self]);
    if (supervised && follow_supervisor(run)) return -1;
    struct proc_block *own = segment_proc(&run->segment, role, run->instance);
    if (proc_take(own)) return err_wrap("%s", run->name);
    run->proc = own;
    run_beat(run);
    crash_report(run->name, &run->segment, own);
    return 0;
}

static int set_up(struct run *run)
{
    run->spin_ns = spin_time(run);
    segment_waiter(&run->segment, &run->waiter);
    if (segment_bells_open(&run->segment, run->bells) || pin(run) || make_state(run)) return -1;
    return run->standby ? standby_init(run) : run->descriptor->init(run);
}

/* Give up what is not needed any more, and note which protections hold. */
static int guard(struct run *run, u32 *guards)
{
    const struct proc_descriptor *d = run->descriptor;
    u32 calls = d->calls | (d->ops_socket ? SANDBOX_SOCKETS | SANDBOX_THREADS : 0);
    u32 sandboxed = 0;
    const struct sandbox_path *paths = run->standby ? standby_paths : d->paths;
    if (run->standby) calls |= SANDBOX_FILES | SANDBOX_STANDBY;
    json_object_seed(0); /* would read /dev/urandom at its first object */
    *guards = segment_seal(&run->segment) ? GUARD_SEALED : 0;
    for (u32 i = 0; i < run->segment.topo.region_count; i++)
        if (run->segment.regions[i].huge && run->segment.regions[i].head)
            *guards |= GUARD_HUGEPAGES;
    if (run->config.run.users.s[0] && geteuid() == 0) {
        u32 role = role_of_standby(d->role);
        struct user user;
        if (user_find(run->config.run.users.s, role, paths != NULL, &user) ||
            user_drop(&run->segment, &user, paths))
            return -1;
        *guards |= GUARD_USER;
    }
    if (run->config.run.sandbox && sandbox_enter(run->segment.boot.dir, paths, calls, &sandboxed))
        return -1;
    *guards |= sandboxed;
    atomic_store_explicit(&run->proc->guards, *guards, memory_order_relaxed);
    return 0;
}

/* Give up what only a standby needed: a filter and a ruleset more, on top of the first ones. */
static void guard_as_primary(struct run *run)
{
    const struct proc_descriptor *d = run->descriptor;
    u32 guards;
    run->too_free = false;
    if (run->config.run.sandbox &&
        sandbox_enter(run->segment.boot.dir, d->paths, d->calls, &guards))
        run_fail(run);
}

static int serve_ops(struct run *run, struct ops_http **http)
{
    u32 self = (u32)run->segment.self;
    u32 port = run->config.ops.port ? run->config.ops.port + self : 0;
    if (!run->descriptor->ops_socket) return 0;
    *http = ops_http_start(&run->segment, self, run->config.ops.listen.s, port);
    if (!*http) return -1;
    atomic_store_explicit(&run->proc->ops_port, ops_http_port(*http), memory_order_release);
    return 0;
}

/* --- The loop ----------------------------------------------------------------------------------
 */

static struct timespec time_of(u64 ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / 1000000000UL),
                             .tv_nsec = (long)(ns % 1000000000UL)};
}

static void sleep_in_epoll(struct run *run)
{
    int bell = run->bells[run->segment.self];
    struct pollfd fds[2] = {{.fd = run->descriptor->epoll_fd(run), .events = POLLIN},
                            {.fd = bell, .events = POLLIN}};
    struct timespec timeout = time_of(run->sleep_ns);
    if (!waiter_doze(&run->waiter, SIGNAL_IN_EPOLL)) return;
    int ready = ppoll(fds, 2, &timeout, NULL);
    waiter_rise(&run->waiter);
    char rung[256];
    if (ready > 0 && fds[1].revents)
        while (read(bell, rung, sizeof rung) == (ssize_t)sizeof rung) {
        }
}

static void sleep_until_input(struct run *run)
{
    u64 before = clock_mono();
    if (run->descriptor->epoll_fd) sleep_in_epoll(run);
    else waiter_sleep(&run->waiter, run->sleep_ns);
    add(&run->proc->slept_ns, clock_mono() - before);
}

static u32 take_turn(struct run *run)
{
    run_beat(run);
    run->sleep_ns = RUN_SLEEP_NS;
    run->blocked = false;
    u32 work = run->descriptor->turn(run);
    add(&run->proc->turns, 1);
    if (work) add(&run->proc->busy_turns, 1);
    run->spent = work           ? &run->proc->worked_ns
                 : run->blocked ? &run->proc->blocked_ns
                                : &run->proc->waited_ns;
    return work;
}

/* Turn; once idle for spin_ns, note the inputs' heads, turn once more, and if that found nothing
 * either, sleep until a head moves. */
static void loop(struct run *run)
{
    u64 busy_ns = clock_mono();
    while (!run_is_stopping()) {
        bool tired = run->now_ns - busy_ns >= run->spin_ns;
        if (tired) waiter_look(&run->waiter);
        u32 work = take_turn(run);
        if (!work && run->too_free) guard_as_primary(run);
        if (work) busy_ns = run->now_ns;
        else if (tired && run->sleep_ns) sleep_until_input(run);
        else cpu_pause();
    }
}

static void finish(struct run *run)
{
    proc_step(run->proc, PROC_STOPPING, "stopping");
    u64 until = clock_mono() + STOP_MAX_NS;
    while (!run->standby && take_turn(run) && run->now_ns < until) {
    }
    if (!run->standby && run->descriptor->stop) run->descriptor->stop(run);
    proc_step(run->proc, PROC_STOPPED, "stopped as asked");
}

/* --- From beginning to end ---------------------------------------------------------------------
 */

void run_progress(struct run *run, const char *fmt, ...)
{
    char note[PROC_NOTE_BYTES];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(note, sizeof note, fmt, ap);
    va_end(ap);
    proc_step(run->proc, PROC_RECOVERING, note);
    run_beat(run);
}

void run_ready(struct run *run)
{
    run_beat(run);
    proc_step(run->proc, PROC_READY, "");
    text_log(TEXT_INFO, "ready");
}

static int fail(struct run *run, int code)
{
    if (text_log_is_json()) text_log(TEXT_ERROR, "%s", err_text());
    else fprintf(stderr, "eidos-%s: %s\n", run->descriptor->name, err_text());
    if (run->proc) proc_step(run->proc, PROC_FAILED, err_text());
    return code;
}

_Noreturn void run_fail(struct run *run)
{
    _exit(fail(run, 1));
}

int run_main(const struct proc_descriptor *descriptor, int argc, char **argv)
{
    static struct run run;
    struct ops_http *http = NULL;
    u32 guards;
    const char *supervised = getenv("EIDOS_SUPERVISED");
    run.descriptor = descriptor;
    run.source.env = environ;
    int parsed = parse_args(&run, argc, argv);
    if (parsed) return parsed > 0 ? 0 : fail(&run, 2);
    if (config_load(&run.config, &run.source)) return fail(&run, 2);
    text_log_set((enum text_format)run.config.logging.format,
                 (enum text_level)run.config.logging.level);
    handle_signals(supervised && *supervised);
    if (take_place(&run, supervised && *supervised) || set_up(&run)) return fail(&run, 1);
    if (guard(&run, &guards) || serve_ops(&run, &http)) return fail(&run, 1);
    if (atomic_load_explicit(&run.proc->state, memory_order_relaxed) == PROC_STARTING)
        run_ready(&run);
    if (run.standby) standby_loop(&run);
    if (!run.standby) loop(&run);
    finish(&run);
    ops_http_stop(http);
    return 0;
}
