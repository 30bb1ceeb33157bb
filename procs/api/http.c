#include "procs/api/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "procs/api/answer.h"
#include "procs/api/routes.h"
#include "procs/api/ws.h"
#include "shm/err.h"

/* What one connection may cost: request line and header, about 4 KiB (a browser with its cookies),
 * and the response's header live in it. */
#define CONNECTION_BYTES 8192U
#define CONNECTION_IDLE  75U /* s */

/* In a turn: MHD queues the answer of a resumed connection in one, sends it in the next, and finds
 * in a third that there is nothing more to read. */
#define LOOKS 3U

typedef enum MHD_Result result;

/* The request line arrived: `uri` is path and query as sent. What this returns is *con_cls of the
 * handler. NULL: the pool is empty, the handler answers 503 without a request. */
static void *on_target(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct api *a = cls;
    struct request *r = request_take(a);
    if (!r) return NULL;
    r->connection = connection;
    r->state = REQUEST_READING;
    size_t len = strlen(uri);
    r->text_len = len < TARGET_MAX ? (u32)len : 0; /* 0: too long, answered 414 */
    memcpy(r->text, uri, r->text_len);
    r->begun_ns = a->now_ns;
    return r;
}

/* The path reaches handlers as it was sent: it is what a wallet signs. */
static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls, (void)connection;
    return strlen(text);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode why)
{
    (void)connection, (void)why;
    if (*con_cls) request_free(cls, *con_cls);
    *con_cls = NULL;
}

static result queue_answer(struct request *r)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(r->answer_len, r->answer, MHD_RESPMEM_MUST_FREE);
    if (!response) return MHD_NO;
    r->answer = NULL;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, r->content_type);
    if (r->retry_after_s) {
        char text[16];
        snprintf(text, sizeof text, "%u", r->retry_after_s);
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, text);
    }
    if (r->too_large) /* the rest of the body is not read */
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    result done = MHD_queue_response(r->connection, r->status, response);
    MHD_destroy_response(response);
    return done;
}

/* A refusal with a status of HTTP's own (404, 405, 413, 414) instead of its code's. */
static result refuse(struct api *a, struct request *r, u16 status, const struct problem *p)
{
    answer_problem(a, r, p, NULL, 0);
    r->status = status;
    return queue_answer(r);
}

static result refuse_large(struct api *a, struct request *r)
{
    struct problem p;
    problem_set(&p, CODE_INVALID_PARAMS, "body", NULL, "the body may have up to %lu bytes",
                a->config->api.body_max);
    r->too_large = true;
    return refuse(a, r, MHD_HTTP_CONTENT_TOO_LARGE, &p);
}

static const char *header(const struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

/* The header is complete; a body may follow. */
static result begin(struct api *a, struct request *r, const char *method, const char *version)
{
    struct problem p;
    u16 status;
    r->method = method_of(method);
    if (!r->text_len) {
        problem_set(&p, CODE_INVALID_PARAMS, "path", NULL, "path and query are too long");
        return refuse(a, r, MHD_HTTP_URI_TOO_LONG, &p);
    }
    if (!strcmp(version, MHD_HTTP_VERSION_1_1) && !header(r, MHD_HTTP_HEADER_HOST)) {
        problem_set(&p, CODE_INVALID_PARAMS, "Host", NULL, "HTTP/1.1 wants a Host header");
        return refuse(a, r, MHD_HTTP_BAD_REQUEST, &p);
    }
    if (ws_wants_upgrade(r)) return ws_upgrade(a, r) ? MHD_NO : MHD_YES;
    const char *length = header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    u64 bytes = length ? strtoull(length, NULL, 10) : 0;
    if (bytes > a->config->api.body_max) return refuse_large(a, r);
    if (route_find(a, r, &status, &p)) return refuse(a, r, status, &p);
    r->authorization = header(r, MHD_HTTP_HEADER_AUTHORIZATION);
    if (bytes) {
        r->body = malloc(bytes);
        if (!r->body) return MHD_NO;
        r->body_room = (u32)bytes;
    }
    return MHD_YES;
}

/* Part of the body; one without a length (chunked) grows up to the limit. */
static void add_body(struct api *a, struct request *r, const char *data, size_t size)
{
    u64 need = (u64)r->body_len + size;
    if (r->too_large) return;
    if (need > a->config->api.body_max) {
        r->too_large = true;
        return;
    }
    if (need > r->body_room) {
        u64 room = min_u64(max_u64(2 * need, 1024), a->config->api.body_max);
        char *body = realloc(r->body, room);
        CHECK(body);
        r->body = body;
        r->body_room = (u32)room;
    }
    memcpy(r->body + r->body_len, data, size);
    r->body_len = (u32)need;
}

/* The whole request is here. */
static result handle(struct api *a, struct request *r)
{
    struct problem p;
    u16 status;
    if (r->too_large) return refuse_large(a, r);
    /* a->target was overwritten when other requests came between header and body */
    if (route_find(a, r, &status, &p)) return refuse(a, r, status, &p);
    r->state = REQUEST_ASKED;
    route_run(a, r);
    if (r->state == REQUEST_DONE) return queue_answer(r);
    r->suspended = true;
    MHD_suspend_connection(r->connection);
    return MHD_YES;
}

/* No request to hold the state: the pool is empty. */
static result refuse_bare(struct MHD_Connection *connection)
{
    static char TEXT[] = "{\"code\":20002,\"message\":\"Service unavailable\",\"data\":"
                         "{\"detail\":\"too many requests at once\",\"retry_after\":1}}";
    struct MHD_Response *response =
        MHD_create_response_from_buffer(sizeof TEXT - 1, TEXT, MHD_RESPMEM_PERSISTENT);
    if (!response) return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    result done = MHD_queue_response(connection, MHD_HTTP_SERVICE_UNAVAILABLE, response);
    MHD_destroy_response(response);
    return done;
}

/* Called by MHD when the header is there, for each piece of the body, at its end, and again when a
 * suspended connection goes on. */
static result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                         const char *method, const char *version, const char *upload_data,
                         size_t *upload_data_size, void **con_cls)
{
    (void)url;
    struct api *a = cls;
    struct request *r = *con_cls;
    if (!r) return refuse_bare(connection);
    if (r->state == REQUEST_DONE) return queue_answer(r);
    if (!r->begun) {
        r->begun = true;
        return begin(a, r, method, version);
    }
    if (*upload_data_size) {
        add_body(a, r, upload_data, *upload_data_size);
        *upload_data_size = 0;
        return MHD_YES;
    }
    return handle(a, r);
}

