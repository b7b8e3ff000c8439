/**
 * Ends this process when the one that started it is gone, however that ended: the parent holds the other end of
 * our standard input.
 */
export function exitWithParent() {
  process.stdin.on('end', () => process.exit());
  process.stdin.on('error', () => process.exit());
  process.stdin.resume();
}

/**
 * Answers whatever comes on standard input with a line: how much has been done by now. So the benchmark reads the count
 * at the same moment as the CPU time, and through no network.
 * @param {() => number} count
 */
export function answerWith(count) {
  process.stdin.on('data', () => process.stdout.write(`${count()}\n`));
}
