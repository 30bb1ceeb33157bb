/* schema/openapi.json beside the table of routes: each route is documented, each documented
 * operation has a route. The page shows them all and needs nothing from elsewhere. */
#include "procs/api/docs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "procs/api/routes.h"

static json_t *doc, *paths;
static char page[1 << 20];

static const char *const METHODS[] = {
    [METHOD_GET] = "get", [METHOD_POST] = "post", [METHOD_DELETE] = "delete"};

/* "/orders/{order_id}" -> "/orders/{}" */
static void pattern_of(const char *path, char *out, size_t size)
{
    size_t n = 0;
    for (; *path; path++) {
        assert_true(n + 2 < size);
        out[n++] = *path;
        if (*path != '{') continue;
        while (path[1] != '}') path++;
    }
    out[n] = '\0';
}

static json_t *documented(const struct route *r)
{
    const char *path;
    json_t *methods;
    char pattern[256];
    json_object_foreach(paths, path, methods)
    {
        pattern_of(path, pattern, sizeof pattern);
        if (!strcmp(pattern, r->pattern)) return json_object_get(methods, METHODS[r->method]);
    }
    return NULL;
}

static void each_route_is_documented(void **state)
{
    (void)state;
    for (const struct route *r = routes; r->pattern; r++) {
        json_t *op = documented(r);
        if (!op)
            fail_msg("%s %s is not in schema/openapi.json; document it there", METHODS[r->method],
                     r->pattern);
        bool is_signed = json_array_size(json_object_get(op, "security")) > 0;
        if (is_signed != (r->access != ACCESS_PUBLIC))
            fail_msg("%s %s: security in schema/openapi.json differs from the route's access",
                     METHODS[r->method], r->pattern);
    }
}

static bool has_route(const char *pattern, const char *method)
{
    for (const struct route *r = routes; r->pattern; r++)
        if (!strcmp(r->pattern, pattern) && !strcmp(METHODS[r->method], method)) return true;
    return false;
}

static void each_documented_operation_has_a_route(void **state)
{
    (void)state;
    const char *path, *method;
    json_t *methods, *op;
    char pattern[256];
    json_object_foreach(paths, path, methods)
    {
        pattern_of(path, pattern, sizeof pattern);
        if (!strcmp(path, "/ws")) continue; /* an upgrade: ws.c */
        json_object_foreach(methods, method, op)
        {
            if (!has_route(pattern, method)) fail_msg("%s %s has no route", method, path);
        }
    }
}

/* Each "$ref" leads somewhere. */
static void check_refs(const json_t *value)
{
    const char *key;
    json_t *part;
    size_t i;
    json_array_foreach(value, i, part)
    {
        check_refs(part);
    }
    json_object_foreach((json_t *)value, key, part)
    {
        check_refs(part);
        if (strcmp(key, "$ref") != 0) continue;
        char group[32], name[64];
        assert_int_equal(sscanf(json_string_value(part), "#/components/%31[a-z]/%63s", group, name),
                         2);
        json_t *found = json_object_get(json_object_get(doc, "components"), group);
        if (!json_object_get(found, name)) fail_msg("%s: no such", json_string_value(part));
    }
}

static void references_lead_somewhere(void **state)
{
    (void)state;
    check_refs(doc);
}

static void the_page_shows_all_and_needs_nothing(void **state)
{
    (void)state;
    struct json_out out;
    char want[256];
    json_out_init(&out, page, sizeof page - 1);
    assert_int_equal(docs_render(docs_openapi_text, &out), 0);
    assert_false(out.full);
    page[out.len] = '\0';
    const char *name;
    json_t *value;
    json_object_foreach(paths, name, value)
    {
        snprintf(want, sizeof want, "<code>%s</code>", name);
        if (!strstr(page, want)) fail_msg("%s is not on the page", name);
    }
    json_object_foreach(json_object_get(json_object_get(doc, "components"), "schemas"), name, value)
    {
        snprintf(want, sizeof want, "<h3 id=\"%s\">", name);
        if (!strstr(page, want)) fail_msg("%s is not on the page", name);
    }
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "http://"));
    assert_null(strstr(page, "https://"));
    assert_null(strstr(page, "src="));
    struct json_out small;
    json_out_init(&small, want, sizeof want);
    assert_int_equal(docs_render(docs_openapi_text, &small), 0);
    assert_true(small.full);
    assert_int_equal(docs_render("[]", &small), -1);
}

int main(void)
{
    doc = json_loads(docs_openapi_text, JSON_REJECT_DUPLICATES, NULL);
    paths = json_object_get(doc, "paths");
    CHECK(paths);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_route_is_documented),
        cmocka_unit_test(each_documented_operation_has_a_route),
        cmocka_unit_test(references_lead_somewhere),
        cmocka_unit_test(the_page_shows_all_and_needs_nothing),
    };
    int failed = cmocka_run_group_tests_name("api_docs", tests, NULL, NULL);
    json_decref(doc);
    return failed;
}
