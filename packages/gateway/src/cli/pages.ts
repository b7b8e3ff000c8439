/**
 * Lists that the API answers page by page.
 *
 * @module
 */

import { type Command, Option } from 'commander';
import type { Page } from './answers.js';
import type { ApiClient, ApiRequest } from './api-client.js';
import { count } from './option-values.js';

/** As many as the API answers at once. */
const MAX_PAGE = 1_000;
const DEFAULT_LIMIT = 100;

export interface PageFlags {
  readonly limit?: number;
  readonly all?: true;
}

export function addPageOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--limit <number>', `how many at most (default: ${DEFAULT_LIMIT})`)
        .argParser(count)
        .conflicts('all'),
    )
    .option('--all', 'all of them');
}

/**
 * As many pages as it takes, in one. Rows are in its field `rows`.
 *
 * @param cursor the parameter that `next` is for
 */
export async function readPages<Answer extends Page>(
  api: ApiClient,
  path: string,
  rows: keyof Answer,
  { limit = DEFAULT_LIMIT, all }: PageFlags,
  query: NonNullable<ApiRequest['query']> = {},
  cursor = 'after',
): Promise<Answer> {
  let wanted = all ? Number.POSITIVE_INFINITY : limit;
  const read: unknown[] = [];
  for (let next: string | number | undefined; ; ) {
    const place = next === undefined ? {} : { [cursor]: next };
    const page = await api.get<Answer>(path, { ...query, ...place, limit: Math.min(wanted, MAX_PAGE) });
    const found = page[rows] as readonly unknown[];
    read.push(...found);
    wanted -= found.length;
    if (page.next === null || wanted <= 0) return { ...page, [rows]: read };
    next = page.next;
  }
}
