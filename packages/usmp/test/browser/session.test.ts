import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import type * as Usmp from '#dist/browser.js';
import type { USMPSession } from '#dist/index.js';
import {
  eventually,
  type LiveServer,
  nextSession,
  PSK,
  park,
  text,
  WRONG_PSK,
  within,
} from '../server/live.js';
import { lineTo, startWebServer } from './bed.js';
import { type OpenPage, testInChromium } from './chromium.js';

/** What the pages know: the bundle, and what earlier steps of a test have left there. */
declare const usmp: typeof Usmp;
declare let session: Usmp.USMPSession;
declare let client: Usmp.USMPClient;
declare let ended: Promise<string>;
declare let told: string[];

/** Opens a page that has a `client`, its open `session`, and `ended`, the code with which that will end. */
async function openSession(openPage: OpenPage, url: string): Promise<Page> {
  const page = await openPage();
  await page.evaluate(
    async (options) => {
      const made = new usmp.USMPClient(options);
      const end = new Promise((resolve) => made.on('disconnect', (_, error) => resolve(error.code)));
      Object.assign(globalThis, { client: made, ended: end, session: await made.connect() });
    },
    { url, psk: PSK },
  );
  return page;
}

/** Both ends of a session: the page, and what the server holds. */
async function bothEnds(
  t: TestContext,
  openPage: OpenPage,
): Promise<{ live: LiveServer; page: Page; there: USMPSession }> {
  const live = await startWebServer(t, park);
  const arriving = nextSession(live.server);
  const page = await openSession(openPage, live.url);
  return { live, page, there: await arriving };
}

/** What `connect()` fails with in a page. */
function failure(page: Page, options: { url: string; psk: string }): Promise<Failure | undefined> {
  return page.evaluate(async (given) => {
    try {
      await new usmp.USMPClient(given).connect();
      return undefined;
    } catch (error) {
      const { name, code, message } = error as Usmp.USMPError;
      return { name, code, message, isUSMPError: error instanceof usmp.USMPError };
    }
  }, options);
}

interface Failure {
  name: string;
  code: string;
  message: string;
  isUSMPError: boolean;
}

testInChromium(
  'a page gets back what it sends: text, no bytes at all, and the largest message',
  async (t, openPage) => {
    const page = await openSession(openPage, (await startWebServer(t)).url);
    const answers = await page.evaluate(async () => {
      const largest = Uint8Array.from({ length: usmp.MAX_MESSAGE }, (_, i) => i % 251);
      const echoed: string[] = [];
      for (const message of ['21.5 °C', new Uint8Array(0), largest]) {
        await session.send(message);
        const answer = await session.recv();
        const expected = typeof message === 'string' ? new TextEncoder().encode(message) : message;
        echoed.push(`${answer.length} ${expected.every((byte, i) => byte === answer[i])}`);
      }
      return echoed;
    });
    assert.deepEqual(answers, ['8 true', '0 true', '1808 true']);
  },
);

testInChromium(
  'a message above the largest is refused where it stands, and the session goes on',
  async (t, openPage) => {
    const page = await openSession(openPage, (await startWebServer(t)).url);
    const code = await page.evaluate(async () => {
      const error = await session.send(new Uint8Array(usmp.MAX_MESSAGE + 1)).catch((reason) => reason);
      await session.send('still there');
      return `${error.code}, ${new TextDecoder().decode(await session.recv())}`;
    });
    assert.equal(code, 'message_too_large, still there');
  },
);

testInChromium('1,000 messages each way arrive once and in order', async (t, openPage) => {
  const page = await openSession(openPage, (await startWebServer(t)).url);
  const order = await page.evaluate(async () => {
    const received: number[] = [];
    const receiving = (async () => {
      while (received.length < 1_000) received.push(Number(new TextDecoder().decode(await session.recv())));
    })();
    for (let i = 0; i < 1_000; i++) await session.send(String(i).padEnd(1 + (i % 900)));
    await receiving;
    return received;
  });
  assert.deepEqual(order, [...Array(1_000).keys()]);
});

