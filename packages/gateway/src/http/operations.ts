/**
 * All operations of the API, in the order of the OpenAPI document.
 *
 * @module
 */

import type { Operation } from './operation.js';
import { keyOperations } from './routes/device-keys.js';
import { deviceOperations } from './routes/devices.js';
import { eventOperations } from './routes/events.js';
import { messageOperations } from './routes/messages.js';
import { overviewOperations } from './routes/overview.js';
import { pageOperations } from './routes/page.js';
import { refusedOperations } from './routes/refused.js';
import { sessionOperations } from './routes/sessions.js';
import { systemOperations } from './routes/system.js';
import { tokenLoginOperations } from './routes/token-login.js';
import { accessOperations } from './routes/tokens.js';

export const OPERATIONS: readonly Operation[] = [
  ...systemOperations,
  ...overviewOperations,
  ...deviceOperations,
  ...keyOperations,
  ...sessionOperations,
  ...messageOperations,
  ...eventOperations,
  ...refusedOperations,
  ...accessOperations,
  ...tokenLoginOperations,
  ...pageOperations,
];
