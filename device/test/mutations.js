#!/usr/bin/env node
/**
 * Shows that the tests of the core in C would notice: each protection of core and seam is switched off in a copy of its file, and a
 * named test must fail then. Exits 1 when a protection can be removed unnoticed, or is not found any more. What
 * `scripts/mutations.js` does for the core in TypeScript.
 *
 *   node device/test/mutations.js            all
 *   node device/test/mutations.js WORD…      those whose name, file or suite contains one of the words
 *   node device/test/mutations.js --find …   says of each which tests fail, of all suites but the slow ones, or of USMP_SUITES=a,b
 */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { DEVICE, INCLUDES, objectsOf, PLAIN, sourcesOf, whatIsMissing } from './build.js';

const BUILD = join(DEVICE, 'build/mutations');

/** A test that takes this long with a mutation hangs, which is noticed as well. In milliseconds. */
const PATIENCE = 20_000;

/** How `build.js` compiles each file of the unit tests. */
const OPTIONS = new Map(sourcesOf(PLAIN).map(({ file, options }) => [file, options]));

/**
 * @typedef {object} Mutation
 * @property {string} name what the core does wrong
 * @property {string} file below `device`
 * @property {string} from stands exactly once in it
 * @property {string} to
 * @property {string} in the suite, a name of `support/main.c`, or `residue`
 * @property {string} test the promise that is broken then
 */

