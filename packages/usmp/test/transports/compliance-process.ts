/**
 * One session on a transport, from beginning to end, in a process of its own. It says `closed` when all is closed, with
 * what keeps it alive, if anything does, and must end by itself. Started with the module of a bed and its scheme.
 */

import { pattern } from '../interop/traffic.js';
import { echo } from '../server/live.js';
import { clientTo, listen, type TransportBed } from './bed.js';

const [, , module, scheme] = process.argv;
const { beds } = (await import(module!)) as { beds: Record<string, TransportBed> };
const bed = beds[scheme!]!;

const ends: (() => unknown)[] = [];
const { live, url } = await listen({ after: (end) => void ends.push(end as () => unknown) }, bed, {}, echo);
const session = await clientTo(url).connect();
await session.send(pattern(1, 1_000));
await session.recv();
await session.ping();
await session.close();
await live.server.close();
for (const end of ends) await end();
console.log('closed', process.getActiveResourcesInfo().join(' '));
