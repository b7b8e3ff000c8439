/** The network, as far as an example needs it. Replace it by what your product has. */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdbool.h>
#include <stdint.h>

/**
 * Brings the network up: Wi-Fi, and on the target linux nothing, as the machine is connected. It stays connected from then on.
 * NVS has to be there; the default event loop is made.
 *
 * @param timeout in ms; UINT32_MAX for no limit
 * @return false: it is not up yet, and goes on trying
 */
bool network_connect(uint32_t timeout);

#endif
