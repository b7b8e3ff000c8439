/**
 * Runs many commands in one process, as starting one costs more than all of them do: reads a list of argument lists from
 * standard input, and prints what each has written, and its exit code.
 */

import { run } from '#dist/cli/program.js';

const { stdout, stderr } = process;
const print = stdout.write.bind(stdout);
const chunks: Buffer[] = [];
for await (const chunk of process.stdin) chunks.push(chunk);

const outcomes: object[] = [];
for (const args of JSON.parse(Buffer.concat(chunks).toString())) {
  const written = { stdout: '', stderr: '' };
  stdout.write = (text: string | Uint8Array) => {
    written.stdout += text;
    return true;
  };
  stderr.write = (text: string | Uint8Array) => {
    written.stderr += text;
    return true;
  };
  process.exitCode = undefined;
  await run(args);
  outcomes.push({ ...written, code: process.exitCode ?? 0 });
}
process.exitCode = 0;
print(JSON.stringify(outcomes));
