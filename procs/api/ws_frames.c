#include "procs/api/ws_frames.h"

#include <errno.h>
#include <sys/socket.h>
#include <wslay/wslay.h>

#include "procs/api/stream.h"
#include "procs/api/ws.h"
#include "procs/api/ws_channels.h"
#include "procs/lib/utf8.h"

/* Bytes for wslay: first what came with the upgrade, then the socket. */
static ssize_t on_read(u8 *buf, size_t len, int flags, void *context)
{
    (void)flags;
    struct ws *ws = context;
    if (ws->extra_at < ws->extra_len) {
        size_t n = min_u64(len, ws->extra_len - ws->extra_at);
        memcpy(buf, ws->extra + ws->extra_at, n);
        ws->extra_at += n;
        return (ssize_t)n;
    }
    ssize_t n;
    do n = stream_read(ws->fd, ws->tls, buf, len, NULL);
    while (n < 0 && errno == EINTR);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) ws->ended = true;
    return n > 0 ? n : -1;
}

static int no_mask(u8 *buf, size_t len, void *context)
{
    (void)context; /* servers do not mask; wslay wants the callback all the same */
    memset(buf, 0, len);
    return 0;
}

static ssize_t no_send(const u8 *data, size_t len, int flags, void *context)
{
    (void)data, (void)len, (void)flags, (void)context; /* ws.c writes frames itself */
    return -1;
}

int frames_open(struct ws *ws, const char *extra, size_t extra_len)
{
    static const struct wslay_frame_callbacks CALLBACKS = {no_send, on_read, no_mask};
    if (extra_len) {
        ws->extra = malloc(extra_len);
        if (!ws->extra) return -1;
        memcpy(ws->extra, extra, extra_len);
        ws->extra_len = extra_len;
    }
    return wslay_frame_context_init(&ws->frames, &CALLBACKS, ws) ? -1 : 0;
}

void frames_close(struct ws *ws)
{
    if (ws->frames) wslay_frame_context_free(ws->frames);
    free(ws->extra);
    free(ws->part);
    ws->frames = NULL;
    ws->extra = ws->part = NULL;
}

static int goodbye(struct ws *ws, u16 code, const char *reason)
{
    ws_close(ws, code, reason);
    return -1;
}

/* The header of a frame: may it come now? */
static int check_frame(struct ws *ws, const struct wslay_frame_iocb *f)
{
    bool control = wslay_is_ctrl_frame(f->opcode);
    if (!f->mask) return goodbye(ws, WS_CLOSE_PROTOCOL, "client frames must be masked");
    if (f->rsv) return goodbye(ws, WS_CLOSE_PROTOCOL, "reserved bits are set");
    if (control) {
        if (f->opcode > WSLAY_PONG || !f->fin || f->payload_length > sizeof ws->control)
            return goodbye(ws, WS_CLOSE_PROTOCOL, "bad control frame");
        return 0;
    }
    if (f->opcode == WSLAY_BINARY_FRAME) return goodbye(ws, WS_CLOSE_TYPE, "messages must be text");
    if (f->opcode > WSLAY_BINARY_FRAME) return goodbye(ws, WS_CLOSE_PROTOCOL, "unknown opcode");
    if ((f->opcode == WSLAY_CONTINUATION_FRAME) != ws->in_message)
        return goodbye(ws, WS_CLOSE_PROTOCOL, "fragments out of order");
    if (f->payload_length > WS_MESSAGE_MAX - ws->part_len)
        return goodbye(ws, WS_CLOSE_TOO_BIG, "a message may have up to 4096 bytes");
    return 0;
}

/* Remember the frame that begins. */
static int begin_frame(struct ws *ws, const struct wslay_frame_iocb *f)
{
    if (check_frame(ws, f)) return -1;
    ws->opcode = f->opcode;
    ws->fin = f->fin;
    ws->frame_left = f->payload_length;
    ws->control_len = 0;
    ws->in_frame = true;
    if (!wslay_is_ctrl_frame(f->opcode)) ws->in_message = true;
    return 0;
}