testInChromium(
  'both ends know the session by the same id; the page knows the address of the server',
  async (t, openPage) => {
    const { live, page, there } = await bothEnds(t, openPage);
    const known = await page.evaluate(() => [session.id, session.deviceId, session.transport, session.peer]);
    assert.deepEqual(known, [there.id, there.deviceId, 'ws', new URL(live.url).host]);
  },
);

testInChromium('pings are answered on both sides', async (t, openPage) => {
  const { page, there } = await bothEnds(t, openPage);
  assert.ok((await there.ping()) >= 0);
  assert.ok((await page.evaluate(() => session.ping())) >= 0);
});

testInChromium('either side changes the keys under traffic, and nothing is lost', async (t, openPage) => {
  const arriving: Promise<USMPSession>[] = [];
  const live = await startWebServer(t);
  arriving.push(nextSession(live.server));
  const page = await openSession(openPage, live.url);
  const there = await arriving[0]!;
  const echoes = page.evaluate(async () => {
    const received: string[] = [];
    for (let i = 0; i < 300; i++) {
      await session.send(`message ${i}`);
      if (i % 100 === 50) await session.rekey();
      received.push(new TextDecoder().decode(await session.recv()));
    }
    return received;
  });
  for (let i = 0; i < 3; i++) await there.rekey();
  assert.deepEqual(
    await echoes,
    Array.from({ length: 300 }, (_, i) => `message ${i}`),
  );
});

testInChromium('a wrong key is refused, and the error says what to compare', async (t, openPage) => {
  const { url } = await startWebServer(t);
  const refused = await failure(await openPage(), { url, psk: WRONG_PSK });
  assert.deepEqual(refused, {
    name: 'AuthError',
    code: 'refused',
    message: 'the server closed after HELLO_ACK: wrong key or unknown device id',
    isUSMPError: true,
  });
});

testInChromium(
  'where nobody listens the error says what to check, from the point of view of the page',
  async (_, openPage) => {
    const page = await openPage();
    const unreachable = await failure(page, { url: 'ws://127.0.0.1:9/usmp', psk: PSK });
    assert.equal(unreachable?.code, 'unreachable');
    assert.match(unreachable.message, /ws:\/\/127\.0\.0\.1:9\/usmp.*does the server listen there/);
    const { origin } = new URL(page.url());
    assert.ok(unreachable.message.includes(origin), unreachable.message);
  },
);

testInChromium(
  'a policy of the page that forbids the address is among what the error says to check',
  async (t, openPage) => {
    const { url } = await startWebServer(t);
    const page = await openPage({
      contentSecurityPolicy: "default-src 'none'; script-src 'self'; connect-src 'self'",
    });
    const forbidden = await failure(page, { url, psk: PSK });
    assert.equal(forbidden?.code, 'unreachable');
    assert.match(forbidden.message, /Content-Security-Policy.*connect-src/);
  },
);

testInChromium('options that cannot be used are errors where they stand', async (_, openPage) => {
  const page = await openPage();
  const complaints = await page.evaluate(() => {
    const good = { url: 'ws://127.0.0.1', psk: 'your-psk-here-16+' };
    const cases: object[] = [
      { psk: good.psk },
      { url: good.url },
      { ...good, psk: 'too short' },
      { ...good, url: 'tcp://127.0.0.1:9000' },
      { ...good, host: '127.0.0.1' },
      { ...good, deviceId: 'nonsense' },
    ];
    return cases.map((options) => {
      try {
        new usmp.USMPClient(options as Usmp.USMPClientOptions);
        return 'taken';
      } catch (error) {
        return (error as Error).message;
      }
    });
  });
  for (const [i, complaint] of [
    /^url is missing: give the address of the server, such as wss:/,
    /^psk is missing/,
    /^key is 9 bytes, at least 16/,
    /unknown transport "tcp", known: wss, ws; write it like wss:/,
    /^USMPClient has no option "host"; it has psk, url/,
    /"nonsense" is not a device id/,
  ].entries()) {
    assert.match(complaints[i]!, complaint);
  }
});

