#include "cli/super.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "procs/lib/listen.h"
#include "procs/lib/text_log.h"
#include "shm/err.h"
#include "shm/metrics.h"

#define SECOND         1000000000UL
#define TICK_NS        50000000L
#define HUNG_TICKS     200U         /* 10 s without a heartbeat of a ready process */
#define SILENT_TICKS   1200U        /* 60 s without a sign of one that starts or recovers */
#define HEIR_TICKS     10U          /* 500 ms of a standby that should be taking over */
#define QUICK_NS       (5 * SECOND) /* a life shorter than this counts as quick */
#define QUICK_FREE     3U           /* quick deaths without delay */
#define DELAY_MAX_NS   (30 * SECOND)
#define STOP_NS        (15 * SECOND) /* for one layer, then SIGKILL */
#define LAYERS         5U
#define WAVES          3U /* then READY; standbys are of the wave after it */
#define POLL_MS        2  /* between looks whether a wave is ready */
#define NOT_SUPERVISED UINT32_MAX
#define PASSED         2U /* descriptors that a gateway inherits: its socket, tls_bundle.h */
#define PASSED_FROM    3

/* When a role is started, and when it is stopped: the highest layer first. */
static const struct {
    u32 wave, layer;
} order_of[ROLE_COUNT] = {
    [ROLE_OPS] = {NOT_SUPERVISED, NOT_SUPERVISED},
    [ROLE_JOURNAL] = {0, 0},
    [ROLE_TRADING] = {1, 1},
    [ROLE_MATCHING] = {1, 1},
    [ROLE_MARKET] = {1, 2},
    [ROLE_HISTORY] = {1, 2},
    [ROLE_VERIFY] = {1, 3},
    [ROLE_API] = {2, 4},
    [ROLE_SNAPSHOT] = {2, 2},
    [ROLE_TRADING_STANDBY] = {WAVES, 2},
    [ROLE_MATCHING_STANDBY] = {WAVES, 2},
};

static const struct topo_proc *proc_of(const struct super *s, const struct child *c)
{
    return &s->segment->topo.procs[c->proc];
}

static const char *name_of(const struct super *s, const struct child *c)
{
    return proc_of(s, c)->name;
}

static struct proc_block *block_of(const struct super *s, const struct child *c)
{
    return segment_proc(s->segment, proc_of(s, c)->role, proc_of(s, c)->instance);
}

static u32 state_of(const struct super *s, const struct child *c)
{
    return atomic_load_explicit(&block_of(s, c)->state, memory_order_acquire);
}

bool super_is_ready(const struct super *s, const struct child *c)
{
    const struct proc_block *b = block_of(s, c);
    return c->pid && atomic_load_explicit(&b->pid, memory_order_acquire) == (u32)c->pid &&
           (state_of(s, c) == PROC_READY || state_of(s, c) == PROC_HELD) &&
           proc_is_beating(b, cli_monotonic_ns());
}

/* --- Starting one process ----------------------------------------------------------------------*/

/* <folder of this program>/eidos-NAME */
static int program_of(const char *role, char path[static PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 64);
    if (n <= 0) return err_sys("/proc/self/exe");
    path[n] = '\0';
    char *name = strrchr(path, '/') + 1;
    snprintf(name, 64, "eidos-%s", role);
    if (access(path, X_OK) == 0) return 0;
    return err_sys("%s is missing; build it with `make`, or install eidosctl beside it", path);
}

static int open_log(const struct super *s, const char *name)
{
    char path[CONFIG_TEXT_MAX + 64];
    snprintf(path, sizeof path, "%s/log", s->source->dir.s);
    if (mkdir(path, 0750) && errno != EEXIST) return err_sys("%s", path);
    snprintf(path, sizeof path, "%s/log/%s.log", s->source->dir.s, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    return fd >= 0 ? fd : err_sys("%s", path);
}

/* In the child, up to exec: only what is allowed after a fork of a process with threads. */
_Noreturn static void become(char **argv, int log_fd, const int passed[PASSED],
                             const sigset_t *mask)
{
    int apart[PASSED]; /* where no dup2 below falls on them */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) dup2(null, STDIN_FILENO);
    if (log_fd >= 0) {
        dup2(log_fd, STDOUT_FILENO);
        dup2(log_fd, STDERR_FILENO);
    }
    for (u32 i = 0; i < PASSED; i++)
        apart[i] = passed[i] < 0 ? -1 : fcntl(passed[i], F_DUPFD_CLOEXEC, PASSED_FROM + PASSED);
    for (u32 i = 0; i < PASSED; i++)
        if (apart[i] >= 0) dup2(apart[i], PASSED_FROM + (int)i);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execv(argv[0], argv);
    static const char text[] = "eidosctl up: the program could not be started\n";
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(127);
    _exit(127);
}

