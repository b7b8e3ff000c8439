/**
 * Ends this process when the one that started it is gone, however that ended: the parent holds the other end of
 * our standard input.
 */
export function exitWithParent() {
  process.stdin.on('end', () => process.exit());
  process.stdin.on('error', () => process.exit());
  process.stdin.resume();
}
