/** Every transport keeps every promise. A new one needs a bed, and a line here. */

import { beds } from './beds.js';
import { describeTransport } from './compliance.js';

for (const [scheme, bed] of Object.entries(beds)) describeTransport(scheme, bed);
