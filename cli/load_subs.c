/* load_subs.c: WebSocket subscribers: they ask once and then count what they are told.
 *
 *   connecting --opened--> upgrading --101--> asking --subscribed--> ready
 *
 * Push latency is from the event's own time in the frame (when trading stamped what happened, whole
 * milliseconds, rounded down) to when the bytes were read here, by the same host's clock; so it is
 * up to 1 ms more than the truth, never less. */
#include <errno.h>
#include <string.h>

#include "cli/load.h"
#include "procs/lib/client/ws.h"
#include "shm/err.h"

#define AT_ONCE    256U /* connections that are not ready yet */
#define CONNECT_NS (180 * LOAD_SECOND)

enum { STATE_CLOSED, STATE_CONNECTING, STATE_UPGRADING, STATE_ASKING, STATE_READY };

static void say(struct load *l, u32 sub, u8 opcode, const char *text, size_t len)
{
    char frame[4096 + CLIENT_WS_HEAD];
    CHECK(len <= 4096);
    size_t n = client_ws_frame(opcode, text, len, &l->mask, frame);
    pump_send(&l->pump, l->user_count + sub, frame, n);
}

static void subscribe(struct load *l, u32 sub)
{
    char text[256];
    struct json_out out;
    json_out_init(&out, text, sizeof text);
    json_put_open(&out, '{');
    json_put_key(&out, "type"), json_put_cstring(&out, "subscribe");
    json_put_key(&out, "id"), json_put_u64(&out, 1);
    json_put_key(&out, "channels"), json_put_open(&out, '[');
    json_put_cstring(&out, plan_sub_name(l->subs[sub].kind));
    json_put_close(&out, ']');
    json_put_close(&out, '}');
    say(l, sub, CLIENT_WS_TEXT, out.at, out.len);
}

/* A wallet's own channel needs to know whose it is. */
static void authenticate(struct load *l, u32 sub)
{
    char text[1024];
    struct json_out out;
    json_out_init(&out, text, sizeof text);
    json_put_open(&out, '{');
    json_put_key(&out, "type"), json_put_cstring(&out, "auth");
    json_put_key(&out, "id"), json_put_u64(&out, 0);
    json_put_key(&out, "params");
    client_put_auth(&out, &l->domain, &l->users[l->subs[sub].user].wallet, cli_unix_ns() / 1000000);
    json_put_close(&out, '}');
    say(l, sub, CLIENT_WS_TEXT, out.at, out.len);
}

void sub_opened(struct load *l, u32 sub)
{
    char text[512];
    size_t n = client_ws_upgrade(l->host, text, sizeof text);
    l->subs[sub].state = STATE_UPGRADING;
    pump_send(&l->pump, l->user_count + sub, text, n);
}

void sub_closed(struct load *l, u32 sub, const char *why)
{
    struct load_sub *s = &l->subs[sub];
    if (s->state == STATE_READY) l->subs_ready--;
    bool was_ready = s->state == STATE_READY;
    s->state = STATE_CLOSED;
    if (s->stuck) return; /* it is there to be thrown out */
    snprintf(l->last_close, sizeof l->last_close, "%s", why);
    if (was_ready && l->result) {
        l->result->lost_subs++;
        if (l->result->lost_subs == 1) load_warn(l, "a WebSocket was closed: %s", why);
    }
}

static void lose(struct load *l, u32 sub, const char *why)
{
    pump_close(&l->pump, l->user_count + sub);
    sub_closed(l, sub, why);
}

/* --- What is pushed ----------------------------------------------------------------------------*/

static void follow_depth(struct load *l, struct load_sub *s, const struct frame *f)
{
    if (f->market == LOAD_MARKETS_MAX) return;
    u64 *last = &s->sequence[f->market];
    if (f->type == FRAME_UPDATE && *last && f->previous != *last && l->result) l->result->gaps++;
    *last = f->sequence;
}

static void on_data(struct load *l, struct load_sub *s, const struct frame *f, u64 now_ns)
{
    if (s->sequence) follow_depth(l, s, f);
    if (!l->result) return;
    if (f->type == FRAME_SNAPSHOT) {
        l->result->snapshots++;
        return;
    }
    l->point.frames++;
    s->frames++;
    l->result->frames[s->kind]++;
    if (!f->event_ns) return;
    u64 took_ns = now_ns > f->event_ns ? now_ns - f->event_ns : 0;
    hist_record(l->result->push[s->kind], LOAD_BITS, took_ns);
    hist_record(l->push_second, LOAD_POINT_BITS, took_ns);
}

static void on_text(struct load *l, u32 sub, const struct client_frame *ws, u64 now_ns)
{
    struct load_sub *s = &l->subs[sub];
    struct frame f;
    frame_read(l, ws->text, ws->len, s->kind, &f);
    if (LIKELY(f.type == FRAME_UPDATE || f.type == FRAME_SNAPSHOT)) {
        on_data(l, s, &f, now_ns);
    } else if (f.type == FRAME_AUTH) {
        subscribe(l, sub);
    } else if (f.type == FRAME_SUBSCRIBED && s->state == STATE_ASKING) {
        s->state = STATE_READY;
        l->subs_ready++;
        if (s->stuck) pump_ignore(&l->pump, l->user_count + sub);
    } else if (f.type == FRAME_ERROR) {
        char why[100];
        snprintf(why, sizeof why, "%.*s", (int)min_u64(ws->len, sizeof why - 1), ws->text);
        lose(l, sub, why);
    }
}

