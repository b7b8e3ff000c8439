/** What the dashboard shows beside single things: the fleet in numbers, tags, how the gateway is set up. */

import { z } from 'zod';
import { fileValues } from '../../config/config.js';
import { OPTIONS } from '../../config/options.js';
import { type Operation, operation } from '../operation.js';
import { named, Time, time } from '../schema-kit.js';
import { ActivityAnswer, OptionAnswer, StatsAnswer } from '../schemas.js';
import { DeviceParams } from './device-parts.js';

const ACTIVITY_SPAN = 3_600_000;

const stats = operation({
  id: 'getStats',
  method: 'GET',
  path: '/api/v1/stats',
  tag: 'system',
  summary: 'The fleet in numbers, now and every ten seconds of the last hour',
  description: 'The samples are in memory: after a restart they begin anew.',
  access: 'read',
  query: z.strictObject({ after: Time.optional().describe('Only samples after this time.') }),
  answers: { 200: { description: 'Its numbers.', schema: StatsAnswer } },
  handle({ context, query }): z.input<typeof StatsAnswer> {
    const { stats } = context.fleet;
    const samples = context.metrics.samples(query.after === undefined ? 0 : Date.parse(query.after));
    return {
      at: time(Date.now()),
      interval: context.metrics.sampleInterval / 1_000,
      devices: { registered: context.devices.count(), online: stats.sessions },
      totals: { messagesIn: stats.messagesReceived, messagesOut: stats.messagesSent },
      roundTrip: context.metrics.fleetRoundTrip ?? null,
      samples: samples.map(({ at, roundTrip, ...counts }) => ({
        at: time(at),
        ...counts,
        roundTrip: roundTrip ?? null,
      })),
    };
  },
});

const tags = operation({
  id: 'listTags',
  method: 'GET',
  path: '/api/v1/tags',
  tag: 'devices',
  summary: 'Tags, and how many devices have each',
  access: 'read',
  answers: {
    200: {
      description: 'The first thousand, in the order of their letters.',
      schema: named(
        'TagList',
        'Tags of devices.',
        z.strictObject({
          tags: z.array(z.strictObject({ tag: z.string(), devices: z.number().int().min(0) })),
        }),
      ),
    },
  },
  handle: ({ context }) => ({ tags: context.devices.tags() }),
});

const activity = operation({
  id: 'getDeviceActivity',
  method: 'GET',
  path: '/api/v1/devices/{id}/activity',
  tag: 'messages',
  summary: 'Messages of one device by minute, over the last hour',
  description: 'Counted in the stored messages, so that it has what the history has.',
  access: 'read',
  params: DeviceParams,
  answers: { 200: { description: 'By minute.', schema: ActivityAnswer } },
  errors: ['not_found'],
  handle({ context, params }): z.input<typeof ActivityAnswer> {
    const { id } = context.devices.require(params.id);
    const since = Date.now() - ACTIVITY_SPAN;
    const { minutes, from } = context.history.activity(id, since);
    return {
      from: time(from),
      complete: from <= since,
      minutes: minutes.map(({ at, ...counts }) => ({ at: time(at), ...counts })),
    };
  },
});

const config = operation({
  id: 'getConfig',
  method: 'GET',
  path: '/api/v1/config',
  tag: 'system',
  summary: 'How the gateway is set up',
  description: 'It is changed by the configuration file, flags and the environment, not here.',
  access: 'admin',
  answers: {
    200: {
      description: 'All options.',
      schema: named('Configuration', 'All options.', z.strictObject({ options: z.array(OptionAnswer) })),
    },
  },
  handle({ context }) {
    const values = fileValues(context.config());
    return {
      options: OPTIONS.map(({ path, description, live, flag, env }): z.input<typeof OptionAnswer> => {
        const value = values.get(path) ?? '';
        return { name: path, value: [value].flat().join(', '), description, live, flag, variable: env };
      }),
    };
  },
});

export const overviewOperations: readonly Operation[] = [stats, config, tags, activity];
