/**
 * What the errors of Unix sockets and of their files mean, and what to do about them.
 *
 * @module
 */

import { dirname } from 'node:path';
import { TransportError, USMPError } from '../core/errors.js';
import { NO_DESCRIPTOR } from './socket-errors.js';

/** Why nobody can connect at a path. */
export function unixListenError(path: string, error: NodeJS.ErrnoException): USMPError {
  if (error instanceof USMPError) return error;
  return new TransportError('unreachable', `cannot listen on ${path}: ${explainListen(path, error)}`, {
    cause: error,
  });
}

function explainListen(path: string, error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ENOENT':
      return `there is no folder ${dirname(path)}; make it first`;
    case 'ENOTDIR':
      return `${dirname(path)} is no folder; choose another path`;
    case 'EACCES':
    case 'EPERM':
      return `no permission to make or replace it in ${dirname(path)}; choose a folder of this user`;
    case 'EROFS':
      return `${dirname(path)} cannot be written to; choose another folder`;
    default:
      return error.message;
  }
}

/** Why there is no connection. */
export function unixConnectError(path: string, error: NodeJS.ErrnoException): TransportError {
  return new TransportError('unreachable', `cannot connect to ${path}: ${explainConnect(error)}`, {
    cause: error,
  });
}

function explainConnect(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ENOENT':
      return 'nothing listens there; is the server running, and is it this path?';
    case 'ECONNREFUSED':
      return 'nothing listens there any more, or it is no socket; start the server, or correct the path';
    case 'ENOTDIR':
    case 'ENOTSOCK':
    case 'EPROTOTYPE':
      return 'there is something else than a stream socket; is it this path?';
    case 'EACCES':
    case 'EPERM':
      return 'no permission; the mode of the socket, such as ?mode=660, and its folder say who may';
    case 'EAGAIN':
      return 'the server does not keep up with new connections; try again';
    case 'EMFILE':
    case 'ENFILE':
      return NO_DESCRIPTOR;
    default:
      return error.message;
  }
}
