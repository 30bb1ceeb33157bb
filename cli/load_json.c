/* load_json.c: the report for programs. Times are in milliseconds, shares in [0, 1]. */
#include <string.h>
#include <unistd.h>

#include "cli/load.h"

static json_t *quantiles(const _Atomic u64 *h)
{
    static const struct {
        const char *name;
        u32 ppm;
    } rows[] = {{"p50", 500000}, {"p90", 900000},   {"p95", 950000},
                {"p99", 990000}, {"p99_9", 999000}, {"p99_99", 999900}};
    json_t *o = json_pack("{s:I, s:f, s:f}", "count", (json_int_t)hist_count(h), "mean",
                          (double)hist_mean(h) / 1e6, "max", (double)hist_max(h) / 1e6);
    for (u32 i = 0; i < COUNT_OF(rows); i++)
        json_object_set_new(o, rows[i].name,
                            json_real((double)hist_quantile(h, LOAD_BITS, rows[i].ppm) / 1e6));
    return o;
}

static json_t *codes(const struct load_result *r)
{
    json_t *list = json_array();
    for (u32 i = 0; i < r->codes; i++)
        json_array_append_new(list, json_pack("{s:i, s:i, s:b, s:I}", "http", r->code[i].http,
                                              "code", r->code[i].code, "error", r->code[i].fault,
                                              "count", (json_int_t)r->code[i].count));
    return list;
}

static json_t *sent(const struct load_result *r)
{
    json_t *o = json_object();
    for (u32 i = 0; i < SLOT_KINDS; i++)
        json_object_set_new(o, plan_slot_name(i), json_integer((json_int_t)r->by_slot[i]));
    return o;
}

static json_t *pushes(const struct load_plan *p, const struct load_step *s,
                      const struct load_result *r)
{
    json_t *list = json_array();
    for (u32 k = 0; k < SUB_KINDS; k++)
        if (p->subs[k])
            json_array_append_new(
                list, json_pack("{s:s, s:i, s:f, s:I, s:f, s:f, s:f, s:o}", "channel",
                                plan_sub_name(k), "connections", p->subs[k], "target_rate",
                                p->push_rate[k], "frames", (json_int_t)r->frames[k],
                                "frames_per_second", (double)r->frames[k] / s->seconds, "rate_min",
                                (double)r->frames_min[k] / s->seconds, "rate_max",
                                (double)r->frames_max[k] / s->seconds, "latency_ms",
                                quantiles(r->push[k])));
    return json_pack("{s:o, s:I, s:I, s:I, s:I}", "channels", list, "gaps", (json_int_t)r->gaps,
                     "snapshots_again", (json_int_t)r->snapshots, "lost", (json_int_t)r->lost_subs,
                     "reads", (json_int_t)r->reads);
}

static json_t *step(const struct load_plan *p, const struct load_step *s,
                    const struct load_result *r)
{
    json_t *o = json_pack("{s:s, s:i, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "name",
                          s->name, "users", s->users, "target_rate", s->rate, "reached_rate",
                          accept_rate(r), "seconds", s->seconds, "due", (json_int_t)r->due, "sent",
                          (json_int_t)r->sent, "answered", (json_int_t)r->answered, "accepted",
                          (json_int_t)r->accepted, "refused", (json_int_t)r->refused, "errors",
                          (json_int_t)r->errors, "unsent", (json_int_t)r->unsent);
    json_object_set_new(o, "latency_ms", quantiles(r->latency));
    json_object_set_new(o, "late_ms", quantiles(r->late));
    json_object_set_new(o, "void", json_boolean(accept_is_void(r)));
    json_object_set_new(o, "generator_cores", json_real(r->own_cores));
    json_object_set_new(o, "host_cpu", json_real(r->host_share));
    json_object_set_new(o, "codes", codes(r));
    json_object_set_new(o, "sent_by_kind", sent(r));
    json_object_set_new(o, "filled_at_once", json_integer((json_int_t)r->filled));
    if (p->subs[0] + p->subs[1] + p->subs[2]) json_object_set_new(o, "pushes", pushes(p, s, r));
    return o;
}

