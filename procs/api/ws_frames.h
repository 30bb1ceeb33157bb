/* ws_frames.h: WebSocket frames from the wire to whole messages. wslay takes frames apart and
 * unmasks them; this checks what RFC 6455 and protocol.md 4 demand and puts fragments together:
 *
 *   frame, frame with fin --> message of at most 4096 bytes --> channels_message
 *   ping -> pong           close -> close           anything else -> goodbye with code and reason
 */
#ifndef EIDOS_API_WS_FRAMES_H
#define EIDOS_API_WS_FRAMES_H

#include "procs/api/hub.h"

/* Take over `extra`, bytes that were read with the upgrade. 0, or -1: no memory. */
int frames_open(struct ws *ws, const char *extra, size_t extra_len);
void frames_close(struct ws *ws);

/* Read all there is and act on it. */
void frames_read(struct ws *ws);

/* Queue a control frame (ws.c). */
void ws_control(struct ws *ws, u8 opcode, const void *payload, size_t len);

#endif
