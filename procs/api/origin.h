/* origin.h: which web pages may use the API (CORS), and open a WebSocket.
 *
 *   no Origin             no browser, or a page of this host and port     as always
 *   in api.allowed_origins                                              +
 * Access-Control-Allow-Origin any other             HTTP: no such header, so the browser keeps the
 * answer from the page /ws: 403
 */
#ifndef EIDOS_API_ORIGIN_H
#define EIDOS_API_ORIGIN_H

#include "procs/api/api.h"
#include "procs/api/http_parse.h"

#define ORIGINS_MAX    16U
#define ORIGIN_HEADERS 640U /* the longest origin_headers */

enum { ORIGIN_OWN = 0, ORIGIN_FIRST = 1, ORIGIN_OTHER = UINT8_MAX }; /* of request.origin */

/* Read api.allowed_origins. 0 or -1. */
int origin_start(struct api *a);

/* Where a request comes from: ORIGIN_OWN, ORIGIN_OTHER, or ORIGIN_FIRST + its place in the list. */
u8 origin_of(const struct api *a, const struct http_parse *p, const char *bytes);

/* A browser asks what it may ask: answered. False: the request is no such question. */
bool origin_preflight(struct api *a, struct request *r, const struct http_parse *p,
                      const char *bytes);

/* The header lines of an answer, to follow others. */
void origin_headers(struct json_out *o, const struct api *a, const struct request *r);

#endif