static json_t *seconds(const struct load *l, u32 from, u32 to)
{
    json_t *list = json_array();
    for (u32 i = from; i < to; i++) {
        const struct load_point *p = &l->points[i];
        json_array_append_new(
            list,
            json_pack("{s:i, s:i, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I}",
                      "step", p->step, "due", p->due, "answered", p->answered, "errors", p->errors,
                      "frames", p->frames, "p50_ms", p->p50_us / 1e3, "p99_ms", p->p99_us / 1e3,
                      "max_ms", p->max_us / 1e3, "push_p99_ms", p->push_p99_us / 1e3,
                      "generator_cores", p->own_permille / 1e3, "host_cpu", p->host_permille / 1e3,
                      "host_memory", p->memory_permille / 1e3, "exchange_bytes",
                      (json_int_t)p->exchange_bytes, "backlog_bytes", (json_int_t)p->backlog));
    }
    return list;
}

static json_t *scenarios(const struct load *l)
{
    json_t *list = json_array();
    for (u32 i = 0; i < l->plans; i++) {
        json_t *steps = json_array();
        u32 to = i + 1 < l->plans && l->point_plan[i + 1] ? l->point_plan[i + 1] : l->point_count;
        for (u32 s = 0; s < l->plan[i].steps; s++)
            if (l->results[i][s].begun_ns)
                json_array_append_new(steps,
                                      step(&l->plan[i], &l->plan[i].step[s], &l->results[i][s]));
        json_array_append_new(list,
                              json_pack("{s:i, s:s, s:o, s:o}", "scenario", l->plan[i].scenario,
                                        "title", l->plan[i].title, "steps", steps, "seconds",
                                        seconds(l, l->point_plan[i], to)));
    }
    return list;
}

static json_t *processes(const struct load *l)
{
    json_t *list = json_array();
    double span = (double)max_u64(l->point_count, 1) * (double)sysconf(_SC_CLK_TCK);
    for (u32 i = 0; i < l->proc_count; i++) {
        const struct load_proc *p = &l->procs[i];
        json_array_append_new(list, json_pack("{s:s, s:f, s:I, s:I}", "name", p->name, "cores",
                                              (double)p->cpu_ticks / span, "private_bytes_before",
                                              (json_int_t)p->first_bytes, "private_bytes_after",
                                              (json_int_t)p->last_bytes));
    }
    return list;
}

static json_t *acceptance(const struct load *l)
{
    struct load_item items[LOAD_ITEMS];
    json_t *list = json_array();
    for (u32 i = 0, n = accept_list(l, items); i < n; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:b, s:s, s:s}", "item", items[i].text, "ticked",
                                        items[i].verdict == LOAD_PASS, "verdict",
                                        accept_word(items[i].verdict), "detail", items[i].detail));
    return list;
}

json_t *report_json(const struct load *l)
{
    json_t *notes = json_array();
    for (u32 i = 0; i < l->warnings; i++) json_array_append_new(notes, json_string(l->warning[i]));
    return json_pack(
        "{s:s, s:s, s:s, s:b, s:i, s:i, s:f, s:f, s:f, s:s, s:I, s:f, s:b, s:o, s:o, s:I, s:I, "
        "s:I, s:I, s:o, s:o}",
        "build", cli_build(), "started", l->started, "address", l->host, "local", l->local, "cores",
        (int)sysconf(_SC_NPROCESSORS_ONLN), "markets", l->market_count, "scale", l->scale, "time",
        l->time, "rate", l->rate, "signatures", l->inline_signatures ? "inline" : "ahead",
        "signatures_made_ahead", (json_int_t)l->signature_count, "signing_seconds",
        l->signing_seconds, "interrupted", l->interrupted, "scenarios", scenarios(l), "processes",
        processes(l), "restarts", (json_int_t)l->crashes, "memory_kills", (json_int_t)l->ooms,
        "backlog_bytes_most", (json_int_t)l->backlog_most, "backlog_bytes_end",
        (json_int_t)l->backlog_end, "acceptance", acceptance(l), "notes", notes);
}
