/**
 * `usmp-gateway start`.
 *
 * @module
 */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { Command } from 'commander';
import { addConfigOptions, ConfigError, type LoadedConfig, loadConfig, sourcesOf } from '../config/load.js';
import { problemsOfFiles } from '../config/named-files.js';
import type { Gateway } from '../gateway.js';
import { makeLogger } from '../logging/logger.js';
import { whenUnlocked } from './lock-patience.js';
import { stopSignal } from './stop-signal.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

const STDERR = 2;

export function addStart(program: Command): void {
  const command = program
    .command('start')
    .summary('run the gateway')
    .description(
      'Takes devices and serves the HTTP API until SIGTERM or Ctrl-C, a second one of which ends it at once. SIGHUP reads the configuration again.',
    )
    .option('--login-link', 'print a link that logs a browser in (default: on a terminal)')
    .addHelpText(
      'after',
      `
Everything is kept in the data folder. Back up gateway.db while the gateway is stopped, and master.key.

Example:
  usmp-gateway start --data /var/lib/usmp-gateway --listen tcp://0.0.0.0:9000 --listen udp://0.0.0.0:9000`,
    );
  addConfigOptions(command).action(start);
}

async function start(flags: Readonly<Record<string, unknown>>): Promise<void> {
  const load = () => checked(loadConfig(sourcesOf(flags)));
  const loaded = load();
  const { config, fileReason, warnings } = loaded;
  const logger = makeLogger(config.log);
  for (const warning of warnings) logger.warn(warning);
  logger.info({ data: config.data }, `configuration: ${fileReason}`);
  const stop = stopSignal();
  const onTerminal = isatty(STDERR);
  // Only now: it is most of what there is to load.
  const { Gateway } = await import('../gateway.js');
  const gateway = await whenUnlocked(() => Gateway.start({ config, env: process.env, logger, version }));
  const reload = () => {
    // The terminal was closed: nobody asks for another configuration, and nobody could end it any more.
    if (onTerminal && !isatty(STDERR)) return void process.kill(process.pid, 'SIGTERM');
    try {
      gateway.reload(load().config);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      logger.error({ problems: error.problems }, 'the configuration stays as it was');
    }
  };
  process.on('SIGHUP', reload);
  greet(gateway, flags.loginLink === true || process.stdout.isTTY === true);
  if (!stop.aborted) await once(stop, 'abort');
  logger.info('the gateway stops');
  process.removeListener('SIGHUP', reload);
  await gateway.stop();
}

function checked(loaded: LoadedConfig): LoadedConfig {
  const problems = problemsOfFiles(loaded);
  if (problems.length > 0) throw new ConfigError(problems);
  return loaded;
}

/** Where it can be reached. The link is a secret for ten minutes: not for a log. */
function greet(gateway: Gateway, withLink: boolean): void {
  const lines = gateway.urls.map((url) => `listening ${url}`);
  lines.push(`api ${gateway.baseURL}/api/v1`);
  lines.push(
    withLink
      ? `dashboard ${gateway.loginLink('admin')} (once, within 10 minutes; usmp-gateway login-link makes another)`
      : `dashboard ${gateway.baseURL} (usmp-gateway login-link makes a link that logs in)`,
  );
  if (gateway.deviceCount === 0) lines.push('no device yet: usmp-gateway device add --name lamp');
  process.stdout.write(`${lines.join('\n')}\n`);
}
