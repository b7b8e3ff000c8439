import assert from 'node:assert/strict';
import test from 'node:test';
import { makeBed } from './bed.js';

const WRONG = `dat = "x"
listen = [
  "tcp://0.0.0.0:9000",
  "tpc://0.0.0.0:9000",
]
rate_limit = 3
[http]
listen = "0.0.0.0:8080"
tls_cert = 5
body_limit = "1B"
[outbx]
expiry = "7x"
[outbox]
expiry = "7x"
redeliver = "yes"
maxMessages = 4
max_messages = 1.5
[log]
level = "loud"
`;

test('all problems are said at once, by lines, with what is allowed', (t) => {
  const bed = makeBed(t);
  bed.write('gateway.toml', WRONG);
  const problems = bed.problems({
    env: { USMP_GATEWAY_EVENTS_MAX_AGE: '7' },
    flags: { sessionsMax: 'many', refusedKeep: '9' },
  });
  const expected = [
    'gateway.toml:1: dat: there is no such option: did you mean data?',
    'gateway.toml:4: listen[1]: "tpc://0.0.0.0:9000": unknown transport "tpc"',
    'gateway.toml:6: rate_limit: there is no such option: did you mean http.rate_limit?',
    'gateway.toml:8: http.listen: "0.0.0.0:8080" can be reached by other machines, without TLS',
    'gateway.toml:9: http.tls_cert: 5 is no path',
    'gateway.toml:10: http.body_limit: "1B" is out of range: 4KiB to 1GiB',
    'gateway.toml:11: [outbx]: there is no such table: did you mean outbox?',
    'gateway.toml:14: outbox.expiry: "7x" is no duration: write it like 90s, 10m, 12h or 7d',
    'gateway.toml:15: outbox.redeliver: "yes" must be true or false, without quotes',
    'gateway.toml:16: outbox.maxMessages: there is no such option: did you mean outbox.max_messages?',
    'gateway.toml:17: outbox.max_messages: 1.5 is no whole number: 1 to 100,000',
    'gateway.toml:19: log.level: "loud" must be one of "trace", "debug", "info", "warn", "error", "silent"',
    '--sessions-max: "many" is no whole number: 1 to 1,000,000',
    'USMP_GATEWAY_EVENTS_MAX_AGE: "7" is no duration',
    '--refused-keep: 9 is out of range: 10 to 100,000',
  ];
  assert.equal(problems.length, expected.length, problems.join('\n'));
  for (const [index, start] of expected.entries()) {
    assert.ok(problems[index]!.startsWith(start), `${problems[index]}\nshould be\n${start}`);
  }
});

const SYNTAX: readonly (readonly [text: string, problem: RegExp])[] = [
  ['a = 1\nlisten = tcp://x\n', /^gateway\.toml:2:\d+: this is no TOML: .*: text stands in quotes$/],
  ['[http\nlisten = ""\n', /^gateway\.toml:\d:\d+: this is no TOML: /],
  ['data = "x\n', /^gateway\.toml:1:\d+: this is no TOML: unterminated string/],
  ['data = "a"\ndata = "b"\n', /^gateway\.toml:2:1: this is no TOML: defining a key multiple times/],
];

for (const [text, problem] of SYNTAX) {
  test(`${JSON.stringify(text)} is no TOML, and is told by line and column`, (t) => {
    const bed = makeBed(t);
    bed.write('gateway.toml', text);
    const [first, ...others] = bed.problems();
    assert.match(first!, problem);
    assert.deepEqual(others, []);
  });
}

