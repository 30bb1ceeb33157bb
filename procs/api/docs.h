/* docs.h: what this gateway speaks, as a document (/openapi.json) and as a page (/docs).
 *
 *   schema/openapi.json --part of the binary--> /openapi.json
 *          '--docs_render--> one page of HTML, without scripts, fonts or anything from elsewhere
 *
 * The document is the one source: routes.c must agree with it in both directions
 * (tests/unit/test_api_docs.c), and so must every answer of the end-to-end tests.
 */
#ifndef EIDOS_API_DOCS_H
#define EIDOS_API_DOCS_H

#include "procs/lib/json.h"

/* The document, terminated. */
extern const char docs_openapi_text[];

/* Write the page of an OpenAPI document; out->full when it does not fit. 0, or -1 with err: not
 * JSON. */
int docs_render(const char *openapi, struct json_out *out);

#endif
