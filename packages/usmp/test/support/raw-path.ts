/** False servers, and somebody on the path between a client and a server. */

import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { type RawDatagram, RawSocket, readDatagram } from './raw-datagrams.js';

/** Where somebody waits for datagrams. */
export interface RawListener {
  readonly port: number;
  readonly url: string;
  close(): void;
}

/** A server made of one function, which gets each datagram and may answer it. */
export async function listenRaw(
  answer: (datagram: RawDatagram, reply: (...datagrams: readonly Uint8Array[]) => void, port: number) => void,
): Promise<RawListener> {
  const socket = createSocket('udp4', (bytes: Buffer, { port, address }: RemoteInfo) =>
    answer(
      readDatagram(bytes),
      (...datagrams) => {
        for (const datagram of datagrams) socket.send(datagram, port, address, () => {});
      },
      port,
    ),
  );
  socket.on('error', () => {});
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  return { port, url: `udp://127.0.0.1:${port}`, close: () => socket.close() };
}

/** What somebody on the path does to the datagrams of one direction: what to pass on instead of each. */
export type Meddling = (datagram: RawDatagram) => readonly Uint8Array[];

/** Somebody on the path between one client and a server, who sees, changes and invents what he likes. */
export interface RawTap extends RawListener {
  /** What the client has sent, in order. */
  readonly recording: readonly Buffer[];
  /** Of the client's socket. */
  clientPort(): number;
  /** Sends to the server in the name of the client. */
  sendToServer(...datagrams: readonly Uint8Array[]): void;
  /** Sends to the client in the name of the server. */
  sendToClient(...datagrams: readonly Uint8Array[]): void;
}

const passOn: Meddling = ({ bytes }) => [bytes];

/** Taps the line between one client and a server. */
export async function tap(
  serverPort: number,
  { toServer = passOn, toClient = passOn }: { toServer?: Meddling; toClient?: Meddling } = {},
): Promise<RawTap> {
  const recording: Buffer[] = [];
  const upstream = await RawSocket.open({ port: serverPort });
  let answerClient: (...datagrams: readonly Uint8Array[]) => void = () => {};
  let clientPort = 0;
  const listener = await listenRaw((datagram, reply, port) => {
    recording.push(datagram.bytes);
    answerClient = reply;
    clientPort = port;
    upstream.send(...toServer(datagram));
  });
  upstream.filter = (datagram) => {
    answerClient(...toClient(datagram));
    return true;
  };
  return {
    ...listener,
    recording,
    clientPort: () => clientPort,
    sendToServer: (...datagrams) => upstream.send(...datagrams),
    sendToClient: (...datagrams) => answerClient(...datagrams),
    close() {
      listener.close();
      upstream.close();
    },
  };
}
