/**
 * The whole core in one file: add this one to your project, with `include/` and the `include/` of the crypto seam on the path. The
 * compiler sees everything at once then and makes the smallest code.
 */
#define USMP_ONE_FILE

#include "src/arq.c"
#include "src/cobs.c"
#include "src/connection.c"
#include "src/crc16.c"
#include "src/datagram_connection.c"
#include "src/endpoint.c"
#include "src/errors.c"
#include "src/frame.c"
#include "src/handshake.c"
#include "src/key_schedule.c"
#include "src/message.c"
#include "src/rate_limit.c"
#include "src/record.c"
#include "src/replay.c"
#include "src/serial_connection.c"
#include "src/serial_endpoint.c"
#include "src/stream_connection.c"
#include "src/utack.c"
