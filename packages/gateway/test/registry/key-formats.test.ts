import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { encode } from 'uqr';
import { connectLine, keyAsArduino, keyAsNvsCsv, keyAsQR } from '#dist/registry/key-formats.js';

const DEVICE = { id: '02:00:00:00:00:01' };
const KEY = 'WtbTVuXH_gl6wpxvOSVI1kFFEXTIcUHu';
const URLS = ['udp://0.0.0.0:9001', 'tcp://0.0.0.0:9000'];

test('the QR code has the modules of the key', () => {
  const { data, size } = encode(KEY, { border: 2 });
  const lines = keyAsQR(KEY).split('\n');
  const isLight = (row: number, column: number): boolean => {
    const character = lines[row >> 1]![column]!;
    return character === '█' || character === (row % 2 === 0 ? '▀' : '▄');
  };
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++)
      assert.equal(isLight(row, column), !data[row]![column], `${row} ${column}`);
});

test('the sketch has key, id and the listener of TCP before that of UDP', () => {
  const sketch = keyAsArduino(DEVICE, KEY, URLS);
  assert.ok(sketch.includes(`USMPClient usmp("${KEY}");`));
  assert.ok(sketch.includes('usmp.setDeviceId("02:00:00:00:00:01");'));
  assert.ok(sketch.includes('USMP::TCP("192.168.1.100", 9000).wifi("SSID", "password")'));
  assert.ok(keyAsArduino(DEVICE, KEY, ['udp://gw.example:9001']).includes('USMP::UDP("gw.example", 9001)'));
});

test('a key that is no plain text stands in the sketch as bytes', () => {
  const sketch = keyAsArduino(DEVICE, 'hex:000102030405060708090a0b0c0d0e0f', []);
  assert.ok(sketch.includes('const uint8_t key[] = {0x00, 0x01, 0x02,'));
  assert.ok(sketch.includes('USMPClient usmp(key, sizeof key);'));
  assert.ok(!keyAsArduino(DEVICE, '"); system("reboot', []).includes('system('));
});

test('the NVS table is the one that the ESP-IDF component reads', () => {
  assert.equal(
    keyAsNvsCsv(Uint8Array.from({ length: 16 }, (_, n) => n)),
    'key,type,encoding,value\nusmp,namespace,,\npsk,data,hex2bin,000102030405060708090a0b0c0d0e0f\n',
  );
});

test('the line for a shell gives the key in the environment alone, whatever is in it', () => {
  const line = connectLine(DEVICE, KEY, URLS);
  assert.equal(line, `USMP_PSK=${KEY} npx usmp connect tcp://127.0.0.1:9000 --device-id 02:00:00:00:00:01`);
  const evil = `it's $(a) "key" of 16`;
  const shown = connectLine(DEVICE, evil, URLS).replace(/npx.*/, `node -p process.env.USMP_PSK`);
  assert.equal(execFileSync('sh', ['-c', shown], { encoding: 'utf8' }), `${evil}\n`);
});
