/** Transports that come by way of `registerTransport` keep the same promises as those of the library. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeTransport } from './compliance.js';
import { beds as datagrams } from './datagram-bed.js';
import { beds as documented, LINES } from './documented-bed.js';

test('the example is short enough to be read', () => {
  assert.ok(LINES > 0 && LINES < 80, `${LINES} lines`);
});

describeTransport('the transport that the documentation shows', documented.upgrade);
describeTransport('datagrams of an application, some of which get lost', datagrams.lossy);
