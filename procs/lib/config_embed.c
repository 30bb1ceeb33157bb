#include "procs/lib/config.h"

/* Paths are relative to the root of the tree, where make runs. */
__asm__(".section .rodata\n"
        ".global config_default_text, config_default_markets_text\n"
        "config_default_text: .incbin \"conf/eidos.ini\"\n .byte 0\n"
        "config_default_markets_text: .incbin \"conf/markets.ini\"\n .byte 0\n"
        ".previous\n");
