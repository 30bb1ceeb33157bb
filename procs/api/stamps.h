/* stamps.h: the name of a request, and when it passed where: for metrics, traces and the log.
 *
 *   read --stamp_asked--> verify ... trading --stamp_replied--> durable, written --stamp_done-->
 */
#ifndef EIDOS_API_STAMPS_H
#define EIDOS_API_STAMPS_H

#include "procs/api/api.h"
#include "procs/api/http_parse.h"

/* Give it a trace id of our own; of a fresh request. */
void stamp_new(struct api *a, struct request *r);

/* Take over the client's trace id from `traceparent` or `X-Request-Id`, if it has one. */
void stamp_name(struct request *r, const struct http_parse *p, const char *bytes);

/* The header lines that tell the trace id, to follow others; at most STAMP_HEADERS bytes. */
#define STAMP_HEADERS 192U
void stamp_headers(struct json_out *o, const struct request *r);

/* Handed to verify, with the stamp in the message; answered by trading. */
void stamp_asked(struct api *a, struct request *r, struct msg *m);
void stamp_replied(struct request *r, const struct msg *m);

/* The answer was written, or nobody is left to write it to. */
void stamp_done(struct api *a, const struct request *r);

/* Account record `rec` was written to `sockets` WebSocket connections. */
void stamp_pushed(struct api *a, const struct rec *rec, u32 sockets);

#endif
