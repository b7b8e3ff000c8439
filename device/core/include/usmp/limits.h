/**
 * Every number that bounds what a peer or a caller can make grow, with the reason beside it. Sizes are bytes, times
 * milliseconds. The same numbers under the same names are in the TypeScript core.
 */
#ifndef USMP_LIMITS_H
#define USMP_LIMITS_H

/** Frame header (spec/protocol.md §2.1). */
#define USMP_HEADER_LENGTH 12u

/** Payload of a frame (§2.1): a whole frame stays under 512, the smallest buffer that devices have. */
#define USMP_MAX_PAYLOAD 480u

/** A whole frame, and so a datagram (§9). */
#define USMP_MAX_FRAME (USMP_HEADER_LENGTH + USMP_MAX_PAYLOAD)

/** What encryption adds to a plaintext: nonce and tag (§4.1). */
#define USMP_SEAL_OVERHEAD 28u

/** Plaintext of a frame (§5). */
#define USMP_MAX_PLAINTEXT (USMP_MAX_PAYLOAD - USMP_SEAL_OVERHEAD)

/** Bytes that a frame adds to its plaintext. */
#define USMP_RECORD_OVERHEAD (USMP_HEADER_LENGTH + USMP_SEAL_OVERHEAD)

/** Frames of a message (§5): what a device must set aside to put one together. */
#define USMP_MAX_PARTS 4u

/** Last usable sequence number (§4.2): at 2^32 - 1 the direction is spent. */
#define USMP_MAX_SEQUENCE 0xFFFFFFFEu

/** Pre-shared key (§3.4): 128 bits are the least that cannot be guessed off-line. */
#define USMP_MIN_PSK 16u

/** Keys valid at once for a device: the new one and the one it replaces. */
#define USMP_MAX_KEYS 2u

/** PONGs owed to a peer that pings and does not read; further PINGs go unanswered (§6.1). */
#define USMP_MAX_PONGS_OWED 8u

/** PINGs of our own whose PONG is awaited; the PONGs of more are taken for those that nobody asked for. */
#define USMP_MAX_PINGS_UNDER_WAY 16u

/** Time for a whole handshake (§3.5); arriving bytes do not restart it. */
#define USMP_HANDSHAKE_TIMEOUT 10000u

/** The same on serial lines (§10): X25519 takes an 8-bit device 8 s, and a damaged frame costs another try. */
#define USMP_SERIAL_HANDSHAKE_TIMEOUT 30000u

/** On a serial line, a client begins anew when its HELLO has gone unanswered for this long (§10). */
#define USMP_HELLO_PATIENCE 5000u

/** The same for its HELLO_ACK (§10): longer, as a slow server may still work on it. */
#define USMP_HELLO_ACK_PATIENCE 10000u

/** A client sends PING after this long without sending or hearing (§6.2): half of what servers tolerate. */
#define USMP_KEEPALIVE_INTERVAL 30000u

/** It waits this long for any answer to such a PING: a server may be busy, a mobile line slow. */
#define USMP_KEEPALIVE_TIMEOUT 20000u

/** So many PINGs in a row may go unanswered; with the one after them a dead peer is noticed after 90 s. */
#define USMP_KEEPALIVE_MISSES 2u

/** A server closes a session that it has heard nothing of for this long (§6.2). */
#define USMP_SERVER_IDLE_TIMEOUT 60000u

/** Orderly close: how long BYE, and what was sent before it, may wait for a line that takes nothing. */
#define USMP_CLOSE_TIMEOUT 3000u

/* ── Datagrams (§9) ──────────────────────────────────────────────────────────────────────────────────────────────── */

/** MAC of a UTACK (§9.1): a forger has one chance in 2^64 a datagram. */
#define USMP_UTACK_MAC_LENGTH 8u

/** A UTACK of a handshake frame, and one of a session frame (§9.1). */
#define USMP_UTACK_HEADER_LENGTH 7u
#define USMP_UTACK_LENGTH (USMP_UTACK_HEADER_LENGTH + USMP_UTACK_MAC_LENGTH)

/** Numbers below the highest one opened that a receiver still takes (§9.4). */
#define USMP_REPLAY_WINDOW 64u

/** A sender gives up this long after the first transmission of a frame (§9.1). */
#define USMP_DELIVERY_TIMEOUT 12500u

/** A receiver waits this long behind a gap (§9.4): a little longer than its sender. */
#define USMP_GAP_TIMEOUT 13000u

/** Retransmission time-outs (§9.1): before the first measurement, and the bounds. */
#define USMP_FIRST_RTO 500u
#define USMP_MIN_RTO 100u
#define USMP_MAX_RTO 5000u

/** What a time-out of one frame makes the others wait at most (§9.1). */
#define USMP_MAX_KEPT_RTO 1000u

/** Handshake frames are repeated at least this often (§9.3): their answer can be lost as well. */
#define USMP_MAX_HANDSHAKE_RTO 1000u

/** Bytes of frames under way (§9.1): what a released peer holds unread. */
#define USMP_MAX_BYTES_UNDER_WAY 4096u

/** A frame is taken for lost when this many frames sent after it have been acknowledged (as RFC 6675). */
#define USMP_LOSS_THRESHOLD 3u

/** BYE is repeated for this long (§9.3). */
#define USMP_BYE_TIMEOUT 3000u

/** Closing takes no longer than this, however slowly the peer takes what was sent before. */
#define USMP_LINGER_LIMIT 60000u

/** REKEY is safe towards released peers as long as fewer frames than this have been sent (§9.5). */
#define USMP_SAFE_REKEY_FRAMES 64u

/** A cookie (§9.2). */
#define USMP_COOKIE_LENGTH 16u

/** Cookies that a client tries at once in one handshake: forged ones may come before the true one. */
#define USMP_MAX_COOKIES_TRIED 8u

/** A cookie is valid in the period of its making and in the next (§9.2): longer than any handshake. */
#define USMP_COOKIE_PERIOD 30000u

/** Cookies handed out at once by a server, and handshakes begun with them; and the same a second from then on (§9.2). */
#define USMP_COOKIE_BURST 64u
#define USMP_COOKIE_RATE 16u

/* ── Serial lines (§10) ──────────────────────────────────────────────────────────────────────────────────────────── */

/** A block between two zeros (§10); the longest frame needs one byte less. */
#define USMP_MAX_BLOCK 495u

/** HELLOs of one line that a server answers at once: a device that is reset again and again. And the same a second. */
#define USMP_HELLO_BURST 64u
#define USMP_HELLO_RATE 16u

#endif
