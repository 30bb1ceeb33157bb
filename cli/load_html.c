/* load_html.c: the report as one page that needs nothing else: styles and plots (SVG) are in it,
 * and no script. Light or dark as the reader's system is. */
#include <math.h>
#include <string.h>

#include "cli/load.h"

#define WIDTH      860.0
#define HEIGHT     240.0
#define LEFT       64.0
#define RIGHT      40.0
#define TOP        28.0
#define BOTTOM     34.0
#define SERIES_MAX 16U
#define DOTS_MAX   430U /* points of a line: two pixels each */

static const char *const colours[] = {"#3b7dd8", "#d9534f", "#4a9d5b", "#b8860b",
                                      "#8a63d2", "#2aa198", "#d33682", "#6c757d"};

static const char style[] =
    ":root{color-scheme:light dark;--fg:#1c2330;--bg:#fff;--line:#d5dae2;--soft:#f4f6f9}"
    "@media(prefers-color-scheme:dark){:root{--fg:#e3e7ee;--bg:#14181f;--line:#39414d;--soft:"
    "#1d232c}}"
    "body{font:15px/1.5 system-ui,sans-serif;color:var(--fg);background:var(--bg);"
    "max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "h1{font-size:1.5rem}h2{margin-top:2.5rem;font-size:1.2rem}"
    "table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}"
    "td,th{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:right}"
    "td:first-child,th:first-child,td.l{text-align:left}.wide{overflow-x:auto}"
    "ul.list{list-style:none;padding:0}ul.list li{padding:.3rem .6rem;margin:.2rem 0;"
    "background:var(--soft);border-left:4px solid var(--line)}"
    "li.pass{border-color:#4a9d5b!important}li.fail{border-color:#d9534f!important}"
    "svg{max-width:100%;height:auto;margin:.6rem 0}svg text{fill:currentColor;font-size:11px}"
    "svg .grid{stroke:var(--line)}svg polyline{fill:none;stroke-width:1.6}"
    ".void{color:#d9534f;font-weight:600}";

/* Text with what HTML gives a meaning replaced. */
static void put(FILE *out, const char *text)
{
    for (; *text; text++)
        if (*text == '<') fputs("&lt;", out);
        else if (*text == '>') fputs("&gt;", out);
        else if (*text == '&') fputs("&amp;", out);
        else if (*text == '"') fputs("&quot;", out);
        else fputc(*text, out);
}

/* --- Plots -------------------------------------------------------------------------------------*/

/* Lines over one axis; values are asked for one by one. */
struct plot {
    const char *title, *unit;
    double x_most;    /* x is in [0, x_most] */
    bool log;         /* of y */
    u32 series, dots; /* dots of each line */
    const char *name[SERIES_MAX];
    double (*value)(const struct plot *p, u32 series, u32 dot); /* NAN: none */
    double (*x)(const struct plot *p, u32 dot);
    const char *(*x_label)(u32 tick, double *at); /* NULL ends; `at` in [0, x_most] */
    const struct load *load;
    u32 plan, from, to; /* points */
};

static double y_most(const struct plot *p)
{
    double most = 0;
    for (u32 s = 0; s < p->series; s++)
        for (u32 d = 0; d < p->dots; d++) {
            double v = p->value(p, s, d);
            if (!isnan(v) && v > most) most = v;
        }
    if (p->log) return pow(10, ceil(log10(most > 0.1 ? most : 0.1)));
    double unit = pow(10, floor(log10(most > 1e-9 ? most : 1)));
    double steps = ceil(most / unit * 2) / 2;
    return (steps > 0 ? steps : 1) * unit;
}

/* Height of a value; a logarithmic axis begins at 0.01. */
static double y_of(const struct plot *p, double value, double most)
{
    double share =
        p->log ? (log10(value > 0.01 ? value : 0.01) + 2) / (log10(most) + 2) : value / most;
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
}

static double x_of(const struct plot *p, double x)
{
    return LEFT + x / (p->x_most > 0 ? p->x_most : 1) * (WIDTH - LEFT - RIGHT);
}

