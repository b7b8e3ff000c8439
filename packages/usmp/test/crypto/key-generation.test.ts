import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Exporting a public key as JWK right after its generation hangs Node 20 when garbage collection comes in between. A
 * small young generation makes that certain within a few thousand keys.
 */
test('key generation goes on while garbage is collected', { timeout: 120_000 }, async () => {
  const program = `
    import { nodeCrypto } from ${JSON.stringify(new URL('../../dist/crypto/node.js', import.meta.url).href)};
    const peer = nodeCrypto.generateKeyPair();
    for (let i = 0; i < 30_000; i++) {
      const pair = nodeCrypto.generateKeyPair();
      if (i % 10 === 0 && pair.agree(peer.publicKey).length !== 32) throw new Error('no secret');
    }
    console.log('alive');`;
  const options = ['--max-semi-space-size=1', '--input-type=module', '--eval', program];
  const { stdout } = await run(process.execPath, options, { timeout: 100_000, killSignal: 'SIGKILL' });
  assert.equal(stdout, 'alive\n');
});