/** @type {readonly Mutation[]} */
const MUTATIONS = [
  {
    name: 'tag check off',
    file: 'crypto/src/bearssl.c',
    from: 'if (br_gcm_check_tag(&aead->gcm, text + length) == 1) return true;',
    to: '(void)br_gcm_check_tag(&aead->gcm, text + length); return true;',
    in: 'record',
    test: 'a changed frame is not opened, and does not use up its number',
  },
  {
    name: 'text is not restored where the tag does not fit',
    file: 'crypto/src/bearssl.c',
    from: `    begin(&aead->gcm, nonce, aad, 0);
    br_gcm_run(&aead->gcm, 1, text, length);
    return false;`,
    to: '    return false;',
    in: 'record',
    test: 'both keys are tried where both await number 0',
  },
  {
    name: 'points of low order are accepted',
    file: 'crypto/src/bearssl.c',
    from: '*low_order = done && usmp_crypto_equal(secret, zero, USMP_KEY_LENGTH);',
    to: '*low_order = false; (void)zero;',
    in: 'stream_connection',
    test: 'a device that knows the key and sends a point of low order is refused',
  },
  {
    name: 'additional data are not covered',
    file: 'crypto/src/bearssl.c',
    from: 'br_gcm_aad_inject(gcm, aad, aad_length);',
    to: '(void)aad; (void)aad_length;',
    in: 'record',
    test: 'a changed frame is not opened, and does not use up its number',
  },
  {
    name: 'a comparison looks at the first half',
    file: 'crypto/src/memory.c',
    from: `while (length-- > 0) {
        unsigned left`,
    to: `length /= 2;
    while (length-- > 0) {
        unsigned left`,
    in: 'utack',
    test: 'UTACKs of session frames are those of the vectors, and no changed bit is taken',
  },
  {
    name: 'memory is not overwritten',
    file: 'crypto/src/memory.c',
    from: 'while (length-- > 0) *byte++ = 0;',
    to: '(void)length; (void)byte;',
    in: 'record',
    test: 'all keys are wiped, at whatever point it comes, and nothing can be sealed after that',
  },
  {
    name: 'version is not checked',
    file: 'core/src/frame.c',
    from: 'if (available > 2 && bytes[2] != USMP_VERSION) {',
    to: 'if (0) {',
    in: 'frame',
    test: 'every value of every byte of a header gets its verdict, as soon as it is there',
  },
  {
    name: 'version 1 is not named',
    file: 'core/src/frame.c',
    from: 'bytes[2] == 0x01 ? USMP_ERROR_VERSION_1 : USMP_ERROR_UNSUPPORTED_VERSION',
    to: 'USMP_ERROR_UNSUPPORTED_VERSION',
    in: 'frame',
    test: 'every value of every byte of a header gets its verdict, as soon as it is there',
  },
  {
    name: 'magic is not checked',
    file: 'core/src/frame.c',
    from: 'if (available > 1 && bytes[1] != USMP_MAGIC_HIGH)',
    to: 'if (0)',
    in: 'frame',
    test: 'every value of every byte of a header gets its verdict, as soon as it is there',
  },
  {
    name: 'types are not checked',
    file: 'core/src/frame.c',
    from: 'if (available > 3 && (bytes[3] < USMP_HELLO || bytes[3] > USMP_REKEY))',
    to: 'if (0)',
    in: 'frame',
    test: 'every value of every byte of a header gets its verdict, as soon as it is there',
  },
  {
    name: 'length is not bounded',
    file: 'core/src/frame.c',
    from: 'if (length > USMP_MAX_PAYLOAD)',
    to: 'if (length > USMP_MAX_PAYLOAD + 1)',
    in: 'frame',
    test: 'a payload of 480 bytes is taken and one of more is not',
  },
  {
    name: 'CRC of session frames is not checked',
    file: 'core/src/frame.c',
    from: 'return usmp_load16(frame + USMP_CHECKED_HEADER_LENGTH) == checksum(frame);',
    to: 'return true;',
    in: 'frame',
    test: 'a checksum covers all of a frame but itself',
  },
  {
    name: 'CRC leaves out the payload',
    file: 'core/src/frame.c',
    from: 'return usmp_crc16(frame + USMP_HEADER_LENGTH, usmp_load16(frame + 8), crc);',
    to: 'return crc;',
    in: 'frame',
    test: 'a checksum covers all of a frame but itself',
  },
  {
    name: 'any number is taken',
    file: 'core/src/replay.c',
    from: 'return seq == replay->expected && seq <= USMP_MAX_SEQUENCE;',
    to: 'return seq <= USMP_MAX_SEQUENCE;',
    in: 'replay',
    test: 'only the next number is accepted: neither a repeat, nor an older one, nor one too far',
  },
  {
    name: 'the last number is taken',
    file: 'core/src/record.c',
    from: 'if (seq > USMP_MAX_SEQUENCE) return USMP_ERROR_SEQUENCE_SPENT;',
    to: '',
    in: 'record',
    test: '2^32 - 2 is the last number that is sealed, and 2^32 - 1 is not opened',
  },
  {
    name: 'the last number is sent',
    file: 'core/src/record.c',
    from: `    if (usmp_record_sealable(record) == 0) return USMP_ERROR_SEQUENCE_SPENT;
`,
    to: '',
    in: 'record',
    test: '2^32 - 2 is the last number that is sealed, and 2^32 - 1 is not opened',
  },
  {
    name: 'nonce is not compared',
    file: 'core/src/record.c',
    from: '    if (!has_own_nonce(record, frame)) return USMP_ERROR_BAD_NONCE;',
    to: '',
    in: 'record',
    test: 'a changed frame is not opened, and does not use up its number',
  },
  {
    name: 'nonce of another session is taken',
    file: 'core/src/record.c',
    from: 'memcmp(USMP_PAYLOAD(frame), SEQ(frame), 4) == 0 && memcmp(USMP_PAYLOAD(frame) + 4, record->session_id, 8) == 0',
    to: 'memcmp(USMP_PAYLOAD(frame), SEQ(frame), 4) == 0',
    in: 'record',
    test: 'a changed frame is not opened, and does not use up its number',
  },
  {
    name: 'nonce is not compared over datagrams',
    file: 'core/src/record.c',
    from: `    if (!has_own_nonce(record, frame)) return false;
`,
    to: '',
    in: 'record',
    test: 'over datagrams, a frame of the peer under another nonce is not taken',
  },
  {
    name: 'a record of a datagram that is too short is opened',
    file: 'core/src/record.c',
    from: `    if (size < USMP_RECORD_OVERHEAD) return false;
`,
    to: '',
    in: 'record',
    test: 'over datagrams, a record that is too short is not taken, whatever it begins with',
  },
  {
    name: 'datagrams open under an old key that is none',
    file: 'core/src/record.c',
    from: `    if (record->before == USMP_BEFORE_NOTHING) return false;
`,
    to: '',
    in: 'record',
    test: 'where there is no old key, one of zeros opens nothing',
  },
  {
    name: 'frames of a stream open under an old key that is none',
    file: 'core/src/record.c',
    from: 'bool before = record->before == USMP_BEFORE_NEW_FRAMES && usmp_replay_is_next',
    to: 'bool before = usmp_replay_is_next',
    in: 'record',
    test: 'where there is no old key, one of zeros opens nothing',
  },
  {
    name: 'what was given up is taken under the old key',
    file: 'core/src/record.c',
    from: `    if (standing == USMP_STANDING_REFUSED) return false;
`,
    to: '',
    in: 'record',
    test: 'over datagrams, what was given up before a change of keys is refused after it',
  },
  {
    name: 'a record that is too short is opened',
    file: 'core/src/record.c',
    from: `    if (size < USMP_RECORD_OVERHEAD) return USMP_ERROR_BAD_LENGTH;
`,
    to: '',
    in: 'record',
    test: 'a changed frame is not opened, and does not use up its number',
  },
  {
    name: 'a number is used again after a failure',
    file: 'core/src/record.c',
    from: `    if (!usmp_aead_seal(&record->tx, USMP_PAYLOAD(frame), frame, USMP_CHECKED_HEADER_LENGTH, USMP_TEXT(frame), length)) {
`,
    to: `    if (!usmp_aead_seal(&record->tx, USMP_PAYLOAD(frame), frame, USMP_CHECKED_HEADER_LENGTH, USMP_TEXT(frame), length)) {
        record->tx_seq--;
`,
    in: 'record',
    test: 'a seal that fails uses up its number and leaves no plaintext',
  },
  {
    name: 'what could not be sealed stays in clear',
    file: 'core/src/record.c',
    from: `        usmp_crypto_wipe(USMP_TEXT(frame), length);
`,
    to: '',
    in: 'record',
    test: 'a seal that fails uses up its number and leaves no plaintext',
  },
  {
    name: 'the old key opens after completion',
    file: 'core/src/record.c',
    from: `    record->rekey_complete = true;
    forget_before(record);`,
    to: '    record->rekey_complete = true;',
    in: 'record',
    test: 'what the responder had under way stays readable until the first frame under the new key',
  },
  {
    name: 'the keys before a REKEY are not overwritten',
    file: 'core/src/record.c',
    from: '    usmp_crypto_wipe(record->keys_before, sizeof record->keys_before);',
    to: '',
    in: 'record',
    test: 'all keys are wiped, at whatever point it comes, and nothing can be sealed after that',
  },
  {
    name: 'keys stay when a session ends',
    file: 'core/src/record.c',
    from: '    usmp_crypto_wipe(record->keys, sizeof record->keys);',
    to: '',
    in: 'record',
    test: 'all keys are wiped, at whatever point it comes, and nothing can be sealed after that',
  },
  {
    name: 'the derived keys stay on the stack',
    file: 'core/src/record.c',
    from: '    usmp_crypto_wipe(derived, sizeof derived);',
    to: '',
    in: 'residue',
    test: 'datagrams: no secret is left on the stack, no salt in a connection',
  },
  {
    name: 'REKEY does not begin the numbers anew',
    file: 'core/src/record.c',
    from: `        record->tx_seq = 0;
`,
    to: '',
    in: 'record',
    test: 'a change of keys starts both directions anew at number 0',
  },
  {
    name: 'crossed REKEYs are not told apart',
    file: 'core/src/record.c',
    from: 'size_t from = crossed ? USMP_KEY_LENGTH : 0;',
    to: 'size_t from = 0;',
    in: 'record',
    test: 'after a crossing each side sends under its own salt, and the next change agrees',
  },
  {
    name: 'the responder keeps its sending key',
    file: 'core/src/record.c',
    from: 'size_t from = crossed ? USMP_KEY_LENGTH : 0;',
    to: 'size_t from = crossed || responds ? USMP_KEY_LENGTH : 0;',
    in: 'record',
    test: 'a change of keys starts both directions anew at number 0',
  },
  {
    name: 'the responder still opens under the old key',
    file: 'core/src/record.c',
    from: `    if (responds && !datagrams) forget_before(record);
`,
    to: `    if (responds && !datagrams) record->before = USMP_BEFORE_NEW_FRAMES;
`,
    in: 'record',
    test: 'the responder refuses the old key at once, and does not keep it',
  },
  {
    name: 'the responder keeps the old keys',
    file: 'core/src/record.c',
    from: `    if (responds && !datagrams) forget_before(record);
`,
    to: '',
    in: 'record',
    test: 'the responder refuses the old key at once, and does not keep it',
  },
  {
    name: 'the responder takes new datagrams under the old key',
    file: 'core/src/record.c',
    from: `    if (standing == USMP_STANDING_NEW && record->before == USMP_BEFORE_REPEATS) return false;
`,
    to: '',
    in: 'record',
    test: 'over datagrams, a responder opens repeats under the old key, nothing new, and no more once REKEY is complete',
  },
  {
    name: 'a change of keys is never complete over datagrams',
    file: 'core/src/record.c',
    from: `    if (!opened.under_old_key && !record->rekey_complete) complete_rekey(record);
`,
    to: '',
    in: 'record',
    test: 'over datagrams, a responder opens repeats under the old key, nothing new, and no more once REKEY is complete',
  },
  {
    name: 'the MAC of a UTACK is not checked',
    file: 'core/src/record.c',
    from: 'if (usmp_crypto_equal(expected, mac, USMP_UTACK_MAC_LENGTH)) return true;',
    to: 'return true;',
    in: 'datagram_connection',
    test: 'forged UTACKs acknowledge nothing',
  },
  {
    name: 'the UTACK of REKEY counts under the new key alone',
    file: 'core/src/record.c',
    from: '    if (header[2] != USMP_REKEY || !record->has_rekey_mac_key) return false;',
    to: '    return false;',
    in: 'utack',
    test: 'UTACKs of REKEY are taken under the old key and the new one, until it is known to have arrived',
  },
  {
    name: 'UTACKs of all frames count under the old key',
    file: 'core/src/record.c',
    from: 'if (header[2] != USMP_REKEY || !record->has_rekey_mac_key) return false;',
    to: 'if (!record->has_rekey_mac_key) return false;',
    in: 'utack',
    test: 'the key before REKEY serves for the UTACK of REKEY and of nothing else',
  },
  {
    name: 'the replay window has no end',
    file: 'core/src/replay.c',
    from: `    if (age >= USMP_REPLAY_WINDOW) return USMP_STANDING_REFUSED;
    uint32_t word`,
    to: `    if (age >= USMP_REPLAY_WINDOW) return USMP_STANDING_NEW;
    uint32_t word`,
    in: 'replay',
    test: 'the sliding window takes a frame 63 below the highest, and none 64 below',
  },
  {
    name: 'a repeat counts as new',
    file: 'core/src/replay.c',
    from: `    if ((word & 1) == 1) return USMP_STANDING_REPEAT;
`,
    to: '',
    in: 'replay',
    test: 'the sliding window takes a frame 63 below the highest, and none 64 below',
  },
  {
    name: 'what was given up is taken late',
    file: 'core/src/replay.c',
    from: 'return seq < replay->next ? USMP_STANDING_REFUSED : USMP_STANDING_NEW;',
    to: 'return USMP_STANDING_NEW;',
    in: 'replay',
    test: 'a number that was given up is refused, one that was opened is a repeat',
  },
  {
    name: 'the last number is taken over datagrams',
    file: 'core/src/replay.c',
    from: `    if (seq > USMP_MAX_SEQUENCE) return USMP_STANDING_REFUSED;
`,
    to: '',
    in: 'replay',
    test: 'the sliding window judges as a memory of everything does',
  },
  {
    name: 'mac_C and mac_S have the same prefix',
    file: 'core/src/key_schedule.c',
    from: '{USMP_MAGIC_LOW, USMP_MAGIC_HIGH, USMP_VERSION, type}',
    to: '{USMP_MAGIC_LOW, USMP_MAGIC_HIGH, USMP_VERSION, USMP_HELLO_ACK}',
    in: 'key_schedule',
    test: 'the MACs of a handshake are those of the vectors',
  },
  {
    name: 'public keys are not part of the MAC',
    file: 'core/src/key_schedule.c',
    from: '    memcpy(end + 32 + identity_length, transcript + 32, 64);',
    to: '',
    in: 'key_schedule',
    test: 'the MACs of a handshake are those of the vectors',
  },
  {
    name: 'both directions have one key',
    file: 'core/src/key_schedule.c',
    from: `    info[info_length] = 0x02;
    done = done && usmp_crypto_hmac_sha256(okm + 32, prk, 32, data, 32 + info_length + 1);`,
    to: '    memcpy(okm + 32, okm, 32);',
    in: 'key_schedule',
    test: 'the keys of a session are those of the vectors',
  },
  {
    name: 'the extracted key stays on the stack',
    file: 'core/src/key_schedule.c',
    from: `    usmp_crypto_wipe(prk, sizeof prk);
`,
    to: '',
    in: 'residue',
    test: 'stream: no secret is left on the stack, no salt in a connection',
  },
  {
    name: 'comparison of mac_C off',
    file: 'core/src/handshake.c',
    from: 'if (proved && key != NULL && *found == NULL) {',
    to: 'if (key != NULL && *found == NULL) {',
    in: 'stream_connection',
    test: 'with a wrong key the server falls silent after CHALLENGE, and the client learns it by the end',
  },
  {
    name: 'the second key is not tried',
    file: 'core/src/handshake.c',
    from: 'for (uint8_t i = 0; i < USMP_MAX_KEYS; i++) {',
    to: 'for (uint8_t i = 0; i < 1; i++) {',
    in: 'handshake',
    test: 'the first of the keys that fits is named',
  },
  {
    name: 'a short key of a device opens',
    file: 'core/src/handshake.c',
    from: `        if (key != NULL && key->length < USMP_MIN_PSK) key = NULL;
`,
    to: '',
    in: 'connection',
    test: 'stream: a wrong key, an unknown id, a short key, a third key and the decoy let nobody in',
  },
  {
    name: 'the decoy opens',
    file: 'core/src/handshake.c',
    from: `        const uint8_t *psk = key != NULL ? key->bytes : settings->decoy_key;
`,
    to: `        static usmp_key_t decoy;
        decoy = (usmp_key_t){settings->decoy_key, USMP_KEY_LENGTH};
        if (key == NULL) key = &decoy;
        const uint8_t *psk = key->bytes;
`,
    in: 'connection',
    test: 'stream: a wrong key, an unknown id, a short key, a third key and the decoy let nobody in',
  },
  {
    name: 'comparison of mac_S off',
    file: 'core/src/handshake.c',
    from: `    if (!usmp_crypto_equal(expected, payload + 16, sizeof expected)) return USMP_ERROR_ROGUE_SERVER;
`,
    to: '',
    in: 'stream_connection',
    test: 'a server that does not know the key, or sends the proof of the client back, is found out',
  },
  {
    name: 'a client that computes late opens without a secret',
    file: 'core/src/handshake.c',
    from: `    usmp_error_t error = usmp_handshake_agree(handshake);
    if (error != USMP_OK) return error;
`,
    to: `    (void)usmp_handshake_agree(handshake);
`,
    in: 'stream_connection',
    test: 'a server that knows the key and sends a point of low order is refused, whenever the client computes',
  },
  {
    name: 'a client that computes early goes on without a secret',
    file: 'core/src/connection.c',
    from: 'case AGREE: error = usmp_handshake_agree(&usmp->layer.handshake); break;',
    to: 'case AGREE: (void)!usmp_handshake_agree(&usmp->layer.handshake); break;',
    in: 'stream_connection',
    test: 'a server that knows the key and sends a point of low order is refused, whenever the client computes',
  },
  {
    name: 'a handshake frame of another length is taken',
    file: 'core/src/handshake.c',
    from: `    if (!usmp_handshake_expects(handshake, frame, size)) return USMP_ERROR_BAD_LENGTH;
`,
    to: '',
    in: 'handshake',
    test: 'in each state one type of frame of one length is taken, and the state stays where another comes',
  },
  {
    name: 'a handshake frame of another type is taken',
    file: 'core/src/handshake.c',
    from: `    if (frame[3] != ACCEPTS[handshake->state].type) return USMP_ERROR_UNEXPECTED_FRAME;
`,
    to: '',
    in: 'handshake',
    test: 'in each state one type of frame of one length is taken, and the state stays where another comes',
  },
  {
    name: 'the private key stays after the agreement',
    file: 'core/src/handshake.c',
    from: `    usmp_crypto_wipe(handshake->private_key, sizeof handshake->private_key);
`,
    to: '',
    in: 'handshake',
    test: 'an honest handshake leaves both sides with the same secrets, whenever the keys come',
  },
  {
    name: 'the shared secret stays on the stack',
    file: 'core/src/handshake.c',
    from: `    usmp_crypto_wipe(secret, sizeof secret);
`,
    to: '',
    in: 'residue',
    test: 'stream: no secret is left on the stack, no salt in a connection',
  },
  {
    name: 'an agreement is spent before mac_C is checked',
    file: 'core/src/handshake.c',
    from: `    usmp_error_t error = find_key(handshake, settings, &key);
    if (error != USMP_OK) return error;
    error = derive_keys(handshake, CLIENT_PUBLIC_KEY(handshake));
    if (error != USMP_OK) return error;`,
    to: `    usmp_error_t error = derive_keys(handshake, CLIENT_PUBLIC_KEY(handshake));
    if (error != USMP_OK) return error;
    error = find_key(handshake, settings, &key);
    if (error != USMP_OK) return error;`,
    in: 'connection',
    test: 'stream: an unknown device costs as many MACs as a known one, and neither costs an agreement',
  },
  {
    name: 'a message may have any number of parts',
    file: 'core/src/message.c',
    from: 'if (!last && ++message->parts >= USMP_MAX_PARTS) return USMP_ERROR_MESSAGE_TOO_LONG;',
    to: 'if (!last) ++message->parts;',
    in: 'message',
    test: 'a fourth part that is DATA_FRAG ends the session, without waiting for a fifth',
  },
  {
    name: 'REKEY is taken between the parts of a message',
    file: 'core/src/stream_connection.c',
    from: `    if (usmp->message.parts > 0) return USMP_ERROR_UNEXPECTED_FRAME;
`,
    to: '',
    in: 'message',
    test: 'PING, PONG and REKEY between parts are refused, BYE drops the parts',
  },
  {
    name: 'handshake frames are taken in a session',
    file: 'core/src/stream_connection.c',
    from: `    if (usmp_is_handshake_type(type)) return USMP_ERROR_UNEXPECTED_FRAME;
`,
    to: '',
    in: 'message',
    test: 'a handshake frame ends a session over a stream, also one that would open',
  },
  {
    name: 'a message goes on behind a part that could not be sealed',
    file: 'core/src/stream_connection.c',
    from: `        usmp_error_t error = seal_frame(usmp, USMP_DATA_FRAG, message, USMP_MAX_PLAINTEXT, now);
        if (error != USMP_OK) return error;
`,
    to: `        (void)!seal_frame(usmp, USMP_DATA_FRAG, message, USMP_MAX_PLAINTEXT, now);
`,
    in: 'stream_connection',
    test: 'where a part cannot be sealed, nothing of the message is sent, and the call says why',
  },
  {
    name: 'control frames may have a plaintext',
    file: 'core/src/connection.c',
    from: 'return length == (type == USMP_REKEY ? USMP_REKEY_SALT_LENGTH : 0) ? USMP_OK : USMP_ERROR_BAD_LENGTH;',
    to: 'return USMP_OK;',
    in: 'message',
    test: 'PING, PONG and REKEY between parts are refused, BYE drops the parts',
  },
  {
    name: 'no number is left for BYE',
    file: 'core/src/connection.c',
    from: 'if (usmp_record_sealable(&usmp->layer.record) <= usmp_frame_count(length)) {',
    to: 'if (usmp_record_sealable(&usmp->layer.record) < usmp_frame_count(length)) {',
    in: 'sequence_end',
    test: 'stream: numbers run out: the last one is for BYE',
  },
  {
    name: 'no number is left for BYE behind PING',
    file: 'core/src/stream_connection.c',
    from: 'usmp_record_sealable(&usmp->layer.record) <= 1u + rekeys',
    to: 'usmp_record_sealable(&usmp->layer.record) == 0',
    in: 'sequence_end',
    test: 'stream: numbers run out: by a PONG',
  },
  {
    name: 'bytes are taken while an event waits',
    file: 'core/src/stream_connection.c',
    from: 'while (taken < length && usmp->events == 0) {',
    to: 'while (taken < length) {',
    in: 'messages',
    test: 'stream: no event is lost: input waits until events have been polled',
  },
  {
    name: 'keys stay after BYE',
    file: 'core/src/stream_connection.c',
    from: `        usmp->bye_wanted = false;
        usmp_wipe_layer(usmp);`,
    to: '        usmp->bye_wanted = false;',
    in: 'closing',
    test: 'stream: no key is left in the connection, however its end comes',
  },
  {
    name: 'another REKEY begins before the last is complete',
    file: 'core/src/stream_connection.c',
    from: 'if (usmp->rekey_wanted && usmp->layer.record.rekey_complete) return USMP_REKEY;',
    to: 'if (usmp->rekey_wanted) return USMP_REKEY;',
    in: 'rekey',
    test: 'stream: REKEYs from both sides lose nothing and double nothing of the traffic',
  },
  {
    name: 'PONGs owed have no limit',
    file: 'core/src/connection.c',
    from: 'if (usmp->pongs_owed < USMP_MAX_PONGS_OWED) usmp->pongs_owed++;',
    to: 'usmp->pongs_owed++;',
    in: 'datagram_connection',
    test: 'a peer that pings and does not read is owed eight PONGs',
  },
  {
    name: 'PINGs under way have no limit',
    file: 'core/src/connection.c',
    from: 'else usmp->pings_under_way++;',
    to: 'usmp->pings_under_way++;',
    in: 'messages',
    test: 'stream: of more PINGs than are counted the first PONGs are told, without a round trip, and the rest are not',
  },
  {
    name: 'PINGs that were not counted are forgotten',
    file: 'core/src/connection.c',
    from: 'usmp->pings_counted = false;',
    to: 'usmp->pings_counted = true;',
    in: 'messages',
    test: 'stream: of more PINGs than are counted the first PONGs are told, without a round trip, and the rest are not',
  },
  {
    name: 'a short key of the client is taken',
    file: 'core/src/connection.c',
    from: `    if (settings->psk_length < USMP_MIN_PSK) return USMP_ERROR_KEY_TOO_SHORT;
`,
    to: '',
    in: 'connection',
    test: 'stream: settings that cannot be used are refused',
  },
  {
    name: 'a server goes without a decoy',
    file: 'core/src/connection.c',
    from: 'if (!is_compiled_in(settings->transport) || settings->decoy_key == NULL)',
    to: 'if (!is_compiled_in(settings->transport))',
    in: 'connection',
    test: 'stream: settings that cannot be used are refused',
  },
  {
    name: 'arriving bytes restart the time of a handshake',
    file: 'core/src/connection.c',
    from: `    if (usmp->state == USMP_STATE_CLOSED) return length;
#if USMP_SERIAL`,
    to: `    if (usmp->state == USMP_STATE_CLOSED) return length;
    if (usmp->state == USMP_STATE_HANDSHAKE) usmp->began_at = now;
#if USMP_SERIAL`,
    in: 'serial_connection',
    test: 'a wrong key is refused after 30 s, and counts as three failures',
  },
  {
    name: 'a handshake has no end',
    file: 'core/src/connection.c',
    from: 'next = (deadline_t){usmp_due_in(now, usmp->began_at, handshake_timeout(usmp)), GIVE_UP_HANDSHAKE};',
    to: 'next = (deadline_t){USMP_NEVER, NOTHING};',
    in: 'serial_connection',
    test: 'a handshake has its time from its own HELLO',
  },
  {
    name: 'an idle session stays open',
    file: 'core/src/connection.c',
    from: 'next = (deadline_t){idle_in(usmp, now), END_IDLE};',
    to: 'next = (deadline_t){USMP_NEVER, NOTHING};',
    in: 'datagram_connection',
    test: 'a repeat is no sign of life',
  },
  {
    name: 'a dead peer is pinged for ever',
    file: 'core/src/connection.c',
    from: 'if (usmp->missed > USMP_KEEPALIVE_MISSES) {',
    to: 'if (0) {',
    in: 'serial_connection',
    test: 'a session ends in silence, and BYE tells the side that cannot make itself heard',
  },
  {
    name: 'closing waits for ever',
    file: 'core/src/connection.c',
    from: 'next = (deadline_t){usmp_earlier(taken_in, usmp_due_in(now, usmp->began_at, USMP_LINGER_LIMIT)), GIVE_UP_CLOSING};',
    to: 'next = (deadline_t){USMP_NEVER, NOTHING};',
    in: 'closing',
    test: 'stream: closing ends in its time when the line takes nothing',
  },
  {
    name: 'keys stay in a connection that has failed',
    file: 'core/src/connection.c',
    from: `    usmp->bye_wanted = false;
    usmp_discard_output(usmp);
    usmp_wipe_layer(usmp);`,
    to: `    usmp->bye_wanted = false;
    usmp_discard_output(usmp);`,
    in: 'stream_connection',
    test: 'a server that does not know the key, or sends the proof of the client back, is found out',
  },
  {
    name: 'what waited is sent after the failure',
    file: 'core/src/connection.c',
    from: `    usmp->bye_wanted = false;
    usmp_discard_output(usmp);
    usmp_wipe_layer(usmp);`,
    to: `    usmp->bye_wanted = false;
    usmp_wipe_layer(usmp);`,
    in: 'stream_connection',
    test: 'the end of the line tells at which point it came',
  },
  {
    name: 'the keys of the handshake stay on the stack',
    file: 'core/src/connection.c',
    from: `    usmp_crypto_wipe(keys, sizeof keys);
`,
    to: '',
    in: 'residue',
    test: 'stream: no secret is left on the stack, no salt in a connection',
  },
  {
    name: 'the salt of REKEY stays in memory',
    file: 'core/src/connection.c',
    from: `    usmp_crypto_wipe(salt, USMP_REKEY_SALT_LENGTH);
`,
    to: '',
    in: 'residue',
    test: 'stream: no secret is left on the stack, no salt in a connection',
  },
  {
    name: 'the salt of our REKEY stays on the stack',
    file: 'core/src/stream_connection.c',
    from: `        if (rekeys) usmp_crypto_wipe(salt, sizeof salt);
`,
    to: '',
    in: 'residue',
    test: 'stream: no secret is left on the stack, no salt in a connection',
  },
  {
    name: 'the salt of our REKEY stays on the stack, over datagrams',
    file: 'core/src/datagram_connection.c',
    from: `    usmp_crypto_wipe(salt, sizeof salt);
`,
    to: '',
    in: 'residue',
    test: 'datagrams: no secret is left on the stack, no salt in a connection',
  },
  {
    name: 'an end that failed in the handshake counts as authenticated',
    file: 'core/src/connection.c',
    from: '    return usmp->authenticated ? usmp->device_id : NULL;',
    to: '    return usmp->is_server && usmp->state >= USMP_STATE_OPEN ? usmp->device_id : NULL;',
    in: 'serial_connection',
    test: 'a session goes on beside handshakes of somebody without the key, however often he tries',
  },
  {
    name: 'a line is closed by BYE where cryptography has failed',
    file: 'core/src/connection.c',
    from: 'if (usmp_is_serial(usmp) && error != USMP_ERROR_CRYPTO_FAILED)',
    to: 'if (usmp_is_serial(usmp))',
    in: 'crypto_failures',
    test: 'serial: one failing call of cryptography ends in order, whichever it is',
  },
  {
    name: 'blocks with a wrong CRC are taken',
    file: 'core/src/serial_connection.c',
    from: `size == length &&
           usmp_frame_checksum_fits(block)`,
    to: 'size == length',
    in: 'serial_connection',
    test: 'a handshake survives any damaged frame',
  },
  {
    name: 'a block may run over the buffer',
    file: 'core/src/cobs.c',
    from: `        if ((size_t)(end - from) < code - 1) return 0;
`,
    to: '',
    in: 'cobs',
    test: 'blocks whose groups do not fit are not decoded',
  },
  {
    name: 'a block without end runs over the buffer of a connection',
    file: 'core/src/serial_connection.c',
    from: 'if (usmp->received > USMP_MAX_BLOCK) return;',
    to: '',
    in: 'serial_connection',
    test: 'a block without end stays in its place, at either end',
  },
  {
    name: 'a block without end runs over the buffer of a line',
    file: 'core/src/serial_endpoint.c',
    from: 'if (line->received < sizeof line->block) line->block',
    to: 'line->block',
    in: 'serial_connection',
    test: 'a block without end stays in its place, at either end',
  },
  {
    name: 'a block of a line may be of any length',
    file: 'core/src/serial_endpoint.c',
    from: 'line->received <= USMP_MAX_BLOCK ? usmp_cobs_decode(line->block, line->received) : 0',
    to: 'usmp_cobs_decode(line->block, line->received)',
    in: 'serial_connection',
    test: 'a block that is shorter than a header or longer than any frame is not looked at, and the next one is taken',
  },
  {
    name: 'a block of a line may be shorter than a header',
    file: 'core/src/serial_endpoint.c',
    from: `    if (length < USMP_HEADER_LENGTH) return;
`,
    to: '',
    in: 'serial_connection',
    test: 'a block that is shorter than a header or longer than any frame is not looked at, and the next one is taken',
  },
  {
    name: 'a line takes any settings',
    file: 'core/src/serial_endpoint.c',
    from: 'if (settings->transport != USMP_TRANSPORT_SERIAL || settings->decoy_key == NULL) return USMP_ERROR_INVALID_ARGUMENT;',
    to: '',
    in: 'serial_connection',
    test: 'settings that an endpoint of a line cannot use are refused',
  },
  {
    name: 'a client on a line takes any frame for the answer',
    file: 'core/src/serial_connection.c',
    from: 'if (usmp_handshake_expects(&usmp->layer.handshake, frame, size)) {',
    to: 'if (true) {',
    in: 'serial_connection',
    test: 'a client drops what it does not wait for',
  },
  {
    name: 'handshake frames end the session of a line',
    file: 'core/src/serial_connection.c',
    from: 'if (!usmp_is_handshake_type(frame[3])) usmp_stream_session_frame',
    to: 'usmp_stream_session_frame',
    in: 'serial_connection',
    test: 'a session takes no notice of handshake frames at either end',
  },
  {
    name: 'nobody is told of the end of a session of a line',
    file: 'core/src/connection.c',
    from: `if (usmp_is_serial(usmp) && error != USMP_ERROR_CRYPTO_FAILED) usmp_close_with(usmp, error, now);
    else`,
    to: '',
    in: 'serial_connection',
    test: 'a session ends behind a damaged frame, and BYE tells the other side',
  },
  {
    name: 'an unanswered HELLO is not repeated',
    file: 'core/src/serial_connection.c',
    from: 'return usmp_due_in(now, usmp->last_sent, asked ? USMP_HELLO_PATIENCE : USMP_HELLO_ACK_PATIENCE);',
    to: '(void)asked; (void)now; return USMP_NEVER;',
    in: 'serial_connection',
    test: 'a client begins anew when a frame of the handshake was lost, each in its time',
  },
  {
    name: 'a HELLO that waits for the line counts as unanswered',
    file: 'core/src/serial_connection.c',
    from: `    if (usmp->tx_start != usmp->tx_end) return USMP_NEVER;
`,
    to: '',
    in: 'serial_connection',
    test: 'the patience of a client begins when its HELLO is on the line',
  },
  {
    name: 'HELLOs of a line are answered without a limit',
    file: 'core/src/serial_endpoint.c',
    from: '|| !usmp_bucket_take(&line->beginnings, now)) return;',
    to: '|| (usmp_bucket_take(&line->beginnings, now), false)) return;',
    in: 'serial_connection',
    test: 'HELLOs are answered at a bounded rate',
  },
  {
    name: 'HELLO ends the session of a line',
    file: 'core/src/serial_endpoint.c',
    from: 'bool keeps = handshake == NULL && usmp_state(&line->peers[line->newest]) == USMP_STATE_OPEN;',
    to: 'bool keeps = false;',
    in: 'serial_connection',
    test: 'a session goes on beside handshakes of somebody without the key, however often he tries',
  },
  {
    name: 'a closing session that is replaced goes on speaking',
    file: 'core/src/serial_endpoint.c',
    from: `    if (usmp_lingers(previous)) usmp_handle_end(previous);
`,
    to: '',
    in: 'serial_connection',
    test: 'a session that is closing when it is replaced says nothing more',
  },
  {
    name: 'a session of a line stays open when it is replaced',
    file: 'core/src/serial_endpoint.c',
    from: `    if (usmp_state(previous) == USMP_STATE_OPEN) usmp_fail(previous, USMP_ERROR_REPLACED);
`,
    to: '',
    in: 'serial_connection',
    test: 'a device that was reset takes the place of its session, and nothing of that reaches the line',
  },
  {
    name: 'a damaged handshake frame is taken at once',
    file: 'core/src/datagram_connection.c',
    from: `if (usmp_frame_checksum_fits(frame)) return false;
`,
    to: `return false;
`,
    in: 'datagram_connection',
    test: 'handshake frames without a checksum are taken the second time',
  },
  {
    name: 'a repeated HELLO is not answered again',
    file: 'core/src/datagram_connection.c',
    from: `    if (asks_for_challenge && answer == USMP_CHALLENGE) datagram->flight_due = true;
`,
    to: `(void)asks_for_challenge;
`,
    in: 'datagram_connection',
    test: 'handshake frames that come again are acknowledged, and answered as before, whatever UTACKs say',
  },
  {
    name: 'a repeated HELLO_ACK is not answered again',
    file: 'core/src/datagram_connection.c',
    from: `    if (same_proof && answer == USMP_SESSION_OK) datagram->flight_due = true;
`,
    to: `(void)same_proof;
`,
    in: 'datagram_connection',
    test: 'handshake frames that come again are acknowledged, and answered as before, whatever UTACKs say',
  },
  {
    name: 'a repeated CHALLENGE is not acknowledged',
    file: 'core/src/datagram_connection.c',
    from: `        if (type == USMP_CHALLENGE) return state != USMP_WAIT_CHALLENGE;
`,
    to: '',
    in: 'datagram_connection',
    test: 'handshake frames that come again are acknowledged, and answered as before, whatever UTACKs say',
  },
  {
    name: 'SESSION_OK is sent in a session that the client is in',
    file: 'core/src/datagram_connection.c',
    from: `    datagram->flight_length = 0;
`,
    to: '',
    in: 'datagram_connection',
    test: 'handshake frames that come again are acknowledged, and answered as before, whatever UTACKs say',
  },
  {
    name: 'HELLO_RETRY of any length is taken, by a server too',
    file: 'core/src/datagram_connection.c',
    from: `    if (usmp->is_server || size != USMP_HEADER_LENGTH + USMP_COOKIE_LENGTH) return;
`,
    to: '',
    in: 'datagram_connection',
    test: 'HELLO_RETRY is taken by a client that waits for CHALLENGE, once, and by nobody else',
  },
  {
    name: 'HELLO_RETRY is taken at any time',
    file: 'core/src/datagram_connection.c',
    from: `    if (usmp->state != USMP_STATE_HANDSHAKE || usmp->layer.handshake.state != USMP_WAIT_CHALLENGE) return;
`,
    to: '',
    in: 'datagram_connection',
    test: 'HELLO_RETRY is taken by a client that waits for CHALLENGE, once, and by nobody else',
  },
  {
    name: 'the same cookie begins anew',
    file: 'core/src/datagram_connection.c',
    from: `    if (datagram->has_cookie && memcmp(cookie, datagram->cookie, USMP_COOKIE_LENGTH) == 0) return;
`,
    to: '',
    in: 'datagram_connection',
    test: 'HELLO_RETRY is taken by a client that waits for CHALLENGE, once, and by nobody else',
  },
  {
    name: 'a server begins to speak',
    file: 'core/src/datagram_connection.c',
    from: `    if (usmp->is_server) return;
    const uint8_t *device_id`,
    to: '    const uint8_t *device_id',
    in: 'connection',
    test: 'datagrams: a server says nothing until it is spoken to',
  },
  {
    name: 'any frame of a handshake is given up as SESSION_OK is',
    file: 'core/src/datagram_connection.c',
    from: `    if (datagram->flight[3] != USMP_SESSION_OK) return repeat_in;
`,
    to: '',
    in: 'datagram_connection',
    test: 'a handshake with a long time repeats its frame once a second to the end',
  },
  {
    name: 'UTACKs may have any size',
    file: 'core/src/datagram_connection.c',
    from: `    if (!usmp_utack_fits(utack, length)) return;
`,
    to: '',
    in: 'datagram_connection',
    test: 'UTACKs of another size acknowledge nothing',
  },
  {
    name: 'a damaged session frame is taken',
    file: 'core/src/datagram_connection.c',
    from: 'if (!usmp_frame_checksum_fits(frame) || !usmp_record_authenticate',
    to: 'if (!usmp_record_authenticate',
    in: 'datagram_connection',
    test: 'a damaged frame gets no UTACK, its repeat is accepted',
  },
  {
    name: 'a datagram may be longer than its frame',
    file: 'core/src/datagram_connection.c',
    from: '!= USMP_OK || size != length) return true;',
    to: '!= USMP_OK || size > length) return true;',
    in: 'datagram_connection',
    test: 'a datagram that is longer than its frame is dropped, also one that would open or be waited for',
  },
  {
    name: 'a repeat is delivered again',
    file: 'core/src/datagram_connection.c',
    from: `    if (opened.repeat) {
        (void)acknowledge(usmp, type, seq, opened);
        return;
    }
`,
    to: '',
    in: 'datagram_connection',
    test: 'close brings out all that was sent before, and BYE behind it',
  },
  {
    name: 'a repeat is a sign of life',
    file: 'core/src/datagram_connection.c',
    from: `    if (opened.repeat) {
        (void)`,
    to: `    if (opened.repeat) {
        usmp_heard(usmp, now);
        (void)`,
    in: 'datagram_connection',
    test: 'a repeat is no sign of life',
  },
  {
    name: 'the length of a repeated HELLO_ACK is not looked at',
    file: 'core/src/datagram_connection.c',
    from: `frame[3] == USMP_HELLO_ACK && size == USMP_HEADER_LENGTH + USMP_MAC_LENGTH &&
                      usmp_load32(USMP_PAYLOAD(frame)) == datagram->hello_ack_tag`,
    to: 'frame[3] == USMP_HELLO_ACK',
    in: 'datagram_connection',
    test: 'a lost SESSION_OK is sent again for a repeated HELLO_ACK, and for no other',
  },
  {
    name: 'REKEY is taken while frames are under way',
    file: 'core/src/datagram_connection.c',
    from: 'if (rekeys && !may_take_rekey(usmp, now)) return;',
    to: '(void)may_take_rekey;',
    in: 'datagram_connection',
    test: 'REKEY that is not repeated holds the responder back for a while, and nobody has to wake it',
  },
  {
    name: 'who is held back by REKEY sends PONG',
    file: 'core/src/datagram_connection.c',
    from: 'if (!rekeys && (is_held_back(usmp) || !has_room(usmp, 1, 0))) return;',
    to: 'if (!rekeys && !has_room(usmp, 1, 0)) return;',
    in: 'datagram_connection',
    test: 'who is held back by REKEY of the peer begins nothing new, no PONG either',
  },
  {
    name: 'frames under the old key are acknowledged under it alone',
    file: 'core/src/datagram_connection.c',
    from: `    if (opened.under_old_key && usmp->layer.record.before == USMP_BEFORE_NEW_FRAMES) (void)utack_of(usmp, type, seq, false);
`,
    to: '',
    in: 'datagram_connection',
    test: 'frames under the old key are acknowledged under both keys while our REKEY is under way',
  },
  {
    name: 'a gap is waited for without end',
    file: 'core/src/datagram_connection.c',
    from: 'return datagram->gap && holds_any(datagram) ? usmp_due_in(now, datagram->gap_since, USMP_GAP_TIMEOUT) : USMP_NEVER;',
    to: 'return USMP_NEVER;',
    in: 'datagram_connection',
    test: 'a gap is given up after 13 s, and what fills it then gets no UTACK',
  },
  {
    name: 'a gap begins anew with each frame',
    file: 'core/src/datagram_connection.c',
    from: `        if (waiting > longest) longest = waiting;
`,
    to: `(void)waiting;
`,
    in: 'datagram_connection',
    test: 'the 13 s of a gap run from the arrival of what is behind it',
  },
  {
    name: 'parts before a gap are put together with what is behind it',
    file: 'core/src/datagram_connection.c',
    from: `            if (held->seq != datagram->flush_next) drop_parts(usmp);
`,
    to: '',
    in: 'datagram_connection',
    test: 'what is before a gap and what is behind it make no message, also where REKEY or BYE ends the gap',
  },
  {
    name: 'a message stays where it waited',
    file: 'core/src/datagram_connection.c',
    from: `        usmp_crypto_wipe(held->text, sizeof held->text);
`,
    to: '',
    in: 'datagram_connection',
    test: 'a message that had to wait is not left where it waited',
  },
  {
    name: 'a peer that wants to change keys is waited for without end',
    file: 'core/src/datagram_connection.c',
    from: 'return datagram->held_back ? usmp_due_in(now, datagram->held_back_since, USMP_GAP_TIMEOUT) : USMP_NEVER;',
    to: 'return USMP_NEVER;',
    in: 'datagram_connection',
    test: 'REKEY that is not repeated holds the responder back for a while, and nobody has to wake it',
  },
  {
    name: 'BYE is not answered again',
    file: 'core/src/datagram_connection.c',
    from: `    if (memcmp(bytes, FAREWELL_BYE(usmp), length) != 0) return;
`,
    to: `    if (length > 0) return;
`,
    in: 'datagram_connection',
    test: 'a gap in front of BYE does not hold it up, and repeats of BYE are answered',
  },
  {
    name: 'anything is answered as BYE is',
    file: 'core/src/datagram_connection.c',
    from: `    if (memcmp(bytes, FAREWELL_BYE(usmp), length) != 0) return;
`,
    to: '',
    in: 'datagram_connection',
    test: 'a gap in front of BYE does not hold it up, and repeats of BYE are answered',
  },
  {
    name: 'a part of BYE is answered',
    file: 'core/src/datagram_connection.c',
    from: 'if (!datagram->farewell || length != USMP_RECORD_OVERHEAD) return;',
    to: 'if (!datagram->farewell) return;',
    in: 'datagram_connection',
    test: 'a gap in front of BYE does not hold it up, and repeats of BYE are answered',
  },
  {
    name: 'who is over answers without a farewell',
    file: 'core/src/datagram_connection.c',
    from: 'if (!datagram->farewell || length != USMP_RECORD_OVERHEAD) return;',
    to: 'if (length > USMP_RECORD_OVERHEAD) return;',
    in: 'datagram_connection',
    test: 'who is over without BYE answers nothing',
  },
  {
    name: 'messages are acknowledged by who is closing',
    file: 'core/src/datagram_connection.c',
    from: `    if (datagram->lingers && !ends && !usmp_window_awaits_only(&datagram->window, USMP_REKEY)) return;
`,
    to: '',
    in: 'datagram_connection',
    test: 'who is closing acknowledges no message, and takes BYE',
  },
  {
    name: 'cookies are tried at once without a limit',
    file: 'core/src/datagram_connection.c',
    from: 'if (datagram->cookies_tried < USMP_MAX_COOKIES_TRIED) {',
    to: 'if (true) {',
    in: 'datagram_connection',
    test: 'forged datagrams do not stall a handshake',
  },
  {
    name: 'a server speaks before it knows that SESSION_OK has come',
    file: 'core/src/datagram_connection.c',
    from: `    if (datagram->flying) return true;
`,
    to: '',
    in: 'datagram_connection',
    test: 'the server sends no session frame until the client has SESSION_OK',
  },
  {
    name: 'REKEY is not refused where released peers would lose frames',
    file: 'core/src/datagram_connection.c',
    from: 'return usmp->layer.record.sent_many;',
    to: 'return false;',
    in: 'datagram_connection',
    test: 'REKEY is refused after 64 frames, unless it is forced',
  },
  {
    name: 'a frame may be repeated for ever',
    file: 'core/src/arq.c',
    from: 'if (usmp_due_in(now, frame->first_sent_at, USMP_DELIVERY_TIMEOUT) == 0) return false;',
    to: '',
    in: 'arq',
    test: 'a frame is repeated with growing waits and given up at exactly 12.5 s',
  },
  {
    name: 'more bytes may be under way than a released peer holds',
    file: 'core/src/arq.c',
    from: ' && bytes <= USMP_MAX_BYTES_UNDER_WAY',
    to: '',
    in: 'arq',
    test: 'the window spans fewer numbers and bytes than a receiver takes',
  },
  {
    name: 'numbers under way may be further apart than the window',
    file: 'core/src/arq.c',
    from: ` &&
           seq - window->frames[0].seq < USMP_REPLAY_WINDOW`,
    to: '',
    in: 'arq',
    test: 'the window spans fewer numbers and bytes than a receiver takes',
  },
  {
    name: 'parts of a message fly with others',
    file: 'core/src/arq.c',
    from: 'return !alone && flying',
    to: 'return flying',
    in: 'arq',
    test: 'a frame that flies alone has nothing beside it',
  },
  {
    name: 'repeated frames are measured',
    file: 'core/src/arq.c',
    from: 'if (!frame.repeated) usmp_round_trip_measure',
    to: 'usmp_round_trip_measure',
    in: 'arq',
    test: 'a repeated frame is not measured, and its neighbour is',
  },
  {
    name: 'any cookie is right',
    file: 'core/src/endpoint.c',
    from: `    if (!is_cookie(endpoint, USMP_PAYLOAD(hello) + USMP_HELLO_LENGTH, source, source_length)) return NULL;
`,
    to: '(void)is_cookie;',
    in: 'endpoint',
    test: 'a cookie is good for its source, for 30 to 60 s, and with no bit changed, also where the clock wraps',
  },
  {
    name: 'HELLO of any length begins',
    file: 'core/src/endpoint.c',
    from: `    if (length != USMP_HEADER_LENGTH + USMP_HELLO_LENGTH + USMP_COOKIE_LENGTH) return NULL;
`,
    to: '',
    in: 'endpoint',
    test: 'HELLO of another length begins nothing, whatever cookie is in it',
  },
  {
    name: 'a cookie is right at any address',
    file: 'core/src/endpoint.c',
    from: `    memcpy(data, source, source_length);
`,
    to: `    memset(data, 0, source_length); (void)source;
`,
    in: 'endpoint',
    test: 'a cookie is good for its source, for 30 to 60 s, and with no bit changed, also where the clock wraps',
  },
  {
    name: 'a cookie is right for ever',
    file: 'core/src/endpoint.c',
    from: '    usmp_store32(data + source_length, period);',
    to: '    usmp_store32(data + source_length, 0 * period);',
    in: 'endpoint',
    test: 'a cookie is good for its source, for 30 to 60 s, and with no bit changed, also where the clock wraps',
  },
  {
    name: 'cookies are handed out without a limit',
    file: 'core/src/endpoint.c',
    from: `    if (!usmp_bucket_take(&endpoint->cookies, now)) return;
`,
    to: '',
    in: 'endpoint',
    test: 'cookies and beginnings have a rate',
  },
  {
    name: 'handshakes are begun without a limit',
    file: 'core/src/endpoint.c',
    from: `    if (!usmp_bucket_take(&endpoint->beginnings, now)) return NULL;
`,
    to: '',
    in: 'endpoint',
    test: 'cookies and beginnings have a rate',
  },
  {
    name: 'a session makes place for a stranger',
    file: 'core/src/endpoint.c',
    from: 'state != USMP_STATE_HANDSHAKE) continue;',
    to: 'false) continue;',
    in: 'endpoint',
    test: 'places are limited: a session keeps its own, of handshakes the oldest goes',
  },
  {
    name: 'a token bucket holds more than its burst',
    file: 'core/src/rate_limit.c',
    from: '|| bucket->tokens + elapsed * bucket->rate >= full) bucket->tokens = full;',
    to: '|| false) bucket->tokens = full;',
    in: 'endpoint',
    test: 'cookies and beginnings have a rate',
  },
];

