/** Whether this machine has the IPv6 loopback address. */

import { networkInterfaces } from 'node:os';

export const hasIPv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
);
