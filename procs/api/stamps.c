#include "procs/api/stamps.h"

#include "procs/lib/clock.h"

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

void stamp_done(struct api *a, const struct request *r)
{
    u64 now_ns = clock_mono();
    metric_record(a->block, METRIC_API_REQUEST, r->begun_ns, now_ns);
    if (r->replied_ns) metric_record(a->block, METRIC_HOP_REPLY, r->replied_ns, now_ns);
    if (r->replied_ns && r->is_order)
        metric_record(a->block, METRIC_API_ORDER, r->begun_ns, now_ns);
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
