/**
 * What is compiled in. Every switch may be set on the command line of the compiler (`-DUSMP_DATAGRAM=0`), or in a file of
 * your own that `USMP_CONFIG_FILE` names (`-DUSMP_CONFIG_FILE='"my_usmp_config.h"'`). All files of one program must see the
 * same values: they decide the size of `usmp_t`.
 */
#ifndef USMP_CONFIG_H
#define USMP_CONFIG_H

#if defined(USMP_CONFIG_FILE)
#include USMP_CONFIG_FILE
#elif defined(ARDUINO)
/* The IDE passes no switches: the library's own file chooses by architecture. */
#include "usmp/arduino_config.h"
#endif

/** Connections over streams: TCP, Unix sockets, anything that delivers all bytes in order or breaks. 0 or 1. */
#ifndef USMP_STREAM
#define USMP_STREAM 1
#endif

/** Connections over serial lines, which damage and lose bytes (spec/protocol.md §10). 0 or 1. */
#ifndef USMP_SERIAL
#define USMP_SERIAL 1
#endif

/** Connections over datagrams: UDP (§9). 0 or 1. */
#ifndef USMP_DATAGRAM
#define USMP_DATAGRAM 1
#endif

/** The server's role, for a hub or from device to device. 0 or 1. */
#ifndef USMP_SERVER
#define USMP_SERVER 0
#endif

/**
 * The longest message in bytes that can be sent and received: 452 (one frame) to 1,808 (four frames, §5). A longer one that
 * comes in is dropped with an event. Costs its size twice, once for each direction.
 */
#ifndef USMP_MAX_MESSAGE
#define USMP_MAX_MESSAGE 452
#endif

/**
 * Messages of this length for which there is room on their way out, 1 to 16; shorter ones share it. More than one lets a sender go
 * on while the line is slow, and over datagrams keeps several under way, which on a line that loses much is many times faster.
 * Costs the length of a message each.
 */
#ifndef USMP_SEND_QUEUE
#define USMP_SEND_QUEUE 1
#endif

/**
 * Over datagrams: frames that may be under way at once (§9.1), 1 to 32. They share the room of USMP_SEND_QUEUE.
 * Costs 32 bytes each.
 */
#ifndef USMP_MAX_UNDER_WAY
#define USMP_MAX_UNDER_WAY 4
#endif

/**
 * Over datagrams: frames that are kept until an earlier one has come (§9.4), 1 to 64. What finds no room is not
 * acknowledged and comes again, so that few are enough. Costs 468 bytes each.
 */
#ifndef USMP_MAX_HELD
#define USMP_MAX_HELD 1
#endif

/** Functions that one file of the core calls of another: inside of one file where `usmp.c` brings all of them together. */
#ifdef USMP_ONE_FILE
#if defined(__GNUC__)
#define USMP_INTERNAL static __attribute__((unused))
#else
#define USMP_INTERNAL static
#endif
#else
#define USMP_INTERNAL
#endif

#if USMP_MAX_MESSAGE < 452 || USMP_MAX_MESSAGE > 1808
#error "USMP_MAX_MESSAGE must be 452 to 1808"
#endif

#if USMP_SEND_QUEUE < 1 || USMP_SEND_QUEUE > 16
#error "USMP_SEND_QUEUE must be 1 to 16"
#endif

#if USMP_MAX_UNDER_WAY < 1 || USMP_MAX_UNDER_WAY > 32
#error "USMP_MAX_UNDER_WAY must be 1 to 32"
#endif

#if USMP_MAX_HELD < 1 || USMP_MAX_HELD > 64
#error "USMP_MAX_HELD must be 1 to 64"
#endif

#if !USMP_STREAM && !USMP_SERIAL && !USMP_DATAGRAM
#error "switch on at least one of USMP_STREAM, USMP_SERIAL and USMP_DATAGRAM"
#endif

#endif
