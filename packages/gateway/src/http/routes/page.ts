/** The dashboard that browsers show, from memory. Its paths are those that its links lead to. */

import { z } from 'zod';
import { GatewayError } from '../../errors.js';
import { dashboardAsset, dashboardPage } from '../dashboard.js';
import { type ContentType, type Operation, operation } from '../operation.js';
import { text } from '../schema-kit.js';
import { MAX_TEXT } from './device-parts.js';

/** Names of assets have a hash of what is in them. */
const FOREVER = 'public, max-age=31536000, immutable';

function page(id: string, path: string, summary: string, params?: z.ZodObject): Operation {
  const depth = path.split('/').length - 2;
  return operation({
    ...{ id, method: 'GET', path, tag: 'page', summary },
    access: 'open',
    page: true,
    ...(params === undefined ? {} : { params }),
    answers: { 200: { description: 'The page.', schema: z.string(), type: 'text/html' } },
    handle({ reply }) {
      reply.type('text/html; charset=utf-8');
      return dashboardPage(depth);
    },
  });
}

const AssetParams = z.strictObject({
  name: text(MAX_TEXT).describe('As the page has it.'),
});

function asset(id: string, folder: string, type: ContentType, summary: string): Operation {
  return operation({
    ...{ id, method: 'GET', path: `/${folder}/{name}`, tag: 'page', summary },
    access: 'open',
    page: true,
    params: AssetParams,
    answers: { 200: { description: 'The file.', schema: z.string(), type } },
    errors: ['not_found'],
    handle({ params, request, reply }) {
      const file = dashboardAsset(`${folder}/${params.name}`);
      if (file === undefined)
        throw new GatewayError('not_found', 'this file is of another release: load the page again');
      reply.type(`${type}; charset=utf-8`);
      reply.header('cache-control', FOREVER);
      reply.header('vary', 'accept-encoding');
      if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return file.plain;
      reply.header('content-encoding', 'gzip');
      return file.gzip;
    },
  });
}

const DevicePage = z.strictObject({ id: text(MAX_TEXT) });

export const pageOperations: readonly Operation[] = [
  page('getPage', '/', 'The dashboard: the fleet'),
  page('getAddPage', '/add', 'The dashboard: add a device'),
  page('getDevicePage', '/devices/{id}', 'The dashboard: one device', DevicePage),
  page('getRefusedPage', '/refused', 'The dashboard: who was refused'),
  page('getEventsPage', '/events', 'The dashboard: what happens'),
  page('getSettingsPage', '/settings', 'The dashboard: tokens and configuration'),
  asset('getPageScript', 'scripts', 'text/javascript', 'A script of the dashboard'),
  asset('getPageStyle', 'styles', 'text/css', 'A style of the dashboard'),
];
