/**
 * Echo over TLS 1.3 with required client certificates: what one would pick on Node without USMP. `node tls.js PORT`,
 * with {"key", "cert"} as PEM in BENCH_TLS_IDENTITY.
 */
import { createServer } from 'node:tls';
import { exitWithParent } from '../lifeline.js';

exitWithParent();

const { key, cert } = JSON.parse(process.env.BENCH_TLS_IDENTITY ?? '{}');
const server = createServer(
  { key, cert, ca: cert, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3', noDelay: true },
  (socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  },
);
server.listen(Number(process.argv[2]), '127.0.0.1');