/* ── Building ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** @param {string} program @param {readonly string[]} args @param {NodeJS.ProcessEnv} [env] */
function run(program, args, env = {}) {
  const options = {
    timeout: PATIENCE * 3,
    killSignal: 'SIGKILL',
    maxBuffer: 1e8,
    env: { ...process.env, ...env },
  };
  return new Promise((resolve) => {
    execFile(program, args, /** @type {any} */ (options), (error, stdout, stderr) => {
      resolve({
        failed: error !== null,
        killed: error?.killed === true,
        signal: error?.signal,
        output: String(stdout),
        errors: String(stderr),
      });
    });
  });
}

/** Whatever any file of `residue` may include. */
function headers() {
  const folders = ['core/include/usmp', 'crypto/include/usmp', 'test/fuzz/toy/usmp'];
  const files = folders.flatMap((folder) =>
    readdirSync(join(DEVICE, folder))
      .filter((name) => name.endsWith('.h'))
      .map((name) => join(DEVICE, folder, name)),
  );
  return files
    .sort()
    .map((file) => readFileSync(file, 'utf8'))
    .join('\0');
}

const allHeaders = headers();

/** @param {readonly string[]} parts */
function hash(parts) {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 16);
}

/** Compiles a file, unless that was done. @param {string} file @param {readonly string[]} options */
async function compile(file, options) {
  const object = join(
    BUILD,
    `${basename(file, '.c')}-${hash([...options, allHeaders, readFileSync(file, 'utf8')])}.o`,
  );
  if (existsSync(object)) return object;
  await compileTo(object, file, options);
  return object;
}

