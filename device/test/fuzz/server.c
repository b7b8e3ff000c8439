/** The handshake of a server under attack. */
#include "handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    attack_handshake(data, size, 1);
    return 0;
}
