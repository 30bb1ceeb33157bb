#include "procs/api/docs.h"

#include "procs/api/answer.h"
#include "procs/api/routes.h"
#include "shm/err.h"

#define PAGE_BYTES (512UL << 10)

static const char HEAD[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
    "<title>Eidos Exchange API</title>\n<style>\n"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}\n"
    "code{font:13px ui-monospace,monospace;background:#8882;padding:0 .2em}\n"
    "table{border-collapse:collapse;margin:.5em 0}td,th{border:1px solid #8886;padding:.2em .6em;"
    "text-align:left;vertical-align:top}\n"
    "h3{margin:2em 0 .3em;border-top:1px solid #8884;padding-top:.6em}h3 b{font-weight:600}\n"
    "nav{columns:2}nav p{margin:0;break-inside:avoid}.old{opacity:.65}\n"
    ":root{color-scheme:light dark}\n</style></head><body>\n";

static void raw(struct json_out *o, const char *text)
{
    json_put_raw(o, text, strlen(text));
}

static void escaped(struct json_out *o, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '<') raw(o, "&lt;");
        else if (text[i] == '>') raw(o, "&gt;");
        else if (text[i] == '&') raw(o, "&amp;");
        else if (text[i] == '"') raw(o, "&quot;");
        else json_put_raw(o, &text[i], 1);
    }
}

static void plain(struct json_out *o, const char *text)
{
    escaped(o, text, strlen(text));
}

/* Prose: `code` between backticks, paragraphs between empty lines. */
static void prose(struct json_out *o, const char *text)
{
    bool code = false;
    for (; *text; text++) {
        if (*text == '`') raw(o, (code = !code) ? "<code>" : "</code>");
        else if (text[0] == '\n' && text[1] == '\n') raw(o, "<p>"), text++;
        else escaped(o, text, 1);
    }
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* "#/components/schemas/Order" -> "Order" */
static const char *last_part(const char *ref)
{
    const char *slash = strrchr(ref, '/');
    return slash ? slash + 1 : ref;
}

static void put_type(struct json_out *o, const json_t *schema);

static void put_choices(struct json_out *o, const json_t *list)
{
    size_t i;
    json_t *value;
    json_array_foreach(list, i, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY);
        if (i) raw(o, " | ");
        if (json_is_string(value)) plain(o, json_string_value(value));
        else if (text) plain(o, text);
        free(text);
    }
}

static void put_range(struct json_out *o, const json_t *schema)
{
    static const char *const KEYS[] = {"minimum", "maximum", "minLength", "maxLength", "default"};
    static const char *const WORDS[] = {"from ", "to ", "at least ", "at most ", "default "};
    for (size_t i = 0; i < COUNT_OF(KEYS); i++) {
        char *text = json_dumps(json_object_get(schema, KEYS[i]), JSON_ENCODE_ANY);
        if (text) raw(o, ", "), raw(o, WORDS[i]), plain(o, text);
        free(text);
    }
}

static void put_any(struct json_out *o, const json_t *list)
{
    size_t i;
    json_t *value;
    json_array_foreach(list, i, value)
    {
        if (i) raw(o, " or ");
        put_type(o, value);
    }
}

/* What a value looks like, in a few words. */
static void put_type(struct json_out *o, const json_t *schema)
{
    const char *ref = text_of(schema, "$ref"), *type = text_of(schema, "type");
    const json_t *types = json_object_get(schema, "type");
    if (*ref) {
        raw(o, "<a href=\"#"), plain(o, last_part(ref)), raw(o, "\">");
        plain(o, last_part(ref)), raw(o, "</a>");
    } else if (json_object_get(schema, "anyOf")) {
        put_any(o, json_object_get(schema, "anyOf"));
    } else if (json_object_get(schema, "enum")) {
        put_choices(o, json_object_get(schema, "enum"));
    } else if (json_object_get(schema, "const")) {
        json_t *list = json_pack("[O]", json_object_get(schema, "const"));
        put_choices(o, list);
        json_decref(list);
    } else if (json_is_array(types)) {
        put_choices(o, types);
    } else if (!strcmp(type, "array") && json_object_get(schema, "items")) {
        raw(o, "list of "), put_type(o, json_object_get(schema, "items"));
    } else {
        plain(o, *type ? type : "any"), put_range(o, schema);
    }
}