/** @param {string} object @param {string} file @param {readonly string[]} options */
async function compileTo(object, file, options) {
  const draft = `${object}.${process.pid}`;
  const { failed, errors } = await run('gcc', [...options, '-c', file, '-o', draft]);
  if (failed) throw new Error(`${file} does not compile:\n${errors}`);
  await rename(draft, object);
}

/**
 * The program of `checks/residue.c`, which looks for secrets on the stack: a suite of its own, over the toy seam of the fuzzing.
 */
const RESIDUE = 'residue';
const RESIDUE_OPTIONS = [
  ...[`-I${join(DEVICE, 'test/fuzz/toy')}`, '-std=gnu11', '-O1', '-w', ...INCLUDES],
  ...['-DUSMP_SERVER=1', '-DUSMP_MAX_MESSAGE=1808'],
];
const RESIDUE_LINKING = [
  ...['usmp_crypto_x25519_public_key', 'usmp_crypto_x25519_agree', 'usmp_crypto_hmac_sha256'].map(
    (name) => `-Wl,--wrap=${name}`,
  ),
  // The first call of a function would leave registers on the stack.
  '-Wl,-z,now',
];

/** Its objects, by source. @returns {Promise<Map<string, string>>} */
async function compileResidue() {
  const own = ['test/fuzz/toy.c', 'crypto/src/memory.c', 'test/checks/residue.c'].map((file) =>
    join(DEVICE, file),
  );
  /** @type {Map<string, string>} */
  const objects = new Map();
  await mkdir(BUILD, { recursive: true });
  await eachInLanes([...sourcesIn('core/src'), ...own], async (file) => {
    objects.set(file, await compile(file, RESIDUE_OPTIONS));
  });
  return objects;
}