static void put_grid(const struct plot *p, double most, FILE *out)
{
    u32 lines = p->log ? (u32)(log10(most) + 2.5) : 4;
    for (u32 i = 0; i <= lines; i++) {
        double value = p->log ? pow(10, (double)i - 2) : most * i / lines;
        double y = y_of(p, value, most);
        fprintf(out,
                "<line class=\"grid\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
                LEFT, WIDTH - RIGHT, y, y, LEFT - 6, y + 4, value);
    }
    double at = 0;
    for (u32 i = 0; i < 12; i++) {
        char seconds[24];
        const char *label = p->x_label ? p->x_label(i, &at) : seconds;
        if (!p->x_label) {
            if (i > 6) break;
            at = p->x_most * i / 6;
            snprintf(seconds, sizeof seconds, "%.0f s", at);
        }
        if (!label) break;
        fprintf(out, "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">%s</text>\n", x_of(p, at),
                HEIGHT - BOTTOM + 16, label);
    }
}

static void put_line(const struct plot *p, u32 s, double most, FILE *out)
{
    bool open = false;
    for (u32 d = 0; d < p->dots; d++) {
        double v = p->value(p, s, d);
        if (isnan(v)) continue;
        if (!open)
            fprintf(out, "<polyline stroke=\"%s\"%s points=\"", colours[s % 8],
                    s < 8 ? "" : " stroke-dasharray=\"5 3\"");
        open = true;
        fprintf(out, "%.1f,%.1f ", x_of(p, p->x(p, d)), y_of(p, v, most));
    }
    if (open) fputs("\"/>\n", out);
}

