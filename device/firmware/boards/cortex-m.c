/** Start-up, clock, sleep, reset and semihosting of Cortex-M. */
#include "cortex-m.h"

#include "../board.h"
#include "semihosting.h"

/* System control space, in every Cortex-M. */
#define SYSTICK_CONTROL (*(volatile uint32_t *)0xE000E010u)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xE000E014u)
#define SYSTICK_VALUE (*(volatile uint32_t *)0xE000E018u)
#define SYSTICK_HAS_WRAPPED (1u << 16)
#define SYSTICK_ON_BY_PROCESSOR_CLOCK 0x7u /* with its exception, which ends a sleep */
#define SYSTICK_BITS 24
#define SYSTICK_MAX ((1u << SYSTICK_BITS) - 1)
#define NVIC_ENABLE (*(volatile uint32_t *)0xE000E100u)
#define NVIC_CLEAR_PENDING (*(volatile uint32_t *)0xE000E280u)
#define SCB_ICSR (*(volatile uint32_t *)0xE000ED04u)
#define ICSR_CLEAR_SYSTICK (1u << 25)
#define SCB_AIRCR (*(volatile uint32_t *)0xE000ED0Cu)
#define AIRCR_RESET 0x05FA0004u

extern uint32_t __stack_top[];
void start(void) __attribute__((noreturn));

static void fault(void)
{
    board_report("fault");
    board_exit(3);
}

/* Interrupts stay off, so only faults need a handler. */
__attribute__((section(".init"), used)) static void (*const vectors[])(void) = {
    (void (*)(void))__stack_top, start, fault, fault, fault, fault, fault,
};

__attribute__((naked, noinline)) uintptr_t semihosting_call(uintptr_t operation, uintptr_t block)
{
    (void)operation;
    (void)block;
    __asm__ volatile("bkpt 0xAB\nbx lr");
}

void cortex_m_init(uint32_t interrupt)
{
    __asm__ volatile("cpsid i");
    SYSTICK_RELOAD = SYSTICK_MAX;
    SYSTICK_VALUE = 0;
    SYSTICK_CONTROL = SYSTICK_ON_BY_PROCESSOR_CLOCK;
    NVIC_ENABLE = 1u << interrupt;
}

/** SysTick has 24 bits. It must be looked at once a wrap: 20 million instructions at least, more than one X25519. */
static uint64_t ticks(void)
{
    static uint32_t wraps;
    uint32_t value = SYSTICK_VALUE;
    if ((SYSTICK_CONTROL & SYSTICK_HAS_WRAPPED) != 0) {
        wraps++;
        value = SYSTICK_VALUE;
    }
    return ((uint64_t)wraps << SYSTICK_BITS) + (SYSTICK_MAX - value);
}

uint32_t board_milliseconds(void)
{
    return (uint32_t)(ticks() / board_ticks_a_millisecond);
}

uint64_t board_instructions(void)
{
    return ticks() * board_instructions_a_64_ticks / 64;
}

/**
 * What is pending ends `wfi` although interrupts are off: a byte, and SysTick at each wrap, after a second at most. What is
 * due before that is waited for awake.
 */
void board_sleep(uint32_t milliseconds)
{
    if (SYSTICK_VALUE / board_ticks_a_millisecond > milliseconds) return;
    __asm__ volatile("wfi");
    NVIC_CLEAR_PENDING = UINT32_MAX;
    SCB_ICSR = ICSR_CLEAR_SYSTICK;
    (void)ticks();
}

void board_reset(void)
{
    for (;;) SCB_AIRCR = AIRCR_RESET;
}