/** @param {string} folder */
function sourcesIn(folder) {
  return readdirSync(join(DEVICE, folder))
    .filter((name) => name.endsWith('.c'))
    .map((name) => join(DEVICE, folder, name));
}

/** @param {string} program @param {Iterable<string>} objects @param {readonly string[]} options */
async function link(program, objects, options) {
  const { failed, errors } = await run('gcc', [...objects, ...options, '-o', program]);
  if (failed) throw new Error(errors);
}

/** As many at once as there are processors. @template T @param {readonly T[]} items @param {(item: T) => Promise<void>} work */
async function eachInLanes(items, work) {
  const waiting = [...items];
  const lane = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), 4) }, lane));
}

/* ── Trying out ──────────────────────────────────────────────────────────────────────────────────────────────────── */

const words = process.argv.slice(2).filter((word) => word !== '--find');
const find = process.argv.includes('--find');
const chosen = MUTATIONS.filter(
  (one) =>
    words.length === 0 ||
    words.some((word) => [one.name, one.file, one.in].some((text) => text.includes(word))),
);

/** @typedef {{ killed: boolean, note: string }} Outcome */

/**
 * What becomes of one test: `ok`, `not ok`, `missing`; `crashed` or `hangs` where the program does not get to its end.
 *
 * @param {string} program @param {string} suite @param {string} test
 */
