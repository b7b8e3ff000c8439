/** Echo over plain TCP, for orientation: what the sockets alone cost. `node tcp.js PORT` */
import { createServer } from 'node:net';
import { exitWithParent } from '../lifeline.js';

exitWithParent();

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
});
server.listen(Number(process.argv[2]), '127.0.0.1');
