/* One region file: what its head promises, and every way in which a mapping is refused. */
#include "shm/region.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shm/err.h"

static const struct region_spec spec = {.name = "log.match@1",
                                        .kind = REGION_LOG,
                                        .owner_role = 3,
                                        .owner_instance = 1,
                                        .object_bytes = 100000};
static char path[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/dev/shm/eidos-test-region-%d", getpid());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

/* Change bytes of the file's head. */
static void patch(size_t offset, const void *bytes, size_t length)
{
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, bytes, length, (off_t)offset), length);
    close(fd);
}

static void make(void)
{
    struct region r;
    assert_int_equal(region_create(&r, path, &spec, false), 0);
    region_unmap(&r);
}

static void refused(const struct region_spec *wanted, const char *why)
{
    struct region r;
    assert_int_equal(region_map(&r, path, wanted, 0), -1);
    assert_null(r.head);
    assert_non_null(strstr(err_text(), path));
    if (!strstr(err_text(), why)) fail_msg("`%s` does not say `%s`", err_text(), why);
}

static void created_then_mapped(void **state)
{
    (void)state;
    struct region own, other;
    assert_int_equal(region_create(&own, path, &spec, false), 0);
    assert_int_equal(own.size, align_up(4096 + 100000, 4096));
    assert_ptr_equal(own.object, (u8 *)own.head + 4096);
    for (u32 i = 0; i < 100000; i++) assert_int_equal(((u8 *)own.object)[i], 0);
    assert_int_equal(region_epoch(&own), 0);
    region_ready(&own);
    assert_int_equal(region_map(&other, path, &spec, REGION_PREFAULT), 0);
    assert_false(other.writable);
    assert_int_equal(region_epoch(&other), 2);
    ((u8 *)own.object)[99999] = 7;
    assert_int_equal(((u8 *)other.object)[99999], 7);
    region_rebuild(&own);
    assert_int_equal(region_epoch(&other), 0);
    region_rebuild(&own); /* by a successor that died in it, too */
    region_ready(&own);
    assert_int_equal(region_epoch(&other), 4);
    region_unmap(&own);
    region_unmap(&other);
    assert_null(own.head);
}

/* Allocated at once: a touch later can not fail. */
static void space_is_reserved(void **state)
{
    (void)state;
    struct stat st;
    make();
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_blocks * 512 >= st.st_size);
}

static void no_room_says_so(void **state)
{
    (void)state;
    struct region_spec huge = spec;
    struct region r;
    huge.object_bytes = 1UL << 50;
    assert_int_equal(region_create(&r, path, &huge, false), -1);
    assert_non_null(strstr(err_text(), "reserving"));
    assert_int_equal(access(path, F_OK), -1);
}

static void what_is_refused(void **state)
{
    (void)state;
    struct region_spec other;
    u64 wrong = 12345;
    make();
    other = spec, other.kind = REGION_LEDGER;
    refused(&other, "holds a log, expected a ledger");
    other = spec, other.owner_instance = 0;
    refused(&other, "belongs to role 3 instance 1, expected 3 and 0");
    other = spec, other.name = "log.match@2";
    refused(&other, "is named log.match@1, expected log.match@2");
    other = spec, other.object_bytes = 1UL << 30;
    refused(&other, "too short for an object of 1073741824");
    patch(offsetof(struct region_head, size), &wrong, sizeof wrong);
    refused(&spec, "but was made with 12345");
    make();
    patch(0, &wrong, sizeof wrong);
    refused(&spec, "not a region of this program");
    assert_int_equal(truncate(path, 4095), 0);
    refused(&spec, "too short for a region");
    unlink(path);
    refused(&spec, "No such file or directory");
}

/* The first field in which two builds differ is named, with both sides. */
static void names_the_field_that_differs(void **state)
{
    (void)state;
    struct region r;
    char layout[REGION_LAYOUT_BYTES];
    make();
    assert_int_equal(region_map(&r, path, &spec, 0), 0);
    memcpy(layout, r.head->layout, sizeof layout);
    region_unmap(&r);

    char *field = strstr(layout, "log.claim ");
    assert_non_null(field);
    char *end = strchr(field, '\n');
    char ours[80], expected[256];
    snprintf(ours, sizeof ours, "%.*s", (int)(end - field), field);
    field[strlen("log.claim ")] = '9'; /* offset 128 becomes 928 */
    u64 hash = region_hash(layout, strlen(layout));
    patch(offsetof(struct region_head, layout), layout, sizeof layout);
    patch(offsetof(struct region_head, layout_hash), &hash, sizeof hash);
    snprintf(expected, sizeof expected, "it has `log.claim 928 8` where this program expects `%s`",
             ours);
    refused(&spec, expected);

    layout[field - layout] = 0; /* a shorter table */
    hash = region_hash(layout, strlen(layout));
    patch(offsetof(struct region_head, layout), layout, sizeof layout);
    patch(offsetof(struct region_head, layout_hash), &hash, sizeof hash);
    refused(&spec, "it has `nothing` where this program expects `log.claim 128 8`");
}

static void every_kind_has_a_layout_that_fits(void **state)
{
    (void)state;
    for (u32 kind = REGION_PROC; kind < REGION_KINDS; kind++) {
        struct region_spec each = spec;
        struct region r;
        each.kind = kind;
        assert_int_equal(region_create(&r, path, &each, false), 0);
        assert_true(strlen(r.head->layout) > 20);
        region_unmap(&r);
        assert_string_not_equal(region_kind_name(kind), "unknown");
    }
    assert_string_equal(region_kind_name(0), "unknown");
    assert_string_equal(region_kind_name(99), "unknown");
}

static int signal_of(void (*act)(struct region *), struct region *r)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        act(r);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void write_to_it(struct region *r)
{
    signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would turn it into an exit */
    *(volatile u8 *)r->object = 1;
}

static void a_reader_can_not_write(void **state)
{
    (void)state;
    struct region r;
    make();
    assert_int_equal(region_map(&r, path, &spec, 0), 0);
    assert_int_equal(signal_of(write_to_it, &r), SIGSEGV);
    /* Opened read-only, the mapping can not be made writable either. */
    assert_int_equal(mprotect(r.head, r.size, PROT_READ | PROT_WRITE), -1);
    region_unmap(&r);
    assert_int_equal(region_map(&r, path, &spec, REGION_WRITE), 0);
    assert_int_equal(signal_of(write_to_it, &r), 0);
    region_unmap(&r);
}

static void sealed_mappings_stay(void **state)
{
    (void)state;
    struct region r;
    make();
    assert_int_equal(region_map(&r, path, &spec, REGION_WRITE), 0);
    if (!region_seal(&r)) skip(); /* before Linux 6.10 */
    assert_int_equal(munmap(r.head, r.size), -1);
    assert_int_equal(mprotect(r.head, r.size, PROT_READ), -1);
    ((u8 *)r.object)[0] = 1;
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(created_then_mapped),
        CASE(space_is_reserved),
        CASE(no_room_says_so),
        CASE(what_is_refused),
        CASE(names_the_field_that_differs),
        CASE(every_kind_has_a_layout_that_fits),
        CASE(a_reader_can_not_write),
        CASE(sealed_mappings_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