async function outcome(program, suite, test) {
  const result = await run('timeout', ['-s', 'KILL', String(PATIENCE / 1000), program, suite], {
    USMP_ONLY: test,
  });
  const line = result.output.split('\n').find((candidate) => candidate.endsWith(` - ${test}`));
  if (line !== undefined) return line.startsWith('not') ? 'not ok' : 'ok';
  return /^1\.\.\d+$/m.test(result.output) ? 'missing' : 'gone';
}

/** Those that take long, and say little that others do not. */
const SLOW = ['connection', 'datagram_networks', 'vectors'];

/** All tests that fail. @param {string} program */
async function failures(program) {
  const { output } = await run(program, []);
  const asked = process.env.USMP_SUITES?.split(',');
  const found = [];
  for (const suite of output
    .split('\n')
    .filter((name) => name !== '' && (asked?.includes(name) ?? !SLOW.includes(name)))) {
    const result = await run('timeout', ['-s', 'KILL', String(PATIENCE / 1000), program, suite]);
    const lines = result.output.split('\n').filter((line) => line.startsWith('not ok'));
    found.push(...lines.map((line) => `${suite}: ${line.replace(/^not ok \d+ - /, '')}`));
    if (!/^1\.\.\d+$/m.test(result.output)) found.push(`${suite}: (does not end)`);
  }
  return found;
}

