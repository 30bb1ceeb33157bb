#include "procs/lib/ops_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <string.h>
#include <time.h>

#include "procs/lib/json.h"
#include "procs/lib/metrics_text.h"
#include "shm/err.h"

#define CONNECTIONS_MAX 32U
#define TIMEOUT_S       5U

struct ops_http {
    const struct segment *segment;
    u32 proc;
    u32 port;
    struct MHD_Daemon *daemon;
    char answer[METRICS_TEXT_BYTES]; /* one thread serves: one answer at a time */
};

static const struct proc_block *block_of(const struct segment *s, u32 proc)
{
    return segment_proc(s, s->topo.procs[proc].role, s->topo.procs[proc].instance);
}

/* --- Health ------------------------------------------------------------------------------------
 */

/* A note may be in change: a copy is not. */
static void put_note(struct json_out *out, const char *note)
{
    char copy[PROC_NOTE_BYTES];
    memcpy(copy, note, sizeof copy);
    json_put_key(out, "note"), json_put_string(out, copy, strnlen(copy, sizeof copy));
}

int ops_health(const struct segment *s, u32 proc, bool ready, u64 now_ns, char *out, size_t size)
{
    const struct proc_block *p = block_of(s, proc);
    u32 state = atomic_load_explicit(&p->state, memory_order_acquire);
    bool beats = proc_is_beating(p, now_ns) && state != PROC_FAILED && state != PROC_STOPPED;
    bool ok = beats && (!ready || state == PROC_READY);
    struct json_out json;
    json_out_init(&json, out, size - 1);
    json_put_open(&json, '{');
    json_put_key(&json, "status"), json_put_cstring(&json, ok ? "ok" : "failed");
    json_put_key(&json, "process"), json_put_cstring(&json, s->topo.procs[proc].name);
    json_put_key(&json, "checks"), json_put_open(&json, '{');
    json_put_key(&json, "heartbeat"), json_put_cstring(&json, beats ? "ok" : "missed");
    if (ready) json_put_key(&json, "state"), json_put_cstring(&json, proc_state_name(state));
    if (!ok && p->note[0]) put_note(&json, p->note);
    json_put_close(&json, '}');
    json_put_close(&json, '}');
    out[json.len] = 0;
    return ok ? 200 : 503;
}

/* --- HTTP --------------------------------------------------------------------------------------
 */

static enum MHD_Result answer(struct MHD_Connection *c, u32 status, const char *type,
                              const char *body, size_t length)
{
    struct MHD_Response *r =
        MHD_create_response_from_buffer(length, ptr_at(body, 0), MHD_RESPMEM_MUST_COPY);
    if (!r) return MHD_NO;
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    enum MHD_Result result = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *c, u32 status, const char *body)
{
    return answer(c, status, "application/json", body, strlen(body));
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_size, void **request)
{
    struct ops_http *http = context;
    struct timespec t;
    (void)version, (void)data, (void)request;
    if (*data_size) { /* a body is of no interest */
        *data_size = 0;
        return MHD_YES;
    }
    bool get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    if (!get) return answer_text(c, 405, "{\"status\":\"failed\",\"message\":\"use GET\"}\n");
    clock_gettime(CLOCK_MONOTONIC, &t);
    u64 now_ns = (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec;
    bool ready = strcmp(url, "/health/ready") == 0;
    if (ready || strcmp(url, "/health/live") == 0) {
        int status =
            ops_health(http->segment, http->proc, ready, now_ns, http->answer, sizeof http->answer);
        return answer_text(c, (u32)status, http->answer);
    }
    if (strcmp(url, "/metrics") == 0) {
        /* The supervisor's tell of all: one place to ask, also about those that are dead. */
        bool all = http->segment->topo.procs[http->proc].role == ROLE_OPS;
        int n = metrics_text(http->segment, all ? METRICS_ALL : (int)http->proc, now_ns,
                             http->answer, sizeof http->answer);
        if (n < 0) return answer_text(c, 500, "{\"status\":\"failed\"}\n");
        return answer(c, 200, "text/plain; version=0.0.4; charset=utf-8", http->answer, (size_t)n);
    }
    return answer_text(c, 404,
                       "{\"status\":\"failed\",\"message\":\"there are /health/live, /health/ready "
                       "and /metrics\"}\n");
}

static bool parse_address(const char *listen, u32 port, struct sockaddr_storage *address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, listen, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((u16)port);
        return true;
    }
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((u16)port);
    return inet_pton(AF_INET6, listen, &v6->sin6_addr) == 1;
}

struct ops_http *ops_http_start(const struct segment *s, u32 proc, const char *listen, u32 port)
{
    struct sockaddr_storage address;
    if (port > 65535 || !parse_address(listen, port, &address)) {
        err_set("ops: cannot listen at %s port %u: not an address and port", listen, port);
        return NULL;
    }
    struct ops_http *http = calloc(1, sizeof *http);
    CHECK(http);
    http->segment = s;
    http->proc = proc;
    u32 flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;
    if (address.ss_family == AF_INET6) flags |= MHD_USE_IPv6;
    http->daemon =
        MHD_start_daemon(flags, (u16)port, NULL, NULL, on_request, http, MHD_OPTION_SOCK_ADDR,
                         &address, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
                         MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S, MHD_OPTION_END);
    if (!http->daemon) {
        err_sys("ops: listening at %s port %u (ops.port of another exchange?)", listen, port);
        free(http);
        return NULL;
    }
    http->port = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return http;
}

u32 ops_http_port(const struct ops_http *http)
{
    return http->port;
}

void ops_http_stop(struct ops_http *http)
{
    if (!http) return;
    MHD_stop_daemon(http->daemon);
    free(http);
}
