#include "procs/lib/crash.h"

#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "procs/lib/text_log.h"

static struct {
    const char *name;
    const struct segment *segment;
    struct proc_block *own;
    int pipe[2];
} who;

static const struct {
    int number;
    const char *name;
} crashes[] = {
    {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGABRT, "SIGABRT"},
    {SIGILL, "SIGILL"},   {SIGFPE, "SIGFPE"},
};

static void add(char *line, size_t size, const char *text)
{
    size_t used = strlen(line);
    for (; *text && used + 1 < size; text++) line[used++] = *text;
    line[used] = 0;
}

static void add_hex(char *line, size_t size, u64 value)
{
    char digits[19] = "0x";
    for (u32 i = 0; i < 16; i++) digits[2 + i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
    digits[18] = 0;
    add(line, size, digits);
}

/* The mapped region that an address lies in, or NULL. */
static const char *region_at(u64 address, bool *writable)
{
    for (u32 i = 0; i < who.segment->topo.region_count; i++) {
        const struct region *r = &who.segment->regions[i];
        if (!r->head || address - (u64)(uintptr_t)r->head >= r->size) continue;
        *writable = r->writable;
        return who.segment->topo.regions[i].name;
    }
    return NULL;
}

static void say(const char *text, size_t length)
{
    ssize_t written = write(STDERR_FILENO, text, length);
    (void)written;
}

static void say_text(const char *line, void *const *frames, int count)
{
    say(line, strlen(line));
    say("\n", 1);
    backtrace_symbols_fd(frames, count, STDERR_FILENO);
}

/* One object on one line, like all others: the frames go through a pipe to become strings. */
static void say_json(const char *line, void *const *frames, int count)
{
    static char more[32 << 10], symbols[16 << 10];
    bool open = false, any = false;
    backtrace_symbols_fd(frames, count, who.pipe[1]);
    ssize_t n = read(who.pipe[0], symbols, sizeof symbols - 1);
    add(more, sizeof more, ",\"backtrace\":[");
    for (ssize_t i = 0; i < n; i++) {
        char c[2] = {symbols[i], 0};
        bool end = c[0] == '\n';
        if (!end && !open) add(more, sizeof more, any ? ",\"" : "\"");
        if (end && open) add(more, sizeof more, "\"");
        open = !end;
        any = true;
        if (c[0] >= ' ' && c[0] != '"' && c[0] != '\\') add(more, sizeof more, c);
    }
    add(more, sizeof more, open ? "\"]" : "]");
    text_log_dying(line + strlen("eidos-") + strlen(who.name) + strlen(": "), more);
}

static void on_crash(int number, siginfo_t *info, void *context)
{
    char line[PROC_NOTE_BYTES] = "eidos-";
    bool writable = false;
    void *frames[64];
    (void)context;
    add(line, sizeof line, who.name);
    add(line, sizeof line, ": ended by ");
    for (u32 i = 0; i < COUNT_OF(crashes); i++)
        if (crashes[i].number == number) add(line, sizeof line, crashes[i].name);
    if (number != SIGABRT) {
        u64 address = (u64)(uintptr_t)info->si_addr;
        const char *region = region_at(address, &writable);
        add(line, sizeof line, " at address ");
        add_hex(line, sizeof line, address);
        if (region) add(line, sizeof line, ", in region ");
        if (region) add(line, sizeof line, region);
        if (region && !writable) add(line, sizeof line, ", which it may only read");
    }
    memcpy(who.own->note, line, sizeof line);
    atomic_store_explicit(&who.own->state, PROC_FAILED, memory_order_release);
    int count = backtrace(frames, (int)COUNT_OF(frames));
    if (text_log_is_json()) say_json(line, frames, count);
    else say_text(line, frames, count);
    raise(number); /* blocked while we are here; then it takes its course */
}

void crash_report_to(struct proc_block *own)
{
    who.own = own;
}

void crash_report(const char *name, const struct segment *segment, struct proc_block *own)
{
    static u8 stack[64 << 10];
    void *frames[1];
    who.name = name;
    who.segment = segment;
    who.own = own;
    if (text_log_is_json() && pipe2(who.pipe, O_CLOEXEC | O_NONBLOCK))
        who.pipe[0] = who.pipe[1] = -1;
    backtrace(frames, 1); /* the first call loads a library; not in the handler */
    stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alternative, NULL);
    struct sigaction action = {.sa_sigaction = on_crash,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND};
    for (u32 i = 0; i < COUNT_OF(crashes); i++) sigaction(crashes[i].number, &action, NULL);
}
