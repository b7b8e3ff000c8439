/** Echo on this package, by its public API and with its defaults. `node usmp.js PORT [tcp|udp|ws [sink]]` */
import { USMPServer } from 'usmp';
import { answerWith, exitWithParent } from '../lifeline.js';

exitWithParent();

const [port, transport = 'tcp', work = 'echo'] = process.argv.slice(2);
let received = 0;
answerWith(() => received);

const server = new USMPServer({
  listen: [`${transport}://127.0.0.1:${port}`],
  psk: 'correct-horse-battery',
});

server.onSession(async (session) => {
  for await (const message of session) {
    received++;
    if (work === 'echo') await session.send(message);
  }
});

await server.listen();
