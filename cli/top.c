/* top.c: eidosctl top: the terminal. Plain ANSI on the alternate screen; a frame is one write that
 * overwrites the one before line by line, so nothing flickers, over ssh neither. However it ends,
 * the terminal is as it was. */
#include "cli/top.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "shm/err.h"

#define FRAME_BYTES (TOP_LINES_MAX * (TOP_LINE_BYTES + 8))

static struct termios before_us;
static bool on_screen, keys;
static volatile sig_atomic_t asked_to_end, asked_to_stop, resized;

static void on_signal(int signal)
{
    if (signal == SIGTSTP) asked_to_stop = 1;
    else if (signal == SIGWINCH) resized = 1;
    else asked_to_end = signal;
}

static void say(const char *text, size_t length)
{
    while (length) {
        ssize_t n = write(STDOUT_FILENO, text, length);
        if (n < 0 && errno != EINTR && errno != EAGAIN) {
            asked_to_end = SIGPIPE;
            return;
        }
        if (n > 0) text += n, length -= (size_t)n;
    }
}

/* Alternate screen, no cursor, no line wrap; keys come one by one and unseen. */
static void enter_screen(void)
{
    static const char text[] = "\033[?1049h\033[?25l\033[?7l\033[2J";
    keys = tcgetattr(STDIN_FILENO, &before_us) == 0;
    if (keys) {
        struct termios raw = before_us;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    say(text, sizeof text - 1);
    on_screen = true;
}

static void leave_screen(void)
{
    static const char text[] = "\033[?7h\033[?25h\033[?1049l";
    if (!on_screen) return;
    on_screen = false;
    say(text, sizeof text - 1);
    if (keys) tcsetattr(STDIN_FILENO, TCSANOW, &before_us);
}

static void handle_signals(void)
{
    static const int all[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH};
    struct sigaction act = {.sa_handler = on_signal};
    for (u32 i = 0; i < COUNT_OF(all); i++) sigaction(all[i], &act, NULL);
    signal(SIGPIPE, SIG_IGN); /* a terminal that is gone shows as a failed write */
}

/* Ctrl-Z: give the terminal back, stop, and take it again when continued. */
static void stop_here(void)
{
    asked_to_stop = 0;
    leave_screen();
    raise(SIGSTOP);
    enter_screen();
}

static void size_of_screen(u32 *rows, u32 *columns)
{
    struct winsize w;
    *rows = 24, *columns = 80;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row && w.ws_col)
        *rows = w.ws_row > 2 ? w.ws_row : 2, *columns = w.ws_col;
}

/* One write: each line ends with "clear to its end", the last with "clear below". */
static void draw(const struct top_frame *f, u32 from, u32 rows, u32 columns, const char *last)
{
    static char out[FRAME_BYTES];
    size_t n = (size_t)snprintf(out, sizeof out, "\033[H");
    u32 lines = (u32)min_u64(f->count, rows - 1);
    for (u32 k = 0; k < lines; k++) {
        u32 i = k < TOP_PINNED ? k : k + from;
        if (i >= f->count) break;
        bool heading = i == 0 || (i > 0 && !f->line[i - 1][0]);
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%.*s%s\033[K\r\n",
                              heading ? "\033[1m" : "", (int)columns, f->line[i],
                              heading ? "\033[0m" : "");
    }
    n += (size_t)snprintf(out + n, sizeof out - n, "\033[2m%.*s\033[0m\033[K\033[J", (int)columns,
                          last);
    say(out, n);
}

/* What was typed and not taken yet. */
static char typed[64];
static size_t typed_count;

/* Take one key: itself, or j, k, J, K, g for arrows, pages and Home; 0 = one that means nothing. */
static char take_key(void)
{
    bool escape = typed_count >= 3 && typed[0] == '\033' && (typed[1] == '[' || typed[1] == 'O');
    char key = typed[0];
    size_t used = 1;
    if (escape) {
        static const char codes[] = "ABH156", keys_of[] = "kjggKJ";
        const char *code = strchr(codes, typed[2]);
        key = keys_of[code ? (size_t)(code - codes) : sizeof keys_of - 1];
        used = typed_count > 3 && typed[3] == '~' ? 4 : 3;
    }
    typed_count -= used;
    memmove(typed, typed + used, typed_count);
    return key;
}

/* Wait until `until_ns`; 'q' when it shall end, another key, or 0. */
static char wait_for_key(u64 until_ns)
{
    struct pollfd in = {.fd = keys ? STDIN_FILENO : -1, .events = POLLIN};
    if (typed_count && !asked_to_end) return take_key();
    while (!asked_to_end && !asked_to_stop && !resized) {
        u64 now_ns = cli_monotonic_ns();
        if (now_ns >= until_ns) return 0;
        int ready = poll(&in, 1, (int)((until_ns - now_ns) / 1000000) + 1);
        ssize_t n = ready > 0 ? read(STDIN_FILENO, typed, sizeof typed) : 0;
        if (n > 0) typed_count = (size_t)n;
        if (n > 0) return take_key();
        if (ready > 0) keys = false, in.fd = -1; /* the keyboard is gone */
    }
    return asked_to_end ? 'q' : 0;
}

