/** Echo on this package, by its public API and with its defaults. `node usmp.js PORT` */
import { USMPServer } from 'usmp';
import { exitWithParent } from '../lifeline.js';

exitWithParent();

const server = new USMPServer({
  host: '127.0.0.1',
  port: Number(process.argv[2]),
  psk: 'correct-horse-battery',
});

server.onSession(async (session) => {
  for await (const message of session) await session.send(message);
});

await server.listen();
