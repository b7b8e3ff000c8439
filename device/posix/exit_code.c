#include "exit_code.h"

int exit_code_of(usmp_error_t error)
{
    switch (error) {
    case USMP_OK: return EXIT_DONE;
    case USMP_ERROR_REFUSED:
    case USMP_ERROR_TURNED_AWAY:
    case USMP_ERROR_ROGUE_SERVER: return EXIT_REFUSED;
    case USMP_ERROR_UNREACHABLE:
    case USMP_ERROR_HANDSHAKE_TIMEOUT: return EXIT_UNREACHABLE;
    case USMP_ERROR_CRYPTO_FAILED: return EXIT_FAILED;
    case USMP_ERROR_INVALID_ARGUMENT:
    case USMP_ERROR_KEY_TOO_SHORT:
    case USMP_ERROR_MESSAGE_TOO_LARGE: return EXIT_USAGE;
    default: return usmp_error_class(error) == USMP_CLASS_ENDED ? EXIT_NO_REPLY : EXIT_PROTOCOL;
    }
}
