/** Echo over plain WebSockets, for orientation: what `ws` costs without USMP. `node ws.js PORT` */
import { WebSocketServer } from 'ws';
import { exitWithParent } from '../lifeline.js';

exitWithParent();

const server = new WebSocketServer({
  port: Number(process.argv[2]),
  host: '127.0.0.1',
  perMessageDeflate: false,
});
server.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }));
});