static int spawn(struct super *s, struct child *c)
{
    const struct topo_proc *proc = proc_of(s, c);
    static const char *const options[PASSED][2] = {{"--listener", "3"}, {"--tls", "4"}};
    const int passed[PASSED] = {c->listener, c->listener < 0 ? -1 : tls_files_fd(s->tls)};
    const char *argv[1 + 6 + 2 * CONFIG_SETS_MAX + 2 * PASSED + 2 + 1 + 1];
    char path[PATH_MAX], instance[16], *words[COUNT_OF(argv)];
    int log_fd = -1;
    u32 n = 0;
    if (program_of(role_name(role_of_standby(proc->role)), path)) return -1;
    if (s->to_files && (log_fd = open_log(s, proc->name)) < 0) return -1;
    snprintf(instance, sizeof instance, "%u", proc->instance);
    argv[n++] = path;
    n += config_pass(s->source, argv + n, (u32)COUNT_OF(argv) - n - 2 * PASSED - 4);
    for (u32 i = 0; i < PASSED; i++) {
        if (passed[i] < 0) continue;
        argv[n++] = options[i][0];
        argv[n++] = options[i][1];
    }
    if (role_is_standby(proc->role)) argv[n++] = "--standby";
    argv[n++] = "--instance";
    argv[n++] = instance;
    argv[n] = NULL;
    memcpy(words, argv, sizeof words); /* execv takes them without const, and changes none */
    c->pid = fork();
    if (c->pid == 0) become(words, log_fd, passed, (const sigset_t *)(const void *)s->spare_mask);
    if (log_fd >= 0) close(log_fd);
    if (c->pid < 0) {
        c->pid = 0;
        return err_sys("starting %s", proc->name);
    }
    c->pidfd = pidfd_open(c->pid, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (c->pidfd < 0 || epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->pidfd, &event)) {
        err_sys("watching %s", proc->name);
        kill(c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
        c->pid = 0;
        return -1;
    }
    c->started_ns = cli_monotonic_ns();
    c->again_ns = 0;
    c->ready_ns = 0;
    c->silent_ticks = 0;
    return 0;
}

/* --- Ports of those that may have none ---------------------------------------------------------*/

/* Serve health and metrics of a process that is ready and serves none itself. */
static int serve_for(struct super *s, u32 proc, struct ops_http **http)
{
    if (*http || segment_ops_port(s->segment, proc)) return 0;
    u32 port = s->config->ops.port ? s->config->ops.port + proc : 0;
    *http = ops_http_start(&s->view, proc, s->config->ops.listen.s, port);
    if (!*http) return err_wrap("ops port of %s", s->segment->topo.procs[proc].name);
    atomic_store_explicit(&s->own->served_ports[proc], (u16)ops_http_port(*http),
                          memory_order_release);
    return 0;
}

/* The gateways' sockets: one port, whoever of them is being started again. */
static int open_listeners(struct super *s)
{
    int fds[TOPO_PROCS_MAX];
    u16 port = s->config->api.port;
    u32 workers = s->segment->topo.params.api;
    if (listen_bind_all(s->config->api.listen.s, &port, workers, fds))
        return err_wrap("api.listen, api.port (is another instance running?)");
    for (u32 i = 0; i < s->count; i++)
        if (proc_of(s, &s->children[i])->role == ROLE_API)
            s->children[i].listener = fds[proc_of(s, &s->children[i])->instance];
    return 0;
}

/* From here on whoever connects is refused at once. */
static void close_listeners(struct super *s)
{
    for (u32 i = 0; i < s->count; i++) {
        if (s->children[i].listener >= 0) close(s->children[i].listener);
        s->children[i].listener = -1;
    }
}

/* --- Phases ------------------------------------------------------------------------------------*/

static void enter(struct super *s, enum super_phase phase)
{
    s->phase = phase;
    s->layer_ns = cli_monotonic_ns();
    s->killed_layer = false;
}

static void signal_layer(struct super *s, u32 layer, int signal)
{
    for (u32 i = 0; i < s->count; i++) {
        struct child *c = &s->children[i];
        if (c->layer == layer && c->pid) pidfd_send_signal(c->pidfd, signal, NULL, 0);
    }
}

static void stop_layer(struct super *s, u32 layer)
{
    enter(s, SUPER_STOP);
    s->layer = layer;
    signal_layer(s, layer, SIGTERM);
}

/* Begin to stop, from whatever phase. */
static void begin_stop(struct super *s, const char *why)
{
    if (s->phase == SUPER_STOP || s->phase == SUPER_DONE) return;
    text_log(TEXT_INFO, "stopping: %s", why);
    sd_notifyf(0, "STOPPING=1\nSTATUS=stopping: %s", why);
    proc_step(s->own, PROC_STOPPING, why);
    for (u32 i = 0; i < s->count; i++) s->children[i].again_ns = 0;
    close_listeners(s);
    stop_layer(s, LAYERS - 1);
}

/* The start failed for the reason in err_text. */
static void begin_failure(struct super *s)
{
    s->failed = true;
    snprintf(s->why, sizeof s->why, "%s", err_text());
    begin_stop(s, s->why);
}

static int start_wave(struct super *s, u32 wave)
{
    s->wave = wave;
    for (u32 i = 0; i < s->count; i++)
        if (s->children[i].wave == wave && spawn(s, &s->children[i])) return -1;
    return 0;
}

/* Is it ready? When it first is, that is noted. */
static bool note_ready(const struct super *s, struct child *c)
{
    bool ready = super_is_ready(s, c);
    if (ready && !c->ready_ns) c->ready_ns = cli_monotonic_ns();
    return ready;
}

/* The journal must have found the end of its files before others go on only where what is durable
 * is more than what is on disk: the rest recovery has told already (segment_set_durable). */
static int start_first(struct super *s)
{
    if (start_wave(s, 0)) return -1;
    return s->config->journal.durability == DURABILITY_KAFKA ? 0 : start_wave(s, 1);
}

static bool wave_is_ready(struct super *s)
{
    bool ready = true;
    for (u32 i = 0; i < s->count; i++)
        if (s->children[i].wave <= s->wave) ready &= note_ready(s, &s->children[i]);
    return ready;
}

static bool layer_is_gone(const struct super *s)
{
    for (u32 i = 0; i < s->count; i++)
        if (s->children[i].layer == s->layer && s->children[i].pid) return false;
    return true;
}

/* Who took how long, in milliseconds from its start: "journal 95, trading 812, ..." */
static void say_took(const struct super *s, char *text, size_t size)
{
    size_t n = 0;
    text[0] = 0;
    for (u32 i = 0; i < s->count && n < size; i++) {
        const struct child *c = &s->children[i];
        if (c->wave == WAVES) continue;
        n += (size_t)snprintf(text + n, size - n, "%s%s %lu", n ? ", " : "", name_of(s, c),
                              (c->ready_ns - c->started_ns) / 1000000);
    }
}

static void start_standbys(struct super *s)
{
    for (u32 i = 0; i < s->count; i++)
        if (s->children[i].wave == WAVES) s->children[i].again_ns = 1;
}

static void all_ready(struct super *s)
{
    u64 now_ns = cli_monotonic_ns();
    char took[1024];
    u32 ready = 0;
    for (u32 i = 0; i < s->count; i++) {
        ready += s->children[i].wave < WAVES;
        if (serve_for(s, s->children[i].proc, &s->children[i].ops)) {
            begin_failure(s);
            return;
        }
    }
    enter(s, SUPER_RUN);
    proc_step(s->own, PROC_READY, "");
    say_took(s, took, sizeof took);
    text_log(TEXT_INFO, "%u processes are ready after %lu ms%s", ready,
             (now_ns - s->phase_ns) / 1000000, ready < s->count ? "; the standbys follow" : "");
    sd_notifyf(0, "READY=1\nSTATUS=%u processes", s->count);
    if (s->on_ready) s->on_ready(s->context, took);
    start_standbys(s);
}

static void tick_start(struct super *s)
{
    if (!wave_is_ready(s)) return;
    if (s->wave + 1 == WAVES) all_ready(s);
    else if (start_wave(s, s->wave + 1)) begin_failure(s);
}

static void tick_stop(struct super *s)
{
    u64 now_ns = cli_monotonic_ns();
    if (layer_is_gone(s)) {
        if (s->layer == 0) s->phase = SUPER_DONE;
        else stop_layer(s, s->layer - 1);
    } else if (!s->killed_layer && now_ns - s->layer_ns > STOP_NS) {
        for (u32 i = 0; i < s->count; i++)
            if (s->children[i].layer == s->layer && s->children[i].pid)
                text_log(TEXT_WARN, "%s (pid %d) has not stopped in %lu s; killing it",
                         name_of(s, &s->children[i]), s->children[i].pid, STOP_NS / SECOND);
        signal_layer(s, s->layer, SIGKILL);
        s->killed_layer = true;
    }
}

/* --- Deaths and silence ------------------------------------------------------------------------*/

/* How it ended, and what it said last. */
static void obituary(const struct super *s, const struct child *c, const siginfo_t *end, char *text,
                     size_t size)
{
    const char *note = block_of(s, c)->note;
    int n = end->si_code == CLD_EXITED
                ? snprintf(text, size, "%s (pid %d) ended with exit code %d", name_of(s, c), c->pid,
                           end->si_status)
                : snprintf(text, size, "%s (pid %d) was ended by signal %d (%s)", name_of(s, c),
                           c->pid, end->si_status, strsignal(end->si_status));
    if (end->si_code != CLD_EXITED || n >= (int)size) return;
    if (*note) snprintf(text + n, size - (size_t)n, ": %.*s", PROC_NOTE_BYTES - 1, note);
    else if (s->to_files)
        snprintf(text + n, size - (size_t)n, "; why stands in %s/log/%s.log", s->source->dir.s,
                 name_of(s, c));
}

/* How long to wait before it is started again. */
static u64 delay_ns(const struct child *c)
{
    if (c->quick_deaths <= QUICK_FREE) return 0;
    u32 doublings = c->quick_deaths - QUICK_FREE - 1;
    return doublings > 6 ? DELAY_MAX_NS : min_u64(SECOND / 2 << doublings, DELAY_MAX_NS);
}

/* Start who is due, if it may. */
static void start_due(struct super *s, struct child *c)
{
    u64 now_ns = cli_monotonic_ns();
    if (!c->again_ns || now_ns < c->again_ns || !super_may_start(s, c)) return;
    if (spawn(s, c)) {
        text_log(TEXT_ERROR, "%s", err_text());
        c->again_ns = now_ns + SECOND;
    } else if (c->died_ns) {
        metric_add(s->own, METRIC_OPS_RESTARTS, 1);
    }
}

static void bury(struct super *s, struct child *c)
{
    siginfo_t end = {0};
    char text[PROC_NOTE_BYTES + 2 * CONFIG_TEXT_MAX];
    if (waitid(P_PIDFD, (id_t)c->pidfd, &end, WEXITED | WNOHANG) || !end.si_pid) return;
    c = super_notice_takeover(s, c);
    obituary(s, c, &end, text, sizeof text);
    close(c->pidfd); /* which takes it out of epoll */
    c->pid = 0;
    if (s->phase == SUPER_STOP) {
        if (end.si_status) text_log(TEXT_WARN, "%s", text);
        return;
    }
    u64 now_ns = cli_monotonic_ns();
    c->quick_deaths = now_ns - c->started_ns < QUICK_NS ? c->quick_deaths + 1 : 0;
    c->died_ns = now_ns;
    bool gave_up = end.si_code == CLD_EXITED || c->quick_deaths > QUICK_FREE;
    if (super_leave_to_standby(s, c, text)) return;
    if (s->phase == SUPER_START && gave_up && !super_primary_of(s, c)) {
        err_set("%s", text);
        begin_failure(s);
        return;
    }
    u64 delay = delay_ns(c);
    c->again_ns = now_ns + delay + 1;
    if (delay)
        text_log(TEXT_ERROR, "%s; it keeps dying (%u times), next try in %lu.%lu s", text,
                 c->quick_deaths, delay / SECOND, delay / (SECOND / 10) % 10);
    else text_log(TEXT_ERROR, "%s; starting it again", text);
    start_due(s, c);
}

/* Anything that changes while a process is alive and not stuck. */
static u64 sign_of_life(const struct proc_block *b)
{
    return region_hash(b->note, sizeof b->note) ^
           atomic_load_explicit(&b->beat_ns, memory_order_relaxed) ^
           (u64)atomic_load_explicit(&b->state, memory_order_relaxed) << 60;
}

/* Count own ticks, not time: when the whole machine paused, nobody is to blame. */
static void watch_silence(struct super *s, struct child *c)
{
    u64 sign = sign_of_life(block_of(s, c));
    c->silent_ticks = sign == c->last_sign ? c->silent_ticks + 1 : 0;
    c->last_sign = sign;
    bool ready = state_of(s, c) == PROC_READY || state_of(s, c) == PROC_HELD;
    u32 ticks = ready ? HUNG_TICKS : SILENT_TICKS;
    if (ready && super_must_take_over(s, c)) ticks = HEIR_TICKS;
    if (c->silent_ticks < ticks) return;
    c->silent_ticks = 0;
    if (s->phase == SUPER_START) {
        err_set("%s (pid %d) is %s and has shown no sign of life for %lu s; its last note: %s",
                name_of(s, c), c->pid, proc_state_name(state_of(s, c)),
                SILENT_TICKS * (u64)TICK_NS / SECOND, block_of(s, c)->note);
        begin_failure(s);
        return;
    }
    text_log(TEXT_ERROR, "%s (pid %d) hangs: no heartbeat for %lu.%lu s; killing it", name_of(s, c),
             c->pid, ticks * (u64)TICK_NS / SECOND, ticks * (u64)TICK_NS / (SECOND / 10) % 10);
    pidfd_send_signal(c->pidfd, SIGKILL, NULL, 0);
}

/* A process is ready that was not: who was started again, or a standby. */
static void welcome_back(struct super *s, struct child *c)
{
    if (c->ready_ns || !note_ready(s, c)) return;
    if (c->died_ns)
        text_log(TEXT_INFO, "%s is back (pid %d) after %lu ms", name_of(s, c), c->pid,
                 (c->ready_ns - c->died_ns) / 1000000);
    else if (c->wave == WAVES)
        text_log(TEXT_INFO, "%s is ready after %lu ms", name_of(s, c),
                 (c->ready_ns - c->started_ns) / 1000000);
}

/* Start who is due, welcome who is ready, watch who is silent. */
static void tick_children(struct super *s)
{
    for (u32 i = 0; i < s->count && s->phase != SUPER_STOP; i++) {
        struct child *c = super_notice_takeover(s, &s->children[i]);
        start_due(s, c);
        if (!c->pid) continue;
        welcome_back(s, c);
        watch_silence(s, c);
    }
}

/* --- The loop ----------------------------------------------------------------------------------*/

static void beat(struct super *s)
{
    u64 now_ns = cli_monotonic_ns();
    atomic_store_explicit(&s->own->beat_ns, now_ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->own->turns, 1, memory_order_relaxed);
    if (s->watchdog_ns && now_ns >= s->watchdog_ns) {
        u64 every_us = 0;
        sd_notify(0, "WATCHDOG=1");
        sd_watchdog_enabled(0, &every_us);
        s->watchdog_ns = now_ns + every_us * 1000 / 2;
    }
}

/* Count the time since `since_ns`; now. */
static u64 spend(_Atomic u64 *counter, u64 since_ns)
{
    u64 now_ns = cli_monotonic_ns();
    atomic_fetch_add_explicit(counter, now_ns - since_ns, memory_order_relaxed);
    return now_ns;
}

static void take_signal(struct super *s)
{
    struct signalfd_siginfo info;
    if (read(s->signals, &info, sizeof info) != sizeof info) return;
    char why[64];
    snprintf(why, sizeof why, "%s", strsignal((int)info.ssi_signo));
    begin_stop(s, why);
}

static void take_tick(struct super *s)
{
    u64 ticks;
    if (read(s->timer, &ticks, sizeof ticks) != sizeof ticks) return;
    beat(s);
    tls_files_tick(s->tls, cli_monotonic_ns());
    if (s->phase != SUPER_STOP) tick_children(s);
}

/* What need not wait for a tick. */
static void go_on(struct super *s)
{
    if (s->phase == SUPER_START) tick_start(s);
    else if (s->phase == SUPER_STOP) tick_stop(s);
}

static void take_event(struct super *s, const struct epoll_event *event)
{
    if (event->data.ptr == &s->signals) take_signal(s);
    else if (event->data.ptr == &s->timer) take_tick(s);
    else bury(s, event->data.ptr);
}

static int watch_fd(struct super *s, int fd, void *tag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = tag};
    return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) ? err_sys("epoll") : 0;
}