void http_answered(struct api *a, struct request *r)
{
    if (!r->suspended) return;
    r->suspended = false;
    MHD_resume_connection(r->connection);
    a->resumed = true;
}

static int listen_address(const struct config *config, u16 port, struct sockaddr_storage *at)
{
    struct sockaddr_in *v4 = (void *)at;
    struct sockaddr_in6 *v6 = (void *)at;
    memset(at, 0, sizeof *at);
    if (inet_pton(AF_INET, config->api.listen.s, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
    } else if (inet_pton(AF_INET6, config->api.listen.s, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
    } else {
        return err_set("api.listen = %s is no IPv4 or IPv6 address", config->api.listen.s);
    }
    return 0;
}

static void log_nothing(void *cls, const char *format, va_list args)
{
    (void)cls, (void)format, (void)args; /* what clients do wrong is answered, not logged */
}

int http_start(struct api *a)
{
    struct sockaddr_storage at;
    u16 port = a->config->api.port ? (u16)(a->config->api.port + a->instance) : 0;
    if (listen_address(a->config, port, &at)) return -1;
    unsigned flags =
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG;
    if (at.ss_family == AF_INET6) flags |= MHD_USE_IPv6;
    a->http = MHD_start_daemon(
        flags, port, NULL, NULL, on_request, a, MHD_OPTION_EXTERNAL_LOGGER, log_nothing, NULL,
        MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_URI_LOG_CALLBACK, on_target, a,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        a, MHD_OPTION_CONNECTION_LIMIT, (unsigned)a->config->api.connections_max,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
        CONNECTION_IDLE, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U, MHD_OPTION_LISTEN_BACKLOG_SIZE,
        1024U, MHD_OPTION_END);
    if (!a->http)
        return err_sys("listening on %s port %u (api.listen, api.port; is another instance "
                       "running?)",
                       a->config->api.listen.s, port);
    const union MHD_DaemonInfo *bound = MHD_get_daemon_info(a->http, MHD_DAEMON_INFO_BIND_PORT);
    const union MHD_DaemonInfo *epoll = MHD_get_daemon_info(a->http, MHD_DAEMON_INFO_EPOLL_FD);
    CHECK(bound && epoll);
    atomic_store_explicit(&a->block->port, bound->port, memory_order_relaxed);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(a->epoll, EPOLL_CTL_ADD, epoll->epoll_fd, &event))
        return err_sys("waiting for connections");
    return 0;
}

static void count_connections(struct api *a)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(a->http, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    a->counted_ns = a->now_ns;
    if (info) metric_set(a->block, METRIC_API_CONNECTIONS, info->num_connections);
}

/* One look of MHD at all that is ready. */
static void look(struct api *a)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;
    a->resumed = false;
    MHD_run(a->http);
    a->http_again = MHD_get_timeout(a->http, &wait_ms) == MHD_YES && wait_ms == 0;
}

void http_turn(struct api *a)
{
    a->http_ns = a->now_ns;
    if (a->now_ns - a->counted_ns > NS_PER_S) count_connections(a);
    look(a);
    for (u32 i = 1; i < LOOKS && (a->resumed || a->http_again); i++) look(a);
}

void http_stop(struct api *a)
{
    if (!a->http) return;
    MHD_socket listener = MHD_quiesce_daemon(a->http);
    while (!link_empty(&a->waiting)) {
        struct request *r = LINK_OF(a->waiting.next, struct request, by_age);
        link_remove(&r->by_age);
        link_remove(&r->by_seq);
        answer_code(a, r, CODE_UNAVAILABLE, 1000);
    }
    http_turn(a);
    http_turn(a);
    MHD_stop_daemon(a->http);
    if (listener >= 0) close(listener);
    a->http = NULL;
}