static bool among(const json_t *list, const char *name)
{
    size_t i;
    json_t *value;
    json_array_foreach(list, i, value)
    {
        if (json_is_string(value) && !strcmp(json_string_value(value), name)) return true;
    }
    return false;
}

static void row(struct json_out *o, const char *name, const char *where, bool required,
                const json_t *schema, const char *description)
{
    raw(o, "<tr><td><code>"), plain(o, name), raw(o, "</code><td>"), raw(o, where);
    raw(o, "<td>"), raw(o, required ? "required" : "");
    raw(o, "<td>"), put_type(o, schema);
    raw(o, "<td>"), prose(o, description), raw(o, "\n");
}

static void put_fields(struct json_out *o, const json_t *schema)
{
    json_t *properties = json_object_get(schema, "properties"), *value;
    const char *name;
    if (!properties) return;
    raw(o, "<table><tr><th>field<th><th><th>type<th>\n");
    json_object_foreach(properties, name, value)
    {
        row(o, name, "", among(json_object_get(schema, "required"), name), value,
            text_of(value, "description"));
    }
    raw(o, "</table>\n");
}

static void put_params(struct json_out *o, const json_t *doc, const json_t *list)
{
    size_t i;
    json_t *value;
    if (!json_array_size(list)) return;
    raw(o, "<table><tr><th>parameter<th>in<th><th>type<th>\n");
    json_array_foreach(list, i, value)
    {
        const char *ref = text_of(value, "$ref");
        const json_t *p = value;
        if (*ref) {
            const json_t *all = json_object_get(json_object_get(doc, "components"), "parameters");
            p = json_object_get(all, last_part(ref));
        }
        row(o, text_of(p, "name"), text_of(p, "in"), json_is_true(json_object_get(p, "required")),
            json_object_get(p, "schema"), text_of(p, "description"));
    }
    raw(o, "</table>\n");
}

/* The schema of a body or a response; of an enveloped one, that of its data. */
static const json_t *content_schema(const json_t *holder)
{
    json_t *content = json_object_get(holder, "content");
    json_t *media = json_object_iter_value(json_object_iter(content));
    json_t *schema = json_object_get(media, "schema");
    json_t *data = json_object_get(json_object_get(schema, "properties"), "data");
    return data ? data : schema;
}

static void put_responses(struct json_out *o, const json_t *doc, json_t *responses)
{
    const char *status;
    json_t *value;
    raw(o, "<table><tr><th>status<th>data<th>\n");
    json_object_foreach(responses, status, value)
    {
        const char *ref = text_of(value, "$ref");
        const json_t *r = value;
        if (*ref) {
            const json_t *all = json_object_get(json_object_get(doc, "components"), "responses");
            r = json_object_get(all, last_part(ref));
        }
        raw(o, "<tr><td>"), plain(o, status), raw(o, "<td>");
        if (content_schema(r)) put_type(o, content_schema(r));
        raw(o, "<td>"), prose(o, text_of(r, "description")), raw(o, "\n");
    }
    raw(o, "</table>\n");
}

