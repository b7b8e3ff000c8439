/** How the gateway is: for people, for supervisors, for Prometheus. */

import { networkInterfaces } from 'node:os';
import { z } from 'zod';
import { type Operation, operation } from '../operation.js';
import { named, time } from '../schema-kit.js';
import { StatusAnswer } from '../schemas.js';

const HealthAnswer = named('Health', 'The process lives.', z.strictObject({ status: z.literal('ok') }));

const ReadinessAnswer = named(
  'Readiness',
  'Whether the gateway does its work, and why not.',
  z.strictObject({ ready: z.boolean(), reasons: z.array(z.string()) }),
);

const health = operation({
  id: 'getHealth',
  method: 'GET',
  path: '/healthz',
  tag: 'system',
  summary: 'Whether the process lives',
  access: 'open',
  answers: { 200: { description: 'It does.', schema: HealthAnswer } },
  handle: () => ({ status: 'ok' }),
});

const readiness = operation({
  id: 'getReadiness',
  method: 'GET',
  path: '/readyz',
  tag: 'system',
  summary: 'Whether the storage works, listeners are open, and it is not ending',
  access: 'open',
  answers: {
    200: { description: 'All of it.', schema: ReadinessAnswer },
    503: { description: 'Not all of it; `reasons` says what.', schema: ReadinessAnswer },
  },
  handle({ context, reply }) {
    const { ready, reasons } = context.readiness();
    reply.code(ready ? 200 : 503);
    return { ready, reasons };
  },
});

const metrics = operation({
  id: 'getMetrics',
  method: 'GET',
  path: '/metrics',
  tag: 'system',
  summary: 'Metrics for Prometheus',
  description: 'On the machine of the gateway itself no token is needed.',
  access: 'scrape',
  answers: { 200: { description: 'Text format 0.0.4.', schema: z.string(), type: 'text/plain' } },
  handle({ context, reply }) {
    reply.type(context.metrics.contentType);
    return context.metrics.text();
  },
});

const openapi = operation({
  id: 'getOpenApi',
  method: 'GET',
  path: '/api/v1/openapi.json',
  tag: 'system',
  summary: 'This document',
  access: 'open',
  answers: { 200: { description: 'OpenAPI 3.1.', schema: z.looseObject({ openapi: z.string() }) } },
  handle: ({ services }) => services.document(),
});

const status = operation({
  id: 'getStatus',
  method: 'GET',
  path: '/api/v1/status',
  tag: 'system',
  summary: 'The gateway as it is now',
  access: 'read',
  answers: { 200: { description: 'Its numbers.', schema: StatusAnswer } },
  handle({ context, services, caller }): z.input<typeof StatusAnswer> {
    const { stats } = context.fleet;
    const { ready, reasons } = context.readiness();
    return {
      version: context.version,
      startedAt: time(services.startedAt),
      urls: [...context.urls()],
      addresses: ownAddresses(),
      ready,
      reasons: [...reasons],
      devices: { registered: context.devices.count(), online: stats.sessions },
      sessions: { open: stats.sessions, halfOpen: stats.halfOpen, accepted: stats.accepted },
      refused: { ...stats.refused },
      refusedEntries: context.refused.list({ limit: 1 }).total,
      messages: {
        in: stats.messagesReceived,
        out: stats.messagesSent,
        bytesIn: stats.bytesReceived,
        bytesOut: stats.bytesSent,
      },
      lastEvent: context.events.lastPublishedId,
      eventStreams: services.streams.size,
      caller: { name: caller!.name, role: caller!.role },
    };
  },
});

/** What other machines may reach this one at. IPv6 has many that change, and the ones of the link alone need a zone. */
function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses = []) => addresses)
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
}

export const systemOperations: readonly Operation[] = [health, readiness, metrics, openapi, status];
