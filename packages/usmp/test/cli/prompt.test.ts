import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import test from 'node:test';
import { openPrompt } from '#dist/cli/prompt.js';

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const UP = '\u001b[A';

/** A prompt on a terminal that this test holds both ends of. */
function terminal(onInterrupt = () => {}) {
  const keyboard = new PassThrough();
  const screen = new PassThrough();
  let shown = '';
  screen.setEncoding('utf8').on('data', (text) => {
    shown += text;
  });
  const prompt = openPrompt(keyboard, screen, onInterrupt);
  return { keyboard, prompt, shown: () => shown };
}

async function linesOf(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

test('lines come as they were edited, until Ctrl-D', async () => {
  const { keyboard, prompt } = terminal();
  const lines = linesOf(prompt.lines);
  keyboard.write('hallo\u007f\u007f\u007f\u007fello\r');
  keyboard.write('again\r');
  keyboard.write(`${UP}${UP}\r`);
  keyboard.write(CTRL_D);
  assert.deepEqual(await lines, ['hello', 'again', 'hello']);
});

test('what is printed meanwhile leaves what has been typed behind the prompt', async () => {
  const { keyboard, prompt, shown } = terminal();
  const lines = linesOf(prompt.lines);
  keyboard.write('half a li');
  while (!shown().endsWith('half a li')) await new Promise((resolve) => setImmediate(resolve));
  prompt.print('a message');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal is told
  assert.match(shown(), /\u001b\[2Ka message\n.*> half a li[^\n]*$/s);
  keyboard.write('ne\r');
  keyboard.write(CTRL_D);
  assert.deepEqual(await lines, ['half a line']);
});

test('Ctrl-C is passed on, for the terminal does not', async () => {
  let interrupts = 0;
  const { keyboard, prompt } = terminal(() => {
    interrupts++;
    prompt.close();
  });
  const lines = linesOf(prompt.lines);
  keyboard.write(`typed${CTRL_C}`);
  assert.deepEqual(await lines, []);
  assert.equal(interrupts, 1);
});

test('a closed prompt still prints, and shows no prompt behind it', () => {
  const { prompt, shown } = terminal();
  prompt.close();
  prompt.print('the end');
  assert.ok(shown().endsWith('the end\n'), JSON.stringify(shown()));
});