static int prepare(struct super *s)
{
    sigset_t stop;
    u64 watchdog_us;
    _Static_assert(sizeof(sigset_t) <= sizeof s->spare_mask, "room for a sigset_t");
    setenv("EIDOS_SUPERVISED", "1", 1); /* they then end when this process does */
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, (sigset_t *)(void *)s->spare_mask);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->signals = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
    s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct itimerspec every = {.it_interval.tv_nsec = TICK_NS, .it_value.tv_nsec = TICK_NS};
    if (s->epoll < 0 || s->signals < 0 || s->timer < 0 ||
        timerfd_settime(s->timer, 0, &every, NULL))
        return err_sys("setting up the supervisor");
    if (watch_fd(s, s->signals, &s->signals) || watch_fd(s, s->timer, &s->timer)) return -1;
    for (u32 i = 0; i < s->segment->topo.proc_count; i++) {
        u32 role = s->segment->topo.procs[i].role;
        if (order_of[role].wave != NOT_SUPERVISED)
            s->children[s->count++] = (struct child){.proc = i,
                                                     .wave = order_of[role].wave,
                                                     .layer = order_of[role].layer,
                                                     .listener = -1};
    }
    s->watchdog_ns = sd_watchdog_enabled(0, &watchdog_us) > 0 ? 1 : 0;
    s->phase_ns = cli_monotonic_ns();
    return tls_files_open(&s->tls, s->config) || open_listeners(s) ? -1 : 0;
}