testInChromium(
  'a line that breaks ends the session with an error for whoever waits, and the client can connect again',
  async (t, openPage) => {
    const live = await startWebServer(t);
    const line = await lineTo(t, live.url);
    const page = await openSession(openPage, line.url);
    const received = page.evaluate(() => session.recv().catch((error) => `${error.name} ${error.code}`));
    line.cut();
    assert.deepEqual(await within(Promise.all([page.evaluate(() => ended), received]), 'the end'), [
      'connection_lost',
      'ConnectionClosedError connection_lost',
    ]);
    assert.equal(await echoAnew(page), 'again');
  },
);

testInChromium(
  'a server that has gone is an error, and one that comes back serves the same client',
  async (t, openPage) => {
    const first = await startWebServer(t);
    const line = await lineTo(t, first.url);
    const page = await openSession(openPage, line.url);
    await first.server.close();
    assert.equal(
      await within(
        page.evaluate(() => ended),
        'the end',
      ),
      'bye',
    );
    const gone = await page.evaluate(() => client.connect().catch((error) => error.code));
    assert.match(gone, /^(?:unreachable|turned_away)$/);

    line.redirect((await startWebServer(t)).url);
    assert.equal(await echoAnew(page), 'again');
  },
);

/** Connects the client of a page once more; what its server answers. */
function echoAnew(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const anew = await client.connect();
    await anew.send('again');
    const answer = new TextDecoder().decode(await anew.recv());
    await anew.close();
    return answer;
  });
}

testInChromium(
  'a page that stays connected comes back by itself, with what was sent meanwhile, and goes on receiving',
  async (t, openPage) => {
    const first = await startWebServer(t);
    const line = await lineTo(t, first.url);
    const page = await openPage();
    await page.evaluate(
      async (options) => {
        const made = new usmp.USMPClient({ ...options, reconnect: { base: 50, cap: 200 } });
        const told: string[] = [];
        made.on('connect', () => told.push('connect'));
        made.on('disconnect', (_, { code }) => told.push(`disconnect ${code}`));
        Object.assign(globalThis, { client: made, told });
        await made.connect();
      },
      { url: line.url, psk: PSK },
    );
    await first.server.close();
    line.cut();
    await page.waitForFunction(() => client.session === undefined);
    await page.evaluate(() => void client.send('meanwhile'));
    line.redirect((await startWebServer(t)).url);
    const answer = page.evaluate(async () => new TextDecoder().decode(await client.recv()));
    assert.equal(await within(answer, 'the answer'), 'meanwhile');
    assert.deepEqual(await page.evaluate(() => told), ['connect', 'disconnect bye', 'connect']);
    await page.evaluate(() => client.disconnect());
  },
);

testInChromium('a page that closes says BYE, and what it sent before still arrives', async (t, openPage) => {
  const { page, there } = await bothEnds(t, openPage);
  const received = (async () => {
    let count = 0;
    for await (const _ of there) count++;
    return count;
  })();
  await page.evaluate(async () => {
    for (let i = 0; i < 200; i++) session.send(new Uint8Array(1_000));
    await session.close();
  });
  assert.equal(await within(received, 'the end'), 200);
  assert.equal(there.error?.code, 'bye');
  assert.equal(await page.evaluate(() => session.error?.code), 'closed');
});

testInChromium(
  'a server that closes ends the loop of the page, after all that it sent before',
  async (t, openPage) => {
    const { page, there } = await bothEnds(t, openPage);
    const received = page.evaluate(async () => {
      let last = '';
      for await (const message of session) last = new TextDecoder().decode(message);
      return `${last}, ${session.error?.code}`;
    });
    for (let i = 1; i <= 200; i++) await there.send(`message ${i}`);
    await there.close();
    assert.equal(await within(received, 'the end'), 'message 200, bye');
  },
);

testInChromium('a page that goes away ends its session at the server', async (t, openPage) => {
  const { page, there } = await bothEnds(t, openPage);
  await page.goto('about:blank');
  await eventually(() => there.closed, 'the end of the session');
  assert.equal(there.error?.code, 'connection_lost');
});

