/* shm.c: eidosctl shm: the regions of a running exchange, as its topology says. */
#include <string.h>

#include "cli/cli.h"

/* Names of the processes whose bit is set, comma separated, into text[256]. */
static const char *names_of(const struct topo *t, u64 bits, char text[static 256])
{
    size_t n = 0;
    text[0] = '\0';
    for (u32 p = 0; p < t->proc_count && n < 200; p++)
        if (bits >> p & 1)
            n += (size_t)snprintf(text + n, 256 - n, "%s%s", n ? "," : "", t->procs[p].name);
    if (bits && n >= 200) snprintf(text + n, 256 - n, ",...");
    return text;
}

static void json_region(struct json_out *out, const struct segment *s, u32 i)
{
    const struct topo_region *r = &s->topo.regions[i];
    const struct region *mapped = &s->regions[i];
    json_put_open(out, '{');
    json_put_key(out, "name"), json_put_cstring(out, r->name);
    json_put_key(out, "kind"), json_put_cstring(out, region_kind_name(r->kind));
    json_put_key(out, "owner"), json_put_cstring(out, s->topo.procs[r->owner].name);
    json_put_key(out, "readers"), json_put_open(out, '[');
    for (u32 p = 0; p < s->topo.proc_count; p++)
        if (r->readers >> p & 1) json_put_cstring(out, s->topo.procs[p].name);
    json_put_close(out, ']');
    json_put_key(out, "bytes"), json_put_u64(out, mapped->size);
    json_put_key(out, "where"), json_put_cstring(out, mapped->huge ? "huge" : "tmpfs");
    json_put_key(out, "epoch");
    json_put_u64(out, atomic_load_explicit(&mapped->head->epoch, memory_order_relaxed));
    json_put_key(out, "path"), json_put_cstring(out, mapped->path);
    json_put_close(out, '}');
}

static void json_regions(const struct segment *s)
{
    struct json_out out;
    cli_json_begin(&out);
    json_put_open(&out, '[');
    for (u32 i = 0; i < s->topo.region_count; i++) json_region(&out, s, i);
    json_put_close(&out, ']');
    cli_json_end(&out);
}

static void print_regions(const struct segment *s)
{
    char readers[256];
    u64 huge = 0, small = 0;
    printf("%-28s %-8s %-11s %9s  %-5s %5s  %s\n", "REGION", "KIND", "OWNER", "SIZE", "WHERE",
           "EPOCH", "READERS");
    for (u32 i = 0; i < s->topo.region_count; i++) {
        const struct topo_region *r = &s->topo.regions[i];
        const struct region *mapped = &s->regions[i];
        *(mapped->huge ? &huge : &small) += mapped->size;
        printf("%-28s %-8s %-11s %9s  %-5s %5lu  %s\n", r->name, region_kind_name(r->kind),
               s->topo.procs[r->owner].name, cli_bytes(mapped->size),
               mapped->huge ? "huge" : "tmpfs",
               atomic_load_explicit(&mapped->head->epoch, memory_order_relaxed),
               names_of(&s->topo, r->readers, readers));
    }
    printf("%u regions: %s on hugepages (%lu of 2 MiB), %s on tmpfs in %s\n", s->topo.region_count,
           cli_bytes(huge), huge / HUGE_PAGE, cli_bytes(small), s->boot.shm_dir);
}

int cmd_shm(int argc, char **argv)
{
    static struct segment s;
    struct cli c;
    int result = cli_parse(&c, argc, argv);
    if (result || (result = cli_attach(&c, &s, ROLE_COUNT))) return result;
    if (cli_value(&c, "--json")) json_regions(&s);
    else print_regions(&s);
    return CLI_OK;
}