static size_t upgraded(struct load *l, u32 sub, const char *bytes, size_t len)
{
    int head = client_ws_upgraded(bytes, len);
    if (head < 0) {
        char why[100];
        snprintf(why, sizeof why, "no upgrade: %.*s", (int)strcspn(bytes, "\r\n"), bytes);
        lose(l, sub, why);
        return len;
    }
    if (!head) return 0;
    l->subs[sub].state = STATE_ASKING;
    if (l->subs[sub].kind == SUB_ORDERS) authenticate(l, sub);
    else subscribe(l, sub);
    return (size_t)head;
}

size_t sub_bytes(struct load *l, u32 sub, const char *bytes, size_t len, u64 now_ns)
{
    struct load_sub *s = &l->subs[sub];
    struct client_frame f;
    size_t used = s->state == STATE_UPGRADING ? upgraded(l, sub, bytes, len) : 0;
    i64 n = 0;
    while (s->state >= STATE_ASKING && (n = client_ws_read(bytes + used, len - used, &f)) > 0) {
        used += (size_t)n;
        if (LIKELY(f.opcode == CLIENT_WS_TEXT)) {
            on_text(l, sub, &f, now_ns);
        } else if (f.opcode == CLIENT_WS_PING) {
            say(l, sub, CLIENT_WS_PONG, f.text, f.len);
        } else if (f.opcode == CLIENT_WS_CLOSE) {
            char reason[CLIENT_WS_CLOSE_MAX + 6];
            client_ws_reason(&f, reason);
            lose(l, sub, reason);
        }
    }
    if (n < 0) lose(l, sub, "what came is no frame");
    return used;
}

/* --- Before and after --------------------------------------------------------------------------*/

static int make_subs(struct load *l, const struct load_plan *p)
{
    u32 n = 0;
    for (u32 kind = 0; kind < SUB_KINDS; kind++)
        for (u32 i = 0; i < p->subs[kind]; i++, n++) {
            struct load_sub *s = &l->subs[n];
            *s = (struct load_sub){.kind = (u8)kind, .user = i % p->step[0].users};
            if (kind != SUB_DEPTH) continue;
            s->sequence = calloc(l->market_count, sizeof *s->sequence);
            if (!s->sequence) return err_set("memory is short");
        }
    for (u32 i = 0; i < l->stuck; i++, n++)
        l->subs[n] = (struct load_sub){.kind = SUB_DEPTH, .stuck = true};
    CHECK(n == l->sub_count);
    return 0;
}

int subs_connect(struct load *l, const struct load_plan *p)
{
    u64 until_ns = cli_monotonic_ns() + CONNECT_NS;
    u32 lost = 0;
    if (make_subs(l, p)) return -1;
    for (u32 begun = 0; l->subs_ready < l->sub_count && !l->interrupted;) {
        for (; begun < l->sub_count && begun < l->subs_ready + AT_ONCE; begun++) {
            l->subs[begun].state = STATE_CONNECTING;
            if (pump_connect(&l->pump, l->user_count + begun)) return -1;
        }
        pump_turn(&l->pump, 1000000);
        if (l->subs_ready + AT_ONCE / 2 > begun && cli_monotonic_ns() < until_ns) continue;
        lost = 0;
        for (u32 i = 0; i < begun; i++) lost += l->subs[i].state == STATE_CLOSED;
        if (lost >= AT_ONCE || (lost && lost + l->subs_ready == begun) ||
            cli_monotonic_ns() > until_ns)
            return err_set("only %lu of %u WebSockets could be opened and subscribed (%u were "
                           "closed; the last: %s)",
                           l->subs_ready, l->sub_count, lost, l->last_close);
    }
    return 0;
}

void subs_begin(struct load *l)
{
    for (u32 i = 0; i < l->sub_count; i++) l->subs[i].frames = 0;
}

void subs_count(struct load *l, struct load_result *r)
{
    for (u32 k = 0; k < SUB_KINDS; k++) r->frames_min[k] = UINT64_MAX, r->frames_max[k] = 0;
    for (u32 i = 0; i < l->sub_count; i++) {
        const struct load_sub *s = &l->subs[i];
        if (s->stuck) continue;
        r->frames_min[s->kind] = min_u64(r->frames_min[s->kind], s->frames);
        r->frames_max[s->kind] = max_u64(r->frames_max[s->kind], s->frames);
    }
}

void subs_free(struct load *l)
{
    for (u32 i = 0; i < l->sub_count; i++) {
        pump_close(&l->pump, l->user_count + i);
        free(l->subs[i].sequence);
    }
    l->subs_ready = 0;
}
