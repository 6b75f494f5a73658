/** Node built-ins only: `npm start` needs this before anything is installed. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * @param {string} name @param {string[]} [furtherFolders] looked at after those of PATH
 * @returns {string | undefined} the path of the program, if it is there and may be run
 */
export function findProgram(name, furtherFolders = []) {
  return [...(process.env.PATH ?? '').split(delimiter), ...furtherFolders]
    .filter(Boolean)
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
