/* load_text.c: the report for a terminal. */
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/load.h"

static double ms(const _Atomic u64 *hist, u32 ppm)
{
    return (double)hist_quantile(hist, LOAD_BITS, ppm) / 1e6;
}

static void print_head(const struct load *l, FILE *out)
{
    struct utsname u;
    uname(&u);
    fprintf(out, "eidosctl load %s, %s\n", cli_build(), l->started);
    fprintf(out, "%s, %u markets; generator on %s, %ld cores, %s %s\n", l->host, l->market_count,
            l->local ? "the same host" : "another process than it knows of",
            sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release);
    if (l->inline_signatures) fprintf(out, "signatures: made when sent\n");
    else
        fprintf(out, "signatures: %lu made ahead in %.1f s (cancels are signed when sent)\n",
                l->signature_count, l->signing_seconds);
    if (l->scale != 1 || l->time != 1 || l->rate != 1)
        fprintf(out,
                "scaled: users and connections x %g, time x %g, rates x %g; the list below judges "
                "this run\n",
                l->scale, l->time, l->rate);
    if (l->interrupted) fprintf(out, "INTERRUPTED: what was not sent is missing\n");
}

static void print_step(const struct load_step *s, const struct load_result *r, FILE *out)
{
    fprintf(out,
            "  %-8s %6u %9.0f %10.0f %8.0f %8.2f %8.2f %8.2f %8.2f %7lu %8.2f %7.2f %6.0f %%%s\n",
            s->name, s->users, s->rate, accept_rate(r), s->seconds, ms(r->latency, 500000),
            ms(r->latency, 990000), ms(r->latency, 999000), (double)hist_max(r->latency) / 1e6,
            r->errors + r->unsent, ms(r->late, 990000), r->own_cores, r->host_share * 100,
            accept_is_void(r) ? "  VOID: the generator was late" : "");
}

static void print_codes(const struct load_plan *p, const struct load_result *r, FILE *out)
{
    if (r->unsent) fprintf(out, "    %lu were due and could not be sent in time\n", r->unsent);
    for (u32 i = 0; i < r->codes; i++) {
        const struct load_code *c = &r->code[i];
        if (!c->http)
            fprintf(out, "    %lu without an answer: the connection ended or took too long\n",
                    c->count);
        else
            fprintf(out, "    %lu answered with HTTP %u, code %d: %s\n", c->count, c->http, c->code,
                    c->fault ? "an error" : "a rule of trading, no error");
    }
    if (p->scenario != 2) return;
    fprintf(out, "    sent:");
    for (u32 i = 0; i < SLOT_KINDS; i++)
        fprintf(out, "%s %s %.1f %%", i ? ";" : "", plan_slot_name(i),
                r->sent ? 100.0 * (double)r->by_slot[i] / (double)r->sent : 0);
    u64 takers = r->by_slot[SLOT_TAKE] + r->by_slot[SLOT_MARKET];
    fprintf(out, "\n    filled in full at once: %.1f %% of what takes\n",
            takers ? 100.0 * (double)r->filled / (double)takers : 0);
}

static void print_pushes(const struct load_plan *p, const struct load_step *s,
                         const struct load_result *r, FILE *out)
{
    u64 all = 0;
    fprintf(out, "  %-12s %11s %12s %10s %22s %9s %8s %8s\n", "channel", "connections", "frames",
            "frames/s", "a connection, frames/s", "p50 ms", "p99 ms", "max ms");
    for (u32 k = 0; k < SUB_KINDS; k++) {
        if (!p->subs[k]) continue;
        all += r->frames[k];
        fprintf(out, "  %-12s %11u %12lu %10.0f %13.1f to %6.1f %9.1f %8.1f %8.1f\n",
                plan_sub_name(k), p->subs[k], r->frames[k], (double)r->frames[k] / s->seconds,
                (double)r->frames_min[k] / s->seconds, (double)r->frames_max[k] / s->seconds,
                ms(r->push[k], 500000), ms(r->push[k], 990000), (double)hist_max(r->push[k]) / 1e6);
    }
    fprintf(out,
            "    %lu frames in all, %.0f/s, %.1f in one read; %lu gaps in sequences, %lu snapshots "
            "again, %lu connections lost\n",
            all, (double)all / s->seconds, r->reads ? (double)all / (double)r->reads : 0, r->gaps,
            r->snapshots, r->lost_subs);
}

static void print_plan(const struct load *l, u32 plan, FILE *out)
{
    const struct load_plan *p = &l->plan[plan];
    fprintf(out, "\nScenario %u, %s\n", p->scenario, p->title);
    fprintf(out, "  %-8s %6s %9s %10s %8s %8s %8s %8s %8s %7s %8s %7s %8s\n", "step", "users",
            "target/s", "reached/s", "seconds", "p50 ms", "p99 ms", "p99.9", "max", "errors",
            "late p99", "own CPU", "host CPU");
    for (u32 i = 0; i < p->steps; i++) {
        const struct load_result *r = &l->results[plan][i];
        if (!r->begun_ns) continue;
        print_step(&p->step[i], r, out);
        print_codes(p, r, out);
        if (p->subs[0] + p->subs[1] + p->subs[2]) print_pushes(p, &p->step[i], r, out);
    }
}

static void print_procs(const struct load *l, FILE *out)
{
    double seconds = l->point_count ? l->point_count : 1, hertz = (double)sysconf(_SC_CLK_TCK);
    if (!l->proc_count) return;
    fprintf(out, "\nProcesses of the exchange; memory during the last scenario\n");
    fprintf(out, "  %-12s %8s %16s %16s\n", "name", "cores", "private MiB", "grown by MiB");
    for (u32 i = 0; i < l->proc_count; i++) {
        const struct load_proc *p = &l->procs[i];
        fprintf(out, "  %-12s %8.2f %16.1f %+16.1f\n", p->name,
                (double)p->cpu_ticks / hertz / seconds, (double)p->last_bytes / 1048576,
                (double)((i64)p->last_bytes - (i64)p->first_bytes) / 1048576);
    }
}

void report_text(const struct load *l, FILE *out)
{
    static const char boxes[] = {'x', ' ', '~', '-'};
    struct load_item items[LOAD_ITEMS];
    print_head(l, out);
    for (u32 i = 0; i < l->plans; i++) print_plan(l, i, out);
    print_procs(l, out);
    if (l->warnings) fputc('\n', out);
    for (u32 i = 0; i < l->warnings; i++) fprintf(out, "note: %s\n", l->warning[i]);
    fprintf(out, "\nAcceptance (operations guide, 5.4)\n");
    for (u32 i = 0, n = accept_list(l, items); i < n; i++)
        fprintf(out, "  [%c] %-42s %s%s%s\n", boxes[items[i].verdict], items[i].text,
                items[i].verdict == LOAD_UNKNOWN ? "not measured: " : "", items[i].detail,
                items[i].verdict == LOAD_SHORT ? " (not ticked)" : "");
}