/* --- Following one exchange after another ------------------------------------------------------
 */

struct top {
    struct cli cli;
    struct segment segment;
    bool attached;
    struct top_sample samples[2], *before, *now;
    struct top_frame frame;
    u64 every_ns;
    u32 scroll; /* lines behind the head that are passed over */
};

static void swap_samples(struct top *t)
{
    struct top_sample *older = t->before;
    t->before = t->now;
    t->now = older;
}

/* Keep to the exchange that runs; when it ends, wait for the next one in its directory. */
static bool follow(struct top *t)
{
    struct boot boot;
    const char *dir = t->cli.source.dir.s;
    bool alive = segment_boot(dir, &boot) == 0 && segment_is_alive(&boot);
    if (t->attached && alive && boot.created_ns == t->segment.boot.created_ns) return true;
    if (t->attached) segment_detach(&t->segment);
    t->attached = alive && segment_attach(&t->segment, dir, ROLE_COUNT, 0) == 0;
    if (!t->attached) return false;
    top_look(&t->segment, t->now);
    memcpy(t->before, t->now, sizeof *t->now);
    return true;
}

/* The head stays, the rest scrolls; where nothing is scrolled, a bit of everything is shown. */
static void show(struct top *t, bool paused)
{
    u32 rows, columns;
    char last[CONFIG_TEXT_MAX + 80];
    size_of_screen(&rows, &columns);
    if (t->attached) {
        top_frame(&t->frame, &t->segment, t->before, t->now, t->scroll ? 0 : rows - 1);
        t->scroll = (u32)min_u64(t->scroll, t->frame.count > rows ? t->frame.count - rows + 1 : 0);
        snprintf(last, sizeof last, "q quit, space %s, arrows scroll; every %lu.%lu s",
                 paused ? "go on" : "pause", t->every_ns / 1000000000UL,
                 t->every_ns / 100000000UL % 10);
    } else {
        t->frame.count = 0;
        snprintf(last, sizeof last, "no exchange is running in %s; waiting for one. q quit",
                 t->cli.source.dir.s);
    }
    draw(&t->frame, t->scroll, rows, columns, last);
}

static void scroll(struct top *t, char key)
{
    u32 page = key == 'J' || key == 'K' ? 10 : 1;
    if (key == 'j' || key == 'J') t->scroll += page;
    if (key == 'k' || key == 'K') t->scroll -= (u32)min_u64(page, t->scroll);
    if (key == 'g') t->scroll = 0;
}

static int on_terminal(struct top *t)
{
    bool paused = false;
    handle_signals();
    enter_screen();
    u64 next_ns = cli_monotonic_ns();
    while (!asked_to_end) {
        if (asked_to_stop) stop_here();
        bool due = cli_monotonic_ns() >= next_ns;
        if (due) next_ns = cli_monotonic_ns() + t->every_ns;
        if (due && !paused && follow(t)) {
            swap_samples(t);
            top_look(&t->segment, t->now);
        }
        resized = 0;
        show(t, paused);
        char key = wait_for_key(next_ns);
        if (key == 'q' || key == 'Q' || key == 3) break;
        if (key == ' ') paused = !paused;
        scroll(t, key);
    }
    leave_screen();
    return CLI_OK;
}

/* Plain lines or JSON, for scripts and pipes: one frame, or one after another until it is ended. */
static int on_paper(struct top *t, bool json, bool once)
{
    do {
        struct timespec nap = {.tv_sec = (time_t)(t->every_ns / 1000000000UL),
                               .tv_nsec = (long)(t->every_ns % 1000000000UL)};
        struct boot boot;
        nanosleep(&nap, NULL);
        if (segment_boot(t->cli.source.dir.s, &boot) || !segment_is_alive(&boot) ||
            boot.created_ns != t->segment.boot.created_ns)
            return cli_fail(&t->cli, CLI_DOWN, "the exchange has stopped");
        swap_samples(t);
        top_look(&t->segment, t->now);
        if (json) {
            top_json(&t->segment, t->before, t->now);
        } else {
            top_frame(&t->frame, &t->segment, t->before, t->now, 0);
            for (u32 i = 0; i < t->frame.count; i++) puts(t->frame.line[i]);
        }
    } while (fflush(stdout) == 0 && !once);
    return CLI_OK;
}

int cmd_top(int argc, char **argv)
{
    static struct top t;
    u64 every_ms;
    int result = cli_parse(&t.cli, argc, argv);
    if (result) return result;
    if (!cli_number(&t.cli, "--every", 100, 3600000, 1000, &every_ms)) return CLI_USAGE;
    t.every_ns = every_ms * 1000000UL;
    t.now = &t.samples[0];
    t.before = &t.samples[1];
    bool json = cli_value(&t.cli, "--json"), once = cli_value(&t.cli, "--once");
    if ((result = cli_attach(&t.cli, &t.segment, ROLE_COUNT))) return result;
    t.attached = true;
    top_look(&t.segment, t.now);
    memcpy(t.before, t.now, sizeof *t.now);
    if (json || once || !isatty(STDOUT_FILENO)) return on_paper(&t, json, once || !json);
    return on_terminal(&t);
}
