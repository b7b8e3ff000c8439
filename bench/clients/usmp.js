/**
 * One session of this package's client over UDP, by its public API. `node usmp.js PORT echo|sink WINDOW SIZE`
 *
 * echo keeps WINDOW messages under way and checks what comes back; sink sends one message behind the other, and what is
 * under way then is what the library makes of it. Prints a line when the session is open.
 */
import { USMPClient } from 'usmp';
import { answerWith, exitWithParent } from '../lifeline.js';

exitWithParent();

const [port, work, window, size] = process.argv.slice(2);
let sent = 0;
let done = 0;
answerWith(() => done);

const client = new USMPClient({ url: `udp://127.0.0.1:${port}`, psk: 'correct-horse-battery' });
const session = await client.connect();
console.log('open');
if (work === 'echo') await echo();
else while (true) await send();

async function echo() {
  for (let i = 0; i < Number(window); i++) send();
  for await (const echoed of session) {
    if (echoed.length !== Number(size)) throw new Error(`an echo of ${echoed.length} bytes`);
    if (Buffer.from(echoed.buffer, echoed.byteOffset).readUInt32LE() !== done)
      throw new Error(`echo ${done} is out of order`);
    done++;
    send();
  }
  throw new Error('the session is over');
}

/** What goes wrong here ends this process, as a rejection that nobody handles. */
function send() {
  const message = Buffer.alloc(Number(size), 0x5a);
  message.writeUInt32LE(sent++);
  return session.send(message);
}
