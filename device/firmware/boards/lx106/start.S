/* Entry, and what the processor jumps to: its vectors are at the beginning of instruction memory. */
    .section .vectors, "ax"
    .org 0x30 /* kernel exception */
    j exception
    .org 0x50 /* user exception, of which an interrupt is one */
    j exception
    .org 0x70 /* exception within one */
    j exception
    .org 0x80

    .literal_position
/*
 * An interrupt is there to end a sleep: it is switched off until the next one. Everything else is a fault.
 */
    .balign 4
exception:
    wsr a2, excsave1
    rsr a2, exccause
    bnei a2, 4, 1f /* level-1 interrupt */
    movi a2, 0
    wsr a2, intenable
    rsync
    rsr a2, excsave1
    rfe
1:  movi a0, fault
    jx a0

    .globl _start
    .balign 4
_start:
    movi a0, 0
    wsr a0, intenable
    movi a0, 0x2f /* user mode, interrupts of level 15 and below off, no exception */
    wsr a0, ps
    rsync
    movi a1, __stack_top
    movi a0, start
    jx a0

/* uintptr_t simulator_call(operation, a, b, c): the emulator's window to the host, as Tensilica's simulator has it. */
    .section .text.simulator_call, "ax"
    .globl simulator_call
    .balign 4
simulator_call:
    simcall
    ret
