/* http.h: libmicrohttpd without threads of its own, driven by the run loop.
 *
 *   MHD epoll --http_turn--> request line, header, body -> struct request -> route_run
 *                                       answered at once: the response is queued
 *                                       later: the connection is suspended, http_answered resumes
 * it GET /ws with an upgrade -> ws_open takes the socket over
 */
#ifndef EIDOS_API_HTTP_H
#define EIDOS_API_HTTP_H

#include "procs/api/api.h"

/* Listen on the configured address; the port (config + instance, or the host's choice) goes into
 * the process block. 0 or -1. */
int http_start(struct api *a);

/* Serve what is ready. */
void http_turn(struct api *a);

/* The answer of a suspended request may leave. Requests that are still inside their handler queue
 * their answer themselves. */
void http_answered(struct api *a, struct request *r);

/* Answer what waits with 503, close everything. */
void http_stop(struct api *a);

#endif