testInChromium('a worker has sessions as a page has', async (t, openPage) => {
  const { url } = await startWebServer(t);
  const page = await openPage();
  const answer = await page.evaluate(
    (options) => {
      interface WorkerLike {
        onmessage: (event: { data: string }) => void;
        postMessage(message: object): void;
      }
      type Workers = { Worker: new (url: string, options: { type: 'module' }) => WorkerLike };
      return new Promise<string>((resolve) => {
        const worker = new (globalThis as unknown as Workers).Worker('worker.js', { type: 'module' });
        worker.onmessage = ({ data }) => resolve(data);
        worker.postMessage(options);
      });
    },
    { url, psk: PSK },
  );
  assert.equal(answer, 'from a worker');
});

testInChromium(
  'a page whose timers do not run, as in the background, answers all the same',
  async (t, openPage) => {
    const { page, there } = await bothEnds(t, openPage);
    await page.evaluate(() => {
      Object.assign(globalThis, { setTimeout: () => 0, setInterval: () => 0 });
      (async () => {
        for await (const message of session) await session.send(message);
      })();
    });
    assert.ok((await there.ping()) >= 0);
    const payload = new Uint8Array(1_800);
    for (let i = 0; i < 100; i++) {
      await there.send(payload);
      assert.equal((await there.recv({ timeout: 10_000 })).length, payload.length);
    }
    await there.rekey({ timeout: 10_000 });
    await there.close();
    assert.equal(
      await within(
        page.evaluate(() => ended),
        'the end',
      ),
      'bye',
    );
  },
);

testInChromium('a page that reads slowly gets all of what a busy server sends', async (t, openPage) => {
  const live = await startWebServer(t, async (session) => {
    for (let i = 0; i < 2_000; i++) await session.send(String(i).padEnd(200));
    await session.recv();
  });
  const page = await openSession(openPage, live.url);
  const order = await page.evaluate(async () => {
    const received: number[] = [];
    const pause = (time: number) => new Promise((resolve) => setTimeout(resolve, time));
    await pause(300);
    while (received.length < 2_000) {
      received.push(Number(new TextDecoder().decode(await session.recv())));
      if (received.length % 100 === 0) await pause(5);
    }
    await session.send('done');
    return received;
  });
  assert.deepEqual(order, [...Array(2_000).keys()]);
});

testInChromium(
  'a flood that is never read ends the session at the limit, with an error that says so',
  async (t, openPage) => {
    const live = await startWebServer(t, async (session) => {
      for (const message = new Uint8Array(1_800); ; ) await session.send(message);
    });
    const arriving = nextSession(live.server);
    const page = await openSession(openPage, live.url);
    const there = await arriving;
    const end = await page.evaluate(async () => {
      await ended;
      let unread = 0;
      let error: Usmp.USMPError;
      for (;;) {
        try {
          unread += (await session.recv()).length;
        } catch (reason) {
          error = reason as Usmp.USMPError;
          break;
        }
      }
      return { unread, code: error.code, message: error.message };
    });
    assert.equal(end.code, 'receive_overflow');
    assert.match(end.message, /faster than they were read/);
    assert.ok(end.unread > 50_000 && end.unread < 300_000, `${end.unread} bytes could still be read`);
    await eventually(() => there.closed, 'the end at the server');
  },
);

testInChromium(
  'a page that floods a server that does not read has to wait, and loses nothing',
  async (t, openPage) => {
    const total = 4_000;
    const { page, there } = await bothEnds(t, openPage);
    const sending = page.evaluate(async (count) => {
      let waited = 0;
      let largest = 0;
      for (let i = 0; i < count; i++) {
        const sent = session.send(String(i).padEnd(1_800));
        largest = Math.max(largest, session.stats.sendBacklogBytes);
        const first = await Promise.race([sent.then(() => 'sent'), Promise.resolve('waits')]);
        if (first === 'waits') waited++;
        await sent;
      }
      return { waited, largest };
    }, total);
    await eventually(() => there.stats.receiveQueueBytes > 60_000, 'a full queue');
    for (let i = 0; i < total; i++)
      assert.equal(text(await there.recv({ timeout: 30_000 })).trimEnd(), String(i));
    const { waited, largest } = await sending;
    assert.ok(waited > 0, 'send() never made its caller wait');
    assert.ok(largest < 80_000, `${largest} bytes waited in the page`);
  },
);
