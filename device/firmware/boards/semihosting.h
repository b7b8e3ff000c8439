/** Calls to the emulator, as Arm's "Semihosting for AArch32 and AArch64" defines them; RISC-V has taken them over. */
#ifndef SEMIHOSTING_H
#define SEMIHOSTING_H

#include <stdint.h>

/** One call, by the instructions of this processor. @param block address of the arguments @return the answer */
uintptr_t semihosting_call(uintptr_t operation, uintptr_t block);

#endif
