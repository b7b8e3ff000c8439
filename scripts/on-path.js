/** Programs of this machine. */
import { accessSync, constants } from 'node:fs';
import { delimiter, resolve } from 'node:path';

/** The absolute path of the first program of that name on the PATH, or undefined. @param {string} name */
export function onPath(name) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => resolve(folder, name)).find(isExecutable);
}

/** @param {string} file */
export function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