/* Codes that may stand in a close frame (RFC 6455, 7.4). */
static bool may_close_with(u16 code)
{
    if (code >= 3000) return code < 5000;
    return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

static bool is_utf8(const u8 *s, size_t len)
{
    for (size_t n; len; len -= n, s += n) {
        n = utf8_character(s, len);
        if (!n) return false;
    }
    return true;
}

/* The peer says goodbye: answer with its own code. */
static void answer_close(struct ws *ws)
{
    u16 code = WS_CLOSE_NORMAL;
    if (ws->control_len >= 2) code = (u16)(ws->control[0] << 8 | ws->control[1]);
    if (ws->control_len == 1 || !may_close_with(code))
        ws_close(ws, WS_CLOSE_PROTOCOL, "bad close code");
    else if (ws->control_len > 2 && !is_utf8(ws->control + 2, ws->control_len - 2UL))
        ws_close(ws, WS_CLOSE_TEXT, "a reason must be UTF-8");
    else ws_close(ws, code, "goodbye");
    ws->ended = true;
}

static int end_control(struct ws *ws)
{
    if (ws->opcode == WSLAY_PING) {
        ws_control(ws, WSLAY_PONG, ws->control, ws->control_len);
    } else if (ws->opcode == WSLAY_CONNECTION_CLOSE) {
        answer_close(ws);
        return -1;
    }
    return 0;
}

static int take_message(struct ws *ws, const u8 *text, size_t len)
{
    ws->in_message = false;
    if (!is_utf8(text, len)) return goodbye(ws, WS_CLOSE_TEXT, "messages must be UTF-8");
    channels_message(ws, (const char *)text, len);
    return 0;
}

static int take_data(struct ws *ws, const u8 *data, size_t len)
{
    /* The usual message comes whole: no copy. */
    if (ws->fin && !ws->part_len && len == ws->frame_left) return take_message(ws, data, len);
    if (!ws->part && !(ws->part = malloc(WS_MESSAGE_MAX)))
        return goodbye(ws, WS_CLOSE_AGAIN, "memory is short");
    memcpy(ws->part + ws->part_len, data, len);
    ws->part_len += (u32)len;
    if (!ws->fin || len < ws->frame_left) return 0;
    u32 whole = ws->part_len;
    ws->part_len = 0;
    return take_message(ws, (const u8 *)ws->part, whole);
}

static int take(struct ws *ws, const u8 *data, size_t len)
{
    bool control = wslay_is_ctrl_frame(ws->opcode);
    int result = 0;
    if (control) {
        if (len) memcpy(ws->control + ws->control_len, data, len);
        ws->control_len = (u8)(ws->control_len + len);
        if (len == ws->frame_left) result = end_control(ws);
    } else {
        result = take_data(ws, data, len);
    }
    ws->frame_left -= len;
    if (!ws->frame_left) ws->in_frame = false;
    return result;
}

void frames_read(struct ws *ws)
{
    while (!ws->dead && !ws->closing) {
        struct wslay_frame_iocb f;
        memset(&f, 0, sizeof f);
        ssize_t n = wslay_frame_recv(ws->frames, &f);
        if (n == WSLAY_ERR_WANT_READ) break;
        if (n < 0) {
            ws_close(ws, WS_CLOSE_PROTOCOL, "not a WebSocket frame");
            break;
        }
        ws->heard_ns = ws->api->now_ns;
        if (!ws->in_frame && begin_frame(ws, &f)) break;
        if (take(ws, f.data, f.data_length)) break;
    }
    if (!ws->closing) return;
    /* Drain what the peer still says until it hangs up; its close frame need not be understood. */
    char waste[4096];
    ssize_t n;
    while ((n = stream_read(ws->fd, ws->tls, waste, sizeof waste, NULL)) > 0) continue;
    if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) ws->ended = true;
}
