/* load_plan.c: the scenarios of the operations guide, 5.3, as data. */
#include <string.h>

#include "cli/load.h"
#include "shm/err.h"

/* What rests is what is taken: 1 x 3 units = 1 x 3 units. */
static const u8 placing[] = {SLOT_REST, SLOT_TAKE};

/* 40 % limit orders that match, 40 % that rest, 10 % market orders, 10 % cancels. Three of the four
 * that rest are taken, 3 x 5 units = 5 x 3 units; the fourth is what the cancel is for. */
static const u8 matching[] = {SLOT_REST, SLOT_TAKE, SLOT_REST,   SLOT_TAKE, SLOT_DEEP,
                              SLOT_TAKE, SLOT_REST, SLOT_MARKET, SLOT_TAKE, SLOT_CANCEL};

static const struct load_plan guide[] = {
    {.scenario = 1,
     .title = "placing orders",
     .cycle = placing,
     .cycle_len = COUNT_OF(placing),
     .rest_units = 3,
     .take_units = 3,
     .steps = 6,
     .step = {{"warm-up", 10, 100, 300},
              {"step 1", 50, 500, 600},
              {"step 2", 100, 1000, 600},
              {"step 3", 200, 2000, 600},
              {"peak", 500, 5000, 300},
              {"steady", 200, 2000, 1800}}},
    /* The guide gives the mix; the rate is its target for one engine (5.1). */
    {.scenario = 2,
     .title = "matching",
     .cycle = matching,
     .cycle_len = COUNT_OF(matching),
     .rest_units = 5,
     .take_units = 3,
     .steps = 1,
     .step = {{"mix", 1000, 10000, 600}}},
    /* Markets change more often than they are pushed, as busy ones do: each frame carries what is
     * newest. With ten markets, tickers ten times a second are 100 frames a second. */
    {.scenario = 3,
     .title = "WebSocket fan-out",
     .cycle = placing,
     .cycle_len = COUNT_OF(placing),
     .rest_units = 3,
     .take_units = 3,
     .subs = {10000, 5000, 1000},
     .push_rate = {100, 50, 0},
     .steps = 1,
     .step = {{"fan-out", 100, 500, 600}}},
};

const char *plan_sub_name(u32 kind)
{
    static const char *const names[SUB_KINDS] = {"ticker.*", "depth.*.20", "orders"};
    return names[kind];
}

const char *plan_slot_name(u32 slot)
{
    static const char *const names[SLOT_KINDS] = {
        "limit, rests", "limit, matches", "limit, rests to be cancelled", "market", "cancel"};
    return names[slot];
}

u64 plan_count(const struct load_step *s, u32 user)
{
    u64 all = (u64)(s->rate * s->seconds + 0.5);
    return user < s->users ? all / s->users + (user < all % s->users) : 0;
}

static u32 scaled(u32 n, double factor)
{
    double x = (double)n * factor + 0.5;
    return n && x < 1 ? 1 : (u32)x;
}

/* "users:rate:seconds,..." in place of the table. */
static int read_steps(struct load_plan *p, const char *text)
{
    const char *at = text;
    for (p->steps = 0; *at; p->steps++) {
        struct load_step *s = &p->step[p->steps];
        int used = 0;
        if (p->steps == LOAD_STEPS_MAX) return err_set("--steps: at most %u", LOAD_STEPS_MAX);
        if (sscanf(at, "%u:%lf:%lf%n", &s->users, &s->rate, &s->seconds, &used) != 3 ||
            s->users < 1 || s->users > LOAD_USERS_MAX || !(s->rate > 0 && s->rate <= 1e6) ||
            !(s->seconds > 0 && s->seconds <= 1e6))
            return err_set("--steps: `%s` is not users:rate:seconds, such as 200:2000:60", at);
        s->name = "as asked";
        at += used;
        if (*at == ',') at++;
        else if (*at) return err_set("--steps: a comma should stand before `%s`", at);
    }
    return p->steps ? 0 : err_set("--steps is empty");
}

static int make_one(struct load *l, struct load_plan *p, const char *steps)
{
    if (steps && read_steps(p, steps)) return -1;
    for (u32 i = 0; i < p->steps && !steps; i++) {
        bool users = p->scenario != 3; /* there, connections are scaled, not who sends */
        p->step[i].users = scaled(p->step[i].users, users ? l->scale : 1);
        p->step[i].rate *= (users ? l->scale : 1) * l->rate;
        p->step[i].seconds *= l->time;
    }
    for (u32 k = 0; k < SUB_KINDS; k++) {
        p->subs[k] = scaled(p->subs[k], l->scale);
        p->push_rate[k] *= l->rate;
    }
    for (u32 i = 0; i < p->steps; i++)
        if (p->step[i].users > LOAD_USERS_MAX || p->step[i].rate * p->step[i].seconds > 4e8)
            return err_set("step %u has more than %u users or 400 million requests", i + 1,
                           LOAD_USERS_MAX);
    if (p->subs[0] + p->subs[1] + p->subs[2] > LOAD_SUBS_MAX)
        return err_set("that would be more than %u WebSockets", LOAD_SUBS_MAX);
    return 0;
}

int plan_make(struct load *l, const char *which, const char *steps)
{
    bool all = strcmp(which, "all") == 0;
    for (u32 i = 0; i < COUNT_OF(guide); i++) {
        char number[2] = {(char)('0' + guide[i].scenario), '\0'};
        if (!all && strcmp(which, number) != 0) continue;
        l->plan[l->plans] = guide[i];
        if (make_one(l, &l->plan[l->plans++], steps)) return -1;
    }
    if (!l->plans) return err_set("scenario %s: expected 1, 2, 3 or all", which);
    if (steps && l->plans > 1) return err_set("--steps goes with one scenario, not with all");
    for (u32 i = 0; i < l->plans; i++) {
        l->results[i] = calloc(l->plan[i].steps, sizeof *l->results[i]);
        if (!l->results[i]) return err_set("memory is short");
    }
    l->points = calloc(LOAD_POINTS_MAX, sizeof *l->points);
    return l->points ? 0 : err_set("memory is short");
}
