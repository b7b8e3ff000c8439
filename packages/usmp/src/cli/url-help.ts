/**
 * Which URLs commands take, for `--help`.
 *
 * @module
 */

/** What stands between a device and a server, by URL. */
export const URL_HELP = `
URLs:
  tcp://HOST:PORT      udp://HOST:PORT      ws://HOST:PORT/PATH      wss://HOST/PATH
  serial:/dev/ttyUSB0?baud=115200           serial+tcp://HOST:PORT   unix:/PATH/TO/SOCKET`;
