#include "procs/api/stamps.h"

#include "procs/lib/clock.h"
#include "procs/lib/text_log.h"

#define WARNINGS_PER_S 10U

void stamp_new(struct api *a, struct request *r)
{
    r->trace = (struct trace_id){a->boot_ns, (u64)a->instance << 48 | ++a->named};
}

/* Printable ASCII without blanks, of a length that fits. */
static bool is_clean(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] > '~') return false;
    return length && length < REQUEST_ID_MAX;
}

void stamp_name(struct request *r, const struct http_parse *p, const char *bytes)
{
    struct http_piece parent = p->value[HTTP_TRACEPARENT], id = p->value[HTTP_REQUEST_ID];
    struct trace_id trace;
    if (is_clean(bytes + id.at, id.len)) {
        memcpy(r->request_id, bytes + id.at, id.len);
        r->request_id[id.len] = '\0';
        r->trace = trace_id_of(r->request_id, id.len);
    }
    if (trace_id_of_parent(bytes + parent.at, parent.len, &trace)) {
        r->has_parent = true;
        r->trace = trace;
    }
}

void stamp_headers(struct json_out *o, const struct request *r)
{
    char id[TRACE_ID_TEXT], text[STAMP_HEADERS];
    trace_id_format(r->trace, id);
    int n =
        snprintf(text, sizeof text, "\r\nX-Request-Id: %s", *r->request_id ? r->request_id : id);
    if (r->has_parent)
        n += snprintf(text + n, sizeof text - (size_t)n, "\r\ntraceparent: 00-%s-%016lx-01", id,
                      r->begun_ns | 1); /* the span: this request; never zero */
    json_put_raw(o, text, (size_t)n);
}

void stamp_asked(struct api *a, struct request *r, struct msg *m)
{
    m->sent_ns = clock_mono();
    metric_record(a->block, METRIC_HOP_SOCKET, r->begun_ns, m->sent_ns);
    r->asked_ns = m->sent_ns;
    r->asked_id = m->request;
    r->is_order = m->kind == MSG_ORDER;
}

void stamp_replied(struct request *r, const struct msg *m)
{
    r->replied_ns = m->sent_ns;
}

/* Microseconds between two stamps; 0 when either is missing. */
static u64 span_us(u64 from_ns, u64 to_ns)
{
    return from_ns && to_ns > from_ns ? (to_ns - from_ns) / 1000 : 0;
}

/* At most a few warnings a second: a stuck disk makes every request slow. */
static bool may_warn(struct api *a)
{
    if (a->now_ns - a->warned_ns >= NS_PER_S) {
        a->warned_ns = a->now_ns;
        a->warnings = 0;
    }
    return ++a->warnings <= WARNINGS_PER_S;
}

/* All at debug; those that failed or took long as warnings, with where the time went. */
static void log_request(struct api *a, const struct request *r, u64 now_ns)
{
    u64 slow_ns = a->config->logging.slow_request_ns;
    bool slow = slow_ns && now_ns - r->begun_ns > slow_ns, failed = r->status >= 500;
    enum text_level level = slow || failed ? TEXT_WARN : TEXT_DEBUG;
    if (!text_log_wants(level) || (level == TEXT_WARN && !may_warn(a))) return;
    static const char *const methods[] = {
        [METHOD_GET] = "GET", [METHOD_POST] = "POST", [METHOD_DELETE] = "DELETE"};
    char path[TARGET_MAX];
    bool http = r->connection && r->method < COUNT_OF(methods);
    snprintf(path, sizeof path, "%.*s", (int)r->text_len, r->text);
    const struct text_field fields[] = {
        {"method", http ? methods[r->method] : "-", 0},
        {"path", r->connection ? path : "/ws", 0},
        {"status", NULL, r->status},
        {"took_us", NULL, span_us(r->begun_ns, now_ns)},
        {"socket_us", NULL, span_us(r->begun_ns, r->asked_ns)},
        {"core_us", NULL, span_us(r->asked_ns, r->replied_ns)},
        {"reply_us", NULL, span_us(r->replied_ns, now_ns)},
        {"sequence", NULL, r->seq},
    };
    text_log_fields(level, &r->trace, fields, COUNT_OF(fields), "%s",
                    failed ? "request failed"
                    : slow ? "request was slow"
                           : "request");
}

void stamp_done(struct api *a, const struct request *r)
{
    u64 now_ns = clock_mono();
    metric_record(a->block, METRIC_API_REQUEST, r->begun_ns, now_ns);
    if (r->replied_ns) metric_record(a->block, METRIC_HOP_REPLY, r->replied_ns, now_ns);
    if (r->replied_ns && r->is_order)
        metric_record(a->block, METRIC_API_ORDER, r->begun_ns, now_ns);
    log_request(a, r, now_ns);
    if (!r->asked_id && r->status < 500) return; /* reads come by the thousand */
    struct trace_entry e = {.kind = TRACE_REQUEST,
                            .key = r->asked_id,
                            .t = {r->begun_ns, r->asked_ns, r->replied_ns, now_ns},
                            .seq = r->seq,
                            .id = {r->trace.high, r->trace.low},
                            .value = r->status};
    trace_put(a->trace, &e);
}

void stamp_pushed(struct api *a, const struct rec *rec, u32 sockets)
{
    u64 now_ns = clock_mono();
    struct trace_entry e = {
        .kind = TRACE_PUSHED, .key = rec->seq, .t = {a->now_ns, now_ns}, .value = sockets};
    metric_record(a->block, METRIC_HOP_PUSH, metric_mono_of(a->trading, rec->time_ns), now_ns);
    trace_put(a->trace, &e);
}
