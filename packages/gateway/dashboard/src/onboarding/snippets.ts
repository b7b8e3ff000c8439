/**
 * Programs that connect as a device, to copy and run.
 *
 * @module
 */

export interface Snippet {
  readonly id: string;
  readonly title: string;
  /** What to do with it. */
  readonly steps: string;
  readonly code: string;
}

export interface SnippetFacts {
  readonly deviceId: string;
  /** Text that is the key itself. */
  readonly key: string;
  /** What devices reach the gateway at. */
  readonly host: string;
  /** Of the listeners. */
  readonly urls: readonly string[];
}

/** Stands where the key was given and is not shown. */
export const NO_KEY = 'the-key-of-this-device';

const DEFAULT_PORT = '9000';

export function snippetsFor({ deviceId, key, host, urls }: SnippetFacts): readonly Snippet[] {
  const { protocol, port } = endpointOf(urls);
  const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  const url = `${protocol}://${name}:${port}`;
  const digits = deviceId.split(':');
  return [
    {
      id: 'shell',
      title: 'This computer',
      steps:
        'In the clone of the repository, or anywhere with Node 20.19 or newer. What you type is sent, line by line.',
      code: `USMP_PSK=${key} npx usmp connect ${url} --device-id ${deviceId}`,
    },
    {
      id: 'arduino',
      title: 'Arduino',
      steps: 'A sketch with the library USMP, for ESP32 and ESP8266. Fill in your Wi-Fi.',
      code: `#include <USMP.h>

USMPClient usmp("${key}");

void setup() {
    Serial.begin(115200);
    usmp.setDeviceId("${deviceId}");
    if (!usmp.begin(USMP::${protocol === 'udp' ? 'UDP' : 'TCP'}("${host}", ${port}).wifi("SSID", "password"))) {
        Serial.println(usmp.errorText());
    }
    usmp.send("hello");
}

void loop() {
    usmp.maintain(); // keepalive + reconnect
    if (usmp.available()) Serial.println(usmp.read());
}
`,
    },
    {
      id: 'esp-idf',
      title: 'ESP-IDF',
      steps:
        'With the component usmp, once the network is up. In production the key belongs into NVS: see device/esp-idf/README.md.',
      code: `#include <stdio.h>
#include <string.h>

#include "usmp_esp.h"

static const uint8_t DEVICE_ID[USMP_ESP_DEVICE_ID_LENGTH] = {${digits.map((byte) => `0x${byte}`).join(', ')}};

static void on_event(const usmp_esp_event_t *event)
{
    if (event->id == USMP_ESP_EVENT_CONNECTED) usmp_esp_send(event->handle, "hello", 5, 0);
    if (event->id == USMP_ESP_EVENT_MESSAGE) printf("%.*s\\n", (int)event->length, (const char *)event->data);
}

void start_usmp(void)
{
    usmp_esp_config_t config = USMP_ESP_CONFIG_DEFAULT();
    config.url = "${url}";
    config.psk_text = "${key}";
    memcpy(config.device_id, DEVICE_ID, sizeof DEVICE_ID);
    config.on_event = on_event;
    usmp_esp_handle_t usmp;
    ESP_ERROR_CHECK(usmp_esp_start(&config, &usmp));
}
`,
    },
    {
      id: 'node',
      title: 'Node',
      steps:
        'A file device.mjs beside the package usmp: npm install usmp, or in the clone of the repository.',
      code: `import { USMPClient } from 'usmp';

const client = new USMPClient({
  url: '${url}',
  psk: '${key}',
  deviceId: '${deviceId}',
  reconnect: true,
});
await client.connect();
await client.send('hello');
for (;;) console.log(new TextDecoder().decode(await client.recv()));
`,
    },
    {
      id: 'python',
      title: 'Python',
      steps: 'pip install usmp==1.2.2, with Python 3.11 to 3.13.',
      code: `import asyncio
from usmp import USMPClient


async def main():
    client = USMPClient(
        host="${host}",
        port=${port},
        psk=b"${key}",
        device_id=bytes.fromhex("${digits.join('')}"),${protocol === 'udp' ? '\n        protocol="udp",' : ''}
    )
    await client.connect()
    await client.send(b"hello")
    while True:
        print(await client.recv())


asyncio.run(main())
`,
    },
  ];
}

/** What devices can reach the gateway at, the likeliest first. */
export function hostsOf(
  urls: readonly string[],
  pageHost: string,
  addresses: readonly string[],
): readonly string[] {
  const own = urls.map((url) => hostOf(url)).filter((host) => host !== undefined && !isWildcard(host));
  const page = isLoopback(pageHost) ? [] : [pageHost];
  const local =
    urls.some((url) => isWildcard(hostOf(url) ?? '')) || urls.length === 0 ? [...page, ...addresses] : [];
  const hosts = [
    ...(own as string[]),
    ...local,
    ...(local.length > 0 || own.length > 0 ? [] : ['127.0.0.1']),
  ];
  return [...new Set(hosts)];
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host.startsWith('127.') || host === '[::1]' || host === '::1';
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '[::]';
}

function hostOf(url: string): string | undefined {
  return /^(?:tcp|udp|ws|wss):\/\/(\[[^\]]*\]|[^:/]*)/.exec(url)?.[1];
}

/** TCP where there is a choice: it crosses more networks. */
function endpointOf(urls: readonly string[]): { readonly protocol: string; readonly port: string } {
  for (const protocol of ['tcp', 'udp']) {
    const url = urls.find((candidate) => candidate.startsWith(`${protocol}:`));
    if (url !== undefined) return { protocol, port: /:(\d+)(?:[/?]|$)/.exec(url)?.[1] ?? DEFAULT_PORT };
  }
  return { protocol: 'tcp', port: DEFAULT_PORT };
}