int super_run(struct super *s)
{
    struct ops_http *own_ops = NULL;
    struct epoll_event events[16];
    if (prepare(s) || segment_attach(&s->view, s->segment->boot.dir, ROLE_COUNT, 0)) return -1;
    beat(s);
    proc_step(s->own, PROC_STARTING, "");
    if (serve_for(s, (u32)s->segment->self, &own_ops)) return -1;
    if (start_first(s)) begin_failure(s);
    u64 since_ns = cli_monotonic_ns();
    while (s->phase != SUPER_DONE) {
        int wait_ms = s->phase == SUPER_START ? POLL_MS : -1;
        int n = epoll_wait(s->epoll, events, COUNT_OF(events), wait_ms);
        since_ns = spend(&s->own->waited_ns, since_ns);
        for (int i = 0; i < n; i++) take_event(s, &events[i]);
        go_on(s);
        since_ns = spend(&s->own->worked_ns, since_ns);
    }
    for (u32 i = 0; i < s->count; i++) ops_http_stop(s->children[i].ops);
    ops_http_stop(own_ops);
    tls_files_close(s->tls);
    segment_detach(&s->view);
    proc_step(s->own, s->failed ? PROC_FAILED : PROC_STOPPED, NULL);
    close(s->timer);
    close(s->signals);
    close(s->epoll);
    return s->failed ? err_set("%s", s->why) : 0;
}
