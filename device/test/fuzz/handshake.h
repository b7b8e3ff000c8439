/**
 * One end in a handshake, and an attacker between it and an honest peer: frames pass, are changed, made up, repeated, kept back. What
 * the targets client.c and server.c share; they say which end it is.
 */
#ifndef HANDSHAKE_TARGET_H
#define HANDSHAKE_TARGET_H

#include <stddef.h>
#include <stdint.h>

/** Runs the script of the fuzzer against the server, or the client. */
void attack_handshake(const uint8_t *data, size_t size, int victim_is_server);

#endif
