/** Arguments, reports and the end of the program on boards whose emulator has Arm's semihosting. */
#include "semihosting.h"

#include <string.h>

#include "../board.h"

#define SYS_WRITE0 0x04u
#define SYS_GET_CMDLINE 0x15u
#define SYS_EXIT_EXTENDED 0x20u
#define ADP_STOPPED_APPLICATION_EXIT 0x20026u

size_t board_arguments(char *text, size_t size)
{
    struct {
        char *text;
        uintptr_t size;
    } block = {text, size};
    if (semihosting_call(SYS_GET_CMDLINE, (uintptr_t)&block) != 0) block.size = 0;
    text[block.size < size ? block.size : size - 1] = '\0';
    return strlen(text);
}

void board_report(const char *line)
{
    semihosting_call(SYS_WRITE0, (uintptr_t)line);
    semihosting_call(SYS_WRITE0, (uintptr_t)"\n");
}

void board_exit(int code)
{
    const uintptr_t block[2] = {ADP_STOPPED_APPLICATION_EXIT, (uintptr_t)code};
    for (;;) semihosting_call(SYS_EXIT_EXTENDED, (uintptr_t)block);
}