static void put_operation(struct json_out *o, const json_t *doc, const char *path,
                          const char *method, const json_t *op)
{
    const json_t *body = json_object_get(op, "requestBody");
    bool old = json_is_true(json_object_get(op, "deprecated"));
    raw(o, "<h3 id=\""), plain(o, text_of(op, "operationId"));
    raw(o, old ? "\" class=\"old\"><b>" : "\"><b>");
    for (; *method; method++) json_put_raw(o, &(char){(char)(*method - 'a' + 'A')}, 1);
    raw(o, "</b> <code>"), plain(o, path), raw(o, "</code></h3>\n<p>");
    prose(o, text_of(op, "summary"));
    raw(o, json_object_get(op, "security") ? ". Signed.\n<p>" : ".\n<p>");
    prose(o, text_of(op, "description"));
    put_params(o, doc, json_object_get(op, "parameters"));
    if (body) raw(o, "<p>Body: "), put_type(o, content_schema(body)), raw(o, "\n");
    put_responses(o, doc, json_object_get(op, "responses"));
}

typedef void each_fn(struct json_out *o, const json_t *doc, const char *path, const char *method,
                     const json_t *op);

static void each_operation(struct json_out *o, const json_t *doc, const char *tag, each_fn *put)
{
    json_t *methods, *op;
    const char *path, *method;
    json_object_foreach(json_object_get(doc, "paths"), path, methods)
    {
        json_object_foreach(methods, method, op)
        {
            if (among(json_object_get(op, "tags"), tag)) put(o, doc, path, method, op);
        }
    }
}

static void put_link(struct json_out *o, const json_t *doc, const char *path, const char *method,
                     const json_t *op)
{
    (void)doc;
    raw(o, "<p><a href=\"#"), plain(o, text_of(op, "operationId")), raw(o, "\">");
    plain(o, method), raw(o, " "), plain(o, path), raw(o, "</a>\n");
}

static void put_tags(struct json_out *o, const json_t *doc, each_fn *put, const char *before)
{
    size_t i;
    json_t *tag;
    json_array_foreach(json_object_get(doc, "tags"), i, tag)
    {
        raw(o, before), plain(o, text_of(tag, "name")), raw(o, "</h2>\n");
        each_operation(o, doc, text_of(tag, "name"), put);
    }
}

static void put_schemas(struct json_out *o, const json_t *doc)
{
    json_t *schemas = json_object_get(json_object_get(doc, "components"), "schemas"), *schema;
    const char *name;
    raw(o, "<h2>Objects</h2>\n");
    json_object_foreach(schemas, name, schema)
    {
        raw(o, "<h3 id=\""), plain(o, name), raw(o, "\">"), plain(o, name), raw(o, "</h3>\n<p>");
        prose(o, text_of(schema, "description"));
        if (json_object_get(schema, "properties")) put_fields(o, schema);
        else raw(o, "<p>"), put_type(o, schema), raw(o, "\n");
    }
}

int docs_render(const char *openapi, struct json_out *out)
{
    json_t *doc = json_read_object(openapi, strlen(openapi));
    if (!doc) return err_wrap("the OpenAPI document");
    const json_t *info = json_object_get(doc, "info");
    raw(out, HEAD);
    raw(out, "<h1>"), plain(out, text_of(info, "title")), raw(out, "</h1>\n<p>");
    prose(out, text_of(info, "description"));
    raw(out, "\n<p>The same as a document: <a href=\"/openapi.json\">/openapi.json</a>\n<nav>");
    put_tags(out, doc, put_link, "<h2>");
    raw(out, "</nav>\n");
    put_tags(out, doc, put_operation, "<h2>");
    put_schemas(out, doc);
    raw(out, "</body></html>\n");
    json_decref(doc);
    return 0;
}

void docs_document(struct api *a, struct request *r, const u8 *wallet)
{
    (void)wallet;
    answer_plain(a, r, 200, "application/json", docs_openapi_text, strlen(docs_openapi_text));
}

/* Made when it is first asked for. */
void docs_page(struct api *a, struct request *r, const u8 *wallet)
{
    static char page[PAGE_BYTES];
    static struct json_out out;
    (void)wallet;
    if (!out.at) {
        json_out_init(&out, page, sizeof page);
        CHECK(docs_render(docs_openapi_text, &out) == 0 && !out.full);
    }
    answer_plain(a, r, 200, "text/html; charset=utf-8", out.at, out.len);
}
