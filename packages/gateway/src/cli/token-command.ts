/**
 * `usmp-gateway token`: who may use the API.
 *
 * @module
 */

import { type Command, Option } from 'commander';
import { ROLES } from '../model.js';
import type { TokenFacts } from './answers.js';
import { apiPath } from './api-client.js';
import { LocalError } from './exit-codes.js';
import { gatewayCommand, onGateway, type Work } from './gateway-options.js';
import { timeToCome } from './option-values.js';
import { SecretFile } from './secret-file.js';
import { relative } from './words.js';

interface AddFlags {
  readonly name: string;
  readonly role: string;
  readonly expires?: string;
  readonly quiet?: true;
  readonly out?: string;
}

interface NewToken {
  readonly token: TokenFacts;
  readonly secret: string;
}

export function addToken(program: Command): void {
  const token = program
    .command('token')
    .summary('make, list and remove tokens of the API')
    .description('Makes, lists and removes tokens of the API.');
  const add = gatewayCommand(token, 'add', 'make a token and show it, once')
    .requiredOption('--name <name>', 'who or what it is for')
    .addOption(
      new Option('--role <role>', 'read looks, send also sends messages, admin does everything')
        .choices(ROLES)
        .makeOptionMandatory(),
    )
    .option('--expires <time>', 'a date, or a duration like 90d (default: never)', timeToCome)
    .option('--quiet', 'print the token and nothing else')
    .option('--out <file>', 'write it to a new file that only you can read');
  onGateway(add, 'adds', addOne);

  onGateway(gatewayCommand(token, 'list', 'list tokens'), 'stored', async ({ api, out }: Work) => {
    const answer = await api.get<{ tokens: readonly TokenFacts[] }>('/tokens');
    const rows = answer.tokens.map((each) => [
      each.id,
      each.name,
      each.role,
      relative(each.createdAt),
      relative(each.usedAt),
      each.expiresAt === null ? 'never' : relative(each.expiresAt),
    ]);
    const none = 'no tokens yet: usmp-gateway token add makes one';
    out.answer(answer, () => out.table(['ID', 'NAME', 'ROLE', 'MADE', 'USED', 'EXPIRES'], rows, none));
  });

  const remove = gatewayCommand(token, 'remove <id>', 'end a token at once; its id is in token list');
  onGateway(remove, 'stored', async ({ api, out }: Work, id: string) => {
    await api.delete(apiPath`/tokens/${id}`);
    out.answer({ removed: true }, () => `token ${id} is removed\n`);
  });
}

async function addOne({ api, out, flags }: Work<AddFlags>): Promise<void> {
  const { name, role, expires: expiresAt, quiet } = flags;
  const file = flags.out === undefined ? undefined : new SecretFile(flags.out);
  let made: NewToken;
  try {
    made = await api.post<NewToken>('/tokens', { body: { name, role, expiresAt } });
  } catch (error) {
    file?.discard();
    throw error;
  }
  if (file === undefined) {
    out.answer(made, () => (quiet ? `${made.secret}\n` : textOf(made, made.secret)));
    return;
  }
  try {
    file.write(`${made.secret}\n`);
  } catch (error) {
    throw new LocalError(`${(error as Error).message}; remove token ${made.token.id}, and make another`);
  }
  out.answer({ ...made, secret: null, file: file.path }, () =>
    quiet ? '' : textOf(made, `in ${file.path}`),
  );
}

function textOf({ token }: NewToken, secret: string): string {
  const end = token.expiresAt === null ? '' : ` It expires ${relative(token.expiresAt)}.`;
  return `${secret}

Shown this once: the token ${token.id} of ${token.name}, role ${token.role}.${end} Send it as
Authorization: Bearer TOKEN
`;
}
