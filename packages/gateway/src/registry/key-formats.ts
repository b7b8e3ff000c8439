/**
 * A new key in the forms in which it gets into a device.
 *
 * @module
 */

import { renderUnicodeCompact } from 'uqr';
import { parseKey } from './key-text.js';

/** Where no listener tells a better one. */
const EXAMPLE_HOST = '192.168.1.100';
const DEFAULT_PORT = '9000';
const NO_URL = `tcp://0.0.0.0:${DEFAULT_PORT}`;

/** The key as a QR code, for a terminal with a dark background or a light one: readers take both. */
export function keyAsQR(key: string): string {
  return renderUnicodeCompact(key, { border: 2 });
}

/**
 * A sketch for the Arduino library that connects as the device.
 *
 * @param urls of the gateway's listeners
 */
export function keyAsArduino(device: { readonly id: string }, key: string, urls: readonly string[]): string {
  const { protocol, host, port } = endpoint(urls, ['tcp:', 'udp:'], EXAMPLE_HOST);
  const transport = `USMP::${protocol === 'udp:' ? 'UDP' : 'TCP'}("${host}", ${port})`;
  return `#include <USMP.h>

${declaration(key)}

void setup() {
    Serial.begin(115200);
    usmp.setDeviceId("${device.id}");
    if (!usmp.begin(${transport}.wifi("SSID", "password"))) Serial.println(usmp.errorText());
    usmp.send("hello");
}

void loop() {
    usmp.maintain(); // keepalive + reconnect
    if (usmp.available()) Serial.println(usmp.read());
}
`;
}

/** For nvs_partition_gen.py: where the ESP-IDF component looks for its key. */
export function keyAsNvsCsv(key: Uint8Array): string {
  return `key,type,encoding,value
usmp,namespace,,
psk,data,hex2bin,${Buffer.from(key).toString('hex')}
`;
}

/**
 * A line for a shell that connects as the device. The key is in its environment, where the list of processes does not show
 * it.
 *
 * @param urls of the gateway's listeners
 */
export function connectLine(device: { readonly id: string }, key: string, urls: readonly string[]): string {
  const { url } = endpoint(urls, ['tcp:', 'ws:', 'wss:', 'udp:', 'unix:'], '127.0.0.1');
  return `USMP_PSK=${quoted(key)} npx usmp connect ${quoted(url)} --device-id ${device.id}`;
}

/** The listener of the first protocol that there is; `host` stands for all addresses. */
function endpoint(urls: readonly string[], protocols: readonly string[], host: string) {
  const found = protocols.flatMap((protocol) => urls.filter((url) => url.startsWith(protocol)))[0] ?? NO_URL;
  const url = found.replace(/\/\/(?:0\.0\.0\.0|\[::\])(?=[:/]|$)/, `//${host}`);
  const { groups = {} } =
    /^(?<protocol>[a-z]+:)\/\/(?<host>\[[^\]]*\]|[^:/]*)(?::(?<port>\d+))?/.exec(url) ?? {};
  return {
    url,
    protocol: groups.protocol,
    host: groups.host ?? host,
    port: groups.port ?? DEFAULT_PORT,
  };
}

/** Keys that are no text, or would need escapes, as bytes. */
function declaration(key: string): string {
  const bytes = parseKey(key);
  if (Buffer.from(key).equals(bytes) && /^[\w .:,;/+=-]+$/.test(key)) return `USMPClient usmp("${key}");`;
  const list = Array.from(bytes, (byte) => `0x${byte.toString(16).padStart(2, '0')}`).join(', ');
  return `const uint8_t key[] = {${list}};
USMPClient usmp(key, sizeof key);`;
}

function quoted(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