/** What stands in a file, and what is said of it. */
const VALUES: Readonly<Record<string, RegExp>> = {
  'listen = []': /listen: it is empty/,
  'listen = "tcp://127.0.0.1:0"': /^$/,
  'listen = ["tcp://h:1", "tcp://h:1"]': /listen\[1\]: "tcp:\/\/h:1" stands there twice/,
  'listen = ["tcp://h:0", "tcp://h:0"]': /^$/,
  'listen = [9000]': /listen\[0\]: 9000 is no URL/,
  'listen = ["localhost:9000"]': /the transport is missing/,
  'listen = ["wss://h/x"]': /certificates are the business of an HTTPS server/,
  'listen = ["serial:/dev/ttyX?baud=fast"]': /baud is "fast"/,
  'listen = ["unix:%zz"]': /hexadecimal digits/,
  'data = ""': /data: "" is no path/,
  'data = "a\\u0000b"': /data: "a\\u0000b" is no path/,
  'http.listen = "8080"': /"8080" must be HOST:PORT/,
  'http.listen = "http://127.0.0.1:80"': /must be HOST:PORT/,
  'http.listen = "127.0.0.1:65536"': /must be HOST:PORT/,
  'http.listen = "127.0.0.256:80"': /must be HOST:PORT/,
  'http.listen = "::1:80"': /must be HOST:PORT/,
  'http.url = "https://x.example/base/"': /^$/,
  'http.url = "x.example"': /is no address: write it like/,
  'http.url = "ftp://x"': /is no address/,
  'http.url = "https://u:secret@x"': /http\.url: it holds a name or a password/,
  'http.url = "https://x?y"': /holds more than/,
  'outbox.expiry = 30': /30 is no duration/,
  'outbox.expiry = 2027-01-01': /2027-01-01T00:00:00.000Z is no duration/,
  'outbox.expiry = "99999999999999d"': /is no duration/,
  'outbox.expiry = "0s"': /"0s" is out of range: 1s to 3650d/,
  'outbox.max_messages = "5"': /"5" is no whole number/,
  'outbox.max_messages = inf': /Infinity is no whole number/,
  'history.max_bytes = "1XB"': /"1XB" is no size: write it like 64KiB, 10MB or 1GB/,
  'history = 5': /history is a table: write \[history\]/,
  '[[history]]': /\[\[history\]\] makes a list of tables/,
  '[listen]': /listen is an option and no table/,
  '[http.tls_cert]': /http\.tls_cert is an option and no table: write tls_cert/,
  'zzz = 1': /zzz: there is no such option: the options outside of tables are data, listen/,
  '[zzz]\na = 1': /\[zzz\]: there is no such table: the tables are http, log/,
  '[refused]\nzzz = 1': /refused\.zzz: there is no such option: those of \[refused\] are keep/,
  '__proto__ = 1': /__proto__: there is no such option/,
  '[constructor]\nx = 1': /\[constructor\]: there is no such table/,
  '"http.listen" = "x"': /"http\.listen": there is no such option/,
};

for (const [text, said] of Object.entries(VALUES)) {
  test(
    said.source === '^$'
      ? `${JSON.stringify(text)} is right`
      : `${JSON.stringify(text)} is told as a mistake: ${said.source}`,
    (t) => {
      const bed = makeBed(t);
      bed.write('gateway.toml', `${text}\n`);
      assert.match(bed.problems().join('\n'), said);
    },
  );
}

test('a password in an address is not repeated', (t) => {
  const problems = makeBed(t).problems({ flags: { httpUrl: 'https://u:secret@x' } });
  assert.equal(problems.length, 1);
  assert.doesNotMatch(problems.join(), /secret/);
});

test('a value that would break the line, or fill the screen, is shown in a line and cut', (t) => {
  const [problem] = makeBed(t).problems({ flags: { outboxExpiry: `\n\u001b[2J${'x'.repeat(10_000)}` } });
  assert.match(problem!, /^--outbox-expiry: "\\n\\u001b\[2Jx+"… is no duration/);
  assert.ok(problem!.length < 200);
});

const TLS = { httpTlsCert: '/c.pem', httpTlsKey: '/k.pem' };

test('HTTP that other machines reach takes TLS, or an option that says danger', (t) => {
  const bed = makeBed(t);
  for (const open of ['0.0.0.0:80', '[::]:80', '192.0.2.7:80', 'gateway.example:80', '[::ffff:1.2.3.4]:80']) {
    assert.match(
      bed.problems({ flags: { httpListen: open } }).join(),
      /can be reached by other machines/,
      open,
    );
    assert.deepEqual(bed.problems({ flags: { httpListen: open, httpDangerPlain: true } }), []);
    assert.deepEqual(bed.problems({ flags: { httpListen: open, ...TLS } }), []);
  }
  for (const own of ['127.0.0.1:80', '127.9.9.9:80', '[::1]:80', '[0:0:0:0:0:0:0:1]:80', 'localhost:80'])
    assert.deepEqual(bed.problems({ flags: { httpListen: own } }), [], own);
});

test('a certificate without its key is an error, and a key without its certificate', (t) => {
  const bed = makeBed(t);
  assert.match(
    bed.problems({ flags: { httpTlsCert: '/c.pem' } }).join(),
    /^--http-tls-cert: is given without/,
  );
  bed.write('gateway.toml', '[http]\ntls_key = "k.pem"\n');
  assert.match(bed.problems().join(), /^gateway\.toml:2: http\.tls_key: is given without http\.tls_cert/);
  assert.deepEqual(bed.problems({ flags: { httpTlsCert: '/c.pem' } }), []);
});
