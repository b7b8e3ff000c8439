import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { openBed } from './bed.js';

test('a connection that was never used does not hold up the end of the server', async (t) => {
  const bed = await openBed(t);
  const accepted = once(bed.app.server, 'connection');
  const unused = connect(bed.port, '127.0.0.1').resume();
  const closed = once(unused, 'close');
  await accepted;
  await bed.app.close();
  await closed;
});

test('a request that is under way at the end of the server is answered', async (t) => {
  const bed = await openBed(t);
  const { id } = bed.devices.add({ name: 'lamp' }).device;
  bed.fleet.connect(id);
  let answer!: (rtt: number) => void;
  const asked = new Promise<void>((resolve) => {
    bed.fleet.ping = () => {
      resolve();
      return new Promise((pong) => {
        answer = pong;
      });
    };
  });
  const ping = bed.ask('POST', '/api/v1/sessions/lamp/ping');
  await asked;
  const closing = bed.app.close();
  answer(7);
  const { status, json } = await ping;
  assert.equal(status, 200);
  assert.deepEqual(json, { rtt: 7 });
  await closing;
});
