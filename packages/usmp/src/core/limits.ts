/**
 * Every number that bounds what a peer or a caller can make grow, with the reason beside it. Sizes are bytes,
 * times milliseconds. What the wire fixes comes first, what an option may change after it.
 *
 * @module
 */

/** Frame header (spec/protocol.md §2.1). */
export const HEADER_LENGTH = 12;

/** Payload of a frame (§2.1): a whole frame stays under 512, the smallest buffer that devices have. */
export const MAX_PAYLOAD = 480;

/** AES-GCM nonce in front of every encrypted payload (§4.1). */
export const NONCE_LENGTH = 12;

/** AES-GCM tag behind it (§4.1). */
export const TAG_LENGTH = 16;

/** What encryption adds to a plaintext. */
export const SEAL_OVERHEAD = NONCE_LENGTH + TAG_LENGTH;

/** Plaintext of a frame (§5). */
export const MAX_PLAINTEXT = MAX_PAYLOAD - SEAL_OVERHEAD;

/** Frames of a message (§5): what a device must set aside to put one together. */
export const MAX_FRAMES = 4;

/** A message (§5). */
export const MAX_MESSAGE = MAX_FRAMES * MAX_PLAINTEXT;

/** Last usable sequence number (§4.2): at 2^32 − 1 the direction is spent. */
export const MAX_SEQUENCE = 0xfffffffe;

/** Pre-shared key (§3.4): 128 bits are the least that cannot be guessed off-line. */
export const MIN_PSK = 16;

/** Keys valid at once for a device: the new one and the one it replaces. */
export const MAX_KEYS = 2;

/** A datagram (§9): one frame. */
export const MAX_DATAGRAM = HEADER_LENGTH + MAX_PAYLOAD;

/** A block between two zeros of a serial line (§10); the longest frame needs one byte less. */
export const MAX_BLOCK = 495;

/** MAC of a UTACK (§9.1): a forger has one chance in 2^64 a datagram. */
export const ACKNOWLEDGEMENT_MAC_LENGTH = 8;

/** Numbers below the highest one opened that a receiver of datagrams still takes (§9.4). */
export const REPLAY_WINDOW = 64;

/** A sender of datagrams gives up this long after the first transmission of a frame (§9.1). */
export const DELIVERY_TIMEOUT = 12_500;

/** A receiver waits this long behind a gap (§9.4): a little longer than its sender. */
export const GAP_TIMEOUT = 13_000;

/** Retransmission time-outs (§9.1): before the first measurement, and the bounds. */
export const FIRST_RTO = 500;
export const MIN_RTO = 100;
export const MAX_RTO = 5_000;

/**
 * What a time-out of one frame makes the others wait at most (§9.1): little enough that each can be transmitted five times
 * and more before its sender gives up.
 */
export const MAX_KEPT_RTO = 1_000;

/**
 * Handshake frames are repeated at least this often (§9.3): their answer can be lost as well, and the whole handshake
 * has 10 s.
 */
export const MAX_HANDSHAKE_RTO = 1_000;

/** Frames under way (§9.1): half of the replay window, so that a frame repeated late still falls into it. */
export const MAX_FRAMES_UNDER_WAY = 32;

/** Bytes of frames under way (§9.1): what a released peer holds unread. */
export const MAX_BYTES_UNDER_WAY = 4_096;

/** A frame is taken for lost when this many frames sent after it have been acknowledged (as RFC 6675). */
export const LOSS_THRESHOLD = 3;

/** BYE is repeated for this long (§9.3). */
export const BYE_TIMEOUT = 3_000;

/** Closing takes no longer than this, however slowly the peer takes what was sent before. */
export const LINGER_LIMIT = 60_000;

/** Over datagrams, REKEY is safe towards released peers as long as fewer frames than this have been sent (§9.5). */
export const SAFE_REKEY_FRAMES = 64;

/** A cookie (§9.2). */
export const COOKIE_LENGTH = 16;

/** Cookies that a client tries at once in one handshake: forged ones may come before the true one. */
export const MAX_COOKIES_TRIED = 8;

/** A cookie is valid in the period of its making and in the next (§9.2): longer than any handshake. */
export const COOKIE_PERIOD = 30_000;

/** PONGs owed to a peer that pings and does not read; further PINGs go unanswered (§6.1). */
export const MAX_PONGS_OWED = 8;

/** PINGs of our own under way whose round trip is measured; older ones are forgotten. */
export const MAX_PINGS_TRACKED = 16;

/** A WebSocket message, either way: what one write of a session comes to at most, and far above any frame. */
export const MAX_WEBSOCKET_MESSAGE = 65_536;

/** Fragments of a WebSocket message: the largest one in pieces of 512 bytes, which no proxy goes below. */
export const MAX_WEBSOCKET_FRAGMENTS = 128;

/**
 * Reads that the payload of one WebSocket frame may come in, because each is kept until the last: the largest message
 * of an application, in its four frames, byte by byte.
 */
export const MAX_WEBSOCKET_READS = 2_048;

/** Reads of a WebSocket until its peer has authenticated: twice what a handshake takes that comes byte by byte. */
export const MAX_WEBSOCKET_EARLY_READS = 256;

/** Header of an HTTP request that asks for a WebSocket, as Node bounds it by default: cookies of browsers are large. */
export const MAX_HTTP_HEADER = 16_384;

/** Fields of such a header that are looked at: two to three times what browsers and proxies send. */
export const MAX_HTTP_FIELDS = 128;