static void put_plot(const struct plot *p, FILE *out)
{
    double most = y_most(p), x = LEFT;
    fprintf(out, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
    put(out, p->title);
    fputs("\">\n<text x=\"0\" y=\"14\" font-weight=\"600\">", out);
    put(out, p->title);
    fprintf(out, " (%s)</text>\n", p->unit);
    put_grid(p, most, out);
    for (u32 s = 0; s < p->series; s++) {
        put_line(p, s, most, out);
        fprintf(out,
                "<rect x=\"%.0f\" y=\"%.0f\" width=\"9\" height=\"9\" fill=\"%s\"/>"
                "<text x=\"%.0f\" y=\"%.0f\">",
                x, HEIGHT - 10, colours[s % 8], x + 13, HEIGHT - 2);
        put(out, p->name[s]);
        fputs("</text>\n", out);
        x += 26 + 6.4 * (double)strlen(p->name[s]);
    }
    fputs("</svg>\n", out);
}

/* --- Over time ---------------------------------------------------------------------------------*/

/* The largest of the seconds that a dot stands for. */
static double most_of(const struct plot *p, u32 dot, double (*of)(const struct load_point *, u32),
                      u32 series)
{
    u32 count = p->to - p->from;
    u32 from = p->from + (u32)((u64)dot * count / p->dots);
    u32 to = p->from + (u32)((u64)(dot + 1) * count / p->dots);
    double most = 0;
    for (u32 i = from; i < to; i++) most = fmax(most, of(&p->load->points[i], series));
    return most;
}

static double second_of(const struct plot *p, u32 dot)
{
    return ((double)dot + 0.5) * p->x_most / p->dots;
}

static double rate_at(const struct load_point *p, u32 series)
{
    return series == 0 ? p->due : series == 1 ? p->answered : p->errors;
}

static double latency_at(const struct load_point *p, u32 series)
{
    return (series == 0 ? p->p50_us : series == 1 ? p->p99_us : p->max_us) / 1000.0;
}

static double push_at(const struct load_point *p, u32 series)
{
    (void)series;
    return p->push_p99_us / 1000.0;
}

static double frames_at(const struct load_point *p, u32 series)
{
    (void)series;
    return p->frames;
}

static double memory_at(const struct load_point *p, u32 series)
{
    (void)series;
    return (double)p->exchange_bytes / 1048576;
}

static double cores_at(const struct load_point *p, u32 series)
{
    return (series == 0 ? p->own_permille : p->proc_permille[series - 1]) / 1000.0;
}

static double value_rate(const struct plot *p, u32 s, u32 d)
{
    return most_of(p, d, rate_at, s);
}
static double value_latency(const struct plot *p, u32 s, u32 d)
{
    return most_of(p, d, latency_at, s);
}
static double value_push(const struct plot *p, u32 s, u32 d)
{
    return most_of(p, d, push_at, s);
}
static double value_frames(const struct plot *p, u32 s, u32 d)
{
    return most_of(p, d, frames_at, s);
}
static double value_memory(const struct plot *p, u32 s, u32 d)
{
    return most_of(p, d, memory_at, s);
}
static double value_cores(const struct plot *p, u32 s, u32 d)
{
    return most_of(p, d, cores_at, s);
}

static void plots_of_time(const struct load *l, struct plot base, bool pushes, FILE *out)
{
    struct plot p = base;
    p.title = "requests each second", p.unit = "1/s", p.series = 3, p.value = value_rate;
    p.name[0] = "due", p.name[1] = "answered", p.name[2] = "errors";
    put_plot(&p, out);
    p.title = "latency of requests, from when they were due", p.unit = "ms", p.log = true;
    p.value = value_latency, p.name[0] = "p50", p.name[1] = "p99", p.name[2] = "max";
    put_plot(&p, out);
    p.series = 1;
    if (pushes) {
        p.title = "latency of pushes", p.value = value_push, p.name[0] = "p99";
        put_plot(&p, out);
        p.log = false;
        p.title = "frames received", p.unit = "1/s", p.value = value_frames, p.name[0] = "frames";
        put_plot(&p, out);
    }
    p.log = false;
    p.title = "processor time", p.unit = "cores", p.value = value_cores;
    p.name[0] = "generator";
    for (u32 i = 0; i < l->proc_count && p.series < SERIES_MAX; i++)
        p.name[p.series++] = l->procs[i].name;
    put_plot(&p, out);
    p.title = "private memory of the exchange", p.unit = "MiB", p.value = value_memory;
    p.series = l->proc_count ? 1 : 0, p.name[0] = "all processes";
    if (p.series) put_plot(&p, out);
}

/* --- By percentile -----------------------------------------------------------------------------*/

/* x counts nines: 0 = 0 %, 1 = 90 %, 2 = 99 %. */
#define NINES     5.0
#define NINE_DOTS 100U

static double nines_of(const struct plot *p, u32 dot)
{
    (void)p;
    return NINES * dot / NINE_DOTS;
}

static const char *nines_label(u32 tick, double *at)
{
    static const char *const labels[] = {"0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"};
    *at = tick;
    return tick < COUNT_OF(labels) ? labels[tick] : NULL;
}

static double at_nines(const _Atomic u64 *hist, u32 dot)
{
    double share = 1 - pow(10, -NINES * dot / NINE_DOTS);
    double needed = 1 / (1 - share); /* values, for this to mean something */
    if ((double)hist_count(hist) < needed) return NAN;
    return (double)hist_quantile(hist, LOAD_BITS, (u32)(share * 1e6)) / 1e6;
}

static double value_step(const struct plot *p, u32 s, u32 d)
{
    return at_nines(p->load->results[p->plan][s].latency, d);
}

static double value_channel(const struct plot *p, u32 s, u32 d)
{
    return at_nines(p->load->results[p->plan][0].push[s], d);
}

static void plots_of_share(const struct load *l, u32 plan, bool pushes, FILE *out)
{
    struct plot p = {.title = "latency of requests by percentile",
                     .unit = "ms",
                     .x_most = NINES,
                     .log = true,
                     .series = l->plan[plan].steps,
                     .dots = NINE_DOTS + 1,
                     .value = value_step,
                     .x = nines_of,
                     .x_label = nines_label,
                     .load = l,
                     .plan = plan};
    for (u32 s = 0; s < p.series; s++) p.name[s] = l->plan[plan].step[s].name;
    put_plot(&p, out);
    if (!pushes) return;
    p.title = "latency of pushes by percentile";
    p.series = SUB_KINDS;
    p.value = value_channel;
    for (u32 k = 0; k < SUB_KINDS; k++) p.name[k] = plan_sub_name(k);
    put_plot(&p, out);
}

/* --- Tables ------------------------------------------------------------------------------------*/

static double ms(const _Atomic u64 *hist, u32 ppm)
{
    return (double)hist_quantile(hist, LOAD_BITS, ppm) / 1e6;
}

static void put_steps(const struct load *l, u32 plan, FILE *out)
{
    fputs("<div class=\"wide\"><table><tr><th>step</th><th>users</th><th>target/s</th>"
          "<th>reached/s</th><th>seconds</th><th>p50 ms</th><th>p99 ms</th><th>p99.9 ms</th>"
          "<th>max ms</th><th>errors</th><th>generator late, p99 ms</th><th>generator, cores</th>"
          "<th>host CPU</th></tr>\n",
          out);
    for (u32 i = 0; i < l->plan[plan].steps; i++) {
        const struct load_step *s = &l->plan[plan].step[i];
        const struct load_result *r = &l->results[plan][i];
        if (!r->begun_ns) continue;
        fprintf(out,
                "<tr><td>%s</td><td>%u</td><td>%.0f</td><td>%.0f</td><td>%.0f</td><td>%.2f</td>"
                "<td>%.2f</td><td>%.2f</td><td>%.2f</td><td>%lu</td><td%s>%.2f</td><td>%.2f</td>"
                "<td>%.0f %%</td></tr>\n",
                s->name, s->users, s->rate, accept_rate(r), s->seconds, ms(r->latency, 500000),
                ms(r->latency, 990000), ms(r->latency, 999000), (double)hist_max(r->latency) / 1e6,
                r->errors + r->unsent, accept_is_void(r) ? " class=\"void\"" : "",
                ms(r->late, 990000), r->own_cores, r->host_share * 100);
    }
    fputs("</table></div>\n", out);
}

static void put_channels(const struct load *l, u32 plan, FILE *out)
{
    const struct load_plan *p = &l->plan[plan];
    const struct load_result *r = &l->results[plan][0];
    fputs("<table><tr><th>channel</th><th>connections</th><th>frames</th><th>frames/s</th>"
          "<th>p50 ms</th><th>p99 ms</th><th>max ms</th></tr>\n",
          out);
    for (u32 k = 0; k < SUB_KINDS; k++)
        fprintf(out,
                "<tr><td>%s</td><td>%u</td><td>%lu</td><td>%.0f</td><td>%.1f</td><td>%.1f</td>"
                "<td>%.1f</td></tr>\n",
                plan_sub_name(k), p->subs[k], r->frames[k],
                (double)r->frames[k] / p->step[0].seconds, ms(r->push[k], 500000),
                ms(r->push[k], 990000), (double)hist_max(r->push[k]) / 1e6);
    fprintf(out, "</table><p>%lu gaps in sequences, %lu WebSockets lost.</p>\n", r->gaps,
            r->lost_subs);
}

static void put_plan(const struct load *l, u32 plan, FILE *out)
{
    const struct load_plan *p = &l->plan[plan];
    bool pushes = p->subs[0] + p->subs[1] + p->subs[2] > 0;
    u32 to =
        plan + 1 < l->plans && l->point_plan[plan + 1] ? l->point_plan[plan + 1] : l->point_count;
    u32 count = to - l->point_plan[plan];
    struct plot base = {.x_most = count,
                        .dots = (u32)min_u64(count, DOTS_MAX),
                        .x = second_of,
                        .load = l,
                        .plan = plan,
                        .from = l->point_plan[plan],
                        .to = to};
    fprintf(out, "<h2>Scenario %u, %s</h2>\n", p->scenario, p->title);
    if (!count) return;
    put_steps(l, plan, out);
    if (pushes) put_channels(l, plan, out);
    plots_of_share(l, plan, pushes, out);
    plots_of_time(l, base, pushes, out);
}

void report_html(const struct load *l, FILE *out)
{
    static const char *const marks[] = {"&#9745;", "&#9744;", "&#9744;", "&#8211;"};
    struct load_item items[LOAD_ITEMS];
    fprintf(out,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"/>"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>"
            "<title>eidosctl load, %s</title><style>%s</style></head>\n<body>\n<h1>Load report</h1>"
            "\n<p>eidosctl load %s, %s, against ",
            l->started, style, cli_build(), l->started);
    put(out, l->host);
    fprintf(
        out,
        ". Users and connections x %g, time x %g, rates x %g; signatures %s. Open loop: latency "
        "is counted from when a request was due.</p>\n<h2>Acceptance (operations guide, 5.4)"
        "</h2>\n<ul class=\"list\">\n",
        l->scale, l->time, l->rate, l->inline_signatures ? "made when sent" : "made ahead");
    for (u32 i = 0, n = accept_list(l, items); i < n; i++) {
        fprintf(out, "<li class=\"%s\">%s ",
                items[i].verdict == LOAD_PASS   ? "pass"
                : items[i].verdict == LOAD_FAIL ? "fail"
                                                : "",
                marks[items[i].verdict]);
        put(out, items[i].text);
        fprintf(out, ": <em>%s</em>; ", accept_word(items[i].verdict));
        put(out, items[i].detail);
        fputs("</li>\n", out);
    }
    fputs("</ul>\n", out);
    for (u32 i = 0; i < l->warnings; i++) {
        fputs("<p>Note: ", out);
        put(out, l->warning[i]);
        fputs("</p>\n", out);
    }
    for (u32 i = 0; i < l->plans; i++) put_plan(l, i, out);
    fputs("</body>\n</html>\n", out);
}
