/* Entry, and the call to the emulator: three instructions that mean nothing to a real chip but a breakpoint. */
    .section .init, "ax"
    .globl _start
_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    la sp, __stack_top
    j start

    .section .text.semihosting_call, "ax"
    .globl semihosting_call
    .balign 16 /* the emulator looks for all three, on one page and of four bytes each */
semihosting_call:
    .option push
    .option norvc
    slli x0, x0, 0x1f
    ebreak
    srai x0, x0, 7
    .option pop
    ret
