/* load_run.c: one plan after the other, one step after the other, and the line of each second. */
#include <string.h>
#include <unistd.h>

#include "cli/load.h"
#include "shm/err.h"

#define GRACE_NS  (10 * LOAD_SECOND) /* for the last answers of a step */
#define WAIT_NS   (LOAD_SECOND / 20)
#define SETTLE_NS (LOAD_SECOND)

/* --- Who the pump talks of ---------------------------------------------------------------------*/

static void opened(void *context, u32 peer)
{
    struct load *l = context;
    if (peer < l->user_count) user_opened(l, peer);
    else sub_opened(l, peer - l->user_count);
}

static size_t got_bytes(void *context, u32 peer, const char *bytes, size_t len, u64 now_ns)
{
    struct load *l = context;
    if (peer < l->user_count) return user_bytes(l, peer, bytes, len);
    return sub_bytes(l, peer - l->user_count, bytes, len, now_ns);
}

static void closed(void *context, u32 peer, const char *why)
{
    struct load *l = context;
    if (peer < l->user_count) user_closed(l, peer, why);
    else sub_closed(l, peer - l->user_count, why);
}

static const struct pump_calls CALLS = {opened, got_bytes, closed};

/* --- A second ----------------------------------------------------------------------------------*/

static void clear(_Atomic u64 *hist, u32 bits)
{
    for (u32 i = 0; i < HIST_WORDS(bits); i++)
        atomic_store_explicit(&hist[i], 0, memory_order_relaxed);
}

static void progress(const struct load *l, const struct load_point *p)
{
    if (!isatty(STDERR_FILENO)) return;
    fprintf(stderr, "\r%4u s  %-8s  %u due, %u answered, p99 %.1f ms, %u errors, %u frames   ",
            l->point_count, l->plan[l->current_plan].step[l->current_step].name, p->due,
            p->answered, p->p99_us / 1000.0, p->errors, p->frames);
}

static void end_second(struct load *l)
{
    struct load_point *p = &l->point;
    p->step = l->current_step;
    p->p50_us = (u32)(hist_quantile(l->second, LOAD_POINT_BITS, 500000) / 1000);
    p->p99_us = (u32)(hist_quantile(l->second, LOAD_POINT_BITS, 990000) / 1000);
    p->max_us = (u32)min_u64(hist_max(l->second) / 1000, UINT32_MAX);
    p->push_p99_us = (u32)(hist_quantile(l->push_second, LOAD_POINT_BITS, 990000) / 1000);
    sample_second(l, p);
    if (l->point_count < LOAD_POINTS_MAX) l->points[l->point_count++] = *p;
    progress(l, p);
    clear(l->second, LOAD_POINT_BITS);
    clear(l->push_second, LOAD_POINT_BITS);
    *p = (struct load_point){0};
}

/* --- A step ------------------------------------------------------------------------------------*/

static void begin_step(struct load *l, u32 step)
{
    const struct load_step *s = &l->plan[l->current_plan].step[step];
    struct load_result *r = &l->results[l->current_plan][step];
    l->current_step = step;
    l->next = 0;
    l->last = (u64)(s->rate * s->seconds + 0.5);
    l->point = (struct load_point){0};
    clear(l->second, LOAD_POINT_BITS);
    clear(l->push_second, LOAD_POINT_BITS);
    for (u32 i = 0; i < l->user_count; i++) l->users[i].step_turn = 0;
    subs_begin(l);
    if (!step) sample_memory(l, true);
    struct load_point unused = {0};
    sample_second(l, &unused); /* so that the first second begins here */
    r->bytes_in = l->pump.bytes_in;
    r->reads = l->pump.reads;
    r->begun_ns = cli_monotonic_ns();
    r->ended_ns = r->begun_ns + (u64)(s->seconds * 1e9);
    l->result = r;
}

/* Everything due was sent, and everything sent was answered. */
static bool is_done(const struct load *l, u64 now_ns)
{
    const struct load_result *r = l->result;
    if (now_ns < r->ended_ns) return false;
    return r->due == r->answered + r->lost || now_ns > r->ended_ns + GRACE_NS;
}

static void end_step(struct load *l, u32 first_point)
{
    struct load_result *r = l->result;
    u64 own = 0, host = 0, n = max_u64(l->point_count - first_point, 1);
    users_abandon(l);
    for (u32 i = first_point; i < l->point_count; i++) {
        own += l->points[i].own_permille;
        host += l->points[i].host_permille;
    }
    r->own_cores = (double)own / 1000.0 / (double)n;
    r->host_share = (double)host / 1000.0 / (double)n;
    r->bytes_in = l->pump.bytes_in - r->bytes_in;
    r->reads = l->pump.reads - r->reads;
    subs_count(l, r);
    sample_memory(l, false);
    l->result = NULL;
}

static void run_step(struct load *l, u32 step)
{
    u32 first_point = l->point_count;
    begin_step(l, step);
    u64 now_ns = l->result->begun_ns, second_ns = now_ns + LOAD_SECOND;
    while (!is_done(l, now_ns) && !l->interrupted) {
        u64 due_ns = users_turn(l, now_ns);
        now_ns = cli_monotonic_ns();
        u64 wait_ns = due_ns > now_ns ? min_u64(due_ns - now_ns, WAIT_NS) : 0;
        pump_turn(&l->pump, wait_ns);
        now_ns = cli_monotonic_ns();
        if (now_ns < second_ns) continue;
        end_second(l);
        second_ns += LOAD_SECOND;
    }
    if (l->point_count == first_point) end_second(l); /* a step shorter than a second */
    end_step(l, first_point);
}

/* --- A plan ------------------------------------------------------------------------------------*/

static u32 users_of(const struct load_plan *p)
{
    u32 most = 0;
    for (u32 s = 0; s < p->steps; s++) most = (u32)max_u64(most, p->step[s].users);
    return most;
}

static int prepare(struct load *l, const struct load_plan *p)
{
    l->sub_count = p->subs[0] + p->subs[1] + p->subs[2];
    if (l->sub_count) l->sub_count += (u32)l->stuck;
    l->subs = calloc(l->sub_count + 1, sizeof *l->subs);
    if (!l->subs) return err_set("memory is short");
    if (pump_open(&l->pump, l->user_count + l->sub_count, l->host, &CALLS, l)) return -1;
    if (slots_sign(l, p) || users_connect(l, users_of(p)) || users_prelude(l, p)) return -1;
    return l->sub_count ? subs_connect(l, p) : 0;
}

int run_plan(struct load *l, u32 plan)
{
    const struct load_plan *p = &l->plan[plan];
    l->current_plan = plan;
    l->current_step = 0;
    l->point_plan[plan] = l->point_count;
    int result = prepare(l, p);
    for (u32 s = 0; s < p->steps && !result && !l->interrupted; s++) run_step(l, s);
    if (!result) {
        u64 until_ns = cli_monotonic_ns() + SETTLE_NS;
        while (cli_monotonic_ns() < until_ns) pump_turn(&l->pump, WAIT_NS);
        l->backlog_end = max_u64(l->backlog_end, sample_backlog(l));
        users_clean_up(l, users_of(p));
    }
    subs_free(l);
    pump_close_all(&l->pump);
    free(l->subs);
    l->subs = NULL;
    if (isatty(STDERR_FILENO)) fputc('\n', stderr);
    return result;
}