/** Time for a whole handshake (§3.5); arriving bytes do not restart it. */
export const HANDSHAKE_TIMEOUT = 10_000;

/**
 * The same on serial lines (§10): X25519 takes an 8-bit device 8 s, the line itself some of the rest, and a damaged frame
 * costs another try.
 */
export const SERIAL_HANDSHAKE_TIMEOUT = 30_000;

/** On a serial line, a client begins anew when its HELLO has gone unanswered for this long (§10). */
export const HELLO_PATIENCE = 5_000;

/**
 * The same for its HELLO_ACK (§10): longer, as a slow server may still work on it, and as each try with a wrong key
 * counts as a failure there.
 */
export const HELLO_ACK_PATIENCE = 10_000;

/** A client sends PING after this long without sending (§6.2): half of what servers tolerate. */
export const KEEPALIVE_INTERVAL = 30_000;

/** A server closes a session that it has heard nothing of for this long (§6.2). */
export const SERVER_IDLE_TIMEOUT = 60_000;

/** A client waits this long for any answer to such a PING: a server may be busy, a mobile line slow. */
export const KEEPALIVE_TIMEOUT = 20_000;

/** So many PINGs in a row may go unanswered; with the one after them a dead peer is noticed after 90 s. */
export const KEEPALIVE_MISSES = 2;

/** A client that sends no PINGs closes after this long without hearing anything. */
export const CLIENT_IDLE_TIMEOUT = 90_000;

/** Orderly close: time for BYE to leave and for the peer to hang up. */
export const CLOSE_TIMEOUT = 3_000;

/** Opening a connection: well above a lost SYN or two, below a person's patience. */
export const CONNECT_TIMEOUT = 10_000;

/** A client that stays connected waits at random up to this before its first new attempt: a fleet does not come at once. */
export const RECONNECT_BASE = 500;

/** The same at most, however often it has failed: a device is back within a minute of its server. */
export const RECONNECT_CAP = 60_000;

/** Shorter sessions count as failures, so that one that always ends at once is not tried at full speed. */
export const RECONNECT_STABLE_AFTER = 60_000;

/** Messages that wait for a session, as many as may wait for a slow line. */
export const OFFLINE_QUEUE = 65_536;

/** Unread messages of a session before its transport is no longer read. */
export const RECEIVE_QUEUE = 65_536;

/** What an unread message costs beside its bytes, so that empty messages count too: about what its objects take. */
export const MESSAGE_OVERHEAD = 256;

/**
 * What may come in a browser while a session is not read, as nothing there can make the peer wait; and one WebSocket message:
 * seconds of a busy peer, and little for a page.
 */
export const MAX_HELD = 1_048_576;

/** Bytes that wait for a slow transport before `send()` makes its caller wait. */
export const SEND_BACKLOG = 65_536;

/** Sessions of a server: 20,000 cost about 300 MiB. */
export const MAX_SESSIONS = 20_000;

/** Handshakes under way at once; the oldest gives way. */
export const MAX_HALF_OPEN = 1_024;

/** The same for one address, so that one host cannot take all of them. */
export const MAX_HALF_OPEN_PER_ADDRESS = 256;

/** Failures of one (address, device id) pair before it has to wait. */
export const BACKOFF_AFTER = 5;

/** First wait; doubles with each further failure. */
export const BACKOFF_BASE = 1_000;

/** Longest wait: a device whose key was put right is back within it. */
export const BACKOFF_CAP = 60_000;

/** Pairs remembered; the least recently used goes. */
export const BACKOFF_PAIRS = 4_096;

/** A pair without failures for this long is forgotten. */
export const BACKOFF_MEMORY = 600_000;

/**
 * Cookies handed out to one address at once (§9.2), and handshakes begun with them: a site behind one NAT that comes back
 * after a power cut.
 */
export const COOKIE_BURST = 256;

/** The same a second, from then on. */
export const COOKIE_RATE = 128;

/** Addresses whose cookies and handshakes are counted; the least recently seen goes. */
export const COOKIE_ADDRESSES = 4_096;

/** Reports about datagrams of version 1 a second: they cost their sender nothing. */
export const STRAY_REPORTS = 20;

/** Peers of a socket that are gone and may not have heard so; the oldest goes. */
export const DEPARTED_PEERS = 1_024;

/** How long the BYE of such a peer is answered: as long as a released peer may repeat it. */
export const FAREWELL_TIME = 15_000;

/**
 * How long the repeated HELLO of a peer that was turned away is not looked at: a few repeats, so that they are not refused
 * and reported one by one, and not so long that a place that becomes free meanwhile is of no use to it.
 */
export const TURNED_AWAY_TIME = 3_000;

/** HELLOs of one serial line that are answered at once (§10): a device that is reset again and again. */
export const HELLO_BURST = 64;

/** The same a second, from then on: more than devices need, and far less than keeps a server busy with key pairs and look-ups. */
export const HELLO_RATE = 16;

/**
 * Frames for a session whose application does not read, while its serial line is read on so that a HELLO is heard; beyond
 * that the line has to wait. Bytes, with what the objects take.
 */
export const MAX_HELD_BACK = 65_536;

/** Connections of `serial+tcp` without an open session, since no time runs for them before HELLO; the oldest gives way. */
export const MAX_IDLE_LINES = 1_024;

/** The same for one address. */
export const MAX_IDLE_LINES_PER_ADDRESS = 256;
