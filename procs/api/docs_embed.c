/* schema/openapi.json as it was at build time. The path is relative to the root of the tree. */
#include "procs/api/docs.h"

__asm__(".section .rodata\n"
        ".global docs_openapi_text\n"
        "docs_openapi_text: .incbin \"schema/openapi.json\"\n .byte 0\n"
        ".previous\n");