/**
 * The programs that suites are in.
 *
 * @typedef {object} Build
 * @property {Map<string, string>} objects by source
 * @property {(file: string) => readonly string[]} compiling options for a file
 * @property {readonly string[]} linking
 * @property {string} original the program without a mutation
 */

/** @param {Mutation} mutation @param {Build} build @param {string} work @returns {Promise<Outcome>} */
async function tryOut(mutation, build, work) {
  const path = join(DEVICE, mutation.file);
  const parts = readFileSync(path, 'utf8').split(mutation.from);
  if (parts.length !== 2)
    return { killed: false, note: `stands ${parts.length - 1} times in ${mutation.file}: ${mutation.from}` };
  const folder = await mkdtemp(join(work, 'one-'));
  const source = join(folder, basename(path));
  const object = join(folder, 'mutated.o');
  const program = join(folder, 'program');
  try {
    await writeFile(source, parts.join(mutation.to));
    await compileTo(object, source, build.compiling(mutation.file));
    await link(program, [object, ...(await othersThan(path, build, work))], build.linking);
    if (find)
      return { killed: true, note: (await failures(program)).map((line) => `\n      ${line}`).join('') };
    const before = await outcomeOnce(build.original, mutation.in, mutation.test);
    if (before !== 'ok')
      return { killed: false, note: `"${mutation.test}" is ${before} without the mutation` };
    const after = await outcome(program, mutation.in, mutation.test);
    return {
      killed: after === 'not ok' || after === 'gone',
      note: `"${mutation.test}" is ${after} with the mutation`,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @type {Map<string, Promise<string>>} */
const joined = new Map();

/** All objects but that of one source. Joined to one, where the linker need not look at each: half the time of a link. */
async function othersThan(
  /** @type {string} */ path,
  /** @type {Build} */ build,
  /** @type {string} */ work,
) {
  const objects = [...build.objects].filter(([file]) => file !== path).map(([, object]) => object);
  // What is joined is not led elsewhere any more (`--wrap`).
  if (build.linking.some((option) => option.includes('--wrap'))) return objects;
  const known =
    joined.get(path) ??
    (async () => {
      const all = join(work, `${joined.size}.o`);
      await link(all, objects, ['-r', '-nostdlib', '-Wl,--strip-debug']);
      return all;
    })();
  joined.set(path, known);
  return [await known];
}

/** @type {Map<string, Promise<string>>} */
const before = new Map();

/** Without a mutation, each test runs once. @param {string} program @param {string} suite @param {string} test */
function outcomeOnce(program, suite, test) {
  const key = `${suite}: ${test}`;
  const known = before.get(key) ?? outcome(program, suite, test);
  before.set(key, known);
  return known;
}

const missing = await whatIsMissing('gcc', []);
if (missing !== undefined) {
  console.error(`*** The core in C is not mutated: ${missing}`);
  process.exit(process.env.CI === 'true' ? 1 : 0);
}

const work = await mkdtemp(join(tmpdir(), 'usmp-mutations-c-'));
try {
  /** @type {Build} */
  const unit = {
    objects: await objectsOf(PLAIN),
    // Compiling is most of the time that a mutation takes, and it need not be quick.
    compiling: (file) => [...(OPTIONS.get(join(DEVICE, file)) ?? []), '-w', '-O0', '-g0'],
    linking: ['-lbearssl'],
    original: join(work, 'original'),
  };
  /** @type {Build} */
  const residue = {
    objects: await compileResidue(),
    compiling: () => RESIDUE_OPTIONS,
    linking: RESIDUE_LINKING,
    original: join(work, 'original-residue'),
  };
  for (const { original, objects, linking } of [unit, residue])
    await link(original, objects.values(), linking);
  let survived = 0;
  await eachInLanes(chosen, async (mutation) => {
    /** @type {Outcome} */
    const { killed, note } = await tryOut(mutation, mutation.in === RESIDUE ? residue : unit, work).catch(
      (error) => ({
        killed: false,
        note: String(error),
      }),
    );
    if (!killed) survived++;
    console.log(
      `${killed ? '✔' : '✖'} ${mutation.name.padEnd(56)} ${killed && !find ? mutation.test : note}`,
    );
  });
  console.log(`${chosen.length - survived} of ${chosen.length} mutations are noticed`);
  process.exitCode = survived > 0 ? 1 : 0;
} finally {
  await rm(work, { recursive: true, force: true });
}
